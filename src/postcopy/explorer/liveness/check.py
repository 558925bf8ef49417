"""Do promises get kept on every fair run? From properties of runs to lassos of a protocol.

A check searches once more, with the promises as witnesses and, where one is made for each page, with one page marked
(`promises`); then it looks for a fair lasso in the graph of that search and turns it into a run (`lasso_run`). An
interpreted search has kept its steps, and its graph is small (`lasso`); the steps of a compiled one are made again
whenever they are needed (`recomputed`). Page symmetry stays on: threads are not renamed with pages, so that a renaming
changes neither who can move nor a promise about the marked page (docs/decisions/0011-liveness.md). Where bodies ask for
neighbours of pages there is no page symmetry, and each page is marked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from postcopy.explorer.liveness.fairness import units
from postcopy.explorer.liveness.lasso_run import Found, run_of
from postcopy.explorer.liveness.promises import Finding, Liveness, Promise, promises
from postcopy.explorer.liveness.state_graph import stored_answers
from postcopy.explorer.search.findings import Space
from postcopy.explorer.search.interpreted import Interpreted
from postcopy.explorer.search.status import Status
from postcopy.language.instance import Instance

_TOO_LATE = "the time was over while liveness was checked"


@dataclass(frozen=True)
class Watched:
    """What is searched for liveness.

    Attributes:
        asked: the promises.
        instance: the protocol, with a search's witnesses of where they are made and where they are kept.
    """

    asked: list[Promise]
    instance: Instance


def watched(instance: Instance, pages: int) -> Watched:
    """What is searched for an instance's properties of runs, with so many pages followed."""
    asked = list(promises([p for p in instance.properties if p.of_runs], instance.cpus, pages))
    witnesses = [witness for promise in asked for witness in promise.witnesses()]
    other = Instance(instance.protocol, instance.pages, instance.in_flight, witnesses, instance.group)
    return Watched(asked, other)


def check_liveness(
    instance: Instance,
    explore: Callable[[Instance], Space],
    max_bytes: int,
    pause: Callable[[], None] = lambda: None,
    first: Watched | None = None,
) -> Liveness:
    """Look for a fair run that violates a property of runs, for each of the instance's.

    Args:
        instance: the protocol and its properties.
        explore: searches another instance of the protocol, and keeps the steps where the search is interpreted.
        max_bytes: what the search and the graph may take.
        pause: is called now and then, and may raise TimeoutError to end the check.
        first: what is searched first, `watched` with one page, where it has been made already.

    Raises:
        SpecError: a property errs.
    """
    started = time.perf_counter()
    first = first or watched(instance, 1)
    asked, space = first.asked, explore(first.instance)
    neighbours = instance.pages > 1 and bool(space.kernel.program.looks_at_neighbours())
    if neighbours:  # pages are not interchangeable
        each = watched(instance, instance.pages)
        asked, space = each.asked, explore(each.instance)
    found = space.findings
    if found.status == Status.RUNNING:
        return Liveness.unfinished(_TOO_LATE, found.states)
    if found.status != Status.DONE:
        return Liveness.unfinished(_too_large(max_bytes), found.states)
    findings: dict[str, Finding] = {}
    try:
        for promise, answer in zip(asked, _answers(space, len(asked), max_bytes - found.bytes, pause), strict=True):
            earlier = findings.get(promise.prop.name, Finding(0, None))
            run = earlier.counterexample
            if run is None and answer.lasso is not None:
                run = run_of(instance, space.kernel, answer.lasso, promise.prop)
            findings[promise.prop.name] = Finding(earlier.open + answer.open, run)
    except TimeoutError:
        return Liveness.unfinished(_TOO_LATE, found.states)
    except MemoryError as error:
        missing = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        return Liveness.unfinished(_too_large(max_bytes, missing), found.states)
    seconds = time.perf_counter() - started
    return Liveness(findings, "", found.states, sum(found.changed), seconds, neighbours)


def _answers(space: Space, asked: int, max_bytes: int, pause: Callable[[], None]) -> Iterator[Found]:
    """What is found of each promise, of which a search has each two witnesses: it is made, it is kept.

    Raises:
        MemoryError: it would take more than `max_bytes`.
    """
    instance = space.kernel.instance
    asked_of = units(instance)
    own = np.array([[a.name in unit.actions for unit in asked_of] for a in instance.actions], dtype=np.bool_)
    strong = np.array([unit.strong for unit in asked_of], dtype=np.bool_)
    if isinstance(space.search, Interpreted):
        return stored_answers(space, own, strong, asked, max_bytes)
    from postcopy.explorer.liveness.recomputed_lasso import recomputed_answers  # Numba takes long to import

    return recomputed_answers(space, own, strong, asked, max_bytes, pause)


def _too_large(max_bytes: int, missing: int = 0) -> str:
    more = f"; it needs {-(-missing >> 20):,} MiB more at least" if missing else ""
    return f"liveness: {max_bytes >> 20:,} MiB do not hold what it needs of all states{more}"
