"""Recovery and the preempt channel together: both connections break, and both are made anew."""

from postcopy.language import NONE
from postcopy.model.changes.preempt import Preempt, PreemptDestination, PreemptSource, PreemptWire
from postcopy.model.changes.recovery import (
    RecoveringDestination,
    RecoveringSource,
    RecoveringWire,
    Recovery,
)


class RecoveryWithPreempt(Preempt, Recovery):
    """Recovery and the preempt channel, each as it is alone. In addition the preempt channel breaks and is made anew
    with the main one, and an urgent host page that is not whole is thrown away, too."""

    origin = "QEMU since 2022, where both can be on; A02, A05, A22"
    properties = ()
    fast = Preempt.fast.extended(reconnects=True)

    class source(RecoveringSource, PreemptSource):
        """Makes both connections anew."""

        def operator_resumes(self) -> None:
            """resumes the migration on two new connections"""
            super().operator_resumes()
            self.fast.connect()

        def _pause(self) -> None:
            super()._pause()
            self.fast.close()

    class destination(RecoveringDestination, PreemptDestination):
        """Waits for both connections."""

        def operator_recovers(self) -> None:
            """lets the destination wait for two new connections"""
            super().operator_recovers()
            self.fast.listen()

        def _pause(self) -> None:
            super()._pause()
            self.fast.close()

        def _forget_partial_pages(self) -> None:
            """The parts of an incomplete host page that have come, on either connection, are sent again."""
            super()._forget_partial_pages()
            self.guest.threw_away(self.assembling_urgent)
            self.assembling_urgent = NONE

    class wire(RecoveringWire, PreemptWire):
        """Both connections can be lost, again and again."""
