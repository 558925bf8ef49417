"""What a protocol in this folder says of itself, and the memory that all of them have at the destination."""

from typing import ClassVar

from postcopy.language import (
    ALL,
    NONE,
    Bitmap,
    Choice,
    Cpu,
    CpuBitmap,
    Flag,
    Machine,
    Page,
    PageSet,
    Protocol,
    Thread,
    View,
    action,
    require,
)
from postcopy.model.destination import Main, State
from postcopy.model.guest import Memory
from postcopy.model.roles import Role
from postcopy.model.source import Phase


class Implementation(Protocol):
    """Postcopy as a project has it.

    Attributes:
        origin: the project, and the commit at which it was read.
        breaks: names of the properties that it violates; empty for one that holds. A test pins this.
    """

    origin: ClassVar[str]
    breaks: ClassVar[tuple[str, ...]] = ()
    drawn_by = ("source.phase", "destination.state")

    @staticmethod
    def may_rest(state: View) -> bool:
        """Not yet started; or over at both hosts, and no thread waits."""
        if state.source.phase == Phase.IDLE:
            return True
        over = state.destination.state == State.END or state.destination.state == State.FAILED
        return bool(over and state.source.phase >= Phase.COMPLETED and state.waited_for().empty)


class LazyMemory(Machine):
    """The destination's memory under userfaultfd, and those who touch it: the guest and the load of its devices.

    A page that is placed wakes its sleepers, and the kernel takes their faults out of the queue in the same step.
    """

    main_thread = Thread("main thread")
    vcpu = Thread("vCPU", each=Cpu)

    state = Choice("how far the destination has come", State.NONE)
    main = Choice("where the main thread is", Main.STREAM)
    running = Flag("the guest's CPUs run at the destination")
    sensitive = Flag("touching a missing page makes a fault")
    devices_loaded = Flag("the device state has been loaded")
    present = Bitmap("pages that the destination has", role=Role.PRESENT)
    faulted = Bitmap("faults that have not been read yet", role=Role.REQUEST)
    waiting = CpuBitmap("the page that the vCPU waits for", waits=vcpu)
    device_waiting = Bitmap("the page that the device load waits for", waits=main_thread)

    @action(main_thread, environment=True)
    def device_load_touches(self, page: Page) -> None:
        """touches a page while it loads the devices"""
        require(self.main == Main.DEVICES)
        require(self.device_waiting.empty)
        if self.sensitive and not self.present[page]:
            self.device_waiting = page
            self.faulted |= page
        else:
            self.observe(Memory.DEVICE_READ, page)

    @action(vcpu, environment=True)
    def cpu_reads(self, cpu: Cpu, page: Page) -> None:
        """reads a page"""
        require(self.running)
        require(self.waiting[cpu].empty)
        require(self.present[page])
        self.observe(Memory.CPU_READ, page)

    @action(vcpu, environment=True)
    def cpu_writes(self, cpu: Cpu, page: Page) -> None:
        """writes a page"""
        require(self.running)
        require(self.waiting[cpu].empty)
        require(self.present[page])
        self.observe(Memory.DESTINATION_WRITE, page)
        self.guest.wrote_at_destination(page)

    @action(vcpu, qemu="fs/userfaultfd.c:handle_userfault", environment=True)
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

    def _listen(self) -> None:
        """All memory is registered with userfaultfd."""
        self.state = State.LISTEN
        self.sensitive = True
        self.main = Main.DEVICES

    def _place(self, pages: PageSet, stale: PageSet) -> None:
        """One UFFDIO_COPY: the pages are there in one step, and those who wait for them are woken."""
        self.observe(Memory.PLACE, pages)
        self.present |= pages
        self.guest.loaded(pages, stale)
        self._wake(pages)

    def _wake(self, pages: PageSet) -> None:
        """The faults of the sleepers leave the queue with them."""
        self.waiting.remove(pages)
        self.device_waiting -= pages
        self.faulted -= pages

    def _wake_all(self) -> None:
        self.waiting.remove(ALL)
        self.device_waiting = NONE
        self.faulted = NONE

    def _close_userfaultfd(self) -> None:
        """Missing pages raise no faults any more: a touch finds zeros. Sleepers are woken and touch again."""
        self.sensitive = False
        self._wake_all()

    def _forget(self) -> None:
        """The process that holds the guest is gone, and its memory with it."""
        self.state = State.FAILED
        self.main = Main.LEFT
        self.running = False
        self.sensitive = False
        self.devices_loaded = False
        self.present = NONE
        self._wake_all()
        self.guest.dropped(ALL)
