"""Matches over messages name every message: nothing is taken for another, and nothing is passed over in silence."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from postcopy.engine.messages import (
    Capabilities,
    Fixed,
    FixedCommand,
    FixedReply,
    Message,
    MultifdFlush,
    Page,
    Pages,
    Reply,
    StreamMessage,
    SwitchoverAck,
    SwitchoverStart,
    TargetPageBits,
    Uuid,
)
from postcopy.engine.multifd import MultifdMessage
from postcopy.engine.wire import CommandCode, ReplyCode

SOURCE = Path(__file__).parents[2] / "src" / "postcopy"
FILES = sorted([*(SOURCE / "engine").glob("*.py"), *(SOURCE / "conformance").glob("*.py")])


def swallowed(text: str) -> list[int]:
    """The lines of each ``case _`` that does anything but name what mypy has found to be impossible."""
    cases = [case for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Match) for case in node.cases]
    any_case = [case for case in cases if isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None]
    return [
        case.pattern.lineno
        for case in any_case
        if case.guard is not None or not ast.unparse(case.body[0]).startswith("assert_never(")
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_no_match_swallows_what_it_does_not_name(path: Path) -> None:
    assert not swallowed(path.read_text())


def test_one_that_does_is_found() -> None:
    text = "match message:\n    case Ping():\n        pass\n    case {}:\n        {}\n"
    assert swallowed(text.format("_", "pass")) == [4]
    assert swallowed(text.format("_ if early", "assert_never(message)")) == [4]
    assert swallowed(text.format("other", "raise TypeError(other)")) == [4]
    assert not swallowed(text.format("_", "assert_never(message)"))


def kinds_of(base: type[Message]) -> Iterator[type[Message]]:
    """The classes of messages that this package declares, without the bases."""
    for kind in base.__subclasses__():
        if kind is not Fixed and kind.__module__.startswith("postcopy."):
            yield kind
        yield from kinds_of(kind)


def test_the_unions_name_every_message() -> None:
    unions = (StreamMessage, Reply, MultifdMessage)
    assert {kind for union in unions for kind in get_args(union)} == set(kinds_of(Message))
    assert set(get_args(FixedCommand)) | set(get_args(FixedReply)) == set(kinds_of(Fixed))


def made_in(paths: list[Path]) -> set[str]:
    """The names that are called: a message that is made there is sent."""
    calls = (node for path in paths for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    return {call.func.id for call in calls if isinstance(call.func, ast.Name)}


SENT_AS = {Page: Pages}
"""The hosts send pages together; a message of one page is what a parser finds."""
QEMUS = {
    *(TargetPageBits, Capabilities, Uuid, SwitchoverStart, MultifdFlush, SwitchoverAck),
}
"""QEMU sends them; the engine can read and write them, and neither sends nor expects them (tests/engine/recorded)."""
FORMAT = ("messages", "wire", "parsing", "writing", "return_path", "multifd")


def test_the_engine_sends_every_message_or_qemu_alone_does() -> None:
    made = made_in([path for path in FILES if path.parent.name == "engine" and path.stem not in FORMAT])
    assert not made & {kind.__name__ for kind in QEMUS}
    sent = [SENT_AS.get(kind, kind) for kind in (*get_args(StreamMessage), *get_args(Reply)) if kind not in QEMUS]
    assert [kind.__name__ for kind in sent if kind.__name__ not in made] == []


@pytest.mark.parametrize(("union", "others"), [(FixedCommand, CommandCode), (FixedReply, ReplyCode)])
def test_no_two_messages_have_the_same_number(union: object, others: type[CommandCode | ReplyCode]) -> None:
    numbers = [*(kind.code for kind in get_args(union)), *others]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("kind", list(kinds_of(Fixed)), ids=lambda kind: kind.__name__)
def test_a_message_of_a_fixed_length_has_a_letter_for_each_field(kind: type[Fixed]) -> None:
    assert kind.layout.format[0] == ">"
    assert len(kind.layout.format[1:]) == len(kind.__struct_fields__)
