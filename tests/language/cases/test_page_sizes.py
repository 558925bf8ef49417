"""Blocks of memory with page sizes of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from postcopy.catalogue.loading import load
from postcopy.catalogue.properties import asked_of
from postcopy.errors import PostcopyError, SpecError
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.language import Bitmap, Chosen, Machine, Page, Protocol, Thread, View, action, always, conjunct, require
from postcopy.language.instance import Instance
from postcopy.language.single_run import SingleRun
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.prover.verdicts import Answer
from tests.language.cases.all_readings import proved, proved_at, read_both_ways, same_in_spin, searched
from tests.language.cases.readings import Size


class Host(Machine):
    """Collects the parts of a host page, and places it when it is whole."""

    thread = Thread("listen thread")

    collected = Bitmap("pages that have been read and not placed")
    placed = Bitmap("pages that are placed")

    @action(thread)
    def reads(self, page: Page) -> None:
        """reads a page that belongs to the host page that is collected"""
        require(not self.placed[page] and not self.collected[page])
        require(self.collected.subset_of(page.host_pages))
        self.collected |= page

    @action(thread)
    def places(self) -> None:
        """places what is whole"""
        require(not self.collected.empty and self._is_whole())
        self.placed |= self.collected
        self.collected -= self.collected

    def _is_whole(self) -> bool:
        return self.collected.host_pages.same_as(self.collected)


@always("A host page is placed as a whole")
def placed_as_a_whole(state: View) -> bool:
    """A part of a host page is placed, and another part of it is not."""
    return bool(state.host.placed.host_pages.same_as(state.host.placed))


@always("A page of the small ones is placed alone")
def small_ones_alone(state: View) -> bool:
    """Something else is collected beside it."""
    small = state.host.collected & state.small
    return bool(small.empty or small.host_pages.same_as(state.host.collected))


@conjunct("What is collected belongs to one host page")
def one_host_page(state: View, page: Page) -> bool:
    """It does."""
    return not state.host.collected[page] or bool(state.host.collected.subset_of(page.host_pages))


@conjunct("What is collected is not placed")
def not_both(state: View) -> bool:
    """It is placed once."""
    return bool((state.host.collected & state.host.placed).empty)


class TwoSizes(Protocol):
    """One block has host pages of `group` target pages, and one has smaller ones."""

    host = Host
    small = Chosen("pages of the block with small pages")
    fine = "small"
    group = 2
    properties = (placed_as_a_whole, small_ones_alone)
    invariant = (one_host_page, not_both)

    @staticmethod
    def may_rest(state: View) -> bool:
        return bool(state.host.placed.full)


class Hasty(Host):
    def _is_whole(self) -> bool:
        return not self.collected.empty


class PlacesParts(TwoSizes):
    """Places parts of large host pages."""

    host = Hasty


class OneSize(TwoSizes):
    """The block is there, and its pages are as large as all others."""

    fine = ""


CASES: list[tuple[type[Protocol], Size, int, str | None]] = [
    (TwoSizes, (2, 1, 1), 4 * (4 + 4), None),
    (TwoSizes, (2, 1, 2), 5 + 8, None),
    (TwoSizes, (4, 1, 2), 16 + 2 * 28 + 48, None),
    (PlacesParts, (2, 1, 2), 9 + 8, "placed-as-a-whole"),
    (PlacesParts, (2, 1, 1), 32, None),
    (OneSize, (2, 1, 2), 5 + 5, "small-ones-alone"),
]


@pytest.mark.parametrize(("protocol", "size", "states", "violated"), CASES)
def test_every_search_agrees(protocol: type[Protocol], size: Size, states: int, violated: str | None) -> None:
    assert searched(protocol, size) == (states, violated)


@pytest.mark.parametrize(("protocol", "size"), [(TwoSizes, (4, 1, 2)), (PlacesParts, (2, 1, 2))])
def test_both_readings_mean_the_same(protocol: type[Protocol], size: Size) -> None:
    read_both_ways(protocol, size)


@pytest.mark.parametrize("name", ["placed-as-a-whole", "small-ones-alone"])
def test_proofs_agree(name: str) -> None:
    assert proved_at(TwoSizes, name, (4, 1, 2)) is Answer.PROVED
    assert proved(TwoSizes, name) is Answer.PROVED


def test_proofs_of_what_is_wrong_agree() -> None:
    assert proved_at(PlacesParts, "placed-as-a-whole", (2, 1, 2)) is Answer.REFUTED
    assert proved(PlacesParts, "placed-as-a-whole") is Answer.REFUTED
    assert proved(OneSize, "small-ones-alone") is Answer.REFUTED


@pytest.mark.slow
@pytest.mark.parametrize(("protocol", "size", "states", "violated"), CASES)
def test_the_compiled_search_and_spin_agree(
    protocol: type[Protocol], size: Size, states: int, violated: str | None, tmp_path: Path
) -> None:
    assert searched(protocol, size, Engine.COMPILED) == (states, violated)
    same_in_spin(protocol, tmp_path, size)


def test_one_long_run_has_both_sizes() -> None:
    instance = Instance(TwoSizes, 2, 1, (), 2)
    run = SingleRun(instance, 8, 4, {})
    assert run.set_of(1).host_pages.bits == 0b1111  # the block with small pages is empty in a long run


class SmallPages(Postcopy):
    """The document's protocol where one block of the guest's memory has small pages."""

    small = Chosen("pages of the block with small pages")
    fine = "small"
    group = 2


@pytest.mark.unmeasured
def test_the_documents_protocol_holds_with_two_page_sizes() -> None:
    verdict = explore(Instance(SmallPages, 2, 1, asked_of(SmallPages), 2), Options(engine=Engine.INTERPRETED))
    assert verdict.outcome is Outcome.HOLDS
    alone = [explore(Instance(Postcopy, 2, 1, (), group), Options(engine=Engine.INTERPRETED)) for group in (1, 2)]
    both = explore(Instance(SmallPages, 2, 1, (), 2), Options(engine=Engine.INTERPRETED))
    assert both.states == sum(each.states for each in alone)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(2, 1, 2), (2, 2, 2)])
def test_the_documents_invariant_is_inductive_with_two_page_sizes(size: Size) -> None:
    assert proved_at(SmallPages, "no-page-lost", size) is Answer.PROVED
    assert proved_at(SmallPages, "no-partial-page", size) is Answer.PROVED


@pytest.mark.parametrize("fault", ["partial-host-pages", "places-first-target-page", "requests-part-of-host-page"])
def test_the_faults_of_host_pages_are_found_in_the_block_with_large_pages(fault: str) -> None:
    protocol = type("Faulty", (FAULTS[fault],), {"small": SmallPages.small, "fine": "small"})
    broken = FAULTS[fault].breaks[0]
    asked = tuple(p for p in asked_of(protocol) if p.name == broken)
    verdict = explore(Instance(protocol, 2, 2, asked, 2), Options(engine=Engine.INTERPRETED))
    assert verdict.violated is not None
    assert verdict.violated.name == broken
    assert verdict.counterexample is not None
    trace = verdict.counterexample
    assert trace.initial[trace.instance.index[trace.instance.variable["small"]]] == 0


@pytest.mark.parametrize("fine", ["smal", "host", "placed"])
def test_a_block_that_there_is_not_is_refused(fine: str) -> None:
    with pytest.raises(SpecError, match=f"fine is '{fine}', which names no chosen set: declare one, small = Chosen"):
        Instance(type("Wrong", (TwoSizes,), {"fine": fine}), 2, 1, (), 2)


@pytest.mark.parametrize("group", ["(1, 2)", "[1, 2]", '{"a": 1}', "0"])
def test_several_sizes_are_refused_with_what_to_write(group: str, tmp_path: Path) -> None:
    file = tmp_path / "p9.py"
    file.write_text(
        f"from postcopy.model.postcopy import Postcopy\nclass C(Postcopy):\n    group = {group}\n", encoding="utf-8"
    )
    with pytest.raises(PostcopyError, match=r"a whole number from 1 on.*small = Chosen\(.*fine = \"small\"") as error:
        load(str(file))
    assert "\n" not in str(error.value)
