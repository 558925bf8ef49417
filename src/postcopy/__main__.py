"""`python -m postcopy`, and the command `postcopy`: Ctrl-C is no error while modules are still being read either."""

import gc
import sys

GUARDED = ("prove",)
"""Commands that are long in code that does not hear Ctrl-C."""


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        if sys.argv[1:] and sys.argv[1] in GUARDED:
            from postcopy.cli.guard import guard

            guard()
        from postcopy.cli.main import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    try:
        run()
    finally:
        gc.freeze()  # the process ends: Python need not look for cycles among all that there is, a tenth of a check


if __name__ == "__main__":
    main()
