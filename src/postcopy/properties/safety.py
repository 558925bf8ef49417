"""What must never happen, in every state or at any step; each a sentence, its rules, and why its failure is absurd.

`SAFETY` at the end lists them all. For each there is a witness (`postcopy.properties.witnesses`) that reaches the
situation it speaks of, and at least one fault (`postcopy.model.faults`) that breaks it.
"""

from dataclasses import replace

from postcopy.language import (
    NO_DEADLOCK,
    Answer,
    Bitmap,
    Flag,
    Monitor,
    PageSet,
    Property,
    Step,
    View,
    always,
    every_step,
)
from postcopy.language.declaration_checks import MOST_CPUS
from postcopy.language.threads import declared_threads
from postcopy.model.destination import Destination, Main, State
from postcopy.model.guest import Memory, Mishap
from postcopy.model.network import Command, Reply, Wire
from postcopy.model.roles import Role
from postcopy.model.source import Phase, Source

STREAM_READER = "listen thread"
OPERATOR = "operator"
MAIN = "main thread"
MIGRATION = "migration thread"
RETURN_PATH_READER = "return-path thread"

ENDS = (
    ("stream", True, (MIGRATION,)),
    ("stream", False, (MAIN, STREAM_READER)),
    ("return_path", False, (RETURN_PATH_READER,)),
)
"""The threads that use an end of the connection: the channel, and whether they send on it. Several threads send on the
return path (R19)."""

TOUCHES = (
    (Memory.SOURCE_WRITE, "source guest"),
    (Memory.DEVICE_READ, MAIN),
    (Memory.GIVEN_BACK, "balloon"),
)
"""The threads that touch memory beside the vCPUs."""


class SentSinceSwitch(Monitor):
    """Remembers which pages were sent in postcopy."""

    pages = Bitmap("pages sent since the switch")

    def watch(self, step: Step) -> None:
        """Add what a step of postcopy sends."""
        if step.sends(Command.PAGE) and step.before.source.phase == Phase.POSTCOPY:
            self.pages |= step.sent(Command.PAGE)


class Handover(Monitor):
    """Remembers whether the guest was handed over, and whether anything failed."""

    done = Flag("the package (or the end of precopy) has been sent")
    failure = Flag("a host or the network has failed")

    def watch(self, step: Step) -> None:
        """Look for the messages after which the destination may start the guest, and for failures."""
        if step.sends(Command.PACKAGED) or step.sends(Command.PRECOPY_END) or step.sends(Command.RUN):
            self.done = True
        if step.happened(Mishap.FAILURE) or step.happened(Mishap.REFUSAL):
            self.failure = True


@every_step("No page is sent twice in postcopy", rules="R10 R13", monitor=SentSinceSwitch)
def no_page_sent_twice(step: Step) -> Answer:
    """The migration bitmap is there to ensure that no page is sent more than once: this one was sent before, in this
    same postcopy phase, and the destination may have written to it since."""
    if step.sends(Command.PAGE) and step.before.source.phase == Phase.POSTCOPY:
        return step.sent(Command.PAGE) & step.before.SentSinceSwitch.pages
    return True


@every_step("No vCPU reads a stale page", rules="R3 R5 R11 R22")
def no_stale_read(step: Step) -> Answer:
    """A read returns the last write, wherever the guest ran when it wrote: what this vCPU read is not what the guest
    wrote last."""
    return _stale(step, Memory.CPU_READ)


@every_step("The device load reads no stale page", rules="R5 R6 R11 R26")
def no_stale_device_read(step: Step) -> Answer:
    """Loading the devices touches guest memory as the guest itself would: what it read is not what the guest wrote
    last."""
    if step.before.source.running:  # the guest went on there: this load is in vain
        return True
    return _stale(step, Memory.DEVICE_READ)


def _stale(step: Step, what: Memory) -> Answer:
    if not step.happened(what):
        return True
    before = step.before
    good = before.pages_of(Role.PRESENT) - before.guest.stale_at_destination
    return step.of(what) - good - before.guest.given_up


