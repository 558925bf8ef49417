"""Files of a user that are no files, or whose code goes wrong in a way of its own: one line, at once, exit code 2."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from urllib.parse import quote

import pytest

from postcopy.catalogue.loading import load
from postcopy.catalogue.properties import with_everything
from postcopy.errors import UsageError
from postcopy.input_files import read_input
from postcopy.language.instance import Instance
from postcopy.report.pages.stepping import Stepping
from tests.cli.conftest import CHANGE, Run, refused
from tests.report.served import served
from tests.report.test_stepping import ask

READERS = [
    ["check"],
    ["list", "properties"],
    ["prove"],
    ["diff", "Postcopy"],
    ["trace"],
    ["replay"],
    ["conform"],
    ["explore", "--trace"],
]


@pytest.mark.parametrize("command", READERS, ids=lambda command: command[0])
def test_a_pipe_that_nothing_writes_to_is_refused_at_once(run: Run, tmp_path: Path, command: list[str]) -> None:
    path = tmp_path / ("run.jsonl" if command == ["conform"] else "mine.py")
    os.mkfifo(path)
    assert f"cannot read {path}: it is a pipe, not a file" in refused(run, *command, str(path))


@pytest.mark.parametrize("command", [["check"], ["trace"], ["conform"], ["replay"]], ids=lambda command: command[0])
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/full"])
def test_a_device_is_refused_at_once(run: Run, command: list[str], device: str) -> None:
    assert f"cannot read {device}: it is a device, not a file" in refused(run, *command, device)


def test_what_else_is_no_file(run: Run, tmp_path: Path) -> None:
    assert f"cannot read {tmp_path}: it is a directory" in refused(run, "check", str(tmp_path))
    assert "cannot read" in refused(run, "conform", str(tmp_path / "none"))
    (tmp_path / "loop.py").symlink_to("loop.py")
    assert "Too many levels of symbolic links" in refused(run, "check", str(tmp_path / "loop.py"))
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(tmp_path / "s.py"))
        assert "cannot read" in refused(run, "check", str(tmp_path / "s.py"))
    assert "null byte" in refused(run, "trace", "a\0b")


def test_too_large_a_file_is_refused(tmp_path: Path, run: Run) -> None:
    (tmp_path / "some").write_bytes(b"12345")
    assert read_input(tmp_path / "some", 5) == b"12345"
    with pytest.raises(UsageError, match="it is larger than 0 MiB"):
        read_input(tmp_path / "some", 4)
    with (tmp_path / "sparse.py").open("wb") as file:
        file.truncate(1 << 40)
    assert "it is larger than 16 MiB" in refused(run, "check", str(tmp_path / "sparse.py"))


# -- code -------------------------------------------------------------------------------------------------------------

BEGIN = "from postcopy.language import *\nfrom postcopy.model.postcopy import Postcopy\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "class E(Exception):\n    def __str__(self): raise ValueError('in str')\nraise E()\n",
            "line 3: E: it cannot say what is wrong",
        ),
        ("class E(BaseException): pass\nraise E('mine')\n", "line 2: E: mine"),
        ("raise GeneratorExit\n", "line 1: GeneratorExit"),
        ("def f(): f()\nf()\n", "line 1: RecursionError"),
        ("x = '\0'\n", "null bytes"),
        ("x = 1\n" + "(" * 500, "too many nested parentheses"),
        ("x" + " + x" * 100_000 + "\n", "cannot read"),
        (
            BEGIN + "class M(type(Postcopy)):\n    def __getattribute__(c, n): raise RuntimeError('meta ' + n)\n"
            "class X(Postcopy, metaclass=M):\n    'x'\n",
            "has a metaclass: a protocol is a plain class",
        ),
        (
            BEGIN + "class D:\n    def __get__(self, a, b): raise RuntimeError('descriptor')\n"
            "class X(Postcopy):\n    x = D()\n",
            "mine.py:4: RuntimeError: descriptor",
        ),
        (
            BEGIN
            + "class P(Postcopy):\n    def __init_subclass__(cls): raise RuntimeError('mine')\nclass X(P): pass\n",
            "line 4: RuntimeError: mine",
        ),
        (BEGIN + "class X(Postcopy):\n    group = 'a'\n", "group is 'a'; it has to be a whole number from 1 on"),
        (BEGIN + "class X(Postcopy):\n    group = 0\n", "group is 0; it has to be a whole number"),
        (BEGIN + "class X(Postcopy):\n    group = 1.0\n", "group is 1.0; it has to be a whole number"),
        (BEGIN + "class X(Postcopy):\n    group = True\n", "group is True; it has to be a whole number"),
        (
            BEGIN + "class X(Postcopy):\n    drawn_by = 'source.phase'\n",
            "drawn_by is 'source.phase'; it has to be",
        ),
        (BEGIN + "class X(Postcopy):\n    drawn_by = (1,)\n", "drawn_by is (1,); it has to be a tuple of names"),
        (
            BEGIN + "class X(Postcopy):\n    refused_options = ('a',)\n",
            "it has to be a dictionary of names and reasons",
        ),
        (
            BEGIN + "class X(Postcopy):\n    refused_options = {'a': 1}\n",
            "it has to be a dictionary of names and reasons",
        ),
        (BEGIN + "class X(Postcopy):\n    visible = ('a',)\n", "visible is ('a',); it has to be a dictionary"),
        (BEGIN + "class X(Postcopy):\n    visible = {'source.running': ('a',)}\n", "it has to be a dictionary"),
        (BEGIN + "class X(Postcopy):\n    may_rest = 3\n", "may_rest is 3; it has to be a static method"),
        (BEGIN + "class X(Postcopy):\n    properties = 3\n", "X.properties is not a tuple"),
        (BEGIN + "class X(Postcopy):\n    cpus = 'a'\n", "X.cpus is 'a': a whole number from 1 to 4 is needed"),
    ],
)
def test_code_that_goes_wrong_in_its_own_way(run: Run, tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    assert says in refused(run, "check", str(path), "--pages", "1")


@pytest.mark.parametrize("command", [["explore"], ["simulate"], ["graph", "x.dot"], ["diff", "Postcopy"], ["prove"]])
def test_every_command_refuses_it(run: Run, tmp_path: Path, command: list[str]) -> None:
    path = tmp_path / "mine.py"
    path.write_text(BEGIN + "class X(Postcopy):\n    group = 'a'\n")
    assert "group is 'a'" in refused(run, *command, str(path)).replace(str(path), "")


def test_an_error_in_a_file_beside_it_names_that_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("def broken(:\n")
    (tmp_path / "mine.py").write_text("\n\nimport beside\n")
    assert f"{tmp_path / 'beside.py'}: line 1" in refused(run, "check", str(tmp_path / "mine.py"))


def test_an_error_of_our_own_is_no_line_that_blames_the_user(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("ours")

    monkeypatch.setattr("postcopy.cli.list.listing", broken)
    with pytest.raises(RuntimeError, match="ours"):
        run("list", "faults", "--json")


@pytest.mark.parametrize("name", ["изменение", "変更", "änderung", "plain"])
def test_the_files_of_a_protocol_with_any_name_come_through(name: str) -> None:
    stepping = Stepping(f"{name}.py:MyChange", with_everything("no-discards", 1, 1, 1))
    with served(stepping) as server:
        answer = ask(server, "/run.itf.json?start=0")
        assert answer.status == 200
        header = answer.headers["Content-Disposition"]
    assert header.startswith("attachment; filename")
    assert (quote(name) if not name.isascii() else name) in header
    assert header.isascii()


def test_a_change_in_a_file_with_any_name_is_checked(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "изменение 変更.py"
    path.write_text(CHANGE)
    result = run("list", "actions", str(path), "--json")
    assert result.code == 0
    assert "sends any page at all" in result.out


# -- files beside it --------------------------------------------------------------------------------------------------

HELPER = '''
from postcopy.language import Flag, Page, require
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Source


def allowed() -> bool:
    return {allowed}


class Careful(Source):
    """Asks the helper."""

    {name} = Flag("{name}")

    def {action}(self{page}) -> None:
        """{name}"""
        require(allowed())
        self.{name} = True
        super().{action}({argument})
'''
USES = '''
from helper import Careful
from postcopy.model.postcopy import Postcopy


class {name}(Postcopy):
    """Uses the helper."""

    source = Careful
'''


def directories(tmp_path: Path) -> tuple[Path, Path]:
    """Two directories whose files have the same names and say different things."""
    first = HELPER.format(allowed=True, name="first", action="sends_package", page="", argument="")
    second = HELPER.format(
        allowed=True, name="second", action="sends_background_page", page=", page: Page", argument="page"
    )
    for name, helper in (("one", first), ("two", second)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "helper.py").write_text(helper)
        (tmp_path / name / "change.py").write_text(USES.format(name=name.title()))
    return tmp_path / "one", tmp_path / "two"


def fields(text: str) -> set[str]:
    """The variables of a source that are not the document's."""
    _, protocol = load(text)
    return {name for name in Instance(protocol, 1, 1, ()).variable if name.rpartition(".")[2] in ("first", "second")}


