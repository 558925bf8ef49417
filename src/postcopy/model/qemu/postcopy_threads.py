"""The threads of postcopy at QEMU's destination: the listen thread, the fault thread and the preempt thread."""

from postcopy.language import NONE, Page, PageSet, action, require
from postcopy.model.changes.recovery_messages import Recovering, RecoveryCommand, RecoveryReply
from postcopy.model.destination import Destination, Main, State
from postcopy.model.network import Command, Reply
from postcopy.model.qemu.destination import LoadingDestination
from postcopy.model.qemu.states import FaultThread, Listen, Placing, Preempt, Refusing


class ListeningDestination(LoadingDestination):
    """Three threads that live from LISTEN to the end."""

    # -- the listen thread reads ---------------------------------------------------------------------------------

    def places_page(self) -> None:
        """receives a page; when its host page is whole, places it and wakes the threads that wait for it, or has an
        error where a page is there"""
        require(self._reads())  # the preempt channel's error is looked for between two sections
        message = self.stream.receive(Command.PAGE)
        whole = message.pages.host_pages
        self.assembling |= message.pages
        self.guest.arrived(message.pages, message.marked["stale"])
        if whole.subset_of(self.assembling):
            if (whole & self.present).empty:
                self.unnoted = whole
                self._place(whole)
            else:
                self._cannot_place(whole)

    @action(Destination.listen, qemu="migration/postcopy-ram.c:qemu_ufd_copy_ioctl")
    def notes_page(self) -> None:
        """notes the page that it has placed as received, and as requested no more"""
        require(not self.unnoted.empty)
        self.requested -= self.unnoted
        self.unnoted = NONE

    @action(Destination.listen, qemu="migration/savevm.c:qemu_loadvm_state_main")
    def sees_that_load_failed(self) -> None:
        """comes out of its read, and sees that the package could not be loaded"""
        require(self.listener == Listen.READING and self.load_failed)
        require(self.unnoted.empty and self._is_woken())
        self.listener = Listen.FAILING

    def loses_the_guest(self) -> None:
        """sees that the connection is gone: pauses if the state is RUNNING, and closes what it has; else it fails"""
        require(self._reads())
        require(self.stream.broken)
        self._has_an_error()

    @action(Destination.listen, rule="R15", qemu="migration/savevm.c:qemu_loadvm_state_main")
    def loses_fast_channel(self) -> None:
        """sees with the next bytes that the preempt channel's file has an error: pauses, or fails"""
        require(self._reads() and self.fast_failed)
        require(not self.stream.empty)
        self._has_an_error()

    @action(Destination.listen, rule="R15", qemu="migration/savevm.c:qemu_loadvm_state_main")
    def loses_page(self) -> None:
        """could not place a page: pauses, or fails"""
        require(self.listener == Listen.REFUSED)
        self._has_an_error()

    @action(Destination.listen, rule="R15", qemu="migration/postcopy-ram.c:postcopy_listen_thread")
    def fails(self) -> None:
        """gives up: the process ends, or says failed and is to be cleaned up"""
        require(self.listener == Listen.FAILING)
        self._ends_or_stays()

    # -- the listen thread pauses --------------------------------------------------------------------------------

    @action(Destination.listen, qemu="migration/savevm.c:postcopy_pause_incoming")
    def closes_fast_channel(self) -> None:
        """takes the preempt thread's mutex and closes that channel"""
        require(self.listener == Listen.CLOSING)
        require(self._mutex_is_free())
        self.fast_there = False
        self.fast_failed = False
        self._takes_posts_back()
        self.listener = Listen.CLOSED

    @action(Destination.listen, qemu="migration/savevm.c:postcopy_pause_incoming")
    def publishes_paused(self) -> None:
        """sets the state postcopy-paused"""
        require(self.listener == Listen.CLOSED)
        self.recovery = Recovering.PAUSED
        self.listener = Listen.PUBLISHED

    @action(Destination.listen, qemu="migration/savevm.c:postcopy_pause_incoming")
    def notifies_fault_thread(self) -> None:
        """notifies the fault thread, and forgets host pages that are not whole"""
        require(self.listener == Listen.PUBLISHED)
        self.notified = True
        self._forget_partial_pages()
        self.guest.threw_away(self.assembling_urgent)
        self.assembling_urgent = NONE
        self.listener = Listen.PAUSED

    @action(Destination.listen, qemu="migration/savevm.c:postcopy_pause_incoming")
    def reads_again(self) -> None:
        """is woken: there is a new connection"""
        require(self.listener == Listen.PAUSED)
        self.wakes_listener.wait()
        self.listener = Listen.READING

    # -- the listen thread in a recovery -------------------------------------------------------------------------

    def says_what_arrived(self) -> None:
        """answers with the received bitmap"""
        require(self._listening() and self._recovers())
        self._ready_to_reply()
        self.stream.receive(RecoveryCommand.RECV_BITMAP)
        self.return_path.send(RecoveryReply.BITMAP, self._arrived())

    def resumes(self) -> None:
        """sets the state postcopy-active, and acknowledges RESUME"""
        require(self._listening() and self._recovers())
        self._ready_to_reply()
        self.stream.receive(RecoveryCommand.RESUME)
        self.return_path.send(RecoveryReply.RESUME_ACK)
        self.recovery = Recovering.NO
        self.asking = self.requested - self._arrived()
        self.listener = Listen.RESUMING

    @action(Destination.listen, qemu="migration/savevm.c:qemu_loadvm_state_main")
    def cannot_answer(self) -> None:
        """cannot answer in a recovery, and pauses again"""
        require(self._listening() and self._recovers())
        require(self.return_path.broken and not self.stream.empty)
        self._closes_files()

    @action(Destination.listen, rule="R16", qemu="migration/savevm.c:migrate_send_rp_req_pages_pending")
    def asks_again(self, page: Page) -> None:
        """requests again a page that was requested before the break, if it can"""
        require(self.listener == Listen.RESUMING)
        require(self.asking[page])
        self.asking -= page.host_pages
        if not self.return_path.broken:
            require(self.return_path.room())
            self._requests(page.host_pages)

    @action(Destination.listen, qemu="migration/savevm.c:loadvm_postcopy_handle_resume")
    def posts_to_fault_thread(self) -> None:
        """posts to the fault thread; with preempt it waits for that channel next"""
        require(self.listener == Listen.RESUMING)
        require(self.asking.empty)
        self.wakes_faults.post()
        self.listener = Listen.AWAITING if self.preempt else Listen.READING

    @action(Destination.listen, qemu="migration/savevm.c:loadvm_postcopy_handle_resume")
    def posts_to_preempt_thread(self) -> None:
        """waits for the post that a preempt channel was accepted, asserts that it is there, posts to its thread"""
        require(self.listener == Listen.AWAITING)
        self.accepted.wait()
        if self.fast_there:
            self.wakes_preempt.post()
            self.listener = Listen.READING
        else:
            self._aborts()

    # -- the listen thread at the end ----------------------------------------------------------------------------

    def ends(self) -> None:
        """reads the end of the stream"""
        require(self._listening())
        self.stream.receive(Command.EOF)
        self.listener = Listen.ENDING

    @action(Destination.listen, rule="R9 R24", qemu="migration/postcopy-ram.c:postcopy_listen_thread")
    def leaves(self) -> None:
        """sets the state completed once the main thread has left, schedules the clean-up, and leaves"""
        require(self.listener == Listen.ENDING)
        require(self.main == Main.LEFT)
        require(self._may_complete())
        self.state = State.END
        self.end_is_due = True
        self.listener = Listen.LEFT

    # -- the fault thread ----------------------------------------------------------------------------------------

    def requests_page(self, page: Page) -> None:
        """reads a fault: drops it if its page is noted as received, else requests the page, or pauses if it cannot"""
        require(self.sensitive and self.fault_at == FaultThread.POLLING)
        require(self.faulted[page])
        if (self._arrived() & page).empty:
            if self.return_path_open and not self.return_path.broken:
                require(self.return_path.room())
                self.faulted -= page
                self.requested |= page.host_pages
                self._requests(page.host_pages)
            else:
                self.requested |= page.host_pages
                self._pauses_faults()
        else:
            self.faulted -= page

    @action(Destination.fault, qemu="migration/postcopy-ram.c:postcopy_pause_fault_thread")
    def pauses_faults(self) -> None:
        """has been notified, and pauses if the return path is closed"""
        require(self.notified and self.fault_at == FaultThread.POLLING)
        self.notified = False
        if not self.return_path_open:
            self.fault_at = FaultThread.PAUSED

    @action(Destination.fault, qemu="migration/postcopy-ram.c:postcopy_pause_fault_thread")
    def polls_again(self) -> None:
        """is woken by RESUME"""
        require(self.fault_at == FaultThread.PAUSED)
        self.wakes_faults.wait()
        self.fault_at = FaultThread.POLLING

    # -- the preempt thread --------------------------------------------------------------------------------------

    @action(LoadingDestination.preempt_thread, rule="R21 R22", qemu="migration/postcopy-ram.c:postcopy_preempt_thread")
    def places_urgent_page(self) -> None:
        """receives an urgent page; when its host page is whole, places it and wakes the threads that wait for it, or
        pauses where a page is there"""
        require(self.preempt_at == Preempt.READING and self.urgent_unnoted.empty)
        message = self.fast.receive(Command.PAGE)
        whole = message.pages.host_pages
        self.assembling_urgent |= message.pages
        self.guest.arrived(message.pages, message.marked["stale"])
        if whole.subset_of(self.assembling_urgent):
            self.assembling_urgent -= whole
            if (whole & self.present).empty:
                self.urgent_unnoted = whole
                self._place(whole)
            else:
                self.guest.threw_away(whole)
                self.observe(Placing.EEXIST)
                self._stops_reading_fast()

    @action(LoadingDestination.preempt_thread, qemu="migration/postcopy-ram.c:qemu_ufd_copy_ioctl")
    def notes_urgent_page(self) -> None:
        """notes the page that it has placed as received, and as requested no more"""
        require(not self.urgent_unnoted.empty)
        self.requested -= self.urgent_unnoted
        self.urgent_unnoted = NONE

    @action(LoadingDestination.preempt_thread, qemu="migration/postcopy-ram.c:postcopy_preempt_thread")
    def sees_fast_broken(self) -> None:
        """sees that its channel is gone: leaves if it is asked to, else it gives its mutex back and pauses"""
        require(self.preempt_at == Preempt.READING and self.urgent_unnoted.empty)
        require(self.fast.broken)
        self.fast_failed = True
        self._stops_reading_fast()

    @action(LoadingDestination.preempt_thread, qemu="migration/postcopy-ram.c:postcopy_pause_ram_fast_load")
    def wakes_up(self) -> None:
        """is woken by RESUME, and has not its mutex yet"""
        require(self.preempt_at == Preempt.PAUSED)
        self.wakes_preempt.wait()
        self.preempt_at = Preempt.WOKEN

    @action(LoadingDestination.preempt_thread, qemu="migration/postcopy-ram.c:postcopy_preempt_thread")
    def reads_fast_again(self) -> None:
        """takes its mutex, and reads the file of its channel"""
        require(self.preempt_at == Preempt.WOKEN)
        if self.fast_there:
            self.preempt_at = Preempt.READING
        else:
            self._aborts()

    # -- what the actions share ----------------------------------------------------------------------------------

    def _cannot_place(self, whole: PageSet) -> None:
        """UFFDIO_COPY fails with EEXIST: the temporary page is thrown away, and the stream's file has an error."""
        self.assembling -= whole
        self.guest.threw_away(whole)
        self.observe(Placing.EEXIST)
        self.listener = Listen.REFUSED

    def _stops_reading_fast(self) -> None:
        """The preempt thread has an error: it leaves if it is asked to, else it waits for the end of a recovery."""
        self.preempt_at = Preempt.LEFT if self.quitting else Preempt.PAUSED

    def _has_an_error(self) -> None:
        """Pauses if the state is RUNNING, and closes what it has; else it fails."""
        require(self._may_judge())
        if self.state == State.RUNNING:
            self._closes_files()
        else:
            self._cannot_pause()

    def _is_woken(self) -> bool:
        """A thread that sleeps in a read sees an error of its file with the next bytes."""
        return not self.stream.empty or self.stream.broken

    def _pauses_faults(self) -> None:
        """The fault thread waits for the end of a recovery, even where it has been asked to leave."""
        self.fault_at = FaultThread.PAUSED

    def _may_judge(self) -> bool:
        """The state is looked at when the error is seen, wherever the main thread is."""
        return True

    def _ends_or_stays(self) -> None:
        """The process ends, unless exit-on-error is off."""
        if self.exit_on_error:
            self._give_up()
        else:
            self.recovery = Refusing.FAILED
            self.state = State.END
            self.end_is_due = True
            self.listener = Listen.LEFT

    def _cannot_pause(self) -> None:
        """It has looked at the state; what follows from it comes in a step of its own."""
        self.listener = Listen.FAILING

    def _mutex_is_free(self) -> bool:
        """The preempt thread holds its mutex while it reads."""
        return self.preempt_at != Preempt.READING

    def _takes_posts_back(self) -> None:
        """Posts of the recovery that broke stay."""

    def _may_complete(self) -> bool:
        """The end of the stream is all that is waited for."""
        return True

    def _requests(self, pages: PageSet) -> None:
        """Requests pages of a host page; there is room for it."""
        self.return_path.send(Reply.REQ_PAGES, pages)

    def _all_has_come(self) -> bool:
        """The count of requested pages is zero."""
        return self.requested.empty

    def _stops_watching(self) -> None:
        """Unregisters from userfaultfd, and forgets what was requested."""
        self.sensitive = False
        self.faulted = NONE
        self.requested = NONE

    def _closes_files(self) -> None:
        self.stream.close()
        self.return_path.close()
        self.return_path_open = False
        if not self.listens_fast:  # else the next one waits for the main loop, or may come
            self._listens_for_fast()
        self.listener = Listen.CLOSING

    def _listens_for_fast(self) -> None:
        """The listener stays open: a new connection for preempt can be made."""
        self.fast.listen()
        self.listens_fast = self.preempt

    def _reads(self) -> bool:
        """The listen thread is at the next bytes of the stream."""
        return self.listener == Listen.READING and self.unnoted.empty and not self.load_failed

    def _listening(self) -> bool:
        """The listen thread reads the stream, and sees no error of the preempt channel's file with its next bytes."""
        return self._reads() and not self.fast_failed
