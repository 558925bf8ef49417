"""Options of QEMU 11.1 that are off unless a term sets them: what each adds, and the faults and witnesses of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from documentation.qemu_defects import search
from postcopy.catalogue.loading import resolve
from postcopy.catalogue.options import fix
from postcopy.catalogue.properties import choose
from postcopy.catalogue.qemu import LAST_KEPT, OVERLAPPING
from postcopy.catalogue.qemu_faults import FOUND
from postcopy.catalogue.shown import Shown
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Options, Outcome, Verdict
from postcopy.language.chosen import Option
from postcopy.language.instance import Instance
from postcopy.language.program import read
from postcopy.language.protocol import Protocol
from postcopy.model.qemu.faults import options as faults
from postcopy.model.qemu.faults.fault import LOCKED, PREEMPT
from postcopy.model.qemu.mends import Qemu11Mended
from postcopy.model.qemu.protocol import Qemu11

PAGE = Path(__file__).parents[1] / "docs/qemu.md"
OFF = [name for name, option in Qemu11.parts(Option).items() if option.initial is False]
FAULTS = [one for one in FOUND if one.fault.__module__ == faults.__name__]
"""A fault of each option. `test_qemu_faults` searches for them."""

ADDED = {
    "source.operator_migrates_again",
    "source.operator_continues",
    "source.device_asks_for_ack",
    "source.device_asks_too_late",
    "source.receives_switchover_ack",
    "source.flushes",
    "destination.operator_starts_anew",
    "destination.takes_first_connection",
    "destination.takes_fast_for_main",
    "destination.finds_fast_at_its_end",
    "destination.backend_touches_missing",
    "destination.requests_page_for_backend",
    "destination.loads_device_data",
    "destination.writes_precopy_page",
    "destination.waits_for_other_connection",
    "wire.loses_newest_on_multi",
}
"""The actions that the options add."""

WITNESSES = {
    "second": "second-completes",
    "vhost_user": "page-comes-for-backend",
    "pause_before_switchover": "paused-before-switchover",
    "switchover_ack": "waits-for-ack",
    "multifd": "waits-for-multifd",
}


def ask(protocol: type[Protocol], name: str, pages: int = 1, in_flight: int = 1) -> Verdict:
    return explore(Instance(protocol, pages, in_flight, choose([name], protocol), 1), Options(max_memory=6 << 30))


def with_terms(protocol: type[Protocol], terms: str) -> type[Protocol]:
    return fix(protocol.__name__, protocol, terms.strip("+").split("+"))[1]


def actions(protocol: type[Protocol]) -> set[str]:
    """Those that are possible at the smallest size."""
    return {action.name for action, tree in read(Instance(protocol, 1, 1)).actions if tree is not None}


def test_each_option_has_a_fault_and_a_witness() -> None:
    assert set(WITNESSES) == set(OFF)
    assert all(any(f"+{option}=on" in one.fault.terms for one in FAULTS) for option in OFF)
    there = {
        fault for fault in vars(faults).values() if isinstance(fault, type) and fault.__module__ == faults.__name__
    }
    assert there == {one.fault for one in FAULTS}


def test_options_that_are_off_add_no_action() -> None:
    without = actions(with_terms(Qemu11, PREEMPT))
    everything = actions(with_terms(Qemu11, PREEMPT + "".join(f"+{option}=on" for option in OFF)))
    assert everything - without == ADDED
    assert without < everything


@pytest.mark.slow
@pytest.mark.parametrize("option", OFF)
def test_a_witness_is_reached_where_the_option_is_on(option: str) -> None:
    in_flight = 2 if option == "multifd" else 1  # a page in front of SYNC
    verdict = ask(with_terms(Qemu11Mended, f"{LOCKED}+{option}=on"), WITNESSES[option], in_flight=in_flight)
    assert verdict.outcome is Outcome.HOLDS
    assert verdict.witnesses[WITNESSES[option]]


# -- two blocks --------------------------------------------------------------------------------------------------------


def test_two_blocks_are_named_beside_the_mends() -> None:
    assert resolve("qemu-11-mended+two-blocks")[0] == "qemu-11-mended+two-blocks"


@pytest.mark.parametrize("shown", [OVERLAPPING, LAST_KEPT], ids=lambda shown: shown.terms[1:15])
def test_the_page_says_how_long_a_run_of_two_blocks_is(shown: Shown) -> None:
    assert f"falls in {shown.steps} steps" in PAGE.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("shown", [OVERLAPPING, LAST_KEPT], ids=lambda shown: shown.terms[1:15])
def test_a_request_is_forgotten_in_one_of_two_blocks(shown: Shown) -> None:
    verdict = search(shown)
    assert verdict.counterexample is not None
    assert len(verdict.counterexample.steps) == shown.steps
