"""What the command line can, the functions can; both spell their own names in messages; and public names stay."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import pytest

import postcopy
from postcopy.api.result import Shown
from postcopy.cli.commands import COMMANDS
from postcopy.cli.lazy import load
from postcopy.errors import TraceError, UndecidedError, UsageError
from postcopy.surface import COMMAND_LINE, MARKS, PYTHON, command, setting

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src/postcopy"
PAGE = (ROOT / "docs/api.md").read_text(encoding="utf-8")
PINNED = (Path(__file__).parent / "public_names.txt").read_text(encoding="utf-8")

ROW = re.compile(r"^\| `(\w+)\(.*?\)`.*? \| `postcopy ([\w -]+)` \| (.*?) \|$", re.MULTILINE)
"""A row of the page's table: a function, its command, and its result."""

NO_FUNCTION = re.compile(r"^\| none: (.*?) \| `postcopy ([\w -]+)` \|", re.MULTILINE)
"""A row of a command that has no function: why, and the command."""

WITHOUT = {"mcp": "a server for [another program](mcp.md)", "docs": "the pages are files"}
"""Commands that are no function, and why, as the page has it."""

ELSEWHERE = {
    "target": "the protocol is the first argument",
    "fault": "the protocol is the first argument, by any name",
    "change": "the protocol is the first argument, by any name",
    "bug": "the protocol is the first argument, by any name",
    "as_json": "a result has .json()",
    "report": "a result has .save(), with a name that ends in .html",
    "help": "help(function)",
}
"""Options of several commands that no parameter stands for, and what does instead."""

ELSEWHERE_OF = {
    ("check", "trace"): "a result has .save()",
    ("check", "force"): "save(force=True)",
    ("check", "strict"): "a result has .warnings; bool() refuses where there are any",
    ("check", "verbose"): "print_to(every_property=True)",
    ("simulate", "trace"): "a result has .save()",
    ("simulate", "force"): "save(force=True)",
    ("prove", "details"): "print_to(details=True)",
    ("prove", "bitmaps"): "prove_bitmaps",
    ("prove", "force"): "save(force=True)",
    ("suite", "watch"): "a loop around suite(changed=True)",
    ("suite", "junit"): "SuiteResult.save(), by the ending",
    ("suite", "gitlab"): "SuiteResult.save(), by the ending",
    ("suite", "markdown"): "SuiteResult.save(), by the ending",
    ("suite", "html"): "SuiteResult.save(), by the ending",
    ("suite", "github"): "annotations are lines that a runner reads",
    ("suite", "force"): "save(force=True)",
    ("trace", "as_markdown"): "save(), with a name that ends in .md",
    ("trace", "svg"): "save(), with a name that ends in .svg",
    ("trace", "force"): "save(force=True)",
    ("graph", "out"): "save()",
    ("graph", "loops"): "save(loops=True)",
    ("graph", "force"): "save(force=True)",
    ("export", "out"): "save()",
    ("export", "force"): "save(force=True)",
    ("diff", "force"): "save(force=True)",
    ("conform", "force"): "keep_run writes no file",
    ("conform", "max_memory"): "a process has a limit of its own: ulimit -v",
    ("export", "max_memory"): "a process has a limit of its own: ulimit -v",
    ("prove", "max_memory"): "a process has a limit of its own: ulimit -v",
    ("simulate", "max_memory"): "a process has a limit of its own: ulimit -v",
    ("trace", "diff"): "diff_traces",
    ("trace", "diff_protocol"): "diff_traces(second_protocol=...)",
    ("trace", "html"): "save(), with a name that ends in .html",
    ("conform", "exhaustive"): "conform_exhaustively",
    ("conform", "keep"): "keep_run, and ConformResult.run",
    ("replay", "file"): "the run is the first argument: a file, or a TraceResult",
    ("run", "histogram"): "RunResult.histogram()",
    ("run source", "qemu"): "give_to_qemu",
    ("run destination", "qemu"): "take_from_qemu",
}
"""Options of one command that no parameter stands for, and what does instead."""

OTHER_NAMES = {"log": "log_to"}
"""Options whose parameters have other names."""


def table() -> dict[str, set[str]]:
    """The functions of each command, as the page has them."""
    found: dict[str, set[str]] = {}
    for function, its_command, _ in ROW.findall(PAGE):
        words = [word for word in its_command.split() if not word.startswith("-")]
        found.setdefault(" ".join(words), set()).add(function)
    return found


def options() -> Iterator[tuple[str, list[str]]]:
    """Each command with the names of its options and arguments."""
    for entry in COMMANDS:
        loaded: Any = load(entry)
        yield entry.name, [parameter.name for parameter in loaded.params]
        for name, inner in getattr(loaded, "commands", {}).items():
            yield f"{entry.name} {name}", [parameter.name for parameter in inner.params]


def parameters_of(names: set[str]) -> set[str]:
    """The parameters of some functions."""
    return {name for function in names for name in signature(getattr(postcopy, function)).parameters}


