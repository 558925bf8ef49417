"""QEMU 11.1, put together."""

from collections.abc import Mapping
from typing import ClassVar

from postcopy.language import Channel, Option
from postcopy.model.changes.change import Change
from postcopy.model.changes.multifd import Multifd
from postcopy.model.changes.preempt import Fast
from postcopy.model.changes.recovery_messages import RecoveryCommand, RecoveryReply
from postcopy.model.changes.switch import Disk
from postcopy.model.network import Command
from postcopy.model.postcopy import Postcopy
from postcopy.model.qemu.main_loop import QemuDestination
from postcopy.model.qemu.optional import OPTIONAL_PROMISES, OPTIONAL_REPLACED
from postcopy.model.qemu.promises import PROMISES, REPLACED, may_rest
from postcopy.model.qemu.second_migration import SecondMigrationGuest
from postcopy.model.qemu.source_recovery import QemuSource
from postcopy.model.qemu.states import OnPackage
from postcopy.model.qemu.switchover import SwitchoverReply, SwitchoverRequest
from postcopy.model.qemu.wire import QemuWire


class Qemu11(Change):
    """Postcopy of QEMU 11.1: POSTCOPY_DEVICE, recovery, preempt, and a disk that one host can lock."""

    origin = "QEMU 11.1 (2026)"
    preempt = Option("the capability postcopy-preempt")
    disk_lock = Option("the disk's image can be locked by one host only")
    exit_on_error = Option("the destination ends on an error: exit-on-error, the default")
    second = Option("the source may migrate a second time", False)
    vhost_user = Option("the destination has a backend of vhost-user", False)
    pause_before_switchover = Option("the capability pause-before-switchover", False)
    switchover_ack = Option("the capability switchover-ack", False)
    multifd = Option("the capability multifd", False)
    stream = (
        Postcopy.stream.extended(RecoveryCommand, reconnects=True).extended(SwitchoverRequest).extended(Multifd.FLUSH)
    )
    return_path = (
        Postcopy.return_path.extended(RecoveryReply, reconnects=True).extended(OnPackage).extended(SwitchoverReply)
    )
    fast = Channel((Fast.HELLO, Command.PAGE), marks=("stale",), marked=(Command.PAGE,), reconnects=True)
    multi = Channel((Command.PAGE, Multifd.SYNC), marks=("stale",), marked=(Command.PAGE,), reconnects=True)
    disk = Channel(Disk, capacity=1)
    source = QemuSource
    destination = QemuDestination
    wire = QemuWire
    guest = SecondMigrationGuest
    properties = (*PROMISES, *OPTIONAL_PROMISES)
    inapplicable: ClassVar[Mapping[str, str]] = {**REPLACED, **OPTIONAL_REPLACED}

    may_rest = staticmethod(may_rest)
