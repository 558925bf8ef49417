"""The pages beside those of a set, in the order of addresses: `pages.next` and `pages.previous`."""

from __future__ import annotations

import io
from pathlib import Path
from random import Random

import pytest
from rich.console import Console

from postcopy.errors import SpecError
from postcopy.explorer.explore import Exploration, explore
from postcopy.explorer.kernel.kernel import Kernel
from postcopy.explorer.kernel.reductions import PAGES
from postcopy.explorer.liveness import check
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.export.tla import tla
from postcopy.language import (
    ALL,
    NO_DEADLOCK,
    Bitmap,
    LeadsTo,
    Machine,
    Page,
    PageSet,
    Protocol,
    Thread,
    View,
    action,
    always,
    eventually,
    require,
)
from postcopy.language.concrete import successors
from postcopy.language.instance import Instance
from postcopy.language.program import read
from postcopy.language.single_run import SingleRun
from postcopy.language.values import ConcretePages
from postcopy.model.destination import Destination
from postcopy.model.network import Reply
from postcopy.model.postcopy import Postcopy
from postcopy.properties.safety import SAFETY
from postcopy.prover.verdicts import Answer
from postcopy.report.records.check import check_record
from postcopy.report.results.check import why_no_symmetry
from postcopy.report.terminal.check import print_check
from tests.export.test_tla import errors
from tests.language.cases.readings import broken_at, found_by_search, proved, proved_at, spin_agrees


class Scanner(Machine):
    """Reads pages in the order of addresses, and asks for the page behind each that it reads."""

    scanner = Thread("scanner")
    done = Bitmap("pages that have been read")
    asked = Bitmap("pages that have been asked for")

    @action(scanner)
    def reads(self, page: Page) -> None:
        """reads a page, once the one in front of it has been read"""
        require(not self.done[page])
        require(page.previous.subset_of(self.done))
        self.done |= page
        self.asked |= page | page.next


@always("What lies behind a page that has been read has been asked for")
def reads_ahead(state: View) -> PageSet:
    """It will have to be waited for."""
    pages: PageSet = state.scanner.done.next - state.scanner.asked
    return pages


@always("Nothing is read before what lies in front of it")
def in_order(state: View) -> PageSet:
    """It was read too early."""
    pages: PageSet = state.scanner.done.previous - state.scanner.done
    return pages


@always("Some page lies behind no other")
def there_is_a_first(state: View) -> bool:
    """Every page lies behind another."""
    return not (state.scanner.done | ALL).next.full


@eventually("Each page is read")
def all_are_read(state: View, page: Page) -> LeadsTo:
    """It is never read."""
    return LeadsTo(when=True, then=state.scanner.done[page])


ASKED = (reads_ahead, in_order, there_is_a_first, NO_DEADLOCK)


class Scan(Protocol):
    """A scan of all pages."""

    scanner = Scanner
    properties = (*ASKED, all_are_read)

    @staticmethod
    def may_rest(state: View) -> bool:
        """All pages have been read."""
        return bool(state.scanner.done.full)


class LooksBack(Scan):
    """A seeded fault: the scan asks for the page on the wrong side."""

    class scanner(Scanner):
        """Takes `previous` for `next`."""

        def reads(self, page: Page) -> None:
            """reads a page, and asks for the one in front"""
            require(not self.done[page])
            require(page.previous.subset_of(self.done))
            self.done |= page
            self.asked |= page | page.previous


class LeavesTheLast(Scan):
    """A seeded fault: the last page is never read."""

    class scanner(Scanner):
        """Ends its loop too early."""

        def reads(self, page: Page) -> None:
            """reads a page that has one behind it"""
            require(not page.next.empty)
            super().reads(page)


@pytest.mark.slow_but("interpreted")
@pytest.mark.parametrize("engine", [Engine.INTERPRETED, Engine.COMPILED], ids=lambda engine: engine.value)
def test_searches_with_and_without_reductions_agree(engine: Engine) -> None:
    for size in ((1, 1, 1), (3, 1, 1), (4, 1, 2)):
        assert broken_at(Scan, size, ASKED) == set()
        assert found_by_search(Scan, size, ASKED, engine) == {None}
    assert broken_at(LooksBack, (3, 1, 1), ASKED) == {"reads-ahead"}
    assert found_by_search(LooksBack, (3, 1, 1), ASKED, engine) == {"reads-ahead"}


