"""A search in C, as good as we can make it, whose successor function is printed from the model's trees.

It is the anchor that the explorer's own search is held against. The question is the same: every state, each stored
whole, breadth first, with the properties of states and of steps and the deadlocks; but it remembers no way back, so it
can show no counterexample.

    python benchmarks/c_search.py [--pages 4] [--in-flight 2] [--repeat 3] [--keep DIR]

benchmarks/c_search.c is the search; printed here are the places of the variables in a state and, one after the other,
the paths of all actions. What was tried to make it fast is in docs/decisions/0009.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from postcopy.export.printer import Guard, MaskPrinter, changes, guard_of, paths, under, without
from postcopy.language import expressions as ex
from postcopy.language.expressions import TruthExpr, Value
from postcopy.language.instance import Instance
from postcopy.language.program import Program, read
from postcopy.language.properties import NO_DEADLOCK, Kind
from postcopy.language.trees import Leaf
from postcopy.language.variables import Sort, Variable
from postcopy.model.postcopy import Postcopy

WORD = 64
ENGINE = Path(__file__).with_name("c_search.c")
FLAGS = ("-O3", "-march=native", "-std=gnu17", "-Wall", "-Wno-parentheses")


@dataclass(frozen=True)
class Place:
    """A variable's place in a state: word, lowest bit, width in bits."""

    word: int
    shift: int
    width: int

    @property
    def mask(self) -> int:
        """Before shifting."""
        return (1 << self.width) - 1


def pack(variables: Sequence[Variable], pages: int) -> tuple[dict[Variable, Place], int]:
    """Where the variables lie, and in how many words: wide ones first, each into the first word with room.

    The highest bit of the last word is no variable's: it says that a place in the table is taken.
    """
    widths = {v: pages if v.sort is Sort.PAGES else max((v.size - 1).bit_length(), 1) for v in variables}
    used = [0]
    places = {}
    for v in sorted(variables, key=lambda v: -widths[v]):
        word = next((k for k, bits in enumerate(used) if bits + widths[v] <= WORD), len(used))
        used += [0] * (word == len(used))
        places[v] = Place(word, used[word], widths[v])
        used[word] += widths[v]
    return places, len(used) + (used[-1] == WORD)


class Printer(MaskPrinter):
    """C over the words w[0], w[1], … of a packed state."""

    def __init__(self, program: Program) -> None:
        super().__init__(program.instance.pages, program.instance.group)
        self.places, self.words = pack(program.variables, self.pages)

    def variable(self, v: Variable) -> str:
        """Shifted and masked."""
        place = self.places[v]
        return f"(w[{place.word}] >> {place.shift} & {place.mask})"

    def comparison(self, e: ex.Equal | ex.Less) -> str:
        """A variable and a constant are compared in place."""
        return self._in_place(e, "==") or super().comparison(e)

    def negated(self, e: TruthExpr) -> str:
        """Likewise."""
        return self._in_place(e, "!=") or super().negated(e)

    def _in_place(self, e: TruthExpr, sign: str) -> str | None:
        if not isinstance(e, ex.Equal) or not isinstance(e.left, ex.NumberVariable):
            return None
        place, stored = self.places[e.left.variable], ex.constant(e.right)
        if stored is None:
            return None
        return f"((w[{place.word}] & {place.mask << place.shift:#x}) {sign} {stored << place.shift:#x})"

    def updated(self, updates: dict[Variable, Value]) -> str:
        """The words after a step."""
        changed = [0] * self.words
        pieces: list[list[str]] = [[] for _ in changed]
        constants = [0] * self.words
        for v, e in updates.items():
            place = self.places[v]
            changed[place.word] |= place.mask << place.shift
            stored = 0 if e is ex.EMPTY_SET else self.everything if e is ex.FULL_SET else ex.constant(e)
            if stored is None:
                pieces[place.word].append(f" | (uint64_t){self.assigned(v, e)} << {place.shift}")
            else:
                constants[place.word] |= stored << place.shift
        return ", ".join(
            f"(w[{k}] & ~UINT64_C({changed[k]:#x}) | UINT64_C({constants[k]:#x}){''.join(pieces[k])})"
            if changed[k]
            else f"w[{k}]"
            for k in range(self.words)
        )


