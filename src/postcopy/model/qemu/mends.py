"""The smallest mends of the defects that the model of QEMU 11.1 has, each a change of its own, and all together.

Each says what QEMU would do differently. The names of the defects are those of docs/qemu-defects.md.
"""

from postcopy.language import Page, action, require
from postcopy.model.changes.recovery_messages import Recovering
from postcopy.model.changes.switch import no_way_back
from postcopy.model.destination import Destination, Main, State
from postcopy.model.qemu.invariant import QEMU_INVARIANT
from postcopy.model.qemu.main_loop import QemuDestination
from postcopy.model.qemu.optional_mends import FaultsHaveOneKey, PongsCountAnew
from postcopy.model.qemu.protocol import Qemu11
from postcopy.model.qemu.source_recovery import QemuSource
from postcopy.model.qemu.states import Ending, FaultThread, Listen, MainLoop, Preempt
from postcopy.model.source import Phase, Source


class ListenLast(Qemu11):
    """H0: what a DISCARD prepares is done without the state DISCARD, so that LISTENING stays."""

    class destination(QemuDestination):
        """Leaves the state as it is."""

        def _stores_discard(self) -> None:
            """The state stays LISTENING."""


class ConnectionsMayFail(Qemu11):
    """H1: the main loop looks at a new connection when its first bytes are there, and one that comes to nothing leaves
    the destination paused."""

    class destination(QemuDestination):
        """Waits for no first bytes."""

        accepts_stranger = None
        stranger_leaves = None
        fast_comes_to_nothing = None
        takes_fast_for_main = None

        def accepts_fast_as_main(self) -> None:
            """sees that a connection for preempt has come to its end before there is a main one, and forgets it"""
            require(self.fast.broken)
            super().accepts_fast_as_main()
            self.loop = MainLoop.FREE
            self._listens_for_fast()

        def accepts(self) -> None:
            """sees that a new connection has brought its first bytes, or has come to its end"""
            require(not self.stream.empty or self.stream.broken)
            super().accepts()

        def _connection_came_to_nothing(self) -> None:
            """Paused, as before; or it goes on listening, if it was not the source's."""
            self.loop = MainLoop.FREE
            if not self.stream.listening:
                self.recovery = Recovering.PAUSED


class LoadFailureWakes(Qemu11):
    """H3: the thread that marks the stream's file with an error shuts the file down, too, which wakes its reader."""

    class destination(QemuDestination):
        """Needs no bytes to see the mark."""

        def _is_woken(self) -> bool:
            return True


class LossAfterPongPauses(Qemu11):
    """D1: an error of a file that is noticed once the PONG has been noted pauses the migration."""

    class source(QemuSource):
        """Looks at what has been noted."""

        def _may_pause(self) -> bool:
            return self.phase == Phase.POSTCOPY and self.loaded


class SwitchAsksForPong(Qemu11):
    """D1b: an error behind the package pauses the migration, if the PONG has been noted by then."""

    class source(QemuSource):
        """Looks at what has been noted."""

        def _cannot_switch(self) -> None:
            if self.loaded:
                self._pause()
            else:
                super()._cannot_switch()


class PongBeforeError(Qemu11):
    """D2: a thread that is woken while it waits for the PONG looks for that first, and for an error after it."""

    class source(QemuSource):
        """Waits for the PONG alone."""

        def _waits_for_pong(self) -> bool:
            return not self.loaded and super()._waits_for_pong()


class CompletionPauses(Qemu11):
    """H2: an error while the migration completes in postcopy pauses it."""

    class source(QemuSource):
        """Knows no way back from postcopy-active."""

        def _cannot_complete(self) -> None:
            if self.switched:
                self._pause()
            else:
                super()._cannot_complete()


class ReturnPathErrorPauses(Qemu11):
    """H6: an error of the return path is looked for in postcopy-active, too, and pauses."""

    class source(QemuSource):
        """Looks at what the return-path thread has stored."""

        def _file_error(self) -> bool:
            return super()._file_error() or (self.active and self.error)

        def _ends_with_error(self) -> None:
            self._pause()


