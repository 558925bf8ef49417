"""Whether two protocols do the same: the same program, the same graph, or the same runs but for some variables.

States are compared without symmetry, so that a variable that one of them never changes does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from postcopy.explorer.kernel.kernel import Kernel
from postcopy.language import Property, Protocol, Step, every_step
from postcopy.language.instance import Instance
from postcopy.language.trees import Branch, Leaf, Tree
from postcopy.model.guest import Memory, Mishap

Valuation = tuple[object, ...]
"""A state: the values of the variables, in the order of `LabelledGraph.variables`."""

Row = tuple[int, str, int]
"""A step of a state: the number of the state after it, the action, and what happened, as bits."""


def _happens(what: Memory | Mishap) -> Property:
    def holds(step: Step) -> bool:
        return not step.happened(what)

    holds.__name__ = f"no_{what.name.lower()}"
    return every_step(f"{what.name} does not happen")(holds)


OBSERVED = tuple(_happens(what) for what in (*Memory, *Mishap))
"""Properties that are violated where something happens: the labels of a graph's steps have them as bits."""


@dataclass(frozen=True)
class LabelledGraph:
    """All states and steps of a protocol at a size.

    Attributes:
        variables: the names of the variables.
        states: the states, by number.
        rows: for each state its steps, those included that change nothing.
        initial: how many initial states there are; they have the lowest numbers.
    """

    variables: list[str]
    states: list[Valuation]
    rows: list[frozenset[Row]]
    initial: int

    def same_as(self, other: LabelledGraph) -> bool:
        """Whether both have the same states and steps."""
        if len(self.states) != len(other.states) or self.variables != other.variables:
            return False
        number = {state: at for at, state in enumerate(self.states)}
        here = [number.get(state, -1) for state in other.states]
        return set(here[: other.initial]) == set(range(self.initial)) and all(
            at >= 0 and self.rows[at] == {(here[to], action, events) for to, action, events in row}
            for at, row in zip(here, other.rows, strict=True)
        )


def graph_of(protocol: type[Protocol], pages: int, in_flight: int, group: int) -> LabelledGraph:
    """The graph of a protocol at a size.

    Raises:
        SpecError: the protocol cheats or errs.
    """
    instance = Instance(protocol, pages, in_flight, OBSERVED, group)
    kernel = Kernel(instance, ())
    order = list(dict.fromkeys(kernel.initial))
    number = {words: at for at, words in enumerate(order)}
    initial, rows = len(order), []
    names = [action.name for action in instance.actions]
    for words in order:  # grows
        row = []
        for label, *after in kernel.functions.expand(*words):
            meaning, target = kernel.labels[label], tuple(after)
            if target not in number:
                number[target] = len(order)
                order.append(target)
            row.append((number[target], names[meaning.action], meaning.violated))
        rows.append(frozenset(row))
    states: list[Valuation] = [kernel.layout.unpack(words) for words in order]
    return LabelledGraph([variable.name for variable in instance.variables], states, rows, initial)


def same_runs(one: LabelledGraph, two: LabelledGraph, hidden: Callable[[str], bool]) -> bool:
    """Whether both have the same runs: states that differ at most in hidden variables, with steps of the same actions
    and with the same events, lead to such states again (a bisimulation)."""
    if one.variables != two.variables:
        return False
    shown: dict[object, int] = {}
    kept = [at for at, name in enumerate(one.variables) if not hidden(name)]
    blocks = [
        [shown.setdefault(tuple(state[at] for at in kept), len(shown)) for state in graph.states]
        for graph in (one, two)
    ]
    count = len(shown)
    while True:
        finer: dict[object, int] = {}
        blocks = [
            [
                finer.setdefault((own[at], frozenset((own[to], a, e) for to, a, e in row)), len(finer))
                for at, row in enumerate(graph.rows)
            ]
            for graph, own in zip((one, two), blocks, strict=True)
        ]
        if set(blocks[0]) != set(blocks[1]) and not _roots_agree(one, two, blocks):
            return False
        if len(finer) == count:
            return _roots_agree(one, two, blocks)
        count = len(finer)


def _roots_agree(one: LabelledGraph, two: LabelledGraph, blocks: list[list[int]]) -> bool:
    return set(blocks[0][: one.initial]) == set(blocks[1][: two.initial])


def program_of(kernel: Kernel) -> tuple[str, tuple[object, ...]]:
    """What a kernel does: its text, and the events of its leaves, which stand in no text."""
    happenings = tuple(
        (event.what, str(event.pages), event.channel, event.sent)
        for _, tree in kernel.program.actions
        for leaf in _leaves(tree)
        for event in leaf.events
    )
    fair: Mapping[str, object] = {
        a.name: (a.thread, a.info.environment, a.info.fair, a.info.strongly) for a in kernel.instance.actions
    }
    return kernel.plain, (happenings, tuple(fair.items()))


def _leaves(tree: Tree) -> Iterator[Leaf]:
    if isinstance(tree, Branch):
        yield from _leaves(tree.yes)
        yield from _leaves(tree.no)
    elif tree is not None:
        yield tree
