"""How a graph of states is drawn: the text for Graphviz. What nodes and edges are stands in `quotient`.

Boxes are the values of `Graph.phase`, colours are machines, dashes are steps that need not happen, red is the
counterexample; every colour is joined by a word, a shape or a width. Where many nodes lead to the same change
of value ("from wherever it is, the source may die"), a letter in each of these nodes and one line at the head
stand for all the edges.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from string import ascii_lowercase
from typing import Any

import graphviz

from postcopy.language.actions import ActionInstance
from postcopy.report.state_graph.quotient import Quotient
from postcopy.report.story.words import plain

COMMON = 4
"""So many former values make one change of value common: it is shown as a letter."""

_INK, _SOFT, _BAD = "#1f2933", "#5c6874", "#b3001b"
_BOX, _BOX_EDGE, _BAD_FILL, _DEAD_FILL, _MIXED = "#f3f5f8", "#d3dae2", "#fde3e4", "#fff3c4", "#4a5560"
_MACHINES = ("#0063a8", "#00775a", "#8a4f9e", "#94610a")
"""Okabe and Ito's blue, green, purple and orange, darkened until text in them can be read on white."""

_SPACE = "&#160;"
_FONT = "Helvetica,Arial,sans-serif"
_LABELS = 3
_ROWS = 8


@dataclass(frozen=True)
class Common:
    """A change of value that is shown as a letter in the nodes where it starts.

    Attributes:
        letter: a, b, c, …
        values: what the variables that change become.
        actions: the actions that do it.
        nodes: where it can happen.
    """

    letter: str
    values: tuple[tuple[str, str], ...]
    actions: tuple[str, ...]
    nodes: frozenset[int]


def to_dot(graph: Quotient, *, loops: bool = False, every_edge: bool = False) -> str:
    """The graph as text for Graphviz.

    Args:
        graph: what to draw.
        loops: draw steps that stay in their node.
        every_edge: draw edges that otherwise are shown as a letter in their nodes.
    """
    return _Drawing(graph, loops, every_edge).text()


def common_changes(graph: Quotient) -> dict[tuple[int, int], Common]:
    """The edges of common changes of value: those that start from at least `COMMON` different values in all.

    Only where chosen variables distinguish the states, and never a step of the counterexample.
    """
    if graph.by is None:
        return {}
    nodes = graph.networkx.nodes
    groups: dict[tuple[tuple[str, str], ...], list[tuple[int, int]]] = {}
    for source, target in graph.networkx.edges():
        before, after = nodes[source]["values"], nodes[target]["values"]
        change = tuple((name, value) for name, value in after.items() if before[name] != value)
        if change:
            groups.setdefault(change, []).append((source, target))
    found: dict[tuple[int, int], Common] = {}
    letters = iter(ascii_lowercase)
    for change, edges in groups.items():
        former = {tuple(nodes[source]["values"][name] for name, _ in change) for source, _ in edges}
        plain_edges = [edge for edge in edges if not graph.networkx.edges[*edge, 0]["path"]]
        letter = next(letters, None) if len(former) >= COMMON and plain_edges else None
        if letter is not None:
            actions = {a for edge in plain_edges for a in graph.networkx.edges[*edge, 0]["actions"]}
            inorder = tuple(a.name for a in graph.instance.actions if a.name in actions)
            common = Common(letter, change, inorder, frozenset(source for source, _ in plain_edges))
            found |= dict.fromkeys(plain_edges, common)
    return found


