"""Files of results: checked before any work is done; a file that postcopy has not written is never replaced; nothing is
lost to a full disk, a terminal without check marks or Ctrl-C."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from postcopy.errors import UsageError
from postcopy.explorer.explore import Exploration
from postcopy.explorer.simulation.simulate import Simulation
from postcopy.report import gallery
from postcopy.report.charts.formats import formats
from tests.cli.conftest import Run, refused

STORED = Path(__file__).parents[2] / "counterexamples" / "no-discards.itf.json"

WRITERS = [
    (["check", "--trace"], "a.md"),
    (["check", "--trace"], "a.itf.json"),
    (["check", "--report"], "a.html"),
    (["simulate", "--trace"], "a.svg"),
    (["simulate", "--report"], "a.html"),
    (["diff", "Postcopy", "preempt", "--report"], "a.html"),
    (["run", "--report"], "a.html"),
    (["trace", str(STORED), "--html"], "a.html"),
    (["trace", str(STORED), "--svg"], "a.svg"),
    (["graph"], "a.dot"),
    (["export", "promela", "-o"], "a.pml"),
    (["run", "--log"], "a.jsonl"),
    (["run", "--histogram"], "a.svg"),
    (["run", "source", "127.0.0.1:1", "--log"], "a.jsonl"),
    (["run", "destination", "--qemu", "--keep"], "guest"),
    (["conform", "--wire", "nothing", "--keep"], "run.txt"),
]


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is searched."""
    monkeypatch.setattr(Exploration, "__init__", lambda *_: pytest.fail("it began to search"))


@pytest.mark.parametrize(("command", "name"), WRITERS, ids=lambda given: given if isinstance(given, str) else given[0])
def test_a_path_is_refused_before_any_work(
    run: Run, no_work: None, tmp_path: Path, command: list[str], name: str
) -> None:
    assert "there is no directory" in refused(run, *command, str(tmp_path / "none" / name))
    (tmp_path / name).mkdir()
    assert "Is a directory" in refused(run, *command, str(tmp_path / name))


@pytest.mark.parametrize(("command", "name"), WRITERS, ids=lambda given: given if isinstance(given, str) else given[0])
def test_somebody_s_own_file_is_not_replaced(
    run: Run, no_work: None, tmp_path: Path, command: list[str], name: str
) -> None:
    mine = tmp_path / name
    mine.write_text("My own work.\n")
    assert "is there already, and postcopy has not written it" in refused(run, *command, str(mine))
    assert mine.read_text() == "My own work.\n"


@pytest.mark.parametrize(("command", "name"), WRITERS, ids=lambda given: given if isinstance(given, str) else given[0])
def test_a_file_is_replaced_when_it_is_forced(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: list[str], name: str
) -> None:
    """Each command is stopped once it has looked at the file."""

    def stop(*_: object, **__: object) -> None:
        raise UsageError("it goes on to work")

    work = ("migrating.run_here", "migrating_sides.engine.run_source", "migrating_with_qemu.run_from_qemu")
    for name_of_work in (*work, "exporting.files"):
        monkeypatch.setattr(f"postcopy.api.{name_of_work}", stop)
    monkeypatch.setattr(Exploration, "__init__", stop)
    monkeypatch.setattr(Simulation, "__init__", stop)
    monkeypatch.setattr("postcopy.cli.trace.trace", stop)
    monkeypatch.setattr("postcopy.cli.conform.conform", stop)
    monkeypatch.setattr("postcopy.cli.diff.diff", stop)
    (tmp_path / name).write_text("My own work.\n")
    assert "it goes on to work" in refused(run, *command, str(tmp_path / name), "--force")


@pytest.mark.slow_but("a.svg", "a.itf.json")
@pytest.mark.parametrize("name", [f"a{form.ending}" for form in formats()])
def test_an_earlier_result_is_replaced(run: Run, tmp_path: Path, name: str) -> None:
    for fault in ("no-discards", "keep-alive-first"):
        assert run("check", "--pages", "1", "--in-flight", "1", "--fault", fault, "--trace", str(tmp_path / name)).code
    assert (tmp_path / name).stat().st_size


