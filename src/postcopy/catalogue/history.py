"""All real bugs that are found again, by the name that the command line knows."""

from postcopy.catalogue.others import BUGS_OF_OTHERS
from postcopy.language.protocol import Protocol
from postcopy.model.changes.hinted_pages import HintedPages, HintsRefused
from postcopy.model.changes.multifd import MultifdBeforeTheSwitch, MultifdNotFlushed, MultifdSkipsZeroPages
from postcopy.model.changes.preempt import Preempt
from postcopy.model.changes.recovery import Recovery
from postcopy.model.changes.release_ram import ReleaseRamRefusesRecovery, ReleaseRamWithRecovery
from postcopy.model.changes.switch import SwitchAfterPong, SwitchAtPackage, SwitchAtPackageLocked
from postcopy.model.changes.wake_ups import KernelLooksAgain, MissedWakeUp
from postcopy.model.fault import name_of
from postcopy.model.faults import FAULTS
from postcopy.model.history import channels, placement, recovery
from postcopy.model.history.bug import Bug
from postcopy.model.history.hypotheses import HYPOTHESES
from postcopy.model.postcopy import Postcopy


def _fault(entry: str, system: str, commit: str, year: int, name: str, beside: str = "") -> Bug:
    """A bug that takes a rule of the document away."""
    return Bug(entry, system, commit, year, FAULTS[name], Postcopy, FAULTS[name].breaks[0], beside)


_ALL = (
    Bug("A01", "QEMU", "7b842fe354", 2025, SwitchAtPackage, SwitchAfterPong, "loading-costs-no-guest",
        "the mended one has a window of its own: see docs/changes.md"),
    Bug("A02", "QEMU", "edd090c728", 2018, recovery.KeepsOldBitmap, Recovery, "no-page-lost-for-good"),
    Bug("A03", "QEMU", "97ca211c62", 2018, ReleaseRamWithRecovery, ReleaseRamRefusesRecovery, "no-page-lost-for-good"),
    Bug("A04", "libvirt", "eca9d21e6c", 2018, channels.ManagementSamplesAtStop, channels.ManagementBelievesEvents,
        "no-two-guests"),
    Bug("A05", "QEMU", "cf02f29e1e", 2023, channels.ClosesFastTooEarly, Preempt, "nothing-missing-at-end"),
    Bug("A06", "QEMU", "f5816b5c86", 2022, channels.ShutdownBeforeError, channels.ShutdownAfterError, "no-stale-read"),
    Bug("A07", "Linux", "8d2afd96c203", 2015, MissedWakeUp, KernelLooksAgain, "no-request-lost"),
    Bug("A08", "QEMU", "0c26781c09", 2020, recovery.DoesNotAskAgain, Recovery, "no-request-lost-for-good"),
    Bug("A10", "QEMU", "d246ea5039", 2020, recovery.PublishesPausedTooEarly, Recovery, "new-connection-stays",
        "a descriptor that the wrong thread closes is, in the model, a connection that breaks"),
    Bug("A11", "QEMU", "f8c543e808", 2023, recovery.StuckInRecover, Recovery, "no-deadlock"),
    Bug("A13", "QEMU", "1ae7d9c30d", 2026, channels.WaitsForPongForEver, SwitchAfterPong, "no-deadlock"),
    Bug("A14", "QEMU", "0197d89025", 2019, recovery.PausesBeforeTheGuestRuns, Recovery, "paused-means-running"),
    Bug("A15", "QEMU", "fd037a656a", 2018, recovery.PausesForOneErrorOnly, Recovery, "network-costs-no-guest"),
    Bug("A16", "QEMU", "fb14a42ade", 2019, recovery.PausesInPrecopy, Recovery, "pauses-only-in-postcopy"),
    Bug("A17", "QEMU", "fd51e54fa1", 2021, HintedPages, HintsRefused, "no-request-lost"),
    _fault("A18", "QEMU", "371ff5a3f0", 2015, "balloon-not-inhibited"),
    _fault("A19", "QEMU", "663e6c1df8", 2015, "resync-in-postcopy"),
    _fault("A20", "QEMU", "f3f491fcd6", 2015, "no-discards"),
    _fault("A20", "QEMU", "99e314ebca", 2015, "partial-host-pages"),
    Bug("A21", "QEMU", "cc61c703b6", 2021, placement.GrowsWithoutDiscard, placement.GrowsAndDiscards,
        "nothing-stale-at-start", "no block is resized: a page that is missing is there with zeros"),
    Bug("A22", "QEMU", "c01b16edf6", 2022, channels.SplitsHostPage, Preempt, "no-page-lost",
        "the commit brings the feature and keeps to this rule"),
    Bug("A25", "QEMU", "7afbdada7e", 2024, channels.LoadsBeforeFastIsReady, Preempt, "no-deadlock"),
    Bug("A25", "QEMU", "a5d35dc7e0", 2023, channels.WaitsForFastInListen, Preempt, "no-deadlock",
        "mended there by waiting in another thread, here by waiting before the package"),
    _fault("A26", "QEMU", "11cf1d984b", 2015, "unpackaged", "the commit brings the package and so prevents it"),
    _fault("A31", "QEMU", "875fcd013a", 2018, "mismatched-capability"),
    _fault("A32", "QEMU", "646119088f", 2025, "cancel-after-switch"),
    Bug("A34", "QEMU", "a1fbe750fd", 2017, channels.UnlocksTooLate, SwitchAtPackageLocked, "no-guest-lost",
        "at the package here, at the end of precopy there"),
    Bug("A36", "QEMU", "7aaa1fc072", 2025, recovery.CompletionNotRecoverable, Recovery, "network-costs-no-guest",
        "mended there by completing only when nothing is dirty, which makes the window small; here it is closed"),
    Bug("A40", "QEMU", "2ebeaec012", 2016, placement.DeltasInPostcopy, placement.DeltasInPrecopy,
        "no-stale-device-read"),
    Bug("A41", "QEMU", "e274188612", 2025, MultifdNotFlushed, MultifdBeforeTheSwitch, "nothing-stale-at-start"),
    Bug("A41", "QEMU", "249543d0c0", 2025, MultifdSkipsZeroPages, MultifdBeforeTheSwitch, "no-request-lost"),
    Bug("A42", "QEMU", "ccb7e1b5a6", 2018, placement.PlacesWithoutWaking, Postcopy, "no-request-lost"),
    _fault("A43", "QEMU", "91ba442f5c", 2019, "places-first-target-page"),
    Bug("A44", "CRIU", "9d45bb398", 2017, placement.HugePagesFillIn, Postcopy, "no-stale-read"),
    _fault("A48", "QEMU", "58b7c17e22", 2015, "memory-stays-locked"),
    _fault("B05", "Cloud Hypervisor", "PR 8890", 2026, "resumes-after-handover"),
    *BUGS_OF_OTHERS,
)  # fmt: skip

PROTOCOLS: dict[str, type[Protocol]] = {
    name_of(protocol): protocol
    for protocol in (*(p for bug in _ALL for p in (bug.faulty, bug.mended)), *(h.protocol for h in HYPOTHESES))
}
"""The faulty and the mended ones, and those of the hypotheses, by name."""

HISTORY: dict[str, Bug] = {name_of(bug.faulty): bug for bug in _ALL}
"""By the name of the faulty protocol, in the order of the history's entries."""
