"""What must happen in the end in QEMU's model, where all defects are mended: all of it, with each capability."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from postcopy.catalogue.loading import resolve
from postcopy.catalogue.options import fix
from postcopy.catalogue.properties import asked_of, choose
from postcopy.explorer.explore import explore
from postcopy.explorer.liveness.fairness import units
from postcopy.explorer.results import Engine, Options, Outcome, Verdict
from postcopy.language import action, require
from postcopy.language.instance import Instance
from postcopy.language.properties import Property
from postcopy.language.protocol import Protocol
from postcopy.model.qemu.mends import Qemu11Mended
from postcopy.model.qemu.states import MainLoop

FIXED = "+disk_lock=on+exit_on_error=on"


class BottomHalfStarves(Qemu11Mended):
    """The main loop serves new connections first, and starts the guest when there is nothing else to do."""

    class destination(Qemu11Mended.destination):
        """A loop that goes on with what it likes best."""

        @action(Qemu11Mended.destination.main_loop)
        def starts_guest(self) -> None:
            """starts the CPUs"""
            require(self.run_is_due and self.loop == MainLoop.FREE)
            super().starts_guest()


def _asked(protocol: type[Protocol], properties: Sequence[Property]) -> Verdict:
    instance = Instance(protocol, 1, 1, properties, protocol.group)
    return explore(instance, Options(max_memory=2 << 30, engine=Engine.COMPILED))


def test_the_main_loop_comes_to_each_bottom_half() -> None:
    """Each is a unit of its own, which moves where it can move again and again; a connection's first bytes are not:
    the loop does nothing else until they come."""
    protocol = resolve("qemu-11-mended+preempt=on" + FIXED)[1]
    found = units(Instance(protocol, 1, 1, [], protocol.group))
    strong = {name for unit in found if unit.strong and unit.thread == "main loop" for name in unit.actions}
    handlers = {"starts_guest", "begins_cleanup", "sends_shut", "accepts_fast_again"}
    assert strong == {f"destination.{name}" for name in handlers}


@pytest.mark.slow
@pytest.mark.parametrize("preempt", ["off", "on"])
def test_everything_happens_in_the_end(preempt: str) -> None:
    protocol = resolve(f"qemu-11-mended+preempt={preempt}" + FIXED)[1]
    asked = [p for p in asked_of(protocol) if p.of_runs]
    verdict = _asked(protocol, asked)
    assert verdict.outcome is Outcome.HOLDS
    assert verdict.liveness is not None
    assert set(verdict.liveness.findings) == {p.name for p in asked}
    assert all(finding.open for finding in verdict.liveness.findings.values())  # each promise is made


@pytest.mark.slow
def test_a_bottom_half_that_starves_is_found() -> None:
    """Where the guest's start is one thing of many that the loop may do, operators can keep it from it for ever."""
    protocol = fix("starves", BottomHalfStarves, ("preempt=on", "disk_lock=on", "exit_on_error=on"))[1]
    verdict = _asked(protocol, choose(["the-guest-runs-again"], protocol))
    assert verdict.outcome is Outcome.LIVENESS
    run = verdict.counterexample
    assert run is not None
    taken = {step.action.name for step in run.steps[run.loop :]}
    assert "destination.takes_connection" in taken
    assert "destination.starts_guest" not in taken
