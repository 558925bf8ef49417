"""A protocol: a class that names its machines, ghosts and channels. A change is a subclass."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, ClassVar, TypeVar

from postcopy.language.channel_merging import channel_of
from postcopy.language.channels import Channel
from postcopy.language.properties import Property
from postcopy.language.ranking import Ranking
from postcopy.language.view import View

T = TypeVar("T")


class Protocol:
    """Machines, ghosts and channels, named as class attributes; a subclass that renames none is a change.

    Attributes:
        cpus: how many vCPUs the destination has, 1 to 4.
        group: target pages of a host page, unless the user says; more than one where the protocol is about host pages.
        fine: the name of a `Chosen` set, if there is a block of memory with smaller pages: its pages are host pages of
            their own, and `group` is that of all others.
        properties: what must hold (or be reachable) beside the properties of the catalogue. Those of a subclass
            are added to those of its bases.
        inapplicable: names of properties that are not asked of it, each with the reason. Collected in the same way.
        refused_options: names of options of a base that mean nothing here, each with the reason: no term may set them.
        invariant: conjuncts that help to prove the properties for every size. Collected in the same way.
        proved_alone: `invariant` is all that helps: the catalogue's conjuncts are about another protocol.
        ranking: why it comes to an end, if that is known; None: for the reason for which its catalogue's protocol does.
        roles: what the pages of a message are in the protocol, by the kind of message: as `role` says it of a field.
            Collected in the same way.
        drawn_by: variables by which a graph tells states apart where no others are chosen. The values of the first are
            drawn as boxes around nodes. Empty: the machines' enumerations.
        visible: beside messages, what two protocols are compared by: an event that actions observe, with a verb for it;
            or the name of a flag, with a clause for its rise and one for its fall.
    """

    cpus: ClassVar[int] = 2
    group: ClassVar[int] = 1
    fine: ClassVar[str] = ""
    properties: ClassVar[tuple[Property, ...]] = ()
    inapplicable: ClassVar[Mapping[str, str]] = {}
    refused_options: ClassVar[Mapping[str, str]] = {}
    invariant: ClassVar[tuple[Property, ...]] = ()
    proved_alone: ClassVar[bool] = False
    ranking: ClassVar[Ranking | None] = None
    roles: ClassVar[Mapping[Enum, Enum]] = {}
    drawn_by: ClassVar[tuple[str, ...]] = ()
    visible: ClassVar[Mapping[Enum | str, tuple[str, ...]]] = {}

    @staticmethod
    def may_rest(state: View) -> bool:
        """Whether nothing needs to happen any more; where this is false and nothing can, it is a deadlock."""
        raise NotImplementedError

    @classmethod
    def roles_of_messages(cls) -> tuple[tuple[Enum, Enum], ...]:
        """Each kind of message with its role, as the class and its bases declare it, the bases' first."""
        declared = [vars(base).get("roles", {}) for base in reversed(cls.__mro__)]
        return tuple(pair for roles in declared for pair in roles.items())

    @classmethod
    def parts(cls, kind: type[T]) -> dict[str, Any]:
        """The attributes of the class and its bases that are such classes (or such objects), by name.

        A subclass replaces a part of its base by one of the same name, or removes it by assigning None. A channel that
        several bases extend has the extensions of all.

        Raises:
            SpecError: two bases contradict each other in what they say of a channel.
        """
        names = dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base))
        found = {name: getattr(cls, name) for name in names}
        return {
            name: channel_of(cls, name) if isinstance(value, Channel) else value
            for name, value in found.items()
            if isinstance(value, kind) or (isinstance(value, type) and issubclass(value, kind))
        }
