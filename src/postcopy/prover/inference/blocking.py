"""Which clauses rule a state out that no observed state violates: smallest sets of atoms that no observed row shares.

A row has the values of all atoms, for one state and one page. A set of atoms rules a row out if each observed row
differs from it in one of them: then "one of these atoms is otherwise" holds of all that was observed, and not of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from postcopy.prover.inference.atoms import Atom
from postcopy.prover.inference.clauses import Clause
from postcopy.prover.inference.observed import Rows

MOST_ATOMS = 6
"""Atoms of a clause."""

MOST_CLAUSES = 60
"""Clauses that are made for one row."""

MOST_NODES = 6000
"""Sets of atoms that are looked at for one row."""

Columns = npt.NDArray[np.uint8]


class Blocking:
    """The observed rows, packed for fast questions.

    Args:
        atoms: the questions.
        rows: bool[n, atoms]: what was observed.
    """

    def __init__(self, atoms: Sequence[Atom], rows: Rows) -> None:
        self._atoms, self._rows = atoms, rows
        self._columns: Columns = np.packbits(rows.T, axis=1)
        self._unused = np.packbits(np.ones(len(rows), dtype=np.bool_))

    def clauses(self, row: npt.NDArray[np.bool_], allowed: npt.NDArray[np.bool_]) -> list[Clause]:
        """The clauses that rule a row out: those with the fewest and plainest atoms first.

        Args:
            row: bool[atoms]: the values of all atoms.
            allowed: bool[atoms]: which atoms the clauses may have.
        """
        agree = np.where(row[:, None], self._columns, ~self._columns & self._unused)
        differs = (self._rows != row) & allowed
        distance = differs.sum(axis=1)
        if not distance.all():
            return []  # the row was observed, as far as these atoms go
        nearest = np.argsort(distance, kind="stable")
        search = _Search(agree, differs, nearest)
        sets = sorted(search.all(self._unused), key=lambda chosen: sum(self._atoms[i].cost for i in chosen))
        return [Clause(tuple((self._atoms[i], not bool(row[i])) for i in sorted(chosen))) for chosen in sets]


class _Search:
    """Depth-first, smallest sets first: branch over the atoms in which the nearest row that is left differs."""

    def __init__(self, agree: Columns, differs: Rows, nearest: npt.NDArray[np.intp]) -> None:
        self._agree, self._differs, self._nearest = agree, differs, nearest
        self._nodes = 0

    def all(self, every: Columns) -> list[frozenset[int]]:
        found: dict[frozenset[int], None] = {}
        for size in range(1, MOST_ATOMS + 1):
            for chosen in self._sets(frozenset(), every, size, found):
                found[chosen] = None
                if len(found) >= MOST_CLAUSES:
                    return list(found)
            if self._nodes > MOST_NODES:
                break
        return list(found)

    def _sets(
        self, chosen: frozenset[int], left: Columns, size: int, found: dict[frozenset[int], None]
    ) -> Iterator[frozenset[int]]:
        if not left.any():
            if not any(smaller <= chosen for smaller in found):
                yield chosen
            return
        if size == 0 or self._nodes > MOST_NODES:
            return
        unpacked = np.unpackbits(left, count=len(self._nearest)).view(np.bool_)
        first = self._nearest[int(np.argmax(unpacked[self._nearest]))]
        for atom in np.flatnonzero(self._differs[first]):
            self._nodes += 1
            now = chosen | {int(atom)}
            if now not in found:
                yield from self._sets(now, left & self._agree[atom], size - 1, found)
