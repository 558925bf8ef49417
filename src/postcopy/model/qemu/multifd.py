"""The capability multifd in precopy: pages travel on a connection of their own, which is flushed before the switch.

One more connection stands for all: that two of several reorder two copies of one page is not modelled. The migration
thread hands the pages out; what it has flushed it does not fill again before postcopy, which uses the main connection.
"""

from postcopy.language import Flag, Network, Page, Sends, View, action, require, sometimes
from postcopy.model.changes.multifd import Multifd, ReadingDestination
from postcopy.model.network import Command, Wire
from postcopy.model.qemu.postcopy_threads import ListeningDestination
from postcopy.model.qemu.return_path import ReturnPathSource
from postcopy.model.qemu.states import Ending
from postcopy.model.source import Phase, Source


class MultifdSource(ReturnPathSource):
    """Sends precopy pages on the other connection."""

    flushed = Flag("the other connection has been flushed, and the switch is next")
    multi = Sends("multi")

    def sends_precopy_page(self, page: Page) -> None:
        """sends a dirty page in precopy; with multifd on the other connection"""
        if self.multifd:
            require(self.phase == Phase.PRECOPY or self.phase == Phase.FINISHING)
            require(self.dirty[page] and not self.flushed)
            require(not self.awaits_first_pong)
            require(self.ending == Ending.NO)
            require(self.multi.room() and not self.multi.broken)
            self.dirty -= page
            self.multi.send(Command.PAGE, page, stale=self.guest.stale_at_source)
        else:
            super().sends_precopy_page(page)

    @action(Source.migration, rule="R3", qemu="migration/ram.c:ram_save_postcopy_prepare", fair="strongly")
    def flushes(self) -> None:
        """flushes the other connection: before the CPUs stop for postcopy, or behind the last page of precopy"""
        # fair: as for stops_cpus_to_switch, which it is a part of. Strongly: once it has decided it waits for room,
        # and does not fill what has become free with one more page.
        require(self.multifd and not self.flushed)
        require(self._switch_is_next() or (self.phase == Phase.FINISHING and self.dirty.empty))
        self._ready_to_send()
        require(self.multi.room() and not self.multi.broken)
        self.multi.send(Multifd.SYNC)
        self.stream.send(Multifd.FLUSH)
        self.flushed = True

    def stops_cpus_to_switch(self) -> None:
        """stops the CPUs for postcopy, and keeps the big lock; the other connection has been flushed"""
        require(self.flushed or not self.multifd)
        super().stops_cpus_to_switch()
        self.flushed = False

    def stops_cpus_to_finish_in_precopy(self) -> None:
        """stops the CPUs, because what is left is little enough to finish in precopy"""
        require(not self.flushed)
        super().stops_cpus_to_finish_in_precopy()

    def ends_precopy(self) -> None:
        """gives up the lock on the disk, sends the device state and the end of the stream, behind the last flush"""
        require(self.flushed or not self.multifd)
        super().ends_precopy()
        self.flushed = False

    def _switch_is_next(self) -> bool:
        """The migration thread has decided for postcopy; with preempt that channel is there."""
        decided = self.phase == Phase.PRECOPY and self.start_postcopy
        return decided and (self.fast_there or not self.preempt)

    def _file_error(self) -> bool:
        """An error of the other connection counts until postcopy."""
        lost = self.multifd and self.phase < Phase.POSTCOPY and self.multi.broken
        return lost or super()._file_error()

    def _close_files(self) -> None:
        super()._close_files()
        self._close_multi()

    def _close_multi(self) -> None:
        if self.multifd:
            self.multi.close()

    def _clean_up(self) -> None:
        super()._clean_up()
        self.flushed = False
        self._close_multi()


class MultifdDestination(ReadingDestination, ListeningDestination):
    """Reads precopy pages from the other connection as well."""

    def _give_up(self) -> None:
        super()._give_up()
        if self.multifd:
            self.multi.close()


class MultifdWire(Wire):
    """One network carries all connections: its failure breaks that of multifd with the main one."""

    multi = Network("multi")

    def loses_the_connection(self) -> None:
        """loses all connections"""
        super().loses_the_connection()
        if self.multifd:
            self.multi.close()

    @action(Wire.network, rule="R15", environment=True)
    def loses_newest_on_multi(self) -> None:
        """loses the newest message still on its way on the connection of multifd"""
        require(self.multifd and self.failed and self.multi.broken)
        require(not self.multi.empty)
        self.multi.drop_newest()


@sometimes("The main thread waits for the connection of multifd", rules="R3")
def waits_for_multifd(state: View) -> bool:
    """Asked where the capability is on: a page is still on that connection, so the flush has to wait for it."""
    waits = state.stream.next_is(Multifd.FLUSH) and state.multi.next_is(Command.PAGE)
    return bool(not state.multifd or waits)
