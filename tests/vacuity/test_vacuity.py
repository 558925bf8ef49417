"""What an exhaustive search has not seen is reported with its verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from postcopy.catalogue.properties import asked_of
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Outcome, Verdict
from postcopy.explorer.vacuity import Gap, Missing
from postcopy.language.instance import Instance
from postcopy.language.protocol import Protocol
from postcopy.model.postcopy import Postcopy
from postcopy.report.results.check import warnings
from tests.vacuity import tiny
from tests.vacuity.observations import Site, mutant, sites


def check(protocol: type[Protocol], pages: int = 2, in_flight: int = 1, engine: Engine = Engine.INTERPRETED) -> Verdict:
    return explore(Instance(protocol, pages, in_flight, asked_of(protocol)), Options(engine=engine))


GAPS: dict[type[Protocol], list[Gap]] = {
    tiny.Letters: [],
    tiny.Blinks: [Gap(Missing.CHANGE, "reader.blinks")],
    tiny.WritesAgain: [Gap(Missing.CHANGE, "writer.rewrites")],
    tiny.SetsTheSame: [Gap(Missing.CHANGE, "reader.switches")],
    tiny.ForgottenBranch: [Gap(Missing.BRANCH, "reader.reads")],
    tiny.NeverActs: [Gap(Missing.ACTION, "reader.opens_parcel")],
    tiny.ReadsSilently: [Gap(Missing.EVENT, "Post.READ")],
    tiny.WritesSilently: [Gap(Missing.EVENT, "Post.WRITTEN", ("written-once",))],
    tiny.AsksOfParcels: [Gap(Missing.EVENT, "Mail.PARCEL sent", ("no-parcel",))],
    tiny.RemembersParcels: [
        Gap(Missing.EVENT, "Mail.PARCEL received", ("no-parcel-first",)),
        Gap(Missing.HISTORY, "Stamps.seen", ("no-parcel-first",)),
    ],
    tiny.RemembersOverflow: [Gap(Missing.HISTORY, "Overflow.happened", ("no-overflow",))],
    tiny.Drawer: [Gap(Missing.PAGES, "reader.drawer")],
    tiny.DeclaredDrawer: [],
    tiny.AskedDrawer: [],
    tiny.WitnessedDrawer: [Gap(Missing.PAGES, "reader.drawer")],
    tiny.CannotFail: [
        Gap(Missing.PROPERTY, name, (name,)) for name in ("all-is-well", "letters-are-letters", "some-or-none")
    ],
    tiny.HoldsByReading: [],
    tiny.Unreached: [Gap(Missing.WITNESS, "reads-more"), Gap(Missing.PROMISE, "is-written", ("is-written",))],
}


@pytest.mark.parametrize("protocol", GAPS)
def test_what_is_not_seen_is_found(protocol: type[Protocol]) -> None:
    verdict = check(protocol)
    assert verdict.outcome is Outcome.HOLDS
    assert verdict.gaps == GAPS[protocol]
    assert len(warnings(verdict)) == len(verdict.gaps)


@pytest.mark.slow
def test_a_machine_code_search_misses_the_same() -> None:
    for protocol in (tiny.WritesAgain, tiny.RemembersOverflow):
        assert check(protocol, engine=Engine.COMPILED).gaps == GAPS[protocol]


def test_the_document_s_protocol_has_no_gap() -> None:
    verdict = check(Postcopy)
    assert verdict.outcome is Outcome.HOLDS
    assert verdict.gaps == []
    assert "no-partial-page" in verdict.constant, "which speaks of host pages of several target pages"


def test_what_the_reading_shows_is_no_gap_and_is_listed() -> None:
    verdict = check(tiny.HoldsByReading)
    assert verdict.constant == {"host-pages-are-whole", "every-step-is-right", "the-eye-does-not-write"}


@pytest.mark.slow_but("destination:cpu_touches_missing:Memory.CPU_READ", "destination:_place:Memory.PLACE")
@pytest.mark.parametrize("site", sites(), ids=str)
def test_an_observation_that_is_dropped_is_reported(site: Site, tmp_path: Path) -> None:
    verdict = check(mutant(site, tmp_path))
    assert verdict.violated is not None or verdict.gaps
