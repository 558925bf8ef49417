"""Exit codes of verdicts, as TLC's where it has one."""

from postcopy.explorer.explore import Outcome

EXIT = {
    Outcome.HOLDS: 0,
    Outcome.DEADLOCK: 11,
    Outcome.VIOLATED: 12,
    Outcome.LIVENESS: 13,
    Outcome.INCONCLUSIVE: 75,
}
