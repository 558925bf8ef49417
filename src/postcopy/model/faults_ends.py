"""Faults in how a migration ends: by a failure, a refusal, a cancel, or well. Each breaks a single promise. Gathered
with the others in `postcopy.model.faults`.
"""

from __future__ import annotations

from postcopy.language import NONE, action, require
from postcopy.model.destination import Destination, Main, State
from postcopy.model.fault import Fault
from postcopy.model.guest import Mishap
from postcopy.model.network import Command, Reply, Wire
from postcopy.model.source import Phase, Source


class SendsOnBrokenConnection(Fault):
    """The source does not look whether the connection stands, and what it sends arrives all the same."""

    rule, breaks = "R15", ("nothing-sent-when-broken",)

    class source(Source):
        """Looks for room only."""

        def _ready_to_send(self) -> None:
            """There is room."""
            require(self.stream.room())


class LossInOneDirection(Fault):
    """The network loses the connection in one direction only: the return path goes on."""

    rule, breaks = "R15", ("both-break-together",)

    class wire(Wire):
        """Has a connection for each direction."""

        def loses_the_connection(self) -> None:
            """loses the stream, and not the return path"""
            require(not self.stream.broken)
            self.failed = True
            self.stream.close()


class WaitsOnLostConnection(Fault):
    """The listen thread does not notice that the connection is gone, and waits for the next message for ever."""

    rule, breaks = "R15", ("no-deadlock", "the-migration-ends")

    class destination(Destination):
        """Looks for messages only."""

        loses_the_guest = None  # type: ignore[assignment]


class CleansUpInPart(Fault):
    """The source cleans up its bitmaps at the end, and forgets the requests that wait."""

    rule, breaks = "R15", ("nothing-is-kept",)

    class source(Source):
        """Keeps requests."""

        def _clean_up(self) -> None:
            """Requests stay in their queue."""
            kept = self.requests
            super()._clean_up()
            self.requests = kept


class DestinationCleansUpInPart(Fault):
    """The destination gives up, and its guest's memory stays sensitive: a touch of it would never be answered."""

    rule, breaks = "R15", ("nothing-is-kept",)

    class destination(Destination):
        """Keeps its userfaultfd."""

        def _give_up(self) -> None:
            """Memory stays as it is."""
            sensitive = self.sensitive
            super()._give_up()
            self.sensitive = sensitive


class DestinationKeepsMemory(Fault):
    """The destination gives up, and keeps the pages that have come."""

    rule, breaks = "R15", ("nothing-is-kept",)

    class destination(Destination):
        """Does not release its guest's memory."""

        def _give_up(self) -> None:
            """Pages stay."""
            present = self.present
            super()._give_up()
            self.present = present


class DestinationKeepsAssembly(Fault):
    """The destination gives up, and keeps the target pages of a host page that is not whole."""

    rule, breaks, group = "R15", ("nothing-is-kept",), 2

    class destination(Destination):
        """Does not release what is not placed."""

        def _give_up(self) -> None:
            """The rest of the host page may still come."""
            assembling = self.assembling
            super()._give_up()
            self.assembling = assembling


class DestinationKeepsDevices(Fault):
    """The destination gives up, and its devices stay loaded."""

    rule, breaks = "R15", ("nothing-is-kept",)

    class destination(Destination):
        """Does not reset its devices."""

        def _give_up(self) -> None:
            """Devices stay as they are."""
            loaded = self.devices_loaded
            super()._give_up()
            self.devices_loaded = loaded


class SourceRunsOnAfterDeath(Fault):
    """A source host that dies while its guest runs is taken for one whose migration alone has failed."""

    rule, breaks = "R15", ("nothing-is-kept",)

    class source(Source):
        """Does not stop its guest."""

        def host_dies(self) -> None:
            """dies, and its guest is taken to go on"""
            running = self.running
            super().host_dies()
            self.running = running


class OperatorDeclaresLoss(Fault):
    """Only the operator notices that the connection is gone, and says that the migration has failed."""

    rule, breaks = "R15", ("threads-do-their-own-work",)

    class source(Source):
        """Leaves it to the operator."""

        @action(Source.operator)
        def notices_loss(self) -> None:
            """notices that the connection is gone"""
            super().notices_loss()


