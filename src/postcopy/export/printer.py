"""What the exports share: expressions as text, names that other languages accept, and paths through an action's tree.

Nothing here knows a language: each language has a subclass of `Printer` in its own file.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import ClassVar, assert_never

from postcopy.language import expressions as ex
from postcopy.language.actions import PageChoice, numbers_of
from postcopy.language.expressions import Expr, NumberExpr, PagesExpr, TruthExpr, Value
from postcopy.language.program import fold
from postcopy.language.trees import Branch, Leaf, Tree
from postcopy.language.variables import Sort, Variable

Guard = tuple[TruthExpr, bool]
"""A condition and the answer that a path takes."""

TRUTHS = (False, True)
"""The values of a variable that is a truth value."""


def paths(tree: Tree, taken: tuple[Guard, ...] = ()) -> Iterator[tuple[tuple[Guard, ...], Leaf]]:
    """Every way through a tree: the decisions on it, and what the step does at its end."""
    if isinstance(tree, Leaf):
        yield taken, tree
    elif isinstance(tree, Branch):
        yield from paths(tree.yes, (*taken, (tree.condition, True)))
        yield from paths(tree.no, (*taken, (tree.condition, False)))


def without(tree: Tree, constants: Collection[Variable]) -> Tree:
    """The tree without assignments to variables that never change: they give them the value that they have."""
    if isinstance(tree, Branch):
        return Branch(tree.condition, without(tree.yes, constants), without(tree.no, constants))
    if tree is None:
        return None
    return replace(tree, updates={v: e for v, e in tree.updates.items() if v not in constants})


def guard_of(taken: Iterable[Guard]) -> TruthExpr:
    """The decisions of a path as one condition."""
    return ex.conjunction(*(condition if wanted else ex.negation(condition) for condition, wanted in taken))


def under(taken: Sequence[Guard], leaf: Leaf) -> Leaf:
    """The end of a path with all folded away that the decisions on it answer."""
    domains = possible(taken)
    values: dict[Variable, Value] = {v: ex.number(min(domain)) for v, domain in domains.items() if len(domain) == 1}
    known: dict[Expr, Expr] = {}
    for v, domain in domains.items():
        for stored in set(range(v.size)) - domain:
            known[ex.equal(ex.NumberVariable(v), ex.number(stored))] = ex.FALSE
    for condition, wanted in taken:
        known[condition], known[ex.negation(condition)] = ex.truth(wanted), ex.truth(not wanted)
    updates = {v: fold(e, values, known) for v, e in leaf.updates.items()}
    return replace(
        leaf,
        updates={v: e for v, e in updates.items() if e not in (ex.variable(v), values.get(v))},
        violated=tuple((index, fold(e, values, known)) for index, e in leaf.violated),
        checks=tuple((fold(e, values, known), message, place) for e, message, place in leaf.checks),
    )


def changes(taken: Sequence[Guard], leaf: Leaf) -> TruthExpr:
    """Whether the step at the end of a path changes anything; plainly true where the decisions already say so."""
    domains = possible(taken)
    differences = []
    for v, e in leaf.updates.items():
        if v.sort is Sort.NUMBER:
            number = ex.as_number(e)
            stored = ex.constant(number)
            if stored is not None and stored not in domains.get(v, {stored}):
                return ex.TRUE
            differences.append(ex.negation(ex.equal(ex.NumberVariable(v), number)))
        else:
            before, after = ex.PagesVariable(v), ex.as_pages(e)
            differences.append(ex.negation(ex.is_empty(ex.intersection(before, ex.set_complement(after)))))
            differences.append(ex.negation(ex.is_empty(ex.intersection(after, ex.set_complement(before)))))
    return ex.disjunction(*differences)


def possible(taken: Iterable[Guard]) -> dict[Variable, set[int]]:
    """The values that the numbers compared on a path can have there."""
    domains: dict[Variable, set[int]] = {}
    pending = list(taken)
    while pending:
        condition, wanted = pending.pop()
        match condition:
            case ex.Not(operand):
                pending.append((operand, not wanted))
            case ex.And(operands):
                pending += [(part, True) for part in operands] if wanted else []
            case ex.Or(operands):
                pending += [] if wanted else [(part, False) for part in operands]
            case ex.Equal(ex.NumberVariable(v), ex.Number(stored)):
                domains[v] = {x for x in _values(v, domains) if (x == stored) is wanted}
            case ex.Less(ex.NumberVariable(v), ex.Number(stored)):
                domains[v] = {x for x in _values(v, domains) if (x < stored) is wanted}
            case ex.Less(ex.Number(stored), ex.NumberVariable(v)):
                domains[v] = {x for x in _values(v, domains) if (stored < x) is wanted}
            case ex.Equal() | ex.Less() | ex.IsEmpty() | ex.TruthConstant():
                pass
            case _:
                assert_never(condition)
    return domains


def _values(v: Variable, domains: dict[Variable, set[int]]) -> set[int]:
    return domains.get(v, set(range(v.size)))


class Names:
    """Identifiers for other languages: letters, digits and underscores, each given once."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def give(self, wanted: str) -> str:
        """A name as near as possible to the wanted one that nothing else has."""
        plain = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9]", "_", wanted)).strip("_") or "x"
        plain = plain if plain[0].isalpha() else f"x_{plain}"
        name, number = plain, 1
        while name in self._taken:
            number += 1
            name = f"{plain}_{number}"
        self._taken.add(name)
        return name


