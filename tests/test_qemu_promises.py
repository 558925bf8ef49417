"""What QEMU's migration promises: each promise of its own catches a fault, where all defects are mended."""

from __future__ import annotations

import pytest

from postcopy.catalogue.options import fix
from postcopy.catalogue.properties import choose
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Options, Outcome
from postcopy.language import ALL, NONE, Page, PageSet, require
from postcopy.language.instance import Instance
from postcopy.model.destination import State
from postcopy.model.guest import Memory
from postcopy.model.network import Command
from postcopy.model.qemu.mends import Qemu11Mended
from postcopy.model.qemu.protocol import Qemu11
from postcopy.model.qemu.states import Ending
from postcopy.model.source import Phase

FIXED = ("preempt=off", "disk_lock=on", "exit_on_error=on")
"""Options of every search, unless a test says otherwise."""


class CancelsByItself(Qemu11Mended):
    """An error cancels the migration, and no operator has asked for it."""

    class source(Qemu11Mended.source):
        """Mistakes an error for the operator."""

        def notices_loss(self) -> None:
            """notices an error, and cancels"""
            super().notices_loss()
            if self.ending == Ending.FAILING:
                self.ending = Ending.CANCELLING


class KeepsItsBitmap(Qemu11Mended):
    """The source believes in a recovery that all it has sent has arrived."""

    class source(Qemu11Mended.source):
        """Does not look at what the destination says."""

        def _reload(self, arrived: PageSet) -> None:
            """Keeps what it has."""


class ForgetsRequests(KeepsItsBitmap):
    """What was lost is neither sent nor requested again."""

    class destination(Qemu11Mended.destination):
        """Requests nothing again."""

        def resumes(self) -> None:
            """acknowledges RESUME"""
            require(self._listening() and self._recovers())
            self._ready_to_reply()
            super().resumes()
            self.asking = NONE


class SendsAllAgain(Qemu11Mended):
    """The source believes in a recovery that nothing has arrived."""

    class source(Qemu11Mended.source):
        """Does not look at what the destination says."""

        def _reload(self, arrived: PageSet) -> None:
            self.dirty = ALL


class EndsTooSoon(Qemu11Mended):
    """The stream ends while pages are dirty."""

    class source(Qemu11Mended.source):
        """Counts nothing."""

        def ends_postcopy(self) -> None:
            """ends the stream"""
            require(self.active and self.phase == Phase.POSTCOPY)
            require(self.sending.empty)
            self._ready_to_send()
            self.stream.send(Command.EOF)
            self.phase = Phase.ENDING


class NeverPauses(Qemu11Mended):
    """The listen thread does not notice that its connection is gone."""

    class destination(Qemu11Mended.destination):
        """Sleeps in its read."""

        def loses_the_guest(self) -> None:
            """notices before RUN alone"""
            require(self.state != State.RUNNING)
            super().loses_the_guest()


class NeverSends(Qemu11Mended):
    """The source sends nothing in postcopy, and drops requests."""

    class source(Qemu11Mended.source):
        """Is idle."""

        def sends_background_page(self, page: Page) -> None:
            """sends a page while precopy lasts, which is never in postcopy"""
            require(self.phase == Phase.PRECOPY)
            super().sends_background_page(page)

        def serves_request(self, page: Page) -> None:
            """drops a request"""
            require(not self.preempt and self.requests[page])
            self.requests -= page.host_pages


class WakesNobody(Qemu11Mended):
    """A page is placed, and the threads that wait for it sleep on."""

    class destination(Qemu11Mended.destination):
        """Places alone."""

        def _place(self, pages: PageSet) -> None:
            self.observe(Memory.PLACE, pages)
            self.present |= pages
            self.assembling -= pages
            self.guest.placed(pages)


class PrecopyForEver(Qemu11Mended):
    """The source never finds that what is left is little enough."""

    class source(Qemu11Mended.source):
        """Iterates."""

        def stops_cpus_to_switch(self) -> None:
            """stops the CPUs to switch where nothing asks for it"""
            require(not self.start_postcopy)
            super().stops_cpus_to_switch()

        def stops_cpus_to_finish_in_precopy(self) -> None:
            """stops the CPUs to finish in precopy where postcopy is not asked for"""
            require(not self.start_postcopy)
            super().stops_cpus_to_finish_in_precopy()


FAULTS: dict[str, type[Qemu11]] = {
    "only-operator-cancels": CancelsByItself,
    "no-page-is-lost": KeepsItsBitmap,
    "no-request-is-lost": ForgetsRequests,
    "no-page-comes-twice": SendsAllAgain,
    "none-missing-at-end": EndsTooSoon,
    "ends-or-waits": NeverPauses,
    "requested-page-arrives": NeverSends,
    "blocked-vcpu-runs-again": WakesNobody,
    "sleeper-is-woken": WakesNobody,
    "postcopy-comes": PrecopyForEver,
}
"""A fault for each promise that no defect of QEMU's stands for, by the promise's name."""


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_promise_catches_its_fault(name: str) -> None:
    protocol = fix(name, FAULTS[name], FIXED)[1]
    verdict = explore(Instance(protocol, 1, 1, choose([name], protocol), protocol.group), Options())
    assert verdict.outcome in (Outcome.VIOLATED, Outcome.LIVENESS)


@pytest.mark.slow
def test_these_promises_hold_where_all_is_mended() -> None:
    protocol = fix("mended", Qemu11Mended, FIXED)[1]
    verdict = explore(Instance(protocol, 1, 1, choose(list(FAULTS), protocol), protocol.group), Options())
    assert verdict.outcome is Outcome.HOLDS
    assert {p.name for p in verdict.instance.properties} == FAULTS.keys()
