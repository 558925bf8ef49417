"""A step that its thread takes at one place of its program: `@action(thread, at=...)`."""

from __future__ import annotations

from enum import Enum, IntEnum, auto
from pathlib import Path
from typing import Any

import pytest

from postcopy.errors import SpecError
from postcopy.explorer.results import Engine
from postcopy.language import (
    ALL,
    NO_DEADLOCK,
    Bitmap,
    Channel,
    Choice,
    Flag,
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
from postcopy.language.program import read
from postcopy.language.single_run import SingleRun
from postcopy.prover.verdicts import Answer
from tests.language.cases.readings import broken_at, found_by_search, proved, proved_at, spin_agrees


class At(IntEnum):
    """Where the server is in its program."""

    WAITING = auto()
    SERVING = auto()
    RESTING = auto()


class Other(Enum):
    """What is no place of the server."""

    ELSEWHERE = auto()


class Order(Enum):
    """What is on the channel."""

    PAGE = auto()
    CLOSE = auto()


class Server(Machine):
    """Its one thread waits, serves, and rests."""

    server = Thread("server")
    at = Choice("where it is", At.WAITING)
    served = Bitmap("pages that have been served")
    current = Bitmap("the page that is being served")
    orders = Receives("orders")

    @action(server, at=At.WAITING)
    def takes_order(self) -> None:
        """takes an order"""
        self.current = self.orders.receive(Order.PAGE).pages
        self.at = At.SERVING

    @action(server, at=At.SERVING)
    def serves(self) -> None:
        """serves what it has taken"""
        self.served |= self.current
        self.current -= self.current
        self.at = At.WAITING

    @action(server, at=(At.WAITING, At.SERVING))
    def closes(self) -> None:
        """closes"""
        self.orders.receive(Order.CLOSE)
        self.at = At.RESTING


class Client(Machine):
    """Orders each page once, and then closes."""

    client = Thread("client")
    wanted = Bitmap("pages to be ordered", ALL)
    open = Flag("it has not closed", True)
    orders = Sends("orders")

    @action(client)
    def orders_page(self, page: Page) -> None:
        """orders a page"""
        require(self.wanted[page])
        require(self.orders.room())
        self.wanted -= page
        self.orders.send(Order.PAGE, page)

    @action(client)
    def closes(self) -> None:
        """closes"""
        require(self.wanted.empty and self.open)
        require(self.orders.room())
        self.open = False
        self.orders.send(Order.CLOSE)


@always("One who does not serve has nothing in hand")
def hands_are_free(state: View) -> bool:
    """It has taken an order, and is not serving it."""
    return bool(state.server.at == At.SERVING or state.server.current.empty)


ASKED = (hands_are_free, NO_DEADLOCK)


class ClosesAnywhere(Protocol):
    """It may close while it serves: then a page is left in its hand."""

    server = Server
    client = Client
    orders = Channel(Order)
    properties = ASKED

    @staticmethod
    def may_rest(state: View) -> bool:
        """It has closed."""
        return bool(state.server.at == At.RESTING)


class ClosesWaiting(ClosesAnywhere):
    """It closes only where it waits."""

    class server(Server):
        """The same, but for one place."""

        @action(Server.server, at=At.WAITING)
        def closes(self) -> None:
            """closes, where it waits"""
            super().closes()


class ByHand(ClosesAnywhere):
    """The same as `ClosesWaiting`, with guards in the bodies."""

    class server(Server):
        """Has a `require` in the place of each `at`."""

        @action(Server.server)
        def takes_order(self) -> None:
            require(self.at == At.WAITING)
            super().takes_order()

        @action(Server.server)
        def serves(self) -> None:
            require(self.at == At.SERVING)
            super().serves()

        @action(Server.server)
        def closes(self) -> None:
            require(self.at == At.WAITING)
            super().closes()


def trees(protocol: type[Protocol]) -> list[Any]:
    return [tree for _, tree in read(Instance(protocol, 2, 2)).actions]


def test_it_is_the_guard_that_one_would_write() -> None:
    assert trees(ClosesWaiting) == trees(ByHand)
    assert trees(ClosesWaiting) != trees(ClosesAnywhere)


def test_an_override_keeps_the_place_unless_it_says_another() -> None:
    class Quick(ClosesWaiting):
        class server(ClosesWaiting.server):
            def serves(self) -> None:
                """serves quickly"""
                super().serves()

    assert trees(Quick) == trees(ClosesWaiting)


@pytest.mark.slow_but("interpreted")
@pytest.mark.parametrize("engine", [Engine.INTERPRETED, Engine.COMPILED], ids=lambda engine: engine.value)
def test_searches_with_and_without_reductions_agree(engine: Engine) -> None:
    assert broken_at(ClosesWaiting, (2, 2, 1), ASKED) == set()
    assert found_by_search(ClosesWaiting, (2, 2, 1), ASKED, engine) == {None}


def test_proofs_agree(tmp_path: Path) -> None:
    assert proved_at(ClosesWaiting, (2, 2, 1), [hands_are_free]) == {"hands-are-free": Answer.PROVED}
    assert proved(ClosesWaiting, [hands_are_free]) == {"hands-are-free": Answer.PROVED}
    assert spin_agrees(ClosesWaiting, (2, 2, 1), ASKED, tmp_path)


class Idle(ClosesAnywhere):
    """A seeded fault: an order is served where none has been taken, so that the one in hand is left."""

    class server(Server):
        """Takes orders at both places, and so one over the other."""

        @action(Server.server, at=(At.WAITING, At.SERVING))
        def takes_order(self) -> None:
            """takes an order and waits for another"""
            super().takes_order()
            self.at = At.WAITING


def test_a_fault_is_found_by_all(tmp_path: Path) -> None:
    assert broken_at(Idle, (2, 2, 1), ASKED) == {"hands-are-free"}
    assert found_by_search(Idle, (2, 2, 1), ASKED) == {"hands-are-free"}
    assert proved_at(Idle, (2, 2, 1), [hands_are_free]) == {"hands-are-free": Answer.REFUTED}
    assert proved(Idle, [hands_are_free]) == {"hands-are-free": Answer.REFUTED}
    assert spin_agrees(Idle, (2, 2, 1), ASKED, tmp_path)


def test_a_single_run_says_where_the_place_is_written() -> None:
    instance = Instance(ClosesWaiting, 2, 2)
    run = SingleRun(instance, 100, 1, {})
    actions = {action.name: action for action in instance.actions}
    forbidden = run.take(actions["server.serves"])
    assert forbidden is not None
    assert forbidden.guard == "@action(server, at=At.SERVING)"
    assert run.take(actions["client.orders_page"], 1 << 70) is None
    assert run.take(actions["server.takes_order"]) is None
    assert run.take(actions["server.serves"]) is None


def placed(at: Any, **fields: Any) -> type[Protocol]:
    class Placed(Machine):
        """One action at a place, with the fields that are given."""

        main = Thread("main")
        first = Choice("a choice", At.WAITING)
        for_ever = Flag("no choice")

        @action(main, at=at)
        def stays(self) -> None:
            """does nothing"""

    class Tiny(Protocol):
        placed = type("Placed", (Placed,), fields)

        @staticmethod
        def may_rest(state: View) -> bool:
            return True

    return Tiny


@pytest.mark.parametrize(
    ("at", "fields", "message"),
    [
        (
            Other.ELSEWHERE,
            {},
            "Placed.stays is a step at Other.ELSEWHERE, and placed has no choice of it: "
            'declare one, e.g. state = Choice("...", Other.ELSEWHERE)',
        ),
        (
            At.SERVING,
            {"second": Choice("another", At.WAITING)},
            "Placed.stays is a step at At.SERVING, and both first and second can be that: "
            "write require(self.first == At.SERVING)",
        ),
        (
            (At.SERVING, Other.ELSEWHERE),
            {"second": Choice("another", Other.ELSEWHERE)},
            "Placed.stays is a step at At.SERVING or Other.ELSEWHERE, and placed has no choice of it: "
            'declare one, e.g. state = Choice("...", At.SERVING)',
        ),
        (
            "SERVING",
            {},
            "at='SERVING' is no place in a thread's program: write a value of the machine's Choice, "
            "at=State.LISTENING, or several, at=(State.ADVISED, State.LISTENING)",
        ),
        (
            At,
            {},
            f"at={At!r} is no place in a thread's program: write a value of the machine's Choice, "
            "at=State.LISTENING, or several, at=(State.ADVISED, State.LISTENING)",
        ),
    ],
    ids=["no choice", "two choices", "of two choices", "a text", "the enumeration"],
)
def test_what_is_no_place_of_one_choice_is_refused(at: Any, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        Instance(placed(at, **fields), 1, 1)
    assert str(caught.value).endswith(message)
    assert "\n" not in str(caught.value)
