"""Cloud Hypervisor's postcopy, read at ae44c2971 (2026-08-20).

There is no precopy and no migration bitmap. The source pauses its guest, gives up its disks, and opens a second
connection; a thread of its own answers requests from there. Then it sends the guest's state and `Complete` on the first
connection, and waits for an answer to each. The destination's handler thread reads faults and pulls the remaining
pages, one request at a time, and closes the second connection when it has all of them.

`CloudHypervisorMended` has none of the defects that are in `cloud_hypervisor_bugs`; `CloudHypervisor`, there, has those
that the tree had. Left out: the commands that come before the pause, the time limits, and what an operator may do with
a guest that is paused at the destination.
"""

from enum import Enum, auto

from postcopy.language import (
    NONE,
    Bitmap,
    Channel,
    Choice,
    Flag,
    Machine,
    Network,
    Page,
    Receives,
    Sends,
    Thread,
    action,
    require,
)
from postcopy.model.destination import Main, State
from postcopy.model.guest import Guest, Memory, Mishap
from postcopy.model.network import Command, Reply
from postcopy.model.others.implementation import Implementation, LazyMemory
from postcopy.model.roles import Role
from postcopy.model.source import Phase
from postcopy.properties.liveness import LIVENESS, the_switch_happens
from postcopy.properties.safety import (
    both_break_together,
    completed_means_arrived,
    device_load_has_its_page,
    devices_before_cpus,
    failed_for_a_reason,
    finished_stays_finished,
    guest_goes_on_in_precopy,
    no_guest_lost,
    no_page_sent_twice,
    no_request_lost,
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


class Response(Enum):
    """What the destination answers on the first connection."""

    OK = auto()


class Close(Enum):
    """How the second connection ends, as the source sees it."""

    DONE = auto()
    """The destination says that it has all pages. Only the mended protocol has this."""
    EOF = auto()
    """The destination's socket is closed, for whatever reason."""


class Server(Enum):
    """The source's thread that answers requests for pages."""

    SERVING = auto()
    DRAINED = auto()
    FAILED = auto()


class Source(Machine):
    """The source: the guest, the thread that migrates it, and the thread that serves its pages."""

    source_guest = Thread("source guest")
    operator = Thread("operator")
    source_host = Thread("source host")
    migration = Thread("migration thread")
    serving = Thread("serve thread")

    phase = Choice("how far the migration has come", Phase.IDLE)
    running = Flag("the guest's CPUs run at the source", True)
    resumed = Flag("the destination has answered that the guest runs there")
    server = Choice("what the serve thread does", Server.SERVING)
    control = Sends("control")
    answers = Receives("answers")
    stream = Sends("stream")
    return_path = Receives("return_path")

    @action(source_guest, environment=True)
    def guest_writes(self, page: Page) -> None:
        """writes a page"""
        require(self.running)
        self.observe(Memory.SOURCE_WRITE, page)
        self.guest.wrote_at_source(page)

    @action(operator, qemu="vmm/src/lib.rs:vm_send_migration", environment=True)
    def operator_starts_migration(self) -> None:
        """starts a migration with postcopy"""
        require(self.phase == Phase.IDLE)
        require(not self.control.broken)
        self.phase = Phase.OPENING

    @action(source_host, environment=True)
    def host_dies(self) -> None:
        """dies, and its ends of both connections with it"""
        require(Phase.IDLE < self.phase and self.phase < Phase.COMPLETED)
        self.observe(Mishap.FAILURE)
        self.phase = Phase.DEAD
        self.running = False
        self.resumed = False
        self._close_first()
        self._stop_serving(Server.FAILED)

    # -- the migration thread -------------------------------------------------------------------------------------

    @action(migration, qemu="vmm/src/lib.rs:send_migration")
    def pauses_guest(self) -> None:
        """pauses the guest, releases its disks and opens the second connection"""
        require(self.phase == Phase.OPENING)
        require(not self.control.broken)
        self.running = False
        self.phase = Phase.SWITCHING

    @action(migration, qemu="vmm/src/migration/transport.rs:send_state")
    def sends_state(self) -> None:
        """sends the guest's state"""
        require(self.phase == Phase.SWITCHING)
        self._ready_to_send()
        self.control.send(Command.DEVICE)
        self.phase = Phase.PACKAGING

    @action(migration, qemu="vmm/src/migration/transport.rs:send_request_expect_ok")
    def sends_complete(self) -> None:
        """hears that the state has been restored, and sends Complete: the destination may start the guest"""
        require(self.phase == Phase.PACKAGING)
        self._ready_to_send()
        self.answers.receive(Response.OK)
        self.control.send(Command.RUN)
        self.phase = Phase.POSTCOPY

    @action(migration, qemu="vmm/src/lib.rs:send_migration")
    def hears_resumed(self) -> None:
        """hears that the guest runs at the destination"""
        require(self.phase == Phase.POSTCOPY)
        require(not self.resumed)
        self.answers.receive(Response.OK)
        self.resumed = True

    @action(migration, qemu="vmm/src/lib.rs:send_migration")
    def notices_loss(self) -> None:
        """notices that the first connection is gone"""
        require(Phase.IDLE < self.phase and self.phase < Phase.COMPLETED)
        require(not self.resumed)
        require(self.control.broken)
        self._fail()

    @action(migration, qemu="vmm/src/lib.rs:send_migration")
    def joins_server(self) -> None:
        """waits for the serve thread, and takes its result for that of the migration"""
        require(self.phase == Phase.POSTCOPY)
        require(self.resumed)
        require(self.server != Server.SERVING)
        if self.server == Server.DRAINED:
            self.phase = Phase.COMPLETED
            self.resumed = False
        else:
            self._fail()

    # -- the serve thread -----------------------------------------------------------------------------------------

    @action(serving, qemu="vmm/src/lib.rs:serve_postcopy")
    def serves_page(self) -> None:
        """reads a request and answers with the page, whether or not it was sent before"""
        require(self.server == Server.SERVING)
        require(self.stream.room())
        require(not self.stream.broken)
        message = self.return_path.receive(Reply.REQ_PAGES)
        self.stream.send(Command.PAGE, message.pages, stale=self.guest.stale_at_source)

    @action(serving, qemu="vmm/src/lib.rs:serve_postcopy")
    def hears_done(self) -> None:
        """hears that the destination has all pages"""
        require(self.server == Server.SERVING)
        self.return_path.receive(Close.DONE)
        self._stop_serving(Server.DRAINED)

    @action(serving, qemu="vmm/src/lib.rs:serve_postcopy")
    def reads_end(self) -> None:
        """reads the end of the second connection"""
        require(self.server == Server.SERVING)
        self.return_path.receive(Close.EOF)
        self._stop_serving(self._end_means())

    @action(serving, qemu="vmm/src/lib.rs:serve_postcopy")
    def notices_loss_of_second(self) -> None:
        """notices that the second connection is gone"""
        require(self.server == Server.SERVING)
        require(Phase.SWITCHING <= self.phase)
        require(self.stream.broken)
        self._stop_serving(Server.FAILED)

    # -- what the actions share -----------------------------------------------------------------------------------

    def _ready_to_send(self) -> None:
        """A guard: the first connection stands, and has room."""
        require(self.control.room())
        require(not self.control.broken)

    def _end_means(self) -> Server:
        """An end without a word before it is a failure."""
        return Server.FAILED

    def _fail(self) -> None:
        """The migration has failed. The serve thread goes on by itself."""
        self.running = self._may_resume()
        self.resumed = False
        self.phase = Phase.FAILED
        self._close_first()

    def _may_resume(self) -> bool:
        """With Complete the guest is given away."""
        return self.phase < Phase.POSTCOPY

    def _close_first(self) -> None:
        self.control.close()
        self.answers.close()

    def _stop_serving(self, result: Server) -> None:
        self.server = result
        self.stream.close()
        self.return_path.close()


class Destination(LazyMemory):
    """The destination: the thread that restores the guest, and the handler of its faults, which pulls pages as well."""

    handler = Thread("handler thread")
    destination_host = Thread("destination host")

    pulled = Flag("the handler has all pages and has ended")
    asked = Bitmap("the page that the handler has asked for and not placed yet", role=Role.NOTE)
    passed = Bitmap("pages that the handler need not ask for any more", role=Role.NOTE)
    control = Receives("control")
    answers = Sends("answers")
    stream = Receives("stream")
    return_path = Sends("return_path")

    # -- the main thread ------------------------------------------------------------------------------------------

    @action(LazyMemory.main_thread, qemu="vmm/src/lib.rs:vm_receive_state_command")
    def starts_handler(self) -> None:
        """reads that the state comes, and starts the handler before it restores anything"""
        require(self.main == Main.STREAM)
        self.control.receive(Command.DEVICE)
        self._listen()

    @action(LazyMemory.main_thread, qemu="vmm/src/lib.rs:vm_receive_state")
    def restores(self) -> None:
        """has restored the devices, and says so"""
        require(self.main == Main.DEVICES)
        require(self.device_waiting.empty)
        self.devices_loaded = True
        self.main = Main.RUN
        self._answer()

    @action(LazyMemory.main_thread, qemu="vmm/src/lib.rs:vm_receive_migration_step")
    def resumes_guest(self) -> None:
        """reads Complete, starts the guest and says so"""
        require(self.main == Main.RUN)
        self.control.receive(Command.RUN)
        self.running = True
        self.main = Main.LEFT
        self.state = State.END if self.pulled else State.RUNNING
        self._answer()

    @action(LazyMemory.main_thread, qemu="vmm/src/lib.rs:vm_receive_migration")
    def gives_up(self) -> None:
        """notices that the first connection is gone before the guest runs, and gives it up"""
        require(self.state < State.RUNNING)
        require(self.device_waiting.empty)
        require(self.control.broken)
        self._give_up()

    # -- the handler ----------------------------------------------------------------------------------------------

    @action(handler, qemu="vmm/src/memory_manager.rs:uffd_handler_loop")
    def requests_page(self, page: Page) -> None:
        """reads a fault and requests its page"""
        self._ready_to_ask()
        require(self.faulted[page])
        self.faulted -= page
        self._ask(page)

    @action(handler, qemu="vmm/src/memory_manager.rs:uffd_handler_loop")
    def pulls_page(self, page: Page) -> None:
        """finds no fault, and requests a page that nobody has touched"""
        self._ready_to_ask()
        require(self.faulted.empty)
        require(not self.passed[page])
        self._ask(page)

    @action(handler, qemu="vmm/src/uffd.rs:resolve")
    def places_page(self) -> None:
        """receives the page that it has asked for, and places it"""
        require(self.sensitive)
        message = self.stream.receive(Command.PAGE)
        self.asked = NONE
        self.passed |= message.pages
        self._place(message.pages, message.marked["stale"])

    @action(handler, qemu="vmm/src/memory_manager.rs:uffd_handler_loop")
    def ends(self) -> None:
        """has passed all pages: says so, and closes the userfaultfd and the second connection"""
        require(self.sensitive)
        require(self.asked.empty)
        require(self.faulted.empty)
        require(self.passed.full)
        self._say_end()
        self._close_userfaultfd()
        self.pulled = True
        if self.state == State.RUNNING:
            self.state = State.END

    @action(handler, qemu="vmm/src/memory_manager.rs:spawn_uffd_handler")
    def fails(self) -> None:
        """cannot get a page that it needs: the process exits, and the guest is lost"""
        require(self.sensitive)
        require(not self._needs_nothing())
        require(self.stream.broken)
        self._give_up()

    @action(destination_host, environment=True)
    def host_dies(self) -> None:
        """dies, and its ends of both connections with it"""
        require(self.state < State.END)
        self.observe(Mishap.FAILURE)
        self._give_up()

    # -- what the actions share -----------------------------------------------------------------------------------

    def _answer(self) -> None:
        """An answer is lost where the connection is gone."""
        if not self.answers.broken:
            require(self.answers.room())
            self.answers.send(Response.OK)

    def _ready_to_ask(self) -> None:
        """A guard: one request at a time."""
        require(self.sensitive)
        require(self.asked.empty)
        require(self.return_path.room())
        require(not self.return_path.broken)

    def _ask(self, page: Page) -> None:
        self.asked = page.host_pages
        self.return_path.send(Reply.REQ_PAGES, page.host_pages)

    def _needs_nothing(self) -> bool:
        """Every page is there."""
        return self.asked.empty and self.faulted.empty and self.passed.full

    def _say_end(self) -> None:
        """All pages have arrived."""
        if not self.return_path.broken:
            require(self.return_path.room())
            self.return_path.send(Close.DONE)

    def _give_up(self) -> None:
        """The process exits. The kernel closes its sockets."""
        if not self.return_path.broken:
            require(self.return_path.room())
            self.return_path.send(Close.EOF)
        self._forget()
        self.pulled = False
        self.asked = NONE
        self.passed = NONE
        self.control.close()
        self.answers.close()


class Wire(Machine):
    """Two connections, which break together or one by one."""

    network = Thread("network")

    failed = Flag("the network lost a connection")
    control = Network("control")
    answers = Network("answers")
    stream = Network("stream")
    return_path = Network("return_path")

    @action(network, environment=True)
    def loses_first_connection(self) -> None:
        """loses the first connection"""
        require(not self.control.broken)
        self.failed = True
        self.control.close()
        self.answers.close()

    @action(network, environment=True)
    def loses_second_connection(self) -> None:
        """loses the second connection"""
        require(not self.stream.broken)
        self.failed = True
        self.stream.close()
        self.return_path.close()

    @action(network, environment=True)
    def loses_newest_on_control(self) -> None:
        """loses the newest message still on its way to the destination"""
        require(self.failed and self.control.broken and not self.control.empty)
        self.control.drop_newest()

    @action(network, environment=True)
    def loses_newest_answer(self) -> None:
        """loses the newest answer still on its way to the source"""
        require(self.failed and self.answers.broken and not self.answers.empty)
        self.answers.drop_newest()

    @action(network, environment=True)
    def loses_newest_on_stream(self) -> None:
        """loses the newest page still on its way to the destination"""
        require(self.failed and self.stream.broken and not self.stream.empty)
        self.stream.drop_newest()

    @action(network, environment=True)
    def loses_newest_on_return_path(self) -> None:
        """loses the newest request still on its way to the source"""
        require(self.failed and self.return_path.broken and not self.return_path.empty)
        self.return_path.drop_newest()


class CloudHypervisorMended(Implementation):
    """Cloud Hypervisor's postcopy without the defects that were found in it."""

    origin = "Cloud Hypervisor ae44c2971 (2026-08-20), mended"
    source = Source
    destination = Destination
    wire = Wire
    guest = Guest
    control = Channel((Command.DEVICE, Command.RUN))
    answers = Channel(Response)
    stream = Channel((Command.PAGE,), marks=("stale",), marked=(Command.PAGE,))
    return_path = Channel((Reply.REQ_PAGES, Close), capacity=2)
    roles = {Reply.REQ_PAGES: Role.REQUEST}  # noqa: RUF012
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
        no_page_sent_twice,
        no_request_lost,
        waiting_thread_stands_still,
        device_load_has_its_page,
        devices_before_cpus,
        states_forward,
        finished_stays_finished,
        both_break_together,
        nothing_sent_when_broken,
        runs_with_missing_pages,
        device_load_waits,
        written_at_destination,
        waits_for_page_in_flight,
        both_cpus_wait,
        guest_lost_in_postcopy,
        goes_on_after_failure,
        stopped_at_both,
        runs_at_destination_only,
        *(p for p in LIVENESS if p is not the_switch_happens),
    )
