"""QEMU 7.2's return-path thread: in postcopy it does not leave on an error, but waits for the end of the pause."""

from postcopy.language import Choice, Semaphore, action, require
from postcopy.model.network import Reply
from postcopy.model.qemu.source_recovery import QemuSource
from postcopy.model.qemu.states import Ending
from postcopy.model.qemu_7_2.states import Reader
from postcopy.model.source import Phase, Source


class ReadingSource(QemuSource):
    """The return-path thread, which is created once."""

    reader = Choice("where the return-path thread is", Reader.READING)
    wakes_reader = Semaphore("posts to the return-path thread that there is a new return path", most=1, saturates=True)

    def receives_request(self) -> None:
        """receives a page request and queues it"""
        self._reads()
        Source.receives_request(self)

    def receives_shut(self) -> None:
        """reads the destination's word that all has arrived, and leaves"""
        self._reads()
        require(self.phase >= Phase.POSTCOPY)
        self.return_path.receive(Reply.SHUT_OK)
        self.return_path_left = True

    def return_path_ends(self) -> None:
        """comes to the end of the return path: in postcopy releases its file and waits, else leaves"""
        self._reads()
        require(self.return_path.broken and self.return_path.empty)
        require(not self.return_path.listening)
        if self._in_postcopy():
            self.reader = Reader.PAUSED
        else:
            self._leaves()

    def connects_again(self) -> None:
        """has a new connection to the destination, sets the new return path up, and is in postcopy-recover"""
        left = self.return_path_left
        super().connects_again()
        self.return_path_left = left
        if self.reader == Reader.READING and not left:
            self.reader = Reader.LATE

    @action(Source.return_path_thread, qemu="migration/migration.c:source_return_path_thread")
    def releases_wrong_file(self) -> None:
        """comes to the end of the old return path, and releases the file that is set: the new one"""
        require(self.reader == Reader.LATE)
        self.return_path.close()
        self.reader = Reader.ROBBED

    @action(Source.return_path_thread, qemu="migration/migration.c:source_return_path_thread")
    def reads_new_return_path(self) -> None:
        """is woken, and reads the new return path"""
        require(self.reader == Reader.PAUSED or self.reader == Reader.ROBBED)
        self.wakes_reader.wait()
        if self.reader == Reader.PAUSED:
            self.reader = Reader.READING
            self.error = False
        else:
            self._aborts()

    # -- what the actions share ----------------------------------------------------------------------------------

    def _reads(self) -> None:
        require(Phase.IDLE < self.phase and self.phase < Phase.COMPLETED)
        require(not self.return_path_left)
        require(self.reader == Reader.READING)

    def _in_postcopy(self) -> bool:
        """The state is postcopy-active, paused or recover: the first is set before the CPUs are stopped."""
        switches = Phase.SWITCHING <= self.phase and self.phase <= Phase.POSTCOPY
        return bool((switches or self.switched) and self.ending == Ending.NO)

    def _pause(self) -> None:
        """Closes everything. The return-path thread sees that by itself, and the queue of requests stays."""
        left, requests = self.return_path_left, self.requests
        super()._pause()
        self.return_path_left = left or not self._thread_outlives_pause()
        self.requests = requests

    def _thread_outlives_pause(self) -> bool:
        return True

    def _clean_up(self) -> None:
        super()._clean_up()
        self.reader = Reader.READING
        self.wakes_reader.try_wait()
