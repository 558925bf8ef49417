"""`python -m mutation`: judge mutants of the model or weakened properties, and keep each judgement as it is found."""

from __future__ import annotations

import argparse
import gc
import random
import re
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from mutation import judge, weakenings, wider
from mutation.model import Mutant, mutants
from mutation.results import Fate, Judgement, append, load, stale, write
from mutation.weakenings import Weakening

Subject = Mutant | Weakening


def subjects(what: str) -> tuple[Iterable[Subject], Callable[..., Judgement]]:
    """All mutants of the model, those of the wider draws, or all weakened properties, and what judges one of them."""
    if what == "model":
        return mutants(), judge.judge
    if what == "wider":
        return wider.all_drawn(), judge.judge
    return weakenings.weakenings(), weakenings.judge


def main() -> None:
    """Judge the mutants that the file does not have yet."""
    parser = argparse.ArgumentParser(prog="mutation", description=__doc__)
    parser.add_argument("what", choices=["model", "wider", "properties"], help="what is mutated")
    parser.add_argument("results", type=Path, help="a file of JSON lines: it is read, and written further")
    parser.add_argument("--again", action="store_true", help="judge those anew that survived")
    parser.add_argument("--only", default="", help="mutants whose name matches this regular expression")
    parser.add_argument("--most", type=int, default=10**9, help="how many to judge at most")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    args = parser.parse_args()
    known = load(args.results)
    if args.again:
        known = {name: j for name, j in known.items() if j.fate is not Fate.SURVIVES}
        write(args.results, known.values())
    found, verdict = subjects(args.what)
    chosen = list(found)
    digests = {m.name: m.of for m in chosen}
    if old := stale(known.values(), digests):
        known = {name: j for name, j in known.items() if name not in old}
        write(args.results, known.values())
        print(f"{len(old)} judgements are stale, and dropped", file=sys.stderr)
    random.Random(0).shuffle(chosen)  # so that what is judged so far is a fair sample
    todo = [m for m in chosen if m.name not in known and re.search(args.only, m.name)][: args.most]
    started = time.monotonic()
    if args.what != "properties":
        judge.warm_up()
    gc.freeze()
    with get_context("fork").Pool(args.jobs) as pool:  # what is warmed up is there in all of them
        for done, judgement in enumerate(pool.imap_unordered(verdict, todo), 1):
            append(args.results, replace(judgement, of=digests[judgement.mutant]))
            print(f"{done} of {len(todo)}, {time.monotonic() - started:.0f} s: {judgement}", file=sys.stderr)


if __name__ == "__main__":
    main()
