"""`postcopy mcp`, by the SDK's client over standard input and output: each tool, what is refused, and the limits."""

from __future__ import annotations

import time
from importlib import util
from pathlib import Path
from typing import Any

import pytest

from postcopy import run as migrate
from postcopy.assistants.calls import Call, Tool
from postcopy.assistants.reference import reference
from postcopy.assistants.replies import LINES, shortened
from postcopy.assistants.worker import answer
from postcopy.cli import mcp as its_command
from postcopy.errors import UsageError
from postcopy.language import __all__ as names_of_the_language
from tests.assistants.client import call, talk
from tests.cli.conftest import CHANGE, Run, refused, run

__all__ = ["run"]

SLEEPS = CHANGE + "\nimport time\ntime.sleep(60)\n"
EATS = CHANGE + "\nwaste = bytearray(3 << 30)\n"
SMALL: dict[str, Any] = {"pages": 1, "in_flight": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a change that is wrong, one that never comes to its end, and one that needs much memory."""
    made: Path = tmp_path_factory.mktemp("folder")
    for name, text in (("my_change", CHANGE), ("sleeps", SLEEPS), ("eats", EATS)):
        (made / f"{name}.py").write_text(text)
    return made


def asked(folder: Path, tool: Tool, **given: Any) -> Any:
    """What the process of a call answers."""
    return answer(Call(tool=tool, folder=str(folder), seconds=60, memory=4 << 30, **given))


def text_of(result: Any) -> str:
    """What a refused call says."""
    assert result.is_error
    (part,) = result.content
    text: str = part.text
    assert "\n" not in text
    return text


def test_a_check_says_verdict_story_guard_and_what_was_not_asked(folder: Path) -> None:
    found = asked(
        folder,
        Tool.CHECK,
        protocols={"protocol": "my_change.py"},
        arguments={**SMALL, "liveness": False, "host_page": None},
    )
    assert (found.verdict, found.violated) == ("violated", ["only-dirty-pages-sent"])
    file, _, line = found.guard.partition(":")
    assert "require(" in (folder / file).read_text().splitlines()[int(line) - 1]
    assert found.story[0].startswith("Counterexample to")
    assert any("sends any page at all" in each for each in found.story)
    assert any(each.startswith("and ") and each.endswith("more properties") for each in found.not_asked)
    assert any(each.startswith("sizes other than 1 page") for each in found.not_asked)


def test_a_mistake_of_a_user_s_file_names_its_line(folder: Path) -> None:
    (folder / "wrong.py").write_text("x = 1 / 0\n")
    found = asked(folder, Tool.CHECK, protocols={"protocol": "wrong.py"})
    assert found.verdict == "refused"
    assert "wrong.py" in found.sentence
    assert "ZeroDivisionError" in found.sentence


def test_a_long_story_is_shortened_in_its_middle() -> None:
    long = shortened(map(str, range(3 * LINES)))
    assert len(long) == LINES + 1
    assert long[LINES // 2] == f"... {2 * LINES} lines ..."
    assert (long[0], long[-1]) == ("0", str(3 * LINES - 1))
    assert shortened(["a  ", "b"]) == ["a", "b"]


def test_a_recording_that_names_a_file_does_not_run_it(folder: Path) -> None:
    ran = folder / "ran"
    (folder / "evil.py").write_text(f"open({str(ran)!r}, 'w').close()\n")
    stored = (Path(__file__).parents[2] / "counterexamples/no-discards.itf.json").read_text(encoding="utf-8")
    (folder / "log").write_text(stored.replace('"no-discards"', '"evil.py:C"'))
    found = asked(folder, Tool.CONFORM, files={"log": "log"})
    assert found.verdict == "refused"
    assert not ran.exists()


def test_the_reference_has_every_name_of_the_language() -> None:
    whole = reference()
    assert [name for name in names_of_the_language if f"\n{name}:" not in whole] == []
    assert "class MyChange" in whole
    assert reference("require").startswith("require(")
    with pytest.raises(UsageError, match="there is no name requires; did you mean require"):
        reference("requires")


def test_without_the_sdk_the_command_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(its_command, "find_spec", lambda _: None)
    assert "pip install 'postcopy-mc[mcp]'" in refused(run, "mcp")
    assert util.find_spec("mcp") is not None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("no-such-folder",), "no-such-folder: there is no such folder"),
        ((".", "--seconds", "0"), "--seconds 0: more than 0"),
        ((".", "--max-memory", "1M"), "--max-memory 1M: a size from 1G to 16T"),
    ],
)
def test_a_mistake_with_the_command_is_named_in_one_line(run: Run, options: tuple[str, ...], said: str) -> None:
    assert said in refused(run, "mcp", *options)


@pytest.mark.slow  # four processes, one after the other
def test_a_path_that_leads_out_and_an_unknown_name_are_refused_over_the_wire(folder: Path) -> None:
    (folder / "link.py").symlink_to(Path(__file__))

    async def dialogue(client: Any) -> list[str]:
        texts = []
        for protocol in ("../x.py", "/etc/passwd.py", "link.py", "prempt"):
            texts.append(text_of(await client.call_tool("check", {"protocol": protocol})))
        return texts

    up, absolute, link, unknown = talk(folder, dialogue)
    assert "it leads out of the folder" in up
    assert "name files from the folder" in absolute
    assert "it leads out of the folder" in link
    assert "there is no protocol prempt; did you mean preempt?" in unknown


@pytest.fixture(scope="module")
def log(folder: Path) -> str:
    """An event log of the engine."""
    migrate(size="256K", rate=2_000, memory="software", settle=0.0, log_to=folder / "engine.log")
    return "engine.log"


@pytest.mark.slow  # six processes, one after the other
def test_each_tool_answers(folder: Path, log: str) -> None:
    change = "my_change.py:MyChange"

    async def dialogue(client: Any) -> dict[str, Any]:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert names == {*(tool.value for tool in Tool), "language"}
        one = {"properties": ["only-dirty-pages-sent"]}
        calls: dict[str, dict[str, Any]] = {
            "check": {"protocol": change, **one},
            "prove": {"protocol": change, **SMALL, **one},
            "simulate": {"protocol": change, **SMALL, "walks": 5_000},
            "diff": {"base": "Postcopy", "change": "Postcopy"},
            "conform": {"log": log},
            "listing": {"what": "faults"},
        }
        found = {name: await client.call_tool(name, arguments) for name, arguments in calls.items()}
        found["language"] = await client.call_tool("language", {"name": "require"})
        resource = await client.read_resource("postcopy://language")
        assert resource.contents[0].text == reference()
        return found

    found = talk(folder, dialogue)
    assert not [name for name, result in found.items() if result.is_error]
    said = {name: result.structured_content for name, result in found.items()}
    assert said["check"]["verdict"] == "violated"
    assert said["prove"]["verdict"] == "refuted"
    assert said["simulate"]["verdict"] == "violated"
    assert said["diff"]["verdict"] == "same behaviour"
    assert said["conform"]["verdict"] == "conforms"
    assert any(line.startswith("no-discards | ") for line in said["listing"]["details"])
    assert found["language"].content[0].text == reference("require")


@pytest.mark.slow  # it waits for the end of the time
def test_a_call_whose_time_is_over_is_killed(folder: Path) -> None:
    began = time.monotonic()
    found = call(folder, "check", "--seconds", "8", protocol="sleeps.py")
    assert not found.is_error
    assert found.structured_content["verdict"] == "no verdict"
    assert found.structured_content["sentence"].startswith("8 seconds were over")
    assert time.monotonic() - began < 50
    assert not processes_in(folder)


def processes_in(folder: Path) -> list[str]:
    """The processes whose working directory is a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if entry.resolve() == folder.resolve():
                found.append(entry.parent.name)
        except OSError:
            continue
    return found


@pytest.mark.unmeasured
def test_a_call_whose_memory_is_over_has_no_verdict(folder: Path) -> None:
    found = call(folder, "check", "--max-memory", "2G", protocol="eats.py")
    assert not found.is_error
    assert found.structured_content["verdict"] == "no verdict"
    assert "its process may have 2,048 MiB, and that was not enough" in found.structured_content["sentence"]