def test_files_of_two_directories_with_the_same_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = directories(tmp_path)
    monkeypatch.chdir(two)
    assert fields(f"{one}/change.py") == {"source.first"}
    assert fields("change.py") == {"source.second"}
    for text in (f"{one}/change.py+{two}/change.py", "change.py+../one/change.py", f"change.py+{one}/change.py:One"):
        assert fields(text) == {"source.first", "source.second"}
    monkeypatch.chdir(one)
    assert fields("change.py") == {"source.first"}


def test_an_error_names_the_file_of_its_own_directory(run: Run, tmp_path: Path) -> None:
    one, two = directories(tmp_path)
    helper = two / "helper.py"
    helper.write_text("\n\n" + helper.read_text().replace("self.second = True", "self.secnd = True"))
    said = refused(run, "check", f"{two}/change.py+{one}/change.py", "--pages", "1")
    assert "helper.py:21, in sends_background_page" in said
    assert "did you mean second" in said
    helper.write_text(helper.read_text().replace('second = Flag("second")', "second = [1]"))
    for text in (f"{two}/change.py+{one}/change.py", f"{one}/change.py+{two}/change.py"):
        assert "helper.py:16, in Careful: Careful.second is a list" in refused(run, "check", text, "--pages", "1")


@pytest.mark.parametrize("text", ["base.py+extends.py", "extends.py+base.py", "base.py+preempt+extends.py"])
def test_a_file_that_another_imports_is_run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.py").write_text("print('run')\n" + CHANGE.replace("self._send_in_postcopy(page)", "pass"))
    (tmp_path / "extends.py").write_text(
        "from base import MyChange\n"
        "class Extends(MyChange):\n    'x'\n    class source(MyChange.source):\n        'x'\n"
    )
    printed: list[str] = []
    monkeypatch.setattr("builtins.print", lambda *words: printed.extend(words))
    if "preempt" in text:
        with pytest.raises(UsageError, match="both replace the action"):
            load(text)
    else:
        assert load(text)[1].__name__ == "Extends"
    assert printed == ["run"]


