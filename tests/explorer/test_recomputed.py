"""Fair lassos in graphs without edges: the very text that Numba compiles, run by Python on random graphs.

It has to find one exactly where trying all sets of nodes does, with a stem as short, and what it finds has to be one.
Text that is broken on purpose is noticed by the same comparison.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from postcopy.errors import UsageError
from postcopy.explorer.explore import Exploration
from postcopy.explorer.kernel.calling_convention import BLOCK
from postcopy.explorer.liveness import check, recomputed
from postcopy.explorer.liveness.check import check_liveness
from postcopy.explorer.liveness.lasso import Lasso
from postcopy.explorer.liveness.promises import Liveness
from postcopy.explorer.liveness.recomputed import BYTES_PER_STATE, OpenPromises, Promised, Recomputed
from postcopy.explorer.liveness.recomputed_lasso import BYTES_PER_STEM_STATE, LassoSearch
from postcopy.explorer.liveness.records import MOVES
from postcopy.explorer.results import Engine, Options
from postcopy.explorer.search.findings import Space
from postcopy.language import Property, Protocol
from postcopy.language.instance import Instance
from postcopy.model.faults_liveness import EndlessScan, SwitchWaitsForCleanBitmap
from postcopy.model.postcopy import Postcopy
from postcopy.properties.liveness import LIVENESS
from tests.explorer import tiny_liveness as tiny
from tests.explorer.naive_liveness import Case, faults_of, shortest_stem
from tests.explorer.test_lasso import NESTED, SERIES, cases, drawn

TEXT = (Path(recomputed.__file__).parent / "component_loop.py").read_text()
STEPS_TEXT = (Path(recomputed.__file__).parent / "successor_loop.py").read_text()


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is room for so little that lists are lost all the time."""
    monkeypatch.setattr(recomputed, "LEAST_ROOM", 1)
    monkeypatch.setattr(recomputed, "MOST_ROOM", 1)
    monkeypatch.setattr(recomputed, "PIECE", 3)


def loop_of(text: str) -> ModuleType:
    """The functions of a text, for Python."""
    module = ModuleType("components")
    names = {
        "njit": lambda function: function,
        "compiled": lambda _: lambda function: function,
        "successors": steps_from,
        "steps": steps_from,
    }
    vars(module).update(names)
    exec(text, vars(module))
    return module


def keeping(text: str) -> ModuleType:
    """The functions of the text that keeps steps, for Python, and those that call them."""
    below = ModuleType("steps")
    unused = dict.fromkeys(("hash_of", "ask", "look_up", "number_in"))
    vars(below).update(unused, compiled=lambda _: lambda function: function, WORDS=1)
    exec(text, vars(below))
    vars(below).update(
        whole_at=lambda whole: whole, made_again=steps_from, kept_steps=below.kept_steps.py_func, successors=below.steps
    )
    loop = loop_of(TEXT)
    vars(loop).update(successors=below.steps, steps=below.steps, record=below.record)
    return loop


def steps_from(space: Any, n: int) -> int:
    """The steps from some nodes of a case; in the place of a leaf stands the number of the edge."""
    count = 0
    for i in range(n):
        space.able[i] = 0
        for target, edge, moves in space.edges[int(space.ids[i])]:
            space.able[i] |= moves
            space.origin[count], space.target[count], space.leaf[count], space.moves[count] = i, target, edge, moves
            count += 1
    return count


class _Whole(SimpleNamespace):
    """A record of which some fields can be replaced, and which has all that its parts have."""

    @property
    def whole(self) -> "_Whole":
        return self

    space = whole

    def _replace(self, **changed: object) -> "_Whole":
        return _Whole(**{**vars(self), **changed})


def graph_of(case: Case, loop: ModuleType) -> tuple[Recomputed, list[int]]:
    """The nodes that can be reached, as a search breadth first numbers them; and which node each number means."""
    order, parents = sorted(case.initial), [-1] * len(case.initial)
    for at, node in enumerate(order):
        for origin, target, _, _ in case.edges:
            if origin == node and target not in order:
                order.append(target)
                parents.append(at)
    number = {node: at for at, node in enumerate(order)}
    edges: list[list[tuple[int, int, int]]] = [[] for _ in order]
    own = []
    for edge, (origin, target, label, moves) in enumerate(case.edges):
        own.append(MOVES | sum(1 << unit for unit, labels in enumerate(case.units) if label in labels))
        if origin in number:
            edges[number[origin]].append((number[target], edge, own[edge] if moves else 0))
    room = {name: np.zeros(BLOCK * 20, dtype=np.int64) for name in ("ids", "able", "origin", "target", "leaf", "moves")}

    def promised(first: int, begin: int, end: int) -> Promised:
        assert first == 0
        some = order[begin:end]
        made, kept = ([node in nodes for node in some] for nodes in (case.when - case.then, case.then))
        return Promised(np.array(made, dtype=np.uint8), np.array(kept, dtype=np.uint8))

    strong = sum(1 << unit for unit in case.strong if unit < len(case.units))
    whole: Any = _Whole(edges=edges, own=own, first=np.zeros(1, dtype=np.int64), targets=[], leaves=[], **room)
    return Recomputed(loop, whole, np.array(parents, dtype=np.int32), promised, len(case.units), strong), order


