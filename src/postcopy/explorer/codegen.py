"""From trees of guarded updates to the text of a kernel: straight-line integer Python, for Numba or for Python itself.

Three functions come out, all on flat lists (or arrays) of words:

    expand(states, at, out, to)   writes every successor of the state at `at` to `out` from `to` on, each followed by a
                                  label: action number; bit 15 when the step changes nothing (the words are then
                                  not written); from bit 16 on the properties of steps that it violates; or a negative
                                  number for a check that failed. Returns how many there are
    canonical(out, at)            renames pages so that of all states equal up to a renaming just one is stored
    examine(out, at)              the properties of states that are violated and the witnesses that are reached, as
                                  bits; bit 61 says that the protocol may rest here
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from postcopy.explorer.constants import Reading
from postcopy.explorer.layout import Layout
from postcopy.model import expressions as ex
from postcopy.model.expressions import Expr, Variable
from postcopy.model.symbolic import Branch, Leaf, Tree

LABEL_BITS = 16
"""Bits of a label below the violated properties."""

STAYS = 1 << 15
"""The bit of a label that says that the step changes nothing."""

REST_BIT = 61

MAX_PROPERTIES = 46


@dataclass
class Kernel:
    """The generated text and what its numbers mean.

    Attributes:
        text: the functions.
        layout: the packing that they work on.
        checks: what a negative label -1-i says is wrong, and where.
    """

    text: str
    layout: Layout
    checks: list[tuple[str, str]]


@dataclass
class _Scope:
    """A block of text being written: its lines, indentation, and the expressions that have a name here."""

    lines: list[str]
    indent: int
    named: dict[Expr, list[str]] = field(default_factory=dict)

    def inner(self) -> _Scope:
        return _Scope(self.lines, self.indent + 1, dict(self.named))

    def write(self, line: str) -> None:
        self.lines.append("    " * self.indent + line)


class Writer:
    """Writes expressions over the words w0, w1, … and the page p0, p1, … (its bit in each page word)."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.parts = range(layout.page_words)
        self.stride = [layout.stride(word) for word in self.parts]
        self.offset = {v: i for i, v in enumerate(layout.sets)}
        self.names = 0

    def number(self, e: Expr, scope: _Scope) -> str:
        """A number."""
        constant = ex.constant(e)
        if constant is not None:
            return str(constant)
        if e.op == "variable":
            place = self.layout.numbers[_variable(e)]
            return f"(w{place.word} >> {place.shift} & {place.mask})"
        if e.op == "plus":
            return f"({self.number(e.operands[0], scope)} + {self.number(e.operands[1], scope)})"
        condition, yes, no = e.operands
        return f"({self.number(yes, scope)} if {self.truth(condition, scope)} else {self.number(no, scope)})"

    def truth(self, e: Expr, scope: _Scope) -> str:
        """A truth value."""
        if e.op in ("true", "false"):
            return str(e.op == "true")
        if e.op == "not":
            return f"not {self.truth(e.operands[0], scope)}"
        if e.op in ("and", "or"):
            return "(" + f" {e.op} ".join(self.truth(part, scope) for part in e.operands) + ")"
        if e.op == "empty":
            return "(" + " | ".join(self.pages(e.operands[0], scope)) + ") == 0"
        left, right = e.operands
        constant = ex.constant(right)
        if e.op == "equal" and left.op == "variable" and constant is not None:
            place = self.layout.numbers[_variable(left)]
            return f"(w{place.word} & {place.mask << place.shift}) == {constant << place.shift}"
        return f"{self.number(left, scope)} {'==' if e.op == 'equal' else '<'} {self.number(right, scope)}"

    def pages(self, e: Expr, scope: _Scope) -> list[str]:
        """A set of pages: for each page word, the strided bits."""
        if e.op == "none":
            return ["0" for _ in self.parts]
        if e.op == "all":
            return [str(stride) for stride in self.stride]
        if e.op == "page":
            return [f"p{k}" for k in self.parts]
        if e not in scope.named:
            texts = self._pages(e, scope)
            self.names += 1
            scope.named[e] = [f"s{self.names}_{k}" for k in self.parts]
            for name, text in zip(scope.named[e], texts, strict=True):
                scope.write(f"{name} = {text}")
        return scope.named[e]

    def _pages(self, e: Expr, scope: _Scope) -> list[str]:
        if e.op == "variable":
            offset = self.offset[_variable(e)]
            return [f"w{k} >> {offset} & {self.stride[k]}" for k in self.parts]
        if e.op == "if":
            condition, yes, no = e.operands
            test = self.truth(condition, scope)
            pairs = zip(self.pages(yes, scope), self.pages(no, scope), strict=True)
            return [a if a == b else f"{a} if {test} else {b}" for a, b in pairs]
        operands = [self.pages(a, scope) for a in e.operands]
        if e.op == "complement":
            return [f"{self.stride[k]} & ~{operands[0][k]}" for k in self.parts]
        if e.op == "host":
            return [self._host(k, operands[0][k]) for k in self.parts]
        sign = " & " if e.op == "intersection" else " | "
        return [sign.join(parts[k] for parts in operands) for k in self.parts]

    def _host(self, word: int, text: str) -> str:
        """All target pages of the host pages touched: gather into the first of each, then spread."""
        width, group = self.layout.width, self.layout.instance.group
        firsts = sum(1 << base for page, (w, base) in enumerate(self.layout.records) if w == word and page % group == 0)
        gathered = "(" + " | ".join(f"{text} >> {i * width}" for i in range(group)) + f") & {firsts}"
        return f"({gathered}) * {sum(1 << i * width for i in range(group))}"

    def updated(self, updates: dict[Variable, Expr], scope: _Scope) -> list[str]:
        """The words after a step."""
        keep: dict[int, int] = {}
        pieces: dict[int, list[str]] = {}
        constants: Counter[int] = Counter()
        for v, e in updates.items():
            if v in self.offset:
                for k, text in enumerate(self.pages(e, scope)):
                    keep[k] = keep.get(k, 0) | self.stride[k] << self.offset[v]
                    if text != "0":
                        pieces.setdefault(k, []).append(f"{text} << {self.offset[v]}")
            elif v in self.layout.numbers:
                place = self.layout.numbers[v]
                keep[place.word] = keep.get(place.word, 0) | place.mask << place.shift
                constant = ex.constant(e)
                if constant is None:
                    pieces.setdefault(place.word, []).append(f"{self.number(e, scope)} << {place.shift}")
                else:
                    constants[place.word] += constant << place.shift
        words = []
        for k in range(self.layout.words):
            texts = [f"w{k} & {~keep[k]}" if k in keep else f"w{k}"]
            texts += [f"({piece})" for piece in pieces.get(k, [])]
            texts += [str(constants[k])] if constants[k] else []
            words.append(" | ".join(texts))
        return words


