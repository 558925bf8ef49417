"""The generated blocks about postcopy of other projects, for `tables`."""

from __future__ import annotations

from documentation.markdown import table
from documentation.tables_of_bugs import linked, to
from documentation.tables_of_changes import STORED, called
from postcopy.catalogue import qemu_source
from postcopy.catalogue.others import BUGS_OF_OTHERS, NOT_ASKED, OTHERS
from postcopy.language.instance import Instance
from postcopy.language.protocol import Protocol
from postcopy.model.fault import name_of
from postcopy.report.charts.markdown import escape
from postcopy.report.gallery import stored_steps
from postcopy.report.records.listings import words


def others() -> str:
    """Every implementation with its verdict."""
    rows = []
    for name, protocol in OTHERS.items():
        verdict = "holds"
        if protocol.breaks:
            broken = ", ".join(f"`{broken}`" for broken in protocol.breaks)
            verdict = f"[breaks](../counterexamples/{name}.md) {broken}"
        rows.append([f"`{name}`", escape(words(protocol)), verdict, escape(protocol.origin)])
    return table(["protocol", "what it is", "verdict", "read at"], rows)


def defects() -> str:
    """Every defect with its story, and what mends it."""
    rows = []
    for bug in BUGS_OF_OTHERS:
        name = name_of(bug.faulty)
        rows.append(
            [
                to(bug.entry),
                linked(escape(words(bug.faulty))),
                bug.mended_by,
                f"`{bug.breaks}`",
                f"[{stored_steps(STORED, name)}](../counterexamples/{name}.md)",
                f"`postcopy check --bug {name} --property {bug.breaks}`",
                called(bug.mended),
            ]
        )
    head = ["code", "what is wrong", "mended by", "violates", "steps", "its story", "the mended protocol"]
    return table(head, rows)


def actions(protocol: type[Protocol]) -> str:
    """The steps of a protocol, and the functions that they stand for."""
    found = [action for action in Instance(protocol, 1, 1).actions if not action.cpu]
    rows = [
        [
            action.declared.label + (" (environment)" if action.info.environment else ""),
            f"`{action.machine}.{action.method}`",
            escape(action.doc),
            qemu_source.link(action.info.qemu),
        ]
        for action in found
        if action.machine != "wire"
    ]
    return table(["thread", "action", "what it does", "in the source"], rows)


def asked() -> str:
    """The document's properties that are not asked of these protocols, each with the reason."""
    rows = []
    for name in dict.fromkeys(name for reasons in NOT_ASKED.values() for name in reasons):
        of = [protocol for protocol, reasons in NOT_ASKED.items() if name in reasons]
        every = "both" if len(of) == len(NOT_ASKED) else ", ".join(f"`{protocol}`" for protocol in of)
        rows.append([f"`{name}`", every, escape(NOT_ASKED[of[0]][name])])
    return table(["property", "not asked of", "why"], rows)
