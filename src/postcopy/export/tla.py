"""The model in TLA+, for TLC and for whoever reads TLA+.

A set of pages is a set, an enumeration's members are strings, a truth value is a BOOLEAN. Each action is an operator:
one disjunct for each path through it. What a property asks of a step is an `Assert` in the disjunct.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import ClassVar

from postcopy.errors import UsageError
from postcopy.export.printer import TRUTHS, Guard, Names, Printer, kind_of, paths, said_of, under, without
from postcopy.language import expressions as ex
from postcopy.language.actions import ActionInstance
from postcopy.language.expressions import Expr, Sort, Variable
from postcopy.language.program import Program
from postcopy.language.properties import Kind
from postcopy.language.symbolic import Leaf, Tree

RESERVED = """
    ASSUME ASSUMPTION AXIOM CASE CHOOSE CONSTANT CONSTANTS DOMAIN ELSE ENABLED EXCEPT EXTENDS IF IN INSTANCE LAMBDA LET
    LOCAL MODULE OTHER SF SUBSET THEN THEOREM UNCHANGED UNION VARIABLE VARIABLES WF WITH BOOLEAN TRUE FALSE STRING Int
    Nat Integers TLC Assert Print Init Next Spec TypeOK Progress Rests Pages Nothing Host vars page q p set
