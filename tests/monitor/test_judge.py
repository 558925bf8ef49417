"""What QEMU did raises no alarm; what it never does raises one at the message that is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from postcopy.conformance.qemu.wire_files import Arrival, decoded, read_capture
from postcopy.engine import messages as m
from postcopy.monitor.compiled import Compiled
from postcopy.monitor.heads import AdjacentPages, Scattered
from postcopy.monitor.history import History
from postcopy.monitor.judge import Judge, judge_all, tell
from tests.conformance.wire_mutations import MUTATIONS, Mutation, Row
from tests.engine.recordings import RUNS
from tests.monitor.in_order import in_order

CAPTURES = Path(__file__).parents[1] / "conformance" / "captures"
SEEN_AT = {
    "ADVISE comes twice": "POSTCOPY_ADVISE",
    "the return path is never opened": "PING 1",
    "PONG answers no PING": "PONG 7",
    "PONG 1 comes before PING 1": "PONG 1",
    "PONG 1 comes twice": "PONG 1",
    "DISCARD comes twice": "POSTCOPY_RAM_DISCARD pc.ram 0x0",
    "DISCARD comes behind the package": "POSTCOPY_RAM_DISCARD",
    "the package comes twice": "PACKAGED",
    "a page of postcopy comes between DISCARD and package": "page pc.ram 0x0",
    "a page of postcopy is sent twice": "page pc.ram 0x0",
    "a page that is clean is sent in postcopy": "page pc.ram 0x1000",
    "a page that is there is requested": "REQ_PAGES pc.ram 0x1000",
    "a page is requested after SHUT": "REQ_PAGES pc.ram 0x0",
    "a page is requested before the package": "REQ_PAGES pc.ram 0x1f000",
    "SHUT comes before the end": "SHUT 0",
    "SHUT comes twice": "SHUT 0",
    "the end comes with pages to send": "end of the stream",
    "the end of the stream comes twice": "end of the stream",
    "the destination says that all has come": "reply RECV_BITMAP of 29 pages",
    "RESUME comes before the bitmap": "POSTCOPY_RESUME",
    "a page comes before RESUME is acknowledged": "page pc.ram 0x17000",
    "an urgent page that is not requested": "page on the preempt channel pc.ram 0x20000",
}
"""The first alarm, where it is the wrong message itself; the others leave something out, and that is seen later."""


def rows(name: str) -> list[Row]:
    return [json.loads(line) for line in (CAPTURES / f"{name}.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("capture", sorted(CAPTURES.iterdir()), ids=lambda path: path.stem)
def test_no_false_alarm_on_captures(compiled: Compiled, capture: Path) -> None:
    judge = judge_all(compiled, read_capture(capture))
    assert judge.status().verdict == "conforms", judge.alarms


def test_a_destination_that_fails_at_any_time_is_no_alarm_and_the_source_may_send_before_it_knows(
    compiled: Compiled,
) -> None:
    whole = list(decoded(rows("7.2-default")))
    sent = [its for its in whole if its.host == "source"]
    first = next(n for n, its in enumerate(whole) if its.host == "destination")
    for at in range(first, len(whole) - 1, 9):
        shut = whole[-1]._replace(host="destination", message=m.Shut(1))
        known = sum(its.host == "source" for its in whole[:at])
        judge = judge_all(compiled, [*whole[:at], shut, *sent[known : known + 1]])
        status = judge.status()
        assert (status.verdict, status.phase, judge.over) == ("conforms", "failed", True), (at, judge.alarms)


@pytest.mark.parametrize(
    ("message", "words"),
    [(m.Pong(2), "PONG"), (m.Request("ram", 0, 4096), "REQ_PAGES"), (m.Shut(0), "SHUT"), (m.Shut(1), "SHUT")],
)
def test_a_destination_that_has_given_up_says_no_more(compiled: Compiled, message: m.Message, words: str) -> None:
    judge = opened(compiled)
    judge.take("source", m.Ping(2))
    judge.take("destination", m.Shut(1))
    assert judge.status().verdict == "conforms"
    judge.take("destination", message)
    assert [its.words for its in judge.alarms] == [words]
    assert "has said before that it gives up" in judge.alarms[0].why


def test_a_destination_does_not_give_up_before_the_source_speaks_or_when_it_is_done(compiled: Compiled) -> None:
    early = Judge(compiled)
    early.take("destination", m.Shut(1))
    done = judge_all(compiled, decoded(rows("7.2-default")))
    assert not done.alarms
    done.take("destination", m.Shut(1))
    assert [its.words for its in (*early.alarms, *done.alarms)] == ["SHUT 1", "SHUT 1"]


@pytest.mark.parametrize("run", RUNS)
def test_no_false_alarm_on_recordings(compiled: Compiled, run: str) -> None:
    judge = judge_all(compiled, in_order(run))
    status = judge.status()
    assert (status.verdict, status.phase) == ("conforms", "completed"), judge.alarms[:1]
    assert status.by_state["sent"] == status.pages


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda its: its.name)
def test_a_spoilt_capture_raises_an_alarm(compiled: Compiled, mutation: Mutation) -> None:
    judge = judge_all(compiled, decoded(mutation.spoil(rows(mutation.capture))))
    assert judge.status().verdict == "refuted"
    if mutation.name in SEEN_AT:
        assert judge.alarms[0].words == SEEN_AT[mutation.name]


def test_each_message_that_is_named_is_one_of_a_mutation() -> None:
    assert SEEN_AT.keys() <= {mutation.name for mutation in MUTATIONS}


def test_an_alarm_tells_the_story_of_its_page(compiled: Compiled) -> None:
    spoil = next(its.spoil for its in MUTATIONS if its.name == "a page of postcopy is sent twice")
    alarm = judge_all(compiled, decoded(spoil(rows("7.2-default")))).alarms[0]
    story = [line.partition(" ")[2] for line in alarm.story]
    assert story[-1] == story[-2] == "page"
    assert [line for line in story if "PAGE" in line.upper()].count("page") >= 3
    assert {"OPEN_RETURN_PATH", "POSTCOPY_RAM_DISCARD", "PACKAGED"} <= set(story)
    assert (alarm.page, alarm.pages, alarm.host) == ("pc.ram 0x0", 1, "source")
    assert "line 66" in alarm.place
    assert "PAGE on stream with this page" not in alarm.expected
    assert "REQ_PAGES on return_path with this page" in alarm.expected
    said = "\n".join(tell(alarm))
    assert "refuted: page pc.ram 0x0, of the source" in said
    assert "what has passed about pc.ram 0x0 and to all:" in said


# -- one message after the other -------------------------------------------------------------------------------------


def opened(compiled: Compiled) -> Judge:
    """A migration of 64 pages in two blocks that has come to precopy."""
    judge = Judge(compiled)
    for message in (m.OpenReturnPath(), m.Ping(1), m.Advise(4096, 4096)):
        judge.take("source", message)
    judge.take("source", m.RamSize((m.Block("ram", 48 * 4096), m.Block("rom", 16 * 4096))))
    judge.take("destination", m.Pong(1))
    return judge


def scattered(block: str, offsets: list[int]) -> Scattered:
    return Scattered(block, np.array(offsets, np.uint64))


def test_neighbours_and_scattered_pages_are_judged_alike(compiled: Compiled) -> None:
    one, other = opened(compiled), opened(compiled)
    one.take("source", AdjacentPages("ram", 0, 8))
    other.take("source", scattered("ram", [4096 * n for n in (7, 3, 1, 0, 2, 4, 6, 5)]))
    assert one.status().by_state == other.status().by_state
    assert one.status().by_state["sent"] == 8
    assert one.messages == other.messages


@pytest.mark.parametrize("late", [0, 5, 7])
def test_one_wrong_page_in_a_run(compiled: Compiled, late: int) -> None:
    for order in ("neighbours", "scattered"):
        judge = opened(compiled)
        judge.take("source", AdjacentPages("ram", 0, 48))
        judge.take("source", AdjacentPages("rom", 0, 16))
        judge.take("source", m.Discard("ram", tuple((4096 * n, 4096) for n in range(8) if n != late)))
        judge.take("source", m.Packaged(b""))
        assert judge.status().verdict == "conforms"
        offsets = [4096 * n for n in range(8)]
        run = AdjacentPages("ram", 0, 8) if order == "neighbours" else scattered("ram", offsets[::-1])
        judge.take("source", run)
        (alarm,) = judge.alarms
        assert (alarm.words, alarm.pages) == (f"page ram 0x{4096 * late:x}", 1)


def test_a_page_twice_in_one_run(compiled: Compiled) -> None:
    judge = opened(compiled)
    judge.take("source", AdjacentPages("ram", 0, 48))
    judge.take("source", AdjacentPages("rom", 0, 16))
    judge.take("source", m.Discard("rom", ((0, 4096 * 3),)))
    judge.take("source", m.Packaged(b""))
    judge.take("source", scattered("rom", [0, 8192, 4096, 8192]))
    assert [alarm.words for alarm in judge.alarms] == ["page rom 0x2000"]


@pytest.mark.parametrize(
    "message",
    [
        m.Page("flash", 0, None, False),
        m.Page("ram", 48 * 4096, None, False),
        AdjacentPages("ram", 40 * 4096, 9),
        scattered("ram", [48 * 4096, 0]),
        scattered("flash", [4096, 0]),
        m.Request("ram", 1 << 60, 4096),
        m.Discard("rom", ((0, 17 * 4096),)),
        m.Discard("rom", ((0, 100),)),
    ],
)
def test_pages_that_are_not_there(compiled: Compiled, message: m.Message) -> None:
    judge = opened(compiled)
    host = "destination" if isinstance(message, m.Request) else "source"
    judge.take(host, message)
    assert judge.status().verdict == "refuted"
    assert "block" in judge.alarms[-1].why


def test_pages_before_the_sizes(compiled: Compiled) -> None:
    judge = Judge(compiled)
    judge.take("source", m.Page("ram", 0, None, False))
    assert "no sizes of blocks" in judge.alarms[0].why


def test_a_block_is_asked_for_and_answered_once(compiled: Compiled) -> None:
    judge = opened(compiled)
    judge.take("destination", m.ReceivedBitmap("ram", bytes(8)))
    assert "not been asked for" in judge.alarms[0].why


def test_late_pages_of_multifd_are_no_alarm(compiled: Compiled) -> None:
    judge = opened(compiled)
    judge.take("source", AdjacentPages("rom", 0, 16), multifd=True)
    judge.take("source", m.Packaged(b""))
    assert (judge.refused, judge.status().verdict) == (0, "unknown")
    judge.take("source", AdjacentPages("ram", 0, 48), multifd=True)
    assert (judge.refused, judge.status().verdict) == (0, "unknown")


def test_pages_of_multifd_may_be_seen_before_the_sizes(compiled: Compiled) -> None:
    """As QEMU 11.1 does it: what is sent on connections side by side is seen in any order."""
    judge = Judge(compiled)
    for message in (m.OpenReturnPath(), m.Ping(1), m.Advise(4096, 4096)):
        judge.take("source", message)
    judge.take("source", AdjacentPages("ram", 0, 3), multifd=True)
    judge.take("source", scattered("ram", [7 * 4096, 5 * 4096]), multifd=True)
    assert (judge.refused, judge.status().by_state["sent"], judge.messages) == (0, 0, 8)
    judge.take("source", m.RamSize((m.Block("ram", 48 * 4096),)))
    assert (judge.refused, judge.status().by_state["sent"]) == (0, 5)


def test_early_pages_that_are_not_there(compiled: Compiled) -> None:
    judge = Judge(compiled)
    judge.take("source", AdjacentPages("ram", 4096, 48), multifd=True)
    judge.take("source", m.RamSize((m.Block("ram", 48 * 4096),)))
    assert "block" in judge.alarms[0].why


def test_too_many_early_pages_are_unknown(compiled: Compiled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postcopy.monitor.judge.MOST_EARLY", 2)
    judge = Judge(compiled)
    for _ in range(3):
        judge.take("source", AdjacentPages("ram", 0, 1), multifd=True)
    assert judge.verdict == ("unknown", "too many pages have come on connections of multifd before the sizes of memory")


def test_nothing_seen_is_unknown(compiled: Compiled) -> None:
    assert Judge(compiled).verdict[0] == "unknown"


def test_alarms_are_kept_in_part_and_all_counted(compiled: Compiled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postcopy.monitor.judge.MOST_ALARMS", 2)
    judge = opened(compiled)
    for _ in range(5):
        judge.take("destination", m.Pong(9))
    assert (len(judge.alarms), judge.status().alarms) == (2, 5)


def test_history_forgets_what_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postcopy.monitor.history.MOST", 10)
    history = History()
    for n in range(12):
        history.run(float(n), "page", n % 2, 1)
    assert history.forgotten > 0
    assert [its.time for its in history.of_page(1)] == [its for its in (1.0, 3.0, 5.0, 7.0, 9.0, 11.0) if its > 4]


def test_a_long_run_is_found_at_its_end() -> None:
    history = History()
    history.run(1.0, "page", 5, 1 << 25)
    assert [its.words for its in history.of_page(5 + (1 << 25) - 1)] == ["page"]
    assert history.of_page(5 + (1 << 25)) == []


def test_arrivals_name_their_connection(compiled: Compiled) -> None:
    judge = judge_all(compiled, [Arrival("destination", "somewhere", m.Pong(4))])
    assert judge.alarms[0].place == "somewhere"
