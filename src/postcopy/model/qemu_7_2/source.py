"""QEMU 7.2's source: the switch, the requests, a recovery, and the ways in which a migration ends.

The state is postcopy-active before the package is out: there is no postcopy-device, and no PONG to wait for. All pages
are sent by the migration thread, the urgent ones on the preempt channel. The guest is started again only where it was
stopped to complete in precopy: the switch to postcopy does not remember that the guest ran.
"""

from postcopy.language import NONE, Flag, Page, action, require
from postcopy.model.changes.preempt import Fast
from postcopy.model.changes.recovery_messages import Recovering
from postcopy.model.network import Command
from postcopy.model.qemu.states import Connecting, Ending, Interrupt
from postcopy.model.qemu_7_2.return_path import ReadingSource
from postcopy.model.qemu_7_2.states import FastEnd
from postcopy.model.source import Phase, Source


class Source72(ReadingSource):
    """All of the source of QEMU 7.2."""

    completing = Flag("little is left: what is left goes out without a look at errors")
    asleep = Flag("the migration thread waits for a semaphore that nothing posts any more")

    begins_switch = None
    receives_loaded = None
    begins_to_wait = None
    gives_up_waiting = None
    becomes_device = None
    switch_fails = None
    writes_page = None
    serves_at_once = None
    notices_second_loss = None

    # -- before the switch ---------------------------------------------------------------------------------------

    def opens_fast_channel(self) -> None:
        """opens the preempt channel behind the main one, at once"""
        require(self.preempt)  # which needs the capability for postcopy in QEMU; the destination waits for it
        require(Phase.IDLE < self.phase and self.phase <= Phase.PRECOPY)
        require(self.ending == Ending.NO)
        require(not self.fast_there)
        require(self.fast.room() and not self.fast.broken)
        self.fast.send(Fast.HELLO)
        self.fast_there = True

    def cannot_open_fast_channel(self) -> None:
        """has got no preempt channel: the switch fails"""
        require(self.preempt and self.postcopy_capability)
        require(self.phase == Phase.PRECOPY and self.start_postcopy)
        require(self.ending == Ending.NO)
        require(not self.fast_there and self.fast.broken)
        self.ending = Ending.FAILING

    def operator_cancels(self) -> None:
        """cancels the migration, in postcopy as well: not while the migration thread has the big lock"""
        require(Phase.IDLE < self.phase and self.phase < Phase.COMPLETED)
        require(self.phase != Phase.SWITCHING and self.phase != Phase.PACKAGING)
        require(self.ending == Ending.NO)
        self.ending = Ending.CANCELLING
        self._close_files()
        if self.recovery != Recovering.NO:
            self._cancelled_in_its_sleep()

    def stops_cpus_to_switch(self) -> None:
        """stops the CPUs for postcopy, and keeps the big lock: there is something left to send"""
        require(not self.dirty.empty)
        super().stops_cpus_to_switch()

    # -- the switch ----------------------------------------------------------------------------------------------

    def sends_package(self) -> None:
        """gives up the lock on the disk, sends the package, and looks for an error next"""
        super().sends_package()
        self.handing_over = False

    def becomes_active(self) -> None:
        """has found no error behind the package, and sends pages from here on"""
        require(self.phase == Phase.POSTCOPY and not self.active)
        require(self.ending == Ending.NO and self.recovery == Recovering.NO)
        self.active = True

    # -- postcopy ------------------------------------------------------------------------------------------------

    def serves_request(self, page: Page) -> None:
        """serves a requested page, with preempt on that channel, or drops the request of a page that has been sent"""
        require(self._iterates())
        require(self.requests[page])
        require(self.sending.empty or self.preempt)
        urgent = page.host_pages & self.dirty
        self.requests -= page.host_pages
        if self.preempt:
            if not urgent.empty and (self.sending & page.host_pages).empty:
                self._sends_urgent(page)
        elif self.dirty[page]:
            self._ready_to_send()
            self._send_in_postcopy(page)

    def sends_background_page(self, page: Page) -> None:
        """sends a page that nobody has asked for yet; where no request is queued"""
        require(self._iterates())
        require(self.sending.empty and self.requests.empty)
        require(self.dirty[page])
        self._ready_to_send()
        self._send_in_postcopy(page)

    @action(Source.migration, qemu="migration/migration.c:migration_completion")
    def begins_to_complete(self) -> None:
        """finds that little is left, and begins to complete"""
        require(self._iterates() and not self.completing)
        self.completing = True

    def ends_postcopy(self) -> None:
        """ends the stream, and the preempt channel: nothing is dirty, and no request is queued"""
        require(self.completing)
        if self.preempt and not self.fast.broken:
            require(self.fast.room())
            self.fast.send(FastEnd.EOS)
        super().ends_postcopy()

    @action(Source.migration, qemu="migration/migration.c:migration_completion")
    def ends_in_vain(self) -> None:
        """completes, and does not see that what it writes goes nowhere"""
        require(self._iterates() and self.completing)
        require(self.stream.broken)
        self.dirty = NONE
        self.requests = NONE
        self.sending = NONE
        self.phase = Phase.ENDING

    # -- errors and ends -----------------------------------------------------------------------------------------

    def notices_loss(self) -> None:
        """notices an error of a file it writes to: pauses in postcopy-active, and fails before that"""
        require(not self.completing)
        super().notices_loss()

    def takes_guest_back(self) -> None:
        """has failed: starts the guest where it was stopped to complete in precopy, whether the disk can be had or
        not"""
        require(self.ending == Ending.FAILING)
        self.running = self._starts_again()
        self._clean_up()
        self.phase = Phase.FAILED

    def finishes_cancelled(self) -> None:
        """starts the guest where it was stopped to complete in precopy, whether the disk can be had or not:
        cancelled"""
        require(self.ending == Ending.CANCELLING)
        require(not self.asleep)
        require(self.phase != Phase.ENDING or self.return_path_left)
        self.running = self._starts_again()
        self._clean_up()
        self.phase = Phase.CANCELLED

    # -- pause and recovery --------------------------------------------------------------------------------------

    def operator_pauses(self) -> None:
        """pauses the migration: shuts the main connection down, in postcopy-active only"""
        require(self.phase == Phase.POSTCOPY and self.active and self.ending == Ending.NO)
        require(self.recovery == Recovering.NO and not self.stream.broken)
        self.observe(Interrupt.SHUT_DOWN)
        self.stream.close()
        self.return_path.close()

    def operator_resumes(self) -> None:
        """resumes the migration; a connection is yet to be made"""
        require(self.ending == Ending.NO)
        error = self.error
        super().operator_resumes()
        self.error = error

    def connects_fast_again(self) -> None:
        """connects the preempt channel anew, behind the main one"""
        require(self.preempt and not self.fast_there)
        require(self.recovery == Recovering.RECOVER)
        self.fast.connect()
        self.fast_there = True

    @action(Source.migration, qemu="migration/migration.c:postcopy_pause")
    def cannot_connect_fast(self) -> None:
        """gets no preempt channel, and pauses again"""
        require(self.preempt and not self.fast_there)
        require(self.recovery == Recovering.RECOVER)
        self.observe(Connecting.IN_VAIN)
        self._pause()

    def asks_what_arrived(self) -> None:
        """wakes the return-path thread, and asks the destination for the bitmap of what has arrived"""
        require(self.fast_there or not self.preempt)
        super().asks_what_arrived()
        self.wakes_reader.post()

    # -- what the actions share ----------------------------------------------------------------------------------

    def _iterates(self) -> bool:
        """The migration thread sends pages in postcopy."""
        sends = self.phase == Phase.POSTCOPY and self.active
        return bool(sends and self.ending == Ending.NO and self.recovery == Recovering.NO)

    def _sends_urgent(self, page: Page) -> None:
        """What is written to a file that has failed is lost until the bitmap is rebuilt."""
        urgent = page.host_pages & self.dirty
        self.dirty -= urgent
        if not self.fast.broken:
            require(self.fast.room())
            self.fast.send(Command.PAGE, urgent, stale=self.guest.stale_at_source)
        else:
            self.fast_failed = True

    def _may_pause(self) -> bool:
        """In postcopy-active; not while the switch looks for an error behind the package."""
        return self.phase == Phase.POSTCOPY and self.active

    def _ends_with_error(self) -> None:
        """An error that was there before is looked for when the return-path thread is joined."""

    def _starts_again(self) -> bool:
        """The guest runs still, or was stopped to complete in precopy. The disk is activated if it can be had."""
        stopped_in_precopy = self.phase == Phase.FINISHING or self._completes_precopy()
        if stopped_in_precopy or not self.switched:
            self._has_disk()
        return bool(self.running or stopped_in_precopy)

    def _cancelled_in_its_sleep(self) -> None:
        """The migration thread waits for the end of a pause, or for an answer in a recovery: it is not woken."""
        self.recovery = Recovering.NO
        self.asleep = True

    def _clean_up(self) -> None:
        super()._clean_up()
        self.completing = False
        self.asleep = False
