"""What the actions of a protocol send, receive and write, as reading their bodies symbolically shows.

The search for a run asks by this which action sends a message, and which actions can change what a guard asks for.
"""

from __future__ import annotations

from dataclasses import dataclass

from postcopy.conformance.qemu.observations import Connected, Meaning, Sent, Taken
from postcopy.language import expressions as ex
from postcopy.language.actions import ActionInstance
from postcopy.language.instance import Instance
from postcopy.language.readings import bodies_of
from postcopy.language.trees import leaves
from postcopy.language.variables import Variable

ONLY_UP = frozenset({1})
MISHAPS = ("Mishap", "Aborted")
"""Enumerations of what a body observes where a host dies, refuses or aborts. (By name: a protocol may have its own.)"""


@dataclass(frozen=True)
class ActionFacts:
    """What one action can do.

    Attributes:
        sends, receives: kinds of message, each with its channel.
        connects: channels whose sending end it connects anew.
        writes: the variables it may change; for a number that it only sets to constants, these, else None. How a host
            dies, refuses or aborts counts only for an action that does nothing else.
        breaks: it closes a channel or loses messages without any thread's doing.
        only_mishaps: it does nothing but let a host die, refuse or abort.
    """

    action: ActionInstance
    sends: frozenset[Sent]
    receives: frozenset[Sent]
    connects: frozenset[Connected]
    writes: dict[Variable, frozenset[int] | None]
    breaks: bool
    only_mishaps: bool

    def happens(self, failing: frozenset[str]) -> bool:
        """Whether it is taken into account where only these hosts are known to give up."""
        return not self.only_mishaps or self.action.machine in failing

    def may_be(self, meaning: Meaning) -> bool:
        """Whether taking it can be what an observation means."""
        if isinstance(meaning, Taken):
            return meaning.action in (self.action.name, f"{self.action.machine}.{self.action.method}")
        return meaning in self.sends or meaning in self.connects


class Facts:
    """The facts of all actions of a protocol."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.actions = tuple(_facts(instance, action) for action in instance.actions)
        self.machines = tuple(dict.fromkeys(its.action.machine for its in self.actions))
        self.kinds = {
            Sent(name, kind.name): kind for name, channel in instance.channels.items() for kind in channel.kinds
        }

    def meaning(self, meaning: Meaning) -> tuple[ActionFacts, ...]:
        """The actions that an observation can be."""
        return tuple(facts for facts in self.actions if facts.may_be(meaning))


def _facts(instance: Instance, action: ActionInstance) -> ActionFacts:
    sends: set[Sent] = set()
    receives: set[Sent] = set()
    writes: dict[Variable, frozenset[int] | None] = {}
    in_mishaps: dict[Variable, frozenset[int] | None] = {}
    mishaps = []
    for leaf in leaves(bodies_of(instance).tree(action)):
        mishap = False
        for event in leaf.events:
            if event.channel:
                (sends if event.sent else receives).add(Sent(event.channel, event.what.name))
            mishap |= type(event.what).__name__ in MISHAPS
        mishaps.append(mishap)
        changes = in_mishaps if mishap else writes
        for variable, value in leaf.updates.items():
            constant = value.value if isinstance(value, ex.Number) else None
            before = changes.get(variable, frozenset())
            changes[variable] = None if constant is None or before is None else before | {constant}
    only_mishaps = bool(mishaps) and all(mishaps)
    writes = in_mishaps if only_mishaps else writes
    up = {channel.up: name for name, channel in instance.channels.items()}
    slots = {
        variable for channel in instance.channels.values() for slot in channel.slots for variable in slot.variables
    }
    closes = any(variable in up and 0 in (values or ()) for variable, values in writes.items())
    lost = {slot.kind for channel in instance.channels.values() for slot in channel.slots}
    drops = not sends and not receives and any(variable in lost for variable in writes)
    return ActionFacts(
        action,
        frozenset(sends),
        frozenset(receives),
        frozenset(Connected(up[v]) for v, values in writes.items() if v in up and values == ONLY_UP),
        {variable: values for variable, values in writes.items() if not variable.ghost and variable not in slots},
        breaks=action.info.environment and (closes or drops),
        only_mishaps=only_mishaps,
    )
