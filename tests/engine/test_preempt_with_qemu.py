"""The engine and a real QEMU have a second connection, on which the pages come that are asked for."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from postcopy.engine import run_with_qemu, source_host
from postcopy.engine.destination import DestinationCore
from postcopy.engine.effects import Output
from postcopy.engine.errors import EngineError
from postcopy.engine.log import Step
from postcopy.engine.messages import Page, Pages
from postcopy.engine.run import Network
from postcopy.engine.run_with_qemu import run_to_qemu
from postcopy.engine.source_host import AT_ONCE, SourceHost, SourceOptions
from tests.engine.certificates import needs_openssl
from tests.engine.one_qemu import OneQemu, one_qemu, qemus
from tests.engine.test_with_qemu import (
    FAST,
    SLOW,
    SOON,
    credentials,
    each_qemu,
    give,
    pages_that_differ,
    pytestmark,
    take,
    taken,
)

__all__ = ["pytestmark"]


def old(program: str) -> bool:
    """Whether it is a QEMU of 7.2."""
    return " 7.2" in subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout


PREEMPT = ("postcopy-ram", "postcopy-preempt")


SOME = 8
"""Urgent pages that a test waits for: more than the load of devices may need."""


@pytest.fixture
def background_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that sends no page in the background before the guest runs there and has asked for some pages, however
    slow the machine is; and few at a time then."""
    right = SourceHost._send_background

    def asked(host: SourceHost) -> bool:
        return host._log.counts[Step.SERVED_URGENT] >= SOME

    def waits(self: SourceHost, runs: Sequence[range]) -> None:
        end = time.monotonic() + SOON
        while not asked(self) and not self.core.over and not self.core.paused and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.02)
        right(self, runs)

    monkeypatch.setattr(SourceHost, "_send_background", waits)
    monkeypatch.setattr(SourceHost, "_is_early", property(lambda host: not asked(host)))
    monkeypatch.setattr(source_host, "CALM_BATCH", 4)
    monkeypatch.setattr(source_host, "SLOW_BATCH", 4)


def hurries(qemu: OneQemu) -> type[DestinationCore]:
    """A destination whose source is in no hurry, until some urgent pages have come."""
    came = itertools.count(1)

    class Hurries(DestinationCore):
        def _urgent_pages(self, message: Page | Pages) -> Sequence[Output]:
            if next(came) == SOME:
                qemu.qmp("migrate-set-parameters", **{"max-postcopy-bandwidth": 0})
            return super()._urgent_pages(message)

    return Hurries


UNHURRIED = SLOW | {"max-postcopy-bandwidth": 1 << 16}
"""Of pages in the background; urgent ones do not wait for it."""


@pytest.mark.slow
@each_qemu
@pytest.mark.usefixtures("background_waits")
def test_what_is_asked_for_comes_on_the_second_connection_in_both_directions(program: str, tmp_path: Path) -> None:
    with one_qemu(program, vcpus=4) as source:
        source.set_up(*PREEMPT, **UNHURRIED)
        source.boot()
        found = take(source, switch_after=0.4, preempt=True, make_core=hurries(source))
        guest = taken(found)
        assert source.qmp.status("completed", "failed") == "completed"
        assert pages_that_differ(guest, source, tmp_path) == (0, 416)
    counts = found.report.counts
    assert counts["accepted the connection for urgent pages"] == 1
    assert counts["received an urgent host page"] >= SOME
    with one_qemu(program, "-incoming", "defer", vcpus=4) as other:
        other.set_up(*PREEMPT)
        counts = give(guest, other, AT_ONCE, preempt=True)
        assert counts["served a request on the connection for urgent pages"] >= SOME
        assert "served a request" not in counts
        assert other.check_guest().errors == 0


@pytest.mark.slow
@each_qemu
@pytest.mark.usefixtures("background_waits")
def test_so_it_does_for_a_machine_of_before_8_0(program: str, tmp_path: Path) -> None:
    """For that a later QEMU opens the connection at once, too, and takes one that is made at once."""
    machine = ("-machine", "pc-i440fx-7.2")
    with one_qemu(program, *machine, vcpus=4) as source:
        source.set_up(*PREEMPT, **UNHURRIED)
        source.boot()
        guest = taken(take(source, switch_after=0.4, preempt=True, make_core=hurries(source)))
        assert pages_that_differ(guest, source, tmp_path) == (0, 416)
    with one_qemu(program, "-incoming", "defer", *machine, vcpus=4) as other:
        other.set_up(*PREEMPT)
        give(guest, other, AT_ONCE, preempt=True)
        assert other.check_guest().errors == 0


