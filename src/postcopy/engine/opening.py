"""The head of a QEMU's stream, up to the sizes of memory: what kind of guest comes, before anything is made for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, assert_never

from postcopy.engine.errors import RemoteProtocolError
from postcopy.engine.geometry import Geometry
from postcopy.engine.messages import (
    Advise,
    Capabilities,
    Configuration,
    Header,
    OpenReturnPath,
    Ping,
    RamSize,
    SectionStart,
    StreamMessage,
    TargetPageBits,
    Uuid,
)
from postcopy.engine.source import ConfigurationPart

TARGET_PAGE = 4096
"""Bytes of a target page where the stream does not say it: x86 has no other."""
BEFORE_THE_SIZES = (Header | Configuration | TargetPageBits | Capabilities | Uuid) | (
    OpenReturnPath | Ping | Advise | SectionStart
)
LONGEST = 16
"""More messages than there are before the sizes of memory."""


class Opening(NamedTuple):
    """What a stream says of its guest.

    Attributes:
        messages: all of them, the sizes of memory the last.
        configuration: what stands in the stream behind the machine.
    """

    messages: tuple[StreamMessage, ...]
    machine: str
    configuration: tuple[ConfigurationPart, ...]
    geometry: Geometry


def read_opening(next_message: Callable[[], StreamMessage], host_page: int) -> Opening:
    """Read a stream up to the sizes of memory.

    Args:
        next_message: gives the next message each time.
        host_page: bytes of a page as this host places it.

    Raises:
        RemoteProtocolError: something else comes before them, or they are of no memory.
    """
    messages: list[StreamMessage] = []
    machine, target_page = "", TARGET_PAGE
    configuration: list[ConfigurationPart] = []
    while len(messages) < LONGEST:
        messages.append(message := next_message())
        if not isinstance(message, BEFORE_THE_SIZES | RamSize):
            raise RemoteProtocolError(f"{type(message).__name__} comes before the sizes of memory")
        match message:
            case Configuration():
                machine = message.machine
            case TargetPageBits() | Capabilities() | Uuid():
                configuration.append(message)
            case Advise():
                target_page = message.target_page
            case RamSize(blocks):
                try:
                    geometry = Geometry(blocks, target_page, host_page)
                except ValueError as error:
                    raise RemoteProtocolError(f"the guest's memory does not fit here: {error}") from None
                return Opening(tuple(messages), machine, tuple(configuration), geometry)
            case Header() | OpenReturnPath() | Ping() | SectionStart():
                pass
            case _:
                assert_never(message)
    raise RemoteProtocolError(f"{LONGEST} messages, and the sizes of memory are not among them")
