"""The graph as a labelled transition system in Aldebaran's format (.aut), for mCRL2 and CADP.

A label is an action with its vCPU and page, as in ``destination_cpu_writes(0,1)``. The format has one initial state:
state 0 is before the choice of one, and its transitions say what was chosen: ``initially(FALSE,TRUE)``. States are
numbered in the order of discovery, breadth first, from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import ClassVar

from postcopy.errors import UsageError
from postcopy.export.printer import MaskPrinter, Names, Signs, guard_of, paths, under, without
from postcopy.language.actions import ActionInstance, PageChoice, numbers_of
from postcopy.language.program import Program
from postcopy.language.variables import Variable
from postcopy.surface import setting

MAX_STATES = 100_000
"""Larger graphs are refused: the file would have more than a million lines."""

_Successors = Callable[..., list[tuple[int, tuple[int, ...]]]]


class _PythonPrinter(MaskPrinter):
    """Python over one name for each variable."""

    signs: ClassVar[Signs] = replace(MaskPrinter.signs, conjunction=" and ", disjunction=" or ")
    no: ClassVar[str] = "not "

    def __init__(self, program: Program) -> None:
        super().__init__(program.instance.pages, program.instance.group)
        self.names = {v: f"v{number}" for number, v in enumerate(program.variables)}

    def variable(self, v: Variable) -> str:
        return self.names[v]

    def choice(self, condition: str, yes: str, no: str) -> str:
        return f"({yes} if {condition} else {no})"


def aut(program: Program, limit: int = MAX_STATES) -> Iterator[str]:
    """The lines of the file.

    Raises:
        UsageError: the graph has more states than the limit.
    """
    labels, successors = _successors(program)
    instance = program.instance
    initial = [tuple(state[instance.index[v]] for v in program.variables) for state in instance.initial_states()]
    numbers = {state: number for number, state in enumerate(dict.fromkeys(initial), start=1)}
    queue = list(numbers)
    lines = [f'(0,"initially{_chosen(program, state, initial)}",{numbers[state]})' for state in queue]
    for at, state in enumerate(queue, start=1):
        for label, after in successors(*state):
            number = numbers.setdefault(after, len(numbers) + 1)
            if number > len(queue):
                queue.append(after)
            lines.append(f'({at},"{labels[label]}",{number})')
        if len(queue) > limit:
            raise UsageError(
                f"more than {limit:,} states are too many for a file with a line for each step: "
                f"use fewer {setting('pages')} or a smaller {setting('in_flight')} (1 page and 1 message are "
                "enough to look at)"
            )
    yield f"des (0,{len(lines)},{len(queue) + 1})"
    yield from lines


def _chosen(program: Program, state: tuple[int, ...], initial: list[tuple[int, ...]]) -> str:
    free = [i for i in range(len(program.variables)) if len({other[i] for other in initial}) > 1]
    return f"({','.join('TRUE' if state[i] else 'FALSE' for i in free)})" if free else ""


def _successors(program: Program) -> tuple[list[str], _Successors]:
    """Labels, and a function from a state's values to its steps: the number of a label and the values after it."""
    printer, names = _PythonPrinter(program), Names()
    methods = dict.fromkeys((action.machine, action.method) for action, _ in program.actions)
    called = {method: names.give("_".join(method)) for method in methods}
    labels: list[str] = []
    lines = [f"def successors({', '.join(printer.names.values())}):", "    found = []"]
    for action, tree in program.actions:
        for page in action.choices(program.instance.pages):
            printer.taken_with(page)
            for taken, end in paths(without(tree, program.constants)):
                updates = under(taken, end).updates
                after = (printer.assigned(v, updates[v]) if v in updates else name for v, name in printer.names.items())
                lines.append(f"    if {printer.truth(guard_of(taken))}:")
                lines.append(f"        found.append(({len(labels)}, ({''.join(f'{text}, ' for text in after)})))")
            labels.append(_label(called[action.machine, action.method], action, page))
    functions: dict[str, _Successors] = {}
    exec(compile("\n".join([*lines, "    return found"]), "<successors>", "exec"), functions)
    return labels, functions["successors"]


def _label(name: str, action: ActionInstance, page: PageChoice) -> str:
    choices = [str(choice) for choice in (action.cpu, *numbers_of(page)) if choice is not None]
    return f"{name}({','.join(choices)})" if choices else name
