"""Faults that violate liveness alone: with each of them no state or step is wrong, and something that was promised
never happens. Gathered with the others in `postcopy.model.faults`.
"""

from __future__ import annotations

from postcopy.language import ALL, NONE, Cpu, CpuBitmap, Flag, Page, action, require
from postcopy.model.destination import Destination
from postcopy.model.fault import Fault
from postcopy.model.guest import Memory
from postcopy.model.network import Command, Reply
from postcopy.model.roles import Role
from postcopy.model.source import Phase, Source


class SwitchWaitsForCleanBitmap(Fault):
    """The source looks for the command only when precopy has come to its end: when nothing is dirty."""

    rule, breaks = "R2", ("the-switch-happens",)

    class source(Source):
        """Lets precopy finish first."""

        def stops_cpus_to_switch(self) -> None:
            """stops the CPUs to switch, when nothing is dirty"""
            require(self.dirty.empty)
            super().stops_cpus_to_switch()


class CpusStayStopped(Fault):
    """RUN starts the CPUs only if no fault is queued at that moment, and nothing starts them later."""

    rule, breaks = "R7", ("the-guest-runs-again", "started-guest-runs")

    class destination(Destination):
        """Forgets the CPUs where a fault is queued."""

        def handles_run(self) -> None:
            """starts the CPUs, unless a fault is queued"""
            super().handles_run()
            self.running = self.faulted.empty


class LostWakeUp(Fault):
    """The kernel queues a fault first and puts the vCPU to sleep afterwards, without looking again whether the page
    has come in between (A07)."""

    rule = "R16"
    breaks = ("every-blocked-vcpu-runs-again", "every-sleeper-is-woken", "no-request-lost")

    class destination(Destination):
        """Its kernel goes to sleep in two steps."""

        falling = CpuBitmap("the page that the vCPU is about to sleep for", role=Role.NOTE)

        def cpu_touches_missing(self, cpu: Cpu, page: Page) -> None:
            """touches a page that is missing, and has the fault queued"""
            require(self.running)
            require(self.waiting[cpu].empty)
            require(self.falling[cpu].empty)
            require(not self.present[page])
            if self.sensitive:
                self.falling[cpu] = page
                self.faulted |= page
            else:
                self.observe(Memory.CPU_READ, page)

        @action(Destination.vcpu, rule="R16", qemu="fs/userfaultfd.c:handle_userfault")
        def cpu_goes_to_sleep(self, cpu: Cpu) -> None:
            """goes to sleep until the page is placed"""
            require(not self.falling[cpu].empty)
            self.waiting[cpu] = self.falling[cpu]
            self.falling[cpu] = NONE

        def cpu_reads(self, cpu: Cpu, page: Page) -> None:
            """reads a page"""
            require(self.falling[cpu].empty)
            super().cpu_reads(cpu, page)

        def cpu_writes(self, cpu: Cpu, page: Page) -> None:
            """writes a page"""
            require(self.falling[cpu].empty)
            super().cpu_writes(cpu, page)

        def _give_up(self) -> None:
            """No vCPU is about to sleep any more."""
            super()._give_up()
            self.falling.remove(ALL)


class KeepAliveFirst(Fault):
    """The source pings in postcopy too, and may ping again as soon as it has the answer, ahead of every page."""

    rule, breaks = "R17", ("every-requested-page-arrives",)

    class source(Source):
        """Pings while it serves pages."""

        alive = Flag("the last ping has been answered", True)

        @action(Source.migration, rule="R19")
        def pings_in_postcopy(self) -> None:
            """pings the destination, to see whether it is still there"""
            require(self.phase == Phase.POSTCOPY)
            require(self.alive)
            self._ready_to_send()
            self.stream.send(Command.PING)
            self.alive = False

        def receives_pong(self) -> None:
            """receives the answer to a ping"""
            super().receives_pong()
            self.alive = True

    class destination(Destination):
        """Its listen thread answers."""

        @action(Destination.listen, rule="R19")
        def answers_ping_in_postcopy(self) -> None:
            """answers the ping"""
            require(self._listening())
            self._ready_to_reply()
            self.stream.receive(Command.PING)
            self.return_path.send(Reply.PONG)


class RateLimitInPostcopy(Fault):
    """The bandwidth limit holds in postcopy too, and nothing says that it leaves room for a page (A37)."""

    rule = "R17"
    breaks = ("every-blocked-vcpu-runs-again", "every-requested-page-arrives", "the-migration-ends")

    class source(Source):
        """Sleeps whenever the limit says so."""

        limited = Flag("the bandwidth is used up")

        @action(Source.migration, rule="R17", qemu="migration/migration.c:migration_rate_limit")
        def sleeps_for_the_limit(self) -> None:
            """finds the bandwidth used up, and sleeps"""
            require(self.phase == Phase.POSTCOPY)
            require(not self.limited)
            self.limited = True

        @action(Source.migration, rule="R17", qemu="migration/migration.c:migration_rate_limit")
        def wakes_after_the_limit(self) -> None:
            """wakes up when the limit starts anew"""
            require(self.limited)
            self.limited = False

        def _ready_to_send(self) -> None:
            """Not while it sleeps."""
            require(not self.limited)
            super()._ready_to_send()


class EndlessScan(Fault):
    """The scan for dirty pages does not notice that it has come round without finding any (A37)."""

    rule, breaks = "R24", ("the-migration-ends",)

    class source(Source):
        """Looks for dirty pages for ever."""

        second_half = Flag("the scan is in the second half of the bitmap")

        @action(Source.migration, rule="R24", qemu="migration/ram.c:find_dirty_block")
        def scans_on(self) -> None:
            """finds nothing dirty in this half of the bitmap, and goes on with the other"""
            require(self.phase == Phase.POSTCOPY)
            require(self.dirty.empty)
            require(not self.stream.broken)
            self.second_half = not self.second_half

        ends_postcopy = None  # type: ignore[assignment]


LIVENESS_FAULTS: tuple[type[Fault], ...] = (
    SwitchWaitsForCleanBitmap,
    CpusStayStopped,
    LostWakeUp,
    KeepAliveFirst,
    RateLimitInPostcopy,
    EndlessScan,
)