@every_step("No placed page overwrites a destination write", rules="R10 R13")
def no_write_overwritten(step: Step) -> Answer:
    """The guest has written this page at the destination; the copy that arrives from the source is older, and placing
    it destroys the write."""
    if not step.happened(Memory.PLACE):
        return True
    before = step.before
    return step.of(Memory.PLACE) & before.pages_of(Role.PRESENT) & before.guest.stale_at_source


@always("No page is lost: it is at the destination, on its way, or still to be sent", rules="R10 R17 R24")
def no_page_lost(state: View) -> Answer:
    """The last write of this page is nowhere from where the destination could still get it: it is not there, not on the
    stream, and the source does not mean to send it."""
    phase = state.source.phase
    if (
        phase < Phase.PRECOPY
        or phase > Phase.COMPLETED
        or state.stream.broken
        or state.destination.state == State.FAILED
    ):
        return True
    return lost_pages(state)


def lost_pages(state: View) -> PageSet:
    """The pages whose last write is neither at the destination nor on its way nor going to be sent."""
    at_destination = state.pages_of(Role.PRESENT) - state.guest.stale_at_destination
    waiting = (state.pages_of(Role.LANDING) | state.pages_of(Role.KEPT)) - state.guest.stale_in_assembly
    on_the_way = state.copies_in_flight(stale=False)
    on_the_way = on_the_way | state.guest.given_up
    if state.source.phase < Phase.ENDING:
        on_the_way = on_the_way | state.pages_of(Role.UNSENT)
    return ~(at_destination | waiting | on_the_way)


@always("Never do two guests run", rules="R1 R15 R27")
def no_two_guests(state: View) -> bool:
    """The guest's CPUs run at the source and at the destination at once: two guests with one disk and one identity."""
    return not (state.source.running and state.destination.running)


@always("The guest is lost only as the document allows: by a failure in postcopy", rules="R8 R15 R23", monitor=Handover)
def no_guest_lost(state: View) -> bool:
    """The guest was handed over, the destination has given it up, and the source may not start it again; yet nothing
    has failed: the document gives up a guest only for a failure of either side or of the network in postcopy."""
    in_vain = state.Handover.done and state.destination.state == State.FAILED and not state.source.running
    return not in_vain or bool(state.Handover.failure or state.wire.failed)


@always("In precopy the guest goes on at the source", rules="R15 R23", monitor=Handover)
def guest_goes_on_in_precopy(state: View) -> bool:
    """The migration has failed or was cancelled before the guest was handed over, and yet the source's CPUs stand
    still."""
    over = state.source.phase == Phase.FAILED or state.source.phase == Phase.CANCELLED
    return not (over and not state.Handover.done) or bool(state.source.running)


@every_step("Pages are discarded only before the CPUs start", rules="R11")
def discards_before_start(step: Step) -> bool:
    """The guest already runs on these pages: a vCPU that read one before had the stale copy, and what the guest wrote
    to it is thrown away."""
    if not step.happened(Memory.DISCARD):
        return True
    destination = step.before.destination
    return bool(destination.state == State.ADVISE and not destination.running)


@every_step("The discard set is exactly what the destination has and may not keep", rules="R11 R12 R21")
def discard_set_exact(step: Step) -> Answer:
    """Discarded must be the pages that were sent and are dirty again (and with them the rest of their host page): this
    one is discarded although its copy is good, or kept although its copy is stale."""
    source = step.before.source
    if not step.happened(Memory.DISCARD) or source.phase < Phase.SWITCHING or source.phase > Phase.COMPLETED:
        return True
    have: PageSet = step.before.destination.present
    wrong: PageSet = (~have | step.before.guest.stale_at_destination).host_pages & have
    discarded = step.of(Memory.DISCARD) & have
    return (wrong - discarded) | (discarded - wrong)


