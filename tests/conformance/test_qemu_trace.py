"""What two QEMUs wrote into their logs of trace events is a behaviour of the model; spoilt in any of many ways not."""

from __future__ import annotations

from pathlib import Path

import pytest

from postcopy.catalogue.loading import resolve
from postcopy.conformance.qemu.judge import Judgement, Question
from postcopy.conformance.qemu.observations import Recording
from postcopy.conformance.qemu.trace_files import Line, read_trace
from postcopy.conformance.qemu.trace_meaning import LOG
from postcopy.conformance.qemu.trace_reading import read_traces
from postcopy.errors import UsageError
from tests.conformance.trace_mutations import MUTATIONS, Mutation

TRACES = Path(__file__).with_name("traces")
RUNS = sorted({path.name.removesuffix(".source.log.gz") for path in TRACES.glob("*.source.log.gz")})
QUICK = frozenset(
    {"PING 1 is not sent", "PONG 1 comes twice", "LISTEN comes twice", "a destination has failed, and loads a page"}
)


@pytest.fixture(scope="module")
def question() -> Question:
    return Question(*resolve("qemu-11"))


@pytest.fixture(scope="module")
def of_7_2() -> Question:
    return Question(*resolve("qemu-7.2"))


def logs(run: str) -> tuple[list[Line], list[Line]]:
    """The two logs of a run."""
    source, destination = (read_trace(TRACES / f"{run}.{side}.log.gz") for side in ("source", "destination"))
    return source, destination


def judged(question: Question, recording: Recording) -> Judgement:
    """The verdict."""
    return question.judge(recording)[0]


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "run",
    [
        pytest.param(
            run, marks=[] if run in ("11.1-multifd", "11.1-recover", "11.1-missing-device") else [pytest.mark.slow]
        )
        for run in RUNS
    ],
)
def test_what_qemu_wrote_conforms(question: Question, run: str) -> None:
    found = judged(question, read_traces(*logs(run), question.knows))
    assert (found.verdict, found.explained) == ("conforms", found.observations), found


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    "mutation",
    [pytest.param(its, id=its.name, marks=[] if its.name in QUICK else [pytest.mark.slow]) for its in MUTATIONS],
)
def test_spoilt_logs_are_refuted(question: Question, mutation: Mutation) -> None:
    found = judged(question, read_traces(*mutation.spoil(*logs(mutation.logs)), question.knows))
    assert found.verdict == "refuted", found
    assert found.first is not None
    assert found.why


@pytest.mark.parametrize("run", [run for run in RUNS if run.startswith("7.2")])
def test_what_7_2_wrote_conforms_to_the_model_of_7_2(of_7_2: Question, run: str) -> None:
    found = judged(of_7_2, read_traces(*logs(run), of_7_2.knows))
    assert (found.verdict, found.explained) == ("conforms", found.observations), found


def test_a_log_without_trace_events_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "source.log"
    log.write_text("qemu-system-x86_64: warning: nothing\n")
    with pytest.raises(UsageError, match="has no trace events"):
        read_trace(log)


def test_a_destination_that_does_not_say_what_memory_there_is_is_refused(question: Question) -> None:
    source, destination = logs("11.1-multifd")
    say = ("postcopy_init_range", "ram_load_loop")
    with pytest.raises(UsageError, match="postcopy_init_range"):
        read_traces(source, [line for line in destination if line.event not in say], question.knows)


def test_every_row_of_the_table_is_in_the_document() -> None:
    document = (Path(__file__).parents[2] / "docs" / "conformance-with-qemu.md").read_text(encoding="utf-8")
    for row in LOG:
        means = ", ".join(f"`{its}`" for its in row.means)
        event = f"`{row.event} {row.begins}`" if row.begins else f"`{row.event}`"
        assert f"| {row.host} | {event} | {means} | {row.how} |" in document
