"""QEMU 7.2 has a name, and so has it with all later mends, and with all but one."""

from __future__ import annotations

import pytest

from postcopy.catalogue.loading import resolve
from postcopy.catalogue.options import terms_of
from postcopy.catalogue.qemu_7_2 import MENDS_7_2, QEMU_7_2, mended_except, without
from postcopy.catalogue.tables import BY_NAME
from postcopy.errors import UsageError
from postcopy.language.chosen import Option
from postcopy.language.fields import EITHER
from postcopy.language.instance import Instance
from postcopy.language.program import read
from postcopy.language.protocol import Protocol
from postcopy.model.qemu.protocol import Qemu11
from postcopy.model.qemu_7_2.mends import Qemu72Mended
from postcopy.model.qemu_7_2.protocol import Qemu72

IN_VAIN = {
    "source.loaded",
    "source.writing",
    "source.handing_over",
    "source.awaits_first_pong",
    "source.awaits_loaded",
    "destination.loop",
    "destination.load_failed",
    "destination.end_is_due",
    "destination.quitting",
}
"""What QEMU 11.1 has and 7.2 has not: the wait for the first PONG, the PONG of the package, pages that are written
without the bitmap's lock, a main loop that waits, a load error that is only noted, a clean-up in the main loop."""

GONE = {
    "source.begins_switch",
    "source.receives_loaded",
    "source.becomes_device",
    "source.switch_fails",
    "source.begins_to_wait",
    "source.gives_up_waiting",
    "source.writes_page",
    "source.serves_at_once",
    "source.notices_second_loss",
    "destination.answers_ping_of_package",
    "destination.sees_that_load_failed",
    "destination.takes_connection",
    "destination.cannot_identify",
    "destination.stranger_leaves",
    "destination.accepts_fast_as_main",
    "destination.fast_comes_to_nothing",
    "destination.begins_cleanup",
    "destination.cleans_up",
}
COME = {
    "source.begins_to_complete",
    "source.ends_in_vain",
    "source.cannot_connect_fast",
    "source.releases_wrong_file",
    "source.reads_new_return_path",
    "destination.reads_end_of_fast",
    "destination.loses_main_before_fast",
    "destination.exits",
    "destination.reads_freed_stream",
}


def actions(protocol: type[Protocol]) -> set[str]:
    return {f"{a.machine}.{a.method}" for a in Instance(protocol, 1, 1).actions}


def test_every_protocol_has_its_name() -> None:
    assert list(QEMU_7_2)[:2] == ["qemu-7.2", "qemu-7.2-mended"]
    assert resolve("qemu-7.2+preempt=off")[0] == "qemu-7.2+preempt=off"
    for name, protocol in QEMU_7_2.items():
        assert BY_NAME[name] is protocol
        assert protocol.origin == "QEMU 7.2 (2022)"
        explored = {name for name, option in protocol.parts(Option).items() if option.initial is EITHER}
        assert explored == {"preempt", "disk_lock"}
    assert len(set(QEMU_7_2.values())) == len(QEMU_7_2) == 2 + len(MENDS_7_2)


def test_what_7_2_does_otherwise_is_what_is_said() -> None:
    old, new = actions(Qemu72), actions(Qemu11)
    assert new - old == GONE
    assert old - new == COME


@pytest.mark.slow
def test_nothing_more_is_declared_in_vain_than_in_11_1() -> None:
    constants = [{v.name for v in read(Instance(each, 2, 1, (), 2)).constants} for each in (Qemu72, Qemu11)]
    assert constants[0] - constants[1] == IN_VAIN


def test_the_mends_are_those_that_are_in_the_mended_one() -> None:
    assert Qemu72Mended.__bases__ == MENDS_7_2
    for machine in ("source", "destination"):
        parts = tuple(vars(mend)[machine] for mend in MENDS_7_2 if machine in vars(mend))
        assert vars(Qemu72Mended)[machine].__bases__ == parts


@pytest.mark.parametrize("mend", MENDS_7_2, ids=without)
def test_all_mends_but_one_lack_just_that_one(mend: type[Qemu72]) -> None:
    for machine in ("source", "destination"):
        whole, its = getattr(Qemu72Mended, machine), getattr(QEMU_7_2[without(mend)], machine)
        parts = set(vars(Qemu72Mended)[machine].__bases__)
        lacking = parts - set(its.__mro__)
        assert lacking == ({vars(mend)[machine]} if machine in vars(mend) else set())
        assert parts <= set(whole.__mro__)


def test_leaving_out_what_is_no_mend_leaves_all_mends() -> None:
    assert mended_except(Qemu72).__bases__ == MENDS_7_2


@pytest.mark.parametrize("option", Qemu72.refused_options)
@pytest.mark.parametrize("protocol", ["qemu-7.2", "qemu-7.2-mended", "qemu-7.2-without-pause-looks-at-file"])
def test_an_option_that_means_nothing_in_7_2_is_refused_with_the_reason(protocol: str, option: str) -> None:
    with pytest.raises(UsageError) as refused:
        resolve(f"{protocol}+preempt=off+{option}=off")
    assert f"has no option {option}: {Qemu72.refused_options[option]}. Leave {option}=off out" in str(refused.value)


def test_options_that_mean_something_in_7_2_are_not_refused() -> None:
    assert not Qemu11.refused_options
    terms = {term.partition("=")[0] for term in terms_of(Qemu72)}
    assert terms == {"preempt", "disk_lock", "vhost_user", "pause_before_switchover"}
    assert set(Qemu11.parts(Option)) == terms | set(Qemu72.refused_options)


def test_an_option_that_7_2_has_not_is_off_there() -> None:
    assert not any(option.initial for name, option in Qemu72.parts(Option).items() if name in Qemu72.refused_options)