@pytest.mark.slow
@needs_openssl
@each_qemu
def test_under_tls(program: str, certificates: Path, tmp_path: Path) -> None:
    ours, theirs = certificates / "destination", shutil.copytree(certificates / "source", tmp_path / "theirs")
    with one_qemu(program, *credentials(theirs, "client")) as source:
        source.set_up(*PREEMPT, **UNHURRIED)
        source.qmp("migrate-set-parameters", tls_creds="tls0")
        source.boot()
        found = take(source, switch_after=0.4, tls=ours, preempt=True, make_core=hurries(source))
        assert found.report.counts["received an urgent host page"] >= SOME
        assert pages_that_differ(taken(found), source, tmp_path) == (0, 416)
    with one_qemu(program, "-incoming", "defer", *credentials(theirs, "server")) as other:
        other.set_up(*PREEMPT)
        other.qmp("migrate-set-parameters", tls_creds="tls0")
        give(taken(found), other, AT_ONCE, tls=ours, preempt=True)
        assert other.check_guest().errors == 0


@pytest.mark.slow
@each_qemu
def test_a_qemu_without_the_capability_keeps_its_guest(program: str) -> None:
    """An old one is refused in precopy, because it opens the connection first of all; a later one at the package."""
    with one_qemu(program) as source:
        source.set_up("postcopy-ram", **SLOW)
        source.boot()
        try:
            found = take(source, switch_after=None if old(program) else 0.3, timeout=2.0, preempt=True)
            assert (found.guest, found.source_has_it) == (None, True)
            why = found.report.why
        except EngineError as error:
            why = str(error)
        assert why.startswith("no connection for urgent pages")
        assert why.endswith("is it switched on at the source (preempt, at a QEMU postcopy-preempt)?")
        assert source.qmp.status("failed", "completed") == "failed"
        assert source.check_guest().errors == 0


@pytest.mark.slow
@each_qemu
def test_a_guest_stays_where_the_qemu_that_is_to_get_it_lacks_the_capability(program: str) -> None:
    """It hangs up on the second connection, which is looked at before the package goes."""
    with one_qemu(program) as source:
        source.set_up("postcopy-ram", **FAST)
        source.boot()
        guest = taken(take(source))
    with one_qemu(program, "-incoming", "defer") as other:
        other.set_up("postcopy-ram")
        options = SourceOptions(switch=AT_ONCE, timeout=SOON, preempt=True)
        given = run_to_qemu(guest, options, Network(port=other.listen(), timeout=SOON), keep_log=False)
        assert "Extra incoming migration connection" in other.errors.read_text()
    assert (given.report.outcome, given.kept) == ("failed", True)
    assert given.report.why.startswith("the other side has closed the connection for urgent pages: is it switched on")


OLD = [program for program in qemus().values() if old(program)]
"""Those of 7.2, of which `postcopy.engine.old_machines` speaks."""


@pytest.mark.slow
@pytest.mark.skipif(not OLD, reason="needs QEMU 7.2")
@pytest.mark.parametrize("wrong", ["early", "ends"])
def test_an_old_qemu_waits_for_the_connection_and_for_the_record_that_ends_it(
    wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the one its guest stays here; without the other it never says that all has arrived."""
    with one_qemu(OLD[0]) as source:
        source.set_up("postcopy-ram", **FAST)
        source.boot()
        guest = taken(take(source))
    if wrong == "early":
        monkeypatch.setattr(run_with_qemu, "opens_urgent_early", lambda _: False)
    else:
        monkeypatch.setattr(SourceHost, "_end_urgent", lambda _: None)
    with one_qemu(OLD[0], "-incoming", "defer") as other:
        other.set_up(*PREEMPT)
        options = SourceOptions(switch=AT_ONCE, timeout=2.0, preempt=True)
        given = run_to_qemu(guest, options, Network(port=other.listen(), timeout=2.0), keep_log=False)
    missing = "no connection for urgent pages" if wrong == "early" else "no word of how it ended"
    assert given.report.why.startswith(missing)
    assert given.kept is (wrong == "early")