def _variable(e: Expr) -> Variable:
    first = e.args[0]
    assert isinstance(first, Variable)
    return first


def generate(reading: Reading, layout: Layout, symmetry: bool) -> Kernel:
    """The kernel's text.

    Args:
        reading: the protocol's trees.
        layout: where its variables lie.
        symmetry: whether `canonical` renames pages; otherwise it does nothing.
    """
    kernel = Kernel("", layout, [])
    lines: list[str] = []
    threads: dict[str, list[int]] = {}
    for index, (action, _) in enumerate(reading.actions):
        threads.setdefault(action.thread, []).append(index)
    words = ", ".join(f"w{k}" for k in range(layout.words))
    for number, (thread, indices) in enumerate(threads.items()):
        lines += ["", f"# {thread}", f"def thread{number}({words}, out, to, count):"]
        scope = _Scope(lines, 1)
        for index in indices:
            _write_action(kernel, reading, index, scope)
        scope.write("return count")
    lines += ["", "def expand(states, at, out, to):", "    count = 0"]
    lines += [f"    w{k} = states[at + {k}]" for k in range(layout.words)]
    lines += [f"    count = thread{number}({words}, out, to, count)" for number in range(len(threads))]
    lines += ["    return count", ""]
    lines += _examine(reading, layout)
    lines += canonical_text(layout) if symmetry else ["def canonical(out, at):", "    return"]
    kernel.text = "\n".join(lines) + "\n"
    return kernel


