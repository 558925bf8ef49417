"""A protocol at a size as z3 formulas over bit-vectors: exact, with every page and every message of the instance.

The formulas come from the same symbolic interpretation as the explorer's kernel. A number is a bit-vector just large
enough, a set of pages has a bit for each page.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import z3

from postcopy.bitmaps import Bitmaps
from postcopy.language.actions import ActionInstance
from postcopy.language.expressions import Expr, Sort, Variable
from postcopy.language.instance import Instance, State
from postcopy.language.properties import Property, of_each_page
from postcopy.language.symbolic import Leaf, read_action, read_predicate
from postcopy.prover.clauses import paths_of

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
    guard: tuple[Expr, ...]
    leaf: Leaf


class Bounded:
    """The states and steps of an instance."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.bits = Bitmaps(instance.pages, instance.group)
        self._read: dict[Property, Expr] = {}

    @cached_property
    def paths(self) -> list[Path]:
        """Every way through every action."""
        actions = self.instance.actions
        return [Path(a, guard, leaf) for a in actions for guard, leaf in paths_of(read_action(self.instance, a))]

    def state(self, name: str) -> Values:
        """Symbols for a state."""
        return {v: z3.BitVec(f"{name}.{v.name}", self._width(v)) for v in self.instance.variables}

    def page(self, name: str) -> Formula:
        """A symbol for the page of a step."""
        return z3.BitVec(f"{name}.page", self.instance.pages)

    def one_page(self, page: Formula) -> Formula:
        """The page of a step is one page."""
        return z3.Or(*(page == 1 << i for i in range(self.instance.pages)))

    def _width(self, v: Variable) -> int:
        return self.instance.pages if v.sort is Sort.PAGES else (2 * v.size).bit_length()

    def well_formed(self, state: Values) -> Iterator[Formula]:
        """What the kinds of the variables and the channels say: every reachable state is so."""
        for v, value in state.items():
            if v.sort is Sort.NUMBER:
                yield z3.ULT(value, v.size)
        for channel in self.instance.channels.values():
            marked = [channel.code(kind) for kind in channel.kinds if kind in channel.marked]
            for slot in channel.slots:
                kind, pages = state[slot.kind], state[slot.pages]
                marks = z3.Or(*(state[mark] != 0 for mark in slot.marks.values()))
                carries_marks = z3.Or(*(kind == code for code in marked))
                yield z3.Implies(kind == 0, z3.And(pages == 0))
                yield z3.Implies(z3.Not(carries_marks), z3.Not(marks))
                yield z3.Implies(carries_marks, pages & (pages - 1) == 0)
            for here, behind in zip(channel.slots, channel.slots[1:], strict=False):
                yield z3.Implies(state[here.kind] == 0, state[behind.kind] == 0)

    def initial(self, state: Values) -> Formula:
        """The state is an initial one."""
        return z3.Or(*(self.is_state(state, start) for start in self.instance.initial_states()))

    def is_state(self, state: Values, stored: State) -> Formula:
        """The state is a given one."""
        return z3.And(*(state[v] == value for v, value in zip(self.instance.variables, stored, strict=True)))

    def after(self, path: Path, state: Values, page: Formula) -> tuple[Formula, Values]:
        """When a path can be taken, and the values after it."""
        interpretation = _Interpretation(self, state, page)
        guard = z3.And(*(interpretation.truth(part) for part in path.guard))
        new = {v: interpretation.value(e, self._width(v)) for v, e in path.leaf.updates.items()}
        return guard, {**state, **new}

    def step(self, path: Path, state: Values, page: Formula, then: Values) -> Formula:
        """The path leads from one state to another."""
        guard, after = self.after(path, state, page)
        return z3.And(guard, *(then[v] == after[v] for v in then))

    def truth(self, e: Expr, state: Values, page: Formula) -> Formula:
        """A truth value in a state."""
        return _Interpretation(self, state, page).truth(e)

    def claims(self, prop: Property, state: Values) -> Formula:
        """A property of states holds."""
        if prop not in self._read:
            self._read[prop] = read_predicate(self.instance, prop.holds)
        expr = self._read[prop]
        pages = [z3.BitVecVal(1 << i, self.instance.pages) for i in range(self.instance.pages)]
        asked = pages if of_each_page(prop.holds) else pages[:1]
        return z3.And(*(_Interpretation(self, state, page).truth(expr) for page in asked))

    def violates(self, prop: Property, path: Path, state: Values, page: Formula) -> Formula:
        """Taking the path violates a property of steps."""
        index = self.instance.properties.index(prop)
        interpretation = _Interpretation(self, state, page)
        return z3.Or(*(interpretation.truth(wrong) for i, wrong in path.leaf.violated if i == index))

    def decode(self, model: Any, state: Values) -> State:
        """The state that a model of z3 speaks of."""
        return tuple(model.eval(state[v], model_completion=True).as_long() for v in self.instance.variables)


class _Interpretation:
    """Expressions in one state, with one page for the parameter."""

    def __init__(self, bounded: Bounded, state: Values, page: Formula) -> None:
        self.bounded, self.state, self.page = bounded, state, page
        self._done: dict[tuple[Expr, int], Formula] = {}

    def truth(self, e: Expr) -> Formula:
        return self.value(e, 1)

    def value(self, e: Expr, width: int) -> Formula:
        """The value; numbers are bit-vectors of the given width."""
        key = (e, width if e.sort is Sort.NUMBER else 0)
        if key not in self._done:
            self._done[key] = self._value(e, width)
        return self._done[key]

    def _value(self, e: Expr, width: int) -> Formula:  # one case for each operator
        pages = self.bounded.instance.pages
        match e.op:
            case "true" | "false":
                return z3.BoolVal(e.op == "true")
            case "not":
                return z3.Not(self.truth(e.operands[0]))
            case "and":
                return z3.And(*(self.truth(part) for part in e.operands))
            case "or":
                return z3.Or(*(self.truth(part) for part in e.operands))
            case "equal" | "less":
                widest = max(width_of(part) for part in e.operands)
                a, b = (self.value(part, widest) for part in e.operands)
                return a == b if e.op == "equal" else a < b
            case "empty":
                return self.value(e.operands[0], pages) == 0
            case "number":
                return z3.BitVecVal(cast(int, e.args[0]), width)
            case "variable":
                value = self.state[cast(Variable, e.args[0])]
                return fitted(value, width) if e.sort is Sort.NUMBER else value
            case "plus":
                return self.value(e.operands[0], width) + self.value(e.operands[1], width)
            case "if":
                condition, yes, no = e.operands
                return z3.If(self.truth(condition), self.value(yes, width), self.value(no, width))
            case "none" | "all":
                return z3.BitVecVal(self.bounded.bits.all if e.op == "all" else 0, pages)
            case "page":
                return self.page
            case "complement":
                return ~self.value(e.operands[0], pages)
            case "host":
                return self.bounded.bits.host_pages(self.value(e.operands[0], pages))
            case "intersection" | "union":
                first, *rest = (self.value(part, pages) for part in e.operands)
                for other in rest:
                    first = first & other if e.op == "intersection" else first | other
                return first
        raise AssertionError(f"no meaning for {e.op}")


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


def width_of(e: Expr) -> int:
    """Bits that hold every value of a number, with a bit for the sign."""
    if e.op == "number":
        return cast(int, e.args[0]).bit_length() + 2
    if e.op == "variable":
        return (2 * cast(Variable, e.args[0]).size).bit_length()
    return max((width_of(part) for part in e.operands if part.sort is Sort.NUMBER), default=1) + (e.op == "plus")
