"""Nothing of the document's protocol is declared in vain: variables change, messages are sent and received."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

import pytest

from postcopy.language.instance import Instance
from postcopy.language.program import Program, read
from postcopy.language.trees import Branch, Leaf, Tree
from postcopy.model.network import Command, Reply
from postcopy.model.postcopy import Postcopy

IN_THE_PACKAGE = {Command.LISTEN, Command.DEVICE, Command.RUN}
"""They travel on their own only where a fault unpacks the package."""


@pytest.fixture(scope="module")
def program() -> Program:
    return read(Instance(Postcopy, 2, 2, (), 2))


def leaves(tree: Tree) -> Iterator[Leaf]:
    if isinstance(tree, Branch):
        yield from leaves(tree.yes)
        yield from leaves(tree.no)
    elif tree is not None:
        yield tree


@pytest.mark.parametrize("sent", [True, False], ids=["sent", "received"])
def test_every_message_is_sent_and_received(program: Program, sent: bool) -> None:
    events = [event for _, tree in program.actions for leaf in leaves(tree) for event in leaf.events]
    kinds: set[Enum] = {event.what for event in events if event.channel and event.sent is sent}
    assert kinds == {*Command, *Reply} - IN_THE_PACKAGE


def test_every_variable_changes(program: Program) -> None:
    assert [variable.name for variable in program.constants] == []