class Wide(Scanner):
    """So many sets that the records of sixteen pages take three words."""

    more1 = Bitmap("what lies behind")
    more2 = Bitmap("what lies around")
    more3 = Bitmap("more")
    more4 = Bitmap("more")
    more5 = Bitmap("more")
    more6 = Bitmap("more")
    more7 = Bitmap("more")

    @action(Scanner.scanner)
    def turns(self) -> None:
        """turns all sets"""
        self.more7 = self.more6
        self.more6 = self.more5 | self.more7.previous
        self.more5 = self.more4.next
        self.more4 = self.more3
        self.more3 = self.more2 - self.more1.next.next
        self.more2 = self.done.next | self.done.previous
        self.more1 = self.done.next


class WideScan(Scan):
    """The scan with more sets."""

    scanner = Wide


@pytest.mark.parametrize("group", [1, 4])
def test_sets_are_moved_over_all_the_words_that_hold_records(group: int) -> None:
    kernel = Kernel(Instance(WideScan, 16, 1, (), group))
    assert kernel.layout.page_words > 2
    random = Random(7)
    for _ in range(40):
        state = tuple(random.getrandbits(16) for _ in kernel.instance.variables)
        after = {kernel.layout.unpack(words) for _, *words in kernel.functions.expand(*kernel.layout.pack(state))}
        assert after == {step.state for step in successors(kernel.instance, state)}


def test_there_is_no_page_symmetry_and_the_verdict_says_so() -> None:
    instance = Instance(Scan, 3, 1, ASKED)
    exploration = Exploration(instance, Options((PAGES,), engine=Engine.INTERPRETED))
    assert exploration.kernel.reductions == ()
    exploration.run()
    verdict = exploration.verdict()
    assert verdict.states == 4
    shown = io.StringIO()
    print_check(verdict, [], "Scan", (), Console(file=shown, width=100))
    assert "no page symmetry: scanner.reads looks at neighbours\n" in shown.getvalue()
    record = check_record(verdict, "Scan", (), [])
    assert (record.symmetry, record.reductions) == (False, [])
    assert record.no_symmetry == "no page symmetry: scanner.reads looks at neighbours"


def test_a_property_that_looks_at_neighbours_switches_symmetry_off() -> None:
    class Any(Scan):
        class scanner(Scanner):
            def reads(self, page: Page) -> None:
                """reads any page"""
                require(not self.done[page])
                self.done |= page

    def why(*asked: object) -> str:
        options = Options((PAGES,), engine=Engine.INTERPRETED)
        return explore(Instance(Any, 3, 1, asked), options).no_symmetry  # type: ignore[arg-type]

    assert why() == ""
    assert why(in_order) == "in-order looks at neighbours"
    assert why(reads_ahead, in_order) == "reads-ahead looks at neighbours"


def test_a_promise_that_looks_at_neighbours_is_followed_for_each_page_and_said() -> None:
    class Anyone(Scan):
        class scanner(Scanner):
            def reads(self, page: Page) -> None:
                """reads any page"""
                require(not self.done[page])
                self.done |= page

    @eventually("What lies behind is read")
    def behind_is_read(state: View, page: Page) -> LeadsTo:
        """It is never read, as there is nothing behind the last page."""
        return LeadsTo(when=True, then=not (page.next & state.scanner.done).empty)

    options = Options((PAGES,), engine=Engine.INTERPRETED)
    found = explore(Instance(Anyone, 2, 1, [behind_is_read]), options)
    assert found.outcome is Outcome.LIVENESS
    assert found.no_symmetry == ""
    assert why_no_symmetry(found) == "no page symmetry for what must happen in the end: it looks at neighbours"
    assert why_no_symmetry(explore(Instance(Anyone, 2, 1, [all_are_read]), options)) == ""


@pytest.mark.parametrize("options", [Options((PAGES,)), Options(())], ids=["symmetry", "none"])
def test_each_page_is_followed_where_pages_are_not_alike(options: Options) -> None:
    assert explore(Instance(Scan, 3, 1, [all_are_read]), options).outcome is Outcome.HOLDS
    found = explore(Instance(LeavesTheLast, 3, 1, [all_are_read]), options)
    assert found.outcome is Outcome.LIVENESS
    assert found.counterexample is not None
    assert [step.page for step in found.counterexample.steps] == [0, 1]


