"""Where the parts of a graph of states are on a page: places only, from Graphviz; y grows downwards, in pixels.

A graph with few edges is laid out whole, with every edge, if its text can be read where all of it is on the screen.
Else only the boxes are laid out, with arrows between them, and in each the nodes stand row by row, nearest first.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import graphviz

from postcopy.errors import UsageError

SECONDS = 120
"""How long Graphviz may take for a picture."""

FEW = 250
"""Edges that are still drawn all at once."""

SCREEN = (880.0, 800.0)
"""Width and height of the map in pixels where the window is of a usual size."""

READABLE = 0.75
"""The smallest scale at which the text of a node can be read."""

SHAPES = ((1.6, 0.0), (1.6, 130.0), (1.6, 200.0), (1.6, 300.0), (4.0, 0.0), (8.0, 0.0), (16.0, 0.0))
"""How wide boxes are for their height, and the width that any of them may have: what shows all largest is taken."""

HEAD = 24
"""Height of a box's name."""

GAP = 14
"""Space between nodes in rows."""

Edge = tuple[int, int]


@dataclass(frozen=True)
class Place:
    """A rectangle, by its middle and size."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> float:
        """Where it starts."""
        return self.x - self.width / 2

    @property
    def top(self) -> float:
        """Where it starts."""
        return self.y - self.height / 2


@dataclass(frozen=True)
class Placement:
    """Where everything is.

    Attributes:
        nodes: of each node, by number.
        boxes: of each box, by its name.
        edges: the ways of edges as SVG paths; not of all where there are many.
        between: the ways of arrows between boxes, where edges are not drawn.
    """

    nodes: tuple[Place, ...]
    boxes: Mapping[str, Place]
    edges: Mapping[Edge, str]
    between: tuple[str, ...]


def lay_out(
    sizes: Sequence[tuple[float, float]], edges: Sequence[Edge], boxes: Mapping[str, Sequence[int]], way: Sequence[Edge]
) -> Placement:
    """Place nodes of given sizes.

    Args:
        sizes: width and height of each node.
        edges: from which node to which; none from a node to itself.
        boxes: the nodes of each box, nearest first; all nodes under the name "" where there are no boxes.
        way: edges that are to be straight: the counterexample.

    Raises:
        UsageError: Graphviz's program is missing, fails, or takes too long.
    """
    if len(edges) <= FEW:
        whole = _whole(sizes, edges, boxes, set(way))
        if len(boxes) < 2 or _scale(whole) >= READABLE:
            return whole
    return max((_by_box(sizes, edges, boxes, shape) for shape in SHAPES), key=_scale)


def _scale(placement: Placement) -> float:
    """The scale at which all of it is on the screen."""
    places = (*placement.nodes, *placement.boxes.values())
    width = max(p.x + p.width / 2 for p in places) - min(p.left for p in places)
    height = max(p.y + p.height / 2 for p in places) - min(p.top for p in places)
    return min(SCREEN[0] / width, SCREEN[1] / height)


def _whole(
    sizes: Sequence[tuple[float, float]], edges: Sequence[Edge], boxes: Mapping[str, Sequence[int]], way: set[Edge]
) -> Placement:
    dot = _drawing(nodesep="0.25", ranksep="0.45")
    for index, (name, numbers) in enumerate(boxes.items()):
        part = dot if not name else graphviz.Digraph(f"cluster_{index}")
        for number in numbers:
            _node(part, number, *sizes[number])
        if name:
            part.attr(margin="12", label=name, labelloc="t", fontsize=str(HEAD * 0.75))
            dot.subgraph(part)
    for source, target in edges:
        dot.edge(str(source), str(target), weight="8" if (source, target) in way else "1")
    drawn = _graphviz(dot, len(sizes))
    names = {f"cluster_{index}": name for index, name in enumerate(boxes)}
    found = {names[o["name"]]: _corners(o["bb"]) for o in drawn["objects"] if "bb" in o}
    paths = {(int(source), int(target)): path for source, target, path in _paths(drawn)}
    places = _places(drawn, sizes)
    return Placement(tuple(places[i] for i in range(len(sizes))), found, paths, ())


def _by_box(
    sizes: Sequence[tuple[float, float]],
    edges: Sequence[Edge],
    boxes: Mapping[str, Sequence[int]],
    shape: tuple[float, float],
) -> Placement:
    rows = {name: _rows([(number, *sizes[number]) for number in numbers], *shape) for name, numbers in boxes.items()}
    box_of = {number: name for name, numbers in boxes.items() for number in numbers}
    order = list(boxes)
    spans = {}
    dot = _drawing(nodesep="0.2", ranksep="0.35")
    for index, name in enumerate(order):
        inside = rows[name].values()
        width = max([p.x + p.width / 2 for p in inside] + [len(name) * HEAD * 0.5]) + 2 * GAP
        height = max(p.y + p.height / 2 for p in inside) + 2 * GAP + HEAD
        spans[index] = (width, height)
        _node(dot, index, width, height)
    between = dict.fromkeys((box_of[a], box_of[b]) for a, b in edges if box_of[a] != box_of[b])
    for source, target in between:
        dot.edge(str(order.index(source)), str(order.index(target)))
    drawn = _graphviz(dot, len(sizes))
    placed = _places(drawn, [spans[i] for i in range(len(order))])
    boxes_at = {name: placed[index] for index, name in enumerate(order)}
    nodes: dict[int, Place] = {}
    for name, at in boxes_at.items():
        for number, p in rows[name].items():
            nodes[number] = Place(at.left + GAP + p.x, at.top + GAP + HEAD + p.y, p.width, p.height)
    named = {name: at for name, at in boxes_at.items() if name}
    return Placement(tuple(nodes[i] for i in range(len(sizes))), named, {}, tuple(path for *_, path in _paths(drawn)))


def _rows(nodes: Sequence[tuple[int, float, float]], aspect: float, wide: float) -> dict[int, Place]:
    """Nodes row by row in a rectangle that is so many times wider than high, or of the given width."""
    area = sum((width + GAP) * (height + GAP) for _, width, height in nodes)
    most = max(sqrt(area * aspect), wide, *(width for _, width, _ in nodes))
    found: dict[int, Place] = {}
    x = y = tallest = 0.0
    for number, width, height in nodes:
        if x and x + width > most:
            x, y, tallest = 0.0, y + tallest + GAP, 0.0
        found[number] = Place(x + width / 2, y + height / 2, width, height)
        x, tallest = x + width + GAP, max(tallest, height)
    return found


# -- Graphviz ---------------------------------------------------------------------------------------------------------


def _drawing(**spaces: str) -> graphviz.Digraph:
    dot = graphviz.Digraph("states")
    dot.attr("graph", rankdir="TB", **spaces)
    dot.attr("node", shape="box", fixedsize="true", label="")
    return dot


def _node(dot: graphviz.Digraph, number: int, width: float, height: float) -> None:
    dot.node(str(number), width=f"{width / 72:.3f}", height=f"{height / 72:.3f}")


def _graphviz(dot: graphviz.Digraph, nodes: int) -> dict[str, Any]:
    """The drawing as Graphviz's JSON."""
    found: dict[str, Any] = json.loads(draw(str(dot.source), nodes, "json0", "-y"))
    return found


