"""QEMU 11.1 as it ships, for stories that real QEMUs are to follow: with what they cannot do, or a story is not of,
taken out.

Stories of docs/qemu-defects.md are found where all other defects are mended. A real QEMU has them all: so a story in
which a mend acts cannot be followed to its end.
"""

from __future__ import annotations

from postcopy.language import Property, Step, every_step, require
from postcopy.model.qemu.main_loop import QemuDestination
from postcopy.model.qemu.mends import NoChannelNoService, PostsAreTakenBack
from postcopy.model.qemu.promises import PROMISES
from postcopy.model.qemu.protocol import Qemu11
from postcopy.model.qemu.source_recovery import QemuSource
from postcopy.model.qemu.wire import QemuWire
from postcopy.model.source import Phase


@every_step("A source that has noted the PONG does not fail", rules="R15")
def noted_pong_decides(step: Step) -> bool:
    """The PONG behind the devices was noted, and the source, still in postcopy-device, fails beside a destination that
    runs."""
    before, after = step.before.source, step.after.source
    fails = after.phase == Phase.FAILED and before.phase == Phase.POSTCOPY
    return not (before.loaded and not before.active and fails and step.after.destination.running)


@every_step("A source that completes does not start its guest", rules="R15 R24")
def completion_starts_no_guest(step: Step) -> bool:
    """The stream has ended in postcopy-active, an error comes, and the source starts the guest beside the
    destination's."""
    before, after = step.before.source, step.after.source
    starts = after.running and not before.running
    return not (before.active and before.phase == Phase.ENDING and starts and step.after.destination.running)


ASKED: tuple[Property, ...] = (*PROMISES, noted_pong_decides, completion_starts_no_guest)


class NetworkBreaks(Qemu11):
    """Only the network breaks, and that is the main connection with all others: QEMU's source notices the break of the
    preempt channel alone when it writes to it, which the model does not know."""

    properties = ASKED

    class wire(QemuWire):
        """Breaks as a whole."""

        def loses_the_connection(self) -> None:
            """loses the connection in both directions: not while it is there in one alone"""
            require(not self.return_path.listening)
            super().loses_the_connection()

        def loses_fast_channel(self) -> None:
            """never loses the preempt channel alone"""
            require(False)

        def loses_return_path(self) -> None:
            """never loses one direction alone"""
            require(False)

    class destination(QemuDestination):
        """Its operator pauses it only while its file is open: the moment between is too short to be met."""

        def operator_pauses_closed(self) -> None:
            """never pauses then"""
            require(False)

    class source(QemuSource):
        """Its operator starts, asks for postcopy and resumes, no more."""

        def operator_yanks(self) -> None:
            """never yanks"""
            require(False)

        def operator_pauses(self) -> None:
            """never pauses"""
            require(False)

        def operator_cancels(self) -> None:
            """never cancels"""
            require(False)


class OneDirectionBreaks(NetworkBreaks):
    """The way back to the source breaks alone, in postcopy-active (H6)."""

    class wire(NetworkBreaks.wire):
        """Breaks in one direction."""

        def loses_return_path(self) -> None:
            """loses the way back to the source alone"""
            QemuWire.loses_return_path(self)

        def loses_the_connection(self) -> None:
            """never loses the connection as a whole"""
            require(False)


class PostStays(NetworkBreaks, NoChannelNoService):
    """Of the defects that end in an abort H4 alone: a pause waits for the preempt thread, and posts stay."""

    class source(NetworkBreaks.source, NoChannelNoService.source):
        """As both."""

    class destination(NetworkBreaks.destination, PostsAreTakenBack.destination):
        """As shipped in what H4 needs."""

        def _takes_posts_back(self) -> None:
            """What was posted stays."""


class ThreadWokenLate(NetworkBreaks, NoChannelNoService):
    """Of the defects that end in an abort H8, and H4."""

    class source(NetworkBreaks.source, NoChannelNoService.source):
        """As both."""
