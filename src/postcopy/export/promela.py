"""The model in Promela, for Spin: an independent search over the same states.

Each path of each action, for each page, is one `d_step`: a condition, and what changes. Two processes share them, only
so that Spin's own `else` can say where the protocol is stuck: `protocol` has the steps that change something and that a
deadlock is the lack of, `init` all others (guest, operator, network, and steps that change nothing). Neither has more
than one place to be in, so Spin's states are the model's, and one more: the start, before an initial state is chosen.
"""

from __future__ import annotations

from collections.abc import Iterator

from postcopy.export.printer import MaskPrinter, Names, changes, enumerations, guard_of, paths, said_of, under, without
from postcopy.language import expressions as ex
from postcopy.language.actions import numbers_of
from postcopy.language.expressions import TruthExpr, Value
from postcopy.language.program import Program
from postcopy.language.properties import Kind
from postcopy.language.trees import Leaf
from postcopy.language.variables import Sort, Variable

KEYWORDS = """
    active assert atomic bit bool break byte chan d_step do else empty enabled eval false fi for full goto hidden if in
    init inline int len local ltl mtype nempty never nfull notrace od of pid print printf printm priority proctype
    protocol provided return run select short show skip timeout trace true typedef unless unsigned xr xs
"""

OUT_OF_RANGE = "a_number_leaves_its_range"
"""What is asserted never to happen where the model checks a number's range."""


class _PromelaPrinter(MaskPrinter):
    """Expressions over named variables; while a step assigns, the old values of some have names of their own."""

    def __init__(self, program: Program) -> None:
        super().__init__(program.instance.pages, program.instance.group)
        names = Names(KEYWORDS.split())
        self.names = {v: names.give(v.name) for v in program.variables}
        self.enumerations = enumerations(program.variables, names)
        self.properties = [names.give(p.name) for p in program.instance.properties]
        self.out_of_range = names.give(OUT_OF_RANGE)
        self.old = {v: names.give(f"old {v.name}") for v in program.variables}
        self.saved: set[Variable] = set()

    def choice(self, condition: str, yes: str, no: str) -> str:
        return f"({condition} -> {yes} : {no})"

    def variable(self, v: Variable) -> str:
        return self.old[v] if v in self.saved else self.names[v]

    def number(self, stored: int, of: Variable | None) -> str:
        named = self.enumerations.get(of.values) if of is not None else None
        return named.members[stored] if named else str(stored)

    def declared(self, v: Variable, name: str) -> str:
        """A declaration with as many bits as the variable needs."""
        bits = self.pages if v.sort is Sort.PAGES else max((v.size - 1).bit_length(), 1)
        return f"unsigned {name} : {bits}" if bits > 1 else f"bit {name}"


def promela(program: Program, name: str) -> str:
    """The text of the whole model.

    Args:
        reading: the protocol as trees, with the properties that become assertions.
        name: what the protocol is called.
    """
    return "\n".join(_Model(program, name).lines()) + "\n"


