"""A capacity for each channel: a short return path beside a long stream, in every reading."""

from __future__ import annotations

from enum import Enum, auto
from pathlib import Path
from typing import Any

import pytest

from postcopy.catalogue.properties import asked_of
from postcopy.errors import SpecError
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.language import (
    ALL,
    Answer,
    Bitmap,
    Channel,
    Machine,
    Page,
    Protocol,
    Receives,
    Sends,
    Thread,
    View,
    action,
    always,
    require,
)
from postcopy.language.instance import Instance
from postcopy.language.source_locations import of_class
from postcopy.model.network import Reply
from postcopy.model.postcopy import Postcopy
from postcopy.prover.verdicts import Answer as Proved
from tests.language.cases.channel_readings import proved, proved_at, same_in_spin, searched


class Order(Enum):
    FETCH = auto()


class Client(Machine):
    """Orders each page once."""

    client = Thread("client")
    wanted = Bitmap("pages to order", ALL)
    orders = Sends("orders")

    @action(client)
    def orders_page(self, page: Page) -> None:
        """orders a page"""
        require(self.wanted[page])
        require(self.orders.room())
        self.wanted -= page
        self.orders.send(Order.FETCH, page)


class Server(Machine):
    """Fetches what is ordered."""

    server = Thread("server")
    fetched = Bitmap("pages fetched")
    orders = Receives("orders")

    @action(server)
    def fetches(self) -> None:
        """fetches the page of the next order"""
        self.fetched |= self.orders.receive(Order.FETCH).pages


@always("No two orders are on their way at once")
def one_at_a_time(state: View) -> Answer:
    """One waits behind the other."""
    pages: Answer = state.orders.in_order(Order.FETCH, Order.FETCH)
    return pages


@always("A page is wanted, ordered or fetched")
def nothing_forgotten(state: View) -> Answer:
    """It is forgotten."""
    kept = state.client.wanted | state.server.fetched | state.orders.in_flight(Order.FETCH)
    missing: Answer = ~kept
    return missing


class OneOrder(Protocol):
    """Room for one order, whatever the size says."""

    client = Client
    server = Server
    orders = Channel(Order, capacity=1)
    properties = (one_at_a_time, nothing_forgotten)

    @staticmethod
    def may_rest(state: View) -> bool:
        return bool(state.server.fetched.full)


class TwoOrders(OneOrder):
    """Room for another one."""

    orders = OneOrder.orders.extended(capacity=2)


@pytest.mark.parametrize("in_flight", [1, 3])
def test_there_is_as_much_room_as_the_channel_says_whatever_the_size_says(in_flight: int, tmp_path: Path) -> None:
    for protocol, violated in ((OneOrder, None), (TwoOrders, one_at_a_time.name)):
        assert searched(protocol, (2, in_flight, 1)) == violated
        same_in_spin(protocol, tmp_path, (2, in_flight, 1))


@pytest.mark.slow
def test_machine_code_says_the_same() -> None:
    assert searched(OneOrder, (3, 2, 1), Engine.COMPILED) is None
    assert searched(TwoOrders, (3, 1, 1), Engine.COMPILED) == one_at_a_time.name


def test_a_proof_at_a_size_has_that_room_and_one_for_every_size_any_room() -> None:
    assert proved_at(OneOrder)[one_at_a_time.name] is Proved.PROVED
    assert proved_at(TwoOrders)[one_at_a_time.name] is Proved.REFUTED
    assert proved(OneOrder)[nothing_forgotten.name] is Proved.PROVED
    assert proved(OneOrder)[one_at_a_time.name] is not Proved.PROVED


def test_the_size_says_which_channels_have_a_room_of_their_own() -> None:
    assert Instance(OneOrder, 2, 3).size == "2 pages, 3 messages in flight (1 on orders)"
    assert Instance(OneOrder, 2, 1).size == "2 pages, 1 message in flight"
    assert Instance(Postcopy, 2, 3).size == "2 pages, 3 messages in flight"


class ShortReturnPath(Postcopy):
    """A short return path beside a long stream."""

    return_path = Channel(Reply, capacity=1)


class ShortStream(Postcopy):
    """A short stream beside a long return path."""

    stream = Postcopy.stream.extended(capacity=1)


@pytest.mark.parametrize("protocol", [ShortReturnPath, ShortStream])
def test_the_document_holds_with_a_short_channel(protocol: type[Protocol]) -> None:
    verdict = explore(Instance(protocol, 1, 2, asked_of(protocol)), Options(engine=Engine.INTERPRETED))
    both = explore(Instance(Postcopy, 1, 2, asked_of(protocol)), Options(engine=Engine.INTERPRETED))
    assert verdict.outcome is both.outcome is Outcome.HOLDS
    assert verdict.states < both.states


@pytest.mark.parametrize("capacity", [0, 9, -1, "1", True, 1.5])
def test_a_capacity_is_a_number_of_messages(capacity: Any) -> None:
    class Wrong(OneOrder):
        orders = Channel(Order, capacity=capacity)

    with pytest.raises(SpecError) as caught:
        Instance(Wrong, 1, 1)
    needed = "a number of messages from 1 to 8 is needed"
    assert str(caught.value) == f"{of_class(Wrong, 'orders')}: orders has a capacity of {capacity!r}: {needed}"
