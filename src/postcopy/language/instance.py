"""A protocol at a size: its variables, its actions one by one, its initial states, and the properties asked of it.

It is made once and never changes. Interpretations, explorer and reports need to know no more of a protocol.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from types import FunctionType
from typing import get_type_hints

from postcopy.errors import SpecError, UsageError
from postcopy.language.actions import ActionInfo, ActionInstance
from postcopy.language.channel_ends import ObserverEnd
from postcopy.language.channel_variables import ChannelVariables
from postcopy.language.channels import MAX_IN_FLIGHT, Channel
from postcopy.language.chosen import Chosen
from postcopy.language.declaration_checks import check_protocol
from postcopy.language.fields import EITHER, Home
from postcopy.language.interpretation import Interpretation
from postcopy.language.machines import Ghost, Machine, Monitor, Part
from postcopy.language.properties import Property
from postcopy.language.protocol import Protocol
from postcopy.language.threads import Thread, thread_of, threads_in_sentences, undeclared
from postcopy.language.values import ALL, Cpu, Page
from postcopy.language.variables import Sort, Variable, index_of, stored
from postcopy.language.worlds import Beside, World, first_world, name_beside, second_world
from postcopy.surface import setting

MAX_PAGES = 16
MAX_INITIAL = 1 << 20
"""The most initial states: each is a tuple in memory."""
MAX_PAGE_PARAMETERS = 2

State = tuple[int, ...]
"""A state outside of the explorer: for each variable in order a number (bits of a set, or number of a value)."""


class Instance:
    """A protocol at a size, with the properties asked of it.

    Args:
        watching: monitors beside those of the properties, for conjuncts of an invariant that read them.

    Attributes:
        protocol: the class.
        pages: number of target pages.
        in_flight: capacity of each channel that does not say another.
        group: target pages of one host page.
        fine: the set of pages that are host pages of their own, or None.
        settled: the options that the protocol fixes, each with its stored number.
        properties: the properties that are checked.
        variables: the state, in order.
        variable: the same, by name.
        actions: all of them, in the order of declaration.

    Raises:
        UsageError: a size out of range.
        SpecError: a protocol that is put together wrongly.
    """

    def __init__(
        self,
        protocol: type[Protocol],
        pages: int,
        in_flight: int,
        properties: Sequence[Property] = (),
        group: int = 1,
        watching: Sequence[type[Monitor]] = (),
    ) -> None:
        _check_size("pages", pages, MAX_PAGES)
        _check_size("in_flight", in_flight, MAX_IN_FLIGHT)
        if group < 1 or pages % group:
            raise UsageError(f"{setting('host_page', group)} does not divide {setting('pages', pages)}")
        self.protocol, self.pages, self.in_flight, self.group = protocol, pages, in_flight, group
        self.cpus = protocol.cpus
        self.properties = tuple(properties)
        self.machines: dict[str, type[Machine]] = protocol.parts(Machine)
        asked = [p.monitor for p in self.properties if p.monitor is not None]
        monitors = list(dict.fromkeys((*asked, *watching)))
        check_protocol(protocol, monitors)
        self.monitors: dict[str, type[Monitor]] = {monitor.__name__: monitor for monitor in monitors}
        self.ghosts: dict[str, type[Ghost]] = protocol.parts(Ghost) | self.monitors
        self.roles = protocol.roles_of_messages()
        self.channels: dict[str, ChannelVariables] = {}
        initial: list[tuple[Variable, object]] = []
        for name, machine in (self.machines | self.ghosts).items():
            home = Home(name, machine.ghost, self.cpus, tuple(threads_in_sentences(machine, self.cpus)))
            for field in machine.fields().values():
                initial += field.variables(home)
        for name, channel in protocol.parts(Channel).items():
            self.channels[name], its = channel.flatten(name, in_flight)
            initial += its
        self.worlds = _worlds(protocol, self.monitors)
        chosen = [chosen.variable(name) for name, chosen in protocol.parts(Chosen).items()]
        initial += chosen
        self.variables = tuple(v for v, _ in initial)
        self.variable = {v.name: v for v in self.variables}
        self.index = {v: i for i, v in enumerate(self.variables)}
        self.fine = self.variable[protocol.fine] if protocol.fine else None
        self._initial = [value for _, value in initial]
        self.settled = {v: self.encode(v, value) for v, value in chosen if value is not EITHER}
        self.parts: dict[str, Callable[[Interpretation], object]] = {
            **{name: _part(cls, name) for name, cls in (self.machines | self.ghosts).items()},
            **{name: _observer(channel) for name, channel in self.channels.items()},
            **{variable.name: _reader(variable) for variable, _ in chosen},
        }
        self.actions = tuple(self._actions())

    def encode(self, variable: Variable, value: object) -> int:
        """The stored number of a value of a variable (page sets: `NONE`, `ALL` or bits).

        Raises:
            ValueError: the value is of another type (a number out of range is not found here).
        """
        if variable.sort is Sort.PAGES:
            return value if isinstance(value, int) else ((1 << self.pages) - 1 if value is ALL else 0)
        return stored(variable, value)

    def initial_values(self) -> list[tuple[Variable, object]]:
        """Each variable with its initial value, as it is declared."""
        return list(zip(self.variables, self._initial, strict=True))

    def initial_states(self) -> list[State]:
        """All initial states: one for each choice of what starts as `EITHER` and of what is chosen.

        Raises:
            UsageError: there are too many.
        """
        choices = [
            self._possible(v) if value is EITHER else (self.encode(v, value),) for v, value in self.initial_values()
        ]
        number = prod(map(len, choices))
        if number > MAX_INITIAL:
            raise UsageError(
                f"{number:,} initial states are too many ({MAX_INITIAL:,} at most): use fewer {setting('pages')}"
            )
        return list(product(*choices))

    def _possible(self, variable: Variable) -> Sequence[int]:
        """Every stored number of a variable that is left open at the start."""
        if variable.sort is Sort.NUMBER:
            return range(variable.size)
        if not variable.chosen:
            return range(1 << self.pages)
        host = (1 << self.group) - 1
        hosts = range(self.pages // self.group)
        return [sum(host << self.group * n for n in hosts if which >> n & 1) for which in range(1 << len(hosts))]

    @property
    def size(self) -> str:
        """The size in words."""
        host = f", host pages of {self.group}" if self.group > 1 else ""
        pages = f"{self.pages} page{'s' * (self.pages > 1)}"
        own = [f"{len(its.slots)} on {name}" for name, its in self.channels.items() if len(its.slots) != self.in_flight]
        others = f" ({', '.join(own)})" if own else ""
        return f"{pages}, {self.in_flight} message{'s' * (self.in_flight > 1)} in flight{others}{host}"

    def _actions(self) -> Iterator[ActionInstance]:
        second = {name for beside in self.protocol.parts(Beside).values() for name in beside.names.values()}
        for name, machine in self.machines.items():
            for method in _method_order(machine):
                function = getattr(machine, method)
                info = _info(machine, method)
                if function is None or info is None:
                    continue
                parameters = _parameters(machine, method, function)
                thread = _thread(machine, method, info, function, parameters)
                place = self._place(name, method, info, function) if info.at else None
                words = " ".join((inspect.getdoc(function) or method.replace("_", " ")).split("\n\n")[0].split())
                for cpu in range(self.cpus) if "cpu" in parameters else [None]:
                    label = f"{name}.{method}" + (f"[{cpu}]" if cpu is not None else "")
                    pages = tuple(each for each, kind in parameters.items() if kind is Page)
                    yield ActionInstance(label, name, method, info, thread, cpu, pages, words, place, name in second)

    def _place(self, machine: str, method: str, info: ActionInfo, function: FunctionType) -> Variable:
        """The choice that says where a thread is, for an action that names its place.

        Raises:
            SpecError: the machine has no choice with such values, or several.
        """
        fits = [v for v in self.variables if v.owner == machine and all(_has(v, value) for value in info.at)]
        if len(fits) == 1:
            return fits[0]
        names = [f"{type(value).__name__}.{value.name}" for value in info.at]
        fields = [v.name.partition(".")[2] for v in fits]
        if fits:
            problem = f"both {' and '.join(fields)} can be that: write require(self.{fields[0]} == {names[0]})"
        else:
            problem = f'{machine} has no choice of it: declare one, e.g. state = Choice("...", {names[0]})'
        raise SpecError(
            f"{self.machines[machine].__name__}.{method} is a step at {' or '.join(names)}, and {problem}",
            _definition(function),
        )


def _has(variable: Variable, value: object) -> bool:
    try:
        index_of(variable.values, value)
    except ValueError:
        return False
    return True


def _worlds(protocol: type[Protocol], monitors: Mapping[str, type[Monitor]]) -> dict[str, World]:
    """What belongs to each of several systems: by the name of a `Beside`, of its machines, ghosts and monitors.

    The first system is called "". Where there is one system, there is nothing to tell apart.
    """
    found: dict[str, World] = {}
    besides = protocol.parts(Beside)
    for name, beside in besides.items():
        suffix = name_beside(name, "")
        own = {its.removesuffix(suffix): its for its in monitors if its.endswith(suffix)}
        world = second_world(beside, own)
        found |= {name: world, **dict.fromkeys((*beside.names.values(), *own.values()), world)}
    return {"": first_world(besides.values()), **found} if besides else {}


def _check_size(what: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise UsageError(f"{setting(what, value)} is out of range: 1 to {most}")


def _method_order(machine: type[Machine]) -> list[str]:
    """Every method that is an action in the class or a base, bases first, in the order of the text."""
    order: dict[str, None] = {}
    for base in reversed(machine.__mro__):
        for name in vars(base):
            if _info(machine, name) is not None:
                order[name] = None
    return list(order)


def _info(machine: type[Machine], method: str) -> ActionInfo | None:
    """An override that says nothing of its own keeps what the overridden action said."""
    for base in machine.__mro__:
        info = getattr(vars(base).get(method), "action_info", None)
        if isinstance(info, ActionInfo):
            return info
    return None


def _parameters(machine: type[Machine], method: str, function: FunctionType) -> dict[str, type]:
    """The action's parameters by name: a `Page` called page, or two of any names, and a `Cpu` called cpu."""
    try:
        hints = get_type_hints(function)
    except NameError as error:
        raise SpecError(f"{machine.__name__}.{method}: {error}", _definition(function)) from None
    hints.pop("return", None)
    names = list(inspect.signature(function).parameters)[1:]
    where = f"{machine.__name__}.{method}"
    pages = [name for name in names if hints.get(name) is Page and name != "cpu"]
    if len(pages) > MAX_PAGE_PARAMETERS:
        raise SpecError(
            f"{where} has {len(pages)} page parameters, {', '.join(pages)}: a step is about two pages at most; keep "
            "others in sets of the machine, and make it several steps",
            _definition(function),
        )
    for name in names:
        if name in pages and (name == "page" or len(pages) > 1):
            continue
        if name != "cpu" or hints.get(name) is not Cpu:
            raise SpecError(
                f"{where} has a parameter {name}: an action may have `page: Page` (or two pages of any names) and "
                "`cpu: Cpu`",
                _definition(function),
            )
    return {name: hints[name] for name in names}