@pytest.mark.slow
def test_an_earlier_graph_or_export_is_replaced(run: Run, tmp_path: Path) -> None:
    assert run("graph", str(tmp_path / "a.dot")).code == run("graph", str(tmp_path / "a.dot")).code == 0
    small = ("check", "--pages", "1", "--in-flight", "1")
    assert run(*small, "--report", str(tmp_path / "a.html")).code == 0
    assert run(*small, "--report", str(tmp_path / "a.html")).code == 0
    for _ in range(2):
        for form, ending in (("promela", "pml"), ("tla", "tla"), ("aut", "aut")):
            out = str(tmp_path / f"a.{ending}")
            assert run("export", form, "--pages", "1", "--in-flight", "1", "-o", out).code == 0


def test_a_configuration_beside_a_module_is_somebody_s_own_too(run: Run, tmp_path: Path) -> None:
    (tmp_path / "Model.cfg").write_text("SPECIFICATION Mine\n")
    assert "Model.cfg is there already" in refused(run, "export", "tla", "-o", str(tmp_path / "Model.tla"))


def test_a_chart_never_takes_the_place_of_its_trace(run: Run, tmp_path: Path) -> None:
    stored = tmp_path / "run.itf.json"
    stored.write_bytes(STORED.read_bytes())
    assert "has to end in .svg" in refused(run, "trace", str(stored), "--svg", str(stored))
    assert stored.read_bytes() == STORED.read_bytes()


def test_a_directory_with_other_things_gets_no_gallery(run: Run, tmp_path: Path) -> None:
    own = tmp_path / "mine.itf.json"
    own.write_bytes(STORED.read_bytes())
    assert "is not empty" in refused(run, "counterexamples", str(tmp_path))
    assert list(tmp_path.iterdir()) == [own]


