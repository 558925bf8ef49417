"""The part of docs/qemu-defects.md about QEMU 7.2.

`python -m documentation.qemu_7_2_defects` searches for all runs and writes the part anew, `... O2 O3` for these alone.
`documentation.qemu_defects` writes the rest of the page, and keeps this part.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence

from documentation.markdown import table
from documentation.qemu_defects import IN_7_2 as HEADING
from documentation.qemu_defects import PAGE, part_in_7_2, run
from documentation.tables_of_bugs import linked
from postcopy.catalogue.bugs.known import COMMITS
from postcopy.catalogue.qemu_7_2_defects import IN_7_2, OLDER, In72, Older
from postcopy.catalogue.qemu_defects import BY_CODE
from postcopy.catalogue.shown import Shown

_SECTION = re.compile(r"^### `(\w+)`: (.*?)(?=^### |\Z)", re.DOTALL | re.MULTILINE)
_RUN = re.compile(r"^```text\n.*?^```$", re.DOTALL | re.MULTILINE)
_COMMIT = re.compile(r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{10}\b")

_TEXT = """
The same questions, asked of [`qemu-7.2`](qemu.md), which Debian 12 has: its source was read in v7.2.0 and in 7.2.22. A
defect is shown where all later mends are in but the one that is named, `qemu-7.2-without-NAME`; `qemu-7.2-mended` has
all of them. *Holds* says that the protocol has no run that breaks the property.
"""

_OLDER = """
And 7.2 has these beside them, which are mended in 11.1.
"""


def part(runs: Mapping[str, str]) -> str:
    """The whole part.

    Args:
        runs: the run of each older defect, by its code, as a block of text.
    """
    rows = [
        [
            f"`{each.code}`",
            _words(BY_CODE[each.code].title),
            "yes" if each.there else "no",
            _verdict(each),
            _words(each.says),
        ]
        for each in IN_7_2
    ]
    glance = table(["defect", "what breaks", "in 7.2", "found by", "what is otherwise"], rows)
    return "\n".join([HEADING + _TEXT, glance, _OLDER, *("\n".join(_section(each, runs)) for each in OLDER)]) + "\n"


def _row(each: In72) -> list[str]:
    there = "yes" if each.there else "no"
    return [f"`{each.code}`", _words(BY_CODE[each.code].title), there, _verdict(each), _words(each.says)]


def kept(text: str) -> dict[str, str]:
    """The runs of the part, by the codes of their defects."""
    return {code: run[0] for code, section in _SECTION.findall(text) if (run := _RUN.findall(section))}


def _section(older: Older, runs: Mapping[str, str]) -> Iterator[str]:
    yield f"### `{older.code}`: {_words(older.title)}\n"
    yield _words(older.what) + "\n"
    facts = {"mended by": older.mended, "who is hurt": older.hurt, "seen": older.seen}
    yield table(["", ""], [[name, _words(fact)] for name, fact in facts.items()])
    yield f"\n`{older.asked.command}`\n"
    yield runs[older.code] + "\n"


def _verdict(each: In72) -> str:
    return _found(each.asked) if each.asked else ""


def _found(asked: Shown) -> str:
    answer = f"{asked.steps} steps" if asked.steps else "holds"
    return f"`{asked.broken}`: {answer} (`{asked.protocol}`)"


def _words(text: str) -> str:
    """A text of the registry, which is Markdown already: commits and codes of bugs become links."""
    return linked(_COMMIT.sub(lambda m: f"[`{m[0]}`]({COMMITS['QEMU'].format(m[0])})", text))


def main(codes: Sequence[str]) -> None:
    """Write the part, with new runs of the older defects that are named, or of all."""
    page = PAGE.read_text(encoding="utf-8")
    old = part_in_7_2(page)
    runs = kept(old) if codes else {}
    runs |= {each.code: run(each.asked) for each in OLDER if not codes or each.code in codes}
    PAGE.write_text(page.removesuffix(old).rstrip("\n") + "\n\n" + part(runs), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
