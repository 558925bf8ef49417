"""An exported model held against the explorer: Spin's count of states and its verdict, and the explorer's.

    python -m tests.export.agreement

prints the table of docs/exports.md.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from postcopy.catalogue.properties import BY_NAME
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options
from postcopy.export import spin
from postcopy.export.promela import promela
from postcopy.language import Property, Protocol
from postcopy.language.instance import Instance
from postcopy.language.program import read
from postcopy.language.properties import Kind
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.safety import SAFETY

SOUND = [(1, 1, 1), (2, 1, 1), (2, 1, 2)]
"""Sizes (pages, messages in flight, target pages of a host page) at which the document's protocol is compared."""

TWO_PAGES = {"background-first", "device-load-goes-on", "sleeper-goes-on", "sleeper-writes"}
"""The faults that need two pages to show. Those about host pages of two target pages need as many, or say how many."""


def size_of(fault: str) -> tuple[int, int, int]:
    """The smallest size at which a fault shows."""
    about = FAULTS[fault]
    return (about.pages if about.pages > 2 else 2 if fault in TWO_PAGES else about.group), 1, about.group


def need_spin() -> None:
    """Skip where Spin or a C compiler is missing; in CI, which installs them, fail."""
    if spin.missing():
        reason = f"{' and '.join(spin.missing())} not found"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@dataclass(frozen=True)
class Answer:
    """What a search says: how many states there are, and the name of the property that is violated, if any."""

    states: int
    violated: str | None


def explorer(protocol: type[Protocol], size: tuple[int, int, int], properties: Sequence[Property]) -> Answer:
    """The explorer's. All states count, those behind a violation too: a second search, for the same state with nothing
    asked of it, counts them."""
    pages, in_flight, group = size
    options = Options(reductions=(), engine=Engine.INTERPRETED)
    verdict = explore(Instance(protocol, pages, in_flight, properties, group), options)
    states = verdict.states
    if verdict.violated is not None:
        quiet = [replace(p, kind=Kind.ALWAYS, holds=lambda _: True) for p in properties]
        states = explore(Instance(protocol, pages, in_flight, quiet, group), options).states
    return Answer(states, verdict.violated.name if verdict.violated else None)


def exported(protocol: type[Protocol], size: tuple[int, int, int], properties: Sequence[Property]) -> str:
    """The text for Spin."""
    pages, in_flight, group = size
    return promela(read(Instance(protocol, pages, in_flight, properties, group)), protocol.__name__)


def by_spin(text: str, directory: Path) -> Answer:
    """Spin's, brought to the model's count of states; where there is a violation, it goes on to the end."""
    found = spin.search(spin.build(text, directory, ["-O0"]), ["-c0", "-w16"])
    violated = found.violated[0].replace("_", "-") if found.violated else None
    return Answer(found.states - spin.EXTRA_STATES, violated)


def _table() -> None:
    """The table of docs/exports.md."""
    print("| protocol | pages, messages, host page | states | the explorer says | Spin says | Spin's states |")
    print("| --- | --- | --- | --- | --- | --- |")
    rows: list[tuple[str, type[Protocol], tuple[int, int, int], Sequence[Property]]] = [
        ("the document's", Postcopy, size, SAFETY) for size in SOUND
    ]
    for name, fault in FAULTS.items():
        rows.append((f"`{name}`", fault, size_of(name), [BY_NAME[fault.breaks[0]]]))
    for name, protocol, size, properties in rows:
        ours = explorer(protocol, size, properties)
        with TemporaryDirectory() as directory:
            theirs = by_spin(exported(protocol, size, properties), Path(directory))
        said = [f"`{a.violated}` is violated" if a.violated else "all hold" for a in (ours, theirs)]
        sizes = ", ".join(map(str, size))
        print(f"| {name} | {sizes} | {ours.states:,} | {said[0]} | {said[1]} | {theirs.states:,} + 1 |", flush=True)


if __name__ == "__main__":
    _table()
