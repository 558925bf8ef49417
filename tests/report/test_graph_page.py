"""The page of a graph of states as text and places: where everything is, what a node tells, what is in the data."""

import hashlib
import json
import re
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from postcopy.report.pages import template as pages
from postcopy.report.state_graph import files as formats
from postcopy.report.state_graph import layout as graph_layout
from postcopy.report.state_graph.files import Quotient, build, to_html, write
from postcopy.report.state_graph.layout import Place, Placement, lay_out
from postcopy.report.state_graph.page import LIBRARY, data, page, parent
from tests.cli.conftest import run as run  # noqa: PLC0414  (a fixture)
from tests.report.examples import Handover, nothing_arrives
from tests.report.test_graph import document, graph_of, refusal
from tests.report.test_graph import needs_dot as needs_dot  # noqa: PLC0414  (a fixture)
from tests.report.test_html import words

pytestmark = pytest.mark.usefixtures("needs_dot")

MANY = ["source", "destination", "stream"]
"""Variables by which the document's least instance has a thousand nodes."""


def placed(text: str, kind: str) -> list[dict[str, str]]:
    """The attributes of the page's parts of a kind."""
    found = re.findall(rf'<\w+ (class="{kind}[ "][^>]*)>', text)
    return [dict(re.findall(r'([\w-]+)="([^"]*)"', attributes)) for attributes in found]


def meeting(places: Sequence[Place]) -> list[tuple[Place, Place]]:
    """Pairs that lie over each other."""
    return [
        (one, other)
        for one, other in combinations(places, 2)
        if abs(one.x - other.x) < (one.width + other.width) / 2 - 1
        and abs(one.y - other.y) < (one.height + other.height) / 2 - 1
    ]


def outside(inner: Place, outer: Place) -> bool:
    return (
        inner.left < outer.left - 1
        or inner.top < outer.top - 1
        or inner.left + inner.width > outer.left + outer.width + 1
        or inner.top + inner.height > outer.top + outer.height + 1
    )


def grid(count: int, every: int) -> tuple[list[tuple[float, float]], list[tuple[int, int]], dict[str, list[int]]]:
    """Nodes of unequal sizes in three boxes, and edges from each to the next few."""
    sizes = [(40.0 + 13 * (n % 5), 20.0 + 14 * (n % 3)) for n in range(count)]
    edges = [(n, m) for n in range(count) for m in range(n + 1, min(n + 1 + every, count))]
    return sizes, edges, {name: [n for n in range(count) if n % 3 == i] for i, name in enumerate("abc")}


@pytest.mark.parametrize(("count", "every", "whole"), [(16, 2, True), (30, 2, False), (200, 3, False)])
def test_nothing_lies_over_anything_else_and_nodes_are_inside_their_boxes(count: int, every: int, whole: bool) -> None:
    sizes, edges, boxes = grid(count, every)
    layout = lay_out(sizes, edges, boxes, [])
    assert (set(layout.edges) == set(edges)) is whole
    assert bool(layout.between) is not whole
    assert [(p.width, p.height) for p in layout.nodes] == sizes
    assert meeting(layout.nodes) == []
    assert meeting(list(layout.boxes.values())) == []
    assert not [n for name, at in layout.boxes.items() for n in boxes[name] if outside(layout.nodes[n], at)]


def test_what_lies_over_something_else_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_layout, "GAP", -9)
    sizes, edges, boxes = grid(200, 3)
    layout = lay_out(sizes, edges, boxes, [])
    assert meeting(layout.nodes)
    assert [n for name, at in layout.boxes.items() for n in boxes[name] if outside(layout.nodes[n], at)]


def test_with_many_edges_the_nearest_come_first_row_by_row() -> None:
    sizes, edges, boxes = grid(200, 3)
    layout: Placement = lay_out(sizes, edges, boxes, [])
    for numbers in boxes.values():
        corners = [(round(layout.nodes[n].top), layout.nodes[n].left) for n in numbers]
        assert corners == sorted(corners)


def test_one_node_and_no_edge() -> None:
    layout = lay_out([(40, 20)], [], {"": [0]}, [])
    assert (len(layout.nodes), layout.boxes, layout.edges) == (1, {}, {})


def edges_of(graph: Quotient) -> list[Any]:
    return list(graph.networkx.edges(data=True))


def test_the_page_has_every_node_and_edge_of_the_graph() -> None:
    graph = build(document(), ["source.running", "destination.state"])
    text = page(graph)
    assert [int(node["data-node"]) for node in placed(text, "node")] == list(range(graph.nodes))
    drawn = {(int(way["data-from"]), int(way["data-to"])) for way in placed(text, "way")}
    assert drawn == {(source, target) for source, target, _ in edges_of(graph) if source != target}
    assert f"{graph.nodes} nodes, {len(edges_of(graph))} edges" in words(text)