"""

WIDTH = 110
"""Conditions longer than this are set as a list."""


class _Printer(Printer):
    signs: ClassVar[dict[str, str]] = {
        "and": " /\\ ",
        "or": " \\/ ",
        "equal": " = ",
        "less": " < ",
        "plus": " + ",
        "intersection": " \\cap ",
        "union": " \\cup ",
    }

    def __init__(self, program: Program) -> None:
        self.give = Names(RESERVED.split()).give
        self.names = {v: self.give(v.name) for v in program.variables}
        self.ranked: dict[str, tuple[object, ...]] = {}

    def text(self, e: Expr) -> str:
        if e.op == "intersection" and 0 < sum(part.op == "complement" for part in e.operands) < len(e.operands):
            there = ex.intersection(*(part for part in e.operands if part.op != "complement"))
            gone = ex.union(*(part.operands[0] for part in e.operands if part.op == "complement"))
            return f"({self.text(there)} \\ {self.text(gone)})"
        return super().text(e)

    def comparison(self, e: Expr, of: Variable | None) -> str:
        left, right = e.operands
        if e.op == "equal":
            for one, other in ((left, right), (right, left)):
                if _is_truth(of, left, right) and ex.constant(other) is not None:
                    text = self.truth(one)
                    return text if ex.constant(other) == 1 else f"~{text}"
            if _is_truth(of, left, right):
                return f"({self.truth(left)} <=> {self.truth(right)})"
            return super().comparison(e, of)
        if of is None or not of.values:
            return super().comparison(e, of)
        among = self._among(e, of)
        if among is not None:
            return among
        self.ranked[of.kind] = of.values
        return "(" + " < ".join(f"Rank_{of.kind}[{self.value(part, of)}]" for part in e.operands) + ")"

    def _among(self, e: Expr, of: Variable, wanted: bool = True) -> str | None:
        """A member of an enumeration is (not) less or more than a given one: those that it can be, or cannot."""
        left, right = e.operands
        for one, other, below in ((left, right, True), (right, left, False)):
            stored = ex.constant(other)
            if stored is None:
                continue
            fits = [k for k in range(of.size) if ((k < stored) if below else (stored < k)) is wanted]
            rest = [k for k in range(of.size) if k not in fits]
            few, signs = (fits, (" = ", " \\in ")) if len(fits) <= len(rest) else (rest, (" # ", " \\notin "))
            names = [self.number(k, of) for k in few]
            text = f"{signs[0]}{names[0]}" if len(names) == 1 else f"{signs[1]}{{{', '.join(names)}}}"
            return f"({self.value(one, of)}{text})"
        return None

    def truth(self, e: Expr) -> str:
        """A number that is a truth value, as BOOLEAN."""
        if e.op == "if":
            condition, yes, no = e.operands
            answers = ex.constant(yes), ex.constant(no)
            if answers in ((1, 0), (0, 1)):
                return self.text(condition) if answers == (1, 0) else self.negated(condition)
            if answers[0] == 1:
                return f"({self.text(condition)} \\/ {self.truth(no)})"
            return f"(IF {self.text(condition)} THEN {self.truth(yes)} ELSE {self.truth(no)})"
        stored = ex.constant(e)
        return self.variable(ex.variable_of(e)) if stored is None else "TRUE" if stored else "FALSE"

    def assigned(self, v: Variable, e: Expr) -> str:
        return self.truth(e) if v.values == TRUTHS else super().assigned(v, e)

    def negated(self, e: Expr) -> str:
        if e.op == "empty":
            meet = self._meets_page(e)
            return f"(page \\in {meet})" if meet else f"({self.text(e.operands[0])} # {{}})"
        if e.op == "equal" and not _is_truth(kind_of(*e.operands), *e.operands):
            of = kind_of(*e.operands)
            return "(" + " # ".join(self.value(part, of) for part in e.operands) + ")"
        if e.op == "less":
            of = kind_of(*e.operands)
            among = self._among(e, of, wanted=False) if of is not None and of.values else None
            return among or f"~{self.text(e)}"
        text = self.text(e)
        return text[1:] if text.startswith("~") and e.op == "equal" else f"~{text}"

    def choice(self, condition: str, yes: str, no: str) -> str:
        return f"(IF {condition} THEN {yes} ELSE {no})"

    def empty(self, e: Expr) -> str:
        meet = self._meets_page(ex.is_empty(e))
        if meet:
            return f"(page \\notin {meet})"
        if e.op == "intersection":
            gone = [part.operands[0] for part in e.operands if part.op == "complement"]
            there = [part for part in e.operands if part.op != "complement"]
            if gone and there:
                return f"({self.text(ex.intersection(*there))} \\subseteq {self.text(ex.union(*gone))})"
        if e.op == "complement":
            return f"({self.text(e.operands[0])} = Pages)"
        return f"({self.text(e)} = {{}})"

    def _meets_page(self, e: Expr) -> str | None:
        """Where the question is whether the page is in a set: that set."""
        if e.op != "empty" or e.operands[0].op != "intersection" or ex.PAGE not in e.operands[0].operands:
            return None
        return self.text(ex.intersection(*(part for part in e.operands[0].operands if part != ex.PAGE)))

    def complement(self, text: str) -> str:
        return f"(Pages \\ {text})"

    def host(self, text: str) -> str:
        return f"Host({text})"

    def variable(self, v: Variable) -> str:
        return self.names[v]

    def number(self, stored: int, of: Variable | None) -> str:
        if of is None or not of.values:
            return str(stored)
        value = of.values[stored]
        return "Nothing" if value is None else f'"{value.name if isinstance(value, Enum) else value}"'

    def constant(self, e: Expr) -> str:
        return {"true": "TRUE", "false": "FALSE", "none": "{}", "all": "Pages", "page": "{page}"}[e.op]

    def listed(self, e: Expr, indent: int) -> list[str]:
        """A condition, as a list of its parts where it is long."""
        text = _bare(self.text(e))
        if e.op not in ("and", "or") or len(text) + indent <= WIDTH:
            return [" " * indent + text]
        lines = []
        for part in e.operands:
            first, *rest = self.listed(part, indent + 3)
            lines += [f"{' ' * indent}{self.signs[e.op].strip()} {first.lstrip()}", *rest]
        return lines


def _bare(text: str) -> str:
    """Without the parentheses around the whole."""
    if not text.startswith("("):
        return text
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and place < len(text) - 1:
            return text
    return text[1:-1]


def _is_truth(of: Variable | None, *numbers: Expr) -> bool:
    """Whether the numbers stand for truth values."""
    if of is not None:
        return of.values == TRUTHS
    return all(e.op == "if" or ex.constant(e) is not None for e in numbers)


def tla(program: Program, name: str, module: str) -> str:
    """The text of the module.

    Args:
        reading: the protocol as trees, with the properties that become invariants and assertions.
        name: what the protocol is called.
        module: the module's name: that of its file, without the ending.

    Raises:
        UsageError: no variable of the protocol ever changes, and TLA+ has no module without variables.
    """
    if not program.variables:
        raise UsageError(f"{name}: no variable ever changes, so there is nothing to write in TLA+")
    return "\n".join(_Module(program, name, module).lines()) + "\n"


class _Module:
    def __init__(self, program: Program, name: str, module: str) -> None:
        self.program, self.name, self.module, self.instance = program, name, module, program.instance
        self.printer = _Printer(program)
        self.actions = {a: self.printer.give(a.name) for a, tree in program.actions if tree is not None}
        self.properties = [self.printer.give(p.name) for p in self.instance.properties]
        self.deadlock = any(p.kind is Kind.NO_DEADLOCK for p in self.instance.properties)
        self.owners: dict[str, list[Variable]] = {}
        for v in program.variables:
            self.owners.setdefault(v.owner, []).append(v)
        self.tuples = {owner: self.printer.give(f"{owner} vars") for owner in self.owners}

    def lines(self) -> Iterator[str]:
        """The whole module."""
        body = [*self._init(), *self._actions(), *self._next(), *self._invariants()]
        yield f"{'-' * 30} MODULE {self.module} {'-' * 30}"
        yield from self._head()
        yield "EXTENDS Integers, TLC"
        yield ""
        yield "CONSTANT Pages"
        yield ""
        yield "VARIABLES"
        for v in self.program.variables:
            yield f"    {self.printer.names[v]}{'' if v is self.program.variables[-1] else ','}  \\* {said_of(v)}"
        yield ""
        for owner, variables in self.owners.items():
            yield f"{self.tuples[owner]} == <<{', '.join(self.printer.names[v] for v in variables)}>>"
        yield f"vars == <<{', '.join(self.tuples.values())}>>"
        yield ""
        yield 'Nothing == ""  \\* in a slot of a channel without a message'
        if self.instance.group > 1:
            group = self.instance.group
            yield f"Host(set) == {{q \\in Pages : \\E p \\in set : p \\div {group} = q \\div {group}}}"
        for kind, values in self.printer.ranked.items():
            ranks = ", ".join(f"{value.name} |-> {k}" for k, value in enumerate(values) if isinstance(value, Enum))
            yield f"Rank_{kind} == [{ranks}]"
        yield ""
        yield from body
        yield "=" * (60 + len(self.module) + 9)

    def _head(self) -> Iterator[str]:
        yield "(*"
        yield f"  {self.name}: {self.instance.size}. Made by postcopy export tla; see docs/exports.md."
        yield ""
        yield f"  java -cp tla2tools.jar tlc2.TLC -deadlock {self.module}.tla     with {self.module}.cfg:"
        yield ""
        yield from (f"    {line}" for line in self.config())
        yield "*)"

    def config(self) -> list[str]:
        """What TLC's configuration file says."""
        lines = ["SPECIFICATION Spec", f"CONSTANT Pages = {{{', '.join(map(str, range(self.instance.pages)))}}}"]
        trivial = {index for index, _, holds in self.program.predicates if holds is ex.TRUE}
        invariants = [
            self.properties[index]
            for index, p in enumerate(self.instance.properties)
            if (p.of_states and index not in trivial) or p.kind is Kind.NO_DEADLOCK
        ]
        return [*lines, *(f"INVARIANT {name}" for name in ["TypeOK", *invariants])]

    def _init(self) -> Iterator[str]:
        states, index = self.instance.initial_states(), self.instance.index
        yield "TypeOK =="
        for v in self.program.variables:
            yield f"    /\\ {self.printer.names[v]} \\in {self._type(v)}"
        yield ""
        yield "Init =="
        for v in self.program.variables:
            values = sorted({state[index[v]] for state in states})
            if v.sort is Sort.PAGES:
                text = f"= {'Pages' if values[0] else '{}'}"
            elif v.values == TRUTHS:
                text = "\\in BOOLEAN" if len(values) == 2 else f"= {'TRUE' if values[0] else 'FALSE'}"
            else:
                text = f"= {self.printer.number(values[0], v)}"
            yield f"    /\\ {self.printer.names[v]} {text}"
        yield ""

    def _type(self, v: Variable) -> str:
        if v.sort is Sort.PAGES:
            return "SUBSET Pages"
        if v.values == TRUTHS:
            return "BOOLEAN"
        if not v.values:
            return f"0..{v.size - 1}"
        return "{" + ", ".join(self.printer.number(k, v) for k in range(v.size)) + "}"

    def _actions(self) -> Iterator[str]:
        for action, tree in self.program.actions:
            if action not in self.actions:
                continue
            yield f"\\* {action.thread}: {action.doc}{f' ({action.info.rule})' if action.info.rule else ''}"
            yield f"{self.actions[action]}{'(page)' if action.takes_page else ''} =="
            yield from self._disjuncts(without(tree, self.program.constants))
            yield ""

    def _disjuncts(self, tree: Tree) -> Iterator[str]:
        ways = [(taken, under(taken, leaf)) for taken, leaf in paths(tree)]
        for taken, leaf in ways:
            if len(ways) == 1:
                yield from (f"    /\\ {line}" for line in self._conjuncts(taken, leaf))
            else:
                for number, line in enumerate(self._conjuncts(taken, leaf)):
                    yield f"    {'   ' if number else chr(92) + '/ '}/\\ {line}"

    def _conjuncts(self, taken: tuple[Guard, ...], leaf: Leaf) -> Iterator[str]:
        text = self.printer.text
        for condition, wanted in taken:
            yield _bare(text(condition if wanted else ex.negation(condition)))
        for index, violated in leaf.violated:
            if violated is not ex.FALSE:
                yield f'Assert({_bare(text(ex.negation(violated)))}, "{self.instance.properties[index].name}")'
        for holds, message, _ in leaf.checks:
            if holds is not ex.TRUE:
                yield f'Assert({_bare(text(holds))}, "{message}")'
        for v, e in leaf.updates.items():
            given = self.printer.assigned(v, e)
            yield f"{self.printer.names[v]}' = {given if v.values == TRUTHS else _bare(given)}"
        if not leaf.updates:
            yield "UNCHANGED vars"
            return
        same: list[str] = []
        for owner, variables in self.owners.items():
            untouched = [v for v in variables if v not in leaf.updates]
            whole = len(untouched) == len(variables) > 1
            same += [self.tuples[owner]] if whole else [self.printer.names[v] for v in untouched]
        if same:
            yield f"UNCHANGED <<{', '.join(same)}>>"

    def _next(self) -> Iterator[str]:
        progress = [a for a in self.actions if not a.info.environment]
        yield "\\* what threads do; a deadlock is where none of it can change anything, and something has yet to happen"
        yield "Progress =="
        yield from [f"    \\/ {self._call(a)}" for a in progress] or ["    FALSE"]
        yield ""
        yield "\\* and what the guest, the operator and the network may do"
        yield "Next =="
        yield "    \\/ Progress"
        yield from (f"    \\/ {self._call(a)}" for a in self.actions if a.info.environment)
        yield ""
        yield "Spec == Init /\\ [][Next]_vars"
        yield ""

    def _call(self, action: ActionInstance) -> str:
        name = self.actions[action]
        return f"\\E page \\in Pages : {name}(page)" if action.takes_page else name

    def _invariants(self) -> Iterator[str]:
        for index, prop, holds in self.program.predicates:
            yield f"\\* {prop.sentence}"
            if prop.is_witness:
                yield f"\\* (a witness: some state has to be so; ~{self.properties[index]} is no invariant)"
            yield f"{self.properties[index]} =="
            yield from self.printer.listed(holds, 4)
            yield ""
        if self.deadlock:
            index = next(i for i, p in enumerate(self.instance.properties) if p.kind is Kind.NO_DEADLOCK)
            yield "Rests =="
            yield from self.printer.listed(self.program.resting, 4)
            yield ""
            yield f"\\* {self.instance.properties[index].sentence}"
            yield f"{self.properties[index]} == Rests \\/ ENABLED <<Progress>>_vars"
            yield ""


def config(program: Program, name: str, module: str) -> str:
    """TLC's configuration file for the module that `tla` makes."""
    return "\n".join(_Module(program, name, module).config()) + "\n"
