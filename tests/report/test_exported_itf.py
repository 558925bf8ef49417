"""Runs that other tools write of the exported model: read by their states, with itf-py as an oracle of the format."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import itf_py
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postcopy.api.stored_runs import trace as stored
from postcopy.api.two_runs import diff_traces
from postcopy.catalogue.properties import all_asked, asked_of
from postcopy.errors import TraceError
from postcopy.export.tla import tla
from postcopy.language.concrete import successors
from postcopy.language.instance import Instance, State
from postcopy.language.program import read as read_program
from postcopy.language.trace import Trace
from postcopy.language.variables import Sort, Variable
from postcopy.model.postcopy import Postcopy
from postcopy.report.story.exported_itf import from_exported_itf
from postcopy.report.story.itf import to_itf
from tests.cli.conftest import Run, refused
from tests.cli.conftest import run as run  # noqa: PLC0414  (a fixture)
from tests.report.examples import Unsure

STORED = Path(__file__).parents[2] / "counterexamples" / "no-discards.itf.json"

Values = dict[str, Any]


@cache
def exported(pages: int = 1, in_flight: int = 1) -> Instance:
    """What `postcopy export tla` exports."""
    return Instance(Postcopy, pages, in_flight, [p for p in asked_of(Postcopy) if not p.of_runs])


@cache
def names(instance: Instance) -> dict[str, Variable]:
    """The variables by their names in the text of the module, which is all that another tool sees."""
    program = read_program(instance)
    text = tla(program, "Postcopy", "Postcopy")
    listed = re.search(r"\nVARIABLES\n((?:    .*\n)+)", text)
    assert listed is not None
    found = re.findall(r"^    (\w+),?  \\\*", listed[1], re.MULTILINE)
    return dict(zip(found, program.variables, strict=True))


@cache
def walked(instance: Instance, steps: int = 12) -> Trace:
    """A run that takes the first step of a thread that leads to something new."""
    state = initial = instance.initial_states()[-1]
    taken, seen = [], {initial}
    for _ in range(steps):
        new = [step for step in successors(instance, state) if step.state not in seen]
        if not new:
            break
        taken.append(min(new, key=lambda step: step.action.info.environment))
        state = taken[-1].state
        seen.add(state)
    return Trace(instance, initial, tuple(taken), None)


def python_value(variable: Variable, number: int) -> object:
    """A value as itf-py has it in Python."""
    if variable.sort is Sort.PAGES:
        return frozenset(page for page in range(8) if number >> page & 1)
    if not variable.values:
        return number
    value = variable.decode(number)
    return value if isinstance(value, bool) else value.name if isinstance(value, Enum) else ""


def values_of(instance: Instance, state: State) -> Values:
    return {name: python_value(v, state[instance.index[v]]) for name, v in names(instance).items()}


def written(instance: Instance, states: list[State], loop: int | None = None) -> dict[str, Any]:
    """What Apalache would write, by itf-py."""
    trace = itf_py.Trace(
        meta={"format": "ITF", "description": "Created by Apalache"},
        params=[],
        vars=list(names(instance)),
        states=[itf_py.State(meta={"index": n}, values=values_of(instance, s)) for n, s in enumerate(states)],
        loop=loop,
    )
    found: dict[str, Any] = itf_py.trace_to_json(trace)
    return found


def as_quint(instance: Instance, document: dict[str, Any], steps: list[str]) -> dict[str, Any]:
    """The same as Quint would write it: names behind a module, members of enumerations as variants, its own names."""
    by_name = names(instance)

    def value(name: str, given: object) -> object:
        of = by_name[name].values
        if of and isinstance(given, str):
            return {"tag": given or "Nothing", "value": {"#tup": []}}
        return given

    states = [
        {
            "#meta": state["#meta"],
            "mbt::actionTaken": action,
            "mbt::nondetPicks": {"page": {"tag": "None", "value": {"#tup": []}}},
            **{f"Postcopy::{name}": value(name, given) for name, given in state.items() if name != "#meta"},
        }
        for state, action in zip(document["states"], steps, strict=True)
    ]
    listed = [f"Postcopy::{name}" for name in by_name]
    return {"#meta": {"format": "ITF", "source": "postcopy.qnt"}, "vars": listed, "states": states}


def parsed(document: object, instance: Instance) -> Trace:
    whole = all_asked(instance.protocol, instance.pages, instance.in_flight, instance.group)
    return from_exported_itf(json.dumps(document).encode(), instance, whole)


def visited(trace: Trace, instance: Instance) -> list[State]:
    """The states of a run without the history that was added."""
    index = trace.instance.index
    return [tuple(state[index[v]] for v in instance.variables) for state in trace.states]


@st.composite
def runs(draw: st.DrawFn) -> Trace:
    instance = exported(draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    state = initial = draw(st.sampled_from(instance.initial_states()))
    steps = []
    for _ in range(draw(st.integers(0, 12))):
        possible = list(successors(instance, state))
        if not possible:
            break
        steps.append(draw(st.sampled_from(possible)))
        state = steps[-1].state
    return Trace(instance, initial, tuple(steps), None)


@pytest.mark.slow_but("apalache")
@pytest.mark.parametrize("tool", ["apalache", "quint"])
def test_what_another_tool_writes_is_the_run(tool: str) -> None:
    one = walked(exported())
    document = written(one.instance, one.states)
    if tool == "quint":
        document = as_quint(one.instance, document, ["init", *(s.action.name.replace(".", "_") for s in one.steps)])
    again = parsed(document, one.instance)
    assert visited(again, one.instance) == one.states
    assert len(again.steps) == 12


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(runs())
def test_any_run_is_read_as_it_was(one: Trace) -> None:
    document = written(one.instance, one.states)
    assert visited(parsed(document, one.instance), one.instance) == one.states
    quint = as_quint(one.instance, document, ["init", *(s.action.name.replace(".", "_") for s in one.steps)])
    again = parsed(quint, one.instance)
    assert [step.action.name for step in again.steps] == [step.action.name for step in one.steps]


def test_the_oracle_reads_what_this_package_writes() -> None:
    one = walked(exported())
    document = json.loads(to_itf(one, "Postcopy", "print"))
    states = itf_py.trace_from_json(document).states
    assert len(states) == len(one.states)
    sets = [v for v in one.instance.variables if v.sort is Sort.PAGES and v.name in document["vars"]]
    assert sets
    for number, state in enumerate(one.states):
        for v in sets:
            assert states[number].values[v.name] == python_value(v, state[one.instance.index[v]])


def test_numbers_may_be_plain_and_sets_in_any_order() -> None:
    one = walked(exported())
    document = json.loads(re.sub(r'\{"#bigint": "(\d+)"\}', r"\1", json.dumps(written(one.instance, one.states))))
    assert "#bigint" not in json.dumps(document)
    assert visited(parsed(document, one.instance), one.instance) == one.states


def test_a_loop_is_one() -> None:
    instance = exported()
    start = instance.initial_states()[0]
    document = written(instance, [start])
    document["loop"] = 0
    assert parsed(document, instance).loop == 0
    document["loop"] = 1
    with pytest.raises(TraceError, match="loop: goes back to state 1, and there are states 0 to 0"):
        parsed(document, instance)
    one = walked(instance)
    with pytest.raises(TraceError, match="loop: goes back to state 0, which is not the one that it ends in"):
        parsed(written(instance, one.states, loop=0), instance)


def put(number: int, name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda document: document["states"][number].__setitem__(name, value)


MISTAKES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no states": (lambda d: d["states"].clear(), "has no states"),
    "a variable too many": (lambda d: d["vars"].append("source_phse"), "no variable source_phse; did you mean source_"),
    "a variable too few": (lambda d: d["vars"].remove("source_dirty"), "vars: source_dirty of the export of Postcopy"),
    "missing in a state": (lambda d: d["states"][2].pop("source_dirty"), "state 2: source_dirty is missing"),
    "unknown in a state": (put(2, "nothing", True), "state 2: the export of Postcopy .* has no variable nothing"),
    "no member": (put(1, "source_phase", "IDEL"), "state 1: source_phase is IDEL, and it is one of IDLE, OPENING"),
    "a variant with something": (put(1, "source_phase", {"tag": "IDLE", "value": 3}), 'state 1: source_phase is {"t'),
    "a variant of a variant": (put(1, "source_phase", {"tag": {}, "value": {}}), "state 1: source_phase is "),
    "no truth value": (put(0, "source_running", 1), "state 0: source_running is 1, and it is true or false"),
    "no set": (put(0, "source_dirty", [0]), r"state 0: source_dirty is \[0\], and it is a set of pages"),
    "no page": (put(0, "source_dirty", {"#set": [7]}), "state 0: source_dirty has 7, and pages are 0 to 0"),
    "no such page": (put(0, "source_dirty", {"#set": [{"#bigint": "x"}]}), "state 0: source_dirty has .*#bigint"),
    "a page as text": (put(0, "source_dirty", {"#set": ["0"]}), "state 0: source_dirty has 0, and pages are"),
    "a map": (put(0, "source_dirty", {"#map": []}), "state 0: source_dirty is .*#map.*, and it is a set of pages"),
    "no start": (put(0, "source_phase", "POSTCOPY"), "state 0: the model does not start like this: source_phase"),
    "no step": (put(3, "source_phase", "COMPLETED"), "state 3: no action leads from state 2 to it; .* source_phase"),
    "other pages": (lambda d: (d["params"].append("Pages"), put(0, "Pages", {"#set": [0, 1]})(d)), "0: Pages has 1"),
    "no pages": (lambda d: (d["params"].append("Pages"), put(0, "Pages", {"#set": []})(d)), "state 0: Pages are"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_cannot_be_matched_is_refused_with_its_place(mistake: str) -> None:
    one = walked(exported(), 6)
    document = written(one.instance, one.states)
    spoil, said = MISTAKES[mistake]
    spoil(document)
    with pytest.raises(TraceError, match=said) as caught:
        parsed(document, one.instance)
    assert "\n" not in str(caught.value)


def test_a_state_that_stays_needs_an_action_that_leaves_it() -> None:
    instance = Instance(Unsure, 1, 1, ())
    index = instance.index[instance.variable["destination.awake"]]
    asleep = next(state for state in instance.initial_states() if not state[index])
    with pytest.raises(TraceError, match="state 1: it is state 0 again, and no action leads from it to itself"):
        parsed(written(instance, [asleep, asleep]), instance)
    awake = next(state for state in instance.initial_states() if state[index])
    assert parsed(written(instance, [awake, awake]), instance).labels == [("destination.looks", None)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    one = walked(exported())
    found = tmp_path / "apalache.itf.json"
    found.write_text(json.dumps(written(one.instance, one.states)), encoding="utf-8")
    return found


def test_the_command_tells_it(run: Run, file: Path) -> None:
    found = run("trace", str(file), "--pages", "1", "--in-flight", "1")
    assert found.code == 0, found
    assert "Postcopy, 1 page, 1 message in flight; 12 steps" in found.out
    said = refused(run, "trace", str(file))
    assert "vars: stream_1_kind" in said or "is missing: name the protocol, size and properties of the export" in said
    assert "there is no property no-page-lots; did you mean no-page-lost?" in refused(
        run, "trace", str(file), "--property", "no-page-lots"
    )
    own = STORED
    assert "says its own size and properties" in refused(run, "trace", str(own), "--pages", "1")
    beside = run("trace", str(own), "--diff", str(file), "--pages", "1", "--in-flight", "1")
    assert beside.code == 0, beside
    assert "B  Postcopy, 1 page, 1 message in flight" in beside.out


def violation(file: Path) -> Trace:
    """Write the stored counterexample as another tool would have written it; it is given back."""
    kept = stored(STORED).run
    of = kept.instance
    instance = Instance(
        of.protocol, of.pages, of.in_flight, [p for p in asked_of(of.protocol) if not p.of_runs], of.group
    )
    states = [tuple(state[of.index[v]] for v in instance.variables) for state in kept.states]
    file.write_text(json.dumps(written(instance, states)), encoding="utf-8")
    return kept


def test_a_run_of_another_tool_that_violates_says_so(tmp_path: Path) -> None:
    file = tmp_path / "violation.itf.json"
    kept = violation(file)
    size = {"pages": kept.instance.pages, "in_flight": kept.instance.in_flight}
    found = stored(file, "no-discards", **size)  # type: ignore[arg-type]
    assert found.violated == kept.violated
    assert found.run.labels == kept.labels
    assert diff_traces(STORED, file, None, "no-discards", **size).verdict == "same"  # type: ignore[arg-type]


def test_the_commands_of_the_page_do_what_it_says(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The block on docs/exports.md."""
    page = (STORED.parents[1] / "docs" / "exports.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"test_exported_itf.py -->\n```\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "counterexamples").symlink_to(STORED.parent)
    violation(tmp_path / "violation.itf.json")
    for line in block.splitlines():
        done = run(*line.split()[1:])
        assert done.code == 0, done
    assert "the two runs are the same: 17 steps" in done.out
    assert (tmp_path / "both.html").exists()