def test_to_follow_one_page_would_not_do(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = check.watched
    monkeypatch.setattr(check, "watched", lambda instance, _pages: plain(instance, 1))
    assert explore(Instance(LeavesTheLast, 3, 1, [all_are_read])).outcome is Outcome.HOLDS


def test_proofs_at_a_size_agree() -> None:
    states = [p for p in ASKED if p is not NO_DEADLOCK]
    for size in ((1, 1, 1), (3, 1, 1), (4, 1, 2)):
        assert set(proved_at(Scan, size, states).values()) == {Answer.PROVED}
    assert proved_at(LooksBack, (3, 1, 1), [reads_ahead]) == {"reads-ahead": Answer.REFUTED}


def test_proofs_for_every_size_know_that_a_page_has_one_neighbour_and_no_more() -> None:
    """That there is a first page is the shape of the order: so is that a scan never stops in the middle."""
    assert proved(Scan, ASKED) == {
        "reads-ahead": Answer.PROVED,
        "in-order": Answer.PROVED,
        "there-is-a-first": Answer.NOT_PROVED,
        "no-deadlock": Answer.NOT_PROVED,
    }
    assert proved(LooksBack, [reads_ahead]) == {"reads-ahead": Answer.REFUTED}


def test_spin_agrees(tmp_path: Path) -> None:
    assert spin_agrees(Scan, (3, 1, 1), ASKED, tmp_path)
    assert spin_agrees(LooksBack, (3, 1, 1), [reads_ahead], tmp_path)


def test_tla_has_the_order_of_pages() -> None:
    text = tla(read(Instance(Scan, 3, 1, ASKED)), "Scan", "Scan")
    assert errors(text) == []
    assert "NextPages(set) == {q \\in Pages : q - 1 \\in set}" in text
    assert "PreviousPages({page})" in text


def test_the_last_page_has_none_behind_it_and_the_first_none_in_front() -> None:
    assert ConcretePages(0b1011, 4).next.bits == 0b0110
    assert ConcretePages(0b1011, 4).previous.bits == 0b0101
    assert ConcretePages(0b1, 1).next.empty
    assert ConcretePages(0b0110, 4, 2).next.bits == 0b1100
    run = SingleRun(Instance(Scan, 2, 1), 100, 1, {})
    reads = run.instance.actions[0]
    assert not run.could(reads, 1 << 1)
    assert run.take(reads, 1) is None
    assert run.could(reads, 1 << 1)


class FaultAround(Postcopy):
    """Fault-around: the destination asks for the next page too."""

    class destination(Destination):
        """Sends one request for both."""

        def requests_page(self, page: Page) -> None:
            """asks for a page and the next"""
            require(self._listening())
            require(self.faulted[page])
            self._ready_to_reply()
            self.faulted -= page
            self.return_path.send(Reply.REQ_PAGES, page.host_pages | page.next)


class Shifts(FaultAround):
    """The same with a shift."""

    class destination(FaultAround.destination):
        """Shifts the page."""

        def requests_page(self, page: Page) -> None:
            """asks for a page and the next"""
            self.return_path.send(Reply.REQ_PAGES, page.host_pages | (page << 1))


class ShiftsInPlace(FaultAround):
    """The same as an assignment."""

    class destination(FaultAround.destination):
        """Shifts a set."""

        def requests_page(self, page: Page) -> None:
            """asks for a page and the next"""
            self.faulted >>= 1


@pytest.mark.unmeasured
def test_fault_around_asks_for_a_page_without_a_fault() -> None:
    """A request is for a fault, says the catalogue: what is asked for beside it is none."""
    found = explore(Instance(FaultAround, 2, 1, SAFETY), Options((PAGES,), engine=Engine.INTERPRETED))
    assert found.violated is not None
    assert found.counterexample is not None
    last = found.counterexample.steps[-1]
    assert (found.violated.name, last.action.method, last.page) == ("only-faults-requested", "requests_page", 0)
    assert found.no_symmetry == "destination.requests_page looks at neighbours"


@pytest.mark.slow
def test_fault_around_is_safe_otherwise() -> None:
    others = [p for p in SAFETY if p.name != "only-faults-requested"]
    assert explore(Instance(FaultAround, 2, 1, others), Options((PAGES,))).outcome is Outcome.HOLDS


@pytest.mark.parametrize(("protocol", "text"), [(Shifts, "page << 1"), (ShiftsInPlace, "self.faulted >>= 1")])
def test_a_shift_says_what_to_write(protocol: type[Protocol], text: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(Instance(protocol, 2, 1))
    message = f"it shifts: {text}; the pages beside those of a set are pages.next and pages.previous"
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
