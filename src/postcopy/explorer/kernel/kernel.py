"""A protocol instance made executable: read, laid out and generated once, and shared by everything that takes its
steps.

A search, its liveness, the lifting of its states to a trace, walks, and the graph of states all use one `Kernel`.
Each of its parts is made when it is first asked for: small spaces need no machine code, and a walk needs no block code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from postcopy.errors import NoRoomError, SpecError
from postcopy.explorer.kernel.block_code import row_length
from postcopy.explorer.kernel.calling_convention import BLOCK
from postcopy.explorer.kernel.canonical_form import Inapplicable, Reduction, canonical_form
from postcopy.explorer.kernel.labels import Labels, PropertyBits
from postcopy.explorer.kernel.layout import lay_out
from postcopy.explorer.kernel.machine_code import MachineCode, Plan, load
from postcopy.explorer.kernel.reductions import PAGES, REDUCTIONS
from postcopy.explorer.kernel.state_code import block_text, plain_text
from postcopy.language.instance import Instance, State
from postcopy.language.program import read
from postcopy.language.symbolic import RoomIsChecked, SymbolicInterpretation
from postcopy.language.trees import Tree

Words = tuple[int, ...]
"""A packed state."""


@dataclass(frozen=True)
class Functions:
    """The functions of a kernel's plain text (see `state_code`)."""

    expand: Callable[..., list[tuple[int, ...]]]
    canonical: Callable[..., Words]
    examine: Callable[..., int]


class Kernel:
    """The functions of an instance.

    Attributes:
        instance: whose.
        reductions: those that are used: of those that were asked for, what this protocol and size allow.
        inapplicable: those that were asked for and cannot be used, with the reasons.
        program: its trees.
        layout: where its variables lie in a packed state.
        labels: what the labels of its steps mean.
        bits: which bits stand for which properties.
        refused: the error for which the text is refused, where only the run to such an error is looked for.

    Raises:
        SpecError: the protocol or a property cheats or errs.
        UsageError: the size does not fit.
    """

    def __init__(
        self, instance: Instance, reductions: Sequence[Reduction] = (PAGES,), refused: SpecError | None = None
    ) -> None:
        self.instance, self.bits, self.refused = instance, PropertyBits.of(instance), refused
        self.program = read(instance, SymbolicInterpretation if refused is None else RoomIsChecked)
        self.layout = lay_out(instance, self.program.variables, self.program.constants)
        self.labels = Labels(self.program)
        found = {each: each.of(self.program, self.layout) for each in REDUCTIONS if each in reductions}
        used = {each: what for each, what in found.items() if not isinstance(what, Inapplicable)}
        self.reductions = tuple(used)
        self.inapplicable = {
            each: what.why for each, what in found.items() if isinstance(what, Inapplicable) and what.why
        }
        self._canonical, self._calls = canonical_form(self.layout, list(used.values()))

    @cached_property
    def plain(self) -> str:
        """The text for Python."""
        return plain_text(self.program, self.layout, self.labels, self._canonical)

    @cached_property
    def functions(self) -> Functions:
        """The plain functions, on whole numbers."""
        names: dict[str, Any] = {}
        exec(compile(self.plain, "<kernel>", "exec"), names)
        return Functions(names["expand"], names["canonical"], names["examine"])

    @cached_property
    def plan(self) -> Plan:
        """What the machine code is made from."""
        text, rows = block_text(self.program, self.layout, self.labels, self._canonical, self._calls)
        pages = self.instance.pages
        successors = sum(len(action.choices(pages)) for action in self.instance.actions)
        return Plan(text, self.layout.words, BLOCK * successors, rows, row_length(self.layout), len(self.labels.leaves))

    @cached_property
    def machine_code(self) -> MachineCode:
        """The machine code; from disk where it has been compiled."""
        return load(self.plan)

    def with_trees(self, change: Callable[[Tree], Tree]) -> Kernel:
        """The same states, with other steps: each action's tree changed. For walks only, not for machine code.

        Args:
            change: a tree in place of another.
        """
        other = copy(self)
        for made in ("plain", "functions", "plan", "machine_code"):
            vars(other).pop(made, None)
        actions = tuple((info, change(tree)) for info, tree in self.program.actions)
        other.program = replace(self.program, actions=actions)
        other.labels = Labels(other.program)
        return other

    @property
    def impossible(self) -> frozenset[str]:
        """The actions that cannot be taken at this size, by their own text."""
        return frozenset(action.name for action, tree in self.program.actions if tree is None)

    @property
    def progress(self) -> list[bool]:
        """For each action, whether it saves a state from being a deadlock: the environment's do not."""
        return [not action.info.environment for action in self.instance.actions]

    @cached_property
    def initial(self) -> list[Words]:
        """The initial states, packed."""
        return [self.layout.pack(state) for state in self.instance.initial_states()]

    def representative(self, state: State) -> Words:
        """The packed state that is stored for this one."""
        return self.functions.canonical(*self.layout.pack(state))

    def same(self, a: State, b: State) -> bool:
        """Whether two states are one to a search."""
        return self.representative(a) == self.representative(b)


def kernel_to_errors(instance: Instance, reductions: Sequence[Reduction] = (PAGES,)) -> Kernel:
    """The functions of an instance. Where a message may lack room: those without properties, to find the run to that.

    Raises:
        SpecError: the protocol or a property cheats or errs otherwise.
        UsageError: the size does not fit.
    """
    try:
        return Kernel(instance, reductions)
    except NoRoomError as error:
        bare = Instance(instance.protocol, instance.pages, instance.in_flight, (), instance.group)
        return Kernel(bare, reductions, error)
