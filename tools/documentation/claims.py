"""The claims of README and of the pages, each with the command that shows it: the data of docs/claims.md.

`python -m documentation.claims` runs them all in a folder of its own and says which hold; ``--quick`` those that take
seconds, and words behind it those whose text has one of them.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from documentation.markdown import table

ROOT = Path(__file__).parents[2]
QUICK = 10
"""Seconds of a claim that is quick."""


@dataclass(frozen=True)
class Claim:
    """Something that a page says, and what shows it.

    Attributes:
        page: the page, from the top of the repository.
        quote: its words there, without line breaks and markup.
        command: for the shell, in a folder that has links to what the checkout has.
        prints: a regular expression that its output has.
        seconds: of the processor, about, as measured; None for minutes that were not.
        code: its exit code.
        needs: programs without which it cannot be shown.
    """

    page: str
    quote: str
    command: str
    prints: str
    seconds: int | None
    code: int = 0
    needs: tuple[str, ...] = ()

    @property
    def quick(self) -> bool:
        """Whether it takes seconds."""
        return self.seconds is not None and self.seconds <= QUICK


Q11 = "+preempt=off+disk_lock=on+exit_on_error=on --pages 1 --in-flight 1"
FEW = "--in-flight 1 --no-liveness --property no-deadlock"

CLAIMS = (
    Claim("docs/quickstart.md", "there are 14,764 states", "postcopy check", r"14,764 states[\s\S]*holds:", 2),
    Claim(
        "docs/quickstart.md",
        "a shortest run in which the devices are loaded from such a page",
        "postcopy check --fault no-discards",
        r"violated: The device load reads no stale page",
        1,
        12,
    ),
    Claim(
        "README.md",
        "for every rule of it there is a run that shows how a migration breaks without that rule",
        "pytest -q -n 0 tests/test_rules_and_faults.py",
        r" passed",
        56,
    ),
    Claim("docs/model.md", '"states": 7139', "postcopy check --pages 2 --in-flight 1 --json", r'"states": 7139', 2),
    Claim(
        "docs/model.md",
        '"states": 12237',
        "postcopy check --pages 2 --in-flight 1 --no-symmetry --json",
        r'"states": 12237',
        2,
    ),
    Claim(
        "docs/pictures.md",
        "This map has 788 nodes",
        "postcopy graph states.html --fault no-discards --pages 2 --in-flight 2 --by source --by destination",
        r"788 nodes",
        3,
    ),
    Claim(
        "docs/findings.md",
        "postcopy check --pages 2 --in-flight 2 --property refusal-costs-no-guest",
        "postcopy check --pages 2 --in-flight 2 --property refusal-costs-no-guest",
        r"violated",
        1,
        12,
    ),
    Claim(
        "docs/liveness.md",
        "postcopy check --in-flight 1 --fault lost-wake-up --property every-blocked-vcpu-runs-again",
        "postcopy check --in-flight 1 --fault lost-wake-up --property every-blocked-vcpu-runs-again",
        r"loop|for ever",
        2,
        13,
    ),
    Claim(
        "docs/concepts.md",
        "an invariant excludes every violation, whatever the number of pages",
        "postcopy prove --property no-two-guests",
        r"proved",
        8,
    ),
    Claim(
        "docs/large.md", "proves the safety properties of check for any number of pages", "postcopy prove", "proved", 96
    ),
    Claim("docs/proof.md", "the bitmap lemmas, for all words of 64 pages", "postcopy prove --bitmaps", "proved", 2),
    Claim(
        "docs/large.md",
        "of 10,000 walks some 2,900 see the guest run at the destination",
        "postcopy simulate --walks 10000",
        r"2,[89]\d\d The guest runs at the destination while pages are still missing",
        9,
    ),
    Claim(
        "docs/performance.md",
        "220,141 | 82,393",
        f"postcopy check --pages 6 --vcpu-symmetry {FEW}; postcopy check --pages 6 --vcpu-symmetry --reset-dead {FEW}",
        r"220,141 states[\s\S]*82,393 states",
        26,
    ),
    Claim(
        "docs/performance.md",
        "16 pages, 48,416,722 states with 1,113,366,167 transitions and no deadlock",
        f"postcopy check --pages 16 --vcpu-symmetry --workers 2 {FEW} --max-memory 16G",
        r"48,416,722 states, 1,113,366,167 transitions[\s\S]*holds",
        97,
    ),
    Claim(
        "docs/performance.md",
        "1,188,324,470 states and 16,824,831,629 transitions, depth 64, and no deadlock",
        f"postcopy check --pages 7 --no-symmetry --small-table --workers 2 {FEW} --max-memory 10G",
        r"1,188,324,470 states, 16,824,831,629 transitions[\s\S]*holds",
        662,
    ),
    Claim(
        "docs/performance.md",
        "4 pages, 2 messages in flight, no reductions: 2,948,657 states, 34,061,708 transitions",
        "python benchmarks/states_per_second.py --pages 4 --in-flight 2",
        r"2,948,657",
        14,
    ),
    Claim(
        "docs/trust.md",
        "Spin and a search in C count the same states and transitions",
        "python benchmarks/against_spin.py --pages 4 --in-flight 3",
        r"6,916,205",
        43,
        needs=("spin", "gcc"),
    ),
    Claim(
        "docs/engine.md",
        "postcopy run --log run.jsonl",
        "postcopy run --size 1M --settle 0.1 --log run.jsonl && postcopy conform run.jsonl",
        r"the log conforms",
        2,
    ),
    Claim(
        "docs/engine.md",
        "every interleaving of the engine's threads",
        "postcopy conform --exhaustive --pages 1",
        r"refine the model at this size: every interleaving",
        2,
    ),
    Claim(
        "docs/commands.md",
        "drives the engine, which has no fault, along a stored counterexample until it refuses a step",
        "postcopy replay counterexamples/no-discards.itf.json",
        r"refuses at step 12 of 17",
        1,
    ),
    Claim(
        "docs/others.md",
        "postcopy check cloud-hypervisor-mended --pages 1 --in-flight 1",
        "postcopy check cloud-hypervisor-mended --pages 1 --in-flight 1",
        r"holds:",
        1,
    ),
    Claim(
        "docs/others.md",
        "postcopy check cloud-hypervisor --pages 1 --in-flight 1",
        "postcopy check cloud-hypervisor --pages 1 --in-flight 1",
        r"violated:",
        1,
        12,
    ),
    Claim(
        "docs/changes.md",
        "postcopy check --bug keeps-old-bitmap --property vcpus-run-again-after-a-break",
        "postcopy check --bug keeps-old-bitmap --property vcpus-run-again-after-a-break",
        r"violated",
        2,
        13,
    ),
    Claim(
        "docs/tutorial-qemu.md",
        f"postcopy check qemu-11{Q11} --property no-deadlock",
        f"postcopy check qemu-11{Q11} --property no-deadlock",
        r"no thread can move",
        2,
        11,
    ),
    Claim(
        "docs/tutorial-qemu.md",
        f"postcopy check qemu-11-mended{Q11} --property no-deadlock",
        f"postcopy check qemu-11-mended{Q11} --property no-deadlock",
        r"holds:",
        11,
    ),
    Claim(
        "docs/exports.md",
        "compares states and verdict for the protocol, for every fault that breaks a property of states or steps",
        "pytest -q -n 0 -m '' tests/export/test_spin.py",
        r" passed",
        None,
        needs=("spin", "gcc"),
    ),
    Claim(
        "docs/installation.md",
        "from nothing but Python to a change that breaks",
        "tools/fresh_environment",
        r"one fails with its story",
        None,
    ),
)
"""In the order of the page."""


def _said(claim: Claim) -> str:
    """The quotation; of a command that stands on the page with its verdict, no second time."""
    if claim.quote == claim.command:
        return "the verdict beside this command"
    return f"`{claim.quote}`".replace("|", "\\|") if re.search(r"[|{\"]|--", claim.quote) else claim.quote


LINKED = ("counterexamples", "examples", "tests", "benchmarks", "tools", "docs", "src", "pyproject.toml")


def claims() -> str:
    """The table of all claims."""
    rows = [
        (
            f"[{Path(each.page).stem}]({Path('..') / each.page if each.page == 'README.md' else Path(each.page).name})",
            _said(each),
            f"`{each.command}`",
            "minutes" if each.seconds is None else f"{each.seconds} s",
        )
        for each in CLAIMS
    ]
    return table(["page", "what it says", "what shows it", "time"], rows) + "\n"


@dataclass(frozen=True)
class Shown:
    """What came of a claim.

    Attributes:
        seconds: of the processor.
        missing: programs that are not there; then it was not tried.
        why: what was otherwise than claimed; empty where it holds.
    """

    seconds: float
    missing: tuple[str, ...] = ()
    why: str = ""


def show(claim: Claim, folder: Path) -> Shown:
    """Run what shows a claim, in a folder that has links to what the checkout has."""
    missing = tuple(program for program in claim.needs if shutil.which(program) is None)
    if missing:
        return Shown(0.0, missing)
    for name in LINKED:
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    begin = processor()
    done = subprocess.run(
        ["bash", "-c", claim.command],
        cwd=folder,
        env={**os.environ, "PATH": path, "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = processor() - begin
    if done.returncode != claim.code:
        return Shown(seconds, why=f"exit code {done.returncode} and not {claim.code}: {done.stderr.strip()[-300:]}")
    if re.search(claim.prints, done.stdout) is None:
        return Shown(seconds, why=f"its output does not have {claim.prints}: {done.stdout.strip()[-300:]}")
    return Shown(seconds)


def processor() -> float:
    """Seconds of the processor that programs have taken which this one has started."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def chosen(words: Sequence[str], *, quick: bool) -> Iterator[Claim]:
    """The claims that were asked for."""
    for claim in CLAIMS:
        named = any(word in claim.quote or word in claim.command or word in claim.page for word in words)
        if (named or not words) and (claim.quick or not quick):
            yield claim


def main(arguments: Sequence[str] | None = None) -> int:
    """Run claims, and print a line for each; 1 where one does not hold."""
    parser = argparse.ArgumentParser(prog="claims", description="Run what shows the claims of the pages.")
    parser.add_argument("words", nargs="*", help="only claims whose page, text or command has one of these")
    parser.add_argument("--quick", action="store_true", help=f"only those that take {QUICK} seconds at most")
    given = parser.parse_args(arguments)
    wrong = tried = 0
    for claim in chosen(given.words, quick=given.quick):
        with tempfile.TemporaryDirectory() as folder:
            shown = show(claim, Path(folder))
        said = f"needs {', '.join(shown.missing)}" if shown.missing else "does not hold" if shown.why else "holds"
        print(f"{said:13} {shown.seconds:6.1f} s  {claim.page}: {claim.quote}", flush=True)
        if shown.why:
            print(f"    {claim.command}\n    {shown.why}", flush=True)
        tried += not shown.missing
        wrong += bool(shown.why)
    print(f"{tried - wrong} of {tried} hold")
    return 1 if wrong or not tried else 0


if __name__ == "__main__":
    sys.exit(main())