@always("When the CPUs start nothing stale is left at the destination", rules="R3 R11")
def nothing_stale_at_start(state: View) -> Answer:
    """The destination's CPUs run, and they can touch this page without a fault, although its content is not the guest's
    last write."""
    if not state.destination.running:
        return True
    stale: PageSet = state.pages_of(Role.PRESENT) & state.guest.stale_at_destination
    return stale


@every_step("The destination's postcopy states only go forward", rules="R9")
def states_forward(step: Step) -> bool:
    """The states are ADVISE, LISTEN, RUNNING, END, in this order and never back, and END is the end."""
    before, after = step.before.destination.state, step.after.destination.state
    if before == State.END:
        return bool(after == State.END)
    return bool(after >= before)


@every_step("What is over stays over", rules="R2 R9")
def finished_stays_finished(step: Step) -> bool:
    """Issuing migrate_start_postcopy after the end of a migration is harmless: this migration had ended, and was
    changed."""
    return bool(step.before.source.phase < Phase.COMPLETED or step.after.source.phase == step.before.source.phase)


@every_step("Only dirty pages are sent", rules="R10")
def only_dirty_pages_sent(step: Step) -> Answer:
    """The migration bitmap says which pages still have to be sent: this one was clean, and was sent all the same."""
    if not step.sends(Command.PAGE):
        return True
    offending: PageSet = step.sent(Command.PAGE) - step.before.pages_of(Role.UNSENT)
    return offending


@always("The sent map is used up by the discards", rules="R12")
def sent_map_is_used_up(state: View) -> Answer:
    """Computing the discard set uses up the sent map, and only the migration bitmap is valid from then on: this page is
    still in the sent map."""
    return True if state.source.phase < Phase.POSTCOPY else state.source.sent


@every_step("Nothing is dirtied after the switch", rules="R3 R10")
def nothing_dirtied_after_switch(step: Step) -> Answer:
    """During postcopy the source's CPUs are stopped and nothing should dirty anything any more: this page was clean and
    needs sending again."""
    if step.before.source.phase < Phase.SWITCHING:
        return True
    return step.after.pages_of(Role.UNSENT) - step.before.pages_of(Role.UNSENT)


@every_step("The source's memory is not written after the switch", rules="R3")
def no_write_after_switch(step: Step) -> bool:
    """The discards and the package describe the memory at the moment when the CPUs stopped: what is written to it
    afterwards never reaches the destination."""
    if not step.happened(Memory.SOURCE_WRITE):
        return True
    return bool(step.before.source.phase < Phase.FINISHING or step.before.source.phase > Phase.COMPLETED)


@every_step("Every send in postcopy leaves less to send", rules="R14")
def sends_bounded(step: Step) -> bool:
    """The traffic after the switch is bounded because each send takes a page out of the migration bitmap: this one does
    not, and can be repeated for ever."""
    if step.sends(Command.PAGE) and step.before.source.phase == Phase.POSTCOPY:
        before, after = step.before.pages_of(Role.UNSENT), step.after.pages_of(Role.UNSENT)
        return bool(after.subset_of(before) and not after.same_as(before))
    return True


@every_step("No background page is sent before a requested one", rules="R17")
def requested_first(step: Step) -> Answer:
    """A vCPU stands still until its page comes: a page that nobody asked for was sent ahead of it."""
    source = step.before.source
    if not step.sends(Command.PAGE) or source.phase != Phase.POSTCOPY or source.requests.empty:
        return True
    offending: PageSet = step.sent(Command.PAGE) - source.requests.host_pages - source.sending
    return offending


@always("No request is lost", rules="R12 R16 R19 R25")
def no_request_lost(state: View) -> Answer:
    """A thread at the destination sleeps until this page comes, and it will not come: no fault is queued, no request is
    under way or waits at the source, and the page is neither on its way nor about to be placed."""
    if state.stream.broken or state.source.phase > Phase.COMPLETED:
        return True
    return lost_requests(state)


def lost_requests(state: View) -> PageSet:
    """The pages for which a thread sleeps and which will not come."""
    coming = state.pages_of(Role.REQUEST) | state.copies_in_flight() | state.pages_of(Role.LANDING)
    return state.waited_for().host_pages - coming.host_pages


