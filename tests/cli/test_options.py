"""Options of a protocol are fixed on the command line: a term NAME=on or NAME=off beside its name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from postcopy.catalogue import tables
from postcopy.catalogue.options import fix
from postcopy.cli.options import complete_protocol
from postcopy.language.instance import Instance
from tests.cli.conftest import Run, refused
from tests.language.cases import sealing
from tests.language.cases.sealing import ReceiverForgets, Sealing

SMALL = ("--pages", "1", "--in-flight", "1")
FORGETS = "sealing.py:ReceiverForgets"

TWO = '''
from postcopy.language import Option
from sealing import ReceiverForgets, Sealing


class Alone(Sealing):
    """It says nothing of packets on their way."""

    inapplicable = {"in-form": "the proof has to find it", "arrives": "of runs"}


class Two(ReceiverForgets):
    """It has a second option, which does nothing."""

    tracing = Option("packets are traced")


class Fast(ReceiverForgets):
    """It has another one."""

    fast = Option("packets are fast")
'''


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with files of a user, in which the test runs."""
    shutil.copy(sealing.__file__, tmp_path / "sealing.py")
    (tmp_path / "two.py").write_text(TWO)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("term", "code"), [("", 12), ("+sealing=off", 12), ("+sealing=on", 0)])
def test_a_check_knows_the_option(run: Run, monkeypatch: pytest.MonkeyPatch, term: str, code: int) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    result = run("check", FORGETS + term, *SMALL)
    assert result.code == code, result.err
    assert result.out.startswith(f"{FORGETS}{term}  1 page")
    assert ("given  packets are sealed: no" in result.out) is (term == "")
    assert code != 0 or "3 states, 2 transitions" in result.out  # one choice alone


