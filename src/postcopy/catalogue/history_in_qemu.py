"""Real bugs of QEMU's postcopy, asked of QEMU 11.1: with its mend put back in time each is found again.

A bug of which the model of QEMU 11.1 has no rule says why. The data of a table in docs/qemu.md.
"""

from typing import NamedTuple

from postcopy.catalogue.history import HISTORY
from postcopy.catalogue.shown import Shown
from postcopy.model.changes.change import Change
from postcopy.model.history_in_qemu import pages, recovery, switch

BEFORE: dict[str, type[Change]] = {
    "qemu-11-before-7b842fe354": switch.GivenAwayWithPackage,
    "qemu-11-before-f3f491fcd6": switch.DiscardsNothing,
    "qemu-11-before-99e314ebca": switch.HostPagesStayPartlyDirty,
    "qemu-11-before-11cf1d984b": switch.MainThreadKeepsTheStream,
    "qemu-11-before-875fcd013a": switch.TakesAdviseForTheEnd,
    "qemu-11-before-646119088f": switch.CancelsInPostcopy,
    "qemu-11-before-a1fbe750fd": switch.UnlocksTooLate,
    "qemu-11-before-7afbdada7e": switch.LoadsBeforeFastIsReady,
    "qemu-11-before-a5d35dc7e0": switch.WaitsForFastInListen,
    "qemu-11-before-edd090c728": recovery.KeepsOldBitmap,
    "qemu-11-before-0c26781c09": recovery.DoesNotAskAgain,
    "qemu-11-before-d246ea5039": recovery.ClosesNewFile,
    "qemu-11-before-f8c543e808": recovery.StuckInRecover,
    "qemu-11-before-0e99bb8f54": recovery.PausesFromActiveOnly,
    "qemu-11-before-0197d89025": recovery.PausesWhileItListens,
    "qemu-11-before-fd037a656a": recovery.PausesForOneErrorOnly,
    "qemu-11-before-fb14a42ade": recovery.PausesInPrecopy,
    "qemu-11-before-1ae7d9c30d": recovery.WaitsForPongForEver,
    "qemu-11-before-cf02f29e1e": pages.ClosesFastTooEarly,
    "qemu-11-before-c01b16edf6": pages.SplitsHostPage,
    "qemu-11-before-91ba442f5c": pages.PlacesFirstTargetPage,
    "qemu-11-before-371ff5a3f0": pages.BalloonAllowed,
    "qemu-11-before-ccb7e1b5a6": pages.PlacesWithoutWaking,
    "qemu-11-before-f952710757": pages.HugePagesFillIn,
}
"""By the commit that mended the bug."""


class PutBack(NamedTuple):
    """A bug that is put back into QEMU 11.1.

    Attributes:
        bug: its name in `HISTORY`.
        commit: that mended it.
        protocol: the name of QEMU 11.1 with it: of `BEFORE`, or with a fault of the document's protocol.
        broken: the property that is violated.
        steps: of a shortest run; 0 where none is violated.
        preempt: whether the capability is on.
        pages: the size.
        in_flight: the size.
        remark: what there is to say beside it.
    """

    bug: str
    commit: str
    protocol: str
    broken: str
    steps: int
    preempt: bool = False
    pages: int = 1
    in_flight: int = 1
    remark: str = ""

    @property
    def terms(self) -> str:
        """The terms that fix the options."""
        return f"+preempt={'on' if self.preempt else 'off'}+disk_lock=on+exit_on_error=on"

    @property
    def shown(self) -> Shown:
        """The question whose answer it is."""
        return Shown(self.protocol + self.terms, self.broken, self.steps, self.pages, self.in_flight)


def _before(bug: str, commit: str, broken: str, steps: int, **more: object) -> PutBack:
    """A bug that has a protocol of `BEFORE`."""
    return PutBack(bug, commit, f"qemu-11-before-{commit}", broken, steps, **more)  # type: ignore[arg-type]


