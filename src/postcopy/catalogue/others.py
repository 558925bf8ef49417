"""Postcopy of other projects, and their defects, by the names that the command line knows."""

from postcopy.model.fault import name_of
from postcopy.model.history.bug import Bug
from postcopy.model.others import cloud_hypervisor_bugs, criu_bugs, criu_forks
from postcopy.model.others.cloud_hypervisor import CloudHypervisorMended
from postcopy.model.others.cloud_hypervisor_bugs import CloudHypervisor
from postcopy.model.others.criu import CriuLazyPagesMended
from postcopy.model.others.criu_bugs import CriuLazyPages
from postcopy.model.others.implementation import Implementation

_ALL: tuple[type[Implementation], ...] = (CloudHypervisor, CloudHypervisorMended, CriuLazyPages, CriuLazyPagesMended)

OTHERS: dict[str, type[Implementation]] = {name_of(implementation): implementation for implementation in _ALL}
"""Each as it was read, and mended."""

_NOT_THERE = {
    "no-page-lost": "the source keeps every page until it ends",
    "discards-before-start": "there are no discards",
    "discard-set-exact": "there are no discards",
    "only-dirty-pages-sent": "there is no migration bitmap",
    "sent-map-is-used-up": "there is no sent map",
    "nothing-dirtied-after-switch": "there is no migration bitmap",
    "sends-bounded": "there is no migration bitmap: what the destination lacks bounds the requests",
    "requested-first": "the destination decides what comes first",
    "only-faults-requested": "the destination requests the rest, too",
    "postcopy-where-supported": "no message announces postcopy",
    "only-advise-is-refused": "no message announces postcopy",
    "no-partial-page": "a page travels whole",
    "host-pages-one-by-one": "a page travels whole",
    "only-its-page-wakes": "it asks whether the document's destination has given up",
    "threads-do-their-own-work": "the threads are others than the document's",
    "one-reader": "pages have one reader from the start",
    "operator-cancels-alone": "cancelling is left out",
    "nothing-is-kept": "it speaks of the document's variables",
    "shut-says-the-truth": "there is no SHUT",
    "shut-once": "there is no SHUT",
    "the-switch-happens": "there is no precopy",
}

NOT_ASKED: dict[str, dict[str, str]] = {
    "cloud-hypervisor-mended": _NOT_THERE,
    "criu-lazy-pages-mended": _NOT_THERE
    | {
        "no-request-lost": "a page that was requested and has not come is requested again with the rest",
        "both-break-together": "a destination that gives up ends one direction with a message, and breaks the other",
        "started-guest-runs": "the restore loads and starts in one step",
    },
}
"""Why properties of the document are not asked of them, by the name of the property."""

_CH, _CRIU = "Cloud Hypervisor", "CRIU"
_BRANCH = "the commit is on a branch"

BUGS_OF_OTHERS = (
    Bug("A44", _CH, "435a65bb2", 2026, cloud_hypervisor_bugs.WakesHugePage, cloud_hypervisor_bugs.SharedMemory,
        "no-stale-read"),
    Bug("B02", _CH, "567c97fcb", 2026, cloud_hypervisor_bugs.RequestsMappedPage, cloud_hypervisor_bugs.SharedMemory,
        "no-write-overwritten", _BRANCH),
    Bug("B03", _CH, "48d3e9be7", 2026, cloud_hypervisor_bugs.AsksAgain, CloudHypervisorMended, "no-page-sent-twice",
        _BRANCH),
    Bug("B03", _CH, "df58e814e", 2026, cloud_hypervisor_bugs.WakesInVain, cloud_hypervisor_bugs.SharedMemory,
        "no-request-lost"),
    Bug("B05", _CH, "PR 8890", 2026, cloud_hypervisor_bugs.ResumesAfterComplete, CloudHypervisorMended,
        "no-two-guests"),
    Bug("B06", _CH, "6de90bdec", 2026, cloud_hypervisor_bugs.MovesOnTooEarly,
        cloud_hypervisor_bugs.MovesOnWhenComplete, "no-stale-read"),
    Bug("B08", _CRIU, "fb7873c97", 2018, criu_bugs.CopiesToRemovedMemory, criu_bugs.RemovesMemory,
        "failed-for-a-reason"),
    Bug("B08", _CRIU, "3dfae093c", 2017, criu_bugs.KeepsRestQueued, CriuLazyPagesMended, "no-deadlock"),
    Bug("B08", _CRIU, "312e97f1c", 2018, criu_forks.EndsWithTheParent, criu_forks.ForksWhilePagesCome,
        "no-stale-read"),
    Bug("B08", _CRIU, "95ea4e92a", 2018, criu_forks.QueuesForTheParent, criu_forks.ForksWhilePagesCome,
        "no-stale-read"),
    Bug("B08", _CRIU, "9052ef93c", 2024, criu_forks.PunchesAfterTheFirst, criu_forks.ForksWhilePagesCome,
        "failed-for-a-reason", "there the pages are read from files, here from the source"),
    Bug("B11", _CH, "48d3e9be7", 2026, cloud_hypervisor_bugs.SkipsPages, CloudHypervisorMended, "no-stale-read",
        f"{_BRANCH}, and has another reason"),
    Bug("B12", _CH, "issue 7111", 2026, cloud_hypervisor_bugs.ResumesWithoutLock,
        cloud_hypervisor_bugs.ResumesWithLock, "no-two-guests", "the issue is open"),
    Bug("B13", _CH, "", 2026, cloud_hypervisor_bugs.TakesEndForDrained, CloudHypervisorMended,
        "completed-means-arrived"),
    Bug("B14", _CH, "", 2026, cloud_hypervisor_bugs.ClosesBeforeExit, CloudHypervisorMended, "no-stale-read"),
    Bug("B14", _CH, "", 2026, cloud_hypervisor_bugs.AbandonsPulling, CloudHypervisorMended, "no-deadlock"),
    Bug("B15", _CRIU, "", 2026, criu_bugs.ThawsAfterRestore, CriuLazyPagesMended, "no-two-guests"),
    Bug("B15", _CRIU, "", 2026, criu_bugs.TakesEndForSuccess, CriuLazyPagesMended, "completed-means-arrived"),
    Bug("B16", _CRIU, "", 2026, criu_bugs.LeavesProcessesRunning, CriuLazyPagesMended, "no-stale-read"),
    Bug("B17", _CRIU, "", 2026, criu_bugs.TakesFullSocketForError, CriuLazyPagesMended, "failed-for-a-reason"),
)  # fmt: skip
"""What they have had, and what was found by reading them."""
