"""CRIU's lazy pages, read at 2cf8f13ca (2025-11-11).

The source freezes the processes and writes images of all but their memory, and serves pages from pipes that keep
them. A script carries the images to the destination. There, a daemon requests the pages: for each fault at once, while
others are under way, and when nothing is under way all that is left, as one range. The source answers in order, and may
answer a range in part. Before the processes run nothing is requested but for faults.

`CriuLazyPagesMended` has none of the defects that are in `criu_bugs`; `CriuLazyPages`, there, has those of the tree.
Left out: the size of a range that grows and shrinks, several processes with memories of their own (but for a fork, in
`criu_forks`), remapped memory, and pre-dumps.
"""

from postcopy.language import (
    ALL,
    NONE,
    Bitmap,
    Channel,
    Choice,
    Flag,
    Machine,
    Page,
    PageSet,
    Receives,
    Sends,
    Thread,
    View,
    action,
    require,
    sometimes,
)
from postcopy.model.destination import Main, State
from postcopy.model.guest import Guest, Memory, Mishap
from postcopy.model.network import Command, Reply, Wire
from postcopy.model.others.criu_invariant import (
    both_directions,
    broken_for_a_reason,
    close_says_how,
    done_is_closed,
    each_page_has_a_place,
    images_go_out_once,
    left_means_faulted,
    nothing_before_the_images,
    nothing_before_the_restore,
    phases_of_the_dump,
    present_is_good,
    range_is_requested_whole,
    range_was_requested,
    requested_is_under_way,
    requested_was_not_sent,
    runs_at_one_side,
    state_says_all,
    under_way_once,
    under_way_was_requested,
    waits_for_missing,
)
from postcopy.model.others.criu_words import Close
from postcopy.model.others.implementation import Implementation, LazyMemory
from postcopy.model.roles import Role
from postcopy.model.source import Phase
from postcopy.properties.liveness import LIVENESS, started_guest_runs, the_switch_happens
from postcopy.properties.safety import (
    completed_means_arrived,
    device_load_has_its_page,
    devices_before_cpus,
    failed_for_a_reason,
    finished_stays_finished,
    guest_goes_on_in_precopy,
    no_guest_lost,
    no_page_sent_twice,
    no_stale_device_read,
    no_stale_read,
    no_two_guests,
    no_write_after_switch,
    no_write_overwritten,
    nothing_missing_at_end,
    nothing_sent_when_broken,
    nothing_stale_at_start,
    states_forward,
    waiting_thread_stands_still,
)
from postcopy.properties.witnesses import (
    both_cpus_wait,
    device_load_waits,
    goes_on_after_failure,
    guest_lost_in_postcopy,
    runs_at_destination_only,
    runs_with_missing_pages,
    stopped_at_both,
    waits_for_page_in_flight,
    written_at_destination,
)


@sometimes("A range is answered in part")
def answered_in_part(state: View) -> bool:
    """The rest of it has to be requested again."""
    rest: PageSet = state.destination.queued - state.return_path.in_flight(Reply.REQ_PAGES)
    return not (rest - state.stream.in_flight(Command.PAGE)).empty


