"""The engine with one rule removed: a mutant for each of the model's faults that has one in the cores.

Each is a core with one method changed, as small as a mistake that a programmer might make.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from postcopy.conformance.world import STALE, World
from postcopy.engine.destination import DestinationCore
from postcopy.engine.destination_steps import Main, State
from postcopy.engine.effects import (
    GiveUpGuest,
    Output,
    PlacePages,
    PrepareMemory,
    ReleaseMemory,
    Sensitise,
    StartGuest,
)
from postcopy.engine.log import Step, Thread, record
from postcopy.engine.messages import Advise, Eof, Footer, OpenReturnPath, RamEnd, SectionEnd, Shut, StreamMessage
from postcopy.engine.source import RAM_SECTION, Phase, SourceCore


class LateStartActs(SourceCore):
    """Remembers a late wish for postcopy."""

    def start_postcopy(self) -> bool:
        super().start_postcopy()
        self.switch_asked = True
        return True


class OrderKeptInSwitch(SourceCore):
    """Keeps the order to switch when the CPUs are stopped."""

    def cpus_stopped_to_switch(self, pages: Iterable[range]) -> None:
        super().cpus_stopped_to_switch(pages)
        self.switch_asked = True


class AdviseLeftOut(SourceCore):
    """Sends no ADVISE."""

    def advise(self) -> list[StreamMessage]:
        super().advise()
        return []


class CpusRunOn(SourceCore):
    """Leaves the CPUs running at the switch."""

    def cpus_stopped_to_switch(self, pages: Iterable[range]) -> None:
        super().cpus_stopped_to_switch(pages)
        self.guest_may_run = True


class CpusRunOnWhileFinishing(SourceCore):
    """Leaves the CPUs running at the end of precopy."""

    def cpus_stopped_to_finish(self, pages: Iterable[range]) -> None:
        super().cpus_stopped_to_finish(pages)
        self.guest_may_run = True


class NoDiscards(SourceCore):
    """Sends no discards."""

    def send_discards(self) -> list[StreamMessage]:
        super().send_discards()
        return []


class DiscardsTakenTooEarly(SourceCore):
    """Masks the sent map without the last of the dirty log."""

    def cpus_stopped_to_switch(self, pages: Iterable[range]) -> None:
        super().cpus_stopped_to_switch([])


class ResyncInPostcopy(SourceCore):
    """Marks a page dirty again after the package is out."""

    def send_package(self, devices: Any) -> list[StreamMessage]:
        messages = super().send_package(devices)
        self.dirty.add(0)
        return messages


class SentMapReadInPostcopy(SourceCore):
    """Drops a request for a page that the discard set had."""

    kept = 0

    def send_discards(self) -> list[StreamMessage]:
        self.kept = sum(1 << page for part in self.discards for page in part)
        return super().send_discards()

    def _next_in_postcopy(self, most: int) -> range:
        for first in list(self._requests):
            if self.kept >> first & 1:
                del self._requests[first]
                self._take(Step.DROPPED, range(first, first + 1))
        return super()._next_in_postcopy(most)


class RequestServedAgain(SourceCore):
    """Serves a request without a look at the migration bitmap."""

    def _receive_request(self, pages: range) -> None:
        super()._receive_request(pages)
        if self.phase == Phase.POSTCOPY:
            self.dirty.add_all(pages)


class SendLeavesDirty(SourceCore):
    """Does not take a page that it sends out of the migration bitmap."""

    def _send(self, pages: range, step: Step) -> None:
        super()._send(pages, step)
        if self.phase == Phase.POSTCOPY:
            self.dirty.add_all(pages)


class ResumesAfterHandover(SourceCore):
    """Takes any failure for one in precopy."""

    def lose(self, why: str, thread: Thread = Thread.MIGRATION) -> None:
        super().lose(why, thread)
        self.guest_may_run = True


class StaysStoppedInPrecopy(SourceCore):
    """Gives the guest up for any failure."""

    def lose(self, why: str, thread: Thread = Thread.MIGRATION) -> None:
        super().lose(why, thread)
        self.guest_may_run = False


class NoBackgroundSending(SourceCore):
    """Sends only what is asked for."""

    def _next_in_postcopy(self, most: int) -> range:
        return super()._next_in_postcopy(most) if self._requests or self._sending else range(0)


class BackgroundFirst(SourceCore):
    """Sends background pages while requests wait."""

    def _next_in_postcopy(self, most: int) -> range:
        waiting, self._requests = self._requests, type(self._requests)()
        try:
            return super()._next_in_postcopy(most)
        finally:
            self._requests = waiting


class NoReturnPath(SourceCore):
    """Does not open the return path."""

    def open(self) -> list[StreamMessage]:
        return [m for m in super().open() if not isinstance(m, OpenReturnPath)]


class DiscardsAfterPackage(SourceCore):
    """Sends the package before the discards."""

    def send_discards(self) -> list[StreamMessage]:
        self.late = super().send_discards()
        return []

    def send_package(self, devices: Any) -> list[StreamMessage]:
        return [*super().send_package(devices), *self.late]


class EndsWithDirtyPages(SourceCore):
    """Does not look at the migration bitmap at the end."""

    def next_pages(self, most: int = 1) -> range:
        return range(0) if self.phase == Phase.POSTCOPY and not self._requests else super().next_pages(most)

    def end_postcopy(self) -> list[StreamMessage]:
        self._take(Step.ENDED_POSTCOPY)
        return [SectionEnd(RAM_SECTION), RamEnd(), Footer(RAM_SECTION), Eof()]


class EndsPrecopyDirty(SourceCore):
    """Forgets what is dirty when the CPUs are stopped to end in precopy."""

    def cpus_stopped_to_finish(self, pages: Iterable[range]) -> None:
        super().cpus_stopped_to_finish(pages)
        self.dirty.clear()


class EndsWithRequests(SourceCore):
    """Does not look at the requests at the end."""

    def next_pages(self, most: int = 1) -> range:
        if self.phase == Phase.POSTCOPY and not self.dirty and not self._sending:
            return range(0)
        return super().next_pages(most)

    def end_postcopy(self) -> list[StreamMessage]:
        self._take(Step.ENDED_POSTCOPY)
        return [SectionEnd(RAM_SECTION), RamEnd(), Footer(RAM_SECTION), Eof()]


class CompletesWithoutShut(SourceCore):
    """Reports "completed" as soon as everything is sent."""

    def end_postcopy(self) -> list[StreamMessage]:
        messages = super().end_postcopy()
        self.phase = Phase.COMPLETED
        return messages


class CancelAfterSwitch(SourceCore):
    """Accepts a cancel in postcopy."""

    def cancel(self) -> None:
        self.phase = min(self.phase, Phase.PACKAGING)
        super().cancel()


class CancelBringsNobodyBack(SourceCore):
    """Cancels, and leaves the guest stopped."""

    def cancel(self) -> None:
        super().cancel()
        self.guest_may_run = False


class PartialHostPages(SourceCore):
    """Counts in target pages only."""

    def cpus_stopped_to_switch(self, pages: Iterable[range]) -> None:
        group, self.geometry.group = self.geometry.group, 1
        try:
            super().cpus_stopped_to_switch(pages)
        finally:
            self.geometry.group = group


class MismatchedCapability(DestinationCore):
    """Takes ADVISE, which it does not know, for the end of the stream."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named | {"capability": False})

    def _advise(self, message: Advise) -> Sequence[Output]:
        self._take(Step.ENDED_IN_PRECOPY)
        self.guest_runs = self.owes_shut = True
        return [StartGuest()]


