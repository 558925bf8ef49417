"""Sets of pages that are chosen at the start: the same for all machines, or known to one alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from postcopy.catalogue.composition import compose
from postcopy.catalogue.properties import asked_of
from postcopy.errors import SpecError, UsageError
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.export.tla import tla
from postcopy.language import (
    EITHER,
    Bitmap,
    Chosen,
    Ghost,
    Machine,
    Page,
    PageSet,
    Protocol,
    Thread,
    View,
    action,
    always,
    require,
)
from postcopy.language.concrete import take
from postcopy.language.instance import Instance
from postcopy.language.program import read
from postcopy.language.symbolic import read_action
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Source
from postcopy.prover.verdicts import Answer
from postcopy.report.story.tell import tell
from tests.language.cases.all_readings import proved, proved_at, read_both_ways, same_in_spin, searched
from tests.language.cases.readings import Size


class Sender(Machine):
    """Sends whole host pages, those of the second block after all others."""

    thread = Thread("sender")

    sent = Bitmap("pages sent")

    @action(thread)
    def sends(self, page: Page) -> None:
        """sends a host page of the first block"""
        require(not self.second[page] and not self.sent[page])
        self.sent |= page.host_pages

    @action(thread)
    def sends_of_second(self, page: Page) -> None:
        """sends a host page of the second block"""
        require(self.second[page] and not self.sent[page])
        require(self._first_is_out())
        self.sent |= page.host_pages

    def _first_is_out(self) -> bool:
        return (~self.second).subset_of(self.sent)  # type: ignore[no-any-return]


class Observer(Ghost):
    """Reads the set too."""

    seen = Bitmap("pages of the second block that were sent")


@always("The second block goes out after the first")
def first_goes_first(state: View) -> bool:
    """A page of the second block has been sent, and one of the first has not."""
    return bool((state.sender.sent & state.second).empty or (~state.second - state.sender.sent).empty)


class Blocks(Protocol):
    """Two blocks of memory."""

    sender = Sender
    second = Chosen("pages of the second block")
    properties = (first_goes_first,)

    @staticmethod
    def may_rest(state: View) -> bool:
        return bool(state.sender.sent.full)


class Eager(Sender):
    def _first_is_out(self) -> bool:
        return not self.sent.full


class InAnyOrder(Blocks):
    """The second block does not wait for the first."""

    sender = Eager


class OwnBlock(Sender):
    """Any set of pages is the second block, not only one of whole host pages."""

    second = Bitmap("pages of the second block", EITHER)


@always("The second block goes out after the first")
def own_goes_first(state: View) -> bool:
    """A page of the second block has been sent, and one of the first has not."""
    second: PageSet = state.sender.second
    return bool((state.sender.sent & second).empty or (~second - state.sender.sent).empty)


class AnySet(Protocol):
    """The block is known to the sender alone, and host pages may belong to both."""

    sender = OwnBlock
    properties = (own_goes_first,)

    @staticmethod
    def may_rest(state: View) -> bool:
        return bool(state.sender.sent.full)


CASES: list[tuple[type[Protocol], Size, int, str | None]] = [
    (Blocks, (1, 1, 1), 4, None),
    (Blocks, (3, 1, 1), 8 + 8 + 6 * 5, None),
    (Blocks, (4, 1, 2), 4 + 4 + 2 * 3, None),
    (InAnyOrder, (2, 1, 1), 16, "first-goes-first"),
    (InAnyOrder, (4, 1, 2), 16, "first-goes-first"),
    (AnySet, (2, 1, 1), 14, None),
    (AnySet, (2, 1, 2), 8, None),
    (AnySet, (4, 1, 2), 58, "own-goes-first"),
]


@pytest.mark.parametrize(("protocol", "size", "states", "violated"), CASES)
def test_every_search_agrees(protocol: type[Protocol], size: Size, states: int, violated: str | None) -> None:
    assert searched(protocol, size) == (states, violated)


def test_page_symmetry_keeps_one_of_each_size_of_the_set() -> None:
    verdict = explore(Instance(Blocks, 4, 1), Options(engine=Engine.INTERPRETED))
    assert verdict.states == 5 * 5  # for each size of the block, how much of which block has been sent


@pytest.mark.parametrize(("protocol", "size"), [(Blocks, (2, 1, 1)), (Blocks, (4, 1, 2)), (AnySet, (2, 1, 2))])
def test_both_readings_mean_the_same(protocol: type[Protocol], size: Size) -> None:
    read_both_ways(protocol, size)


@pytest.mark.parametrize(
    ("protocol", "name", "answer"),
    [
        (Blocks, "first-goes-first", Answer.PROVED),
        (InAnyOrder, "first-goes-first", Answer.REFUTED),
        (AnySet, "own-goes-first", Answer.REFUTED),
    ],
)
def test_proofs_agree(protocol: type[Protocol], name: str, answer: Answer) -> None:
    assert proved_at(protocol, name, (4, 1, 2)) is answer
    if protocol is not AnySet:  # which shows at four pages only, more than a refutation looks at
        assert proved(protocol, name) is answer
    else:
        assert proved(protocol, name) is Answer.NOT_PROVED


@pytest.mark.slow
@pytest.mark.parametrize(("protocol", "size", "states", "violated"), CASES)
def test_the_compiled_search_and_spin_agree(
    protocol: type[Protocol], size: Size, states: int, violated: str | None, tmp_path: Path
) -> None:
    assert searched(protocol, size, Engine.COMPILED) == (states, violated)
    same_in_spin(protocol, tmp_path, size)


def test_tla_leaves_the_choice_open() -> None:
    def init(protocol: type[Protocol], group: int) -> str:
        found = re.search(r"^Init ==\n(.*?)\n\n", tla(read(Instance(protocol, 2, 1, (), group)), "M", "M"), re.M | re.S)
        assert found is not None
        return found[1]

    assert r"/\ second \in SUBSET Pages" in init(Blocks, 1)
    assert r"/\ second \in {pages \in SUBSET Pages : Host(pages) = pages}" in init(Blocks, 2)
    assert r"second \in SUBSET Pages" in init(AnySet, 2)


def test_a_story_says_which_pages_were_chosen() -> None:
    verdict = explore(Instance(InAnyOrder, 2, 1, asked_of(InAnyOrder)), Options(engine=Engine.INTERPRETED))
    assert verdict.counterexample is not None
    assert any("pages of the second block" in given for given in tell(verdict.counterexample).given)


class TwoBlocks(Postcopy):
    """The guest has two blocks of memory; the source alone knows."""

    class source(Source):
        second = Bitmap("pages of the second block", EITHER)


class BothKnow(Postcopy):
    """Both hosts know."""

    second = Chosen("pages of the second block")


def test_the_documents_protocol_holds_for_every_choice() -> None:
    found = [
        explore(Instance(protocol, 1, 1, asked_of(protocol)), Options(engine=Engine.INTERPRETED))
        for protocol in (Postcopy, TwoBlocks, BothKnow)
    ]
    assert [verdict.outcome for verdict in found] == [Outcome.HOLDS] * 3
    assert found[1].states == found[2].states == 2 * found[0].states


def assigns(self: Any, page: Page) -> None:
    """adds a page to the block"""
    self.second |= page


def unknown(self: Any, page: Page) -> None:
    """misspells it"""
    require(self.secnd[page])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (assigns, "second is chosen at the start, and no step changes it: declare a field in the class"),
        (unknown, "has no field secnd"),
    ],
)
def test_a_wrong_use_is_refused(body: Any, message: str) -> None:
    machine = type("Wrong", (Sender,), {"acts": action(Sender.thread)(body)})
    instance = Instance(type("Wrong", (Blocks,), {"sender": machine}), 1, 1)
    acts = next(a for a in instance.actions if a.method == "acts")
    with pytest.raises(SpecError, match=message):
        read_action(instance, acts)
    with pytest.raises(SpecError, match=message):
        take(instance, instance.initial_states()[0], acts, 0)


def test_a_field_of_the_same_name_is_refused() -> None:
    with pytest.raises(SpecError, match=r"OwnBlock\.second hides second, which is chosen at the start: choose"):
        Instance(type("Wrong", (Blocks,), {"sender": OwnBlock}), 1, 1)


@pytest.mark.parametrize("name", ["cpus", "waited_for", "_second"])
def test_a_name_of_the_language_is_refused(name: str) -> None:
    with pytest.raises(SpecError, match=f"{name}"):
        Instance(type("Wrong", (Blocks,), {name: Chosen("a block")}), 1, 1)


def test_too_many_choices_are_refused() -> None:
    more = {f"block{n}": Chosen(f"block {n}") for n in range(3)}
    with pytest.raises(UsageError, match="initial states are too many"):
        Instance(type("Many", (Blocks,), more), 8, 1).initial_states()


def test_two_changes_that_choose_the_same_set_share_it() -> None:
    one, same, other = (
        type(name, (Postcopy,), {"second": Chosen(doc)})
        for name, doc in (("One", "a block"), ("Same", "a block"), ("Other", "another block"))
    )
    both = Instance(compose([("one", one), ("same", same)]), 1, 1)
    assert [v.name for v in both.variables if v.chosen] == ["second"]
    with pytest.raises(UsageError, match="one and other cannot be combined: both define second"):
        compose([("one", one), ("other", other)])
