"""Why the protocol is safe, for any number of pages and any length of the channels: an inductive invariant.

Each conjunct is a sentence that holds in every reachable state, and that every step preserves if all held before it.
Together with the properties of states in `safety` they are what `postcopy prove` hands to z3, conjunct by conjunct
and action by action (`docs/proof.md`). A conjunct is written as a property of states is: it answers with a truth
value, or with the set of pages that offend. One with a parameter `page` is claimed for every page.

Words used below: a *copy* of a page is at the destination or on its way; a copy is *good* if it is the guest's
last write; *kept* is what the destination has once it has read the stream up to a certain message. The destination is
*past the package* when its main thread has read PACKAGED and it has not come to its end.
"""

from postcopy.language import Answer, Page, PageSet, Property, View, about, conjunct
from postcopy.model.destination import Main, State
from postcopy.model.network import Command, Reply
from postcopy.model.roles import Role
from postcopy.model.source import Phase
from postcopy.properties.safety import Handover, SentSinceSwitch

# -- words -----------------------------------------------------------------------------------------------------------


def past_package(state: View) -> bool:
    """The main thread has read PACKAGED, and the destination has not come to its end."""
    main = state.destination.main
    in_package: bool = (main == Main.PACKAGE) | (main == Main.DEVICES) | (main == Main.RUN)
    return in_package | (state.destination.state == State.RUNNING)


def _good_there(state: View) -> PageSet:
    good: PageSet = state.destination.present - state.guest.stale_at_destination
    return good


def _good(state: View) -> PageSet:
    return _good_there(state) | state.copies_in_flight(stale=False)


def copies_of_pages(state: View) -> PageSet:
    """Pages with a copy."""
    copies: PageSet = state.destination.present | state.copies_in_flight()
    return copies


def landed_pages(state: View) -> PageSet:
    """Pages with a copy that has come and is not placed yet."""
    return state.pages_of(Role.LANDING) | state.pages_of(Role.KEPT)


def _discards(state: View) -> PageSet:
    discards: PageSet = state.stream.in_flight(Command.DISCARD)
    return discards


def kept_until(state: View, until: Command) -> PageSet:
    """What the destination will have when it comes to the message."""
    before = state.destination.present | state.stream.in_order(about(Command.PAGE), until)
    return before - _discards(state)


def _good_until(state: View, until: Command) -> PageSet:
    return _good_there(state) | state.stream.in_order(about(Command.PAGE, stale=False), until)


def handed_over(state: View) -> bool:
    """The guest has been handed over."""
    done: bool = state.Handover.done
    return done


def alive(state: View) -> bool:
    """Neither host has given up, and the connection stands."""
    goes_on: bool = state.source.phase <= Phase.COMPLETED
    return goes_on & (state.stream.broken == False)  # noqa: E712  (no decision: it stays one expression)


# -- the source ------------------------------------------------------------------------------------------------------


@conjunct("From the moment the CPUs are stopped until the end the source's guest stands still", rules="R3")
def source_stopped(state: View) -> bool:
    """Its CPUs are stopped to switch or to finish, and only a failure or a cancel starts them again."""
    stopping = state.source.phase >= Phase.FINISHING and state.source.phase <= Phase.COMPLETED
    return not stopping or not state.source.running


@conjunct("Who has come to postcopy, or past it, has handed the guest over", rules="R4 R15", monitor=Handover)
def late_means_handed_over(state: View) -> bool:
    """Only the package and the end of precopy lead there."""
    late = state.source.phase >= Phase.POSTCOPY and state.source.phase <= Phase.COMPLETED
    return not late or handed_over(state)


@conjunct(
    "After the handover the source is past its point of no return, and its guest stands still",
    rules="R15 R27",
    monitor=Handover,
)
def handed_over_means_late(state: View) -> bool:
    """A cancel is refused, and a failure gives the guest up."""
    if not handed_over(state):
        return True
    source = state.source
    return bool(source.phase >= Phase.POSTCOPY and source.phase != Phase.CANCELLED and not source.running)


