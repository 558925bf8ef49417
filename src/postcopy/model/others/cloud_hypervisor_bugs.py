"""Defects of Cloud Hypervisor's postcopy, each alone, and the protocol with those that ae44c2971 (2026-08-20) has.

Where nothing else is said, the mended form is `CloudHypervisorMended`. Some concern the handler of faults when it
restores a snapshot: it is the same thread, with another source of pages.
"""

from postcopy.language import (
    ALL,
    EITHER,
    NONE,
    Bitmap,
    Flag,
    Machine,
    Maps,
    Page,
    PageSet,
    Thread,
    action,
    require,
)
from postcopy.model.network import Command, Reply
from postcopy.model.others.cloud_hypervisor import Close, CloudHypervisorMended, Destination, Server, Source
from postcopy.model.roles import Role
from postcopy.model.source import Phase

# -- the source: when it resumes, and when it has completed -----------------------------------------------------------


class ResumingSource(Source):
    """Its rule for errors is older than postcopy."""

    def _may_resume(self) -> bool:
        """Whatever failed, the guest goes on here."""
        return True


class ResumesAfterComplete(CloudHypervisorMended):
    """The source resumes its guest after any failure, also after Complete, when the destination may run it."""

    source = ResumingSource


class Disk(Machine):
    """A disk on storage that both hosts reach, with a lock that one host can hold."""

    free = Flag("no host holds the disk's lock")


class LockingSource(ResumingSource):
    """Holds the lock of the disk, until it pauses the guest."""

    disk = Maps("disk", "free")

    def pauses_guest(self) -> None:
        """pauses the guest, releases its disks and opens the second connection"""
        super().pauses_guest()
        self.disk.free = True

    def host_dies(self) -> None:
        """dies, and its ends of both connections with it; its locks are free"""
        if self.phase < Phase.SWITCHING:
            self.disk.free = True
        super().host_dies()

    def _may_resume(self) -> bool:
        """With the lock, which it takes again. Before Complete it waits until the destination has given the lock up."""
        if self.phase < Phase.SWITCHING:
            return True
        require(self.disk.free or self.phase == Phase.POSTCOPY)
        if self.disk.free:
            self.disk.free = False
            return True
        return False


class LockingDestination(Destination):
    """Takes the lock when it restores the guest."""

    disk = Maps("disk", "free")

    locked = Flag("the destination holds the disk's lock")

    def restores(self) -> None:
        """takes the disk's lock, has restored the devices, and says so"""
        require(self.disk.free)
        self.disk.free = False
        self.locked = True
        super().restores()

    def _give_up(self) -> None:
        super()._give_up()
        if self.locked:
            self.disk.free = True
            self.locked = False


class ResumesWithLock(CloudHypervisorMended):
    """The source resumes after any failure, if it can lock its disk: the destination holds the lock from the restore
    on, so that two guests never run."""

    source = LockingSource
    destination = LockingDestination
    disk = Disk


class ResumesWithoutLock(ResumesWithLock):
    """The disk is locked, but not by a source that resumes after a failure: it has released its locks before it sent
    the state, and does not take them again."""

    class source(LockingSource):
        """Takes locks when it boots or restores a guest, and not when it resumes one."""

        def _may_resume(self) -> bool:
            """Whether or not the lock is free."""
            return True


class TrustingSource(Source):
    """Knows only that the second connection has ended."""

    def _end_means(self) -> Server:
        """The destination closes it when it has all pages."""
        return Server.DRAINED


class SilentDestination(Destination):
    """Closes the second connection without a word, as the kernel does for a process that dies."""

    def _say_end(self) -> None:
        """All pages have arrived, and the connection is closed."""
        if not self.return_path.broken:
            require(self.return_path.room())
            self.return_path.send(Close.EOF)


class TakesEndForDrained(CloudHypervisorMended):
    """The source takes the end of the second connection for a word that all pages have arrived, also where the
    destination has died: it says that the migration is completed."""

    source = TrustingSource
    destination = SilentDestination


class RestoringSource(Source):
    """Its own memory may still be on its way, from a restore or a migration before this one."""

    missing = Bitmap("pages that an earlier restore has not brought to the source", EITHER, role=Role.NOTE)

    @action(Source.source_host, qemu="vmm/src/memory_manager.rs:uffd_handler_loop")
    def brings_page(self, page: Page) -> None:
        """brings a page of the earlier restore"""
        require(self.phase == Phase.IDLE)
        require(self.missing[page])
        self.missing -= page

    def guest_writes(self, page: Page) -> None:
        """writes a page that is there"""
        require(not self.missing[page])
        super().guest_writes(page)

    def operator_starts_migration(self) -> None:
        """starts a migration with postcopy, once all pages of the earlier restore are there"""
        require(self._complete())
        super().operator_starts_migration()

    def serves_page(self) -> None:
        """reads a request and answers with what its memory has, which is zeros where a page is missing"""
        require(self.server == Server.SERVING)
        require(self.stream.room())
        require(not self.stream.broken)
        message = self.return_path.receive(Reply.REQ_PAGES)
        self.stream.send(Command.PAGE, message.pages, stale=self.guest.stale_at_source | self.missing)

    def _complete(self) -> bool:
        return self.missing.empty


