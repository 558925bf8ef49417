"""Imports go one way: no circle of files, no arrow upwards between rooms. The page on the architecture says what is so.

The order of the rooms stands in tools/architecture/rooms.py.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from xml.etree import ElementTree

import networkx as nx
import pytest

from architecture import diagram
from architecture.imports import Import, read_package, read_texts, room
from architecture.rooms import MAY_IMPORT, arrows_upwards, circles, reachable

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/postcopy"
DOCS = sorted((ROOT / "docs").rglob("*.md"))
ABOVE = {
    "model",
    "model/changes",
    "model/history",
    "model/qemu",
    "properties",
    "catalogue",
    "report",
    "api",
    "testing",
    "cli",
    "conformance",
    "__main__",
}


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    return read_package(PACKAGE)


def lines(messages: list[str]) -> str:
    return "\n" + "\n".join(messages)


def test_no_files_import_each_other_in_a_circle(imports: list[Import]) -> None:
    found = circles(imports)
    assert not found, lines(found)


def test_no_import_goes_upwards(imports: list[Import]) -> None:
    found = arrows_upwards(imports)
    assert not found, lines(found)


def test_every_room_has_an_entry_and_every_entry_a_room() -> None:
    assert set(MAY_IMPORT) == {room(path.relative_to(PACKAGE).as_posix()) for path in PACKAGE.rglob("*.py")}


def test_the_engine_reaches_only_bitmaps_errors_and_input_files_and_their_spelling(imports: list[Import]) -> None:
    assert reached("engine", imports) <= {"bitmaps", "errors", "input_files", "surface"}


@pytest.mark.parametrize(
    "name", [name for name in MAY_IMPORT if name.split("/")[0] in {"language", "explorer", "prover", "export"}]
)
def test_what_works_for_any_protocol_reaches_no_protocol(name: str, imports: list[Import]) -> None:
    found = {other for other in reached(name, imports) if other in ABOVE or other.startswith("report/")}
    assert not found, f"{name} reaches {', '.join(sorted(found))}"


def reached(name: str, imports: list[Import]) -> set[str]:
    """The rooms that a room reaches by its imports and theirs."""
    graph = nx.DiGraph([(room(each.file), room(each.imported)) for each in imports])
    graph.add_node(name)
    return set(nx.descendants(graph, name)) - {name}


# what the tests above would find: small packages with a fault each

ORDER = {"low": (), "side": (), "high": ("low",), "high/inner": ("high",)}


def package(**texts: str) -> list[Import]:
    """The imports of a package `p`; `low__a` is the file low/a.py."""
    return read_texts("p", {f"{name.replace('__', '/', 1)}.py": text for name, text in texts.items()})


def test_a_circle_is_found_and_told_with_files_and_lines() -> None:
    found = circles(package(low__a="from p.low import b", low__b='"""."""\nimport p.low.c', low__c="from .a import x"))
    assert found == ["low/a.py:1 imports low/b.py; low/b.py:2 imports low/c.py; low/c.py:1 imports low/a.py"]


def test_a_circle_through_an_import_for_types_is_found() -> None:
    here = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from p.low.b import x"
    assert circles(package(low__a=here, low__b="def f():\n    import p.low.a")) == [
        "low/a.py:3 imports low/b.py; low/b.py:2 imports low/a.py"
    ]


def test_of_a_knot_of_circles_the_shortest_is_told() -> None:
    knot = package(low__a="import p.low.b, p.low.c", low__b="import p.low.a", low__c="import p.low.b")
    assert circles(knot) == [
        "low/a.py:1 imports low/b.py; low/b.py:1 imports low/a.py"
        " (among 3 files that reach each other: low/a.py, low/b.py, low/c.py)"
    ]


def test_files_without_a_circle_pass() -> None:
    assert circles(package(low__a="import p.low.b, p.low.c", low__b="import p.low.c", low__c="import os")) == []


def test_an_arrow_upwards_is_told_with_file_line_and_rooms() -> None:
    found = arrows_upwards(package(low__a="import os\nfrom p.high.b import x", high__b=""), ORDER)
    assert found == [
        "low/a.py:2: imports high/b.py: low -> high is an arrow upwards; "
        "low may import nothing (tools/architecture/rooms.py)"
    ]


LAZY = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from p.high.b import x\nWHERE = {'x': 'p.high.b'}\n"


def with_door(text: str) -> list[str]:
    """Arrows upwards of a package whose own door has this text."""
    texts = {"__init__.py": text, "low/a.py": "import p.low.c", "low/c.py": "", "high/b.py": "import p.low.a"}
    return arrows_upwards(read_texts("p", texts), {"low": (), "high": ("low",), "__init__": ("high",)})


def test_a_door_that_imports_when_it_is_asked_is_not_run_by_those_below_it() -> None:
    assert with_door(LAZY + "def __getattr__(name):\n    import p.high.b") == []


@pytest.mark.parametrize(
    "runs", ["import p.high.b", "x = import_module('p.high.b')", "try:\n    import p.high.b\nfinally: 0"]
)
def test_a_door_that_imports_while_it_runs_is_run_by_all_below_it(runs: str) -> None:
    found = with_door(LAZY + runs)
    assert any(
        each.startswith("low/a.py:1: imports __init__.py: low -> __init__ is an arrow upwards") for each in found
    )


def test_an_arrow_sideways_is_found() -> None:
    (found,) = arrows_upwards(package(high__a="from p.side.b import x", side__b=""), ORDER)
    assert "high -> side is an arrow sideways; high may import low and what these may" in found


def test_an_arrow_from_a_folder_inside_and_over_several_rooms_passes() -> None:
    assert arrows_upwards(read_texts("p", {"high/inner/a.py": "import p.low.b", "low/b.py": ""}), ORDER) == []


def test_a_folder_does_not_import_a_folder_inside_that_stands_above_it() -> None:
    (found,) = arrows_upwards(read_texts("p", {"high/a.py": "import p.high.inner.b", "high/inner/b.py": ""}), ORDER)
    assert "high -> high/inner is an arrow upwards" in found


def test_a_room_without_an_entry_is_found() -> None:
    (found,) = arrows_upwards(package(high__a="import p.new.b", new__b=""), ORDER)
    assert found == "high/a.py:1: the room new has no entry in tools/architecture/rooms.py"


def test_an_order_with_a_circle_is_refused() -> None:
    with pytest.raises(ValueError, match="the room a may import b, which has no entry above it"):
        reachable({"a": ("b",), "b": ("a",)})


@pytest.mark.parametrize(
    "text",
    [
        "import p.high.b",
        "import p.high.b as b",
        "from p.high import b",
        "from p.high.b import x",
        "from p.high.b import *",
        "from ..high import b",
        "from ..high.b import x",
        "def f():\n    from p.high.b import x",
        "importlib.import_module('p.high.b')",
        "NAMES = {'b': 'p.high.b'}",
        "run([sys.executable, '-m', 'p.high.b', number])",
        "run([sys.executable, '-c', 'import os; from p.high.b import main; main()'])",
        "TEXT = '''\nimport numpy\n    from p.high import a, b\n'''",
        "TEXT = f'import p.high.b\\n{more}'",
    ],
)
def test_an_import_is_seen_however_it_is_written(text: str) -> None:
    found = package(low__a=text, high__b="")
    assert [(each.file, each.imported) for each in found] == [("low/a.py", "high/b.py")]
    assert (
        found[0].line == text[: text.index("p.high" if "p.high" in text else "..high")].count("\n") + 1 or "'''" in text
    )


def test_a_package_that_is_run_is_seen() -> None:
    found = package(low__a="run('python', '-m', 'p.high')", high____main__="", high____init__="")
    assert ("low/a.py", "high/__main__.py") in [(each.file, each.imported) for each in found]


@pytest.mark.parametrize(
    "text",
    [
        '"""import p.high.b"""',
        "def f():\n    '''from p.high import b'''",
        "# import p.high.b",
        "x = 'see p.high.b'",
        "class A:\n    __module__ = 'p.high.b'",
    ],
)
def test_what_is_not_an_import_is_not_seen(text: str) -> None:
    assert package(low__a=text, high__b="") == []


def test_a_door_that_imports_counts_for_other_rooms_only() -> None:
    door = {"high/__init__.py": "from p.high import b", "high/b.py": "import p.high.c", "high/c.py": ""}
    (inside, *_) = (read_texts("p", door | {"high/inner/d.py": "import p.high.inner.e", "high/inner/e.py": ""}),)
    seen = {(each.file, each.imported) for each in inside}
    assert ("high/inner/d.py", "high/__init__.py") in seen
    assert ("high/b.py", "high/__init__.py") not in seen
    assert circles(inside) == []


def test_a_file_does_not_import_its_own_door() -> None:
    found = circles(package(low____init__="from p.low.a import x", low__a="from p.low import x"))
    assert found == ["low/__init__.py:1 imports low/a.py; low/a.py:1 imports low/__init__.py"]


# the page and its picture


def test_the_picture_shows_the_rooms_and_arrows_that_are_there() -> None:
    rooms = diagram.read_rooms()
    nodes, edges = shown(diagram.PICTURE.read_text(encoding="utf-8"))
    fresh = "the picture is out of date: run python -m architecture.diagram"
    assert edges == rooms.arrows | rooms.forbidden, fresh
    assert nodes == drawn_texts(rooms), fresh


def shown(svg: str) -> tuple[dict[str, str], set[tuple[str, str]]]:
    """The texts of each box and the arrows of a picture by Graphviz."""
    nodes, edges = {}, set()
    for group in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}g"):
        name, *texts = (element.text or "" for element in group if element.tag.endswith(("title", "text")))
        if group.get("class") == "node":
            nodes[name] = " ".join(texts)
        elif group.get("class") == "edge":
            here, there = name.split("->")
            edges.add((here, there))
    return nodes, edges


def drawn_texts(rooms: diagram.Rooms) -> dict[str, str]:
    """The text in each box, as the diagram's source has it."""
    found = {}
    for name, label in re.findall(
        r'^\s*"?([\w/]+)"? \[label=<(<b>.*?)> fillcolor', diagram.draw(rooms).source, re.MULTILINE
    ):
        found[name] = re.sub(r"<[^>]*>", "", label.replace("<br/>", " "))
    return {name: text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for name, text in found.items()}