@conjunct("Before precopy begins every page is dirty", rules="R10")
def all_dirty_at_first(state: View) -> Answer:
    """The migration bitmap starts full."""
    dirty: PageSet = state.source.dirty
    return True if state.source.phase >= Phase.PRECOPY else ~dirty


@conjunct("Before postcopy nothing has been sent in it", rules="R13", monitor=SentSinceSwitch)
def nothing_sent_before_switch(state: View) -> Answer:
    """The monitor counts from the package on."""
    return True if state.source.phase >= Phase.POSTCOPY else state.SentSinceSwitch.pages


@conjunct("What has been sent in postcopy is not dirty", rules="R13", monitor=SentSinceSwitch)
def sent_is_clean(state: View) -> Answer:
    """Each send takes its page out of the migration bitmap, and nothing puts it back."""
    return True if state.source.phase < Phase.POSTCOPY else state.SentSinceSwitch.pages & state.source.dirty


@conjunct("Requests come only after the handover", rules="R16", monitor=Handover)
def requests_after_handover(state: View) -> bool:
    """The destination listens from LISTEN on, and LISTEN is in the package."""
    asked = state.return_path.carries(Reply.REQ_PAGES) or not state.source.requests.empty
    return not asked or handed_over(state)


@conjunct("What is left of a host page on its way is dirty", rules="R21")
def rest_is_dirty(state: View) -> Answer:
    """The rest of a host page is sent because it is dirty."""
    return state.source.sending - state.source.dirty


@conjunct("Only postcopy sends host page by host page", rules="R21")
def rest_only_in_postcopy(state: View) -> Answer:
    """In precopy pages go one by one."""
    return True if state.source.phase == Phase.POSTCOPY else state.source.sending


@conjunct("One host page is on its way at a time", rules="R21")
def one_host_page_at_a_time(state: View, page: Page) -> Answer:
    """The next one begins when nothing is left of the last."""
    return state.source.sending - page.host_pages if state.source.sending[page] else True


@conjunct("From the switch on a host page is dirty as a whole, but for the one on its way", rules="R21")
def dirty_host_pages(state: View) -> Answer:
    """The clean-up at the switch makes it so, and whole host pages are sent."""
    if state.source.phase < Phase.SWITCHING:
        return True
    untouched: PageSet = state.source.dirty - state.source.sending
    return untouched.host_pages - untouched


# -- freshness in precopy --------------------------------------------------------------------------------------------


@conjunct("In precopy a dirty page has no good copy", rules="R10")
def dirty_means_stale(state: View) -> Answer:
    """A write makes every copy stale and the page dirty; a send makes it clean and the copy good."""
    return True if state.source.phase > Phase.FINISHING else state.source.dirty & _good(state)


@conjunct("Where the destination's copy is good no stale one is on its way", rules="R10")
def good_is_not_overwritten(state: View) -> Answer:
    """Copies arrive in the order in which they were sent."""
    if state.destination.main != Main.STREAM:
        return True
    return _good_there(state) & state.stream.in_flight(Command.PAGE, stale=True)


@conjunct("No stale copy travels behind a good one of the same page", rules="R10")
def no_stale_behind_good(state: View) -> Answer:
    """A write makes all copies stale at once, and what is sent later is good."""
    return state.stream.in_order(about(Command.PAGE, stale=False), about(Command.PAGE, stale=True))


@conjunct("The guest has written at the destination only pages that are there", rules="R7")
def written_there_is_there(state: View) -> Answer:
    """A write to a missing page waits until it has come; before the guest runs there it writes none."""
    if state.destination.state == State.FAILED:
        return True
    if state.destination.state <= State.ADVISE:
        return state.guest.stale_at_source
    return state.guest.stale_at_source - state.destination.present


@conjunct("Pages with a copy are in the sent map", rules="R11")
def copies_are_sent(state: View) -> Answer:
    """In precopy nothing is sent that the sent map does not know of."""
    return True if state.source.phase > Phase.FINISHING else copies_of_pages(state) - state.source.sent