def successors(program: Program) -> Iterator[str]:
    """The lines of what c_search.c includes."""
    instance, printer = program.instance, Printer(program)
    deadlock = any(p.kind is Kind.NO_DEADLOCK for p in instance.properties)
    yield from (f"#define WORDS {printer.words}", f"#define DEADLOCK {int(deadlock)}")
    states = instance.initial_states()
    yield from (f"#define INITIALS {len(states)}", "static const uint64_t INITIAL[INITIALS][WORDS] = {")
    for state in states:
        words = [0] * (printer.words - 1) + [1 << WORD - 1]
        for v, place in printer.places.items():
            words[place.word] |= state[instance.index[v]] << place.shift
        yield f"    {{{', '.join(f'UINT64_C({word:#x})' for word in words)}}},"
    yield from ("};", "", "static inline int wrong(const uint64_t *w) {")
    for index, prop, holds in program.predicates:
        if prop.of_states and holds is not ex.TRUE:
            yield f"    if ({printer.truth(ex.negation(holds))}) return {index + 1};"
    yield from ("    return 0;", "}", "", "static inline int rests(const uint64_t *w) {")
    yield from (f"    return {printer.truth(program.resting)};", "}", "")
    yield "static inline __attribute__((always_inline)) void expand(const uint64_t *w) {"
    for action, tree in program.actions:
        for taken, end in paths(without(tree, program.constants)):
            leaf = under(taken, end)
            progress = int(not action.info.environment)
            outside = [(c, wanted) for c, wanted in taken if not ex.mentions_page(c)]
            inside = [(c, wanted) for c, wanted in taken if ex.mentions_page(c)]
            yield f"    if ({printer.truth(guard_of(outside))}) {{  /* {action.name} */"
            for page in range(instance.pages) if action.takes_page else [0]:
                printer.page = str(1 << page)
                yield from (f"        {line}" for line in _step(printer, taken, inside, leaf, progress))
            yield "    }"
    yield "}"


def _step(
    printer: Printer, taken: Sequence[Guard], inside: Sequence[Guard], leaf: Leaf, progress: int
) -> Iterator[str]:
    yield f"if ({printer.truth(guard_of(inside))}) {{"
    for index, violated in leaf.violated:
        if violated is not ex.FALSE:
            yield f"    if ({printer.truth(violated)}) violation({index + 1});"
    for holds, _, _ in leaf.checks:
        if holds is not ex.TRUE:
            yield f"    if ({printer.truth(ex.negation(holds))}) violation(-1);"
    if leaf.updates:
        what = "MOVE" if changes(taken, leaf) is ex.TRUE else "STEP"
        yield f"    {what}({progress}, {printer.updated(leaf.updates)});"
    else:
        yield "    STAY();"
    yield "}"


@dataclass(frozen=True)
class Result:
    """What the C search found and what it took.

    Attributes:
        states, transitions, depth: of the graph.
        stuck: states in which no thread can change anything.
        violated: 0; or 1 and up for a property, by its place among those asked; or -1: a number left its range.
        seconds: of the search.
        bytes: of the states and the table.
    """

    states: int
    transitions: int
    depth: int
    stuck: int
    violated: int
    seconds: float
    bytes: int


def build(program: Program, directory: Path, flags: Sequence[str] = ()) -> Path:
    """Print and compile; the executable's path."""
    (directory / "successors.h").write_text("\n".join([*successors(program), ""]), encoding="utf-8")
    executable = directory / "search"
    subprocess.run(["gcc", *FLAGS, *flags, "-I", str(directory), str(ENGINE), "-o", str(executable)], check=True)
    return executable


def run(executable: Path) -> Result:
    """One search."""
    said = subprocess.run([executable], check=True, capture_output=True, text=True).stdout
    return Result(**json.loads(said))


def main() -> None:
    """Print, compile, run, say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=4)
    parser.add_argument("--in-flight", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="leave the C text and the program in this directory")
    options = parser.parse_args()
    instance = Instance(Postcopy, options.pages, options.in_flight, (NO_DEADLOCK,))
    with tempfile.TemporaryDirectory() as scratch:
        directory = options.keep or Path(scratch)
        directory.mkdir(parents=True, exist_ok=True)
        executable = build(read(instance), directory)
        for _ in range(options.repeat):
            found = run(executable)
            print(
                f"{found.states:,} states, {found.transitions:,} transitions, depth {found.depth}, "
                f"{found.seconds:.2f} s, {found.states / found.seconds / 1e6:.2f} M states/s, "
                f"{found.bytes / found.states:.0f} bytes/state"
            )


if __name__ == "__main__":
    main()
