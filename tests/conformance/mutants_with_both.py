"""What may be wrong with recovery where urgent pages have a connection of their own: a mutant for each."""

from __future__ import annotations

from collections.abc import Sequence

from postcopy.engine.destination import DestinationCore
from postcopy.engine.effects import Output
from postcopy.engine.log import Thread
from postcopy.engine.messages import Page, Pages
from postcopy.engine.source import SourceCore
from tests.conformance.mutants import Mutant


class KeepsTheOldConnection(SourceCore):
    """Takes the connection for urgent pages for one that outlives a break."""

    def lose(self, why: str, thread: Thread = Thread.MIGRATION) -> None:
        before = self.urgent_stands
        super().lose(why, thread)
        self.urgent_stands = before


class KeepsUrgentRequests(SourceCore):
    """Serves what was asked for before the break as well."""

    def lose(self, why: str, thread: Thread = Thread.MIGRATION) -> None:
        before = self.requests
        super().lose(why, thread)
        if self.paused:
            self._requests.update(dict.fromkeys(before))


class TakesUrgentPagesForArrived(SourceCore):
    """Takes what it has sent as urgent out of the bitmap that is made from what has arrived."""

    def next_urgent(self) -> range:
        pages = super().next_urgent()
        self.__dict__["_urgent_sent"] = frozenset({*self.__dict__.get("_urgent_sent", ()), *pages})
        return pages

    def reopen_urgent(self) -> None:
        super().reopen_urgent()
        for page in self.__dict__.get("_urgent_sent", ()):
            self.dirty.remove(page)


class TakesTheOldConnection(DestinationCore):
    """Acknowledges RESUME without the connection for urgent pages."""

    def _pause(self, why: str) -> Sequence[Output]:
        before = self.urgent_stands
        effects = super()._pause(why)
        self.urgent_stands = before
        return effects


class KeepsTheEnd(DestinationCore):
    """Takes the end of the stream for read, though an urgent page and the connection were lost after it (A05)."""

    def _pause(self, why: str) -> Sequence[Output]:
        before = self.end_seen
        effects = super()._pause(why)
        self.end_seen = before
        return effects


class WaitsForUrgentPagesForEver(DestinationCore):
    """Does not pause once the end of the stream was read."""

    def _pause(self, why: str) -> Sequence[Output]:
        return [] if self.end_seen else super()._pause(why)


class AsksAgainForUrgentPages(DestinationCore):
    """Forgets that what has come as urgent is not waited for."""

    def _urgent_pages(self, message: Page | Pages) -> Sequence[Output]:
        before = dict(self._open)
        effects = super()._urgent_pages(message)
        self._open.update(before)
        return effects


WITH_BOTH = (
    Mutant(KeepsTheOldConnection, "", "deadlock: no thread can move", recovery=True, preempt=True),
    Mutant(KeepsUrgentRequests, "", "differ in source.requests: 1 and 0", recovery=True, preempt=True),
    Mutant(TakesUrgentPagesForArrived, "", "differ in source.dirty: 0 and 1", recovery=True, preempt=True),
    Mutant(TakesTheOldConnection, "", "the connection for urgent pages was not accepted", recovery=True, preempt=True),
    Mutant(KeepsTheEnd, "", "EOF", recovery=True, preempt=True),
    Mutant(WaitsForUrgentPagesForEver, "", "deadlock: no thread can move", recovery=True, preempt=True),
    Mutant(AsksAgainForUrgentPages, "", "differ in destination.faulted: 1 and 0", recovery=True, preempt=True),
)
"""What may be wrong with both together; the numbers are those of docs/history.md."""
