"""Weeding by induction, at a size: which claims some step does not keep, and which others they need to be kept.

Claims can be added at any time. At a size z3's answers are exact. Numbers stay in their ranges here: the proof for
every size asks that.
"""

from __future__ import annotations

from collections.abc import Sequence

import z3

from postcopy.language.instance import Instance
from postcopy.language.properties import Property
from postcopy.prover.premises import IN_RANGE
from postcopy.prover.steps import Steps


class Weeding(Steps):
    """The steps of an instance that stay in range, and a growing number of claims about its states.

    Args:
        instance: the protocol at its size, with its properties.
        invariant: claims beside the properties of states.
    """

    def __init__(self, instance: Instance, invariant: Sequence[Property]) -> None:
        super().__init__(instance, invariant)
        self._solver.add(z3.Not(self._fails[IN_RANGE.name]))

    def add(self, claim: Property) -> None:
        """One more claim, of a name that no other has."""
        name = claim.name
        self.claims[name] = claim
        self._holds[name], self._fails[name] = z3.Bool(f"{name} holds"), z3.Bool(f"{name} fails")
        self._solver.add(*self._about(claim))

    def uses(self, first: Sequence[str], rest: Sequence[str], wanted: str) -> frozenset[str] | None:
        """Claims that suffice for a claim or property to be kept; None if all of them do not.

        Args:
            first: claims that may be assumed freely.
            rest: claims that are assumed only where the first do not suffice.
            wanted: the name of the claim or property.

        Raises:
            TimeoutError: z3 gave up.
        """
        for assumed in (list(first), [*first, *rest]):
            with self._asked(assumed, [wanted]) as there_is_one:
                if not there_is_one:
                    literals = {str(literal) for literal in self._solver.unsat_core()}
                    return frozenset(name for name in assumed if f"{name} holds" in literals)
        return None