def _write_action(kernel: Kernel, reading: Reading, index: int, scope: _Scope) -> None:
    action, tree = reading.actions[index]
    if tree is None:
        return
    writer = Writer(kernel.layout)
    scope.write(f"# {action.name}")
    body = scope.inner()
    body.indent = scope.indent
    if not action.takes_page:
        _write_tree(kernel, writer, index, tree, body)
        return
    guards, rest = _guards(tree)
    outside = [(c, want) for c, want in guards if not ex.mentions_page(c)]
    domain, inside = _domain([(c, want) for c, want in guards if ex.mentions_page(c)])
    for condition, want in outside:
        body = _write_if(writer, condition, want, body)
    parts = list(writer.parts)
    for k, text in zip(parts, writer.pages(domain, body), strict=True):
        body.write(f"d{k} = {text}")
    body.write(f"while {' | '.join(f'd{k}' for k in parts)} != 0:")
    body = body.inner()
    for k in parts:
        # the lowest page that is left, whichever word it is in
        before = " | ".join(f"d{j}" for j in range(k))
        body.write(f"p{k} = d{k} & -d{k}" + (f" if ({before}) == 0 else 0" if before else ""))
    for k in parts:
        body.write(f"d{k} ^= p{k}")
    for condition, want in inside:
        body = _write_if(writer, condition, want, body)
    _write_tree(kernel, writer, index, rest, body)


def _guards(tree: Tree) -> tuple[list[tuple[Expr, bool]], Tree]:
    """The conditions without which the action cannot be taken at all, and the tree below them."""
    guards = []
    while isinstance(tree, Branch) and (tree.yes is None or tree.no is None):
        want = tree.no is None
        guards.append((tree.condition, want))
        tree = tree.yes if want else tree.no
    return guards, tree


def _domain(guards: Sequence[tuple[Expr, bool]]) -> tuple[Expr, list[tuple[Expr, bool]]]:
    """The set of pages worth trying, from guards of the form "the page is (not) in this set"; and the other guards."""
    domain, others = ex.FULL_SET, []
    for condition, want in guards:
        shared, wanted = condition, want
        if shared.op == "not":
            shared, wanted = shared.operands[0], not want
        meet = shared.operands[0] if shared.op == "empty" else None
        if meet is not None and meet.op == "intersection" and ex.PAGE in meet.operands:
            rest = ex.intersection(*(part for part in meet.operands if part != ex.PAGE))
            if not ex.mentions_page(rest):
                domain = ex.intersection(domain, ex.set_complement(rest) if wanted else rest)
                continue
        others.append((condition, want))
    return domain, others


def _write_if(writer: Writer, condition: Expr, want: bool, scope: _Scope) -> _Scope:
    text = writer.truth(condition if want else ex.negation(condition), scope)
    scope.write(f"if {text}:")
    return scope.inner()


def _write_tree(kernel: Kernel, writer: Writer, index: int, tree: Tree, scope: _Scope) -> None:
    if tree is None:
        return
    if isinstance(tree, Leaf):
        _write_leaf(kernel, writer, index, tree, scope)
        return
    if tree.yes is None:
        _write_tree(kernel, writer, index, tree.no, _write_if(writer, tree.condition, False, scope))
        return
    _write_tree(kernel, writer, index, tree.yes, _write_if(writer, tree.condition, True, scope))
    if tree.no is not None:
        scope.write("else:")
        _write_tree(kernel, writer, index, tree.no, scope.inner())


