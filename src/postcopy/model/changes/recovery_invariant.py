"""Why recovery is safe for every size: the conjuncts that it adds to the invariant of the document's protocol.

Both hosts go through recovery in step: what stands on a connection says where both are. What the source takes for
arrived is what the destination has, because no page is placed until it goes on.
"""

from postcopy.language import Answer, PageSet, Property, View, about, conjunct
from postcopy.model.changes.recovery_messages import Outlived, Recovering, RecoveryCommand, RecoveryReply
from postcopy.model.destination import State
from postcopy.model.network import Command, Reply
from postcopy.model.source import Phase
from postcopy.properties.invariant import past_package
from postcopy.properties.safety import lost_requests

# -- words -----------------------------------------------------------------------------------------------------------


def _recovers(state: View) -> bool:
    """The source has made a new connection, and the migration does not go on yet."""
    recovery = state.source.recovery
    return bool(recovery != Recovering.NO and recovery != Recovering.PAUSED)


# -- where the hosts are ---------------------------------------------------------------------------------------------


@conjunct("The package is out where the source says so, and in postcopy it says so", rules="R15")
def switched_in_postcopy(state: View) -> bool:
    """It is what the source looks at where the connection is lost after the end of postcopy (A11)."""
    source = state.source
    late = source.phase == Phase.POSTCOPY or source.phase == Phase.ENDING or source.phase == Phase.COMPLETED
    if source.phase == Phase.POSTCOPY:
        return bool(source.switched)
    return not source.switched or late


@conjunct("The source pauses and recovers only in postcopy, with no request and no host page on its way")
def source_recovers_in_postcopy(state: View) -> bool:
    """They were forgotten when it paused, and the destination will ask again (QEMU: postcopy_pause)."""
    source = state.source
    if source.recovery == Recovering.NO:
        return True
    asks = source.recovery == Recovering.RELOADED or source.recovery == Recovering.RESUMING
    there = source.phase == Phase.POSTCOPY or (source.phase == Phase.ENDING and not asks)
    return there and bool(source.requests.empty and source.sending.empty)


@conjunct("The destination pauses and recovers only where its guest runs, and nothing is assembled then", rules="R21")
def destination_recovers_in_postcopy(state: View) -> bool:
    """Parts of a host page are thrown away (A14, A43; QEMU: postcopy_pause_incoming)."""
    destination = state.destination
    paused = destination.recovery != Recovering.NO
    return not paused or bool(destination.state == State.RUNNING and destination.assembling.empty)


@conjunct("The destination's guest runs from RUN on", rules="R7")
def runs_once_started(state: View) -> bool:
    """A pause does not stop it (QEMU: postcopy_pause_incoming)."""
    now = state.destination.state
    started = now == State.RUNNING or now == State.END
    return not started or bool(state.destination.running)


@conjunct("A host that has paused has closed the connection")
def paused_is_cut_off(state: View) -> bool:
    """Only the operator makes a new one."""
    paused = state.source.recovery == Recovering.PAUSED or state.destination.recovery == Recovering.PAUSED
    return not paused or bool(state.stream.broken)


@conjunct("A new stream is waited for only by a destination that listens")
def stream_listening(state: View) -> bool:
    """There is no connection then (QEMU: qmp_migrate_recover)."""
    waits = state.destination.recovery == Recovering.LISTENING and state.stream.broken
    return not state.stream.listening or bool(waits)


@conjunct("The return path is waited for only by a source that has connected")
def return_path_listening(state: View) -> bool:
    """The destination makes it when it accepts the stream."""
    asks = state.source.recovery == Recovering.RECOVER or state.source.recovery == Recovering.ASKED
    return not state.return_path.listening or bool(asks and state.return_path.broken)


@conjunct("On a connection that stands both hosts are at the same point of recovery")
def recover_together(state: View) -> bool:
    """Each step of one waits for a message of the other."""
    if state.stream.broken:
        return True
    source, destination = state.source.recovery, state.destination.recovery
    if destination == Recovering.LISTENING:
        asks = source == Recovering.RECOVER or source == Recovering.ASKED
        return bool(asks and state.return_path.listening and not state.stream.listening)
    if destination == Recovering.RECOVER:
        return bool(source != Recovering.NO and source != Recovering.PAUSED)
    return bool(source == Recovering.NO or source == Recovering.RESUMING)


@conjunct("A source that recovers has a destination whose guest runs, unless that has failed")
def recovers_with_a_guest(state: View) -> bool:
    """Only such a destination lets a connection be made, and it goes on when the source has sent RESUME."""
    if not _recovers(state):
        return True
    destination = state.destination
    goes_on = state.source.recovery == Recovering.RESUMING or destination.recovery != Recovering.NO
    runs = destination.state == State.RUNNING and goes_on
    return bool(destination.assembling.empty and (runs or destination.state == State.FAILED))


