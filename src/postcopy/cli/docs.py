"""`postcopy docs`: the pages of the documentation, which an installation has with it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown

from postcopy.errors import UsageError
from postcopy.suggestions import did_you_mean

PACKAGE = Path(__file__).parents[1]

Name = Annotated[
    str | None, typer.Argument(metavar="PAGE", help="the page, such as language; without it, a list of all")
]


def command(page: Name = None) -> int:
    """Print a page, or the names of all."""
    pages = all_pages()
    if page is None:
        print_names(pages)
        return 0
    text = text_of(page, pages)
    if sys.stdout.isatty():
        Console().print(Markdown(text))
    else:
        print(text, end="")
    return 0


def all_pages() -> dict[str, Path]:
    """The files of the pages by name, manuals first, decisions last.

    Raises:
        UsageError: this installation has none.
    """
    beside = (PACKAGE / "docs", PACKAGE.parents[1] / "docs")  # in a wheel; in a checkout
    folder = next((folder for folder in beside if (folder / "index.md").is_file()), None)
    if folder is None:
        raise UsageError(f"this installation has no pages in {beside[0]}: install it again")
    files = [*sorted(folder.glob("*.md")), *sorted(folder.glob("decisions/[0-9]*.md"))]
    return {file.stem: file for file in files}


def text_of(page: str, pages: dict[str, Path]) -> str:
    """A page as Markdown; a name may be written as messages write it: ``docs/language.md``.

    Raises:
        UsageError: there is no such page.
    """
    name = page.removeprefix("docs/").removeprefix("decisions/").removesuffix(".md")
    name = next((each for each in pages if name.isdigit() and each.startswith(f"{name}-")), name)
    if name not in pages:
        hint = did_you_mean(name, pages) or "; postcopy docs shows what there is"
        raise UsageError(f"there is no page {page}{hint}")
    return pages[name].read_text(encoding="utf-8")


def print_names(pages: dict[str, Path]) -> None:
    """Print each name with the title of its page."""
    width = max(map(len, pages))
    for name, file in pages.items():
        with file.open(encoding="utf-8") as lines:
            print(f"{name:<{width}}  {next(lines).lstrip('# ').strip()}")
