"""verdicts.toml: what this project says of its own protocols, as a suite that `postcopy suite` asks.

`python -m documentation.verdict_suite` writes it anew from the catalogue. A test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from postcopy.catalogue.changes import CHANGES
from postcopy.catalogue.history import HISTORY
from postcopy.catalogue.others import OTHERS
from postcopy.catalogue.tables import BY_NAME
from postcopy.model.fault import name_of
from postcopy.model.faults import FAULTS

SUITE = Path(__file__).parents[2] / "verdicts.toml"

HEAD = """# What this project says of its own protocols: the document's, changes, faults, real bugs and what mends them,
# and those of other projects. Written by: python -m documentation.verdict_suite
# Asked by:                               postcopy suite verdicts.toml --changed

[suite]
name = "verdicts of the catalogue"

[defaults]
pages = 2
in_flight = 2
"""


def text() -> str:
    """The suite's text."""
    return "\n".join([HEAD, *_questions()])


def _questions() -> Iterator[str]:
    yield _question("the document's protocol", "Postcopy")
    for name, change in CHANGES.items():
        yield _question(f"change {name}", name, violates=change.breaks[:1])
    for name, other in OTHERS.items():
        yield _question(f"other project {name}", name, violates=other.breaks[:1])
    for name, fault in FAULTS.items():
        yield _question(f"fault {name}", name, violates=fault.breaks[:1], pages=fault.pages)
    listed = set(FAULTS.values()) | set(CHANGES.values()) | set(OTHERS.values())
    for name, bug in HISTORY.items():
        if bug.faulty not in listed:
            yield _question(f"bug {name}", name, violates=(bug.breaks,))
    mended = dict.fromkeys((bug.mended, bug.breaks) for bug in HISTORY.values())
    whole = {change for change in CHANGES.values() if not change.breaks}
    for protocol, broken in mended:
        if protocol not in whole and name_of(protocol) != "postcopy" and name_of(protocol) in BY_NAME:
            yield _question(f"mended {name_of(protocol)}: {broken}", name_of(protocol), properties=(broken,))


def _question(
    name: str, protocol: str, violates: Sequence[str] = (), properties: Sequence[str] = (), pages: int = 2
) -> str:
    """A question. What is violated is asked alone: another violation may be nearer."""
    lines = ["[[check]]", f'name = "{name}"', f'protocol = "{protocol}"']
    if pages != 2:
        lines.append(f"pages = {pages}")
    if violates or properties:
        lines.append(f"properties = {_list(violates or properties)}")
    if violates:
        lines.append(f"violates = {_list(violates)}")
    return "\n".join((*lines, ""))


def _list(names: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def main() -> None:
    """Write the suite anew."""
    SUITE.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
