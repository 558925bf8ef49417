"""Missed wake-ups: a vCPU goes to sleep in two steps, and its page may be placed between the two (A07).

The document's model has one step for "finds the page missing, queues the fault, sleeps". Here the kernel first finds
the page missing, and queues the fault later. What wakes a vCPU whose page came in between?
"""

from postcopy.language import (
    ALL,
    NONE,
    Answer,
    Cpu,
    CpuBitmap,
    Page,
    PageSet,
    View,
    action,
    conjunct,
    require,
    sometimes,
)
from postcopy.model.changes.change import Change
from postcopy.model.destination import Destination, State
from postcopy.model.roles import Role


@sometimes("A page is placed between a vCPU's finding it missing and its going to sleep", rules="R16 R22")
def placed_in_between(state: View) -> bool:
    """The vCPU did not sleep yet when the sleepers were woken."""
    return not (state.destination.falling_asleep.any & state.destination.present).empty


@conjunct("vCPUs fall asleep only where the guest runs in postcopy, or has run in it", rules="R16")
def falls_asleep_in_postcopy(state: View) -> Answer:
    """Before RUN none runs, and memory is sensitive no more at the end."""
    now = state.destination.state
    return True if now == State.RUNNING or now == State.END else state.destination.falling_asleep.any


@conjunct("A vCPU that waits for a page that is there has a fault queued", rules="R16 R22")
def present_means_faulted(state: View) -> Answer:
    """The thread that reads the fault wakes it."""
    destination = state.destination
    waits: PageSet = destination.waiting.any & destination.present
    return waits - destination.faulted


@conjunct("The device load waits for a page that is missing", rules="R6 R16 R22")
def device_waits_for_missing(state: View) -> Answer:
    """Placing the page wakes it."""
    waits: PageSet = state.destination.device_waiting & state.destination.present
    return waits


class TwoStepDestination(Destination):
    """The kernel of userfaultfd before it looks again (2015)."""

    falling_asleep = CpuBitmap(
        "the page that the vCPU has found missing and not yet queued a fault for", role=Role.NOTE
    )

    def cpu_reads(self, cpu: Cpu, page: Page) -> None:
        """reads a page"""
        require(self.falling_asleep[cpu].empty)
        super().cpu_reads(cpu, page)

    def cpu_writes(self, cpu: Cpu, page: Page) -> None:
        """writes a page"""
        require(self.falling_asleep[cpu].empty)
        super().cpu_writes(cpu, page)

    def cpu_touches_missing(self, cpu: Cpu, page: Page) -> None:
        """touches a page, and finds it missing"""
        require(self.running)
        require(self.sensitive)
        require(self.waiting[cpu].empty)
        require(self.falling_asleep[cpu].empty)
        require(not self.present[page])
        self.falling_asleep[cpu] = page

    @action(Destination.vcpu, rule="R16", qemu="fs/userfaultfd.c:handle_userfault")
    def cpu_queues_fault(self, cpu: Cpu) -> None:
        """queues the fault, and sleeps"""
        require(not self.falling_asleep[cpu].empty)
        page = self.falling_asleep[cpu]
        self.falling_asleep[cpu] = NONE
        if self._must_wait(page):
            self.waiting[cpu] = page
            self.faulted |= page

    def ends(self) -> None:
        """reads the end of the stream and cleans up: every vCPU that still sleeps is woken"""
        super().ends()
        self.waiting.remove(ALL)

    def _must_wait(self, page: PageSet) -> bool:  # noqa: ARG002
        """Does not look again whether the page is still missing."""
        return self.sensitive

    def _give_up(self) -> None:
        super()._give_up()
        for cpu in range(2):
            self.falling_asleep[Cpu(cpu)] = NONE


class MissedWakeUp(Change):
    """The kernel does not look again: a vCPU queues a fault for a page that is there, sleeps, and is not woken before
    the end."""

    origin = "kernel 8d2afd96c203 (2015), which mends it; A07"
    properties = (placed_in_between,)
    invariant = (falls_asleep_in_postcopy,)
    breaks = ("no-request-lost",)
    destination = TwoStepDestination


class KernelLooksAgain(MissedWakeUp):
    """The kernel's way: with the fault queued it looks again, and does not sleep if the page has come."""

    breaks = ()

    class destination(TwoStepDestination):
        """must_wait, under the lock that placing takes."""

        def _must_wait(self, page: PageSet) -> bool:
            return self.sensitive and (page & self.present).empty


class PageTristate(MissedWakeUp):
    """The early series' way: the map of pages has a third state, received. A thread that reads a fault for a received
    page wakes the vCPU."""

    origin = "the per-page map (postcopy_pmi) of the series before its merge, 2015; A07"
    breaks = ()
    invariant = (present_means_faulted, device_waits_for_missing)

    class destination(TwoStepDestination):
        """Its fault thread looks at the map."""

        def requests_page(self, page: Page) -> None:
            """reads a fault; wakes the vCPU if the page has been received, and otherwise requests it"""
            require(self._listening())
            require(self.faulted[page])
            if self.present[page]:
                self.faulted -= page
                self._wake(page)
            else:
                super().requests_page(page)

        def _wake(self, page: PageSet) -> None:
            self.waiting.remove(page.host_pages)


class PageTristateWithOneWake(PageTristate):
    """The map, but only the fault thread wakes: a vCPU whose fault was read before its page came sleeps on."""

    breaks = ("no-request-lost",)

    class destination(PageTristate.destination):
        """Its listen thread leaves the waking to the fault thread."""

        def _place(self, pages: PageSet) -> None:
            """The page is placed, and no vCPU is woken."""
            waiting = [self.waiting[Cpu(0)], self.waiting[Cpu(1)]]
            super()._place(pages)
            self.waiting[Cpu(0)], self.waiting[Cpu(1)] = waiting
