"""The engine and real QEMUs migrate a guest to each other, which checks its own memory. Skipped where there is none.

Each test runs with the installed QEMU, and with those that tools/get-qemu has unpacked in its usual place.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from postcopy.engine.destination import DestinationCore
from postcopy.engine.effects import LoadPages, Output, PlacePages
from postcopy.engine.errors import EngineError
from postcopy.engine.kept_file import read_kept, write_kept
from postcopy.engine.kept_guest import KeptGuest
from postcopy.engine.messages import Capabilities, Page, Pages, Uuid
from postcopy.engine.run import Network
from postcopy.engine.run_with_qemu import FromQemu, about, run_from_qemu, run_to_qemu
from postcopy.engine.source import Phase, SourceCore
from postcopy.engine.source_host import AT_ONCE, FIRST_PASS, NEVER, SourceOptions
from postcopy.recording.errors import RecordingError
from tests.engine.certificates import needs_openssl
from tests.engine.one_qemu import MEMORY, OneQemu, one_qemu, qemus, userfaultfd_is_there

pytestmark = [
    pytest.mark.skipif(not qemus(), reason="needs QEMU"),
    pytest.mark.skipif(not userfaultfd_is_there(), reason="needs userfaultfd for QEMU"),
]
each_qemu = pytest.mark.parametrize("program", qemus().values(), ids=qemus())

SOON = 20.0
"""Seconds that anything may take."""
SLOW = {"max-bandwidth": 2 << 20, "max-postcopy-bandwidth": 0, "downtime-limit": 1}
"""So slow that the guest writes faster: precopy does not come to its end."""
FAST = {"max-bandwidth": 1 << 40, "downtime-limit": 2000}
PAGE = 4096


def take(
    qemu: OneQemu,
    *,
    switch_after: float | None = None,
    timeout: float = SOON,
    tls: Path | None = None,
    preempt: bool = False,
    make_core: Callable[..., DestinationCore] = DestinationCore,
) -> FromQemu:
    """Take the guest of a QEMU."""
    ports: list[int] = []
    found: list[FromQemu | EngineError] = []
    ready = threading.Event()

    def announce(_host: str, port: int) -> None:
        ports.append(port)
        ready.set()

    def run() -> None:
        network = Network(timeout=timeout, patience=SOON, tls=tls, preempt=preempt)
        try:
            found.append(run_from_qemu(network, keep_log=False, announce=announce, make_core=make_core))
        except EngineError as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(SOON)
        qemu.migrate(ports[0])
        if switch_after is not None:
            time.sleep(switch_after)
            qemu.qmp("migrate-start-postcopy")
    finally:
        thread.join(2 * SOON)
    (result,) = found
    if isinstance(result, EngineError):
        raise result
    return result


def taken(found: FromQemu) -> KeptGuest:
    """The guest that came."""
    assert found.guest is not None, found.report.why
    return found.guest


def give(
    guest: KeptGuest,
    qemu: OneQemu,
    switch: str,
    tls: Path | None = None,
    *,
    preempt: bool = False,
    make_core: Callable[..., SourceCore] = SourceCore,
) -> dict[str, int]:
    """Give a guest to a QEMU that waits; how often the source's core took each step."""
    network = Network(port=qemu.listen(), timeout=SOON, tls=tls)
    options = SourceOptions(switch=switch, timeout=SOON, preempt=preempt)
    found = run_to_qemu(guest, options, network, keep_log=False, make_core=make_core)
    assert (found.report.outcome, found.report.why, found.kept) == ("completed", "", False), qemu.errors.read_text()
    assert qemu.qmp.status("completed", "failed") == "completed"
    return found.report.counts


def pages_that_differ(guest: KeptGuest, qemu: OneQemu, directory: Path) -> tuple[int, int]:
    """Between what was taken and what the QEMU has still, which has stopped the guest; and how many were compared: its
    RAM but for what is behind the firmware."""
    different = compared = 0
    first = guest.geometry.page("pc.ram", 0)
    for begin, end in ((0, 0xA0000), (0x100000, MEMORY << 20)):
        copy = directory / "memory"
        qemu.qmp("pmemsave", val=begin, size=end - begin, filename=str(copy))
        there = copy.read_bytes()
        for at in range(0, len(there), PAGE):
            page = first + (begin + at) // PAGE
            different += bytes(guest.contents.rows[page]) != there[at : at + PAGE]
            compared += 1
    return different, compared


