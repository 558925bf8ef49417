"""The source gives its memory back as it sends it (release-ram), beside recovery (A03)."""

from postcopy.language import NONE, Answer, Bitmap, PageSet, View, conjunct
from postcopy.language.ranking import Component, Measure
from postcopy.model.changes.recovery import RecoveringSource, Recovery
from postcopy.model.changes.recovery_messages import Recovering
from postcopy.model.network import Command
from postcopy.model.roles import Role
from postcopy.model.source import Phase
from postcopy.properties.ranking import ranking_with


@conjunct("A source that has paused stays so")
def source_does_not_recover(state: View) -> bool:
    """The operator's command is refused (QEMU 97ca211c62: migrate_prepare)."""
    return bool(state.source.recovery == Recovering.NO or state.source.recovery == Recovering.PAUSED)


@conjunct("What the source has given back is not to be sent again", rules="R13")
def freed_is_clean(state: View) -> Answer:
    """It was sent, and the migration bitmap is not rebuilt."""
    freed: PageSet = state.source.freed
    return freed & state.source.dirty if state.source.phase >= Phase.POSTCOPY else freed


@conjunct("A destination that has paused waits for a new connection in vain")
def destination_waits_in_vain(state: View) -> bool:
    """Its operator lets it listen, and no source connects."""
    recovery = state.destination.recovery
    waits = recovery == Recovering.LISTENING and state.stream.listening
    return bool(recovery == Recovering.NO or recovery == Recovering.PAUSED or waits)


POINTS_OF_RECOVERY = (
    Component("source.recovery", Measure.ADVANCES, "a source that has paused stays so"),
    Component("destination.recovery", Measure.ADVANCES, "the destination pauses once, and then listens for ever"),
)
"""What is used up beside what the document's protocol uses up."""


class ReleasingSource(RecoveringSource):
    """Frees a page when it has been sent in postcopy; if it is sent again, zeros are sent."""

    freed = Bitmap("pages that the source has given back to its host: it reads zeros there", role=Role.NOTE)

    def _send_page(self, page: PageSet) -> None:
        self.stream.send(Command.PAGE, page, stale=self.guest.stale_at_source | self.freed)

    def _send_in_postcopy(self, page: PageSet) -> None:
        super()._send_in_postcopy(page)
        self.freed |= page

    def _clean_up(self) -> None:
        super()._clean_up()
        self.freed = NONE


class ReleaseRamWithRecovery(Recovery):
    """release-ram and recovery together: pages that were on their way when the connection broke have been freed at the
    source, and come again as zeros."""

    origin = "QEMU 53f09a1076 (2017), 97ca211c62 (2018); A03"
    breaks = ("no-page-lost-for-good", "no-stale-read")
    source = ReleasingSource


class ReleaseRamRefusesRecovery(ReleaseRamWithRecovery):
    """What was done about it: with release-ram a migration that has paused is not resumed. The guest waits for the
    missing pages for ever, but reads no wrong content."""

    breaks = ()
    invariant = (source_does_not_recover, destination_waits_in_vain, freed_is_clean)
    ranking = ranking_with(*POINTS_OF_RECOVERY)
    inapplicable = {  # noqa: RUF012
        "goes-on": "a broken migration is not resumed",
        "breaks-again": "a broken migration is not resumed",
        "completes-after-break": "a broken migration is not resumed",
    }

    class source(ReleasingSource):
        """Cannot be resumed."""

        operator_resumes = None
        asks_what_arrived = None
        reloads_bitmap = None
        sends_resume = None
        receives_resume_ack = None
