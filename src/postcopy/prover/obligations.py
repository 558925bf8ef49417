"""The results of a proof for every size: an obligation for each conjunct and each action.

An obligation says of one conjunct (or property of steps) and one action: if all conjuncts hold before the action,
this one holds after it. It is split into questions to z3, one for each path of the action and each part of the
conjunct, and is proved when each of them is refuted. Nothing else counts as proved.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from postcopy.language.instance import Instance
from postcopy.language.properties import Property
from postcopy.language.step_errors import NUMBERS_IN_RANGE
from postcopy.prover.solving import Status, worse, worst

INITIAL = "in the initial states"
ANY = "any thread"
RANGES = NUMBERS_IN_RANGE.name
CLOSER = "comes-closer-to-the-end"


@dataclass(frozen=True)
class Obligation:
    """One obligation, and its result.

    Attributes:
        conjunct: name of the conjunct or property.
        action: name of the action, `INITIAL`, or `ANY` for the absence of deadlock.
        status: what z3 has said.
        seconds: how long it took.
        questions: how many questions to z3 it was.
        uses: the conjuncts that z3's refutations needed.
    """

    conjunct: str
    action: str
    status: Status
    seconds: float
    questions: int
    uses: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Proof:
    """The results of all obligations.

    Attributes:
        instance: the protocol with its properties. Its size is of no importance.
        conjuncts: the invariant, the properties of states among them.
        obligations: in the order of the actions.
        framed: how many pairs there are of a conjunct and an action that changes no variable of the conjunct.
        seconds: for all obligations.
    """

    instance: Instance
    conjuncts: tuple[Property, ...]
    obligations: tuple[Obligation, ...]
    framed: int
    seconds: float

    @property
    def status(self) -> Status:
        """Of the properties: proved if all is; unknown if z3 has given up and found no counterexample elsewhere."""
        return worst(o.status for o in self.obligations if o.conjunct != CLOSER)

    @property
    def ends(self) -> Status:
        """Whether every step that the ranking speaks of comes closer to the end; unknown without a ranking."""
        asked = any(o.conjunct == CLOSER for o in self.obligations)
        return worst(o.status for o in self.obligations) if asked else Status.UNKNOWN

    @property
    def missing(self) -> list[Obligation]:
        """The obligations that are not proved."""
        return [o for o in self.obligations if o.status is not Status.PROVED]


def together(parts: Iterator[Obligation]) -> Obligation:
    """One obligation from the answers to its parts, in their order: up to the first that is not proved."""
    whole = next(parts)
    for part in parts:
        if whole.status is not Status.PROVED:
            break
        whole = replace(
            whole,
            status=worse(whole.status, part.status),
            seconds=whole.seconds + part.seconds,
            questions=whole.questions + part.questions,
            uses=whole.uses | part.uses,
        )
    return whole