class FailingAsksForPong(Qemu11):
    """N10: a source that is failing pauses, if the PONG has been noted by the time it would take its guest back."""

    class source(QemuSource):
        """Looks at what has been noted, a last time."""

        def _word_counts(self) -> bool:
            return self.switched and self.loaded


class DiskDecides(Qemu11):
    """H14: without a PONG the source pauses where it cannot have the disk, because then the destination has it. At the
    end of precopy it has completed. An acknowledged RESUME is as good as a PONG."""

    class source(QemuSource):
        """Looks at the disk."""

        def takes_guest_back(self) -> None:
            """starts the guest again; pauses where the destination has started it: by its PONG, or by the disk"""
            require(self.ending == Ending.FAILING)
            if self.switched and not self._word_counts() and not self._has_disk():
                self.ending = Ending.NO
                self._pause()
            elif self._completes_precopy() and not self._has_disk():
                self._destination_has_disk()
            else:
                super().takes_guest_back()

        def receives_resume_ack(self) -> None:
            """receives the acknowledgement: the package is loaded, and the state is postcopy-active"""
            super().receives_resume_ack()
            self.loaded = True
            self.active = True

        def _destination_has_disk(self) -> None:
            """The end of precopy has arrived: the destination has started the guest."""
            self._clean_up()
            self.phase = Phase.COMPLETED


class NoCancelAtTheEnd(Qemu11):
    """The migration is not cancelled any more when the end of precopy is out: the destination may have started."""

    class source(QemuSource):
        """Refuses."""

        def operator_cancels(self) -> None:
            """cancels the migration before the end of precopy is out"""
            require(not self._completes_precopy())
            super().operator_cancels()


class ListenThreadWaits(Qemu11):
    """The listen thread judges an error when the guest has been started, or the main thread waits for a page: so that
    RUN cannot come between its look at the state and what it does, nor after a PONG that it makes untrue."""

    class destination(QemuDestination):
        """Waits for the main thread; starts no guest without its disk."""

        def _may_judge(self) -> bool:
            started = self.main == Main.LEFT and not self.run_is_due
            return started or not self.device_waiting.empty

        def _cannot_pause(self) -> None:
            """Looks at the state and acts on it in one step, so that no page can free the main thread in between."""
            self._give_up()

        def _has_no_disk(self) -> None:
            """The source has taken its guest back."""
            self._give_up()


class PostsAreTakenBack(Qemu11):
    """H4, H8: a pause takes back what a recovery that broke has posted, and waits until the preempt thread pauses."""

    class destination(QemuDestination):
        """Begins each recovery from nothing."""

        def _mutex_is_free(self) -> bool:
            return self.preempt_at != Preempt.READING and self.preempt_at != Preempt.WOKEN

        def _takes_posts_back(self) -> None:
            self.accepted.try_wait()
            self.wakes_listener.try_wait()
            self.wakes_faults.try_wait()
            self.wakes_preempt.try_wait()

        def reads_fast_again(self) -> None:
            """takes its mutex: reads its channel, or pauses again where there is none"""
            require(self.preempt_at == Preempt.WOKEN)
            self.preempt_at = Preempt.READING if self.fast_there else Preempt.PAUSED


class CompletesWhenAllHasCome(Qemu11):
    """H5: the destination is completed when all that was requested has come; until then it can pause. The clean-up
    wakes the threads that it joins."""

    class destination(QemuDestination):
        """Waits before it says completed."""

        def _may_complete(self) -> bool:
            return self._all_has_come() or not self.preempt

        @action(Destination.listen, qemu="migration/savevm.c:postcopy_pause_incoming")
        def pauses_at_the_end(self) -> None:
            """waits for requested pages at the end of the stream, sees that their channel is gone, and pauses"""
            require(self.listener == Listen.ENDING and self.state == State.RUNNING)
            require(self.fast.broken and not self._may_complete())
            self._closes_files()

        def _pauses_faults(self) -> None:
            if self.loop != MainLoop.DRAINING:
                super()._pauses_faults()

        def _wakes_those_it_joins(self) -> None:
            if self.fault_at == FaultThread.PAUSED:
                self.fault_at = FaultThread.POLLING
            if self.preempt_at == Preempt.PAUSED or self.preempt_at == Preempt.WOKEN:
                self.preempt_at = Preempt.LEFT


