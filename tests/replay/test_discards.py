"""Where nothing is dirty at the switch: the package without DISCARD, or the reason why there is none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from postcopy.replay.errors import Refused
from postcopy.replay.meanings import MEANINGS
from postcopy.replay.messages import Kind
from postcopy.replay.stage import Moment, Stage

SWITCHES = Moment("source.sends_discards", {"source.dirty": 0}, {"source.dirty": 0})


def sends_discards(*sent: Kind, traced: str = "") -> str:
    hosts = SimpleNamespace(becomes=lambda look, _: look(), traced=lambda _, event: event == traced)
    stage = SimpleNamespace(hosts=hosts, has_sent=sent.__contains__, patience=0, states=lambda: "the source is active")
    instruction = MEANINGS["source.sends_discards"]
    assert not isinstance(instruction, str)
    return instruction(cast(Stage, stage), SWITCHES)


def test_the_package_alone() -> None:
    assert sends_discards(Kind.PACKAGE) == "the package is sent, and no DISCARD before it"


def test_discards_are_refused() -> None:
    with pytest.raises(Refused, match="pages were dirty"):
        sends_discards(Kind.DISCARD, Kind.PACKAGE)


def test_a_source_that_completes_in_precopy_says_so() -> None:
    with pytest.raises(Refused, match="completed in precopy"):
        sends_discards(traced="migration_return_path_end_before")
    with pytest.raises(Refused, match="neither DISCARD nor the package was sent; the source is active"):
        sends_discards()
