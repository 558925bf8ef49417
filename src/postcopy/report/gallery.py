"""The stored counterexamples: for every fault, every change that does not hold, every real bug and every protocol of
another project a run that shows it, as ITF and as Markdown.

`postcopy counterexamples DIR` writes them; a test fails when those in the repository are out of date.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postcopy.catalogue.bugs.listing import CODE
from postcopy.catalogue.changes import CHANGES
from postcopy.catalogue.history import HISTORY
from postcopy.catalogue.loading import by_name
from postcopy.catalogue.others import OTHERS
from postcopy.catalogue.properties import choose, with_everything
from postcopy.errors import UsageError
from postcopy.explorer.explore import explore
from postcopy.explorer.kernel.fingerprint import fingerprint
from postcopy.explorer.results import Engine, Options
from postcopy.language.instance import Instance
from postcopy.language.trace import rebase
from postcopy.model.faults import FAULTS
from postcopy.properties.beyond import BEYOND
from postcopy.report.charts.markdown import markdown
from postcopy.report.records.listings import words
from postcopy.report.story.itf import to_itf
from postcopy.report.story.tell import tell

SEARCHES = "searches.json"
"""The file that says how many states each search had seen."""

PAGES = 2
IN_FLIGHT = 2


def _asked_alone(of: str, broken: str) -> tuple[str, ...]:
    """Just the property that a run has to break in the end, so that nothing else stops the search first; or none, for
    all that are asked."""
    return (broken,) if choose([broken], by_name(of))[0].of_runs else ()


@dataclass(frozen=True)
class Exhibit:
    """A stored counterexample.

    Attributes:
        protocol: the protocol's name, as a trace has it.
        option: what names the protocol on the command line, after ``postcopy check``.
        asked: the properties that are asked; none for all that are asked of the protocol.
        about: the rule or the entry of the history that it is about.
        what: what is wrong, in a sentence.
        violates: the property that it has to violate.
        pages: the pages of the guest.
    """

    protocol: str
    option: str
    asked: tuple[str, ...]
    about: str
    what: str
    violates: str
    pages: int = PAGES

    @property
    def command(self) -> str:
        """What shows it on the command line."""
        more = [f"--pages {self.pages}"] if self.pages != PAGES else []
        options = [self.option, *more, *(f"--property {name}" for name in self.asked)]
        return " ".join(["postcopy check", *(option for option in options if option)])


def _exhibits() -> dict[str, Exhibit]:
    found: dict[str, Exhibit] = {}
    for name, fault in FAULTS.items():
        broken = fault.breaks[0]
        found[name] = Exhibit(
            name, f"--fault {name}", _asked_alone(name, broken), fault.rule, words(fault), broken, fault.pages
        )
    for prop in BEYOND:
        what = f"the document's own protocol: not “{prop.sentence}”"
        found[prop.name] = Exhibit("Postcopy", "", (prop.name,), " ".join(prop.rules), what, prop.name)
    for name, change in CHANGES.items():
        if change.breaks:
            about, broken = "; ".join(change.origin.split("; ")[1:]), change.breaks[0]
            found[name] = Exhibit(name, f"--change {name}", _asked_alone(name, broken), about, words(change), broken)
    for name, bug in HISTORY.items():
        if name not in found:
            found[name] = Exhibit(name, f"--bug {name}", (bug.breaks,), bug.entry, words(bug.faulty), bug.breaks)
    for name, implementation in OTHERS.items():
        if implementation.breaks:
            broken, about = implementation.breaks[0], implementation.origin
            found[name] = Exhibit(name, name, _asked_alone(name, broken), about, words(implementation), broken)
    return found


EXHIBITS: dict[str, Exhibit] = _exhibits()
"""All of them, by the name of their files."""


@dataclass(frozen=True)
class Drawn:
    """One counterexample.

    Attributes:
        files: what is stored of it, by name.
        states: how many states the search had seen when it found it.
    """

    files: dict[str, bytes]
    states: int


def draw(name: str) -> Drawn:
    """Find one counterexample.

    Raises:
        UsageError: the search finds nothing to show.
    """
    exhibit = EXHIBITS[name]
    protocol = by_name(exhibit.protocol)
    asked = choose(list(exhibit.asked), protocol)
    instance = Instance(protocol, exhibit.pages, IN_FLIGHT, asked, protocol.group)
    verdict = explore(instance, Options(engine=Engine.INTERPRETED))
    if verdict.counterexample is None:
        raise UsageError(f"{name}: nothing is violated, so there is nothing to show")
    run = rebase(verdict.counterexample, with_everything(exhibit.protocol, exhibit.pages, IN_FLIGHT, protocol.group))
    files = {
        f"{name}.itf.json": to_itf(run, exhibit.protocol, fingerprint(run.instance)),
        f"{name}.md": markdown(tell(run), exhibit.command).encode(),
    }
    return Drawn(files, verdict.states)


def stored_states(directory: Path) -> dict[str, int]:
    """For each stored counterexample the states that its search had seen."""
    found: dict[str, int] = json.loads((directory / SEARCHES).read_text(encoding="utf-8"))
    return found


def stored_steps(directory: Path, name: str) -> str:
    """How many steps a stored counterexample has, in words where it goes on for ever."""
    run: dict[str, Any] = json.loads((directory / f"{name}.itf.json").read_text(encoding="utf-8"))
    steps = len(run["states"]) - 1
    once: int | None = run.get("loop")
    if once is None:
        return str(steps)
    return f"{once} and a loop of {steps - once}" if once < steps else f"{once}, then nothing for ever"


def write_all(directory: Path, report: Callable[[str], None] = lambda _: None) -> int:
    """Write all counterexamples, and say how many. Files of exhibits that are no more are removed.

    Raises:
        UsageError: the directory cannot be written, or holds other things, or a search finds nothing to show.
    """
    states: dict[str, int] = {}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        searches = directory / SEARCHES
        if not searches.exists():
            if any(directory.iterdir()):
                raise UsageError(f"{directory} is not empty and has no {SEARCHES}: use an empty directory")
            searches.write_text("{}\n", encoding="utf-8")
        earlier = set(stored_states(directory))
        for exhibit in EXHIBITS:
            report(exhibit)
            drawn = draw(exhibit)
            states[exhibit] = drawn.states
            for name, content in drawn.files.items():
                (directory / name).write_bytes(content)
        searches.write_text(json.dumps(states, indent=1) + "\n", encoding="utf-8")
        (directory / "README.md").write_text(index(directory), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {error.filename}: {error.strerror}") from None
    for old in earlier - set(EXHIBITS):
        for ending in (".itf.json", ".md"):
            (directory / f"{old}{ending}").unlink(missing_ok=True)
    return len(EXHIBITS)


def index(directory: Path) -> str:
    """The table of contents, from the files that are there."""
    lines = [
        "# Counterexamples",
        "",
        "For every fault, every change that does not hold and every real bug a shortest run that breaks a property,",
        "for reading (Markdown with a sequence chart) and for tools (ITF JSON). Where something has to happen in the",
        "end, the run goes on for ever: it ends in a loop. Made by `postcopy counterexamples counterexamples`; show",
        "one on the terminal with `postcopy trace counterexamples/NAME.itf.json`. The rules (R1) are explained in",
        "[docs/rules.md](../docs/rules.md), the codes of bugs (A01) in [docs/bugs.md](../docs/bugs.md).",
        "",
        "| run | about | what is wrong | breaks | steps | states searched |",
        "|---|---|---|---|---|---|",
    ]
    states = stored_states(directory)
    for name, exhibit in EXHIBITS.items():
        steps = stored_steps(directory, name)
        lines.append(
            f"| [{name}]({name}.md) | {_linked(exhibit.about)} | {_linked(exhibit.what)} "
            f"| `{exhibit.violates}` | {steps} | {states[name]:,} |"
        )
    return "\n".join(lines) + "\n"


def _linked(text: str) -> str:
    """A text in which every code of a bug is a link to its section."""
    return CODE.sub(lambda code: f"[{code[0]}](../docs/bugs.md#{code[0].lower()})", text)
