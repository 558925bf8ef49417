"""What a check does before it searches, with an empty cache: seconds of the processor for each stage.

    python benchmarks/stages_of_a_check.py [PROTOCOL] [--pages 2] [--in-flight 2]

All properties are asked. With PYTHONPATH set to the sources of another revision, it measures that one.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from typing import TypeVar

from postcopy.api.asking import instance_of, load
from postcopy.explorer.kernel import machine_code
from postcopy.explorer.kernel.kernel import kernel_to_errors
from postcopy.explorer.search import loops
from postcopy.explorer.search.findings import question_of

T = TypeVar("T")


def timed(what: str, do: Callable[[], T]) -> T:
    """Do something, and print what it took."""
    began = time.process_time()
    result = do()
    print(f"{what:60} {time.process_time() - began:6.2f}", flush=True)
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("protocol", nargs="?", default="Postcopy")
    parser.add_argument("--pages", type=int, default=2)
    parser.add_argument("--in-flight", type=int, default=2)
    options = parser.parse_args()
    protocol = load(options.protocol).protocol
    instance = instance_of(protocol, options.pages, options.in_flight, None, (), liveness=True)
    with tempfile.TemporaryDirectory() as directory:
        os.environ["POSTCOPY_CACHE"] = directory
        kernel = timed("reading", lambda: kernel_to_errors(instance, ()))
        timed("the text for Python", lambda: kernel.functions)
        plan = timed("the text for machine code", lambda: kernel.plan)
        code = timed(f"machine code of {plan.text.count(chr(10)):,} lines", lambda: machine_code.load(plan))
        timed("importing Numba", lambda: __import__("numba"))

        def begin() -> None:
            from postcopy.explorer.search.compiled import Compiled

            machine = loops.Machine(code, loops.load(plan.words))
            Compiled(machine, question_of(kernel, 1 << 30)).run(1000)

        timed("the search's loop, and a thousand states", begin)


if __name__ == "__main__":
    main()
