"""Whatever a user gets wrong: one line on stderr that says what, where and what to do, exit code 2, no traceback."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from postcopy.properties.witnesses import WITNESSES
from tests.cli.conftest import CHANGE, Run, refused

STORED = Path(__file__).parents[2] / "counterexamples" / "no-discards.itf.json"


@pytest.mark.parametrize("option", ["--pages", "--in-flight"])
@pytest.mark.parametrize("value", ["0", "-1", "100000000000"])
def test_sizes_out_of_range(run: Run, option: str, value: str) -> None:
    assert f"{option} {value} is out of range: 1 to" in refused(run, "check", option, value)


def test_sizes_that_are_no_numbers(run: Run) -> None:
    assert "--pages" in refused(run, "check", "--pages", "many")


def test_host_pages_that_do_not_divide_the_pages(run: Run) -> None:
    assert "--host-page 3 does not divide --pages 2" in refused(run, "check", "--host-page", "3")


def test_unknown_names_and_what_was_probably_meant(run: Run) -> None:
    assert "there is no fault no-discard; did you mean no-discards?" in refused(run, "check", "--fault", "no-discard")
    assert "did you mean no-two-guests?" in refused(run, "check", "--property", "no-two-guest")
    assert "there is no fault xyzzy; postcopy list faults" in refused(run, "check", "--fault", "xyzzy")
    assert "there is no listing xyzzy: faults, changes, history" in refused(run, "list", "xyzzy")
    assert "there is no listing fault; did you mean faults?" in refused(run, "list", "fault")
    assert "No such command" in refused(run, "chekc")
    assert "did you mean compiled?" in refused(run, "check", "--engine", "compile")
    assert "there is no engine fast: auto, compiled, interpreted" in refused(run, "check", "--engine", "fast")


@pytest.mark.parametrize(
    "command",
    [["check", "--no-liveness"], ["export", "promela"], ["graph", "space.dot"]],
    ids=lambda command: command[0],
)
def test_a_property_of_runs_is_not_left_out_in_silence(run: Run, command: list[str]) -> None:
    says = refused(run, *command, "--pages", "1", "--property", "the-migration-ends")
    assert "the-migration-ends speaks of whole runs" in says


def test_memory_bounds_that_mean_nothing(run: Run) -> None:
    for text in ("lots", "0", "-1G", "1K", "999999T"):
        assert "--max-memory" in refused(run, "check", "--max-memory", text)


CHANGE_OF_SOURCE = """from postcopy.language import Thread, action
from postcopy.model.postcopy import Postcopy; from postcopy.model.source import Source
class Mine(Postcopy):
    class source(Source):