class UnsupportedHostGoesOn(DestinationCore):
    """Does not check its host."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named | {"host_support": False})

    def _advise(self, message: Advise) -> Sequence[Output]:
        self.host_support = True
        try:
            return super()._advise(message)
        finally:
            self.host_support = False


class DevicesBeforeListen(DestinationCore):
    """Loads the devices before LISTEN."""

    def _packaged(self, data: bytes) -> Sequence[Output]:
        effects = super()._packaged(data)
        self.main = Main.DEVICES
        return effects

    def devices_loaded(self) -> None:
        super().devices_loaded()
        self.main = Main.PACKAGE

    def listen(self) -> Sequence[Output]:
        effects = super().listen()
        self.main = Main.RUN
        return effects


class RunBeforeDevices(DestinationCore):
    """Starts the CPUs before the devices are loaded."""

    def listen(self) -> Sequence[Output]:
        effects = super().listen()
        self.main = Main.RUN
        return effects

    def run(self) -> Sequence[Output]:
        effects = super().run()
        self.main = Main.DEVICES
        return effects


class EndBeforeRun(DestinationCore):
    """Does not wait for the CPUs to be started."""

    def receive_listening(self, message: StreamMessage) -> Sequence[Output]:
        effects = super().receive_listening(message)
        if self.end_seen:
            self.log(record(Thread.LISTEN, Step.ENDED))
            self.state, self.owes_shut = State.END, True
            return [ReleaseMemory()]
        return effects


class PreparesAnew(DestinationCore):
    """Is ready for ADVISE again when the connection is lost."""

    def lose(self, why: str) -> Sequence[Output]:
        advised = self.state == State.ADVISE
        effects = super().lose(why)
        if advised:
            self.state = State.NONE
        return effects


class GivesUpAfterEnd(DestinationCore):
    """Takes a broken connection for a failure after the end too."""

    def shut(self) -> Sequence[Output]:
        effects = super().shut()
        self.state = State.FAILED
        self._give_up()
        return effects


class MainReadsOn(DestinationCore):
    """Goes back to reading the stream after RUN."""

    def run(self) -> Sequence[Output]:
        effects = super().run()
        self.main = Main.STREAM
        return effects


class FaultNotRequested(DestinationCore):
    """Asks nobody for the page."""

    def fault(self, page: int, who: str = "") -> Sequence[Output]:
        super().fault(page, who)
        return []


class KeepsDiscarded(DestinationCore):
    """Does not throw away what is to be discarded."""

    def _discard(self, message: Any) -> Sequence[Output]:
        before = int(self.received)
        super()._discard(message)
        self.received.assign(before)
        return []


class PlacesFirstTargetPage(DestinationCore):
    """Places a host page when its first target page has come."""

    def _postcopy_pages(self, message: Any) -> Sequence[Output]:
        super()._postcopy_pages(message)
        page = self.geometry.page(message.block, message.offset)
        first = page // self.geometry.group * self.geometry.group
        host_page = range(first, first + self.geometry.group)
        self.assembly.clear()
        self.received.add_all(host_page)
        return [PlacePages(host_page, message.data * self.geometry.group)]


class NotSensitive(DestinationCore):
    """Forgets to make memory sensitive."""

    def listen(self) -> Sequence[Output]:
        return [e for e in super().listen() if not isinstance(e, Sensitise)]


class StaysSensitive(DestinationCore):
    """Does not release memory at the end."""

    def end(self) -> Sequence[Output]:
        return [e for e in super().end() if not isinstance(e, ReleaseMemory)]


class StaysLocked(DestinationCore):
    """Does not prepare memory for postcopy."""

    def _advise(self, message: Advise) -> Sequence[Output]:
        return [e for e in super()._advise(message) if not isinstance(e, PrepareMemory)]


class SkipsDevices(DestinationCore):
    """Throws the devices of the package away."""

    def next_in_package(self) -> Sequence[Output]:
        super().next_in_package()
        return []


class RepliesAfterGivingUp(DestinationCore):
    """Leaves the return path open when it gives up."""

    def lose(self, why: str) -> Sequence[Output]:
        was_open = self.return_path_open
        effects = super().lose(why)
        self.return_path_open = was_open
        return effects


class RefusesAndGoesOn(DestinationCore):
    """Refuses postcopy, and keeps the connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named | {"host_support": False})

    def _advise(self, message: Advise) -> Sequence[Output]:
        return [e for e in super()._advise(message) if not isinstance(e, GiveUpGuest)]