@every_step("Only faults are requested, in whole host pages", rules="R16 R21")
def only_faults_requested(step: Step) -> Answer:
    """A request stands for a fault and names its whole host page: no thread has touched this page or waits for it, or
    the request names a part of its host page, or the fault stays in the queue when no thread waits any more."""
    if not step.sends(Reply.REQ_PAGES):
        return True
    before, after = step.before.destination.faulted, step.after.destination.faulted
    sent: PageSet = step.sent(Reply.REQ_PAGES)
    in_vain = sent - step.before.waited_for().host_pages
    unasked = in_vain - before.host_pages
    return unasked | (sent.host_pages - sent) | (in_vain if after.same_as(before) else sent - sent)


@every_step("A thread that waits for a page does nothing else", rules="R6 R16")
def waiting_thread_stands_still(step: Step) -> Answer:
    """A touch of a missing page puts the thread to sleep until the page is placed: it goes on, and its page has not
    come."""
    destination, cpu = step.before.destination, step.action.cpu
    touches = step.happened(Memory.CPU_READ) or step.happened(Memory.DESTINATION_WRITE)
    if touches and cpu is not None:
        sleeps: PageSet = destination.waiting[cpu]
        return sleeps
    return destination.device_waiting if step.happened(Memory.DEVICE_READ) else True


@every_step("Only its page, or giving up, wakes a thread that waits", rules="R6 R16")
def only_its_page_wakes(step: Step) -> Answer:
    """A thread sleeps until its page is placed: it waited for this page and waits no more, and the page has not
    come."""
    after = step.after
    if after.destination.state == State.FAILED:
        return True
    woken = step.before.waited_for() - after.waited_for()
    return woken - after.pages_of(Role.PRESENT)


@always("The device load goes on only when its page has come", rules="R6")
def device_load_has_its_page(state: View) -> Answer:
    """The device load touched this page and cannot go on without its content: the page has not come, and the main
    thread no longer loads devices."""
    return True if state.destination.main == Main.DEVICES else state.destination.device_waiting


@always("The CPUs start on loaded devices", rules="R7")
def devices_before_cpus(state: View) -> bool:
    """RUN is the package's last command because the CPUs need every device: they run, and the device state has not been
    loaded."""
    return not state.destination.running or bool(state.destination.devices_loaded)


@always("Postcopy goes on only where the destination can do it", rules="R1 R23")
def postcopy_where_supported(state: View) -> bool:
    """The destination has to refuse ADVISE where it has no capability for postcopy or its host lacks what postcopy
    needs: this one lacks it and has not refused."""
    destination = state.destination
    if destination.state < State.ADVISE or destination.state > State.RUNNING:
        return True
    return bool(destination.postcopy_capability and destination.host_support)


@every_step("Nothing is refused but ADVISE", rules="R1 R2 R23")
def only_advise_is_refused(step: Step) -> bool:
    """A migration that does not use postcopy needs neither the capability nor the host's support: the destination has
    refused, and no ADVISE has come."""
    return not step.happened(Mishap.REFUSAL) or step.receives(Command.ADVISE)


@always("A partly placed host page is never visible", rules="R21 R22")
def no_partial_page(state: View) -> Answer:
    """A page is placed whole and in one step: the guest can touch this host page, and a part of it has not arrived."""
    destination = state.destination
    if not (destination.state == State.LISTEN or destination.state == State.RUNNING):
        return True
    have: PageSet = destination.present
    offending: PageSet = (have.host_pages - have) | (have & destination.assembling)
    return offending


@every_step("A host page is sent whole before the next one begins", rules="R21")
def host_pages_one_by_one(step: Step) -> Answer:
    """A page of another host page was sent in between: the destination assembles one host page at a time, and this
    page still has to be sent to make its host page whole. (What travels whole in one message needs no assembling.)"""
    if not step.sends(Command.PAGE) or step.before.source.phase != Phase.POSTCOPY:
        return True
    sent = step.sent(Command.PAGE)
    if sent.host_pages.subset_of(sent):
        return True
    dirty: PageSet = step.before.source.dirty
    begun = dirty & (~dirty).host_pages
    offending: PageSet = begun - sent.host_pages
    return offending


