"""`postcopy prove --confirm` and `--smt2`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import z3

from postcopy.cli.exits import Exit
from postcopy.prover.confirmation import confirm as confirming
from postcopy.prover.confirmation import second_provers
from postcopy.prover.confirmation.second_provers import Said
from tests.cli.conftest import Run, refused
from tests.protocols import light as light_file
from tests.protocols import text_of
from tests.prover.confirmation.installed import needs_bitwuzla, needs_cvc5

LIGHT = text_of(light_file)


@pytest.fixture
def light(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "light.py").write_text(LIGHT)
    monkeypatch.chdir(tmp_path)
    return "light.py:Light"


def says(monkeypatch: pytest.MonkeyPatch, result: str, why: str = "") -> None:
    """Let each second prover say this."""
    monkeypatch.setattr(confirming, "ask", lambda *_: Said(result, why))
    monkeypatch.setattr(confirming, "find_spec", lambda _: True)


@needs_cvc5
def test_a_proof_for_every_size_is_confirmed(run: Run, light: str) -> None:
    result = run("prove", light, "--confirm", "--workers", "2")
    assert result.code == 0
    words = " ".join(result.out.split())
    assert words.endswith("Confirmed by a second prover: 2 of 2 questions that z3 refuted (cvc5 2 of 2).")
    found = json.loads(run("prove", light, "--confirm", "--workers", "2", "--json").out)
    assert found["verdict"] == "proved"
    assert found["confirmation"]["asked"] == found["confirmation"]["confirmed"] == 2
    assert found["confirmation"]["provers"] == [{"name": "cvc5", "asked": 2, "confirmed": 2}]


@needs_cvc5
@needs_bitwuzla
@pytest.mark.parametrize("method", ["invariant", "k-induction"])
def test_a_proof_at_one_size_is_confirmed_by_two(run: Run, light: str, method: str) -> None:
    found = json.loads(run("prove", light, "--pages", "1", "--method", method, "--confirm", "--json").out)
    assert found["verdict"] == "proved"
    confirmed = found["confirmation"]
    assert confirmed["asked"] == confirmed["confirmed"] > 1
    assert [each["name"] for each in confirmed["provers"]] == ["bitwuzla", "cvc5"]
    assert all(each["confirmed"] == confirmed["asked"] for each in confirmed["provers"])


CONJUNCTS = '''
@always("It is off")
def never_on(state: View) -> bool:
    """It is not."""
    return not state.lamp.on


@always("It is off or not broken")
def fine(state: View) -> bool:
    """It is."""
    return not (state.lamp.on and state.lamp.broken)


class WithConjuncts(Light):
    """It has a conjunct that fails."""

    properties = (fine,)
    invariant = (never_on, INVARIANT)
'''


@needs_cvc5
@pytest.mark.slow_but("never_broken-arguments0")
@pytest.mark.parametrize("arguments", [[], ["--property", "fine"]])
@pytest.mark.parametrize("more", ["never_broken", ""], ids=["never_broken", "found by the machine"])
def test_a_proof_with_a_conjunct_that_fails_and_one_that_is_found_is_confirmed(
    run: Run, light: str, more: str, arguments: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "with_conjuncts.py"
    file.write_text(LIGHT + CONJUNCTS.replace(", INVARIANT", f", {more}"))
    result = run("prove", f"{file}:WithConjuncts", "--confirm", "--json", "--workers", "2", *arguments)
    assert result.code == 0
    found = json.loads(result.out)
    assert found["confirmation"]["asked"] == found["confirmation"]["confirmed"] > 2
    proved = [each for each in found["obligations"] if each["status"] == "proved"]
    assert found["confirmation"]["asked"] == sum(each["questions"] for each in proved)


@pytest.mark.slow
@needs_cvc5
@needs_bitwuzla
def test_the_bitmap_lemmas_are_confirmed_by_two(run: Run) -> None:
    result = run("prove", "--bitmaps", "--confirm", "--json")
    assert result.code == 0
    found = json.loads(result.out)
    assert found["confirmation"]["asked"] == found["confirmation"]["confirmed"] == len(found["lemmas"])


def test_without_the_option_nothing_is_said_of_it(run: Run, light: str) -> None:
    assert "confirmation" not in json.loads(run("prove", light, "--json").out)
    assert "onfirmed" not in run("prove", light).out


# -- second provers that fail -----------------------------------------------------------------------------------------


def test_a_disagreement_is_an_error_of_its_own(run: Run, light: str, monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, "sat")
    result = run("prove", light, "--confirm")
    assert result.code == Exit.DISAGREEMENT
    assert "The provers DISAGREE about 2: one of them is wrong." in " ".join(result.out.split())
    first, second = result.err.splitlines()
    assert first.startswith(
        "postcopy: cvc5 finds satisfiable what z3 has refuted: protocol Light, conjunct never-broken, "
        "action in the initial states, part 1 of 1; the question is "
    )
    for line in (first, second):
        text = Path(line.rpartition("the question is ")[2]).read_text()
        assert "(check-sat)" in text
        assert "protocol: Light" in text
    found: dict[str, Any] = json.loads(run("prove", light, "--confirm", "--json").out)["confirmation"]
    assert (found["asked"], found["confirmed"], len(found["disagreements"])) == (2, 0, 2)
    assert all(Path(each["file"]).is_file() for each in found["disagreements"])


def test_what_a_second_prover_does_not_answer_is_counted(run: Run, light: str, monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, "unknown", "RESOURCEOUT")
    result = run("prove", light, "--confirm")
    assert result.code == 0, "z3 has proved it"
    assert "0 of 2 questions that z3 refuted (cvc5 0 of 2). No answer to 2." in " ".join(result.out.split())
    found = json.loads(run("prove", light, "--confirm", "--json").out)["confirmation"]
    assert [each["why"] for each in found["unanswered"]] == ["RESOURCEOUT", "RESOURCEOUT"]
    assert found["disagreements"] == []


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [([], "cvc5"), (["--pages", "1"], "cvc5 and bitwuzla"), (["--bitmaps"], "cvc5 and bitwuzla")],
)
def test_a_missing_prover_is_named_before_any_work(
    run: Run, arguments: list[str], missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirming, "find_spec", lambda _: None)
    monkeypatch.setattr("postcopy.prover.session.every_size", lambda *_: pytest.fail("it began"))
    monkeypatch.setattr("postcopy.prover.lemmas.prove_lemmas", lambda *_: pytest.fail("it began"))
    says_ = refused(run, "prove", "--confirm", *arguments)
    assert f"--confirm needs {missing}: pip install 'postcopy-mc[proof]'" in says_


def test_spacer_cannot_be_confirmed(run: Run, light: str) -> None:
    assert "Spacer is asked one question" in refused(
        run, "prove", light, "--pages", "1", "--method", "spacer", "--smt2", "questions"
    )


# -- files ------------------------------------------------------------------------------------------------------------


def test_questions_are_written_with_an_index(run: Run, light: str, tmp_path: Path) -> None:
    result = run("prove", light, "--smt2", "questions")
    assert result.code == 0
    assert result.out.endswith("2 questions in questions\n")
    index = json.loads((tmp_path / "questions" / "index.json").read_text())
    files = [tmp_path / "questions" / each["file"] for each in index["questions"]]
    assert sorted(p.name for p in (tmp_path / "questions").iterdir()) == sorted(
        [*(f.name for f in files), "index.json"]
    )
    for each, file in zip(index["questions"], files, strict=True):
        text = file.read_text()
        assert text.startswith("; a question of postcopy; z3 says: unsat\n; protocol: Light\n; conjunct: ")
        assert all(f"; {label}: {name}\n" in text for label, name in each["about"].items())
        solver = z3.Solver()
        solver.from_string(text)
        assert solver.check() == z3.unsat


def test_an_earlier_proof_s_questions_are_replaced(run: Run, light: str, tmp_path: Path) -> None:
    run("prove", light, "--smt2", "questions")
    before = {p.name for p in (tmp_path / "questions").iterdir()}
    (tmp_path / "questions" / "mine.txt").write_text("mine")
    assert run("prove", light, "--pages", "1", "--smt2", "questions").code == 0
    after = {p.name for p in (tmp_path / "questions").iterdir()}
    assert before & after == {"index.json"}
    assert (tmp_path / "questions" / "mine.txt").read_text() == "mine"


def test_files_of_others_are_not_replaced(run: Run, light: str, tmp_path: Path) -> None:
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "notes.smt2").write_text("(check-sat)\n")
    assert "files in it that postcopy has not written" in refused(run, "prove", light, "--smt2", "others")
    (tmp_path / "others" / "index.json").write_text('{"type":"something else"}')
    assert "others/index.json is there already, and postcopy has not written it" in refused(
        run, "prove", light, "--smt2", "others"
    )
    assert (tmp_path / "others" / "notes.smt2").read_text() == "(check-sat)\n"


def test_a_question_s_name_that_is_taken_by_a_file_of_another(run: Run, light: str, tmp_path: Path) -> None:
    run("prove", light, "--smt2", "questions")
    first = next((tmp_path / "questions").glob("00001*"))
    first.write_text("mine")
    result = run("prove", light, "--smt2", "questions")
    assert result.code == Exit.USAGE
    assert f"{first.name} is there already, and postcopy has not written it" in result.err
    assert first.read_text() == "mine"


@pytest.mark.parametrize(
    ("directory", "why"),
    [("light.py", "it is no directory"), ("nowhere/questions", "there is no directory nowhere")],
)
def test_a_directory_that_cannot_be(run: Run, light: str, directory: str, why: str) -> None:
    assert why in refused(run, "prove", light, "--smt2", directory)


def test_the_modules_of_all_second_provers_are_there() -> None:
    for module in second_provers.PROVERS.values():
        assert (Path(second_provers.__file__).parent / f"{module}.py").is_file()
