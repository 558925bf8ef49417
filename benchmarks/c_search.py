"""A search in C, as good as we can make it, whose successor function is printed from the model's trees.

It is the anchor that the explorer's own search is held against: no parents are stored and no trace can be shown, all
else is the same question: every state, each stored whole, breadth first; properties of states and steps, deadlock.

    python benchmarks/c_search.py [--pages 4] [--in-flight 2] [--keep DIR]

The search itself is benchmarks/c_search.c; what is printed here is the layout of a state and, for each machine, a
decision tree: a switch over the variable that rules out the most actions, inside of each case another, and so on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from postcopy.explorer.constants import Reading, fold, read
from postcopy.export.printer import Guard, MaskPrinter, changes, guard_of, without
from postcopy.model import expressions as ex
from postcopy.model.expressions import Expr, Sort, Variable
from postcopy.model.instance import Instance
from postcopy.model.postcopy import Postcopy
from postcopy.model.symbolic import Branch, Leaf, Tree
from postcopy.properties.language import NO_DEADLOCK, Kind

WORD = 64
ENGINE = Path(__file__).with_name("c_search.c")
FLAGS = ("-O3", "-march=native", "-std=gnu17", "-Wall", "-Wno-unused-variable", "-Wno-unused-but-set-variable")


@dataclass(frozen=True)
class Field:
    """A variable's place in a state: word, lowest bit, width in bits."""

    word: int
    shift: int
    width: int

    @property
    def mask(self) -> int:
        """Before shifting."""
        return (1 << self.width) - 1


class Printer(MaskPrinter):
    """C over the words w0, w1, … of a packed state."""

    def __init__(self, instance: Instance, variables: Sequence[Variable]) -> None:
        super().__init__(instance.pages, instance.group)
        self.fields, self.words = _pack(variables, instance.pages)

    def variable(self, v: Variable) -> str:
        """Shifted and masked."""
        field = self.fields[v]
        return f"(w{field.word} >> {field.shift} & {field.mask})"

    def comparison(self, e: Expr, of: Variable | None) -> str:
        """A field and a constant are compared in place."""
        return self._in_place(e, "==") or super().comparison(e, of)

    def negated(self, e: Expr) -> str:
        """Likewise."""
        return self._in_place(e, "!=") or super().negated(e)

    def _in_place(self, e: Expr, sign: str) -> str | None:
        if e.op != "equal" or e.operands[0].op != "variable":
            return None
        stored = ex.constant(e.operands[1])
        if stored is None:
            return None
        field = self.fields[ex.variable_of(e.operands[0])]
        return f"((w{field.word} & {_literal(field.mask << field.shift)}) {sign} {_literal(stored << field.shift)})"

    def updated(self, updates: dict[Variable, Expr]) -> list[str]:
        """The words after a step."""
        keep = [0] * self.words
        pieces: list[list[str]] = [[] for _ in range(self.words)]
        constants = [0] * self.words
        for v, e in updates.items():
            field = self.fields[v]
            keep[field.word] |= field.mask << field.shift
            stored = {"none": 0, "all": self.everything}.get(e.op, ex.constant(e))
            if stored is None:
                pieces[field.word].append(f"(uint64_t){self.assigned(v, e)} << {field.shift}")
            else:
                constants[field.word] |= stored << field.shift
        words = []
        for k in range(self.words):
            text = f"w{k} & ~{_literal(keep[k])}" if keep[k] else f"w{k}"
            text = " | ".join([f"({text})", *(f"({piece})" for piece in pieces[k])])
            words.append(f"{text} | {_literal(constants[k])}" if constants[k] else text)
        return words


def _literal(value: int) -> str:
    return f"{value:#x}ul" if value > 9 else str(value)


