"""Faults of a recovery, at both hosts: new connections, the received bitmap, RESUME, and what it wakes."""

from postcopy.language import NONE, PageSet, require
from postcopy.model.changes.recovery_messages import Recovering, RecoveryCommand
from postcopy.model.qemu.faults.fault import PREEMPT, QemuFault
from postcopy.model.qemu.mends import Qemu11Mended
from postcopy.model.qemu.states import Listen, MainLoop


class ResumesWithTheOldError(QemuFault):
    """The error that has paused the migration is still stored when it is resumed."""

    step, expects = "S26", "no-deadlock"

    class source(Qemu11Mended.source):
        """Frees no error."""

        def operator_resumes(self) -> None:
            """resumes the migration; the old error stays"""
            before = self.error
            super().operator_resumes()
            self.error = before


class NewReturnPathUnread(QemuFault):
    """The new connection gets no return-path thread."""

    step, expects = "S27", "no-deadlock"

    class source(Qemu11Mended.source):
        """Creates no thread."""

        def connects_again(self) -> None:
            """has a new connection, and no thread that reads its return path"""
            super().connects_again()
            self.return_path_left = True


class NeverAsksWhatArrived(QemuFault):
    """The source does not ask for the received bitmap, and resumes with its own."""

    step, expects = "S28", "no-page-is-lost"

    class source(Qemu11Mended.source):
        """Asks nothing."""

        def asks_what_arrived(self) -> None:
            """takes its own bitmap for right"""
            require(self.recovery == Recovering.RECOVER)
            self.recovery = Recovering.RELOADED


class ResumesBeforeTheFastChannel(QemuFault):
    """With preempt RESUME goes out before that channel is connected anew."""

    step, expects, terms = "S30", "no-deadlock", PREEMPT

    class source(Qemu11Mended.source):
        """Does not connect it."""

        def sends_resume(self) -> None:
            """tells the destination that the migration goes on, whether the preempt channel is there or not"""
            require(self.recovery == Recovering.RELOADED)
            self._ready_on_new_connection()
            self.stream.send(RecoveryCommand.RESUME)
            self.recovery = Recovering.RESUMING


class NeverIdentifies(QemuFault):
    """The main loop goes on waiting for the first bytes of a connection that has come to its end."""

    step, expects = "D1", "big-lock-comes-free"

    class destination(Qemu11Mended.destination):
        """Does not see the end."""

        cannot_identify = None


class ListenThreadNotWoken(QemuFault):
    """The new main connection is taken, and the listen thread is not woken."""

    step, expects = "D2", "no-deadlock"

    class destination(Qemu11Mended.destination):
        """Posts nothing."""

        def takes_connection(self) -> None:
            """sees the first bytes: the state is postcopy-recover; posts nothing"""
            require(self.loop == MainLoop.PEEKING)
            require(not self.stream.empty)
            self.loop = MainLoop.FREE
            if self.return_path.listening:
                self.return_path.connect()
            self.return_path_open = True
            self.recovery = Recovering.RECOVER


class TakesNoReturnPath(QemuFault):
    """The new main connection is taken for reading alone."""

    step, expects = "D2", "no-deadlock"

    class destination(Qemu11Mended.destination):
        """Has no file to the source."""

        def takes_connection(self) -> None:
            """sees the first bytes: the state is postcopy-recover, without a return path"""
            super().takes_connection()
            self.return_path_open = False


class FastChannelUnannounced(QemuFault):
    """The new preempt channel is accepted, and nothing is posted."""

    step, expects, terms = "D3", "no-deadlock", PREEMPT

    class destination(Qemu11Mended.destination):
        """Posts nothing."""

        def accepts_fast_again(self) -> None:
            """accepts the new preempt channel, and posts nothing"""
            require(self._fast_is_connected() and self.return_path_open)
            require(self.loop == MainLoop.FREE)
            self.listens_fast = False
            self.fast_there = True


class AnswersThatNothingArrived(QemuFault):
    """The received bitmap is empty, whatever has arrived."""

    step, expects = "D21", "no-page-comes-twice"

    class destination(Qemu11Mended.destination):
        """Sends zeros."""

        def _arrived(self) -> PageSet:
            return self.present - self.present


class CountsWhatIsNotWhole(QemuFault):
    """A page is noted as received when it comes, and not when its host page is whole and placed."""

    step, expects, pages, host_page = "D21", "no-page-is-lost", 2, 2

    class destination(Qemu11Mended.destination):
        """Notes first, and throws the parts of a host page away after it has said what it has."""

        def _arrived(self) -> PageSet:
            return super()._arrived() | self.assembling

        def _forget_partial_pages(self) -> None:
            """Later."""

        def says_what_arrived(self) -> None:
            """answers with the received bitmap, and throws away what is not whole"""
            super().says_what_arrived()
            self.guest.threw_away(self.assembling)
            self.assembling = NONE


class NeverAcknowledgesResume(QemuFault):
    """RESUME is obeyed, and not acknowledged."""

    step, expects = "D22", "no-deadlock"

    class destination(Qemu11Mended.destination):
        """Says nothing."""

        def resumes(self) -> None:
            """sets the state postcopy-active"""
            require(self._listening() and self._recovers())
            self.stream.receive(RecoveryCommand.RESUME)
            self.recovery = Recovering.NO
            self.asking = self.requested - self._arrived()
            self.listener = Listen.RESUMING


class NeverAsksAgain(QemuFault):
    """Pages that were requested before the break are not requested again."""

    step, expects = "D22", "no-request-is-lost"

    class destination(Qemu11Mended.destination):
        """Forgets its tree."""

        def resumes(self) -> None:
            """sets the state postcopy-active, and acknowledges RESUME"""
            super().resumes()
            self.asking = NONE


class NeverListensForPreempt(QemuFault):
    """migrate-recover listens for the main connection alone."""

    step, expects, terms = "M1", "no-deadlock", PREEMPT

    class destination(Qemu11Mended.destination):
        """Listens for one connection."""

        def _listens_for_fast(self) -> None:
            """Does not."""
