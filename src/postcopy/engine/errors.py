"""The errors of a migration: a class for each side that can be at fault."""

from postcopy.errors import PostcopyError


class EngineError(PostcopyError):
    """Base of the engine's errors."""


class LocalProtocolError(EngineError):
    """This side was asked for something that the protocol forbids now; nothing has changed.

    Attributes:
        rule: the rule of the document that would be broken (docs/rules.md), or an empty string.
    """

    def __init__(self, message: str, rule: str = "") -> None:
        super().__init__(f"{message} ({rule})" if rule else message)
        self.rule = rule


class RemoteProtocolError(EngineError):
    """The other side did something that the protocol forbids; nothing has changed here.

    Attributes:
        rule: the rule of the document that it broke, or an empty string.
    """

    def __init__(self, message: str, rule: str = "") -> None:
        super().__init__(f"{message} ({rule})" if rule else message)
        self.rule = rule


class WireError(RemoteProtocolError):
    """Bytes that are no migration stream.

    Attributes:
        offset: where in the stream the message begins that cannot be read.
    """

    def __init__(self, message: str, offset: int, where: str = "stream") -> None:
        super().__init__(f"{where} offset {offset}: {message}")
        self.offset = offset


class ConnectionLost(EngineError):
    """The connection to the other side broke, was closed, or stood still for too long."""


class GuestError(EngineError):
    """The guest process died, or could not do what was asked of it."""


def also(why: str, more: str) -> str:
    """Two reasons in one text, each once."""
    return more if not why else why if more in why else f"{why}; {more}"
