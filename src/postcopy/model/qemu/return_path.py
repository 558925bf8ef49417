"""QEMU's return-path thread at the source: it reads what the destination says, and leaves on an error."""

from postcopy.language import Page, action, require
from postcopy.model.changes.recovery_messages import Recovering
from postcopy.model.network import Command, Reply
from postcopy.model.qemu.first_pong import FirstPongSource
from postcopy.model.qemu.states import Aborted, OnPackage
from postcopy.model.source import Phase, Source


class ReturnPathSource(FirstPongSource):
    """The return-path thread."""

    def receives_pong(self) -> None:
        """notes a PONG"""
        self._reads()
        super().receives_pong()
        self.pong_noted = True

    @action(Source.return_path_thread, qemu="migration/migration.c:source_return_path_thread")
    def receives_loaded(self) -> None:
        """notes the PONG behind the devices: the package is loaded"""
        self._reads()
        self.return_path.receive(OnPackage.LOADED)
        self.loaded = True

    def receives_request(self) -> None:
        """receives a page request: queues it, or with preempt serves it next"""
        self._reads()
        require(self.requests.empty or not self.preempt)
        super().receives_request()

    @action(Source.return_path_thread, rule="R13 R17", qemu="migration/ram.c:ram_save_queue_pages")
    def serves_at_once(self, page: Page) -> None:
        """sends a requested page on the preempt channel, or finds that it is gone; a page that has been sent is left
        out"""
        require(self.preempt and self.requests[page])
        require(self.phase == Phase.POSTCOPY and not self.handing_over)
        if not self.fast_there:
            self._has_no_channel(page)
        else:
            urgent = page.host_pages & self.dirty
            if urgent.empty or self._on_main_channel(page):
                self.requests -= page.host_pages
            elif not self.fast.broken:
                require(self.fast.room())
                self.requests -= page.host_pages
                self.dirty -= urgent
                self.fast.send(Command.PAGE, urgent, stale=self.guest.stale_at_source)
            else:
                self.requests -= page.host_pages
                self.dirty -= urgent  # lost until the bitmap is rebuilt
                self.fast_failed = True  # the file keeps the error, which the migration thread looks for

    def receives_shut(self) -> None:
        """reads the destination's word that all has arrived, and leaves"""
        require(self.phase >= Phase.POSTCOPY and self.phase < Phase.COMPLETED)
        require(not self.return_path_left)
        self.return_path.receive(Reply.SHUT_OK)
        self.return_path_left = True

    def receives_shut_with_error(self) -> None:
        """reads the destination's word that it has failed, stores an error and leaves"""
        self._reads()
        self.return_path.receive(Reply.SHUT_ERROR)
        self._leaves()

    @action(Source.return_path_thread, rule="R15", qemu="migration/migration.c:source_return_path_thread")
    def return_path_ends(self) -> None:
        """comes to the end of the return path, stores an error and leaves"""
        self._reads()
        require(self.return_path.broken and self.return_path.empty)
        require(not self.return_path.listening)
        self._leaves()

    def reloads_bitmap(self) -> None:
        """receives the bitmap of what has arrived: all the rest needs sending"""
        self._reads()
        super().reloads_bitmap()

    def receives_resume_ack(self) -> None:
        """receives the acknowledgement: postcopy-active again"""
        self._reads()
        super().receives_resume_ack()

    # -- what the actions share ----------------------------------------------------------------------------------

    def _reads(self) -> None:
        require(Phase.IDLE < self.phase and self.phase < Phase.COMPLETED)
        require(not self.return_path_left)
        require(self.recovery != Recovering.PAUSED)

    def _leaves(self) -> None:
        self.error = True
        self.return_path_left = True

    def _on_main_channel(self, page: Page) -> bool:
        """The host page is being sent on the main channel, or a part of it has been."""
        return not ((self.sending | self.writing) & page.host_pages).empty

    def _has_no_channel(self, _page: Page) -> None:
        """An assertion says that the channel is there, in every state of postcopy."""
        self._aborts()

    def _aborts(self) -> None:
        self.observe(Aborted.ASSERTION)
        self._unlock()
        self._clean_up()
        self.phase = Phase.DEAD
        self.running = False
