"""Changes of the catalogue are proved for every size with the conjuncts in their own files, each of which is needed."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import pytest

from postcopy.cache import user_cache
from postcopy.catalogue.properties import proved_of
from postcopy.language import require
from postcopy.language.instance import Instance
from postcopy.language.properties import Property
from postcopy.model.changes.hinted_pages import FillingSource, HintedPages, HintedPagesFilled, HintsRefused
from postcopy.model.changes.multifd import MultifdBeforeTheSwitch, MultifdNotFlushed, MultifdSkipsZeroPages
from postcopy.model.changes.preempt import Preempt
from postcopy.model.changes.ram_cache import (
    BulkReadTooEarly,
    CacheEndsWithTheStream,
    CacheKeepsWhatIsWaitedFor,
    CacheLostAtTheEnd,
    CacheWithItsOwnBitmap,
    RamCache,
    SecondConnection,
)
from postcopy.model.changes.recovery import Recovery
from postcopy.model.changes.recovery_with_preempt import RecoveryWithPreempt
from postcopy.model.changes.release_ram import ReleaseRamRefusesRecovery, ReleaseRamWithRecovery
from postcopy.model.history.channels import ClosesFastTooEarly, LoadsBeforeFastIsReady
from postcopy.model.history.hypotheses import NotesReceivedLater
from postcopy.model.history.recovery import DoesNotAskAgain, KeepsOldBitmap, PausesBeforeTheGuestRuns
from postcopy.model.network import Command
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Phase
from postcopy.properties.ranking import RANKING
from postcopy.prover.induction import k_induction
from postcopy.prover.inference.weeding import Weeding
from postcopy.prover.means import Means, cores
from postcopy.prover.obligations import CLOSER
from postcopy.prover.proving import Prover
from postcopy.prover.session import every_size
from postcopy.prover.solving import Status
from postcopy.prover.verdicts import Answer, can_be_asked


class Proved(NamedTuple):
    """A change that is proved.

    Attributes:
        change: the class.
        left_out: conjuncts of the catalogue that some step of the change does not keep.
        unsound: others, which break properties; they are given the same conjuncts.
        ends: whether it is proved that it ends.
    """

    change: type[Postcopy]
    left_out: frozenset[str]
    unsound: tuple[type[Postcopy], ...]
    ends: bool


class SilentSource(FillingSource):
    """Keeps to itself which pages will not come."""

    def sends_package(self) -> None:
        """sends LISTEN, the device state, and RUN in one package"""
        require(self.phase == Phase.PACKAGING)
        self._ready_to_send()
        self.stream.send(Command.PACKAGED)
        self.phase = Phase.POSTCOPY


class NamesNoPages(HintedPagesFilled):
    """The package does not say which pages will not come: a thread may wait for one for ever."""

    source = SilentSource


CHANGES = (
    Proved(HintsRefused, frozenset(), (HintedPages,), ends=True),
    Proved(HintedPagesFilled, frozenset({"nothing-given-up"}), (NamesNoPages,), ends=True),
    Proved(
        Recovery,
        frozenset({"sent-is-clean", "lost-is-broken"}),
        (KeepsOldBitmap, DoesNotAskAgain, PausesBeforeTheGuestRuns),
        ends=False,
    ),
    Proved(ReleaseRamRefusesRecovery, frozenset(), (ReleaseRamWithRecovery,), ends=True),
    Proved(
        RamCache,
        frozenset(),
        (CacheKeepsWhatIsWaitedFor, CacheEndsWithTheStream, CacheLostAtTheEnd, CacheWithItsOwnBitmap),
        ends=True,
    ),
    Proved(SecondConnection, frozenset(), (BulkReadTooEarly,), ends=True),
    Proved(Preempt, frozenset(), (ClosesFastTooEarly, LoadsBeforeFastIsReady), ends=True),
    Proved(RecoveryWithPreempt, frozenset({"sent-is-clean", "lost-is-broken"}), (NotesReceivedLater,), ends=False),
    Proved(MultifdBeforeTheSwitch, frozenset(), (MultifdNotFlushed, MultifdSkipsZeroPages), ends=True),
)

IN_A_MINUTE = (HintsRefused,)
"""Those that are proved for every size in each run of the slow tests."""

UNSOUND = [(proved, unsound) for proved in CHANGES for unsound in proved.unsound]

NEEDED_FOR_EVERY_SIZE = {
    "stream-host-pages": "nothing-missing-at-end",
    "destination-waits-in-vain": CLOSER,
}
"""Conjuncts that no small size shows to be needed, each with what is not proved for every size without it."""

OWN = [
    (proved, conjunct.name)
    for proved in CHANGES
    for conjunct in vars(proved.change).get("invariant", ())
    if conjunct.name not in NEEDED_FOR_EVERY_SIZE
]

SIZES = ((1, 1, 1), (1, 2, 1), (2, 2, 1), (2, 2, 2), (2, 3, 1), (2, 3, 2))
"""Pages, messages in flight, target pages of a host page: the first at which a conjunct is needed shows that it is."""


def _named(value: object) -> str:
    named = value.change if isinstance(value, Proved) else value
    return named.__name__ if isinstance(named, type) else str(named)


def _asked(change: type[Postcopy], proved: Proved, size: tuple[int, int, int]) -> tuple[Instance, tuple[Property, ...]]:
    """A change at a size, with its properties, and the conjuncts of a change that is proved."""
    pages, in_flight, group = size
    properties = [p for p in proved_of(change).properties if can_be_asked(p)]
    names = {*(p.name for p in properties), *proved.left_out}
    kept = tuple(p for p in proved_of(proved.change).invariant if p.name not in names)
    watching = [p.monitor for p in kept if p.monitor is not None]
    return Instance(change, pages, in_flight, properties, group, watching), kept


@cache
def _steps(proved: Proved, size: tuple[int, int, int]) -> Weeding:
    return Weeding(*_asked(proved.change, proved, size))


@pytest.mark.slow(first=True)
@pytest.mark.parametrize("proved", CHANGES, ids=_named)
def test_a_change_is_proved_for_every_size(proved: Proved) -> None:
    """Nothing is searched for: the conjuncts in its file are enough."""
    if proved.change not in IN_A_MINUTE and os.environ.get("POSTCOPY_PROVE_ALL") != "1":
        pytest.skip("takes minutes: POSTCOPY_PROVE_ALL=1 asks for it")
    means = Means(workers=cores(), cache=user_cache())  # most goals are those of the document's protocol
    result = every_size(proved.change, *proved_of(proved.change), means, lambda _: None, lambda _: None)
    assert result.answer_for_all is Answer.PROVED
    assert not result.of(Answer.NOT_PROVED)
    assert {left.name for left in result.left_out} == proved.left_out
    assert (result.ends is Status.PROVED) == proved.ends


def test_a_write_to_a_whole_host_page_makes_no_other_copy_stale() -> None:
    """Each copy on the stream is of one page: whether it is marked depends on this page alone."""
    properties, invariant, _ = proved_of(HintedPagesFilled)
    kept = [c for c in invariant if c.name != "nothing-given-up"]
    prover = Prover(HintedPagesFilled, [p for p in properties if can_be_asked(p)], kept, patient=False)
    (found,) = prover.obligations(lambda *asked: asked == ("no-page-lost", "source.guest_writes"))
    assert found.status is Status.PROVED


@pytest.mark.slow_but(*(_named(proved) for proved in CHANGES if proved.change is not RecoveryWithPreempt))
@pytest.mark.parametrize("proved", CHANGES, ids=_named)
def test_its_conjuncts_are_inductive_at_a_size(proved: Proved) -> None:
    steps = _steps(proved, (1, 2, 1))
    assert steps.violation(steps.claims, steps.wrong) is None


@pytest.mark.one_in(9)
@pytest.mark.slow
@pytest.mark.parametrize(("proved", "conjunct"), OWN, ids=_named)
def test_each_conjunct_of_its_own_is_needed(proved: Proved, conjunct: str) -> None:
    assert any(_steps(proved, size).without(conjunct) is not None for size in SIZES)


@pytest.mark.slow
@pytest.mark.parametrize("name", NEEDED_FOR_EVERY_SIZE)
def test_a_conjunct_that_no_small_size_needs_is_needed_for_every_size(name: str) -> None:
    (proved,) = (p for p in CHANGES if name in {c.name for c in vars(p.change).get("invariant", ())})
    properties, invariant, ranking = proved_of(proved.change)
    asked = [p for p in properties if can_be_asked(p)]
    kept = [c for c in invariant if c.name not in proved.left_out]
    for conjuncts, expected in ((kept, True), ([c for c in kept if c.name != name], False)):
        prover = Prover(proved.change, asked, conjuncts, ranking, patient=True)
        found = prover.obligations(lambda claim, _: claim == NEEDED_FOR_EVERY_SIZE[name])
        assert all(o.status is Status.PROVED for o in found) is expected


@pytest.mark.one_in(2)
@pytest.mark.slow
@pytest.mark.parametrize(("proved", "unsound"), UNSOUND, ids=_named)
def test_the_same_conjuncts_do_not_prove_an_unsound_change(proved: Proved, unsound: type[Postcopy]) -> None:
    """Those that its steps do not keep are taken out, and some property needs them."""
    instance, conjuncts = _asked(unsound, proved, (1, 2, 1))
    assert k_induction(instance, conjuncts, 1).status is Status.OPEN


@pytest.mark.slow
@pytest.mark.parametrize("proved", [proved for proved in CHANGES if proved.ends], ids=_named)
def test_each_of_its_steps_comes_closer_to_the_end(proved: Proved) -> None:
    """Where all conjuncts hold; the proofs for every size ask for these, too."""
    properties, invariant, ranking = proved_of(proved.change)
    asked = [p for p in properties if can_be_asked(p)]
    kept = [p for p in invariant if p.name not in proved.left_out]
    found = Prover(proved.change, asked, kept, ranking).obligations(lambda name, _: name == CLOSER)
    assert len(found) > 40
    assert all(o.status is Status.PROVED for o in found)


@pytest.mark.slow
@pytest.mark.parametrize("proved", [proved for proved in CHANGES if "ranking" in vars(proved.change)], ids=_named)
def test_what_its_ranking_adds_is_needed(proved: Proved) -> None:
    """With each component of its own taken out some step does not come closer to the end."""
    properties, invariant, ranking = proved_of(proved.change)
    assert ranking is not None
    asked = [p for p in properties if can_be_asked(p)]
    kept = [p for p in invariant if p.name not in proved.left_out]
    for own in set(ranking.components) - set(RANKING.components):
        less = replace(ranking, components=tuple(c for c in ranking.components if c is not own))
        prover = Prover(proved.change, asked, kept, less, patient=False)
        found = prover.obligations(lambda name, _: name == CLOSER)
        assert any(o.status is not Status.PROVED for o in found), own.name
