"""Every error that a user can cause, each with a message that says what, where, and what to do.

Nothing else belongs here. The command line turns these into one line on stderr and an exit code.
"""


class PostcopyError(Exception):
    """Base of all errors of this package; its text is meant to be read by a person."""


class UsageError(PostcopyError):
    """A wrong option, an unknown name, or a file that cannot be read."""


class SpecError(PostcopyError):
    """A protocol that cheats or errs; the message names the action and the line.

    Attributes:
        where: ``file:line`` of the statement at fault, or the class when there is no line.
    """

    def __init__(self, message: str, where: str) -> None:
        super().__init__(f"{where}: {message}")
        self.where = where


class NoRoomError(SpecError):
    """A message is sent without having required that there is room for it."""


class UnknownNameError(SpecError):
    """A part, field, message, mark or member of an enumeration is named that this protocol does not have."""


class TraceError(PostcopyError):
    """A stored trace that is damaged, or belongs to another model or version."""
