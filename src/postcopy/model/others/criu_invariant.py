"""Why CRIU's lazy pages are safe, in conjuncts: what the daemon has, has requested, and has not requested."""

from postcopy.language import Answer, PageSet, View, about, conjunct
from postcopy.model.destination import Main, State
from postcopy.model.network import Command, Reply
from postcopy.model.others.criu_words import Close
from postcopy.model.source import Phase
from postcopy.properties.safety import Handover, SentSinceSwitch, excused


@conjunct("A page is there, is requested, or is left, and is only one of these")
def each_page_has_a_place(state: View) -> Answer:
    """From the restore on. The daemon moves pages from list to list, and never drops one."""
    destination = state.destination
    if not destination.sensitive:
        return True
    twice: PageSet = destination.present & (destination.left | destination.queued)
    twice = twice | (destination.left & destination.queued)
    nowhere: PageSet = ~(destination.present | destination.left | destination.queued)
    return twice | nowhere


@conjunct("Before the restore the daemon has requested nothing, and all pages are left")
def nothing_before_the_restore(state: View) -> Answer:
    """Nothing is there, either."""
    destination = state.destination
    if destination.state != State.NONE:
        return True
    moved: PageSet = ~destination.left | destination.present | destination.queued
    asked: PageSet = destination.asked | destination.faulted
    return moved | asked


@conjunct("Threads wait for what is missing, while memory is watched")
def waits_for_missing(state: View) -> Answer:
    """A page that is placed wakes those who wait for it."""
    destination = state.destination
    waits: PageSet = state.waited_for() | destination.faulted
    return waits & destination.present if destination.sensitive else waits


@conjunct("What is at the destination is the guest's last write")
def present_is_good(state: View) -> Answer:
    """No page is filled with zeros, and no copy is placed over another."""
    destination = state.destination
    written: PageSet = state.guest.stale_at_source - destination.present
    stale: PageSet = state.guest.stale_at_destination
    return True if destination.state == State.FAILED else written | stale


@conjunct("The processes run at one side")
def runs_at_one_side(state: View) -> bool:
    """The images go out when they are frozen, and a source that has sent them does not let them go on."""
    source, destination = state.source, state.destination
    begun = state.images.carries(Command.PACKAGED) or destination.sensitive
    return not source.running or not (begun or destination.running)


@conjunct("A range that is under way has been requested once")
def range_was_requested(state: View) -> Answer:
    """And nothing is left beside it."""
    destination = state.destination
    beside: PageSet = destination.asked - destination.queued
    return beside if destination.sensitive else True


@conjunct("Requests and answers are about what the daemon has requested")
def under_way_was_requested(state: View) -> Answer:
    """While memory is watched. There is one answer to each request."""
    destination = state.destination
    coming: PageSet = state.return_path.in_flight(Reply.REQ_PAGES) | state.stream.in_flight(Command.PAGE)
    if destination.sensitive:
        strange: PageSet = coming - destination.queued
        return strange
    return coming if destination.state == State.NONE or destination.state == State.END else True


@conjunct("The destination's state says where it is")
def state_says_all(state: View) -> bool:
    """NONE, LISTEN, RUNNING, END and FAILED are the only ones."""
    d = state.destination
    if d.state == State.NONE:
        return bool(d.main == Main.STREAM and not d.sensitive and not d.running and not d.devices_loaded)
    if d.state == State.LISTEN:
        return bool(d.main == Main.DEVICES and d.sensitive and not d.running and not d.devices_loaded)
    if d.state == State.FAILED:
        return bool(d.main == Main.LEFT and not d.sensitive and not d.running and not d.devices_loaded)
    watched = d.sensitive if d.state == State.RUNNING else d.state == State.END and not d.sensitive
    return bool(watched and d.main == Main.LEFT and d.running and d.devices_loaded)


@conjunct(
    "The source has only these phases, and its processes run before they are frozen, or where the dump has failed"
)
def phases_of_the_dump(state: View) -> bool:
    """They are frozen in between."""
    source = state.source
    if source.phase == Phase.IDLE or source.phase == Phase.OPENING:
        return bool(source.running)
    frozen = source.phase in (Phase.PACKAGING, Phase.POSTCOPY, Phase.COMPLETED, Phase.DEAD)
    return not source.running if frozen else bool(source.phase == Phase.FAILED)


@conjunct("The images go out once, before the restore", monitor=Handover)
def images_go_out_once(state: View) -> bool:
    """They are files, and are not lost."""
    images, source, destination = state.images, state.source, state.destination
    if images.broken or not images.in_order(Command.PACKAGED, Command.PACKAGED).empty:
        return False
    out = images.carries(Command.PACKAGED)
    begun = destination.state == State.LISTEN or destination.state == State.RUNNING or destination.state == State.END
    served = source.phase == Phase.POSTCOPY or source.phase == Phase.COMPLETED
    if (out or begun or served) and not state.Handover.done:
        return False
    if state.Handover.done and (source.running or source.phase < Phase.POSTCOPY):
        return False
    if state.Handover.done and destination.state == State.NONE and not out:
        return False
    return not (out and begun)


