"""What passed between two QEMUs is a behaviour of the model; spoilt in any of many ways it is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from postcopy.catalogue.loading import resolve
from postcopy.cli.exits import Exit
from postcopy.conformance.qemu.judge import Judgement, Question
from postcopy.conformance.qemu.projection import companions
from postcopy.conformance.qemu.wire_files import decoded, read_capture
from postcopy.conformance.qemu.wire_meaning import LOADS_DEVICES, WIRE
from postcopy.conformance.qemu.wire_reading import read_wire
from tests.conformance.wire_mutations import MUTATIONS, Mutation, Row

CAPTURES = Path(__file__).with_name("captures")
BROKEN = "7.2-recover"
RECORDED = Path(__file__).parents[1] / "engine" / "recorded"
QUICK = frozenset(
    {
        "a PING 1 is lost",
        "ADVISE comes twice",
        "PONG answers no PING",
        "DISCARD comes twice",
        "the package comes twice",
        "the end comes with pages to send",
        "a destination refuses twice",
    }
)


@pytest.fixture(scope="module")
def question() -> Question:
    return Question(*resolve("qemu-11"))


@pytest.fixture(scope="module")
def of_7_2() -> Question:
    return Question(*resolve("qemu-7.2"))


def rows(name: str) -> list[Row]:
    """The decoded events of a capture."""
    return [json.loads(line) for line in (CAPTURES / f"{name}.jsonl").read_text().splitlines()]


def judged(question: Question, path: Path) -> Judgement:
    """The verdict on a recording."""
    return question.judge(read_wire(read_capture(path), has_loaded=question.has("LOADED")))[0]


@pytest.mark.parametrize(
    "capture",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] * ("recover" in path.stem or "preempt" in path.stem))
        for path in sorted(CAPTURES.iterdir())
    ],
)
def test_what_qemu_did_conforms(question: Question, capture: Path) -> None:
    found = judged(question, capture)
    assert (found.verdict, found.explained) == ("conforms", found.observations), found


@pytest.mark.parametrize(
    "recording",
    [
        pytest.param(
            path, id=path.name, marks=[pytest.mark.slow] * path.name.endswith(("preempt", "recover", "7.2-default"))
        )
        for path in sorted(RECORDED.iterdir())
    ],
)
def test_what_was_recorded_without_times_conforms(question: Question, recording: Path) -> None:
    found = judged(question, recording)
    assert (found.verdict, found.explained) == ("conforms", found.observations), found


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    "mutation",
    [pytest.param(its, id=its.name, marks=[] if its.name in QUICK else [pytest.mark.slow]) for its in MUTATIONS],
)
def test_a_spoilt_capture_is_refuted(question: Question, mutation: Mutation) -> None:
    spoilt = mutation.spoil(rows(mutation.capture))
    found, _ = question.judge(read_wire(decoded(spoilt), has_loaded=True))
    assert found.verdict == "refuted", found
    assert found.first is not None
    assert found.why


def test_the_first_event_and_the_guard_are_named(question: Question) -> None:
    spoilt = next(its for its in MUTATIONS if its.name == "the package comes twice").spoil(rows("7.2-default"))
    found, _ = question.judge(read_wire(decoded(spoilt), has_loaded=True))
    assert found.first is not None
    assert (found.first.words, found.first.host) == ("PACKAGED", "source")
    near = {its.action: its for its in found.nearest}["source.sends_package"]
    assert near.guard == "require(self.phase == Phase.PACKAGING)"
    assert near.qemu == "migration/savevm.c:qemu_savevm_send_packaged"


def test_the_run_is_kept_and_has_a_step_for_each_event(question: Question) -> None:
    recording = read_wire(decoded(rows("7.2-immediate")), has_loaded=True)
    found, steps = question.judge(recording, keep=True)
    lines = list(steps)
    assert found.verdict == "conforms"
    assert any("destination.starts_guest" in line and "not seen" in line for line in lines)
    assert any("source.sends_package: PACKAGED" in line for line in lines)


def test_a_protocol_without_recovery_does_not_explain_a_second_connection() -> None:
    document = Question(*resolve("whole-bitmap-discard"))
    found, _ = document.judge(read_wire(decoded(rows("7.2-recover")), has_loaded=document.has("LOADED")))
    assert found.verdict == "refuted", found
    assert found.first is not None
    assert found.first.words == "a new main connection"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] * ("lossy" in path.stem))
        for path in sorted(CAPTURES.glob("7.2*"))
    ],
)
def test_what_7_2_did_conforms_to_the_model_of_7_2(of_7_2: Question, path: Path) -> None:
    found = judged(of_7_2, path)
    assert (found.verdict, found.explained) == ("conforms", found.observations), found


@pytest.mark.one_in(3)
@pytest.mark.slow
@pytest.mark.parametrize("mutation", [pytest.param(its, id=its.name) for its in MUTATIONS if its.capture == BROKEN])
def test_a_spoilt_capture_with_a_break_is_refuted_by_the_model_of_7_2(of_7_2: Question, mutation: Mutation) -> None:
    found, _ = of_7_2.judge(read_wire(decoded(mutation.spoil(rows(mutation.capture))), has_loaded=False))
    assert found.verdict == "refuted", found


def test_a_refusal_may_pass_before_pages_that_the_source_sends_without_knowing_of_it(question: Question) -> None:
    refused = rows("11.1-refused")
    said = [row for row in refused if row.get("dir") == "dst->src"]
    rest = [row for row in refused if row.get("dir") != "dst->src"]
    first = next(n for n, row in enumerate(rest) if row.get("msg") == "page")
    early = [*rest[:first], *({**row, "t": rest[first]["t"]} for row in said), *rest[first:]]
    found, steps = question.judge(read_wire(decoded(early), has_loaded=True), keep=True)
    assert (found.verdict, found.explained) == ("conforms", found.observations), found
    assert "SHUT 1" in list(steps)[-1]


def test_no_page_of_a_real_recording_is_refuted(of_7_2: Question) -> None:
    """What is left out of the states that are looked at explains nothing that others do not explain as well."""
    for name in ("7.2-default", "7.2-preempt", "7.2-cancel-precopy"):
        recording = read_wire(read_capture(CAPTURES / f"{name}.jsonl"), has_loaded=False)
        for page in range(0, recording.pages, 5):
            assert of_7_2.refuted(recording, companions(recording, page), 20.0) is None, (name, page)


@pytest.mark.slow
def test_no_page_of_a_recording_with_a_break_is_refuted(of_7_2: Question) -> None:
    recording = read_wire(read_capture(CAPTURES / "7.2-recover.jsonl"), has_loaded=False)
    for page in (0, 0x16, 0x1B):
        assert of_7_2.refuted(recording, companions(recording, page), 60.0) is None, page


def test_the_answer_to_the_package_loads_the_devices_where_it_is_no_message(of_7_2: Question) -> None:
    recording = read_wire(decoded(rows("7.2-default")), has_loaded=of_7_2.has("LOADED"))
    (seen,) = (its for its in recording.streams[0] if its.words == "PONG 3")
    assert seen.means == (LOADS_DEVICES,)


def test_the_documents_discard_is_not_qemus() -> None:
    """The document discards what was sent and is dirty; QEMU since 2019 all that is dirty."""
    document = Question(*resolve("Postcopy"))
    found, _ = document.judge(read_wire(decoded(rows("7.2-immediate")), has_loaded=document.has("LOADED")))
    assert found.verdict == "refuted", found
    assert found.first is not None
    assert found.first.words.startswith("POSTCOPY_RAM_DISCARD")


def test_every_row_of_the_table_is_in_the_document() -> None:
    document = (Path(__file__).parents[2] / "docs" / "conformance-with-qemu.md").read_text(encoding="utf-8")
    for row in WIRE:
        means = "" if row.means is None else f"`{row.means}`"
        assert f"| {row.qemu} | {means} | {row.how} |" in document


def test_the_exit_codes_tell_the_verdicts_apart() -> None:
    assert (Exit.OK, Exit.VIOLATED, Exit.INCONCLUSIVE) == (0, 12, 75)