# -- the discard set -------------------------------------------------------------------------------------------------


@conjunct("At the switch the discard set has every page that will come again and has a copy", rules="R11")
def discard_set_complete(state: View) -> Answer:
    """It is the sent map masked with the migration bitmap."""
    if state.source.phase != Phase.SWITCHING:
        return True
    return (copies_of_pages(state) & state.source.dirty) - state.source.sent


@conjunct("At the switch each host page of the discard set has a page without a good copy", rules="R11 R21")
def discard_set_needed(state: View) -> Answer:
    """A host page is discarded because a page of it was dirty or never sent."""
    if state.source.phase != Phase.SWITCHING:
        return True
    sent: PageSet = state.source.sent
    bad = ~_good(state)
    return sent - bad.host_pages


@conjunct("Discards travel only after the switch", rules="R11")
def discards_after_switch(state: View) -> bool:
    """They are sent once, when the CPUs have stopped."""
    return not state.stream.carries(Command.DISCARD) or bool(state.source.phase >= Phase.PACKAGING)


@conjunct("With the discards the sent map is used up", rules="R12")
def sent_map_goes_with_discards(state: View) -> Answer:
    """They are what it was masked for."""
    return state.source.sent if state.source.phase == Phase.PACKAGING else True


@conjunct("Discards travel once", rules="R11")
def discards_once(state: View) -> bool:
    """One message has the whole discard set."""
    return state.stream.in_order(Command.DISCARD, Command.DISCARD).empty


@conjunct("Each host page of a discard on its way has a page that is without a good copy by then", rules="R11 R21")
def discards_needed(state: View) -> Answer:
    """Nothing is discarded for nothing."""
    bad = ~_good_until(state, Command.DISCARD)
    return _discards(state) - bad.host_pages


@conjunct("What is discarded is sent again", rules="R11")
def discarded_is_sent_again(state: View) -> Answer:
    """It is dirty, or travels behind the discard; unless the connection is lost before all is out."""
    goes_on = not state.stream.broken and state.source.phase <= Phase.COMPLETED
    if not (goes_on or state.stream.carries(Command.EOF)):
        return True
    again = state.stream.in_order(Command.DISCARD, about(Command.PAGE))
    return _discards(state) - state.source.dirty - again


@conjunct("Between the discards and the package no page is sent", rules="R3 R11")
def no_page_amid_discards(state: View) -> bool:
    """The migration thread sends one right after the other."""
    between = state.stream.in_order(Command.DISCARD, Command.PAGE, Command.PACKAGED)
    waits = state.source.phase == Phase.PACKAGING
    return bool(between.empty and (not waits or state.stream.in_order(Command.DISCARD, Command.PAGE).empty))


@conjunct("Before the package every page that will come again and has a copy is being discarded", rules="R11")
def discards_complete(state: View) -> Answer:
    """The discards were sent, and what they name is the discard set; unless the network has lost them."""
    if state.source.phase != Phase.PACKAGING or state.stream.broken:
        return True
    return (copies_of_pages(state) & state.source.dirty) - _discards(state)


@conjunct("What the discards leave at the destination is good, in whole host pages", rules="R11 R21")
def discards_leave_good(state: View) -> Answer:
    """Of a host page that is not discarded all is there by then, and it is what the guest wrote last."""
    if not state.stream.carries(Command.DISCARD) or state.source.phase > Phase.COMPLETED:
        return True
    kept = kept_until(state, Command.DISCARD)
    return (kept - _good_until(state, Command.DISCARD)) | (kept.host_pages - kept)


@conjunct("What the package finds at the destination is good, in whole host pages", rules="R11 R21")
def package_finds_good(state: View) -> Answer:
    """All discards are processed by then."""
    if not state.stream.carries(Command.PACKAGED):
        return True
    kept = kept_until(state, Command.PACKAGED)
    return (kept - _good_until(state, Command.PACKAGED)) | (kept.host_pages - kept)


