"""The model in TLA+, for TLC and for readers of TLA+.

A set of pages is a set, an enumeration's members are strings, a truth value is a BOOLEAN. Each action is an operator:
one disjunct for each path through it. What a property asks of a step is an `Assert` in the disjunct.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import ClassVar, assert_never

from postcopy.errors import UsageError
from postcopy.export.printer import (
    TRUTHS,
    Constant,
    Guard,
    Names,
    Printer,
    Signs,
    joined,
    kind_of,
    paths,
    said_of,
    under,
    without,
)
from postcopy.language import expressions as ex
from postcopy.language.actions import ActionInstance
from postcopy.language.expressions import NumberExpr, PagesExpr, TruthExpr, Value
from postcopy.language.program import Program
from postcopy.language.properties import Kind
from postcopy.language.trees import Leaf, Tree
from postcopy.language.variables import Sort, Variable

RESERVED = """
    ASSUME ASSUMPTION AXIOM CASE CHOOSE CONSTANT CONSTANTS DOMAIN ELSE ENABLED EXCEPT EXTENDS IF IN INSTANCE LAMBDA LET
    LOCAL MODULE OTHER SF SUBSET THEN THEOREM UNCHANGED UNION VARIABLE VARIABLES WF WITH BOOLEAN TRUE FALSE STRING Int
    Nat Integers TLC Assert Print Init Next Spec TypeOK Progress Rests Pages Nothing Host
    NextPages PreviousPages vars known page other q p set value
