"""What HTML pages are made of: templates, colours, scripts and data in a single file that loads nothing."""

from __future__ import annotations

import json
from pathlib import Path

import jinja2
from markupsafe import Markup

from postcopy.report.charts.drawing import DARK, LIGHT

PAGE = Path(__file__).with_name("assets")

COLOURS = tuple(Markup("".join(f"--{name}:{value};" for name, value in of.items())) for of in (LIGHT, DARK))
"""The colours as custom properties, light and dark."""


def environment() -> jinja2.Environment:
    """Where templates are: text is escaped unless it says otherwise, a name that is not there is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def text(name: str) -> Markup:
    """A style sheet or script as it stands."""
    return Markup((PAGE / name).read_text(encoding="utf-8"))


def embedded(data: object) -> Markup:
    """JSON inside a page: no text in it can end the element that it stands in."""
    return Markup(json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"))
