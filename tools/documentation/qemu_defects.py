"""docs/qemu-defects.md: what breaks in QEMU's postcopy, with the runs in which the checker finds it.

`python -m documentation.qemu_defects` searches for all of them (some minutes) and writes the page anew. With codes
behind it, as in `python -m documentation.qemu_defects H3 N1`, it searches for these and for those that the page lacks,
and keeps the other runs. The slow tests ask for each run again.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from documentation.markdown import table
from documentation.qemu_reproduced import Row
from documentation.qemu_reproduced import kept as kept_replays
from documentation.tables_of_bugs import linked
from postcopy.catalogue.bugs.known import COMMITS
from postcopy.catalogue.loading import resolve
from postcopy.catalogue.properties import choose
from postcopy.catalogue.qemu_defects import DEFECTS, LIMITS, Defect, Limit
from postcopy.catalogue.shown import Shown
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Options, Verdict
from postcopy.language.instance import Instance
from postcopy.model.fault import name_of
from postcopy.report.story.tell import tell

PAGE = Path("docs/qemu-defects.md")
IN_7_2 = "## In QEMU 7.2\n"
"""The heading of the part that `documentation.qemu_7_2_defects` writes."""

_SECTION = re.compile(r"^## `(\w+)`: (.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
_RUN = re.compile(r"^```text\n.*?^```$", re.DOTALL | re.MULTILINE)
_COMMIT = re.compile(r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{10}\b")

_TEXT = """# Defects of postcopy in QEMU 11.1

