"""Small protocols held against brute force in all searches, and against z3 and Spin."""

from pathlib import Path
from typing import NamedTuple

from postcopy.catalogue.properties import asked_of, proved_of
from postcopy.explorer.explore import Exploration, explore
from postcopy.explorer.kernel.orbits import orbit
from postcopy.explorer.kernel.reductions import PAGES, VCPUS
from postcopy.explorer.results import Engine, Options
from postcopy.language import Protocol
from postcopy.language.instance import Instance
from postcopy.language.symbolic import read_action
from postcopy.prover.means import Means
from postcopy.prover.session import ProofResult, at_size, every_size
from postcopy.prover.verdicts import Answer, can_be_asked
from tests.explorer.brute import brute_force
from tests.export.agreement import by_spin, explorer, exported, need_spin
from tests.language.cases.readings import Size
from tests.language.test_interpretations import agree


class Searched(NamedTuple):
    """What all searches agree on.

    Attributes:
        states: how many states can be reached.
        violated: the property that the searches report; None where all hold.
    """

    states: int
    violated: str | None


def searched(protocol: type[Protocol], size: Size = (2, 1, 1), engine: Engine = Engine.INTERPRETED) -> Searched:
    """The answer of all searches, with and without reductions, once they agree with brute force."""
    pages, in_flight, group = size
    asked = asked_of(protocol)
    safety = tuple(p for p in asked if not p.of_runs)
    graph = brute_force(Instance(protocol, pages, in_flight, safety, group))
    violated = set()
    for reductions in ((), (PAGES,), (PAGES, VCPUS)):
        bare = Exploration(Instance(protocol, pages, in_flight, (), group), Options(reductions, engine=engine))
        bare.run()
        stored = {bare.kernel.layout.unpack(words) for words in bare.stored()}
        assert stored <= set(graph.depth)
        assert sum(orbit(bare.kernel, words) for words in bare.stored()) == len(graph.depth)
        verdict = explore(Instance(protocol, pages, in_flight, safety, group), Options(reductions, engine=engine))
        name = verdict.violated.name if verdict.violated is not None else None
        assert (name is None) == (not graph.bad), graph.bad
        if name is not None:
            assert verdict.counterexample is not None
            assert len(verdict.counterexample.steps) == graph.bad[name] == min(graph.bad.values())
        elif len(safety) < len(asked) and VCPUS not in reductions:
            whole = explore(Instance(protocol, pages, in_flight, asked, group), Options(reductions, engine=engine))
            name = whole.violated.name if whole.violated is not None else None
        if VCPUS not in reductions or name is not None:
            violated.add(name)
    assert len(violated) == 1, violated
    return Searched(len(graph.depth), violated.pop())


def read_both_ways(protocol: type[Protocol], size: Size = (2, 1, 1)) -> None:
    """The symbolic interpretation means the same as the concrete one in every state that can be reached."""
    pages, in_flight, group = size
    instance = Instance(protocol, pages, in_flight, tuple(p for p in asked_of(protocol) if not p.of_runs), group)
    trees = {action.name: read_action(instance, action) for action in instance.actions}
    for state in brute_force(instance).depth:
        agree(instance, trees, state)


def proved_at(protocol: type[Protocol], name: str, size: Size = (2, 1, 1)) -> Answer:
    """What a proof at a size says of a property, with all others that it can ask."""
    pages, in_flight, group = size
    asked, invariant, _ = proved_of(protocol)
    claims = [p for p in asked if can_be_asked(p)]
    instance = Instance(protocol, pages, in_flight, claims, group)
    return _of(name, at_size(instance, asked, invariant, "invariant", lambda _: None))


def proved(protocol: type[Protocol], name: str) -> Answer:
    """What a proof for every size says of a property, with the protocol's own conjuncts alone."""
    asked, invariant, ranking = proved_of(protocol)
    return _of(name, every_size(protocol, asked, invariant, ranking, Means(), lambda _: None, lambda _: None))


def _of(name: str, result: ProofResult) -> Answer:
    return next(verdict.answer for verdict in result.verdicts if verdict.property.name == name)


def same_in_spin(protocol: type[Protocol], directory: Path, size: Size = (2, 1, 1)) -> None:
    """Spin sees as many states of the exported model as the explorer, and says the same of each property."""
    need_spin()
    for prop in asked_of(protocol):
        if not prop.of_runs and not prop.is_witness:
            found = by_spin(exported(protocol, size, [prop]), directory)
            assert found == explorer(protocol, size, [prop]), prop.name
