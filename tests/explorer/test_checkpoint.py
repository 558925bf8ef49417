"""A search that is kept on disk can be killed at any time; resumed, it comes to the same result."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from postcopy.errors import UsageError
from postcopy.explorer import explore
from postcopy.explorer.explore import Exploration
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.explorer.search.checkpoint import NAME, Checkpoint
from postcopy.explorer.search.compiled import Compiled
from postcopy.language.instance import Instance
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.safety import SAFETY
from postcopy.properties.witnesses import WITNESSES
from tests.explorer.killed import killed

INSTANCE = Instance(Postcopy, 2, 2, (*SAFETY, *WITNESSES))
SAME = ("status", "states", "transitions", "depth", "frontier", "fired", "witnesses")


def exploration(workers: int = 1, **changes: Any) -> Exploration:
    made = Exploration(changes.pop("instance", INSTANCE), Options(engine=Engine.COMPILED, workers=workers, **changes))
    search = made.search
    assert isinstance(search, Compiled)
    search.shard.alone_until = 500
    return made


@pytest.fixture(autouse=True, scope="module")
def small_slices() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explore, "_SLICE", 700)
        yield


@pytest.fixture(scope="module")
def whole() -> Exploration:
    made = exploration()
    made.run()
    return made


@pytest.fixture(scope="module")
def fresh() -> Exploration:
    """One that resumes what is refused."""
    return exploration()


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("stored") / "kept"
    killed(exploration(1), directory, 4)
    return directory


@pytest.fixture
def directory(stored: Path, tmp_path: Path) -> Path:
    """A checkpoint of a search that died."""
    return shutil.copytree(stored, tmp_path / "kept")


@pytest.mark.slow_but("2-2")
@pytest.mark.parametrize(("workers", "slices"), [(1, 1), (1, 9), (2, 1), (2, 2), (2, 7)])
def test_it_ends_as_if_nothing_had_happened(whole: Exploration, tmp_path: Path, workers: int, slices: int) -> None:
    killed(exploration(workers), tmp_path / "kept", slices)
    again = exploration(workers)
    again.resume(tmp_path / "kept", 0)
    assert 0 < again.findings.states < whole.findings.states
    again.run()
    assert [getattr(again.findings, a) for a in SAME] == [getattr(whole.findings, a) for a in SAME]
    assert set(again.stored()) == set(whole.stored())
    for name in (p.name for p in WITNESSES):
        one, other = whole.witness(name), again.witness(name)
        assert (one and len(one.steps)) == (other and len(other.steps))


@pytest.mark.slow
def test_a_counterexample_is_as_short(tmp_path: Path) -> None:
    fault = FAULTS["end-before-run"]
    instance = Instance(fault, 2, 2, SAFETY)
    whole = exploration(instance=instance)
    whole.run()
    first = exploration(instance=instance)
    first.keep(tmp_path / "kept", 0)
    first.findings = first.search.run(1000)
    first._save()
    again = exploration(instance=instance)
    again.resume(tmp_path / "kept", 0)
    again.run()
    verdicts = [e.verdict() for e in (whole, again)]
    traces = [v.counterexample for v in verdicts]
    assert traces[0] is not None
    assert traces[1] is not None
    assert len(traces[0].steps) == len(traces[1].steps)
    assert verdicts[0].violated == verdicts[1].violated


def test_more_memory_finishes_what_less_could_not(whole: Exploration, tmp_path: Path) -> None:
    directory = tmp_path / "kept"
    small = exploration(max_memory=300_000)
    small.keep(directory, 1000)
    small.run()
    assert small.verdict().outcome is Outcome.INCONCLUSIVE
    again = exploration()
    again.resume(directory, 1000)
    again.run()
    assert [getattr(again.findings, a) for a in SAME] == [getattr(whole.findings, a) for a in SAME]


def test_what_was_written_and_does_not_count_is_written_over(directory: Path, fresh: Exploration) -> None:
    with (directory / "states-0-of-1").open("ab") as file:
        file.write(os.urandom(1001))
    again = exploration()
    again.resume(directory, 0)
    again.run()
    fresh.resume(directory, 0)
    assert fresh.findings.states == again.findings.states


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a bit of a state": (lambda d: flip(d / "states-0-of-1"), "is damaged"),
    "a bit of a parent": (lambda d: flip(d / "parents-0-of-1"), "is damaged"),
    "a bit of the description": (lambda d: flip(d / NAME), "damaged|another search|no checkpoint"),
    "half of the states": (lambda d: halve(d / "states-0-of-1"), "is truncated"),
    "half of the description": (lambda d: halve(d / NAME), "is no checkpoint"),
    "no states": (lambda d: (d / "states-0-of-1").unlink(), "No such file"),
    "no description": (lambda d: (d / NAME).unlink(), "there is no checkpoint to resume"),
    "not JSON": (lambda d: (d / NAME).write_text("ELF"), "is no checkpoint"),
    "another format": (lambda d: (d / NAME).write_text('{"format": 7}'), "another version"),
    "nested without end": (lambda d: (d / NAME).write_text("[" * 100_000), "is no checkpoint"),
    "a pipe for the description": (lambda d: pipe(d / NAME), "it is a pipe, not a file"),
    "a pipe for the states": (lambda d: pipe(d / "states-0-of-1"), "is no file"),
    "a directory for the parents": (lambda d: folder(d / "parents-0-of-1"), "is no file"),
    "a list": (lambda d: (d / NAME).write_text("[1]"), "is no checkpoint"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_checkpoint_is_refused_and_left_as_it_is(directory: Path, fresh: Exploration, what: str) -> None:
    damage, message = DAMAGE[what]
    damage(directory)
    before = {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}
    with pytest.raises(UsageError, match=message):
        fresh.resume(directory, 0)
    assert {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()} == before


@pytest.mark.slow_but("other4-need more memory")
@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"reductions": ()}, "reductions is page symmetry there, none here"),
        ({"instance": Instance(Postcopy, 2, 1, (*SAFETY, *WITNESSES))}, "size is 2 pages, 2 messages in flight there"),
        ({"instance": Instance(Postcopy, 2, 2, SAFETY)}, "properties is"),
        ({"instance": Instance(FAULTS["end-before-run"], 2, 2, (*SAFETY, *WITNESSES))}, "protocol is Postcopy there"),
        ({"max_memory": 100_000}, "need more memory"),
    ],
)
def test_a_foreign_checkpoint_is_refused(directory: Path, other: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        exploration(**other).resume(directory, 0)


def test_another_text_of_the_model_is_another_search(directory: Path, fresh: Exploration) -> None:
    assert json.loads((directory / NAME).read_text())["subject"] == fresh.subject()
    assert isinstance(fresh.search, Compiled)
    with pytest.raises(UsageError, match=r"model is .* there, another here"):
        Checkpoint.load(directory, fresh.subject() | {"model": "another"}, 0, fresh.search)


def test_nothing_is_overwritten(tmp_path: Path, fresh: Exploration) -> None:
    (tmp_path / "letter").write_text("dear")
    with pytest.raises(UsageError, match="is not empty: nothing is overwritten"):
        fresh.keep(tmp_path, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["letter"]


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--small-table", "--workers", "2")])
def test_killed_at_any_time(tmp_path: Path, options: tuple[str, ...]) -> None:
    """As a user would see it: SIGKILL to the program, several times, until it comes to its end."""
    slices = "from postcopy.explorer import explore; explore._SLICE = 1000; from postcopy.cli.main import main; main()"
    command = [
        sys.executable,
        "-c",
        slices,
        "check",
        "--pages",
        "3",
        "--no-symmetry",
        "--json",
        "--no-liveness",
        *options,
    ]
    exploration(instance=Instance(Postcopy, 3, 2, SAFETY), reductions=())  # so that it is compiled already
    expected = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    directory, moments = tmp_path / "kept", random.Random(5)
    run, description = [*command, "--checkpoint-every", "0"], directory / NAME
    kills = 0
    while True:
        before = description.stat().st_mtime_ns if description.exists() else 0
        option = "--resume" if before else "--checkpoint"
        process = subprocess.Popen([*run, option, str(directory)], stdout=subprocess.PIPE)
        if kills == 4:
            break
        while process.poll() is None and (not description.exists() or description.stat().st_mtime_ns == before):
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.05))
        if process.poll() is not None:
            break  # it was faster
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += 1
    said, _ = process.communicate(timeout=120)
    assert kills > 0
    found = json.loads(said)
    same = ("verdict", "states", "transitions", "depth", "actions")
    assert {key: found[key] for key in same} == {key: expected[key] for key in same}