class NoChannelNoService(Qemu11):
    """H9: a request that comes while there is no preempt channel is dropped: RESUME brings it again."""

    class source(QemuSource):
        """Asserts nothing of what the other host sends."""

        def _has_no_channel(self, _page: Page) -> None:
            self.requests -= _page.host_pages


class FirstPongMayFail(Qemu11):
    """N8: the return-path thread wakes a thread that waits for the first PONG, or for an acknowledgement of the
    switchover, when it leaves: the migration fails."""

    class source(QemuSource):
        """Is woken by an error."""

        @action(Source.migration, rule="R15", qemu="migration/migration.c:postcopy_start")
        def gives_up_first_pong(self) -> None:
            """waits for the PONG to its first PING, and is woken by an error: the switch fails"""
            require(self._sleeps_until_pong() and self.error)
            self.awaits_first_pong = False
            if self.ending == Ending.NO:
                self.ending = Ending.FAILING

        @action(Source.migration, rule="R15", qemu="migration/migration.c:migration_iteration_run")
        def gives_up_acknowledgement(self) -> None:
            """waits for an acknowledgement of the switchover, and is woken by an error: the migration fails"""
            require(self.ack_pending and self.error)
            require(self.phase == Phase.PRECOPY and self.ending == Ending.NO)
            self.ending = Ending.FAILING


class PreemptIsWatched(Qemu11):
    """N11: the source watches its preempt channel, and notices its end without a page that is written to it, and while
    it waits for the PONG."""

    class source(QemuSource):
        """Looks at the connection as well."""

        def _sees_end_of_fast(self) -> bool:
            return self.fast_there and self.fast.broken

        def _sleeps_until_loaded(self) -> bool:
            return super()._sleeps_until_loaded() and not self._sees_end_of_fast()


class PauseLooksAtFile(Qemu11):
    """N7: migrate-pause looks whether the destination still has its file."""

    class destination(QemuDestination):
        """Has nothing to shut down."""

        def _has_no_file(self) -> None:
            """Nothing is done: the listen thread pauses."""


class Qemu11Mended(
    ListenLast,
    ConnectionsMayFail,
    LoadFailureWakes,
    LossAfterPongPauses,
    SwitchAsksForPong,
    PongBeforeError,
    CompletionPauses,
    ReturnPathErrorPauses,
    FailingAsksForPong,
    DiskDecides,
    NoCancelAtTheEnd,
    ListenThreadWaits,
    PostsAreTakenBack,
    CompletesWhenAllHasCome,
    NoChannelNoService,
    FirstPongMayFail,
    PreemptIsWatched,
    PauseLooksAtFile,
    PongsCountAnew,
    FaultsHaveOneKey,
):
    """All mends together."""

    proved_alone = True
    invariant = QEMU_INVARIANT

    class source(
        LossAfterPongPauses.source,
        SwitchAsksForPong.source,
        PongBeforeError.source,
        CompletionPauses.source,
        ReturnPathErrorPauses.source,
        FailingAsksForPong.source,
        DiskDecides.source,
        NoCancelAtTheEnd.source,
        NoChannelNoService.source,
        FirstPongMayFail.source,
        PreemptIsWatched.source,
        PongsCountAnew.source,
    ):
        """All of those at the source."""

    class destination(
        ListenLast.destination,
        ConnectionsMayFail.destination,
        LoadFailureWakes.destination,
        ListenThreadWaits.destination,
        PostsAreTakenBack.destination,
        CompletesWhenAllHasCome.destination,
        PauseLooksAtFile.destination,
        FaultsHaveOneKey.destination,
    ):
        """All of those at the destination."""


class AsksForNoWayBack(Qemu11Mended):
    """All mends, and a promise that none can give: a guest that has run at the destination never runs at the source
    again. The PONG may be lost, the destination may die, and its lock on the disk with it."""

    properties = (no_way_back,)
