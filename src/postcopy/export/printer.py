"""What the exports share: expressions as text, names that other languages accept, and paths through an action's tree.

Nothing here knows a language; each is a subclass of `Printer` beside what else it needs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import ClassVar

from postcopy.language import expressions as ex
from postcopy.language.expressions import Expr, Sort, Variable
from postcopy.language.program import fold
from postcopy.language.symbolic import Branch, Leaf, Tree

Guard = tuple[Expr, bool]
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


def guard_of(taken: Iterable[Guard]) -> Expr:
    """The decisions of a path as one condition."""
    return ex.conjunction(*(condition if wanted else ex.negation(condition) for condition, wanted in taken))


def under(taken: Sequence[Guard], leaf: Leaf) -> Leaf:
    """The end of a path with all folded away that the decisions on it answer."""
    domains = possible(taken)
    values = {v: ex.number(min(domain)) for v, domain in domains.items() if len(domain) == 1}
    known: dict[Expr, Expr] = {}
    for v, domain in domains.items():
        for stored in set(range(v.size)) - domain:
            known[ex.equal(ex.variable(v), ex.number(stored))] = ex.FALSE
    for condition, wanted in taken:
        known[condition], known[ex.negation(condition)] = ex.truth(wanted), ex.truth(not wanted)
    updates = {v: fold(e, values, known) for v, e in leaf.updates.items()}
    return replace(
        leaf,
        updates={v: e for v, e in updates.items() if e not in (ex.variable(v), values.get(v))},
        violated=tuple((index, fold(e, values, known)) for index, e in leaf.violated),
        checks=tuple((fold(e, values, known), message, place) for e, message, place in leaf.checks),
    )


def changes(taken: Sequence[Guard], leaf: Leaf) -> Expr:
    """Whether the step at the end of a path changes anything; plainly true where the decisions already say so."""
    domains = possible(taken)
    differences = []
    for v, e in leaf.updates.items():
        stored, before = ex.constant(e), ex.variable(v)
        if stored is not None and stored not in domains.get(v, {stored}):
            return ex.TRUE
        if v.sort is Sort.NUMBER:
            differences.append(ex.negation(ex.equal(before, e)))
        else:
            differences.append(ex.negation(ex.is_empty(ex.intersection(before, ex.set_complement(e)))))
            differences.append(ex.negation(ex.is_empty(ex.intersection(e, ex.set_complement(before)))))
    return ex.disjunction(*differences)


def possible(taken: Iterable[Guard]) -> dict[Variable, set[int]]:
    """The values that the numbers compared on a path can have there."""
    domains: dict[Variable, set[int]] = {}
    pending = list(taken)
    while pending:
        condition, wanted = pending.pop()
        if condition.op == "not":
            pending.append((condition.operands[0], not wanted))
        elif condition.op == ("and" if wanted else "or"):
            pending += [(part, wanted) for part in condition.operands]
        elif condition.op in ("equal", "less"):
            left, right = condition.operands
            subject, other = (left, right) if left.op == "variable" else (right, left)
            stored = ex.constant(other)
            if subject.op != "variable" or stored is None:
                continue
            v = ex.variable_of(subject)
            values = domains.get(v, set(range(v.size)))
            if condition.op == "equal":
                domains[v] = {x for x in values if (x == stored) is wanted}
            elif subject is left:
                domains[v] = {x for x in values if (x < stored) is wanted}
            else:
                domains[v] = {x for x in values if (stored < x) is wanted}
    return domains


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
            members = (value.name if isinstance(value, Enum) else "EMPTY" for value in v.values)
            found[v.values] = Enumeration(name, tuple(names.give(f"{name}_{member}") for member in members))
    return found


class Printer:
    """Expressions as text. A language is a subclass that says how it writes things.

    Attributes:
        signs: what stands between the operands of an operator that takes several.
    """

    signs: ClassVar[dict[str, str]]

    def text(self, e: Expr) -> str:
        """A truth value or a set of pages. (A number wants to know what it is a number of: `value`.)"""
        if e.op in ("equal", "less"):
            return self.comparison(e, kind_of(*e.operands))
        if e.op in self.signs:
            return "(" + self.signs[e.op].join(self.text(part) for part in e.operands) + ")"
        if e.op == "not":
            return self.negated(e.operands[0])
        if e.op == "if":
            condition, yes, no = e.operands
            return self.choice(self.text(condition), self.text(yes), self.text(no))
        if e.op == "empty":
            return self.empty(e.operands[0])
        if e.op == "complement":
            return self.complement(self.text(e.operands[0]))
        if e.op == "host":
            return self.host(self.text(e.operands[0]))
        if e.op == "variable":
            return self.variable(ex.variable_of(e))
        return self.constant(e)

    def value(self, e: Expr, of: Variable | None) -> str:
        """A number, as a value of the given variable where it is one."""
        stored = ex.constant(e)
        if stored is not None:
            return self.number(stored, of)
        if e.op == "if":
            condition, yes, no = e.operands
            return self.choice(self.text(condition), self.value(yes, of), self.value(no, of))
        if e.op == "plus":
            return "(" + self.signs["plus"].join(self.value(part, None) for part in e.operands) + ")"
        return self.variable(ex.variable_of(e))

    def assigned(self, v: Variable, e: Expr) -> str:
        """What a variable is given."""
        return self.value(e, v) if v.sort is Sort.NUMBER else self.text(e)

    def comparison(self, e: Expr, of: Variable | None) -> str:
        """`equal` or `less` of two numbers."""
        return "(" + self.signs[e.op].join(self.value(part, of) for part in e.operands) + ")"

    def negated(self, e: Expr) -> str:
        """Not e."""
        raise NotImplementedError

    def choice(self, condition: str, yes: str, no: str) -> str:
        """One of two."""
        raise NotImplementedError

    def empty(self, e: Expr) -> str:
        """No page is in the set."""
        raise NotImplementedError

    def complement(self, text: str) -> str:
        """The pages not in the set."""
        raise NotImplementedError

    def host(self, text: str) -> str:
        """All target pages of the host pages that the set touches."""
        raise NotImplementedError

    def variable(self, v: Variable) -> str:
        """The variable's value before the step."""
        raise NotImplementedError

    def number(self, stored: int, of: Variable | None) -> str:
        """A stored number, by its name where it is a value of an enumeration."""
        raise NotImplementedError

    def constant(self, e: Expr) -> str:
        """One of the constants `true`, `false`, `none`, `all`, or the action's `page`."""
        raise NotImplementedError


