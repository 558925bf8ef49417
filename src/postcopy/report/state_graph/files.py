"""Graphs of states as files: DOT, SVG and HTML for people, GraphML for programs.

For example ``write(build(exploration, ["source.phase", "destination.state"]), Path("states.svg"))``.
"""

from __future__ import annotations

from pathlib import Path

from postcopy.errors import UsageError
from postcopy.report.files.file_format import WRITTEN, FileFormat
from postcopy.report.state_graph.dot import to_dot
from postcopy.report.state_graph.graphml import graphml
from postcopy.report.state_graph.layout import draw
from postcopy.report.state_graph.page import page
from postcopy.report.state_graph.quotient import READABLE, Quotient, build
from postcopy.surface import setting

__all__ = ["READABLE", "STORABLE", "Quotient", "build", "format_of"]
__all__ += ["BROWSABLE", "to_dot", "to_graphml", "to_html", "to_svg", "write"]

BROWSABLE = 3_000
"""More nodes are not laid out for a page: Graphviz and browsers become slow."""

STORABLE = 50_000
"""More nodes are not written as GraphML: hardly a program shows them."""

FORMATS = (
    FileFormat((".html",), "a page to pan, zoom and search", comment=f"<!-- {WRITTEN} -->"),
    FileFormat((".svg",), "a picture", comment=f"<!-- {WRITTEN} -->"),
    FileFormat((".dot",), "Graphviz's language", comment=f"// {WRITTEN}"),
    FileFormat((".graphml",), "for other programs", comment=f"<!-- {WRITTEN} -->"),
)
"""What a graph can be written as."""


def write(graph: Quotient, path: Path, *, loops: bool = False, every_edge: bool = False, command: str = "") -> None:
    """Write a graph to a file, as DOT, SVG, HTML or GraphML, whichever its name ends in.

    An old file is replaced at the end, and stays as it was when anything goes wrong before.

    Args:
        graph: what to write.
        path: where to.
        loops: draw steps that stay in their node (HTML and GraphML have them anyway).
        every_edge: draw edges that otherwise are shown as a letter in their nodes (HTML and GraphML have them anyway).
        command: the command line that does all this again, for a page.

    Raises:
        UsageError: another ending; too many nodes; the file cannot be written; Graphviz is missing.
    """
    form = format_of(path)
    suffix = form.ending
    if suffix == ".graphml":
        text = to_graphml(graph)
    elif suffix == ".html":
        text = to_html(graph, command)
    else:
        _refuse_unreadable(graph, READABLE)
        make = to_svg if suffix == ".svg" else to_dot
        text = make(graph, loops=loops, every_edge=every_edge)
    form.save(path, text)


def format_of(path: Path) -> FileFormat:
    """The format of the file's name.

    Raises:
        UsageError: there is none.
    """
    for form in FORMATS:
        if form.fits(path):
            return form
    raise UsageError(f"{path}: a graph is written to a file that ends in .dot, .svg, .html or .graphml")


def _refuse_unreadable(graph: Quotient, most: int) -> None:
    if graph.nodes <= most:
        return
    advice = "choose fewer variables"
    if graph.readable is not None:
        names, fewer = graph.readable
        advice = f"choose variables, e.g. {setting('by', *names)} ({fewer} nodes)"
    nodes = f"{graph.nodes:,} nodes ({most:,} at most)"
    others = "write .html or .graphml" if graph.nodes <= BROWSABLE else "write .graphml"
    raise UsageError(f"a drawing of {nodes} cannot be read: {advice}, or {others}")


def to_svg(graph: Quotient, *, loops: bool = False, every_edge: bool = False) -> str:
    """The graph drawn by Graphviz's program ``dot`` (see `to_dot`).

    Raises:
        UsageError: it is missing, fails, or takes too long.
    """
    return draw(to_dot(graph, loops=loops, every_edge=every_edge), graph.nodes, "svg")


def to_html(graph: Quotient, command: str = "") -> str:
    """The graph as a page to pan, zoom and search (see `postcopy.report.state_graph.page`), laid out by Graphviz.

    Raises:
        UsageError: too many nodes; Graphviz's program is missing, fails, or takes too long.
    """
    _refuse_unreadable(graph, BROWSABLE)
    return page(graph, command)


def to_graphml(graph: Quotient) -> str:
    """The graph as GraphML, with lists as texts joined by semicolons and an attribute for every variable.

    Raises:
        UsageError: it has more than `STORABLE` nodes.
    """
    if graph.nodes > STORABLE:
        raise UsageError(
            f"{graph.nodes:,} nodes are too many for GraphML ({STORABLE:,} at most): choose variables, "
            f"or use fewer {setting('pages')} or a smaller {setting('in_flight')}"
        )
    return "\n".join(graphml(graph)) + "\n"
