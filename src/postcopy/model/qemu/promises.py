"""What QEMU's migration promises, in words that know of no defect: who runs the guest, what a host says, who waits.

The catalogue's properties are asked of QEMU's models as well. Where one speaks of a protocol without recovery, or of a
step that is several in QEMU, the property that takes its place stands here; `protocol` says why.
"""

from postcopy.language import (
    Answer,
    Cpu,
    Flag,
    LeadsTo,
    Monitor,
    Page,
    PageSet,
    Property,
    Step,
    View,
    always,
    eventually,
    every_step,
    sometimes,
)
from postcopy.model.changes.recovery_messages import Recovering
from postcopy.model.destination import State
from postcopy.model.guest import Mishap
from postcopy.model.qemu.second_migration import is_unused
from postcopy.model.qemu.states import (
    Aborted,
    Connecting,
    Ending,
    FaultThread,
    Interrupt,
    Listen,
    MainLoop,
    Placing,
    Preempt,
    Refusing,
    SetUp,
)
from postcopy.model.qemu.switchover import is_held
from postcopy.model.roles import Role
from postcopy.model.source import Phase
from postcopy.properties.safety import lost_pages, lost_requests, requested_first

HOSTS = ("source host", "destination host")
"""The threads whose failures are deaths of a host."""


class Deaths(Monitor):
    """Remembers whether a host has died."""

    died = Flag("a host has died")

    def watch(self, step: Step) -> None:
        """Look for failures of whole hosts."""
        if step.happened(Mishap.FAILURE) and step.action.thread in HOSTS:
            self.died = True


class Troubles(Monitor):
    """Remembers whether anything has failed, or was cancelled or refused."""

    any = Flag("something has failed, or was cancelled or refused")

    def watch(self, step: Step) -> None:
        """Look for failures of hosts, devices and the network, and for the operator."""
        if step.happened(Mishap.FAILURE) or step.happened(Mishap.REFUSAL) or step.after.wire.failed:
            self.any = True
        if step.happened(Interrupt.SHUT_DOWN):
            self.any = True
        if step.after.source.ending == Ending.CANCELLING or step.after.destination.loop == MainLoop.PEEKING_STRANGER:
            self.any = True


def settled(state: View) -> bool:
    """The migration goes on: its connections stand, and no host pauses, recovers, fails or cancels."""
    source, destination = state.source, state.destination
    stand = not (state.stream.broken or state.return_path.broken or (state.preempt and state.fast.broken))
    quiet = source.recovery == Recovering.NO and source.ending == Ending.NO and destination.recovery == Recovering.NO
    reads = destination.listener == Listen.NONE or destination.listener == Listen.READING
    over = source.phase > Phase.COMPLETED or destination.state == State.FAILED or destination.load_failed
    return bool(stand and quiet and reads and not over)


def no_more(state: View) -> bool:
    """The source is done with the migration and has not its guest, and no operator can bring it back."""
    return bool(state.source.phase > Phase.COMPLETED and not state.source.running)


# -- who has the guest -----------------------------------------------------------------------------------------------


@always("The guest is lost only with a host", rules="R15 R23", monitor=Deaths)
def guest_lost_only_with_host(state: View) -> bool:
    """No host has died. Yet the source has given the migration up and does not run the guest, and the destination has
    given it up too, or waits for the source's pages and for a recovery that the source refuses."""
    destination = state.destination
    waits_in_vain = destination.recovery != Recovering.NO or destination.listener == Listen.PAUSED
    lost = no_more(state) and (destination.state == State.FAILED or waits_in_vain)
    return bool(state.Deaths.died or not lost)


# -- what a host says ------------------------------------------------------------------------------------------------


@always("A source that says failed or cancelled is right", rules="R15 R23 R27", monitor=Deaths)
def failed_is_true(state: View) -> bool:
    """The source says that the migration has failed or was cancelled, and the guest runs at the destination: that is
    what a migration is for."""
    says_so = state.source.phase == Phase.FAILED or state.source.phase == Phase.CANCELLED
    return not (says_so and state.destination.running)


@always("A host that says paused can be resumed", rules="R15", monitor=Deaths)
def paused_can_resume(state: View) -> bool:
    """No host has died, and this one says paused, so that its operator resumes it. But the other host has given the
    migration up, and refuses."""
    source, destination = state.source, state.destination
    refuses = destination.state == State.FAILED or destination.recovery == Refusing.FAILED
    source_waits = source.recovery == Recovering.PAUSED and refuses
    destination_waits = destination.recovery == Recovering.PAUSED and source.phase > Phase.COMPLETED
    return bool(state.Deaths.died or not (source_waits or destination_waits))


