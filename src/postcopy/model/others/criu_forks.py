"""A process that forks while its pages still come: the child has a memory of its own, and the daemon serves both.

The child gets the pages that are there, and the daemon a list of those that it has to fetch for the child: all that
the parent lacks, those under way included. The child only reads here, and forks no more. A page that the daemon does
not know reads as zeros, in either memory; the observer has one set for both, so that what is stale in one counts as
stale in the other. Only defects fill pages with zeros.
"""

from enum import Enum, auto

from postcopy.language import (
    NONE,
    Bitmap,
    Flag,
    Page,
    PageSet,
    Thread,
    View,
    action,
    require,
    sometimes,
)
from postcopy.model.destination import State
from postcopy.model.guest import Memory
from postcopy.model.others.criu import CriuLazyPagesMended, Destination, Source
from postcopy.model.roles import Role
from postcopy.model.source import Phase


class ForChild(Enum):
    """Requests and answers that are the child's."""

    CHILD_REQUEST = auto()
    CHILD_PAGE = auto()


@sometimes("The child needs a page that the parent has")
def child_needs_more(state: View) -> bool:
    """The source has to serve it twice."""
    destination = state.destination
    return not (destination.child_waiting & destination.present).empty


class ForkSource(Source):
    """Serves the memory that both have had from the same pipes."""

    @action(Source.dump, qemu="criu/page-xfer.c:page_server_get_pages")
    def serves_child(self) -> None:
        """reads a request for the child, and answers with all of its pages"""
        require(self.phase == Phase.POSTCOPY)
        self._ready_to_send()
        require(self._has(self.return_path.peek(ForChild.CHILD_REQUEST).pages))
        message = self.return_path.receive(ForChild.CHILD_REQUEST)
        self.stream.send(ForChild.CHILD_PAGE, message.pages, stale=NONE & message.pages)
        self._was_served(message.pages)

    def _has(self, pages: PageSet) -> bool:  # noqa: ARG002
        """A pipe keeps its pages."""
        return True

    def _was_served(self, pages: PageSet) -> None:
        """Nothing changes."""


class ForkDestination(Destination):
    """One daemon with two lists."""

    child = Thread("child process")

    forked = Flag("the process has forked")
    child_present = Bitmap("pages that the child has", role=Role.PRESENT)
    child_left = Bitmap("pages that the daemon has not requested for the child", role=Role.NOTE)
    child_queued = Bitmap("pages that the daemon has requested for the child", role=Role.NOTE)
    child_faulted = Bitmap("faults of the child that have not been read yet", role=Role.REQUEST)
    child_waiting = Bitmap("the page that the child waits for", waits=child)

    @action(Destination.daemon, qemu="criu/uffd.c:handle_fork", environment=True)
    def handles_fork(self) -> None:
        """reads that the process has forked, and copies its lists for the child"""
        require(self.state == State.RUNNING)
        require(self.sensitive)
        require(not self.forked)
        self.forked = True
        self.child_present = self.present
        self._copy_lists()

    @action(child, environment=True)
    def child_touches(self, page: Page) -> None:
        """reads a page"""
        require(self.forked)
        require(self.running)
        require(self.child_waiting.empty)
        if self.sensitive and not self.child_present[page]:
            self.child_waiting = page
            self.child_faulted |= page
        else:
            self.observe(Memory.CPU_READ, page)
            if not self.child_present[page]:
                self.guest.filled_with_zeros(page)
                self.child_present |= page

    @action(Destination.daemon, qemu="criu/uffd.c:handle_page_fault")
    def handles_fault_of_child(self, page: Page) -> None:
        """reads a fault of the child: requests its page, unless it has been requested"""
        require(self.sensitive)
        require(self.child_faulted[page])
        if self.child_queued[page]:
            self.child_faulted -= page
        elif self.child_left[page]:
            self._ready_to_ask()
            self.child_faulted -= page
            self._ask_for_child(page)
        else:
            self.guest.filled_with_zeros(page)
            self._give_child(page)

    @action(Destination.daemon, qemu="criu/uffd.c:xfer_pages")
    def asks_for_the_rest_of_child(self) -> None:
        """has nothing else to do, and requests all that the child lacks"""
        require(self.state == State.RUNNING)
        require(self.sensitive)
        require((self.faulted | self.child_faulted | self.queued | self.child_queued).empty)
        require(not self.child_left.empty)
        self._ready_to_ask()
        self._ask_for_child(self.child_left)

    @action(Destination.daemon, qemu="criu/uffd.c:uffd_io_complete")
    def receives_pages_for_child(self) -> None:
        """receives an answer for the child, and copies its pages"""
        require(self.sensitive)
        message = self.stream.receive(ForChild.CHILD_PAGE)
        self.child_queued -= message.pages
        self._give_child(message.pages)

    def ends(self) -> None:
        """has nothing left and nothing under way, for parent and child: says so, and ends"""
        require(self._child_is_served())
        super().ends()

    def _child_is_served(self) -> bool:
        return (self.child_left | self.child_queued | self.child_faulted).empty

    def _copy_lists(self) -> None:
        """What is under way for the parent is requested again for the child."""
        self.child_left = self.left | self.queued

    def _ask_for_child(self, pages: PageSet) -> None:
        self.child_queued |= pages
        self.child_left -= pages
        self.return_path.send(ForChild.CHILD_REQUEST, pages)

    def _give_child(self, pages: PageSet) -> None:
        self.child_present |= pages
        self.child_waiting -= pages
        self.child_faulted -= pages

    def _close_userfaultfd(self) -> None:
        super()._close_userfaultfd()
        self.child_waiting = NONE
        self.child_faulted = NONE
        self.child_left = NONE
        self.child_queued = NONE

    def _give_up(self) -> None:
        super()._give_up()
        self.forked = False
        self.child_present = NONE
        self.child_waiting = NONE
        self.child_faulted = NONE
        self.child_left = NONE
        self.child_queued = NONE


