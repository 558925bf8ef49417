"""What each reading says of a small protocol, to be compared with what is right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from postcopy.catalogue.properties import asked_of
from postcopy.explorer.explore import explore
from postcopy.explorer.kernel.reductions import PAGES, REDUCTIONS
from postcopy.explorer.results import Engine, Options
from postcopy.language import Protocol
from postcopy.language.instance import Instance
from postcopy.language.symbolic import read_action
from postcopy.prover.verdicts import Answer
from tests.explorer.brute import brute_force
from tests.export.agreement import by_spin, explorer, exported, need_spin
from tests.language.cases import readings
from tests.language.cases.readings import Size
from tests.language.test_interpretations import agree


def at(protocol: type[Protocol], size: Size) -> Instance:
    """The protocol at a size, with its own properties of states and steps."""
    pages, in_flight, group = size
    asked = [p for p in asked_of(protocol) if not (p.of_runs or p.is_witness)]
    return Instance(protocol, pages, in_flight, asked, group)


def searched(protocol: type[Protocol], size: Size = (2, 2, 1), engine: Engine = Engine.INTERPRETED) -> str | None:
    """The property that searches find violated, with and without reductions, once they agree with brute force.

    Where nothing is violated, all states are counted, and both interpretations agree in each of them.
    """
    instance = at(protocol, size)
    truth = brute_force(instance)
    found = set()
    for reductions in ((), (PAGES,), REDUCTIONS):
        verdict = explore(instance, Options(reductions, engine=engine))
        found.add(verdict.violated.name if verdict.violated else None)
        assert truth.bad or reductions or verdict.states == len(truth.depth)
    (name,) = found
    assert truth.bad.keys() >= {name} if name is not None else not truth.bad
    trees = {action.name: read_action(instance, action) for action in instance.actions}
    for state in truth.depth:
        agree(instance, trees, state)
    return name


def proved_at(protocol: type[Protocol], size: Size = (2, 2, 1)) -> Mapping[str, Answer]:
    """What `prove --pages N` says of each of the protocol's own properties."""
    return readings.proved_at(protocol, size, at(protocol, size).properties)


def proved(protocol: type[Protocol]) -> Mapping[str, Answer]:
    """What `prove` says of each, for every size, without conjuncts that the machine finds."""
    return readings.proved(protocol, at(protocol, (2, 2, 1)).properties)


def same_in_spin(protocol: type[Protocol], directory: Path, size: Size = (2, 2, 1)) -> None:
    """Spin sees the states that the explorer sees, and finds what is violated: of several properties, any."""
    need_spin()
    instance = at(protocol, size)
    ours = explorer(protocol, size, instance.properties)
    theirs = by_spin(exported(protocol, size, instance.properties), directory)
    violated: set[str | None] = {*brute_force(instance).bad}
    assert theirs.states == ours.states
    assert {theirs.violated, ours.violated} <= (violated or {None})
