"""A graph of states as one HTML page: a map to pan, zoom and search, and in words what was chosen on it.

On the map a node shows little, and an edge nothing (a thousand nodes have five thousand edges): the panel beside it
has the whole of the node that is chosen. `layout` places the parts, this file has their contents, and
`assets/graph.html` draws them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from postcopy.report.charts.drawing import text_width
from postcopy.report.pages import template as pages
from postcopy.report.state_graph.layout import Edge, Place, Placement, lay_out
from postcopy.report.state_graph.quotient import Quotient
from postcopy.report.story.tell import OBSERVER
from postcopy.report.story.words import plain, variable_words

LIBRARY = "panzoom-9.4.4"
"""What pans and zooms (docs/decisions/0021)."""

BOXES = 30
"""More values of a variable make no boxes."""

_SIZE, _LINE, _PADDING = 13.0, 16.0, 6.0
_LINES, _LONGEST = 4, 34
_KINDS = ("path", "initial", "final", "deadlock", "violating")


@dataclass(frozen=True)
class _Node:
    number: int
    place: Place
    lines: list[tuple[str, str]]
    classes: str


@dataclass(frozen=True)
class _Edge:
    source: int
    target: int
    path: str
    classes: str


def page(graph: Quotient, command: str = "") -> str:
    """The page.

    Args:
        graph: what it shows.
        command: the command line that makes the page again.

    Raises:
        UsageError: see `postcopy.report.state_graph.layout.draw`.
    """
    nodes = [node for _, node in graph.networkx.nodes(data=True)]
    labels = [_label(graph, number) for number in range(len(nodes))]
    boxes = _boxes(graph)
    layout = lay_out(
        [_size(lines) for lines in labels],
        [(source, target) for source, target in graph.networkx.edges() if source != target],
        boxes,
        [(s, t) for s, t, edge in graph.networkx.edges(data=True) if edge["path"]],
    )
    ways = _ways(graph, layout)
    kinds = {kind for kind in _KINDS if any(node[kind] for node in nodes)}
    kinds |= {"free" for way in ways if "free" in way.classes.split()}
    return (
        pages.environment()
        .get_template("graph.html")
        .render(
            graph=graph,
            edge_count=graph.networkx.number_of_edges(),
            by=", ".join(graph.by) if graph.by else "",
            unfinished=any(node["open"] for node in nodes),
            kinds=kinds,
            command=command,
            layout=layout,
            boxes=boxes,
            places=[
                _Node(n, at, labels[n], " ".join(k for k in _KINDS if nodes[n][k])) for n, at in enumerate(layout.nodes)
            ],
            ways=ways,
            line=_LINE,
            padding=_PADDING,
            data=pages.embedded(data(graph)),
            colours=pages.COLOURS,
            style=pages.text("style.css") + "\n" + pages.text("graph.css"),
            licence=pages.text(f"vendor/{LIBRARY}.LICENSE"),
            library=pages.text(f"vendor/{LIBRARY}.min.js"),
            script=pages.text("graph.js"),
        )
    )


def _boxes(graph: Quotient) -> dict[str, list[int]]:
    """The nodes by phase, or by what else has few values; nearest first."""
    rows = [(number, node["values"], node["distance"]) for number, node in graph.networkx.nodes(data=True)]
    names = list(rows[0][1])
    several = [name for name in names if 1 < len({values[name] for _, values, _ in rows}) <= BOXES]
    name = None if len(names) == 1 else graph.phase or next(iter(several), None)
    found: dict[str, list[int]] = {}
    for number, values, _ in sorted(rows, key=lambda row: (row[2], row[0])):
        found.setdefault(values[name] if name else "", []).append(number)
    return found


def parent(graph: Quotient, number: int) -> int | None:
    """The node before it on a shortest way to it; None where a run can start in it."""
    nodes = graph.networkx.nodes
    nearer = [n for n in graph.networkx.predecessors(number) if nodes[n]["distance"] < nodes[number]["distance"]]
    return min(nearer, key=lambda n: (nodes[n]["distance"], n), default=None)


def _label(graph: Quotient, number: int) -> list[tuple[str, str]]:
    """The lines of a node on the map: its values where there are few, else those that differ from its `parent`'s."""
    values = graph.networkx.nodes[number]["values"]
    shown = [name for name in values if len(values) == 1 or name != graph.phase]
    if len(shown) > 3:
        before = parent(graph, number)
        if before is None:
            return [("", "start")]
        shown = [name for name in values if values[name] != graph.networkx.nodes[before]["values"][name]]
    lines = [("" if len(shown) == 1 else _short(name), values[name]) for name in shown[:_LINES]]
    if len(values) > 3 and len(shown) == 1:
        lines = [(_short(shown[0]), values[shown[0]])]
    lines = [(name, value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…") for name, value in lines]
    return lines + ([(f"and {len(shown) - _LINES} more", "")] if shown[_LINES:] else [])


def _short(name: str) -> str:
    return plain(name.split(".", 1)[-1])


def _size(lines: list[tuple[str, str]]) -> tuple[float, float]:
    widest = max(text_width(f"{name} {value}".strip(), _SIZE) for name, value in lines)
    return max(widest * 1.08 + 2 * _PADDING, 34.0), len(lines) * _LINE + 2 * _PADDING - 2


def _ways(graph: Quotient, layout: Placement) -> list[_Edge]:
    """The edges that are drawn from the start: all where Graphviz has laid them out, else the counterexample's."""
    found = []
    for source, target, edge in graph.networkx.edges(data=True):
        path = layout.edges.get((source, target)) or (_straight(layout, (source, target)) if edge["path"] else "")
        if path and source != target:
            found.append(_Edge(source, target, path, " ".join(kind for kind in ("path", "free") if edge[kind])))
    return found


def _straight(layout: Placement, edge: Edge) -> str:
    """A straight way from the middle of a node to the middle of another, with a point half way for the arrow."""
    one, other = (layout.nodes[n] for n in edge)
    middle = f"{(one.x + other.x) / 2:.1f},{(one.y + other.y) / 2:.1f}"
    return f"M{one.x:.1f},{one.y:.1f}L{middle}L{other.x:.1f},{other.y:.1f}"


def data(graph: Quotient) -> dict[str, Any]:
    """The data of the page's script: names and values in words, steps as numbers.

    ``nodes`` have their values in the order of ``variables``; ``edges`` are ``[from, to, actions, count, path]`` with
    actions by their place in ``actions`` and the path as ``[step, action]``.
    """
    place = {action.name: i for i, action in enumerate(graph.instance.actions)}
    return {
        "variables": [_told(graph, name) for name in graph.networkx.nodes[0]["values"]],
        "actions": [
            {"name": a.name, "thread": a.thread, "does": a.doc, "rule": a.info.rule} for a in graph.instance.actions
        ],
        "nodes": [
            node
            | {
                "values": list(node["values"].values()),
                "violating": list(node["violating"]),
                "path": list(node["path"]),
            }
            for _, node in graph.networkx.nodes(data=True)
        ],
        "edges": [
            [
                source,
                target,
                [place[name] for name in edge["actions"]],
                edge["count"],
                [[number, place[name]] for number, name in edge["path"]],
            ]
            for source, target, edge in graph.networkx.edges(data=True)
        ],
        "whole": graph.by is None,
        "observer": OBSERVER,
    }


def _told(graph: Quotient, name: str) -> dict[str, Any]:
    """A column of values: its name, what it is in the document's words, whose it is."""
    variable = graph.instance.variable.get(name)
    if variable is None:
        return {"name": name, "title": plain(name), "owner": "channels", "ghost": False}
    return {"name": name, "title": variable_words(variable), "owner": plain(variable.owner), "ghost": variable.ghost}