class Source(Machine):
    """The source: the processes, and the dump that freezes them and serves their pages."""

    source_guest = Thread("source processes")
    operator = Thread("operator")
    source_host = Thread("source host")
    dump = Thread("dump")

    phase = Choice("how far the migration has come", Phase.IDLE)
    running = Flag("the processes run at the source", True)
    images = Sends("images")
    stream = Sends("stream")
    return_path = Receives("return_path")

    @action(source_guest, environment=True)
    def guest_writes(self, page: Page) -> None:
        """writes a page"""
        require(self.running)
        self.observe(Memory.SOURCE_WRITE, page)
        self.guest.wrote_at_source(page)

    @action(operator, qemu="criu/cr-dump.c:cr_dump_tasks", environment=True)
    def operator_starts_dump(self) -> None:
        """starts a dump with lazy pages"""
        require(self.phase == Phase.IDLE)
        require(not self.stream.broken)
        self.phase = Phase.OPENING

    @action(source_host, environment=True)
    def host_dies(self) -> None:
        """dies, and its end of the connection with it"""
        require(Phase.IDLE < self.phase and self.phase < Phase.COMPLETED)
        self.observe(Mishap.FAILURE)
        self.phase = Phase.DEAD
        self.running = False
        self._close()

    @action(dump, qemu="criu/cr-dump.c:cr_dump_tasks")
    def freezes_processes(self) -> None:
        """freezes the processes, and puts their memory into pipes"""
        require(self.phase == Phase.OPENING)
        self.running = False
        self.phase = Phase.PACKAGING

    @action(dump, qemu="criu/cr-dump.c:cr_lazy_mem_dump")
    def writes_images(self) -> None:
        """has written the images, which a script carries to the destination, and begins to serve pages"""
        require(self.phase == Phase.PACKAGING)
        require(self.images.room())
        self.images.send(Command.PACKAGED)
        self.phase = Phase.POSTCOPY

    @action(dump, qemu="criu/page-xfer.c:page_server_get_pages")
    def serves_pages(self) -> None:
        """reads a request, and answers with all of its pages"""
        require(self.phase == Phase.POSTCOPY)
        self._ready_to_send()
        message = self.return_path.receive(Reply.REQ_PAGES)
        self._send(message.pages)

    @action(dump, qemu="criu/page-pipe.c:page_pipe_read")
    def serves_part(self, page: Page) -> None:
        """reads a request, and answers with a part of its pages: where the pipe has a boundary"""
        require(self.phase == Phase.POSTCOPY)
        self._ready_to_send()
        message = self.return_path.receive(Reply.REQ_PAGES)
        require(message.pages[page])
        require(not message.pages.same_as(page))
        self._send(page)

    @action(dump, qemu="criu/page-xfer.c:page_server_serve")
    def hears_done(self) -> None:
        """hears that the daemon has all pages, and kills the frozen processes"""
        require(self.phase == Phase.POSTCOPY)
        self.return_path.receive(Close.DONE)
        self.phase = Phase.COMPLETED
        self._close()

    @action(dump, qemu="criu/page-xfer.c:page_server_serve")
    def reads_end(self) -> None:
        """reads the end of the connection"""
        require(self.phase == Phase.POSTCOPY)
        self.return_path.receive(Close.EOF)
        if self._end_is_success():
            self.phase = Phase.COMPLETED
            self._close()
        else:
            self._fail()

    @action(dump, qemu="criu/cr-dump.c:cr_dump_finish")
    def notices_loss(self) -> None:
        """notices that the connection is gone"""
        require(Phase.IDLE < self.phase and self.phase < Phase.COMPLETED)
        require(self.stream.broken)
        self._fail()

    # -- what the actions share -----------------------------------------------------------------------------------

    def _ready_to_send(self) -> None:
        require(self.stream.room())
        require(not self.stream.broken)

    def _send(self, pages: PageSet) -> None:
        """The pipe keeps the pages: they can be read again."""
        self.stream.send(Command.PAGE, pages, stale=self.guest.stale_at_source)

    def _end_is_success(self) -> bool:
        """An end without a word before it is a failure."""
        return False

    def _fail(self) -> None:
        self.running = self._may_thaw()
        self.phase = Phase.FAILED
        self._close()

    def _may_thaw(self) -> bool:
        """Once the images are out, the processes may run at the destination."""
        return self.phase < Phase.POSTCOPY

    def _close(self) -> None:
        self.stream.close()
        self.return_path.close()


