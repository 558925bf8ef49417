"""docs/qemu-reproduced.json: which defects of QEMU real QEMUs show, driven along the model's own stories.

`python -m documentation.qemu_reproduced QEMU...` finds each defect's story, replays it on each of these QEMUs, and
writes what came of it; results of other versions stay. With `--only H3,N1` before the QEMUs it does this for some
alone, and with `--times 8` so often. For three versions that takes about an hour. The newer QEMUs come from
`tools/get-qemu`.
"""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from documentation.kept_rows import keep_row, kept_rows
from postcopy.catalogue.loading import load
from postcopy.catalogue.properties import choose
from postcopy.catalogue.qemu_defects import DEFECTS
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Options
from postcopy.language.instance import Instance
from postcopy.language.trace import Trace
from postcopy.replay.follow import replay_on_qemu
from postcopy.replay.results import Answer

RESULTS = Path("docs/qemu-reproduced.json")
_PROTOCOLS = "tools/documentation/qemu_protocols.py"


class Question(NamedTuple):
    """The question whose answer is the story.

    Attributes:
        protocol: as `postcopy check` takes it.
        broken: the property.
        why: why it is not the story of docs/qemu-defects.md.
    """

    protocol: str
    broken: str
    why: str = ""


_AS_ON_THE_PAGE = ("H0", "H1", "H1b", "H3", "H5", "H14", "N5", "N11")
_MENDED = "that story pauses the source before postcopy-active, by a mend that QEMU has not"
_PART = "that page has no story of it alone"
QUESTIONS = {
    **{d.code: Question(d.shown.protocol, d.shown.broken) for d in DEFECTS if d.shown and d.code in _AS_ON_THE_PAGE},
    "H2": Question(f"{_PROTOCOLS}:NetworkBreaks+preempt=off+disk_lock=off", "completion-starts-no-guest", _PART),
    "H4": Question(f"{_PROTOCOLS}:PostStays+preempt=on+disk_lock=on", "no-process-aborts", _MENDED),
    "H6": Question(f"{_PROTOCOLS}:OneDirectionBreaks+preempt=off+disk_lock=off", "completion-starts-no-guest", _PART),
    "H8": Question(f"{_PROTOCOLS}:ThreadWokenLate+preempt=on+disk_lock=on", "no-process-aborts", _MENDED),
    "H9": Question(f"{_PROTOCOLS}:NetworkBreaks+preempt=on+disk_lock=on", "no-process-aborts", _MENDED),
    "D1": Question(f"{_PROTOCOLS}:NetworkBreaks+preempt=off+disk_lock=off", "noted-pong-decides", _PART),
}
"""By the defect's name."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one defect on one QEMU.

    Attributes:
        defect: its name in docs/qemu-defects.md.
        protocol: the story's.
        broken: the property that it violates.
        steps: how many it has.
        why: why it is another story than that page's; empty where it is that one.
        qemu: the version.
        date: when it was run.
        attempts: how often.
        reproduced: in how many of them the end was the story's.
        seen: that end, in words; empty where it was in none.
        followed: steps of the most telling attempt that were followed.
        not_faithful: those that can be neither seen nor steered.
        refused: those that QEMU did not take, each with what it did.
    """

    defect: str
    protocol: str
    broken: str
    steps: int
    why: str
    qemu: str
    date: str
    attempts: int
    reproduced: int
    seen: str
    followed: int
    not_faithful: int
    refused: tuple[str, ...]


def story(question: Question) -> Trace:
    """The run that answers a question, with one page and one message in flight."""
    cls = load(question.protocol)[1]
    instance = Instance(cls, 1, 1, choose([question.broken], cls), cls.group)
    found = explore(instance, Options(max_memory=4 << 30)).counterexample
    assert found is not None, question
    return found


def row(code: str, question: Question, run: Trace, program: str, times: int) -> Row:
    """Replay a story on a QEMU."""
    result = replay_on_qemu(run, question.protocol, program, times)
    shown = next((attempt for attempt in result.attempts if attempt.reproduced), result.attempts[0])
    return Row(
        defect=code,
        protocol=question.protocol,
        broken=question.broken,
        steps=len(run.steps),
        why=question.why,
        qemu=result.qemu,
        date=time.strftime("%Y-%m-%d"),
        attempts=times,
        reproduced=result.reproduced,
        seen=shown.because,
        followed=shown.count(Answer.FOLLOWED),
        not_faithful=shown.count(Answer.NOT_FAITHFUL),
        refused=tuple(f"{s.number} {s.action}: {s.seen}" for s in shown.steps if s.answer is Answer.REFUSED),
    )


def kept() -> list[Row]:
    """The rows of the stored file."""
    return kept_rows(RESULTS, Row)


def keep(new: Row) -> None:
    """Put a row into the stored file, in the place of an older one."""
    keep_row(RESULTS, new, lambda each: (list(QUESTIONS).index(each.defect), each.qemu))


def main(arguments: Sequence[str] | None = None) -> None:
    """Replay the stories, and write what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(QUESTIONS), help="names of defects, with commas between")
    parser.add_argument("--times", type=int, default=2, help="how often each is replayed")
    parser.add_argument("qemu", nargs="+", help="a QEMU, a name or a path")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: no QEMU is left behind
    for code in asked.only.split(","):
        run = story(QUESTIONS[code])
        for program in asked.qemu:
            new = row(code, QUESTIONS[code], run, program, asked.times)
            keep(new)
            print(
                f"{code} on {new.qemu}: {new.reproduced} of {new.attempts}, {len(new.refused)} refused: {new.seen}",
                flush=True,
            )


if __name__ == "__main__":
    main()