@always("A migration fails only for a reason", rules="R15 R23 R27", monitor=Troubles)
def fails_for_a_reason(state: View) -> bool:
    """A host has given the migration up, or is about to; and no host, device or connection has failed, the destination
    has not refused, and no operator has cancelled."""
    source, destination = state.source, state.destination
    source_fails = source.phase == Phase.FAILED or source.ending == Ending.FAILING
    destination_fails = destination.state == State.FAILED or destination.recovery == Refusing.FAILED
    return bool(state.Troubles.any or not (source_fails or destination_fails))


@every_step("A source pauses only for a reason", rules="R15")
def pauses_for_a_reason(step: Step) -> bool:
    """The source's connections stand, as far as it has them, and it was not about to make a new one. Yet it pauses: its
    operator finds nothing to mend, and a recovery can end in the same way."""
    before, after = step.before, step.after.source
    begins = after.recovery == Recovering.PAUSED and before.source.recovery != Recovering.PAUSED
    broken = before.stream.broken or before.return_path.broken or (before.preempt and before.fast.broken)
    return bool(broken or step.happened(Connecting.IN_VAIN) or not begins)


@every_step("A word that was read counts", rules="R15 R23")
def word_counts(step: Step) -> bool:
    """The source has read the destination's word that all is loaded, so that the guest is the destination's. Yet it
    gives the migration up as failed, and takes the guest back where it can."""
    before, after = step.before.source, step.after.source
    begins = after.ending == Ending.FAILING and before.ending != Ending.FAILING
    gives_up = begins or (after.phase == Phase.FAILED and before.phase != Phase.FAILED)
    return not (before.loaded and before.switched and gives_up)


@every_step("Only an operator cancels", rules="R27")
def only_operator_cancels(step: Step) -> bool:
    """The source is about to cancel the migration, and its operator has not asked for it."""
    begins = step.after.source.ending == Ending.CANCELLING and step.before.source.ending != Ending.CANCELLING
    return step.action.thread == "operator" or not begins


@every_step("A guest that runs at the destination is not given up", rules="R15")
def running_guest_is_kept(step: Step) -> bool:
    """The guest runs at the destination, and its host gives the migration up that has brought it here: the process
    ends, or stays and watches for missing pages no more."""
    gives_up = step.before.destination.running and step.after.destination.state == State.FAILED
    return step.action.thread in HOSTS or not gives_up


# -- who waits -------------------------------------------------------------------------------------------------------


@every_step("No process aborts")
def no_process_aborts(step: Step) -> bool:
    """An assertion of QEMU's fails, or a file that is not there is read: the process ends, with the guest if it runs
    there."""
    return not step.happened(Aborted.ASSERTION)


@always("A thread that reads the preempt channel has its file")
def reader_has_its_file(state: View) -> bool:
    """The preempt thread is in a read, and another thread has closed and freed the file that it reads from."""
    destination = state.destination
    return bool(destination.preempt_at != Preempt.READING or destination.fast_there)


@eventually("A thread that waits with the big lock goes on")
def big_lock_comes_free(state: View) -> LeadsTo:
    """The main loop waits with the big lock: no command of the monitor is carried out any more, not even the one that
    could help."""
    return LeadsTo(when=state.destination.loop != MainLoop.FREE, then=state.destination.loop == MainLoop.FREE)


@always("When a migration goes on no page is lost", rules="R10 R17 R24")
def no_page_is_lost(state: View) -> Answer:
    """The connections stand and both hosts go on; but the destination cannot get the last write of this page any
    more."""
    before = state.source.phase < Phase.PRECOPY
    return True if before or not settled(state) else lost_pages(state)


@always("When a migration goes on no request is lost", rules="R12 R16 R19 R25")
def no_request_is_lost(state: View) -> Answer:
    """The connections stand and both hosts go on; but a thread at the destination sleeps until this page comes, and it
    is neither requested nor on its way."""
    return lost_requests(state) - state.pages_of(Role.UNSENT) if settled(state) else True


@every_step("Without preempt no background page is sent before a requested one", rules="R17")
def requested_first_without_preempt(step: Step) -> Answer:
    """A vCPU stands still until its page comes: a page that is not asked for was sent ahead of it. With preempt
    requested pages have a channel of their own."""
    # what a property may answer is a wider type: one of steps answers with no promise
    return True if step.before.preempt else requested_first.holds(step)  # type: ignore[return-value]