@pytest.mark.slow
def test_a_gallery_made_anew_takes_away_what_is_no_more_and_nothing_else(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("no-discards", "unpackaged")
    monkeypatch.setattr(gallery, "EXHIBITS", {name: gallery.EXHIBITS[name] for name in names})
    assert run("counterexamples", str(tmp_path)).code == 0
    own = tmp_path / "mine.itf.json"
    own.write_bytes(STORED.read_bytes())
    monkeypatch.setattr(gallery, "EXHIBITS", {"no-discards": gallery.EXHIBITS["no-discards"]})
    assert run("counterexamples", str(tmp_path)).out == f"1 counterexamples in {tmp_path}\n"
    left = {"README.md", "mine.itf.json", "no-discards.itf.json", "no-discards.md", "searches.json"}
    assert {path.name for path in tmp_path.iterdir()} == left


@pytest.mark.slow
def test_a_graph_of_a_part_says_so(run: Run, tmp_path: Path) -> None:
    out = str(tmp_path / "a.dot")
    part = run("graph", out, "--pages", "4", "--in-flight", "2", "--max-memory", "1M")
    assert part.code == 75
    assert "not the whole: memory" in part.out
    whole = run("graph", out)
    assert (whole.code, whole.out.count("\n")) == (0, 1)
    assert "a violation of no-stale-device-read" in run("graph", out, "--fault", "no-discards", "--pages", "2").out


def test_what_was_found_survives_ctrl_c(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    search, begun = Exploration.run, []

    def interrupted(self: Exploration) -> None:
        begun.append(self)
        if len(begun) > 1:
            raise KeyboardInterrupt
        search(self)

    monkeypatch.setattr(Exploration, "run", interrupted)
    result = run("check", "--fault", "no-discards", "--no-liveness", "--all-properties", "--json")
    found = json.loads(result.out)
    assert (result.code, found["verdict"]) == (12, "violated")
    assert [other["verdict"] for other in found["further"]] == ["inconclusive"]


def shell(*arguments: str, out: int = subprocess.PIPE, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a command as another process."""
    return subprocess.run(
        [sys.executable, "-m", "postcopy", *arguments],
        stdout=out, stderr=subprocess.PIPE, env=os.environ | environment, check=False,
    )  # fmt: skip


def test_a_terminal_of_another_encoding_gets_utf_8() -> None:
    result = shell("trace", str(STORED), PYTHONIOENCODING="ascii")
    assert (result.returncode, result.stderr) == (0, b"")
    assert "→" in result.stdout.decode()


def test_a_full_disk_is_told_in_one_line() -> None:
    with open("/dev/full", "wb") as full:
        result = shell("list", "faults", out=full.fileno())
    assert (result.returncode, result.stderr) == (2, b"postcopy: No space left on device\n")


def test_a_reader_that_goes_early_is_no_error_and_no_verdict() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    result = shell("trace", str(STORED), "--json", out=writer)
    os.close(writer)
    assert result.stderr == b""
    assert result.returncode in (1, 141)  # Typer's for a pipe, or the shell's


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_costs_a_warning_and_the_time_to_compile(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    small = ("--pages", "1", "--in-flight", "1", "--property", "no-two-guests", "--engine", "compiled")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    result = shell("check", *small, POSTCOPY_CACHE=str(tmp_path / "file"), TMPDIR=str(temporary))
    assert result.returncode == 0
    assert b"holds" in result.stdout
    warning = result.stderr.decode()
    assert warning.startswith(f"postcopy: cannot keep compiled kernels in {tmp_path / 'file'}: ")
    assert "set POSTCOPY_CACHE" in warning
    assert warning.count("\n") == 1
    assert list(temporary.iterdir()) == [], "the kernels of this run are gone with it"


@pytest.mark.parametrize(("option", "name"), [("--report", "a.html"), ("--trace", "a.md")])
def test_a_file_that_cannot_be_written_after_the_search_costs_a_warning_and_no_verdict(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, name: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    small = ("check", "--pages", "1", "--in-flight", "1", "--fault", "no-discards", "--engine", "interpreted")
    result = run(*small, option, str(tmp_path / name))
    assert result.code == 12
    assert "violated: The device load reads no stale page" in result.out
    assert result.err == f"postcopy: {option} {tmp_path / name}: cannot be written: No space left on device\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command", [["check", "--no-liveness"], ["simulate", "--walks", "1"]], ids=lambda given: given[0]
)
def test_an_earlier_counterexample_is_not_taken_for_this_one(run: Run, tmp_path: Path, command: list[str]) -> None:
    old, small = tmp_path / "a.md", ("--pages", "1", "--in-flight", "1")
    run("check", *small, "--fault", "no-discards", "--trace", str(old))
    result = run(*command, *small, "--trace", str(old))
    assert result.code == 0
    assert "is of an earlier run: now there is no counterexample" in result.err
    assert "earlier" not in run(*command, *small, "--trace", str(tmp_path / "b.md")).err


SMALL = ("check", "--pages", "2", "--in-flight", "1", "--no-liveness", "--engine", "compiled", "--json", "--fault")


@pytest.mark.slow(first=True)
def test_a_damaged_object_in_the_cache_changes_no_verdict(tmp_path: Path) -> None:
    def checked(fault: str) -> tuple[object, ...]:
        found = json.loads(shell(*SMALL, fault, POSTCOPY_CACHE=str(tmp_path)).stdout)
        return tuple(found[key] for key in ("verdict", "states", "transitions", "depth"))

    right = checked("no-discards")
    (kernel,), (loop,) = tmp_path.glob("kernel_*"), tmp_path.glob("loop_*")
    other = checked("unpackaged")
    assert right != other
    (foreign,) = set(tmp_path.glob("kernel_*")) - {kernel}
    content = bytearray(kernel.read_bytes())
    content[len(content) // 2] ^= 4
    for damaged in (b"", bytes(content), foreign.read_bytes(), b"hello"):
        kernel.write_bytes(damaged)
        assert checked("no-discards") == right
    for part in tmp_path.glob("action_*"):
        content = bytearray(part.read_bytes())
        content[len(content) // 2] ^= 4
        part.write_bytes(content)
    kernel.unlink()
    assert checked("no-discards") == right
    content = bytearray(loop.read_bytes())
    content[len(content) // 2] ^= 4
    loop.write_bytes(content)
    assert checked("no-discards") == right


@pytest.mark.one_in(2)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "what", "allowed"),
    [
        ("a.graphml", ("--pages", "2", "--in-flight", "1"), 16),
        ("recovery.graphml", ("--change", "recovery", "--pages", "1", "--in-flight", "1"), 8),
        ("preempt.graphml", ("--change", "preempt", "--pages", "1", "--in-flight", "1"), 4),
        ("fault.graphml", ("--fault", "no-discards", "--pages", "2", "--in-flight", "1"), 4),
        ("one_page.graphml", ("--pages", "1", "--in-flight", "2"), 2),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_graph_keeps_to_the_memory_allowed(tmp_path: Path, name: str, what: tuple[str, ...], allowed: int) -> None:
    graph = ("graph", str(tmp_path / name), "--all-states", *what, "--max-memory")
    result = shell(*graph, f"{allowed}M")
    assert result.returncode == 2
    assert f"and --max-memory allows {allowed}: allow more".encode() in result.stderr
    assert not (tmp_path / name).exists()
    assert b"nodes for" in shell(*graph, "256M").stdout
