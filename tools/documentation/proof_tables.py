"""What goes wrong without a conjunct or a rule: the tables of docs/proof.md, found again by z3.

`python -m documentation.proof_tables` looks for them (some two minutes) and rewrites what stands between
``<!-- found: NAME -->`` and ``<!-- end -->``. The tests ask z3 for each row alone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from documentation.markdown import table
from postcopy.catalogue.properties import BY_NAME
from postcopy.language.actions import ActionInstance
from postcopy.language.instance import Instance
from postcopy.language.trace import Trace
from postcopy.model.fault import Fault
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.invariant import INVARIANT
from postcopy.properties.safety import SAFETY
from postcopy.prover.obligations import ANY
from postcopy.prover.steps import Steps
from postcopy.report.charts.markdown import escape

Size = tuple[int, int, int]
"""Pages, messages in flight, target pages of a host page."""

SIZES: tuple[Size, ...] = ((1, 2, 1), (1, 3, 1), (2, 2, 1), (2, 2, 2), (2, 3, 2))
"""Where counterexamples to induction are looked for."""

UNSAFE = {name: fault for name, fault in FAULTS.items() if any(not BY_NAME[b].of_runs for b in fault.breaks)}
"""The faults that break a property of states or steps, or make a deadlock."""

_BLOCK = re.compile(r"(<!-- found: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


class Found(NamedTuple):
    """A counterexample to induction, as a row of a table names it."""

    size: Size
    violated: str
    action: str

    @classmethod
    def of(cls, size: Size, trace: Trace) -> Found:
        """The row for a trace."""
        return cls(size, trace.violated or "", trace.steps[0].action.name if trace.steps else ANY)

    @property
    def cells(self) -> list[str]:
        """The cells of the row."""
        return [f"`{self.violated}`", self.action, at(self.size)]


def at(size: Size) -> str:
    """A size in a cell."""
    return "{}, {}, {}".format(*size)


def steps(protocol: type[Postcopy], size: Size) -> Steps:
    """A protocol with the invariant at a size."""
    pages, in_flight, group = size
    return Steps(Instance(protocol, pages, in_flight, SAFETY, group), INVARIANT)


def without_conjunct() -> str:
    """A row for each conjunct."""
    found: dict[str, Found] = {}
    for size in SIZES:
        here = steps(Postcopy, size)
        for conjunct in INVARIANT:
            if conjunct.name not in found and (trace := here.without(conjunct.name)) is not None:
                found[conjunct.name] = Found.of(size, trace)
    rows = [
        [f"`{c.name}`", escape(c.sentence), *(found[c.name].cells if c.name in found else ["nothing", "", ""])]
        for c in INVARIANT
    ]
    return table(["conjunct", "what it says", "violated without it", "by", "at"], rows)


def without_rule() -> str:
    """A row for each fault."""
    rows = []
    for name, fault in UNSAFE.items():
        found = next(_failing(fault), None)
        rows.append([f"`{name}`", fault.rule, *(found.cells if found else ["nothing", "", ""])])
    return table(["fault", "rule", "violated", "by", "at"], rows)


def _failing(fault: type[Fault]) -> Iterator[Found]:
    """What fails without a rule and concerns it: first what the fault itself names, after its own actions."""
    for size in ((fault.pages, 2, fault.group),) if fault.group > 1 else SIZES:
        here = steps(fault, size)
        assumed = list(here.claims)
        named = [name for name in fault.breaks if not BY_NAME[name].of_runs]
        citing = [p.name for p in (*INVARIANT, *SAFETY) if fault.rule in p.rules and p.name not in named]
        own = [a.name for a in here.instance.actions if changed(fault, a)]
        for wanted, actions in ((named, own), (citing, own), (named, None), (citing, None)):
            for name in wanted:
                trace = here.violation(assumed, [name], actions)
                if trace is not None:
                    yield Found.of(size, trace)


def changed(fault: type[Fault], action: ActionInstance) -> bool:
    """Whether an action is the fault's own, or calls what the fault has changed."""
    machine, before = getattr(fault, action.machine), getattr(Postcopy, action.machine)
    own = set(vars(machine)) if machine is not before else set()
    todo, seen = [action.method], set[str]()
    while todo:
        name = todo.pop()
        if name in own:
            return True
        seen.add(name)
        code = getattr(getattr(machine, name, None), "__code__", None)
        todo += [n for n in (code.co_names if code else ()) if n not in seen and hasattr(machine, n)]
    return False


BLOCKS: dict[str, Callable[[], str]] = {"without-conjunct": without_conjunct, "without-rule": without_rule}
"""What makes each block, by the name in its marker."""


def main(page: Path) -> None:
    """Rewrite the tables of a page."""
    text = page.read_text(encoding="utf-8")
    page.write_text(_BLOCK.sub(lambda m: f"{m[1]}{BLOCKS[m[2]]()}\n{m[3]}", text), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/proof.md"))
