"""A protocol has from one to four vCPUs."""

from itertools import combinations
from pathlib import Path

import pytest

from postcopy.catalogue.properties import asked_of
from postcopy.errors import SpecError, UnknownNameError
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.language import (
    Cpu,
    CpuBitmap,
    Flag,
    Machine,
    Page,
    Protocol,
    Thread,
    View,
    action,
    always,
    conjunct,
    require,
)
from postcopy.language.concrete import take
from postcopy.language.instance import Instance
from postcopy.language.symbolic import read_action
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.invariant import INVARIANT
from postcopy.properties.ranking import RANKING
from postcopy.properties.safety import SAFETY
from postcopy.prover.applicable import applicable
from postcopy.prover.induction import k_induction
from postcopy.prover.solving import Status
from postcopy.prover.verdicts import Answer
from tests.language.cases.all_readings import proved, proved_at, read_both_ways, same_in_spin, searched


class Reader(Machine):
    """Each vCPU takes a page of its own and gives it back."""

    vcpu = Thread("vCPU", each=Cpu)

    taken = CpuBitmap("the page that the vCPU has taken")
    all_had_one = Flag("each vCPU had a page at the same time")

    @action(vcpu)
    def takes(self, cpu: Cpu, page: Page) -> None:
        """takes a page that no vCPU has"""
        require(self.taken[cpu].empty)
        require(not self.taken.any[page])
        self.taken[cpu] = page

    @action(vcpu)
    def gives_back(self, cpu: Cpu, page: Page) -> None:
        """gives its page back"""
        require(self.taken[cpu][page])
        if self.taken.none_empty:
            self.all_had_one = True
        self.taken[cpu] -= page


@always("The vCPUs never have a page each")
def some_vcpu_has_none(state: View) -> bool:
    """There are not as many pages as vCPUs."""
    return not state.reader.all_had_one


PAIRS = tuple((Cpu(a), Cpu(b)) for a, b in combinations(range(4), 2))


@conjunct("No two of the four vCPUs have the same page")
def no_page_is_shared(state: View) -> bool:
    """A page is taken only where no vCPU has it."""
    taken = state.reader.taken
    return all((taken[a] & taken[b]).empty for a, b in PAIRS)


class One(Protocol):
    """One vCPU, and more pages than vCPUs."""

    reader = Reader
    cpus = 1
    properties = (some_vcpu_has_none,)

    @staticmethod
    def may_rest(state: View) -> bool:
        return bool(state.reader.taken.any.empty)


class Two(One):
    cpus = 2


class Three(One):
    cpus = 3


class Four(One):
    cpus = 4
    invariant = (no_page_is_shared,)


@pytest.mark.parametrize("protocol", [One, Two, Three, Four])
@pytest.mark.parametrize("pages", [1, 2])
def test_every_search_sees_the_same_states(protocol: type[Protocol], pages: int) -> None:
    found = searched(protocol, (pages, 1, 1))
    ways = {(1, 1): 2, (1, 2): 3, (2, 1): 3, (2, 2): 7, (3, 1): 4, (3, 2): 13, (4, 1): 5, (4, 2): 21}
    taken = ways[protocol.cpus, pages]  # in how many ways some vCPUs have different pages
    assert found.states == (2 * taken if protocol.cpus <= pages else taken)
    assert found.violated == ("some-vcpu-has-none" if protocol.cpus <= pages else None)


@pytest.mark.parametrize("protocol", [One, Three])
def test_both_readings_mean_the_same(protocol: type[Protocol]) -> None:
    read_both_ways(protocol)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", [One, Three])
def test_the_compiled_search_and_spin_see_the_same_states(protocol: type[Protocol], tmp_path: Path) -> None:
    assert searched(protocol, engine=Engine.COMPILED) == searched(protocol)
    same_in_spin(protocol, tmp_path)


def test_a_proof_at_a_size_says_what_a_search_says() -> None:
    assert proved_at(One, "some-vcpu-has-none", (1, 1, 1)) is Answer.REFUTED
    assert proved_at(Four, "some-vcpu-has-none", (1, 1, 1)) is Answer.PROVED


def test_what_a_few_pages_refute_is_refuted_for_every_size() -> None:
    assert proved(Two, "some-vcpu-has-none") is Answer.REFUTED


class OneVcpu(Postcopy):
    """The guest has one vCPU."""

    cpus = 1


class ThreeVcpus(Postcopy):
    """The guest has three."""

    cpus = 3


class FourVcpus(Postcopy):
    """The guest has four."""

    cpus = 4


@pytest.mark.unmeasured
@pytest.mark.parametrize(("protocol", "states"), [(OneVcpu, 2600), (ThreeVcpus, 2936), (FourVcpus, 3381)])
def test_the_documents_protocol_holds(protocol: type[Protocol], states: int) -> None:
    verdict = explore(Instance(protocol, 1, 1, asked_of(protocol)), Options(engine=Engine.INTERPRETED))
    assert (verdict.outcome, verdict.states) == (Outcome.HOLDS, states)


def test_a_fault_is_found_with_one_vcpu_too() -> None:
    protocol = type("OneSleeper", (FAULTS["lost-wake-up"],), {"cpus": 1})
    verdict = explore(Instance(protocol, 1, 1, asked_of(protocol)), Options(engine=Engine.INTERPRETED))
    assert verdict.violated is not None
    assert verdict.violated.name == "no-request-lost"


@pytest.mark.unmeasured
@pytest.mark.slow_but("OneVcpu")
@pytest.mark.parametrize("protocol", [OneVcpu, ThreeVcpus])
def test_the_documents_invariant_is_inductive(protocol: type[Protocol]) -> None:
    of_states_and_steps = [p for p in SAFETY if p.of_states or p.of_steps]
    there = applicable(protocol, of_states_and_steps, INVARIANT, RANKING)
    assert there.left_out == ()
    assert k_induction(Instance(protocol, 1, 1, of_states_and_steps), INVARIANT, 1).status is Status.PROVED


@pytest.mark.parametrize(("cpus", "shown"), [(5, "5"), (0, "0"), ("2", "'2'"), (True, "True"), (1.0, "1.0")])
def test_another_number_is_refused(cpus: object, shown: str) -> None:
    protocol = type("Wrong", (Postcopy,), {"cpus": cpus})
    with pytest.raises(SpecError, match=f"Wrong.cpus is {shown}: a whole number from 1 to 4 is needed"):
        Instance(protocol, 1, 1)


class SecondVcpu(Reader):
    """Names a vCPU that there need not be."""

    @action(Reader.vcpu)
    def takes_after_the_second(self, cpu: Cpu) -> None:
        """waits for the second vCPU"""
        require(self.taken[Cpu(1)].empty)
        self.taken[cpu] = self.taken.any


class SecondOfOne(One):
    reader = SecondVcpu


def test_a_vcpu_that_there_is_not_is_an_error_of_the_line() -> None:
    instance = Instance(SecondOfOne, 1, 1)
    action = next(a for a in instance.actions if a.method == "takes_after_the_second")
    message = r"test_cpus.py:\d+, in takes_after_the_second: there is no vCPU 1: the protocol has cpus = 1"
    with pytest.raises(UnknownNameError, match=message):
        read_action(instance, action)
    with pytest.raises(UnknownNameError, match=message):
        take(instance, instance.initial_states()[0], action)