@conjunct("Each host is at a point of recovery that is its own")
def points_of_recovery(state: View) -> bool:
    """The source never listens, and the destination never asks."""
    source, destination = state.source.recovery, state.destination.recovery
    asks = any(destination == each for each in (Recovering.ASKED, Recovering.RELOADED, Recovering.RESUMING))
    return not asks and bool(source != Recovering.LISTENING)


@conjunct("Where the package is out and the source has not given up it may pause", rules="R15")
def package_lets_pause(state: View) -> bool:
    """So it never fails for a loss of the connection (QEMU: migration_detect_error)."""
    out = past_package(state) or state.stream.carries(Command.PACKAGED)
    return not (out and state.source.phase <= Phase.COMPLETED) or bool(state.source.switched)


@conjunct("A source that has failed after the package was told of a failure", rules="R15", monitor=Outlived)
def fails_only_with_the_destination(state: View) -> bool:
    """The loss of the connection makes it pause."""
    out = past_package(state) or state.stream.carries(Command.PACKAGED)
    error = state.return_path.carries(Reply.SHUT_ERROR)
    return not (error or (out and state.source.phase == Phase.FAILED)) or bool(state.Outlived.died)


# -- what is on the way ----------------------------------------------------------------------------------------------


@conjunct("While the source recovers nothing of the migration is on the stream")
def nothing_else_while_source_recovers(state: View) -> bool:
    """The new connection was empty, and only recovery's messages are sent before the migration goes on."""
    if not _recovers(state):
        return True
    return not any(state.stream.carries(kind) for kind in Command)


@conjunct("While the destination recovers nothing of the migration is on the stream")
def nothing_else_while_destination_recovers(state: View) -> bool:
    """What was on the old connection is lost."""
    if state.destination.recovery == Recovering.NO:
        return True
    return not any(state.stream.carries(kind) for kind in Command)


@conjunct("The question what has arrived is on its way only to a destination that waits for it")
def question_on_its_way(state: View) -> bool:
    """It is the only message, and the source waits for the answer, unless the connection is lost."""
    if not state.stream.carries(RecoveryCommand.RECV_BITMAP):
        return True
    waits = state.destination.recovery != Recovering.NO
    alone = state.stream.in_order(RecoveryCommand.RECV_BITMAP, RecoveryCommand.RECV_BITMAP).empty
    asked = state.source.recovery == Recovering.ASKED or state.stream.broken
    return bool(waits and alone and asked and not state.stream.carries(RecoveryCommand.RESUME))


@conjunct("RESUME is on its way only to a destination that waits for it")
def resume_on_its_way(state: View) -> bool:
    """It is the only message, and the source waits for the acknowledgement, unless the connection is lost."""
    if not state.stream.carries(RecoveryCommand.RESUME):
        return True
    once = state.stream.in_order(RecoveryCommand.RESUME, RecoveryCommand.RESUME).empty
    resuming = state.source.recovery == Recovering.RESUMING or state.stream.broken
    return bool(once and resuming and state.destination.recovery == Recovering.RECOVER)


@conjunct("The return path carries what the source waits for")
def answers_on_their_way(state: View) -> bool:
    """The new return path was empty, and the destination says nothing unasked before the migration goes on."""
    source = state.source.recovery
    others = any(state.return_path.carries(kind) for kind in Reply if kind != Reply.REQ_PAGES)
    requests = state.return_path.carries(Reply.REQ_PAGES)
    bitmap = state.return_path.carries(RecoveryReply.BITMAP)
    acknowledged = state.return_path.carries(RecoveryReply.RESUME_ACK)
    if source == Recovering.NO:
        return not bitmap and not acknowledged
    if source == Recovering.RESUMING:
        return not others and not bitmap and (acknowledged or not requests)
    return not others and not requests and not acknowledged and (source == Recovering.ASKED or not bitmap)


@conjunct("Each answer is given once, and the acknowledgement is in front of requests")
def answers_once(state: View) -> bool:
    """The destination answers, and then goes on."""
    bitmaps = state.return_path.in_order(RecoveryReply.BITMAP, RecoveryReply.BITMAP)
    late = state.return_path.in_order(Reply.REQ_PAGES, RecoveryReply.RESUME_ACK) | state.return_path.in_order(
        RecoveryReply.RESUME_ACK, RecoveryReply.RESUME_ACK
    )
    return bool(bitmaps.empty and late.empty)


@conjunct("A source that waits for an answer gets it")
def answer_comes(state: View) -> bool:
    """The question is on its way, or the answer."""
    if state.stream.broken:
        return True
    source, destination = state.source.recovery, state.destination.recovery
    asked = state.stream.carries(RecoveryCommand.RECV_BITMAP)
    answered = state.return_path.carries(RecoveryReply.BITMAP)
    if source == Recovering.ASKED:
        return asked or answered
    if source == Recovering.RESUMING and destination == Recovering.RECOVER:
        return state.stream.carries(RecoveryCommand.RESUME)
    if source == Recovering.RESUMING:
        return state.return_path.carries(RecoveryReply.RESUME_ACK)
    return True


