"""The order of the rooms: what each may import. This table is the only place where the order stands.

A room is a folder of src/postcopy, or a file at its top. It may import the rooms that its entry names, and what these
may import in turn. An entry names only rooms whose entries stand above it, so the table itself has no circle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import networkx as nx

from architecture.imports import Import, room

MAY_IMPORT: Mapping[str, Sequence[str]] = {
    "version": (),
    "bitmaps": (),
    "cache": (),
    "surface": (),
    "errors": ("surface",),
    "suggestions": ("surface",),
    "input_files": ("errors",),
    # an independent implementation: this gives a comparison with the model its worth
    "engine": ("bitmaps", "errors", "input_files"),
    # what real QEMUs do is kept as it is: no reading of it, and no protocol
    "recording": ("errors",),
    # knows no protocol
    "language": ("bitmaps", "errors", "suggestions"),
    # tools for any protocol of the language
    "explorer/kernel": ("cache", "language"),
    "explorer/search": ("explorer/kernel", "input_files"),
    "explorer/liveness": ("explorer/search",),
    "explorer/simulation": ("explorer/kernel",),
    "explorer": ("version", "explorer/liveness", "explorer/simulation"),
    "prover": ("explorer",),  # a refutation is a counterexample of the explorer's kind
    "prover/inference": ("prover",),
    "prover/confirmation": ("prover",),
    "export": ("language",),
    # the protocol, what must hold of it, and what is built on both
    "model": ("language",),
    "properties": ("model",),
    "model/changes": ("properties",),
    "model/history": ("model/changes",),
    "model/others": ("properties",),
    "model/qemu": ("model/changes",),
    "model/qemu/faults": ("model/qemu",),
    "model/history_in_qemu": ("model/history", "model/qemu"),
    "model/qemu_7_2": ("model/qemu",),
    "catalogue": (
        "model/history",
        "model/history_in_qemu",
        "model/qemu/faults",
        "model/qemu_7_2",
        "model/others",
        "input_files",
    ),
    "catalogue/bugs": ("catalogue",),
    # uses of all of these
    "conformance": ("catalogue", "prover", "export", "engine"),
    # what a step of a model means for a real QEMU
    "replay": ("language", "engine", "recording"),
    "conformance/qemu": ("conformance", "recording"),
    "monitor": ("conformance/qemu",),
    "report/files": ("errors",),
    "report/story": ("catalogue", "prover/inference", "prover/confirmation", "export", "report/files"),
    "report/charts": ("report/story",),
    "report/results": ("report/story", "conformance/qemu"),
    "report/records": ("report/results",),
    "report/terminal": ("report/records",),
    "report/pages": ("report/charts", "report/records", "monitor"),
    "report/state_graph": ("report/pages",),
    "report": ("report/state_graph", "report/terminal", "catalogue/bugs"),
    # what commands do, for programs and for the command line
    "api": ("report", "conformance/qemu", "recording", "replay"),
    "testing": ("api",),
    "suites": ("api",),
    "schemas": ("suites",),
    "__init__": ("schemas",),
    # each call of an assistant in a process of its own
    "assistants": ("__init__",),
    "cli": ("schemas", "assistants"),
    "__main__": ("cli",),
}


def reachable(order: Mapping[str, Sequence[str]] = MAY_IMPORT) -> dict[str, frozenset[str]]:
    """All rooms that each room may import, directly or through others.

    Raises:
        ValueError: an entry names a room that does not stand above it.
    """
    reached: dict[str, frozenset[str]] = {}
    for name, below in order.items():
        for other in below:
            if other not in reached:
                raise ValueError(f"the room {name} may import {other}, which has no entry above it")
        reached[name] = frozenset(below).union(*(reached[other] for other in below))
    return reached


def arrows_upwards(imports: Iterable[Import], order: Mapping[str, Sequence[str]] = MAY_IMPORT) -> list[str]:
    """A message for each import that the order does not allow: file, line, and the arrow between the rooms."""
    reached = reachable(order)
    messages: list[str] = []
    without_entry: set[str] = set()
    for each in sorted(imports):
        here, there = room(each.file), room(each.imported)
        for name in {here, there} - set(order) - without_entry:
            without_entry.add(name)
            messages.append(f"{each.file}:{each.line}: the room {name} has no entry in tools/architecture/rooms.py")
        if here != there and here in order and there in order and there not in reached[here]:
            direction = "upwards" if here in reached[there] else "sideways"
            allowed = f"{', '.join(order[here])} and what these may" if order[here] else "nothing"
            messages.append(
                f"{each.file}:{each.line}: imports {each.imported}: {here} -> {there} is an arrow {direction}; "
                f"{here} may import {allowed} (tools/architecture/rooms.py)"
            )
    return messages


def circles(imports: Iterable[Import]) -> list[str]:
    """A message for each circle of files: a shortest way around it, with file and line of each import."""
    lines = {(each.file, each.imported): each.line for each in sorted(imports, reverse=True)}
    graph = nx.DiGraph(list(lines))
    messages = []
    for component in nx.strongly_connected_components(graph):
        if len(component) > 1:
            cycle = _shortest_cycle(graph.subgraph(component))
            start = cycle.index(min(cycle))
            around = [*cycle[start:], *cycle[: start + 1]]
            steps = [f"{a}:{lines[a, b]} imports {b}" for a, b in pairwise(around)]
            among = f" (among {len(component)} files that reach each other: {', '.join(sorted(component))})"
            messages.append("; ".join(steps) + (among if len(component) > len(cycle) else ""))
    return sorted(messages)


def _shortest_cycle(graph: nx.DiGraph) -> list[str]:
    """The files of a shortest cycle, the first among those of equal length."""
    back: list[list[str]] = [nx.shortest_path(graph, there, here) for here, there in sorted(graph.edges)]
    return min(back, key=len)
