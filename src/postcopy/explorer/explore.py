"""From a protocol and properties to a verdict: reads, compiles, searches, and names what was found.

The way of a check: `constants.read` -> `layout.lay_out` -> `codegen.generate` -> `search` -> `Verdict`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from enum import Enum
from itertools import permutations
from math import factorial
from pathlib import Path
from typing import TYPE_CHECKING

from postcopy import __version__
from postcopy.errors import SpecError
from postcopy.explorer.kernel import compiled, layout
from postcopy.explorer.kernel import dead_variables as dead
from postcopy.explorer.kernel import expression_code as writing
from postcopy.explorer.kernel import state_code as codegen
from postcopy.explorer.kernel import vcpu_symmetry as vcpus
from postcopy.explorer.liveness.promises import Liveness
from postcopy.explorer.search import interpreted as search
from postcopy.language import program as constants
from postcopy.language.instance import Instance, State
from postcopy.language.properties import Kind, Property
from postcopy.language.trace import Trace, thread_through

if TYPE_CHECKING:
    from postcopy.explorer.search.checkpoint import Checkpoint

INTERPRETED_STATES = 150_000
"""Spaces up to here are searched without compiling: Python needs about two seconds, the compiler five to fifteen."""

_SLICE = 1_000_000
_SLICE_INTERPRETED = 2_000


class Outcome(Enum):
    """What a check can say."""

    HOLDS = "holds"
    VIOLATED = "violated"
    DEADLOCK = "deadlock"
    LIVENESS = "liveness violated"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Options:
    """How to search.

    Attributes:
        symmetry: store one of all states that are equal up to a renaming of pages.
        vcpus: likewise up to a renaming of vCPUs, where the protocol does not tell them apart.
        max_memory: bytes that states may take.
        engine: ``compiled``, ``interpreted`` or ``auto`` (interpreted as long as the space is small).
        workers: cores that a large compiled search may use.
        disk: where files may be put when that memory is full; None for nowhere.
        dead: reset variables on which nothing that can still happen depends.
        cluster: processes of a Ray cluster to search on; 0 for none.
    """

    symmetry: bool = True
    max_memory: int = 8 << 30
    engine: str = "auto"
    workers: int = 1
    vcpus: bool = False
    disk: Path | None = None
    dead: bool = False
    cluster: int = 0


@dataclass(frozen=True)
class Progress:
    """How a search stands, for a progress line."""

    phase: str
    states: int = 0
    transitions: int = 0
    depth: int = 0
    frontier: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """What a search has found.

    Attributes:
        instance: what was checked.
        options: how.
        outcome: what can be said.
        violated: the property that is violated, or None.
        why: for an inconclusive outcome, why.
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
    engine: str
    liveness: Liveness | None = None
    disk: int = 0

    @property
    def all_seen(self) -> bool:
        """Every state was explored, and none violates a property of states or steps."""
        return self.outcome is Outcome.HOLDS or self.liveness is not None

    @property
    def never_fired(self) -> list[str]:
        """The actions that were never taken: part of the protocol that the check says nothing of."""
        return [name for name, times in self.fired.items() if times == 0 and name not in self.impossible]


