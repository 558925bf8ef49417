"""Small changes without an invariant: which are proved for every size, how long it takes, and what is found for it.

    python benchmarks/found_conjuncts.py [NAME ...]

The changes are those of tests/prover/inference/changes.py and further_changes.py, or the named ones, of the catalogue
too. Each is proved by `postcopy prove` in a process of its own, with both cores and the answers that are kept. A line
for each.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "tests" / "prover" / "inference"
FILES = (FOLDER / "changes.py", FOLDER / "further_changes.py")


def sound(file: Path) -> list[str]:
    """The names of the sound changes of a file, in their order."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    wanted = next(n for n in tree.body if isinstance(n, ast.AnnAssign) and ast.unparse(n.target) == "SOUND")
    assert isinstance(wanted.value, ast.Tuple)
    return [ast.unparse(name) for name in wanted.value.elts]


def main(names: list[str]) -> None:
    """Prove the changes one after the other."""
    own = {name: f"{file}:{name}" for file in FILES for name in sound(file)}
    for name in names or own:
        subject = [own[name]] if name in own else ["--change", name]
        start = time.perf_counter()
        run = subprocess.run(["postcopy", "prove", *subject, "--json"], capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
        if not run.stdout:
            sys.exit(run.stderr)
        record = json.loads(run.stdout)
        print(f"{name}: {record['verdict']}, {seconds:.0f} s, {len(record.get('found', []))} found", flush=True)
        for found in record.get("found", []):
            print(f"    {found['sentence']}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
