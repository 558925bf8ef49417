"""A story as a Mermaid sequence diagram: the text that renders in a README, an issue or an editor.

Every thread is a lane, and so is every channel between the hosts: a message arrives there when it is sent and
leaves when it is received.
"""

from __future__ import annotations

import textwrap

from postcopy.report.files.file_format import WRITTEN
from postcopy.report.story.story_format import Kept, StoryFormat
from postcopy.report.story.tell import Story, StoryStep, tell

WIDTH = 34
"""Characters on a line of a note."""


def mermaid(story: Story) -> str:
    """The story as a Mermaid ``sequenceDiagram``, without a fence around it."""
    lines = ["sequenceDiagram"]
    names = _lanes(story)
    lines += [f"    participant {identifier} as {escape(name)}" for name, identifier in names.items()]
    for step in story.steps:
        body = _step(step, names)
        if step is story.culprit:
            body = _red([*body, _violated(story, names[step.thread])])
        if step.number == story.loop:
            lines.append("    loop for ever")
        lines += [f"    {'    ' if step in story.repeated else ''}{line}" for line in body]
    if story.loop is not None and names:
        across = f"{next(iter(names.values()))},{list(names.values())[-1]}"
        lines += ["    end"] if story.repeated else [f"    Note over {across}: {_wrapped(story.back)}"]
        lines += [f"    {line}" for line in _red([_violated(story, across)])] if story.contradiction else []
    return "\n".join(lines) + "\n"


def _violated(story: Story, where: str) -> str:
    assert story.contradiction is not None
    return f"Note over {where}: {_wrapped(f'Violated: {story.contradiction.sentence}')}"


def _red(lines: list[str]) -> list[str]:
    return ["rect rgba(220, 40, 50, 0.2)", *(f"    {line}" for line in lines), "end"]


def _lanes(story: Story) -> dict[str, str]:
    """The lanes' names with their identifiers."""
    identifiers = {lane.thread: f"T{i}" for i, lane in enumerate(story.lanes)}
    identifiers |= {channel: f"C{i}" for i, channel in enumerate(story.channels)}
    return {name: identifiers[name] for name in story.columns}


def _step(step: StoryStep, names: dict[str, str]) -> list[str]:
    """A note, or an arrow for each message: the first of them has the step's words."""
    own, words = names[step.thread], f"{step.number}. {step.what}"
    arrows = [(f"{names[message.channel]}-){own}", message) for message in step.received]
    arrows += [(f"{own}-){names[message.channel]}", message) for message in step.sent]
    if not arrows:
        return [f"Note over {own}: {_wrapped(words)}"]
    labels = [" ".join([message.label, *message.marks]) for _, message in arrows]
    return [
        f"{arrow}: {escape(label)}" + (f"<br/>{_wrapped(words)}" if i == 0 else "")
        for i, ((arrow, _), label) in enumerate(zip(arrows, labels, strict=True))
    ]


def _wrapped(text: str) -> str:
    return "<br/>".join(escape(line) for line in textwrap.wrap(text, WIDTH))


def escape(text: str) -> str:
    """Spell out what Mermaid would take for its own: comment and statement signs, and HTML's."""
    signs = {"#": "#35;", ";": "#59;", "<": "#lt;", ">": "#gt;", "\n": " "}
    return "".join(signs.get(c, c) for c in text)


def _file(kept: Kept) -> bytes:
    return mermaid(tell(kept.run)).encode()


FORMAT = StoryFormat((".mmd",), "Mermaid", comment=f"%% {WRITTEN}", media="text/plain", write=_file)
