"""What an assistant asks, and what it is answered: the records that go to the process of a call and back."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Tool(StrEnum):
    """What can be asked."""

    CHECK = "check"
    PROVE = "prove"
    SIMULATE = "simulate"
    DIFF = "diff"
    CONFORM = "conform"
    LISTING = "listing"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call.

    Attributes:
        tool: the function of this package that is called.
        folder: the folder that was given at the start; no file outside of it is read or run.
        protocols: the protocols, as the assistant writes them.
        arguments: further arguments of the function.
        files: those of its arguments that name files.
        seconds: time that it may take.
        memory: bytes that its process may have.
    """

    tool: Tool
    folder: str
    protocols: dict[str, str] = {}
    arguments: dict[str, int | float | str | bool | list[str] | None] = {}
    files: dict[str, str | list[str]] = {}
    seconds: float
    memory: int


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of it, short enough for a model to read.

    Attributes:
        verdict: in a word or two; ``refused`` where the call was wrong, ``no verdict`` where time or memory was over.
        sentence: the verdict as a sentence; or what was wrong and what to write.
        violated: the properties that are violated, by name.
        guard: file and line of the guard that let the wrong step pass.
        story: the counterexample in words, a line each.
        warnings: what weakens the verdict.
        not_asked: what this answer says nothing of.
        details: more of it: the rows of a list, the lines of a comparison.
        seconds: time that it took.
    """

    verdict: str
    sentence: str
    violated: list[str] = []
    guard: str = ""
    story: list[str] = []
    warnings: list[str] = []
    not_asked: list[str] = []
    details: list[str] = []
    seconds: float = 0.0


def refused(why: str) -> Reply:
    """A call that was wrong."""
    return Reply(verdict="refused", sentence=why)


def no_verdict(why: str, seconds: float) -> Reply:
    """A call without an answer."""
    return Reply(verdict="no verdict", sentence=why, seconds=round(seconds, 2))
