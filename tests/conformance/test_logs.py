"""Logs of the engine are behaviours of the model; logs that were tampered with are not, and it is said why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postcopy.cli.main import main
from postcopy.conformance.logs import Unexplained, explain
from postcopy.conformance.steps import ACTIONS, BESIDE, IN_PARTS
from postcopy.engine.eventlog import THREADS, Head, Line, head, read_log, write_log
from postcopy.engine.log import Record, Step, Thread, record
from postcopy.engine.messages import Packaged
from postcopy.errors import UsageError
from postcopy.language.instance import Instance
from postcopy.language.single_run import SingleRun
from postcopy.model.changes.preempt import Preempt
from postcopy.model.changes.recovery import Recovery
from postcopy.model.postcopy import Postcopy
from tests.engine.cores import Pair, small
from tests.engine.live import SOFTWARE, Meddler, migrate
from tests.engine.live import lines as lines_of


def test_every_step_of_the_engine_is_an_action_of_the_model() -> None:
    names = {action.name for protocol in (Recovery, Preempt) for action in Instance(protocol, 1, 1).actions}
    assert set(ACTIONS) | BESIDE | set(IN_PARTS) == set(Step)
    assert not set(ACTIONS) & BESIDE
    assert not set(ACTIONS) & set(IN_PARTS)
    assert set(ACTIONS.values()) <= names


def test_a_step_is_one_of_the_same_host_in_the_model() -> None:
    for step, action in ACTIONS.items():
        assert {thread.host for thread in THREADS[step]} == {action.split(".")[0]}


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


def recovered_run(group: int = 1, breaks: int = 2) -> Pair:
    """After each break a page is lost, and one that was asked for is asked for again."""
    pair = Pair(small(8, group), recovery=True)
    pair.to_postcopy([range(0, 8)])
    pair.destination.fault(6, "vCPU 1")
    for n in range(breaks):
        pair.send_pages(group)
        assert pair.source.next_pages()
        pair.to_break()
        if not n:
            pair.destination.fault(7, "vCPU 0")
        pair.to_resumed()
        while outputs := pair.destination.request_unread():
            pair.source.receive(outputs[0])  # type: ignore[arg-type]
    pair.to_end()
    return pair


@pytest.mark.parametrize("group", [1, 2])
@pytest.mark.parametrize("breaks", [1, 3])
def test_a_run_with_breaks_is_a_behaviour_of_the_model_with_recovery(group: int, breaks: int) -> None:
    pair = recovered_run(group, breaks)
    found = explain(8, group, pair.log)
    assert found.unexplained is None
    assert (found.steps, found.over) == (len(pair.log), True)
    assert found.fired["source.receives_resume_ack"] == breaks


def test_a_migration_that_is_given_up_in_recovery_is_a_behaviour() -> None:
    pair = Pair(small(8), recovery=True)
    pair.to_postcopy([range(0, 8)])
    pair.to_break()
    pair.destination.wait_for_connection()
    pair.source.give_up("no connection")
    pair.destination.give_up("no connection")
    found = explain(8, 1, pair.log)
    assert (found.unexplained, found.steps, found.over) == (None, len(pair.log), True)


def test_a_source_that_reaches_a_destination_about_to_give_up_is_a_behaviour() -> None:
    pair = Pair(small(8), recovery=True)
    pair.to_postcopy([range(0, 8)])
    pair.to_break()
    pair.destination.wait_for_connection()
    pair.source.reconnect()
    pair.destination.give_up("the guest is gone")
    pair.source.ask_what_arrived()
    pair.source.lose("cut")
    pair.source.give_up("no connection")
    found = explain(8, 1, pair.log)
    assert (found.unexplained, found.steps) == (None, len(pair.log))


def test_a_new_connection_that_breaks_before_it_is_accepted_is_a_behaviour() -> None:
    pair = Pair(small(8), recovery=True)
    pair.to_postcopy([range(0, 8)])
    pair.to_break()
    pair.destination.wait_for_connection()
    pair.source.reconnect()
    pair.source.lose("cut again")
    pair.destination.accept(broken=True)
    pair.to_resumed()
    pair.to_end()
    assert explain(8, 1, pair.log).unexplained is None


def test_a_run_after_a_break_without_recovery_is_no_behaviour() -> None:
    def change(log: list[Record]) -> None:
        log.pop(at(log, Step.RESUMED))

    odd = tampered(change, recovered_run())
    assert odd.record.host == "destination"


@pytest.mark.parametrize("step", [Step.SAID_WHAT_ARRIVED, Step.GOT_WHAT_ARRIVED])
@pytest.mark.parametrize(
    ("pages", "says"), [(((0, 8),), "it has too much: page"), ((), "it has too much: none; and lacks: page")]
)
def test_what_has_arrived_is_compared(step: Step, pages: tuple[tuple[int, int], ...], says: str) -> None:
    def change(log: list[Record]) -> None:
        """What is said of both blocks."""
        for n, made in enumerate(log):
            if made.step in (step, *(part for part, last in IN_PARTS.items() if last is step)):
                log[n] = msgspec.structs.replace(made, pages=pages)

    odd = tampered(change, recovered_run())
    assert odd.record.step is step
    assert says in odd.why


def test_a_request_that_is_made_again_after_no_break_is_no_behaviour() -> None:
    def change(log: list[Record]) -> None:
        log.insert(at(log, Step.REQUESTED) + 1, record(Thread.FAULT, Step.REQUESTED_AGAIN, range(6, 7)))

    assert "destination.requests_page: require(self.faulted[page])" in tampered(change, recovered_run()).why


OTHERS = [(), (Step.OPENED_URGENT,), (Step.SOURCE_PAUSED,), (Step.OPENED_URGENT, Step.PAUSED)]


@pytest.mark.parametrize("others", OTHERS)
def test_a_step_without_those_that_it_goes_with_is_no_behaviour(others: tuple[Step, ...]) -> None:
    """A log may lack any record: with recovery, with a connection for urgent pages, or with both of these together."""
    document = {action.name for action in Instance(Postcopy, 1, 1).actions}
    gives_up = {Step.SOURCE_GAVE_UP, Step.GAVE_UP_GUEST}  # as a death to the model, which may come at any time
    for step in Step:
        log = [record(THREADS[made][0], made, range(1)) for made in (step, *others)]
        found = explain(2, 1, log)
        known = step in BESIDE or step in IN_PARTS or step in gives_up or ACTIONS[step] in document
        assert found.unexplained or (known and not others)


@pytest.mark.parametrize("before", [Pair.to_precopy, Pair.to_switch, Pair.to_package])
def test_a_pause_where_the_guest_is_not_handed_over_is_no_behaviour(before: Callable[[Pair], None]) -> None:
    """A16 and A14: the model's step for the loss of the connection is the same, and ends the migration there."""
    pair = Pair(small(8), recovery=True)
    before(pair)
    paused = Step.PAUSED if before is Pair.to_package else Step.SOURCE_PAUSED
    if paused is Step.PAUSED:
        pair.destination.listen()
    found = explain(8, 1, [*pair.log, record(THREADS[paused][0], paused, why="cut")])
    assert found.unexplained
    assert found.unexplained.record.step is paused
    assert " pauses in " in found.unexplained.why