class SourceWaitsOnLostConnection(Fault):
    """The migration thread does not notice that the connection is gone, and waits for ever."""

    rule, breaks = "R15", ("no-deadlock", "the-migration-ends")

    class source(Source):
        """Does not look whether the connection stands."""

        notices_loss = None  # type: ignore[assignment]


class RepliesOnBrokenConnection(Fault):
    """The destination does not look whether the connection stands, and what it replies arrives all the same."""

    rule, breaks = "R15", ("nothing-sent-when-broken",)

    class destination(Destination):
        """Looks for room only."""

        def _ready_to_reply(self) -> None:
            """The return path is open, and there is room."""
            require(self.return_path_open)
            require(self.return_path.room())


class ResumesAfterCompletion(Fault):
    """The source starts its guest again when the migration is completed, as it does after any other end."""

    rule, breaks = "R15", ("no-two-guests", "no-write-after-switch")

    class source(Source):
        """Has one end for all."""

        def receives_shut(self) -> None:
            """receives the destination's word that all has arrived, and starts the guest"""
            super().receives_shut()
            self.running = True


class RefusesUnasked(Fault):
    """A destination that cannot do postcopy refuses at once, and not only where it is asked for postcopy."""

    rule, breaks = "R23", ("only-advise-is-refused",)

    class destination(Destination):
        """Does not wait for ADVISE."""

        def refuses_advise(self) -> None:
            """refuses the migration: it has no capability for postcopy, or its host cannot do it"""
            require(self.main == Main.STREAM)
            require(self.state == State.NONE)
            require(not self._can_do_postcopy())
            self._ready_to_reply()
            self.return_path.send(Reply.SHUT_ERROR)
            self.observe(Mishap.REFUSAL)
            self._give_up()


class RefusesTooLate(Fault):
    """The destination takes ADVISE unseen, and refuses at LISTEN: the guest has been handed over by then."""

    rule, breaks = "R23", ("postcopy-where-supported",)

    class destination(Destination):
        """Checks its host when it is needed."""

        refuses_advise = None  # type: ignore[assignment]

        def handles_advise(self) -> None:
            """prepares its memory for postcopy, and does not check its host"""
            require(self.main == Main.STREAM)
            require(self.state == State.NONE)
            self.stream.receive(Command.ADVISE)
            self.state = State.ADVISE
            self._prepare_memory()

        def handles_listen(self) -> None:
            """starts the listen thread, or gives up: its host cannot do postcopy"""
            if self._can_do_postcopy():
                super().handles_listen()
            else:
                require(self.main == Main.PACKAGE)
                self.observe(Mishap.REFUSAL)
                self._give_up()


class RefusalCalledSuccess(Fault):
    """The destination refuses ADVISE, and its SHUT reports no error."""

    rule, breaks = "R23", ("shut-says-the-truth",)

    class destination(Destination):
        """Has one SHUT for every end."""

        def refuses_advise(self) -> None:
            """refuses postcopy, and says that all is well"""
            require(self.main == Main.STREAM)
            require(self.state == State.NONE)
            require(not self._can_do_postcopy())
            self._ready_to_reply()
            self.stream.receive(Command.ADVISE)
            self.return_path.send(Reply.SHUT_OK)
            self.observe(Mishap.REFUSAL)
            self._give_up()


class ReportsFailure(Fault):
    """A destination that was started without the capability reports an error at the end, although all has arrived."""

    rule, breaks = "R24", ("shut-says-the-truth", "failed-for-a-reason")

    class destination(Destination):
        """Says that it failed."""

        def sends_shut(self) -> None:
            """tells the source how it ended, wrongly where it has no capability for postcopy"""
            require(self.owes_shut)
            if not self.return_path.broken:
                require(self.return_path_open)
                require(self.return_path.room())
                self.return_path.send(Reply.SHUT_OK if self.postcopy_capability else Reply.SHUT_ERROR)
            self.owes_shut = False


class AnyShutCompletes(Fault):
    """The source takes any SHUT for the end of the migration, that of a refusal too."""

    rule, breaks = "R24", ("completed-means-arrived",)

    class source(Source):
        """Does not look at the status."""

        def receives_shut_with_error(self) -> None:
            """receives the destination's word, and calls the migration completed"""
            super().receives_shut_with_error()
            self.phase = Phase.COMPLETED


