"""A step of two pages: `def moves(self, one: Page, other: Page)`."""

from __future__ import annotations

import json
from enum import Enum, auto
from pathlib import Path
from typing import Any

import pytest

from postcopy.errors import SpecError, TraceError, UsageError
from postcopy.explorer.explore import explore
from postcopy.explorer.kernel.reductions import REDUCTIONS
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.explorer.simulation.simulate import Simulation, WalkPlan
from postcopy.export.aut import aut
from postcopy.export.tla import tla
from postcopy.language import (
    ALL,
    NO_DEADLOCK,
    Bitmap,
    Channel,
    Cpu,
    Flag,
    LeadsTo,
    Machine,
    Page,
    PageSet,
    Protocol,
    Receives,
    Sends,
    Step,
    Thread,
    View,
    action,
    always,
    conjunct,
    eventually,
    every_step,
    require,
)
from postcopy.language.instance import Instance
from postcopy.language.program import read
from postcopy.language.single_run import SingleRun
from postcopy.language.trace import Label, follow
from postcopy.model.destination import Destination
from postcopy.model.postcopy import Postcopy
from postcopy.properties.safety import SAFETY
from postcopy.prover.verdicts import Answer
from postcopy.report.pages.stepping import Stepping
from postcopy.report.story.itf import from_itf, to_itf
from postcopy.report.story.tell import tell
from tests.export.test_tla import errors
from tests.language.cases.readings import broken_at, found_by_search, proved, proved_at, spin_agrees


class Swap(Enum):
    """What the owner of the memory hears."""

    REPLACED = auto()


class Event(Enum):
    """What the swapper does to a page."""

    IN = auto()
    OUT = auto()


class Swapper(Machine):
    """Brings pages into a memory that has one place."""

    swapper = Thread("swapper")
    wanted = Bitmap("pages that have to be brought in once", ALL)
    resident = Bitmap("the page in memory")
    full = Flag("the memory is full")
    swaps = Sends("swaps")

    @action(swapper)
    def loads(self, page: Page) -> None:
        """loads the first page"""
        require(not self.full)
        require(self.wanted[page])
        self.full = True
        self.wanted -= page
        self.resident |= page

    @action(swapper)
    def replaces(self, one: Page, other: Page) -> None:
        """brings one page in, in the place of another"""
        require(self.wanted[one])
        require(self.resident[other])
        require(not one.same_as(other))
        require(self.swaps.room())
        self._trade(one, other)
        self.observe(Event.OUT, other)
        self.swaps.send(Swap.REPLACED, one | other)

    def _trade(self, one: PageSet, other: PageSet) -> None:
        self.wanted -= one
        self.resident = (self.resident - other) | one


class Owner(Machine):
    """Hears of all that is replaced."""

    owner = Thread("owner")
    touched = Bitmap("pages that have been in a trade")
    swaps = Receives("swaps")

    @action(owner)
    def hears(self) -> None:
        """hears of a trade"""
        self.touched |= self.swaps.receive(Swap.REPLACED).pages


@always("A full memory holds a page")
def holds_a_page(state: View) -> bool:
    """The memory is full, and no page is in it."""
    return bool(not state.swapper.full or not state.swapper.resident.empty)


@every_step("What goes out has been in memory, and is not any more")
def goes_out(step: Step) -> PageSet:
    """This page was not in memory before, or is still there."""
    out = step.of(Event.OUT)
    pages: PageSet = (out - step.before.swapper.resident) | (out & step.after.swapper.resident)
    return pages


@eventually("Each page is brought in")
def comes_in(state: View, page: Page) -> LeadsTo:
    """It is wanted for ever."""
    return LeadsTo(when=True, then=not state.swapper.wanted[page])


@conjunct("What is wanted has not been brought in")
def wanted_is_out(state: View) -> PageSet:
    """It is both."""
    pages: PageSet = state.swapper.wanted & state.swapper.resident
    return pages