class Exploration:
    """One search, which can be run a while at a time and asked for its verdict at any time.

    Raises:
        SpecError: the protocol or a property cheats or errs.
        UsageError: the size does not fit.
    """

    def __init__(self, instance: Instance, options: Options, report: Callable[[Progress], None] | None = None) -> None:
        self.instance, self.options = instance, options
        self._report = report or (lambda _: None)
        properties = list(enumerate(instance.properties, 1))
        of_steps = max((i for i, p in properties if p.of_steps), default=0)
        of_either = max((i for i, p in properties if not p.of_runs), default=0)
        if of_steps > codegen.MAX_STEP_PROPERTIES or of_either > writing.REST_BIT:
            raise SpecError(
                f"too many properties at once: {len(instance.properties)} (at most {writing.REST_BIT}), and properties "
                f"of steps among the first {codegen.MAX_STEP_PROPERTIES}",
                instance.protocol.__name__,
            )
        self._report(Progress("reading"))
        program = constants.read(instance)
        self.layout = layout.lay_out(instance, program.variables, program.constants)
        self._impossible = frozenset(action.name for action, tree in program.actions if tree is None)
        self.told_apart = vcpus.told_apart(program) if options.vcpus else ""
        self.vcpu_symmetry = options.vcpus and not self.told_apart and instance.cpus > 1
        page_symmetry = options.symmetry and instance.pages > 1
        resets = dead.resets(program) if options.dead else []
        self.kernel = codegen.generate(program, self.layout, page_symmetry, self.vcpu_symmetry, resets)
        self.functions = compiled.interpret(self.kernel)
        self.question = self._ask()
        self.seconds = 0.0
        self.liveness: Liveness | None = None
        self._checkpoint: Checkpoint | None = None
        self.engine = "interpreted"
        self.search: search.Search
        if options.engine == "compiled" or (options.engine == "auto" and compiled.is_compiled(self.kernel)):
            self._compile()
        else:
            self.search = search.Interpreted(self.functions, self.question)
        self.findings = self.search.run(0)

    def _ask(self) -> search.Question:
        properties = list(enumerate(self.instance.properties))
        return search.Question(
            initial=[self.layout.pack(state) for state in self.instance.initial_states()],
            numbering=self.kernel.numbering,
            progress=[not action.info.environment for action in self.instance.actions],
            state_bits=sum(1 << i for i, p in properties if p.of_states),
            step_bits=sum(1 << i for i, p in properties if p.of_steps),
            witness_bits=sum(1 << i for i, p in properties if p.is_witness),
            deadlock=any(p.kind is Kind.NO_DEADLOCK for _, p in properties),
            max_bytes=self.options.max_memory,
        )

    def _compile(self) -> None:
        self._report(Progress("compiling"))
        machine = compiled.compile_kernel(self.kernel)
        if self.options.cluster:
            from postcopy.explorer.search.cluster import Cluster

            # compiled here already, so that this machine's members find it in the cache
            made = compiled.plan(self.kernel)
            self.search = Cluster(made, self.question, self.options.cluster)
        else:
            from postcopy.explorer.search.compiled import (
                Compiled,  # takes half a second to import, and is not always needed
            )

            self.search = Compiled(machine, self.question, self.options.workers)
        self.engine = "compiled"

    def subject(self) -> dict[str, object]:
        """What the search is of: what a checkpoint has to agree with."""
        return {
            "version": __version__,
            "protocol": self.instance.protocol.__name__,
            "size": str(self.instance.size),
            "symmetry": self.options.symmetry,
            "vcpu symmetry": self.vcpu_symmetry,
            "dead variables reset": self.options.dead,
            "processes": self.options.cluster or 1,
            "properties": [p.name for p in self.instance.properties],
            "model": hashlib.sha256(self.kernel.plain.encode()).hexdigest()[:16],
        }

    def keep(self, directory: Path, every: float) -> None:
        """Keep this search in a directory, every so many seconds. It has to be a compiled one.

        Raises:
            UsageError: the directory is not empty, or cannot be made.
        """
        from postcopy.explorer.search.checkpoint import Checkpoint

        self._checkpoint = Checkpoint.create(directory, self.subject(), every)

    def resume(self, directory: Path, every: float) -> None:
        """Go on where the search that is kept in a directory stood, and keep it there further.

        Raises:
            UsageError: what is there is damaged or of another search.
        """
        from postcopy.explorer.search.checkpoint import Checkpoint, Kept

        assert isinstance(self.search, Kept)
        self._checkpoint, self.seconds = Checkpoint.load(directory, self.subject(), every, self.search)
        self.findings = self.search.run(0)

    def _save(self) -> None:
        if self._checkpoint is None:
            return
        from postcopy.explorer.search.checkpoint import Kept

        if not isinstance(self.search, Kept) or not self.search.resumable:
            return
        if self.findings.status == search.RUNNING:
            self._checkpoint.save_if_due(self.search, self.seconds)
        else:
            self._checkpoint.save(self.search, self.seconds)

    def _outgrow(self) -> None:
        """Begin anew compiled, or go on on disk, where what has been found asks for it."""
        found, interpreted = self.findings, self.engine == "interpreted"
        large = found.status == search.RUNNING and found.states > INTERPRETED_STATES
        if interpreted and self.options.engine == "auto" and (large or found.status == search.FULL):
            self._compile()
            self.findings = self.search.run(0)
            self.seconds = 0.0
        elif not interpreted and found.status == search.FULL and self.options.disk is not None:
            from postcopy.explorer.search.compiled import Compiled
            from postcopy.explorer.search.disk import OnDisk

            if isinstance(self.search, Compiled):
                self.search = OnDisk(self.search, self.options.disk)
                self.findings = self.search.run(0)

    def run(self) -> None:
        """Search to the end, then check liveness. A KeyboardInterrupt leaves what was found so far for `verdict`."""
        while self.findings.status == search.RUNNING:
            start = time.perf_counter()
            self.findings = self.search.run(_SLICE if self.engine == "compiled" else _SLICE_INTERPRETED)
            self.seconds += time.perf_counter() - start
            found = self.findings
            self._report(
                Progress("searching", found.states, found.transitions, found.depth, found.frontier, self.seconds)
            )
            self._save()
            self._outgrow()
        if self.findings.status == search.DONE and any(p.of_runs for p in self.instance.properties):
            from postcopy.explorer.liveness.check import check_liveness  # SciPy takes half a second to import

            # a renaming of vCPUs would mix up who is neglected and who is not; what runs ask for is not in the
            # interpretation
            left = replace(
                self.options,
                max_memory=self.options.max_memory - self.findings.bytes,
                vcpus=False,
                dead=False,
                disk=None,
                cluster=0,
            )
            self.liveness = check_liveness(
                self.instance, lambda other: Exploration(other, left, self._report), left.max_memory
            )

    def verdict(self) -> Verdict:
        """What can be said now.

        Raises:
            SpecError: the search came to a step that leaves a field's range.
        """
        found, properties = self.findings, self.instance.properties
        outcome, violated, why, trace = Outcome.HOLDS, None, "", None
        if found.status == search.WRONG:
            message, place = self.kernel.numbering.checks[-found.detail - 1]
            raise SpecError(message, place)
        if found.status in (search.STATE, search.STEP):
            bits = found.detail if found.status == search.STATE else found.detail >> writing.LABEL_BITS
            bits &= self.question.state_bits if found.status == search.STATE else self.question.step_bits
            violated = properties[(bits & -bits).bit_length() - 1]
            outcome = Outcome.VIOLATED
        elif found.status == search.DEADLOCK:
            violated = next(p for p in properties if p.kind is Kind.NO_DEADLOCK)
            outcome = Outcome.DEADLOCK
        elif found.status == search.FULL:
            hold = "a part of the states" if found.disk else "all states"
            outcome, why = Outcome.INCONCLUSIVE, f"memory: {self.options.max_memory >> 20} MiB do not hold {hold}"
        elif found.status == search.RUNNING:
            outcome, why = Outcome.INCONCLUSIVE, "interrupted before all states were seen"
        if violated is not None:
            trace = self._trace(violated)
        liveness = self.liveness
        if found.status == search.DONE and any(p.of_runs for p in properties):
            liveness = liveness or Liveness.unfinished("interrupted before liveness was checked")
            if liveness.why:
                outcome, why = Outcome.INCONCLUSIVE, liveness.why
            elif liveness.violated is not None:
                outcome, trace = Outcome.LIVENESS, liveness.findings[liveness.violated].counterexample
                violated = next(p for p in properties if p.name == liveness.violated)
        return Verdict(
            self.instance, self.options, outcome, violated, why, trace, found.states, found.transitions, found.depth,
            0 if outcome is Outcome.HOLDS else found.frontier,
            {action.name: found.fired[i] for i, action in enumerate(self.instance.actions)},
            self._impossible,
            {p.name: bool(found.witnesses >> i & 1) for i, p in enumerate(properties) if p.is_witness},
            self.seconds, self.layout.bits, self.layout.words, found.bytes, self.engine, liveness, found.disk,
        )  # fmt: skip

    def _trace(self, violated: Property) -> Trace:
        packed = self.search.path(self.findings.at)
        by_step = violated.name if self.findings.status == search.STEP else None
        if by_step is not None:
            packed.append(self.findings.after)
        states = [self.layout.unpack(words) for words in packed]
        return thread_through(self.instance, states, self._same, violated.name, by_step)

    def witness(self, name: str) -> Trace | None:
        """A shortest run to a witness, or None where it was not reached."""
        index = next(i for i, p in enumerate(self.instance.properties) if p.name == name)
        at = self.findings.first.get(index)
        if at is None:
            return None
        states = [self.layout.unpack(words) for words in self.search.path(at)]
        return thread_through(self.instance, states, self._same, None)

    def representative(self, state: State) -> tuple[int, ...]:
        """The packed state that is stored for this one."""
        return self.functions.canonical(*self.layout.pack(state))

    def _same(self, a: State, b: State) -> bool:
        return self.representative(a) == self.representative(b)

    def orbit(self, words: tuple[int, ...]) -> int:
        """How many states are equal to this one up to a renaming of pages, and of vCPUs where they are renamed too."""
        if not self.vcpu_symmetry:
            return self._page_orbit(words)
        state, index = self.layout.unpack(words), self.instance.index
        rows = [[index[v] for v in family] for family in vcpus.families(self.instance)]
        images = set()
        for order in permutations(range(self.instance.cpus)):
            image = list(state)
            for row in rows:
                for cpu, other in enumerate(order):
                    image[row[other]] = state[row[cpu]]
            images.add(self._page_class(self.layout.pack(tuple(image))))
        return len(images) * self._page_orbit(words)

    def _page_class(self, words: tuple[int, ...]) -> Hashable:
        """What is the same of all states that are equal up to a renaming of pages."""
        if not (self.options.symmetry and self.instance.pages > 1):
            return words
        places, mask = self.layout.records, (1 << self.layout.width) - 1
        records = [words[word] >> base & mask for word, base in places]
        hosts = (sorted(records[i : i + self.instance.group]) for i in range(0, len(records), self.instance.group))
        others = (word & ~sum(mask << base for w, base in places if w == k) for k, word in enumerate(words))
        return tuple(others), tuple(sorted(map(tuple, hosts)))

    def _page_orbit(self, words: tuple[int, ...]) -> int:
        if not (self.options.symmetry and self.instance.pages > 1):
            return 1
        group, mask = self.instance.group, (1 << self.layout.width) - 1
        records = [words[word] >> base & mask for word, base in self.layout.records]
        hosts = [tuple(sorted(records[i : i + group])) for i in range(0, len(records), group)]
        size = factorial(len(hosts))
        for host in set(hosts):
            size //= factorial(hosts.count(host))
        for host in hosts:
            size *= factorial(group)
            for record in set(host):
                size //= factorial(host.count(record))
        return size

    def stored(self) -> list[tuple[int, ...]]:
        """All packed states, in the order of discovery. For tests and graphs of small spaces."""
        return self.search.stored()


def explore(
    instance: Instance, options: Options | None = None, report: Callable[[Progress], None] | None = None
) -> Verdict:
    """Search everything and say what was found. Raises as `Exploration` does."""
    exploration = Exploration(instance, options or Options(), report)
    exploration.run()
    return exploration.verdict()
