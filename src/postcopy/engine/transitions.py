"""The phases of a core as data: which step a thread may take in which phase, and what phase comes then.

Each core's table stands at the head of its file. The check that refuses a step out of turn reads it, and so does the
diagram in docs/engine.md. What a step asks for beside the phase, the core's methods check.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from postcopy.engine.errors import LocalProtocolError, RemoteProtocolError
from postcopy.engine.log import Step, Thread

P = TypeVar("P")


@dataclass(frozen=True)
class Transition(Generic[P]):
    """A step.

    Attributes:
        step: its name in the log.
        threads: those that may take it; the first of them where the core does not say which one does.
        before: the phases in which it may be taken.
        after: the phase that it leads to; None where it leads to no other.
        otherwise: why it cannot be taken in another phase, for which ``{phase}`` stands; where that does not occur, the
            step and the phase are put before it.
        rule: the rule of the document that forbids it, or an empty string.
    """

    step: Step
    threads: tuple[Thread, ...]
    before: tuple[P, ...]
    after: P | None
    otherwise: str
    rule: str = ""

    def refusal(self, phase: P) -> str:
        """Why the step cannot be taken in this phase."""
        if "{phase" in self.otherwise:
            return self.otherwise.format(phase=phase)
        return f"{self.step.value!r} is no step in {getattr(phase, 'name', phase)}: {self.otherwise}"


class Transitions(Generic[P]):
    """The table of a core: one row for each step.

    Raises:
        ValueError: two rows have the same step.
    """

    def __init__(self, rows: Iterable[Transition[P]]) -> None:
        listed = list(rows)
        self._rows = {row.step: row for row in listed}
        if len(self._rows) < len(listed):
            raise ValueError("a step has two rows")

    def __iter__(self) -> Iterator[Transition[P]]:
        return iter(self._rows.values())

    def require(
        self, step: Step, phase: P, error: type[LocalProtocolError | RemoteProtocolError] = LocalProtocolError
    ) -> Transition[P]:
        """The row of a step that may be taken in this phase.

        Args:
            error: whose fault a step out of turn is.

        Raises:
            LocalProtocolError, RemoteProtocolError: it may not.
        """
        row = self._rows[step]
        if phase not in row.before:
            raise error(row.refusal(phase), row.rule)
        return row
