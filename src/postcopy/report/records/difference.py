"""The differences between two protocols as a record."""

from __future__ import annotations

import msgspec

from postcopy.explorer.behaviour import Inclusion
from postcopy.report.results.difference import Difference, Said


class AddedRecord(msgspec.Struct, frozen=True):
    """What only one of the two has.

    Attributes:
        added: what only the change has.
        removed: what only the base has.
    """

    added: list[str]
    removed: list[str]


class ActionsRecord(msgspec.Struct, frozen=True):
    """How the actions differ.

    Attributes:
        added, removed: what only one of the two has.
        changed: what both have and does something else.
    """

    added: list[str]
    removed: list[str]
    changed: list[str]


class TurnedRecord(msgspec.Struct, frozen=True):
    """The answers to a property that are not the same.

    Attributes:
        base, change: the answers.
    """

    base: Said
    change: Said


class SeenRecord(msgspec.Struct, frozen=True):
    """A step and its observation.

    Attributes:
        step: the action.
        seen: messages that both protocols have, placements, and at which host the guest runs.
    """

    step: str
    seen: list[str]


class InclusionRecord(msgspec.Struct, frozen=True):
    """Whether the behaviours of one are among those of the other.

    Attributes:
        included: null where it was not decided.
        all_found: the comparison was not given up.
        pairs: pairs of states that were compared.
        runs: behaviours that only the first has; of those whose last observations differ by names of pages alone, one.
    """

    included: bool | None
    all_found: bool
    pairs: int
    runs: list[list[SeenRecord]]


class StatesRecord(msgspec.Struct, frozen=True):
    """How many states the two have."""

    base: int
    change: int


class BehavioursRecord(msgspec.Struct, frozen=True):
    """How the behaviours differ.

    Attributes:
        pages, in_flight, host_page: the size at which they are compared.
        observed: what is compared beside the messages that both protocols have.
        not_observed: messages that only one of them has.
        states: how many states each has there, as far as they were made.
        all_states: whether all states of both were made.
        change_within_base: whether the change does only what the base does.
        base_within_change: the reverse.
    """

    pages: int
    in_flight: int
    host_page: int
    observed: list[str]
    not_observed: list[str]
    states: StatesRecord
    all_states: bool
    change_within_base: InclusionRecord
    base_within_change: InclusionRecord


class DifferenceRecord(msgspec.Struct, frozen=True):
    """The result of `postcopy diff`.

    Attributes:
        base, change: names of the two.
        actions, fields, messages: how the texts differ.
        properties: those with different answers, by name.
        behaviours: how the behaviours differ.
    """

    base: str
    change: str
    actions: ActionsRecord
    fields: AddedRecord
    messages: AddedRecord
    properties: dict[str, TurnedRecord]
    behaviours: BehavioursRecord


def difference_record(found: Difference) -> DifferenceRecord:
    """The differences between two protocols as a record."""
    return DifferenceRecord(
        base=found.names[0],
        change=found.names[1],
        actions=ActionsRecord(added=list(found.added), removed=list(found.removed), changed=list(found.changed)),
        fields=AddedRecord(added=list(found.fields[0]), removed=list(found.fields[1])),
        messages=AddedRecord(added=list(found.messages[0]), removed=list(found.messages[1])),
        properties={name: TurnedRecord(base=old, change=new) for name, (old, new) in found.turned.items()},
        behaviours=BehavioursRecord(
            pages=found.at.pages,
            in_flight=found.at.in_flight,
            host_page=found.at.group,
            observed=list(found.visible),
            not_observed=list(found.hidden),
            states=StatesRecord(base=found.states[0], change=found.states[1]),
            all_states=all(found.complete),
            change_within_base=_inclusion(found.gained),
            base_within_change=_inclusion(found.lost),
        ),
    )


def _inclusion(found: Inclusion) -> InclusionRecord:
    return InclusionRecord(
        included=False if found.differences else True if found.decided else None,
        all_found=found.decided,
        pairs=found.pairs,
        runs=[
            [SeenRecord(step=what, seen=[str(part) for part in seen]) for what, seen in each.run]
            for each in found.differences
        ],
    )
