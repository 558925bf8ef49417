"""Recovery and the preempt channel together: both connections break, and both are made anew."""

from postcopy.language import NONE, Answer, View, conjunct
from postcopy.model.changes.preempt import Preempt, PreemptDestination, PreemptSource, PreemptWire
from postcopy.model.changes.recovery import (
    RecoveringDestination,
    RecoveringSource,
    RecoveringWire,
    Recovery,
)
from postcopy.model.changes.recovery_messages import Recovering
from postcopy.model.network import Command


@conjunct("The preempt channel is open where the package is out", rules="R18")
def open_where_switched(state: View) -> bool:
    """Recovery may lead back to postcopy from its end."""
    return not state.source.switched or bool(state.source.fast_open)


@conjunct("No page on the preempt channel is to be sent", rules="R13 R18")
def fast_is_clean(state: View) -> Answer:
    """Each send takes its page out of the migration bitmap, which is rebuilt when nothing is on its way."""
    return state.source.dirty & state.fast.in_flight(Command.PAGE)


@conjunct("While a host recovers no page is on the preempt channel", rules="R18")
def nothing_on_fast_in_recovery(state: View) -> bool:
    """What was on the old connection is lost, and nothing is sent before the migration goes on."""
    source, destination = state.source.recovery, state.destination.recovery
    recovers = (source != Recovering.NO and source != Recovering.PAUSED) or destination != Recovering.NO
    return not recovers or not state.fast.carries(Command.PAGE)


class RecoveryWithPreempt(Preempt, Recovery):
    """Recovery and the preempt channel, each as it is alone. In addition the preempt channel breaks and is made anew
    with the main one, and an urgent host page that is not whole is thrown away, too."""

    origin = "QEMU since 2022, where both can be on; A02, A05, A22"
    properties = ()
    invariant = (open_where_switched, fast_is_clean, nothing_on_fast_in_recovery)
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
