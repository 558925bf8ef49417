"""What may be wrong with recovery: a mutant for each."""

from __future__ import annotations

from collections.abc import Sequence

from postcopy.engine.destination import DestinationCore
from postcopy.engine.destination_steps import State
from postcopy.engine.effects import GiveUpGuest, Output
from postcopy.engine.log import Thread
from postcopy.engine.messages import ReceivedBitmap, ResumeAck, StreamMessage
from postcopy.engine.source import RECOVERING, Phase, SourceCore
from tests.conformance.mutants import Mutant


class KeepsItsBitmap(SourceCore):
    """Believes that all it has sent has arrived (A02)."""

    def _receive_bitmap(self, reply: ReceivedBitmap) -> None:
        before = int(self.dirty)
        super()._receive_bitmap(reply)
        self.dirty.assign(before)


class SendsAllAgain(SourceCore):
    """Sends what has arrived once more."""

    def _receive_bitmap(self, reply: ReceivedBitmap) -> None:
        super()._receive_bitmap(reply)
        self.dirty.add_all(range(self.geometry.pages))


class KeepsRequests(SourceCore):
    """Keeps what was asked for on the old connection."""

    def lose(self, why: str, thread: Thread = Thread.MIGRATION) -> None:
        before = self._requests.copy()
        super().lose(why, thread)
        if self.paused:
            self._requests = before


class KeepsTheRestOfAHostPage(SourceCore):
    """Goes on within the host page that was on its way."""

    def lose(self, why: str, thread: Thread = Thread.MIGRATION) -> None:
        before = self._sending
        super().lose(why, thread)
        if self.paused:
            self._sending = before


class AsksNothing(SourceCore):
    """Resumes without a question."""

    def ask_what_arrived(self) -> list[StreamMessage]:
        super().ask_what_arrived()
        return []


class DoesNotWaitForTheAcknowledgement(SourceCore):
    """Goes on as soon as RESUME is out."""

    def resume(self) -> list[StreamMessage]:
        messages = super().resume()
        self.phase = Phase.POSTCOPY
        return messages


class PausesInPrecopy(SourceCore):
    """Waits for a recovery where the guest could go on here (A16)."""

    def lose(self, why: str, thread: Thread = Thread.MIGRATION) -> None:
        if self.phase is Phase.PRECOPY:
            self.phase = Phase.PAUSED
        super().lose(why, thread)


class FailsAtASecondBreak(SourceCore):
    """Gives up where the new connection breaks as well (A11)."""

    def lose(self, why: str, thread: Thread = Thread.MIGRATION) -> None:
        before = self.phase
        super().lose(why, thread)
        if before in RECOVERING:
            self.phase = Phase.FAILED


class TakesTheGuestBack(SourceCore):
    """Starts the guest again where there is no other connection (R15)."""

    def give_up(self, why: str) -> None:
        super().give_up(why)
        self.guest_may_run = True


class FailsInPostcopy(SourceCore):
    """Does not pause."""

    def send_package(self, devices: object) -> list[StreamMessage]:
        messages = super().send_package(devices)  # type: ignore[arg-type]
        self.recoverable = False
        return messages


class ForgetsWhatWasAskedFor(DestinationCore):
    """Asks for nothing again (A08)."""

    def _resume(self) -> Sequence[Output]:
        self._open.clear()
        return super()._resume()


class AsksAgainTooEarly(DestinationCore):
    """Asks again in front of the acknowledgement (A09)."""

    def _resume(self) -> Sequence[Output]:
        acknowledged = super()._resume()
        return [*(request for page in self.unread for request in self._request(page)), *acknowledged]


class AsksWithoutAConnection(DestinationCore):
    """Asks for a page while the migration is paused."""

    def fault(self, page: int, who: str = "") -> Sequence[Output]:
        outputs = super().fault(page, who)
        return outputs or self._request(page)


class AcknowledgesNothing(DestinationCore):
    """Goes on without a word."""

    def _resume(self) -> Sequence[Output]:
        return [output for output in super()._resume() if not isinstance(output, ResumeAck)]


