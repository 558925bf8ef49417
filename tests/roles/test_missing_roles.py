"""A violation of a property that reads roles points at the sets of pages that have none and that no property reads."""

from __future__ import annotations

import pytest

from postcopy.catalogue.properties import asked_of
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Options, Verdict
from postcopy.explorer.vacuity import Gap, Missing
from postcopy.language import Bitmap, View, always, eventually
from postcopy.language.instance import Instance
from postcopy.language.properties import LeadsTo, Property
from postcopy.language.protocol import Protocol
from postcopy.language.values import Page, PageSet
from postcopy.report.pages.check import html
from postcopy.report.records.check import check_record
from tests.roles import buffers, sleepers
from tests.vacuity import tiny


def undeclared(base: type[Protocol], *fields: str) -> type[Protocol]:
    """The same protocol, in which some sets have no role."""
    changed: dict[str, type] = {}
    for field in fields:
        machine, attribute = field.split(".")
        part = changed.get(machine, getattr(base, machine))
        changed[machine] = type(part.__name__, (part,), {attribute: Bitmap("a set without a role")})
    return type(base.__name__, (base,), changed)


def check(protocol: type[Protocol], *properties: Property) -> Verdict:
    return explore(Instance(protocol, 2, 1, properties or asked_of(protocol)), Options())


@always("What is written is read at once")
def written_is_read(state: View) -> PageSet:
    """This letter is on its way."""
    unread: PageSet = state.writer.written - state.pages_of(tiny.Role.READ)
    return unread


@eventually("What is written is read in the end")
def written_is_read_in_the_end(state: View, page: Page) -> LeadsTo:
    """It never is."""
    return LeadsTo(when=state.writer.written[page], then=state.pages_of(tiny.Role.READ)[page])


@always("Nothing is written")
def nothing_is_written(state: View) -> PageSet:
    """This letter is."""
    letters: PageSet = state.writer.written
    return letters


HALF = undeclared(tiny.DeclaredDrawer, "reader.drawer")
NONE_OF_THEM = undeclared(tiny.DeclaredDrawer, "reader.drawer", "reader.read_letters")
READ = {"reader.drawer", "reader.read_letters"}

POINTED_AT: dict[str, tuple[type[Protocol], tuple[Property, ...], set[str]]] = {
    "buffer": (undeclared(buffers.Buffered, "destination.buffer"), (), {"destination.buffer"}),
    "two bitmaps": (undeclared(buffers.TwoBitmaps, "source.rest"), (), {"source.rest"}),
    "forgotten": (undeclared(buffers.BufferLost, "destination.buffer"), (), {"destination.buffer"}),
    "from nothing": (HALF, (written_is_read,), {"reader.drawer"}),
    "in the end": (NONE_OF_THEM, (written_is_read_in_the_end,), READ),
    "nothing is declared": (NONE_OF_THEM, (written_is_read,), READ),
    "declared": (buffers.BufferLost, (), set[str]()),
    "no role is read": (HALF, (nothing_is_written,), set[str]()),
}


@pytest.mark.parametrize("name", POINTED_AT)
def test_a_violation_points_at_the_sets_without_a_role(name: str) -> None:
    protocol, properties, fields = POINTED_AT[name]
    verdict = check(protocol, *properties)
    assert verdict.violated is not None
    said = [gap for gap in verdict.gaps if gap.missing is Missing.ROLE]
    assert {gap.name for gap in said} == fields
    assert len(said) == len(fields)
    assert all(gap.properties == (verdict.violated.name,) for gap in said)
    assert fields.isdisjoint(gap.name for gap in verdict.gaps if gap.missing is Missing.PAGES)


def test_without_a_violation_nothing_is_pointed_at() -> None:
    protocol = undeclared(sleepers.ClientNotWoken, "destination.client_waiting")
    verdict = check(protocol, *(p for p in asked_of(protocol) if not p.of_runs))
    assert verdict.violated is None
    assert Gap(Missing.PAGES, "destination.client_waiting") in verdict.gaps


def test_a_further_counterexample_has_its_own_words() -> None:
    first, second = check(HALF, nothing_is_written), check(HALF, written_is_read)
    page = html(first, [second], check_record(first, "Letters", further=[second]), "postcopy check")
    assert "written-is-read asks for the pages of roles, and reader.drawer has none" in page
