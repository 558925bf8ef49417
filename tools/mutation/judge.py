"""What becomes of a mutant: a check notices it, or it does the same as the original, or it survives."""

from __future__ import annotations

import re
from functools import cache

from mutation import ghost
from mutation.edits import Kind
from mutation.faults import touched_in, unnoticed_faults
from mutation.graphs import LabelledGraph, graph_of, program_of, same_runs
from mutation.model import Mutant
from mutation.results import Fate, Judgement
from mutation.wider import Wider
from postcopy.catalogue.properties import DEFAULT
from postcopy.errors import PostcopyError
from postcopy.explorer.explore import explore
from postcopy.explorer.kernel.kernel import Kernel
from postcopy.explorer.results import Engine, Options, Outcome, Verdict
from postcopy.language import Property, Protocol
from postcopy.language.instance import Instance
from postcopy.model.postcopy import Postcopy
from postcopy.properties.safety import SAFETY, Handover

SIZES = ((2, 1, 1), (2, 1, 2), (2, 2, 1))
"""Pages, messages in flight, target pages of a host page: a mutant is checked at each, until one kills it."""

HOST_PAGES = (4, 1, 2)
"""The smallest size with two host pages of several target pages: for mutants of what deals with host pages."""

CHEAP = tuple(p for p in SAFETY if not p.of_steps and p.monitor in (None, Handover))
"""What is asked first: reading a mutant takes longer than searching it, and with these a third of the time."""

INDEPENDENT = "independent statements"
"""Of a swap of two assignments to different fields: neither reads what the other assigns."""

COMPARED = ((2, 1, 1), (1, 2, 1), (2, 1, 2))
"""Sizes at which a mutant that the first check does not kill is compared with the original."""


def judge(mutant: Mutant) -> Judgement:
    """Ask a mutant for a few properties, look whether it does the same as the original, and check it at every size."""
    protocol = mutant.protocol()
    observes = "observe" in mutant.edit.was + mutant.edit.now or "Memory." in mutant.edit.was
    declares = mutant.edit.kind in (Kind.ACTION, Wider.THREAD, Wider.ROLE)
    shows_in_no_graph = mutant.part == "guest" or observes or declares
    if mutant.edit.independent:
        return Judgement(mutant.name, Fate.EQUIVALENT, INDEPENDENT)
    try:
        if mutant.edit.kind is Kind.SWAPS and _same_program(protocol):  # most of them
            return Judgement(mutant.name, Fate.EQUIVALENT, "the same program")
        found = _violated(protocol, SIZES[0], CHEAP)
        if found:
            return Judgement(mutant.name, Fate.KILLED, found, SIZES[0])
        if mutant.edit.kind is not Wider.ROLE and _same_program(protocol):
            return Judgement(mutant.name, Fate.EQUIVALENT, "the same program")
        if not shows_in_no_graph and (same := _same(mutant, protocol)):
            return Judgement(mutant.name, Fate.EQUIVALENT, same)
        about_host_pages = re.search(
            "host_page|sending|assembl|LANDING", mutant.method + mutant.edit.was + mutant.edit.now
        )
        for size in (*SIZES, *([HOST_PAGES] if about_host_pages else [])):
            found = noticed(protocol, size)
            if found:
                return Judgement(mutant.name, Fate.KILLED, found, size)
        lost = ghost.unnoticed(mutant) if mutant.part == "guest" else ""
        if lost or ((shows_in_no_graph or touched_in(mutant)) and (lost := unnoticed_faults(mutant))):
            return Judgement(mutant.name, Fate.KILLED, lost)
    except PostcopyError as error:
        return Judgement(mutant.name, Fate.KILLED, f"error: {re.sub(' with .*', '', str(error))[:100]}")
    return Judgement(mutant.name, Fate.SURVIVES, "it has other runs")


def warm_up() -> None:
    """Find out about the original what every mutant is compared with first."""
    _original(SIZES[0])
    _program()
    for size in COMPARED:
        _graph(size)


def noticed(protocol: type[Protocol], size: tuple[int, int, int]) -> str:
    """What a check of a protocol says against it at a size; empty if nothing does.

    Raises:
        PostcopyError: the protocol errs.
    """
    verdict = _explore(protocol, size, asked_at(size))
    if verdict.violated is not None:
        return verdict.violated.name
    assert verdict.outcome is Outcome.HOLDS
    original = _original(size)
    unreached = [n for n, reached in verdict.witnesses.items() if not reached and original.witnesses[n]]
    if unreached:
        return f"witness {unreached[0]} is not reached"
    idle = [n for n, times in verdict.fired.items() if not times and original.fired.get(n)]
    return f"{idle[0]} is never taken" if idle else ""


def asked_at(size: tuple[int, int, int]) -> tuple[Property, ...]:
    """What is asked at a size: all, but for liveness where there are many states."""
    return tuple(p for p in DEFAULT if not p.of_runs) if size == HOST_PAGES else DEFAULT


def _violated(protocol: type[Protocol], size: tuple[int, int, int], asked: tuple[Property, ...]) -> str:
    violated = _explore(protocol, size, asked).violated
    return violated.name if violated is not None else ""


def _explore(protocol: type[Protocol], size: tuple[int, int, int], asked: tuple[Property, ...]) -> Verdict:
    pages, in_flight, group = size
    return explore(Instance(protocol, pages, in_flight, asked, group), Options(engine=Engine.INTERPRETED))


@cache
def _original(size: tuple[int, int, int]) -> Verdict:
    return _explore(Postcopy, size, asked_at(size))


def _program_of(protocol: type[Protocol]) -> tuple[str, tuple[object, ...]]:
    return program_of(Kernel(Instance(protocol, 2, 2, (), 2)))


@cache
def _program() -> tuple[str, tuple[object, ...]]:
    return _program_of(Postcopy)


def _same_program(protocol: type[Protocol]) -> bool:
    return _program_of(protocol) == _program()


@cache
def _graph(size: tuple[int, int, int]) -> LabelledGraph:
    return graph_of(Postcopy, *size)


def _same(mutant: Mutant, protocol: type[Protocol]) -> str:
    """Why a mutant does the same as the original; empty if it does not."""
    changed = {f"{mutant.part}.{field}" for field in mutant.fields}
    same = True
    for size in COMPARED:
        graph = graph_of(protocol, *size)
        same = same and graph.same_as(_graph(size))
        if not same and not same_runs(_graph(size), graph, changed.__contains__):
            return ""
    return "the same states and steps" if same else f"the same runs, but for {', '.join(sorted(changed))}"