@conjunct("A page is in memory only if it is full")
def empty_at_first(state: View) -> bool:
    """It is not full, and a page is there."""
    return bool(state.swapper.full or state.swapper.resident.empty)


ASKED = (holds_a_page, goes_out, NO_DEADLOCK)


class Swapping(Protocol):
    """A memory with one place."""

    swapper = Swapper
    owner = Owner
    swaps = Channel(Swap)
    properties = (*ASKED, comes_in)
    invariant = (wanted_is_out, empty_at_first)

    @staticmethod
    def may_rest(state: View) -> bool:
        """All pages have been brought in."""
        return bool(state.swapper.wanted.empty)


class TakesItself(Swapping):
    """A seeded fault: a page may be brought in in its own place, and is lost."""

    class swapper(Swapper):
        """Wants its page again, does not look whether both pages are one, and takes the old one out last."""

        def replaces(self, one: Page, other: Page) -> None:
            """brings one page in, in the place of another or of itself"""
            require(self.full)
            require(self.resident[other])
            require(self.swaps.room())
            self.resident = (self.resident | one) - other
            self.observe(Event.OUT, other)
            self.swaps.send(Swap.REPLACED, one | other)


class Favours(Swapping):
    """A fault that shows in a run that goes on for ever: two pages change places, and a third waits."""

    class swapper(Swapper):
        """Brings in what has been there, too."""

        def replaces(self, one: Page, other: Page) -> None:
            """brings one page in, wanted or not, in the place of another"""
            require(not self.resident[one])
            require(self.resident[other])
            self._trade(one, other)


@pytest.mark.slow_but("interpreted")
@pytest.mark.parametrize("engine", [Engine.INTERPRETED, Engine.COMPILED], ids=lambda engine: engine.value)
def test_searches_with_and_without_reductions_agree(engine: Engine) -> None:
    for size in ((3, 2, 1), (4, 1, 2)):
        assert broken_at(Swapping, size, ASKED) == set()
        assert found_by_search(Swapping, size, ASKED, engine) == {None}
    assert broken_at(TakesItself, (2, 1, 1), ASKED) >= {"holds-a-page"}
    assert found_by_search(TakesItself, (2, 1, 1), ASKED, engine) == {"holds-a-page"}


def test_page_symmetry_renames_both_pages() -> None:
    instance = Instance(Swapping, 4, 1, ASKED)
    plain, reduced = (explore(instance, Options(used, engine=Engine.INTERPRETED)) for used in ((), REDUCTIONS))
    assert plain.states > 4 * reduced.states


@pytest.mark.parametrize("symmetry", [False, True])
def test_liveness_follows_both_pages(symmetry: bool) -> None:
    options = Options(REDUCTIONS[:1] if symmetry else (), engine=Engine.INTERPRETED)
    assert explore(Instance(Swapping, 3, 1, [comes_in]), options).outcome is Outcome.HOLDS
    found = explore(Instance(Favours, 3, 1, [comes_in]), options)
    assert found.outcome is Outcome.LIVENESS
    assert found.counterexample is not None
    assert found.counterexample.loop is not None
    assert all(isinstance(step.page, tuple) for step in found.counterexample.steps[found.counterexample.loop :])


def test_proofs_at_a_size_agree() -> None:
    for size in ((3, 2, 1), (4, 1, 2)):
        assert set(proved_at(Swapping, size, ASKED).values()) == {Answer.PROVED}
    assert proved_at(TakesItself, (2, 1, 1), [holds_a_page]) == {"holds-a-page": Answer.REFUTED}
    assert proved_at(TakesItself, (2, 1, 1), [goes_out]) == {"goes-out": Answer.PROVED}


def test_proofs_for_every_size_agree() -> None:
    assert set(proved(Swapping, ASKED).values()) == {Answer.PROVED}
    assert proved(TakesItself, [holds_a_page]) == {"holds-a-page": Answer.REFUTED}