"""

WIDTH = 110
"""Conditions longer than this are set as a list."""


class _TlaPrinter(Printer):
    signs: ClassVar[Signs] = Signs(
        conjunction=" /\\ ",
        disjunction=" \\/ ",
        equal=" = ",
        less=" < ",
        plus=" + ",
        intersection=" \\cap ",
        union=" \\cup ",
    )

    def __init__(self, program: Program) -> None:
        self.give = Names(RESERVED.split()).give
        self.names = {v: self.give(v.name) for v in program.variables}
        self.ranked: dict[str, tuple[object, ...]] = {}

    def page_set(self, e: PagesExpr) -> str:
        if isinstance(e, ex.Intersection):
            there, gone = _difference(e)
            if there and gone:
                return f"({self.page_set(ex.intersection(*there))} \\ {self.page_set(ex.union(*gone))})"
        return super().page_set(e)

    def comparison(self, e: ex.Equal | ex.Less) -> str:
        left, right = e.left, e.right
        of = kind_of(left, right)
        if isinstance(e, ex.Equal):
            if not _is_flag(of, left, right):
                return super().comparison(e)
            for one, other in ((left, right), (right, left)):
                if isinstance(other, ex.Number):
                    return self.flag(one) if other.value == 1 else f"~{self.flag(one)}"
            return f"({self.flag(left)} <=> {self.flag(right)})"
        if of is None or not of.values:
            return super().comparison(e)
        among = self._among(e, of)
        if among is not None:
            return among
        name = of.kind.replace(" ", "_")
        self.ranked[name] = of.values
        return joined(" < ", (f"Rank_{name}({_bare(self.value(part, of))})" for part in (left, right)))

    def _among(self, e: ex.Less, of: Variable, wanted: bool = True) -> str | None:
        """A member of an enumeration is (not) less or more than a given one: those that it can be, or cannot."""
        for one, other, below in ((e.left, e.right, True), (e.right, e.left, False)):
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

    def flag(self, e: NumberExpr) -> str:
        """A number that stands for a truth value, as BOOLEAN."""
        match e:
            case ex.Number(stored):
                return "TRUE" if stored else "FALSE"
            case ex.NumberVariable(variable):
                return self.variable(variable)
            case ex.NumberIf(condition, ex.Number(1), ex.Number(0)):
                return self.truth(condition)
            case ex.NumberIf(condition, ex.Number(0), ex.Number(1)):
                return self.negated(condition)
            case ex.NumberIf(condition, ex.Number(1), no):
                return f"({self.truth(condition)} \\/ {self.flag(no)})"
            case ex.NumberIf(condition, yes, no):
                return f"(IF {self.truth(condition)} THEN {self.flag(yes)} ELSE {self.flag(no)})"
            case ex.Plus():
                raise TypeError(f"{e} is a sum, and no truth value")
            case _:
                assert_never(e)

    def assigned(self, v: Variable, e: Value) -> str:
        return self.flag(ex.as_number(e)) if v.values == TRUTHS else super().assigned(v, e)

    def negated(self, e: TruthExpr) -> str:
        match e:
            case ex.IsEmpty(pages):
                return self._meets_page(pages, "\\in") or f"({self.page_set(pages)} # {{}})"
            case ex.Equal(left, right):
                of = kind_of(left, right)
                if not _is_flag(of, left, right):
                    return joined(" # ", (self.value(part, of) for part in (left, right)))
                text = self.truth(e)
                return text[1:] if text.startswith("~") else f"~{text}"
            case ex.Less(left, right):
                of = kind_of(left, right)
                among = self._among(e, of, wanted=False) if of is not None and of.values else None
                return among or f"~{self.truth(e)}"
            case ex.TruthConstant() | ex.Not() | ex.And() | ex.Or():
                return f"~{self.truth(e)}"
            case _:
                assert_never(e)

    def choice(self, condition: str, yes: str, no: str) -> str:
        return f"(IF {condition} THEN {yes} ELSE {no})"

    def empty(self, e: PagesExpr) -> str:
        meet = self._meets_page(e, "\\notin")
        if meet:
            return meet
        if isinstance(e, ex.Intersection):
            there, gone = _difference(e)
            if there and gone:
                return f"({self.page_set(ex.intersection(*there))} \\subseteq {self.page_set(ex.union(*gone))})"
        if isinstance(e, ex.Complement):
            return f"({self.page_set(e.operand)} = Pages)"
        return f"({self.page_set(e)} = {{}})"

    def _meets_page(self, e: PagesExpr, sign: str) -> str | None:
        """That one of the action's pages is (not) in other sets, for the set of what it and they have in common."""
        page = next((page for page in e.operands if isinstance(page, ex.ActionPage)), None)
        if not isinstance(e, ex.Intersection) or page is None:
            return None
        others = self.page_set(ex.intersection(*(part for part in e.operands if part != page)))
        return f"({'other' if page.second else 'page'} {sign} {others})"

    def complement(self, text: str) -> str:
        return f"(Pages \\ {text})"

    def neighbours(self, text: str, previous: bool) -> str:
        return f"{'Previous' if previous else 'Next'}Pages({text})"

    def host(self, text: str) -> str:
        return f"Host({text})"

    def variable(self, v: Variable) -> str:
        return self.names[v]

    def number(self, stored: int, of: Variable | None) -> str:
        if of is None or not of.values:
            return str(stored)
        value = of.values[stored]
        return "Nothing" if value is None else f'"{value.name if isinstance(value, Enum) else value}"'

    def constant(self, e: Constant) -> str:
        match e:
            case ex.TruthConstant(value):
                return "TRUE" if value else "FALSE"
            case ex.NoPages():
                return "{}"
            case ex.AllPages():
                return "Pages"
            case ex.ActionPage(second):
                return "{other}" if second else "{page}"
            case _:
                assert_never(e)

    def listed(self, e: TruthExpr, indent: int) -> list[str]:
        """A condition, as a list of its parts where it is long."""
        text = _bare(self.truth(e))
        if not isinstance(e, ex.And | ex.Or) or len(text) + indent <= WIDTH:
            return [" " * indent + text]
        sign = self.signs.conjunction if isinstance(e, ex.And) else self.signs.disjunction
        lines = []
        for part in e.operands:
            first, *rest = self.listed(part, indent + 3)
            lines += [f"{' ' * indent}{sign.strip()} {first.lstrip()}", *rest]
        return lines


def _difference(e: ex.Intersection) -> tuple[list[PagesExpr], list[PagesExpr]]:
    """The sets of an intersection, and the sets whose complements are in it."""
    there: list[PagesExpr] = [part for part in e.operands if not isinstance(part, ex.Complement)]
    return there, [part.operand for part in e.operands if isinstance(part, ex.Complement)]


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