@conjunct("What the package finds at the destination does not come again", rules="R11 R13")
def package_finds_no_late_page(state: View) -> Answer:
    """What is still to be sent, or travels behind the package, is missing by then."""
    if not state.stream.carries(Command.PACKAGED):
        return True
    late = state.source.dirty | state.stream.in_order(Command.PACKAGED, about(Command.PAGE))
    return kept_until(state, Command.PACKAGED) & late


# -- the order of messages -------------------------------------------------------------------------------------------


@conjunct("PACKAGED and the end of precopy are sent at the handover", rules="R2 R4", monitor=Handover)
def handover_messages(state: View) -> bool:
    """They are what hands the guest over."""
    carried = state.stream.carries(Command.PACKAGED) or state.stream.carries(Command.PRECOPY_END)
    return not carried or handed_over(state)


@conjunct("Behind PACKAGED come pages and the end of the stream, and nothing else", rules="R4")
def package_last(state: View) -> bool:
    """The source has entered postcopy."""
    if state.destination.main == Main.STREAM:
        others = [k for k in Command if k not in (Command.PAGE, Command.EOF)]
        return all(state.stream.in_order(Command.PACKAGED, kind).empty for kind in others)
    return True


@conjunct("A main thread that reads the stream no more has left no message for it", rules="R4 R20")
def main_reads_its_own(state: View) -> bool:
    """It leaves with PACKAGED or at the end of precopy, or it closes the stream: only pages and EOF can be left."""
    if state.destination.main == Main.STREAM:
        return True
    return not any(state.stream.carries(k) for k in Command if k not in (Command.PAGE, Command.EOF))


@conjunct("Behind the end of precopy comes nothing", rules="R2")
def precopy_end_last(state: View) -> bool:
    """The source only waits for SHUT."""
    if not state.stream.carries(Command.PRECOPY_END):
        return True
    if state.stream.carries(Command.DISCARD) or state.stream.carries(Command.PACKAGED):
        return False
    nothing = all(state.stream.in_order(Command.PRECOPY_END, kind).empty for kind in Command)
    return bool(nothing and state.source.phase >= Phase.ENDING)


@conjunct("Before the end of precopy every page has a good copy", rules="R2")
def precopy_end_complete(state: View) -> Answer:
    """Precopy ends when nothing is dirty."""
    if not state.stream.carries(Command.PRECOPY_END):
        return True
    return ~_good_until(state, Command.PRECOPY_END)


@conjunct("Behind EOF comes nothing", rules="R24")
def eof_last(state: View) -> bool:
    """The source only waits for SHUT."""
    if not state.stream.carries(Command.EOF):
        return True
    nothing = all(state.stream.in_order(Command.EOF, kind).empty for kind in Command)
    return bool(nothing and state.source.phase >= Phase.ENDING)


@conjunct("When EOF is on its way every page is there or in front of it", rules="R24")
def eof_complete(state: View) -> Answer:
    """Postcopy ends when nothing is dirty."""
    if not state.stream.carries(Command.EOF):
        return True
    return ~(copies_of_pages(state) | landed_pages(state))


# -- pages in postcopy -----------------------------------------------------------------------------------------------


@conjunct(
    "A page that travels behind PACKAGED was sent in postcopy, once, and is good", rules="R13", monitor=SentSinceSwitch
)
def postcopy_pages_behind_package(state: View) -> Answer:
    """The source sends each page once, and the guest cannot have written it anywhere since."""
    twice = state.stream.in_order(Command.PACKAGED, about(Command.PAGE), about(Command.PAGE))
    stale = state.stream.in_order(Command.PACKAGED, about(Command.PAGE, stale=True))
    return twice | stale | (state.stream.in_order(Command.PACKAGED, about(Command.PAGE)) - state.SentSinceSwitch.pages)


