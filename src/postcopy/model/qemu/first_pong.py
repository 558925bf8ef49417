"""QEMU's migration thread before the switch with preempt: it waits for the first PONG, and for nothing else.

Only then has the destination taken the main connection, so that it cannot take the preempt channel for that (A25).
"""

from postcopy.language import Flag, action, require
from postcopy.model.changes.preempt import Fast
from postcopy.model.qemu.source_ending import EndingSource
from postcopy.model.qemu.states import Ending
from postcopy.model.source import Phase, Source


class FirstPongSource(EndingSource):
    """The migration thread that waits for a semaphore, which each PONG posts."""

    awaits_first_pong = Flag("the migration thread has begun the switch, and waits for the PONG to its first PING")

    @action(Source.migration, qemu="migration/migration.c:postcopy_start", fair=True)
    def begins_switch(self) -> None:
        """begins the switch: waits for the PONG to its first PING, so that the preempt channel comes second"""
        # fair: as for stops_cpus_to_switch, which it is a part of
        require(self.preempt and self.postcopy_capability)
        require(self.phase == Phase.PRECOPY and self.start_postcopy)
        require(self.ending == Ending.NO)
        require(not self.awaits_first_pong and not self.fast_there)
        self.awaits_first_pong = True

    @action(Source.migration, qemu="migration/postcopy-ram.c:postcopy_preempt_establish_channel")
    def opens_fast_channel(self) -> None:
        """opens the preempt channel, once the PONG says that the main one has been taken (A25)"""
        require(self.awaits_first_pong and self.pong_noted)
        require(self.ending == Ending.NO)
        require(self.fast.room() and not self.fast.broken)
        self.fast.send(Fast.HELLO)
        self.fast_there = True
        self.awaits_first_pong = False

    @action(Source.migration, rule="R15", qemu="migration/migration.c:postcopy_start")
    def cannot_open_fast_channel(self) -> None:
        """gets no preempt channel: the switch fails"""
        require(self.awaits_first_pong and self.pong_noted)
        require(self.ending == Ending.NO and self.fast.broken)
        self.awaits_first_pong = False
        self.ending = Ending.FAILING

    def stops_cpus_to_finish_in_precopy(self) -> None:
        """stops the CPUs, because what is left is little enough to finish in precopy"""
        require(not self.awaits_first_pong)
        super().stops_cpus_to_finish_in_precopy()

    def notices_loss(self) -> None:
        """notices an error of a file it writes to: pauses in postcopy-active, and fails before that"""
        require(not self.awaits_first_pong)
        super().notices_loss()

    def finishes_cancelled(self) -> None:
        """starts the guest again, if it was stopped and the disk can be had: cancelled"""
        require(not self._sleeps_until_pong())
        super().finishes_cancelled()

    # -- what the actions share ----------------------------------------------------------------------------------

    def _sleeps_until_pong(self) -> bool:
        """It sleeps on the semaphore, whatever else happens."""
        return bool(self.awaits_first_pong and not self.pong_noted)

    def _ready_to_send(self) -> None:
        """Sends nothing while it waits."""
        require(not self.awaits_first_pong)
        super()._ready_to_send()

    def _clean_up(self) -> None:
        super()._clean_up()
        self.awaits_first_pong = False
