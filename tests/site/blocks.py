"""The shell blocks of the site's pages, and what becomes of each: a test runs it, or it says why none does.

A comment before a block says what this room cannot see by itself:

    <!-- run by: tests/testing/test_plugin.py -->      another test runs it, and names the page
    <!-- not run: two machines are needed -->          nothing runs it here, for this reason
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.test_docs import COMMAND
from tests.test_tutorial import PAGES as TUTORIALS

ROOT = Path(__file__).parents[2]
PAGES = (
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "decisions"),
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "counterexamples/README.md",
    *sorted((ROOT / "contrib").glob("*/README.md")),
)
"""What a reader of the site may type from. A decision is a record of its time."""
FENCE = re.compile(
    r"(?:<!-- (?P<mark>run by|not run): (?P<words>[^>]+?) -->\n+)?^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
SHELLS = ("sh", "bash", "console")
PROGRAMS = (
    *(
        "postcopy",
        "pip",
        "pipx",
        "uv",
        "uvx",
        "python",
        "python3",
        "pytest",
        "make",
        "docker",
        "git",
        "chromium",
        "spin",
    ),
    *("java", "ltsinfo", "tools/get-qemu", "tools/claims.py", ".ci/run", "gcc", "source", "curl", "qemu-system-x86_64"),
)
"""What a line of a block without a language begins with, where the block is one for a shell."""


@dataclass(frozen=True)
class Block:
    """A block of commands.

    Attributes:
        page: the page, from the top of the repository.
        line: where it begins.
        mark: ``run by``, ``not run``, or empty.
        words: what stands behind the mark.
        text: the commands, one a line.
    """

    page: str
    line: int
    mark: str
    words: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """Its lines without prompts and without what stands behind ``#``."""
        lines = [line.removeprefix("$ ").split("  #")[0].split(" # ")[0].strip() for line in self.text.splitlines()]
        return [line for line in lines if line and not line.startswith("#")]

    @property
    def answered(self) -> bool:
        """Each command stands beside its verdict: `tests/test_docs.py` runs these."""
        lines = [line for line in self.text.splitlines() if line.strip()]
        return all(COMMAND.fullmatch(line.rstrip()) for line in lines)

    @property
    def in_tutorial(self) -> bool:
        """`tests/test_tutorial.py` runs its page from top to bottom."""
        return Path(self.page).name in TUTORIALS and not self.mark


def is_shell(language: str, text: str) -> bool:
    """Whether a block is for a shell: by its language, or by the programs that its lines begin with."""
    first = [re.sub(r"^(\$ |\w+=\S+ )+", "", line).split(" ")[0] for line in text.splitlines()]
    return language in SHELLS or (not language and any(word in PROGRAMS for word in first))


def blocks_of(text: str, page: str) -> list[Block]:
    """All blocks of a page that are for a shell."""
    return [
        Block(
            page,
            text[: found.start("language")].count("\n") + 1,
            found["mark"] or "",
            found["words"] or "",
            found["text"],
        )
        for found in FENCE.finditer(text)
        if is_shell(found["language"], found["text"])
    ]


def all_blocks() -> list[Block]:
    """All shell blocks of the site."""
    return [
        block for page in PAGES for block in blocks_of(page.read_text(encoding="utf-8"), str(page.relative_to(ROOT)))
    ]
