"""QEMU as it ships has a name, and so has each mend, all of them, and all of them but one."""

from __future__ import annotations

import pytest

from postcopy.catalogue.loading import resolve
from postcopy.catalogue.qemu import AS_SHIPPED, BLOCKS, MENDS, QEMU, mended_except, without
from postcopy.catalogue.qemu_source import FUNCTIONS, function
from postcopy.catalogue.qemu_steps import STEPS, WITHOUT_STEP
from postcopy.catalogue.tables import BY_NAME
from postcopy.language.chosen import Option
from postcopy.language.instance import Instance
from postcopy.language.program import read
from postcopy.language.protocol import Protocol
from postcopy.model.fault import name_of
from postcopy.model.qemu.mends import Qemu11Mended
from postcopy.model.qemu.protocol import Qemu11

IN_VAIN = {"source.sent", "guest.given_up", "disk.up", "disk[0].pages"}
"""The document's sent map and the free page reporting of a change, which QEMU 11.1 has not; and what every channel has,
though the lock on the disk is never cut off and carries no pages."""


EXPLORED = {"preempt", "disk_lock", "exit_on_error"}
OFF = {"second", "vhost_user", "pause_before_switchover", "switchover_ack", "multifd"}
"""Options that a protocol's term has to set."""


def methods(protocol: type[Protocol], machine: str) -> dict[str, object]:
    """What a machine's names stand for, bases included."""
    cls = getattr(protocol, machine)
    return {name: getattr(cls, name) for name in dir(cls) if not name.startswith("__") and name != "fields"}


def test_every_protocol_has_its_name() -> None:
    assert list(QEMU)[:2] == ["qemu-11", "qemu-11-mended"]
    assert resolve("qemu-11+preempt=off")[0] == "qemu-11+preempt=off"
    for name, protocol in QEMU.items():
        assert BY_NAME[name] is protocol
        assert protocol.origin == "QEMU 11.1 (2026)"
        assert set(protocol.parts(Option)) == EXPLORED | OFF
    assert len(set(QEMU.values())) == len(QEMU) == 3 + 2 * len(MENDS) + len(AS_SHIPPED) + len(BLOCKS)


def test_the_mends_are_those_that_are_in_the_mended_one() -> None:
    assert Qemu11Mended.__bases__ == MENDS


@pytest.mark.parametrize("machine", ["source", "destination"])
def test_all_mends_but_one_lack_just_that_one(machine: str) -> None:
    whole = methods(Qemu11Mended, machine)
    for mend in MENDS:
        its = methods(QEMU[without(mend)], machine)
        differ = {name for name in whole.keys() | its.keys() if whole.get(name) is not its.get(name)}
        own = vars(mend).get(machine)
        defined = {name for name in vars(own) if not name.startswith("__")} - {"fields"} if own is not None else set()
        assert differ == defined


@pytest.mark.parametrize("code", AS_SHIPPED)
def test_a_defect_alone_has_just_its_methods_as_shipped(code: str) -> None:
    whole, its = methods(Qemu11Mended, "destination"), methods(QEMU[f"qemu-11-with-{code}"], "destination")
    shipped = methods(Qemu11, "destination")
    differ = {name for name in whole.keys() | its.keys() if whole.get(name) is not its.get(name)}
    assert differ == set(AS_SHIPPED[code])
    assert all(its[name] is shipped[name] for name in differ)


def test_leaving_out_what_is_no_mend_leaves_all_mends() -> None:
    assert mended_except(Qemu11).__bases__ == MENDS


@pytest.mark.parametrize("name", ["qemu-11", "qemu-11-mended", *map(name_of, MENDS)])
def test_every_action_cites_a_function_that_the_table_has(name: str) -> None:
    for action in Instance(QEMU[name], 1, 1).actions:
        if action.info.qemu:
            assert function(action.info.qemu).cited


def test_nothing_is_declared_in_vain() -> None:
    everything = resolve("qemu-11" + "".join(f"+{option}=on" for option in sorted(OFF)))[1]
    program = read(Instance(everything, 2, 2, (), 2))
    assert {variable.name for variable in program.constants} == IN_VAIN | OFF


def test_what_an_option_needs_is_constant_without_it() -> None:
    constants = {variable.name for variable in read(Instance(Qemu11, 2, 2, (), 2)).constants}
    assert constants >= IN_VAIN | OFF
    needed = {name.removesuffix("[0].pages").removesuffix("[1].pages") for name in constants - IN_VAIN - OFF}
    assert needed >= {"source.again", "destination.backend_waiting", "source.held", "source.ack_pending"}


# -- the table of QEMU's steps -----------------------------------------------------------------------------------------

NUMBERS = {"S": 32, "R": 7, "D": 22, "F": 3, "P": 1, "M": 2}
"""How many steps of each kind QEMU's threads have in postcopy, as its source was read."""


def test_every_step_of_qemu_is_in_the_table() -> None:
    assert list(STEPS) == [f"{letter}{n}" for letter, count in NUMBERS.items() for n in range(1, count + 1)]


def test_a_step_has_actions_of_the_model_or_says_why_not() -> None:
    actions = {f"{a.machine}.{a.method}" for a in Instance(Qemu11, 1, 1).actions}
    named = {action for step in STEPS.values() for action in step.actions}
    assert named | set(WITHOUT_STEP) == actions
    assert not named & set(WITHOUT_STEP)
    assert all(step.actions or step.remark for step in STEPS.values())


def test_a_step_stands_at_the_line_that_the_citations_have() -> None:
    for step in STEPS.values():
        file, name = step.where.split(":")
        known = FUNCTIONS.get(name)
        assert known is None or (known.file, known.line) == (file, step.line)