class MixesUpAssembly(DestinationCore):
    """Keeps other contents than have come, until the host page is whole."""

    def _postcopy_pages(self, message: Any) -> Sequence[Output]:
        effects = super()._postcopy_pages(message)
        self.assembly.update(dict.fromkeys(self.assembly, STALE))
        return effects


class ForgetsCapability(SourceCore):
    """Drops the capability when it starts."""

    def start(self) -> None:
        super().start()
        self.capability = False


class ForgetsCapabilityHere(DestinationCore):
    """The same at the destination, with ADVISE."""

    def _advise(self, message: Advise) -> Sequence[Output]:
        effects = super()._advise(message)
        self.capability = False
        return effects


class ForgetsSupport(DestinationCore):
    """Takes its host for one without userfaultfd, once ADVISE has come."""

    def _advise(self, message: Advise) -> Sequence[Output]:
        effects = super()._advise(message)
        self.host_support = False
        return effects


class ReplyDropped(DestinationCore):
    """Drops the first request."""

    dropped = False

    def fault(self, page: int, who: str = "") -> Sequence[Output]:
        replies = super().fault(page, who)
        first, self.dropped = not self.dropped, True
        return [] if first else replies


class CpusStayStopped(DestinationCore):
    """Does not start the CPUs at RUN."""

    def run(self) -> Sequence[Output]:
        effects = super().run()
        self.guest_runs = False
        return [e for e in effects if not isinstance(e, StartGuest)]


