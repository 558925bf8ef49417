"""The sound engine refuses each stored counterexample, at the step that breaks the rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from postcopy.catalogue.properties import with_everything
from postcopy.cli.main import main
from postcopy.conformance.replay import replay
from postcopy.errors import UsageError
from postcopy.explorer.kernel.fingerprint import fingerprint
from postcopy.language.instance import Instance
from postcopy.language.trace import Trace
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.report.story.itf import read_itf

STORED = Path(__file__).parents[2] / "counterexamples"

REFUSED_AT = {
    "background-first": "source.sends_background_page",
    "balloon-not-inhibited": "destination.balloon_takes",
    "cancel-after-switch": "source.operator_cancels",
    "completes-without-shut": "source.ends_postcopy",
    "cpus-run-on": "source.stops_cpus_to_switch",
    "devices-before-listen": "destination.reads_package",
    "discards-after-package": "source.sends_discards",
    "discards-taken-too-early": "source.masks_sent_map",
    "end-before-run": "destination.ends",
    "ends-with-dirty-pages": "source.ends_postcopy",
    "fault-not-requested": "destination.requests_page",
    "gives-up-after-end": "destination.gives_up_after_end",
    "late-start-acts": "source.operator_starts_postcopy",
    "listen-waits-for-main": "",
    "main-closes-stream": "destination.handles_run",
    "main-reads-on": "destination.handles_run",
    "memory-stays-locked": "destination.handles_advise",
    "mismatched-capability": "destination.refuses_advise",
    "no-background-sending": "",
    "no-discards": "source.sends_discards",
    "no-return-path": "source.opens_return_path",
    "partial-host-pages": "source.stops_cpus_to_switch",
    "places-first-target-page": "destination.places_page",
    "reply-dropped-when-full": "destination.requests_page",
    "request-served-again": "source.serves_request",
    "resumes-after-handover": "source.notices_loss",
    "resync-in-postcopy": "source.synchronises_bitmap",
    "run-before-devices": "destination.handles_listen",
    "send-leaves-dirty": "source.sends_background_page",
    "sent-map-read-in-postcopy": "source.sends_discards",
    "stays-stopped-in-precopy": "source.notices_loss",
    "torn-placement": "destination.places_page",
    "unpackaged": "source.sends_package",
    "unsupported-host-goes-on": "destination.handles_advise",
    "advise-left-out": "source.advises",
    "order-kept-in-switch": "source.stops_cpus_to_switch",
    "prepares-anew": "destination.gives_up",
    "waits-on-lost-connection": "",
    "dirty-pages-noticed-late": "source.ends_postcopy",
    "source-waits-on-lost-connection": "",
    "replies-on-broken-connection": "destination.answers_ping",
    "refuses-too-late": "destination.handles_advise",
    "refusal-called-success": "destination.refuses_advise",
    "ends-with-requests": "source.ends_postcopy",
    "precopy-kept-aside": "destination.loads_precopy_page",
    "cpus-run-on-while-finishing": "source.stops_cpus_to_finish_in_precopy",
    "torn-before-run": "destination.places_page",
    "device-load-does-not-wait": "destination.finishes_device_load",
    "device-load-goes-on": "destination.device_load_touches",
    "listen-thread-loads-devices": "destination.device_load_touches",
    "listen-thread-starts-cpus": "destination.handles_run",
    "listen-thread-requests": "destination.requests_page",
    "migration-thread-reads-requests": "source.receives_request",
    "operator-declares-loss": "source.notices_loss",
    "request-wakes": "destination.requests_page",
    "precopy-ends-dirty": "source.ends_precopy",
    "source-runs-on-after-death": "source.host_dies",
    "cpus-stay-stopped": "destination.handles_run",
    "faults-stay-queued": "destination.ends",
    "clean-up-takes-memory": "destination.ends",
    "write-not-logged": "source.guest_writes",
    "clean-pages-sent": "source.sends_precopy_page",
    "sends-on-broken-connection": "source.opens_return_path",
    "loss-in-one-direction": "wire.loses_the_connection",
    "cleans-up-in-part": "source.host_dies",
    "destination-cleans-up-in-part": "destination.host_dies",
    "destination-keeps-memory": "destination.host_dies",
    "destination-keeps-assembly": "destination.host_dies",
    "destination-keeps-devices": "destination.host_dies",
    "resumes-after-completion": "source.receives_shut",
    "fault-requested-again": "destination.requests_page",
    "requests-without-fault": "destination.requests_page",
    "sleeper-goes-on": "destination.cpu_reads[0]",
    "sleeper-writes": "destination.cpu_writes[0]",
    "requests-part-of-host-page": "destination.requests_page",
    "host-pages-interleaved": "source.sends_background_page",
    "refuses-unasked": "destination.refuses_advise",
    "reports-failure": "destination.sends_shut",
    "any-shut-completes": "source.receives_shut_with_error",
    "shut-sent-again": "destination.sends_shut",
    "shut-before-the-end": "destination.handles_run",
    "cancel-leaves-guest-stopped": "source.operator_cancels",
    "loss-called-cancel": "source.notices_loss",
    "keep-alive-first": "source.pings_in_postcopy",
    "lost-wake-up": "destination.cpu_touches_missing[0]",
    "rate-limit-in-postcopy": "source.sleeps_for_the_limit",
    "endless-scan": "source.scans_on",
    # this engine reads the dirty log between two sends of a page, so it refuses the loop whatever the switch waits for
    "switch-waits-for-clean-bitmap": "source.sends_precopy_page",
}
"""The step that the engine refuses; none where the run stands still and the engine goes on."""


def test_every_fault_is_here() -> None:
    assert set(REFUSED_AT) == set(FAULTS)


@pytest.mark.slow_but(
    "background-first", "balloon-not-inhibited", "cancel-after-switch", "completes-without-shut", "request-served-again"
)
@pytest.mark.parametrize("name", REFUSED_AT)
def test_the_engine_refuses(name: str) -> None:
    found = replay(read_itf(STORED / f"{name}.itf.json", with_everything, fingerprint))
    assert found.refused
    assert found.action == REFUSED_AT[name]
    assert found.rule == FAULTS[name].rule


def test_a_run_of_the_sound_protocol_is_gone_along_with() -> None:
    found = replay(read_itf(STORED / "refusal-costs-no-guest.itf.json", with_everything, fingerprint))
    assert not found.refused
    assert found.rule == ""


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["replay", str(STORED / "request-served-again.itf.json")])
    assert not stopped.value.code
    out = capsys.readouterr().out
    assert "goes along for 18 steps and refuses at step 19 of 19, source.serves_request; so it keeps R13" in out


@pytest.mark.parametrize(("name", "says"), [("huge-pages-fill-in", "refuses"), ("switch-at-package", "goes")])
def test_a_change_may_be_refused_or_gone_along_with(name: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["replay", str(STORED / f"{name}.itf.json")])
    assert not stopped.value.code
    assert says in capsys.readouterr().out


class SafeNetwork(Postcopy):
    """The connection is never lost: a part of the state is not there."""

    wire = None  # type: ignore[assignment]


def test_a_part_that_is_not_there_is_told() -> None:
    instance = Instance(SafeNetwork, 1, 1)
    first = instance.initial_states()[0]
    with pytest.raises(UsageError, match=r"SafeNetwork has no wire\.failed, which the engine has"):
        replay(Trace(instance, first, (), None))


def test_a_connection_that_the_engine_does_not_have_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["replay", str(STORED / "cache-lost-at-the-end.itf.json")])
    assert stopped.value.code == 2
    assert "CacheLostAtTheEnd has a channel bulk, which the engine does not have" in capsys.readouterr().err
