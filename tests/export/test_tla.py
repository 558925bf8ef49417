"""The TLA+ export is TLA+, says what the model says, and reads well."""

import re
import warnings

import pytest
import tree_sitter_tlaplus
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tree_sitter import Language, Node, Parser

from postcopy.catalogue.properties import BY_NAME, DEFAULT
from postcopy.errors import UsageError
from postcopy.export.printer import paths, under
from postcopy.export.tla import config, tla
from postcopy.language import Protocol
from postcopy.language import expressions as ex
from postcopy.language.instance import Instance
from postcopy.language.program import read
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from tests.export.tiny import PROPERTIES, Tiny
from tests.strategies import heard_once, random_protocols, sends_stay


def errors(text: str) -> list[str]:
    """What the grammar of TLA+ does not take."""
    source = text.encode()
    found: list[str] = []

    def visit(node: Node) -> None:
        if node.type == "ERROR" or node.is_missing:
            found.append(f"{node.start_point}: {source[node.start_byte : node.end_byte][:80]!r}")
        elif node.has_error:
            for child in node.children:
                visit(child)

    with warnings.catch_warnings(category=DeprecationWarning, action="ignore"):  # the grammar is older than the parser
        parser = Parser(Language(tree_sitter_tlaplus.language()))
    visit(parser.parse(source).root_node)
    return found


def test_a_text_that_is_no_tla_is_seen() -> None:
    text = tla(read(Instance(Tiny, 2, 1, PROPERTIES)), "Tiny", "Tiny")
    assert errors(text.replace("left_vars ==", "left_vars =", 1))


@pytest.mark.parametrize("size", [(1, 1, 1), (3, 2, 1), (4, 3, 2)])
def test_the_protocol_is_tla(size: tuple[int, int, int]) -> None:
    pages, in_flight, group = size
    assert errors(tla(read(Instance(Postcopy, pages, in_flight, DEFAULT, group)), "Postcopy", "Postcopy")) == []


@pytest.mark.parametrize("name", ["unpackaged", "partial-host-pages", "late-start-acts"])
def test_faults_are_tla(name: str) -> None:
    fault = FAULTS[name]
    text = tla(read(Instance(fault, 2, 1, [BY_NAME[fault.breaks[0]]], fault.group)), name, "Fault")
    assert errors(text) == []


@pytest.mark.unmeasured
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(protocol=random_protocols(), pages=st.integers(1, 3))
def test_random_protocols_are_tla(protocol: type[Protocol], pages: int) -> None:
    program = read(Instance(protocol, pages, 2, (heard_once, sends_stay)))
    if program.variables:
        assert errors(tla(program, "Random", "Random")) == []
    else:
        with pytest.raises(UsageError, match="nothing to write in TLA"):
            tla(program, "Random", "Random")


def test_every_step_says_of_every_variable_what_becomes_of_it() -> None:
    """TLC refuses a step that leaves a variable open, or says it twice."""
    instance = Instance(Postcopy, 2, 2, DEFAULT)
    program = read(instance)
    text = tla(program, "Postcopy", "Postcopy")
    tuples = dict(re.findall(r"^(\w+_vars) == <<(.*)>>$", text, re.MULTILINE))
    variables = sorted(name for names in tuples.values() for name in names.split(", "))
    assert len(variables) == len(program.variables)
    steps: list[tuple[str, str]] = re.findall(STEP, text, re.MULTILINE)
    assert len(steps) > 60
    for body, same in steps:
        changed = re.findall(r"/\\ (\w+)' = ", body)
        kept = [v for name in same.split(", ") for v in tuples.get(name, name).split(", ")] if same else variables
        assert sorted(changed + kept) == variables


STEP = r"((?:^ +(?:\\/ )?/\\ (?!UNCHANGED).*\n)*)^ +(?:\\/ )?/\\ UNCHANGED (?:<<(.*)>>|vars)$"


def test_the_configuration_names_invariants_that_are_there() -> None:
    program = read(Instance(Postcopy, 3, 1, DEFAULT))
    text, lines = tla(program, "Postcopy", "Postcopy"), config(program, "Postcopy", "Postcopy").splitlines()
    assert lines[:2] == ["SPECIFICATION Spec", "CONSTANT Pages = {0, 1, 2}"]
    invariants = [line.removeprefix("INVARIANT ") for line in lines[2:]]
    assert {"TypeOK", "no_page_lost", "no_deadlock"} <= set(invariants)
    assert all(f"\n{name} ==" in text for name in invariants)
    assert all(f"    {line}\n" in text for line in lines)


def test_properties_of_steps_are_asserted() -> None:
    """Wherever a step could violate one: on each path where its condition is not plainly true."""
    program = read(Instance(FAULTS["end-before-run"], 1, 1, [BY_NAME["states-forward"]]))
    ends = [under(taken, leaf) for _, tree in program.actions for taken, leaf in paths(tree)]
    asserted = [e for leaf in ends for _, e in leaf.violated if e is not ex.FALSE]
    assert asserted
    assert tla(program, "EndBeforeRun", "X").count(', "states-forward")') == len(asserted)


def test_numbers_that_do_not_start_at_zero_say_so() -> None:
    assert "how often it has begun (0 stands for -1)" in tla(read(Instance(Tiny, 1, 1)), "Tiny", "Tiny")
