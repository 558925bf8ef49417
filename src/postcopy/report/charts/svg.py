"""A story as a sequence chart in SVG: self-contained, for a README, a browser or a slide; light and dark.

Time runs downwards and each step has a row of its own, so that no two texts can meet. A message is a line
from html import escape
from the row in which it is sent to the row in which it is received: the longer on its way, the steeper.
What is drawn where is decided here; what it says is the story's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from itertools import groupby

from postcopy.report.charts import drawing as draw
from postcopy.report.files.file_format import WRITTEN
from postcopy.report.story.story_format import Kept, StoryFormat
from postcopy.report.story.tell import FOREVER, Flight, Story, StoryStep, tell
from postcopy.report.story.words import MessageInWords

MARGIN = 24
NUMBERS = 34
"""Width of the column of step numbers."""
PITCH = 112
"""From lane to lane."""
WIRE = 180
"""The width that is added between the hosts in all, so that the lines of messages have room."""
BOX = 186
"""The widest a note gets."""
LINE = 16
PADDING = 8
ROW_GAP = 12
BANNER = 26
"""Room for the words above and below what is repeated."""
PILL = 20
"""From label to label of the messages that one step sends."""


@dataclass(frozen=True)
class _Note:
    """A step's box: its middle, its edges, and its lines (each with its class)."""

    step: StoryStep
    x: float
    y: float
    width: float
    height: float
    lines: tuple[tuple[str, str], ...]

    def side(self, towards: float) -> float:
        """The edge that faces a point."""
        return self.x + (self.width / 2 if towards > self.x else -self.width / 2)


@dataclass
class _Chart:
    """The drawing as it grows.

    Attributes:
        x: the middle of each lane.
        wire: what is added between two hosts.
        hosts: for each host its left and right end.
        back: what lies below the notes.
        front: notes and what lies above.
    """

    story: Story
    wire: float
    x: dict[str, float] = field(default_factory=dict)
    hosts: dict[str, tuple[float, float]] = field(default_factory=dict)
    width: float = 0
    back: list[str] = field(default_factory=list)
    front: list[str] = field(default_factory=list)


def sequence_svg(story: Story) -> str:
    """The story as a sequence chart in SVG: one file, no font, script or image from elsewhere."""
    chart = _Chart(story, WIRE / max(len({lane.host for lane in story.lanes}) - 1, 1))
    _place_lanes(chart)
    top = _write_heading(chart)
    rows_from = _write_heads(chart, top)
    notes, bottom = _place_notes(chart, rows_from)
    _write_ground(chart, top, bottom)
    marked = [notes[step.number] for step in (*story.repeated, story.culprit) if step is not None]
    if marked:
        y, end = marked[0].y - marked[0].height / 2 - 6, marked[-1].y + marked[-1].height / 2 + 6
        chart.back.append(draw.rect(MARGIN / 2, y, chart.width - MARGIN, end - y, style="lastrow", radius=8))
    if story.loop is not None:
        if marked:
            chart.front.append(draw.text(MARGIN, y - PADDING, FOREVER, "strong bad"))
        chart.front.append(draw.text(MARGIN, bottom - PADDING, story.back, "strong bad"))
    _write_lives(chart, rows_from - 16, bottom)
    ends = {flight: _write_flight(chart, flight, notes, bottom) for flight in story.flights}
    for note in notes.values():
        _write_note(chart, note, note.step is story.culprit)
    for flight, place in ends.items():
        _write_pill(chart, flight.message, *place)
    height = _write_contradiction(chart, bottom)
    size = f'width="{chart.width:.0f}" height="{height:.0f}" viewBox="0 0 {chart.width:.0f} {height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(story.title, quote=False)}</title>",
        f"<style>{draw.style_sheet()}</style>",
        draw.rect(0, 0, chart.width, height, style="bg", radius=0),
        *chart.back,
        *chart.front,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _place_lanes(chart: _Chart) -> None:
    x = MARGIN + NUMBERS + BOX / 2
    for host, lanes in groupby(chart.story.lanes, key=lambda lane: lane.host):
        left = x
        for lane in lanes:
            chart.x[lane.thread] = x
            x += PITCH
        chart.hosts[host] = (left, x - PITCH)
        x += chart.wire
    chart.width = max(x - PITCH - chart.wire + BOX / 2 + MARGIN, 560)


