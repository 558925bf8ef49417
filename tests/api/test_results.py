"""Results of the API: what they say, how they look in a notebook, and when they are true."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from inspect import signature
from pathlib import Path

import msgspec
import pytest

import postcopy
from postcopy import (
    Postcopy,
    Result,
    SpecError,
    TraceError,
    UndecidedError,
    UsageError,
    check,
    conform,
    diff,
    prove,
    prove_bitmaps,
    simulate,
    trace,
)
from postcopy.api import proving_bitmaps
from postcopy.api.check_settings import CheckSettings
from postcopy.api.checking import CheckResult
from postcopy.cli.check import CheckOptions
from postcopy.explorer.results import Outcome
from postcopy.properties.bitmaps import LEMMAS
from tests.cli.conftest import CHANGE, Run, run
from tests.export.tiny import Tiny

__all__ = ["run"]

SMALL = {"pages": 1, "in_flight": 1, "engine": "interpreted"}


def words(text: str) -> str:
    """What is printed, but for lines and columns, which depend on the width, and for the time that it took."""
    return re.sub(r"[\d.]+ s(, [\d.]+ million states/s)? (?=\(interpreted\))", "", " ".join(text.split()))


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> CheckResult:
    """The check of a change that breaks something."""
    file = tmp_path_factory.mktemp("change") / "my_change.py"
    file.write_text(CHANGE)
    return check(f"{file}:MyChange", pages=1, in_flight=1, liveness=False, engine="interpreted")


@pytest.fixture(scope="module")
def sound() -> CheckResult:
    """The check of a protocol with nothing wrong."""
    return check(Tiny, pages=1, in_flight=1)


@pytest.mark.unmeasured
def test_a_result_says_what_the_terminal_says(broken: CheckResult, run: Run, tmp_path: Path) -> None:
    options = ("--pages", "1", "--in-flight", "1", "--no-liveness", "--engine", "interpreted")
    printed = run("check", broken.name, *options)
    assert printed.code == 12
    assert words(str(broken)) == words(printed.out)
    as_json = msgspec.json.decode(run("check", broken.name, *options, "--json").out)
    assert msgspec.json.decode(broken.json()) | {"seconds": 0} == as_json | {"seconds": 0}


def test_what_is_violated_is_false_and_has_a_story(broken: CheckResult) -> None:
    assert not broken
    assert (broken.verdict, broken.violated) == ("violated", "only-dirty-pages-sent")
    assert broken.story.startswith("Counterexample to")
    assert broken.story in str(broken)
    assert repr(broken).endswith(f"MyChange: {broken.sentence}>")


def test_a_notebook_shows_the_page_in_a_frame(broken: CheckResult) -> None:
    shown = broken._repr_html_()
    assert shown.startswith('<iframe title="violated: Only dirty pages are sent')
    assert shown.endswith("</iframe>")
    inside = shown.split('srcdoc="', 1)[1]
    assert '"' not in inside[: inside.index('"></iframe>')]
    assert "&lt;input type=&quot;range&quot;" in inside


def test_a_result_is_saved_by_its_ending(broken: CheckResult, sound: CheckResult, tmp_path: Path) -> None:
    for ending in (".html", ".svg", ".md", ".txt", ".itf.json"):
        broken.save(tmp_path / f"story{ending}")
        assert (tmp_path / f"story{ending}").stat().st_size > 1000
    with pytest.raises(UsageError, match=r"there is no counterexample; only a name that ends in \.html takes it all"):
        sound.save(tmp_path / "sound.svg")
    (tmp_path / "mine.svg").write_text("mine")
    with pytest.raises(UsageError, match="postcopy has not written it"):
        broken.save(tmp_path / "mine.svg")


def test_what_holds_is_true_where_all_was_asked_and_nothing_weakens_it(sound: CheckResult) -> None:
    assert sound.verdict == "holds"
    assert sound.warnings == []
    assert sound


def test_what_holds_with_warnings_is_undecided() -> None:
    weak = check(Postcopy, **SMALL, liveness=False)  # type: ignore[arg-type]
    assert weak.verdict == "holds"
    with pytest.raises(UndecidedError, match="Postcopy is neither true nor false: what was asked holds, and"):
        bool(weak)


def test_a_search_that_ends_early_is_undecided(sound: CheckResult) -> None:
    late = CheckResult("Tiny", replace(sound.found, outcome=Outcome.INCONCLUSIVE, why="memory"))
    with pytest.raises(UndecidedError, match="neither true nor false: inconclusive: memory"):
        bool(late)


def test_a_search_ends_when_its_time_is_over() -> None:
    late = check(Postcopy, pages=4, in_flight=3, seconds=0.05, engine="interpreted")
    assert late.verdict == "inconclusive"
    assert late.found.why == "0.05 seconds were over before all states were seen"


def test_chosen_properties_that_hold_are_undecided() -> None:
    with pytest.raises(UndecidedError, match=r"and \d+ properties were not asked"):
        bool(check(Postcopy, **SMALL, properties="no-page-lost"))  # type: ignore[arg-type]


def test_walks_are_never_true() -> None:
    nothing = simulate(Postcopy, pages=1, in_flight=1, walks=2)
    assert nothing.verdict == "nothing found"
    with pytest.raises(UndecidedError, match="no violation found in 2 walks of seed 1, which proves nothing"):
        bool(nothing)


def test_a_run_that_walks_find_is_false_and_shown(broken: CheckResult) -> None:
    found = simulate(broken.name, pages=2, in_flight=2)
    assert not found
    assert found.verdict == "violated"
    assert found.story.startswith("Counterexample to")
    assert "&lt;h2 id=&quot;story-1&quot;&gt;" in found._repr_html_()


def test_a_proof_at_one_size_is_undecided_and_says_what_is_proved() -> None:
    proof = prove(Tiny, pages=1, in_flight=1)
    assert proof.verdict in ("proved", "not proved")
    with pytest.raises(UndecidedError):
        bool(proof)
    assert set(proof.named("proved")) <= {v.property.name for v in proof.found.verdicts}


def test_a_stored_run_is_read_again_and_is_neither_true_nor_false(broken: CheckResult, tmp_path: Path) -> None:
    broken.save(tmp_path / "run.itf.json")
    run = trace(tmp_path / "run.itf.json", broken.name)
    assert (run.verdict, run.violated) == ("violated", broken.violated)
    assert str(run) == broken.story
    assert "&lt;input type=&quot;range&quot;" in run._repr_html_()
    with pytest.raises(UndecidedError, match="a stored run is neither good nor bad"):
        bool(run)
    with pytest.raises(TraceError, match="not run because a trace names it"):
        trace(tmp_path / "run.itf.json")


def test_a_comparison_is_neither_true_nor_false() -> None:
    same = diff(Tiny, Tiny, pages=1)
    assert (same.verdict, same.turned) == ("same behaviour", {})
    with pytest.raises(UndecidedError, match="a comparison is neither good nor bad"):
        bool(same)
    assert "Nothing, as far as it is observed at this size." in same.page()


def test_lemmas_are_true_where_each_is_proved_and_catches_its_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving_bitmaps, "LEMMAS", LEMMAS[:1])
    proved = prove_bitmaps()
    assert proved
    assert proved.sentence == "proved: 1 of 1 lemmas about bitmaps of 64 pages a word"
    assert "Each lemma catches a mistake:" in str(proved)
    assert not replace(proved, found=proved.mistakes)
    with pytest.raises(UndecidedError, match="a lemma does not catch the mistake that it is there for"):
        bool(replace(proved, mistakes=proved.found))


MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "no protocol": (lambda: check(42), "a protocol is a class, a name or FILE.py:Class, and not 42"),  # type: ignore[arg-type]
    "an object": (lambda: check(Tiny()), "give the class Tiny itself, without () behind it"),  # type: ignore[arg-type]
    "a name": (lambda: check("prempt"), "there is no protocol prempt; did you mean preempt?"),
    "a name that is like none": (
        lambda: check("zzz"),
        "there is no protocol zzz: listing('faults') shows what there is",
    ),
    "half a name": (
        lambda: check("Postcopy+"),
        "Postcopy+: there is no name on one side of a +: write PROTOCOL+CHANGE",
    ),
    "a size in words": (lambda: check(Tiny, pages="2"), "pages is a whole number, and not '2'"),  # type: ignore[arg-type]
    "no size": (lambda: check(Tiny, pages=0), "pages=0 is out of range: 1 to 16"),
    "a property": (
        lambda: check(Postcopy, properties=["no-page-lots"]),
        "there is no property no-page-lots; did you mean no-page-lost?",
    ),
    "no property": (
        lambda: check(Postcopy, properties=[3]),  # type: ignore[list-item]
        "a property is given by its name, and not as 3",
    ),
    "an engine": (lambda: check(Tiny, engine="fast"), "there is no engine fast: auto, compiled, interpreted"),
    "an amount": (lambda: check(Tiny, max_memory="lots"), "max_memory=lots: a size from 1M to 16T"),
    "two counts": (lambda: check(Tiny, count=2, all_properties=True), "give count or all_properties, not both"),
    "a time": (lambda: check(Tiny, seconds=-1), "seconds=-1: a time greater than 0"),
    "walks and seconds": (lambda: simulate(Tiny, walks=1, seconds=1), "give walks or seconds, not both"),
    "a size without pages": (
        lambda: prove(Tiny, in_flight=2),
        "in_flight, host_page and method go with pages; without it the proof is for every size",
    ),
    "a method": (lambda: prove(Tiny, pages=1, method="induction"), "there is no method induction; did you mean k-in"),
    "nothing to judge": (lambda: conform(), "give a log, wire or trace, and only one of them"),
    "a protocol for a log": (lambda: conform("x.py"), "x.py is a protocol, and conform takes a LOG"),
    "an answer": (
        lambda: prove(Tiny, pages=1).named("refutd"),
        "there is no answer refutd; did you mean refuted?",
    ),
    "an ending": (lambda: check(Tiny, pages=1).save("x.pdf"), "save: x.pdf: the name has to end in .html, .itf.json"),
}
"""Mistakes with the API, and what is said of each."""


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_in_one_line(name: str) -> None:
    act, said = MISTAKES[name]
    with pytest.raises(UsageError) as error:
        act()
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_name_that_is_not_there_has_a_suggestion() -> None:
    with pytest.raises(AttributeError, match=r"module 'postcopy' has no attribute 'chek'; did you mean check\?"):
        getattr(postcopy, "chek")  # noqa: B009


def test_the_names_of_the_package_are_there_and_typed_as_what_they_are() -> None:
    assert sorted(postcopy.__all__) == sorted(postcopy._WHERE)
    assert dir(postcopy) == sorted(postcopy.__all__)
    text = Path(postcopy.__file__).read_text(encoding="utf-8")
    typed = text.partition("if TYPE_CHECKING:\n")[2].partition("\n_WHERE")[0]
    for name, module in postcopy._WHERE.items():
        line = next(line for line in typed.splitlines() if name in line.partition(" import ")[2].split(", "))
        assert line.strip().startswith(f"from {module} import ")
        assert getattr(postcopy, name) is not None


def test_importing_the_package_reads_nothing_of_it() -> None:
    program = (
        "import sys, postcopy\n"
        "print(sorted(name for name in sys.modules if name.startswith('postcopy')))\n"
        "from postcopy import Postcopy\n"
        "print([name for name in ('numpy', 'z3', 'numba', 'jinja2') if name in sys.modules])\n"
        "from postcopy import check\n"
        "print([name for name in ('z3', 'numba') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["['postcopy']", "[]", "[]"]


def test_function_settings_and_options_of_a_check_are_the_same() -> None:
    asked = set(signature(check).parameters)
    settings = {field.name for field in fields(CheckSettings)}
    options = {field.name for field in fields(CheckOptions)}
    what = {"protocol", "pages", "in_flight", "host_page", "properties", "liveness", "progress"}
    assert asked - settings - what == {"symmetry", "vcpu_symmetry", "reset_dead"}
    assert settings - asked == {"reductions"}
    of_python_alone = {"seconds", "interruptible"}
    assert settings - options - of_python_alone == {"reductions"}
    of_the_terminal_alone = {"context", "strict", "trace", "report", "force", "verbose", "as_json"}
    names_of_the_protocol = {"target", "fault", "change", "bug"}
    switched_off = {"no_liveness", "no_symmetry"}
    assert options - asked == of_the_terminal_alone | names_of_the_protocol | switched_off


def test_errors_of_a_protocol_name_the_line(tmp_path: Path) -> None:
    (tmp_path / "cheats.py").write_text(CHANGE.replace("self._ready_to_send()", "self.phase = 3"))
    with pytest.raises(SpecError, match=r"cheats\.py:\d+"):
        check(str(tmp_path / "cheats.py"), **SMALL)  # type: ignore[arg-type]


def test_all_results_have_one_base() -> None:
    for name in postcopy.__all__:
        if name.endswith("Result"):
            assert issubclass(getattr(postcopy, name), Result)


@pytest.mark.parametrize("asks_for_colours", [{"FORCE_COLOR": "1"}, {"JPY_PARENT_PID": "1", "FORCE_COLOR": "1"}])
def test_a_result_s_text_is_plain_where_colours_are_asked_for(
    broken: CheckResult, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asks_for_colours: dict[str, str]
) -> None:
    for name, value in asks_for_colours.items():
        monkeypatch.setenv(name, value)
    assert "\x1b" not in str(broken) + broken.story
    broken.save(tmp_path / "story.txt")
    assert "\x1b" not in (tmp_path / "story.txt").read_text()


def test_a_result_s_text_is_there_in_a_notebook(broken: CheckResult, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a notebook, Rich shows what is printed to a file, and writes nothing to it."""
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert broken.story.startswith("Counterexample to")
