"""QEMU's source host up to the handover, and while it sends: the migration thread and its operator.

The steps are those of migration/migration.c: a step ends where the thread gives a lock back that another one can take,
or where it publishes something that another one acts on. What comes after an error stands in `source_ending`, the new
connection in `source_recovery`, the return-path thread in `return_path`.
"""

from postcopy.language import NONE, Bitmap, Choice, Flag, Page, PageSet, Receives, Sends, action, require
from postcopy.model.changes.recovery import RecoveringSource
from postcopy.model.changes.recovery_messages import Recovering
from postcopy.model.changes.switch import Disk
from postcopy.model.network import Command
from postcopy.model.qemu.states import Ending
from postcopy.model.roles import Role
from postcopy.model.source import Phase, Source


class SendingSource(RecoveringSource):
    """The migration thread as far as nothing fails.

    Its state `postcopy-device` of QEMU is the phase POSTCOPY without `active`, `postcopy-active` is that with it.
    """

    ending = Choice("how the migration is about to end", Ending.NO)
    active = Flag("the migration's state is postcopy-active")
    handing_over = Flag("the package is out, and the state is not postcopy-device yet")
    loaded = Flag("the PONG behind the devices has been noted")
    awaits_loaded = Flag("the migration thread sleeps until the PONG behind the devices is noted")
    error = Flag("an error of the return path has been stored")
    return_path_left = Flag("the return-path thread has left")
    pong_noted = Flag("the PONG to the first PING has been noted")
    fast_there = Flag("the preempt channel is set up")
    fast_failed = Flag("a page could not be written to the preempt channel")
    holds_lock = Flag("the source holds the lock on the disk", True)
    writing = Bitmap("the page that is clean in the bitmap already and goes out next", role=Role.UNSENT)
    fast = Sends("fast")
    lock_taken = Receives("disk")
    lock_given = Sends("disk")

    # -- before the switch ---------------------------------------------------------------------------------------

    def operator_cancels(self) -> None:
        """cancels the migration: not while the migration thread has the big lock, and not in postcopy"""
        require((Phase.IDLE < self.phase and self.phase <= Phase.FINISHING) or self._completes_precopy())
        require(self.ending == Ending.NO)
        self.ending = Ending.CANCELLING
        self._close_files()

    def stops_cpus_to_switch(self) -> None:
        """stops the CPUs for postcopy, and keeps the big lock; with preempt once that channel is open"""
        require(self.ending == Ending.NO)
        require(self.fast_there or not self.preempt)
        super().stops_cpus_to_switch()

    def stops_cpus_to_finish_in_precopy(self) -> None:
        """stops the CPUs, because what is left is little enough to finish in precopy"""
        require(self.ending == Ending.NO)
        super().stops_cpus_to_finish_in_precopy()

    def ends_precopy(self) -> None:
        """gives up the lock on the disk, and sends the device state and the end of the stream"""
        super().ends_precopy()
        self._unlock()

    # -- the switch ----------------------------------------------------------------------------------------------

    def sends_discards(self) -> None:
        """sends the whole migration bitmap to be discarded, if there is anything in it"""
        require(self.phase == Phase.SWITCHING)
        if not self.dirty.empty:
            self._ready_to_send()
            self.stream.send(Command.DISCARD, self.dirty)
        self.phase = Phase.PACKAGING

    def sends_package(self) -> None:
        """gives up the lock on the disk, and sends the package; looks for an error of its file next"""
        super().sends_package()
        self._unlock()
        self.handing_over = True

    @action(Source.migration, qemu="migration/migration.c:postcopy_start")
    def becomes_device(self) -> None:
        """has seen no error of its file behind the package: the state is postcopy-device, the big lock is given back"""
        require(self.handing_over and not self.stream.broken)
        self.handing_over = False

    @action(Source.migration, qemu="migration/migration.c:migration_iteration_run")
    def becomes_active(self) -> None:
        """sees that the package is loaded, and is in postcopy-active: from here on nothing leads back"""
        require(self.phase == Phase.POSTCOPY)
        require(self.loaded and not self.active)
        require(not self.handing_over)
        require(self.ending == Ending.NO and self.recovery == Recovering.NO)
        self.awaits_loaded = False
        self.active = True

    # -- postcopy ------------------------------------------------------------------------------------------------

    def serves_request(self, page: Page) -> None:
        """serves a requested page from the queue, or drops the request where the page has already been sent"""
        require(not self.preempt and self.ending == Ending.NO)
        require(not self.handing_over and not self.awaits_loaded)
        super().serves_request(page)

    def sends_background_page(self, page: Page) -> None:
        """sends a page that nobody has asked for yet; without preempt only where no request is queued"""
        require(self.preempt or self.requests.empty)
        require(self.phase == Phase.POSTCOPY)
        require(self.sending.empty and self.writing.empty)
        require(self.dirty[page] and not self.handing_over)
        require(self.ending == Ending.NO and self.recovery == Recovering.NO)
        if self.preempt:
            self.dirty -= page
            self.writing = page
        else:
            self._ready_to_send()
            self._send_in_postcopy(page)

    @action(Source.migration, rule="R13 R17", qemu="migration/ram.c:ram_save_host_page")
    def writes_page(self) -> None:
        """writes the page to the stream: with preempt the bitmap's lock was given back before"""
        require(not self.writing.empty)
        self._ready_to_send()
        page = self.writing
        self.writing = NONE
        self.sending = page.host_pages & self.dirty
        self._send_page(page)

    def ends_postcopy(self) -> None:
        """ends the stream in postcopy-active: nothing is dirty, and no request is queued"""
        require(self.active and self.writing.empty)
        super().ends_postcopy()

    # -- what the actions share ----------------------------------------------------------------------------------

    def _completes_precopy(self) -> bool:
        """The end of precopy is out, and the destination's word is awaited."""
        return self.phase == Phase.ENDING and not self.switched

    def _ready_to_send(self) -> None:
        """Who is about to end sends no more."""
        require(self.ending == Ending.NO)
        super()._ready_to_send()

    def _remember_sent(self, page: PageSet) -> None:
        """Keeps no sent map."""

    def _compute_discards(self) -> None:
        """R21: host pages that are partly dirty become wholly so."""
        self.dirty = self.dirty.host_pages

    def _close_files(self) -> None:
        self.stream.close()
        self.return_path.close()
        self.fast.close()

    def _unlock(self) -> None:
        if self.disk_lock and self.holds_lock:
            require(self.lock_given.room())
            self.lock_given.send(Disk.LOCK)
            self.holds_lock = False

    def _has_disk(self) -> bool:
        """Activates the disk, if no other host has it."""
        if self.disk_lock and not self.holds_lock and self.lock_taken.next_is(Disk.LOCK):
            self.lock_taken.receive(Disk.LOCK)
            self.holds_lock = True
        return bool(self.holds_lock or not self.disk_lock)

    def _clean_up(self) -> None:
        super()._clean_up()
        self.ending = Ending.NO
        self.active = False
        self.awaits_loaded = False
        self.handing_over = False
        self.writing = NONE
        self._close_fast()

    def _close_fast(self) -> None:
        self.fast_there = False
        self.fast_failed = False
        self.fast.close()
