"""Every command that the site shows is run by a test, or says why not; and every option that it names is there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from postcopy.cli.commands import COMMANDS
from postcopy.cli.lazy import load
from postcopy.cli.main import INSTALLED_QEMU, with_value
from postcopy.errors import UsageError
from tests.site.blocks import PAGES, ROOT, Block, all_blocks, blocks_of, is_shell

BLOCKS = all_blocks()
CODES = {"holds": 0, "deadlock": 11, "violated": 12}
KNOWN = {entry.name: entry for entry in COMMANDS}
WRITTEN = re.compile(r"`(postcopy [a-z][^`]*)`")
"""A command in the middle of a sentence or a table."""
PATTERN = re.compile(r"\.\.\.|…|[|\[]| N\b")
"""In what stands for several commands."""
ONLY_NAMED = re.compile(r"^(?:Missing (?:argument|option)|Option .* requires)")
"""What is said of a command in a sentence that names it and no more."""


def to_run() -> list[Block]:
    return [block for block in BLOCKS if not (block.mark or block.in_tutorial or block.answered)]


@pytest.mark.slow
@pytest.mark.parametrize("block", to_run(), ids=str)
def test_a_block_runs(block: Block, tmp_path: Path) -> None:
    for program in ("spin", "gcc"):
        if f"{program} " in block.text and shutil.which(program) is None and "CI" not in os.environ:
            pytest.skip(f"{program} not found")
    for name in ("counterexamples", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for line in block.text.splitlines():
        code = CODES.get(line.partition("# ")[2].strip(), 0)
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == code, (line, done.stderr[-2000:])


def test_blocks_that_are_run_elsewhere_name_a_test_that_names_the_page() -> None:
    elsewhere = [block for block in BLOCKS if block.mark == "run by"]
    assert elsewhere
    for block in elsewhere:
        text = (ROOT / block.words).read_text(encoding="utf-8")
        assert Path(block.page).name in text, f"{block}: {block.words} does not name the page"


def test_blocks_that_are_not_run_give_a_reason_and_name_tests_that_are_there() -> None:
    for block in BLOCKS:
        if block.mark == "not run":
            assert len(block.words.split()) > 3, block
            for path in re.findall(r"(?:tests|tools|benchmarks)/[\w/]+(?:\.py)?|\.ci/run", block.words):
                assert (ROOT / path).exists(), f"{block}: {path}"


def understood(command: str) -> str | None:
    """What the command line says against a command that is only read, not run; None where it takes it."""
    given = shlex.split(command)[1:]
    if given[0].startswith("-"):
        return None
    if given[0] not in KNOWN:
        return f"no command {given[0]}"
    given = with_value(given, "replay", "--qemu", INSTALLED_QEMU)
    try:
        read = load(KNOWN[given[0]])
        read.make_context(f"postcopy {given[0]}", given[1:], parent=typer.Context(read))
    except typer.TyperException as error:
        return error.format_message()
    except UsageError as error:
        return str(error)
    except typer.Exit:  # of --help and --version
        pass
    return None


def written() -> list[tuple[str, str]]:
    """Each command of the pages, with a page that has it."""
    found = {}
    for block in BLOCKS:
        for line in block.commands:
            for part in re.split(r" && | \| |; ", line):
                if part.startswith("postcopy "):
                    found[re.sub(r"\$\([^)]*\)", "PROGRAM", part)] = block.page
    for page in PAGES:
        text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for sentence in WRITTEN.findall(text):
            for command in re.split(r" && |; ", sentence.replace("\n", " ")):
                if command.startswith("postcopy ") and not PATTERN.search(command):
                    found[command] = str(page.relative_to(ROOT))
    return sorted(found.items())


def test_every_option_that_a_page_names_is_there() -> None:
    commands = written()
    assert len(commands) > 300
    wrong = {f"{page}: {command}": said for command, page in commands if (said := understood(command)) is not None}
    assert {where: said for where, said in wrong.items() if not ONLY_NAMED.search(said)} == {}


def test_an_option_that_is_not_there_is_noticed() -> None:
    assert "--page" in str(understood("postcopy check --page 2"))
    assert understood("postcopy chek") == "no command chek"
    assert understood("postcopy check --pages two") is not None
    assert understood("postcopy check --pages 2") is None


PAGE = """
<!-- not run: there are two of them -->

```sh
postcopy record A    # a word
```

```
postcopy check  # holds
```

```python
postcopy = 1
```

<!-- run by: tests/a.py -->
```console
$ pytest
```

```sh
postcopy check
```
"""


def test_blocks_are_found_with_their_marks() -> None:
    first, second, third, last = blocks_of(PAGE, "docs/page.md")
    assert (first.mark, first.words, first.commands) == ("not run", "there are two of them", ["postcopy record A"])
    assert (second.mark, second.answered) == ("", True)
    assert (third.mark, third.words, third.commands) == ("run by", "tests/a.py", ["pytest"])
    assert (last.mark, last.answered, str(last)) == ("", False, "docs/page.md:21")


def test_a_block_without_a_language_is_one_for_a_shell_by_its_programs() -> None:
    assert is_shell("", "POSTCOPY_CACHE=x pytest -m slow\n")
    assert not is_shell("", "@action(migration)\n")
    assert not is_shell("text", "postcopy check\n")