"""
"""The beginning of a change, up to the body of its source."""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def broken(:\n", "line 1"),
        ("1/0\n", "line 1: ZeroDivisionError"),
        ("import sys\nsys.exit(0)\n", "line 2: SystemExit"),
        ("\nimport no_such_module\n", "line 2: there is no module no_such_module"),
        (
            "from postcopy.model.language import (\n    NONE,\n    Flag,\n)\n",
            "there is no module postcopy.model.language any more: write from postcopy.language import NONE, Flag",
        ),
        (
            "from postcopy.properties.language import always\n",
            "there is no module postcopy.properties.language any more: write from postcopy.language import always",
        ),
        (
            "from postcopy.language import Flag, Bitmp\n",
            "line 1: postcopy.language has no Bitmp; did you mean Bitmap?",
        ),
        (
            "from postcopy.language import Flag\nclass A:\n    on = Flg('on')\n",
            "line 3: name 'Flg' is not defined; did you mean Flag?",
        ),
        (
            "from postcopy.model.source import Source\nclass A:\n    x = Source.phse\n",
            "line 3: Source has no attribute phse; did you mean phase?",
        ),
        (
            f"{CHANGE_OF_SOURCE}        @action(Source.migratoin)\n        def acts(self): pass\n",
            "line 5: Source has no attribute migratoin; did you mean migration?",
        ),
        (
            f"{CHANGE_OF_SOURCE}        @action(migration)\n        def acts(self): pass\n",
            "line 5: name 'migration' is not defined; did you mean Source.migration?",
        ),
        (
            f"{CHANGE_OF_SOURCE}        mine = Thread('mine')\n        @action(mime)\n        def acts(self): pass\n",
            "line 6: name 'mime' is not defined; did you mean mine?",
        ),
        ("x = 1\n", "no class that is a Protocol"),
    ],
)
def test_a_file_that_cannot_be_read_as_a_protocol(run: Run, tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(text)
    assert says in refused(run, "check", f"{file}:Mine")


def test_a_file_that_is_not_there_or_no_text(run: Run, tmp_path: Path) -> None:
    assert "No such file" in refused(run, "check", str(tmp_path / "none.py"))
    (tmp_path / "bytes.py").write_bytes(b"\xff\xfe\x00")
    assert "it is not text" in refused(run, "check", str(tmp_path / "bytes.py"))
    assert "cannot read" in refused(run, "check", str(tmp_path))


def test_a_file_and_a_fault_at_once(run: Run) -> None:
    assert "only one of them" in refused(run, "check", "x.py:X", "--fault", "no-discards")


HEADER = '''
import random
from postcopy.language import *
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Phase, Source
from postcopy.model.network import Command

class Mine(Source):
    mine = Thread("my thread")

    count = Count("a number", 0, 1)

    @action(mine)
    def does_it(self) -> None:
        """does it"""
'''

CHEATS = {
    "another machine's state": ("require(self.destination.running)", "a machine sees only its own state"),
    "a branch on something else": ("require(random.random() < 0.5)", "random"),
    "an action that never ends": ("while True: pass", "may never end"),
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("cheat", CHEATS)
def test_a_protocol_that_cheats_is_told_the_action_and_the_line(run: Run, tmp_path: Path, cheat: str) -> None:
    body, says = CHEATS[cheat]
    file = tmp_path / "mine.py"
    file.write_text(HEADER + f"        {body}\n\nclass Change(Postcopy):\n    source = Mine\n")
    message = refused(run, "check", f"{file}:Change", "--pages", "1")
    line = HEADER.count("\n") + 1
    assert says in message
    assert f"mine.py:{line}, in does_it" in message


def test_a_trace_that_is_damaged(run: Run, tmp_path: Path) -> None:
    text = STORED.read_text()
    file = tmp_path / "run.itf.json"
    file.write_text(text[: len(text) // 2])
    refused(run, "trace", str(file))
    file.write_text("not json")
    refused(run, "trace", str(file))
    refused(run, "trace", str(tmp_path / "none.itf.json"))


@pytest.mark.parametrize(
    ("key", "value"), [("fingerprint", "0" * 16), ("version", 99), ("protocol", "no-such-protocol"), ("pages", 3)]
)
def test_a_trace_of_another_model_or_version(run: Run, tmp_path: Path, key: str, value: object) -> None:
    stored = json.loads(STORED.read_text())
    stored["#meta"]["postcopy"][key] = value
    file = tmp_path / "run.itf.json"
    file.write_text(json.dumps(stored))
    refused(run, "trace", str(file))


def test_files_that_cannot_be_written(run: Run, tmp_path: Path) -> None:
    nowhere = tmp_path / "no" / "such" / "run.svg"
    assert "cannot write" in refused(run, "trace", str(STORED), "--svg", str(nowhere))
    assert "has to end in" in refused(run, "check", "--trace", "run.pdf")


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["trace", str(STORED), "--json", "--markdown"], "--json or --markdown"),
        (["graph", "space.dot", "--by", "source", "--all-states"], "--by or --all-states"),
        (["check", "--workers", "2", "--engine", "interpreted"], "for a compiled search"),
        (["check", "--count", "2", "--all-properties"], "--count or --all-properties"),
        (["prove", "--bitmaps", "--fault", "no-discards"], "leave the protocol and its size away"),
        (["prove", "--bitmaps", "--pages", "2"], "leave the protocol and its size away"),
        (["prove", "--pages", "1", "--in-flight", "0"], "--in-flight 0 is out of range"),
        (["explore", "--trace", str(STORED), "--pages", "3"], "leave the protocol and its size away"),
        (["conform", "run.jsonl", "--pages", "7"], "a log says its own size"),
        (["conform", "run.jsonl", "--qemu"], "--host-page, --qemu, --recovery and --preempt go with --exhaustive"),
        (["conform", "run.jsonl", "--recovery"], "--host-page, --qemu, --recovery and --preempt go with --exhaustive"),
        (["run", "destination", "--qemu"], "--qemu needs --keep FILE: the engine keeps a guest of QEMU in a file"),
        (["run", "destination", "--keep", "guest"], "--keep goes with --qemu"),
        (["run", "destination", "--qemu", "--keep", "g", "--size", "1G", "--vcpus", "1"], "--size, --vcpus: not with"),
        (["run", "destination", "--qemu", "--keep", "g", "--settle", "1"], "--settle: not with --qemu"),
        (["run", "source", "127.0.0.1:1", "--qemu"], "--qemu needs --devices-from FILE"),
        (["run", "source", "127.0.0.1:1", "--devices-from", "guest"], "--devices-from goes with --qemu"),
        (
            ["run", "source", "127.0.0.1:1", "--qemu", "--devices-from", "g", "--workload", "hot"],
            "--workload: not with --qemu, for the guest comes from a QEMU, with its memory",
        ),
        (["run", "--size", "1G", "source", "127.0.0.1:1"], "its options go behind source"),
        (["run", "--timeout", "nan"], "--timeout nan: more than 0"),
        (["run", "--timeout", "inf"], "--timeout inf: more than 0"),
        (["run", "--settle", "-1"], "--settle -1: 0 to"),
        (["run", "destination", "--patience", "-1"], "--patience -1: more than 0"),
    ],
    ids=lambda given: " ".join(Path(word).name for word in given) if isinstance(given, list) else "",
)
def test_what_would_be_left_unheeded_or_cannot_be_waited_for(run: Run, command: list[str], says: str) -> None:
    assert says in refused(run, *command)


@pytest.mark.parametrize(
    "command",
    [["trace"], ["replay"], ["explore", "--trace"]],
    ids=lambda command: command[0],
)
def test_a_file_is_not_run_because_a_trace_names_it(run: Run, tmp_path: Path, command: list[str]) -> None:
    witness, code, file = tmp_path / "witness", tmp_path / "code.py", tmp_path / "run.itf.json"
    code.write_text(f"open({str(witness)!r}, 'w').close()\n")
    stored = json.loads(STORED.read_text())
    for name in (str(code), f"{code}:Mine", f"{code}:Postcopy"):
        stored["#meta"]["postcopy"]["protocol"] = name
        file.write_text(json.dumps(stored))
        assert "a file that is not run because a trace names it" in refused(run, *command, str(file))
    assert not witness.exists()


@pytest.mark.unmeasured
def test_a_run_of_one_s_own_protocol_is_shown_when_its_file_is_given(run: Run, tmp_path: Path) -> None:
    mine, file = tmp_path / "mine.py", tmp_path / "run.itf.json"
    mine.write_text(CHANGE)
    small = ("--pages", "1", "--in-flight", "1")
    assert run("check", str(mine), *small, "--trace", str(file)).code == 12
    shown = run("trace", str(file), str(mine))
    assert shown.code == 0
    assert "MyChange, 1 page" in shown.out
    mine.write_text(CHANGE.replace("require(self.phase == Phase.POSTCOPY)", "require(self.phase != Phase.POSTCOPY)"))
    assert "another version of the model" in refused(run, "trace", str(file), f"{mine}:MyChange")


@pytest.mark.parametrize("command", ["trace", "replay", "explore"])
@pytest.mark.parametrize(
    ("claim", "says"),
    [
        *((prop.name, "a situation that some run has to reach") for prop in WITNESSES[::6]),
        ("no-two-guests", "which holds at its end"),
        ("finished-stays-finished", "which holds at its end"),
        ("no-deadlock", "which holds at its end"),
        ("the-migration-ends", "which its run keeps, or breaks by neglecting a thread"),
        ("there-is-cake", "a property there-is-cake that the model does not have"),
    ],
)
def test_a_trace_that_lies_about_what_it_violates(
    run: Run, tmp_path: Path, command: str, claim: str, says: str
) -> None:
    file = tmp_path / "run.itf.json"
    stored = json.loads(STORED.read_text())
    stored["#meta"]["postcopy"]["violated"] = claim
    file.write_text(json.dumps(stored))
    arguments = [command, *(["--trace"] if command == "explore" else []), str(file)]
    assert says in refused(run, *arguments)


def limited(kibibytes: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own, with so much memory."""
    command = f"ulimit -v {kibibytes} && exec {shlex.join([sys.executable, '-m', 'postcopy', *arguments])}"
    return subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize("command", [("check",), ("simulate",), ("prove",), ("diff", "Postcopy", "preempt")])