def _write_heading(chart: _Chart) -> float:
    story, y = chart.story, MARGIN + 16.0
    for line in draw.wrap(story.title, chart.width - 2 * MARGIN, 18 * draw.BOLD):
        chart.front.append(draw.text(MARGIN, y, line, "title"))
        y += 24
    chart.front.append(draw.text(MARGIN, y, f"{story.protocol}, {story.size}, {story.length}", "soft"))
    y, x = y + 22, MARGIN + 0.0
    for number, channel in enumerate(story.channels):
        chart.front.append(f'<g class="c{number % 3}">{"".join(draw.arrow(x, y - 4, x + 28, y - 4))}</g>')
        chart.front.append(draw.text(x + 36, y, channel, "soft"))
        x += 36 + draw.text_width(channel) + 20
    if any(step.environment for step in story.steps):
        chart.front.append(draw.rect(x, y - 11, 24, 14, style="note free", radius=4))
        chart.front.append(draw.text(x + 32, y, "may happen or not", "soft"))
    return y + 16


def _write_heads(chart: _Chart, top: float) -> float:
    y = top + 34
    names = {thread: draw.wrap(thread, PITCH - 28) for thread in chart.x}
    height = max((len(lines) for lines in names.values()), default=1) * LINE + 10
    for host, (left, right) in chart.hosts.items():
        chart.front.append(draw.text((left + right) / 2, top + 22, host.upper(), "host", middle=True))
    for thread, lines in names.items():
        x = chart.x[thread]
        chart.front.append(draw.rect(x - PITCH / 2 + 6, y, PITCH - 12, height, style="note", radius=6))
        first = y + height / 2 - (len(lines) - 1) * LINE / 2 + 4
        chart.front += [draw.text(x, first + i * LINE, line, "head", middle=True) for i, line in enumerate(lines)]
    return y + height + 16


def _place_notes(chart: _Chart, y: float) -> tuple[dict[int, _Note], float]:
    notes = {}
    for step in chart.story.steps:
        y += BANNER if step.number == chart.story.loop else 0
        size = draw.SIZE * (draw.BOLD if step is chart.story.culprit else 1)
        lines = [(line, "") for line in draw.balance(step.what, BOX - 2 * PADDING, size)]
        for message in step.received:
            if message.marks:
                lines.append((f"{message.label} is {' and '.join(message.marks)}", "bad"))
        width = max(draw.text_width(line, size) for line, _ in lines) + 2 * PADDING
        both = 16 if step.sent and step.received else 0
        height = max(len(lines) * LINE, len(step.sent) * PILL + both) + 2 * PADDING - 2
        notes[step.number] = _Note(step, chart.x[step.thread], y + height / 2, width, height, tuple(lines))
        y += height + ROW_GAP
    return notes, y + (BANNER if chart.story.loop is not None else 0)


def _write_ground(chart: _Chart, top: float, bottom: float) -> None:
    ends = list(chart.hosts.values())
    for number, (left, right) in enumerate(ends):
        start = left - (BOX / 2 + 6 if number == 0 else PITCH / 2 + 4)
        end = right + (BOX / 2 + 6 if number == len(ends) - 1 else PITCH / 2 + 4)
        chart.back.append(draw.rect(start, top, end - start, bottom - top, style=f"band{number % 3}", radius=10))


def _write_lives(chart: _Chart, rows_from: float, bottom: float) -> None:
    for x in chart.x.values():
        chart.back.append(draw.line(x, rows_from, x, bottom - 6, "life"))


