"""`graph`: the state space of a small instance, or its quotient by some of the variables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import msgspec
from rich.console import Console

from postcopy.api.asking import PropertiesLike, ProtocolLike, functions, instance_of, load, path_of, texts
from postcopy.api.check_settings import reductions_of
from postcopy.api.memory import asked_for_states, left_for_states
from postcopy.api.progress import Show, of_search, silent
from postcopy.api.result import Result
from postcopy.errors import UsageError
from postcopy.explorer.explore import Exploration
from postcopy.explorer.results import Options, Outcome, Verdict
from postcopy.language.trace import Trace
from postcopy.model.postcopy import Postcopy
from postcopy.report.state_graph.files import Quotient, build, format_of, to_html, write
from postcopy.report.state_graph.quotient import usual_variables
from postcopy.surface import setting


class GraphRecord(msgspec.Struct, frozen=True):
    """A graph in numbers.

    Attributes:
        nodes: how many nodes it has.
        states: how many states these stand for.
        verdict: ``whole``, or how the search ended that made it.
        violated: the property whose violation ended the search; None where none did.
    """

    nodes: int
    states: int
    verdict: str
    violated: str | None


@dataclass(frozen=True, repr=False)
class GraphResult(Result):
    """A state space as a graph.

    Attributes:
        name: the protocol's name.
        found: the graph: nodes, edges and their attributes, in ``found.networkx``.
        search: how the search ended that made it.
    """

    name: str
    found: Quotient
    search: Verdict

    @property
    def verdict(self) -> str:
        """``whole``: every state is in it; else how the search ended: ``violated``, ``deadlock``, ``inconclusive``."""
        ended_early = self.search.violated is not None or self.search.outcome is Outcome.INCONCLUSIVE
        return self.search.outcome.value if ended_early else "whole"

    @property
    def lines(self) -> list[str]:
        """How large it is, and what is not in it."""
        return [f"{self.found.nodes:,} nodes for {self.found.states:,} states", *self._missing()]

    def _missing(self) -> Iterator[str]:
        if self.search.violated is not None:
            yield f"the search ended with a violation of {self.search.violated.name}: what lies beyond is not in it"
        if self.search.outcome is Outcome.INCONCLUSIVE:
            yield f"not the whole: {self.search.why}"

    @property
    def sentence(self) -> str:
        """How large it is, and what is not in it, as one sentence."""
        return "; ".join(self.lines)

    @property
    def counterexample(self) -> Trace | None:
        """The run whose violation ended the search, or None. The graph shows its way."""
        return self.found.trace

    @property
    def record(self) -> GraphRecord:
        """The graph in numbers."""
        violated = self.search.violated
        return GraphRecord(
            nodes=self.found.nodes,
            states=self.found.states,
            verdict=self.verdict,
            violated=violated.name if violated is not None else None,
        )

    def print_to(self, console: Console) -> None:
        """Print how large it is."""
        console.print("\n".join(self.lines), markup=False, soft_wrap=True)

    def page(self, command: str = "") -> str:
        """The graph as a page to pan, zoom and search.

        Args:
            command: the command line that does all this again; may be empty.

        Raises:
            UsageError: it is too large for a page, or Graphviz is missing.
        """
        return to_html(self.found, command)

    def save(self, path: str | Path, *, force: bool = False, loops: bool = False, command: str = "") -> None:
        """Write the graph to a file.

        Args:
            path: where; the ending says in which format: .html, .svg, .dot, .graphml.
            force: replace a file that this package has not written.
            loops: show steps that stay in one node.
            command: the command line that does all this again, for a page; may be empty.

        Raises:
            UsageError: the ending is of no format, the file cannot be written, the graph is too large for the format,
                or Graphviz is missing.
        """
        goal = path_of("path", path)
        format_of(goal).refuse(goal, force=force)
        write(self.found, goal, loops=loops, command=command)

    def _repr_html_(self) -> str:
        """The page; where the graph is too large for one, what to do about that."""
        try:
            return super()._repr_html_()
        except UsageError as error:
            return f"<pre>{escape(str(self))}\n{escape(str(error))}</pre>"

    def __bool__(self) -> bool:
        """Never answers: a picture is neither good nor bad.

        Raises:
            UndecidedError: always.
        """
        raise self._undecided("a graph is neither good nor bad")


def graph(
    protocol: ProtocolLike = Postcopy,
    *,
    pages: int = 1,
    in_flight: int = 1,
    host_page: int | None = None,
    properties: PropertiesLike = (),
    by: str | Sequence[str] = (),
    all_states: bool = False,
    symmetry: bool = True,
    max_memory: int | str = "1G",
    progress: Show = silent,
) -> GraphResult:
    """The state space of a small instance as a graph: a node for all states that are equal in some variables.

    Args:
        protocol: its class, or what the command line takes: a name, FILE.py:Class, or several with + between them.
        pages: how many target pages the guest has.
        in_flight: how many messages each channel holds.
        host_page: target pages of one host page; None for what the protocol says.
        properties: only these of states and steps, by name; none for all that apply. A violation ends the search.
        by: variables, machines or globs that distinguish nodes, such as ``"source.phase"``; none for those of phases.
        all_states: every state is a node.
        symmetry: one node for all states equal up to a renaming of pages.
        max_memory: memory for states and their graph, in bytes or as ``"512M"``.
        progress: is called with a line that says how far the search has come.

    Raises:
        UsageError: there is no such protocol, property or variable, or the size does not fit.
        SpecError: the protocol or a property cheats or errs.
    """
    if not isinstance(by, Iterable):
        raise UsageError(f"{setting('by')} names variables, in a list, such as ['source.phase'], and not {by!r}")
    functions(progress=progress)
    chosen = (by,) if isinstance(by, str) else tuple(by)
    for each in chosen:
        texts(by=each)
    if chosen and all_states:
        raise UsageError(f"give {setting('by')} or {setting('all_states')}, not both")
    memory = left_for_states(asked_for_states(max_memory))
    named = load(protocol)
    instance = instance_of(named.protocol, pages, in_flight, host_page, properties, liveness=False)
    reductions = reductions_of(symmetry=symmetry, vcpu_symmetry=False, reset_dead=False)
    exploration = Exploration(instance, Options(reductions, memory), of_search(progress))
    exploration.run()
    drawn = build(exploration, None if all_states else chosen or usual_variables(instance))
    return GraphResult(named.name, drawn, exploration.verdict())