def from_qemu_in_postcopy(
    program: str, directory: Path, make_core: Callable[..., DestinationCore] = DestinationCore
) -> tuple[KeptGuest, int, int]:
    """Take a guest that runs; with it how many pages differ, and how often a page was asked for."""
    with one_qemu(program) as source:
        source.set_up("postcopy-ram", **SLOW)
        source.boot()
        found = take(source, switch_after=0.4, make_core=make_core)
        guest = taken(found)
        assert source.qmp.status("completed", "failed") == "completed"
        counts = found.report.counts
        assert counts["read the package"] == 1
        assert counts["answered a later ping"] >= 3
        assert counts["received a page in postcopy"] > 0
        different, compared = pages_that_differ(guest, source, directory)
        assert compared == 416
        return guest, different, found.report.requests


@each_qemu
def test_a_guest_goes_from_qemu_to_the_engine_and_back(program: str, tmp_path: Path) -> None:
    """Both times in postcopy. The second QEMU leaves the guest stopped, and gives it to the engine again, so that all
    pages of all blocks can be compared; then the guest goes on there, and checks what it wrote."""
    guest, different, _ = from_qemu_in_postcopy(program, tmp_path)
    assert different == 0
    write_kept(tmp_path / "guest", guest)
    with one_qemu(program, "-incoming", "defer", "-S") as other:
        other.set_up("postcopy-ram")
        counts = give(read_kept(tmp_path / "guest"), other, AT_ONCE)
        assert counts["sent the package"] == 1
        assert counts["got a later pong"] == 3
        again = taken(take(other))
        assert again.digest() == guest.digest()
        assert about(again) == about(guest)
        other.go_on()
        assert other.check_guest().errors == 0


class MixesUpTwoPages(DestinationCore):
    """Writes the first of its pages in postcopy, or in precopy, with the contents of zeros."""

    mixed = False

    def _mixed(self, effects: Sequence[Output]) -> Sequence[Output]:
        effect = effects[0] if effects else None
        if isinstance(effect, LoadPages | PlacePages) and effect.data is not None:
            return [type(effect)(effect.pages, None)]
        return effects

    def _precopy_pages(self, message: Page | Pages) -> Sequence[Output]:
        return self._mixed(super()._precopy_pages(message))

    def _postcopy_pages(self, message: Page | Pages) -> Sequence[Output]:
        return self._mixed(super()._postcopy_pages(message))


def test_pages_that_are_wrong_are_found(tmp_path: Path) -> None:
    """Both by the comparison with the source's, and by the guest."""
    program = next(iter(qemus().values()))
    _, different, _ = from_qemu_in_postcopy(program, tmp_path, MixesUpTwoPages)
    assert different > 100


@pytest.mark.slow
@each_qemu
def test_the_guest_itself_finds_a_page_that_was_changed_while_it_was_kept(program: str, tmp_path: Path) -> None:
    guest, different, _ = from_qemu_in_postcopy(program, tmp_path)
    assert different == 0
    guest.contents.rows[guest.geometry.page("pc.ram", 0x123000), 2050] ^= 1  # the page's own address stands there
    with one_qemu(program, "-incoming", "defer") as other:
        other.set_up("postcopy-ram")
        give(guest, other, AT_ONCE)
        assert other.check_guest().errors == 1


@pytest.mark.slow
@each_qemu
@pytest.mark.parametrize("switch", [NEVER, FIRST_PASS])
def test_the_same_in_precopy(program: str, switch: str, tmp_path: Path) -> None:
    with one_qemu(program, vcpus=4) as source:
        source.set_up("postcopy-ram", **FAST)
        source.boot()
        found = take(source)
        assert "read the package" not in found.report.counts
        assert source.qmp.status("completed", "failed") == "completed"
        assert pages_that_differ(taken(found), source, tmp_path) == (0, 416)
    with one_qemu(program, "-incoming", "defer", vcpus=4) as other:
        other.set_up("postcopy-ram")
        assert "sent the package" not in give(taken(found), other, switch)
        assert other.check_guest().errors == 0