class MaskPrinter(Printer):
    """For languages with C's operators: a set of pages is a number, page 0 its lowest bit.

    Attributes:
        page: how the set of just the action's page is written.
        no: the sign of negation.
    """

    no: ClassVar[str] = "!"

    signs: ClassVar[dict[str, str]] = {
        "and": " && ",
        "or": " || ",
        "equal": " == ",
        "less": " < ",
        "plus": " + ",
        "intersection": " & ",
        "union": " | ",
    }

    def __init__(self, pages: int, group: int, page: str = "page") -> None:
        self.pages, self.group, self.page = pages, group, page
        self.everything = (1 << pages) - 1

    def negated(self, e: Expr) -> str:
        """Not e; a comparison is turned round."""
        if e.op == "equal":
            of = kind_of(*e.operands)
            return "(" + " != ".join(self.value(part, of) for part in e.operands) + ")"
        return f"({self.text(e.operands[0])} != 0)" if e.op == "empty" else f"{self.no}{self.text(e)}"

    def choice(self, condition: str, yes: str, no: str) -> str:
        """C's conditional expression."""
        return f"({condition} ? {yes} : {no})"

    def empty(self, e: Expr) -> str:
        """No bit is set."""
        return f"({self.text(e)} == 0)"

    def complement(self, text: str) -> str:
        """The other bits."""
        return f"({self.everything} & ~{text})"

    def host(self, text: str) -> str:
        """Gather into the first target page of each host page, then spread."""
        firsts = sum(1 << page for page in range(0, self.pages, self.group))
        gathered = " | ".join(f"{text} >> {i}" if i else text for i in range(self.group))
        return f"((({gathered}) & {firsts}) * {(1 << self.group) - 1})"

    def number(self, stored: int, of: Variable | None) -> str:  # noqa: ARG002
        """The number itself."""
        return str(stored)

    def constant(self, e: Expr) -> str:
        """All bits, no bit, or the page's."""
        return {"true": "1", "false": "0", "none": "0", "all": str(self.everything), "page": self.page}[e.op]


def kind_of(*numbers: Expr) -> Variable | None:
    """A variable whose values these numbers are, or None where they are plain numbers (sums, for one)."""
    for e in numbers:
        if e.op == "variable":
            return ex.variable_of(e)
        if e.op == "if":
            found = kind_of(*e.operands[1:])
            if found is not None:
                return found
    return None


def said_of(v: Variable) -> str:
    """What a variable is, in words."""
    return f"{v.doc} (0 stands for {v.low})" if v.low else v.doc
