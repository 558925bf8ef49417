"""`python -m postcopy`, and the command `postcopy`: Ctrl-C is no error while modules are still being read either."""

import os
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    # nothing here multiplies matrices; each of OpenBLAS's threads would reserve memory, and try for minutes to get it
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from postcopy.cli.main import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