@pytest.mark.slow
@each_qemu
def test_pages_are_asked_for_in_both_directions(program: str, tmp_path: Path) -> None:
    """So slowly that something is missing for long."""
    with one_qemu(program) as source:
        source.set_up("postcopy-ram", **SLOW | {"max-postcopy-bandwidth": 1 << 20})
        source.boot()
        found = take(source, switch_after=0.4)
        assert pages_that_differ(taken(found), source, tmp_path)[0] == 0
    assert found.report.requests > 1
    assert len(found.report.latencies) > 1

    def is_asked() -> bool:
        with one_qemu(program, "-incoming", "defer", vcpus=1) as other:
            other.set_up("postcopy-ram")
            counts = give(taken(found), other, AT_ONCE)
            assert other.check_guest().errors == 0
            return counts.get("got a request", 0) > 0

    assert any(is_asked() for _ in range(5)), "all pages may be sent before the guest runs there, but not each time"


@pytest.mark.slow
@each_qemu
def test_qemu_reads_the_file_and_the_engine_reads_qemu_s(program: str, tmp_path: Path) -> None:
    with one_qemu(program) as source:
        source.set_up("postcopy-ram", **FAST)
        source.boot()
        guest = taken(take(source))
    write_kept(tmp_path / "guest", guest)
    with one_qemu(program, "-incoming", f"exec:cat {tmp_path / 'guest'}") as other:
        other.boot(1)
        assert other.check_guest().errors == 0
        other.qmp("stop")
        other.qmp("migrate", uri=f"exec:cat > {tmp_path / 'saved'}")
        wait_until_migrated(other)
    saved = read_kept(tmp_path / "saved")
    with one_qemu(program, "-incoming", "defer") as third:
        third.set_up("postcopy-ram")
        give(saved, third, AT_ONCE)
        assert third.check_guest().errors == 0


def wait_until_migrated(qemu: OneQemu) -> None:
    """Without the capability for events, there are no events to wait for."""
    for _ in range(1000):
        if qemu.qmp("query-migrate").get("status") in ("completed", "failed"):
            break
        time.sleep(0.02)
    assert qemu.qmp("query-migrate")["status"] == "completed"


UUID = "3f1c9f0e-6a0b-4c5e-9b1d-2f7a8c4d5e6f"


@pytest.mark.slow
@each_qemu
def test_a_configuration_with_parts(program: str) -> None:
    """The guest's number, capabilities, and addresses of blocks of memory: what came is what is given back."""
    with one_qemu(program, "-uuid", UUID) as source:
        source.set_up("x-ignore-shared", "validate-uuid", **FAST)
        source.boot()
        guest = taken(take(source))
    assert {type(part) for part in guest.opening.configuration} == {Capabilities, Uuid}
    assert all(block.address is not None for block in guest.geometry.blocks)
    with one_qemu(program, "-incoming", "defer", "-uuid", UUID) as other:
        other.set_up("x-ignore-shared", "validate-uuid")
        give(guest, other, NEVER)
        assert other.check_guest().errors == 0


@pytest.mark.slow
@each_qemu
def test_a_qemu_that_is_another_machine_refuses_and_the_guest_stays(program: str) -> None:
    with one_qemu(program) as source:
        source.set_up("postcopy-ram", **FAST)
        source.boot()
        guest = taken(take(source))
    for arguments, why in ((("-machine", "q35"), "Machine type received is"), (("-m", "4"), "Size mismatch: pc.ram")):
        with one_qemu(program, "-incoming", "defer", *arguments) as other:
            other.set_up("postcopy-ram")
            options, network = SourceOptions(switch=AT_ONCE, timeout=SOON), Network(port=other.listen())
            found = run_to_qemu(guest, options, network, keep_log=False)
            assert (found.report.outcome, found.kept) == ("failed", True)
            assert f"needs -machine {guest.opening.machine}, the same memory and devices" in found.report.why
            with suppress(RecordingError):
                other.qmp.status("failed")
            other.process.wait(SOON)
            assert why in other.errors.read_text()


