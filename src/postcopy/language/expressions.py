"""One immutable expression tree for everything an action computes; several back ends read it.

Three sorts: truth values, small numbers (enumerations are numbers), sets of pages. The constructors below
fold constants and nothing cleverer, so that what is generated stays recognisably what was written.
The explorer's code generator and (for proofs) a solver read the same trees.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


class Sort(Enum):
    """What an expression denotes."""

    TRUTH = "truth"
    NUMBER = "number"
    PAGES = "pages"
    MESSAGES = "messages"
    """What is on a channel of unbounded length; only the prover's interpretation has it."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of a protocol's state.

    Attributes:
        name: qualified, as ``destination.waiting[1]`` or ``stream[0].kind``.
        owner: the machine or channel that it belongs to.
        sort: `Sort.NUMBER` or `Sort.PAGES`.
        size: for a number, how many values it has (0 to size - 1).
        values: for an enumeration or truth value, what each number means; empty for a plain number.
        low: for a plain number, what the stored 0 means.
        ghost: history for the properties; no guard may read it.
        doc: what it is, in the document's words.
    """

    name: str
    owner: str
    sort: Sort
    size: int = 0
    values: tuple[object, ...] = ()
    low: int = 0
    ghost: bool = False
    doc: str = ""

    def __hash__(self) -> int:
        return hash(
            self.name
        )  # names are unique in a protocol; hashing all the rest took a tenth of all interpretation

    @property
    def kind(self) -> str:
        """The type of its values, in words."""
        return type(self.values[-1]).__name__ if self.values else "whole number"

    def decode(self, stored: int) -> object:
        """The value that a stored number stands for."""
        return self.values[stored] if self.values else stored + self.low


def index_of(values: tuple[object, ...], value: object) -> int:
    """Where a value stands; of another type it is another one (a member of an IntEnum equals those of others).

    Raises:
        ValueError: it is not there.
    """
    for index, known in enumerate(values):
        if type(known) is type(value) and known == value:
            return index
    raise ValueError(value)


class Expr:
    """A node: an operator, its operands, its sort. Immutable; equal when structurally equal.

    Attributes:
        op: operator name.
        args: operands (expressions, variables or constants).
        sort: what it denotes.
        ghost: whether any variable below is a ghost.
    """

    __slots__ = ("_hash", "args", "ghost", "op", "sort")

    def __init__(self, op: str, args: tuple[object, ...], sort: Sort) -> None:
        self.op, self.args, self.sort = op, args, sort
        self._hash = hash((op, args))
        self.ghost: bool = any(a.ghost for a in args if isinstance(a, Expr | Variable))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Expr) and self._hash == other._hash and self.op == other.op and self.args == other.args

    def __repr__(self) -> str:
        return show(self)

    def __reduce__(self) -> str | tuple[object, ...]:
        return _CONSTANTS.get(self.op) or (Expr, (self.op, self.args, self.sort))

    @property
    def operands(self) -> tuple[Expr, ...]:
        """The operands that are expressions."""
        return tuple(a for a in self.args if isinstance(a, Expr))

    def variables(self) -> frozenset[Variable]:
        """All variables below."""
        return frozenset(a for node in walk(self) for a in node.args if isinstance(a, Variable))


def walk(root: Expr) -> Iterator[Expr]:
    """Every node below and including the root, each once."""
    seen: set[Expr] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            yield node
            stack.extend(node.operands)


def mentions_page(root: Expr) -> bool:
    """Whether the expression depends on the action's page parameter."""
    return any(node.op == "page" for node in walk(root))


TRUE = Expr("true", (), Sort.TRUTH)
FALSE = Expr("false", (), Sort.TRUTH)
EMPTY_SET = Expr("none", (), Sort.PAGES)
FULL_SET = Expr("all", (), Sort.PAGES)
PAGE = Expr("page", (), Sort.PAGES)

_CONSTANTS = {"true": "TRUE", "false": "FALSE", "none": "EMPTY_SET", "all": "FULL_SET", "page": "PAGE"}
"""These are compared by identity, so copies and pickles have to give the very same objects."""


def truth(value: bool) -> Expr:
    """The constant."""
    return TRUE if value else FALSE


def negation(a: Expr) -> Expr:
    """Not a."""
    if a is TRUE or a is FALSE:
        return truth(a is FALSE)
    return a.operands[0] if a.op == "not" else Expr("not", (a,), Sort.TRUTH)


def conjunction(*parts: Expr) -> Expr:
    """All of the parts."""
    return _lattice("and", parts, neutral=TRUE, absorbing=FALSE)


def disjunction(*parts: Expr) -> Expr:
    """Any of the parts."""
    return _lattice("or", parts, neutral=FALSE, absorbing=TRUE)


def _lattice(op: str, parts: tuple[Expr, ...], neutral: Expr, absorbing: Expr) -> Expr:
    flat: dict[Expr, None] = {}
    complement = set_complement if neutral.sort is Sort.PAGES else negation
    for part in parts:
        for leaf in part.operands if part.op == op else (part,):
            if leaf == absorbing or complement(leaf) in flat:
                return absorbing
            if leaf != neutral:
                flat[leaf] = None
    if not flat:
        return neutral
    return next(iter(flat)) if len(flat) == 1 else Expr(op, tuple(flat), neutral.sort)


