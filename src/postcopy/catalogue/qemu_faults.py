"""QEMU's rules taken away one at a time, by the name that the command line knows, and what finds each.

The data of docs/qemu-faults.md.
"""

from __future__ import annotations

from typing import NamedTuple

from postcopy.catalogue.shown import Shown
from postcopy.model.fault import name_of
from postcopy.model.qemu.faults import loading, options, recovery, source, source_ending, threads
from postcopy.model.qemu.faults.fault import QemuFault


class Searched(NamedTuple):
    """A fault, and the answer of the search.

    Attributes:
        fault: the protocol without a rule.
        breaks: the property that finds it; empty where none does.
        steps: of a run that shows it: a shortest one, unless the property is of whole runs.
        remark: why another property finds it than the one that was expected, or why none does.
    """

    fault: type[QemuFault]
    breaks: str
    steps: int
    remark: str = ""

    @property
    def name(self) -> str:
        """The name on the command line."""
        return name_of(self.fault)

    @property
    def shown(self) -> Shown:
        """The question whose answer it is."""
        fault = self.fault
        protocol, broken = self.name + fault.terms, self.breaks or fault.expects
        return Shown(protocol, broken, self.steps, fault.pages, fault.in_flight, fault.host_page)


def _as_expected(fault: type[QemuFault], steps: int) -> Searched:
    """The property that was expected finds it."""
    return Searched(fault, fault.expects, steps)


