"""Firecracker's page fault handler: memory that the balloon takes, and a fault that is read before the event.

A microVM is restored from a snapshot: its memory is missing at first, and a handler in another process copies each page
from the snapshot's file when it is touched. The balloon gives pages back to the host meanwhile; the kernel tells the
handler with a REMOVE event, and from then on the page has to read as zeros. Faults and events stand in one queue. A
handler that looks for faults first, and for events when it has time, copies the old content into a page that was given
back, and the guest reads what it had thrown away. (Firecracker's on-demand handler keeps no order between the two; the
fault that it reads is asked again by the kernel while an event is unread, commit e92a7ff01.) A page stands for a page.

    postcopy check examples/firecracker_remove.py:FaultsFirst
    postcopy check examples/firecracker_remove.py:EventsFirst
"""

from enum import Enum

from postcopy.language import NONE, Bitmap, Machine, Maps, Page, PageSet, Protocol, Step, Thread, View
from postcopy.language import action, every_step, require, sometimes

Memory = Enum("Memory", "READ")


class MicroVM(Machine):
    """The guest, its balloon, and the kernel's part of userfaultfd."""

    vcpu = Thread("vCPU")
    present = Bitmap("pages that are mapped")
    old = Bitmap("pages that hold what the snapshot had")
    given_back = Bitmap("pages that the balloon has given back")
    faults = Bitmap("faults that the handler has not read")
    removals = Bitmap("REMOVE events that the handler has not read")
    waiting = Bitmap("the page that the vCPU waits for", waits=vcpu)

    @action(vcpu, environment=True)
    def touches_missing(self, page: Page) -> None:
        """touches a page that is missing"""
        require(self.waiting.empty and not self.present[page])
        self.waiting = page
        self.faults |= page

    @action(vcpu, environment=True)
    def reads(self, page: Page) -> None:
        """reads a page"""
        require(self.waiting.empty and self.present[page])
        self.observe(Memory.READ, page)

    @action(vcpu, environment=True)
    def gives_back(self, page: Page) -> None:
        """gives a page back to the host, which tells the handler"""
        require(self.waiting.empty and not self.given_back[page])
        self.given_back |= page
        self.present -= page
        self.old -= page
        self.removals |= page


class Handler(Machine):
    """Reads what the kernel tells, and fills pages. It knows of given pages only what it has read."""

    loop = Thread("handler")
    vm = Maps("vm", "present", "old", "faults", "removals", "waiting")
    removed = Bitmap("pages that the handler knows to be given back")

    @action(loop)
    def reads_removal(self, page: Page) -> None:
        """reads a REMOVE event"""
        require(self.vm.removals[page])
        self.vm.removals -= page
        self.removed |= page

    @action(loop)
    def fills(self, page: Page) -> None:
        """reads a fault and fills its page: with zeros where it was given back, else from the snapshot"""
        require(self.vm.faults[page])
        if not self.removed[page]:
            self.vm.old |= page
        self.vm.faults -= page
        self.vm.present |= page
        self.vm.waiting = NONE


class CarefulHandler(Handler):
    """Reads every event that is there before it fills a page."""

    def fills(self, page: Page) -> None:
        """reads the whole queue, and then fills the page of a fault"""
        require(self.vm.removals.empty)
        super().fills(page)


@every_step("The guest reads zeros where it gave a page back")
def given_back_reads_zero(step: Step) -> PageSet:
    """The page holds what the snapshot had, which the guest has thrown away."""
    pages: PageSet = step.of(Memory.READ) & step.before.vm.given_back & step.before.vm.old
    return pages


@sometimes("A page that was given back is read")
def given_back_is_read(state: View) -> bool:
    """The property says something."""
    return not (state.vm.given_back & state.vm.present).empty


class FaultsFirst(Protocol):
    """Wrong: faults overtake events."""

    vm = MicroVM
    handler = Handler
    properties = (given_back_reads_zero, given_back_is_read)

    @staticmethod
    def may_rest(state: View) -> bool:
        """No vCPU waits."""
        return bool(state.vm.waiting.empty)


class EventsFirst(FaultsFirst):
    """Right: the whole queue is read first."""

    handler = CarefulHandler
