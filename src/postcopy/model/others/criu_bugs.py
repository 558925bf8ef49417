"""Defects of CRIU's lazy pages, each alone, and the protocol with those that 2cf8f13ca (2025-11-11) has.

Where nothing else is said, the mended form is `CriuLazyPagesMended`. Forks are in `criu_forks`.
"""

from postcopy.language import NONE, Bitmap, Cpu, Page, PageSet, View, action, require, sometimes
from postcopy.model.destination import State
from postcopy.model.guest import Memory
from postcopy.model.network import Command
from postcopy.model.others.criu import CriuLazyPagesMended, Destination, Source
from postcopy.model.others.criu_words import Close
from postcopy.model.roles import Role

# -- the ends ---------------------------------------------------------------------------------------------------------


class ThawingSource(Source):
    """Its rule for errors is that of a dump to files."""

    def _may_thaw(self) -> bool:
        """Whatever failed, the processes go on here."""
        return True


class ThawsAfterRestore(CriuLazyPagesMended):
    """A dump that fails while it serves pages lets its processes go on, although they may run at the destination."""

    source = ThawingSource


class TrustingSource(Source):
    """Takes any end of the connection for the end of a session."""

    def _end_is_success(self) -> bool:
        return True


class TakesEndForSuccess(CriuLazyPagesMended):
    """The source takes the end of the connection for a success, also where the daemon has failed: it kills the frozen
    processes, and says that all went well."""

    source = TrustingSource


class LeavingDestination(Destination):
    """The daemon is a process of its own."""

    def _fail(self) -> None:
        """The daemon ends with the word for the end of a session, and its userfaultfds are closed. A restore that still
        goes on fails with it."""
        if self.state == State.RUNNING:
            self._say_end(Close.DONE)
            self._close_userfaultfd()
            self.state = State.FAILED
        else:
            self._give_up()


class LeavesProcessesRunning(CriuLazyPagesMended):
    """A daemon that fails closes its userfaultfds, and the processes run on: missing pages read as zeros."""

    destination = LeavingDestination


class ImpatientDestination(Destination):
    """Does not wait for room in the socket."""

    @action(Destination.daemon, qemu="criu/page-xfer.c:request_remote_pages")
    def cannot_ask(self, page: Page) -> None:
        """reads a fault, finds the socket full, and takes that for an error"""
        require(self.sensitive)
        require(self.faulted[page])
        require(self.left[page])
        require(not self.return_path.room())
        require(not self.return_path.broken)
        self._fail_by_itself()

    def _fail_by_itself(self) -> None:
        self._forget()
        self.left = NONE
        self.queued = NONE
        self.asked = NONE
        self.stream.close()
        self.return_path.close()


class TakesFullSocketForError(CriuLazyPagesMended):
    """A request that finds the socket full ends the daemon, in place of waiting. (The socket has room for one request
    here.)"""

    destination = ImpatientDestination
    return_path = CriuLazyPagesMended.return_path.extended(capacity=1)


# -- ranges and events ------------------------------------------------------------------------------------------------


class KeepsRestQueued(CriuLazyPagesMended):
    """Where a range is answered in part, its rest stays marked as requested, and is never requested again."""

    class destination(Destination):
        """Marks by range."""

        def _put_back(self, rest: PageSet) -> None:
            """The rest stays marked as requested."""


@sometimes("A page comes that has been removed meanwhile")
def comes_too_late(state: View) -> bool:
    """The daemon has no such request any more."""
    return not (state.stream.in_flight(Command.PAGE) & state.destination.unwatched).empty


class RemovingDestination(Destination):
    """The processes give memory back, and the kernel tells the daemon; it copies nothing before the event is read."""

    removals = Bitmap("REMOVE events that the daemon has not read", role=Role.NOTE)
    unwatched = Bitmap("pages that raise no faults any more", role=Role.NOTE)

    @action(Destination.vcpu, environment=True)
    def gives_back(self, cpu: Cpu, page: Page) -> None:
        """gives a page back, once, and the kernel tells the daemon"""
        require(self.running)
        require(self.sensitive)
        require(self.waiting[cpu].empty)
        require(not (self.removals | self.unwatched)[page])
        self.observe(Memory.GIVEN_BACK, page)
        self.present -= page
        self.guest.gave_up(page)
        self.removals |= page

    def cpu_touches_missing(self, cpu: Cpu, page: Page) -> None:
        """touches a page that is missing"""
        require(self.running)
        require(self.waiting[cpu].empty)
        require(not self.present[page])
        if self.sensitive and not self.unwatched[page]:
            self.waiting[cpu] = page
            self.faulted |= page
        else:
            self.observe(Memory.CPU_READ, page)
            self.present |= page

    @action(Destination.daemon, qemu="criu/uffd.c:handle_remove")
    def handles_removal(self, page: Page) -> None:
        """reads that a page was given back: drops it and its request, and watches it no more"""
        require(self.sensitive)
        require(self.removals[page])
        self.removals -= page
        self.unwatched |= page
        self.left -= page
        self.queued -= page
        self._wake(page)

    def receives_pages(self) -> None:
        """receives an answer and copies its pages, but for those that have been given back"""
        require(self.removals.empty)
        super().receives_pages()

    def ends(self) -> None:
        """has nothing left, nothing under way and no event to read: says so, and ends"""
        require(self.removals.empty)
        super().ends()

    def asks_for_the_rest(self) -> None:
        """has nothing else to do, and requests all that is left"""
        require(self.removals.empty)
        super().asks_for_the_rest()

    def _fill_with_zeros(self, page: PageSet) -> None:
        """The kernel says "try again" before the event is read. With the event the thread is woken."""
        self.faulted -= page

    def _close_userfaultfd(self) -> None:
        super()._close_userfaultfd()
        self.removals = NONE
        self.unwatched = NONE

    def _give_up(self) -> None:
        super()._give_up()
        self.removals = NONE
        self.unwatched = NONE


class RemovesMemory(CriuLazyPagesMended):
    """Processes may give memory back while their pages still come."""

    destination = RemovingDestination
    properties = (comes_too_late,)
    inapplicable = {  # noqa: RUF012
        "every-requested-page-arrives": "a page that was given back is dropped, although it was requested",
    }


class CopiesToRemovedMemory(RemovesMemory):
    """Pages are copied to memory that was given back after they were requested. The kernel refuses that, and the daemon
    takes it for an error."""

    class destination(RemovingDestination):
        """Copies what it has requested."""

        def receives_pages(self) -> None:
            """receives an answer, and copies what has not been given back"""
            require((self.stream.peek(Command.PAGE).pages & self.unwatched).empty)
            super().receives_pages()

        @action(Destination.daemon, qemu="criu/uffd.c:uffd_copy")
        def cannot_copy(self) -> None:
            """receives an answer, cannot copy it to where memory was given back, and takes that for an error"""
            require(self.sensitive)
            message = self.stream.receive(Command.PAGE)
            require(not (message.pages & self.unwatched).empty)
            self._give_up()


# -- the tree ---------------------------------------------------------------------------------------------------------


class CriuLazyPages(CriuLazyPagesMended):
    """CRIU's lazy pages as they were read: with what is wrong in them."""

    origin = "CRIU 2cf8f13ca (2025-11-11)"
    breaks = ("completed-means-arrived", "no-two-guests", "no-stale-read", "nothing-stale-at-start")

    class source(ThawingSource, TrustingSource):
        """Lets the processes go on after any failure, and takes any end for a success."""

    class destination(ImpatientDestination, LeavingDestination):
        """Does not wait for room, and leaves the processes running."""

        def _fail_by_itself(self) -> None:
            self._fail()
