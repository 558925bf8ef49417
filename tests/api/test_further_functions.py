"""What the functions give that show, write, export and collect: what a terminal says of it, and a notebook."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from postcopy import (
    UndecidedError,
    UsageError,
    check,
    conform,
    counterexamples,
    diff_traces,
    explore,
    export_model,
    give_to_qemu,
    graph,
    listing,
    monitor_migration,
    new,
    record,
    replay_run,
    run,
    run_destination,
    run_source,
    schema,
    suite,
    take_from_qemu,
    trace,
)
from postcopy.api import migrating_with_qemu, monitoring
from postcopy.conformance.replay import Refusal
from postcopy.model.source import Source
from postcopy.report import gallery
from tests.cli.conftest import Run
from tests.cli.conftest import run as command_line
from tests.export.tiny import Tiny

__all__ = ["command_line"]

STORED = Path(__file__).parents[2] / "counterexamples/no-discards.itf.json"
SMALL = {"size": "256K", "rate": 2_000, "memory": "software", "settle": 0.0}
nothing: Any = None


def test_a_graph_says_how_large_it_is_and_is_saved_by_its_ending(tmp_path: Path, command_line: Run) -> None:
    drawn = graph(Tiny, by="left")
    assert drawn.verdict == "whole"
    assert str(drawn) == drawn.sentence == f"{drawn.found.nodes} nodes for {drawn.found.states} states"
    drawn.save(tmp_path / "states.dot")
    drawn.save(tmp_path / "states.graphml")
    assert (tmp_path / "states.dot").read_text().startswith("digraph")
    assert "srcdoc=" in drawn._repr_html_()
    with pytest.raises(UndecidedError, match="a graph is neither good nor bad"):
        bool(drawn)
    with pytest.raises(UsageError, match=r"ends in \.dot, \.svg, \.html or \.graphml"):
        drawn.save(tmp_path / "states.pdf")
    printed = command_line("graph", str(tmp_path / "more.dot"), "tests/export/tiny.py:Tiny", "--by", "left")
    assert printed.out == f"{tmp_path / 'more.dot'}: {drawn}\n"


def test_a_graph_that_is_too_large_for_a_page_says_so_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postcopy.report.state_graph.files.BROWSABLE", 1)
    shown = graph(Tiny, all_states=True)._repr_html_()
    assert shown.startswith("<pre>")
    assert "choose" in shown


def test_a_graph_of_what_is_violated_has_the_run(tmp_path: Path) -> None:
    drawn = graph("no-discards", by="source.phase", properties="no-stale-device-read")
    assert drawn.verdict == "violated"
    assert drawn.record.violated == "no-stale-device-read"
    assert "what lies beyond is not in it" in str(drawn)
    assert drawn.story.startswith("Counterexample to")


def test_rows_are_a_list_with_attributes(command_line: Run) -> None:
    faults = listing("faults")
    assert len(faults) == len(list(faults)) > 10
    assert "no-discards" in {row.name for row in faults}  # type: ignore[union-attr]
    assert faults.json() + "\n" == command_line("list", "faults", "--json").out
    assert faults._repr_html_().count("<tr>") == len(faults) + 1
    assert repr(faults) == f"<Rows faults: {len(faults)} faults>"
    assert not listing("options", Tiny)
    assert str(listing("options", Tiny)) == "there are no options"
    assert {row.name for row in listing("actions", Tiny)}  # type: ignore[union-attr]


def test_an_exported_model_is_its_text(tmp_path: Path, command_line: Run) -> None:
    model = export_model("promela", Tiny, pages=1, in_flight=1)
    asked = ("export", "promela", "tests/export/tiny.py:Tiny", "--pages", "1", "--in-flight", "1")
    by_command = command_line(*asked).out
    assert [*model.text.splitlines()][1:] == [*by_command.splitlines()][1:]
    assert str(model) == model.text.rstrip("\n")
    assert model._repr_html_().startswith("<details>")
    assert export_model("tla", Tiny, pages=1, in_flight=1).save(tmp_path / "Tiny.tla") == [
        tmp_path / "Tiny.tla",
        tmp_path / "Tiny.cfg",
    ]
    with pytest.raises(UsageError, match=r"out=.*tiny-1\.tla: a TLA\+ module is called as its file"):
        export_model("tla", Tiny, pages=1, in_flight=1).save(tmp_path / "tiny-1.tla")


def test_pages_to_step_through_are_served_until_they_are_closed() -> None:
    with explore(Tiny, pages=1, in_flight=1) as explorer:
        assert repr(explorer) == f"<Explorer Tiny: {explorer.address}>"
        assert f'src="{explorer.address}"' in explorer._repr_html_()
        assert b"Tiny" in urllib.request.urlopen(explorer.address, timeout=30).read()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(explorer.address, timeout=30)


def test_pages_go_on_from_a_stored_run() -> None:
    with explore(trace=trace(STORED)) as explorer:
        assert explorer.address.endswith(f"#1-{len(trace(STORED).run.steps)}")
    with pytest.raises(UsageError, match="trace names its protocol: leave the protocol and its size away"):
        explore(trace=STORED, pages=2)


def test_the_engine_refuses_a_run_of_a_faulty_protocol(command_line: Run) -> None:
    replayed = replay_run(STORED)
    assert (replayed.verdict, replayed.as_it_should) == ("refused", True)  # type: ignore[union-attr]
    assert str(replayed) + "\n" == command_line("replay", str(STORED)).out
    assert msgspec.json.decode(replayed.json()) == msgspec.json.decode(
        command_line("replay", str(STORED), "--json").out
    )
    assert replay_run(trace(STORED)).sentence == replayed.sentence
    with pytest.raises(UndecidedError, match=r"\.as_it_should knows"):
        bool(replayed)


def test_an_engine_that_follows_a_faulty_run_is_not_as_it_should_be() -> None:
    replayed = replay_run(STORED)
    steps = len(replayed.run.steps)
    followed = type(replayed)(replayed.name, replayed.run, Refusal(steps + 1, "", "", "R17", ()))  # type: ignore[arg-type]
    assert (followed.verdict, followed.as_it_should) == ("followed", False)  # type: ignore[union-attr]
    assert followed.sentence.endswith("it does not keep R17")


def test_a_migration_here_is_true_where_the_guest_is_whole_and_its_log_is_of_the_model(tmp_path: Path) -> None:
    done = run(**SMALL, log_to=tmp_path / "log")  # type: ignore[arg-type]
    assert done.verdict == "completed"
    assert done
    assert "the guest found its memory as it wrote it" in str(done)
    done.histogram(tmp_path / "latencies.svg")
    assert (tmp_path / "latencies.svg").read_text().startswith("<svg")
    assert (tmp_path / "log").stat().st_size > 1000
    done.found.damage.append("page 3")
    assert done.verdict == "damaged"
    assert not done
    done.found.damage.clear()
    done.found.conformance = None
    with pytest.raises(UndecidedError, match="its log was not held against the model"):
        bool(done)


def test_a_change_is_written_once_and_can_be_checked(tmp_path: Path) -> None:
    written = new(tmp_path / "mine.py")
    assert written.check == f"postcopy check {written.path}"
    assert "class MyChange" in written.path.read_text()
    with pytest.raises(UsageError, match="is there already: choose another name"):
        new(written.path)


def test_the_collection_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "EXHIBITS", {"no-discards": gallery.EXHIBITS["no-discards"]})
    seen: list[str] = []
    assert counterexamples(tmp_path, progress=seen.append) == 1
    assert seen == ["no-discards"]
    assert (tmp_path / "no-discards.itf.json").exists()


def test_a_schema_is_the_published_one() -> None:
    published = Path(__file__).parents[2] / "docs/schemas/trace.json"
    assert schema("trace") == published.read_text(encoding="utf-8")


SUITE = """
[defaults]
pages = 1
in_flight = 1
[[check]]
protocol = "no-discards"
properties = ["no-stale-device-read"]
expect = "{expect}"
"""


@pytest.mark.slow
def test_a_suite_is_true_where_all_is_as_expected(tmp_path: Path) -> None:
    file = tmp_path / "suite.toml"
    file.write_text(SUITE.format(expect="violated"))
    seen: list[str] = []
    good = suite(file, done=lambda each: seen.append(each.status))
    assert good
    assert (good.verdict, seen) == ("as expected", ["as expected"])
    assert suite(file, changed=True).sentence.endswith("1 not asked again, since nothing has changed")
    file.write_text(SUITE.format(expect="holds"))
    bad = suite(file)
    assert not bad
    assert "Counterexample to" in str(bad)
    for ending in (".html", ".xml", ".md", ".json"):
        bad.save(tmp_path / f"suite{ending}")
    with pytest.raises(UsageError, match=r"the name has to end in \.html, \.md, \.xml, \.json"):
        bad.save(tmp_path / "suite.pdf")


MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "a time": (lambda: check(Tiny, seconds="60"), "seconds is a time in seconds, and not '60'"),  # type: ignore[arg-type]
    "a time to settle": (lambda: run(settle="1"), "settle is a time in seconds, and not '1'"),  # type: ignore[arg-type]
    "no engine": (lambda: check(Tiny, engine=None), "there is no engine None: auto, compiled, interpreted"),  # type: ignore[arg-type]
    "no callback": (
        lambda: check(Tiny, progress=True),  # type: ignore[arg-type]
        "progress is a function of a line, such as print, and not True",
    ),
    "a function": (
        lambda: check(Tiny, properties=[print]),  # type: ignore[list-item]
        'decorate it, as with @always("...")',
    ),
    "one function": (
        lambda: check(Tiny, properties=print),  # type: ignore[arg-type]
        'decorate it, as with @always("...")',
    ),
    "an empty name": (lambda: check(" "), "the name of a protocol is empty: write a class, a name or FILE.py:Class"),
    "a machine": (
        lambda: check(Source),  # type: ignore[arg-type]
        "and Source is a part of one: give the Protocol that has it",
    ),
    "a path": (lambda: check(Path("no_such.py")), "cannot read no_such.py: No such file or directory"),
    "a directory": (lambda: check(Tiny, disk="/etc/passwd"), "disk=/etc/passwd: there is no such directory"),
    "no file's name": (lambda: trace(3), "file is the name of a file, and not 3"),  # type: ignore[arg-type]
    "a checkpoint": (lambda: check(Tiny, checkpoint=3), "checkpoint is the name of a file, and not 3"),  # type: ignore[arg-type]
    "one log of two": (
        lambda: conform(trace=("a",)),  # type: ignore[arg-type]
        "trace is two logs, of the source and of the destination: give both",
    ),
    "no variables": (lambda: graph(Tiny, by=3), "by names variables, in a list, such as ['source.phase']"),  # type: ignore[arg-type]
    "workers": (lambda: check(Tiny, workers=0), "workers=0 is out of range: from 1 to 64"),
    "a listing": (lambda: listing("falts"), "there is no listing falts; did you mean faults?"),
    "a listing of no protocol": (lambda: listing("faults", Tiny), "only actions, options and properties can be listed"),
    "a variable": (lambda: graph(Tiny, by="lft"), "there is no variable lft; did you mean left?"),
    "nodes twice": (lambda: graph(Tiny, by="left", all_states=True), "give by or all_states, not both"),
    "a language": (lambda: export_model("tlaplus", Tiny), "there is no export called tlaplus: promela, tla, aut"),
    "a host page": (
        lambda: graph(Tiny, pages=4, host_page=3),
        "host_page=3 does not divide pages=4",
    ),
    "a workload": (lambda: run(workload="randm"), "there is no workload randm; did you mean random?"),
    "a rate": (lambda: run(rate=-1), "rate=-1: 0 to 1,000,000,000"),
    "a size": (lambda: run(size="1K"), "size=1K: a size from 64K to 64G, a multiple of 4096 bytes"),
    "no time": (lambda: run(timeout=0), "timeout=0: more than 0 to 86,400 seconds"),
    "times": (lambda: replay_run(STORED, times=3), "times is for QEMUs: give qemu as well"),
    "a schema": (lambda: schema("chek"), "there is no schema chek; did you mean check?"),
    "a name": (lambda: new("change.txt"), "change.txt: the name has to end in .py"),
    "no suite": (lambda: suite("no-such.toml"), "no-such.toml"),
    "jobs": (lambda: suite("x.toml", jobs=0), "jobs=0 is out of range: from 1 to 256"),
    "no rate": (lambda: run(rate=nothing), "rate is a whole number, and not None"),
    "no timeout": (lambda: run(timeout=nothing), "timeout is a time in seconds, and not None"),
    "no switch": (lambda: run(switch=nothing), "switch is a text, and not None"),
    "half a break": (lambda: run(break_after=1.5), "break_after is a whole number, and not 1.5"),  # type: ignore[arg-type]
    "no break": (lambda: run(break_after=nothing), "break_after is a whole number, and not None"),
    "no function": (lambda: run(progress=nothing), "progress is a function of a line"),
    "no address": (lambda: run_source(nothing), "None is no HOST:PORT"),
    "nowhere to wait": (lambda: run_destination(nothing), "None is no HOST:PORT"),
    "no announcement": (lambda: take_from_qemu("x", announce=nothing), "announce is a function of a line"),
    "a number for a QEMU": (lambda: give_to_qemu(nothing, "x"), "None is no HOST:PORT"),
    "no addresses": (lambda: monitor_migration(nothing, "tcp:127.0.0.1:1"), "listen is a text, and not None"),
    "a QEMU to replay on": (lambda: replay_run(STORED, qemu=7), "qemu is a text, and not 7"),  # type: ignore[arg-type]
    "a QEMU to record": (lambda: record("x", qemu=7), "qemu is a text, and not 7"),  # type: ignore[arg-type]
    "no times": (lambda: replay_run(STORED, times=nothing), "times is a whole number, and not None"),
    "no runs": (lambda: diff_traces(nothing, STORED), "first is the name of a file, and not None"),
    "no trace": (lambda: conform(trace=7), "trace is two logs"),  # type: ignore[arg-type]
    "a number for a variable": (lambda: graph(Tiny, by=[7]), "by is a text, and not 7"),  # type: ignore[list-item]
    "a base": (lambda: new("change.py", on=7), "on is a text, and not 7"),  # type: ignore[arg-type]
    "no pages": (lambda: check(Tiny, pages=nothing), "pages is a whole number, and not None"),
    "no workers": (lambda: check(Tiny, workers=nothing), "workers is a whole number, and not None"),
    "no time for checkpoints": (
        lambda: check(Tiny, pages=1, in_flight=1, checkpoint_every=float("nan")),
        "checkpoint_every=nan: a time of 0 or more",
    ),
    "no pages of a run that has its own": (lambda: trace(STORED, pages=0), "says its own size and properties"),
}
"""Mistakes with the further functions, and what is said of each."""


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_in_one_line(name: str) -> None:
    act, said = MISTAKES[name]
    with pytest.raises(UsageError) as error:
        act()
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_directory_for_pages_that_cannot_be_is_named(tmp_path: Path) -> None:
    file, taken = tmp_path / "suite.toml", tmp_path / "taken"
    file.write_text('[[check]]\nprotocol = "Postcopy"\n')
    taken.touch()
    for reports in (taken, taken / "below"):
        with pytest.raises(UsageError, match=f"reports {reports}: there can be no such directory: "):
            suite(file, reports=reports)


def test_a_guest_is_kept_before_its_log_which_may_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = []

    def no_log(*_: object) -> None:
        done.append("log")
        raise UsageError("cannot write log: No space left on device")

    report = SimpleNamespace(outcome="completed", why="", latencies=[], requests=0)
    found = SimpleNamespace(report=report, geometry=None, guest=object(), source_has_it=False, lines=[])
    monkeypatch.setattr(migrating_with_qemu, "run_from_qemu", lambda *_, **__: found)
    monkeypatch.setattr(migrating_with_qemu, "head", lambda _: None)
    monkeypatch.setattr(migrating_with_qemu, "about", lambda _: None)
    monkeypatch.setattr(migrating_with_qemu, "write_kept", lambda *_: done.append("guest"))
    monkeypatch.setattr(migrating_with_qemu, "write_log", no_log)
    with pytest.raises(UsageError, match="No space left"):
        take_from_qemu(tmp_path / "guest", log_to=tmp_path / "log")
    assert done == ["guest", "log"]


def test_a_page_that_cannot_be_shown_leaves_no_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring, "compiled_for", lambda _: SimpleNamespace(name="none"))
    monkeypatch.setattr("postcopy.monitor.monitor.Migrations", lambda _: None)
    path = tmp_path / "socket"
    with pytest.raises(UsageError, match="cannot listen on port 70000"):
        monitor_migration(f"unix:{path}", "tcp:127.0.0.1:1", web=70_000)
    assert not path.exists()
