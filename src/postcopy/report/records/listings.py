"""What there is to name on the command line, as rows: faults, changes, real bugs, properties, actions and so on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Literal, TypeAlias

import msgspec

from postcopy.catalogue.changes import CHANGES
from postcopy.catalogue.history import HISTORY
from postcopy.catalogue.history_in_qemu import BEFORE
from postcopy.catalogue.others import OTHERS
from postcopy.catalogue.properties import everything, reasons
from postcopy.catalogue.qemu import QEMU
from postcopy.catalogue.qemu_7_2 import QEMU_7_2
from postcopy.language.instance import Instance
from postcopy.language.protocol import Protocol
from postcopy.language.variables import Sort
from postcopy.model.changes.change import Change
from postcopy.model.faults import FAULTS
from postcopy.model.others.implementation import Implementation
from postcopy.model.rules import RULES


class Listing(StrEnum):
    """What can be listed."""

    FAULTS = "faults"
    CHANGES = "changes"
    HISTORY = "history"
    OTHERS = "others"
    QEMU = "qemu"
    PROPERTIES = "properties"
    ACTIONS = "actions"
    OPTIONS = "options"
    RULES = "rules"


class FaultRow(msgspec.Struct, frozen=True):
    """A rule that can be taken away.

    Attributes:
        name: its name on the command line.
        rule: the rule, e.g. R17.
        what: what is wrong.
        breaks: properties that are violated without the rule.
    """

    name: str
    rule: str
    what: str
    breaks: list[str]


class ChangeRow(msgspec.Struct, frozen=True):
    """A protocol change, or the protocol of another project.

    Attributes:
        name: its name on the command line.
        verdict: holds or breaks.
        what: what it does.
        breaks: properties that it violates.
        origin: where it comes from.
    """

    name: str
    verdict: Literal["holds", "breaks"]
    what: str
    breaks: list[str]
    origin: str


class BugRow(msgspec.Struct, frozen=True):
    """A real bug that is found again.

    Attributes:
        name: its name on the command line.
        entry: its number in docs/history.md.
        mended: the commit that mends it.
        year: the year of that commit.
        what: what is wrong.
        breaks: the property that it violates.
    """

    name: str
    entry: str
    mended: str
    year: int
    what: str
    breaks: str


class QemuRow(msgspec.Struct, frozen=True):
    """A protocol of QEMU as it ships, or one with mends.

    Attributes:
        name: its name on the command line.
        what: what it is.
        origin: the version of QEMU that it is of.
    """

    name: str
    what: str
    origin: str


class PropertyRow(msgspec.Struct, frozen=True):
    """A property.

    Attributes:
        name: its name on the command line.
        kind: always, eventually, sometimes and so on; or "not asked".
        sentence: what it says, or why it is not asked.
        rules: the rules of the document that it stands for.
    """

    name: str
    kind: str
    sentence: str
    rules: list[str]


class ActionRow(msgspec.Struct, frozen=True):
    """An atomic step.

    Attributes:
        name: its name.
        thread: the thread that takes it.
        does: what it does.
        rule: rules of the document, separated by blanks.
        qemu: the function of QEMU, where known.
        environment: a step of the guest, the operator or the network.
    """

    name: str
    thread: str
    does: str
    rule: str
    qemu: str
    environment: bool


class OptionRow(msgspec.Struct, frozen=True):
    """An option of a protocol.

    Attributes:
        name: its name on the command line, before the ``=``.
        value: what it is: on, off, or both where both are explored.
        what: its meaning.
    """

    name: str
    value: Literal["on", "off", "both"]
    what: str


class RuleRow(msgspec.Struct, frozen=True):
    """A rule of the document.

    Attributes:
        number: e.g. R17.
        rule: what it says.
        without: what happens without it.
    """

    number: str
    rule: str
    without: str = msgspec.field(name="without it")


Row: TypeAlias = FaultRow | ChangeRow | BugRow | QemuRow | PropertyRow | ActionRow | OptionRow | RuleRow


def faults(_: type[Protocol]) -> list[FaultRow]:
    """What can be taken away, and what breaks without it."""
    return [
        FaultRow(name=name, rule=fault.rule, what=words(fault), breaks=list(fault.breaks))
        for name, fault in FAULTS.items()
    ]


def changes(_: type[Protocol]) -> list[ChangeRow]:
    """The protocol changes, and what is known of them."""
    return [_row(name, change) for name, change in CHANGES.items()]


def others(_: type[Protocol]) -> list[ChangeRow]:
    """Postcopy of other projects, as it was read and mended."""
    return [_row(name, implementation) for name, implementation in OTHERS.items()]


def _row(name: str, protocol: type[Change | Implementation]) -> ChangeRow:
    return ChangeRow(
        name=name,
        verdict="breaks" if protocol.breaks else "holds",
        what=words(protocol),
        breaks=list(protocol.breaks),
        origin=protocol.origin,
    )


def history(_: type[Protocol]) -> list[BugRow]:
    """The real bugs that are found again."""
    return [
        BugRow(
            name=name,
            entry=bug.entry,
            mended=bug.mended_by,
            year=bug.year,
            what=words(bug.faulty),
            breaks=bug.breaks,
        )
        for name, bug in HISTORY.items()
    ]


def qemu(_: type[Protocol]) -> list[QemuRow]:
    """QEMU as it ships, and the mends of its defects."""
    both = {**QEMU, **QEMU_7_2, **BEFORE}
    return [QemuRow(name=name, what=words(protocol), origin=protocol.origin) for name, protocol in both.items()]


def properties(protocol: type[Protocol]) -> list[PropertyRow]:
    """What can be asked of a protocol, and what is not asked of it, with the reason."""
    rows = [
        PropertyRow(name=p.name, kind=p.kind.value, sentence=p.sentence, rules=list(p.rules))
        for p in everything(protocol)
    ]
    return rows + [
        PropertyRow(name=name, kind="not asked", sentence=reason, rules=[])
        for name, reason in reasons(protocol).items()
    ]


def actions(protocol: type[Protocol]) -> list[ActionRow]:
    """The steps of a protocol."""
    return [
        ActionRow(
            name=a.name,
            thread=a.thread,
            does=a.doc,
            rule=a.info.rule,
            qemu=a.info.qemu,
            environment=a.info.environment,
        )
        for a in Instance(protocol, 2, 2).actions
    ]


def options(protocol: type[Protocol]) -> list[OptionRow]:
    """The options of a protocol."""
    instance = Instance(protocol, 2, 2)
    words: dict[int | None, Literal["on", "off", "both"]] = {0: "off", 1: "on", None: "both"}
    return [
        OptionRow(name=v.name, value=words[instance.settled.get(v)], what=v.doc)
        for v in instance.variables
        if v.chosen and v.sort is Sort.NUMBER
    ]


def rules(_: type[Protocol]) -> list[RuleRow]:
    """The rules of the document."""
    return [RuleRow(number=number, rule=rule.sentence, without=rule.without) for number, rule in RULES.items()]


def words(cls: type) -> str:
    """What a class is, from the first paragraph of its docstring."""
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split())


LISTINGS: dict[Listing, Callable[[type[Protocol]], Sequence[Row]]] = {
    Listing.FAULTS: faults,
    Listing.CHANGES: changes,
    Listing.HISTORY: history,
    Listing.OTHERS: others,
    Listing.QEMU: qemu,
    Listing.PROPERTIES: properties,
    Listing.ACTIONS: actions,
    Listing.OPTIONS: options,
    Listing.RULES: rules,
}

OF_A_PROTOCOL = frozenset({Listing.PROPERTIES, Listing.ACTIONS, Listing.OPTIONS})
"""What can be listed of a file or a change."""
