"""The stored counterexamples: for every fault a shortest run that shows what its rule is for, as ITF and as Markdown.

`postcopy counterexamples DIR` writes them; a test fails when those in the repository are out of date.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from postcopy.errors import UsageError
from postcopy.explorer.explore import Options, explore
from postcopy.explorer.fingerprint import fingerprint
from postcopy.explorer.trace import rebase
from postcopy.model.faults import FAULTS
from postcopy.model.instance import Instance
from postcopy.model.loading import load
from postcopy.properties.beyond import BEYOND
from postcopy.properties.catalogue import DEFAULT, everything
from postcopy.properties.language import Property
from postcopy.report.itf import to_itf
from postcopy.report.markdown import markdown
from postcopy.report.story import tell

PAGES = 2
IN_FLIGHT = 2

EXHIBITS: dict[str, tuple[str | None, tuple[Property, ...]]] = {
    **{name: (name, DEFAULT) for name in FAULTS},
    **{p.name: (None, (p,)) for p in BEYOND},
}
"""For each stored counterexample: the fault (None: the document's protocol itself) and the properties asked."""


def draw(exhibit: str) -> dict[str, bytes]:
    """The files of one counterexample, by name.

    Raises:
        UsageError: the search finds nothing to show.
    """
    fault, properties = EXHIBITS[exhibit]
    name, protocol = load(fault=fault)
    group = protocol.group
    verdict = explore(Instance(protocol, PAGES, IN_FLIGHT, properties, group), Options(engine="interpreted"))
    if verdict.counterexample is None:
        raise UsageError(f"{exhibit}: nothing is violated, so there is nothing to show")
    run = rebase(verdict.counterexample, Instance(protocol, PAGES, IN_FLIGHT, everything(protocol), group))
    asked = f"--fault {fault}" if fault else f"--property {properties[0].name}"
    return {
        f"{exhibit}.itf.json": to_itf(run, name, fingerprint(run.instance)),
        f"{exhibit}.md": markdown(tell(run), f"postcopy check {asked}").encode(),
    }


def write_all(directory: Path, report: Callable[[str], None] = lambda _: None) -> int:
    """Write all counterexamples, and say how many. Files of exhibits that are no more are removed.

    Raises:
        UsageError: the directory cannot be written, or a search finds nothing to show.
    """
    wanted: set[str] = set()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for exhibit in EXHIBITS:
            report(exhibit)
            for name, content in draw(exhibit).items():
                (directory / name).write_bytes(content)
                wanted.add(name)
        (directory / "README.md").write_text(index(directory), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {error.filename}: {error.strerror}") from None
    for old in directory.glob("*.itf.json"):
        if old.name not in wanted:
            old.unlink()
            old.with_name(old.name.replace(".itf.json", ".md")).unlink(missing_ok=True)
    return len(EXHIBITS)


def index(directory: Path) -> str:
    """The table of contents, from the files that are there."""
    lines = [
        "# Counterexamples",
        "",
        "For every fault a shortest run that breaks a property, for reading (Markdown with a sequence chart) and for",
        "tools (ITF JSON). Made by `postcopy counterexamples counterexamples`; show one on the terminal with",
        "`postcopy trace counterexamples/NAME.itf.json`.",
        "",
        "| run | rule | without it | steps |",
        "|---|---|---|---|",
    ]
    for exhibit, (fault, properties) in EXHIBITS.items():
        rule = FAULTS[fault].rule if fault else " ".join(properties[0].rules)
        what = (
            " ".join((FAULTS[fault].__doc__ or "").split())
            if fault
            else f"the document's own protocol: not “{properties[0].sentence}”"
        )
        steps = (directory / f"{exhibit}.itf.json").read_text(encoding="utf-8").count('"action"')
        lines.append(f"| [{exhibit}]({exhibit}.md) | {rule} | {what} | {steps} |")
    return "\n".join(lines) + "\n"
