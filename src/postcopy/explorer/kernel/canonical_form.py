"""Reductions: of states that are alike, one is stored. What each declares, and how they make one canonical form.

Each reduction has a file, which declares it; `reductions` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from postcopy.explorer.kernel.layout import Layout
from postcopy.language.program import Program


@dataclass(frozen=True)
class Rewriting:
    """What a reduction makes of the words of a state, as text.

    Attributes:
        write: gives the lines of a function of the words that returns the words of the state to be stored. Its
            arguments are the function's name, and the name of the function that does what all reductions inside of this
            one do.
        around: the function calls that other one. A function that does not comes before it, and a search applies each
            of the two to a whole block of states at once.
    """

    write: Callable[[str, str], list[str]]
    around: bool = False


@dataclass(frozen=True)
class Inapplicable:
    """A protocol, or its size, does not allow a reduction.

    Attributes:
        why: why not; empty where it would only be of no use, at a size at which no two states are alike.
    """

    why: str = ""


@dataclass(frozen=True)
class Reduction:
    """A way to store fewer states.

    Attributes:
        name: what results and checkpoints call it.
        of: what it does to the states of a program with this layout, or why it cannot be used.
        keeps_runs: it may be used where properties of whole runs are asked.
    """

    name: str
    of: Callable[[Program, Layout], Rewriting | Inapplicable]
    keeps_runs: bool


def canonical_form(
    layout: Layout, rewritings: Sequence[Rewriting], name: str = "canonical"
) -> tuple[list[str], list[str]]:
    """The lines of the function that gives the words of the state to be stored, with those that it calls.

    Args:
        layout: where variables lie.
        rewritings: those of the reductions, the innermost first.
        name: what the function is called.

    Returns:
        The lines, and the names of functions that do the same, one after the other.
    """
    words = ", ".join(f"w{k}" for k in range(layout.words))
    if not rewritings:
        return [f"def {name}({words}):", f"    return {words},"], [name]
    *inner, last = rewritings
    if not inner and not last.around:
        return last.write(name, ""), [name]
    rest = f"{name}_inside"
    lines, calls = canonical_form(layout, inner, rest)
    if last.around:
        return [*lines, *last.write(name, rest)], [name]
    first = f"{name}_before"
    both = [f"    {words}, = {function}({words})" for function in (first, rest)]
    lines += [*last.write(first, ""), "", f"def {name}({words}):", *both, f"    return {words},"]
    return lines, [first, *calls]
