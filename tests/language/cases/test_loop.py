"""A loop over pages: refused, with the recipe; and the recipe, which is an action and a set of pages that are done."""

from __future__ import annotations

from typing import Any

import pytest

from postcopy.catalogue.properties import asked_of
from postcopy.errors import SpecError
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.language import Bitmap, Page, Protocol, action, require
from postcopy.language.instance import Instance
from postcopy.language.program import read
from postcopy.model.network import Command
from postcopy.model.postcopy import Postcopy
from postcopy.model.roles import Role
from postcopy.model.source import Phase, Source

ONE_LINE = (
    "a set of pages cannot be looped over: write whole-bitmap operators, or an action with a page parameter and a set "
    "of the pages that are done"
)


class Loops(Source):
    """The bodies that are refused."""

    def for_each(self) -> None:
        """scans"""
        for _page in self.dirty:  # type: ignore[var-annotated]
            require(False)
        super().ends_postcopy()

    def in_a_comprehension(self) -> None:
        """scans"""
        require(all(self.sent[page] for page in self.dirty))  # type: ignore[var-annotated]

    def over_what_is_left(self) -> None:
        """scans"""
        left = self.dirty - self.requests
        for page in left:  # type: ignore[var-annotated]
            self.dirty -= page

    def over_one_page(self, page: Page) -> None:
        """scans a page"""
        for each in page.host_pages:  # type: ignore[var-annotated]
            self.dirty -= each

    def over_a_message(self) -> None:
        """scans a message"""
        for page in self.return_path.receive(Command.PAGE).pages:  # type: ignore[var-annotated]
            self.dirty -= page


def with_body(body: Any) -> type[Protocol]:
    machine = type("source", (Source,), {"ends_postcopy": body, "__doc__": "Scans."})
    return type("Looping", (Postcopy,), {"source": machine})


@pytest.mark.parametrize(
    "body",
    [Loops.for_each, Loops.in_a_comprehension, Loops.over_what_is_left, Loops.over_one_page, Loops.over_a_message],
    ids=lambda body: str(body.__name__),
)
def test_a_loop_over_pages_names_the_recipe(body: Any) -> None:
    with pytest.raises(SpecError) as caught:
        read(Instance(with_body(body), 1, 1))
    assert str(caught.value).endswith(ONE_LINE)
    assert "\n" not in str(caught.value)


class Scans(Postcopy):
    """The source scans its bitmap page by page before it ends postcopy."""

    class source(Source):
        """Has a set of the pages that are done."""

        scanned = Bitmap("pages that the scan has passed", role=Role.NOTE)

        @action(Source.migration)
        def scans(self, page: Page) -> None:
            """passes a page that is not dirty"""
            require(self.phase == Phase.POSTCOPY)
            require(not self.scanned[page])
            require(not self.dirty[page])
            self.scanned |= page

        def ends_postcopy(self) -> None:
            """ends postcopy, once the scan has passed all pages"""
            require(self.scanned.full)
            super().ends_postcopy()


class ScansOnly(Scans):
    """A seeded fault: the scan passes dirty pages, and nothing else is asked at its end."""

    class source(Scans.source):
        """Trusts a scan that does not look."""

        def scans(self, page: Page) -> None:
            """passes a page"""
            require(self.phase == Phase.POSTCOPY)
            require(not self.scanned[page])
            self.scanned |= page

        def ends_postcopy(self) -> None:
            """ends postcopy, once the scan has passed all pages"""
            require(self.scanned.full)
            self._ready_to_send()
            self.stream.send(Command.EOF)
            self.phase = Phase.ENDING


@pytest.mark.unmeasured
def test_the_recipe_holds_and_a_scan_that_does_not_look_loses_a_page() -> None:
    options = Options(engine=Engine.INTERPRETED)
    assert explore(Instance(Scans, 1, 1, tuple(asked_of(Scans))), options).outcome is Outcome.HOLDS
    found = explore(Instance(ScansOnly, 1, 1, tuple(asked_of(ScansOnly))), options)
    assert found.violated is not None
    assert found.counterexample is not None
    assert found.counterexample.steps[-1].action.method in ("ends_postcopy", "loads_page", "ends")


@pytest.mark.slow
def test_the_recipe_holds_with_two_pages() -> None:
    assert explore(Instance(Scans, 2, 1, tuple(asked_of(Scans)))).outcome is Outcome.HOLDS
