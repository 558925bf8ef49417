"""Fault latencies as a picture: a histogram on a logarithmic scale, with both axes named; light and dark."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from string import Template
from xml.sax.saxutils import escape

from postcopy.report.charts.drawing import DARK, LIGHT, text_width
from postcopy.report.files.file_format import WRITTEN, FileFormat

FORMAT = FileFormat((".svg",), "a picture", comment=f"<!-- {WRITTEN} -->")

BINS = 4
"""Bins to each factor of ten."""

LEAST = 0.001
"""Milliseconds: anything faster counts as this."""

LEFT, RIGHT, TOP, PLOT, BELOW = 84, 24, 56, 170, 62
"""Pixels: margins, and the height of the highest bar."""

BAR = 48
LINES = 4
"""About so many lines across."""

_RULES = Template("""
.histogram text { font: 12px "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif; fill: $ink; }
.histogram .title { font-size: 15px; font-weight: 700; }
.histogram .axis, .histogram .tick { fill: $soft; }
.histogram .count { font-weight: 700; paint-order: stroke; stroke: $bg; stroke-width: 4px; }
.histogram .paper { fill: $bg; }
.histogram .bin { fill: $c0; }
.histogram .grid { stroke: $line; stroke-width: 1; }
.histogram .base { stroke: $edge; stroke-width: 1.5; }
""")

PAGE_RULES = _RULES.substitute({name: f"var(--{name})" for name in LIGHT})
"""The style of a histogram inside of a page, which has the colours."""


def histogram_svg(milliseconds: Sequence[float]) -> str:
    """The picture as a file of its own.

    Args:
        milliseconds: the times from the reading of a fault to the placing of its page, in any order.
    """
    dark = f"@media (prefers-color-scheme: dark) {{{_RULES.substitute(DARK)}}}"
    return drawing(milliseconds, f"<style>{_RULES.substitute(LIGHT)}{dark}</style>")


def drawing(milliseconds: Sequence[float], style: str = "") -> str:
    """The picture.

    Args:
        milliseconds: see `histogram_svg`.
        style: an element of style; empty inside of a page, which has `PAGE_RULES`.
    """
    bins = Counter(math.floor(BINS * math.log10(max(t, LEAST))) for t in milliseconds)
    heading = _heading(milliseconds)
    low, high = (min(bins), max(bins)) if bins else (0, 0)
    width = max(LEFT + BAR * (high - low + 1) + RIGHT, LEFT + RIGHT + round(text_width(heading, 15) * 1.1))
    height = TOP + PLOT + BELOW
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="histogram" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img"><title>{escape(heading)}</title>{style}',
        f'<rect class="paper" width="{width}" height="{height}"/>',
        f'<text class="title" x="12" y="24">{escape(heading)}</text>',
    ]
    if bins:
        parts += _across(max(bins.values()), width)
        parts += _bars(bins, low, high)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _heading(milliseconds: Sequence[float]) -> str:
    if not milliseconds:
        return "Fault latency: no fault was served"
    number = len(milliseconds)
    return f"Fault latency: {number:,} fault{'s' * (number != 1)}, reading to placing"


def _across(most: int, width: float) -> Iterator[str]:
    """Lines across with their numbers, and the name of the axis."""
    step = _step(most)
    for count in range(0, most + 1, step):
        y = TOP + PLOT - PLOT * count / most
        ends = f'x1="{LEFT}" x2="{width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"'
        yield f'<line class="{"grid" if count else "base"}" {ends}/>'
        yield _label("tick", LEFT - 8, y + 4, f"{count:,}", "end")
    middle = TOP + PLOT / 2
    yield (
        f'<text class="axis" x="22" y="{middle}" text-anchor="middle" transform="rotate(-90 22 {middle})">'
        "number of faults</text>"
    )


def _step(most: int) -> int:
    """A round number that divides the axis into a few parts."""
    rough = max(most / LINES, 1)
    power = 10 ** math.floor(math.log10(rough))
    return int(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough))


def _bars(bins: Mapping[int, int], low: int, high: int) -> Iterator[str]:
    """The bars with their numbers, where each begins and ends, and the name of the axis."""
    most, bottom = max(bins.values()), TOP + PLOT
    for n in range(low, high + 1):
        count, x = bins.get(n, 0), LEFT + BAR * (n - low)
        if count:
            tall = max(PLOT * count / most, 1)
            yield f'<rect class="bin" x="{x + 2}" y="{bottom - tall:.1f}" width="{BAR - 4}" height="{tall:.1f}"/>'
            yield _label("count", x + BAR / 2, bottom - tall - 5, f"{count:,}")
    for n in range(low, high + 2):
        yield _label("tick", LEFT + BAR * (n - low), bottom + 18, _time(n))
    middle = LEFT + BAR * (high - low + 1) / 2
    yield _label("axis", max(middle, LEFT + 60), bottom + 44, "milliseconds, logarithmic")


def _time(n: int) -> str:
    """Where a bin begins, with two digits that count."""
    value = 10 ** (n / BINS)
    digits = max(0, 1 - math.floor(n / BINS))
    return f"{value:,.{digits}f}" if n % BINS else f"{value:,.{max(0, -(n // BINS))}f}"


def _label(style: str, x: float, y: float, words: str, anchor: str = "middle") -> str:
    return f'<text class="{style}" x="{x:g}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
