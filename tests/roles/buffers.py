"""Changes in which a page stays at a place of its own on its way, and some that lose it there."""

from enum import Enum, auto

from postcopy.language import NONE, Bitmap, Channel, Page, Receives, Sends, Thread, action, require
from postcopy.model.destination import Destination
from postcopy.model.network import Command
from postcopy.model.postcopy import Postcopy
from postcopy.model.roles import Role
from postcopy.model.source import Phase, Source


class Buffered(Postcopy):
    """The listen thread keeps a page in a buffer of its own before it places it. Nothing is wrong with that."""

    class destination(Destination):
        """Reads and places in two steps."""

        buffer = Bitmap("the page that has been read and not placed", role=Role.LANDING)

        def places_page(self) -> None:
            """reads a page into its buffer"""
            require(self._listening())
            require(self.buffer.empty)
            message = self.stream.receive(Command.PAGE)
            self.buffer = message.pages
            self.guest.arrived(message.pages, message.marked["stale"])

        @action(Destination.listen)
        def places_buffer(self) -> None:
            """places what is in its buffer"""
            require(not self.buffer.empty)
            page = self.buffer
            self.buffer = NONE
            self._place(page)

        def ends(self) -> None:
            """ends with an empty buffer"""
            require(self.buffer.empty)
            super().ends()

        def _give_up(self) -> None:
            super()._give_up()
            self.buffer = NONE


class BufferLost(Buffered):
    """What is in the buffer is forgotten as the next page comes."""

    class destination(Buffered.destination):
        """Overwrites its buffer."""

        def places_page(self) -> None:
            """reads a page into its buffer, whatever is there"""
            require(self._listening())
            message = self.stream.receive(Command.PAGE)
            self.buffer = message.pages
            self.guest.arrived(message.pages, message.marked["stale"])


class Handed(Enum):
    """What the listen thread hands to its worker."""

    COPY = auto()


class QueuedForWorker(Postcopy):
    """The listen thread hands pages to a worker on a queue of its own, which places them."""

    queue = Channel(Handed, marks=("stale",), marked=(Handed.COPY,))

    class destination(Destination):
        """Has a worker that places."""

        worker = Thread("placing thread")

        queue_in = Sends("queue")
        queue_out = Receives("queue")

        def places_page(self) -> None:
            """reads a page and hands it to the worker"""
            require(self._listening())
            require(self.queue_in.room())
            message = self.stream.receive(Command.PAGE)
            self.queue_in.send(Handed.COPY, message.pages, stale=message.marked["stale"])

        @action(worker)
        def places_queued(self) -> None:
            """places a page from the queue"""
            message = self.queue_out.receive(Handed.COPY)
            self.guest.arrived(message.pages, message.marked["stale"])
            self._place(message.pages)

        def ends(self) -> None:
            """ends when the queue is empty"""
            require(self.queue_out.empty)
            super().ends()

        def _give_up(self) -> None:
            super()._give_up()
            self.queue_out.close()


class Urgency(Enum):
    """A request that must not wait."""

    NOW = auto()


class RequestsInTwoKinds(Postcopy):
    """The fault thread asks with a message of its own, which the source queues as any request."""

    return_path = Postcopy.return_path.extended(Urgency)
    roles = {Urgency.NOW: Role.REQUEST}

    class destination(Destination):
        """Asks with the new message."""

        def requests_page(self, page: Page) -> None:
            """reads a fault and asks for its page at once"""
            require(self._listening())
            require(self.faulted[page])
            self._ready_to_reply()
            self.faulted -= page
            self.return_path.send(Urgency.NOW, page.host_pages)

    class source(Source):
        """Reads the new message."""

        @action(Source.return_path_thread)
        def receives_urgent_request(self) -> None:
            """receives an urgent request and queues it"""
            require(self.phase < Phase.COMPLETED)
            message = self.return_path.receive(Urgency.NOW)
            if self.phase < Phase.ENDING:
                self.requests |= message.pages


class UrgentRequestForgotten(RequestsInTwoKinds):
    """The source reads the new message and does nothing."""

    class source(RequestsInTwoKinds.source):
        """Forgets."""

        def receives_urgent_request(self) -> None:
            """receives an urgent request and forgets it"""
            require(self.phase < Phase.COMPLETED)
            self.return_path.receive(Urgency.NOW)


class TwoBitmaps(Postcopy):
    """The source moves what is dirty into a second bitmap at the switch, and sends from there."""

    class source(Source):
        """Has a bitmap for postcopy alone."""

        rest = Bitmap("pages that are to be sent in postcopy", role=Role.UNSENT)

        def sends_package(self) -> None:
            """sends the package, and moves the bitmap"""
            super().sends_package()
            self.rest = self.dirty
            self.dirty = NONE

        def serves_request(self, page: Page) -> None:
            """serves a requested page, or drops the request"""
            self._before()
            super().serves_request(page)
            self._after()

        def sends_background_page(self, page: Page) -> None:
            """sends a page that is still in the second bitmap"""
            self._before()
            super().sends_background_page(page)
            self._after()

        def ends_postcopy(self) -> None:
            """ends the stream: the second bitmap is empty"""
            require(self.rest.empty)
            super().ends_postcopy()

        def _before(self) -> None:
            require(self.phase == Phase.POSTCOPY)
            self.dirty = self.rest

        def _after(self) -> None:
            self.rest = self.dirty
            self.dirty = NONE

        def _clean_up(self) -> None:
            super()._clean_up()
            self.rest = NONE
