"""All changes of this folder by the name that the command line knows."""

from postcopy.model.changes.change import Change
from postcopy.model.changes.hinted_pages import HintedPages, HintedPagesFilled, HintsRefused
from postcopy.model.changes.multifd import MultifdBeforeTheSwitch, MultifdNotFlushed, MultifdSkipsZeroPages
from postcopy.model.changes.preempt import Preempt
from postcopy.model.changes.ram_cache import (
    BulkReadTooEarly,
    CacheEndsWithTheStream,
    CacheKeepsWhatIsWaitedFor,
    CacheLostAtTheEnd,
    CacheWithItsOwnBitmap,
    RamCache,
    SecondConnection,
)
from postcopy.model.changes.recovery import Recovery
from postcopy.model.changes.recovery_with_preempt import RecoveryWithPreempt
from postcopy.model.changes.release_ram import ReleaseRamRefusesRecovery, ReleaseRamWithRecovery
from postcopy.model.changes.switch import (
    SwitchAfterAcknowledgement,
    SwitchAfterAcknowledgementLocked,
    SwitchAfterPong,
    SwitchAfterPongLocked,
    SwitchAtPackage,
    SwitchAtPackageLocked,
)
from postcopy.model.changes.wake_ups import KernelLooksAgain, MissedWakeUp, PageTristate, PageTristateWithOneWake
from postcopy.model.changes.whole_bitmap import WholeBitmapDiscard
from postcopy.model.fault import name_of

_ALL: tuple[type[Change], ...] = (
    RamCache,
    SecondConnection,
    CacheKeepsWhatIsWaitedFor,
    CacheEndsWithTheStream,
    CacheLostAtTheEnd,
    CacheWithItsOwnBitmap,
    BulkReadTooEarly,
    WholeBitmapDiscard,
    Recovery,
    ReleaseRamWithRecovery,
    ReleaseRamRefusesRecovery,
    Preempt,
    RecoveryWithPreempt,
    SwitchAtPackage,
    SwitchAtPackageLocked,
    SwitchAfterPong,
    SwitchAfterPongLocked,
    SwitchAfterAcknowledgement,
    SwitchAfterAcknowledgementLocked,
    MultifdBeforeTheSwitch,
    MultifdNotFlushed,
    MultifdSkipsZeroPages,
    HintedPages,
    HintsRefused,
    HintedPagesFilled,
    MissedWakeUp,
    KernelLooksAgain,
    PageTristate,
    PageTristateWithOneWake,
)

CHANGES: dict[str, type[Change]] = {name_of(change): change for change in _ALL}
"""Those that hold and those that do not, each after what it builds on."""
