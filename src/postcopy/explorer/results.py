"""What a check is asked, how it stands, and what it has found: data for the driver and for all who report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import Path

from postcopy.explorer.estimate import Estimate
from postcopy.explorer.kernel.canonical_form import Reduction
from postcopy.explorer.kernel.reductions import PAGES
from postcopy.explorer.liveness.promises import Liveness
from postcopy.explorer.vacuity import Gap, Missing
from postcopy.language.instance import Instance
from postcopy.language.properties import Property
from postcopy.language.trace import Trace


class Outcome(Enum):
    """What a check can say."""

    HOLDS = "holds"
    VIOLATED = "violated"
    DEADLOCK = "deadlock"
    LIVENESS = "liveness violated"
    INCONCLUSIVE = "inconclusive"


class Engine(StrEnum):
    """Which driver searches."""

    AUTO = "auto"
    """Interpreted as long as the space is small, with the kernel in machine code; then compiled."""

    COMPILED = "compiled"
    INTERPRETED = "interpreted"
    """By Python; where it was asked for, without machine code."""


@dataclass(frozen=True)
class Options:
    """How to search.

    Attributes:
        reductions: what is done to store fewer states.
        max_memory: bytes that states may take.
        engine: which driver searches.
        workers: cores that a large compiled search may use.
        disk: where files may be put when that memory is full; None for nowhere.
        cluster: processes of a Ray cluster to search on; 0 for none.
        small_table: whether a compiled search stores states in as few bytes as it can.
        seconds: time after which a search ends with what it has found; None for no limit. Compiling is not cut short.
    """

    reductions: tuple[Reduction, ...] = (PAGES,)
    max_memory: int = 8 << 30
    engine: Engine = Engine.AUTO
    workers: int = 1
    disk: Path | None = None
    cluster: int = 0
    small_table: bool = False
    seconds: float | None = None


@dataclass(frozen=True)
class Progress:
    """How a search stands, for a progress line.

    Attributes:
        phase: what is being done.
        states, transitions, depth, frontier: what was found so far.
        seconds: time that it took.
        estimate: how many states there will be; None where nothing can be said.
        bytes: memory that the states take.
        max_memory: memory that they may take.
        filling: whether more than half of the memory allowed is taken, and --small-table would take less.
        smaller: whether --small-table would take less.
        for_liveness: whether the search is for properties of runs, which goes on neither on disk nor in a small table.
    """

    phase: str
    states: int = 0
    transitions: int = 0
    depth: int = 0
    frontier: int = 0
    seconds: float = 0.0
    filling: bool = False
    estimate: Estimate | None = None
    bytes: int = 0
    max_memory: int = 0
    smaller: bool = False
    for_liveness: bool = False


@dataclass(frozen=True)
class Verdict:
    """What a search has found.

    Attributes:
        instance: what was checked.
        options: how.
        outcome: what can be said.
        violated: the property that is violated, or None.
        why: for an inconclusive outcome, why; or why there is no counterexample to a property that is violated.
        counterexample: a shortest run that violates it, or None.
        states, transitions, depth: size of what was explored (of its representatives, with symmetry).
        frontier: states seen but not expanded: 0 when all was explored.
        fired: how often each action was taken, by name.
        impossible: the actions that cannot be taken at this size, by their own text.
        witnesses: for each witness, whether it was reached.
        seconds: time of the search alone.
        bits, words: bits of a state that are used, and words it takes.
        bytes: memory in use at the end.
        disk: bytes in files at the end.
        engine: which driver searched.
        liveness: what was found of the properties of runs; None where none was asked, or it did not come to that.
        constant: the properties that no state or step can violate at this size, as reading the actions shows.
        missed: what the search has not seen of actions, events, history and sets of pages.
        no_symmetry: why pages could not be renamed, where that was asked for; empty otherwise.
    """

    instance: Instance
    options: Options
    outcome: Outcome
    violated: Property | None
    why: str
    counterexample: Trace | None
    states: int
    transitions: int
    depth: int
    frontier: int
    fired: dict[str, int]
    impossible: frozenset[str]
    witnesses: dict[str, bool]
    seconds: float
    bits: int
    words: int
    bytes: int
    engine: Engine
    liveness: Liveness | None = None
    disk: int = 0
    constant: frozenset[str] = frozenset()
    missed: tuple[Gap, ...] = ()
    no_symmetry: str = ""

    @property
    def reductions(self) -> tuple[Reduction, ...]:
        """The reductions that were used: those that were asked for, but for page symmetry where it could not be."""
        return tuple(each for each in self.options.reductions if each is not PAGES or not self.no_symmetry)

    @property
    def follows_each_page(self) -> bool:
        """Page symmetry was used, but not for what must happen in the end: promises look at neighbours."""
        return PAGES in self.reductions and self.liveness is not None and self.liveness.neighbours

    @property
    def all_seen(self) -> bool:
        """Whether every state was explored, and none violates a property of states or steps."""
        return self.outcome is Outcome.HOLDS or self.liveness is not None

    @property
    def never_fired(self) -> list[str]:
        """The actions that were never taken: the check says nothing about this part of the protocol."""
        return [name for name, times in self.fired.items() if times == 0 and name not in self.impossible]

    @property
    def gaps(self) -> list[Gap]:
        """What weakens the answers: it does not happen, or is not asked about, if all states were seen.

        Also sets of pages for want of whose role the violated property may be wrong.
        """
        if not self.all_seen:
            return [gap for gap in self.missed if gap.missing is Missing.ROLE]
        found = [Gap(Missing.ACTION, name) for name in self.never_fired]
        found += self.missed
        found += [Gap(Missing.WITNESS, name) for name, reached in self.witnesses.items() if not reached]
        promised = self.liveness.findings if self.liveness else {}
        return found + [Gap(Missing.PROMISE, name, (name,)) for name, finding in promised.items() if not finding.open]
