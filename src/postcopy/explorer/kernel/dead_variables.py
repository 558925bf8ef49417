"""Variables that are dead: on whose value nothing that can still happen depends. Reset, they make fewer states.

Found from the trees. Numbers tell where the threads stand: two of them at a time are the controls. For each pair of
values of theirs the actions are read with these values folded in, and what is then impossible vanishes. A variable is
live at a pair of values where something possible reads it: a decision, a check, a property, the new value of a variable
that is live afterwards; or where it is carried, unchanged, to values at which it is live. Where it is not live, two
states that differ in it alone are bisimilar, so one of them is enough.

What deadlocks are made of is read too, namely whether a step changes anything at all: a step that is not sure to change
something reads whatever it writes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from itertools import combinations, product
from operator import or_
from typing import assert_never

from postcopy.explorer.kernel.canonical_form import Inapplicable, Reduction, Rewriting
from postcopy.explorer.kernel.expression_code import keeping
from postcopy.explorer.kernel.layout import Layout
from postcopy.language import expressions as ex
from postcopy.language.expressions import NumberExpr, TruthExpr, Value
from postcopy.language.program import Program, fold, fold_tree
from postcopy.language.trees import Branch, Leaf, Tree
from postcopy.language.variables import Sort, Variable

MOST_VALUES = 16
"""A number with more values does not tell where a thread stands."""

_PIECE = (1 << 62) - 1
"""A number of this many bits takes part in no overflow."""

Values = tuple[int, ...]
Facts = frozenset[tuple[TruthExpr, bool]]


@dataclass(frozen=True)
class Reset:
    """Variables that are dead wherever two numbers have some pairs of values."""

    variables: tuple[Variable, ...]
    controls: tuple[Variable, ...]
    values: frozenset[Values]


@dataclass(frozen=True)
class _Effect:
    """What a leaf or a property does: the variables that it reads whatever comes after, those that it leaves as they
    are, what each update of another reads, and what the known numbers may be afterwards, where that is something else.

    Sets of variables are numbers: a bit for each variable (`_Bits`).
    """

    reads: int
    kept: int
    updates: tuple[tuple[int, int], ...]
    targets: dict[Variable, list[int]]


class _Bits:
    """Sets of variables as numbers: the solution of `_live` takes unions of them over and over."""

    def __init__(self, variables: Sequence[Variable]) -> None:
        self._bit = {v: 1 << i for i, v in enumerate(variables)}

    def of(self, variables: Iterable[Variable]) -> int:
        """A bit for each of the variables."""
        return reduce(or_, (self._bit[v] for v in variables), 0)

    def effect(
        self, reads: Iterable[ex.Expr], updates: Mapping[Variable, Value], targets: dict[Variable, list[int]]
    ) -> _Effect:
        """What a leaf or a property does that reads such expressions, and makes such updates."""
        own = tuple((self._bit[v], self.of(e.variables())) for v, e in updates.items())
        return _Effect(self.of(v for e in reads for v in e.variables()), ~self.of(updates), own, targets)


def _of(program: Program, layout: Layout) -> Rewriting | Inapplicable:
    found = resets(program)
    return Rewriting(partial(_text, layout, found)) if found else Inapplicable()


REDUCTION = Reduction("dead variables reset", _of, keeps_runs=False)
"""A variable that is dead to states and steps may be one that a promise reads."""


def resets(program: Program) -> list[Reset]:
    """What may be reset, one after the other, each judged by what the ones before have left."""
    effects, controls = _Effects(program), _controls(program)
    alone = {c: _dead(program, effects, (c,)) for c in controls}
    found = [reset for c in controls for reset in _resets((c,), alone[c])]
    for a, b in combinations(controls, 2):
        both = _dead(program, effects, (a, b))
        known = {
            v: {(j, k) for j, k in where if (j,) in alone[a][v] or (k,) in alone[b][v]} for v, where in both.items()
        }
        found += _resets((a, b), {v: where - known[v] for v, where in both.items()})
    return found


def _resets(controls: tuple[Variable, ...], dead: dict[Variable, set[Values]]) -> list[Reset]:
    """Those that are dead at the same values together."""
    together: dict[frozenset[Values], list[Variable]] = defaultdict(list)
    for v, where in dead.items():
        if where and v not in controls:
            together[frozenset(where)].append(v)
    return [Reset(tuple(variables), controls, values) for values, variables in together.items()]


def _dead(program: Program, effects: _Effects, controls: tuple[Variable, ...]) -> dict[Variable, set[Values]]:
    live = _live(effects, controls)
    return {v: {values for values, its in live.items() if not its & effects.bits.of([v])} for v in program.variables}


def _controls(program: Program) -> list[Variable]:
    """Numbers of machines, and whether a channel is up, that actions ask for: not what is in a channel, nor ghosts."""
    asked = {v for _, tree in program.actions for v in _decided_by(tree)}
    return [
        v
        for v in program.variables
        if v in asked and v.sort is Sort.NUMBER and v.size <= MOST_VALUES and "[" not in v.name and not v.ghost
    ]


def _decided_by(tree: Tree) -> set[Variable]:
    if not isinstance(tree, Branch):
        return set()
    return {*tree.condition.variables(), *_decided_by(tree.yes), *_decided_by(tree.no)}


class _Effects:
    """What each action may do where some numbers are known, and what each property reads there.

    Each is worked out once for those of the numbers that it has to do with.

    Attributes:
        bits: sets of the program's variables as numbers.
    """

    def __init__(self, program: Program) -> None:
        self.bits = _Bits(program.instance.variables)
        self._sources: list[tuple[set[Variable], Callable[[dict[Variable, Value]], list[_Effect]]]] = []
        for action, tree in program.actions:
            self._sources.append((_mentioned(tree), partial(_of_action, self.bits, tree, action.info.environment)))
        for holds in (*(holds for _, _, holds in program.predicates), program.resting):
            self._sources.append((set(holds.variables()), partial(_of_property, self.bits, holds)))
        self._found: dict[tuple[int, frozenset[tuple[Variable, int]]], list[_Effect]] = {}

    def where(self, controls: tuple[Variable, ...]) -> Iterator[tuple[Values, list[_Effect]]]:
        """For all values of some numbers, the effects of all that is possible there."""
        concerned = [[i for i, c in enumerate(controls) if c in mentioned] for mentioned, _ in self._sources]
        found: list[dict[Values, list[_Effect]]] = [{} for _ in self._sources]
        for values in product(*(range(c.size) for c in controls)):
            effects: list[_Effect] = []
            for index, places in enumerate(concerned):
                own = tuple(values[i] for i in places)
                if own not in found[index]:
                    found[index][own] = self._of(index, {controls[i]: values[i] for i in places})
                effects += found[index][own]
            yield values, effects

    def _of(self, index: int, values: dict[Variable, int]) -> list[_Effect]:
        key = index, frozenset(values.items())
        if key not in self._found:
            _, effects = self._sources[index]
            self._found[key] = effects({c: ex.number(k) for c, k in values.items()})
        return self._found[key]


def _of_action(bits: _Bits, tree: Tree, environment: bool, known: dict[Variable, Value]) -> list[_Effect]:
    return list(_effects(bits, fold_tree(tree, known), known, frozenset(), environment))


def _of_property(bits: _Bits, holds: TruthExpr, known: dict[Variable, Value]) -> list[_Effect]:
    """It is read, and all stays as it is."""
    return [bits.effect([fold(holds, known)], {}, {})]


def _mentioned(tree: Tree) -> set[Variable]:
    if tree is None:
        return set()
    if isinstance(tree, Branch):
        return {*tree.condition.variables(), *_mentioned(tree.yes), *_mentioned(tree.no)}
    expressions: list[ex.Expr] = [
        *tree.updates.values(),
        *(e for _, e in tree.violated),
        *(e for e, _, _ in tree.checks),
    ]
    return {*tree.updates, *(v for e in expressions for v in e.variables())}


def _live(effects: _Effects, controls: tuple[Variable, ...]) -> dict[Values, int]:
    """Which variables are live where, as bits: the least solution, from what reads them backwards along the steps."""
    live: dict[Values, int] = {}
    before: dict[Values, list[tuple[Values, _Effect]]] = defaultdict(list)
    for values, here in effects.where(controls):
        live[values] = reduce(or_, (effect.reads for effect in here), 0)
        known = dict(zip(controls, values, strict=True))
        for effect in here:
            if effect.updates:  # otherwise all stays as it is
                for target in product(*(effect.targets.get(c, (k,)) for c, k in known.items())):
                    before[target].append((values, effect))
    waiting = dict(live)
    while waiting:
        target, new = waiting.popitem()
        for values, effect in before[target]:
            read = new & effect.kept
            for updated, reads in effect.updates:
                if new & updated:
                    read |= reads
            read &= ~live[values]
            if read:
                live[values] |= read
                waiting[values] = waiting.get(values, 0) | read
    return live


def _effects(
    bits: _Bits, tree: Tree, known: dict[Variable, Value], facts: Facts, environment: bool
) -> Iterator[_Effect]:
    if isinstance(tree, Branch):
        yield from _effects(bits, tree.yes, known, facts | {(tree.condition, True)}, environment)
        yield from _effects(bits, tree.no, known, facts | {(tree.condition, False)}, environment)
    elif isinstance(tree, Leaf):
        read: list[ex.Expr] = [condition for condition, _ in facts]
        read += [condition for _, condition in tree.violated] + [condition for condition, _, _ in tree.checks]
        if not environment and not any(_changes(v, e, known, facts) for v, e in tree.updates.items()):
            read += [part for v, e in tree.updates.items() for part in (ex.variable(v), e)]
        targets = {c: _values(ex.as_number(tree.updates[c]), c) for c in known if c in tree.updates}
        yield bits.effect(read, tree.updates, targets)


def _values(e: NumberExpr, control: Variable) -> list[int]:
    match e:
        case ex.Number(value):
            return [value]
        case ex.NumberIf(_, yes, no):
            return sorted({*_values(yes, control), *_values(no, control)})
        case ex.NumberVariable() | ex.Plus():
            return list(range(control.size))
        case _:
            assert_never(e)


def _changes(v: Variable, e: Value, known: dict[Variable, Value], facts: Facts) -> bool:
    """Whether an update is sure to give the variable another value."""
    if v.sort is Sort.NUMBER:
        old, new = ex.NumberVariable(v), ex.constant(e)
        if new is None:
            return False
        was = ex.constant(known.get(v, old))
        return (was is not None and was != new) or any(
            (fact.right.value == new) is not truth
            for fact, truth in facts
            if isinstance(fact, ex.Equal) and fact.left == old and isinstance(fact.right, ex.Number)
        )
    before, after = ex.PagesVariable(v), ex.as_pages(e)
    if after is ex.EMPTY_SET:
        return (ex.is_empty(before), False) in facts
    for page in (ex.PAGE, ex.OTHER):
        if after == ex.union(before, page):
            return (ex.is_empty(ex.intersection(before, page)), True) in facts
        if after == ex.intersection(before, ex.set_complement(page)):
            return (ex.is_empty(ex.intersection(before, page)), False) in facts
    return False


def _text(layout: Layout, resets: Sequence[Reset], name: str, _: str) -> list[str]:
    """A function that sets dead variables to their first value or no page, one reset after the other. No jumps."""
    words = [f"w{k}" for k in range(layout.words)]
    listed, offset = ", ".join(words), {v: i for i, v in enumerate(layout.sets)}
    lines = [f"def {name}({listed}):"]
    for reset in resets:
        cleared = [0] * layout.words
        for v in reset.variables:
            if v in offset:
                for k in range(layout.page_words):
                    cleared[k] |= layout.stride(k) << offset[v]
            else:
                place = layout.numbers[v]
                cleared[place.word] |= place.mask << place.shift
        number, bits = "0", 1
        for control in reset.controls:
            place = layout.numbers[control]
            number = f"({number} << {place.mask.bit_length()} | w{place.word} >> {place.shift} & {place.mask})"
            bits *= place.mask + 1
        dead = 0
        for values in reset.values:
            index = 0
            for control, value in zip(reset.controls, values, strict=True):
                index = index << layout.numbers[control].mask.bit_length() | value
            dead |= 1 << index
        lines += [f"    i = {number}", "    dead = 0"]
        for begin in range(0, bits, _PIECE.bit_length()):
            end, piece = begin + _PIECE.bit_length(), dead >> begin & _PIECE
            if piece:
                inside = f"({begin} <= i) & (i < {end})"
                lines.append(f"    dead = {piece} >> i - {begin} & 1 if {inside} else dead")
        for word, bits_cleared in zip(words, cleared, strict=True):
            if bits_cleared:
                lines.append(f"    {word} = {word} & {keeping(bits_cleared)} if dead != 0 else {word}")
    return [*lines, f"    return {listed},"]
