"""Every error that a user can cause, each with a message that says what, where, and what to do.

Nothing else belongs here. The command line turns these into one line on stderr and an exit code.
"""

from postcopy.surface import PYTHON, Surface


class PostcopyError(Exception):
    """Base of all errors of this package; its text is meant to be read by a person."""

    def __str__(self) -> str:
        return self.spelled(PYTHON)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    @property
    def marked(self) -> str:
        """The text as another error takes it into its own: no setting or command in it is spelled yet."""
        return super().__str__()

    def spelled(self, surface: Surface) -> str:
        """The text, with settings and commands in it as the readers of a surface write them."""
        return surface.spell(self.marked)


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


class MemoryLimitError(PostcopyError):
    """More memory was taken than was allowed; the message says how far it came and what to do."""


class UndecidedError(PostcopyError, TypeError):
    """A result is taken for true or false, and is neither: `bool()` of it would mislead."""
