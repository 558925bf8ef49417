"""QEMU 7.2 by name, with what was mended later, each alone, all together, and all but one."""

from postcopy.catalogue.all_but_one import all_but
from postcopy.model.changes.change import Change
from postcopy.model.fault import name_of
from postcopy.model.qemu_7_2 import mends
from postcopy.model.qemu_7_2.protocol import Qemu72

MENDS_7_2: tuple[type[Qemu72], ...] = (
    mends.CancelRefusedInPostcopy,
    mends.NoDiskNoStart,
    mends.GuestRestoredAfterSwitch,
    mends.PausesFromRecover,
    mends.ReturnPathThreadEnds,
    mends.CompletesWhenClean,
    mends.NoCancelAtTheEnd,
    mends.PausesBehindPackage,
    mends.ThreadsAreWoken,
    mends.CompletionPauses,
    mends.RequestedPagesAreAwaited,
    mends.PostsAreTakenBack,
    mends.PauseLooksAtFile,
    mends.PreemptIsWatched,
    mends.ListenThreadCleansUp,
)
"""In the order in which the machines of `Qemu72Mended` have them as bases."""


def mended_except(left_out: type[Qemu72]) -> type[Qemu72]:
    """QEMU 7.2 with all later mends but one, which is one of `MENDS_7_2`."""
    return all_but(left_out, MENDS_7_2, "All later mends")


def without(mend: type[Qemu72]) -> str:
    """The name of QEMU 7.2 with all later mends but this one."""
    return f"qemu-7.2-without-{name_of(mend)}"


QEMU_7_2: dict[str, type[Change]] = {
    "qemu-7.2": Qemu72,
    "qemu-7.2-mended": mends.Qemu72Mended,
    **{without(mend): mended_except(mend) for mend in MENDS_7_2},
}
"""By the name that the command line knows."""
