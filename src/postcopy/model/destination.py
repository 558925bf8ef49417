"""The destination host: main thread, listen thread, fault thread, and the guest's CPUs once they run there.

Memory is under userfaultfd from LISTEN to END: a touch of a missing page puts the toucher to sleep and an event in the
fault thread's queue. That is a set: the document does not order faults, and two on one page ask for the same.
"""

from enum import Enum, IntEnum, auto

from postcopy.language import (
    ALL,
    EITHER,
    NONE,
    Bitmap,
    Choice,
    Cpu,
    CpuBitmap,
    Flag,
    Machine,
    Page,
    PageSet,
    Receives,
    Sends,
    Thread,
    action,
    require,
)
from postcopy.model.guest import Memory, Mishap
from postcopy.model.network import Command, Reply
from postcopy.model.roles import Role


class State(IntEnum):
    """The document's postcopy states (R9), with what is before and beside them."""

    NONE = auto()
    ADVISE = auto()
    LISTEN = auto()
    RUNNING = auto()
    END = auto()
    FAILED = auto()


class Main(Enum):
    """Where the main thread is."""

    STREAM = auto()
    """Reads the migration stream."""
    PACKAGE = auto()
    """Has the whole package in memory and is at its first command, LISTEN."""
    DEVICES = auto()
    """Loads the device state."""
    RUN = auto()
    """Is at the package's last command."""
    LEFT = auto()
    """Is no longer used by migration."""


