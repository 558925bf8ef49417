"""Locks that threads hold over several actions: who holds one, who may give it back, and what deadlocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from postcopy.catalogue.properties import asked_of
from postcopy.errors import SpecError
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Outcome, Verdict
from postcopy.language import Count, Cpu, Flag, Lock, Machine, Protocol, Thread, View, action, always, conjunct, require
from postcopy.language.instance import Instance
from postcopy.language.symbolic import read_action
from postcopy.model.destination import Destination
from postcopy.model.postcopy import Postcopy
from postcopy.prover.verdicts import Answer
from postcopy.report.story.tell import tell
from tests.language.cases.all_readings import proved, proved_at, read_both_ways, same_in_spin, searched
from tests.language.cases.readings import Size

SIZE: Size = (1, 1, 1)


class Host(Machine):
    """The main thread and the listen thread both need both locks; a third thread needs none."""

    main = Thread("main thread")
    listen = Thread("listen thread")
    clock = Thread("clock")

    big = Lock("the big lock")
    small = Lock("the small lock")
    main_at = Count("where the main thread is", 0, 3)
    listen_at = Count("where the listen thread is", 0, 3)
    tick = Flag("the clock has ticked")

    @action(main)
    def main_takes_big(self) -> None:
        """takes the big lock"""
        require(self.main_at == 0)
        self.big.acquire()
        self.main_at = 1

    @action(main)
    def main_takes_small(self) -> None:
        """takes the small lock too"""
        require(self.main_at == 1)
        self.small.acquire()
        self.main_at = 2

    @action(main)
    def main_gives_back(self) -> None:
        """gives both back"""
        require(self.main_at == 2)
        self.small.release()
        self.big.release()
        self.main_at = 3

    @action(listen)
    def listen_takes_first(self) -> None:
        """takes the big lock"""
        require(self.listen_at == 0)
        self.big.acquire()
        self.listen_at = 1

    @action(listen)
    def listen_takes_second(self) -> None:
        """takes the small lock"""
        require(self.listen_at == 1)
        self.small.acquire()
        self.listen_at = 2

    @action(listen)
    def listen_gives_back(self) -> None:
        """gives both back"""
        require(self.listen_at == 2)
        self.big.release()
        self.small.release()
        self.listen_at = 3

    @action(clock)
    def ticks(self) -> None:
        """ticks"""
        self.tick = not self.tick


@always("The small lock is held only with the big one")
def small_within_big(state: View) -> bool:
    """A thread holds the small lock, and another or none the big one."""
    host = state.host
    by_main = host.small.held_by(Host.main) and not host.big.held_by(Host.main)
    return not by_main and (host.big.held_by(Host.listen) or not host.small.held_by(Host.listen))


class SameOrder(Protocol):
    """Both take the locks in the same order."""

    host = Host
    properties = (small_within_big,)

    @staticmethod
    def may_rest(state: View) -> bool:
        return bool(state.host.main_at == 3 and state.host.listen_at == 3)


class Crossed(Host):
    @action(Host.listen)
    def listen_takes_first(self) -> None:
        """takes the small lock"""
        require(self.listen_at == 0)
        self.small.acquire()
        self.listen_at = 1

    @action(Host.listen)
    def listen_takes_second(self) -> None:
        """takes the big lock"""
        require(self.listen_at == 1)
        self.big.acquire()
        self.listen_at = 2


class OtherOrder(Protocol):
    """They take the locks in different orders."""

    host = Crossed
    may_rest = SameOrder.may_rest


class Still(Crossed):
    ticks = None  # type: ignore[assignment]


class OtherOrderAlone(OtherOrder):
    """The same without the third thread."""

    host = Still


class Keeping(Host):
    @action(Host.main)
    def main_gives_back(self) -> None:
        """gives only the small one back"""
        require(self.main_at == 2)
        self.small.release()
        self.main_at = 3


class Keeps(SameOrder):
    """The main thread keeps the big lock."""

    host = Keeping


class Stealing(Host):
    @action(Host.clock)
    def ticks(self) -> None:
        """ticks, and frees the big lock where it is not free"""
        require(not self.big.free)
        self.big.release()


class Steals(SameOrder):
    """A thread gives back what another one holds."""

    host = Stealing


CASES: list[tuple[type[Protocol], str | None]] = [
    (SameOrder, None),
    (OtherOrder, "host-big-comes-free"),
    (OtherOrderAlone, "no-deadlock"),
    (Keeps, "host-big-comes-free"),
]


@pytest.mark.parametrize(("protocol", "violated"), CASES)
def test_every_search_agrees(protocol: type[Protocol], violated: str | None) -> None:
    assert searched(protocol, SIZE).violated == violated


def checked(protocol: type[Protocol]) -> Verdict:
    return explore(Instance(protocol, 1, 1, asked_of(protocol)), Options(engine=Engine.INTERPRETED))


def test_the_number_of_states_is_that_of_the_places_and_the_clock() -> None:
    # both at most at 0 or 3, or one of them at 1 or 2; the clock has two values
    assert searched(SameOrder, SIZE).states == 2 * (4 + 2 * 2 * 2)


def test_a_deadlock_of_two_threads_is_found_although_a_third_one_moves() -> None:
    verdict = checked(OtherOrder)
    assert verdict.outcome is Outcome.LIVENESS
    assert verdict.counterexample is not None
    last = verdict.counterexample.states[-1]
    instance = verdict.instance
    held = {name: instance.variable[name].decode(last[instance.index[instance.variable[name]]]) for name in LOCKS}
    assert held == {"host.big": "held by the main thread", "host.small": "held by the listen thread"}
    story = [change.short for step in tell(verdict.counterexample).steps for change in step.changes]
    assert any("the big lock" in short and "held by the main thread" in short for short in story)
    assert any("the small lock" in short and "held by the listen thread" in short for short in story)


LOCKS = ("host.big", "host.small")


@pytest.mark.parametrize("protocol", [SameOrder, OtherOrder, Keeps, Steals])
def test_both_readings_mean_the_same(protocol: type[Protocol]) -> None:
    read_both_ways(protocol, SIZE)


def test_a_lock_that_another_thread_holds_is_not_given_back() -> None:
    verdict = checked(Steals)
    assert verdict.violated is not None
    assert verdict.violated.name == "numbers-stay-in-range"
    assert verdict.counterexample is not None
    error = str(verdict.counterexample.steps[-1].error)
    assert "host.big leaves its range: the clock releases it and does not hold it" in error
    assert "in ticks" in error
    assert proved_at(Steals, "numbers-stay-in-range", SIZE) is Answer.REFUTED
    assert proved(Steals, "numbers-stay-in-range") is Answer.REFUTED


def test_a_lock_that_is_free_is_not_given_back() -> None:
    class Early(Host):
        @action(Host.clock)
        def ticks(self) -> None:
            """gives back what nobody holds"""
            require(self.big.free)
            self.big.release()

    verdict = checked(type("Early", (SameOrder,), {"host": Early}))
    assert verdict.violated is not None
    assert verdict.violated.name == "numbers-stay-in-range"


@conjunct("A thread holds the locks that it has taken and not given back")
def held_where_it_is(state: View) -> bool:
    """The places of both threads say which locks they hold."""
    host = state.host
    return all(
        lock.held_by(thread) == (place >= first and place < 3)
        for lock, thread, place, first in (
            (host.big, Host.main, host.main_at, 1),
            (host.small, Host.main, host.main_at, 2),
            (host.big, Host.listen, host.listen_at, 1),
            (host.small, Host.listen, host.listen_at, 2),
        )
    )


class Helped(SameOrder):
    """The same, and what is needed to prove it."""

    invariant = (held_where_it_is,)


class HelpedToKeep(Keeps):
    invariant = (held_where_it_is,)


@pytest.mark.unmeasured
def test_proofs_agree() -> None:
    for name in ("small-within-big", "numbers-stay-in-range"):
        assert proved_at(Helped, name, SIZE) is Answer.PROVED
        assert proved(Helped, name) is Answer.PROVED
    assert proved_at(Helped, "host-big-comes-free", SIZE) is Answer.NOT_ASKED
    assert proved_at(SameOrder, "numbers-stay-in-range", SIZE) is Answer.NOT_PROVED
    assert proved_at(HelpedToKeep, "numbers-stay-in-range", SIZE) is Answer.NOT_PROVED  # its conjunct is false


@pytest.mark.slow
@pytest.mark.parametrize("protocol", [SameOrder, OtherOrder, OtherOrderAlone, Keeps])
def test_the_compiled_search_and_spin_agree(protocol: type[Protocol], tmp_path: Path) -> None:
    assert searched(protocol, SIZE, Engine.COMPILED) == searched(protocol, SIZE)
    same_in_spin(protocol, tmp_path, SIZE)


class Guest(Machine):
    """Each vCPU takes the lock in turn."""

    vcpu = Thread("vCPU", each=Cpu)

    lock = Lock("the lock of the guest")

    @action(vcpu)
    def takes(self, cpu: Cpu) -> None:
        """takes the lock"""
        self.lock.acquire()

    @action(vcpu)
    def gives_back(self, cpu: Cpu) -> None:
        """gives it back"""
        require(self.lock.held)
        self.lock.release()


class VcpusInTurn(Protocol):
    """Two vCPUs and a lock."""

    guest = Guest

    @staticmethod
    def may_rest(state: View) -> bool:
        return bool(state.guest.lock.free)


def test_each_vcpu_is_a_thread_that_can_hold_a_lock() -> None:
    assert searched(VcpusInTurn, SIZE) == (3, None)
    read_both_ways(VcpusInTurn, SIZE)
    values = Instance(VcpusInTurn, 1, 1).variable["guest.lock"].values
    assert values == ("free", "held by vCPU 0", "held by vCPU 1")
    assert proved_at(VcpusInTurn, "no-deadlock", SIZE) is Answer.PROVED
    assert proved(VcpusInTurn, "no-deadlock") is Answer.PROVED


class BigLock(Postcopy):
    """The destination's main thread and listen thread share a lock."""

    class destination(Destination):
        big = Lock("the big lock")


