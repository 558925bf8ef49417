"""Bugs of recovery, in the change that is QEMU's recovery as it should be."""

from postcopy.language import EITHER, NONE, Flag, PageSet, action, require
from postcopy.model.changes.recovery import RecoveringDestination, RecoveringSource, Recovery
from postcopy.model.changes.recovery_messages import Recovering
from postcopy.model.destination import State
from postcopy.model.source import Phase


class KeepsOldBitmap(Recovery):
    """The source goes on with its own bitmap, in which pages that were lost on the way count as sent."""

    class source(RecoveringSource):
        """Does not look at what has arrived."""

        def _reload(self, arrived: PageSet) -> None:
            """The bitmap stays as it is."""


class DoesNotAskAgain(Recovery):
    """Pages that were requested before the break are not requested again: the kernel reports a fault only once."""

    class destination(RecoveringDestination):
        """Sends no request again."""

        def _request_again(self) -> None:
            """Requests nothing."""


class PublishesPausedTooEarly(Recovery):
    """The source calls itself paused before it has closed the old connection, and closes the new one later."""

    class source(RecoveringSource):
        """Publishes its state before it cleans up."""

        to_close = Flag("the old connection has still to be closed")

        def _pause(self) -> None:
            """Publishes the state first."""
            self.recovery = Recovering.PAUSED
            self.requests = NONE
            self.sending = NONE
            self.to_close = True

        @action(RecoveringSource.migration, qemu="migration/migration.c:postcopy_pause")
        def closes_old_connection(self) -> None:
            """closes what it takes for the old connection"""
            require(self.to_close)
            self.stream.close()
            self.return_path.close()
            self.to_close = False

        def _clean_up(self) -> None:
            super()._clean_up()
            self.to_close = False


class StuckInRecover(Recovery):
    """A source that waits for the answers of recovery does not notice that the new connection breaks, too."""

    class source(RecoveringSource):
        """Sleeps until a message arrives on the return path."""

        def notices_loss(self) -> None:
            """notices that the connection is gone, unless it waits for answers"""
            require(self.recovery == Recovering.NO or self.recovery == Recovering.PAUSED)
            super().notices_loss()


class PausesBeforeTheGuestRuns(Recovery):
    """The destination counts as running while it only listens. If it fails before RUN, it pauses for a recovery that
    cannot come."""

    class destination(RecoveringDestination):
        """Treats a failure while it listens like one while the guest runs."""

        def _may_pause(self) -> bool:
            """Whenever the listen thread is there."""
            return self.state == State.LISTEN or self.state == State.RUNNING


class PausesForOneErrorOnly(Recovery):
    """Only one class of error pauses. A stream that is cut inside a message gives another error, and the guest is
    lost."""

    class destination(RecoveringDestination):
        """Looks at the number of the error."""

        cut_inside = Flag("when the connection breaks, it breaks inside a message", EITHER)

        def _may_pause(self) -> bool:
            """Only where the stream ends between two messages."""
            return self.state == State.RUNNING and not self.cut_inside


class PausesInPrecopy(Recovery):
    """A migration that breaks in precopy pauses too, and cannot be resumed."""

    class source(RecoveringSource):
        """Does not ask which phase it is."""

        def _may_pause(self) -> bool:
            """Whenever the stream has been opened."""
            return self.phase >= Phase.PRECOPY


class CompletionNotRecoverable(Recovery):
    """Once the source has begun to complete, a break is final, although pages may still be on their way."""

    class source(RecoveringSource):
        """Pauses only while it iterates."""

        def _may_pause(self) -> bool:
            """Not at the end."""
            return self.phase == Phase.POSTCOPY