def test_a_picture_without_an_arrow_is_noticed() -> None:
    svg = diagram.PICTURE.read_text(encoding="utf-8")
    first = re.search(r'<g id="edge1" class="edge">.*?</g>', svg, re.DOTALL)
    assert first is not None
    assert shown(svg.replace(first[0], ""))[1] < shown(svg)[1]


def test_arrows_that_others_imply_are_left_out() -> None:
    assert diagram.without_implied(frozenset({("a", "b"), ("b", "c"), ("a", "c")})) == {("a", "b"), ("b", "c")}


def test_an_import_that_is_not_allowed_is_drawn_in_red() -> None:
    rooms = diagram.Rooms({"engine": "", "cli": ""}, frozenset(), frozenset({("engine", "cli")}))
    assert 'engine -> cli [color="#c00000"' in diagram.draw(rooms).source


CITATION = re.compile(r"`((?:[\w-]+/)*[\w-]+\.py)::([\w.]+)`")
"""A name in a file, as the pages cite it: `explorer/explore.py::explore`."""


def missing_names(text: str, root: Path = PACKAGE) -> list[str]:
    """The citations in a page of names that their files do not define."""
    found = []
    for file, name in CITATION.findall(text):
        path = root / file
        if not path.exists() or name not in defined(ast.parse(path.read_text(encoding="utf-8"))):
            found.append(f"{file}::{name}")
    return found


def defined(tree: ast.Module | ast.ClassDef, prefix: str = "") -> set[str]:
    """The functions, classes, methods and constants that a file defines, a method as Class.method."""
    names: set[str] = set()
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name):
                names |= {prefix + name} | defined(node, f"{prefix}{name}.")
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(prefix + name)
            case ast.Assign(targets=targets):
                names |= {prefix + target.id for target in targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(prefix + name)
            case _:
                pass  # defines nothing that a page would cite
    return names


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_names_that_a_page_cites_exist(page: Path) -> None:
    assert missing_names(page.read_text(encoding="utf-8")) == []


def test_the_walks_cite_names() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    walks = text.split("\n## ")
    assert {walk.split("\n")[0]: len(CITATION.findall(walk)) >= 10 for walk in walks if walk.startswith("From ")} == {
        "From a change to a verdict": True,
        "From a page to UFFDIO_COPY": True,
    }


def test_a_name_that_is_gone_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("class A:\n    def f(self): ...\nX: int = 1\n")
    cited = "`a.py::A` `a.py::A.f` `a.py::X` `a.py::g` `a.py::A.g` `b.py::A`"
    assert missing_names(cited, tmp_path) == ["a.py::g", "a.py::A.g", "b.py::A"]
