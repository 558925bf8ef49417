"""Attempts to let a body see more than the state: each is refused, with its line, by the check of its text.

Most of them ask for the number of pages, so that a protocol is right at the sizes that are checked and wrong at others.
"""

# ruff: noqa: PLW0603

from __future__ import annotations

import functools
import linecache
import operator
from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest

from postcopy.catalogue.loading import load
from postcopy.errors import SpecError
from postcopy.language import NONE, Bitmap, Cpu, Ghost, Machine, Page, PageSet, Sends, action, require
from postcopy.language.instance import Instance
from postcopy.language.symbolic import read_action
from tests.language.tiny import Base, Cases, Colour, Letter, Memory, Phase, protocol_of, read, refused

case = Cases()
MEMBERS = "it has empty, full, host_pages, next, previous, same_as(), subset_of()"
NOT_FOR_THEM = "is not for specifications: a machine sees only its fields and ends"
LOOKS_PAST = "which looks past the language: use fields, ends and constants"
NOT_OF_THE_LANGUAGE = (
    "which is not part of the language: use fields, ends, constants, methods and functions of your own, and all, any, "
    "bool, range, super"
)

# -- attributes --------------------------------------------------------------------------------------------


@case(f".pages cannot be asked of a set of pages: {MEMBERS}")
class AsksForTheNumberOfPages(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.dirty.pages == 5)  # here


@case(f".bits cannot be asked of a set of pages: {MEMBERS}")
class AsksForBits(Base):
    @action(Base.thread)
    def act(self: Any, page: Page) -> None:
        other = self.dirty | page
        require(other.bits == 1)  # here


