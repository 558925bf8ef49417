"""The cores refine the model under every interleaving; each mutant with a rule missing does not, and it is said why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from postcopy.catalogue.properties import BY_NAME
from postcopy.conformance import moves as conformance_moves
from postcopy.conformance.comparison import (
    COMPARED,
    COMPARED_IN_RECOVERY,
    COMPARED_WITH_BOTH,
    COMPARED_WITH_PREEMPT,
    NOT_COMPARED,
    variables_of_channels,
)
from postcopy.conformance.refinement import refine
from postcopy.conformance.world import World
from postcopy.engine.destination import DestinationCore
from postcopy.engine.effects import Output
from postcopy.engine.log import Step, Thread
from postcopy.engine.messages import Page, Pages, StreamMessage
from postcopy.engine.source import SourceCore
from postcopy.language.instance import Instance
from postcopy.model.changes.preempt import Preempt
from postcopy.model.changes.recovery import Recovery
from postcopy.model.changes.recovery_with_preempt import RecoveryWithPreempt
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from tests.conformance.mutants import MUTANTS, WRONG_VARIABLES, Mutant
from tests.conformance.mutants_in_recovery import IN_RECOVERY
from tests.conformance.mutants_towards_qemu import TOWARDS_A_QEMU
from tests.conformance.mutants_with_both import WITH_BOTH
from tests.conformance.mutants_with_preempt import WITH_PREEMPT


def test_every_interleaving_is_the_models() -> None:
    found = refine(World.new(1, 1))
    assert found.failure is None
    assert found.complete
    assert (found.states, found.transitions) == (1264, 7445)
    assert "destination.balloon_takes" not in found.actions, "why guest.given_up is not compared"


def test_so_is_every_interleaving_where_the_destination_cannot_do_postcopy() -> None:
    world = World.new(1, 1)
    world.destination.host_support = False
    found = refine(world)
    assert found.failure is None
    assert found.complete
    assert found.actions["destination.refuses_advise"] > 0
    assert "destination.handles_advise" not in found.actions


@pytest.mark.slow
def test_so_is_every_interleaving_towards_a_qemu() -> None:
    found = refine(World.new(1, 1, qemu=True))
    assert found.failure is None
    assert found.complete
    assert (found.states, found.transitions) == (4520, 31187)


def test_so_are_the_first_interleavings_towards_a_qemu() -> None:
    found = refine(World.new(2, 1, qemu=True), limit=500)
    assert found.failure is None


@pytest.mark.parametrize("mutant", TOWARDS_A_QEMU, ids=[mutant.core.__name__ for mutant in TOWARDS_A_QEMU])
def test_a_mistake_towards_a_qemu_is_found_out(mutant: Mutant) -> None:
    failure = refine(mutant.world).failure
    assert failure is not None
    assert mutant.says in failure.why


@pytest.mark.unmeasured
def test_every_interleaving_with_recovery_is_the_models() -> None:
    found = refine(World.new(1, 1, recovery=True))
    assert found.failure is None
    assert found.complete
    assert (found.states, found.transitions) == (6697, 52089)
    assert found.actions["source.receives_resume_ack"] > 0


@pytest.mark.long
@pytest.mark.slow
def test_so_is_every_interleaving_with_recovery_of_a_host_page_in_two_parts() -> None:
    found = refine(World.new(2, 1, 2, recovery=True))
    assert found.failure is None
    assert (found.states, found.transitions) == (44061, 417717)


@pytest.mark.slow
def test_so_is_every_interleaving_with_recovery_towards_a_qemu() -> None:
    found = refine(World.new(1, 1, qemu=True, recovery=True))
    assert found.failure is None
    assert (found.states, found.transitions) == (12267, 96292)


@pytest.mark.unmeasured
@pytest.mark.one_in(2)
@pytest.mark.slow_but(
    *("PausesInPrecopy", "TakesTheGuestBack", "FailsInPostcopy", "AsksWithoutAConnection", "PausesBeforeRun"),
    *("RepliesWhilePaused", "LeavesTheGuestRunning", "KeepsRequests", "SaysThatAllHasArrived"),
)
@pytest.mark.parametrize("mutant", IN_RECOVERY, ids=[mutant.core.__name__ for mutant in IN_RECOVERY])
def test_a_mistake_in_recovery_is_found_out(mutant: Mutant) -> None:
    failure = refine(mutant.world).failure
    assert failure is not None
    assert mutant.says in failure.why


def test_every_variable_of_recovery_and_preempt_is_compared() -> None:
    document, recovery = (
        {v.name for v in Instance(protocol, 2, 2, group=2).variables} for protocol in (Postcopy, Recovery)
    )
    assert set(COMPARED_IN_RECOVERY) == recovery - document
    preempt = Instance(Preempt, 2, 2, group=2)
    on_channels = variables_of_channels(preempt)
    compared = {name for entry in COMPARED_WITH_PREEMPT for name in on_channels.get(entry, (entry,))}
    assert compared == {v.name for v in preempt.variables} - document
    both = {v.name for v in Instance(RecoveryWithPreempt, 2, 2, group=2).variables}
    assert set(COMPARED_WITH_BOTH) == both - recovery - {v.name for v in preempt.variables}


@pytest.mark.unmeasured
def test_every_interleaving_with_a_connection_for_urgent_pages_is_the_models() -> None:
    found = refine(World.new(1, 1, preempt=True))
    assert found.failure is None
    assert found.complete
    assert (found.states, found.transitions) == (2528, 15194)
    assert found.actions["destination.places_urgent_page"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pages", "group", "qemu", "size"), [(2, 2, False, (10936, 74409)), (1, 1, True, (6282, 42577))]
)
def test_so_is_every_other_interleaving_with_it(pages: int, group: int, qemu: bool, size: tuple[int, int]) -> None:
    found = refine(World.new(pages, 1, group, qemu=qemu, preempt=True))
    assert found.failure is None
    assert (found.states, found.transitions) == size


@pytest.mark.unmeasured
@pytest.mark.one_in(2)
@pytest.mark.slow_but("OpensWithoutAnAnswer", "SwitchesWithout", "ReadsThePackageWithout", "LogsUrgentPagesAsOthers")
@pytest.mark.parametrize("mutant", WITH_PREEMPT, ids=[mutant.core.__name__ for mutant in WITH_PREEMPT])
def test_a_mistake_with_urgent_pages_is_found_out(mutant: Mutant) -> None:
    failure = refine(mutant.world).failure
    assert failure is not None
    assert mutant.says in failure.why


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pages", "group", "qemu", "size"),
    [
        (1, 1, False, (9899, 73379)),
        pytest.param(2, 2, False, (62055, 554008), marks=pytest.mark.long),
        (1, 1, True, (16310, 123435)),
    ],
)
def test_every_interleaving_with_both_is_the_models(pages: int, group: int, qemu: bool, size: tuple[int, int]) -> None:
    found = refine(World.new(pages, 1, group, qemu=qemu, recovery=True, preempt=True))
    assert found.failure is None
    assert (found.states, found.transitions) == size
    assert found.actions["source.receives_resume_ack"] > 0
    assert found.actions["destination.places_urgent_page"] > 0


@pytest.mark.unmeasured
@pytest.mark.one_in(2)
@pytest.mark.slow_but("WaitsForUrgentPagesForEver")
@pytest.mark.parametrize("mutant", WITH_BOTH, ids=[mutant.core.__name__ for mutant in WITH_BOTH])
def test_a_mistake_with_both_is_found_out(mutant: Mutant) -> None:
    failure = refine(mutant.world).failure
    assert failure is not None
    assert mutant.says in failure.why


def test_a_search_that_is_cut_short_says_so() -> None:
    assert not refine(World.new(2, 1), limit=100).complete


@pytest.mark.unmeasured
@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.core.__name__ for mutant in MUTANTS])
def test_a_mutant_with_a_rule_missing_is_found_out(mutant: Mutant) -> None:
    assert mutant.fault in FAULTS
    failure = refine(mutant.world).failure
    assert failure is not None
    assert mutant.says in failure.why


def test_every_variable_of_the_model_is_compared_or_left_out_for_a_reason() -> None:
    instance = Instance(Postcopy, 2, 2, group=2)
    on_channels = variables_of_channels(instance)
    assert set(on_channels) < set(COMPARED)
    compared = [name for entry in COMPARED for name in on_channels.get(entry, (entry,))]
    assert sorted([*compared, *NOT_COMPARED]) == sorted(variable.name for variable in instance.variables)
    assert all(NOT_COMPARED.values())


@pytest.mark.parametrize("variable", WRONG_VARIABLES)
def test_a_wrong_variable_is_found_out(variable: str) -> None:
    mutant = WRONG_VARIABLES[variable]
    failure = refine(mutant.world).failure
    assert failure is not None
    assert mutant.says in failure.why


def test_a_wrong_reason_of_a_lost_connection_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network is the world's own, so the fault is in the world."""

    def breaks(world: World) -> None:
        world.broken = True

    monkeypatch.setattr(conformance_moves, "_break", breaks)
    failure = refine(World.new(1, 1)).failure
    assert failure is not None
    assert "differ in wire.failed: False and True" in failure.why


