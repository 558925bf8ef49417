"""An exported model held against the explorer: Spin's count of states and its verdict, and the explorer's."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from postcopy.explorer.constants import read
from postcopy.explorer.explore import Options, explore
from postcopy.export import spin
from postcopy.export.promela import promela
from postcopy.model.instance import Instance
from postcopy.model.language import Protocol
from postcopy.properties.language import Kind, Property


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
    options = Options(symmetry=False, engine="interpreted")
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