@pytest.mark.slow
@each_qemu
@pytest.mark.parametrize("capabilities", [("multifd",), ("postcopy-ram", "postcopy-preempt")], ids="+".join)
def test_a_source_with_more_connections_keeps_its_guest_or_gives_it_whole(
    program: str, capabilities: tuple[str, ...], tmp_path: Path
) -> None:
    with one_qemu(program) as source:
        source.set_up(*capabilities, **SLOW)
        source.boot()
        try:
            found = take(source, switch_after=0.3 if "postcopy-ram" in capabilities else None, timeout=3.0)
            has_it = found.source_has_it
        except EngineError:
            has_it = True
        if not has_it:  # 7.2 asks for no second connection before it needs one, and does without
            assert pages_that_differ(taken(found), source, tmp_path) == (0, 416)
            return
        assert source.qmp.status("failed", "completed") == "failed"
        assert source.check_guest().errors == 0


def credentials(directory: Path, end: str) -> tuple[str, str]:
    """Certificates of tests as QEMU wants them; it would refuse them because they do not say what they are for."""
    for name in ("cert", "key"):
        shutil.copy(directory / f"{name}.pem", directory / f"{end}-{name}.pem")
    shutil.copy(directory / "ca.pem", directory / "ca-cert.pem")
    return "-object", f"tls-creds-x509,id=tls0,dir={directory},endpoint={end},verify-peer=yes,sanity-check=off"


@pytest.mark.slow
@needs_openssl
@each_qemu
def test_under_tls(program: str, certificates: Path, tmp_path: Path) -> None:
    ours, theirs = certificates / "destination", shutil.copytree(certificates / "source", tmp_path / "theirs")
    with one_qemu(program, *credentials(theirs, "client")) as source:
        source.set_up("postcopy-ram", **SLOW)
        source.qmp("migrate-set-parameters", tls_creds="tls0")
        source.boot()
        guest = taken(take(source, switch_after=0.4, tls=ours))
        assert pages_that_differ(guest, source, tmp_path) == (0, 416)
    with one_qemu(program, "-incoming", "defer", *credentials(theirs, "server")) as other:
        other.set_up("postcopy-ram")
        other.qmp("migrate-set-parameters", tls_creds="tls0")
        give(guest, other, AT_ONCE, tls=ours)
        assert other.check_guest().errors == 0


def killing(qemu: OneQemu, phase: Phase) -> type[SourceCore]:
    """A source that kills the QEMU when it is about to send a page in this phase."""

    class Kills(SourceCore):
        def next_pages(self, most: int = 1) -> range:
            if self.phase == phase:
                qemu.process.kill()
                qemu.process.wait()
            return super().next_pages(1)

    return Kills


@pytest.mark.slow
@each_qemu
def test_a_guest_whose_qemu_is_killed_in_postcopy_is_lost(program: str) -> None:
    """If the QEMU is the destination, the guest may have run there; in precopy it has not, and is still in the file."""
    with one_qemu(program) as source:
        source.set_up("postcopy-ram", **SLOW | {"max-postcopy-bandwidth": 1 << 18})
        source.boot()

        class Kills(DestinationCore):
            def _postcopy_pages(self, message: Page | Pages) -> Sequence[Output]:
                source.process.kill()
                return super()._postcopy_pages(message)

        found = take(source, switch_after=0.3, make_core=Kills)
        assert found.guest is None
        assert not found.source_has_it
        assert "closed the connection" in found.report.why
    with one_qemu(program) as source:
        source.set_up("postcopy-ram", **FAST)
        source.boot()
        guest = taken(take(source))
    for phase, kept in ((Phase.PRECOPY, True), (Phase.POSTCOPY, False)):
        with one_qemu(program, "-incoming", "defer") as other:
            other.set_up("postcopy-ram")

            options = SourceOptions(switch=AT_ONCE if phase == Phase.POSTCOPY else FIRST_PASS, timeout=SOON)
            network = Network(port=other.listen(), timeout=SOON)
            given = run_to_qemu(guest, options, network, keep_log=False, make_core=killing(other, phase))
            assert (given.report.outcome, given.kept) == ("failed", kept)