@dataclass(frozen=True)
class Enumeration:
    """An enumeration of the model under its name in another language.

    Attributes:
        name: of the whole.
        members: one name for each stored number.
    """

    name: str
    members: tuple[str, ...]


def enumerations(variables: Iterable[Variable], names: Names) -> dict[tuple[object, ...], Enumeration]:
    """The enumerations that the variables take their values from, by these values; truth values are none."""
    found: dict[tuple[object, ...], Enumeration] = {}
    for v in variables:
        if v.values and v.values != TRUTHS and v.values not in found:
            name = names.give(v.kind)
            members = (_name_of(value) for value in v.values)
            found[v.values] = Enumeration(name, tuple(names.give(f"{name}_{member}") for member in members))
    return found


def _name_of(value: object) -> str:
    if isinstance(value, Enum):
        return value.name
    return "EMPTY" if value is None else str(value).upper()


@dataclass(frozen=True)
class Signs:
    """What a language writes between the operands of each operator that has several."""

    conjunction: str
    disjunction: str
    equal: str
    less: str
    plus: str
    intersection: str
    union: str


Constant = ex.TruthConstant | ex.NoPages | ex.AllPages | ex.ActionPage


class Printer(ABC):
    """Expressions as text. A language is a subclass that says how it writes things.

    Attributes:
        signs: what stands between the operands of an operator that takes several.
    """

    signs: ClassVar[Signs]

    def truth(self, e: TruthExpr) -> str:
        """A truth value."""
        match e:
            case ex.TruthConstant():
                return self.constant(e)
            case ex.Not(operand):
                return self.negated(operand)
            case ex.And(operands):
                return joined(self.signs.conjunction, map(self.truth, operands))
            case ex.Or(operands):
                return joined(self.signs.disjunction, map(self.truth, operands))
            case ex.Equal() | ex.Less():
                return self.comparison(e)
            case ex.IsEmpty(pages):
                return self.empty(pages)
            case _:
                assert_never(e)

    def page_set(self, e: PagesExpr) -> str:
        """A set of pages."""
        match e:
            case ex.NoPages() | ex.AllPages() | ex.ActionPage():
                return self.constant(e)
            case ex.PagesVariable(variable):
                return self.variable(variable)
            case ex.Complement(operand):
                return self.complement(self.page_set(operand))
            case ex.Intersection(operands):
                return joined(self.signs.intersection, map(self.page_set, operands))
            case ex.Union(operands):
                return joined(self.signs.union, map(self.page_set, operands))
            case ex.Neighbours(operand, previous):
                return self.neighbours(self.page_set(operand), previous)
            case ex.HostPages(operand):
                return self.host(self.page_set(operand))
            case ex.PagesIf(condition, yes, no):
                return self.choice(self.truth(condition), self.page_set(yes), self.page_set(no))
            case _:
                assert_never(e)

    def value(self, e: NumberExpr, of: Variable | None) -> str:
        """A number, as a value of the given variable where it is one."""
        match e:
            case ex.Number(stored):
                return self.number(stored, of)
            case ex.NumberVariable(variable):
                return self.variable(variable)
            case ex.Plus(left, right):
                return joined(self.signs.plus, (self.value(part, None) for part in (left, right)))
            case ex.NumberIf(condition, yes, no):
                return self.choice(self.truth(condition), self.value(yes, of), self.value(no, of))
            case _:
                assert_never(e)

    def assigned(self, v: Variable, e: Value) -> str:
        """What a variable is given."""
        return self.value(ex.as_number(e), v) if v.sort is Sort.NUMBER else self.page_set(ex.as_pages(e))

    def comparison(self, e: ex.Equal | ex.Less) -> str:
        """Two numbers are compared."""
        sign = self.signs.equal if isinstance(e, ex.Equal) else self.signs.less
        of = kind_of(e.left, e.right)
        return joined(sign, (self.value(part, of) for part in (e.left, e.right)))

    @abstractmethod
    def negated(self, e: TruthExpr) -> str:
        """Not e."""

    @abstractmethod
    def choice(self, condition: str, yes: str, no: str) -> str:
        """One of two."""

    @abstractmethod
    def empty(self, e: PagesExpr) -> str:
        """No page is in the set."""

    @abstractmethod
    def complement(self, text: str) -> str:
        """The pages not in the set."""

    @abstractmethod
    def neighbours(self, text: str, previous: bool) -> str:
        """The pages behind those of the set, or in front of them."""

    @abstractmethod
    def host(self, text: str) -> str:
        """All target pages of the host pages that the set touches."""

    @abstractmethod
    def variable(self, v: Variable) -> str:
        """The variable's value before the step."""

    @abstractmethod
    def number(self, stored: int, of: Variable | None) -> str:
        """A stored number, by its name where it is a value of an enumeration."""

    @abstractmethod
    def constant(self, e: Constant) -> str:
        """True or false, no page, all pages, or the set of just the action's page."""


