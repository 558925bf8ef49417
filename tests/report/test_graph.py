"""Graphs of a tiny handover of pages: small enough to count by hand and to hold against concrete steps."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import networkx as nx
import pytest

from postcopy.errors import UsageError
from postcopy.explorer.explore import Exploration
from postcopy.explorer.kernel.reductions import PAGES
from postcopy.explorer.results import Engine, Options
from postcopy.language import NO_DEADLOCK, Property, Protocol
from postcopy.language.concrete import successors
from postcopy.language.instance import Instance, State
from postcopy.language.variables import Sort
from postcopy.model.postcopy import Postcopy
from postcopy.report.state_graph import files as formats
from postcopy.report.state_graph import quotient
from postcopy.report.state_graph.dot import common_changes
from postcopy.report.state_graph.files import Quotient, build, to_dot, to_graphml, to_svg, write
from postcopy.report.story.words import contents, contents_words, value_words
from tests.report.examples import Handover, NothingReceived, Unsure, never_finishes, nobody_looks, nothing_arrives

GOLDEN = Path(__file__).with_name("handover.dot")


def explored(
    protocol: type[Protocol] = Handover,
    pages: int = 1,
    properties: Sequence[Property] = (),
    symmetry: bool = True,
    in_flight: int = 1,
    max_memory: int = 8 << 30,
) -> Exploration:
    exploration = Exploration(
        Instance(protocol, pages, in_flight, properties),
        Options((PAGES,) if symmetry else (), engine=Engine.INTERPRETED),
    )
    exploration.run()
    exploration.options = replace(exploration.options, max_memory=max_memory)  # that of the graph alone
    return exploration


@cache
def document() -> Exploration:
    """The protocol of the document at its least size, searched once for all tests."""
    return explored(Postcopy)


def graph_of(by: Sequence[str] | None = None, **options: Any) -> Quotient:
    return build(explored(**options), by)


def nodes(graph: Quotient, attribute: str) -> list[Any]:
    return [value for _, value in graph.networkx.nodes(data=attribute)]


def refusal(of: Callable[[], object]) -> str:
    with pytest.raises(UsageError) as caught:
        of()
    message = str(caught.value)
    assert message.isprintable()
    return message


@pytest.fixture
def needs_dot() -> None:
    if shutil.which("dot") is None:
        if os.environ.get("CI"):
            pytest.fail("Graphviz's program dot has to be there in CI")
        pytest.skip("Graphviz's program dot is not there")


class TestStates:
    """One page: idle; then the page is left, on its way, or there; done only in the last two."""

    def test_every_state_is_a_node(self) -> None:
        graph = graph_of()
        assert nodes(graph, "size") == [1] * 6
        assert nodes(graph, "distance") == [0, 1, 2, 3, 3, 4]
        assert nodes(graph, "initial") == [True] + [False] * 5

    def test_edges_are_steps_and_merged(self) -> None:
        graph = graph_of()
        assert [(s, t, e["actions"]) for s, t, e in graph.networkx.edges(data=True) if s != t] == [
            (0, 1, ("source.starts",)),
            (1, 2, ("source.sends",)),
            (2, 3, ("source.finishes",)),
            (2, 4, ("destination.receives",)),
            (3, 5, ("destination.receives",)),
            (4, 5, ("source.finishes",)),
        ]
        assert [(s, e["actions"]) for s, t, e in graph.networkx.edges(data=True) if s == t] == [
            (n, ("destination.looks",)) for n in range(6)
        ]

    def test_an_edge_says_whose_steps_it_stands_for_and_whether_they_can_be_relied_on(self) -> None:
        edges = graph_of(["source.phase"]).networkx.edges
        assert edges[0, 1, 0]["threads"] == ("operator",)
        assert edges[0, 1, 0]["free"]
        assert edges[1, 1, 0]["threads"] == ("sender", "receiver", "guest")
        assert edges[1, 1, 0]["actions"] == ("source.sends", "destination.receives", "destination.looks")
        assert not edges[1, 1, 0]["free"]
        assert edges[1, 1, 0]["count"] == 5

    def test_final_is_what_is_never_left_and_may_rest(self) -> None:
        assert nodes(graph_of(), "final") == [False] * 5 + [True]

    def test_values_are_in_words_and_channels_are_lists_of_messages(self) -> None:
        assert nodes(graph_of(), "values")[3] == {
            "source.phase": "done",
            "source.left": "{}",
            "destination.has": "{}",
            "destination.awake": "yes",
            "post.up": "yes",
            "post": "[PAGE {0}]",
        }

    @pytest.mark.parametrize(("symmetry", "states"), [(False, 12), (True, 8)])
    def test_pages_are_interchangeable_unless_asked_otherwise(self, symmetry: bool, states: int) -> None:
        graph = graph_of(pages=2, symmetry=symmetry)
        assert (graph.nodes, graph.states, graph.symmetry) == (states, states, symmetry)

    def test_two_initial_states(self) -> None:
        graph = graph_of(protocol=Unsure)
        assert nodes(graph, "initial").count(True) == 2
        assert graph.nodes == 12


BYS = [
    ["source.phase"],
    ["source.phase", "destination.has"],
    ["destination.has", "source.left"],
    ["post"],
    ["destination.*"],
    ["source.l?ft", "destination.awake"],
]


def describe(graph: Quotient, state: State) -> tuple[str, ...]:
    """What a node for the state should say, made without the explorer."""
    instance, said = graph.instance, []
    slots = {v for channel in instance.channels.values() for slot in channel.slots for v in (slot.kind, slot.pages)}
    said = [value_words(v, state[instance.index[v]]) for v in graph.variables if v not in slots]
    if slots.intersection(graph.variables):
        said.append(contents_words(contents(instance, state, instance.channels["post"])))
    return tuple(said)


def renamings(instance: Instance, state: State, symmetry: bool) -> Iterator[State]:
    """The state with its pages named in every way (with symmetry), or as it is."""
    orders = permutations(range(instance.pages)) if symmetry else [tuple(range(instance.pages))]
    for order in orders:
        yield tuple(
            sum((value >> page & 1) << order[page] for page in order) if v.sort is Sort.PAGES else value
            for v, value in zip(instance.variables, state, strict=True)
        )


class TestQuotient:
    @pytest.mark.parametrize("by", BYS)
    @pytest.mark.parametrize("symmetry", [False, True])
    def test_nodes_and_edges_are_exactly_the_images_of_states_and_steps(self, by: list[str], symmetry: bool) -> None:
        exploration = explored(pages=2, symmetry=symmetry, in_flight=2)
        instance, graph = exploration.instance, build(exploration, by)
        states = all_states(instance)
        image: dict[
            tuple[str, ...], tuple[str, ...]
        ] = {}  # what may be said of a state, by whichever names of pages -> one of these
        for state in states:
            said = [describe(graph, renamed) for renamed in renamings(instance, state, symmetry)]
            image |= dict.fromkeys(said, min(said))
        steps = [(state, step) for state in states for step in successors(instance, state)]
        node = {n: image[tuple(values.values())] for n, values in graph.networkx.nodes(data="values")}
        assert sorted(node.values()) == sorted(set(image.values()))
        assert {(node[s], node[t], a) for s, t, e in graph.networkx.edges(data=True) for a in e["actions"]} == {
            (image[describe(graph, state)], image[describe(graph, step.state)], step.action.name)
            for state, step in steps
        }

    @pytest.mark.parametrize("by", [None, *BYS])
    @pytest.mark.parametrize("protocol", [Handover, Unsure, NothingReceived])
    def test_sizes_add_up_to_the_number_of_states(self, by: list[str] | None, protocol: type[Protocol]) -> None:
        exploration = explored(protocol, pages=2)
        graph = build(exploration, by)
        assert sum(nodes(graph, "size")) == graph.states == exploration.findings.states

    def test_at_most_one_edge_from_one_node_to_another(self) -> None:
        graph = graph_of(["source.phase"], pages=2)
        assert all(key == 0 for *_, key in graph.networkx.edges(keys=True))

    def test_a_distance_is_that_of_the_nearest_state(self) -> None:
        assert nodes(graph_of(["source.phase"]), "distance") == [0, 1, 3]

    def test_every_name_stands_for_its_variables_once(self) -> None:
        instance = Instance(Postcopy, 1, 1)
        names = [v.name for v in quotient.choose_variables(instance, ["destination.waiting", "*.waiting[1]"])]
        assert names == ["destination.waiting[0]", "destination.waiting[1]"]
        assert {v.owner for v in quotient.choose_variables(instance, ["stream"])} == {"stream"}


def all_states(instance: Instance) -> list[State]:
    found = dict.fromkeys(instance.initial_states())
    waiting = list(found)
    while waiting:
        for step in successors(instance, waiting.pop()):
            if step.state not in found:
                found[step.state] = None
                waiting.append(step.state)
    return list(found)


class TestViolations:
    def test_a_violated_step_leads_to_a_marked_node_that_the_search_did_not_enter(self) -> None:
        graph = graph_of(properties=[never_finishes])
        assert nodes(graph, "violating") == [(), (), (), ("never-finishes",)]
        assert nodes(graph, "path") == [(0,), (1,), (2,), (3,)]
        taken = [(s, t, e["path"]) for s, t, e in graph.networkx.edges(data=True) if e["path"]]
        assert taken == [
            (0, 1, ((1, "source.starts"),)),
            (1, 2, ((2, "source.sends"),)),
            (2, 3, ((3, "source.finishes"),)),
        ]

    def test_a_violated_state(self) -> None:
        graph = graph_of(["source.phase"], properties=[nothing_arrives])
        assert nodes(graph, "violating") == [(), ("nothing-arrives",), ()]
        assert nodes(graph, "path") == [(0,), (1, 2, 3), ()]
        assert [number for number, _ in graph.networkx.edges[1, 1, 0]["path"]] == [2, 3]

    def test_a_violated_step_that_changes_nothing(self) -> None:
        graph = graph_of(properties=[nobody_looks])
        at = nodes(graph, "violating").index(("nobody-looks",))
        assert graph.networkx.edges[at, at, 0]["path"][-1] == (4, "destination.looks")

    def test_a_deadlock_is_marked_and_violates_what_forbids_it(self) -> None:
        graph = graph_of(["source.phase"], protocol=NothingReceived, properties=[NO_DEADLOCK])
        assert nodes(graph, "deadlock") == [0, 0, 1]
        assert nodes(graph, "violating") == [(), (), ("no-deadlock",)]
        assert not any(nodes(graph, "final"))
        free = graph_of(["source.phase"], protocol=NothingReceived)
        assert nodes(free, "deadlock") == [0, 0, 1]
        assert nodes(free, "violating") == [(), (), ()]

    def test_where_the_search_did_not_go_on_nothing_is_called_final(self) -> None:
        graph = graph_of(["source.phase"], properties=[nothing_arrives])
        assert nodes(graph, "open") == [False, True, True]
        assert nodes(graph, "final") == [False, False, False]

    def test_with_symmetry_the_way_leads_through_representatives(self) -> None:
        graph = graph_of(pages=2, properties=[never_finishes])
        assert graph.trace is not None
        steps = sorted(n for _, _, path in graph.networkx.edges(data="path") for n, _ in path)
        assert steps == list(range(1, len(graph.trace.steps) + 1))


class TestDrawing:
    def test_golden(self) -> None:
        graph = graph_of(["source.phase", "destination.has"], properties=[never_finishes])
        assert to_dot(graph) == GOLDEN.read_text(encoding="utf-8")

    def test_a_box_for_each_phase_of_the_source(self) -> None:
        assert to_dot(graph_of(["source.phase", "destination.has"])).count("subgraph cluster_") == 3
        assert to_dot(graph_of()).count("subgraph cluster_") == 3
        assert "subgraph" not in to_dot(graph_of(["source.phase"]))
        assert "subgraph" not in to_dot(graph_of(["destination.has"]))

    def test_loops_only_when_asked_for(self) -> None:
        graph = graph_of(["source.phase"])
        assert "n1 -> n1" not in to_dot(graph)
        assert "n1 -> n1" in to_dot(graph, loops=True)

    def test_steps_of_the_counterexample_that_stay_in_a_node_are_shown_in_it(self) -> None:
        graph = graph_of(["source.phase"], properties=[nothing_arrives])
        assert ">2 sends</FONT>" in to_dot(graph)
        assert ">3 receives</FONT>" in to_dot(graph)
        assert ">2 sends</FONT>" not in to_dot(graph, loops=True)

    def test_of_many_variables_only_those_that_differ_from_the_first_node_are_shown(self) -> None:
        text = to_dot(build(document(), ["destination"]))
        assert "Of so many variables nodes name those that differ from the first node." in text
        assert "owes shut" not in text.split("n0 [")[1].split("]")[0].split("tooltip")[0]
        assert "and 1 more" in text

    def test_what_html_would_misread_is_escaped(self) -> None:
        assert "operator starts &lt;now&gt; &amp; here" in to_dot(graph_of())

    def test_a_change_of_value_that_is_common_is_told_by_a_letter(self) -> None:
        graph = build(document(), ["source.phase", "destination.state"])
        changes = dict.fromkeys(common_changes(graph).values())
        assert [(c.letter, c.values) for c in changes] == [
            ("a", (("destination.state", "failed"),)),
            ("b", (("source.phase", "cancelled"),)),
            ("c", (("source.phase", "dead"),)),
            ("d", (("source.phase", "failed"),)),
        ]
        told, all_drawn = to_dot(graph), to_dot(graph, every_edge=True)
        loops = nx.number_of_selfloops(graph.networkx)
        assert all_drawn.count(" -> ") == graph.networkx.number_of_edges() - loops
        assert told.count(" -> ") == all_drawn.count(" -> ") - len(common_changes(graph))

    def test_graphviz_reads_it(self, needs_dot: None) -> None:
        graph = graph_of(["source.phase", "destination.has"], properties=[never_finishes])
        svg = ElementTree.fromstring(to_svg(graph))
        assert svg.tag.endswith("svg")
        assert sum(g.get("class") == "node" for g in svg.iter("{http://www.w3.org/2000/svg}g")) == graph.nodes


class TestGraphML:
    def test_networkx_reads_it_back(self, tmp_path: Path) -> None:
        graph = graph_of(["source.phase", "post"], properties=[never_finishes])
        path = tmp_path / "states.graphml"
        write(graph, path)
        again = nx.read_graphml(path, force_multigraph=True)
        assert again.is_directed()
        assert again.nodes["n0"] == {
            "label": "idle yes []",
            "size": 1,
            "distance": 0,
            "initial": True,
            "deadlock": 0,
            "final": False,
            "violating": "",
            "path": "0",
            "open": False,
            "source.phase": "idle",
            "post.up": "yes",
            "post.messages": "[]",
        }
        assert {(s, t) for s, t, _ in again.edges} == {(f"n{s}", f"n{t}") for s, t, _ in graph.networkx.edges}
        assert next(e for s, t, e in again.edges(data=True) if (s, t) == ("n0", "n1")) == {
            "label": "source.starts",
            "threads": "operator",
            "free": True,
            "count": 1,
            "path": "1 source.starts",
        }
        assert again.graph["protocol"] == "Handover"


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("source.pahse", "there is no variable source.pahse; did you mean source.phase?"),
            ("sorce", "there is no variable sorce; did you mean source?"),
            ("source.[l]*", "there is no variable source.[l]*; did you mean source.left?"),
            (
                "zzz",
                "there is no variable zzz; there are those of source, destination, post, e.g. source.phase",
            ),
        ],
    )
    def test_unknown_variables(self, name: str, message: str) -> None:
        assert refusal(lambda: graph_of(["source.phase", name])) == message

    def test_a_drawing_with_too_many_nodes_is_refused(self, tmp_path: Path) -> None:
        graph = build(document(), None)
        names = ["source.phase", "destination.state", "destination.main"]
        advice = f"by={names}"
        message = refusal(lambda: write(graph, tmp_path / "states.svg"))
        assert message.startswith(f"a drawing of {graph.nodes:,} nodes (300 at most) cannot be read: choose")
        assert advice in message
        assert message.endswith(", or write .html or .graphml")
        suggested = build(document(), names).nodes
        assert f"({suggested} nodes)" in message
        assert not list(tmp_path.iterdir())

    def test_no_variables_to_suggest(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(quotient, "READABLE", 1)
        monkeypatch.setattr(formats, "READABLE", 1)
        message = "a drawing of 6 nodes (1 at most) cannot be read: choose fewer variables, or write .html or .graphml"
        assert refusal(lambda: write(graph_of(), tmp_path / "states.dot")) == message

    def test_too_much_for_graphml(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(formats, "STORABLE", 5)
        assert refusal(lambda: to_graphml(graph_of())).startswith("6 nodes are too many for GraphML (5 at most)")

    @pytest.mark.parametrize("by", [["source.phase"], ["source", "destination"], None])
    def test_more_nodes_than_the_memory_allowed_holds(self, by: list[str] | None) -> None:
        nodes = graph_of(by).nodes
        assert graph_of(by, max_memory=nodes * quotient.NODE_BYTES).nodes == nodes
        message = refusal(lambda: graph_of(by, max_memory=nodes * quotient.NODE_BYTES - 1))
        assert message.startswith(f"a graph of {nodes} nodes takes about 1 MiB, and max_memory allows 0: allow more")

    def test_far_too_many_states(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(quotient, "MAX_STATES", 5)
        message = "6 states are too many for a graph (5 at most): use fewer pages or a smaller in_flight"
        assert refusal(lambda: graph_of(["source.phase"])) == message

    @pytest.mark.parametrize("name", ["states", "states.png", "states.dot.gz", ".dot", "states.SVG"])
    def test_other_endings(self, name: str, tmp_path: Path) -> None:
        message = refusal(lambda: write(graph_of(), tmp_path / name))
        assert message == f"{tmp_path / name}: a graph is written to a file that ends in .dot, .svg, .html or .graphml"

    def test_without_graphviz(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
        message = refusal(lambda: to_svg(graph_of()))
        assert message == (
            "a drawing needs Graphviz's program dot, which is not there: "
            "apt install graphviz (brew install graphviz), or write .dot"
        )

    def test_when_graphviz_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
            return subprocess.CompletedProcess(command, 1, b"", b"Error: trouble in init_rank\n\tn1 1\n")

        monkeypatch.setattr(subprocess, "run", fail)
        assert refusal(lambda: to_svg(graph_of())) == ("Graphviz's dot failed: Error: trouble in init_rank; write .dot")

    def test_when_graphviz_fails_at_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail_first(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
            good = "-Gnewrank=true" in command
            return subprocess.CompletedProcess(command, 0 if good else 1, b"<svg/>" if good else b"", b"")

        monkeypatch.setattr(subprocess, "run", fail_first)
        assert to_svg(graph_of()) == "<svg/>"

    def test_when_graphviz_takes_too_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def never_end(command: list[str], timeout: float, **_: object) -> None:
            raise subprocess.TimeoutExpired(command, timeout)

        monkeypatch.setattr(subprocess, "run", never_end)
        assert refusal(lambda: to_svg(graph_of())).startswith("Graphviz has no drawing of 6 nodes after 120 sec")


class TestWriting:
    @pytest.fixture
    def old(self, tmp_path: Path) -> Iterator[Path]:
        path = tmp_path / "states.dot"
        path.write_text("old")
        yield path
        assert list(tmp_path.iterdir()) == [path], "nothing is left beside the file"

    def test_an_old_file_is_replaced(self, old: Path) -> None:
        graph = graph_of()
        write(graph, old)
        assert old.read_text(encoding="utf-8") == to_dot(graph) + "// written by postcopy\n"

    def test_a_new_file_has_the_permissions_of_new_files(self, old: Path) -> None:
        old.unlink()
        old.touch()
        usual = stat.S_IMODE(old.stat().st_mode)
        write(graph_of(), old)
        assert stat.S_IMODE(old.stat().st_mode) == usual

    def test_a_failure_leaves_the_old_file_as_it_was(self, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def no_space(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "replace", no_space)
        message = refusal(lambda: write(graph_of(), old))
        assert message == f"{old}: cannot be written: No space left on device"
        assert old.read_text() == "old"

    def test_a_failed_drawing_leaves_the_old_file_as_it_was(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "states.svg"
        path.write_text("old")
        monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
        refusal(lambda: write(graph_of(), path))
        assert path.read_text() == "old"

    def test_a_link_stays_a_link(self, old: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
        link = tmp_path_factory.mktemp("links") / "link.dot"
        link.symlink_to(old)
        write(graph_of(), link)
        assert link.is_symlink()
        assert old.read_text(encoding="utf-8").startswith("digraph states {")

    @pytest.mark.parametrize("place", ["no/states.dot", "file/states.dot", "folder.dot"])
    def test_places_where_nothing_can_be_written(self, place: str, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        (tmp_path / "folder.dot").mkdir()
        message = refusal(lambda: write(graph_of(), tmp_path / place))
        assert message.startswith(f"{tmp_path / place}: cannot be written: ")
        assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.dot"]