class NeverStartsGuest(DestinationCore):
    """Takes the guest for started at RUN, and does not ask for it."""

    def run(self) -> Sequence[Output]:
        return [e for e in super().run() if not isinstance(e, StartGuest)]


class NeverStartsGuestInPrecopy(DestinationCore):
    """Takes the guest for started at the end of precopy, and does not ask for it."""

    def _end_in_precopy(self) -> Sequence[Output]:
        return [e for e in super()._end_in_precopy() if not isinstance(e, StartGuest)]


class StartsGuestAtListen(DestinationCore):
    """Asks for the start of the guest before its devices are loaded."""

    def listen(self) -> Sequence[Output]:
        return [*super().listen(), StartGuest()]


class CleansUpInPart(SourceCore):
    """Keeps the requests that wait."""

    def _clean_up(self, *, guest_may_run: bool) -> None:
        kept = dict(self._requests)
        super()._clean_up(guest_may_run=guest_may_run)
        self._requests.update(kept)


class ReportsFailure(DestinationCore):
    """Reports an error although all has arrived."""

    def shut(self) -> Sequence[Output]:
        return [Shut(1) for _ in super().shut()]


class ResumesAfterCompletion(SourceCore):
    """Lets the guest go on whenever a migration is over."""

    def _clean_up(self, *, guest_may_run: bool) -> None:
        super()._clean_up(guest_may_run=guest_may_run or self.phase == Phase.COMPLETED)


class ShutSentAgain(DestinationCore):
    """Does not remember that SHUT has been sent."""

    def shut(self) -> Sequence[Output]:
        replies = super().shut()
        self.owes_shut = True
        return replies


class ShutBeforeTheEnd(DestinationCore):
    """Owes SHUT from RUN on."""

    def run(self) -> Sequence[Output]:
        outputs = super().run()
        self.owes_shut = True
        return outputs


class LossCalledCancel(SourceCore):
    """Takes a lost connection for a cancel."""

    def lose(self, why: str, thread: Thread = Thread.MIGRATION) -> None:
        super().lose(why, thread)
        if self.guest_may_run:
            self.phase = Phase.CANCELLED