def _places(drawn: dict[str, Any], sizes: Sequence[tuple[float, float]]) -> dict[int, Place]:
    found = {}
    for each in drawn["objects"]:
        if "pos" in each:
            x, y = map(float, each["pos"].split(","))
            number = int(each["name"])
            found[number] = Place(x, y, *sizes[number])
    return found


def _corners(text: str) -> Place:
    left, one, right, other = map(float, text.split(","))
    top, bottom = min(one, other), max(one, other)
    return Place((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)


def _paths(drawn: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The ways of edges: source, target, and an SVG path that ends at the arrow's tip."""
    names = [each["name"] for each in drawn["objects"]]
    found = []
    for edge in drawn.get("edges", []):
        points = edge["pos"].split()
        tip = points.pop(0).removeprefix("e,") if points[0].startswith("e,") else points[-1]
        found.append((names[edge["tail"]], names[edge["head"]], f"M{points[0]}C{' '.join(points[1:])}L{tip}"))
    return found


def draw(source: str, nodes: int, form: str, *options: str) -> str:
    """What Graphviz's program `dot` makes of a text.

    Args:
        source: the text.
        nodes: how many nodes it has, for the message.
        form: ``svg``, ``json0``.
        options: more for the program.

    Raises:
        UsageError: it is missing, fails, or takes too long.
    """
    run = _runner(source, f"-T{form}", *options)
    try:
        done = run()
        if done.returncode != 0:  # "trouble in init_rank" on some graphs with boxes: rank in another way
            done = run("-Gnewrank=true")
    except FileNotFoundError:
        raise UsageError(
            "a drawing needs Graphviz's program dot, which is not there: "
            "apt install graphviz (brew install graphviz), or write .dot"
        ) from None
    except OSError as error:
        raise UsageError(f"Graphviz's dot cannot be run: {error.strerror}; write .dot") from None
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"Graphviz has no drawing of {nodes} nodes after {SECONDS} seconds: choose fewer variables, or write .dot"
        ) from None
    if done.returncode != 0:
        why = re.sub(r"\n.*", "", done.stderr.decode(errors="replace").strip(), flags=re.DOTALL)
        raise UsageError(f"Graphviz's dot failed: {why}; write .dot")
    return done.stdout.decode()


def _runner(source: str, *options: str) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    def run(*more: str) -> subprocess.CompletedProcess[bytes]:
        command = ["dot", *options, *more]
        return subprocess.run(command, input=source.encode(), capture_output=True, timeout=SECONDS, check=False)

    return run
