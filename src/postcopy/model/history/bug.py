"""The record of a real bug that the model has."""

from __future__ import annotations

from dataclasses import dataclass

from postcopy.language import Protocol


@dataclass(frozen=True)
class Bug:
    """A real bug, as a protocol that has it and one that does not.

    Attributes:
        entry: its code in docs/bugs.md, e.g. ``A02``: one bug was often mended more than once.
        system: where it was.
        commit: the commit that mends it, or the pull request, or the issue; empty where it was found by reading and is
            open.
        year: of that commit, or in which it was found.
        faulty: the protocol with the bug. Its docstring says what is wrong.
        mended: the protocol without it.
        breaks: the property that it violates, as it did then.
        beside: how the model's run to it differs from the real one; empty if it does not.
    """

    entry: str
    system: str
    commit: str
    year: int
    faulty: type[Protocol]
    mended: type[Protocol]
    breaks: str
    beside: str = ""

    @property
    def mended_by(self) -> str:
        """The system, and what mends it there."""
        return f"{self.system} {self.commit}" if self.commit else f"{self.system}, open"