@dataclass(frozen=True)
class Mutant:
    """A core without one rule, the model's fault that it stands for, and what the search has to say of it."""

    core: type[SourceCore] | type[DestinationCore]
    fault: str
    says: str
    group: int = 1
    qemu: bool = False
    recovery: bool = False
    preempt: bool = False

    @property
    def world(self) -> World:
        """A small world with it, large enough to show it."""
        new = partial(
            World.new, self.group, 1, self.group, qemu=self.qemu, recovery=self.recovery, preempt=self.preempt
        )
        return new(source=self.core) if issubclass(self.core, SourceCore) else new(destination=self.core)


NOT_STARTED = "not started, and its core says that it runs"
MUTANTS = (
    Mutant(MismatchedCapability, "mismatched-capability", "reads no stream (R20)"),
    Mutant(LateStartActs, "late-start-acts", "differ in source.start_postcopy: True and False"),
    Mutant(OrderKeptInSwitch, "order-kept-in-switch", "differ in source.start_postcopy: True and False"),
    Mutant(AdviseLeftOut, "advise-left-out", "what is on the stream: "),
    Mutant(CpusRunOn, "cpus-run-on", "differ in source.running: True and False"),
    Mutant(CpusRunOnWhileFinishing, "cpus-run-on-while-finishing", "differ in source.running: True and False"),
    Mutant(DevicesBeforeListen, "devices-before-listen", "differ in destination.main: DEVICES and PACKAGE"),
    Mutant(RunBeforeDevices, "run-before-devices", "differ in destination.main: RUN and DEVICES"),
    Mutant(EndBeforeRun, "end-before-run", "destination.ends is not possible: require(self.state == State.RUNNING)"),
    Mutant(PreparesAnew, "prepares-anew", "differ in destination.state: NONE and FAILED"),
    Mutant(GivesUpAfterEnd, "gives-up-after-end", "differ in destination.state: FAILED and END"),
    Mutant(ResyncInPostcopy, "resync-in-postcopy", "differ in source.dirty: 1 and 0"),
    Mutant(NoDiscards, "no-discards", "what is on the stream: nothing and DISCARD 1"),
    Mutant(DiscardsTakenTooEarly, "discards-taken-too-early", "source.sent: 0 and 1"),
    Mutant(DiscardsAfterPackage, "discards-after-package", "what is on the stream: nothing and DISCARD 1"),
    Mutant(KeepsDiscarded, "no-discards", "differ in destination.present: 1 and 0"),
    Mutant(KeepsDiscarded, "precopy-kept-aside", "differ in destination.present: 1 and 0"),
    Mutant(SentMapReadInPostcopy, "sent-map-read-in-postcopy", "source.sends_background_page is not possible"),
    Mutant(RequestServedAgain, "request-served-again", "differ in source.dirty: 1 and 0"),
    Mutant(SendLeavesDirty, "send-leaves-dirty", "differ in source.dirty: 1 and 0"),
    Mutant(ResumesAfterHandover, "resumes-after-handover", "differ in source.running: True and False"),
    Mutant(StaysStoppedInPrecopy, "stays-stopped-in-precopy", "differ in source.running: False and True"),
    Mutant(FaultNotRequested, "fault-not-requested", "what is on the return path: nothing and REQ_PAGES 1"),
    Mutant(ReplyDropped, "reply-dropped-when-full", "what is on the return path: nothing and REQ_PAGES 1"),
    Mutant(NoBackgroundSending, "no-background-sending", "still to be served (R24)"),
    Mutant(
        BackgroundFirst,
        "background-first",
        "sends_background_page is not possible: require(self.requests.empty)",
    ),
    Mutant(NoReturnPath, "no-return-path", "what is on the stream: nothing and OPEN_RETURN_PATH"),
    Mutant(MainReadsOn, "main-reads-on", "differ in destination.main: STREAM and LEFT"),
    Mutant(
        UnsupportedHostGoesOn,
        "unsupported-host-goes-on",
        "not possible: require(self._can_do_postcopy())",
    ),
    Mutant(UnsupportedHostGoesOn, "refuses-too-late", "not possible: require(self._can_do_postcopy())"),
    Mutant(NotSensitive, "unsupported-host-goes-on", "differ in destination.sensitive: False and True"),
    Mutant(StaysLocked, "memory-stays-locked", "differ in destination.locked: True and False"),
    Mutant(EndsWithDirtyPages, "ends-with-dirty-pages", "ends_postcopy is not possible: require(self.dirty.empty)"),
    Mutant(EndsWithDirtyPages, "dirty-pages-noticed-late", "ends_postcopy is not possible: require(self.dirty.empty)"),
    Mutant(EndsPrecopyDirty, "precopy-ends-dirty", "differ in source.dirty: 0 and 1"),
    Mutant(EndsWithRequests, "ends-with-requests", "ends_postcopy is not possible: require(self.requests.empty)"),
    Mutant(CompletesWithoutShut, "completes-without-shut", "differ in source.phase: COMPLETED and ENDING"),
    Mutant(CancelAfterSwitch, "cancel-after-switch", "source.operator_cancels is not possible"),
    Mutant(CancelBringsNobodyBack, "cancel-leaves-guest-stopped", "differ in source.running: False and True"),
    Mutant(PartialHostPages, "partial-host-pages", "differ in source.dirty: 2 and 3", group=2),
    Mutant(CpusStayStopped, "cpus-stay-stopped", "differ in destination.running: False and True"),
    Mutant(NeverStartsGuest, "cpus-stay-stopped", f"differ in destination.running: {NOT_STARTED} and True"),
    Mutant(NeverStartsGuestInPrecopy, "cpus-stay-stopped", f"differ in destination.running: {NOT_STARTED} and True"),
    Mutant(StartsGuestAtListen, "run-before-devices", "differ in destination.running: started, not by its core and"),
    Mutant(CleansUpInPart, "cleans-up-in-part", "differ in source.requests: 1 and 0"),
    Mutant(ReportsFailure, "reports-failure", "what is on the return path: SHUT_ERROR and SHUT_OK"),
    Mutant(ResumesAfterCompletion, "resumes-after-completion", "differ in source.running: True and False"),
    Mutant(ShutSentAgain, "shut-sent-again", "differ in destination.owes_shut: True and False"),
    Mutant(ShutBeforeTheEnd, "shut-before-the-end", "differ in destination.owes_shut: True and False"),
    Mutant(LossCalledCancel, "loss-called-cancel", "differ in source.phase: CANCELLED and FAILED"),
    Mutant(PlacesFirstTargetPage, "places-first-target-page", "differ in destination.present: 3 and 0", group=2),
)