class LogsAnotherThread(SourceCore):
    """Opens the stream in the migration thread, and logs the return-path thread."""

    def open(self) -> list[StreamMessage]:
        log = self.log
        self.log = lambda made: log(msgspec.structs.replace(made, thread=Thread.RETURN_PATH))
        return super().open()


def test_a_step_that_is_logged_from_another_thread_is_found_out() -> None:
    failure = refine(World.new(1, 1, source=LogsAnotherThread)).failure
    assert failure is not None
    assert failure.why == "the log has 'opened the return path' from the return-path thread"
    assert failure.moves[-1].startswith("migration thread: ")


class TakesTheFirstOnly(SourceCore):
    """Of several pages that it sends at once, takes the first out of the migration bitmap."""

    def _send(self, pages: range, step: Step) -> None:
        super()._send(pages, step)
        self.dirty.add_all(pages[1:])


class MarksTheFirstOnly(DestinationCore):
    """Of several pages that come at once, marks the first as received."""

    def _precopy_pages(self, message: Page | Pages) -> Sequence[Output]:
        outputs = super()._precopy_pages(message)
        count = message.count if isinstance(message, Pages) else 1
        self.received.remove_all(range(1, count))
        return outputs


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        ({"source": TakesTheFirstOnly}, "differ in source.dirty"),
        ({"destination": MarksTheFirstOnly}, "differ in destination.present"),
    ],
)
def test_what_is_wrong_with_several_pages_at_once_is_found_out(mutant: dict[str, Any], says: str) -> None:
    failure = refine(World.new(2, 2, **mutant)).failure
    assert failure is not None
    assert says in failure.why
    assert "at once" in failure.moves[-1]