@conjunct("Nothing is sent before the images are", monitor=Handover)
def nothing_before_the_images(state: View) -> Answer:
    """The daemon asks for what the images lack."""
    if state.Handover.done:
        return True
    coming: PageSet = state.return_path.in_flight(Reply.REQ_PAGES) | state.stream.in_flight(Command.PAGE)
    return coming


@conjunct("A connection that is broken, and a host that has failed, have a reason", monitor=Handover)
def broken_for_a_reason(state: View) -> bool:
    """A failure of a host or of the network, or the end."""
    source, destination = state.source, state.destination
    over = source.phase == Phase.COMPLETED
    broken = state.stream.broken or state.return_path.broken
    failed = destination.state == State.FAILED or source.phase == Phase.FAILED or source.phase == Phase.DEAD
    lost = state.return_path.carries(Close.EOF) or failed
    if (lost or (broken and not over)) and not excused(state):
        return False
    return not over or bool(destination.state == State.END)


@conjunct("The end of a session says how it ended")
def close_says_how(state: View) -> bool:
    """DONE comes from a destination at its end, EOF from one that has failed."""
    at = state.destination.state
    done, eof = state.return_path.carries(Close.DONE), state.return_path.carries(Close.EOF)
    return not (done and at != State.END) and not (eof and at != State.FAILED)


@conjunct("What is requested, or left, was not sent since", monitor=SentSinceSwitch)
def requested_was_not_sent(state: View) -> Answer:
    """An answer in part puts back what it does not bring."""
    destination = state.destination
    sent: PageSet = state.SentSinceSwitch.pages
    if destination.state == State.NONE:
        return sent
    if state.stream.broken or not destination.sensitive:
        return True
    coming: PageSet = state.stream.in_flight(Command.PAGE)
    again: PageSet = sent & ((destination.left | destination.queued) - coming)
    requested: PageSet = sent & state.return_path.in_flight(Reply.REQ_PAGES)
    return again | requested


@conjunct("A source that is done with the dump has closed the connection")
def done_is_closed(state: View) -> bool:
    """In both directions; the daemon notices that."""
    closed = state.stream.broken and state.return_path.broken
    return state.source.phase < Phase.COMPLETED or bool(closed)


@conjunct("A page is under way once")
def under_way_once(state: View) -> Answer:
    """A request is answered once, and its pages are not requested again before."""
    stream, return_path = state.stream, state.return_path
    twice: PageSet = stream.in_order(about(Command.PAGE), about(Command.PAGE))
    asked_twice: PageSet = return_path.in_order(about(Reply.REQ_PAGES), about(Reply.REQ_PAGES))
    both: PageSet = stream.in_flight(Command.PAGE) & return_path.in_flight(Reply.REQ_PAGES)
    return twice | asked_twice | both


@conjunct("What was requested is under way, or belongs to the range that is answered in part")
def requested_is_under_way(state: View) -> Answer:
    """While the connection stands nothing is lost."""
    destination = state.destination
    if state.stream.broken or not destination.sensitive:
        return True
    coming: PageSet = state.return_path.in_flight(Reply.REQ_PAGES) | state.stream.in_flight(Command.PAGE)
    lost: PageSet = destination.queued - coming - destination.asked
    range_lost = (destination.asked & coming).empty
    rest: PageSet = destination.asked if range_lost else destination.asked - destination.asked
    return lost | rest


@conjunct("Where requests cannot be sent, pages do not come either")
def both_directions(state: View) -> bool:
    """It is one connection, and a destination that has given up has closed its end."""
    gone = state.return_path.broken or state.wire.failed or state.destination.state == State.FAILED
    return not gone or bool(state.stream.broken)


@conjunct("A request for a page of the range is for all of it")
def range_is_requested_whole(state: View) -> Answer:
    """Pages of it are requested by no fault: they have been requested."""
    asked: PageSet = state.destination.asked
    requested: PageSet = state.return_path.in_flight(Reply.REQ_PAGES)
    if not state.destination.sensitive or (requested & asked).empty:
        return True
    rest: PageSet = asked - requested
    return rest


@conjunct("During the restore a fault is queued for each page that is waited for and left")
def left_means_faulted(state: View) -> Answer:
    """No range is under way, whose rest would be put back."""
    destination = state.destination
    if destination.state != State.LISTEN:
        return True
    silent: PageSet = (state.waited_for() & destination.left) - destination.faulted
    asked: PageSet = destination.asked
    return silent | asked