class _Drawing:
    def __init__(self, graph: Quotient, loops: bool, every_edge: bool) -> None:
        self.graph, self.loops = graph, loops
        self.actions = {action.name: action for action in graph.instance.actions}
        self.colours = {m: _MACHINES[i % len(_MACHINES)] for i, m in enumerate(graph.instance.machines)}
        self.common = {} if every_edge else common_changes(graph)
        nodes: dict[int, dict[str, Any]] = dict(graph.networkx.nodes(data=True))
        self.nodes = nodes
        values = [node["values"] for node in nodes.values()]
        names = list(values[0])
        self.phase = graph.phase if len(names) > 1 else None
        shown = [name for name in names if name != self.phase]
        self.differing = [name for name in shown if len({v[name] for v in values}) > 1] or shown
        self.drawn = [
            (source, target, edge)
            for source, target, edge in graph.networkx.edges(data=True)
            if (source, target) not in self.common and (loops or source != target)
        ]
        owners: dict[str, set[str]] = {}
        for action in self.actions.values():
            owners.setdefault(action.method, set()).add(action.machine)
        self.ambiguous = {method for method, machines in owners.items() if len(machines) > 1}

    def text(self) -> str:
        dot = graphviz.Digraph("states")
        dot.attr(
            "graph", rankdir="TB", fontname=_FONT, fontsize="11", fontcolor=_INK, bgcolor="white", pad="0.3",
            nodesep="0.35", ranksep="0.5", labelloc="t", labeljust="l", label=self._head(),
        )  # fmt: skip
        dot.attr(
            "node", shape="box", style="rounded,filled", fillcolor="white", color="#8a96a3", fontname=_FONT,
            fontsize="11", fontcolor=_INK, margin="0.12,0.06", height="0.3", width="0.5",
        )  # fmt: skip
        dot.attr("edge", fontname=_FONT, fontsize="9", arrowsize="0.7", color=_MIXED, fontcolor=_MIXED)
        boxes: dict[str, list[int]] = {}
        for number, node in self.nodes.items():
            boxes.setdefault(node["values"][self.phase] if self.phase else "", []).append(number)
        for index, (phase, numbers) in enumerate(boxes.items()):
            if not self.phase:
                self._add_nodes(dot, numbers)
                continue
            with dot.subgraph(name=f"cluster_{index}") as box:
                box.attr(
                    style="rounded,filled", color=_BOX_EDGE, fillcolor=_BOX, margin="10", labelloc="t",
                    labeljust="l", label=f"<<B>{_html(phase)}</B>>", fontsize="12", fontcolor=_SOFT,
                    tooltip=f"{self.phase} {_html(phase)}",
                )  # fmt: skip
                self._add_nodes(box, numbers)
        for source, target, edge in self.drawn:
            dot.edge(f"n{source}", f"n{target}", **self._edge(edge))
        return str(dot.source)

    # -- nodes -----------------------------------------------------------------------------------------------

    def _add_nodes(self, dot: graphviz.Digraph, numbers: Iterable[int]) -> None:
        for number in numbers:
            dot.node(f"n{number}", **self._node(number, self.nodes[number]))

    def _node(self, number: int, node: dict[str, Any]) -> dict[str, str]:
        lines = self._values(node["values"])
        letters = sorted({common.letter for common in self.common.values() if number in common.nodes})
        small = [f"{node['size']:,} state{'s' * (node['size'] > 1)}"] if self.graph.by is not None else []
        if letters:
            small.append(f"<I>{' '.join(letters)}</I>")
        if small:
            lines.append(_font(" · ".join(small), 9, _SOFT))
        if node["deadlock"]:
            lines.append(_font("<B>deadlock</B>", 10, _INK))
        if node["violating"]:
            lines += [_font(f"<B>violates {_html(name)}</B>", 10, _BAD) for name in node["violating"]]
        lines += self._staying(number)
        style = {"label": f"<{'<BR/>'.join(lines)}>", "tooltip": _tooltip(node)}
        if node["final"]:
            style["peripheries"] = "2"
        if node["deadlock"]:
            style["fillcolor"] = _DEAD_FILL
        if node["violating"]:
            style["fillcolor"] = _BAD_FILL
        if node["path"]:
            style |= {"color": _BAD, "penwidth": "1.8"}
        if node["initial"]:
            style |= {"penwidth": "3", **({} if node["path"] else {"color": _INK})}
        return style

    def _values(self, values: dict[str, str]) -> list[str]:
        """The values: one in bold; several with their names; of very many those unlike the first node's."""
        differing = self.differing
        if len(differing) > _ROWS:
            first = self.nodes[0]["values"]
            differing = [name for name in differing if values[name] != first[name]] or differing[:1]
        if len(differing) == 1 and len(self.differing) == 1:
            return [f"<B>{_html(values[differing[0]])}</B>"]
        names = {name: _font(_html(self._short(name)), 9, _SOFT) for name in differing[:_ROWS]}
        lines = [f"{short} <B>{_html(values[name])}</B>" for name, short in names.items()]
        if len(differing) > _ROWS:
            lines.append(_font(f"and {len(differing) - _ROWS} more", 9, _SOFT))
        return lines or [_font("all", 9, _SOFT)]

    def _short(self, name: str) -> str:
        last = name.split(".", 1)[-1]
        same = [other for other in self.differing if other.split(".", 1)[-1] == last]
        return plain(last if len(same) == 1 else name)

    def _staying(self, number: int) -> list[str]:
        """The counterexample's steps that stay here, unless they are drawn."""
        loop = self.graph.networkx.get_edge_data(number, number, 0)
        if loop is None or self.loops:
            return []
        return [_font(f"{step} {_html(self._action(name))}", 9, _BAD) for step, name in loop["path"]]

    # -- edges -----------------------------------------------------------------------------------------------

    def _edge(self, edge: dict[str, Any]) -> dict[str, str]:
        machines = {self.actions[name].machine for name in edge["actions"]}
        colour = self.colours[machines.pop()] if len(machines) == 1 else _MIXED
        tooltip = "&#10;".join(self._sentences(edge["actions"]))
        style = {"color": colour, "fontcolor": colour, "tooltip": tooltip}
        if edge["free"]:
            style["style"] = "dashed"
        steps = [f"<B>{step} {_html(self._action(name))}</B>" for step, name in edge["path"]]
        lines = [f'<FONT COLOR="{_BAD}">{step}</FONT>' for step in steps]
        taken = {self._action(name) for _, name in edge["path"]}
        others = [words for words in dict.fromkeys(map(self._action, edge["actions"])) if words not in taken]
        room = max(_LABELS - len(lines), 0)
        if len(others) == room + 1:
            room += 1  # a name takes no more room than "and 1 more"
        lines += [_html(words) for words in others[:room]]
        if others[room:]:
            lines.append(f"and {len(others) - room} more")
        style["label"] = f"<{'<BR/>'.join(f'{_SPACE}{line}{_SPACE}' for line in lines)}>"
        if edge["path"]:
            style |= {"color": _BAD, "penwidth": "2.8", "style": "solid", "weight": "8"}
        return style

    def _action(self, name: str) -> str:
        """An action's words; with its machine where another machine has one of the same name."""
        action = self.actions[name]
        words = plain(action.method)
        return f"{plain(action.machine)} {words}" if action.method in self.ambiguous else words

    def _sentences(self, names: Iterable[str]) -> list[str]:
        sentences = (_sentence(self.actions[name]) for name in names)
        return [_html(sentence) for sentence in dict.fromkeys(sentences)]

    # -- the head --------------------------------------------------------------------------------------------

    def _head(self) -> str:
        graph, trace = self.graph, self.graph.trace
        title = graph.instance.protocol.__name__
        if trace is not None:
            title += f" violates {trace.violated}"
        what = f"{graph.instance.size}: {graph.states:,} states"
        if graph.symmetry:
            what += " up to a renaming of pages"
        rows = [f'<FONT POINT-SIZE="16"><B>{_html(title)}</B></FONT>', _font(_html(what), 11, _SOFT)]
        if graph.by is not None:
            where = f"boxes are {self.phase}, " if self.phase else ""
            names = ", ".join(name for name in graph.by if name != self.phase)
            rows.append(_font(_html(f"{where}nodes are {names}"), 11, _SOFT))
        if len(self.differing) > _ROWS:
            rows.append(_font("Of so many variables nodes name those that differ from the first node.", 11, _SOFT))
        if trace is not None:
            ended = "The search ended at the violation: what lies beyond was not looked at."
            rows.append(_font(ended, 11, _SOFT))
        elif any(node["open"] for node in self.nodes.values()):
            rows.append(_font("The search ended early: there are more states than these.", 11, _SOFT))
        rows.append(_table([self._key()], padding=5))
        if self.common:
            explained = [self._explained(common) for common in dict.fromkeys(self.common.values())]
            rows.append(_table(explained, padding=2))
        return f"<{_table([[row] for row in rows], padding=2)}>"

    def _explained(self, common: Common) -> list[str]:
        change = ", ".join(f"{name} becomes {value}" for name, value in common.values)
        names = "; ".join(dict.fromkeys(self._with_machine(name) for name in common.actions))
        letter = f"<B><I>{common.letter}</I></B>"
        return [_font(letter, 10, _INK), _font(_html(f"{change}: {names}"), 10, _INK)]

    def _with_machine(self, name: str) -> str:
        action = self.actions[name]
        return f"{plain(action.machine)} {plain(action.method)}"

    def _key(self) -> list[str]:
        """What colours, dashes and borders mean, as far as they are there."""
        usual = [edge for *_, edge in self.drawn if not edge["path"]]
        used = {self.actions[name].machine for edge in usual for name in edge["actions"]}
        colours = {machine: colour for machine, colour in self.colours.items() if machine in used}
        key = [_font(f"<B>→ {_html(plain(m))}</B>", 10, colour) for m, colour in colours.items()]
        if any(edge["free"] for edge in usual):
            key.append(_font("⇢ a step of the environment: it may never be taken", 10, _INK))
        if self.graph.trace is not None:
            key.append(_font("<B>➔ the counterexample, step by step</B>", 10, _BAD))
        key.append(_font("bold border: initial", 10, _INK))
        if any(node["final"] for node in self.nodes.values()):
            key.append(_font("double border: final", 10, _INK))
        return key


def _sentence(action: ActionInstance) -> str:
    return f"{action.thread} {action.doc}"


def _tooltip(node: dict[str, Any]) -> str:
    lines = [f"{name}: {value}" for name, value in node["values"].items()]
    lines.append(f"distance {node['distance']}")
    return "&#10;".join(map(_html, lines))


def _table(rows: Iterable[Iterable[str]], padding: int) -> str:
    """Rows of cells; side by side only in cells of their own: not every viewer keeps spaces between runs."""
    cells = ("".join(f'<TD ALIGN="LEFT">{cell}</TD>' for cell in row) for row in rows)
    table = f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="{padding}" ALIGN="LEFT">'
    return f"{table}{''.join(f'<TR>{row}</TR>' for row in cells)}</TABLE>"


def _font(words: str, size: int, colour: str) -> str:
    return f'<FONT POINT-SIZE="{size}" COLOR="{colour}">{words}</FONT>'


def _html(words: str) -> str:
    return escape(words, quote=True).replace("&#x27;", "&#39;")