def _write_leaf(kernel: Kernel, writer: Writer, index: int, leaf: Leaf, scope: _Scope) -> None:
    size = kernel.layout.words + 1
    label = str(index if leaf.updates else index | STAYS)
    for number, condition in leaf.violated:
        label += f" | ({1 << LABEL_BITS + number} if {writer.truth(condition, scope)} else 0)"
    words = writer.updated(leaf.updates, scope) if leaf.updates else []
    for k, text in enumerate(words):
        scope.write(f"out[to + count * {size}{f' + {k}' if k else ''}] = {text}")
    for condition, message, place in leaf.checks:
        kernel.checks.append((message, place))
        label = f"({label} if {writer.truth(condition, scope)} else {-len(kernel.checks)})"
    scope.write(f"out[to + count * {size} + {size - 1}] = {label}")
    scope.write("count += 1")


def _examine(reading: Reading, layout: Layout) -> Iterable[str]:
    scope = _Scope(["def examine(out, at):"], 1)
    writer = Writer(layout)
    for k in range(layout.words):
        scope.write(f"w{k} = out[at + {k}]")
    scope.write("found = 0")
    for index, prop, holds in reading.predicates:
        wanted = holds if prop.is_witness else ex.negation(holds)
        if wanted != ex.FALSE:
            scope.write(f"if {writer.truth(wanted, scope)}:")
            scope.inner().write(f"found |= {1 << index}")
    scope.write(f"if {writer.truth(reading.resting, scope)}:")
    scope.inner().write(f"found |= {1 << REST_BIT}")
    scope.write("return found")
    return [*scope.lines, ""]


def canonical_text(layout: Layout) -> list[str]:
    """Sort the records (inside each host page, then the host pages): equal ones tie, so one sort is exact."""
    width, group, pages = layout.width, layout.instance.group, layout.instance.pages
    mask = (1 << width) - 1
    lines = ["def canonical(out, at):"]
    for k in range(layout.page_words):
        lines.append(f"    w{k} = out[at + {k}]")
    for page, (word, base) in enumerate(layout.records):
        lines.append(f"    r{page} = w{word} >> {base} & {mask}")
    hosts = range(0, pages, group)
    if group == 1:
        ordered = " and ".join(f"r{page} <= r{page + 1}" for page in range(pages - 1))
        lines += [f"    if {ordered}:", "        return"] if ordered else []
    for first in hosts:
        lines += _sort([f"r{first + i}" for i in range(group)])
    if group > 1:
        for number, first in enumerate(hosts):
            lines.append(f"    h{number} = " + " | ".join(f"r{first + i} << {i * width}" for i in range(group)))
        lines += _sort([f"h{number}" for number in range(len(hosts))])
        for number, first in enumerate(hosts):
            lines += [f"    r{first + i} = h{number} >> {i * width} & {mask}" for i in range(group)]
    else:
        lines += _sort([f"r{page}" for page in range(pages)])
    for k in range(layout.page_words):
        used = sum(mask << base for word, base in layout.records if word == k)
        pieces = [f"(r{page} << {base})" for page, (word, base) in enumerate(layout.records) if word == k]
        lines.append(f"    out[at + {k}] = w{k} & {~used} | {' | '.join(pieces)}")
    return lines


def _sort(names: list[str]) -> list[str]:
    """Batcher's odd-even merge sort, as compare and exchange."""
    lines = []
    n, p = len(names), 1
    while p < n:
        k = p
        while k >= 1:
            for j in range(k % p, n - k, 2 * k):
                for i in range(min(k, n - j - k)):
                    if (i + j) // (p * 2) == (i + j + k) // (p * 2):
                        a, b = names[i + j], names[i + j + k]
                        lines += [f"    if {a} > {b}:", f"        {a}, {b} = {b}, {a}"]
            k //= 2
        p *= 2
    return lines