@pytest.mark.parametrize(
    ("step", "model"),
    [(Step.RECONNECTED, "Postcopy"), (Step.RESUMED, "Postcopy"), (Step.PLACED_URGENT, "Postcopy")],
)
def test_a_step_that_the_model_lacks_is_named(step: Step, model: str) -> None:
    found = explain(2, 1, [record(THREADS[step][0], step, range(1))])
    assert found.unexplained
    assert found.unexplained.why == (
        f"{ACTIONS[step]}: the model {model}, against which the log's other steps are held, has no such step"
    )


def urgent_run(group: int = 1) -> Pair:
    """One page is asked for and overtakes; another is asked for and has been sent."""
    pair = Pair(small(8, group), preempt=True)
    pair.to_postcopy([range(0, 8)])
    pair.send_pages(group)
    for page in (0, 6):
        if page in pair.destination.received:
            (request,) = pair.destination.fault(page, "vCPU 0")
        else:
            (request,) = pair.destination.fault(page, "vCPU 1")
        pair.source.receive(request)  # type: ignore[arg-type]
    assert pair.source.next_urgent() == range(0)
    for page in pair.source.next_urgent():
        pair.outputs += pair.destination.receive_urgent(pair.page(page))
    pair.to_end()
    return pair


@pytest.mark.parametrize("group", [1, 2])
def test_a_run_with_urgent_pages_is_a_behaviour_of_the_model_with_preempt(group: int) -> None:
    pair = urgent_run(group)
    found = explain(8, group, pair.log)
    assert (found.unexplained, found.steps, found.over) == (None, len(pair.log), True)
    assert found.fired["destination.places_urgent_page"] == 1