class ForksWhilePagesCome(CriuLazyPagesMended):
    """A process may fork while its pages still come."""

    source = ForkSource
    destination = ForkDestination
    stream = CriuLazyPagesMended.stream.extended(ForChild.CHILD_PAGE, marked=(ForChild.CHILD_PAGE,))
    return_path = CriuLazyPagesMended.return_path.extended(ForChild.CHILD_REQUEST)
    roles = {ForChild.CHILD_REQUEST: Role.REQUEST}  # noqa: RUF012
    properties = (child_needs_more,)


class EndsWithTheParent(ForksWhilePagesCome):
    """The daemon ends when it has fetched the parent's last page, and the child that has just been forked is left
    without it."""

    class destination(ForkDestination):
        """Looks at the parent's lists alone."""

        def _child_is_served(self) -> bool:
            return True


class QueuesForTheParent(ForksWhilePagesCome):
    """Requests that are under way at a fork are queued once more for the parent, and not for the child: where the child
    touches such a page, it gets zeros."""

    class destination(ForkDestination):
        """Merges the lists the wrong way round."""

        def _copy_lists(self) -> None:
            """The parent's list gets what is under way."""
            self.child_left = self.left
            self.left |= self.queued


class PunchesAfterTheFirst(ForksWhilePagesCome):
    """Pages are taken out of the image when they have been read once, and the second of two readers finds a hole, which
    is an error."""

    class source(ForkSource):
        """Deduplicates."""

        punched = Bitmap("pages that have been taken out of the image", role=Role.NOTE)

        def _send(self, pages: PageSet) -> None:
            """Sends, and takes them out."""
            super()._send(pages)
            self.punched |= pages

        def _has(self, pages: PageSet) -> bool:
            return (pages & self.punched).empty

        @action(Source.dump, qemu="criu/page-xfer.c:page_server_get_pages")
        def finds_hole(self) -> None:
            """reads a request for the child, finds that a page is no more, and ends with an error"""
            require(self.phase == Phase.POSTCOPY)
            message = self.return_path.receive(ForChild.CHILD_REQUEST)
            require(not self._has(message.pages))
            self._fail()

        def _close(self) -> None:
            super()._close()
            self.punched = NONE
