"""Which conjuncts can be asked of a protocol: those that name nothing that it does not have.

A change may have no field, channel, message or phase that a conjunct of its base speaks of. Such a conjunct is left
out, with the reason. A conjunct that the protocol declares itself has to be readable: there it is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from postcopy.errors import UnknownNameError
from postcopy.language.instance import Instance
from postcopy.language.machines import Ghost, Machine, Monitor
from postcopy.language.properties import Property
from postcopy.language.protocol import Protocol
from postcopy.language.ranking import Ranking
from postcopy.language.symbolic import read_action, read_predicate
from postcopy.prover.ranking import components_without_variable
from postcopy.prover.unbounded import UnboundedInterpretation, instance_of_any_size


class LeftOut(NamedTuple):
    """A conjunct, or a component of the ranking, that is not asked of a protocol.

    Attributes:
        name: its name.
        why: what the protocol does not have.
    """

    name: str
    why: str


class Applicable(NamedTuple):
    """What of an invariant and a ranking can be asked of a protocol.

    Attributes:
        invariant: the conjuncts that can be read.
        ranking: the ranking, if where it applies can be read.
        left_out: the rest.
    """

    invariant: tuple[Property, ...]
    ranking: Ranking | None
    left_out: tuple[LeftOut, ...]


def applicable(
    protocol: type[Protocol], properties: Sequence[Property], invariant: Sequence[Property], ranking: Ranking | None
) -> Applicable:
    """What can be asked of a protocol.

    Args:
        protocol: the class.
        properties: what is asked of it; their monitors are there.
        invariant: conjuncts, most of them of its bases.
        ranking: why its base comes to an end.

    Raises:
        SpecError: a body cheats or errs, or a conjunct of the protocol itself names what is not there.
    """
    required = vars(protocol).get("invariant", ())
    there = {p.monitor for p in properties if p.monitor is not None}
    refused: dict[type[Monitor], str] = {}
    for monitor in dict.fromkeys(c.monitor for c in invariant if c.monitor is not None):
        if monitor not in there and (why := _unwatchable(protocol, monitor, there)) is not None:
            refused[monitor] = why
    kept: list[Property] = []
    left_out: list[LeftOut] = []
    for conjunct in invariant:
        why = None if conjunct.monitor is None else refused.get(conjunct.monitor)
        why = why or _unreadable(protocol, properties, conjunct, required)
        if why is None:
            kept.append(conjunct)
        else:
            left_out.append(LeftOut(conjunct.name, why))
    instance = instance_of_any_size(protocol, properties, kept)
    if ranking is not None:
        left_out += (LeftOut(name, f"there is no {name}") for name in components_without_variable(instance, ranking))
        ranking = ranking if _applies_somewhere(instance, ranking, left_out) else None
    return Applicable(tuple(kept), ranking, tuple(left_out))


def _unwatchable(protocol: type[Protocol], monitor: type[Monitor], there: set[type[Monitor]]) -> str | None:
    """Why a monitor cannot watch the protocol's steps, if it cannot."""
    taken = {**protocol.parts(Machine), **protocol.parts(Ghost), **{m.__name__: m for m in there}}
    if monitor.__name__ in taken:
        return f"{monitor.__name__} is something else here"
    instance = Instance(protocol, 2, 1, (), 2, [monitor])
    try:
        for action in instance.actions:
            read_action(instance, action, UnboundedInterpretation)
    except UnknownNameError as error:
        return _words(error)
    return None


def _unreadable(
    protocol: type[Protocol], properties: Sequence[Property], conjunct: Property, required: Sequence[Property]
) -> str | None:
    instance = instance_of_any_size(protocol, properties, [conjunct])
    try:
        read_predicate(instance, conjunct.holds, UnboundedInterpretation)
    except UnknownNameError as error:
        if conjunct in required:
            raise
        return _words(error)
    return None


def _applies_somewhere(instance: Instance, ranking: Ranking, left_out: list[LeftOut]) -> bool:
    if ranking.monitor is None or ranking.monitor.__name__ in instance.monitors:
        try:
            read_predicate(instance, ranking.applies, UnboundedInterpretation)
        except UnknownNameError as error:
            left_out.append(LeftOut("the end", _words(error)))
        else:
            return True
    return False


def _words(error: UnknownNameError) -> str:
    """What is not there, without the line of the conjunct."""
    return str(error).removeprefix(f"{error.where}: ")