def searched(case: Case, loop: ModuleType, room: int = 0) -> Lasso[int, int] | None:
    """What is found; the steps of the first states are kept as far as they take so many places."""
    if not case.initial:
        return None
    graph, order = graph_of(case, loop)
    if room:
        graph.keep_steps(room, 1 << 30, lambda: None)
    promises = OpenPromises(graph, 0, 1 << 20, lambda: None)
    if not promises.find_fair(0):
        return None
    return LassoSearch(promises, 0).find().told(lambda state: order[state], lambda hop: hop.leaf)


def wrong(case: Case, loop: ModuleType, room: int = 0) -> str | None:
    """How the search and the definition differ, or None."""
    expected, found = shortest_stem(case), searched(case, loop, room)
    if (found is None) != (expected is None):
        return "a lasso is missed" if found is None else "there is no lasso"
    if found is not None and len(found.stem) != expected:
        return "the stem is not shortest"
    return next(faults_of(case, found), None) if found is not None else None


RING = Case(
    3,
    ((0, 1, 0, True), (0, 2, 1, True), (1, 0, 0, True), (1, 2, 1, True)),
    (frozenset({1}),),
    frozenset({0}),
    frozenset({0}),
    frozenset({2}),
)
"""A unit could leave the ring of two nodes from either, and no step in the ring is its own."""


SLOPE = Case(
    30,
    tuple((node, node + 1, 0, True) for node in range(29)),
    (frozenset({0}),),
    frozenset({0}),
    frozenset({0}),
    frozenset(),
)
"""One node after the other, and nothing moves in the last one."""


def tangled(seed: int) -> Case:
    """A larger graph, most of which is one component."""
    random = Random(seed)
    edges = sorted({(random.randrange(9), random.randrange(9), random.randrange(4), True) for _ in range(22)})
    return Case(9, tuple(edges), (frozenset({0}), frozenset({1, 2})), frozenset({0}), frozenset({0, 4}), frozenset({8}))


def series() -> Iterator[Case]:
    yield from map(drawn, SERIES)
    yield from map(tangled, range(40))
    yield from (NESTED, RING)


def test_the_search_without_edges_agrees_with_the_definition() -> None:
    loop = loop_of(TEXT)
    assert {wrong(case, loop) for case in series()} == {None}


@pytest.mark.usefixtures("tight")
def test_so_it_does_where_it_has_almost_no_room() -> None:
    loop = loop_of(TEXT)
    assert {wrong(case, loop) for case in series()} == {None}


@pytest.mark.parametrize("room", [1, 9, 10_000])
def test_what_is_found_does_not_depend_on_whether_steps_are_kept(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recomputed, "PIECE", 4)
    loop = keeping(STEPS_TEXT)
    for case in series():
        assert searched(case, loop, room) == searched(case, loop)


KEPT_MUTANTS = {
    "a step is kept with another state": ("places[space.origin[j]] += 1\n            targets", "targets"),
    "a step leads elsewhere": ("targets[place] = space.target[j]", "targets[place] = space.target[0]"),
    "a change of history counts as a move": ("0 if space.moves[j] else STAYS", "0"),
    "a kept change of history counts as a move": ("0 if leaf & STAYS else space.own[leaf]", "space.own[leaf]"),
    "of a state with kept steps nobody is able to move": ("able |= moves\n            space.origin", "space.origin"),
    "a kept step comes from another state": ("places[i] = first[at + i]", "places[i] = first[at]"),
    "the last state with room is taken twice": ("len(whole.first) - 1:", "len(whole.first):"),
}  # fmt: skip


