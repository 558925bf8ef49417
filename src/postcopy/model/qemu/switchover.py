"""The capabilities pause-before-switchover and switchover-ack: the source waits before it switches over.

With the first the migration thread waits with stopped CPUs, and without the big lock, until the operator says
continue or cancels. With the second it goes on in precopy as long as a device at the destination has not said that it
has what it needs; a device that asks once the decision is made makes the migration fail.
"""

from enum import Enum, auto

from postcopy.language import Flag, Step, View, action, every_step, require, sometimes
from postcopy.model.destination import Destination, Main
from postcopy.model.guest import Mishap
from postcopy.model.qemu.postcopy_threads import ListeningDestination
from postcopy.model.qemu.return_path import ReturnPathSource
from postcopy.model.qemu.states import Ending
from postcopy.model.source import Phase, Source


class SwitchoverRequest(Enum):
    """What the stream carries for switchover-ack."""

    DEVICE_DATA = auto()
    """Data of a device that has asked for an acknowledgement."""


class SwitchoverReply(Enum):
    """What the return path carries for switchover-ack."""

    SWITCHOVER_ACK = auto()


class PausingSource(ReturnPathSource):
    """Waits in the state pre-switchover (pause-before-switchover)."""

    held = Flag("the state is pre-switchover: the migration thread waits for its operator")

    def stops_cpus_to_switch(self) -> None:
        """stops the CPUs for postcopy; keeps the big lock, unless it waits for the operator first"""
        super().stops_cpus_to_switch()
        self.held = self.pause_before_switchover

    def stops_cpus_to_finish_in_precopy(self) -> None:
        """stops the CPUs, because what is left is little enough to finish in precopy"""
        super().stops_cpus_to_finish_in_precopy()
        self.held = self.pause_before_switchover

    @action(Source.operator, qemu="migration/migration.c:qmp_migrate_continue", environment=True)
    def operator_continues(self) -> None:
        """lets the migration go on to the switchover"""
        require(self.held)
        self.held = False

    def operator_cancels(self) -> None:
        """cancels the migration; in pre-switchover this wakes the migration thread"""
        super().operator_cancels()
        self._wakes_from_pause()

    def finishes_cancelled(self) -> None:
        """is awake: starts the guest again, if it was stopped and the disk can be had: cancelled"""
        require(not self.held)
        super().finishes_cancelled()

    def sends_discards(self) -> None:
        """sends the whole migration bitmap to be discarded, if there is anything in it"""
        require(not self.held)
        super().sends_discards()

    def notices_loss(self) -> None:
        """notices an error of a file it writes to, unless it waits for its operator"""
        require(not self.held)
        super().notices_loss()

    def _wakes_from_pause(self) -> None:
        self.held = False

    def _ready_to_send(self) -> None:
        """A thread that waits for its operator sends nothing."""
        require(not self.held)
        super()._ready_to_send()

    def _clean_up(self) -> None:
        super()._clean_up()
        self.held = False


class AcknowledgedSource(ReturnPathSource):
    """Asks before it stops its CPUs (switchover-ack)."""

    ack_pending = Flag("a device has asked for an acknowledgement that has not come")

    @action(Source.migration, qemu="migration/savevm.c:qemu_savevm_query_pending", environment=True)
    def device_asks_for_ack(self) -> None:
        """a device asks for an acknowledgement by its counterpart at the destination, and sends it what it needs"""
        require(self.switchover_ack and self.phase == Phase.PRECOPY)
        require(not self.ack_pending)
        self._ready_to_send()
        self.stream.send(SwitchoverRequest.DEVICE_DATA)
        self.ack_pending = True

    @action(Source.return_path_thread, qemu="migration/migration.c:source_return_path_thread")
    def receives_switchover_ack(self) -> None:
        """reads that a device at the destination has what it needs"""
        require(self.switchover_ack)
        self._reads()
        self.return_path.receive(SwitchoverReply.SWITCHOVER_ACK)
        self.ack_pending = False

    @action(Source.migration, qemu="migration/savevm.c:qemu_savevm_query_pending_final", environment=True)
    def device_asks_too_late(self) -> None:
        """a device asks when the CPUs are stopped already: the migration fails"""
        require(self.switchover_ack and self._is_at_the_switchover())
        self.observe(Mishap.FAILURE)
        self.ending = Ending.FAILING

    def stops_cpus_to_switch(self) -> None:
        """stops the CPUs for postcopy, and keeps the big lock; no acknowledgement is pending"""
        require(self._may_switch_over())
        super().stops_cpus_to_switch()

    def stops_cpus_to_finish_in_precopy(self) -> None:
        """stops the CPUs, because what is left is little enough to finish in precopy; no acknowledgement is pending"""
        require(self._may_switch_over())
        super().stops_cpus_to_finish_in_precopy()

    def _may_switch_over(self) -> bool:
        return not self.ack_pending

    def _is_at_the_switchover(self) -> bool:
        """The CPUs are stopped, and nothing has been sent since."""
        stopped = self.phase == Phase.SWITCHING or self.phase == Phase.FINISHING
        return stopped and self.ending == Ending.NO

    def _clean_up(self) -> None:
        super()._clean_up()
        self.ack_pending = False


class SwitchoverSource(PausingSource, AcknowledgedSource):
    """Has both capabilities."""

    def _is_at_the_switchover(self) -> bool:
        """The devices are asked for the last time behind the operator's word."""
        return super()._is_at_the_switchover() and not self.held


class AcknowledgingDestination(ListeningDestination):
    """Says that it has what it needs."""

    @action(Destination.main_thread, qemu="migration/savevm.c:qemu_loadvm_approve_switchover")
    def loads_device_data(self) -> None:
        """loads a device's data, and approves the switchover if the source can be told"""
        require(self.switchover_ack and self.main == Main.STREAM)
        self.stream.receive(SwitchoverRequest.DEVICE_DATA)
        if self._can_reply():
            self.return_path.send(SwitchoverReply.SWITCHOVER_ACK)


@every_step("The CPUs stop for the switchover only when no acknowledgement is pending")
def switchover_acknowledged(step: Step) -> bool:
    """A device at the destination has not what it needs yet: the guest stands still for as long as that takes."""
    stops = step.before.source.running and not step.after.source.running
    begins = step.before.source.phase == Phase.PRECOPY and step.after.source.phase > Phase.PRECOPY
    return not (stops and begins and step.before.source.ack_pending) or step.after.source.phase > Phase.COMPLETED


def is_held(state: View) -> bool:
    """The source waits for its operator, who can say continue, or cancel."""
    return bool(state.source.held and state.source.ending == Ending.NO)


@sometimes("A migration that was paused before the switchover completes")
def paused_before_switchover(state: View) -> bool:
    """Asked where the capability is on."""
    return bool(not state.pause_before_switchover or state.source.phase == Phase.COMPLETED)


@sometimes("The source waits for an acknowledgement while the guest runs")
def waits_for_ack(state: View) -> bool:
    """Asked where the capability is on."""
    return bool(not state.switchover_ack or (state.source.ack_pending and state.source.start_postcopy))
