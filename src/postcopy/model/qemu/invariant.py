"""Why QEMU's hosts agree on who runs the guest, for every size: conjuncts of an invariant of the mended model.

They speak of states of threads and of what is on a connection, and of no page. The machine has found them: z3 gave a
step, of any size, after which one was broken, and what is here is a smallest set that holds in all states of small
instances and rules such steps out.
"""

from postcopy.language import Property, View, conjunct
from postcopy.model.changes.recovery_messages import Recovering
from postcopy.model.changes.switch import Disk
from postcopy.model.destination import Main
from postcopy.model.qemu.states import DiscardState
from postcopy.model.source import Phase

# -- who has the disk ------------------------------------------------------------------------------------------------


@conjunct("The lock on the disk is at one place: at a host, or free")
def one_lock(state: View) -> bool:
    """Whoever takes it has taken it off the disk, and gives it back there."""
    source, destination = state.source.holds_lock, state.destination.holds_lock
    free = state.disk.carries(Disk.LOCK)
    return not (source and destination) and not (source and free) and not (destination and free)


@conjunct("The lock on the disk is free once at most")
def free_once(state: View) -> bool:
    """The channel that stands for the disk carries one word, however much it could carry."""
    return bool(state.disk.in_order(Disk.LOCK, Disk.LOCK).empty)


@conjunct("A guest that runs has the disk")
def runs_with_disk(state: View) -> bool:
    """The lock is free only while both guests stand still, and no guest runs at the host that has it not."""
    source, destination = state.source, state.destination
    free = state.disk.carries(Disk.LOCK)
    at_source = not source.running or not (free or destination.holds_lock)
    return at_source and (not destination.running or not (free or source.holds_lock))


@conjunct("From the package on the source has given the disk up")
def disk_given_up(state: View) -> bool:
    """It takes the disk back only where the migration fails."""
    source = state.source
    late = source.phase == Phase.POSTCOPY or source.phase == Phase.ENDING
    return not (late or source.switched or source.handing_over) or not source.holds_lock


@conjunct("A source that is paused or recovers has not the disk")
def paused_without_disk(state: View) -> bool:
    """It pauses only where the disk may be the destination's."""
    return bool(state.source.recovery == Recovering.NO or not state.source.holds_lock)


@conjunct("From the switchover until the package, or the end of precopy, the source's guest stands still")
def stands_still_in_switch(state: View) -> bool:
    """It is started again only by the step that ends the migration."""
    phase = state.source.phase
    switching = phase == Phase.FINISHING or phase == Phase.SWITCHING or phase == Phase.PACKAGING
    return not (switching and state.source.running)


@conjunct("The destination takes the disk when it starts its guest, once the main thread has left")
def destination_starts_once(state: View) -> bool:
    """The start is scheduled by RUN, and takes place once."""
    destination = state.destination
    late = destination.state >= DiscardState.DISCARD and destination.main == Main.LEFT
    due, has = destination.run_is_due, destination.holds_lock
    return not (due and has) and (late or not (due or has))


@conjunct("The flush before the switch is one of multifd")
def flushed_with_multifd(state: View) -> bool:
    """Without that capability there is nothing to flush."""
    return bool(state.multifd or not state.source.flushed)


# -- what the source has read ----------------------------------------------------------------------------------------


@conjunct("The package is out only in postcopy, or past it")
def switched_late(state: View) -> bool:
    """So a step of precopy, or of the switch, is none behind the PONG that counts."""
    return bool(not state.source.switched or state.source.phase >= Phase.POSTCOPY)


@conjunct("The source waits for the first PONG in precopy, before it opens the preempt channel")
def first_pong_in_precopy(state: View) -> bool:
    """It fails where it gets no channel, and the package is not out then."""
    source = state.source
    waits = state.preempt and source.phase == Phase.PRECOPY and not source.fast_there
    return bool(not source.awaits_first_pong or waits)


WHO_HAS_THE_DISK: tuple[Property, ...] = (
    one_lock,
    free_once,
    runs_with_disk,
    disk_given_up,
    paused_without_disk,
    stands_still_in_switch,
    destination_starts_once,
    flushed_with_multifd,
)
"""Enough for `no-two-guests`, with a lock on the disk."""

WHAT_COUNTS: tuple[Property, ...] = (switched_late, first_pong_in_precopy)
"""Enough for `word-counts`."""

QEMU_INVARIANT: tuple[Property, ...] = (*WHO_HAS_THE_DISK, *WHAT_COUNTS)
