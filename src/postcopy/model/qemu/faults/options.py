"""Faults of what is off unless a term sets it: one of each option."""

from postcopy.language import PageSet, require
from postcopy.model.qemu.faults.fault import LOCKED, PREEMPT, QemuFault
from postcopy.model.qemu.mends import Qemu11Mended
from postcopy.model.source import Phase


class OldCountOfPongs(QemuFault):
    """A second migration counts the PONGs of the first."""

    step, expects, terms, in_flight = "S8", "preempt-after-main", PREEMPT + "+second=on", 3

    class source(Qemu11Mended.source):
        """Keeps the count."""

        def _begin_again(self) -> None:
            noted = self.pong_noted
            super()._begin_again()
            self.pong_noted = noted


class OldReturnPathThread(QemuFault):
    """A second migration starts no return-path thread."""

    step, expects, terms = "S2", "no-deadlock", LOCKED + "+second=on"

    class source(Qemu11Mended.source):
        """Takes the thread that has left for the one that it needs."""

        def _begin_again(self) -> None:
            left = self.return_path_left
            super()._begin_again()
            self.return_path_left = left


class BackendNotWoken(QemuFault):
    """A page that is placed does not wake the backend of vhost-user."""

    step, expects, terms = "D16", "no-request-is-lost", LOCKED + "+vhost_user=on"

    class destination(Qemu11Mended.destination):
        """Wakes vCPUs alone."""

        def _wakes(self, _pages: PageSet) -> None:
            """The backend sleeps on."""


class CancelWakesNobody(QemuFault):
    """A cancel in pre-switchover leaves the migration thread asleep (QEMU before 8958338b10, 2020)."""

    step, expects, terms = "S5", "no-deadlock", LOCKED + "+pause_before_switchover=on"

    class source(Qemu11Mended.source):
        """Does not post."""

        def _wakes_from_pause(self) -> None:
            """It sleeps on."""


class SwitchesUnacknowledged(QemuFault):
    """The source stops its CPUs though an acknowledgement is pending."""

    step, expects, terms = "S7", "switchover-acknowledged", LOCKED + "+switchover_ack=on"

    class source(Qemu11Mended.source):
        """Does not look at the count."""

        def _may_switch_over(self) -> bool:
            return True


class UnflushedMultifd(QemuFault):
    """The connection of multifd is not flushed before the CPUs stop for postcopy."""

    step, expects, terms = "S9", "nothing-stale-at-start", LOCKED + "+multifd=on"

    class source(Qemu11Mended.source):
        """Goes on without."""

        def flushes(self) -> None:
            """flushes nothing before postcopy"""
            require(self.multifd and not self.flushed)
            if self.phase == Phase.PRECOPY:
                require(self._switch_is_next())
                self.flushed = True
            else:
                super().flushes()
