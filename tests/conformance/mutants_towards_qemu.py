"""What may be wrong with that which the cores have for a QEMU only: a mutant for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from postcopy.engine.destination import DestinationCore
from postcopy.engine.effects import Output
from postcopy.engine.log import Step
from postcopy.engine.messages import StreamMessage
from postcopy.engine.source import Phase, SourceCore
from tests.conformance.mutants import Mutant


class KeepsASentMap(SourceCore):
    """Keeps a sent map for a QEMU too."""

    def next_pages(self, most: int = 1) -> range:
        pages = super().next_pages(most)
        if self.phase <= Phase.FINISHING:
            self.sent.add_all(pages)
        return pages


class DiscardsOnlyWhatWasSent(SourceCore):
    """Discards for a QEMU what it would discard for another: what was sent."""

    def cpus_stopped_to_switch(self, pages: Iterable[range]) -> None:
        self.qemu = False
        super().cpus_stopped_to_switch(pages)
        self.qemu = True


class TakesALaterPongForTheFirst(SourceCore):
    """Logs each PONG as the answer to the ping of the opening."""

    def _take(self, step: Step, *arguments: Any, **named: Any) -> None:
        super()._take(Step.GOT_PONG if step is Step.GOT_LATER_PONG else step, *arguments, **named)


class ExpectsNoLaterPongs(SourceCore):
    """Forgets which pings it has sent with the package."""

    def send_package(self, devices: Any) -> list[StreamMessage]:
        awaited = self._pongs_awaited
        messages = super().send_package(devices)
        self._pongs_awaited = awaited
        return messages


class CountsLaterAnswers(DestinationCore):
    """Logs the answer to each PING as that of the opening."""

    def _take(self, step: Step, *arguments: Any, **named: Any) -> None:
        super()._take(Step.ANSWERED if step is Step.ANSWERED_LATER else step, *arguments, **named)


class MainAnswersAfterThePackage(DestinationCore):
    """Lets the main thread answer the PING that the listen thread has read."""

    def _take(self, step: Step, *arguments: Any, **named: Any) -> None:
        super()._take(step, *arguments, **named | {"thread": None})


class ReadsThePackageAsTheEngines(DestinationCore):
    """Reads a QEMU's package as it reads the engine's."""

    def _packaged(self, data: bytes) -> Sequence[Output]:
        self.qemu = False
        effects = super()._packaged(data)
        self.qemu = True
        return effects


class LoadsNothingOfAPackageWithPings(DestinationCore):
    """Takes the PING for all that there is in the package."""

    def next_in_package(self) -> Sequence[Output]:
        self._package[:-1] = []
        return super().next_in_package()


TOWARDS_A_QEMU = (
    Mutant(KeepsASentMap, "", "differ in source.sent: 1 and 0", qemu=True),
    Mutant(DiscardsOnlyWhatWasSent, "", "source.sends_discards is not possible", qemu=True),
    Mutant(TakesALaterPongForTheFirst, "", "source.receives_pong is not possible", qemu=True),
    Mutant(ExpectsNoLaterPongs, "", "PONG 4 answers no ping (R19)", qemu=True),
    Mutant(CountsLaterAnswers, "", "destination.answers_ping is not possible", qemu=True),
    Mutant(MainAnswersAfterThePackage, "", "the log has 'answered a later ping' from the main thread", qemu=True),
    Mutant(ReadsThePackageAsTheEngines, "", "package offset 5: device cpu claims ", qemu=True),
    Mutant(LoadsNothingOfAPackageWithPings, "", "differ in destination.devices_loaded: False and True", qemu=True),
)
"""What may be wrong with that which the cores have for a QEMU only."""
