"""A run that goes on for ever, in every format: what is repeated, why no thread is neglected, and what is refused."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from rich.console import Console

from postcopy.errors import TraceError
from postcopy.language.instance import Instance
from postcopy.language.trace import Trace, go_round
from postcopy.report.charts.markdown import markdown
from postcopy.report.charts.mermaid import mermaid
from postcopy.report.charts.svg import sequence_svg
from postcopy.report.records.story import run_record
from postcopy.report.story.itf import from_itf, to_itf
from postcopy.report.story.tell import tell
from postcopy.report.story.text import print_story
from tests.explorer import tiny_liveness as tiny

BOTH = (tiny.served, tiny.emptied)


def unfair() -> Instance:
    return Instance(tiny.Unfair, 2, 1, BOTH)


def starved() -> Trace:
    """Page 0 waits while page 1 is served again and again. The first round differs: it is part of the stem."""
    instance = unfair()
    again = [("counter.comes", 1), ("counter.serves", 1)]
    return go_round(instance, instance.initial_states()[0], [("counter.comes", 0)], again, "served")


def locked() -> Trace:
    """Nobody can work any more."""
    instance = Instance(tiny.Idling, 1, 1, (tiny.done_whatever_happens,))
    return go_round(instance, instance.initial_states()[0], [("idler.locks", None)], [], "done-whatever-happens")


def printed(trace: Trace) -> str:
    output = io.StringIO()
    print_story(tell(trace), Console(file=output, width=80, color_system=None))
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines())


def test_a_loop_on_the_terminal() -> None:
    assert (
        printed(starved())
        == """\
Counterexample to “Whoever waits is served”
Unfair, 2 pages, 1 message in flight; 3 steps and a loop of 2

1  customers  comes and waits, page 0
                who waits to be served: {} → {0}
2  customers  comes and waits, page 1
                who waits to be served: {0} → {0, 1}
3  clerk      serves one who waits, page 1
                who waits to be served: {0, 1} → {0}
                who was served in this round: {} → {1}
              from here on for ever
4  customers  comes and waits, page 1
                who waits to be served: {0} → {0, 1}
5  clerk      serves one who waits, page 1
                who waits to be served: {0, 1} → {0}
              and again from step 4

Violated: Whoever waits is served
It is due for page 0 from step 1 on (customers: comes and waits, page 0), and
never happens: steps 4 and 5 are repeated for ever. No thread is neglected: the
clerk acts in step 5.
He waits for ever."""
    )


def test_a_run_in_which_nothing_need_happen_any_more_on_the_terminal() -> None:
    assert (
        printed(locked())
        == """\
Counterexample to “All work is done”
Idling, 1 page, 1 message in flight; 1 step, and then nothing for ever

1  thief  locks the door
            nobody may work: no → yes
          and so it stays for ever: no thread has anything left to do

Violated: All work is done
It is due from the beginning, and never happens: after step 1 no thread has
anything left to do.
Nobody can work."""
    )


def test_a_loop_in_markdown() -> None:
    page = markdown(tell(starved()))
    assert "A counterexample in 3 steps and a loop of 2 of `Unfair`" in page
    lines = page.splitlines()
    rows = [line for line in lines if line.startswith("| ")][1:]
    assert rows[3] == "| | | **from here on for ever** | |"
    assert rows[-1] == "| | | **and again from step 4** | |"
    assert "## Why this run is a contradiction" in lines
    assert "loop of" not in markdown(tell(locked()))


def test_a_loop_as_a_mermaid_chart() -> None:
    assert mermaid(tell(starved())).splitlines()[-7:] == [
        "    loop for ever",
        "        Note over T0: 4. comes and waits, page 1",
        "        Note over T1: 5. serves one who waits, page 1",
        "    end",
        "    rect rgba(220, 40, 50, 0.2)",
        "        Note over T0,T1: Violated: Whoever waits is served",
        "    end",
    ]


def test_a_loop_as_a_sequence_chart() -> None:
    chart = sequence_svg(tell(starved()))
    assert "from here on for ever" in chart
    assert "and again from step 4" in chart
    assert chart.count('class="lastrow"') == 1
    idle = sequence_svg(tell(locked()))
    assert "and so it stays for ever" in idle
    assert 'class="lastrow"' not in idle


def test_a_loop_as_json_says_where_it_begins() -> None:
    assert run_record(tell(starved())).loop == 4
    assert run_record(tell(locked())).loop == 2


# -- files ----------------------------------------------------------------------------------------------------------


def written(trace: Trace) -> bytes:
    return to_itf(trace, "unfair", "print")


def read(text: bytes) -> Trace:
    return from_itf(text, lambda *_: unfair(), lambda _: "print")


def changed(change: Callable[[Any], object]) -> bytes:
    document = msgspec.json.decode(written(starved()))
    change(document)
    return msgspec.json.encode(document)


def test_a_loop_survives_being_written_and_read() -> None:
    run = starved()
    document = msgspec.json.decode(written(run))
    assert document["loop"] == 3
    assert {k: v for k, v in document["states"][3].items() if k != "#meta"} == {
        k: v for k, v in document["states"][-1].items() if k != "#meta"
    }
    again = read(written(run))
    assert (again.states, again.labels, again.loop) == (run.states, run.labels, run.loop)
    assert "loop" not in msgspec.json.decode(written(replace(run, loop=None, violated=None)))


@pytest.mark.parametrize("loop", [0, 2, 4, 6, -1])
def test_a_loop_that_does_not_close_is_refused(loop: int) -> None:
    with pytest.raises(TraceError, match=f"goes back to state {loop}, which is not the one that it ends in"):
        read(changed(lambda document: document.update(loop=loop)))


@pytest.mark.parametrize(
    "change",
    [lambda document: document.pop("loop"), lambda document: document.update(loop=5)],
    ids=["it ends", "the clerk is neglected"],
)
def test_a_run_that_ends_or_neglects_a_thread_violates_nothing(change: Callable[[Any], Any]) -> None:
    with pytest.raises(TraceError, match="claims to violate served, which its run keeps, or breaks by neglecting"):
        read(changed(change))


def test_a_run_that_keeps_the_promise_does_not_violate_it() -> None:
    instance = unfair()
    again = [("counter.comes", 0), ("counter.serves", 0)]
    kept = go_round(instance, instance.initial_states()[0], [], again, "served")
    with pytest.raises(TraceError, match="claims to violate served"):
        read(written(kept))
