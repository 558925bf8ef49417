"""Fair runs and broken promises: the definitions, and a check of a given run for both. This is the definition that the
checker of liveness is held against, on concrete states.

A *unit* of fairness is a thread (all its steps but those of the environment, whatever their parameters), and each
action that is marked as fair by itself. A thread that is declared as one for each vCPU is a unit for each. A unit can
move where one of its steps is possible that changes something; changes of history alone do not count, so that an
observer never makes a run fair or unfair. A run that goes on for ever is (weakly) fair when every unit that can move at
all times from some point on takes such a step again and again. An action that is marked as strongly fair is a unit of
which more is asked: if it can move again and again, it does so again and again. Idling for ever is a run too: it is
fair where no unit can move.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from postcopy.language.actions import ActionInstance
from postcopy.language.concrete import ConcreteInterpretation, successors
from postcopy.language.instance import Instance, State
from postcopy.language.properties import Property
from postcopy.language.trace import Trace
from postcopy.language.values import Cpu
from postcopy.language.view import View


@dataclass(frozen=True)
class Unit:
    """A unit of fairness.

    Attributes:
        thread: the thread, e.g. ``listen thread``.
        action: for an action that is marked as fair, what it does; otherwise empty.
        actions: names of the actions whose steps are its own.
        strong: it is treated fairly if it can move again and again, and not only if it can move at all times.
    """

    thread: str
    action: str
    actions: frozenset[str]
    strong: bool = False


@dataclass(frozen=True)
class Duty:
    """What a unit does in the loop of a run.

    Attributes:
        unit: the unit.
        steps: the numbers (from 1) of the steps of the loop that are its own and change something.
        idle: there are states in the loop where it cannot move.
        able: there are states in the loop where it can.
    """

    unit: Unit
    steps: tuple[int, ...]
    idle: bool
    able: bool

    @property
    def neglected(self) -> bool:
        """It could move all the time (or again and again, if that is enough), and never does: the run is not fair."""
        return not self.steps and (self.able if self.unit.strong else not self.idle)


def units(instance: Instance) -> tuple[Unit, ...]:
    """The units of a protocol: its threads in the order of the text, then the actions that are fair by themselves."""
    threads: dict[tuple[str, str], list[str]] = {}
    fair: dict[tuple[str, str, str], list[ActionInstance]] = {}
    for action in instance.actions:
        if not action.info.environment:
            threads.setdefault((action.machine, action.thread), []).append(action.name)
        if action.info.fair:
            fair.setdefault((action.machine, action.thread, action.method), []).append(action)
    found = [Unit(thread, "", frozenset(names)) for (_, thread), names in threads.items()]
    for (_, thread, _), actions in fair.items():
        strong = any(action.info.strongly for action in actions)
        found.append(Unit(thread, actions[0].words, frozenset(action.name for action in actions), strong))
    return tuple(found)


def moves(instance: Instance, before: State, after: State) -> bool:
    """Whether a step changes something that is more than history."""
    return any(before[i] != after[i] for i, variable in enumerate(instance.variables) if not variable.ghost)


def duties(trace: Trace) -> list[Duty]:
    """What every unit does in the loop of a run that goes on for ever."""
    assert trace.loop is not None
    instance, states = trace.instance, trace.states
    can_move = [
        {step.action.name for step in successors(instance, state) if moves(instance, state, step.state)}
        for state in dict.fromkeys(states[trace.loop :])
    ]
    acting = [
        (number, step.action.name)
        for number, (before, step) in enumerate(zip(states, trace.steps, strict=False), start=1)
        if number > trace.loop and moves(instance, before, step.state)
    ]
    return [
        Duty(
            unit,
            tuple(number for number, name in acting if name in unit.actions),
            any(unit.actions.isdisjoint(names) for names in can_move),
            not all(unit.actions.isdisjoint(names) for names in can_move),
        )
        for unit in units(instance)
    ]


@dataclass(frozen=True)
class BrokenPromise:
    """A promise that a run makes and never keeps.

    Attributes:
        page: the page that it is made for, or None.
        cpu: the vCPU that it is made for, or None.
        since: how many steps have been taken when it is made for the last time.
    """

    page: int | None
    cpu: int | None
    since: int


def broken(trace: Trace, prop: Property) -> list[BrokenPromise]:
    """For which pages and vCPUs a run that goes on for ever breaks a promise; whether it is fair is not asked."""
    assert trace.loop is not None
    instance, found = trace.instance, []
    pages = range(instance.pages) if "page" in prop.each else [None]
    for page, cpu in product(pages, range(instance.cpus) if "cpu" in prop.each else [None]):
        since: int | None = None
        for number, state in enumerate(trace.states):
            interpretation = ConcreteInterpretation(instance, state)
            arguments: dict[str, object] = {} if cpu is None else {"cpu": Cpu(cpu)}
            if page is not None:
                arguments["page"] = interpretation.set_of(1 << page)
            answer = prop.promises(View(interpretation), **arguments)
            if answer.then and number >= trace.loop:  # it is kept again in every round
                break
            since = None if answer.then else number if answer.when and since is None else since
        else:
            if since is not None:
                found.append(BrokenPromise(page, cpu, since))
    return found


def is_fair(trace: Trace) -> bool:
    """Whether a run that goes on for ever closes its loop and neglects no unit."""
    if trace.loop is None or trace.states[trace.loop] != trace.states[-1]:
        return False
    return not any(duty.neglected for duty in duties(trace))
