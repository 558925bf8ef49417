"""On the terminal a story is aligned, plain where there is no terminal, and never wider than the terminal."""

import io

from rich.console import Console

from postcopy.language.trace import Trace
from postcopy.report.story.tell import tell
from postcopy.report.story.text import print_story
from tests.report.examples import OLD_LETTER, old_letter, run


def printed(trace: Trace, width: int = 80, terminal: bool = False) -> str:
    output = io.StringIO()
    console = Console(file=output, width=width, force_terminal=terminal, color_system="standard" if terminal else None)
    print_story(tell(trace), console)
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines())


def test_a_counterexample_in_full() -> None:
    assert (
        printed(old_letter())
        == """\
Counterexample to “Nobody reads an old letter”
Letters, 2 pages, 2 messages in flight; 5 steps
given  letters go by express: no

1  author   writes page 0
              the drafts: {} → {0}
2  clerk    posts a page; #1 | as_is, page 0  R1 R2
              mail van: [LETTER {0}]
              the writer's mood: calm → in a hurry
              the drafts: {0} → {}
              letters sent: 0 → 1
3  author   writes page 0
              mail van: [LETTER {0} old] (observer)
              the drafts: {} → {0}
4  postman  delivers a letter  R3
              mail van: []
              letters in the house: {} → {0}
              letters in the house that are no longer true: {} → {0} (observer)
5  vCPU 0   reads page 0

(observer) known only to an all-seeing observer: no thread can act on it

Violated: Nobody reads an old letter (R7)
Step 5 (vCPU 0: reads page 0) breaks it for page 0.
What was read is not what was written last."""
    )


def test_a_witness_ends_with_its_last_step() -> None:
    assert printed(run(OLD_LETTER[:1], None)).endswith("the drafts: {} → {0}")


def test_one_step_is_not_steps() -> None:
    assert "; 1 step\n" in printed(run(OLD_LETTER[:1], None))


def test_long_lines_wrap_inside_their_column() -> None:
    lines = printed(old_letter(), width=40).splitlines()
    assert max(map(len, lines)) <= 40
    start = next(i for i, line in enumerate(lines) if "letters in the house that" in line)
    assert lines[start + 1].startswith(" " * 14)


def test_only_a_terminal_gets_colour() -> None:
    assert "\x1b[" in printed(old_letter(), terminal=True)
    assert "\x1b[" not in printed(old_letter())