@conjunct(
    "Past the package each page on its way was sent in postcopy, once, and is good",
    rules="R13",
    monitor=SentSinceSwitch,
)
def postcopy_pages_on_stream(state: View) -> Answer:
    """What was sent in precopy has been read before the package."""
    if not past_package(state):
        return True
    on_stream = state.stream.in_flight(Command.PAGE)
    twice = state.stream.in_order(about(Command.PAGE), about(Command.PAGE))
    return twice | state.stream.in_flight(Command.PAGE, stale=True) | (on_stream - state.SentSinceSwitch.pages)


@conjunct("Past the package no page is at two places", rules="R13 R21")
def one_place(state: View) -> Answer:
    """It is to be sent, or on its way, or waits for the rest of its host page, or is present."""
    if not past_package(state):
        return True
    on_its_way, landed = state.copies_in_flight(), landed_pages(state)
    coming = state.source.dirty | on_its_way | landed
    return (coming & state.destination.present) | (landed & on_its_way)


@conjunct("What is being assembled was sent in postcopy and is good", rules="R13", monitor=SentSinceSwitch)
def assembling_is_good(state: View) -> Answer:
    """It came from the stream, and no vCPU can write it."""
    if not past_package(state):
        return True
    return state.destination.assembling & (~state.SentSinceSwitch.pages | state.guest.stale_in_assembly)


@conjunct("Nothing is assembled before the package", rules="R21")
def assembling_after_package(state: View) -> Answer:
    """In precopy pages go straight to memory."""
    return state.destination.assembling if state.destination.state <= State.ADVISE else True


@conjunct("No host page is completely assembled and not placed", rules="R21 R22")
def assembled_is_placed(state: View) -> Answer:
    """The last target page places it."""
    missing: PageSet = ~state.destination.assembling
    return ~missing.host_pages


@conjunct("Past the package the destination has whole host pages", rules="R21 R22")
def present_host_pages(state: View) -> Answer:
    """They are discarded and placed whole."""
    present: PageSet = state.destination.present
    return present.host_pages - present if past_package(state) else True


@conjunct("Past the package, and at the end, what the destination has is good", rules="R11 R22")
def present_is_good(state: View) -> Answer:
    """What was stale has been discarded, and what is placed is what the guest wrote last."""
    if past_package(state) | (state.destination.state == State.END):
        return state.destination.present & state.guest.stale_at_destination
    return True


@conjunct("Past the package, and at the end, the guest has been handed over", rules="R4", monitor=Handover)
def package_means_handed_over(state: View) -> bool:
    """PACKAGED and the end of precopy are what hands it over."""
    return not (past_package(state) | (state.destination.state == State.END)) or handed_over(state)


@conjunct("The destination comes to its end after the source has sent all", rules="R24")
def end_after_all_sent(state: View) -> bool:
    """It reads EOF, or the end of precopy."""
    return bool(state.destination.state != State.END or state.source.phase >= Phase.ENDING)


# -- the destination's threads ---------------------------------------------------------------------------------------


@conjunct("The main thread is where the postcopy state says", rules="R4 R5 R7 R8 R9 R20")
def main_follows_state(state: View) -> bool:
    """The package moves both, and with RUN the main thread has left."""
    main, now = state.destination.main, state.destination.state
    if main == Main.STREAM:
        return bool(now <= State.ADVISE)
    if main == Main.PACKAGE:
        return bool(now == State.ADVISE)
    if main == Main.DEVICES or main == Main.RUN:
        return bool(now == State.LISTEN)
    return bool(now >= State.RUNNING)


@conjunct("The destination's CPUs run from RUN, or from the end of precopy", rules="R7")
def runs_from_run(state: View) -> bool:
    """Nothing else starts them."""
    now = state.destination.state
    return not state.destination.running or bool(now == State.RUNNING or now == State.END)


@conjunct("Memory is sensitive from LISTEN to END", rules="R5 R23")
def sensitive_while_listening(state: View) -> bool:
    """LISTEN makes it so, END ends it."""
    now = state.destination.state
    return bool(state.destination.sensitive == (now == State.LISTEN or now == State.RUNNING))