def without_a_parameter(name: str, given: list[str], functions: set[str]) -> list[str]:
    """The options of a command that no function has and no table excuses."""
    there = parameters_of(functions)
    left = []
    for option in given:
        wanted = {option, OTHER_NAMES.get(option, option), option.removeprefix("no_")}
        if not wanted & there and option not in ELSEWHERE and (name, option) not in ELSEWHERE_OF:
            left.append(option)
    return left


def test_every_command_has_a_function_and_every_function_is_on_the_page() -> None:
    functions = table()
    assert set(functions) | set(WITHOUT) == {name for name, _ in options()}
    assert {name: why for why, name in NO_FUNCTION.findall(PAGE)} == WITHOUT
    on_the_page = {name for names in functions.values() for name in names} | {"load"}
    callables = {name for name in postcopy.__all__ if not isinstance(getattr(postcopy, name), type | str)}
    assert on_the_page == callables


@pytest.mark.parametrize(
    ("name", "given"),
    [its for its in options() if its[0] not in WITHOUT],
    ids=lambda its: its if isinstance(its, str) else "",
)
def test_every_option_has_a_parameter_or_a_reason(name: str, given: list[str]) -> None:
    assert without_a_parameter(name, given, table()[name]) == []


def test_an_option_without_a_parameter_is_noticed() -> None:
    assert without_a_parameter("check", ["pages", "no_symmetry", "faster"], {"check"}) == ["faster"]
    assert without_a_parameter("diff", ["pages", "strict"], {"diff"}) == ["strict"]


def test_no_excuse_is_left_over() -> None:
    of_commands = dict(options())
    for name, option in ELSEWHERE_OF:
        assert option in of_commands[name], (name, option)
        assert option not in parameters_of(table()[name]) or option == "force"


# settings and commands in messages


