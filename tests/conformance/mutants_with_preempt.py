"""What may be wrong with the connection for urgent pages: a mutant for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from postcopy.engine.destination import DestinationCore
from postcopy.engine.effects import Output
from postcopy.engine.log import Step
from postcopy.engine.messages import Page, Pages, StreamMessage
from postcopy.engine.source import SourceCore
from tests.conformance.mutants import Mutant


class OpensWithoutAnAnswer(SourceCore):
    """Opens the connection before the main one has been answered (A25)."""

    def advise(self) -> list[StreamMessage]:
        messages = super().advise()
        self.answered = True
        return messages


class SwitchesWithout(SourceCore):
    """Does not wait for the connection before it stops the CPUs."""

    def cpus_stopped_to_switch(self, pages: Iterable[range]) -> None:
        before, self.urgent_open = self.urgent_open, True
        super().cpus_stopped_to_switch(pages)
        self.urgent_open = before

    def start_postcopy(self) -> bool:
        self.urgent_open = True
        return super().start_postcopy()


class LeavesUrgentPagesDirty(SourceCore):
    """Sends an urgent page once more in the background."""

    def next_urgent(self) -> range:
        pages = super().next_urgent()
        self.dirty.add_all(pages)
        return pages


class SendsWhatWasSent(SourceCore):
    """Serves each request, whether or not its page was sent."""

    def next_urgent(self) -> range:
        for first in self.requests[:1]:
            self.dirty.add_all(range(first, first + self.geometry.group))
        return super().next_urgent()


class SplitsAHostPage(SourceCore):
    """Sends the rest of a host page that is under way on the stream as urgent (A22)."""

    def next_urgent(self) -> range:
        before, self._sending = self._sending, range(0)
        for first in self.requests[:1]:
            self.dirty.add(first)
        pages = super().next_urgent()
        self._sending = before
        return pages


class ForgetsARequest(SourceCore):
    """Takes each request for one that was served."""

    def next_urgent(self) -> range:
        before = int(self.dirty)
        self.dirty.clear()
        pages = super().next_urgent()
        self.dirty.assign(before)
        return pages


class ServesOnTheStream(SourceCore):
    """Serves requests from the migration thread, as if there were no other connection."""

    def _next_in_postcopy(self, most: int) -> range:
        self.preempt = False
        pages = super()._next_in_postcopy(most)
        self.preempt = True
        return pages


class EndsBeforeUrgentPages(DestinationCore):
    """Ends with the stream, while urgent pages are on their way (A05)."""

    @property
    def all_here(self) -> bool:
        return True


class ReadsThePackageWithout(DestinationCore):
    """Does not know that it has accepted the connection."""

    def accept_urgent(self) -> None:
        super().accept_urgent()
        self.urgent_ready = False


class MarksTheFirstTargetPage(DestinationCore):
    """Marks one target page of an urgent host page as received."""

    def _urgent_pages(self, message: Page | Pages) -> Sequence[Output]:
        effects = super()._urgent_pages(message)
        if effects:
            self.received.remove(1)
        return effects


class LogsUrgentPagesAsOthers(DestinationCore):
    """Takes urgent pages for pages of the stream."""

    def _take(self, step: Step, *arguments: object, **named: object) -> None:
        super()._take(Step.PLACED if step is Step.PLACED_URGENT else step, *arguments, **named)  # type: ignore[arg-type]


WITH_PREEMPT = (
    Mutant(OpensWithoutAnAnswer, "", "differ in source.answered: True and False", preempt=True),
    Mutant(SwitchesWithout, "", "differ in source.fast_open: True and False", preempt=True),
    Mutant(LeavesUrgentPagesDirty, "", "differ in source.dirty: 1 and 0", preempt=True),
    Mutant(SendsWhatWasSent, "", "what is on the connection for urgent pages: PAGE 1", preempt=True),
    Mutant(SplitsAHostPage, "", "what is on the connection for urgent pages: PAGE 11", preempt=True, group=2),
    Mutant(ForgetsARequest, "", "differ in source.dirty: 1 and 0", preempt=True),
    Mutant(ServesOnTheStream, "", "what is on the stream: PAGE 1 and nothing", preempt=True),
    Mutant(EndsBeforeUrgentPages, "", "destination.ends is not possible", preempt=True),
    Mutant(ReadsThePackageWithout, "", "differ in destination.fast_ready: False and True", preempt=True),
    Mutant(MarksTheFirstTargetPage, "", "differ in destination.present: 1 and 3", preempt=True, group=2),
    Mutant(LogsUrgentPagesAsOthers, "", "from the listen thread", preempt=True),
)
"""What may be wrong with the connection for urgent pages; the numbers are those of docs/history.md."""