Each row of the table leads to a section: what goes wrong and in which function, since which commit, who is hurt, how
likely that is, the smallest mend, the command that finds it, and the model's shortest run. Behind them stand two things
that no mend of one host can give, since neither host can know what the other one has read, `G1` and `G2`, and what
[QEMU 7.2](#in-qemu-72) has of all these. All functions are in QEMU's folder `migration` unless it is named. Rare means
what it says: postcopy migrations succeed every day. Words of the field are in the [glossary](glossary.md).

**How each is shown.** The protocol [`qemu-11`](qemu.md) is QEMU 11.1 step by step. Each defect breaks a property that
knows nothing of it, and has a smallest mend: a change of its own, which `postcopy list qemu` shows. One defect often
hides behind another one that breaks the same property in fewer steps. So each is shown in a protocol in which all
others are mended: `qemu-11-without-NAME` has all mends but one, `qemu-11-with-CODE` all but for one defect of a mend
that is for several. With the mend the property holds at the same size and options; the slow tests ask for both.

**How they were found.** H0 to H14, D1, D1b and D2 by reading the source, and most were run on QEMU 11.1.3; N7 and N8 by
reading it again while the model was made; N1 to N6 and N9 to N11 by the model, and looked up in the source
(v11.1.0-rc2) afterwards.

**What real QEMUs did.** The last column says how often real QEMUs (Debian's 7.2, 10.0 and 11.1, on the dates below)
came to the end of the model's own story, driven along it by
[`postcopy replay --qemu`](engine.md#replaying-on-real-qemus). Stories found where other defects are mended cannot be
followed to their end by a QEMU that has them. So for H4, H8 and H9 the story is asked of the model as shipped, and D1,
H2 and H6 have a property of their own (`tools/documentation/qemu_protocols.py`). In H9 the valve asks for a page in the
place of a thread that nothing outside can delay. [All results](qemu-reproduced.json);
`python -m documentation.qemu_reproduced QEMU...` makes them anew.
"""


def search(shown: Shown, protocol: str = "") -> Verdict:
    """The answer to a question, or to the same question about another protocol."""
    cls = resolve(protocol or shown.protocol)[1]
    instance = Instance(cls, shown.pages, shown.in_flight, choose([shown.broken], cls), shown.host_page or cls.group)
    return explore(instance, Options(max_memory=4 << 30))


def page(runs: Mapping[str, str]) -> str:
    """The whole page.

    Args:
        runs: the run of each defect that is shown, by its code, as a block of text.
    """
    replayed = kept_replays()
    rows = [
        [_to(d), _words(d.title), _words(d.needs), _mend(d), _property(d), _counts(d.code, replayed)] for d in DEFECTS
    ]
    columns = ["defect", "what breaks", "needs", "mend", "found by", "reproduced on 7.2, 10.0, 11.1"]
    glance = table(columns, rows)
    sections = ["\n" + "\n".join(_section(defect, runs)) for defect in DEFECTS]
    limits = ["\n" + "\n".join(_limit(limit, runs)) for limit in LIMITS]
    return "\n".join([linked(_TEXT), glance, *sections, *limits]) + "\n"


def kept(text: str) -> dict[str, str]:
    """The runs of a page, by the codes of their defects."""
    sections = _SECTION.findall(text.partition(IN_7_2)[0])
    return {code: run[0] for code, section in sections if (run := _RUN.findall(section))}


def part_in_7_2(text: str) -> str:
    """The part of a page that is about QEMU 7.2; empty where it has none."""
    _, heading, rest = text.partition(IN_7_2)
    return heading + rest


def run(shown: Shown) -> str:
    """The run that answers a question, a step in each line."""
    return "\n".join(_story(search(shown)))


def _section(defect: Defect, runs: Mapping[str, str]) -> Iterator[str]:
    yield f"## `{defect.code}`: {_words(defect.title)}\n"
    yield _words(defect.what) + "\n"
    facts = {
        "since": defect.since or "not looked up",
        "who is hurt": defect.hurt,
        "needs": defect.needs,
        "likelihood": defect.likely,
        "what the authors know": defect.known,
        "seen": defect.evidence,
    }
    facts |= {f"replayed on {row.qemu}": _replay(row) for row in kept_replays() if row.defect == defect.code}
    yield table(["", ""], [[name, _words(fact)] for name, fact in facts.items()])
    if defect.mend is not None:
        yield f"\nMend: `{name_of(defect.mend)}`. {_words(defect.mended)}"
    if defect.shown is None:
        yield f"\nNot shown: {_words(defect.unshown)}"
    else:
        yield f"\n`{defect.shown.command}`\n"
        yield runs[defect.code]


def _limit(limit: Limit, runs: Mapping[str, str]) -> Iterator[str]:
    yield f"## `{limit.code}`: {limit.title}\n"
    yield _words(limit.why) + "\n"
    yield f"`{limit.shown.command}`\n"
    yield runs[limit.code]


def _story(verdict: Verdict) -> Iterator[str]:
    trace = verdict.counterexample
    assert trace is not None
    story = tell(trace)
    width = max(len(step.thread) for step in story.steps)
    yield "```text"
    yield from (f"given  {line}" for line in story.given)
    yield from (f"{step.number:2}  {step.thread:{width}}  {step.what}" for step in story.steps)
    contradiction = story.contradiction
    yield f"\nViolated: {contradiction.sentence}" if contradiction else f"\n{story.title}"
    yield "```"


def _counts(code: str, replayed: Sequence[Row]) -> str:
    """How often each version showed a defect: ``0 of 1, 2 of 2``; empty where it was not replayed."""
    rows = sorted((row for row in replayed if row.defect == code), key=lambda row: [*map(int, row.qemu.split("."))])
    return ", ".join(f"{row.reproduced} of {row.attempts}" for row in rows)


def _replay(row: Row) -> str:
    """What came of a replay, in a sentence."""
    steps = f"{row.followed} of {row.steps} steps followed, {row.not_faithful} neither seen nor steered"
    refused = f"; refused first: `{row.refused[0].partition(':')[0]}`" if row.refused else ""
    end = (row.seen or "the story's end was not reached").replace("|", "/").replace("`", "'")
    return f"{row.reproduced} of {row.attempts} ({row.date}): {end}; {steps}{refused}"


def _to(defect: Defect) -> str:
    heading = f"{defect.code}: {_words(defect.title)}".lower()
    return f"[`{defect.code}`](#{re.sub(r'[^a-z0-9 -]', '', heading).replace(' ', '-')})"


def _mend(defect: Defect) -> str:
    return f"`{name_of(defect.mend)}`" if defect.mend else ""


def _property(defect: Defect) -> str:
    return f"`{defect.shown.broken}`, {defect.shown.steps} steps" if defect.shown else ""


def _words(text: str) -> str:
    """A text of the registry, which is Markdown already: commits and codes of bugs become links."""
    commits = _COMMIT.sub(lambda m: f"[`{m[0]}`]({COMMITS['QEMU'].format(m[0])})", text)
    return linked(commits)


def main(codes: Sequence[str]) -> None:
    """Write the page, with new runs of the defects that are named, or of all."""
    old = PAGE.read_text(encoding="utf-8")
    runs = kept(old) if codes else {}
    questions = {each.code: each.shown for each in (*DEFECTS, *LIMITS) if each.shown}
    runs |= {code: run(shown) for code, shown in questions.items() if code in codes or code not in runs}
    PAGE.write_text(page(runs) + "\n" + part_in_7_2(old), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