@every_step("No page comes where one is", rules="R10 R13 R17")
def no_page_comes_twice(step: Step) -> bool:
    """The kernel does not place this page: the destination has it. The thread that was to place it takes that for an
    error of its connection."""
    return not step.happened(Placing.EEXIST)


# -- the end ---------------------------------------------------------------------------------------------------------


@always("Where missing pages are watched for no more, none is missing", rules="R24 R25")
def none_missing_at_end(state: View) -> Answer:
    """The destination has come to its end and cleaned up: a touch of this page would find zeros where the guest has
    data."""
    destination = state.destination
    if destination.state != State.END or destination.sensitive:
        return True
    missing: PageSet = ~(state.pages_of(Role.PRESENT) | state.guest.given_up)
    return missing


def interrupted(state: View) -> bool:
    """The migration does not go on, nor has the listen thread come to the end of the stream, where all has come."""
    listener = state.destination.listener
    at_end = listener == Listen.ENDING or listener == Listen.LEFT
    return bool(not settled(state) and not at_end)


@eventually("Every requested page arrives while a connection stands", rules="R13 R16 R17")
def requested_page_arrives(state: View, page: Page) -> LeadsTo:
    """The destination has asked for this page and gets it only from the source. The connections stand, and both hosts
    go on: it never comes."""
    asked = state.pages_of(Role.REQUEST)[page] and settled(state)
    return LeadsTo(when=asked, then=state.pages_of(Role.PRESENT)[page] or interrupted(state))


@eventually("Every blocked vCPU runs again while a connection stands", rules="R16 R17 R22")
def blocked_vcpu_runs_again(state: View, cpu: Cpu) -> LeadsTo:
    """A touch of a missing page costs the guest time, not its life. The connections stand, and both hosts go on: this
    vCPU sleeps for ever."""
    waiting = state.destination.waiting[cpu]
    return LeadsTo(when=not waiting.empty and settled(state), then=waiting.empty or interrupted(state))


@eventually("Every thread that waits for a page is woken while a connection stands", rules="R6 R16 R22")
def sleeper_is_woken(state: View, page: Page) -> LeadsTo:
    """A thread sleeps until this page comes. The connections stand, and both hosts go on: it sleeps for ever."""
    waited_for = state.waited_for()[page]
    return LeadsTo(when=waited_for and settled(state), then=not waited_for or interrupted(state))


@eventually("Postcopy, once asked for, comes, or the migration ends", rules="R2 R3")
def postcopy_comes(state: View) -> LeadsTo:
    """The operator asked for postcopy because precopy does not come to an end: it goes on all the same, for ever."""
    return LeadsTo(when=state.source.start_postcopy, then=state.source.phase >= Phase.FINISHING)


@eventually("A migration that has left precopy ends, or waits for its operators", rules="R14 R15 R24")
def ends_or_waits(state: View) -> LeadsTo:
    """The connection may break again and again, and operators are not obliged to act; but here a host neither ends nor
    pauses, so that an operator has nothing to do."""
    source, destination = state.source, state.destination
    source_done = source.phase >= Phase.COMPLETED or waits_for_operator(state)
    at_end = destination.state == State.END and not destination.sensitive
    destination_done = at_end or destination.state == State.FAILED or destination_waits(state)
    both_done = source_done and destination_done
    return LeadsTo(when=source.phase >= Phase.FINISHING, then=bool(both_done or is_held(state)))


def waits_for_operator(state: View) -> bool:
    """The source is paused, or has been resumed and the destination is not listening yet."""
    recovery = state.source.recovery
    return bool(recovery == Recovering.PAUSED or recovery == SetUp.RECOVER_SETUP)


def destination_waits(state: View) -> bool:
    """The destination is paused, or listens, or is new, and its main loop can carry commands out."""
    destination = state.destination
    listens = destination.recovery == Recovering.LISTENING and state.stream.listening
    waits = destination.recovery == Recovering.PAUSED or listens or is_unused(state)
    return bool(waits and destination.loop == MainLoop.FREE)


def all_threads_left(state: View) -> bool:
    """No thread of the destination waits for anything any more."""
    destination = state.destination
    quiet = destination.loop == MainLoop.FREE and destination.fault_at == FaultThread.POLLING
    return bool(quiet and destination.preempt_at == Preempt.NONE and not destination.sensitive)


