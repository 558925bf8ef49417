"""Logs of the engine are behaviours of the model; logs that were tampered with are not, and it is said why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from postcopy.cli.main import main
from postcopy.conformance.logs import Unexplained, explain
from postcopy.conformance.steps import ACTIONS
from postcopy.engine.eventlog import Line, head, write_log
from postcopy.engine.log import Record, Step
from postcopy.engine.messages import Packaged
from postcopy.language.instance import Instance
from postcopy.model.postcopy import Postcopy
from tests.engine.cores import Pair, small
from tests.engine.live import SOFTWARE, Meddler, migrate
from tests.engine.live import lines as lines_of


def test_every_step_of_the_engine_is_an_action_of_the_model() -> None:
    names = {action.name for action in Instance(Postcopy, 1, 1).actions}
    assert set(ACTIONS) == set(Step)
    assert set(ACTIONS.values()) <= names


def whole_run(group: int = 1) -> Pair:
    pair = Pair(small(8, group))
    pair.to_postcopy([range(0, group), range(4, 8)])
    for page in (4, 6):
        (request,) = pair.destination.fault(page, f"vCPU {page // 6}")
        pair.source.receive(request)  # type: ignore[arg-type]
    pair.to_end()
    return pair


@pytest.mark.parametrize("group", [1, 2])
def test_a_whole_run_is_a_behaviour(group: int) -> None:
    pair = whole_run(group)
    found = explain(8, group, pair.log)
    assert found.unexplained is None
    assert found.steps == len(pair.log)
    assert found.fired["destination.cpu_touches_missing[1]"] == 1


def test_each_host_alone_orders_its_records() -> None:
    log = whole_run().log
    apart = [r for r in log if r.host == "destination"] + [r for r in log if r.host == "source"]
    assert explain(8, 1, apart).unexplained is None


def tampered(change: Callable[[list[Record]], object]) -> Unexplained:
    log = whole_run().log
    change(log)
    found = explain(8, 1, log)
    assert found.unexplained is not None
    return found.unexplained


def at(log: list[Record], step: Step, which: int = 0) -> int:
    return [n for n, record in enumerate(log) if record.step is step][which]


def test_a_page_sent_twice_is_no_behaviour() -> None:
    def change(log: list[Record]) -> None:
        log.insert(at(log, Step.ENDED_POSTCOPY), log[at(log, Step.SERVED)])

    odd = tampered(change)
    assert odd.record.step is Step.SERVED
    assert "source.serves_request: require(self.requests[page])" in odd.why
    assert "source.ends_postcopy" in odd.enabled


def test_a_page_that_was_not_the_one_sent_is_no_behaviour() -> None:
    def change(log: list[Record]) -> None:
        n = at(log, Step.PLACED)
        log[n] = msgspec.structs.replace(log[n], page=7)

    assert "page 7 is not what is oldest on its way: that is page 4" in tampered(change).why


def test_a_discard_set_that_lacks_a_page_is_no_behaviour() -> None:
    def change(log: list[Record]) -> None:
        n = at(log, Step.SENT_DISCARDS)
        log[n] = msgspec.structs.replace(log[n], pages=((4, 4),))

    assert "the discard set has too much: none; and lacks: page 0" in tampered(change).why


def test_pages_discarded_that_should_not_be_are_no_behaviour() -> None:
    def change(log: list[Record]) -> None:
        n = at(log, Step.DISCARDED)
        log[n] = msgspec.structs.replace(log[n], pages=((2, 1),))

    assert "not in the discard set: page 2" in tampered(change).why


def test_a_start_before_the_devices_is_no_behaviour() -> None:
    odd = tampered(lambda log: log.pop(at(log, Step.DEVICES_LOADED)))
    assert odd.record.step is Step.RUNS
    assert "destination.handles_run: require(self.main == Main.RUN)" in odd.why
    assert odd.enabled[0] == "destination.finishes_device_load"


def test_a_message_that_nobody_sent_is_no_behaviour() -> None:
    odd = tampered(lambda log: log.pop(at(log, Step.SENT_PACKAGE)))
    assert odd.record.step in (Step.READ_PACKAGE, Step.SERVED, Step.SENT_BACKGROUND, Step.GOT_REQUEST)


@pytest.mark.parametrize(("end", "steps"), [("lose", "lost"), ("cancel", "cancelled")])
def test_failures_are_behaviours_too(end: str, steps: str) -> None:
    pair = Pair(small(8))
    pair.to_precopy()
    pair.send_pages(3)
    (sent_and_never_received,) = pair.source.next_pages()
    assert sent_and_never_received is not None
    pair.source.cancel() if end == "cancel" else pair.source.lose("cut")
    pair.destination.lose("cut")
    found = explain(8, 1, pair.log)
    assert found.unexplained is None
    assert found.steps == len(pair.log)


def test_a_request_read_late_is_explained_by_a_touch_before_the_page_came() -> None:
    pair = Pair(small(8))
    pair.to_postcopy([range(0, 1)])
    pair.send_pages()
    (request,) = pair.destination.fault(0, "vCPU 0")
    pair.source.receive(request)  # type: ignore[arg-type]
    pair.to_end()
    assert explain(8, 1, pair.log).unexplained is None


def test_a_log_on_disk_and_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = whole_run()
    lines = [Line(0.0, r.host, r.thread, r.step, r.page, r.pages, r.who, r.why) for r in pair.log]
    good, bad, broken = (tmp_path / name for name in ("good.jsonl", "bad.jsonl", "broken.jsonl"))
    write_log(good, head(pair.geometry), lines)
    write_log(bad, head(pair.geometry), [line for line in lines if line.step is not Step.DEVICES_LOADED])
    broken.write_text("{}\n")
    for path, code, text in (
        (good, 0, "the log conforms"),
        (bad, 12, "of the destination, main thread: started the CPUs"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main(["conform", str(path)])
        assert (stopped.value.code or 0) == code
        assert text in capsys.readouterr().out
    for wrong, text in (
        (["conform", str(broken)], "this is no event log"),
        (["conform"], "either a LOG or --exhaustive"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main(wrong)
        assert stopped.value.code == 2
        assert text in capsys.readouterr().err


@pytest.mark.parametrize("switch", ["first-pass", "at-once", "never"])
def test_logs_of_real_migrations_conform(switch: str) -> None:
    guest = msgspec.structs.replace(SOFTWARE, size=256 << 10, rate=2000)
    result = migrate(guest, switch=switch)
    found = explain(guest.geometry().pages, 1, [line.record for line in lines_of(*result)])
    assert found.unexplained is None, found.unexplained


def test_the_log_of_a_cut_migration_conforms() -> None:
    meddler = Meddler(lambda message, _: isinstance(message, Packaged))
    guest = msgspec.structs.replace(SOFTWARE, size=256 << 10)
    result = migrate(guest, switch="at-once", meddler=meddler)
    found = explain(guest.geometry().pages, 1, [line.record for line in lines_of(*result)])
    assert found.unexplained is None, found.unexplained
