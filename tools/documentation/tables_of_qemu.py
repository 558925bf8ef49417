"""The generated blocks about the model of QEMU, for `tables`."""

from __future__ import annotations

from collections.abc import Iterator

from documentation.markdown import table
from postcopy.catalogue.qemu_source import Function
from postcopy.catalogue.qemu_steps import STEPS, WITHOUT_STEP, QemuStep
from postcopy.report.charts.markdown import escape

_SIDES = {
    "S": "The source: migration thread, main loop and operator",
    "R": "The source: return-path thread",
    "D": "The destination: main thread, main loop and listen thread",
    "F": "The destination: fault thread",
    "P": "The destination: preempt thread",
    "M": "The destination: operator",
}


def qemu_steps() -> str:
    """Every step of QEMU, and the actions that stand for it."""
    return "\n\n".join("\n".join(_side(letter, title)) for letter, title in _SIDES.items())


def _side(letter: str, title: str) -> Iterator[str]:
    yield f"### {title}\n"
    rows = [_row(step) for step in STEPS.values() if step.number.startswith(letter)]
    yield table(["step", "thread", "what it does", "in QEMU", "in the model", "remark"], rows)


def _row(step: QemuStep) -> list[str]:
    file, name = step.where.split(":")
    link = f"[`{step.where}`]({Function(name, file, step.line).url})"
    actions = "<br>".join(f"`{action}`" for action in step.actions)
    return [f"`{step.number}`", step.thread, escape(step.does), link, actions or "none", escape(step.remark)]


def qemu_without_step() -> str:
    """The actions of the model that stand for no step of the table."""
    return table(["action", "what it stands for"], [[f"`{a}`", escape(what)] for a, what in WITHOUT_STEP.items()])