def test_spin_agrees(tmp_path: Path) -> None:
    assert spin_agrees(Swapping, (3, 1, 1), ASKED, tmp_path)
    assert spin_agrees(TakesItself, (3, 1, 1), [holds_a_page], tmp_path)


def test_a_single_run_takes_both_pages() -> None:
    instance = Instance(Swapping, 2, 1)
    run = SingleRun(instance, 100, 1, {})
    actions = {action.method: action for action in instance.actions}
    assert run.take(actions["loads"], 1 << 70) is None
    assert run.could(actions["replaces"], 1 << 5, 1 << 70)
    assert not run.could(actions["replaces"], 1 << 70, 1 << 70)
    assert run.take(actions["replaces"], 1 << 5, 1 << 70) is None
    assert run.view.swapper.resident.same_as(run.set_of(1 << 5))


def test_a_run_names_both_pages() -> None:
    instance = Instance(Swapping, 3, 1)
    labels: list[Label] = [("swapper.loads", 2), ("swapper.replaces", (0, 2)), ("owner.hears", None)]
    run = follow(instance, instance.initial_states()[0], labels, None)
    assert run.labels == labels
    assert [step.events[0].pages.bits for step in run.steps if step.events] == [0b100, 0b101]  # type: ignore[attr-defined]


def test_files_and_stories_have_both_pages() -> None:
    instance = Instance(TakesItself, 2, 1, ASKED)
    run = explore(instance, Options(engine=Engine.INTERPRETED)).counterexample
    assert run is not None
    assert run.steps[-1].page == (0, 0) or run.steps[-1].page == (1, 1)
    page = run.steps[0].page
    assert tell(run).steps[-1].what.endswith(f"or of itself, pages {page} and {page}")
    text = to_itf(run, "swap", "print")
    again = from_itf(text, lambda *_: instance, lambda _: "print")
    assert again.labels == run.labels
    meta = json.loads(text)["states"]
    assert [set(state["#meta"]) for state in meta][1:] == [
        {"index", "action", "page"},
        {"index", "action", "page", "other"},
    ]
    for wrong, message in (
        ({"other": 7}, "takes two pages from 0 to 1, not"),
        ({"other": -1}, "takes two pages from 0 to 1, not"),
        ({"page": None}, "takes two pages from 0 to 1, not"),
    ):
        file = json.loads(text)
        file["states"][-1]["#meta"] |= wrong
        with pytest.raises(TraceError, match=message):
            from_itf(json.dumps(file).encode(), lambda *_: instance, lambda _: "print")
    file = json.loads(text)
    del file["states"][-1]["#meta"]["other"]
    with pytest.raises(TraceError, match=f"takes two pages from 0 to 1, not {page}: regenerate it"):
        from_itf(json.dumps(file).encode(), lambda *_: instance, lambda _: "print")
    file = json.loads(text)
    file["states"][1]["#meta"]["other"] = 0
    with pytest.raises(TraceError, match="loads takes a page from 0 to 1, not"):
        from_itf(json.dumps(file).encode(), lambda *_: instance, lambda _: "print")


def test_a_simulation_finds_and_shortens_a_run() -> None:
    instance = Instance(TakesItself, 4, 2, ASKED)
    simulation = Simulation(instance, WalkPlan(1, depth=30, walks=200))
    simulation.run()
    found = simulation.found()
    assert found.counterexample is not None
    assert [step.action.method for step in found.counterexample.steps] == ["loads", "replaces"]


def test_a_run_is_made_by_hand() -> None:
    stepping = Stepping("swap", Instance(Swapping, 3, 1))
    query = "start=0&step=swapper.loads:2&step=swapper.replaces:0:2"
    start, run = stepping.run(query)
    assert run.labels == [("swapper.loads", 2), ("swapper.replaces", (0, 2))]
    assert stepping.query(start, run.labels) == "?" + query
    assert "pages 1 and 2" in stepping.page(0, stepping.run("start=0&step=swapper.loads:2")[1])
    for wrong in ("swapper.replaces:0", "swapper.loads:0:1", "swapper.loads"):
        with pytest.raises(UsageError, match=r"takes \d pages?, not \d"):
            stepping.run(f"start=0&step={wrong}")