def _is_flag(of: Variable | None, *numbers: NumberExpr) -> bool:
    """Whether the numbers stand for truth values."""
    if of is not None:
        return of.values == TRUTHS
    return all(isinstance(e, ex.NumberIf | ex.Number) for e in numbers)


def variable_names(program: Program) -> dict[Variable, str]:
    """What the variables are called in the module."""
    return _TlaPrinter(program).names


def _type_for_apalache(v: Variable) -> str:
    """The type of a variable in the notation of Apalache's type checker."""
    if v.sort is Sort.PAGES:
        return "Set(Int)"
    return "Bool" if v.values == TRUTHS else "Str" if v.values else "Int"


def _pages(action: ActionInstance, one: str, two: str) -> str:
    """What is written for an action of one page, or of two; nothing for one of none."""
    return ("", one, two)[len(action.page_names)]


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
        self.printer = _TlaPrinter(program)
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
        yield "CONSTANT"
        yield "    \\* @type: Set(Int);"
        yield "    Pages"
        yield ""
        yield "VARIABLES"
        for v in self.program.variables:
            yield f"    \\* @type: {_type_for_apalache(v)};"
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
        if self.program.looks_at_neighbours():
            yield "NextPages(set) == {q \\in Pages : q - 1 \\in set}"
            yield "PreviousPages(set) == {q \\in Pages : q + 1 \\in set}"
        for kind, values in self.printer.ranked.items():
            ranks = " [] ".join(
                f'value = "{value.name}" -> {k}' for k, value in enumerate(values) if isinstance(value, Enum)
            )
            yield "\\* @type: Str => Int;"
            yield f"Rank_{kind}(value) == CASE {ranks}"
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
                text = self._sets_at_the_start(v, values)
            elif v.values == TRUTHS:
                text = "\\in BOOLEAN" if len(values) == 2 else f"= {'TRUE' if values[0] else 'FALSE'}"
            else:
                text = f"= {self.printer.number(values[0], v)}"
            yield f"    /\\ {self.printer.names[v]} {text}"
        yield ""

    def _sets_at_the_start(self, v: Variable, values: list[int]) -> str:
        if len(values) == 1:
            return f"= {'Pages' if values[0] else '{}'}"
        whole = v.chosen and self.instance.group > 1
        return "\\in {pages \\in SUBSET Pages : Host(pages) = pages}" if whole else "\\in SUBSET Pages"

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
            yield f"{self.actions[action]}{_pages(action, '(page)', '(page, other)')} =="
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
        truth = self.printer.truth
        for condition, wanted in taken:
            yield _bare(truth(condition if wanted else ex.negation(condition)))
        for index, violated in leaf.violated:
            if violated is not ex.FALSE:
                yield f'Assert({_bare(truth(ex.negation(violated)))}, "{self.instance.properties[index].name}")'
        for holds, message, _ in leaf.checks:
            if holds is not ex.TRUE:
                yield f'Assert({_bare(truth(holds))}, "{message}")'
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
        yield "\\* and the steps of the environment, which may never be taken"
        yield "Next =="
        yield "    \\/ Progress"
        yield from (f"    \\/ {self._call(a)}" for a in self.actions if a.info.environment)
        yield ""
        fair = self._strongly_fair()
        if fair:
            known = [self.printer.names[v] for v in self.program.variables if not v.ghost]
            yield "\\* steps that are taken again and again if they can be; changes of history do not count"
            yield f"known == <<{', '.join(known)}>>"
        yield " /\\ ".join(["Spec == Init /\\ [][Next]_vars", *(f"SF_known({step})" for step in fair)])
        yield ""

    def _strongly_fair(self) -> list[str]:
        """The steps of each action that is strongly fair; of all vCPUs together, where its thread is one for all."""
        found: dict[tuple[str, str, str], list[ActionInstance]] = {}
        for action in self.actions:
            if action.info.strongly:
                found.setdefault((action.machine, action.thread, action.method), []).append(action)
        return [" \\/ ".join(f"({self._call(a)})" for a in actions) for actions in found.values()]

    def _call(self, action: ActionInstance) -> str:
        name = self.actions[action]
        one, two = f"\\E page \\in Pages : {name}(page)", f"\\E page, other \\in Pages : {name}(page, other)"
        return _pages(action, one, two) or name

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