def test_a_lock_in_a_change_is_asked_for_too() -> None:
    asked = [p.name for p in asked_of(BigLock)]
    assert "destination-big-comes-free" in asked
    assert len(asked) == len(asked_of(Postcopy)) + 1


def assigns(self: Any) -> None:
    """assigns"""
    self.big = True


def asks(self: Any) -> None:
    """asks what there is not"""
    require(self.big.owner)


def no_thread(self: Any) -> None:
    """asks for no thread"""
    require(self.big.held_by("main thread"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (assigns, r"is a lock: use big\.acquire\(\) and big\.release\(\)"),
        (asks, r"\.owner cannot be asked of a lock: it has acquire\(\), free, held, held_by\(\), release\(\)"),
        (no_thread, "a thread of the machine is needed, not 'main thread'"),
    ],
)
def test_a_wrong_use_is_refused(body: Any, message: str) -> None:
    machine = type("Wrong", (Host,), {"acts": action(Host.main)(body)})
    instance = Instance(type("Wrong", (SameOrder,), {"host": machine}), 1, 1)
    acts = next(a for a in instance.actions if a.method == "acts")
    with pytest.raises(SpecError, match=message):
        read_action(instance, acts)


def test_a_property_asks_by_name_since_no_thread_acts() -> None:
    @always("It is held")
    def held(state: View) -> bool:
        """It is."""
        return bool(state.host.big.held)

    with pytest.raises(SpecError, match=r"no thread acts: ask big\.free or big\.held_by\(thread\)"):
        searched(type("Wrong", (SameOrder,), {"properties": (held,)}), SIZE)