def test_an_urgent_page_that_was_not_the_one_sent_is_no_behaviour() -> None:
    def change(log: list[Record]) -> None:
        n = at(log, Step.PLACED_URGENT)
        log[n] = msgspec.structs.replace(log[n], page=3)

    assert "page 3 is not what is oldest on its way: that is page 6" in tampered(change, urgent_run()).why


def test_a_switch_before_the_connection_for_urgent_pages_is_no_behaviour() -> None:
    def change(log: list[Record]) -> None:
        opened = log.pop(at(log, Step.OPENED_URGENT))
        log.insert(at(log, Step.STOPPED_TO_SWITCH) + 1, opened)

    assert "require(self.fast_open)" in tampered(change, urgent_run()).why


def test_what_only_a_qemu_sends_is_no_step_of_the_model() -> None:
    plain = whole_run().log
    beside = [record(Thread.MAIN, Step.ANSWERED_LATER), record(Thread.RETURN_PATH, Step.GOT_LATER_PONG)]
    found = explain(8, 1, [*plain, *beside])
    assert found.unexplained is None
    assert (found.steps, found.actions) == (len(plain) + 2, explain(8, 1, plain).actions)


def test_each_host_alone_orders_its_records() -> None:
    log = whole_run().log
    apart = [r for r in log if r.host == "destination"] + [r for r in log if r.host == "source"]
    assert explain(8, 1, apart).unexplained is None


def tampered(change: Callable[[list[Record]], object], pair: Pair | None = None) -> Unexplained:
    log = (pair or whole_run()).log
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


def test_a_request_of_an_unknown_toucher_is_no_behaviour() -> None:
    def change(log: list[Record]) -> None:
        n = at(log, Step.REQUESTED)
        log[n] = msgspec.structs.replace(log[n], who="vCPU 7")

    assert "'vCPU 7' with 4: not vCPU 0, vCPU 1, device load" in tampered(change).why


def test_of_two_hosts_that_cannot_go_on_the_one_that_waits_for_no_message_is_named() -> None:
    pair = Pair(small(8))
    pair.to_postcopy([range(1)])
    pair.to_end()
    pair.log.pop(at(pair.log, Step.SENT_PACKAGE))
    odd = explain(8, 1, pair.log).unexplained
    assert odd is not None
    assert (odd.record.host, odd.record.step) == ("source", Step.SENT_BACKGROUND)
    assert not odd.forbidden[-1].waits_for


def test_a_receiver_of_another_message_waits_for_the_channel() -> None:
    single = SingleRun(Instance(Postcopy, 1, 1), 1, 1, {})
    actions = {action.name: action for action in single.instance.actions}
    for name, waits_for in (("destination.answers_ping", ""), ("destination.opens_return_path", "stream")):
        forbidden = single.take(actions[name])
        assert forbidden is not None
        assert forbidden.waits_for == waits_for


def lines_on_disk(path: Path, pair: Pair) -> list[bytes]:
    lines = [Line(0.0, r.host, r.thread, r.step, r.page, r.pages, r.who, r.why) for r in pair.log]
    write_log(path, head(pair.geometry), lines)
    return path.read_bytes().splitlines()


def test_the_beginning_of_a_log_is_said_to_be_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log.jsonl"
    rows = lines_on_disk(path, whole_run())
    for cut, beginning in ((len(rows), False), (len(rows) - 1, True), (30, True), (1, True)):
        path.write_bytes(b"\n".join(rows[:cut]))
        first, lines = read_log(path)
        found = explain(first.pages, first.group, [line.record for line in lines])
        assert (found.unexplained, found.over) == (None, not beginning)
        with pytest.raises(SystemExit) as stopped:
            main(["conform", str(path)])
        assert not stopped.value.code
        assert ("it is a beginning" in capsys.readouterr().out) == beginning