@pytest.mark.parametrize(
    "command",
    [
        ("simulate", "{}", *SMALL, "--walks", "3"),
        ("graph", "out.dot", "{}", "--by", "sealing"),
        ("export", "promela", "{}", *SMALL),
        ("export", "tla", "{}", *SMALL),
        ("export", "aut", "{}", *SMALL),
        ("list", "actions", "{}"),
        ("prove", "{}", "--pages", "1", "--property", "understands"),
        ("prove", "{}", "--no-cache", "--property", "understands"),
        ("diff", FORGETS, "{}", "--pages", "1"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_every_command_takes_it(run: Run, command: tuple[str, ...]) -> None:
    result = run(*(word.format(f"{FORGETS}+sealing=on") for word in command))
    assert result.code in (0, 12), result.out + result.err
    assert result.err == ""


def test_a_proof_finds_what_it_needs_to_say_of_the_option(run: Run) -> None:
    result = run("prove", "two.py:Alone", "--no-cache")
    assert result.code == 0, result.out
    assert "While sealing, wire carries no PLAIN" in result.out


def test_a_stored_run_finds_its_protocol_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tables.BY_NAME, "forgets", ReceiverForgets)
    name = "forgets+sealing=off"
    found = json.loads(run("check", name, *SMALL, "--json", "--trace", "run.itf.json").out)
    assert found["protocol"] == name
    stored = json.loads(Path("run.itf.json").read_text())
    assert stored["#meta"]["postcopy"]["protocol"] == name
    shown = run("trace", "run.itf.json")
    assert (shown.code, shown.err) == (0, "")
    assert "ReceiverForgets+sealing=off" in shown.out
    Path("run.itf.json").write_text(json.dumps(stored).replace(name, "forgets+sealing=on"))
    assert "was made with another version of the model" in refused(run, "trace", "run.itf.json")
    Path("run.itf.json").write_text(json.dumps(stored).replace(name, "forgets+sealng=off"))
    assert "forgets has no option sealng; did you mean sealing?" in refused(run, "trace", "run.itf.json")


def test_a_run_of_a_file_is_shown_with_its_file(run: Run) -> None:
    name = f"{FORGETS}+sealing=off"
    run("check", name, *SMALL, "--trace", "run.itf.json")
    assert f"give {name}, too" in refused(run, "trace", "run.itf.json")
    assert run("trace", "run.itf.json", name).code == 0


def test_what_does_not_fit_is_said_in_one_line(run: Run) -> None:
    def of(*terms: str) -> str:
        return refused(run, "check", "+".join(["two.py:Two", *terms]))

    assert "two.py:Two has no option sealng; did you mean sealing? it has sealing, tracing" in of("sealng=on")
    assert "two.py:Two has no option xyzzy: it has sealing, tracing" in of("xyzzy=on")
    assert "two.py:Two has no option : it has" in of("=on")
    for value in ("maybe", "", "ON", "=on", "true"):
        assert "is neither on nor off: write sealing=on or sealing=off" in of(f"sealing={value}")
    assert "sealing is given twice, as on and as off" in of("sealing=on", "tracing=on", "sealing=off")
    assert "recovery has no options: preempt=on fixes nothing" in refused(run, "check", "recovery+preempt=on")
    assert "preempt=on fixes an option, and names no protocol" in refused(run, "check", "preempt=on")
    assert "there is no change preempt=on" in refused(run, "check", "--change", "preempt=on")


def test_an_option_that_means_nothing_is_refused_with_the_reason(run: Run) -> None:
    said = refused(run, "check", "qemu-7.2+preempt=off+switchover_ack=on")
    assert "qemu-7.2 has no option switchover_ack: that capability came in 2023" in said
    assert "Leave switchover_ack=on out" in said


def test_a_wrong_declaration_is_said_before_it_is_fixed(run: Run, directory: Path) -> None:
    (directory / "wrong.py").write_text(TWO.replace('Option("packets are fast")', "Option"))
    assert 'fast is the class Option itself: write Option("...")' in refused(run, "check", "wrong.py:Fast+fast=on")
    assert 'fast is the class Option itself: write Option("...")' in refused(run, "list", "options", "wrong.py:Fast")


def test_the_same_term_twice_is_one(run: Run) -> None:
    assert run("list", "options", "two.py:Two+sealing=on+sealing=on").out.split()[3:5] == ["sealing", "on"]


def test_options_of_several_protocols(run: Run) -> None:
    both = "two.py:Two+fast=off+two.py:Fast+sealing=on"
    rows = json.loads(run("list", "options", both, "--json").out)
    assert {row["name"]: row["value"] for row in rows} == {"sealing": "on", "tracing": "both", "fast": "off"}
    checked = json.loads(run("check", both, *SMALL, "--json").out)
    assert (checked["protocol"], checked["states"]) == ("two.py:Two+two.py:Fast+fast=off+sealing=on", 2 * 3)


def test_options_are_listed(run: Run) -> None:
    rows = json.loads(run("list", "options", "sealing.py:Sealing", "--json").out)
    assert rows == [{"name": "sealing", "value": "both", "what": "packets are sealed"}]
    assert run("list", "options", "sealing.py:AlwaysSealed").out.split()[3:5] == ["sealing", "on"]
    assert run("list", "options").out == "there are no options\n"
    assert "only actions, options and properties" in refused(run, "list", "rules", "sealing.py:Sealing")


def test_a_file_whose_name_has_an_equals_sign_is_no_term(run: Run) -> None:
    shutil.copy("sealing.py", "a=on.py")
    assert run("list", "options", "a=on.py:Sealing+sealing=off").out.split()[3:5] == ["sealing", "off"]
    Path("b=on").mkdir()
    shutil.copy("sealing.py", "b=on/c.py")
    assert run("list", "options", "b=on/c.py:Sealing").out.split()[3:5] == ["sealing", "both"]


def test_what_a_class_fixes_is_fixed_otherwise() -> None:
    name, protocol = fix("always", sealing.AlwaysSealed, ["sealing=off"])
    instance = Instance(protocol, 1, 1)
    assert (name, protocol.__name__) == ("always+sealing=off", "AlwaysSealed+sealing=off")
    assert instance.settled == {instance.variable["sealing"]: 0}


def test_the_shell_completes_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tables.BY_NAME, "forgets", Sealing)
    assert complete_protocol("forgets+seal") == ["forgets+sealing.py", "forgets+sealing=on", "forgets+sealing=off"]
    assert complete_protocol("nothing+sealing=") == []
