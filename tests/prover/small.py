"""Protocols that are small enough for every method."""

from __future__ import annotations

from enum import Enum, auto

from postcopy.language import (
    Channel,
    Count,
    Flag,
    Machine,
    Protocol,
    Receives,
    Sends,
    Thread,
    View,
    action,
    always,
    require,
)


class Token(Enum):
    TOKEN = auto()


class Left(Machine):
    left = Thread("left")

    turn = Flag("it may step", True)
    steps = Count("steps taken", 0, 3)
    there = Sends("there")
    back = Receives("back")

    @action(left)
    def steps_on(self) -> None:
        """takes a step and passes the token on"""
        require(self.turn)
        require(self.steps < 3)
        require(self.there.room())
        self.steps += 1
        self.turn = False
        self.there.send(Token.TOKEN)

    @action(left)
    def takes_token(self) -> None:
        """takes the token"""
        self.back.receive(Token.TOKEN)
        self.turn = True


class Right(Machine):
    right = Thread("right")

    turn = Flag("it may step")
    steps = Count("steps taken", 0, 3)
    there = Receives("there")
    back = Sends("back")

    @action(right)
    def takes_token(self) -> None:
        """takes the token"""
        self.there.receive(Token.TOKEN)
        self.turn = True

    @action(right)
    def steps_on(self) -> None:
        """takes a step and passes the token back"""
        require(self.turn)
        require(self.steps < 3)
        require(self.back.room())
        self.steps += 1
        self.turn = False
        self.back.send(Token.TOKEN)


class Ring(Protocol):
    """Two machines take turns."""

    left = Left
    right = Right
    there = Channel(Token)
    back = Channel(Token)

    @staticmethod
    def may_rest(state: View) -> bool:
        return bool(state.left.steps == 3)


@always("Left is never two steps ahead")
def never_two_ahead(state: View) -> bool:
    """It waits for the token."""
    left, right = state.left.steps, state.right.steps
    return not any(left == n and right == m for n in range(4) for m in range(4) if n > m + 1)


@always("Right never steps")
def never_both(state: View) -> bool:
    """It does."""
    return bool(state.right.steps == 0)


class Register(Machine):
    clock = Thread("clock")

    first = Flag("the first bit")
    second = Flag("the second bit")
    third = Flag("the third bit")

    @action(clock)
    def shifts(self) -> None:
        """shifts the bits by one place"""
        self.third = self.second
        self.second = self.first


class Shift(Protocol):
    """A register whose bits move on; no bit ever comes in."""

    register = Register

    @staticmethod
    def may_rest(state: View) -> bool:
        return True


@always("The last bit is never set")
def last_bit_clear(state: View) -> bool:
    """No bit comes in."""
    return not state.register.third
