"""A pause and a recovery: what is kept over it, who waits, who publishes what, and which errors pause."""

from postcopy.language import EITHER, NONE, Flag, PageSet, action, require
from postcopy.model.changes.recovery_messages import Recovering
from postcopy.model.destination import State
from postcopy.model.qemu.mends import Qemu11Mended
from postcopy.model.source import Phase


class KeepsOldBitmap(Qemu11Mended):
    """The source goes on with its own bitmap, in which pages that were lost on the way count as sent."""

    class source(Qemu11Mended.source):
        """Does not look at what has arrived."""

        def _reload(self, arrived: PageSet) -> None:
            """The bitmap stays as it is."""


class DoesNotAskAgain(Qemu11Mended):
    """Pages that were requested before the break are not requested again."""

    class destination(Qemu11Mended.destination):
        """Forgets what it has asked for."""

        def resumes(self) -> None:
            """sets the state postcopy-active, and acknowledges RESUME"""
            super().resumes()
            self.asking = NONE


class ClosesNewFile(Qemu11Mended):
    """The source says paused before it has closed the old files. An operator is quick, and what is closed is
    the new one: the next thread that uses it reads from a file that is not there."""

    class source(Qemu11Mended.source):
        """Publishes its state before it cleans up."""

        to_close = Flag("the old files have still to be closed")

        def _pause(self) -> None:
            super()._pause()
            self.to_close = True

        @action(Qemu11Mended.source.migration, qemu="migration/migration.c:postcopy_pause")
        def closes_late(self) -> None:
            """closes and clears what it takes for the old files"""
            require(self.to_close)
            self.to_close = False
            if not self._waits_for_connection():
                self._aborts()

        def _clean_up(self) -> None:
            super()._clean_up()
            self.to_close = False


class StuckInRecover(Qemu11Mended):
    """A source that waits for the answers of a recovery does not notice that the new connection breaks, too."""

    class source(Qemu11Mended.source):
        """Sleeps until a message arrives."""

        notices_second_loss = None


class PausesFromActiveOnly(Qemu11Mended):
    """The destination pauses from postcopy-active only. In a recovery that breaks its state stays postcopy-recover: it
    does not wait, and reads from no file."""

    class destination(Qemu11Mended.destination):
        """Expects one state."""

        def publishes_paused(self) -> None:
            """sets the state postcopy-paused, from postcopy-active only"""
            again = self.recovery == Recovering.RECOVER
            super().publishes_paused()
            if again:
                self._aborts()


class PausesWhileItListens(Qemu11Mended):
    """The destination counts as running while it only listens: a failure before RUN pauses it for a recovery that
    cannot come."""

    class destination(Qemu11Mended.destination):
        """Treats a failure while it listens like one while the guest runs."""

        def _cannot_pause(self) -> None:
            self._closes_files()


class PausesForOneErrorOnly(Qemu11Mended):
    """Only one class of error pauses. A stream that is cut inside a message gives another error: the destination
    fails."""

    class destination(Qemu11Mended.destination):
        """Looks at the number of the error."""

        cut_inside = Flag("when the connection breaks, it breaks inside a message", EITHER)

        def loses_the_guest(self) -> None:
            """sees that the connection is gone: pauses if the stream ends between two messages"""
            if self.cut_inside and self.state == State.RUNNING:
                require(self._listening() and self.stream.broken)
                self._give_up()
            else:
                super().loses_the_guest()


class PausesInPrecopy(Qemu11Mended):
    """A migration that breaks in precopy pauses, and cannot be resumed."""

    class source(Qemu11Mended.source):
        """Does not ask which phase it is."""

        def _may_pause(self) -> bool:
            return self.phase == Phase.PRECOPY or super()._may_pause()


class WaitsForPongForEver(Qemu11Mended):
    """When all pages have been sent the source waits for the PONG of the package alone, and nothing wakes it when the
    connection ends."""

    class source(Qemu11Mended.source):
        """Sleeps on one event."""

        gives_up_waiting = None
