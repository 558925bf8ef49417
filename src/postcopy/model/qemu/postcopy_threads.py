"""The threads of postcopy at QEMU's destination: the listen thread, the fault thread and the preempt thread."""

from postcopy.language import NONE, Page, action, require
from postcopy.model.changes.recovery_messages import Recovering, RecoveryCommand, RecoveryReply
from postcopy.model.destination import Destination, Main, State
from postcopy.model.network import Command, Reply
from postcopy.model.qemu.destination import LoadingDestination
from postcopy.model.qemu.states import FaultThread, Listen, Preempt


class ListeningDestination(LoadingDestination):
    """Three threads that live from LISTEN to the end."""

    # -- the listen thread reads ---------------------------------------------------------------------------------

    def places_page(self) -> None:
        """receives a page; when its host page is whole, places it and wakes the threads that wait for it"""
        before = self.present
        super().places_page()
        self.unnoted = self.present - before

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
        require(self._is_woken())
        self.listener = Listen.FAILING

    def loses_the_guest(self) -> None:
        """sees that the connection is gone: pauses if the state is RUNNING, and closes what it has; else it fails"""
        require(self._listening())
        require(self.stream.broken)
        require(self._may_judge())
        if self.state == State.RUNNING:
            self._closes_files()
        else:
            self._cannot_pause()

    @action(Destination.listen, rule="R15", qemu="migration/postcopy-ram.c:postcopy_listen_thread")
    def fails(self) -> None:
        """gives up: the process ends"""
        require(self.listener == Listen.FAILING)
        self._give_up()

    # -- the listen thread pauses --------------------------------------------------------------------------------

    @action(Destination.listen, qemu="migration/savevm.c:postcopy_pause_incoming")
    def closes_fast_channel(self) -> None:
        """takes the preempt thread's mutex and closes that channel"""
        require(self.listener == Listen.CLOSING)
        require(self._mutex_is_free())
        self.fast_there = False
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
            self.return_path.send(Reply.REQ_PAGES, page.host_pages)

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
                self.return_path.send(Reply.REQ_PAGES, page.host_pages)
            else:
                self.requested |= page.host_pages
                self.fault_at = FaultThread.PAUSED
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
        """receives an urgent page, places its host page when that is whole, and wakes the threads that wait for it"""
        require(self.preempt_at == Preempt.READING and self.urgent_unnoted.empty)
        message = self.fast.receive(Command.PAGE)
        whole = message.pages.host_pages
        self.assembling_urgent |= message.pages
        self.guest.arrived(message.pages, message.marked["stale"])
        if whole.subset_of(self.assembling_urgent):
            self.assembling_urgent -= whole
            self.urgent_unnoted = whole - self.present
            self._place(whole)

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
        self.preempt_at = Preempt.LEFT if self.quitting else Preempt.PAUSED

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

    def _is_woken(self) -> bool:
        """A thread that sleeps in a read sees an error of its file with the next bytes."""
        return not self.stream.empty or self.stream.broken

    def _may_judge(self) -> bool:
        """The state is looked at when the error is seen, wherever the main thread is."""
        return True

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

    def _closes_files(self) -> None:
        self.stream.close()
        self.return_path.close()
        self.return_path_open = False
        self.fast.close()
        self.listens_fast = False
        self.listener = Listen.CLOSING

    def _listening(self) -> bool:
        """The listen thread reads the stream."""
        return self.listener == Listen.READING and self.unnoted.empty and not self.load_failed
