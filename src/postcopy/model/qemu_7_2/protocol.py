"""QEMU 7.2, put together."""

from typing import ClassVar

from postcopy.language import Channel
from postcopy.model.changes.preempt import Fast
from postcopy.model.changes.recovery_messages import RecoveryReply
from postcopy.model.network import Command
from postcopy.model.postcopy import Postcopy
from postcopy.model.qemu.protocol import Qemu11
from postcopy.model.qemu_7_2.destination import Destination72
from postcopy.model.qemu_7_2.source import Source72
from postcopy.model.qemu_7_2.states import FastEnd


class Qemu72(Qemu11):
    """Postcopy of QEMU 7.2: the source gives the guest away with the package, and a recovery that breaks is the last.

    An error at the destination always ends its process: there is no exit-on-error that could be off. Read in v7.2.0
    (b67b00e6b4) and in Debian's 7.2.22 (7.2+dfsg-7+deb12u18), which differs from it in this in one thing: the source
    activates its disks after every failure at the end of precopy.
    """

    origin = "QEMU 7.2 (2022)"
    exit_on_error = None
    return_path = Postcopy.return_path.extended(RecoveryReply, reconnects=True)
    fast = Channel((Fast.HELLO, Command.PAGE, FastEnd.EOS), marks=("stale",), marked=(Command.PAGE,), reconnects=True)
    source = Source72
    destination = Destination72
    refused_options: ClassVar[dict[str, str]] = {
        "exit_on_error": "an error always ends its process, since exit-on-error came in 2024 (dbea1c89da)",
        "switchover_ack": "that capability came in 2023 (6574232fff)",
        "multifd": "it takes multifd and postcopy together by mistake, and does not flush; that they are is of 2025 "
        "(e274188612)",
        "second": "what a second destination takes its first connections for is modelled for QEMU 11.1 alone",
    }
    inapplicable: ClassVar[dict[str, str]] = {
        "guest-taken-back": "the source gives the guest away with the package",
    }
