"""The exit codes of all commands: TLC's where it has one."""

from enum import IntEnum


class Exit(IntEnum):
    """What a command says to the shell."""

    OK = 0
    FAILED = 1
    """A migration failed or was cancelled, and the guest goes on at the source."""
    USAGE = 2
    """Wrong usage, or input that cannot be read: one line on stderr."""
    GUEST_LOST = 3
    DEADLOCK = 11
    VIOLATED = 12
    """A property of states or steps is violated; the engine does what the model does not; the guest is damaged."""
    LIVENESS = 13
    VACUOUS = 20
    """All holds, but there are warnings that weaken it, and ``--strict`` was given."""
    REFUSED = 21
    """Real QEMUs did not go along with a stored run, and its end was not reproduced."""
    DISAGREEMENT = 70
    """Two provers disagree: one of them is wrong."""
    INCONCLUSIVE = 75
    INTERRUPTED = 130
    NO_READER = 141
    """The reader of the output has gone, as with ``| head``."""


OF_VERDICT: dict[str, Exit] = {
    "holds": Exit.OK,
    "violated": Exit.VIOLATED,
    "deadlock": Exit.DEADLOCK,
    "liveness violated": Exit.LIVENESS,
    "inconclusive": Exit.INCONCLUSIVE,
    "nothing found": Exit.OK,
    "interrupted": Exit.INCONCLUSIVE,
    "proved": Exit.OK,
    "not proved": Exit.INCONCLUSIVE,
}
"""By the word that `--json` gives as the verdict of check, simulate and prove."""