@conjunct("From ADVISE on memory is not to be locked", rules="R26")
def unlocked_from_advise(state: View) -> bool:
    """ADVISE disables the lock."""
    return not state.destination.locked or bool(state.destination.state != State.ADVISE)


@conjunct("At RUN the devices are loaded", rules="R6 R7")
def devices_before_run(state: View) -> bool:
    """The device state comes before RUN in the package."""
    return bool(state.destination.main != Main.RUN or state.destination.devices_loaded)


@conjunct("vCPUs wait only while the guest runs in postcopy", rules="R16")
def cpus_wait_in_postcopy(state: View) -> Answer:
    """At the end every page is there."""
    return True if state.destination.state == State.RUNNING else state.destination.waiting.any


@conjunct("Faults wait to be read only while the destination listens", rules="R5 R16")
def faults_while_listening(state: View) -> Answer:
    """Before, memory is not sensitive; at the end the queue is thrown away."""
    listening = state.destination.state == State.LISTEN or state.destination.state == State.RUNNING
    return True if listening else state.destination.faulted


@conjunct("No thread waits for a page that is there", rules="R16 R22")
def waits_for_missing(state: View) -> Answer:
    """Placing the page wakes every thread that waits for it."""
    return (state.destination.waiting.any | state.destination.device_waiting) & state.destination.present


@conjunct("The guest gives no page back while it matters", rules="R25")
def nothing_given_up(state: View) -> Answer:
    """The balloon is inhibited from LISTEN to END."""
    given: PageSet = state.guest.given_up
    return given


# -- failures and the end --------------------------------------------------------------------------------------------


@conjunct("A network that has failed carries nothing new", rules="R15")
def lost_is_broken(state: View) -> bool:
    """One connection carries both directions."""
    return not state.wire.failed or bool(state.stream.broken)


@conjunct("A connection breaks only by a failure, or by a cancel in precopy", rules="R8 R15 R27", monitor=Handover)
def broken_for_a_reason(state: View) -> bool:
    """The main thread leaves it to the listen thread, and the ends of a migration leave it open."""
    reason = state.wire.failed or state.Handover.failure or state.source.phase == Phase.CANCELLED
    return not state.stream.broken or bool(reason)


@conjunct("A SHUT that reports an error reports a refusal", rules="R23", monitor=Handover)
def error_is_a_refusal(state: View) -> bool:
    """Nothing else makes the destination send it."""
    return not state.return_path.carries(Reply.SHUT_ERROR) or bool(state.Handover.failure)


@conjunct("A SHUT that is owed has not been sent", rules="R24")
def owed_is_not_sent(state: View) -> bool:
    """Sending it settles that."""
    if not state.destination.owes_shut:
        return True
    return not state.return_path.carries(Reply.SHUT_OK) and bool(state.source.phase != Phase.COMPLETED)


@conjunct("A SHUT is owed, or on its way, only by a destination that has come to its end", rules="R24")
def shut_after_end(state: View) -> bool:
    """The listen thread sends it last."""
    shut = state.destination.owes_shut or state.return_path.carries(Reply.SHUT_OK)
    return not shut or bool(state.destination.state == State.END)


# -- some thread can always move ---------------------------------------------------------------------------------------


@conjunct("A source that has failed or was cancelled has closed the connection", rules="R15 R27")
def over_is_closed(state: View) -> bool:
    """It closes both directions in the same step."""
    return bool(state.source.phase <= Phase.COMPLETED or state.stream.broken)


@conjunct("What travels on its own is no part of a package", rules="R4")
def package_is_whole(state: View) -> bool:
    """LISTEN, the device state and RUN are inside PACKAGED."""
    return not any(state.stream.carries(kind) for kind in (Command.LISTEN, Command.DEVICE, Command.RUN))


@conjunct("Before the return path is opened nothing is on the stream", rules="R19")
def silent_at_first(state: View) -> bool:
    """Opening it is the first command."""
    return bool(state.source.phase > Phase.OPENING) or not any(state.stream.carries(kind) for kind in Command)