FOUND: tuple[Searched, ...] = (
    _as_expected(options.OldReturnPathThread, 14),
    _as_expected(source.NeverOpensReturnPath, 11),
    _as_expected(source.NeverAdvises, 10),
    _as_expected(source.CancelsWhenever, 22),
    _as_expected(options.CancelWakesNobody, 9),
    _as_expected(source.ForgetsWrites, 12),
    _as_expected(source.ClearsWithoutSending, 6),
    _as_expected(source.SwitchesUnasked, 9),
    _as_expected(options.SwitchesUnacknowledged, 8),
    _as_expected(source.SwitchesWithoutFastChannel, 15),
    _as_expected(source.OpensTheFastChannelUnanswered, 7),
    _as_expected(options.OldCountOfPongs, 17),
    _as_expected(options.UnflushedMultifd, 25),
    _as_expected(source.CpusRunOnAtTheSwitch, 9),
    _as_expected(source.KeepsTheDisk, 21),
    _as_expected(source.NeverDiscards, 24),
    _as_expected(source.DiscardsTooMuch, 13),
    _as_expected(source.PackageBeforeDiscards, 20),
    _as_expected(source.ActiveWithoutPong, 16),
    _as_expected(source.WaitsForPongWhateverFails, 18),
    _as_expected(source.SendsWithoutClearing, 21),
    _as_expected(source.ServesCleanPages, 25),
    Searched(
        source.BackgroundBeforeRequests,
        "requested-first-without-preempt",
        21,
        "costs time alone: the promise was missing, since that of the document speaks of one channel",
    ),
    _as_expected(source.NeverServes, 20),
    _as_expected(source_ending.NeverLooksForErrors, 3),
    _as_expected(source_ending.FailsInPostcopyActive, 26),
    _as_expected(source_ending.EofWithDirtyPages, 28),
    _as_expected(source_ending.EndsWhileWriting, 32),
    _as_expected(source_ending.CompletesWithoutJoining, 11),
    _as_expected(source_ending.CompletesWithAnError, 13),
    _as_expected(source_ending.StartsWithoutItsDisk, 15),
    _as_expected(source_ending.StaysStoppedAfterCancel, 9),
    _as_expected(source_ending.FailsWithoutCleaningUp, 15),
    _as_expected(source_ending.PausesWithOpenFiles, 27),
    Searched(
        recovery.ResumesWithTheOldError,
        "pauses-for-a-reason",
        34,
        "the source pauses again as soon as it is connected, and a source that pauses rests: the promise was missing",
    ),
    _as_expected(recovery.NewReturnPathUnread, 36),
    _as_expected(recovery.NeverAsksWhatArrived, 40),
    _as_expected(recovery.ResumesBeforeTheFastChannel, 46),
    _as_expected(source_ending.ForgetsThatThePackageIsLoaded, 26),
    _as_expected(source_ending.DropsRequests, 19),
    _as_expected(source_ending.UrgentStaysDirty, 28),
    Searched(
        source_ending.UrgentPartOfAHostPage,
        "no-deadlock",
        29,
        "neither channel carries the whole host page, as expected; but it was requested, so that "
        "the end waits for it, and there is none",
    ),
    _as_expected(source_ending.TrustsItsOwnBitmap, 42),
    _as_expected(source_ending.NeverTakesTheAcknowledgement, 41),
    _as_expected(source_ending.TakesErrorForSuccess, 13),
    _as_expected(source_ending.LeavesWithoutAnError, 13),
    _as_expected(source_ending.LeavesARecoveryInSilence, 39),
    _as_expected(recovery.NeverIdentifies, 33),
    _as_expected(recovery.ListenThreadNotWoken, 34),
    _as_expected(recovery.TakesNoReturnPath, 35),
    _as_expected(recovery.FastChannelUnannounced, 48),
    _as_expected(loading.NeverAnswersPing, 9),
    _as_expected(loading.AdvisedWithoutSupport, 7),
    _as_expected(loading.StaysLocked, 22),
    _as_expected(loading.DropsPrecopyPages, 8),
    _as_expected(loading.DiscardsNothing, 24),
    _as_expected(loading.PackageBeforeTheFastChannel, 18),
    _as_expected(loading.StartsNoListenThread, 17),
    _as_expected(loading.ListensInsensitive, 16),
    _as_expected(loading.LoadsWithoutItsPage, 17),
    _as_expected(loading.LoadFailureUnmarked, 21),
    _as_expected(loading.NeverSaysThatItIsLoaded, 25),
    _as_expected(loading.SaysLoadedBeforeItIs, 22),
    Searched(
        loading.NeverStoresRunning,
        "paused-can-resume",
        24,
        "the guest is lost, but the source pauses, and is not done with the migration, which "
        "`guest-lost-only-with-host` asks for",
    ),
    _as_expected(loading.StaysAfterRun, 28),
    Searched(
        loading.NeverSchedulesTheStart,
        "the-guest-runs-again",
        44,
        "`started-guest-runs` does not hold of the mended protocol either: at the end of precopy "
        "the source may have taken its disk back",
    ),
    _as_expected(loading.StartsWithTheSourcesDisk, 15),
    _as_expected(threads.PlacesPartOfAHostPage, 18),
    _as_expected(threads.CopiesWithoutWaking, 23),
    _as_expected(threads.RequestedForEver, 36),
    _as_expected(options.BackendNotWoken, 27),
    Searched(
        threads.NeverPauses,
        "paused-can-resume",
        24,
        "the guest is lost, but the source pauses, and is not done with the migration, which "
        "`guest-lost-only-with-host` asks for",
    ),
    Searched(
        threads.ClosesUnderTheReader,
        "reader-has-its-file",
        27,
        "the process may read on in memory that is freed: the promise was missing",
    ),
    _as_expected(threads.PausesWithoutAGuest, 22),
    _as_expected(threads.FailsAndStays, 18),
    _as_expected(threads.NeverSchedulesTheCleanUp, 29),
    _as_expected(threads.CleansUpUndrained, 36),
    _as_expected(threads.PreemptIsNotAskedToLeave, 34),
    _as_expected(threads.StaysSensitive, 33),
    _as_expected(threads.NeverSendsShut, 13),
    _as_expected(recovery.AnswersThatNothingArrived, 44),
    _as_expected(recovery.CountsWhatIsNotWhole, 43),
    _as_expected(recovery.NeverAcknowledgesResume, 40),
    Searched(
        recovery.NeverAsksAgain,
        "no-request-is-forgotten",
        43,
        "costs time alone: the bitmap has been rebuilt, so that each page that has not come is sent in the background",
    ),
    _as_expected(threads.RequestsWhatHasCome, 36),
    _as_expected(threads.NeverNotesRequests, 36),
    Searched(
        threads.DropsFaults,
        "no-request-is-forgotten",
        42,
        "costs time alone, as with `never-asks-again`: the page comes in the background after the recovery",
    ),
    _as_expected(threads.PreemptLeavesOnABreak, 55),
    _as_expected(threads.UrgentStaysRequested, 35),
    _as_expected(recovery.NeverListensForPreempt, 42),
)
"""Those that a property finds."""

NOT_FOUND: tuple[Searched, ...] = (
    Searched(
        source_ending.EofWithRequests,
        "",
        0,
        "needless: a queued page that is not dirty has been sent, and one that is dirty keeps the source from ending",
    ),
)
"""Those that none finds."""

QEMU_FAULTS: dict[str, type[QemuFault]] = {one.name: one.fault for one in (*FOUND, *NOT_FOUND)}
"""By the name that the command line knows."""
