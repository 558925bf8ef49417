"""Properties of runs in the form in which the kernel can evaluate them, and the results of checking them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from postcopy.language.fields import Bitmap
from postcopy.language.machines import Monitor
from postcopy.language.properties import Kind, LeadsTo, Property, halves
from postcopy.language.trace import Trace
from postcopy.language.values import NONE, Cpu
from postcopy.language.view import Step, View


class _OnePage(Bitmap):
    """A set that starts as one page."""

    def __init__(self, doc: str, number: int) -> None:
        super().__init__(doc, NONE)
        self.initial = 1 << number

    def problem(self) -> str | None:
        """No error: only fields that an author declares have to start as NONE or ALL."""
        return None


class Tracked(Monitor):
    """One marked page, so that a promise that is made for each page can be followed for this one.

    Where pages are interchangeable it does not matter which: it is the first. Where they are not, each has a monitor.
    """

    page = _OnePage("the page that is followed", 0)

    def watch(self, step: Step) -> None:
        """Marks the same page for ever."""


@lru_cache
def _tracked(number: int) -> type[Monitor]:
    """The monitor that marks this page."""
    return (
        Tracked if number == 0 else type(f"Tracked{number}", (Tracked,), {"page": _OnePage(Tracked.page.doc, number)})
    )


@dataclass(frozen=True)
class Promise:
    """A property for one vCPU (where it is asked for each) and for a tracked page (where it is asked for each).

    Attributes:
        prop: the property.
        cpu: the vCPU, or None.
        page: the number of the tracked page.
    """

    prop: Property
    cpu: int | None
    page: int = 0

    def given(self, state: View) -> dict[str, object]:
        """The vCPU and the page that the property's own function is asked for."""
        arguments: dict[str, object] = {}
        if self.cpu is not None:
            arguments["cpu"] = Cpu(self.cpu)
        if "page" in self.prop.each:
            arguments["page"] = getattr(state, _tracked(self.page).__name__).page
        return arguments

    def ask(self, state: View) -> LeadsTo:
        """The property's own function, asked for this one."""
        return self.prop.promises(state, **self.given(state))

    def witnesses(self) -> tuple[Property, Property]:
        """`when` and `then` as witnesses, which the kernel can evaluate."""
        monitors = (self.prop.monitor, _tracked(self.page) if "page" in self.prop.each else None)
        when, then = halves(self.prop, self.given)
        return (
            Property("when", self.prop.sentence, Kind.SOMETIMES, when, "", monitor=monitors[0]),
            Property("then", self.prop.sentence, Kind.SOMETIMES, then, "", monitor=monitors[1]),
        )


@dataclass(frozen=True)
class Finding:
    """The result for one property.

    Attributes:
        open: in how many states (of the graph that was searched) a promise of it is made and not yet kept.
        counterexample: a fair run on which it never is, or None.
    """

    open: int
    counterexample: Trace | None


@dataclass(frozen=True)
class Liveness:
    """The results of a check of liveness.

    Attributes:
        findings: for each property by name; empty where the check did not come to its end.
        why: why it did not.
        states, edges: size of the graph.
        seconds: time that it took, the search included.
        neighbours: bodies or promises ask for neighbours of pages, so that there was no page symmetry.
    """

    findings: dict[str, Finding]
    why: str
    states: int = 0
    edges: int = 0
    seconds: float = 0.0
    neighbours: bool = False

    @classmethod
    def unfinished(cls, why: str, states: int = 0) -> Liveness:
        """A check that did not come to its end."""
        return cls({}, why, states)

    @property
    def violated(self) -> str | None:
        """The first property that is violated."""
        return next((name for name, finding in self.findings.items() if finding.counterexample), None)


def promises(properties: Sequence[Property], cpus: int, pages: int = 1) -> Iterator[Promise]:
    """One for each property, or for each vCPU and each of the first pages where it is asked for each."""
    for prop in properties:
        for cpu in range(cpus) if "cpu" in prop.each else [None]:
            for page in range(pages) if "page" in prop.each else [0]:
                yield Promise(prop, cpu, page)
