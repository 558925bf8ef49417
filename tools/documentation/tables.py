"""What the documentation says of the code, taken from the code: Markdown for the marked blocks in docs/*.md.

`python -m documentation.tables` rewrites every block between ``<!-- generated: NAME -->`` and
``<!-- end -->``, and runs every program (a ``python`` block right before a ``text`` block) to write below it
what it prints. Prose is written by hand, outside of the blocks; what a run found is found again each time.
"""

from __future__ import annotations

import linecache
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path

from rich.console import Console

from architecture.diagram import table_of_rooms
from documentation import (
    claims,
    diagrams,
    tables_of_bugs,
    tables_of_changes,
    tables_of_history_in_qemu,
    tables_of_others,
    tables_of_parts,
    tables_of_qemu,
)
from documentation.markdown import table
from documentation.qemu_scenarios import scenarios
from documentation.tables_of_bugs import linked
from postcopy.catalogue import qemu_source
from postcopy.catalogue.properties import BY_NAME
from postcopy.errors import UsageError
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Verdict
from postcopy.language.actions import ActionInstance
from postcopy.language.channels import Channel
from postcopy.language.fields import EITHER, Bitmap, CpuBitmap, Field, Home
from postcopy.language.instance import Instance
from postcopy.language.machines import Ghost, Machine, Part
from postcopy.language.properties import Property
from postcopy.language.protocol import Protocol
from postcopy.language.symbolic import read_action
from postcopy.language.trees import Branch, Tree
from postcopy.language.variables import Sort
from postcopy.model.fault import Fault
from postcopy.model.faults import FAULTS
from postcopy.model.others.cloud_hypervisor import CloudHypervisorMended
from postcopy.model.others.criu import CriuLazyPagesMended
from postcopy.model.postcopy import Postcopy
from postcopy.model.rules import RULES, Rule
from postcopy.properties.beyond import refusal_costs_no_guest
from postcopy.report.charts.markdown import escape
from postcopy.report.story.tell import tell
from postcopy.report.story.text import print_story
from postcopy.report.story.words import plain
from postcopy.suggestions import unknown

_BLOCK = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_PROGRAM = re.compile(r"(```python\n([^`]*)```\n\n```text\n)[^`]*(```)")


def actions(protocol: type[Protocol] = Postcopy) -> list[ActionInstance]:
    """The protocol's actions, one that each vCPU has only once."""
    return [action for action in Instance(protocol, 1, 1).actions if not action.cpu]


def carriers(number: str) -> list[ActionInstance]:
    """The actions that stand for a rule."""
    return [action for action in actions() if number in action.info.rule.split()]


def properties(number: str, *, witnesses: bool) -> list[Property]:
    """The properties, or the witnesses, that stand for a rule."""
    return [p for p in BY_NAME.values() if number in p.rules and p.is_witness == witnesses]


def faults(number: str) -> dict[str, type[Fault]]:
    """The faults that take a rule away, by name."""
    return {name: fault for name, fault in FAULTS.items() if fault.rule == number}


def rules_at_a_glance() -> str:
    """Every rule in one line: how many actions and properties it has, and what breaks without it."""
    rows = []
    for number in RULES:
        broken = [f"`{name}` breaks `{fault.breaks[0]}`" for name, fault in faults(number).items()]
        checks, situations = (len(properties(number, witnesses=w)) for w in (False, True))
        counts = [str(n or "-") for n in (len(carriers(number)), checks, situations)]
        rows.append([f"[{number}](#{number.lower()})", *counts, "<br>".join(broken) or "-"])
    return table(["rule", "actions", "properties", "witnesses", "the fault without it"], rows)


def rules() -> str:
    """A section for each rule: what it asks for, and where it stands in the model."""
    return "\n\n".join("\n".join(_rule(rule)) for rule in RULES.values())


