"""The text of expressions, which both texts of a kernel share.

`state_code` writes a kernel for Python, one state at a time; `block_code` writes one for machine code, one action at a
time over a block of states. Both write the same expressions, over words in local variables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from postcopy.explorer.kernel.layout import Layout
from postcopy.language import expressions as ex
from postcopy.language.expression_nodes import nodes
from postcopy.language.expressions import NumberExpr, PagesExpr, TruthExpr, Value
from postcopy.language.trees import Branch, Tree
from postcopy.language.variables import Variable


def keeping(bits: int) -> int:
    """The mask that clears these bits of a word, as a number that an int64 can hold."""
    return ~bits & (1 << 64) - 1 if bits >> 63 else ~bits


def guards(tree: Tree) -> tuple[list[tuple[TruthExpr, bool]], Tree]:
    """The conditions without which no leaf can be reached, and the tree below them."""
    found = []
    while isinstance(tree, Branch) and (tree.yes is None or tree.no is None):
        want = tree.no is None
        found.append((tree.condition, want))
        tree = tree.yes if want else tree.no
    return found, tree


def domain(
    conditions: Sequence[tuple[TruthExpr, bool]], page: PagesExpr = ex.PAGE
) -> tuple[PagesExpr, list[tuple[TruthExpr, bool]]]:
    """The set of pages worth trying, from guards of the form "the page is (not) in this set"; and the other guards.

    The second page of a step is tried for each first one: its set may depend on that.
    """
    pages, others = ex.FULL_SET, []
    for condition, want in conditions:
        shared, wanted = (condition.operand, not want) if isinstance(condition, ex.Not) else (condition, want)
        meet = shared.pages if isinstance(shared, ex.IsEmpty) else None
        if isinstance(meet, ex.Intersection) and page in meet.operands:
            rest = ex.intersection(*(part for part in meet.operands if part != page))
            if not any(node is page for node in nodes(rest)):
                pages = ex.intersection(pages, ex.set_complement(rest) if wanted else rest)
                continue
        others.append((condition, want))
    return pages, others


@dataclass
class Scope:
    """A block of text being written: its lines, indentation, and the expressions that have a name here."""

    lines: list[str]
    indent: int
    named: dict[PagesExpr, list[str]] = field(default_factory=dict)

    def inner(self) -> Scope:
        """A block inside this one, which knows its names."""
        return Scope(self.lines, self.indent + 1, dict(self.named))

    def write(self, line: str) -> None:
        """Add a line."""
        self.lines.append("    " * self.indent + line)


class Writer:
    """Writes expressions over the words w0, w1, … and the page p0, p1, … (its bit in each page word); a second page of
    the step is o0, o1, ….

    With `flat`, conditions are computed whole instead of left early: no jump that a processor could guess wrongly.
    """

    def __init__(self, layout: Layout, flat: bool = False) -> None:
        self.layout = layout
        self.flat = flat
        self.signs = (" | ", " & ") if flat else (" or ", " and ")
        self.parts = range(layout.page_words)
        self.stride = [layout.stride(word) for word in self.parts]
        self.offset = {v: i for i, v in enumerate(layout.sets)}
        self.names = 0

    def number(self, e: NumberExpr, scope: Scope) -> str:
        """A number."""
        match e:
            case ex.Number(value):
                return str(value)
            case ex.NumberVariable(variable):
                place = self.layout.numbers[variable]
                return f"(w{place.word} >> {place.shift} & {place.mask})"
            case ex.Plus(left, right):
                return f"({self.number(left, scope)} + {self.number(right, scope)})"
            case ex.NumberIf(condition, yes, no):
                return f"({self.number(yes, scope)} if {self.truth(condition, scope)} else {self.number(no, scope)})"
            case _:
                assert_never(e)

    def truth(self, e: TruthExpr, scope: Scope, want: bool = True) -> str:
        """A truth value; with `want` False its negation, pushed inwards."""
        match e:
            case ex.TruthConstant(value):
                return str(value == want)
            case ex.Not(operand):
                return self.truth(operand, scope, not want)
            case ex.And(operands):
                return self._joined(self.signs[want], operands, scope, want)
            case ex.Or(operands):
                return self._joined(self.signs[not want], operands, scope, want)
            case ex.IsEmpty(pages):
                return "(" + " | ".join(self.pages(pages, scope)) + f") {'==' if want else '!='} 0"
            case ex.Less(left, right):
                return f"{self.number(left, scope)} {'<' if want else '>='} {self.number(right, scope)}"
            case ex.Equal(ex.NumberVariable(variable), ex.Number(value)):
                place = self.layout.numbers[variable]
                bits, wanted = place.mask << place.shift, value << place.shift
                return f"(w{place.word} & {bits}) {'==' if want else '!='} {wanted}"
            case ex.Equal(left, right):
                return f"{self.number(left, scope)} {'==' if want else '!='} {self.number(right, scope)}"
            case _:
                assert_never(e)

    def _joined(self, sign: str, parts: tuple[TruthExpr, ...], scope: Scope, want: bool) -> str:
        texts = (self.truth(part, scope, want) for part in parts)
        return "(" + sign.join(f"({text})" if self.flat else text for text in texts) + ")"

    def pages(self, e: PagesExpr, scope: Scope) -> list[str]:
        """A set of pages: for each page word, the strided bits."""
        known = scope.named.get(e)
        if known is not None:
            return known
        match e:
            case ex.NoPages():
                return ["0" for _ in self.parts]
            case ex.AllPages():
                return [str(stride) for stride in self.stride]
            case ex.ActionPage(second):
                return [f"{'o' if second else 'p'}{k}" for k in self.parts]
            case ex.PagesVariable(variable):
                offset = self.offset[variable]
                texts = [f"w{k} >> {offset} & {self.stride[k]}" for k in self.parts]
            case ex.PagesIf(condition, yes, no):
                test = self.truth(condition, scope)
                pairs = zip(self.pages(yes, scope), self.pages(no, scope), strict=True)
                texts = [a if a == b else f"{a} if {test} else {b}" for a, b in pairs]
            case ex.Complement(operand):
                inner = self.pages(operand, scope)
                sign = "^" if self.flat else "& ~"  # a set has no other bits; plain text is part of a run's fingerprint
                texts = [f"{self.stride[k]} {sign}{inner[k]}" for k in self.parts]
            case ex.HostPages(operand):
                inner = self.pages(operand, scope)
                texts = [self._host(k, inner[k]) for k in self.parts]
            case ex.Neighbours(operand, previous):
                inner = self.pages(operand, scope)
                texts = [self._neighbours(k, inner, previous) for k in self.parts]
            case ex.Intersection(operands):
                texts = self._word_by_word(" & ", operands, scope)
            case ex.Union(operands):
                texts = self._word_by_word(" | ", operands, scope)
            case _:
                assert_never(e)
        return self._named(e, texts, scope)

    def _word_by_word(self, sign: str, parts: tuple[PagesExpr, ...], scope: Scope) -> list[str]:
        sets = [self.pages(part, scope) for part in parts]
        return [sign.join(words[k] for words in sets) for k in self.parts]

    def _named(self, e: PagesExpr, texts: list[str], scope: Scope) -> list[str]:
        """Write what is computed to variables, which stand for it in the rest of the block."""
        self.names += 1
        scope.named[e] = [f"s{self.names}_{k}" for k in self.parts]
        for name, text in zip(scope.named[e], texts, strict=True):
            scope.write(f"{name} = {text}")
        return scope.named[e]

    def _host(self, word: int, text: str) -> str:
        """All target pages of the host pages touched: gather into the first of each, then spread."""
        width, group = self.layout.width, self.layout.instance.group
        firsts = sum(1 << base for page, (w, base) in enumerate(self.layout.records) if w == word and page % group == 0)
        gathered = "(" + " | ".join(f"{text} >> {i * width}" for i in range(group)) + f") & {firsts}"
        return f"({gathered}) * {sum(1 << i * width for i in range(group))}"

    def _neighbours(self, word: int, texts: list[str], previous: bool) -> str:
        """The set moved by one record; what leaves a word of records goes on in the one beside it."""
        moved = f"{texts[word]} {'>>' if previous else '<<'} {self.layout.width} & {self.stride[word]}"
        beside = word + 1 if previous else word - 1
        if beside not in self.parts:
            return moved
        last = max(base for w, base in self.layout.records if w == min(word, beside))
        carried = f"({texts[beside]} & 1) << {last}" if previous else f"{texts[beside]} >> {last} & 1"
        return f"({moved}) | ({carried})"

    def each_page(self, texts: list[str], scope: Scope, name: str = "p", rest: str = "d") -> Scope:
        """Open a loop over the pages of a set, the lowest first; in its body p0, p1, … are the page.

        Args:
            texts: the set.
            scope: where.
            name: of the page.
            rest: the name of what is left of the set.
        """
        for k, text in zip(self.parts, texts, strict=True):
            scope.write(f"{rest}{k} = {text}")
        scope.write(f"while {' | '.join(f'{rest}{k}' for k in self.parts)} != 0:")
        body = scope.inner()
        for k in self.parts:
            before = " | ".join(f"{rest}{j}" for j in range(k))  # whichever word the lowest page is in
            body.write(f"{name}{k} = {rest}{k} & -{rest}{k}" + (f" if ({before}) == 0 else 0" if before else ""))
        for k in self.parts:
            body.write(f"{rest}{k} ^= {name}{k}")
        return body

    def updated(self, updates: dict[Variable, Value], scope: Scope) -> list[str]:
        """The words after a step."""
        keep: dict[int, int] = {}
        pieces: dict[int, list[str]] = {}
        constants: Counter[int] = Counter()
        for v, e in updates.items():
            if v in self.offset:
                for k, text in enumerate(self.pages(ex.as_pages(e), scope)):
                    keep[k] = keep.get(k, 0) | self.stride[k] << self.offset[v]
                    if text != "0":
                        pieces.setdefault(k, []).append(f"{text} << {self.offset[v]}")
            elif v in self.layout.numbers:
                place = self.layout.numbers[v]
                keep[place.word] = keep.get(place.word, 0) | place.mask << place.shift
                constant = ex.constant(e)
                if constant is None:
                    pieces.setdefault(place.word, []).append(f"{self.number(ex.as_number(e), scope)} << {place.shift}")
                else:
                    constants[place.word] += constant << place.shift
        words = []
        for k in range(self.layout.words):
            texts = [f"w{k} & {keeping(keep[k])}" if k in keep else f"w{k}"]
            texts += [f"({piece})" for piece in pieces.get(k, [])]
            texts += [str(constants[k])] if constants[k] else []
            words.append(" | ".join(texts))
        return words
