"""What the site adds to its pages while it is built: the references, taken from the code (an extension of Sphinx).

``{commands}`` stands for the options of every command, and ``{names} MODULE`` for what a module gives, each from its
docstring.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from documentation import reference

FIRST_PAGE = """<!doctype html><meta charset="utf-8"><title>postcopy-mc</title>
<meta http-equiv="refresh" content="0; url=docs/index.html"><a href="docs/index.html">postcopy-mc</a>
"""


class Commands(SphinxDirective):
    """The options of every command."""

    def run(self) -> list[nodes.Node]:
        """The sections."""
        return self.parse_text_to_nodes(reference.commands(), allow_section_headings=True)


class Names(SphinxDirective):
    """What a module gives."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"leave-out": str.split}

    def run(self) -> list[nodes.Node]:
        """Each name with its signature and docstring."""
        directives = reference.names(self.arguments[0], tuple(self.options.get("leave-out", ())))
        return self.parse_text_to_nodes(f"```{{eval-rst}}\n{directives}\n```")


def leave_out_of_contents(app: Sphinx, _: nodes.document) -> None:
    """Let stories and README be without a place in the contents: the stories' table and the first page lead to both."""
    name = app.env.docname
    if name == "README" or (name.startswith("counterexamples/") and name != "counterexamples/README"):
        app.env.metadata[name]["orphan"] = ""


def keep_colons(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:  # noqa: ARG001
    """Let a value or a property begin its text with a clause and a colon: the first word is no type."""
    if what in ("attribute", "data", "property"):
        lines.insert(0, "")


def lead_to_the_first_page(app: Sphinx, exception: Exception | None) -> None:
    """Write the page at the top, from where the address of the site alone leads to the first page."""
    if exception is None and app.builder.name == "html":
        Path(app.outdir, "index.html").write_text(FIRST_PAGE, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Make it known to Sphinx."""
    app.add_directive("commands", Commands)
    app.add_directive("names", Names)
    app.add_lexer("mermaid", TextLexer)  # the charts of stories; the repository's own pages draw them
    app.connect("doctree-read", leave_out_of_contents)
    app.connect("autodoc-process-docstring", keep_colons, priority=400)  # before Napoleon
    app.connect("build-finished", lead_to_the_first_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
