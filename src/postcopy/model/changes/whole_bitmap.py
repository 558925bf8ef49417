"""Discard the whole migration bitmap: no sent map any more."""

from postcopy.language import Answer, PageSet, View, conjunct, require, sometimes
from postcopy.model.changes.change import Change
from postcopy.model.network import Command
from postcopy.model.source import Phase, Source


@sometimes("A page is discarded that was never sent", rules="R11 R12")
def discards_what_was_never_sent(state: View) -> bool:
    """The price of having no sent map: the discards name pages that the destination does not have."""
    return not (state.stream.in_flight(Command.DISCARD) - state.destination.present).empty


@conjunct("Nothing is ever in the sent map", rules="R12")
def no_sent_map(state: View) -> Answer:
    """The source keeps one map."""
    sent: PageSet = state.source.sent
    return sent


@conjunct("At the switch each dirty host page has a page without a good copy", rules="R11 R21")
def dirty_is_needed(state: View) -> Answer:
    """A host page becomes dirty as a whole because a page of it was dirty."""
    if state.source.phase != Phase.SWITCHING:
        return True
    there: PageSet = state.destination.present - state.guest.stale_at_destination
    bad = ~(there | state.stream.in_flight(Command.PAGE, stale=False))
    dirty: PageSet = state.source.dirty
    return dirty - bad.host_pages


class WholeBitmapDiscard(Change):
    """The discard set is the migration bitmap itself, and there is no sent map.

    A page that was never sent is dirty and is not at the destination, so that discarding it changes nothing. The sent
    map would only make the list of discards shorter.
    """

    origin = "QEMU 1e7cf8c323 (2019), “unsentmap is not necessary”; A20"
    properties = (discards_what_was_never_sent,)
    invariant = (no_sent_map, dirty_is_needed)

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
            """Keeps no sent map."""

        def _compute_discards(self) -> None:
            """R21: host pages that are partly dirty become wholly so."""
            self.dirty = self.dirty.host_pages