@case(f"it uses getattr, {LOOKS_PAST}")
class AsksForAttributeByName(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(getattr(self, "inter" + "pretation").instance.pages == 5)  # here


pages_of = operator.attrgetter("interpretation.instance.pages")


@case(f"it uses pages_of, {NOT_OF_THE_LANGUAGE}")
class AsksAnAttributeGetter(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(pages_of(self) == 5)  # here


def looks_inside(machine: Any) -> bool:
    return cast(bool, machine.instance.pages == 5)  # here


@case(
    ".instance is not part of the language: what is machine? Annotate the parameter",
    inside="looks_inside, called by act",
    at=looks_inside,
)
class LooksInsideElsewhere(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(looks_inside(self))


@case(f".__class__ {NOT_FOR_THEM}")
class AsksForItsClass(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.__class__.thread is None)  # here


@case(f".read {NOT_FOR_THEM}")
class ReadsByVariable(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.read("right.present").empty)  # here


@case(f"._channel {NOT_FOR_THEM}")
class LooksIntoAnEnd(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.stream._channel.slots)  # here


@case(f"._part {NOT_FOR_THEM}")
class LooksIntoPagesOfCpus(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        waiting = self.waiting
        require(waiting._part.interpretation)  # here


@case(".kind cannot be asked of a truth value")
class AsksMarksForMore(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.phase == Phase.IDLE and (self.busy == True).kind)  # noqa: E712  # here


@case(".items cannot be asked of the marks of a message")
class LoopsOverMarks(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        for _ in self.back.receive(Letter.PLAIN).marked.items():  # here
            self.busy = True


# -- Python's own functions --------------------------------------------------------------------------------


@case(f"it uses str, {LOOKS_PAST}")
class Prints(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require("4" in str(self.dirty))  # here


@case("it has an f-string: a body has no text beside names of marks and channels")
class Formats(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require("4" in f"{self.dirty}")  # here


@case(f"it uses str.format, {LOOKS_PAST}")
class FormatsByName(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(str.format("{0.interpretation.instance.pages}", self) == "5")  # here


@case(".format cannot be asked of a constant: '{0.interpretation}'.format")
class FormatsByMethod(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require("{0.interpretation}".format(self) == "")  # noqa: UP030, UP032  # here


@case("it has the operator of '%s' % self.dirty: sets of pages have | & - ~, and numbers + and -")
class FormatsByPercent(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require("%s" % self.dirty == "{}")  # noqa: UP031  # here


@pytest.mark.parametrize(
    "name", ["isinstance", "type", "vars", "id", "hash", "repr", "dir", "hasattr", "len", "format"]
)
def test_a_function_that_looks_past_the_language_is_refused(name: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(made(f"require({name}(self.dirty) == 1)"))
    counted = "the pages of a set cannot be counted: ask .empty or .full"
    assert str(caught.value).endswith(counted if name == "len" else f"it uses {name}, {LOOKS_PAST}")


@pytest.mark.parametrize(
    "name", ["int", "sorted", "max", "sum", "list", "tuple", "zip", "map", "print", "iter", "next", "callable"]
)
def test_another_function_of_python_is_refused(name: str) -> None:
    with pytest.raises(SpecError, match=f"it uses {name}, which is not part of the language"):
        read(made(f"require({name}(self.dirty) == 1)"))


def made(statement: str) -> type[Machine]:
    """A machine with a body of one statement, from a text that `linecache` has."""
    text = f"def act(self) -> None:\n    {statement}\n"
    file = f"made-{abs(hash(text))}.py"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    found: dict[str, Any] = {}
    exec(compile(text, file, "exec", dont_inherit=True), {**globals(), "Cpu": Cpu}, found)
    return type("Made", (Base,), {"act": action(Base.thread)(found["act"])})


# -- statements and expressions ----------------------------------------------------------------------------

MATCH = "it has a match statement: write if and elif with ==, as in"
REFUSED = [
    ("while self.busy: self.busy = False", "it has a while loop"),
    ("match self.dirty:\n        case object(pages=5): pass", f"{MATCH} if self.dirty == ...:"),
    ("match self.phase:\n        case Phase.IDLE: pass", f"{MATCH} if self.phase == Phase.IDLE:"),
    (
        "match self.phase:\n        case Phase.IDLE | Phase.BUSY: pass\n        case _: pass",
        f"{MATCH} if self.phase in (Phase.IDLE, Phase.BUSY):",
    ),
    ("match (self.phase, self.busy):\n        case (a, b): pass", f"{MATCH} if (self.phase, self.busy) == ...:"),
    ("with self.dirty: pass", "it has a try or with statement"),
    ("raise ValueError", "it raises an exception: a guard is require(...)"),
    ("assert self.busy", "it has an assert: a guard is require(...), and what has to hold is a property"),
    ("del self.busy", "it has a del statement: assign another value"),
    ("import sys", "it imports sys: imports stand at the top of the file"),
    ("from sys import modules", "it imports sys: imports stand at the top of the file"),
    ("def inner(): pass", "it defines a function: define it outside, or as another method"),
    ("class Inner: pass", "it defines a class: define it outside"),
    ("if (n := self.busy): self.busy = n", "it assigns within an expression (:=)"),
    ("first, *rest = (1, 2)", "it has a * argument or target: write out what is meant"),
    ("require(*(self.busy,))", "it has a * argument or target: write out what is meant"),
    ("self.stream.send(Letter.PLAIN, **{'stale': NONE})", "it has a * argument or target: write out what is meant"),
    ("require({1: True}[1])", "it has a dictionary: write if and elif with =="),
    ("require(1 in {1, 2})", "it has a Python set: write a tuple"),
    ("require((1, 2)[0:1] == (1,))", "it has a slice: name the items one by one"),
    ("f = lambda: self.busy", "it has a lambda, which can only be an argument of a helper"),
    ("self.busy == True", "self.busy == True does nothing here: a guard is require(...), a change is an assignment"),
    ("self.stream.close", "close without () is always true: write close()"),
    ("f = self.stream.close", "close without () is always true: write close()"),
    ("self.count = self.count * 2", "it has the operator of self.count * 2"),
    ("self.count **= 2", "it has the operator of self.count **= 2"),
    ("require(self.dirty @ NONE)", "it has the operator of self.dirty @ NONE"),
    ("for n in range(self.count): pass", "range(self.count): the limits of a range are constants"),
    ("for n in self.dirty: pass", "a set of pages cannot be looped over"),
    ("for n in self.phase: pass", "it loops over self.phase: a loop goes over a tuple, an enumeration, or a range"),
    (
        "for n in 'text': pass",
        "it loops over 'text': a loop goes over a tuple, an enumeration, or a range of",
    ),
    ("for n in (1, 2): pass\n    else: pass", "its loop has an else: write if after it"),
    ("require(all(n == 1 for n in self.waiting))", "it loops over self.waiting"),
    ("require(Phase(1) == self.phase)", "it calls Phase, which would make a new one"),
    ("require(Base('left', None).busy)", "it calls Base, which would make a new one"),
    ("super(Base, self).serves_request()", "super() is used as super().method(...)"),
    ("require(Cpu(self.count) == 0)", "Cpu(self.count): the number of a vCPU is a constant"),
    ("require(Colour.RED.name == 'RED')", ".name cannot be asked of a constant: Colour.RED.name"),
    ("Colour.RED = 1", "it changes an attribute of Colour: an action changes nothing but its own state"),
    ("self.dirty.bits = 1", "self.dirty.bits = ...: an action assigns to its fields and variables"),
    ("(1, 2)[0] = 1", "(1, 2)[0] = ...: only the set of one vCPU is assigned to in this way"),
    ("require(__name__ == 'x')", "__name__ is not for specifications"),
    ("require(operator.eq(self.phase, Phase.IDLE))", "it uses operator.eq, which is not part of the language"),
]


@pytest.mark.parametrize(("statement", "message"), REFUSED, ids=[statement for statement, _ in REFUSED])
def test_what_is_not_listed_is_refused_with_its_line(statement: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(made(statement))
    assert message in str(caught.value)
    assert caught.value.where.endswith(".py:2, in act")


# -- functions, parameters, decorators ---------------------------------------------------------------------


def twice(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def inner(*given: Any) -> Any:  # here
        return function(*given)

    return inner


@case("it has * parameters: name them one by one", inside="inner, called by act", at=twice)
class DecoratesWithStars(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self._helps()

    @twice
    def _helps(self: Any) -> None:
        self.busy = True


def marked(function: Callable[..., Any]) -> Callable[..., Any]:
    function.__dict__["marked"] = True
    return function


@case("it has a decorator that is not the language's, @marked: leave it out", inside="_helps, called by act")
class DecoratesOtherwise(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self._helps()

    @marked  # here
    def _helps(self: Any) -> None:
        self.busy = True


@case("_helps is a class method: make it a plain method")
class HelpsByClass(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self._helps()  # here

    @classmethod
    def _helps(cls) -> None:
        """Does nothing."""


@case("it has a lambda, which can only be an argument of a helper")
class LambdaForPython(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.dirty.subset_of(lambda: self.busy)  # here


def applies(pages: PageSet, change: Callable[[PageSet], PageSet]) -> PageSet:
    return change(pages)


@case("its lambda calls another lambda: write a method")
class LambdaOfLambda(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.dirty = applies(self.dirty, lambda f: f(f))  # type: ignore[operator]  # here


@case("the action never ends: _there calls itself", inside="_back, called by act")
class InACircle(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self._there()

    def _there(self: Any) -> None:
        self._back()

    def _back(self: Any) -> None:
        self._there()  # here


@case(".instance is not part of the language: what is it? Annotate the parameter", inside="tired, called by act")
class LooksInsideInProperty(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.tired)

    @property
    def tired(self: Any) -> bool:
        it = self.busy if self.phase == Phase.IDLE else self.dirty
        return cast(bool, it.instance)  # here


SIZE = 1


def grows() -> None:
    global SIZE
    SIZE += 1


@case("it uses SIZE, which a function of this file changes (global SIZE): make it a constant, or declare a field")
class UsesGlobalThatChanges(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(SIZE == 1)  # here


class Sly(Enum):
    ONE = auto()

    def __eq__(self, other: object) -> bool:
        return other is not None

    __hash__ = Enum.__hash__


@case("it uses Sly.ONE, and Sly has an operator of its own (__eq__): leave it out")
class ComparesSlyly(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.phase == Sly.ONE)  # here


class Counting(type(Enum)):  # type: ignore[misc]
    def __iter__(cls) -> Any:
        return iter(())


class Counted(Enum, metaclass=Counting):
    ONE = auto()


@case("it uses Counted, and Counted has an operator of its own (__iter__): leave it out")
class LoopsSlyly(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        for _ in Counted:  # here
            self.busy = True


def make_changing() -> tuple[Callable[[Any], None], Callable[[], None]]:
    size = 1

    def act(self: Any) -> None:
        require(size == 1)  # here

    def change() -> None:
        nonlocal size
        size += 1

    return act, change


@case(
    "it uses size, which a function of this file changes (nonlocal size): make it a constant, or declare a field",
    at=make_changing,
)
class UsesVariableThatChanges(Base):
    act = action(Base.thread)(make_changing()[0])


COLOURS = frozenset(Colour)


@case(
    "it loops over COLOURS: a loop goes over a tuple, an enumeration, or a range of constants, so that it ends",
)
class LoopsInAnyOrder(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        for colour in COLOURS:  # here
            self.colour = colour


class Pair(NamedTuple):
    first: int


PAIR = Pair(1)


@case("it uses PAIR, a Pair that is not part of the state: declare a field, or make it a constant")
class UsesOwnClass(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        require(self.count == PAIR)  # here


class PeepingGhost(Memory):
    def touched(self, pages: Any) -> None:
        self.old = pages if len(pages) > 2 else NONE  # here


@case(
    "the pages of a set cannot be counted: ask .empty or .full",
    inside="touched, called by serves_request",
    ghost=PeepingGhost,
    at=PeepingGhost,
)
class GhostCounts(Base):
    @action(Base.thread)
    def act(self: Any) -> None:
        self.memory.touched(self.dirty)


@pytest.mark.parametrize(("machine", "ghost", "where", "message"), case.params)
def test_a_body_that_looks_past_the_state_is_refused_with_its_line(
    machine: type[Machine], ghost: type[Ghost], where: str, message: str
) -> None:
    refused(machine, ghost, where, message)


# -- texts that are not there ------------------------------------------------------------------------------


def test_a_body_without_a_text_is_refused() -> None:
    found: dict[str, Any] = {}
    exec("def act(self):\n    self.busy = True\n", found)
    machine = type("Made", (Base,), {"act": action(Base.thread)(found["act"])})
    with pytest.raises(SpecError, match="the text of act is not to be found, so it cannot be checked"):
        read(machine)


def test_a_body_under_the_name_of_another_file_is_refused() -> None:
    """The text that is there is not what runs."""
    found: dict[str, Any] = {}
    exec(compile("def tosses(self):\n    self.busy = True\n", __file__, "exec"), found)
    machine = type("Made", (Base,), {"act": action(Base.thread)(found["tosses"])})
    with pytest.raises(SpecError, match="the text of tosses is not to be found"):
        read(machine)


# -- declarations that look past the language ----------------------------------------------------------------


class PeepingField(Bitmap):
    def __get__(self, part: Any, owner: Any) -> Any:
        return part.interpretation.instance.pages if part is not None else self


class Making(type):
    def __call__(cls, *given: Any) -> Any:
        return super().__call__(*given)


class PeepingEnd(Sends):
    view = Base  # type: ignore[assignment]


def test_fields_ends_and_methods_of_python_of_ones_own_are_refused() -> None:
    def anything(self: Any, name: str) -> Any:
        return self.interpretation

    for what, message in (
        ({"peeps": PeepingField("peeps")}, "Made.peeps is a PeepingField, which is not one of the language's"),
        ({"peeps": PeepingEnd("wire")}, "Made.peeps is a PeepingEnd, which is not one of the language's"),
        ({"__getattr__": anything}, "Made.__getattr__ is a method of Python's own: it would look past the language"),
        ({"colour": Sly.ONE}, "Made.colour is a Sly, which is not part of the state"),
    ):
        with pytest.raises(SpecError) as caught:
            Instance(protocol_of(type("Made", (Base,), what)), 1, 1)
        assert message in str(caught.value)


# -- what is allowed ---------------------------------------------------------------------------------------


class Allowed(Base):
    """One of everything."""

    limit = 2

    @action(Base.thread)
    def act(self: Any, page: Page) -> None:
        """does a lot"""
        for colour in Colour:
            if self.colour == colour:
                continue
            if colour in (Colour.RED,):
                break
        for n in range(1, self.limit):
            require(self.count < n or self.count != -1)
        pair = [self.dirty, NONE]
        kept, _ = pair
        self.dirty, self.busy = (kept - page, not kept.empty)
        self.dirty = applies(self.dirty, lambda pages: pages.host_pages & ~page)
        require(any(colour != Colour.RED for colour in Colour if colour is not None) and bool(self.busy))
        require(-1 < self.count <= 3 and self.tired(self.count) and Base.thread is not None)

    @staticmethod
    def tired(count: int) -> bool:
        """A number of rounds that is enough."""
        return count == 3

    def serves_request(self: Any) -> None:
        Base.serves_request(self)
        super().serves_request()


def test_what_is_listed_is_allowed() -> None:
    read(Allowed)


def test_a_metaclass_is_refused() -> None:
    """It would see the interpretation when it makes a machine."""
    with pytest.raises(SpecError, match="Made has a metaclass, Making: leave it out"):
        Instance(protocol_of(cast(type[Machine], Making("Made", (Base,), {}))), 1, 1)


def test_the_text_that_was_loaded_is_checked_if_its_file_changes_later(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("from tests.language.tiny import Innocent\n\n\nclass Mine(Innocent):\n" + MINE, encoding="utf-8")
    _, protocol = load(str(file))
    file.write_text("# nothing is left\n", encoding="utf-8")
    instance = Instance(protocol, 1, 1)
    assert all(read_action(instance, each) is not None for each in instance.actions)


MINE = """
    class left(Innocent.left):
        def serves_request(self) -> None:
            self.busy = True
"""
