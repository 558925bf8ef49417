"""The loops of liveness are compiled by another process meanwhile, on which nothing depends but time."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from postcopy.explorer import explore
from postcopy.explorer.explore import Exploration
from postcopy.explorer.liveness import beside, recomputed
from postcopy.explorer.liveness.beside import LEAST_MEMORY, Beside
from postcopy.explorer.results import Engine, Options
from postcopy.explorer.search import loops
from postcopy.language.instance import Instance
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.liveness import LIVENESS
from postcopy.properties.safety import SAFETY

SLEEPS = [sys.executable, "-c", "import time; time.sleep(100)"]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that were started; each only sleeps."""
    processes: list[subprocess.Popen[bytes]] = []
    plain = subprocess.Popen

    def sleeping(*_: object, **__: object) -> subprocess.Popen[bytes]:
        processes.append(plain(SLEEPS))
        return processes[-1]

    monkeypatch.setattr(subprocess, "Popen", sleeping)
    for module in (loops, recomputed):
        monkeypatch.setattr(module, "is_compiled", lambda _: False)
    monkeypatch.setattr(beside, "cores", lambda: 2)
    return processes


def test_each_number_of_words_is_compiled_once_and_what_nobody_waits_for_is_ended(
    started: list[subprocess.Popen[bytes]],
) -> None:
    made = Beside(LEAST_MEMORY)
    for words in (1, 2, 2):
        made.begin(words)
    assert [process.poll() for process in started] == [None, None]
    started[1].kill()
    made.wait(2)
    assert all(process.poll() is not None for process in started)


def test_it_ends_with_what_it_was_begun_for(started: list[subprocess.Popen[bytes]]) -> None:
    made = Beside(LEAST_MEMORY)
    made.begin(1)
    del made
    assert started[0].poll() is not None


@pytest.mark.parametrize("why", ["little memory", "one core", "in the cache"])
def test_there_is_none_where_it_is_of_no_use(
    started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    if why == "one core":
        monkeypatch.setattr(beside, "cores", lambda: 1)
    if why == "in the cache":
        for module in (loops, recomputed):
            monkeypatch.setattr(module, "is_compiled", lambda _: True)
    made = Beside(LEAST_MEMORY - (why == "little memory"))
    made.begin(1)
    if why != "in the cache":
        made.share("")
    assert started == []


@pytest.mark.parametrize(("does", "lives"), [("print('search', flush=True); sleep(100)", True), ("exit(1)", False)])
def test_it_is_waited_for_the_search_s_loop_and_no_longer(
    monkeypatch: pytest.MonkeyPatch, does: str, lives: bool
) -> None:
    plain, process = subprocess.Popen, [sys.executable, "-c", f"from time import sleep; sleep(0.2); {does}"]
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **how: plain(process, **how))
    monkeypatch.setattr(beside, "cores", lambda: 2)
    monkeypatch.setattr(loops, "is_compiled", lambda _: False)
    made, began = Beside(LEAST_MEMORY), time.monotonic()
    made.begin(1, liveness=False)
    made.wait_for_search(1)
    assert time.monotonic() - began > 0.2
    assert made._loops[1].poll() is None or not lives
    made.wait_for_search(1)  # it has been there
    made.end()


def test_what_is_asked_for_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for name, module in (("search", loops), ("liveness", recomputed)):
        monkeypatch.setattr(module, "compile_all", lambda words, name=name: asked.append(f"{name} {words}"))
    monkeypatch.setattr(os, "nice", lambda _: 0)
    for arguments in (["2", "search", "liveness"], ["1", "liveness"]):
        beside._main(arguments)
    assert asked == ["search 2", "liveness 2", "liveness 1"]


@pytest.mark.parametrize("large", [False, True])
def test_it_compiles_the_search_s_loop_only_beside_a_large_kernel(large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small kernel is compiled in a second: this process would wait for the other one then."""
    asked: list[bool] = []
    monkeypatch.setattr(Beside, "begin", lambda _self, _words, *, search, liveness: asked.append(search))
    monkeypatch.setattr(explore, "LARGE_ACTIONS", 10 if large else 1000)
    Exploration(Instance(Postcopy, 1, 1, LIVENESS), Options(engine=Engine.COMPILED))
    assert set(asked) == {large}


@pytest.mark.slow
def test_a_search_that_finds_something_ends_it(started: list[subprocess.Popen[bytes]]) -> None:
    fault = FAULTS["loss-in-one-direction"]
    search = Exploration(
        Instance(fault, fault.pages, 1, (*SAFETY, *LIVENESS), fault.group), Options(engine=Engine.COMPILED)
    )
    assert len(started) == 1  # a small protocol's kernel is not shared
    search.run()
    assert search.verdict().counterexample is not None
    assert started[0].poll() is not None


@pytest.mark.slow
def test_what_it_has_compiled_is_in_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POSTCOPY_CACHE", str(tmp_path))
    monkeypatch.setattr(beside, "cores", lambda: 2)
    assert not recomputed.is_compiled(1)
    made = Beside(LEAST_MEMORY)
    made.begin(1)
    made.wait(1)
    assert recomputed.is_compiled(1)
    assert loops.is_compiled(1)
    monkeypatch.setattr(loops, "texts_of", lambda _: ("another version of the text",))
    assert not recomputed.is_compiled(1)
