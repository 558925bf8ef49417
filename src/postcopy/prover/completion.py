"""A proof that is completed with found conjuncts: what is passed between the session and the search for conjuncts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from postcopy.language.properties import Property
from postcopy.language.protocol import Protocol
from postcopy.prover.obligations import Proof
from postcopy.prover.weeding import Ask


@dataclass(frozen=True)
class FoundConjunct:
    """A conjunct that the machine has found.

    Attributes:
        prop: the conjunct; its sentence says what it means.
        source: Python source text of it, to be put into a file and named in `invariant = (...)`.
    """

    prop: Property
    source: str


@dataclass(frozen=True)
class Completed:
    """A proof with found conjuncts.

    Attributes:
        proof: the whole proof.
        found: the conjuncts that were found and are proved.
        imports: Python source text of the imports that their source text needs.
        untrue: given conjuncts that are false in a state that can be reached at a small size.
        lost: given conjuncts that some step does not keep.
        finished: whether the search for conjuncts came to its end in time.
    """

    proof: Proof
    found: tuple[FoundConjunct, ...] = ()
    imports: str = ""
    untrue: tuple[Property, ...] = ()
    lost: tuple[Property, ...] = ()
    finished: bool = True


@dataclass(frozen=True)
class OpenProof:
    """A proof that is not complete, and with what it was made.

    Attributes:
        protocol: the class.
        properties: what is to be proved.
        invariant: the conjuncts that the proof had.
        proof: what is proved so far.
        ask: proves.
        phase: is called with what is done now, in words.
        of: names of what is of interest: of all else, only what its proofs use is asked. None: everything is asked.
    """

    protocol: type[Protocol]
    properties: Sequence[Property]
    invariant: Sequence[Property]
    proof: Proof
    ask: Ask
    phase: Callable[[str], None]
    of: frozenset[str] | None = None


Complete = Callable[[OpenProof], Completed]
"""Completes a proof, as far as it finds something."""


def as_it_is(given: OpenProof) -> Completed:
    """The proof, with nothing found."""
    return Completed(given.proof)
