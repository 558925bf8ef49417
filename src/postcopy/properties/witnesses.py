"""Situations that must be reachable: without them `safety` and `liveness` could hold because nothing happens.

`WITNESSES` lists them; `SPEAKS_OF` says for each property which situation it is about.
"""

from postcopy.language import Property, View, sometimes
from postcopy.model.destination import Main, State
from postcopy.model.network import Command, Reply
from postcopy.model.source import Phase
from postcopy.properties.safety import SentSinceSwitch


@sometimes("A page is sent in postcopy after it was sent in precopy", rules="R13", monitor=SentSinceSwitch)
def resent_in_postcopy(state: View) -> bool:
    """The page was discarded and comes again."""
    placed = state.SentSinceSwitch.pages & state.destination.present
    return bool(state.source.phase == Phase.POSTCOPY and not placed.empty and not state.source.dirty.empty)


@sometimes("The guest runs at the destination while pages are still missing", rules="R7 R16")
def runs_with_missing_pages(state: View) -> bool:
    """Postcopy exists so that this can happen."""
    return bool(state.destination.running and not state.destination.present.full)


@sometimes("The device load waits for a page", rules="R4 R5 R6")
def device_load_waits(state: View) -> bool:
    """The main thread sleeps, and only the listen thread can wake it."""
    return not state.destination.device_waiting.empty


@sometimes("The page that the device load waits for is asked for", rules="R5 R6 R16")
def device_page_is_requested(state: View) -> bool:
    """The fault thread works before the guest runs."""
    return not (state.destination.device_waiting & state.return_path.in_flight(Reply.REQ_PAGES)).empty


@sometimes("The page that a vCPU waits for is asked for", rules="R16")
def cpu_page_is_requested(state: View) -> bool:
    """The fault thread works when the guest runs, too."""
    return not (state.destination.waiting.any & state.return_path.in_flight(Reply.REQ_PAGES)).empty


@sometimes("A page written at the destination is one that the source once sent", rules="R10 R13")
def written_at_destination(state: View) -> bool:
    """The source's copy is now the older one."""
    return not state.guest.stale_at_source.empty


@sometimes("A vCPU waits for a page that is on its way", rules="R16")
def waits_for_page_in_flight(state: View) -> bool:
    """The request will find the page already sent."""
    waiting = state.destination.waiting.any
    return not (waiting & state.stream.in_flight(Command.PAGE)).empty


@sometimes("A request reaches the source for a page that it has already sent", rules="R13")
def late_request(state: View) -> bool:
    """It has to be ignored."""
    return not (state.source.requests - state.source.dirty).empty


@sometimes("All vCPUs wait", rules="R16 R17")
def both_cpus_wait(state: View) -> bool:
    """Every vCPU of the guest stands still."""
    none_runs: bool = state.destination.waiting.none_empty
    return none_runs


@sometimes("A request waits while another page is dirty too", rules="R17")
def request_and_background(state: View) -> bool:
    """There is something that could be sent ahead of it."""
    return not state.source.requests.empty and not (state.source.dirty - state.source.requests).empty


@sometimes("A stale copy is at the destination when the discards are on their way", rules="R11")
def stale_before_discard(state: View) -> bool:
    """Here the discards have something to do."""
    return not (state.guest.stale_at_destination & state.stream.in_flight(Command.DISCARD)).empty


@sometimes("Discards are sent that spare a page", rules="R11 R12")
def discards_spare_a_page(state: View) -> bool:
    """Not everything that was sent is discarded."""
    discarded = state.stream.in_flight(Command.DISCARD)
    return not discarded.empty and not (state.destination.present - discarded).empty


@sometimes("The guest is lost by a failure in postcopy", rules="R15")
def guest_lost_in_postcopy(state: View) -> bool:
    """The document allows it, and says so."""
    return bool(
        state.destination.state == State.FAILED and state.source.phase == Phase.FAILED and not state.source.running
    )


@sometimes("The migration fails in precopy and the guest goes on", rules="R15 R23")
def goes_on_after_failure(state: View) -> bool:
    """The source has failed, and its guest runs."""
    return bool(state.source.phase == Phase.FAILED and state.source.running)


@sometimes("The operator cancels and the guest goes on at the source", rules="R27")
def goes_on_after_cancel(state: View) -> bool:
    """The source says that the migration was cancelled, and its guest runs."""
    return bool(state.source.phase == Phase.CANCELLED and state.source.running)


@sometimes("A message is still to be sent on a broken connection", rules="R15")
def owed_on_broken_connection(state: View) -> bool:
    """A page is dirty, and the source has not noticed yet that the connection is gone."""
    dirty = not state.source.dirty.empty
    return bool(state.stream.broken and dirty and state.source.phase == Phase.POSTCOPY)


@sometimes("The guest stands still at both hosts, and nothing has failed", rules="R3 R7")
def stopped_at_both(state: View) -> bool:
    """The guest is on its way from one host to the other."""
    stopped = not state.source.running and not state.destination.running
    return bool(stopped and state.source.phase <= Phase.COMPLETED and not state.stream.broken)


@sometimes("The guest is handed over and runs at the destination only", rules="R15 R27")
def runs_at_destination_only(state: View) -> bool:
    """The switch is over."""
    return bool(state.destination.running and not state.source.running)