def _rule(rule: Rule) -> Iterator[str]:
    yield f"### {rule.number}\n\n{escape(rule.sentence)}\n\nWithout it: {escape(rule.without)}\n"
    its = carriers(rule.number)
    if its:
        yield f"- Carried by {_names(action_name(a) for a in its)}."
    for word, witnesses in (("Checked", False), ("Reached", True)):
        found = properties(rule.number, witnesses=witnesses)
        if found:
            yield f"- {word} by {_names(p.name for p in found)}."
    for name, fault in faults(rule.number).items():
        pages = f" and {fault.pages} pages" if fault.pages > fault.group else ""
        host = f" It shows with host pages of {fault.group} target pages{pages}." if fault.group > 1 else ""
        yield f"- Taken away by `{name}`: {linked(escape(_docstring(fault)))} Breaks {_names(fault.breaks)}.{host}"
    if rule.beside:
        yield f"- Beside the model: {escape(rule.beside)}"


def action_name(action: ActionInstance) -> str:
    """An action's name, whichever vCPU's it is: ``destination.cpu_reads``."""
    return f"{action.machine}.{action.method}"


def threads() -> str:
    """The threads in the order of the text, and what each of them can do."""
    rows = [
        [
            action.declared.label + (" (environment)" if action.info.environment else ""),
            f"`{action_name(action)}`",
            escape(action.doc),
            action.info.rule,
            qemu_source.link(action.info.qemu),
        ]
        for action in actions()
    ]
    return table(["thread", "action", "what it does", "rules", "in QEMU"], rows)


def state() -> str:
    """The fields of the machines and of the observer, with what they are when nothing has happened yet."""
    parts = Postcopy.parts(Machine) | Postcopy.parts(Ghost)
    rows = [
        [_field_name(part, cls, name), _kind(field), _initial(field), escape(field.doc)]
        for part, cls in parts.items()
        for name, field in cls.fields().items()
    ]
    return table(["field", "kind", "at first", "what it is"], rows)


def _field_name(part: str, cls: type[Part], name: str) -> str:
    return f"`{part}.{name}`" + (" (observer)" if cls.ghost else "")


def _kind(field: Field[object]) -> str:
    if isinstance(field, CpuBitmap):
        return "pages, for each vCPU"
    if isinstance(field, Bitmap):
        return "pages"
    variable, _ = field.variables(Home("", ghost=False, cpus=1))[0]
    assert variable.sort is Sort.NUMBER
    return "yes or no" if variable.values == (False, True) else f"one of {variable.size}"


def _initial(field: Field[object]) -> str:
    if field.initial is EITHER:
        return "either"
    if isinstance(field.initial, bool):
        return "yes" if field.initial else "no"
    return plain(str(getattr(field.initial, "name", field.initial))).lower()


def messages() -> str:
    """What travels on each channel, and which actions send and receive it."""
    instance, ends = Instance(Postcopy, 1, 1), set()
    for action in actions():
        ends |= {(action_name(action), *happened) for happened in _messages(read_action(instance, action))}
    rows = []
    for name, channel in Postcopy.parts(Channel).items():
        for kind in channel.messages:
            senders, receivers = (
                [action_name(a) for a in actions() if (action_name(a), name, kind.name, sent) in ends]
                for sent in (True, False)
            )
            if senders:
                rows.append([plain(name), f"`{kind.name}`", _names(senders), _names(receivers)])
    return table(["channel", "message", "sent by", "received by"], rows)


def _messages(tree: Tree) -> set[tuple[str, str, bool]]:
    """Channel, kind and direction of every message of an action: that is, of every path of its body."""
    if isinstance(tree, Branch):
        return _messages(tree.yes) | _messages(tree.no)
    return {(e.channel, e.what.name, e.sent) for e in tree.events if e.channel} if tree else set()


def refusal() -> str:
    """The shortest run in which a refusal costs the guest."""
    return _console(_search(2, 2))


def refusal_sizes() -> str:
    """At which sizes the explorer finds that run."""
    rows = []
    for pages, in_flight in ((1, 1), (1, 2), (1, 3), (2, 2)):
        verdict = _search(pages, in_flight)
        run = verdict.counterexample
        holds = f"holds: all {verdict.states:,} states explored"
        how = f"violated in {len(run.steps)} steps" if run else holds
        switched = run and any(step.action.method == "sends_package" for step in run.steps)
        where = "" if not run else "at the switch" if switched else "at the end of precopy"
        rows.append([str(pages), str(in_flight), how, where])
    return table(["pages", "in flight", "refusal-costs-no-guest", "where"], rows)


