"""The means of drawing: colours, the width of text, a few shapes of SVG. Knows nothing of stories."""

from __future__ import annotations

from html import escape
from string import Template

SIZE = 12.5
"""Font size of notes, in pixels."""
BOLD = 1.2
"""How much wider bold text may be, in the common sans-serif fonts."""

_NARROW = frozenset("ijl.,:;'|!()[]{}/ ")
_WIDE = frozenset("mwMWCDGOQ@%—→")

LIGHT = {
    "bg": "#ffffff", "ink": "#1f2933", "soft": "#586471", "line": "#c3ccd6",
    "note": "#ffffff", "edge": "#aab5c1", "band0": "#f1f5fb", "band1": "#f0f7f3", "band2": "#f7f3ee",
    "bad": "#c4242f", "good": "#1c7a43", "badrow": "#fbdfe0", "c0": "#1a63b5", "c1": "#a04f06", "c2": "#7a3fb5",
}  # fmt: skip
DARK = {
    "bg": "#0f1419", "ink": "#e4e9ef", "soft": "#94a1b0", "line": "#3d4854",
    "note": "#1b232c", "edge": "#556270", "band0": "#151d28", "band1": "#14211d", "band2": "#221d17",
    "bad": "#ff7b7b", "good": "#63cf8f", "badrow": "#4a1d22", "c0": "#6cb1ff", "c1": "#f0a860", "c2": "#c79bff",
}  # fmt: skip
"""The colours of charts and pages by what they are for: on white, and in the dark."""

_SHAPES = """
text { font-family: "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif; font-size: 12.5px; }
.title { font-size: 18px; font-weight: 700; }
.host { font-size: 12px; font-weight: 700; letter-spacing: .08em; }
.head, .strong { font-weight: 700; }
.number { font-size: 11px; }
.label { font-size: 11.5px; font-weight: 700; }
.life { stroke-width: 1.5; }
.flight { stroke-width: 1.8; fill: none; }
.pending { stroke-dasharray: 2 4; }
.pill { stroke-width: 1.2; }
.free { stroke-dasharray: 4 3; }
.last { stroke-width: 2; stroke-dasharray: none; }
.cross { stroke-width: 2.5; stroke-linecap: round; fill: none; }
"""

_COLOURS = """
text { fill: $ink; }
.soft, .host, .number { fill: $soft; }
.bg { fill: $bg; }
.band0 { fill: $band0; } .band1 { fill: $band1; } .band2 { fill: $band2; }
.life { stroke: $line; }
.note { fill: $note; stroke: $edge; }
.last, .cross { stroke: $bad; }
.lastrow { fill: $badrow; }
.bad { fill: $bad; }
.pill { fill: $bg; }
.c0 .flight, .c0 .pill { stroke: $c0; } .c0 .tip, .c0 .label { fill: $c0; }
.c1 .flight, .c1 .pill { stroke: $c1; } .c1 .tip, .c1 .label { fill: $c1; }
.c2 .flight, .c2 .pill { stroke: $c2; } .c2 .tip, .c2 .label { fill: $c2; }
"""
# Colours are spelt out twice rather than kept in custom properties, which not every viewer of SVG knows.


def style_sheet() -> str:
    """The style sheet, light and dark."""
    colours = Template(_COLOURS)
    dark = f"@media (prefers-color-scheme: dark) {{{colours.substitute(DARK)}}}"
    return f"{_SHAPES}{colours.substitute(LIGHT)}{dark}"


def text_width(text: str, size: float = SIZE) -> float:
    """About how many pixels a text takes in a common sans-serif font; rather too many than too few."""
    units = sum(0.3 if c in _NARROW else 0.84 if c in _WIDE else 0.69 if c.isupper() else 0.56 for c in text)
    return units * size


def wrap(text: str, width: float, size: float = SIZE) -> list[str]:
    """Break a text into lines of at most so many pixels; a longer word gets a line of its own."""
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines or [""]


def balance(text: str, width: float, size: float = SIZE) -> list[str]:
    """Break a text into as few lines as the width allows, and these about equally long."""
    lines = wrap(text, width, size)
    while len(narrower := wrap(text, width - 6, size)) == len(lines) and width > 60:
        lines, width = narrower, width - 6
    return lines


def text(x: float, y: float, words: str, style: str, *, middle: bool = False, end: bool = False) -> str:
    """A line of text that starts, has its middle, or ends at a point."""
    anchor = ' text-anchor="middle"' if middle else ' text-anchor="end"' if end else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}"{anchor}>{escape(words, quote=False)}</text>'


def rect(x: float, y: float, width: float, height: float, *, style: str, radius: float = 8) -> str:
    """A rectangle with round corners."""
    size = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect {size} rx="{radius}" class="{style}"/>'


def line(x: float, y: float, end_x: float, end_y: float, style: str) -> str:
    """A straight line."""
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{end_x:.1f}" y2="{end_y:.1f}" class="{style}"/>'


def arrow(x: float, y: float, end_x: float, end_y: float) -> list[str]:
    """A line with a filled tip; a marker would not take its colour from where it is used."""
    length = ((end_x - x) ** 2 + (end_y - y) ** 2) ** 0.5 or 1
    ux, uy = (end_x - x) / length, (end_y - y) / length
    base_x, base_y = end_x - 9 * ux, end_y - 9 * uy
    corners = [(end_x, end_y), (base_x - 4 * uy, base_y + 4 * ux), (base_x + 4 * uy, base_y - 4 * ux)]
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in corners)
    return [line(x, y, base_x, base_y, "flight"), f'<polygon class="tip" points="{points}"/>']