@pytest.mark.parametrize(
    ("number", "old", "new", "why"),
    [
        (1, b'"pages":8', b'"pages":9', "the blocks have 8 pages, not 9"),
        (1, b'"pages":8', b'"pages":-1', "the blocks have 8 pages, not -1"),
        (1, b'"group":1', b'"group":0', "a page has a power of two of bytes, at least 1024: 0"),
        (1, b'"target_page":1024', b'"target_page":0', "a page has a power of two of bytes, at least 1024: 0"),
        (1, b'["high",1024]', b'["low",1024]', "of different names"),
        (2, b'"source"', b'"elsewhere"', "the operator is no thread of 'elsewhere'"),
        (2, b'"source"', b'"destination"', "the operator is no thread of 'destination'"),
        (2, b'"operator"', b'"janitor"', "Invalid enum value 'janitor'"),
        (2, b'"operator"', b'"migration thread"', "'started' is a step of the operator, not of the migration thread"),
        (2, b'"operator"', b'"\xff"', "this is no event log"),
        (2, b'"step"', b'"count":3,"step"', "unknown field `count`"),
        (2, b'"step"', b'"page":8,"step"', "there are no 1 pages from 8 on: the guest has 8"),
        (2, b'"step"', b'"pages":[[0,1000000000000]],"step"', "there are no 1000000000000 pages from 0 on"),
        (2, b'"step"', b'"pages":[[-1,1]],"step"', "there are no 1 pages from -1 on"),
        (2, b'"step"', b'"pages":' + b"[" * 100_000 + b',"step"', "this is no event log"),
        (2, b'"step"', b'"x":' + b"[" * 100_000 + b"]" * 100_000 + b',"step"', "this is no event log"),
    ],
)
def test_a_log_that_contradicts_itself_is_refused(
    tmp_path: Path, number: int, old: bytes, new: bytes, why: str
) -> None:
    path = tmp_path / "log.jsonl"
    rows = lines_on_disk(path, whole_run())
    assert old in rows[number - 1]
    rows[number - 1] = rows[number - 1].replace(old, new, 1)
    path.write_bytes(b"\n".join(rows))
    with pytest.raises(UsageError) as error:
        read_log(path)
    assert str(error.value).startswith(f"{path}:{number}: ")
    assert why in str(error.value)


@pytest.mark.parametrize(
    ("first", "why"),
    [
        (Head(1, 1 << 30, 1, 1024, (("ram", 1 << 40),)), "a guest has 67,108,864 pages at most, not 1,073,741,824"),
        (Head(1, 1 << 50, 1, 4096, (("ram", 1 << 62),)), "a guest has 67,108,864 pages at most"),
        (Head(1, 8, 1, 1 << 60, (("ram", 8 << 60),)), "a host page has 1,073,741,824 bytes at most"),
        (Head(1, 8, 8, 1 << 29, (("ram", 1 << 32),)), "a host page has 1,073,741,824 bytes at most"),
        (Head(1, 8, 3, 1024, (("ram", 8192),)), "a power of two of bytes"),
        (Head(1, 8, -1, 1024, (("ram", 8192),)), "a power of two of bytes"),
        (Head(1, 0, 1, 1024, ()), "guest memory needs blocks"),
        (Head(1, 8, 1, 1024, (("ram", 9216), ("rom", -1024))), "-1024 bytes are no whole number of host pages"),
    ],
)
def test_a_head_with_sizes_that_no_guest_has_is_refused(tmp_path: Path, first: Head, why: str) -> None:
    path = tmp_path / "log.jsonl"
    write_log(path, first, [])
    with pytest.raises(UsageError) as error:
        read_log(path)
    assert why in str(error.value)
    assert str(error.value).startswith(f"{path}:1: this log contradicts itself")


@pytest.fixture(scope="module")
def whole_log(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return b"\n".join(lines_on_disk(tmp_path_factory.mktemp("log") / "log.jsonl", whole_run()))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_log_is_judged_or_refused_with_its_line(
    tmp_path: Path, whole_log: bytes, data: st.DataObject
) -> None:
    path = tmp_path / "log.jsonl"
    content = bytearray(whole_log)
    for _ in range(data.draw(st.integers(1, 3))):
        if data.draw(st.booleans()):
            content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        else:
            rows = content.split(b"\n")
            at, to = (data.draw(st.integers(0, len(rows) - 1)) for _ in range(2))
            rows.insert(to, rows[at])
            content = bytearray(b"\n".join(rows))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    refused = ""
    try:
        first, lines = read_log(path)
    except UsageError as error:
        refused = str(error)
    else:
        explain(first.pages, first.group, [line.record for line in lines])
    assert refused.startswith(f"{path}:") or not refused
    assert "\n" not in refused


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
        (["conform"], "give a LOG, --exhaustive, --wire CAPTURE or --trace SRC DST, and only one of them"),
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