def test_what_could_not_be_read_with_all_edges_shows_its_boxes_as_large_as_they_can_be() -> None:
    graph = build(document(), ["source.phase", "destination.state"])
    text = page(graph)
    assert placed(text, "way") == []
    assert len(placed(text, "box")) == 14
    sizes, edges, boxes = grid(30, 2)
    chosen = graph_layout._scale(lay_out(sizes, edges, boxes, []))
    others = [graph_layout._scale(graph_layout._by_box(sizes, edges, boxes, s)) for s in graph_layout.SHAPES]
    assert chosen == max(others) > min(others)


def test_of_a_thousand_nodes_the_boxes_are_laid_out_and_edges_wait_for_a_choice() -> None:
    graph = build(document(), MANY)
    assert graph.nodes > 1000
    text = page(graph)
    assert len(placed(text, "node")) == graph.nodes
    assert placed(text, "way") == []
    phases = {node["values"]["source.phase"] for _, node in graph.networkx.nodes(data=True)}
    assert {box["data-box"] for box in placed(text, "box")} == phases
    assert len(text) < 1_200_000


def test_the_counterexample_is_drawn_from_the_start() -> None:
    graph = graph_of(["source", "post"], protocol=Handover, pages=2, properties=[nothing_arrives])
    text = page(graph)
    assert graph.trace is not None
    on_path = [int(node["data-node"]) for node in placed(text, "node") if "path" in node["class"].split()]
    assert on_path == [n for n, node in graph.networkx.nodes(data=True) if node["path"]]
    ways = {(int(w["data-from"]), int(w["data-to"])) for w in placed(text, "way") if "path" in w["class"].split()}
    assert ways == {(source, target) for source, target, edge in edges_of(graph) if edge["path"] and source != target}
    assert "violates nothing-arrives" in words(text)


def test_data_is_the_graph() -> None:
    graph = build(document(), ["source", "destination.state"])
    found = data(graph)
    assert [v["name"] for v in found["variables"]] == list(graph.networkx.nodes[0]["values"])
    assert [node["values"] for node in found["nodes"]] == [
        list(node["values"].values()) for _, node in graph.networkx.nodes(data=True)
    ]
    names = [action["name"] for action in found["actions"]]
    assert [(s, t, [names[a] for a in taken], count) for s, t, taken, count, _ in found["edges"]] == [
        (source, target, list(edge["actions"]), edge["count"]) for source, target, edge in edges_of(graph)
    ]
    assert json.loads(re.findall(r'id="data">(.*?)</script>', page(graph), re.DOTALL)[0]) == found


def label(graph: Quotient, number: int) -> str:
    """What a node tells on the map."""
    part = page(graph).split(f'data-node="{number}"')[1].split("</g>")[0]
    return " / ".join(re.sub("<.*?>", "", line) for line in re.findall("<text.*?</text>", part))


def test_of_few_variables_a_node_tells_the_values() -> None:
    graph = build(document(), ["source.phase", "destination.state"])
    values = graph.networkx.nodes[5]["values"]
    assert label(graph, 5) == values["destination.state"]  # its box tells the phase


def test_of_many_variables_a_node_tells_what_the_node_before_it_has_otherwise() -> None:
    graph = build(document(), ["source"])
    nodes = graph.networkx.nodes
    assert label(graph, 0) == "start"
    child = next(n for n in nodes if nodes[n]["distance"] == 1)
    before = parent(graph, child)
    assert before is not None
    assert nodes[before]["distance"] == 0
    told = [name for name in nodes[child]["values"] if nodes[child]["values"][name] != nodes[before]["values"][name]]
    assert label(graph, child) == " / ".join(
        f"{name.removeprefix('source.').replace('_', ' ')} {nodes[child]['values'][name]}" for name in told
    )


def test_it_needs_nothing_from_elsewhere() -> None:
    text = page(graph_of())
    without = text.replace((pages.PAGE / f"vendor/{LIBRARY}.min.js").read_text(), "")
    assert not re.search(r"""https?://|\bsrc=|\bhref=|@import|url\((?!#)""", without)
    assert "default-src 'none'" in text


def test_the_library_is_the_published_one_with_its_licence() -> None:
    library = (pages.PAGE / f"vendor/{LIBRARY}.min.js").read_bytes()
    decision = Path(__file__).parents[2] / "docs/decisions/0021-html-report.md"
    assert hashlib.sha256(library).hexdigest() in decision.read_text()
    assert "The MIT License" in page(graph_of())


def test_too_many_nodes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(formats, "BROWSABLE", 5)
    assert refusal(lambda: to_html(graph_of())).startswith("a drawing of 6 nodes (5 at most) cannot be read: ")
    monkeypatch.setattr(formats, "READABLE", 5)
    monkeypatch.setattr(formats, "BROWSABLE", 6)
    message = refusal(lambda: write(graph_of(), tmp_path / "states.svg"))
    assert message.endswith("or write .html or .graphml")


def test_on_the_command_line(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "states.html"
    assert run("graph", str(file), "--by", "source.phase").code == 0
    assert f"postcopy graph {file} --by source.phase" in words(file.read_text(encoding="utf-8"))