def literals(function: str) -> Iterator[tuple[str, str]]:
    """Each constant first argument of a function of `postcopy.surface` in the package, and where it stands."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value, f"{path.relative_to(PACKAGE)}:{node.lineno}"


IN_ONE_SURFACE = {"fault", "change", "bug", "seconds", "progress", "path", "file", "directory", "run", "log", "reports"}
"""Settings that a command has and no function, or the other way round."""


@pytest.mark.unmeasured
def test_every_setting_in_a_message_is_a_parameter_and_an_option() -> None:
    functions = {name for names in table().values() for name in names}
    methods = {"force", "out"}  # of save()
    parameters = parameters_of(functions) | methods
    spelled = {word for entry in COMMANDS for parameter in all_parameters(load(entry)) for word in parameter}
    for name, place in literals("setting"):
        assert name in parameters | IN_ONE_SURFACE, place
        ways = {COMMAND_LINE.spell(setting(name)), COMMAND_LINE.spell(setting(name, False))}
        assert ways & spelled or name in IN_ONE_SURFACE, place


def all_parameters(loaded: Any) -> Iterator[list[str]]:
    """The spellings of each option of a command and of the commands in it."""
    for parameter in loaded.params:
        yield [*parameter.opts, *parameter.secondary_opts]
    for inner in getattr(loaded, "commands", {}).values():
        yield from all_parameters(inner)


@pytest.mark.unmeasured
def test_every_command_in_a_message_is_a_command_and_a_function() -> None:
    for name, place in literals("command"):
        assert name in {entry.name for entry in COMMANDS}, place
        function = PYTHON.spell(command(name)).partition("(")[0]
        assert function in table()[name], place


MAY_SAY_OPTIONS = {
    "catalogue/bugs/listing.py": "commands for documents",
    "catalogue/qemu_7_2_defects.py": "a text for documents",
    "catalogue/shown.py": "commands for documents",
    "engine/memory.py": "a report's text",
    "engine/uffd.py": "a report's text",
    "engine/run_with_qemu.py": "a report's text",
    "export/promela.py": "a comment in the file that a command has written",
    "export/tla.py": "a comment in the file that a command has written",
    "recording/record.py": "an option of QEMU",
    "report/gallery.py": "commands for documents",
    "report/pages/story.py": "a style sheet's variable",
    "report/results/check.py": "the terminal's text",
    "report/terminal/check.py": "the terminal's text",
    "report/terminal/proof.py": "the terminal's text",
    "api/new_change.py": "a command for the reader",
    "api/template.py": "commands for the reader",
    "api/template_on.py": "commands for the reader",
    "suites/suite_file.py": "names of questions, as of commands",
    "testing/plugin.py": "options of pytest",
    "schemas.py": "a comment in the file that a command has written",
    "surface.py": "the place that knows",
}
"""Files below the command line that write an option or a command out, and why."""

WRITTEN_OUT = re.compile(rf"(?<![\w-])--[a-z][a-z-]+|\bpostcopy ({'|'.join(entry.name for entry in COMMANDS)})\b")


def written_out(text: str) -> list[int]:
    """The lines whose texts, docstrings apart, write an option or a command out."""
    tree = ast.parse(text)
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
        if WRITTEN_OUT.search(node.value)
    ]


@pytest.mark.unmeasured
def test_below_the_command_line_no_message_writes_an_option_out() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix(): lines
        for path in sorted(PACKAGE.rglob("*.py"))
        if "cli" not in path.relative_to(PACKAGE).parts and (lines := written_out(path.read_text(encoding="utf-8")))
    }
    assert set(found) == set(MAY_SAY_OPTIONS), found


def test_an_option_that_is_written_out_is_noticed() -> None:
    assert written_out('raise E("--pages 3 is too many")') == [1]
    assert written_out('x = 1\nraise E(f"{a}: postcopy list faults")') == [2]
    assert written_out('"""The option --pages."""\nraise E(f"{setting(1)} is too many")') == []


@pytest.mark.parametrize(
    ("marked", "in_python", "on_the_command_line"),
    [
        (setting("host_page", 3), "host_page=3", "--host-page 3"),
        (setting("host_page"), "host_page", "--host-page"),
        (setting("max_memory", ""), "max_memory=", "--max-memory "),
        (setting("liveness", False), "liveness=False", "--no-liveness"),
        (setting("force", True), "force=True", "--force"),
        (setting("properties"), "properties", "--property"),
        (setting("by", "a", "b"), "by=['a', 'b']", "--by a --by b"),
        (command("list", "faults"), "listing('faults')", "postcopy list faults"),
        (command("check"), "check()", "postcopy check"),
    ],
)
def test_a_name_is_spelled_for_its_readers(marked: str, in_python: str, on_the_command_line: str) -> None:
    error = UsageError(f"what {marked} says")
    assert str(error) == f"what {in_python} says"
    assert repr(error) == f"UsageError({str(error)!r})"
    assert error.spelled(COMMAND_LINE) == f"what {on_the_command_line} says"


def test_an_error_of_a_stored_run_is_spelled_for_its_readers_too(tmp_path: Path) -> None:
    stored = (ROOT / "counterexamples/no-discards.itf.json").read_bytes()
    file = tmp_path / "run.itf.json"
    file.write_bytes(stored.replace(b'"protocol": "no-discards"', b'"protocol": "qqqq"'))
    with pytest.raises(TraceError) as error:
        postcopy.trace(file)
    assert str(error.value).startswith(f"{file}: cannot be replayed: ")
    assert "listing('faults')" in str(error.value)
    assert "postcopy list" in error.value.spelled(COMMAND_LINE)


@pytest.mark.parametrize("stray", ["\x02", "\x03", "\x1e", "\x1f", "\x02setting", "\x02setting\x1fa"])
def test_no_mark_is_left_in_a_message(stray: str) -> None:
    for surface in (PYTHON, COMMAND_LINE):
        assert not set(UsageError(f"{stray}: {setting('pages', 3)}").spelled(surface)) & set(MARKS)


# what stays


def public() -> Iterator[str]:
    """A line for each public name: a function with its parameters and defaults, a class with its public attributes."""
    for name in sorted(set(postcopy.__all__) - {"__version__"}):
        its = getattr(postcopy, name)
        if not isinstance(its, type):
            yield f"{name}({', '.join(map(_parameter, signature(its).parameters.values()))})"
        elif issubclass(its, Shown):
            attributes = {*dir(its), *getattr(its, "__dataclass_fields__", ())}
            yield f"{name}: {', '.join(sorted(each for each in attributes if not each.startswith('_')))}"
        else:
            yield name


def _parameter(parameter: Parameter) -> str:
    kind = "" if parameter.kind is Parameter.KEYWORD_ONLY else " /by place/"
    default = parameter.default
    if default is Parameter.empty:
        return f"{parameter.name}{kind}"
    said = default.__name__ if isinstance(default, type) else "..." if callable(default) else repr(default)
    return f"{parameter.name}{kind}={said}"


def test_public_names_and_their_parameters_are_those_that_were_promised() -> None:
    """Versions are semantic: a line that goes or changes needs a new major version, and one that comes a new minor."""
    made = "\n".join(public()) + "\n"
    assert made == PINNED, "write it anew: python -m tests.api.test_surface > tests/api/public_names.txt"


SHOWN = [name for name in postcopy.__all__ if isinstance(getattr(postcopy, name), type)]


@pytest.mark.parametrize("name", [name for name in SHOWN if issubclass(getattr(postcopy, name), Shown)])
def test_what_is_shown_is_documented(name: str) -> None:
    kind = getattr(postcopy, name)
    assert kind.__bool__.__doc__
    for attribute in dir(kind):
        if not attribute.startswith("_"):
            documented = getattr(kind, attribute).__doc__ or f"{attribute}:" in (kind.__doc__ or "")
            assert documented, f"{name}.{attribute}"


def test_what_never_answers_is_a_type_error_too() -> None:
    """Who writes ``if result:`` meets the error that Python has for such a thing, with what to ask."""
    error: Callable[[], object] = lambda: bool(postcopy.export_model("aut", pages=1, in_flight=1))  # noqa: E731
    with pytest.raises(TypeError, match=r"neither true nor false: it is no verdict; ask \.sentence"):
        error()
    assert issubclass(UndecidedError, TypeError)


if __name__ == "__main__":
    print("\n".join(public()))
