"""`python -m postcopy`, and the command `postcopy`: Ctrl-C is no error while modules are still being read either."""

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        from postcopy.cli.main import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
