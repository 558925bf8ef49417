"""What a change declares of its sets and messages is what the catalogue's properties speak of."""

from __future__ import annotations

import pytest

from postcopy.catalogue.properties import BY_NAME, asked_of
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Options, Outcome
from postcopy.language import Bitmap
from postcopy.language.instance import Instance
from postcopy.language.protocol import Protocol
from postcopy.model.postcopy import Postcopy
from tests.roles import buffers, sleepers

ASLEEP = (sleepers.ClientNotWoken, sleepers.DiskNotWoken, sleepers.HalfWoken)
RIGHT = (
    sleepers.ClientWoken,
    sleepers.DiskWoken,
    sleepers.WhollyWoken,
    buffers.Buffered,
    buffers.QueuedForWorker,
    buffers.RequestsInTwoKinds,
    buffers.TwoBitmaps,
)
LOST = {
    sleepers.ClientNeverAsks: "no-request-lost",
    buffers.BufferLost: "no-page-lost",
    buffers.UrgentRequestForgotten: "no-request-lost",
}


def violated(protocol: type[Protocol], *names: str) -> str | None:
    """The property that a search for these (or for all that is asked) finds violated; None where all hold."""
    asked = [BY_NAME[name] for name in names] or asked_of(protocol)
    verdict = explore(Instance(protocol, 2, 1, asked), Options())
    assert verdict.outcome is Outcome.HOLDS or verdict.violated is not None
    return verdict.violated.name if verdict.violated else None


@pytest.mark.slow_but(
    "ClientNotWoken-no-request-lost",
    "ClientNotWoken-no-deadlock",
    "HalfWoken-no-request-lost",
    "ClientNotWoken-every-sleeper-is-woken",
)
@pytest.mark.parametrize("name", ["no-request-lost", "no-deadlock", "every-sleeper-is-woken"])
@pytest.mark.parametrize("protocol", ASLEEP)
def test_the_stock_properties_find_a_sleeper_that_is_not_woken(protocol: type[Postcopy], name: str) -> None:
    assert violated(protocol, name) == name


@pytest.mark.unmeasured
@pytest.mark.slow_but("ClientWoken", "Buffered")
@pytest.mark.parametrize("protocol", RIGHT)
def test_what_is_right_raises_no_alarm(protocol: type[Postcopy]) -> None:
    assert violated(protocol) is None


@pytest.mark.parametrize("protocol", LOST)
def test_a_page_or_request_lost_at_a_place_of_its_own_is_found(protocol: type[Postcopy]) -> None:
    assert violated(protocol) == LOST[protocol]


def test_nothing_is_found_of_a_sleeper_that_is_not_declared() -> None:
    """So it is the declaration that makes the difference."""

    class Undeclared(sleepers.ClientNotWoken):
        class destination(sleepers.ClientNotWoken.destination):
            client_waiting = Bitmap("the page that the vhost-user client waits for")

    assert violated(Undeclared) is None


@pytest.mark.parametrize(
    ("base", "field", "name"),
    [
        (buffers.Buffered, "destination.buffer", "no-page-lost"),
        (buffers.TwoBitmaps, "source.rest", "no-page-lost"),
    ],
)
def test_a_place_that_is_not_declared_is_a_false_alarm(base: type[Postcopy], field: str, name: str) -> None:
    machine, attribute = field.split(".")
    part = getattr(base, machine)
    undeclared = type(part.__name__, (part,), {attribute: Bitmap("a set without a role")})
    assert violated(type(base.__name__, (base,), {machine: undeclared}), name) == name


def test_a_message_without_its_role_is_a_false_alarm() -> None:
    class Undeclared(Postcopy):
        """The same machines and channels as `RequestsInTwoKinds`, without its roles."""

        return_path = buffers.RequestsInTwoKinds.return_path
        destination = buffers.RequestsInTwoKinds.destination
        source = buffers.RequestsInTwoKinds.source

    assert violated(Undeclared, "no-request-lost") == "no-request-lost"
