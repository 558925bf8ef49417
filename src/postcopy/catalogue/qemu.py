"""QEMU as it ships, each mend of a defect of it, all mends together, and all of them but one, by name."""

from postcopy.catalogue.all_but_one import all_but
from postcopy.catalogue.shown import Shown
from postcopy.language import Machine
from postcopy.model.changes.change import Change
from postcopy.model.fault import name_of
from postcopy.model.qemu import mends, optional_mends, two_blocks
from postcopy.model.qemu.main_loop import QemuDestination
from postcopy.model.qemu.protocol import Qemu11
from postcopy.model.qemu.source_recovery import QemuSource

MENDS: tuple[type[Qemu11], ...] = (
    mends.ListenLast,
    mends.ConnectionsMayFail,
    mends.LoadFailureWakes,
    mends.LossAfterPongPauses,
    mends.SwitchAsksForPong,
    mends.PongBeforeError,
    mends.CompletionPauses,
    mends.ReturnPathErrorPauses,
    mends.FailingAsksForPong,
    mends.DiskDecides,
    mends.NoCancelAtTheEnd,
    mends.ListenThreadWaits,
    mends.PostsAreTakenBack,
    mends.CompletesWhenAllHasCome,
    mends.NoChannelNoService,
    mends.FirstPongMayFail,
    mends.PreemptIsWatched,
    mends.PauseLooksAtFile,
    optional_mends.PongsCountAnew,
    optional_mends.FaultsHaveOneKey,
)
"""In the order in which `Qemu11Mended` has them as bases."""


def mended_except(left_out: type[Qemu11]) -> type[Qemu11]:
    """QEMU 11.1 with all mends but one, which is one of `MENDS`."""
    return all_but(left_out, MENDS, "All mends")


def without(mend: type[Qemu11]) -> str:
    """The name of QEMU 11.1 with all mends but this one."""
    return f"qemu-11-without-{name_of(mend)}"


AS_SHIPPED: dict[str, tuple[str, ...]] = {
    "h1": ("accepts_stranger", "stranger_leaves", "_connection_came_to_nothing"),
    "h1b": ("accepts_stranger", "stranger_leaves"),
    "n4": ("accepts_fast_as_main", "fast_comes_to_nothing"),
    "h4": ("_takes_posts_back",),
    "h5": ("_may_complete",),
    "n3": ("_wakes_those_it_joins", "_pauses_faults"),
    "h13": ("takes_fast_for_main",),
}
"""Where one mend is for several defects, or a defect needs two to be as shipped: methods of the destination that it
needs as shipped."""

AT_SOURCE: dict[str, tuple[str, ...]] = {"h13": ("_begin_again",)}
"""The same of the source."""


def with_defect(code: str) -> type[Qemu11]:
    """QEMU 11.1 with all mends, but for one defect that no single mend stands for.

    Args:
        code: a name of `AS_SHIPPED`.
    """
    about = {"__module__": __name__, "__doc__": "All mends, but as shipped in what one defect needs."}
    machines: dict[str, type[Machine]] = {}
    if code in AT_SOURCE:
        methods = {name: getattr(QemuSource, name) for name in AT_SOURCE[code]}
        machines["source"] = type("source", (mends.Qemu11Mended.source,), {**about, **methods})
    methods = {name: getattr(QemuDestination, name) for name in AS_SHIPPED[code]}
    machines["destination"] = type("destination", (mends.Qemu11Mended.destination,), {**about, **methods})
    doc = f"All mends, but for the defect {code.upper()}."
    return type(f"With{code.title()}", (mends.Qemu11Mended,), {**about, "__doc__": doc, **machines})


BLOCKS: tuple[type[Qemu11], ...] = (
    two_blocks.TwoBlocks,
    two_blocks.OverlapInOneBlock,
    two_blocks.LastBlockKept,
)
"""Memory in two blocks, a mend of what it shows, and a fault of it: to be named beside others, as in
`qemu-11-mended+two-blocks`."""

OVERLAPPING = Shown(
    "qemu-11-mended+two-blocks+preempt=on+disk_lock=on+exit_on_error=on", "no-request-is-forgotten", 25, 2
)
"""A request is dropped while a page of that number in another block is sent."""
LAST_KEPT = Shown(
    "qemu-11-mended+last-block-kept+preempt=off+disk_lock=on+exit_on_error=on", "no-request-is-forgotten", 45, 2
)
"""A request goes to the wrong block, because RESUME does not set back the block that was named last."""

QEMU: dict[str, type[Change]] = {
    "qemu-11": Qemu11,
    "qemu-11-mended": mends.Qemu11Mended,
    name_of(mends.AsksForNoWayBack): mends.AsksForNoWayBack,
    **{name_of(mend): mend for mend in MENDS},
    **{without(mend): mended_except(mend) for mend in MENDS},
    **{f"qemu-11-with-{code}": with_defect(code) for code in AS_SHIPPED},
    **{name_of(protocol): protocol for protocol in BLOCKS},
}
"""By the name that the command line knows."""
