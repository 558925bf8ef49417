"""The driver of a check: reads a protocol, searches, checks liveness, and names what was found.

The way of a check: `Kernel` (read, lay out, generate) -> a search -> liveness -> `Verdict`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from postcopy.explorer.estimate import estimate
from postcopy.explorer.kernel import machine_code
from postcopy.explorer.kernel.canonical_form import Reduction
from postcopy.explorer.kernel.kernel import Kernel, Words, kernel_to_errors
from postcopy.explorer.kernel.reductions import PAGES
from postcopy.explorer.liveness.ahead import Ahead
from postcopy.explorer.liveness.beside import Beside
from postcopy.explorer.liveness.check import check_liveness
from postcopy.explorer.liveness.promises import Liveness
from postcopy.explorer.results import Engine, Options, Outcome, Progress, Verdict
from postcopy.explorer.search import loops
from postcopy.explorer.search.edges import Edges
from postcopy.explorer.search.findings import GivesUp, NoMemoryForRun, Search, Space, question_of
from postcopy.explorer.search.interpreted import Interpreted
from postcopy.explorer.search.loops import Machine
from postcopy.explorer.search.quick import Quick
from postcopy.explorer.search.status import Status
from postcopy.explorer.vacuity import gaps
from postcopy.language.instance import Instance
from postcopy.language.properties import Property
from postcopy.language.trace import Trace, thread_through
from postcopy.version import __version__

if TYPE_CHECKING:
    from postcopy.explorer.search.checkpoint import Checkpoint

__all__ = ["INTERPRETED_STATES", "KEPT_STATES", "Exploration", "Options", "Outcome", "Progress", "Verdict", "explore"]

INTERPRETED_STATES = 300_000
"""Spaces up to here are searched in Python: it takes two seconds, and to compile the loops thirteen."""

KEPT_STATES = 60_000
"""Larger ones are searched by the compiled loop where all of it is in the cache: to load it takes as long."""

LARGE_ACTIONS = 90
"""With so many actions a protocol is large: its kernel takes longer to compile than the loops, and its space is seldom
small."""

LARGE_STATES = 6_000
"""Up to here a large protocol is searched in Python, then by the compiled loop, whatever is in the cache."""

_USUAL_WORDS = 2
"""Words of a state for which loops are begun to be compiled before the protocol is read."""

_SLICE = 1_000_000
_SLICE_INTERPRETED = 2_000

_SHARE_KEPT = 8
"""States that take more than an eighth of the memory allowed are not kept while liveness is checked."""


class Exploration:
    """One search, which can be run a while at a time and asked for its verdict at any time.

    Args:
        instance: what is searched.
        options: how.
        report: is called with the progress, now and then.
        keep_edges: whether the search is for liveness: an interpreted one keeps its steps.
        beside: what compiles meanwhile; None for one of its own.
        kernel: the instance made executable, where that has been done already.

    Attributes:
        kernel: the instance made executable.
        question: what is looked for.
        search: the driver at work.
        findings: what it has found so far.
        engine: which driver it is.
        seconds: time that it took.
        liveness: what was found of the properties of runs, once it has come to that.

    Raises:
        SpecError: the protocol or a property cheats or errs.
        UsageError: the size does not fit.
    """

    def __init__(
        self,
        instance: Instance,
        options: Options,
        report: Callable[[Progress], None] | None = None,
        keep_edges: bool = False,
        beside: Beside | None = None,
        kernel: Kernel | None = None,
    ) -> None:
        self.options = options
        self._began = time.monotonic()
        self._report = report or (lambda _: None)
        self._keeps_edges, self._beside = keep_edges, beside or Beside(options.max_memory)
        self._is_large_protocol = len(instance.actions) >= LARGE_ACTIONS and options.engine != Engine.INTERPRETED
        if self._is_large_protocol:
            self._begin_loops(instance, _USUAL_WORDS)
        self._report(Progress("interpreting the actions"))
        self.kernel = kernel or kernel_to_errors(instance, options.reductions)
        self.instance = self.kernel.instance
        self.question = question_of(self.kernel, options.max_memory)
        self.seconds = 0.0
        self.liveness: Liveness | None = None
        self._checkpoint: Checkpoint | None = None
        self._ahead: Ahead | None = None
        self._is_kept: bool | None = None
        self.engine = Engine.INTERPRETED
        self.search: Search
        if options.engine == Engine.COMPILED:
            self._compile()
        else:
            driver = Quick if options.engine == Engine.AUTO else Interpreted
            self.search = driver(self.kernel, self.question, Edges() if keep_edges else None)
        self.findings = self.search.run(0)

    def _begin_loops(self, instance: Instance, words: int) -> None:
        """Let another process compile loops. If it is another number of words in the end, it is begun again.

        The search's own loop only where this process has a large kernel to compile meanwhile: else both would wait for
        the other one.
        """
        search = self._is_large_protocol and not (self.options.cluster or self.options.small_table)
        liveness = self._keeps_edges or _asks_of_runs(instance)
        self._beside.begin(words, search=search, liveness=liveness)

    def _compile(self) -> None:
        self._report(Progress("compiling"))
        plan = self.kernel.plan
        self._begin_loops(self.instance, plan.words)
        if self._is_large_protocol and not machine_code.is_compiled(plan):
            self._beside.share(plan.text)
        code = machine_code.load(plan)
        self._beside.wait_for_search(plan.words)
        machine = Machine(code, loops.load(plan.words))
        if self.options.cluster and self.options.small_table:
            from postcopy.explorer.search.cluster_small import SmallCluster

            # compiled here already, so that this machine's members find it in the cache; so below
            self.search = SmallCluster(self.kernel.plan, self.question, self.options.cluster)
        elif self.options.cluster:
            from postcopy.explorer.search.cluster import Cluster

            self.search = Cluster(self.kernel.plan, self.question, self.options.cluster)
        elif self.options.small_table:
            from postcopy.explorer.search.small import Small

            self.search = Small(machine, self.question, self.options.workers)
        else:
            from postcopy.explorer.search.compiled import (
                Compiled,  # takes half a second to import, and is not always needed
            )

            self.search = Compiled(machine, self.question, self.options.workers)
        self.engine = Engine.COMPILED

    def subject(self) -> dict[str, object]:
        """The protocol, size and options of the search: a checkpoint has to agree with them."""
        return {
            "version": __version__,
            "protocol": self.instance.protocol.__name__,
            "size": str(self.instance.size),
            "reductions": ", ".join(reduction.name for reduction in self.kernel.reductions) or "none",
            "processes": self.options.cluster or 1,
            "table": "small" if self.options.small_table else "ordinary",
            "properties": [p.name for p in self.instance.properties],
            "model": hashlib.sha256(self.kernel.plain.encode()).hexdigest()[:16],
        }

    def keep(self, directory: Path, every: float) -> None:
        """Keep this search in a directory, from now on every so many seconds. It has to be a compiled one.

        Raises:
            UsageError: the directory is not empty, or cannot be made.
        """
        from postcopy.explorer.search.checkpoint import Checkpoint, Kept

        self._checkpoint = Checkpoint.create(directory, self.subject(), every)
        if isinstance(self.search, Kept) and self.search.resumable:
            self._checkpoint.save(self.search, self.seconds)

    def resume(self, directory: Path, every: float) -> None:
        """Go on where the search that is kept in a directory stood, and keep it there further.

        Raises:
            UsageError: what is there is damaged or of another search.
        """
        from postcopy.explorer.search.checkpoint import Checkpoint, Kept, read_of
        from postcopy.explorer.search.compiled import Compiled
        from postcopy.explorer.search.disk import OnDisk

        shards = len(read_of(directory, self.subject())["shards"])  # files are made only where they belong
        if self.options.disk is not None and shards > 1 and isinstance(self.search, Compiled):
            self.search = OnDisk(self.search, directory, shards, kept=True, resumed=True)
        assert isinstance(self.search, Kept)
        self._checkpoint, self.seconds = Checkpoint.load(directory, self.subject(), every, self.search)
        self.findings = self.search.run(0)

    def _save(self) -> None:
        if self._checkpoint is None:
            return
        from postcopy.explorer.search.checkpoint import Kept

        if not isinstance(self.search, Kept) or not self.search.resumable:
            return
        if self.findings.status == Status.RUNNING:
            self._checkpoint.save_if_due(self.search, self.seconds)
        else:
            self._checkpoint.save(self.search, self.seconds)

    def _outgrow(self) -> None:
        """Begin again with compiled code if there are many states, or go on in files if the memory is full."""
        found, interpreted = self.findings, self.engine == Engine.INTERPRETED
        if interpreted and self.options.engine == Engine.AUTO and (self._is_large or found.status == Status.FULL):
            self._compile()
            self.findings = self.search.run(0)
            self.seconds = 0.0
        elif not interpreted and found.status == Status.FULL and self.options.disk is not None:
            from postcopy.explorer.search.compiled import Compiled
            from postcopy.explorer.search.disk import OnDisk

            if isinstance(self.search, Compiled):
                kept = self._checkpoint
                directory = self.options.disk if kept is None else kept.directory
                self.search = OnDisk(self.search, directory, kept=kept is not None)
                self.findings = self.search.run(0)

    @property
    def _is_large(self) -> bool:
        """There are so many states that the compiled loop is faster, with all that has to be compiled for it."""
        if self.findings.status != Status.RUNNING:
            return False
        if self._is_large_protocol and not self._keeps_edges:
            return self.findings.states > LARGE_STATES
        if self.findings.states <= KEPT_STATES:
            return False
        if self._is_kept is None:
            self._is_kept = loops.is_there(self.kernel.plan)
        return self._is_kept or self.findings.states > INTERPRETED_STATES

    def run(self) -> None:
        """Search to the end, then check liveness. A KeyboardInterrupt leaves what was found so far for `verdict`."""
        while self.findings.status == Status.RUNNING and not self._is_late:
            start = time.perf_counter()
            self.findings = self.search.run(_SLICE if self.engine == Engine.COMPILED else _SLICE_INTERPRETED)
            self.seconds += time.perf_counter() - start
            self._report(self.progress())
            self._save()
            self._outgrow()
            self._read_ahead()
        if self.findings.status == Status.DONE and _asks_of_runs(self.instance) and not self._is_late:
            left = self._make_room()
            self.liveness = check_liveness(
                self.instance,
                lambda i: self._search_again(i, left),
                left,
                self._between,
                self._ahead.watched if self._ahead is not None else None,
            )
        if not self._keeps_edges:
            self._beside.end()

    def _read_ahead(self) -> None:
        """Begin to read what liveness will search, once the space is so large that it is worth it."""
        found = self.findings
        if (
            self._ahead is not None
            or not _asks_of_runs(self.instance)
            or self._keeps_edges
            or not self._beside.is_of_use
        ):
            return
        if self.engine is Engine.COMPILED and found.status == Status.RUNNING and found.states > INTERPRETED_STATES:
            self._ahead = Ahead(self.instance, self._reductions_of_runs, self._beside)

    @property
    def _reductions_of_runs(self) -> tuple[Reduction, ...]:
        """The reductions with which liveness is searched."""
        return tuple(reduction for reduction in self.options.reductions if reduction.keeps_runs)

    def _make_room(self) -> int:
        """Memory that is left for liveness. States of which there are many are given up for it."""
        if isinstance(self.search, GivesUp) and self.findings.bytes > self.options.max_memory // _SHARE_KEPT:
            self.search.give_up()
            return self.options.max_memory
        return self.options.max_memory - self.findings.bytes

    def progress(self) -> Progress:
        """How the search stands."""
        found = self.findings
        return Progress(
            phase="searching",
            states=found.states,
            transitions=found.transitions,
            depth=found.depth,
            frontier=found.frontier,
            seconds=self.seconds,
            estimate=estimate(found.levels) if found.status == Status.RUNNING else None,
            bytes=found.bytes,
            max_memory=self.options.max_memory,
            smaller=self._smaller_would_do,
            for_liveness=self._keeps_edges,
            filling=self._smaller_would_do and found.bytes > self.options.max_memory // 2,
        )

    def _between(self) -> None:
        """Between two pieces of the check of liveness.

        Raises:
            TimeoutError: the time is over.
        """
        if self._is_late:
            raise TimeoutError

    @property
    def _smaller_would_do(self) -> bool:
        """Whether the same states would take less memory with the small table, which liveness cannot use."""
        others = self._keeps_edges or self.options.small_table or self.findings.disk
        return not others and self.options.engine != Engine.INTERPRETED

    @property
    def _is_late(self) -> bool:
        """The time is over."""
        return self.options.seconds is not None and time.monotonic() - self._began >= self.options.seconds

    def _search_again(self, other: Instance, max_memory: int) -> Space:
        """Search another instance of the protocol for liveness, in so many bytes."""
        reductions = self._reductions_of_runs
        options = replace(
            self.options, max_memory=max_memory, reductions=reductions, disk=None, cluster=0, small_table=False
        )
        if options.engine == Engine.AUTO and self.findings.states > INTERPRETED_STATES:
            options = replace(options, engine=Engine.COMPILED)  # this space will be large too
        if options.seconds is not None:
            options = replace(options, seconds=max(0.0, options.seconds - (time.monotonic() - self._began)))
        kernel = self._ahead.kernel_of(other) if self._ahead is not None else None
        exploration = Exploration(other, options, self._report, keep_edges=True, beside=self._beside, kernel=kernel)
        exploration.run()
        if exploration.engine is Engine.COMPILED:
            self._report(Progress("compiling"))
            self._beside.wait(exploration.kernel.plan.words)
        return Space(exploration.kernel, exploration.search, exploration.findings)

    def verdict(self) -> Verdict:
        """The verdict on the states that have been searched so far.

        Raises:
            SpecError: the text of an action is refused, and the search has found no run that shows why.
        """
        found, properties, seen = self.findings, self.instance.properties, self.kernel.bits.seen
        if self.kernel.refused is not None and found.status != Status.WRONG:
            raise self.kernel.refused
        outcome, why = self._outcome()
        violated = self._violated()
        trace = None
        try:
            trace = self._trace(violated) if violated is not None else None
        except NoMemoryForRun as error:
            more = -(-(found.bytes + found.bytes // 2) // (1 << 20))
            why = f"{error}: try again with more memory: {max(more, (self.options.max_memory >> 20) + 1)}M"
        liveness = self.liveness
        if found.status == Status.DONE and _asks_of_runs(self.instance):
            liveness = liveness or Liveness.unfinished(f"{self._stopped} before liveness was checked")
            if liveness.why:
                outcome, why = Outcome.INCONCLUSIVE, liveness.why
            elif liveness.violated is not None:
                outcome, trace = Outcome.LIVENESS, liveness.findings[liveness.violated].counterexample
                violated = next(p for p in properties if p.name == liveness.violated)
        return Verdict(
            instance=self.instance,
            options=self.options,
            outcome=outcome,
            violated=violated,
            why=why,
            counterexample=trace,
            states=found.states,
            transitions=found.transitions,
            depth=found.depth,
            frontier=0 if outcome is Outcome.HOLDS else found.frontier,
            fired=self._fired(),
            impossible=self.kernel.impossible,
            witnesses={p.name: bool(found.witnesses >> i & 1) for i, p in enumerate(seen) if p.is_witness},
            seconds=self.seconds,
            bits=self.kernel.layout.bits,
            words=self.kernel.layout.words,
            bytes=found.bytes,
            engine=self.engine,
            liveness=liveness,
            disk=found.disk,
            constant=self.kernel.program.constant,
            no_symmetry=self.kernel.inapplicable.get(PAGES, ""),
            missed=gaps(
                self.kernel.program, self.kernel.labels, found.fired, found.changed, violated.name if violated else ""
            ),
        )

    def _fired(self) -> dict[str, int]:
        """How often each action was taken, by name."""
        times = [0] * len(self.instance.actions)
        for action, taken in zip(self.kernel.labels.action_of, self.findings.fired, strict=True):
            times[action] += taken
        return {action.name: times[i] for i, action in enumerate(self.instance.actions)}

    def _outcome(self) -> tuple[Outcome, str]:
        """What the search alone says, and for an inconclusive outcome why."""
        found = self.findings
        match found.status:
            case Status.STATE | Status.STEP | Status.WRONG:
                return Outcome.VIOLATED, ""
            case Status.DEADLOCK:
                return Outcome.DEADLOCK, ""
            case Status.FULL:
                hold = "a part of the states" if found.disk else "all states"
                more = "; a small table takes a third as much for each" if self._smaller_would_do else ""
                return Outcome.INCONCLUSIVE, f"memory: {self.options.max_memory >> 20} MiB do not hold {hold}{more}"
            case Status.RUNNING:
                return Outcome.INCONCLUSIVE, f"{self._stopped} before all states were seen"
        return Outcome.HOLDS, ""

    @property
    def _stopped(self) -> str:
        """Why a search that has not come to its end goes on no more."""
        return f"{self.options.seconds:g} seconds were over" if self._is_late else "interrupted"

    def _violated(self) -> Property | None:
        """The property that the search found violated, or None."""
        found, bits = self.findings, self.kernel.bits
        if found.status == Status.DEADLOCK:
            return bits.deadlock
        if found.status == Status.STATE:
            return bits.of_state(found.detail & bits.states)
        if found.status == Status.WRONG:
            return self.kernel.labels.violated_by_error(found.detail)
        if found.status == Status.STEP:
            return bits.of_step(self.kernel.labels[found.detail].violated & bits.steps)
        return None

    def _trace(self, violated: Property) -> Trace:
        packed = self.search.path(self.findings.at)
        by_step = violated.name if self.findings.status in (Status.STEP, Status.WRONG) else None
        if by_step is not None:
            packed.append(self.findings.after if self.findings.status == Status.STEP else packed[-1])
        states = [self.kernel.layout.unpack(words) for words in packed]
        return thread_through(self.instance, states, self.kernel.same, violated.name, by_step)

    def witness(self, name: str) -> Trace | None:
        """A shortest run to a witness, or None where it was not reached."""
        index = next(i for i, p in enumerate(self.kernel.bits.seen) if p.name == name)
        at = self.findings.first.get(index)
        if at is None:
            return None
        states = [self.kernel.layout.unpack(words) for words in self.search.path(at)]
        return thread_through(self.instance, states, self.kernel.same, None)

    def stored(self) -> list[Words]:
        """All packed states, in the order of discovery. For tests and graphs of small spaces."""
        return self.search.stored()


def explore(
    instance: Instance, options: Options | None = None, report: Callable[[Progress], None] | None = None
) -> Verdict:
    """Search everything and say what was found. Raises as `Exploration` does."""
    exploration = Exploration(instance, options or Options(), report)
    exploration.run()
    return exploration.verdict()


def _asks_of_runs(instance: Instance) -> bool:
    """Whether any of an instance's properties is one of whole runs."""
    return any(p.of_runs for p in instance.properties)
