"""A protocol at a size as z3 formulas over bit-vectors: exact, with every page and every message of the instance.

The formulas come from the same symbolic interpretation as the explorer's kernel. A number is a bit-vector just large
enough, a set of pages has a bit for each page.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import and_, or_
from typing import Any, NamedTuple, assert_never

import z3

from postcopy.bitmaps import Bitmaps
from postcopy.language import expressions as ex
from postcopy.language.actions import ActionInstance, PageChoice, numbers_of
from postcopy.language.channel_variables import ChannelVariables
from postcopy.language.expressions import NumberExpr, PagesExpr, TruthExpr, Value
from postcopy.language.instance import Instance, State
from postcopy.language.properties import Property, of_each_page
from postcopy.language.readings import steps_of
from postcopy.language.symbolic import read_predicate, read_resting
from postcopy.language.trees import Leaf
from postcopy.language.variables import Sort, Variable
from postcopy.prover.clauses import paths_of
from postcopy.prover.single_copies import channels_of_single_copies

Formula = Any
Values = dict[Variable, Any]


@dataclass(frozen=True)
class Path:
    """One way through an action.

    Attributes:
        action: the action.
        guard: when it can be taken; may speak of the page.
        leaf: what it does.
    """

    action: ActionInstance
    guard: tuple[TruthExpr, ...]
    leaf: Leaf


class StepPages(NamedTuple):
    """The pages of a step as bit-vectors.

    Attributes:
        first: its page.
        other: the second one, where it is about two.
    """

    first: Formula
    other: Formula


class Bounded:
    """The states and steps of an instance."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.bits = Bitmaps(instance.pages, instance.group)
        self._read: dict[Property, TruthExpr] = {}
        self._pages: dict[PageChoice, StepPages] = {}
        self._formulas: dict[tuple[int, int], _BitVectors] = {}

    @cached_property
    def paths(self) -> list[Path]:
        """Every way through every action."""
        instance, steps = self.instance, steps_of(self.instance)
        trees = [(action, steps.tree(action, instance.properties)) for action in instance.actions]
        return [Path(action, guard, leaf) for action, tree in trees for guard, leaf in paths_of(tree)]

    @cached_property
    def single_copies(self) -> frozenset[str]:
        """The names of the channels on which a marked message concerns one page at most."""
        return channels_of_single_copies(self.instance)

    def state(self, name: str) -> Values:
        """Symbols for a state."""
        return {v: z3.BitVec(f"{name}.{v.name}", self._width(v)) for v in self.instance.variables}

    def page(self, name: str) -> StepPages:
        """Symbols for the pages of a step."""
        return StepPages(*(z3.BitVec(f"{name}.{which}", self.instance.pages) for which in ("page", "other")))

    def one_page(self, page: StepPages) -> Formula:
        """Each page of a step is one page."""
        return z3.And(*(z3.Or(*(each == 1 << i for i in range(self.instance.pages))) for each in page))

    def pages_of(self, choice: PageChoice) -> StepPages:
        """Given pages of a step; what it does not have is no page."""
        if choice not in self._pages:
            first, other, *_ = (*(1 << number for number in numbers_of(choice)), 0, 0)
            self._pages[choice] = StepPages(*(z3.BitVecVal(bits, self.instance.pages) for bits in (first, other)))
        return self._pages[choice]

    def _in(self, state: Values, page: StepPages) -> _BitVectors:
        """The expressions in a state as formulas. They are kept: paths and properties have many of them in common."""
        key = (id(state), id(page))  # what is kept has both, so that no other gets their place
        if key not in self._formulas:
            self._formulas[key] = _BitVectors(self, state, page)
        return self._formulas[key]

    def _width(self, v: Variable) -> int:
        return self.instance.pages if v.sort is Sort.PAGES else (2 * v.size).bit_length()

    def well_formed(self, state: Values) -> Iterator[Formula]:
        """What the kinds of the variables and the channels say: every reachable state is so."""
        for v, value in state.items():
            if v in self.instance.settled:
                yield value == self.instance.settled[v]
            elif v.sort is Sort.NUMBER:
                yield z3.ULT(value, v.size)
            elif v.chosen:
                yield value == self.bits.host_pages(value)
        for channel in self.instance.channels.values():
            for slot in channel.slots:
                marks = z3.Or(*(state[mark] != 0 for mark in slot.marks.values()))
                yield z3.Implies(state[slot.kind] == 0, state[slot.pages] == 0)
                for field in slot.fields.values():
                    yield z3.Implies(state[slot.kind] == 0, state[field] == 0)
                carries_marks = _carries_marks(channel, state[slot.kind])
                yield z3.Implies(z3.Not(carries_marks), z3.Not(marks))
                if channel.name in self.single_copies:
                    yield z3.Implies(carries_marks, state[slot.pages] & (state[slot.pages] - 1) == 0)
            for here, behind in zip(channel.slots, channel.slots[1:], strict=False):
                yield z3.Implies(state[here.kind] == 0, state[behind.kind] == 0)

    def initial(self, state: Values) -> Formula:
        """The state is an initial one."""
        return z3.Or(*(self.is_state(state, start) for start in self.instance.initial_states()))

    def is_state(self, state: Values, stored: State) -> Formula:
        """The state is a given one."""
        return z3.And(*(state[v] == value for v, value in zip(self.instance.variables, stored, strict=True)))

    def after(self, path: Path, state: Values, page: StepPages) -> tuple[Formula, Values]:
        """When a path can be taken, and the values after it."""
        formulas = self._in(state, page)
        guard = z3.And(*(formulas.truth(part) for part in path.guard))
        new = {v: formulas.value(v, e) for v, e in path.leaf.updates.items()}
        return guard, {**state, **new}

    def step(self, path: Path, state: Values, page: StepPages, then: Values) -> Formula:
        """The path leads from one state to another."""
        guard, after = self.after(path, state, page)
        return z3.And(guard, *(then[v] == after[v] for v in then))

    def in_range(self, path: Path, state: Values, page: StepPages) -> Formula:
        """The path gives each number a value of its range."""
        formulas = self._in(state, page)
        return z3.And(*(formulas.truth(inside) for inside, _, _ in path.leaf.checks))

    def stuck(self, state: Values, page: StepPages) -> Formula:
        """No thread can change anything, and something still has to happen."""
        cannot = [z3.Not(self.truth(read_resting(self.instance), state, page))]
        for path in self.paths:
            if not path.action.info.environment:
                for choice in path.action.choices(self.instance.pages):
                    guard, after = self.after(path, state, self.pages_of(choice))
                    cannot.append(z3.Not(z3.And(guard, z3.Or(*(after[v] != state[v] for v in state)))))
        return z3.And(*cannot)

    def truth(self, e: TruthExpr, state: Values, page: StepPages) -> Formula:
        """A truth value in a state."""
        return self._in(state, page).truth(e)

    def claims(self, prop: Property, state: Values) -> Formula:
        """A property of states holds."""
        if prop not in self._read:
            self._read[prop] = read_predicate(self.instance, prop.holds)
        expr = self._read[prop]
        pages = [self.pages_of(number) for number in range(self.instance.pages)]
        asked = pages if of_each_page(prop.holds) else pages[:1]
        return z3.And(*(self._in(state, page).truth(expr) for page in asked))

    @cached_property
    def has_ranges(self) -> bool:
        """Whether some path may leave the range of a number, as far as its text says."""
        return any(path.leaf.checks for path in self.paths)

    def violates(self, prop: Property, path: Path, state: Values, page: StepPages) -> Formula:
        """Taking the path violates a property of steps."""
        index = self.instance.properties.index(prop)
        formulas = self._in(state, page)
        return z3.Or(*(formulas.truth(wrong) for i, wrong in path.leaf.violated if i == index))

    def decode(self, model: Any, state: Values) -> State:
        """The state that a model of z3 speaks of."""
        return tuple(model.eval(state[v], model_completion=True).as_long() for v in self.instance.variables)


