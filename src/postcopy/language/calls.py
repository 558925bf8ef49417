"""How the method of an action is called: with its arguments, as its machine, and behind the guard of its place.

Every interpretation that runs bodies calls them by this one function.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_

from postcopy.language.actions import ActionInstance, require
from postcopy.language.interpretation import Interpretation
from postcopy.language.machines import Machine
from postcopy.language.values import Cpu, PageSet


def call(
    interpretation: Interpretation, machine: type[Machine], action: ActionInstance, pages: Iterable[PageSet]
) -> object:
    """Run the body of an action. Answers what the method answers.

    Args:
        interpretation: what runs it.
        machine: the class of the machine whose action it is.
        action: the action.
        pages: its pages, in the order of its parameters.

    Raises:
        Disabled: a guard forbids the step, or the thread is at another place.
        SpecError: the body cheats or errs.
    """
    arguments: dict[str, object] = {}
    if action.cpu is not None:
        arguments["cpu"] = Cpu(action.cpu)
    arguments |= zip(action.page_names, pages, strict=False)
    own = frozenset({action.machine})
    with interpretation.acting(action.machine, own, own):
        if action.place is not None:
            value = interpretation.load(action.place)
            require(reduce(or_, [value == place for place in action.info.at]))
        interpretation.thread = action.declared.in_a_sentence(action.cpu)
        try:
            return getattr(machine, action.method)(machine(action.machine, interpretation), **arguments)
        finally:
            interpretation.thread = None