@every_step("Once RUN is processed only the listen thread reads the stream", rules="R8 R20")
def one_reader(step: Step) -> bool:
    """The main thread's loops all end with RUN and the stream is the listen thread's: two threads that read one stream
    tear its messages apart."""
    from_stream = any(e.channel == "stream" and not e.sent for e in step.events)
    if not from_stream or step.action.thread == STREAM_READER:
        return True
    return bool(step.before.destination.state < State.RUNNING)


THREADS = tuple(
    thread.name(cpu)
    for machine in (Source, Destination, Wire)
    for thread in declared_threads(machine).values()
    for cpu in range(MOST_CPUS if thread.each else 1)
)
"""The document's threads. A thread that a change adds does what the change says."""


@every_step("Each thread does its own work", rules="R5 R6 R7 R8 R15 R16 R19 R20")
def threads_do_their_own_work(step: Step) -> bool:
    """Each end of the connection, the package, faults and failures have threads of their own: this step is one of
    another of the document's threads, which may stand still when it is needed, or be in the way of the one that does
    it."""
    thread = step.action.thread
    if thread not in THREADS:
        return True
    uses = [(event.channel, event.sent) for event in step.events]
    at_its_end = all(thread in threads for channel, sent, threads in ENDS if (channel, sent) in uses)
    touches = all(thread == owner for what, owner in TOUCHES if step.happened(what))
    asks = thread == "fault thread" or not step.sends(Reply.REQ_PAGES)
    loads = step.before.destination.main == step.after.destination.main
    gives_up = step.after.destination.state == State.FAILED
    fails = step.before.source.phase != Phase.FAILED and step.after.source.phase == Phase.FAILED
    return (
        at_its_end
        and touches
        and asks
        and bool(loads or gives_up or thread == MAIN)
        and bool(not fails or thread in (MIGRATION, RETURN_PATH_READER))
    )


@always("Completed means that all has arrived", rules="R24")
def completed_means_arrived(state: View) -> bool:
    """The source says that the migration is completed and may be thrown away, but the destination has not come to its
    end."""
    return state.source.phase != Phase.COMPLETED or bool(state.destination.state == State.END)


@always("A host gives the migration up only for a reason", rules="R15 R23 R27", monitor=Handover)
def failed_for_a_reason(state: View) -> bool:
    """The source says that the migration has failed, or the destination has given it up; but both hosts and the network
    are well, the destination has not refused, and the operator has not cancelled."""
    given_up = state.source.phase == Phase.FAILED or state.destination.state == State.FAILED
    return not given_up or excused(state)


def excused(state: View) -> bool:
    """The document lets the migration fail from here on."""
    return bool(state.wire.failed or state.Handover.failure or state.source.phase == Phase.CANCELLED)


@every_step("Only the operator cancels", rules="R27")
def operator_cancels_alone(step: Step) -> bool:
    """The source says that the migration was cancelled, and the operator has not asked for it."""
    cancelled = step.after.source.phase == Phase.CANCELLED and step.before.source.phase != Phase.CANCELLED
    return step.action.thread == OPERATOR or not cancelled


@always("A host that is done with the migration keeps nothing of it", rules="R2 R8 R15 R24")
def nothing_is_kept(state: View) -> bool:
    """The source has sent everything, or one of the hosts has given up or died; and it still has pages, requests,
    waiting threads or an order to switch, which a later step would take for valid, or it still runs the guest."""
    return _source_keeps_nothing(state) and _destination_keeps_nothing(state)


def _source_keeps_nothing(state: View) -> bool:
    source = state.source
    if source.phase < Phase.SWITCHING:
        return True
    if source.phase < Phase.ENDING:
        return not source.start_postcopy
    if source.phase == Phase.DEAD and source.running:
        return False
    pages = source.dirty | source.sent | source.requests | source.sending
    return not source.start_postcopy and bool(pages.empty)


