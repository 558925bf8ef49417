"""How far random walks come: for each witness the walks that reached it, beside walks that take any step there is.

    python benchmarks/random_walks.py [--pages 8] [--in-flight 4] [--steps 20000] [--seed 1]

Both take the same number of steps; how long each took is printed too.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable

from postcopy.explorer.kernel.stepper import Stepper
from postcopy.explorer.simulation.walk import Walker
from postcopy.language.instance import Instance
from postcopy.model.postcopy import Postcopy
from postcopy.properties.safety import SAFETY
from postcopy.properties.witnesses import WITNESSES

DEPTH = 400


def any_step(stepper: Stepper, seed: int, steps: int) -> tuple[int, dict[str, int]]:
    """Walks from the start that take any step until all is over: how many, and how many reached each witness."""
    dice, walks = random.Random(seed), 0
    reached = {p.name: 0 for p in stepper.instance.properties if p.is_witness}
    while steps > 0:
        walks += 1
        state, seen = dice.choice(stepper.initial), set[str]()
        for step in range(min(DEPTH, steps)):
            look, moves = stepper.look(state), stepper.moves(state)
            seen.update(look.witnesses)
            if step and look.resting and not stepper.progress(state, moves):
                break
            state = dice.choice(moves).after
            steps -= 1
        for name in seen:
            reached[name] += 1
    return walks, reached


def guided(stepper: Stepper, seed: int, steps: int) -> tuple[int, dict[str, int]]:
    """The same of the walks of `postcopy simulate`."""
    walker = Walker(stepper, seed, DEPTH)
    while walker.steps < steps:
        walker.walk()
    return walker.walks, walker.reached


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=8)
    parser.add_argument("--in-flight", type=int, default=4)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    stepper = Stepper(Instance(Postcopy, options.pages, options.in_flight, (*SAFETY, *WITNESSES)))
    ways: dict[str, Callable[[Stepper, int, int], tuple[int, dict[str, int]]]] = {"any step": any_step, "ours": guided}
    columns = {}
    print(f"{stepper.instance.size}, seed {options.seed}")
    for name, way in ways.items():
        start = time.perf_counter()
        walks, columns[name] = way(stepper, options.seed, options.steps)
        seconds = time.perf_counter() - start
        print(f"{name}: {walks:,} walks, {options.steps:,} steps, {options.steps / seconds:,.0f} steps/s")
    print(f"\n{'walks that reached':<28}" + "".join(f"{name:>10}" for name in ways))
    for witness in columns["ours"]:
        print(f"{witness:<28}" + "".join(f"{columns[name][witness]:>10,}" for name in ways))


if __name__ == "__main__":
    main()
