"""Graphs of states as GraphML, for programs: written line by line, because a tree of XML elements takes gigabytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from xml.sax.saxutils import escape, quoteattr

from postcopy.report.state_graph.quotient import Quotient

Value = str | int | bool
Attributes = Mapping[str, Value | None]

TYPES: Mapping[type, str] = {str: "string", int: "long", bool: "boolean"}
"""How GraphML calls the types of values."""


def graphml(graph: Quotient) -> Iterator[str]:
    """The lines of a file: lists are texts joined by semicolons, and every variable is an attribute of nodes."""
    whole: Attributes = {"protocol": graph.instance.protocol.__name__, "size": graph.instance.size}
    firsts = [  # all nodes have the same attributes, and all edges
        ("graph", whole),
        *(("node", attributes) for _, attributes in islice(_nodes(graph), 1)),
        *(("edge", attributes) for *_, attributes in islice(_edges(graph), 1)),
    ]
    named = [(kind, name, value) for kind, attributes in firsts for name, value in attributes.items()]
    keys = {(kind, name): (f"d{n}", TYPES[type(value)]) for n, (kind, name, value) in enumerate(named)}
    yield "<?xml version='1.0' encoding='utf-8'?>"
    yield '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
    for (kind, name), (key, words) in keys.items():
        yield f'  <key id="{key}" for="{kind}" attr.name={quoteattr(name)} attr.type="{words}"/>'
    yield '  <graph edgedefault="directed">'

    def data(kind: str, attributes: Attributes) -> Iterator[str]:
        for name, value in attributes.items():
            if value is not None:
                yield f'      <data key="{keys[kind, name][0]}">{escape(str(value))}</data>'

    for number, attributes in _nodes(graph):
        yield f'    <node id="n{number}">'
        yield from data("node", attributes)
        yield "    </node>"
    for number, (source, target, attributes) in enumerate(_edges(graph)):
        yield f'    <edge id="e{number}" source="n{source}" target="n{target}">'
        yield from data("edge", attributes)
        yield "    </edge>"
    yield from data("graph", whole)
    yield "  </graph>"
    yield "</graphml>"


def _nodes(graph: Quotient) -> Iterator[tuple[int, Attributes]]:
    for number, node in graph.networkx.nodes(data=True):
        label = " ".join(node["values"].values())
        lists = {"violating": "; ".join(node["violating"]), "path": "; ".join(map(str, node["path"]))}
        rest = {key: value for key, value in node.items() if key not in ("values", *lists)}
        values = {name if "." in name else f"{name}.messages": text for name, text in node["values"].items()}
        yield number, {"label": label, **rest, **lists, **values}


def _edges(graph: Quotient) -> Iterator[tuple[int, int, Attributes]]:
    for source, target, edge in graph.networkx.edges(data=True):
        yield (
            source,
            target,
            {
                "label": "; ".join(edge["actions"]),
                "threads": "; ".join(edge["threads"]),
                "free": edge["free"],
                "count": edge["count"],
                "path": "; ".join(f"{number} {name}" for number, name in edge["path"]),
            },
        )