LIVENESS = {name for name, fault in FAULTS.items() if BY_NAME[fault.breaks[0]].of_runs} - {"cpus-stay-stopped"}

OF_THREADS = {name for name, fault in FAULTS.items() if fault.breaks == ("threads-do-their-own-work",)}
"""Faults that give a step to another thread."""

WITHOUT_MUTANT = {
    "unpackaged": "the core makes the package in one call",
    "listen-waits-for-main": "locks are the hosts' matter, not the cores'",
    "main-closes-stream": "the connection is the hosts' matter",
    "torn-placement": "placing is one effect; the live tests tear it",
    "torn-before-run": "placing is one effect; the live tests tear it",
    "balloon-not-inhibited": "this guest has no balloon",
    "device-load-does-not-wait": "the kernel makes the device load wait, not the core",
    "sends-on-broken-connection": "the connection is the hosts' matter",
    "loss-in-one-direction": "the connection is the hosts' matter",
    "waits-on-lost-connection": "the connection is the hosts' matter",
    "source-waits-on-lost-connection": "the connection is the hosts' matter",
    "replies-on-broken-connection": "the connection is the hosts' matter",
    "host-pages-interleaved": "the core sends a host page in one call",
    "requests-part-of-host-page": "the source's core refuses a request for a part of a host page",
    "clean-pages-sent": "the core finds what to send next in its bitmap",
    "destination-cleans-up-in-part": "the userfaultfd goes with the process of the guest",
    "any-shut-completes": "no destination of the search refuses",
    "refusal-called-success": "no destination of the search refuses",
    "clean-up-takes-memory": "memory is the hosts' matter",
    "destination-keeps-memory": "memory is the hosts' matter",
    "destination-keeps-assembly": "memory is the hosts' matter",
    "destination-keeps-devices": "the devices are the hosts' matter",
    "faults-stay-queued": "the kernel has the queue of faults",
    "write-not-logged": "the kernel has the dirty log",
    "sleeper-goes-on": "the kernel puts a vCPU to sleep, not the core",
    "sleeper-writes": "the kernel puts a vCPU to sleep, not the core",
    "device-load-goes-on": "the kernel puts the device load to sleep, not the core",
    "request-wakes": "the kernel wakes those that wait, not the core",
    "source-runs-on-after-death": "a host that is dead has no core",
    **dict.fromkeys(OF_THREADS, "threads are the hosts' matter, not the cores'"),
    "fault-requested-again": "the kernel hands over each fault once",
    "requests-without-fault": "the core is asked only where there is a fault",
    "refuses-unasked": "the core looks at its host only when ADVISE is handed over",
    **dict.fromkeys(LIVENESS, "the search of the cores asks about steps and states, not about endless runs"),
}
"""Faults of the model that have no mutant, and why."""


def test_every_fault_has_a_mutant_or_a_reason_why_not() -> None:
    assert {mutant.fault for mutant in MUTANTS} | set(WITHOUT_MUTANT) == set(FAULTS)
    assert not {mutant.fault for mutant in MUTANTS} & set(WITHOUT_MUTANT)