class MovesOnWhenComplete(CloudHypervisorMended):
    """A guest that was restored moves on only when all of its memory is there."""

    source = RestoringSource


class MovesOnTooEarly(MovesOnWhenComplete):
    """A guest moves on although an earlier restore has not yet brought all of its memory."""

    class source(RestoringSource):
        """Does not ask."""

        def _complete(self) -> bool:
            return True


# -- the handler at the destination -----------------------------------------------------------------------------------


class UrgentDestination(Destination):
    """Its handler treats a request for a fault and one of its own differently."""

    urgent = Flag("the handler's request is for a fault")

    def requests_page(self, page: Page) -> None:
        """reads a fault and requests its page"""
        super().requests_page(page)
        self.urgent = True

    def places_page(self) -> None:
        """receives the page that it has asked for, and places it"""
        super().places_page()
        self.urgent = False

    def _give_up(self) -> None:
        super()._give_up()
        self.urgent = False


class SkippingDestination(UrgentDestination):
    """Passes a page that the kernel does not take."""

    @action(Destination.handler, qemu="vmm/src/memory_manager.rs:uffd_handler_loop")
    def skips_page(self) -> None:
        """receives a page that it has pulled; the kernel says "try again", and the handler goes on to the next"""
        require(self.sensitive)
        require(not self.urgent)
        message = self.stream.receive(Command.PAGE)
        self.asked = NONE
        self.passed |= message.pages


class SkipsPages(CloudHypervisorMended):
    """Pulling passes a page for which the kernel says "try again", because a later touch will fault; but when all pages
    have been passed the userfaultfd is closed, and the page reads as zeros."""

    destination = SkippingDestination


class RepeatingDestination(UrgentDestination):
    """Repeats all of it."""

    @action(Destination.handler, qemu="vmm/src/memory_manager.rs:uffd_handler_loop")
    def asks_again(self) -> None:
        """receives a page for a fault; the kernel says "try again", and the handler requests the page once more"""
        require(self.sensitive)
        require(self.urgent)
        require(self.return_path.room())
        require(not self.return_path.broken)
        message = self.stream.receive(Command.PAGE)
        self.return_path.send(Reply.REQ_PAGES, message.pages)

    @action(Destination.handler, qemu="vmm/src/uffd.rs:resolve", fair="strongly")
    def places_page(self) -> None:
        """receives the page that it has asked for, and places it"""
        # fair: the kernel does not say "try again" for ever
        super().places_page()


class AsksAgain(CloudHypervisorMended):
    """Where the kernel says "try again", the handler requests the page once more, in place of placing it once more."""

    destination = RepeatingDestination


class ExitingDestination(Destination):
    """Ends its handler first, and the process afterwards."""

    exiting = Flag("the handler has failed, and the process is to exit")

    def fails(self) -> None:
        """cannot get a page that it needs: the handler ends, and its userfaultfd is closed"""
        require(self.sensitive)
        require(not self._needs_nothing())
        require(self.stream.broken)
        self._close_userfaultfd()
        self.exiting = True

    @action(Destination.main_thread, qemu="vmm/src/memory_manager.rs:spawn_uffd_handler")
    def exits(self) -> None:
        """sees that the handler has failed, and exits"""
        require(self.exiting)
        self._give_up()

    def _give_up(self) -> None:
        super()._give_up()
        self.exiting = False


class ClosesBeforeExit(CloudHypervisorMended):
    """A handler that fails closes its userfaultfd, and asks for the process to exit afterwards: in between the guest
    runs on, and missing pages read as zeros."""

    destination = ExitingDestination


class AbandoningDestination(UrgentDestination):
    """Takes an error for one that matters only where a thread waits."""

    abandoned = Flag("the handler pulls no more pages")

    def pulls_page(self, page: Page) -> None:
        """finds no fault, and requests a page that nobody has touched"""
        require(not self.abandoned)
        super().pulls_page(page)

    @action(Destination.handler, qemu="vmm/src/memory_manager.rs:uffd_handler_loop")
    def abandons(self) -> None:
        """cannot pull a page, and pulls no more; it still answers faults"""
        require(self.sensitive)
        require(not self.urgent)
        require(not self.abandoned)
        require(self.faulted.empty)
        require(not self.passed.full)
        require(self.stream.broken)
        self.asked = NONE
        self.abandoned = True

    def fails(self) -> None:
        """cannot get the page of a fault: the process exits, and the guest is lost"""
        require(self.urgent or not self.faulted.empty)
        super().fails()

    def _give_up(self) -> None:
        super()._give_up()
        self.abandoned = False


