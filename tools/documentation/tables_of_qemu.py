"""The generated blocks about the model of QEMU, for `tables`."""

from __future__ import annotations

from collections.abc import Iterator

from documentation.markdown import table
from postcopy.catalogue.qemu_faults import FOUND, NOT_FOUND, Searched
from postcopy.catalogue.qemu_source import Function
from postcopy.catalogue.qemu_steps import STEPS, WITHOUT_STEP, QemuStep
from postcopy.model.qemu.faults.fault import LOCKED
from postcopy.report.charts.markdown import escape
from postcopy.report.records.listings import words

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
    link = _link(step)
    actions = "<br>".join(f"`{action}`" for action in step.actions)
    return [f"`{step.number}`", step.thread, escape(step.does), link, actions or "none", step.remark]


def _link(step: QemuStep) -> str:
    file, name = step.where.split(":")
    return f"[`{step.where}`]({Function(name, file, step.line).url})"


def qemu_without_step() -> str:
    """The actions of the model that stand for no step of the table."""
    return table(["action", "what it stands for"], [[f"`{a}`", escape(what)] for a, what in WITHOUT_STEP.items()])


def qemu_faults() -> str:
    """Every rule whose removal a property finds."""
    rows = [[*_removed(found), f"`{found.breaks}`", str(found.steps), _options(found), _why(found)] for found in FOUND]
    return table(["step", "in QEMU", "what is removed", "fault", "found by", "run", "needs", "remark"], rows)


def qemu_faults_not_found() -> str:
    """Every rule whose removal no property finds."""
    rows = [[*_removed(one), f"`{one.fault.expects}`", one.remark] for one in NOT_FOUND]
    return table(["step", "in QEMU", "what is removed", "fault", "expected", "why none finds it"], rows)


def qemu_steps_without_fault() -> str:
    """The steps of QEMU that have no fault."""
    have = {one.fault.step for one in (*FOUND, *NOT_FOUND)}
    return ", ".join(f"`{number}` ({escape(step.does)})" for number, step in STEPS.items() if number not in have) + "."


def _removed(one: Searched) -> list[str]:
    step = STEPS[one.fault.step]
    return [f"`{step.number}`", _link(step), escape(words(one.fault)), f"`{one.name}`"]


def _options(one: Searched) -> str:
    """What a search needs beside the least."""
    fault = one.fault
    terms = [term.partition("=")[0] for term in fault.terms.split("+") if term.endswith("=on") and term not in LOCKED]
    needs = (
        (", ".join(terms), bool(terms)),
        (f"{fault.pages} pages in one host page", fault.host_page > 1),
        (f"{fault.pages} pages", fault.pages > 1 and fault.host_page == 1),
        (f"{fault.in_flight} in flight", fault.in_flight > 1),
    )
    return ", ".join(what for what, needed in needs if needed)


def _why(one: Searched) -> str:
    if one.breaks == one.fault.expects:
        return one.remark
    return f"expected: `{one.fault.expects}`. {one.remark}"