def test_tla_has_two_pages() -> None:
    text = tla(read(Instance(Swapping, 3, 1, ASKED)), "Swap", "Swap")
    assert errors(text) == []
    assert "swapper_replaces(page, other) ==" in text
    assert "\\E page, other \\in Pages : swapper_replaces(page, other)" in text
    assert "other \\in swapper_resident" in text


def test_a_label_of_mcrl2_has_both_pages() -> None:
    assert '"swapper_replaces(0,2)"' in "\n".join(aut(read(Instance(Swapping, 3, 1))))


def of_parameters(function: Any) -> type[Protocol]:
    class Some(Machine):
        """Has an action with the given parameters."""

        main = Thread("main")
        acts = action(main)(function)

    class Tiny(Protocol):
        some = Some

        @staticmethod
        def may_rest(state: View) -> bool:
            return True

    return Tiny


class Actions:
    """Functions with too many parameters, or of wrong names."""

    def three(self, one: Page, other: Page, third: Page) -> None:
        """too many"""

    def four(self, page: Page, a: Page, b: Page, c: Page) -> None:
        """too many"""

    def alone(self, one: Page) -> None:
        """one page has its name"""

    def number(self, one: Page, other: int) -> None:
        """no page"""

    def cpus(self, cpu: Cpu, other: Cpu) -> None:
        """two vCPUs"""

    def page_of_cpu(self, cpu: Page, page: Page) -> None:
        """a page that is called as a vCPU"""


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (Actions.three, "Some.acts has 3 page parameters, one, other, third: a step is about two pages at most"),
        (Actions.four, "Some.acts has 4 page parameters, page, a, b, c: a step is about two pages at most"),
        (Actions.alone, "Some.acts has a parameter one: an action may have `page: Page` (or two pages of any names)"),
        (Actions.number, "Some.acts has a parameter one: an action may have `page: Page` (or two pages of any names)"),
        (Actions.cpus, "Some.acts has a parameter other: an action may have `page: Page` (or two pages of any names)"),
        (Actions.page_of_cpu, "Some.acts has a parameter cpu: an action may have `page: Page` (or two pages of any"),
    ],
)
def test_other_parameters_are_refused_in_one_line(function: Any, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        Instance(of_parameters(function), 2, 1)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pages_are_compared_as_sets() -> None:
    class Swapped(Swapper):
        def replaces(self, one: Page, other: Page) -> None:
            require(one != other)
            super().replaces(one, other)

    class Wrong(Swapping):
        swapper = Swapped

    with pytest.raises(SpecError, match=r"same_as\(\)") as caught:
        explore(Instance(Wrong, 2, 1, ASKED))
    assert "\n" not in str(caught.value)


class Moves(Postcopy):
    """UFFDIO_MOVE: a page of the destination takes the place of another."""

    class destination(Destination):
        """Its vCPUs may move pages at any time."""

        @action(Destination.vcpu, environment=True)
        def moves(self, cpu: Cpu, one: Page, other: Page) -> None:
            """moves a page"""
            require(self.sensitive and self.present[one] and not self.present[other])
            self.present = (self.present - one) | other


@pytest.mark.unmeasured
def test_a_page_that_is_moved_at_the_destination_is_lost() -> None:
    """What is taken away is missing, and will never be sent again."""
    found = explore(Instance(Moves, 2, 1, SAFETY), Options(engine=Engine.INTERPRETED))
    assert found.violated is not None
    assert found.counterexample is not None
    last = found.counterexample.steps[-1]
    assert (found.violated.name, last.action.method, last.page) == ("no-page-lost", "moves", (0, 1))