@pytest.mark.parametrize("what", KEPT_MUTANTS)
def test_steps_that_are_kept_wrongly_are_found_out(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recomputed, "PIECE", 4)
    right, broken = KEPT_MUTANTS[what]
    assert STEPS_TEXT.count(right) == 1
    loop = keeping(STEPS_TEXT.replace(right, broken))

    def noticed(case: Case, room: int) -> bool:
        try:
            return wrong(case, loop, room) is not None
        except (AssertionError, IndexError, OverflowError, ValueError):
            return True

    assert any(noticed(case, room) for case in series() for room in (9, 10_000))


def test_steps_are_kept_only_in_memory_that_nothing_else_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recomputed, "PIECE", 1)
    graph, _ = graph_of(SLOPE, keeping(STEPS_TEXT))
    needed = 23 * graph.count + 4 * recomputed.LEAST_ROOM
    own = recomputed.BYTES_PER_KEPT_STATE * (graph.count + 1)
    assert graph.keep_steps(29, needed + 2 * own + 11, lambda: None) == 0
    taken = graph.keep_steps(29, needed + 2 * (own + 6 * 7), lambda: None)
    assert taken == own + 6 * 7
    assert len(graph.whole_with_kept.first) - 1 == 7
    assert graph.keep_steps(29, 1 << 30, lambda: None) == own + 6 * 29


def opened_together(loop: ModuleType) -> bool:
    """Whether promises that are looked at together are open where each alone is."""
    for case in series():
        if not case.initial:
            continue
        graph, order = graph_of(case, loop)
        made = np.array([[node in case.when, node in {4, 5}] for node in order]).T
        kept = np.array([[node in case.then, node in {3}] for node in order]).T

        def spread(which: list[int], graph: Recomputed = graph, made: Any = made, kept: Any = kept) -> Any:
            bits = [(both * [[1], [2]])[which].sum(axis=0).astype(np.uint8) for both in (made & ~kept, kept)]
            graph.promised = lambda _, begin, end: Promised(bits[0][begin:end], bits[1][begin:end])
            return OpenPromises(graph, 0, 1 << 20, lambda: None).opened

        if (spread([0, 1]) != spread([0]) + spread([1])).any():
            return False
    return True


def test_promises_that_are_looked_at_together_are_open_where_each_alone_is() -> None:
    assert opened_together(loop_of(TEXT))


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(case=cases())
def test_any_graph_gets_the_answer_of_the_definition(case: Case) -> None:
    assert wrong(case, loop_of(TEXT)) is None


MUTANTS = {
    "a unit that is neglected is overlooked": ("(idle | inner | strong) & units == units", "True"),
    "a state where a unit could move is fair alone": ("able & units & ~own == 0", "True"),
    "its own steps back to it count for nothing": ("able & units & ~own == 0", "able & units == 0"),
    "that a unit cannot move somewhere is overlooked": ("idle |= ~space.able[i]", "idle |= 0"),
    "moves inside a component are overlooked": ("inner |= space.moves[j]", "inner |= 0"),
    "moves out of a component count": ("if number[space.target[j]] == component", "if True"),
    "a strongly fair unit is treated as a weakly fair one": ("neglected = strong & able & ~inner", "neglected = 0"),
    "a component with a neglected unit is given up": ("if again and space", "if False and space"),
    "a state on a cycle is trimmed": ("if number[target] == 0 and top", "if number[target] <= 1 and top"),
    "a state to idle in is trimmed": ("number[space.ids[i]] += 1", "number[space.ids[i]] += 0"),
    "a step is not counted": ("if opened[space.target[j]] & bit:", "if j and opened[space.target[j]] & bit:"),
    "a step back is overlooked": ("work.number[state] = work.number[target]", "pass"),
    "a component ends too early": ("stack[begin - 1]] >= number[state]", "stack[begin - 1]] > number[state] + 1"),
    "a promise that is kept stays open": ("(255 - kept[target])", "255"),
    "a state is expanded once": ("opened[state] & (255 - done[state])", "opened[state] and not done[state]"),
}  # fmt: skip


@pytest.mark.parametrize("what", MUTANTS)
def test_a_search_without_edges_that_is_wrong_is_found_out(what: str) -> None:
    right, broken = MUTANTS[what]
    assert TEXT.count(right) == 1
    loop = loop_of(TEXT.replace(right, broken))

    def noticed(case: Case) -> bool:
        try:
            return wrong(case, loop) is not None
        except (AssertionError, IndexError, OverflowError, ValueError):
            return True

    assert any(map(noticed, series())) or not opened_together(loop)


