"""An override with other parameters than the action that it overrides: it works, and `super()` gets what it needs."""

from __future__ import annotations

import pytest

from postcopy.catalogue.properties import asked_of
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Outcome, Verdict
from postcopy.language import Bitmap, Cpu, Machine, Page, Protocol, Thread, View, action, always, require
from postcopy.language.instance import Instance
from postcopy.model.destination import Destination
from postcopy.model.postcopy import Postcopy


class NamesTheCpu(Postcopy):
    """A request says which vCPU waits."""

    class destination(Destination):
        """The fault thread reads a fault together with the vCPU that waits."""

        def requests_page(self, cpu: Cpu, page: Page) -> None:  # type: ignore[override]
            """asks for a page that a vCPU waits for"""
            require(self.waiting[cpu][page])
            super().requests_page(page)


@pytest.mark.unmeasured
def test_a_vcpu_more() -> None:
    """The device load, which waits without a vCPU, waits for ever only where no vCPU asks: the pages come anyway."""
    instance = Instance(NamesTheCpu, 1, 1, tuple(asked_of(NamesTheCpu)))
    found = explore(instance, Options(engine=Engine.INTERPRETED))
    assert found.outcome is Outcome.HOLDS
    assert [a.name for a in instance.actions if a.method == "requests_page"] == [
        "destination.requests_page[0]",
        "destination.requests_page[1]",
    ]
    plain = Instance(Postcopy, 1, 1)
    before, after = (next(a for a in i.actions if a.method == "requests_page") for i in (plain, instance))
    assert (before.info, before.thread, before.page_names) == (after.info, after.thread, after.page_names)


@pytest.mark.slow
def test_a_vcpu_more_with_two_pages() -> None:
    found = explore(Instance(NamesTheCpu, 2, 1, tuple(asked_of(NamesTheCpu))))
    assert (found.outcome, found.states) == (Outcome.HOLDS, 6814)


class Worker(Machine):
    """Works off pages one by one."""

    worker = Thread("worker")
    done = Bitmap("pages that are done")
    last = Bitmap("the page that was done last")

    @action(worker)
    def works(self, page: Page) -> None:
        """works off a page"""
        require(not self.done[page])
        self.done |= page
        self.last = page


@always("The last page is done")
def last_is_done(state: View) -> bool:
    """It is not."""
    return bool(state.worker.last.subset_of(state.worker.done))


class Works(Protocol):
    """One worker."""

    worker = Worker

    @staticmethod
    def may_rest(state: View) -> bool:
        """All is done."""
        return bool(state.worker.done.full)


class AllAtOnce(Works):
    """A page less."""

    class worker(Worker):
        """Takes what is left in one step."""

        def works(self) -> None:  # type: ignore[override]
            """works off all pages"""
            require(not self.done.full)
            self.last = ~self.done
            self.done |= self.last


class Pairs(Works):
    """A page more."""

    class worker(Worker):
        """Takes two pages in one step, or one that is named twice."""

        def works(self, one: Page, other: Page) -> None:  # type: ignore[override]
            """works off two pages"""
            super().works(one)
            self.done |= other


class OneTooMany(Works):
    """A page more, and a seeded fault: what is noted as done last is not done."""

    class worker(Worker):
        """Notes the wrong page."""

        def works(self, one: Page, other: Page) -> None:  # type: ignore[override]
            """works off two pages"""
            super().works(one)
            self.last = other


def searched(protocol: type[Protocol]) -> Verdict:
    return explore(Instance(protocol, 3, 1, [last_is_done]), Options((), engine=Engine.INTERPRETED))


def test_a_page_less_or_more() -> None:
    assert (searched(Works).outcome, searched(Works).states) == (Outcome.HOLDS, 1 + 3 + 6 + 3)
    assert (searched(AllAtOnce).outcome, searched(AllAtOnce).states) == (Outcome.HOLDS, 2)
    assert (searched(Pairs).outcome, searched(Pairs).depth) == (Outcome.HOLDS, 2)
    found = searched(OneTooMany)
    assert found.counterexample is not None
    assert [step.page for step in found.counterexample.steps] == [(0, 1)]