@sometimes("The migration completes after postcopy", rules="R9 R24", monitor=SentSinceSwitch)
def completes_after_postcopy(state: View) -> bool:
    """All states have been gone through."""
    return bool(
        state.source.phase == Phase.COMPLETED
        and state.destination.main == Main.LEFT
        and not state.SentSinceSwitch.pages.empty
    )


@sometimes("The migration completes without ever leaving precopy", rules="R2", monitor=SentSinceSwitch)
def completes_in_precopy(state: View) -> bool:
    """As if postcopy did not exist."""
    return bool(
        state.source.phase == Phase.COMPLETED and state.SentSinceSwitch.pages.empty and state.destination.locked
    )


@sometimes(
    "The listen thread reads while the main thread still loads the devices", rules="R6 R8 R20", monitor=SentSinceSwitch
)
def two_threads_at_work(state: View) -> bool:
    """A page has been placed, and the device load goes on."""
    return bool(
        state.destination.main == Main.DEVICES and not (state.destination.present & state.SentSinceSwitch.pages).empty
    )


@sometimes("The destination refuses postcopy", rules="R1 R23")
def postcopy_refused(state: View) -> bool:
    """It lacks the capability, or its host lacks the means."""
    return bool(state.return_path.carries(Reply.SHUT_ERROR))


@sometimes("Postcopy has been asked for, and precopy still goes on", rules="R2")
def switch_asked_for(state: View) -> bool:
    """The source has not looked for the command yet."""
    return bool(state.source.start_postcopy and state.source.phase == Phase.PRECOPY)


@sometimes("A request waits at the source for a page that the destination does not have", rules="R16 R17")
def request_for_missing_page(state: View) -> bool:
    """A thread sleeps until it comes."""
    return not (state.source.requests - state.destination.present).empty


WITNESSES: tuple[Property, ...] = (
    resent_in_postcopy,
    runs_with_missing_pages,
    device_load_waits,
    device_page_is_requested,
    cpu_page_is_requested,
    written_at_destination,
    waits_for_page_in_flight,
    late_request,
    both_cpus_wait,
    request_and_background,
    stale_before_discard,
    discards_spare_a_page,
    guest_lost_in_postcopy,
    goes_on_after_failure,
    goes_on_after_cancel,
    owed_on_broken_connection,
    stopped_at_both,
    runs_at_destination_only,
    completes_after_postcopy,
    completes_in_precopy,
    two_threads_at_work,
    postcopy_refused,
    switch_asked_for,
    request_for_missing_page,
)

SPEAKS_OF: dict[str, str] = {
    "no-page-sent-twice": "late-request",
    "no-stale-read": "written-at-destination",
    "no-stale-device-read": "device-load-waits",
    "no-write-overwritten": "written-at-destination",
    "no-page-lost": "runs-with-missing-pages",
    "no-two-guests": "runs-at-destination-only",
    "no-guest-lost": "guest-lost-in-postcopy",
    "guest-goes-on-in-precopy": "goes-on-after-failure",
    "discards-before-start": "stale-before-discard",
    "discard-set-exact": "discards-spare-a-page",
    "nothing-stale-at-start": "stale-before-discard",
    "states-forward": "completes-after-postcopy",
    "finished-stays-finished": "completes-after-postcopy",
    "only-dirty-pages-sent": "resent-in-postcopy",
    "sent-map-is-used-up": "resent-in-postcopy",
    "nothing-dirtied-after-switch": "resent-in-postcopy",
    "no-write-after-switch": "runs-at-destination-only",
    "sends-bounded": "resent-in-postcopy",
    "requested-first": "request-and-background",
    "no-request-lost": "waits-for-page-in-flight",
    "only-faults-requested": "cpu-page-is-requested",
    "waiting-thread-stands-still": "both-cpus-wait",
    "only-its-page-wakes": "device-page-is-requested",
    "device-load-has-its-page": "device-load-waits",
    "devices-before-cpus": "device-load-waits",
    "postcopy-where-supported": "postcopy-refused",
    "no-partial-page": "two-threads-at-work",
    "host-pages-one-by-one": "request-and-background",
    "one-reader": "two-threads-at-work",
    "threads-do-their-own-work": "two-threads-at-work",
    "completed-means-arrived": "completes-after-postcopy",
    "only-advise-is-refused": "postcopy-refused",
    "failed-for-a-reason": "goes-on-after-failure",
    "operator-cancels-alone": "goes-on-after-cancel",
    "nothing-is-kept": "goes-on-after-failure",
    "shut-says-the-truth": "postcopy-refused",
    "shut-once": "completes-after-postcopy",
    "both-break-together": "owed-on-broken-connection",
    "nothing-sent-when-broken": "owed-on-broken-connection",
    "nothing-missing-at-end": "completes-after-postcopy",
    "no-deadlock": "both-cpus-wait",
    "every-requested-page-arrives": "request-for-missing-page",
    "every-blocked-vcpu-runs-again": "both-cpus-wait",
    "every-sleeper-is-woken": "device-load-waits",
    "the-switch-happens": "switch-asked-for",
    "the-migration-ends": "completes-after-postcopy",
    "the-guest-runs-again": "stopped-at-both",
    "started-guest-runs": "runs-at-destination-only",
}
"""For each property, the witness that reaches the situation it speaks of."""