PUT_BACK: tuple[PutBack, ...] = (
    _before("switch-at-package", "7b842fe354", "paused-can-resume", 15),
    _before("keeps-old-bitmap", "edd090c728", "no-page-is-lost", 42),
    _before("closes-fast-too-early", "cf02f29e1e", "none-missing-at-end", 36, preempt=True),
    _before("does-not-ask-again", "0c26781c09", "no-request-is-forgotten", 43,
            remark="the page comes with the background pages, only later"),
    _before("publishes-paused-too-early", "d246ea5039", "no-process-aborts", 30),
    _before("stuck-in-recover", "f8c543e808", "no-deadlock", 30),
    _before("stuck-in-recover", "0e99bb8f54", "no-process-aborts", 38, remark="the destination's half of it"),
    _before("waits-for-pong-for-ever", "1ae7d9c30d", "no-deadlock", 18),
    _before("pauses-before-the-guest-runs", "0197d89025", "paused-can-resume", 22),
    _before("pauses-for-one-error-only", "fd037a656a", "paused-can-resume", 24),
    _before("pauses-in-precopy", "fb14a42ade", "paused-can-resume", 8),
    _before("balloon-not-inhibited", "371ff5a3f0", "no-request-is-lost", 30),
    PutBack("resync-in-postcopy", "663e6c1df8", "qemu-11-mended+resync-in-postcopy", "no-page-comes-twice", 21),
    _before("no-discards", "f3f491fcd6", "nothing-stale-at-start", 24),
    _before("partial-host-pages", "99e314ebca", "no-partial-page", 16, pages=2),
    _before("splits-host-page", "c01b16edf6", "no-page-is-lost", 26, preempt=True, pages=2),
    _before("loads-before-fast-is-ready", "7afbdada7e", "no-deadlock", 24, preempt=True, in_flight=2,
            remark="one message fits on the preempt channel behind the first"),
    _before("waits-for-fast-in-listen", "a5d35dc7e0", "no-deadlock", 18, preempt=True),
    _before("unpackaged", "11cf1d984b", "no-deadlock", 18),
    _before("mismatched-capability", "875fcd013a", "no-two-guests", 7),
    _before("cancel-after-switch", "646119088f", "guest-lost-only-with-host", 25),
    _before("unlocks-too-late", "a1fbe750fd", "fails-for-a-reason", 21),
    _before("places-without-waking", "ccb7e1b5a6", "no-request-is-lost", 21),
    _before("places-first-target-page", "91ba442f5c", "no-stale-read", 25, pages=2),
    _before("huge-pages-fill-in", "f952710757", "no-stale-read", 23, remark="QEMU's mend of the same"),
    PutBack("memory-stays-locked", "58b7c17e22", "qemu-11-mended+memory-stays-locked", "nothing-stale-at-start", 21),
)  # fmt: skip
"""In the order of the history's entries."""

_CAPABILITY = "the model has not this capability, with which 11.1 refuses postcopy or recovery"
_NO_RULE: dict[str, str] = {
    "release-ram-with-recovery": _CAPABILITY,
    "shutdown-before-error": "below the model: a file's error and its shutdown are one step",
    "hinted-pages": "beside the model: free page hints, which 11.1 does not start where postcopy is possible",
    "grows-without-discard": "beside the model: no block of memory is resized",
    "completion-not-recoverable": "not mended in 11.1: 7aaa1fc072 makes the window small, and the model has it as H2",
    "deltas-in-postcopy": "beside the model: XBZRLE, which 11.1 does not use in postcopy",
    "multifd-not-flushed": "beside the model: multifd is a change of its own",
    "multifd-skips-zero-pages": "beside the model: multifd is a change of its own",
}


def why_not(bug: str) -> str:
    """Why a bug is not put back; empty where it is.

    Args:
        bug: a name of `HISTORY`.
    """
    if any(each.bug == bug for each in PUT_BACK):
        return ""
    system = HISTORY[bug].system
    return _NO_RULE[bug] if system == "QEMU" else f"a bug of {system}, not of QEMU"
