"""Protocols that are put together wrongly: each exact message with its line."""

# ruff: noqa: RUF012

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from postcopy.errors import SpecError
from postcopy.language import (
    EITHER,
    Bitmap,
    Channel,
    Choice,
    Count,
    Flag,
    Ghost,
    Machine,
    Monitor,
    Page,
    Protocol,
    Sends,
    Step,
    Thread,
    View,
    action,
    always,
)
from postcopy.language.instance import Instance
from postcopy.language.source_locations import of_class
from tests.language.tiny import Base, Innocent, Letter, Memory, Phase, Right, here, protocol_of

# -- declarations ------------------------------------------------------------------------------------------

DECLARATIONS: list[Any] = []


def declared(message: str, at: Any = None, inside: str = "") -> Callable[[Any], Any]:
    def note(what: Any) -> Any:
        DECLARATIONS.append(pytest.param(what, at or what, inside or what.__name__, message, id=what.__name__))
        return what

    return note


@declared(
    "Overrides.serve_request is not an action: decorate it with @action, or start its name with an "
    "underscore; did you mean serves_request?",
    inside="serve_request",
)
class Overrides(Base):
    def serve_request(self) -> None:  # here
        self.busy = True


@declared("Removes.serve_request = None removes an action that no base has; did you mean serves_request?")
class Removes(Base):
    serve_request = None  # here


@declared("Replaces.serves_request replaces an action by True: define a method, or None")
class Replaces(Base):
    serves_request = True  # type: ignore[assignment]  # here


@declared(
    "Parameters.act has a parameter pages: an action may have `page: Page` (or two pages of any names) and `cpu: Cpu`",
    inside="act",
)
class Parameters(Base):
    @action(Base.thread)  # here
    def act(self, pages: Page) -> None:
        self.dirty = pages


@declared(
    "Unannotated.act has a parameter cpu: an action may have `page: Page` (or two pages of any names) and `cpu: Cpu`",
    inside="act",
)
class Unannotated(Base):
    @action(Base.thread)  # here
    def act(self, cpu: int, page: Page) -> None:
        self.dirty = page


@declared("Remembers.seen is a list, which is not part of the state: declare a field, e.g. a Flag or Bitmap")
class Remembers(Base):
    seen = [0]  # here


@declared("NoChannel.out: Tiny has no channel wires; did you mean wire?")
class NoChannel(Base):
    out = Sends("wires")  # here


@declared("OpenSet.pages starts as True: it can start as NONE, ALL or EITHER")
class OpenSet(Base):
    pages = Bitmap("pages", initial=True)  # type: ignore[arg-type]  # here


@declared("OpenChoice.other starts as EITHER, which only a Flag or a Bitmap can")
class OpenChoice(Base):
    other = Choice("a choice", EITHER)  # here


@declared("OpenCount.number starts as EITHER, which only a Flag or a Bitmap can")
class OpenCount(Base):
    number = Count("a number", 0, 1, EITHER)  # type: ignore[arg-type]  # here


@declared("HighCount.number starts as 2, outside of its range 0 to 1")
class HighCount(Base):
    number = Count("a number", 0, 1, 2)  # here


@declared("NoChoice.other starts as 3: it can start as a member of an enumeration")
class NoChoice(Base):
    other = Choice("a choice", 3)  # type: ignore[type-var]  # here


@declared("NumberFlag.flag starts as 0: it can start as False, True or EITHER")
class NumberFlag(Base):
    flag = Flag("a flag", 0)  # type: ignore[arg-type]  # here


@declared("Reserved.interpretation: the name is taken by the language, choose another")
class Reserved(Base):
    interpretation = Flag("a flag")  # here


@declared("Hides.memory hides the ghost memory: choose another name")
class Hides(Base):
    memory = Flag("a flag")  # here


@declared("Empty has no machine: give it one, e.g. source = Source")
class Empty(Protocol):  # here
    wire = Channel(Letter)


@declared("Restless does not say when nothing needs to happen: define the static method may_rest(state)")
class Restless(Protocol):  # here
    right = Right


@declared("NoCpus.cpus is 0: a whole number from 1 to 4 is needed")
class NoCpus(Innocent):
    cpus = 0  # here


@declared("wire is a machine here and a channel in a base: give it another name")
class Clashes(Innocent):
    wire = Right  # type: ignore[assignment]  # here


@declared("a machine cannot be called ghosts: the name is taken by the language")
class CalledGhosts(Innocent):
    ghosts = Right  # here


@declared("wire carries Letter, so <Phase.IDLE: 1> cannot be marked on it")
class MarksAlien(Innocent):
    wire = Channel(Letter, marks=("stale",), marked=(Phase.IDLE,))  # here


@declared("wire has marks and no marked kinds, or the reverse: Channel(..., marks=(...), marked=(...))")
class MarksNothing(Innocent):
    wire = Channel(Letter, marks=("stale",))  # here


@declared("wire cannot have a mark called kind: the name is taken")
class MarkCalledKind(Innocent):
    wire = Channel(Letter, marks=("kind",), marked=(Letter.PLAIN,))  # here


