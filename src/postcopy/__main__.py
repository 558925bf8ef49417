"""`python -m postcopy`, and the command `postcopy`: Ctrl-C is no error while modules are still being read either."""

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
    run()


if __name__ == "__main__":
    main()