def may_rest(state: View) -> bool:
    """Not yet started; or held before the switchover; or over at both hosts, and no thread waits; or both wait for
    their operators, or one of them for a host that is gone. A destination that has failed and stays refuses its
    operator: it may rest only where the migration is over at the source, too."""
    source, destination = state.source, state.destination
    if source.phase == Phase.IDLE or is_held(state):
        return True
    over = source.phase >= Phase.COMPLETED
    destination_over = destination.state == State.FAILED or (
        destination.state == State.END and all_threads_left(state) and state.waited_for().empty
    )
    source_rests = over or waits_for_operator(state)
    refuses = destination.recovery == Refusing.FAILED and destination.loop == MainLoop.FREE
    failed = over and refuses and destination.device_waiting.empty
    return bool((source_rests and (destination_over or destination_waits(state))) or failed)


# -- what is reached -------------------------------------------------------------------------------------------------


@sometimes("A migration completes after it was recovered")
def completes_recovered(state: View) -> bool:
    """Without losing anything."""
    return bool(state.wire.failed and state.source.phase == Phase.COMPLETED)


@sometimes("A migration goes on after a break")
def recovers(state: View) -> bool:
    """All the way through recovery."""
    return bool(state.wire.failed and settled(state) and state.source.phase == Phase.POSTCOPY)


@sometimes("The source pauses in a recovery")
def pauses_again(state: View) -> bool:
    """The destination has taken the new connection, and that has broken too."""
    return bool(state.source.recovery == Recovering.PAUSED and state.destination.recovery == Recovering.RECOVER)


@sometimes("The preempt thread reads its channel")
def reads_preempt(state: View) -> bool:
    """Asked where the capability is on."""
    return bool(not state.preempt or state.destination.preempt_at == Preempt.READING)


@sometimes("The source takes its guest back after the package was sent")
def guest_taken_back(state: View) -> bool:
    """The state postcopy-device exists so that this can happen."""
    return bool(state.source.phase == Phase.FAILED and state.source.running and state.destination.state > State.NONE)


PROMISES: tuple[Property, ...] = (
    guest_lost_only_with_host,
    failed_is_true,
    paused_can_resume,
    fails_for_a_reason,
    pauses_for_a_reason,
    word_counts,
    only_operator_cancels,
    running_guest_is_kept,
    no_process_aborts,
    reader_has_its_file,
    big_lock_comes_free,
    no_page_is_lost,
    no_request_is_lost,
    requested_first_without_preempt,
    no_page_comes_twice,
    none_missing_at_end,
    requested_page_arrives,
    blocked_vcpu_runs_again,
    sleeper_is_woken,
    postcopy_comes,
    ends_or_waits,
    completes_recovered,
    recovers,
    pauses_again,
    reads_preempt,
    guest_taken_back,
)

REPLACED: dict[str, str] = {
    "no-page-sent-twice": "what was lost with a connection is sent again",
    "nothing-dirtied-after-switch": "the bitmap is rebuilt after a break",
    "no-page-lost": "what was lost comes again after recovery: see no-page-is-lost",
    "no-request-lost": "what was lost is asked for again after recovery: see no-request-is-lost",
    "only-faults-requested": "what was requested before a break is requested again after it",
    "both-break-together": "connections fail each alone, and are made anew one after the other",
    "operator-cancels-alone": "cancelling and cancelled are two states: see only-operator-cancels",
    "failed-for-a-reason": "each connection can fail alone: see fails-for-a-reason",
    "no-guest-lost": "the source can take its guest back after the package: see guest-lost-only-with-host",
    "nothing-is-kept": "the destination is completed before it cleans up: see none-missing-at-end",
    "nothing-missing-at-end": "the destination is completed before it cleans up: see none-missing-at-end",
    "requested-first": "with preempt requested pages have a channel of their own: see requested-first-without-preempt",
    "threads-do-their-own-work": "after a break the listen thread asks again, and a main loop does the rest",
    "every-requested-page-arrives": "not where an operator shuts connections down: see requested-page-arrives",
    "every-blocked-vcpu-runs-again": "not where an operator shuts connections down: see blocked-vcpu-runs-again",
    "every-sleeper-is-woken": "not where an operator shuts connections down: see sleeper-is-woken",
    "the-switch-happens": "not where an operator shuts connections down: see postcopy-comes",
    "started-guest-runs": "where the source has the disk the destination's guest stays stopped: see "
    "the-guest-runs-again",
    "the-migration-ends": "after a break operators may never come: see ends-or-waits",
}
"""Properties of the catalogue that are not asked, each with the reason."""
