"""What must happen in the end, on every fair run; each a sentence, its rules, and why it is absurd that it never does.

`LIVENESS` at the end lists them all. A run is fair when every thread that can go on to move takes a step in the end
(`postcopy.explorer.liveness.fairness`); the guest, the operator and the network owe nothing. The excuses are those of
the document: a host or the connection has failed, the destination has refused, or the operator has cancelled.
"""

from postcopy.language import Cpu, LeadsTo, Page, Property, View, eventually
from postcopy.model.destination import State
from postcopy.model.roles import Role
from postcopy.model.source import Phase
from postcopy.properties.safety import Handover, excused


def over(state: View) -> bool:
    """Both hosts are done with the migration, however it went."""
    destination = state.destination.state
    ended = destination == State.END or destination == State.FAILED
    return bool(ended and state.source.phase >= Phase.COMPLETED)


@eventually("Every requested page arrives", rules="R13 R16 R17", monitor=Handover)
def every_requested_page_arrives(state: View, page: Page) -> LeadsTo:
    """The destination has asked for this page and gets it only from the source: the thread that touched it sleeps for
    ever, although nothing has failed."""
    asked_for = state.pages_of(Role.REQUEST)
    return LeadsTo(when=asked_for[page], then=state.pages_of(Role.PRESENT)[page] or excused(state))


@eventually("Every blocked vCPU runs again", rules="R16 R17 R22", monitor=Handover)
def every_blocked_vcpu_runs_again(state: View, cpu: Cpu) -> LeadsTo:
    """A touch of a missing page costs the guest time, not its life: this vCPU sleeps for ever, although nothing has
    failed."""
    waiting = state.destination.waiting[cpu]
    return LeadsTo(when=not waiting.empty, then=waiting.empty or excused(state))


@eventually("Every thread that waits for a page is woken", rules="R6 R16 R22", monitor=Handover)
def every_sleeper_is_woken(state: View, page: Page) -> LeadsTo:
    """A thread sleeps until this page comes, and sleeps for ever, although nothing has failed: its page does not come,
    or comes and does not wake it."""
    waited_for = state.waited_for()[page]
    return LeadsTo(when=waited_for, then=not waited_for or excused(state))


@eventually("The switch, once asked for, happens", rules="R2 R3", monitor=Handover)
def the_switch_happens(state: View) -> LeadsTo:
    """The operator asked for postcopy because precopy does not come to an end: it goes on all the same, and the guest
    stays where it is for ever."""
    source = state.source
    stopped = Phase.FINISHING <= source.phase and source.phase <= Phase.COMPLETED
    return LeadsTo(when=source.start_postcopy, then=stopped or excused(state))


@eventually("A migration that has left precopy ends", rules="R14 R15 R24")
def the_migration_ends(state: View) -> LeadsTo:
    """The traffic and the time after the switch are bounded, and where the connection is lost the migration has failed:
    here one of the hosts never comes to its end."""
    return LeadsTo(when=state.source.phase >= Phase.FINISHING, then=over(state))


@eventually("A guest that was stopped runs again at one of the hosts", rules="R7 R15 R23", monitor=Handover)
def the_guest_runs_again(state: View) -> LeadsTo:
    """The migration stops the guest to start it elsewhere, or to let it go on here: it stands still for ever, although
    its host is alive, and nothing has failed since it was handed over."""
    runs = state.source.running or state.destination.running
    lost = state.source.phase == Phase.DEAD or (state.Handover.done and excused(state))
    return LeadsTo(when=not runs, then=runs or lost)


@eventually("The destination starts its guest once the devices are loaded", rules="R7")
def started_guest_runs(state: View) -> LeadsTo:
    """The device state is what the guest's CPUs wait for: it has been loaded, the destination has not given up, and its
    guest stands still for ever."""
    destination = state.destination
    return LeadsTo(when=destination.devices_loaded, then=destination.running or destination.state == State.FAILED)


LIVENESS: tuple[Property, ...] = (
    every_requested_page_arrives,
    every_blocked_vcpu_runs_again,
    every_sleeper_is_woken,
    the_switch_happens,
    the_migration_ends,
    the_guest_runs_again,
    started_guest_runs,
)
