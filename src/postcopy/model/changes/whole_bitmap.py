"""Discard the whole migration bitmap: no sent map any more."""

from postcopy.language import PageSet, View, require, sometimes
from postcopy.model.changes.change import Change
from postcopy.model.network import Command
from postcopy.model.source import Phase, Source


@sometimes("A page is discarded that was never sent", rules="R11 R12")
def discards_what_was_never_sent(state: View) -> bool:
    """This is what it costs: the discards name pages that the destination does not have."""
    return not (state.stream.in_flight(Command.DISCARD) - state.destination.present).empty


class WholeBitmapDiscard(Change):
    """The discard set is the migration bitmap itself, and nobody keeps a sent map.

    What was never sent is dirty, and is not at the destination: to discard it changes nothing. So masking with the sent
    map saves nothing but a longer list.
    """

    origin = "QEMU 1e7cf8c323 (2019), “unsentmap is not necessary”; A20"
    properties = (discards_what_was_never_sent,)

    class source(Source):
        """Keeps one map."""

        def sends_discards(self) -> None:
            """sends the whole migration bitmap to be discarded"""
            require(self.phase == Phase.SWITCHING)
            if not self.dirty.empty:
                self._ready_to_send()
                self.stream.send(Command.DISCARD, self.dirty)
            self.phase = Phase.PACKAGING

        def _remember_sent(self, page: PageSet) -> None:
            """Nobody asks."""

        def _compute_discards(self) -> None:
            """R21: host pages that are partly dirty become wholly so."""
            self.dirty = self.dirty.host_pages
