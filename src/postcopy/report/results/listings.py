"""What there is to name on the command line, as rows of a table: faults, changes, real bugs, properties, actions,
rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from postcopy.catalogue.changes import CHANGES
from postcopy.catalogue.history import HISTORY
from postcopy.catalogue.properties import everything, reasons
from postcopy.language.instance import Instance
from postcopy.language.protocol import Protocol
from postcopy.model.faults import FAULTS
from postcopy.model.rules import RULES

Row = dict[str, Any]


def faults(_: type[Protocol]) -> list[Row]:
    """What can be taken away, and what breaks without it."""
    return [
        {"name": name, "rule": fault.rule, "what": words(fault), "breaks": list(fault.breaks)}
        for name, fault in FAULTS.items()
    ]


def changes(_: type[Protocol]) -> list[Row]:
    """The protocol changes, and what is known of them."""
    return [
        {
            "name": name,
            "verdict": "breaks" if change.breaks else "holds",
            "what": words(change),
            "breaks": list(change.breaks),
            "origin": change.origin,
        }
        for name, change in CHANGES.items()
    ]


def history(_: type[Protocol]) -> list[Row]:
    """The real bugs that are found again."""
    return [
        {
            "name": name,
            "entry": bug.entry,
            "mended": f"{bug.system} {bug.commit}",
            "year": bug.year,
            "what": words(bug.faulty),
            "breaks": bug.breaks,
        }
        for name, bug in HISTORY.items()
    ]


def properties(protocol: type[Protocol]) -> list[Row]:
    """What can be asked of a protocol, and what is not asked of it, with the reason."""
    rows: list[Row] = [
        {"name": p.name, "kind": p.kind.value, "sentence": p.sentence, "rules": list(p.rules)}
        for p in everything(protocol)
    ]
    return rows + [
        {"name": name, "kind": "not asked", "sentence": reason, "rules": []}
        for name, reason in reasons(protocol).items()
    ]


def actions(protocol: type[Protocol]) -> list[Row]:
    """The steps of a protocol."""
    return [
        {
            "name": a.name,
            "thread": a.thread,
            "does": a.doc,
            "rule": a.info.rule,
            "qemu": a.info.qemu,
            "environment": a.info.environment,
        }
        for a in Instance(protocol, 2, 2).actions
    ]


def rules(_: type[Protocol]) -> list[Row]:
    """The rules of the document."""
    return [{"number": number, "rule": rule.sentence, "without it": rule.without} for number, rule in RULES.items()]


def words(cls: type) -> str:
    """What a class is, from the first paragraph of its docstring."""
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split())


LISTINGS: dict[str, Callable[[type[Protocol]], list[Row]]] = {
    "faults": faults,
    "changes": changes,
    "history": history,
    "properties": properties,
    "actions": actions,
    "rules": rules,
}

ONLY_IN_JSON: dict[str, frozenset[str]] = {
    "changes": frozenset({"breaks", "origin"}),
    "history": frozenset({"breaks", "mended"}),
}
"""What a table on a terminal has no room for."""


def shown(what: str, row: Row) -> Row:
    """A row as a table on a terminal has room for it; `--json` has the whole."""
    if what == "actions":
        return {"name": row["name"], "does": f"{row['thread']}: {row['does']}", "rule": row["rule"]}
    return {column: value for column, value in row.items() if column not in ONLY_IN_JSON.get(what, ())}


OF_A_PROTOCOL = frozenset({"properties", "actions"})
"""What can be listed of a file or a change."""
