"""Properties of QEMU 11.1 with all mends are proved for every size, with the conjuncts of its own invariant."""

from __future__ import annotations

from functools import cache

import pytest

from postcopy.cache import user_cache
from postcopy.catalogue.loading import resolve
from postcopy.catalogue.options import fix
from postcopy.catalogue.properties import choose, proved_of
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Options, Outcome
from postcopy.language.instance import Instance
from postcopy.model.qemu.invariant import QEMU_INVARIANT
from postcopy.model.qemu.mends import Qemu11Mended
from postcopy.model.qemu.protocol import Qemu11
from postcopy.prover.means import Means, cores
from postcopy.prover.proving import Prover
from postcopy.prover.session import ProofResult, every_size
from postcopy.prover.solving import Status
from postcopy.prover.verdicts import Answer

PROVED = {
    "no-two-guests": "qemu-11-mended+preempt=off+disk_lock=on",
    "word-counts": "qemu-11-mended+preempt=off+disk_lock=on",
}
"""Each property with the options for which it is proved: the others are explored, or off."""


@cache
def _proof(name: str) -> ProofResult:
    protocol = resolve(PROVED[name])[1]
    properties, invariant, ranking = proved_of(protocol, [name])
    means = Means(workers=cores(), cache=user_cache())
    return every_size(protocol, properties, invariant, ranking, means, lambda _: None, lambda _: None, selected=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROVED)
def test_it_is_proved_for_every_size(name: str) -> None:
    result = _proof(name)
    assert {v.answer for v in result.verdicts} <= {Answer.PROVED, Answer.NOT_ASKED}
    assert any(v.property.name == name and v.answer is Answer.PROVED for v in result.verdicts)
    assert result.completed is None


@pytest.mark.slow
def test_every_conjunct_is_needed() -> None:
    found = {name for result in map(_proof, PROVED) for v in result.verdicts for name in v.needs}
    assert {conjunct.name for conjunct in QEMU_INVARIANT} <= found


class KeepsTheDisk(Qemu11Mended):
    """The source sends the package and keeps the lock on the disk."""

    class source(Qemu11Mended.source):
        """Gives nothing up."""

        def sends_package(self) -> None:
            """sends LISTEN, the device state, and RUN in one package"""
            held = self.holds_lock
            super().sends_package()
            self.holds_lock = held


class StartsWithoutTheDisk(Qemu11Mended):
    """The destination starts its guest, whoever has the disk."""

    class destination(Qemu11Mended.destination):
        """Does not look."""

        def _has_no_disk(self) -> None:
            self.running = True


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "action"),
    [(KeepsTheDisk, "source.sends_package"), (StartsWithoutTheDisk, "destination.starts_guest")],
)
def test_a_host_that_does_not_keep_to_the_lock_breaks_the_proof(fault: type[Qemu11], action: str) -> None:
    protocol = fix("fault", fault, ("preempt=off", "disk_lock=on", "exit_on_error=on"))[1]
    names = {"no-two-guests", *(c.name for c in QEMU_INVARIANT)}
    prover = Prover(protocol, choose(["no-two-guests"], protocol), QEMU_INVARIANT)
    found = prover.obligations(lambda conjunct, its: conjunct in names and its == action)
    assert any(o.status is not Status.PROVED for o in found)


@pytest.mark.slow
def test_the_conjuncts_hold_in_every_state_that_the_explorer_reaches() -> None:
    protocol = resolve("qemu-11-mended+preempt=off+disk_lock=on")[1]
    verdict = explore(Instance(protocol, 1, 1, QEMU_INVARIANT, 1), Options(max_memory=2 << 30))
    assert verdict.outcome is Outcome.HOLDS, verdict.violated


@pytest.mark.slow
def test_an_error_that_beats_the_pong_breaks_the_proof() -> None:
    """D2: the mend that is left out is what the proof rests on."""
    protocol = resolve("qemu-11-without-pong-before-error+preempt=off+disk_lock=on+exit_on_error=on")[1]
    prover = Prover(protocol, choose(["word-counts"], protocol), QEMU_INVARIANT)
    found = prover.obligations(lambda conjunct, its: (conjunct, its) == ("word-counts", "source.gives_up_waiting"))
    assert [o.status for o in found] == [Status.OPEN]


def test_the_conjuncts_of_the_document_are_not_asked() -> None:
    protocol = resolve(PROVED["no-two-guests"])[1]
    assert proved_of(protocol, ["no-two-guests"]).invariant == QEMU_INVARIANT