class Destination(Machine):
    """The destination host."""

    main_thread = Thread("main thread")
    listen = Thread("listen thread")
    fault = Thread("fault thread")
    vcpu = Thread("vCPU", each=Cpu)
    balloon = Thread("balloon")
    destination_host = Thread("destination host")

    state = Choice("the postcopy state", State.NONE)
    main = Choice("where the main thread is", Main.STREAM)
    running = Flag("the guest's CPUs run at the destination")
    postcopy_capability = Flag("the destination was started with the postcopy capability", EITHER)
    host_support = Flag("the destination's host has what postcopy needs (userfaultfd)", EITHER)
    return_path_open = Flag("the return path may be written to")
    locked = Flag("guest memory is to be locked (mlock)", True)
    sensitive = Flag("touching a missing page makes a fault")
    devices_loaded = Flag("the device state has been loaded")
    owes_shut = Flag("the source has not yet been told how it ended")
    present = Bitmap("pages that the destination has", role=Role.PRESENT)
    assembling = Bitmap("target pages received of a host page that is not whole yet", role=Role.LANDING)
    faulted = Bitmap("faults that the fault thread has not read yet", role=Role.REQUEST)
    waiting = CpuBitmap("the page that the vCPU waits for", waits=vcpu)
    device_waiting = Bitmap("the page that the device load waits for", waits=main_thread)
    stream = Receives("stream")
    return_path = Sends("return_path")

    # -- the main thread reads the stream ------------------------------------------------------------------------

    @action(main_thread, rule="R19", qemu="migration/savevm.c:loadvm_process_command")
    def opens_return_path(self) -> None:
        """opens its end of the return path"""
        require(self.main == Main.STREAM)
        self.stream.receive(Command.OPEN_RETURN_PATH)
        self.return_path_open = True

    @action(main_thread, rule="R19", qemu="migration/migration.c:migrate_send_rp_pong")
    def answers_ping(self) -> None:
        """answers the ping"""
        require(self.main == Main.STREAM)
        self._ready_to_reply()
        self.stream.receive(Command.PING)
        self.return_path.send(Reply.PONG)

    @action(main_thread, rule="R1 R9 R26", qemu="migration/savevm.c:loadvm_postcopy_handle_advise")
    def handles_advise(self) -> None:
        """checks its host and prepares its memory for postcopy"""
        require(self.main == Main.STREAM)
        require(self.state == State.NONE)
        require(self._can_do_postcopy())
        self.stream.receive(Command.ADVISE)
        self.state = State.ADVISE
        self._prepare_memory()

    @action(main_thread, rule="R1 R23", qemu="migration/postcopy-ram.c:postcopy_ram_supported_by_host")
    def refuses_advise(self) -> None:
        """refuses postcopy: it has no capability for it, or its host cannot do it"""
        require(self.main == Main.STREAM)
        require(self.state == State.NONE)
        require(not self._can_do_postcopy())
        self._ready_to_reply()
        self.stream.receive(Command.ADVISE)
        self.return_path.send(Reply.SHUT_ERROR)
        self.observe(Mishap.REFUSAL)
        self._give_up()

    @action(main_thread, rule="R2", qemu="migration/ram.c:ram_load_precopy")
    def loads_precopy_page(self) -> None:
        """writes a page of precopy into memory"""
        require(self.main == Main.STREAM)
        message = self.stream.receive(Command.PAGE)
        self.present |= message.pages
        self.guest.loaded(message.pages, message.marked["stale"])

    @action(main_thread, rule="R11 R21", qemu="migration/savevm.c:loadvm_postcopy_ram_handle_discard")
    def discards(self) -> None:
        """discards the pages that have been dirtied again"""
        require(self.main == Main.STREAM)
        require(self.state == State.ADVISE)
        message = self.stream.receive(Command.DISCARD)
        self.present -= message.pages
        self.observe(Memory.DISCARD, message.pages)
        self.guest.dropped(message.pages)

    @action(main_thread, rule="R4", qemu="migration/savevm.c:loadvm_handle_cmd_packaged")
    def reads_package(self) -> None:
        """reads the whole package into memory"""
        require(self.main == Main.STREAM)
        require(self.state == State.ADVISE)
        self.stream.receive(Command.PACKAGED)
        self.main = Main.PACKAGE

    @action(main_thread, rule="R2", qemu="migration/migration.c:process_incoming_migration_bh")
    def loads_precopy_end(self) -> None:
        """loads the device state at the end of precopy and starts the CPUs"""
        require(self.main == Main.STREAM)
        require(self.state <= State.ADVISE)
        self.stream.receive(Command.PRECOPY_END)
        self.devices_loaded = True
        self.running = True
        self.state = State.END
        self.main = Main.LEFT
        self.owes_shut = True

    @action(main_thread, rule="R15", qemu="migration/migration.c:process_incoming_migration_co")
    def gives_up(self) -> None:
        """notices that the connection is gone, and gives up"""
        require(self.main == Main.STREAM)
        require(self.state < State.END)
        require(self.stream.broken)
        self._give_up()

    # -- the main thread processes the package -------------------------------------------------------------------

    @action(main_thread, rule="R5 R9", qemu="migration/savevm.c:loadvm_postcopy_handle_listen")
    def handles_listen(self) -> None:
        """starts the listen thread and makes memory sensitive to access"""
        require(self.main == Main.PACKAGE)
        require(self.state == State.ADVISE)
        self._listen()
        self.main = Main.DEVICES

    @action(main_thread, rule="R6", qemu="migration/savevm.c:qemu_loadvm_section_start_full", environment=True)
    def device_load_touches(self, page: Page) -> None:
        """touches a page while it loads the devices"""
        require(self.main == Main.DEVICES)
        require(self.device_waiting.empty)
        if self.sensitive and not self.present[page]:
            self.device_waiting = page
            self.faulted |= page
        else:
            self.observe(Memory.DEVICE_READ, page)

    @action(main_thread, rule="R6", qemu="migration/savevm.c:qemu_loadvm_state_main")
    def finishes_device_load(self) -> None:
        """has loaded the devices"""
        require(self.main == Main.DEVICES)
        require(self.device_waiting.empty)
        self.devices_loaded = True
        self.main = Main.RUN

    @action(main_thread, rule="R7 R8 R9 R20", qemu="migration/savevm.c:loadvm_postcopy_handle_run")
    def handles_run(self) -> None:
        """starts the CPUs and leaves migration to the listen thread"""
        require(self.main == Main.RUN)
        require(self.state == State.LISTEN)
        self.state = State.RUNNING
        self.running = True
        self.main = Main.LEFT

    # -- the listen thread ---------------------------------------------------------------------------------------

    @action(listen, rule="R6 R21 R22", qemu="migration/postcopy-ram.c:postcopy_place_page")
    def places_page(self) -> None:
        """receives a page; when its host page is whole, places it and wakes who waits for it"""
        require(self._listening())
        message = self.stream.receive(Command.PAGE)
        page = message.pages
        self.assembling |= page
        self.guest.arrived(page, message.marked["stale"])
        if page.host_pages.subset_of(self.assembling):
            self._place(page.host_pages)

    @action(listen, rule="R8 R9 R24", qemu="migration/savevm.c:postcopy_ram_listen_thread")
    def ends(self) -> None:
        """reads the end of the stream and cleans up, once the main thread has started the CPUs"""
        require(self.state == State.RUNNING)
        self.stream.receive(Command.EOF)
        self.state = State.END
        self.sensitive = False
        self.faulted = NONE
        self.owes_shut = True

    @action(listen, rule="R15", qemu="migration/savevm.c:postcopy_ram_listen_thread")
    def loses_the_guest(self) -> None:
        """notices that the connection is gone: the guest is lost"""
        require(self._listening())
        require(self.stream.broken)
        self._give_up()

    @action(listen, rule="R19 R24", qemu="migration/migration.c:migrate_send_rp_shut")
    def sends_shut(self) -> None:
        """tells the source that all has arrived"""
        require(self.owes_shut)
        if not self.return_path.broken:
            require(self.return_path_open)
            require(self.return_path.room())
            self.return_path.send(Reply.SHUT_OK)
        self.owes_shut = False

    # -- the fault thread ----------------------------------------------------------------------------------------

    @action(fault, rule="R16 R19 R21", qemu="migration/postcopy-ram.c:postcopy_ram_fault_thread")
    def requests_page(self, page: Page) -> None:
        """reads a fault and requests its page from the source"""
        require(self._listening())
        require(self.faulted[page])
        self._ready_to_reply()
        self.faulted -= page
        self.return_path.send(Reply.REQ_PAGES, page.host_pages)

    # -- the guest -----------------------------------------------------------------------------------------------

    @action(vcpu, rule="R11", environment=True)
    def cpu_reads(self, cpu: Cpu, page: Page) -> None:
        """reads a page"""
        require(self.running)
        require(self.waiting[cpu].empty)
        require(self.present[page])
        self.observe(Memory.CPU_READ, page)

    @action(vcpu, rule="R13", environment=True)
    def cpu_writes(self, cpu: Cpu, page: Page) -> None:
        """writes a page"""
        require(self.running)
        require(self.waiting[cpu].empty)
        require(self.present[page])
        self.observe(Memory.DESTINATION_WRITE, page)
        self.guest.wrote_at_destination(page)

    @action(vcpu, rule="R16", qemu="fs/userfaultfd.c:handle_userfault", environment=True)
    def cpu_touches_missing(self, cpu: Cpu, page: Page) -> None:
        """touches a page that is missing"""
        require(self.running)
        require(self.waiting[cpu].empty)
        require(not self.present[page])
        if self.sensitive:
            self.waiting[cpu] = page
            self.faulted |= page
        else:
            self.observe(Memory.CPU_READ, page)

    @action(balloon, rule="R25", qemu="hw/virtio/virtio-balloon.c:virtio_balloon_handle_output", environment=True)
    def balloon_takes(self, page: Page) -> None:
        """gives a page back to the host; inhibited from LISTEN to END"""
        require(self.running)
        require(self._balloon_allowed())
        self.observe(Memory.GIVEN_BACK, page)
        if self.sensitive:
            self.present -= page
            self.guest.gave_up(page)

    @action(destination_host, rule="R15", environment=True)
    def host_dies(self) -> None:
        """dies, and its end of the connection with it"""
        require(self.state < State.END)
        self.observe(Mishap.FAILURE)
        self._give_up()

    # -- what the actions share ----------------------------------------------------------------------------------

    def _can_do_postcopy(self) -> bool:
        """The destination has the capability, and its host supports it."""
        return self.postcopy_capability and self.host_support

    def _listening(self) -> bool:
        """The listen thread is there, and the stream is its to read (R5, R8)."""
        return self.state == State.LISTEN or self.state == State.RUNNING

    def _balloon_allowed(self) -> bool:
        """The balloon may give pages back to the host (R25)."""
        return self.state == State.END

    def _ready_to_reply(self) -> None:
        """A guard: the return path is open and has room for a message, and the connection stands."""
        require(self.return_path_open)
        require(self.return_path.room())
        require(not self.return_path.broken)

    def _prepare_memory(self) -> None:
        """R26: locking would fault every page in."""
        self.locked = False

    def _listen(self) -> None:
        """The listen thread starts, and memory becomes sensitive: from here on a touch of a missing page faults."""
        self.state = State.LISTEN
        self.sensitive = True
        if self.locked:
            self.guest.filled_with_zeros(~self.present)
            self.present = ALL

    def _place(self, pages: PageSet) -> None:
        """R22: in one step, whole, and whoever waits is woken."""
        self.observe(Memory.PLACE, pages)
        self.present |= pages
        self.assembling -= pages
        self.guest.placed(pages)
        self.waiting.remove(pages)
        self.device_waiting -= pages

    def _give_up(self) -> None:
        """The destination has failed: it forgets its memory, wakes all sleepers and closes the connection."""
        self.state = State.FAILED
        self.main = Main.LEFT
        self.running = False
        self.return_path_open = False
        self.sensitive = False
        self.devices_loaded = False
        self.owes_shut = False
        self.present = NONE
        self.assembling = NONE
        self.faulted = NONE
        self.waiting.remove(ALL)
        self.device_waiting = NONE
        self.guest.dropped(ALL)
        self.stream.close()
        self.return_path.close()
