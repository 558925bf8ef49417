"""The network below QEMU's connections, which fail together, each alone, and in one direction alone."""

from postcopy.language import action, require
from postcopy.model.changes.preempt import PreemptWire
from postcopy.model.changes.recovery import RecoveringWire
from postcopy.model.network import Wire
from postcopy.model.qemu.multifd import MultifdWire


class QemuWire(MultifdWire, RecoveringWire, PreemptWire):
    """Two connections that are made anew: the main one with two directions, and that of preempt; and one of multifd."""

    @action(Wire.network, rule="R15", environment=True)
    def loses_return_path(self) -> None:
        """loses the way back to the source alone"""
        require(not self.stream.broken and not self.return_path.broken)
        self.failed = True
        self.return_path.close()

    @action(Wire.network, rule="R15", environment=True)
    def loses_fast_channel(self) -> None:
        """loses the preempt channel alone"""
        require(self.preempt and not self.stream.broken and not self.fast.broken)
        self.failed = True
        self.fast.close()
