"""A machine that maps another's memory: a backend process that is not woken, found and mended."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from postcopy.catalogue.properties import asked_of
from postcopy.errors import SpecError
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Outcome
from postcopy.language import (
    NONE,
    Answer,
    Bitmap,
    Flag,
    Machine,
    Maps,
    Page,
    PageSet,
    Protocol,
    Thread,
    View,
    action,
    conjunct,
    require,
)
from postcopy.language.instance import Instance
from postcopy.model.destination import Destination, State
from postcopy.model.postcopy import Postcopy
from postcopy.properties.invariant import INVARIANT
from postcopy.properties.safety import SAFETY
from postcopy.prover.induction import k_induction
from postcopy.prover.solving import Status
from tests.export.agreement import by_spin, explorer, exported, need_spin
from tests.language.cases.all_readings import read_both_ways


class Backend(Machine):
    """A backend of vhost-user: a process of its own, with the guest's memory mapped."""

    loop = Thread("backend")
    memory = Maps("destination", "present", "faulted", "sensitive", "running", "state")
    waiting = Bitmap("the page that the backend waits for", waits=loop)

    @action(loop, environment=True)
    def touches_missing(self, page: Page) -> None:
        """touches a page that is missing: the destination's fault thread hears of it"""
        require(self.memory.sensitive and self.memory.running)
        require(self.waiting.empty)
        require(not self.memory.present[page])
        self.waiting = page
        self.memory.faulted |= page

    @action(loop)
    def loses_the_guest(self) -> None:
        """has lost the guest: its destination has failed"""
        require(self.memory.state == State.FAILED)
        require(not self.waiting.empty)
        self.waiting = NONE


@conjunct("The backend waits for missing pages, in postcopy or with a guest that is lost")
def waits_in_postcopy(state: View) -> Answer:
    """At the end every page is there."""
    there = state.destination.state in (State.RUNNING, State.FAILED)
    return cast(PageSet, state.backend.waiting & state.destination.present if there else state.backend.waiting)


class NotWoken(Postcopy):
    """What is placed wakes the destination's own threads alone, as in QEMU before shared memory was thought of."""

    backend = Backend
    invariant = (waits_in_postcopy,)


class Woken(NotWoken):
    """Whoever places a page wakes the backend too (QEMU: postcopy_notify_shared_wake)."""

    class destination(Destination):
        """Knows what the backend waits for."""

        backends = Maps("backend", "waiting")

        def _place(self, pages: PageSet) -> None:
            super()._place(pages)
            self.backends.waiting -= pages


@pytest.mark.unmeasured
def test_a_backend_that_is_not_woken_is_found() -> None:
    result = explore(Instance(NotWoken, 1, 1, asked_of(NotWoken)))
    assert result.violated is not None
    assert result.violated.name == "no-request-lost"


@pytest.mark.unmeasured
def test_a_backend_that_is_woken_holds() -> None:
    result = explore(Instance(Woken, 1, 1, asked_of(Woken)))
    assert (result.violated, result.outcome) == (None, Outcome.HOLDS)


@pytest.mark.unmeasured
@pytest.mark.parametrize(("protocol", "lost"), [(Woken, False), (NotWoken, True)])
def test_a_proof_agrees(protocol: type[Protocol], lost: bool) -> None:
    claims = [p for p in SAFETY if p.of_states or p.of_steps]
    answer = k_induction(Instance(protocol, 1, 1, claims), (*INVARIANT, waits_in_postcopy), 1)
    assert ("no-request-lost" not in answer.proved) is lost
    assert answer.status is (Status.OPEN if lost else Status.PROVED)


def test_the_readings_agree_step_by_step() -> None:
    read_both_ways(protocol_with(machine(Maps("host", "there"), "adds")))


@pytest.mark.slow
@pytest.mark.parametrize(("protocol", "expected"), [(Woken, None), (NotWoken, "no-request-lost")])
def test_spin_says_the_same(protocol: type[Protocol], expected: str | None, tmp_path: Path) -> None:
    need_spin()
    asked = [p for p in asked_of(protocol) if p.name in ("no-request-lost", "no-stale-read")]
    wanted = explorer(protocol, (1, 1, 1), asked)
    assert wanted.violated == expected
    assert by_spin(exported(protocol, (1, 1, 1), asked), tmp_path) == wanted


# -- mistakes ----------------------------------------------------------------------------------------------------------


class Host(Machine):
    """Has a set and a flag."""

    own = Thread("host")
    there = Bitmap("what is there")
    busy = Flag("it is busy")

    @action(own)
    def fetches(self, page: Page) -> None:
        """fetches"""
        self.there |= page


def protocol_with(other: type[Machine]) -> type[Protocol]:
    def may_rest(_: View) -> bool:
        return True

    return type("Two", (Protocol,), {"host": Host, "other": other, "may_rest": staticmethod(may_rest)})


def machine(maps: Maps, body: str) -> type[Machine]:
    bodies: dict[str, Callable[..., None]] = {
        "reads": reads,
        "reads_another": reads_another,
        "adds": adds,
        "replaces": replaces,
    }
    own = Thread("other")
    return type("Other", (Machine,), {"own": own, "memory": maps, body: action(own)(bodies[body])})


def reads(self: Machine) -> None:
    """reads"""
    require(self.memory.there.empty)


def reads_another(self: Machine) -> None:
    """reads what is not mapped"""
    require(self.memory.busy)


def adds(self: Machine, page: Page) -> None:
    """writes"""
    self.memory.there |= page


def replaces(self: Machine) -> None:
    """assigns to the mapping"""
    self.memory = NONE


@pytest.mark.parametrize(
    ("maps", "body", "message"),
    [
        (Maps("hots", "there"), "reads", r"maps hots, which is no machine of the protocol; did you mean host\?"),
        (Maps("host", "their"), "reads", r"maps their of host, which has no such field; did you mean there\?"),
        (Maps("host", "zebra"), "reads", r"maps zebra of host, which has no such field; its fields are there, busy"),
        (Maps("host"), "reads", r'maps no field: name some, Maps\("host", "\.\.\."\)'),
        (Maps("host", "there"), "reads_another", r"\.busy is not mapped: Maps\(\.\.\.\) names there"),
        (Maps("host", "there"), "replaces", r"Other has no field memory"),
    ],
)
def test_a_mistake_is_named_in_one_line(maps: Maps, body: str, message: str) -> None:
    with pytest.raises(SpecError) as raised:
        explore(Instance(protocol_with(machine(maps, body)), 1, 1, ()))
    assert re.search(message, str(raised.value))
    assert "\n" not in str(raised.value)


def test_what_is_mapped_is_read_and_written() -> None:
    result = explore(Instance(protocol_with(machine(Maps("host", "there"), "adds")), 2, 1, ()))
    assert result.states == 3  # page symmetry