class EndsWithRequests(Fault):
    """The source ends the stream although requests wait, and forgets them when SHUT has come."""

    rule, breaks = "R24", ("nothing-is-kept",)

    class source(Source):
        """Does not look at the requests."""

        def ends_postcopy(self) -> None:
            """ends the stream: nothing is dirty"""
            require(self.phase == Phase.POSTCOPY)
            require(self.dirty.empty)
            self._ready_to_send()
            self.stream.send(Command.EOF)
            self.phase = Phase.ENDING

        def receives_shut(self) -> None:
            """receives the destination's word, and forgets the requests"""
            super().receives_shut()
            self.requests = NONE


class DirtyPagesNoticedLate(Fault):
    """The source ends the stream although pages are dirty, and calls the migration failed when SHUT has come."""

    rule, breaks = "R24", ("no-page-lost",)

    class source(Source):
        """Looks at the migration bitmap too late."""

        def ends_postcopy(self) -> None:
            """ends the stream: no request is open"""
            require(self.phase == Phase.POSTCOPY)
            require(self.requests.empty)
            self._ready_to_send()
            self.stream.send(Command.EOF)
            self.phase = Phase.ENDING

        def receives_shut(self) -> None:
            """receives the destination's word, and fails if pages are dirty"""
            failed = not self.dirty.empty
            super().receives_shut()
            if failed:
                self._clean_up()
                self.phase = Phase.FAILED


class ShutSentAgain(Fault):
    """The destination forgets that it has sent SHUT."""

    rule, breaks = "R24", ("shut-once",)

    class destination(Destination):
        """Owes SHUT for ever."""

        def sends_shut(self) -> None:
            """tells the source that all has arrived, and will do so again"""
            super().sends_shut()
            self.owes_shut = not self.return_path.broken


class ShutBeforeTheEnd(Fault):
    """The destination owes SHUT from RUN on, and does not wait for the end of the stream."""

    rule, breaks = "R24", ("shut-says-the-truth",)

    class destination(Destination):
        """Says at once that all has arrived."""

        def handles_run(self) -> None:
            """starts the CPUs, and owes SHUT"""
            super().handles_run()
            self.owes_shut = True


class CancelLeavesGuestStopped(Fault):
    """A cancel after the CPUs were stopped does not start them again."""

    rule, breaks = "R27", ("guest-goes-on-in-precopy", "the-guest-runs-again")

    class source(Source):
        """Cancels the migration alone."""

        def operator_cancels(self) -> None:
            """cancels the migration, and leaves the guest as it is"""
            running = self.running
            super().operator_cancels()
            self.running = running


class LossCalledCancel(Fault):
    """The source takes a lost connection in precopy for a cancel by the operator."""

    rule, breaks = "R27", ("operator-cancels-alone",)

    class source(Source):
        """Has one word for both."""

        def notices_loss(self) -> None:
            """notices that the connection is gone, and says that the migration was cancelled"""
            super().notices_loss()
            if self.running:
                self.phase = Phase.CANCELLED


class CancelAfterSwitch(Fault):
    """Cancelling is accepted in postcopy too, and brings back the source's guest (A32)."""

    rule, breaks = "R27", ("no-two-guests",)

    class source(Source):
        """Has no state that tells the operator."""

        def operator_cancels(self) -> None:
            """cancels the migration, and the guest goes on here"""
            require(Phase.IDLE < self.phase and self.phase < Phase.COMPLETED)
            self._clean_up()
            self.phase = Phase.CANCELLED
            self.running = True


ENDS: tuple[type[Fault], ...] = (
    SendsOnBrokenConnection,
    LossInOneDirection,
    WaitsOnLostConnection,
    CleansUpInPart,
    DestinationCleansUpInPart,
    DestinationKeepsMemory,
    DestinationKeepsAssembly,
    DestinationKeepsDevices,
    SourceRunsOnAfterDeath,
    OperatorDeclaresLoss,
    SourceWaitsOnLostConnection,
    RepliesOnBrokenConnection,
    ResumesAfterCompletion,
    RefusesUnasked,
    RefusesTooLate,
    RefusalCalledSuccess,
    ReportsFailure,
    AnyShutCompletes,
    EndsWithRequests,
    DirtyPagesNoticedLate,
    ShutSentAgain,
    ShutBeforeTheEnd,
    CancelLeavesGuestStopped,
    LossCalledCancel,
    CancelAfterSwitch,
)