@conjunct("The return path is opened first of all", rules="R19")
def return_path_first(state: View) -> bool:
    """The destination has opened it, or the command to do so is the next message."""
    if not all(state.stream.in_order(kind, Command.OPEN_RETURN_PATH).empty for kind in Command):
        return False
    wanted = alive(state) & (state.source.phase > Phase.OPENING)
    return not wanted or bool(state.destination.return_path_open or state.stream.carries(Command.OPEN_RETURN_PATH))


@conjunct("Before ADVISE is sent there is none, and the destination has not heard of postcopy", rules="R1")
def unadvised_at_first(state: View) -> bool:
    """ADVISE opens the stream of a migration that may use postcopy."""
    if state.source.phase > Phase.ADVISING or state.stream.broken:
        return True
    return bool(state.destination.state == State.NONE and not state.stream.carries(Command.ADVISE))


@conjunct("ADVISE travels once, to a destination that has not read it", rules="R1")
def advised_once(state: View) -> bool:
    """There is one ADVISE in a migration."""
    if not state.stream.carries(Command.ADVISE):
        return True
    once = state.stream.in_order(Command.ADVISE, Command.ADVISE).empty
    return bool(once and state.destination.state == State.NONE)


@conjunct("Postcopy is started only with the capability", rules="R1 R2")
def started_with_capability(state: View) -> bool:
    """The command is ignored without it."""
    source = state.source
    switching = source.phase == Phase.SWITCHING or source.phase == Phase.PACKAGING
    return not (source.start_postcopy or switching) or bool(source.postcopy_capability)


@conjunct("With the capability ADVISE is on its way or was heard", rules="R1")
def advised_with_capability(state: View) -> bool:
    """It is sent before precopy begins, and nothing overtakes it."""
    wanted = alive(state) & (state.source.phase >= Phase.PRECOPY) & state.source.postcopy_capability
    return not wanted or bool(state.destination.state >= State.ADVISE or state.stream.carries(Command.ADVISE))


@conjunct("ADVISE is in front of the messages of the switch", rules="R1 R4")
def advised_before_switch(state: View) -> bool:
    """Discards and the package find a destination that is prepared, or will be when they arrive."""
    if not (state.stream.carries(Command.DISCARD) or state.stream.carries(Command.PACKAGED)):
        return True
    behind = state.stream.in_order(Command.DISCARD, Command.ADVISE) | state.stream.in_order(
        Command.PACKAGED, Command.ADVISE
    )
    advised = state.destination.state >= State.ADVISE or state.stream.carries(Command.ADVISE)
    return bool(behind.empty and advised)


@conjunct("In postcopy a main thread that still reads the stream comes to PACKAGED", rules="R4 R24")
def package_comes(state: View) -> bool:
    """It is on its way as long as the source sends pages, and in front of EOF."""
    postcopy = alive(state) & (state.source.phase == Phase.POSTCOPY)
    if state.destination.main != Main.STREAM or not (postcopy or state.stream.carries(Command.EOF)):
        return True
    return state.stream.carries(Command.PACKAGED)


@conjunct("A source that waits for SHUT has announced the end to the destination", rules="R24")
def end_is_announced(state: View) -> bool:
    """EOF or the end of precopy is on its way, or was read."""
    if not (alive(state) & (state.source.phase == Phase.ENDING)) or state.destination.state == State.END:
        return True
    return state.stream.carries(Command.EOF) or state.stream.carries(Command.PRECOPY_END)


@conjunct("A destination that has come to its end owes the SHUT, or has sent it", rules="R24")
def shut_is_sent(state: View) -> bool:
    """The source waits for it."""
    wanted = alive(state) & (state.source.phase == Phase.ENDING) & (state.destination.state == State.END)
    return not wanted or bool(state.destination.owes_shut or state.return_path.carries(Reply.SHUT_OK))


INVARIANT: tuple[Property, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Property))
"""All conjuncts beside the properties of states themselves, in the order of this file."""
