"""A protocol with all of some mends but one."""

from collections.abc import Sequence
from typing import TypeVar

from postcopy.model.changes.change import Change

Mended = TypeVar("Mended", bound=Change)


def all_but(left_out: type[Mended], mends: Sequence[type[Mended]], doc: str) -> type[Mended]:
    """A protocol with all mends but one.

    A defect often hides behind another one that breaks the same property in fewer steps. Where all others are mended it
    stands alone: what is violated there, and holds with all mends, is due to the mend that is left out.

    Args:
        left_out: one of the mends.
        mends: all of them, in the order in which the protocol with all has them as bases.
        doc: what the protocol with all has, in words.

    Returns:
        A protocol with all other mends as bases, and with their machines.
    """
    others = tuple(mend for mend in mends if mend is not left_out)
    body: dict[str, object] = {"__module__": __name__, "__doc__": f"{doc} but {left_out.__name__}."}
    for machine in ("source", "destination"):
        parts = tuple(vars(mend)[machine] for mend in others if machine in vars(mend))
        if parts:
            body[machine] = type(machine, parts, {"__module__": __name__, "__doc__": "All those of the mends."})
    return type(f"Without{left_out.__name__}", others, body)