def test_files_that_import_each_other_and_packages_beside_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        package = tmp_path / name / "shared" / "deep"
        package.mkdir(parents=True)
        (package / "names.py").write_text(f"NAME = {name!r}\n")
        (package / "__init__.py").write_text("")
        (tmp_path / name / "other.py").write_text("import mine\nfrom shared.deep.names import NAME\n")
        (tmp_path / name / "mine.py").write_text(f"import other\n{CHANGE}    NAME = other.NAME\n")
    for name in ("one", "two", "one"):
        assert vars(load(f"{name}/mine.py")[1])["NAME"] == name


def test_a_file_beside_it_that_has_changed_is_read_anew(tmp_path: Path) -> None:
    """Even within the second in which it was read, and with as many letters."""
    (tmp_path / "mine.py").write_text(f"import beside\n{CHANGE}    NAME = beside.NAME\n")
    for name in ("one", "two", "six"):
        (tmp_path / "beside.py").write_text(f"NAME = {name!r}\n")
        assert vars(load(str(tmp_path / "mine.py"))[1])["NAME"] == name
    assert not (tmp_path / "__pycache__").exists(), "nothing is written where the user's files are"


@pytest.mark.parametrize(
    ("beside", "mine", "says"),
    [
        ("x = 1\ny = zzz\n", "import beside\n", "beside.py: line 2: name 'zzz' is not defined"),
        ("Names = 1\n", "from beside import Name\n", "mine.py: line 1: beside has no Name; did you mean Names?"),
        ("import nowhere\n", "import beside\n", "beside.py: line 1: there is no module nowhere"),
        ("raise SystemExit(3)\n", "import beside\n", "beside.py: line 1: SystemExit: 3"),
    ],
)
def test_what_goes_wrong_in_a_file_beside_it(run: Run, tmp_path: Path, beside: str, mine: str, says: str) -> None:
    (tmp_path / "beside.py").write_text(beside)
    (tmp_path / "mine.py").write_text(mine + CHANGE)
    for text in (f"{tmp_path}/mine.py", f"recovery+{tmp_path}/mine.py"):
        assert f"cannot read {tmp_path}/{says}" in refused(run, "check", text)