@declared("RoleAsText.wanted has the role 'buffer': a role is a member of an enumeration")
class RoleAsText(Base):
    wanted = Bitmap("pages", role="buffer")  # type: ignore[arg-type]  # here


class Noted(Ghost):
    noted = Bitmap("pages", role=Phase.IDLE)  # here


@declared("Noted.noted is history, which has no role: declare roles of the sets of machines", at=Noted, inside="Noted")
class GhostWithRole(Innocent):
    notes = Noted


@declared("RolesInTuple.roles is no dictionary: write roles = {Reply.REQUEST: Role.REQUEST}")
class RolesInTuple(Innocent):
    roles = (Letter.PLAIN,)  # type: ignore[assignment]  # here


@declared("RoleOfAlien.roles names <Phase.IDLE: 1>, which no channel of it carries")
class RoleOfAlien(Innocent):
    roles = {Phase.IDLE: Phase.IDLE}  # here


@declared("RoleOfMessageAsText.roles gives PLAIN the role 'request': a role is a member of an enumeration")
class RoleOfMessageAsText(Innocent):
    roles = {Letter.PLAIN: "request"}  # type: ignore[dict-item]  # here


@declared("wire carries 3: an enumeration of its messages is needed")
class CarriesNumber(Innocent):
    wire = Channel(3)  # type: ignore[arg-type]  # here


@declared("Underived.left is a plain class in the place of left: derive it from that, class left(Innocent.left)")
class Underived(Innocent):
    class left:  # noqa: N801  # here
        """No machine."""


@declared("Misspelled.lefft is a plain class, and no part of a protocol; did you mean left?")
class Misspelled(Innocent):
    class lefft:  # noqa: N801  # here
        """No machine."""


@declared('Innocent has no machine lefts; did you mean left? A second one stands beside it: Beside(left="lefts", ...)')
class NearlyReplaces(Innocent):
    class lefts(Base):  # noqa: N801  # here
        """A typing error."""


@declared(
    'Innocent has no machine Right; did you mean right? A second one stands beside it: Beside(right="Right", ...)'
)
class ReplacesInCapitals(Innocent):
    class Right(Right):  # here
        """The class has the name of the class."""


@declared(
    'Innocent has no machine clone; did you mean right? A second one stands beside it: Beside(right="clone", ...)'
)
class Clones(Innocent):
    clone = type("Clone", (type("Change", (Right,), {}),), {})  # here


@declared(
    'Innocent has no ghost memories; did you mean memory? A second one stands beside it: Beside(memory="memories", ...)'
)
class NearlyReplacesGhost(Innocent):
    class memories(Memory):  # noqa: N801  # here
        """A typing error."""


class NearlyReplacesInBase(NearlyReplaces):
    """The error is where the class is, however the protocol was extended since."""


declared(
    'Innocent has no machine lefts; did you mean left? A second one stands beside it: Beside(left="lefts", ...)',
    at=NearlyReplaces,
    inside="NearlyReplaces",
)(NearlyReplacesInBase)


@pytest.mark.parametrize(("what", "at", "inside", "message"), DECLARATIONS)
def test_a_wrong_declaration_is_refused_with_its_line(what: Any, at: Any, inside: str, message: str) -> None:
    protocol = what if issubclass(what, Protocol) else protocol_of(what)
    with pytest.raises(SpecError) as caught:
        Instance(protocol, 2, 1)
    assert str(caught.value) == f"{here(at)}, in {inside}: {message}"


def test_a_part_can_be_removed_or_replaced_by_another_of_its_kind() -> None:
    class Smaller(Innocent):
        left = None  # type: ignore[assignment]

    assert list(Instance(Smaller, 1, 1).machines) == ["right"]


def test_a_change_can_have_new_machines_and_give_a_machine_another_name() -> None:
    class Clock(Machine):
        clock = Thread("clock")

        @action(clock)
        def ticks(self) -> None:
            """ticks"""

    class Timed(Innocent):
        timer = Clock

    class Renamed(Innocent):
        right = None  # type: ignore[assignment]

        class other(Right):  # noqa: N801
            """The same machine under another name."""

    assert list(Instance(Timed, 1, 1).machines) == ["left", "right", "timer"]
    assert list(Instance(Renamed, 1, 1).machines) == ["left", "other"]


def test_two_monitors_of_one_name_are_refused() -> None:
    def make() -> type[Monitor]:
        class Watcher(Monitor):
            def watch(self, step: Step) -> None:
                """Remembers nothing."""

        return Watcher

    def fine(state: View) -> bool:
        return True

    twice = [always("a", monitor=make())(fine), always("b", monitor=make())(fine)]
    with pytest.raises(SpecError, match="the monitor Watcher has the name of something else"):
        Instance(Innocent, 1, 1, twice)


def test_a_class_without_source_is_named_by_its_name() -> None:
    assert of_class(type("Made", (Protocol,), {})) == "Made"
