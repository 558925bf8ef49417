"""The HTML page as text: what it says, that it needs nothing from elsewhere, and what is in it for programs."""

import json
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Outcome, Verdict
from postcopy.language import NO_DEADLOCK, Property, Protocol
from postcopy.language.instance import Instance
from postcopy.language.trace import Trace
from postcopy.report.pages.check import html
from postcopy.report.records.check import check_record
from postcopy.report.results import check as summary
from postcopy.report.story.held import held
from postcopy.report.story.lanes import Arrow, Filling, groups, rows
from postcopy.report.story.tell import tell
from postcopy.report.story.words import contents
from tests.cli.conftest import refused
from tests.cli.conftest import run as run  # noqa: PLC0414  (a fixture)
from tests.explorer import tiny_liveness as tiny
from tests.report.examples import Handover, NothingReceived, never_finishes, old_letter
from tests.report.examples import run as walk

VOID = {"meta", "input", "br"}


@cache
def checked(protocol: type[Protocol], *properties: Property) -> Verdict:
    return explore(Instance(protocol, 2, 1, properties), Options(engine=Engine.INTERPRETED))


def page(verdict: Verdict, *further: Verdict) -> str:
    return html(verdict, further, check_record(verdict, "Tiny"), "postcopy check tiny.py")


def data(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


class Outline(HTMLParser):
    """The words of a page, and whether its elements are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.said: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.said += data.split()

    @property
    def words(self) -> str:
        return " ".join(self.said)


def words(text: str) -> str:
    outline = Outline(text)
    assert outline.open == []
    return outline.words


SAFETY, DEADLOCK, HOLDS, LASSO = (
    (Handover, never_finishes),
    (NothingReceived, NO_DEADLOCK),
    (Handover, NO_DEADLOCK),
    (tiny.Unfair, tiny.served),
)
ALL = pytest.mark.parametrize("of", [SAFETY, DEADLOCK, HOLDS, LASSO], ids=["safety", "deadlock", "holds", "lasso"])


@ALL
def test_it_needs_nothing_from_elsewhere(of: Any) -> None:
    text = page(checked(*of))
    assert not re.search(r"""https?://|\bsrc=|\bhref=|@import|url\((?!#)""", text)
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text


@ALL
def test_it_says_the_verdict_the_numbers_and_every_property_and_action(of: Any) -> None:
    verdict = checked(*of)
    said = words(page(verdict))
    assert summary.sentence(verdict) in said
    assert f"states {verdict.states:,} transitions {verdict.transitions:,} depth {verdict.depth}" in said
    for prop in verdict.instance.properties:
        assert f"{summary.SIGNS[summary.answer(verdict, prop)][0]} {prop.sentence} {prop.name}" in said
    for action in verdict.instance.actions:
        times = verdict.fired[action.name]
        assert f"{action.name} {f'{times:,}' if times else 'n'}" in said
    assert "To see it again: postcopy check tiny.py" in said


@ALL
def test_it_ends_with_why(of: Any) -> None:
    verdict = checked(*of)
    said = words(page(verdict))
    if verdict.counterexample is None:
        assert "Violated:" not in said
        return
    story = tell(verdict.counterexample)
    assert story.contradiction is not None
    assert f"Violated: {story.contradiction.sentence}" in said
    assert said.count(story.contradiction.culprits) == (2 if story.culprit else 1)


def test_a_loop_is_marked_above_below_and_at_each_of_its_steps() -> None:
    verdict = checked(*LASSO)
    assert verdict.counterexample is not None
    story = tell(verdict.counterexample)
    said = words(page(verdict))
    assert "↻ from here on for ever" in said
    assert f"↺ and again from step {story.loop}" in said
    assert said.count("↻ repeated for ever") == len(story.repeated)
    assert "for ever" not in words(page(checked(*SAFETY)))


def test_text_of_a_protocol_is_text_in_the_page() -> None:
    text = page(checked(*SAFETY))
    assert "starts &lt;now&gt; &amp; here" in text
    assert "<now>" not in text
    assert "starts <now> & here" in data(text)["stories"][0]["story"]["steps"][0]["what"]
    ends = replace(checked(*HOLDS), why="</script><script>alert(1)</script>", outcome=Outcome.INCONCLUSIVE)
    text = page(ends)
    assert text.count("<script") == text.count("</script>") == 2
    assert data(text)["check"]["why"] == ends.why


def test_an_inconclusive_search_says_so() -> None:
    verdict = replace(checked(*HOLDS), why="interrupted", outcome=Outcome.INCONCLUSIVE, frontier=7)
    assert 'class="verdict unsure"' in page(verdict)
    assert "inconclusive: interrupted; 7 states are still to be expanded" in words(page(verdict))


def test_several_counterexamples_have_a_section_each() -> None:
    text = page(checked(*SAFETY), checked(*DEADLOCK))
    assert text.count('<section class="story"') == 2
    assert f"Without the properties violated before: {summary.sentence(checked(*DEADLOCK))}" in words(text)
    assert len(data(text)["stories"]) == 2


# -- what the page is made of ---------------------------------------------------------------------------------------


def test_lanes_of_threads_and_channels_and_how_full_these_are() -> None:
    story = tell(old_letter())
    assert [(g.host, g.names, g.first) for g in groups(story)] == [
        ("writer", ("author", "clerk"), 0),
        ("", ("mail van",), 2),
        ("reader", ("postman", "vCPU 0"), 3),
    ]
    found = rows(story)
    assert [row.lane for row in found] == [0, 1, 0, 3, 4]
    assert [row.arrows for row in found] == [
        (),
        (Arrow(1, 2, 0, sent=True),),
        (),
        (Arrow(2, 3, 0, sent=False),),
        (),
    ]
    assert [row.fillings[0] for row in found] == [
        Filling(2, 0, 0, 0, 0),
        Filling(2, 0, 0, 1, 0),
        Filling(2, 0, 1, 1, 0),
        Filling(2, 0, 1, 0, 0),
        Filling(2, 0, 0, 0, 0),
    ]


def test_a_lost_message_leaves_the_lane() -> None:
    lost: list[tuple[str, int | None]] = [("writer.writes", 0), ("writer.posts", 0), ("road.washes_away", None)]
    last = rows(tell(walk(lost, None)))[-1].fillings[0]
    assert (last.before, last.after, last.lost) == (1, 0, 1)


def values(trace: Trace, step: int) -> dict[str, Any]:
    """What the state is said to hold after a step: bits, messages or words."""
    found = {}
    for part in held(trace):
        (value,) = [value for value in part.values if value.since <= step < value.until]
        found[part.variable] = value
    return found


@pytest.mark.parametrize("step", range(6))
def test_what_is_held_is_the_state(step: int) -> None:
    trace = old_letter()
    instance, state, said = trace.instance, trace.states[step], values(trace, step)
    bitmaps = ["writer.drafts", "reader.has", "reader.waiting[0]", "diary.outdated"]
    assert [said[name].bits for name in bitmaps] == [state[instance.index[instance.variable[name]]] for name in bitmaps]
    assert said["mail_van"].messages == tuple(contents(instance, state, instance.channels["mail_van"]))
    assert said["writer.mood"].words == ("calm" if step < 2 else "in a hurry")
    assert said["writer.mood"].bits is None


# -- on the command line --------------------------------------------------------------------------------------------


def test_the_page_has_the_object_that_json_prints(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    result = run("check", "--fault", "unpackaged", "--pages", "1", "--in-flight", "1", "--json", "--report", str(file))
    assert result.code == 11
    text = file.read_text(encoding="utf-8")
    assert data(text)["check"] == json.loads(result.out)
    assert f"postcopy check --fault unpackaged --pages 1 --in-flight 1 --json --report {file}" in words(text)
    assert "Known to violate: no-deadlock – found" in words(text)


def test_where_a_report_cannot_go(run: Any, tmp_path: Path) -> None:
    assert "the name has to end in .html" in refused(run, "check", "--report", "report.pdf")
    missing = tmp_path / "missing" / "report.html"
    assert f"cannot write --report {missing}: there is no directory" in refused(run, "check", "--report", str(missing))