class SaysThatAllHasArrived(DestinationCore):
    """Says that it has each page."""

    def _say_what_arrived(self, block: str) -> Sequence[Output]:
        (reply,) = super()._say_what_arrived(block)
        assert isinstance(reply, ReceivedBitmap)
        return [ReceivedBitmap(block, b"\1" + reply.bitmap[1:])]


class PausesBeforeRun(DestinationCore):
    """Waits for a recovery without a guest that runs (A14)."""

    def lose(self, why: str) -> Sequence[Output]:
        if self.recovery and self.state is State.LISTEN:
            self.state = State.PAUSED
            return []
        return super().lose(why)


class GivesUpAtASecondBreak(DestinationCore):
    """Loses its guest where the new connection breaks as well (A11)."""

    def lose(self, why: str) -> Sequence[Output]:
        before = self.state
        effects = super().lose(why)
        if before is not State.RECOVERING:
            return effects
        self.state = State.FAILED
        return [GiveUpGuest()]


class KeepsPartsOfAHostPage(DestinationCore):
    """Waits for the rest of a host page that comes again as a whole (A43)."""

    def _pause(self, why: str) -> Sequence[Output]:
        before = dict(self.assembly)
        effects = super()._pause(why)
        self.assembly.update(before)
        return effects


class RepliesWhilePaused(DestinationCore):
    """Takes the old return path for open."""

    def _pause(self, why: str) -> Sequence[Output]:
        effects = super()._pause(why)
        self.return_path_open = True
        return effects


class LeavesTheGuestRunning(DestinationCore):
    """Lets its guest run when it has given it up."""

    def give_up(self, why: str) -> Sequence[Output]:
        before = self.state
        effects = super().give_up(why)
        return [] if before is State.PAUSED else effects


IN_RECOVERY = (
    Mutant(KeepsItsBitmap, "", "differ in source.dirty: 0 and 1", recovery=True),
    Mutant(SendsAllAgain, "", "differ in source.dirty: 1 and 0", recovery=True),
    Mutant(KeepsRequests, "", "differ in source.requests: 1 and 0", recovery=True),
    Mutant(KeepsTheRestOfAHostPage, "", "differ in source.sending: 2 and 0", recovery=True, group=2),
    Mutant(AsksNothing, "", "what is on the stream: nothing and RECV_BITMAP", recovery=True),
    Mutant(DoesNotWaitForTheAcknowledgement, "", "differ in source.recovery: NO and RESUMING", recovery=True),
    Mutant(PausesInPrecopy, "", "source.recovery: PAUSED and NO", recovery=True),
    Mutant(FailsAtASecondBreak, "", "differ in source.phase: FAILED and POSTCOPY", recovery=True),
    Mutant(TakesTheGuestBack, "", "differ in source.running: True and False", recovery=True),
    Mutant(FailsInPostcopy, "", "differ in source.switched: False and True", recovery=True),
    Mutant(ForgetsWhatWasAskedFor, "", "differ in destination.faulted: 0 and 1", recovery=True),
    Mutant(AsksAgainTooEarly, "", "what is on the return path: REQ_PAGES 1, RESUME_ACK and RESUME_ACK", recovery=True),
    Mutant(AsksWithoutAConnection, "", "what is on the return path: REQ_PAGES 1 and nothing", recovery=True),
    Mutant(AcknowledgesNothing, "", "what is on the return path: nothing and RESUME_ACK", recovery=True),
    Mutant(SaysThatAllHasArrived, "", "what is on the return path: BITMAP 1 and BITMAP", recovery=True),
    Mutant(PausesBeforeRun, "", "differ in destination.state: RUNNING and FAILED", recovery=True),
    Mutant(GivesUpAtASecondBreak, "", "differ in destination.state: FAILED and RUNNING", recovery=True),
    Mutant(KeepsPartsOfAHostPage, "", "differ in destination.assembling: 1 and 0", recovery=True, group=2),
    Mutant(RepliesWhilePaused, "", "differ in destination.return_path_open: True and False", recovery=True),
    Mutant(LeavesTheGuestRunning, "", "started, not by its core", recovery=True),
)
"""What may be wrong with recovery; the numbers are those of docs/history.md."""
