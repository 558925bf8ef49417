"""The generated diagrams of the engine's phases, for `tables`: Mermaid text from the cores' tables of transitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from postcopy.engine import destination_steps, source
from postcopy.engine.destination_steps import Place
from postcopy.engine.source import Phase
from postcopy.engine.transitions import Transitions

P = TypeVar("P")
MANY = 3
"""A step that leads to the same phase from so many phases or more is a sentence below the diagram, not arrows in it."""


def source_phases() -> str:
    """The source's phases."""
    return _diagram(source.TRANSITIONS, Phase.IDLE, lambda phase: phase.name)


def destination_phases() -> str:
    """The destination's places: its postcopy state, and where its main thread is."""
    return _diagram(destination_steps.TRANSITIONS, destination_steps.NONE, _place)


def _place(place: Place) -> str:
    return f"{place.state.name}_{place.main.name}"


def _diagram(table: Transitions[P], first: P, name: Callable[[P], str]) -> str:
    arrows, sentences = [f"    [*] --> {name(first)}"], []
    for row in table:
        if row.after is None:
            continue
        if len(row.before) < MANY:
            arrows += [f"    {name(phase)} --> {name(row.after)}: {row.step.value}" for phase in row.before]
        else:
            phases = ", ".join(f"`{name(phase)}`" for phase in row.before)
            sentences.append(f"- *{row.step.value}*, from {phases}: to `{name(row.after)}`")
    return "\n".join(["```mermaid", "stateDiagram-v2", *arrows, "```", "", *sentences])