class AbandonsPulling(CloudHypervisorMended):
    """A handler that cannot pull goes on to wait for faults, which it cannot answer either: the guest runs on with
    pages that will never come, and the migration does not end."""

    destination = AbandoningDestination


# -- memory that others have mapped, too ------------------------------------------------------------------------------


class MappingDestination(Destination):
    """The source writes pages into memory that both share, and the handler maps them. Others may map a page first, and
    the kernel may take a mapping away again."""

    mappings = Thread("kernel")

    unmapped = Bitmap("pages that are in the shared memory and not mapped any more", role=Role.PRESENT)
    taken = Bitmap("pages whose mapping was taken away", role=Role.NOTE)

    @action(mappings, environment=True)
    def maps_for_others(self, page: Page) -> None:
        """maps a page that is on its way to the handler, for another process, and wakes no thread"""
        require(self.sensitive)
        require(self.stream.next_is(Command.PAGE))
        require(self.asked[page])
        require(not self.present[page])
        self.present |= page
        self.guest.loaded(page, page - page)

    @action(mappings, environment=True)
    def takes_mapping(self, page: Page) -> None:
        """takes the mapping of a page away, once, and keeps the page"""
        require(self.sensitive)
        require(self.present[page])
        require(self.passed[page])
        require(not self.taken[page])
        self.present -= page
        self.unmapped |= page
        self.taken |= page

    def places_page(self) -> None:
        """receives the page that it has asked for, and maps it, or wakes those who wait if it is mapped already"""
        require(self.sensitive)
        message = self.stream.receive(Command.PAGE)
        self.asked = NONE
        self.passed |= message.pages
        if message.pages.subset_of(self.present):
            self._is_there(message.pages)
        else:
            self._place(message.pages, message.marked["stale"])

    def _is_there(self, pages: PageSet) -> None:
        self._wake(pages)

    def _give_up(self) -> None:
        super()._give_up()
        self.unmapped = NONE
        self.taken = NONE


class SharedDestination(MappingDestination):
    """Knows which faults are for pages that are there."""

    @action(Destination.handler, qemu="vmm/src/uffd.rs:resolve")
    def maps_again(self, page: Page) -> None:
        """reads a fault for a page that is in the shared memory, and maps it"""
        require(self.sensitive)
        require(self.asked.empty)
        require(self.faulted[page])
        require(self.unmapped[page])
        self.unmapped -= page
        self.present |= page
        self._wake(page)

    def requests_page(self, page: Page) -> None:
        """reads a fault for a page that is not in the shared memory, and requests it"""
        require(not self.unmapped[page])
        super().requests_page(page)


class SharedMemory(CloudHypervisorMended):
    """Source and destination share the memory, and the handler only maps its pages."""

    destination = SharedDestination


class WakesInVain(SharedMemory):
    """The number of the wake-up call was wrong, so that each wake-up failed: a vCPU whose page was mapped by others
    sleeps on."""

    class destination(SharedDestination):
        """Its wake-ups fail."""

        def _is_there(self, pages: PageSet) -> None:
            """No thread is woken. The fault was read long ago."""


class WakesHugePage(SharedMemory):
    """The handler wakes a vCPU for a page that is there, and the kernel maps the huge page around it, with pages that
    have not come."""

    class destination(SharedDestination):
        """Wakes, in place of mapping the page."""

        def _is_there(self, pages: PageSet) -> None:
            self.guest.filled_with_zeros(~self.present)
            self.present = ALL
            self._wake(pages)


class RequestsMappedPage(SharedMemory):
    """A page whose mapping was taken away is requested again, and the source's old copy is written over what the guest
    has written."""

    class destination(MappingDestination):
        """Asks the source for every fault."""

        def places_page(self) -> None:
            """receives the page that it has asked for, and maps it"""
            super().places_page()
            self.unmapped -= self.present


# -- the tree ---------------------------------------------------------------------------------------------------------


class CloudHypervisor(CloudHypervisorMended):
    """Cloud Hypervisor's postcopy as it was read: with what is wrong in it, and mended since or open."""

    origin = "Cloud Hypervisor ae44c2971 (2026-08-20)"
    breaks = (
        "no-stale-device-read",
        "no-two-guests",
        "no-stale-read",
        "completed-means-arrived",
        "nothing-missing-at-end",
        "no-deadlock",
        "no-page-sent-twice",
        "nothing-stale-at-start",
        "every-requested-page-arrives",
        "the-migration-ends",
    )

    class source(ResumingSource, TrustingSource):
        """Resumes after any failure, and trusts the end of the second connection."""

    class destination(
        SilentDestination, SkippingDestination, RepeatingDestination, AbandoningDestination, ExitingDestination
    ):
        """Passes pages, repeats requests, abandons pulling and closes its userfaultfd before the process exits."""