def _write_flight(chart: _Chart, flight: Flight, notes: dict[int, _Note], bottom: float) -> tuple[float, float, float]:
    """Draw a message's way; returns where its label goes: left end, middle, and right end."""
    sender = notes[flight.sent]
    together = [f for f in chart.story.flights if f.sent == flight.sent]
    y = sender.y + (together.index(flight) - (len(together) - 1) / 2) * PILL + (7 if sender.step.received else 0)
    towards = _goal(chart, flight, sender, notes)
    direction = 1 if towards > sender.x else -1
    edge = sender.side(towards)
    near, far = edge + direction * 8, edge + direction * (24 + draw.text_width(_label(flight.message), 11.5))
    if flight.received is not None:
        receiver = notes[flight.received]
        end_x, end_y = (
            receiver.side(sender.x),
            receiver.y - (receiver.height / 2 - 9 if receiver.step.sent else 0),
        )
    else:
        end_x, end_y = towards, notes[flight.lost].y if flight.lost is not None else bottom - 14
    # leave the label early enough to arrive from the sender's side: from below it where its end is too far
    latest = end_x - direction * 26
    start_x, start_y = (far, y) if direction * (latest - far) >= 0 else (latest, y + 9)
    if direction * (start_x - near) < 9:
        start_x = near + direction * 9
    parts = [draw.line(edge, y, near, y, "flight")]
    if flight.received is not None:
        parts += draw.arrow(start_x, start_y, end_x, end_y)
    else:
        parts.append(
            draw.line(start_x, start_y, end_x, end_y, "flight" if flight.lost is not None else "flight pending")
        )
        if flight.lost is not None:
            parts.append(f'<path class="cross" d="M{end_x - 6:.1f} {end_y - 6:.1f}l12 12m0 -12l-12 12"/>')
    chart.back.append(f'<g class="{_channel_class(chart.story, flight.message)}">{"".join(parts)}</g>')
    return min(near, far), y, max(near, far)


def _goal(chart: _Chart, flight: Flight, sender: _Note, notes: dict[int, _Note]) -> float:
    """Where a message is heading: its receiver, or, where it never arrives, the middle of the wire."""
    if flight.received is not None:
        return notes[flight.received].x
    own = next(lane.host for lane in chart.story.lanes if lane.thread == sender.step.thread)
    hosts = list(chart.hosts)
    to_the_left = flight.host in hosts and hosts.index(flight.host) < hosts.index(own)
    left, right = chart.hosts[own]
    middle = (PITCH + chart.wire) / 2
    return left - middle if to_the_left else right + middle


def _channel_class(story: Story, message: MessageInWords) -> str:
    return f"c{story.channels.index(message.channel) % 3}"


def _label(message: MessageInWords) -> str:
    return " ".join([message.label, *message.marks])


def _write_note(chart: _Chart, note: _Note, last: bool) -> None:
    kind = "note" + (" free" if note.step.environment else "") + (" last" if last else "")
    left, top = note.x - note.width / 2, note.y - note.height / 2
    chart.front.append(
        draw.text(MARGIN + 14, note.y + 4, str(note.step.number), "number bad" if last else "number", end=True)
    )
    chart.front.append(draw.rect(left, top, note.width, note.height, style=kind, radius=7))
    first = note.y - (len(note.lines) - 1) * LINE / 2 + 4
    for i, (line, style) in enumerate(note.lines):
        shown = "strong bad" if last else style
        chart.front.append(draw.text(note.x, first + i * LINE, line, shown, middle=True))


def _write_pill(chart: _Chart, message: MessageInWords, left: float, y: float, right: float) -> None:
    pill = draw.rect(left, y - 9, right - left, 18, style="pill", radius=9)
    label = draw.text((left + right) / 2, y + 4, _label(message), "label", middle=True)
    chart.front.append(f'<g class="{_channel_class(chart.story, message)}">{pill}{label}</g>')


def _write_contradiction(chart: _Chart, bottom: float) -> float:
    contradiction, y = chart.story.contradiction, bottom + 16
    if contradiction is None:
        return y
    rules = f" ({' '.join(contradiction.rules)})" if contradiction.rules else ""
    paragraphs = [
        ("strong bad", f"Violated: {contradiction.sentence}{rules}"),
        ("", contradiction.culprits),
        ("", contradiction.because),
    ]
    y += 8
    for style, paragraph in paragraphs:
        size = draw.SIZE * (draw.BOLD if "strong" in style else 1)
        for line in draw.wrap(paragraph, chart.width - 2 * MARGIN, size) if paragraph else []:
            chart.front.append(draw.text(MARGIN, y, line, style))
            y += LINE + 2
        y += 3
    return y + MARGIN - LINE


def _file(kept: Kept) -> bytes:
    return sequence_svg(tell(kept.run)).encode()


FORMAT = StoryFormat((".svg",), "a picture", comment=f"<!-- {WRITTEN} -->", media="image/svg+xml", write=_file)
