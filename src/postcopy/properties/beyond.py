"""Properties that one would like to have and that the document's protocol does not have. Not checked by default.

Each is a finding: `docs/findings.md` tells what was found and what would mend it.
"""

from postcopy.language import Flag, LeadsTo, Monitor, Property, Step, View, always, eventually
from postcopy.model.destination import State
from postcopy.model.guest import Mishap
from postcopy.model.source import Phase
from postcopy.properties.liveness import over


class Refusal(Monitor):
    """Remembers that the destination refused postcopy."""

    happened = Flag("the destination has refused postcopy")

    def watch(self, step: Step) -> None:
        """Wait for the refusal."""
        if step.happened(Mishap.REFUSAL):
            self.happened = True


@always("A destination that refuses postcopy never costs the guest", rules="R1 R23", monitor=Refusal)
def refusal_costs_no_guest(state: View) -> bool:
    """The destination could not do postcopy from the start, and said so as soon as it was advised; but the source waits
    for no answer before it hands the guest over (at a switch that was asked for at once, or at the end of a short
    precopy), and it may not take the guest back."""
    refused = state.Refusal.happened and state.destination.state == State.FAILED
    source = state.source
    return not refused or bool(source.running or source.phase < Phase.POSTCOPY or source.phase == Phase.DEAD)


@eventually("A migration ends, whether or not postcopy is asked for", rules="R2 R14")
def ends_without_postcopy(state: View) -> LeadsTo:
    """Precopy promises no end: the guest writes a page as fast as it is sent, and what is left never becomes so little
    that the CPUs are stopped for it. This is what postcopy is for."""
    return LeadsTo(when=state.source.phase > Phase.IDLE, then=over(state))


BEYOND: tuple[Property, ...] = (refusal_costs_no_guest, ends_without_postcopy)
