"""The promises of a migration are asked: its guest runs again somewhere, and a host says truly how it ended.

Each change breaks one of them in some runs only, and keeps all else.
"""

from __future__ import annotations

import pytest

from postcopy.catalogue.properties import asked_of
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options
from postcopy.language import require
from postcopy.language.instance import Instance
from postcopy.model.destination import Destination, Main, State
from postcopy.model.network import Reply
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Phase, Source

# -- the guest runs again ----------------------------------------------------------------------------------------------


class GuestNeverStarts(Postcopy):
    """The migration completes, and in some runs the guest never runs again."""

    class destination(Destination):
        """Forgets the CPUs where a fault of the device load is still queued."""

        def handles_run(self) -> None:
            """starts the CPUs, unless a fault is queued"""
            require(self.main == Main.RUN)
            require(self.state == State.LISTEN)
            self.state = State.RUNNING
            self.running = self.faulted.empty
            self.main = Main.LEFT


class NeverStartsAfterPrecopy(Postcopy):
    """A migration that ends in precopy leaves the guest stopped where postcopy was possible."""

    class destination(Destination):
        """Waits for a RUN that does not come."""

        def loads_precopy_end(self) -> None:
            """loads the device state, and starts the CPUs unless a RUN might come"""
            super().loads_precopy_end()
            self.running = self.state == State.END and not self._can_do_postcopy()


class StaysStoppedAfterCancel(Postcopy):
    """A migration that is cancelled with nothing left to send leaves the guest stopped."""

    class source(Source):
        """Lets the guest go on only where something is dirty."""

        def operator_cancels(self) -> None:
            """cancels, and lets the guest go on where something is dirty"""
            require(self.phase > Phase.IDLE)
            require(self.phase < Phase.POSTCOPY)
            self.running = not self.dirty.empty
            self._clean_up()
            self.phase = Phase.CANCELLED


class StopsAtTheEnd(Postcopy):
    """The guest is stopped when the last page has come."""

    class destination(Destination):
        """Cleans up more than it should."""

        def ends(self) -> None:
            """reads the end of the stream and cleans up, the CPUs too"""
            super().ends()
            self.running = False


# -- a host says truly how it ended ------------------------------------------------------------------------------------


class FalseFailure(Postcopy):
    """The source reports a failure although all has arrived and the guest runs at the destination."""

    class destination(Destination):
        """Reports a failure where it was started without the capability."""

        def sends_shut(self) -> None:
            """tells the source how it ended, wrongly where it has no capability for postcopy"""
            require(self.owes_shut)
            if not self.return_path.broken:
                require(self.return_path_open)
                require(self.return_path.room())
                if self.postcopy_capability:
                    self.return_path.send(Reply.SHUT_OK)
                else:
                    self.return_path.send(Reply.SHUT_ERROR)
            self.owes_shut = False


class FalseSuccess(Postcopy):
    """The source calls the migration completed when it has sent all."""

    class source(Source):
        """Does not wait for SHUT."""

        def ends_postcopy(self) -> None:
            """sends the end of the stream, and takes the migration for completed"""
            super().ends_postcopy()
            self.phase = Phase.COMPLETED


class FalseCancel(Postcopy):
    """A lost connection is called a cancellation."""

    class source(Source):
        """Reports what did not happen."""

        def notices_loss(self) -> None:
            """notices that the connection is gone, and says in precopy that the operator has cancelled"""
            precopy = self.phase == Phase.PRECOPY
            super().notices_loss()
            if precopy:
                self.phase = Phase.CANCELLED


class FailsAfterAll(Postcopy):
    """The destination gives up in precopy where nothing has gone wrong."""

    class destination(Destination):
        """Takes an early page for a mistake."""

        def loads_precopy_page(self) -> None:
            """loads a page, or gives up where no ADVISE has come"""
            if self.state == State.NONE and not self.return_path_open:
                require(self.main == Main.STREAM)
                require(not self.stream.empty)
                self._give_up()
            else:
                super().loads_precopy_page()


BROKEN: dict[type[Postcopy], str] = {
    GuestNeverStarts: "the-guest-runs-again",
    NeverStartsAfterPrecopy: "the-guest-runs-again",
    StaysStoppedAfterCancel: "guest-goes-on-in-precopy",
    StopsAtTheEnd: "the-guest-runs-again",
    FalseFailure: "shut-says-the-truth",
    FalseSuccess: "completed-means-arrived",
    FalseCancel: "operator-cancels-alone",
    FailsAfterAll: "failed-for-a-reason",
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("protocol", BROKEN)
def test_a_promise_that_is_broken_in_some_runs_is_found(protocol: type[Postcopy]) -> None:
    verdict = explore(Instance(protocol, 1, 1, asked_of(protocol)), Options(engine=Engine.INTERPRETED))
    assert verdict.violated is not None
    assert verdict.violated.name == BROKEN[protocol]