@conjunct("A question and its answer are not both on their way")
def asked_or_answered(state: View) -> bool:
    """The destination reads the one and sends the other, on a return path that it has made."""
    stream, return_path = state.stream, state.return_path
    bitmap = return_path.carries(RecoveryReply.BITMAP)
    acknowledged = return_path.carries(RecoveryReply.RESUME_ACK)
    asked = stream.carries(RecoveryCommand.RECV_BITMAP) or return_path.listening
    told = stream.carries(RecoveryCommand.RESUME) or return_path.listening
    return not (bitmap and asked) and not (acknowledged and told)


# -- pages -----------------------------------------------------------------------------------------------------------


@conjunct("The bitmap on its way is what the destination has, in whole host pages", rules="R13 R21")
def bitmap_is_what_arrived(state: View) -> Answer:
    """No page is placed between the question and the end of recovery (QEMU: ram_dirty_bitmap_reload)."""
    if not state.return_path.carries(RecoveryReply.BITMAP):
        return True
    said = state.return_path.in_flight(RecoveryReply.BITMAP)
    if state.destination.state == State.FAILED:
        return said.host_pages - said
    return (said - state.destination.present) | (state.destination.present - said) | (said.host_pages - said)


@conjunct("What the source has reloaded is what the destination lacks", rules="R10 R13")
def reloaded_is_missing(state: View) -> Answer:
    """The source sends nothing until the migration goes on."""
    source = state.source.recovery
    reloaded = source == Recovering.RELOADED or source == Recovering.RESUMING
    if state.destination.state == State.FAILED or not reloaded:
        return True
    dirty: PageSet = state.source.dirty
    return (dirty & state.destination.present) | (~dirty - state.destination.present)


@conjunct("Past the package no page on its way is to be sent", rules="R13")
def on_the_way_is_clean(state: View) -> Answer:
    """Each send takes its page out of the migration bitmap, which is rebuilt when nothing is on its way."""
    if not past_package(state):
        return True
    coming = state.stream.in_flight(Command.PAGE) | state.destination.assembling
    return state.source.dirty & coming


@conjunct("No page that travels behind PACKAGED is to be sent", rules="R13")
def behind_package_is_clean(state: View) -> Answer:
    """Each send takes its page out of the migration bitmap."""
    return state.source.dirty & state.stream.in_order(Command.PACKAGED, about(Command.PAGE))


@conjunct("Where the destination goes on no request is lost", rules="R16 R19")
def requests_survive(state: View) -> Answer:
    """It asks again for all pages for which a thread waits (A08)."""
    over = state.source.phase > Phase.COMPLETED or state.stream.broken
    if over or state.destination.recovery != Recovering.NO:
        return True
    return lost_requests(state)


# -- conjuncts of the document's protocol, said anew so that they are true here -------------------------------------


@conjunct(
    "A source that knows what is to be sent has host pages dirty as a whole, but for the one on its way", rules="R21"
)
def dirty_host_pages(state: View) -> Answer:
    """What was sent of a host page before a break is dirty again when the bitmap has come (A43)."""
    recovery = state.source.recovery
    unknown = _recovers(state) and recovery != Recovering.RELOADED and recovery != Recovering.RESUMING
    if state.source.phase < Phase.SWITCHING or recovery == Recovering.PAUSED or unknown:
        return True
    untouched: PageSet = state.source.dirty - state.source.sending
    return untouched.host_pages - untouched


@conjunct("The return path is opened first of all, and once more when a new connection is accepted", rules="R19")
def return_path_first(state: View) -> bool:
    """The destination has opened it, or the command to do so is the next message, or it has yet to accept."""
    if not all(state.stream.in_order(kind, Command.OPEN_RETURN_PATH).empty for kind in Command):
        return False
    if state.stream.broken or state.source.phase <= Phase.OPENING or state.source.phase > Phase.COMPLETED:
        return True
    listens = state.destination.recovery == Recovering.LISTENING
    return bool(listens or state.destination.return_path_open or state.stream.carries(Command.OPEN_RETURN_PATH))


@conjunct("A source that waits for SHUT, and does not recover, has announced the end to the destination", rules="R24")
def end_is_announced(state: View) -> bool:
    """EOF or the end of precopy is on its way, or was read; what was lost is announced again."""
    waits = state.source.phase == Phase.ENDING and state.source.recovery == Recovering.NO
    if state.stream.broken or not waits or state.destination.state == State.END:
        return True
    return state.stream.carries(Command.EOF) or state.stream.carries(Command.PRECOPY_END)


@conjunct("One connection carries both directions, as soon as the destination has accepted it", rules="R15")
def both_stand_when_accepted(state: View) -> bool:
    """Whoever closes one closes the other, and the source makes the stream first."""
    if state.stream.broken:
        return bool(state.return_path.broken)
    accepted = state.destination.recovery != Recovering.LISTENING
    return bool(state.return_path.broken != accepted)


RECOVERY_INVARIANT: tuple[Property, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Property)
)
"""All of them, in the order of this file."""