def _pack(variables: Sequence[Variable], pages: int) -> tuple[dict[Variable, Field], int]:
    """Wide fields first into the first word with room; the highest bit of the last says that a slot is taken."""
    widths = {v: pages if v.sort is Sort.PAGES else max((v.size - 1).bit_length(), 1) for v in variables}
    words = -(-(sum(widths.values()) + 1) // WORD)
    while True:
        free = [WORD] * (words - 1) + [WORD - 1]
        fields = {}
        for v in sorted(variables, key=lambda v: -widths[v]):
            word = next((w for w, room in enumerate(free) if room >= widths[v]), None)
            if word is None:
                break
            fields[v] = Field(word, WORD - (word == words - 1) - free[word], widths[v])
            free[word] -= widths[v]
        else:
            return fields, words
        words += 1


@dataclass(frozen=True)
class Work:
    """An action with what is known folded away.

    Attributes:
        index: the action's number.
        page: whether it takes a page.
        progress: whether its steps save a state from being a deadlock, if they change something.
        tree: what is left of it.
        known: what the cases around it say.
    """

    index: int
    name: str
    page: bool
    progress: bool
    tree: Tree
    known: tuple[Guard, ...] = ()


def _fold(tree: Tree, known: dict[Variable, Expr]) -> Tree:
    if tree is None:
        return None
    if isinstance(tree, Branch):
        condition = fold(tree.condition, known)
        if condition in (ex.TRUE, ex.FALSE):
            return _fold(tree.yes if condition is ex.TRUE else tree.no, known)
        yes, no = _fold(tree.yes, known), _fold(tree.no, known)
        return None if yes is None and no is None else Branch(condition, yes, no)
    updates = {v: fold(e, known) for v, e in tree.updates.items()}
    return Leaf(
        {v: e for v, e in updates.items() if known.get(v) != e},
        tree.events,
        tuple((i, fold(e, known)) for i, e in tree.violated),
        tuple((fold(e, known), message, place) for e, message, place in tree.checks),
    )


def _known(work: list[Work], v: Variable, value: int) -> list[Work]:
    known = {v: ex.number(value)}
    says = (ex.equal(ex.variable(v), known[v]), True)
    folded = ((w, _fold(w.tree, known)) for w in work)
    return [replace(w, tree=tree, known=(*w.known, says)) for w, tree in folded if tree is not None]


def _compared(tree: Tree) -> set[Variable]:
    """The numbers that an action's enabledness hangs on."""
    if not isinstance(tree, Branch):
        return set()
    found = _compared(tree.yes) | _compared(tree.no)
    if tree.yes is None or tree.no is None:
        found |= {v for v in tree.condition.variables() if v.sort is Sort.NUMBER}
    return found


class Source:
    """The printed C text."""

    def __init__(self, reading: Reading, least: float = 0.25) -> None:
        self.reading, self.least = reading, least
        self.printer = Printer(reading.instance, reading.variables)
        self.lines: list[str] = []

    def text(self) -> str:
        """All that c_search.c includes."""
        reading, printer = self.reading, self.printer
        words = range(printer.words)
        declared = ", ".join(f"uint64_t w{k}" for k in words)
        self.write(0, f"#define WORDS {printer.words}", f"#define ACTIONS {len(reading.actions)}")
        self.write(0, f"#define TAKEN (UINT64_C(1) << {WORD - 1})")
        self.write(0, f"#define DEADLOCK {int(any(p.kind is Kind.NO_DEADLOCK for p in reading.instance.properties))}")
        self._initial()
        self.write(0, f"static inline int wrong({declared}) {{")
        for index, prop, holds in reading.predicates:
            if prop.of_states and holds is not ex.TRUE:
                self.write(1, f"if ({printer.text(ex.negation(holds))}) return {index + 1};")
        self.write(1, "return 0;")
        self.write(0, "}", f"static inline int rests({declared}) {{")
        self.write(1, f"return {printer.text(reading.resting)};")
        self.write(0, "}", "")
        self.write(0, f"static inline __attribute__((always_inline)) void expand({declared}) {{")
        machines: dict[str, list[Work]] = {}
        for index, (action, tree) in enumerate(reading.actions):
            if tree is not None:
                kept = without(tree, reading.constants)
                work = Work(index, action.name, action.takes_page, not action.info.environment, kept)
                machines.setdefault(action.machine, []).append(work)
        for name, works in machines.items():
            self.write(1, f"/* {name} */")
            self._dispatch(works, 1, 3)
        self.write(0, "}")
        return "\n".join(self.lines) + "\n"

    def write(self, indent: int, *lines: str) -> None:
        """Add lines."""
        self.lines += ["    " * indent + line for line in lines]

    def _initial(self) -> None:
        instance, fields = self.reading.instance, self.printer.fields
        self.write(0, "static const uint64_t INITIAL[][WORDS] = {")
        for state in instance.initial_states():
            words = [0] * self.printer.words
            for v, field in fields.items():
                words[field.word] |= state[instance.index[v]] << field.shift
            words[-1] |= 1 << WORD - 1
            self.write(1, "{" + ", ".join(map(_literal, words)) + "},")
        self.write(0, "};", f"#define INITIALS {len(instance.initial_states())}")

    def _dispatch(self, work: list[Work], indent: int, depth: int) -> None:
        """A switch over what rules out most; where nothing rules out enough, the actions one by one."""
        best, least = None, (1 - self.least) * len(work)
        candidates = {v for w in work for v in _compared(w.tree)} if depth and len(work) > 1 else set()
        for v in sorted(candidates, key=lambda v: v.name):
            left = sum(len(_known(work, v, value)) for value in range(v.size)) / v.size
            if left < least:
                best, least = v, left
        if best is None:
            for w in work:
                self._action(w, indent)
            return
        field = self.printer.fields[best]
        self.write(indent, f"switch (w{field.word} >> {field.shift} & {field.mask}) {{  /* {best.name} */")
        for value in range(best.size):
            inner = _known(work, best, value)
            if inner:
                self.write(indent, f"case {value}:  /* {best.decode(value)} */")
                self._dispatch(inner, indent + 1, depth - 1)
                self.write(indent + 1, "break;")
        self.write(indent, "}")

    def _action(self, work: Work, indent: int) -> None:
        self.write(indent, f"/* {work.name} */")
        if not work.page:
            self._tree(work, work.tree, (), indent)
            return
        guards, rest = _guards(work.tree)
        domain, inside = _domain([(c, want) for c, want in guards if ex.mentions_page(c)])
        outside = [(c, want) for c, want in guards if not ex.mentions_page(c)]
        if outside:
            self.write(indent, f"if ({self.printer.text(guard_of(outside))})")
        self.write(indent, f"for (uint64_t left = {self.printer.text(domain)}; left; left &= left - 1) {{")
        self.write(indent + 1, "const uint64_t page = left & -left;")
        if inside:
            self.write(indent + 1, f"if ({self.printer.text(guard_of(inside))}) {{")
        self._tree(work, rest, tuple(guards), indent + 1 + bool(inside))
        if inside:
            self.write(indent + 1, "}")
        self.write(indent, "}")

    def _tree(self, work: Work, tree: Tree, taken: tuple[Guard, ...], indent: int) -> None:
        if isinstance(tree, Leaf):
            self._leaf(work, tree, taken, indent)
        elif isinstance(tree, Branch):
            guards, rest = _guards(tree)
            if guards:
                self.write(indent, f"if ({self.printer.text(guard_of(guards))}) {{")
                self._tree(work, rest, (*taken, *guards), indent + 1)
                self.write(indent, "}")
            else:
                self.write(indent, f"if ({self.printer.text(tree.condition)}) {{")
                self._tree(work, tree.yes, (*taken, (tree.condition, True)), indent + 1)
                self.write(indent, "} else {")
                self._tree(work, tree.no, (*taken, (tree.condition, False)), indent + 1)
                self.write(indent, "}")

    def _leaf(self, work: Work, leaf: Leaf, taken: tuple[Guard, ...], indent: int) -> None:
        for index, violated in leaf.violated:
            if violated is not ex.FALSE:
                self.write(indent, f"if ({self.printer.text(violated)}) violation({index + 1});")
        for holds, _, _ in leaf.checks:
            if holds is not ex.TRUE:
                self.write(indent, f"if ({self.printer.text(ex.negation(holds))}) violation(-1);")
        if not leaf.updates:
            self.write(indent, f"STAY({work.index});")
            return
        what = "MOVE" if changes((*work.known, *taken), leaf) is ex.TRUE else "STEP"
        words = ", ".join(self.printer.updated(leaf.updates))
        self.write(indent, f"{what}({work.index}, {int(work.progress)}, {words});")


def _guards(tree: Tree) -> tuple[list[Guard], Tree]:
    """The conditions without which there is no step, and the tree below them."""
    guards = []
    while isinstance(tree, Branch) and (tree.yes is None or tree.no is None):
        want = tree.no is None
        guards.append((tree.condition, want))
        tree = tree.yes if want else tree.no
    return guards, tree


def _domain(guards: Sequence[Guard]) -> tuple[Expr, list[Guard]]:
    """The set of pages that conditions of the form "the page is (not) in this set" leave, and the other conditions."""
    domain, others = ex.FULL_SET, []
    for condition, wanted in guards:
        meet, absent = condition, wanted
        while meet.op == "not":
            meet, absent = meet.operands[0], not absent
        if meet.op == "empty" and meet.operands[0].op == "intersection" and ex.PAGE in meet.operands[0].operands:
            rest = ex.intersection(*(part for part in meet.operands[0].operands if part != ex.PAGE))
            if not ex.mentions_page(rest):
                domain = ex.intersection(domain, ex.set_complement(rest) if absent else rest)
                continue
        others.append((condition, wanted))
    return domain, others


@dataclass(frozen=True)
class Result:
    """What the C search found and what it took."""

    states: int
    transitions: int
    depth: int
    violated: int
    deadlocks: int
    seconds: float
    bytes: int


def build(instance: Instance, directory: Path, flags: Sequence[str] = ()) -> Path:
    """Print and compile; the program's path."""
    (directory / "successors.h").write_text(Source(read(instance)).text(), encoding="utf-8")
    program = directory / "search"
    command = ["gcc", *FLAGS, *flags, "-I", str(directory), str(ENGINE), "-o", str(program)]
    subprocess.run(command, check=True)
    return program


def run(program: Path) -> Result:
    """One search."""
    answer = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    return Result(**json.loads(answer))


def main() -> None:
    """Print, compile, run, say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=4)
    parser.add_argument("--in-flight", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="leave the C text and the program here")
    parser.add_argument("--define", action="append", default=[])
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    instance = Instance(Postcopy, options.pages, options.in_flight, (NO_DEADLOCK,))
    with tempfile.TemporaryDirectory() as scratch:
        directory = options.keep or Path(scratch)
        directory.mkdir(parents=True, exist_ok=True)
        program = build(instance, directory, [f"-D{d}" for d in options.define])
        for _ in range(options.repeat):
            result = run(program)
            print(result, f"{result.states / result.seconds / 1e6:.2f} M states/s")


if __name__ == "__main__":
    main()