class _Model:
    def __init__(self, program: Program, name: str) -> None:
        self.program, self.name, self.instance = program, name, program.instance
        self.printer = _PromelaPrinter(program)
        self.deadlock = next((i for i, p in enumerate(self.instance.properties) if p.kind is Kind.NO_DEADLOCK), None)
        self.asserted: set[str] = set()
        self.kept: set[Variable] = set()
        self.protocol: list[str] = []
        self.others: list[str] = []

    def lines(self) -> Iterator[str]:
        for index, prop, holds in self.program.predicates:
            if prop.of_states and holds is not ex.TRUE:
                wrong = self.printer.truth(ex.negation(holds))
                self.others += [f"    :: d_step {{ {wrong} -> {self._assert(self.printer.properties[index])} }}"]
        for action, tree in self.program.actions:
            for choice in action.choices(self.instance.pages):
                label = ", ".join([action.name, *(f"page {number}" for number in numbers_of(choice))])
                self.printer.taken_with(choice)
                for taken, end in paths(without(tree, self.program.constants)):
                    leaf = under(taken, end)
                    guard, changed = guard_of(taken), changes(taken, leaf)
                    if action.info.environment or self.deadlock is None:
                        self.others += self._step(label, guard, leaf)
                    else:
                        self.protocol += self._step(label, ex.conjunction(guard, changed), leaf)
                        idle = Leaf({}, leaf.events, leaf.violated, leaf.checks)
                        self.others += self._step(label, ex.conjunction(guard, ex.negation(changed)), idle)
        stuck = [] if self.deadlock is None else list(self._process(self.deadlock))
        yield from self._head()
        yield from self._variables()
        yield from stuck
        yield from self._init()

    def _process(self, deadlock: int) -> Iterator[str]:
        rests, wrong = self.printer.truth(self.program.resting), self._assert(self.printer.properties[deadlock])
        yield from ("proctype protocol() {", "end:", "    do", *self.protocol, "    /* stuck */")
        yield from (f"    :: atomic {{ else -> if :: {rests} :: else -> {wrong} fi }}", "    od", "}", "")

    def _head(self) -> Iterator[str]:
        yield f"/* {self.name}: {self.instance.size}. Made by postcopy export promela; see docs/exports.md."
        yield " *"
        yield " *     spin -a -o1 -o2 FILE && gcc -O3 -DSAFETY -DNOREDUCE -o pan pan.c && ./pan -m1000000"
        yield " *"
        yield " * Sets of pages are numbers, page 0 the lowest bit. A channel is its slots, the oldest message first."
        strong = list(dict.fromkeys(f"{a.machine}.{a.method}" for a in self.instance.actions if a.info.strongly))
        if strong:
            yield f" * Strongly fair is {', '.join(strong)}: that is left out, since nothing is asserted of whole runs."
        yield " */"
        yield ""

    def _variables(self) -> Iterator[str]:
        for enumeration in self.printer.enumerations.values():
            yield f"/* {enumeration.name} */"
            yield from (f"#define {member} {stored}" for stored, member in enumerate(enumeration.members))
        yield ""
        initial = self.instance.initial_states()[0]
        for v in self.program.variables:
            stored = initial[self.instance.index[v]]
            given = f" = {self.printer.number(stored, v)}" if stored else ""
            yield f"{self.printer.declared(v, self.printer.names[v])}{given};  /* {said_of(v)} */"
        yield ""
        if self.kept:
            yield "/* values from before a step, while it assigns: no part of the state */"
            kept = (v for v in self.program.variables if v in self.kept)
            yield from (f"hidden int {self.printer.old[v]};" for v in kept)
            yield ""
        if self.asserted:
            yield "/* never true: so that a failed assertion says which property is violated */"
            yield from (f"hidden byte {name};" for name in sorted(self.asserted))
            yield ""

    def _assert(self, name: str) -> str:
        self.asserted.add(name)
        return f"assert({name})"

    def _step(self, label: str, guard: TruthExpr, leaf: Leaf) -> list[str]:
        if guard is ex.FALSE:
            return []
        truth = self.printer.truth
        lines = [f"    :: d_step {{ {truth(guard)} ->  /* {label} */"]
        for index, violated in leaf.violated:
            if violated is not ex.FALSE:
                lines.append(self._unless(violated, self.printer.properties[index]))
        for holds, _, _ in leaf.checks:
            if holds is not ex.TRUE:
                lines.append(self._unless(ex.negation(holds), self.printer.out_of_range))
        lines += [f"        {line};" for line in self._assignments(leaf.updates)]
        if len(lines) == 1:
            lines.append("        skip;")
        return [*lines, "    }"]

    def _unless(self, wrong: TruthExpr, name: str) -> str:
        return f"        if :: {self.printer.truth(wrong)} -> {self._assert(name)} :: else fi;"

    def _assignments(self, updates: dict[Variable, Value]) -> Iterator[str]:
        """One after the other, each before what it reads is overwritten; where that cannot be, a value is kept."""
        left = dict(updates)
        self.printer.saved = set()
        while left:
            free = next((v for v in left if not self._read(v, left)), None)
            if free is None:
                v = min(left, key=lambda v: len(self._read(v, left)))
                self.kept.add(v)
                yield f"{self.printer.old[v]} = {self.printer.names[v]}"
                self.printer.saved.add(v)
                continue
            yield f"{self.printer.names[free]} = {self.printer.assigned(free, left.pop(free))}"
        self.printer.saved = set()

    def _read(self, v: Variable, left: dict[Variable, Value]) -> list[Variable]:
        """The other variables that are still to be assigned something that depends on v."""
        if v in self.printer.saved:
            return []
        return [other for other, e in left.items() if other != v and v in e.variables()]

    def _init(self) -> Iterator[str]:
        states = self.instance.initial_states()
        index = self.instance.index
        free = [v for v in self.program.variables if len({state[index[v]] for state in states}) > 1]
        yield from ("init {", "    atomic {")
        yield from [] if self.deadlock is None else ["        run protocol();"]
        yield "        if"
        for state in states:
            given = (f"{self.printer.names[v]} = {self.printer.number(state[index[v]], v)}" for v in free)
            yield f"        :: d_step {{ {'; '.join(given) or 'skip'} }}"
        yield from ("        fi", "    }", "end:", "    do", *(self.others or ["    :: false"]), "    od", "}")