class _BitVectors:
    """Expressions in one state as formulas, with a page for each parameter. Each is made once."""

    def __init__(self, bounded: Bounded, state: Values, page: StepPages) -> None:
        self.bounded, self.state, self.page = bounded, state, page
        self._truths: dict[TruthExpr, Formula] = {}
        self._numbers: dict[tuple[NumberExpr, int], Formula] = {}
        self._sets: dict[PagesExpr, Formula] = {}

    def value(self, v: Variable, e: Value) -> Formula:
        """What a variable is given, in as many bits as it has."""
        if v.sort is Sort.PAGES:
            return self.pages(ex.as_pages(e))
        return self.number(ex.as_number(e), width_of(ex.NumberVariable(v)))

    def truth(self, e: TruthExpr) -> Formula:
        """A truth value."""
        if e not in self._truths:
            self._truths[e] = self._truth(e)
        return self._truths[e]

    def number(self, e: NumberExpr, width: int) -> Formula:
        """A number, in so many bits."""
        if (e, width) not in self._numbers:
            self._numbers[e, width] = self._number(e, width)
        return self._numbers[e, width]

    def pages(self, e: PagesExpr) -> Formula:
        """A set of pages, a bit for each page."""
        if e not in self._sets:
            self._sets[e] = self._pages(e)
        return self._sets[e]

    def _truth(self, e: TruthExpr) -> Formula:
        match e:
            case ex.TruthConstant(value):
                return z3.BoolVal(value)
            case ex.Not(operand):
                return z3.Not(self.truth(operand))
            case ex.And(parts):
                return z3.And(*map(self.truth, parts))
            case ex.Or(parts):
                return z3.Or(*map(self.truth, parts))
            case ex.Equal(left, right):
                width = max(width_of(left), width_of(right))
                return self.number(left, width) == self.number(right, width)
            case ex.Less(left, right):
                width = max(width_of(left), width_of(right))
                return self.number(left, width) < self.number(right, width)
            case ex.IsEmpty(pages):
                return self.pages(pages) == 0
            case _:
                assert_never(e)

    def _number(self, e: NumberExpr, width: int) -> Formula:
        match e:
            case ex.Number(value):
                return z3.BitVecVal(value, width)
            case ex.NumberVariable(variable):
                return fitted(self.state[variable], width)
            case ex.Plus(left, right):
                return self.number(left, width) + self.number(right, width)
            case ex.NumberIf(condition, yes, no):
                return z3.If(self.truth(condition), self.number(yes, width), self.number(no, width))
            case _:
                assert_never(e)

    def _pages(self, e: PagesExpr) -> Formula:
        bits = self.bounded.bits
        match e:
            case ex.NoPages():
                return z3.BitVecVal(0, bits.pages)
            case ex.AllPages():
                return z3.BitVecVal(bits.all, bits.pages)
            case ex.ActionPage(second):
                return self.page.other if second else self.page.first
            case ex.PagesVariable(variable):
                return self.state[variable]
            case ex.Complement(operand):
                return ~self.pages(operand)
            case ex.Intersection(parts):
                return reduce(and_, map(self.pages, parts))
            case ex.Union(parts):
                return reduce(or_, map(self.pages, parts))
            case ex.Neighbours(operand, previous):
                return (bits.down if previous else bits.up)(self.pages(operand), 1)
            case ex.HostPages(operand):
                return bits.host_pages(self.pages(operand))
            case ex.PagesIf(condition, yes, no):
                return z3.If(self.truth(condition), self.pages(yes), self.pages(no))
            case _:
                assert_never(e)


def _carries_marks(channel: ChannelVariables, kind: Formula) -> Formula:
    """A message of this kind carries marks."""
    return z3.Or(*(kind == channel.code(each) for each in channel.kinds if channel.marks_copies(each)))


def fitted(number: Formula, width: int) -> Formula:
    """A number that is not negative, in so many bits."""
    size = number.size()
    return (
        z3.ZeroExt(width - size, number)
        if width > size
        else z3.Extract(width - 1, 0, number)
        if width < size
        else number
    )


def width_of(e: NumberExpr) -> int:
    """Bits that hold every value of a number, with a bit for the sign."""
    match e:
        case ex.Number(value):
            return value.bit_length() + 2
        case ex.NumberVariable(variable):
            return (2 * variable.size).bit_length()
        case ex.Plus(left, right):
            return max(width_of(left), width_of(right)) + 1
        case ex.NumberIf(_, yes, no):
            return max(width_of(yes), width_of(no))
        case _:
            assert_never(e)