class Destination(LazyMemory):
    """The destination: the restore, the processes, and the daemon that fetches their pages."""

    daemon = Thread("lazy-pages daemon")
    destination_host = Thread("destination host")

    left = Bitmap("pages that the daemon has not requested", ALL, role=Role.UNSENT)
    queued = Bitmap("pages that the daemon has requested and that have not come", role=Role.NOTE)
    asked = Bitmap("the pages of the range that is under way", role=Role.NOTE)
    images = Receives("images")
    stream = Receives("stream")
    return_path = Sends("return_path")

    @action(LazyMemory.main_thread, qemu="criu/uffd.c:setup_uffd")
    def starts_restore(self) -> None:
        """reads the images, and gives the memory of the processes to the daemon"""
        require(self.main == Main.STREAM)
        self.images.receive(Command.PACKAGED)
        self._listen()

    @action(LazyMemory.main_thread, qemu="criu/uffd.c:lazy_pages_finish_restore")
    def finishes_restore(self) -> None:
        """has restored all but the memory, and lets the processes run"""
        require(self.main == Main.DEVICES)
        require(self.device_waiting.empty)
        self.devices_loaded = True
        self.running = True
        self.main = Main.LEFT
        self.state = State.RUNNING

    @action(daemon, qemu="criu/uffd.c:handle_page_fault")
    def handles_fault(self, page: Page) -> None:
        """reads a fault: requests its page, unless it has been requested"""
        require(self.sensitive)
        require(self.faulted[page])
        if self.queued[page]:
            self.faulted -= page
        elif self.left[page]:
            self._ready_to_ask()
            self.faulted -= page
            self._ask(page)
        else:
            self._fill_with_zeros(page)

    @action(daemon, qemu="criu/uffd.c:xfer_pages")
    def asks_for_the_rest(self) -> None:
        """has nothing else to do, and requests all that is left"""
        require(self.state == State.RUNNING)
        require(self.sensitive)
        require(self.faulted.empty)
        require(self.queued.empty)
        require(not self.left.empty)
        self._ready_to_ask()
        self.asked = self.left
        self._ask(self.left)

    @action(daemon, qemu="criu/uffd.c:uffd_io_complete")
    def receives_pages(self) -> None:
        """receives an answer and copies its pages; what is missing of the range has not been requested any more"""
        require(self.sensitive)
        message = self.stream.receive(Command.PAGE)
        given = message.pages & self.queued
        self.queued -= given
        if not (message.pages & self.asked).empty:
            self._put_back(self.asked & self.queued)
            self.asked = NONE
        self._place(given, message.marked["stale"] & given & self.guest.stale_at_source)  # a mark is of the message

    @action(daemon, qemu="criu/uffd.c:handle_requests")
    def ends(self) -> None:
        """has nothing left and nothing under way: says so, and ends"""
        require(self.state == State.RUNNING)
        require(self.sensitive)
        require(self.left.empty)
        require(self.queued.empty)
        require(self.faulted.empty)
        self._say_end(Close.DONE)
        self._close_userfaultfd()
        self.state = State.END

    @action(daemon, qemu="criu/page-xfer.c:page_server_hangup_event")
    def fails(self) -> None:
        """notices that the connection is gone"""
        require(self.sensitive)
        require(self.stream.broken)
        self._fail()

    @action(LazyMemory.main_thread, qemu="criu/uffd.c:prepare_uffds")
    def gives_up(self) -> None:
        """cannot reach the source's page server, and restores nothing"""
        require(self.main == Main.STREAM)
        require(self.stream.broken)
        self._give_up()

    @action(destination_host, environment=True)
    def host_dies(self) -> None:
        """dies, and its end of the connection with it"""
        require(self.state < State.END)
        self.observe(Mishap.FAILURE)
        self._give_up()

    # -- what the actions share -----------------------------------------------------------------------------------

    def _ready_to_ask(self) -> None:
        """A guard: a socket that is full makes the daemon wait."""
        require(self.return_path.room())
        require(not self.return_path.broken)

    def _ask(self, pages: PageSet) -> None:
        self.queued |= pages
        self.left -= pages
        self.return_path.send(Reply.REQ_PAGES, pages)

    def _put_back(self, rest: PageSet) -> None:
        self.queued -= rest
        self.left |= rest

    def _fill_with_zeros(self, page: PageSet) -> None:
        """The images have no such page."""
        self.guest.filled_with_zeros(page)
        self.present |= page
        self._wake(page)

    def _say_end(self, word: Close) -> None:
        if not self.return_path.broken:
            require(self.return_path.room())
            self.return_path.send(word)

    def _fail(self) -> None:
        """The processes do not outlive the daemon."""
        self._give_up()

    def _give_up(self) -> None:
        self._say_end(Close.EOF)
        self._forget()
        self.left = NONE
        self.queued = NONE
        self.asked = NONE
        self.stream.close()


class CriuLazyPagesMended(Implementation):
    """CRIU's lazy pages without the defects that were found in them.

    The images travel as files, and are not lost: the network is that of the document.
    """

    origin = "CRIU 2cf8f13ca (2025-11-11), mended"
    source = Source
    destination = Destination
    wire = Wire
    guest = Guest
    images = Channel((Command.PACKAGED,), capacity=1)
    stream = Channel((Command.PAGE,), marks=("stale",), marked=(Command.PAGE,))
    return_path = Channel((Reply.REQ_PAGES, Close))
    roles = {Reply.REQ_PAGES: Role.REQUEST}  # noqa: RUF012
    invariant = (
        each_page_has_a_place,
        nothing_before_the_restore,
        waits_for_missing,
        present_is_good,
        runs_at_one_side,
        range_was_requested,
        under_way_was_requested,
        state_says_all,
        phases_of_the_dump,
        images_go_out_once,
        nothing_before_the_images,
        broken_for_a_reason,
        close_says_how,
        requested_was_not_sent,
        done_is_closed,
        under_way_once,
        requested_is_under_way,
        both_directions,
        range_is_requested_whole,
        left_means_faulted,
    )
    properties = (
        no_two_guests,
        no_guest_lost,
        guest_goes_on_in_precopy,
        failed_for_a_reason,
        completed_means_arrived,
        nothing_missing_at_end,
        no_stale_read,
        no_stale_device_read,
        nothing_stale_at_start,
        no_write_overwritten,
        no_write_after_switch,
        waiting_thread_stands_still,
        device_load_has_its_page,
        devices_before_cpus,
        states_forward,
        finished_stays_finished,
        nothing_sent_when_broken,
        no_page_sent_twice,
        answered_in_part,
        runs_with_missing_pages,
        device_load_waits,
        written_at_destination,
        waits_for_page_in_flight,
        both_cpus_wait,
        guest_lost_in_postcopy,
        goes_on_after_failure,
        stopped_at_both,
        runs_at_destination_only,
        *(p for p in LIVENESS if p not in (the_switch_happens, started_guest_runs)),
    )