def test_too_little_memory_is_said_at_once(command: tuple[str, ...]) -> None:
    result = limited(400_000, *command)
    assert result.stderr == "postcopy: this process may have 390 MiB of memory (ulimit -v), and needs 1,024 at least\n"
    assert (result.returncode, result.stdout) == (2, "")


@pytest.mark.unmeasured
def test_what_needs_little_memory_gets_by_with_little() -> None:
    assert limited(400_000, "list", "faults").returncode == 0
    assert limited(400_000, "trace", str(STORED)).returncode == 0


@pytest.mark.slow
def test_states_take_no_more_memory_than_the_system_allows() -> None:
    small = ("check", "--pages", "2", "--in-flight", "1", "--engine", "compiled", "--fault", "no-discards")
    result = limited(2_000_000, *small)
    assert result.returncode == 12
    assert result.stderr.startswith("postcopy: states may take 1,313 MiB and not 4,096: the system allows no more")
    result = limited(2_000_000, *small, "--max-memory", "1G")
    assert (result.returncode, result.stderr) == (12, "")


def test_memory_that_ends_in_the_middle_is_no_verdict(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("postcopy.explorer.explore.Exploration.run", full)
    result = run("check", "--pages", "1", "--in-flight", "1", "--engine", "interpreted")
    assert (result.code, result.out) == (75, "")
    assert result.err == "postcopy: out of memory: take a smaller size, or allow more memory\n"
