"""An automaton that grows says what one says that was made as a whole, and is kept with what it has found."""

from __future__ import annotations

from pathlib import Path

import pytest

from postcopy.api.monitoring import DEFAULT, compiled_for
from postcopy.catalogue.loading import by_name
from postcopy.conformance.qemu import wire_meaning as wire
from postcopy.conformance.qemu.wire_files import decoded, read_capture
from postcopy.monitor import compiled as compiling
from postcopy.monitor.automaton import ANYTHING, PENDING, REFUTED, Automaton
from postcopy.monitor.compiled import LATE, NOT_SENT, SHOWN, Compiled, compile_monitor
from postcopy.monitor.growing import Growing
from postcopy.monitor.judge import judge_all
from postcopy.monitor.projection import Graph, Symbol
from tests.conformance.wire_mutations import MUTATIONS
from tests.monitor.test_judge import CAPTURES, rows

OPENING = [Symbol(its, False) for its in (wire.OPEN_RETURN_PATH, wire.PING, wire.ADVISE, wire.PONG)]
PAGE = Symbol(wire.PAGE, True)


def growing() -> Growing:
    return Growing(Graph([by_name(name) for name in DEFAULT], SHOWN, LATE), NOT_SENT, compiling.page_state)


@pytest.fixture(scope="module")
def grown() -> Compiled:
    page = growing()
    return Compiled("what QEMU does", page, compiling.phases_alone(page))


@pytest.mark.unmeasured
def test_the_same_states_of_pages_and_the_same_verdicts(compiled: Compiled, grown: Compiled) -> None:
    assert isinstance(compiled.page, Automaton)
    for path in sorted(CAPTURES.glob("*.jsonl")):
        one, other = (judge_all(its, read_capture(path)).status() for its in (compiled, grown))
        assert (one.verdict, one.by_state, one.phase) == (other.verdict, other.by_state, other.phase)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda its: its.name)
def test_what_qemu_never_does_is_refuted(grown: Compiled, mutation: object) -> None:
    judge = judge_all(grown, decoded(mutation.spoil(rows(mutation.capture))))  # type: ignore[attr-defined]
    assert judge.status().verdict == "refuted"


def test_it_looks_up_once_and_goes_on_from_what_was_kept() -> None:
    first = growing()
    state = first.run([*OPENING, PAGE])
    assert (state in (REFUTED, ANYTHING, PENDING), first.lookups) == (False, 5)
    first.run([*OPENING, PAGE])
    assert first.lookups == 5
    second = growing()
    second.learn(first.kept())
    assert second.run([*OPENING, PAGE]) == state
    assert second.lookups == 0
    assert second.then(Symbol(wire.SHUT_OK, False), bytes([state])) == bytes([REFUTED])
    assert (second.lookups, second.states) == (1, first.states)


def test_where_the_graph_is_too_large_everything_is_allowed() -> None:
    page = growing()
    page._graph.most = 50  # type: ignore[attr-defined]
    assert page.run([*OPENING, PAGE]) == ANYTHING


def test_more_states_than_a_byte_tells_apart_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postcopy.monitor.growing.MOST", 3)
    assert growing().run(OPENING) == ANYTHING


def test_a_protocol_that_is_too_large_grows_and_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POSTCOPY_CACHE", str(tmp_path))
    monkeypatch.setattr("postcopy.monitor.projection.MOST_STATES", 100)
    first = compile_monitor("what QEMU does", [by_name(name) for name in DEFAULT])
    assert isinstance(first.page, Growing)
    assert first.page.lookups > 50
    second = compile_monitor("what QEMU does", [by_name(name) for name in DEFAULT])
    assert isinstance(second.page, Growing)
    assert second.page.lookups == 0
    assert judge_all(second, read_capture(CAPTURES / "7.2-recover.jsonl")).status().verdict == "conforms"
    assert second.page.lookups < 5


@pytest.mark.long
@pytest.mark.slow
def test_recorded_migrations_conform_to_the_model_of_their_version() -> None:
    """Some 45 s: the model has 356,000 states at one page on the way of these streams."""
    its = compiled_for("qemu-7.2+preempt=off+disk_lock=off")
    for path in sorted(CAPTURES.glob("*.jsonl")):
        if "preempt" not in path.name:
            assert judge_all(its, read_capture(path)).status().verdict == "conforms", path
    spoilt = [its for its in MUTATIONS if its.capture != "7.2-preempt"]
    assert len(spoilt) > 30
    for mutation in spoilt:
        found = judge_all(its, decoded(mutation.spoil(rows(mutation.capture)))).status()
        assert found.verdict == "refuted", mutation.name