WRONG_VARIABLES = {
    "source.postcopy_capability": Mutant(ForgetsCapability, "", "differ in source.postcopy_capability: False and True"),
    "destination.postcopy_capability": Mutant(
        ForgetsCapabilityHere, "", "differ in destination.postcopy_capability: False and True"
    ),
    "destination.host_support": Mutant(ForgetsSupport, "", "differ in destination.host_support: False and True"),
    "destination.return_path_open": Mutant(
        RepliesAfterGivingUp, "", "differ in destination.return_path_open: True and False"
    ),
    "destination.locked": Mutant(StaysLocked, "", "differ in destination.locked: True and False"),
    "destination.sensitive": Mutant(StaysSensitive, "", "differ in destination.sensitive: True and False"),
    "destination.devices_loaded": Mutant(SkipsDevices, "", "differ in destination.devices_loaded: False and True"),
    "stream.up": Mutant(RefusesAndGoesOn, "", "stream.up: True and False"),
    "return_path.up": Mutant(RefusesAndGoesOn, "", "return_path.up: True and False"),
    "guest.stale_in_assembly": Mutant(MixesUpAssembly, "", "differ in guest.stale_in_assembly: 1 and 0", group=2),
}
"""By the variable of the model that is wrong in the mutant, where no fault of the model stands for it."""
