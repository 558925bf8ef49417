"""A second migration by the same source, after a first one that has failed or was cancelled before it was too late.

The operator starts a new destination, whose listener takes connections in the order in which the network brings them.
The source is the process of before: what `migrate_init` does not set back it remembers from the first migration, as
the count of PONGs.
"""

from enum import Enum, auto

from postcopy.language import ALL, NONE, Flag, Step, View, action, every_step, require, sometimes
from postcopy.model.changes.preempt import Fast
from postcopy.model.changes.recovery import RecoveringGuest
from postcopy.model.changes.recovery_messages import Recovering
from postcopy.model.destination import Main, State
from postcopy.model.network import Command
from postcopy.model.qemu.postcopy_threads import ListeningDestination
from postcopy.model.qemu.return_path import ReturnPathSource
from postcopy.model.qemu.states import MainLoop, Refusing
from postcopy.model.source import Phase, Source


class FirstConnection(Enum):
    """Where the main thread of a new destination is before it reads the stream."""

    AWAITED = auto()
    """There is no main connection yet."""


class SecondMigrationSource(ReturnPathSource):
    """Can migrate again."""

    again = Flag("this is the second migration by the same source")

    @action(Source.operator, rule="R1", qemu="migration/migration.c:qmp_migrate", environment=True)
    def operator_migrates_again(self) -> None:
        """starts a second migration, to a new destination"""
        require(self.second and not self.again)
        require(self.phase == Phase.FAILED or self.phase == Phase.CANCELLED)
        require(self.running)
        self.stream.connect()
        self.fast.connect()
        self.return_path.listen()
        self._begin_again()
        self.guest.goes_on_at_source()
        self.again = True
        self.phase = Phase.OPENING

    def return_path_ends(self) -> None:
        """comes to the end of the return path, stores an error and leaves; also where the connection is gone before the
        destination has taken it"""
        if self.again and self.return_path.listening:
            self._reads()
            require(self.stream.broken and self.recovery == Recovering.NO)
            self._leaves()
        else:
            super().return_path_ends()

    def _begin_again(self) -> None:
        """What `migrate_init` and the set-up of memory set back. The count of PONGs is not among it (H13)."""
        self.dirty = ALL
        self.error = False
        self.loaded = False
        self.return_path_left = False


class SecondMigrationDestination(ListeningDestination):
    """Can be started anew, and then has no connection at first."""

    main = ListeningDestination.main.extended(FirstConnection)
    anew = Flag("this is a second destination, started by the operator for a second migration")

    @action(ListeningDestination.destination_operator, environment=True)
    def operator_starts_anew(self) -> None:
        """starts a new destination in the place of one that has failed, and ends that if its process has stayed"""
        require(self.second and not self.anew)
        require(self.state == State.FAILED and not self.running)
        self._give_up()
        self.anew = True
        self.state = State.NONE
        self.main = FirstConnection.AWAITED
        self.locked = True
        self.recovery = Recovering.NO
        self.stream.listen()
        self.fast.listen()

    @action(ListeningDestination.main_loop, qemu="migration/channel.c:migration_channel_identify")
    def takes_first_connection(self) -> None:
        """sees the first bytes of the main connection; where they are those of a recovery, or where the connection has
        come to nothing, the process ends"""
        require(self._awaits_connection() and self.loop == MainLoop.FREE)
        require(not self.stream.listening)
        require(self.stream.broken or not self.stream.empty)
        if self.stream.next_is(Command.OPEN_RETURN_PATH):
            if self.return_path.listening:
                self.return_path.connect()
            self.main = Main.STREAM
        else:
            self._give_up()

    @action(ListeningDestination.main_loop, qemu="migration/channel.c:migration_channel_identify")
    def takes_fast_for_main(self) -> None:
        """accepts the preempt channel before the main one, takes it for that, and waits for its first bytes"""
        require(self._awaits_connection() and self.loop == MainLoop.FREE)
        require(self.fast.next_is(Fast.HELLO))
        self.loop = MainLoop.PEEKING_FAST

    @action(ListeningDestination.main_loop, qemu="migration/channel.c:migration_channel_identify")
    def finds_fast_at_its_end(self) -> None:
        """finds the preempt channel that it took for the main one at its end: the process ends"""
        require(self._awaits_connection() and self.loop == MainLoop.PEEKING_FAST)
        require(self.fast.broken)
        self._give_up()

    def _awaits_connection(self) -> bool:
        return self.second and self.main == FirstConnection.AWAITED


class SecondMigrationGuest(RecoveringGuest):
    """Knows that the guest at the source is the guest, whatever it was elsewhere before."""

    def goes_on_at_source(self) -> None:
        """A migration begins: what the guest wrote at a destination that is gone is gone with it."""
        self.stale_at_source = NONE


def is_unused(state: View) -> bool:
    """The destination was started anew, and no source has come."""
    return bool(state.destination.main == FirstConnection.AWAITED and state.stream.listening)


@every_step("In one migration the destination's postcopy states only go forward", rules="R9")
def states_forward_in_one(step: Step) -> bool:
    """The states are ADVISE, LISTEN, RUNNING, END, in this order and never back, and END is the end. Only a new process
    begins anew."""
    before, after = step.before.destination, step.after.destination
    if before.state == State.END:
        cleaned_up = before.recovery == Refusing.FAILED and after.state == State.FAILED  # which QEMU keeps apart
        return bool(after.state == State.END or cleaned_up)
    return bool(after.state >= before.state or (after.anew and not before.anew))


@every_step("What is over stays over, unless the operator migrates again", rules="R2 R9")
def over_unless_again(step: Step) -> bool:
    """A migration had ended, and was changed."""
    before, after = step.before.source, step.after.source
    same = after.phase == before.phase
    return bool(before.phase < Phase.COMPLETED or same or (after.again and not before.again))


@every_step("The preempt channel is opened after the main one has been taken", rules="R18")
def preempt_after_main(step: Step) -> bool:
    """The destination tells the two connections apart by which one it has already. It has not read anything from the
    main one yet, and may take this one for it."""
    return bool(step.before.destination.return_path_open or not step.sends(Fast.HELLO))


@sometimes("A second migration by the same source completes")
def second_completes(state: View) -> bool:
    """Asked where there is one."""
    return bool(not state.second or (state.source.again and state.source.phase == Phase.COMPLETED))