def number(value: int) -> Expr:
    """The (stored) number."""
    return Expr("number", (value,), Sort.NUMBER)


def variable(v: Variable) -> Expr:
    """The variable's value before the step."""
    return Expr("variable", (v,), v.sort)


def variable_of(e: Expr) -> Variable:
    """The variable of a `variable` node."""
    first = e.args[0]
    assert isinstance(first, Variable)
    return first


def constant(e: Expr) -> int | None:
    """The value of a constant number, else None."""
    return e.args[0] if e.op == "number" and isinstance(e.args[0], int) else None


def number_of(condition: Expr) -> Expr:
    """1 where the condition holds, else 0."""
    return choose(condition, number(1), number(0))


def equal(a: Expr, b: Expr) -> Expr:
    """Two numbers are equal."""
    if a == b:
        return TRUE
    x, y = constant(a), constant(b)
    if x is not None and y is not None:
        return truth(x == y)
    if x is not None:
        a, b = b, a
    if a.op == "if" and constant(b) is not None:
        condition, yes, no = a.operands
        if constant(yes) is not None and constant(no) is not None:
            return choose(condition, equal(yes, b), equal(no, b))
    return Expr("equal", (a, b), Sort.TRUTH)


def less(a: Expr, b: Expr) -> Expr:
    """One number is less than the other."""
    if a == b:
        return FALSE
    x, y = constant(a), constant(b)
    return truth(x < y) if x is not None and y is not None else Expr("less", (a, b), Sort.TRUTH)


def plus(a: Expr, b: Expr) -> Expr:
    """The sum; leaving a field's range is found when it happens."""
    x, y = constant(a), constant(b)
    return number(x + y) if x is not None and y is not None else Expr("plus", (a, b), Sort.NUMBER)


def choose(condition: Expr, yes: Expr, no: Expr) -> Expr:
    """One of two values of the same sort."""
    if condition is TRUE or yes == no:
        return yes
    if condition is FALSE:
        return no
    if condition.op == "not":
        return choose(condition.operands[0], no, yes)
    if yes.sort is Sort.TRUTH:
        return disjunction(conjunction(condition, yes), conjunction(negation(condition), no))
    return Expr("if", (condition, yes, no), yes.sort)


def set_complement(a: Expr) -> Expr:
    """The pages not in the set."""
    if a is EMPTY_SET or a is FULL_SET:
        return FULL_SET if a is EMPTY_SET else EMPTY_SET
    if a.op == "union":
        return intersection(*(set_complement(part) for part in a.operands))
    return a.operands[0] if a.op == "complement" else Expr("complement", (a,), Sort.PAGES)


def intersection(*parts: Expr) -> Expr:
    """The pages in all of the sets."""
    return _lattice("intersection", parts, neutral=FULL_SET, absorbing=EMPTY_SET)


def union(*parts: Expr) -> Expr:
    """The pages in any of the sets."""
    return _lattice("union", parts, neutral=EMPTY_SET, absorbing=FULL_SET)


def host_pages(a: Expr) -> Expr:
    """All target pages of the host pages that the set touches."""
    return a if a is EMPTY_SET or a is FULL_SET or a.op == "host" else Expr("host", (a,), Sort.PAGES)


def is_empty(a: Expr) -> Expr:
    """No page is in the set."""
    if a is EMPTY_SET:
        return TRUE
    if a is FULL_SET or a is PAGE:
        return FALSE
    if a.op == "host":
        return is_empty(a.operands[0])
    if a.op == "union":
        return conjunction(*(is_empty(part) for part in a.operands))
    return Expr("empty", (a,), Sort.TRUTH)


_SIGNS = {
    "and": " and ",
    "or": " or ",
    "intersection": " & ",
    "union": " | ",
    "equal": " == ",
    "less": " < ",
    "plus": " + ",
}


def _in_words(beside: Expr, e: Expr) -> str | None:
    """A constant as a value of the variable that it is compared with."""
    stored = constant(e)
    v = beside.args[0] if beside.op == "variable" else None
    if stored is None or not isinstance(v, Variable) or not 0 <= stored < v.size:
        return None
    value = v.decode(stored)
    return value.name if isinstance(value, Enum) else str(value)


def show(e: Expr) -> str:
    """The expression as a person would write it."""
    inner = [show(a) if isinstance(a, Expr) else a for a in e.args]
    if e.op in _SIGNS:
        if e.op in ("equal", "less"):
            a, b = e.operands
            inner = [_in_words(b, a) or inner[0], _in_words(a, b) or inner[1]]
        return "(" + _SIGNS[e.op].join(str(i) for i in inner) + ")"
    if e.op == "variable" and isinstance(e.args[0], Variable):
        return e.args[0].name
    if e.op == "number":
        return str(e.args[0])
    if e.op in ("not", "complement"):
        return f"{'not ' if e.op == 'not' else '~'}{inner[0]}"
    if e.op == "if":
        return f"({inner[1]} if {inner[0]} else {inner[2]})"
    if e.op in ("empty", "host"):
        return f"{inner[0]}.{'empty' if e.op == 'empty' else 'host_pages'}"
    return e.op
