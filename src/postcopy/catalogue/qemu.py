"""QEMU as it ships, each mend of a defect of it, all mends together, and all of them but one, by name."""

from postcopy.model.changes.change import Change
from postcopy.model.fault import name_of
from postcopy.model.qemu import mends
from postcopy.model.qemu.main_loop import QemuDestination
from postcopy.model.qemu.protocol import Qemu11

MENDS: tuple[type[Qemu11], ...] = (
    mends.ListenLast,
    mends.ConnectionsMayFail,
    mends.LoadFailureWakes,
    mends.PongDecides,
    mends.NoCancelAtTheEnd,
    mends.ListenThreadWaits,
    mends.PostsAreTakenBack,
    mends.CompletesWhenAllHasCome,
    mends.NoChannelNoService,
)
"""In the order in which `Qemu11Mended` has them as bases."""


def mended_except(left_out: type[Qemu11]) -> type[Qemu11]:
    """QEMU 11.1 with all mends but one.

    A defect often hides behind another one that breaks the same property in fewer steps. Where all others are mended it
    stands alone: what is violated there, and holds with all mends, is due to the mend that is left out.

    Args:
        left_out: one of `MENDS`.

    Returns:
        A protocol with all other mends as bases, and with their machines.
    """
    others = tuple(mend for mend in MENDS if mend is not left_out)
    body: dict[str, object] = {"__module__": __name__, "__doc__": f"All mends but {left_out.__name__}."}
    for machine in ("source", "destination"):
        parts = tuple(vars(mend)[machine] for mend in others if machine in vars(mend))
        body[machine] = type(machine, parts, {"__module__": __name__, "__doc__": "All those of the mends."})
    return type(f"Without{left_out.__name__}", others, body)


def without(mend: type[Qemu11]) -> str:
    """The name of QEMU 11.1 with all mends but this one."""
    return f"qemu-11-without-{name_of(mend)}"


AS_SHIPPED: dict[str, tuple[str, ...]] = {
    "h1": ("accepts_stranger", "stranger_leaves", "_connection_came_to_nothing"),
    "h4": ("_takes_posts_back",),
    "h5": ("_may_complete",),
    "n3": ("_wakes_those_it_joins",),
}
"""Where one mend is for several defects: the methods of the destination that one of them needs as shipped."""


def with_defect(code: str) -> type[Qemu11]:
    """QEMU 11.1 with all mends, but for one defect of which a mend is for several.

    Args:
        code: a name of `AS_SHIPPED`.
    """
    methods = {name: getattr(QemuDestination, name) for name in AS_SHIPPED[code]}
    about = {"__module__": __name__, "__doc__": "All mends, but as shipped in what one defect needs."}
    destination = type("destination", (mends.Qemu11Mended.destination,), {**about, **methods})
    doc = f"All mends, but for the defect {code.upper()}."
    return type(f"With{code.title()}", (mends.Qemu11Mended,), {**about, "__doc__": doc, "destination": destination})


QEMU: dict[str, type[Change]] = {
    "qemu-11": Qemu11,
    "qemu-11-mended": mends.Qemu11Mended,
    **{name_of(mend): mend for mend in MENDS},
    **{without(mend): mended_except(mend) for mend in MENDS},
    **{f"qemu-11-with-{code}": with_defect(code) for code in AS_SHIPPED},
}
"""By the name that the command line knows."""
