"""What a change can use of the document's protocol, part by part: threads, fields, ends, actions and helper methods."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

from documentation.markdown import table
from postcopy.language.channel_ends import DeclaredEnd
from postcopy.language.fields import Field
from postcopy.language.machines import Ghost, Machine, Part
from postcopy.language.python_values import plain_function
from postcopy.language.threads import Thread
from postcopy.model.postcopy import Postcopy
from postcopy.report.charts.markdown import escape


def parts() -> str:
    """A section for each machine and for the ghost."""
    found = Postcopy.parts(Machine) | Postcopy.parts(Ghost)
    return "\n\n".join(_section(name, part) for name, part in found.items())


def _section(name: str, part: type[Part]) -> str:
    head = (
        f"## {part.__name__}\n\n`Postcopy.{name}`, in `{part.__module__}`. {escape(first_sentence(part.__doc__))}\n\n"
    )
    return head + table(["name", "what", "in words"], [[f"`{row[0]}`", *row[1:]] for row in rows(part)])


def rows(part: type[Part]) -> list[tuple[str, str, str]]:
    """What a part of the protocol declares: its name with its parameters, what it is, and its first sentence."""
    return sorted(_rows(part), key=lambda row: ORDER.index(row[1]))


ORDER = ("thread", "Flag", "Choice", "Count", "Bitmap", "CpuBitmap", "end", "action", "method")
"""What the rows of a part are sorted by."""


def _rows(part: type[Part]) -> Iterator[tuple[str, str, str]]:
    for name, value in vars(part).items():
        function = plain_function(value)
        if isinstance(value, Thread):
            yield name, "thread", escape(value.label)
        elif isinstance(value, Field):
            yield name, type(value).__name__, escape(value.doc)
        elif isinstance(value, DeclaredEnd):
            yield name, "end", f"`{type(value).__name__}` of `{value.channel}`"
        elif function is not None and not name.startswith("__"):
            parameters = [p for p in inspect.signature(function).parameters if p != "self"]
            what = "action" if hasattr(function, "action_info") else "method"
            yield f"{name}({', '.join(parameters)})", what, escape(first_sentence(function.__doc__))


def first_sentence(doc: str | None) -> str:
    """The beginning of a docstring, on one line."""
    return re.split(r"(?<=\.)\s+(?=[A-Z])", " ".join((doc or "").split()), maxsplit=1)[0]