def joined(sign: str, texts: Iterable[str]) -> str:
    """The texts with a sign between them, in parentheses."""
    return "(" + sign.join(texts) + ")"


class MaskPrinter(Printer):
    """For languages with C's operators: a set of pages is a number, page 0 its lowest bit.

    Attributes:
        page: how the set of just the action's page is written.
        no: the sign of negation.
    """

    no: ClassVar[str] = "!"

    signs: ClassVar[Signs] = Signs(
        conjunction=" && ",
        disjunction=" || ",
        equal=" == ",
        less=" < ",
        plus=" + ",
        intersection=" & ",
        union=" | ",
    )

    def __init__(self, pages: int, group: int, page: str = "page") -> None:
        self.pages, self.group, self.page, self.other = pages, group, page, "other"
        self.everything = (1 << pages) - 1

    def taken_with(self, choice: PageChoice) -> None:
        """From here on, write the pages of this choice in the place of an action's pages."""
        self.page, self.other = ([str(1 << number) for number in numbers_of(choice)] + ["0", "0"])[:2]

    def negated(self, e: TruthExpr) -> str:
        """Not e; a comparison is turned round."""
        match e:
            case ex.Equal(left, right):
                of = kind_of(left, right)
                return joined(" != ", (self.value(part, of) for part in (left, right)))
            case ex.IsEmpty(pages):
                return f"({self.page_set(pages)} != 0)"
            case ex.TruthConstant() | ex.Not() | ex.And() | ex.Or() | ex.Less():
                return f"{self.no}{self.truth(e)}"
            case _:
                assert_never(e)

    def choice(self, condition: str, yes: str, no: str) -> str:
        """C's conditional expression."""
        return f"({condition} ? {yes} : {no})"

    def empty(self, e: PagesExpr) -> str:
        """No bit is set."""
        return f"({self.page_set(e)} == 0)"

    def complement(self, text: str) -> str:
        """The other bits."""
        return f"({self.everything} & ~{text})"

    def neighbours(self, text: str, previous: bool) -> str:
        """The bits moved by one."""
        return f"({text} >> 1)" if previous else f"(({text} << 1) & {self.everything})"

    def host(self, text: str) -> str:
        """Gather into the first target page of each host page, then spread."""
        firsts = sum(1 << page for page in range(0, self.pages, self.group))
        gathered = " | ".join(f"{text} >> {i}" if i else text for i in range(self.group))
        return f"((({gathered}) & {firsts}) * {(1 << self.group) - 1})"

    def number(self, stored: int, of: Variable | None) -> str:  # noqa: ARG002
        """The number itself."""
        return str(stored)

    def constant(self, e: Constant) -> str:
        """1 or 0, no bit, all bits, or the page's."""
        match e:
            case ex.TruthConstant(value):
                return "1" if value else "0"
            case ex.NoPages():
                return "0"
            case ex.AllPages():
                return str(self.everything)
            case ex.ActionPage(second):
                return self.other if second else self.page
            case _:
                assert_never(e)


def kind_of(*numbers: NumberExpr) -> Variable | None:
    """A variable whose values these numbers are, or None where they are plain numbers (sums, for one)."""
    for e in numbers:
        match e:
            case ex.NumberVariable(variable):
                return variable
            case ex.NumberIf(_, yes, no):
                found = kind_of(yes, no)
                if found is not None:
                    return found
            case ex.Number() | ex.Plus():
                pass
            case _:
                assert_never(e)
    return None


def said_of(v: Variable) -> str:
    """What a variable is, in words."""
    return f"{v.doc} (0 stands for {v.low})" if v.low else v.doc
