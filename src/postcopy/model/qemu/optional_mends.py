"""Mends of defects that only an option shows: each a change of its own, as those in `mends`."""

from postcopy.language import PageSet
from postcopy.model.qemu.main_loop import QemuDestination
from postcopy.model.qemu.protocol import Qemu11
from postcopy.model.qemu.source_recovery import QemuSource


class PongsCountAnew(Qemu11):
    """H13: each migration counts its own PONGs."""

    class source(QemuSource):
        """Sets the count back."""

        def _begin_again(self) -> None:
            super()._begin_again()
            self.pong_noted = False


class FaultsHaveOneKey(Qemu11):
    """H10: a fault of a backend of vhost-user is filed under the host's address, as one of a vCPU."""

    class destination(QemuDestination):
        """Has one key for each page."""

        def _files(self, pages: PageSet) -> None:
            self.requested |= pages
