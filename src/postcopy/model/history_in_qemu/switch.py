"""The switch: what is discarded, who has the guest, who has the disk, and what the main thread waits for."""

from postcopy.language import action, require
from postcopy.model.changes.recovery import RecoveringSource
from postcopy.model.destination import Main, State
from postcopy.model.network import Command
from postcopy.model.qemu.mends import Qemu11Mended
from postcopy.model.qemu.states import DiscardState, Ending
from postcopy.model.source import Phase, Source


class GivenAwayWithPackage(Qemu11Mended):
    """There is no postcopy-device: with the package the source gives the guest away for good."""

    class source(Qemu11Mended.source):
        """Waits for no PONG."""

        def sends_package(self) -> None:
            """sends the package, and is in postcopy-active"""
            super().sends_package()
            self.loaded = True
            self.active = True


class DiscardsNothing(Qemu11Mended):
    """Pages that have been dirtied again are not discarded at the destination."""

    class source(Qemu11Mended.source):
        """Sends no DISCARD."""

        def sends_discards(self) -> None:
            """sends no page to be discarded"""
            require(self.phase == Phase.SWITCHING)
            self.phase = Phase.PACKAGING


class HostPagesStayPartlyDirty(Qemu11Mended):
    """Host pages that are partly dirty are discarded and sent in part."""

    group = 2

    class source(Qemu11Mended.source):
        """Counts in target pages."""

        def _compute_discards(self) -> None:
            """The bitmap stays as it is."""


class MainThreadKeepsTheStream(Qemu11Mended):
    """LISTEN, the devices and RUN come without a package: the main thread reads the stream until RUN."""

    class destination(Qemu11Mended.destination):
        """Its listen thread has nothing to read while the main thread reads."""

        def _reads(self) -> bool:
            return super()._reads() and self.main == Main.LEFT


class TakesAdviseForTheEnd(Qemu11Mended):
    """A destination without the capability takes ADVISE for the end of the stream, and starts the guest."""

    class destination(Qemu11Mended.destination):
        """Does not look at the length of ADVISE."""

        def refuses_advise(self) -> None:
            """takes ADVISE for the end of the stream, and starts the guest"""
            require(self.main == Main.STREAM and self.state == State.NONE)
            require(not self.postcopy_capability)
            self.stream.receive(Command.ADVISE)
            self.devices_loaded = True
            self.running = True
            self.state = State.END
            self.main = Main.LEFT
            self.owes_shut = True


class CancelsInPostcopy(Qemu11Mended):
    """A cancel is obeyed in postcopy, too."""

    class source(Qemu11Mended.source):
        """Does not look at the state."""

        def operator_cancels(self) -> None:
            """cancels the migration, in postcopy as well"""
            require(self.phase <= Phase.FINISHING or self.phase == Phase.POSTCOPY)
            require(Phase.IDLE < self.phase and self.ending == Ending.NO)
            self.ending = Ending.CANCELLING
            self._close_files()


class UnlocksTooLate(Qemu11Mended):
    """The source gives up its lock on the disk some time after the package is out."""

    class source(Qemu11Mended.source):
        """Sends first."""

        def sends_package(self) -> None:
            """sends the package, and is in postcopy-device"""
            RecoveringSource.sends_package(self)

        @action(Source.migration, qemu="block.c:bdrv_inactivate_all")
        def unlocks(self) -> None:
            """gives up the lock on the disk"""
            require(self.phase == Phase.POSTCOPY and self.holds_lock and self.disk_lock)
            self._unlock()


class LoadsBeforeFastIsReady(Qemu11Mended):
    """The package is loaded before the preempt channel has been accepted, by the thread that accepts: the page
    that the devices wait for comes on a channel that only the waiting thread could accept."""

    class destination(Qemu11Mended.destination):
        """Does not wait."""

        def reads_package(self) -> None:
            """reads the whole package into memory"""
            require(self.main == Main.STREAM)
            require(self.state == State.ADVISE or self.state == DiscardState.DISCARD)
            self.stream.receive(Command.PACKAGED)
            self.main = Main.PACKAGE

        def starts_threads(self) -> None:
            """starts the threads of postcopy; that of preempt waits for its channel by itself"""
            self.accepted.post()  # not waited for here
            super().starts_threads()


class WaitsForFastInListen(LoadsBeforeFastIsReady):
    """LISTEN waits until the preempt channel has been accepted, which its own thread would have to do."""

    class destination(LoadsBeforeFastIsReady.destination):
        """Waits in the wrong place."""

        def starts_threads(self) -> None:
            """waits for the preempt channel, and starts the threads of postcopy"""
            require(self.fast_there or not self.preempt)
            super().starts_threads()