def _thread(
    machine: type[Machine], method: str, info: ActionInfo, function: FunctionType, parameters: Mapping[str, type]
) -> Thread:
    """The declared thread whose step an action is.

    Raises:
        SpecError: the machine declares no such thread, or it is one for each vCPU and the action has no vCPU.
    """
    where = f"{machine.__name__}.{method}"
    thread = thread_of(machine, info.thread)
    if thread is None:
        raise SpecError(f"{where} {undeclared(machine, info.thread)}", _definition(function))
    if thread.each is not None and "cpu" not in parameters:
        raise SpecError(
            f"{where} is a step of {thread.label}, which is one thread for each vCPU: give it a parameter cpu: Cpu",
            _definition(function),
        )
    return thread


def _definition(function: FunctionType) -> str:
    code = function.__code__
    return f"{code.co_filename.rsplit('/', 1)[-1]}:{code.co_firstlineno}, in {code.co_name}"


def _part(cls: type[Part], name: str) -> Callable[[Interpretation], object]:
    return lambda interpretation: cls(name, interpretation)


def _reader(variable: Variable) -> Callable[[Interpretation], object]:
    return lambda interpretation: interpretation.load(variable)


def _observer(channel: ChannelVariables) -> Callable[[Interpretation], object]:
    return lambda interpretation: ObserverEnd(interpretation, channel)