@pytest.mark.usefixtures("tight")
def test_a_list_that_is_lost_and_not_made_again_is_found_out() -> None:
    right = "control[TOP] > control[LOW]"
    assert TEXT.count(right) == 1
    loop = loop_of(TEXT.replace(right, "True"))
    assert any(wrong(case, loop) for case in series())


def test_a_graph_that_does_not_fit_is_refused_before_anything_is_taken() -> None:
    graph, _ = graph_of(NESTED, loop_of(TEXT))
    enough = BYTES_PER_STATE * graph.count + 4 * recomputed.LEAST_ROOM
    with pytest.raises(MemoryError):
        OpenPromises(graph, 0, enough - 1, lambda: None)
    promises = OpenPromises(graph, 0, enough, lambda: None)
    with pytest.raises(MemoryError):
        promises.find_fair(0)


# -- the compiled text ------------------------------------------------------------------------------------------------


def checked(protocol: type[Protocol], props: list[Property], pages: int, engine: Engine) -> Liveness:
    options = Options(engine=engine)

    def search(other: Instance) -> Space:
        exploration = Exploration(other, options, keep_edges=True)
        exploration.run()
        return Space(exploration.kernel, exploration.search, exploration.findings)

    return check_liveness(Instance(protocol, pages, 1, props), search, options.max_memory)


def assert_the_same(protocol: type[Protocol], props: list[Property], pages: int) -> Liveness:
    slow, fast = (checked(protocol, props, pages, engine) for engine in (Engine.INTERPRETED, Engine.COMPILED))
    assert (slow.states, slow.edges, slow.why) == (fast.states, fast.edges, "")
    assert slow.findings.keys() == fast.findings.keys()
    for name, found in slow.findings.items():
        other = fast.findings[name]
        assert (found.open, found.counterexample is None) == (other.open, other.counterexample is None)
        if found.counterexample is not None and other.counterexample is not None:
            assert found.counterexample.loop == other.counterexample.loop  # the stems are as long
    return fast


@pytest.mark.slow
@pytest.mark.parametrize(
    ("protocol", "prop"),
    [
        (tiny.Unfair, tiny.served), (tiny.Counting, tiny.emptied), (tiny.TakesTheLock, tiny.waits_in_vain),
        (tiny.TakesTheFairLock, tiny.waits_in_vain), (tiny.TakesTheFairLock, tiny.comes_back),
        (tiny.Idling, tiny.done_whatever_happens), (tiny.Busy, tiny.call_answered), (tiny.Night, tiny.woken),
    ],
    ids=lambda each: str(getattr(each, "__name__", getattr(each, "name", ""))),
)  # fmt: skip
def test_the_compiled_search_finds_what_the_one_with_edges_finds(protocol: type[Protocol], prop: Property) -> None:
    assert_the_same(protocol, [prop], 2)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", [Postcopy, SwitchWaitsForCleanBitmap, EndlessScan])
def test_so_it_does_for_protocols_of_the_catalogue(protocol: type[Protocol]) -> None:
    found = assert_the_same(protocol, list(LIVENESS), 2)
    assert found.edges > found.states > 1000


@pytest.mark.parametrize("missing", [0, 1])
def test_a_search_for_the_stem_keeps_to_the_memory_allowed(missing: int) -> None:
    graph, _ = graph_of(SLOPE, loop_of(TEXT))
    promises = OpenPromises(graph, 0, 1 << 20, lambda: None)
    assert promises.find_fair(0)
    promises.max_bytes = BYTES_PER_STEM_STATE * SLOPE.nodes - missing
    search = LassoSearch(promises, 0)
    if missing:
        with pytest.raises(MemoryError):
            search._way()
    else:
        assert search._way() == [*range(SLOPE.nodes)]


def test_what_is_missing_is_said_as_a_lower_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is known of the part that did not fit, and further parts may need more."""

    def lacks(*_: object) -> Iterator[None]:
        raise MemoryError((5 << 20) - 1)

    monkeypatch.setattr(check, "_answers", lacks)
    why = checked(tiny.Unfair, [tiny.served], 1, Engine.INTERPRETED).why
    assert why == "liveness: 8,192 MiB do not hold what it needs of all states; it needs 5 MiB more at least"


def test_too_many_threads_are_refused() -> None:
    nothing: Any = None
    own = np.zeros((1, 62), dtype=np.bool_)
    with pytest.raises(UsageError, match="62 threads and fair actions are too many"):
        recomputed.recomputed(nothing, nothing, [], own, [0], own[0], 1)