def _destination_keeps_nothing(state: View) -> bool:
    destination = state.destination
    if destination.state < State.END:
        return True
    pages = destination.assembling | destination.faulted | destination.device_waiting
    if not pages.empty or destination.sensitive:
        return False
    if destination.state == State.END:
        return True
    on = destination.running or destination.return_path_open or destination.devices_loaded or destination.owes_shut
    return not on and bool((destination.present | destination.waiting.any).empty)


@every_step("SHUT says how the migration ended", rules="R23 R24")
def shut_says_the_truth(step: Step) -> bool:
    """The source reports what SHUT says: an error, although the destination has not failed, or success, although it has
    not come to its end."""
    if step.sends(Reply.SHUT_OK):
        return bool(step.after.destination.state == State.END)
    return not step.sends(Reply.SHUT_ERROR) or bool(step.after.destination.state == State.FAILED)


@every_step("SHUT is sent once", rules="R24")
def shut_once(step: Step) -> bool:
    """SHUT ends the return path: it has been sent before, and is still on its way or has been read."""
    if not step.sends(Reply.SHUT_OK):
        return True
    before = step.before
    return not before.return_path.carries(Reply.SHUT_OK) and bool(before.source.phase != Phase.COMPLETED)


@always("One connection carries both directions", rules="R15")
def both_break_together(state: View) -> bool:
    """The stream and the return path are two directions of one connection: one of them is gone, and the other still
    stands."""
    return bool(state.stream.broken == state.return_path.broken)


@every_step("Nothing is sent on a broken connection", rules="R15")
def nothing_sent_when_broken(step: Step) -> bool:
    """The connection was gone before this message was sent, and yet the message is on its way: a send on a broken
    connection is refused or lost."""
    before, after = step.before, step.after
    on_stream = any(event.channel == "stream" and event.sent for event in step.events)
    on_return_path = any(event.channel == "return_path" and event.sent for event in step.events)
    return not (
        (on_stream and before.stream.broken and after.stream.broken)
        or (on_return_path and before.return_path.broken and after.return_path.broken)
    )


@always("At the end no page is missing", rules="R24 R25")
def nothing_missing_at_end(state: View) -> Answer:
    """The destination has come to its end and watches for missing pages no more: a touch of this page would find zeros
    where the guest has data."""
    if state.destination.state != State.END:
        return True
    missing: PageSet = ~(state.pages_of(Role.PRESENT) | state.guest.given_up)
    return missing


no_deadlock = replace(
    NO_DEADLOCK,
    because="Yet the migration is neither over nor waiting to be started, and nothing obliges the guest, the operator "
    "or the network to act.",
    rules=("R4", "R6", "R16", "R24"),
)

SAFETY: tuple[Property, ...] = (
    no_page_sent_twice,
    no_stale_read,
    no_stale_device_read,
    no_write_overwritten,
    no_page_lost,
    no_two_guests,
    no_guest_lost,
    guest_goes_on_in_precopy,
    discards_before_start,
    discard_set_exact,
    nothing_stale_at_start,
    states_forward,
    finished_stays_finished,
    only_dirty_pages_sent,
    sent_map_is_used_up,
    nothing_dirtied_after_switch,
    no_write_after_switch,
    sends_bounded,
    requested_first,
    no_request_lost,
    only_faults_requested,
    waiting_thread_stands_still,
    only_its_page_wakes,
    device_load_has_its_page,
    devices_before_cpus,
    postcopy_where_supported,
    only_advise_is_refused,
    no_partial_page,
    host_pages_one_by_one,
    one_reader,
    threads_do_their_own_work,
    completed_means_arrived,
    failed_for_a_reason,
    operator_cancels_alone,
    nothing_is_kept,
    shut_says_the_truth,
    shut_once,
    both_break_together,
    nothing_sent_when_broken,
    nothing_missing_at_end,
    no_deadlock,
)