@cache
def _search(pages: int, in_flight: int) -> Verdict:
    instance = Instance(Postcopy, pages, in_flight, (refusal_costs_no_guest,))
    return explore(instance, Options(engine=Engine.INTERPRETED))


def _console(verdict: Verdict) -> str:
    assert verdict.counterexample is not None
    out = StringIO()
    console = Console(file=out, width=100, color_system=None, highlight=False)
    print_story(tell(verdict.counterexample), console)
    return "```text\n" + "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n```"


def _names(names: Sequence[str] | Iterator[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _docstring(cls: type) -> str:
    return " ".join((cls.__doc__ or "").split())


BLOCKS: dict[str, Callable[[], str]] = {
    "claims": claims.claims,
    "rules-at-a-glance": rules_at_a_glance,
    "rules": rules,
    "threads": threads,
    "state": state,
    "messages": messages,
    "refusal": refusal,
    "refusal-sizes": refusal_sizes,
    "bugs-at-a-glance": tables_of_bugs.bugs_at_a_glance,
    "bugs": tables_of_bugs.bugs,
    "changes": tables_of_changes.changes,
    "history": tables_of_changes.history,
    "hypotheses": tables_of_changes.hypotheses,
    "others": tables_of_others.others,
    "defects-of-others": tables_of_others.defects,
    "actions-of-cloud-hypervisor": lambda: tables_of_others.actions(CloudHypervisorMended),
    "actions-of-criu": lambda: tables_of_others.actions(CriuLazyPagesMended),
    "asked-of-others": tables_of_others.asked,
    "parts": tables_of_parts.parts,
    "qemu-steps": tables_of_qemu.qemu_steps,
    "history-in-qemu": tables_of_history_in_qemu.history_in_qemu,
    "qemu-without-step": tables_of_qemu.qemu_without_step,
    "qemu-faults": tables_of_qemu.qemu_faults,
    "qemu-faults-not-found": tables_of_qemu.qemu_faults_not_found,
    "qemu-steps-without-fault": tables_of_qemu.qemu_steps_without_fault,
    "qemu-scenarios": scenarios,
    "rooms": table_of_rooms,
    "source-phases": diagrams.source_phases,
    "destination-phases": diagrams.destination_phases,
}
"""What makes each block, by the name in its marker."""


TESTED_ELSEWHERE = ("api.md",)
"""Pages whose programs go on from one another: tests/api/test_page.py runs them."""


def renew(text: str, *, programs: bool = True) -> str:
    """A page with its generated blocks, and what its programs print, made anew.

    Args:
        text: the page.
        programs: run its programs, each by itself.

    Raises:
        UsageError: a marker names no known block.
    """

    def block(match: re.Match[str]) -> str:
        if match[2] not in BLOCKS:
            raise UsageError(unknown("generated block", match[2], BLOCKS))
        return f"{match[1]}{BLOCKS[match[2]]()}\n{match[3]}"

    def output(match: re.Match[str]) -> str:
        return match[1] + run(match[2]) + match[3]

    text = _BLOCK.sub(block, text)
    return _PROGRAM.sub(output, text) if programs else text


_PROGRAM_FILE = "<program of the documentation>"


def run(program: str) -> str:
    """What a program of the documentation prints."""
    out = StringIO()
    # the check of bodies reads their text, and a program of the documentation has no file of its own
    linecache.cache[_PROGRAM_FILE] = (len(program), None, program.splitlines(keepends=True), _PROGRAM_FILE)
    with redirect_stdout(out):
        exec(compile(program, _PROGRAM_FILE, "exec"), {"__name__": "program"})
    return out.getvalue()


def main(directory: Path) -> None:
    """Rewrite the generated blocks of every page in a directory, and say which pages changed."""
    for page in sorted(directory.glob("*.md")):
        old = page.read_text(encoding="utf-8")
        new = renew(old, programs=page.name not in TESTED_ELSEWHERE)
        if new != old:
            page.write_text(new, encoding="utf-8")
            print(page)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
