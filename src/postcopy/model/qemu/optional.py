"""What QEMU can do beside the three options that are always explored: options that are off unless a term sets them.

Each stands in a file of its own, as a layer between the threads' steps and the recovery; here they are put together.
"""

from postcopy.language import Answer, PageSet, Property, View, always
from postcopy.model.qemu.multifd import MultifdDestination, MultifdSource, waits_for_multifd
from postcopy.model.qemu.promises import settled
from postcopy.model.qemu.second_migration import (
    SecondMigrationDestination,
    SecondMigrationSource,
    over_unless_again,
    preempt_after_main,
    second_completes,
    states_forward_in_one,
)
from postcopy.model.qemu.switchover import (
    AcknowledgingDestination,
    SwitchoverSource,
    paused_before_switchover,
    switchover_acknowledged,
    waits_for_ack,
)
from postcopy.model.qemu.vhost_user import VhostUserDestination, page_comes_for_backend
from postcopy.properties.safety import lost_requests


class OptionalSource(SecondMigrationSource, SwitchoverSource, MultifdSource):
    """All options of the source."""

    def operator_migrates_again(self) -> None:
        """starts a second migration, to a new destination"""
        super().operator_migrates_again()
        if self.multifd:
            self.multi.connect()


class OptionalDestination(
    SecondMigrationDestination, VhostUserDestination, AcknowledgingDestination, MultifdDestination
):
    """All options of the destination."""

    def operator_starts_anew(self) -> None:
        """starts a new destination in the place of one that has failed"""
        super().operator_starts_anew()
        if self.multifd:
            self.multi.listen()


@always("When a migration goes on no request is forgotten", rules="R16")
def no_request_is_forgotten(state: View) -> Answer:
    """The connections stand and both hosts go on; a thread at the destination sleeps until this page comes, and the
    source does not know that: it sends the page when its turn comes."""
    forgotten: PageSet = lost_requests(state) - state.source.writing
    return forgotten if settled(state) else True


OPTIONAL_PROMISES: tuple[Property, ...] = (
    no_request_is_forgotten,
    states_forward_in_one,
    over_unless_again,
    preempt_after_main,
    switchover_acknowledged,
    second_completes,
    page_comes_for_backend,
    paused_before_switchover,
    waits_for_ack,
    waits_for_multifd,
)
"""What is asked beside the other promises."""

OPTIONAL_REPLACED: dict[str, str] = {
    "states-forward": "a second migration has a new destination: see states-forward-in-one",
    "finished-stays-finished": "the source may migrate again: see over-unless-again",
}
"""Properties of the catalogue that are not asked, each with the reason."""
