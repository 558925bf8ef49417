"""Further small sound changes, as a user would write them. None of them brings a conjunct.

They were written after the search for conjuncts, which was not changed for them.
"""

from __future__ import annotations

from enum import Enum, auto

from postcopy.language import NONE, Bitmap, Choice, Count, Flag, Page, action, require
from postcopy.model.destination import Destination, Main
from postcopy.model.network import Command, Reply
from postcopy.model.postcopy import Postcopy
from postcopy.model.roles import Role
from postcopy.model.source import Phase, Source


class RequestInbox(Postcopy):
    """The return-path thread puts requests into an inbox, which the migration thread empties into its queue."""

    class source(Source):
        """Has an inbox between two threads."""

        inbox = Bitmap("pages asked for that the migration thread has not looked at yet", role=Role.REQUEST)

        def receives_request(self) -> None:
            """receives a page request and puts it into the inbox"""
            require(self.phase < Phase.COMPLETED)
            message = self.return_path.receive(Reply.REQ_PAGES)
            if self.phase < Phase.ENDING:
                self.inbox |= message.pages

        @action(Source.migration)
        def empties_inbox(self) -> None:
            """moves what is in the inbox to the queue"""
            require(self.phase == Phase.POSTCOPY)
            require(not self.inbox.empty)
            self.requests |= self.inbox
            self.inbox = NONE

        def ends_postcopy(self) -> None:
            """ends the stream: nothing is dirty, no request is open, and none is in the inbox"""
            require(self.inbox.empty)
            super().ends_postcopy()

        def _clean_up(self) -> None:
            super()._clean_up()
            self.inbox = NONE


class SendsInBursts(Postcopy):
    """After two background pages in a row the source makes a pause."""

    class source(Source):
        """Counts background pages."""

        burst = Count("background pages since the last pause", 0, 2)

        def sends_background_page(self, page: Page) -> None:
            """sends a page that was not asked for, unless a pause is due"""
            require(self.burst < 2)
            super().sends_background_page(page)
            self.burst += 1

        @action(Source.migration)
        def makes_a_pause(self) -> None:
            """makes a pause: the burst is over"""
            require(self.burst == 2)
            self.burst = 0


class FailsInTwoSteps(Postcopy):
    """The return-path thread notes that the connection is gone, and the migration thread gives up."""

    class source(Source):
        """Has a flag between two threads."""

        loss_seen = Flag("the connection has been seen to be gone")

        def notices_loss(self) -> None:
            """notes that the connection is gone"""
            require(self.phase > Phase.IDLE and self.phase < Phase.COMPLETED)
            require(self.stream.broken)
            require(not self.loss_seen)
            self.loss_seen = True

        @action(Source.migration)
        def gives_up(self) -> None:
            """gives up, because the connection was seen to be gone"""
            require(self.loss_seen)
            require(self.phase < Phase.COMPLETED)
            self._fail()

        def _clean_up(self) -> None:
            super()._clean_up()
            self.loss_seen = False


class Marker(Enum):
    """Commands beside those of the document."""

    ROUND = auto()


class MarksRounds(Postcopy):
    """In precopy the source marks the end of a round, and the destination notes whether it has seen one."""

    stream = Postcopy.stream.extended(Marker)

    class source(Source):
        """Marks rounds."""

        @action(Source.migration)
        def marks_round(self) -> None:
            """marks the end of a round"""
            require(self.phase == Phase.PRECOPY)
            self._ready_to_send()
            self.stream.send(Marker.ROUND)

    class destination(Destination):
        """Notes rounds."""

        round_seen = Flag("the end of a round has come")

        @action(Destination.main_thread)
        def notes_round(self) -> None:
            """notes the end of a round"""
            require(self.main == Main.STREAM)
            self.stream.receive(Marker.ROUND)
            self.round_seen = True


class ListenThread(Enum):
    """Where the listen thread is."""

    NOT_STARTED = auto()
    RUNNING = auto()
    JOINED = auto()


class KnowsItsListenThread(Postcopy):
    """Where the listen thread is has a field of its own, and what it may do depends on that field alone."""

    class destination(Destination):
        """Starts and joins the thread."""

        listener = Choice("where the listen thread is", ListenThread.NOT_STARTED)

        def _listening(self) -> bool:
            return self.listener == ListenThread.RUNNING

        def _listen(self) -> None:
            super()._listen()
            self.listener = ListenThread.RUNNING

        def ends(self) -> None:
            """reads the end of the stream, cleans up and joins the listen thread"""
            super().ends()
            self.listener = ListenThread.JOINED

        def _give_up(self) -> None:
            super()._give_up()
            self.listener = ListenThread.JOINED


class AdvisesBeforePing(Postcopy):
    """ADVISE is sent before the ping."""

    class source(Source):
        """Opens in another order."""

        def advises(self) -> None:
            """advises the destination that postcopy may come; without the capability goes straight on to the ping"""
            require(self.phase == Phase.PINGING)
            if self.postcopy_capability:
                self._ready_to_send()
                self.stream.send(Command.ADVISE)
            self.phase = Phase.ADVISING

        def pings(self) -> None:
            """pings the destination"""
            require(self.phase == Phase.ADVISING)
            self._ready_to_send()
            self.stream.send(Command.PING)
            self.phase = Phase.PRECOPY


SOUND: tuple[type[Postcopy], ...] = (
    RequestInbox,
    SendsInBursts,
    FailsInTwoSteps,
    MarksRounds,
    KnowsItsListenThread,
    AdvisesBeforePing,
)
"""All of them."""
