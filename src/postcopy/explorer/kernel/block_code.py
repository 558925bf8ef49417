"""The kernel's text for the compiler: a block of states at once, one action after the other.

For each action its guards are computed for every state of the block, eight at a time, and those that pass are the bits
of a row of `passes`. Where an action has few ways below its guards, each of them has a row of its own. The leaves'
updates run over the bits of their row. Where there are more ways, or pages to choose, the states (or pairs of a state
and a page) that pass are gathered in a list, `list[m] = i; m += passes`, and a decision splits a list in two. So hardly
anything depends on a jump that a processor could guess wrongly, which is what makes going through one state's guards
slow: their outcomes look random. Guards that several actions share are computed once.

    expand_block(states, at, n, out, origin, label, fired, moved, lists, items, picks)

writes the successors of the states at, …, at + n - 1 (columns of `states`) to the columns of `out`, leaf by leaf; for
each the place of its state in the block in `origin`, and in `label` its label (see `calling_convention`). Steps that
change nothing are left out unless they violate something. Adds to `fired` how often each leaf was taken, and behind
that how often the step at each leaf changed something; sets `moved` for states that a step other than the environment's
changes; and returns how many successors there are, with `BAD_BIT` set when one of them violates a property or fails a
check.

The text of an action's function speaks of its own leaves and lists only, numbered from 0: where they begin is passed to
it. So it stays the same where other actions change, and is compiled once (see `compiler`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from postcopy.explorer.kernel.calling_convention import BAD_BIT, BLOCK, LABEL_BITS, STAYS
from postcopy.explorer.kernel.constant_steps import (
    AT,
    LEAVES,
    ConstantStep,
    Words,
    begin,
    common_text,
    constant_step,
    has_tests,
    make_frame,
    name_of,
    split_name,
    split_row,
    test_of,
)
from postcopy.explorer.kernel.expression_code import Scope, Writer, domain, guards
from postcopy.explorer.kernel.labels import Labels
from postcopy.explorer.kernel.layout import Layout
from postcopy.explorer.kernel.path_facts import Facts, simplified
from postcopy.language import expressions as ex
from postcopy.language.expressions import PagesExpr, TruthExpr
from postcopy.language.program import Program
from postcopy.language.trees import Branch, Leaf, Tree, leaves

_UNROLLED_PAGES = 8
"""Up to here pages are tried one by one instead of by their bits: no jump that depends on the state."""

_FEW_WAYS = 8
"""Ways below an action's guards up to which all of them are computed for each state of the block."""

SHARED = "key"
"""The row of `passes` of the states that an action looks at: it is passed to a function."""

EVERY = 0
"""The row of all states of the block."""

Condition = tuple[TruthExpr, bool]


_PARAMETERS = "frame, key, leaf, failed, count"
"""Of an action's function: the arrays, which row of `passes` has the states that it looks at, where its leaves begin in
what is counted as taken, the label of its first check, and how many successors there are before."""


@dataclass(frozen=True)
class _List:
    """States (or pairs of a state and a page) that a loop goes through.

    Attributes:
        row: the row of `lists` that holds their places, or None for all pairs, or for the bits of a row of `passes`.
        length: the text of how many there are.
        pairs: whether they are pairs of `items` and `picks`.
        bits: the text of the row of `passes`, where they are its bits.
    """

    row: int | None
    length: str
    pairs: bool = False
    bits: str = ""


def _kind(over: _List) -> str:
    """What the common functions call such a list (see `constant_steps`)."""
    if over.bits:
        return "bits"
    return "pairs" if over.row is None else "chosen" if over.pairs else "list"


def _bits(row: str | int) -> _List:
    """The states that are the bits of a row of `passes`."""
    both = f"ones(passes[2 * {row}]) + ones(passes[2 * {row} + 1])"
    return _List(None, f"({both})", bits=str(row))


def expand_text(program: Program, layout: Layout, labels: Labels) -> tuple[list[str], int]:
    """The lines of `expand_block` and what it calls; and how many rows of `row_length` numbers `lists` has."""
    printer = _Printer(program, layout, labels)
    text = printer.text()
    return text, max(printer.most, layout.page_words)


def row_length(layout: Layout) -> int:
    """The length of `items` and of each row of `lists` and `picks`: a block's pairs of a state and a page."""
    return BLOCK * layout.instance.pages


def _is_end(tree: Tree) -> bool:
    """Whether a tree has no decision at its top that the state alone takes."""
    return not isinstance(tree, Branch) or ex.mentions_page(tree.condition)


def _count_ways(tree: Tree) -> int:
    """How many ways there are through a tree to the first decisions about pages."""
    if tree is None:
        return 0
    return 1 if _is_end(tree) or not isinstance(tree, Branch) else _count_ways(tree.yes) + _count_ways(tree.no)


class _Printer:
    def __init__(self, program: Program, layout: Layout, labels: Labels) -> None:
        self.program, self.layout, self.labels = program, layout, labels
        self.most = self.most_bits = 0
        self.first: Leaf | None = None
        """The first leaf of the action that is printed."""
        self.called: set[str] = set()
        """The names of the functions that take constant steps, as far as they are needed."""
        self.originals: dict[int, Leaf] = {}
        """For each leaf of the simplified trees, by its identity, the one that it stands for."""
        self.picked = "p"
        """The name of the page that pairs have: a step's only page, or its second one."""
        self._begin()

    def text(self) -> list[str]:
        """One small function for each shared guard and each action: a compiler's time grows faster than a function."""
        found = list(self._reached())
        outside = {i: [(c, want) for c, want in conditions if not ex.mentions_page(c)] for i, conditions, _ in found}
        times = Counter(condition for conditions in outside.values() for condition in conditions)
        keys = {i: max(outside[i], key=lambda condition: times[condition], default=None) for i in outside}
        shared = list(dict.fromkeys(key for key in keys.values() if key is not None and times[key] > 1))
        lines: list[str] = []
        for index, conditions, rest in found:
            self._begin()
            key = keys[index]
            within = [(c, want) for c, want in conditions if ex.mentions_page(c)]
            rest_outside = [c for c in outside[index] if c != key or key not in shared]
            action, tree = self.program.actions[index]
            self.first = next(leaves(tree))
            if len(action.page_names) == 2:
                self._action_of_two(index, rest_outside, within, rest)
            else:
                self._action(index, rest_outside, within, rest)
            self._take_constant_steps()
            test = f"    if (passes[2 * {SHARED}] | passes[2 * {SHARED} + 1]) != 0:"
            lines += [f"def action{index}({_PARAMETERS}):", f"    # {action.name}", *begin([test, *self.lines])]
            if self.table:
                lines.append(f"    table = numbers({', '.join(map(str, self.table))})")
            lines += [f"    at = frame[{AT}]", f"    changed = leaf + frame[{LEAVES}]", "    bad = 0", test]
            lines += [*("    " + line for line in self.lines), "    return count, bad", ""]
        lines = [*common_text(self.called, self.layout), *lines]
        rows: dict[Condition | None, int] = {
            None: self.most_bits,
            **{key: self.most_bits + 1 + k for k, key in enumerate(shared)},
        }
        lines += self._keys(rows)
        lines.append("def expand_block(states, at, n, out, origin, label, fired, moved, lists, items, picks):")
        lines += [f"    passes = room({2 * (self.most_bits + len(rows))})", "    keys(states, at, n, passes)"]
        lines += [*make_frame(len(self.labels.leaves)), "    count = 0", "    wrong = 0"]
        for index, _, _ in found:
            row = rows[keys[index] if keys[index] in shared else None]
            lines.append(f"    count, bad = action{index}({self._arguments(index, row)})")
            lines.append("    wrong |= bad")
        lines += [f"    return count | wrong << {BAD_BIT}", ""]
        return lines

    def _reached(self) -> Iterator[tuple[int, list[Condition], Tree]]:
        """The index of each action that can be taken, its guards, and what is below them."""
        nothing = Facts(self.layout.instance.pages == 1)
        for index, (_, tree) in enumerate(self.program.actions):
            conditions, below = guards(tree)
            rest, originals = simplified(below, nothing.knowing(conditions))
            self.originals.update(originals)
            if rest is not None:
                yield index, conditions, rest

    def _keys(self, rows: Mapping[Condition | None, int]) -> list[str]:
        """The function that computes what several actions share: the states that there are, and those that pass."""
        self._begin()
        body = self._lanes(self.scope)
        body.write("there = i < n")
        for condition, row in rows.items():
            test = f"there & ({self._test([condition], body)})" if condition is not None else "there"
            body.write(f"passes[{row}, i] = {test}")
        return ["def keys(states, at, n, passes):", *self.lines, ""]

    def _arguments(self, index: int, row: int) -> str:
        """What `expand_block` passes to an action: see `_PARAMETERS`."""
        first = next(leaves(self.program.actions[index][1]))
        leaf, failed = self.labels.leaf(first), self.labels.failure(first, 0)
        return f"frame, {row}, {leaf}, {failed}, count"

    def _begin(self) -> None:
        """Begin a function's body; what it names depends on nothing that stands before."""
        self.writer = Writer(self.layout, flat=True)
        self.table: list[int] = []
        self.waiting = ("", 0, 0)
        """Steps of the table that are not yet taken: the function that takes them, their first row, and how many."""
        self.lines: list[str] = []
        self.free: list[int] = []
        self.lists = self.ways = 0
        self.scope = Scope(self.lines, 1)

    def _action(self, index: int, outside: list[Condition], within: list[Condition], rest: Tree) -> None:
        ways = self._ways(outside, rest)
        if not self.program.actions[index][0].takes_page:
            for tree, row in ways:
                self._tree(index, tree, _bits(row))
            return
        pages, inside = domain(within)
        for tree, row in ways:
            pairs = self._pairs(_bits(row), pages)
            some = self._filter(pairs, inside) if inside else pairs
            self._tree(index, tree, some)
            if inside:
                self._give_back(some)

    def _action_of_two(self, index: int, outside: list[Condition], within: list[Condition], rest: Tree) -> None:
        """A step of two pages: for each first page (p0, p1, …, one after the other) as a step of the second one."""
        before = [(c, want) for c, want in within if not ex.mentions_other(c)]
        [(_, row)] = self._ways(outside, next(leaves(rest)))
        states = _bits(row)
        self.scope.write(f"for first in range({len(self.layout.records)}):")
        function, self.scope = self.scope, self.scope.inner()
        places = list(enumerate(self.layout.records))
        for k in self.writer.parts:
            bits = " ".join(f"{1 << base} if first == {page} else" for page, (word, base) in places if word == k)
            self.scope.write(f"p{k} = {bits} 0")
        some = self._filter(states, before) if before else states
        pages, inside = domain([(c, want) for c, want in within if ex.mentions_other(c)], ex.OTHER)
        self.picked = "o"
        pairs = self._pairs(some, pages)
        over = self._filter(pairs, inside) if inside else pairs
        self._tree(index, rest, over)
        self.picked = "p"
        for list_, made in ((over, bool(inside)), (some, bool(before))):
            if made:
                self._give_back(list_)
        self.scope = function

    def _lanes(self, scope: Scope) -> Scope:
        """Open a loop over all states of the block, several at once; the scope of its body."""
        scope.write(f"for i in lanes({BLOCK}):")
        body = Scope(self.lines, scope.indent + 1)
        for k in range(self.layout.words):
            body.write(f"w{k} = states[{k}, at + i]")
        return body

    def _ways(self, conditions: list[Condition], tree: Tree) -> list[tuple[Tree, int | str]]:
        """The ways below an action's guards, as far as they do not depend on its pages: what is below each, and the row
        of the states that go there."""
        depth = None if _count_ways(tree) <= _FEW_WAYS else 0
        if not conditions and (depth == 0 or _is_end(tree)):
            return [(tree, SHARED)]
        body = self._lanes(self.scope)
        test = f" & ({self._test(conditions, body)})" if conditions else ""
        body.write(f"way = passes[{SHARED}, i]{test}")
        found: list[tuple[Tree, int | str]] = []
        self._rows(tree, "way", body, found, whole=depth == 0)
        self.most_bits = max(self.most_bits, len(found))
        return found

    def _rows(self, tree: Tree, way: str, body: Scope, found: list[tuple[Tree, int | str]], *, whole: bool) -> None:
        """Write the rows of the ways through a tree, to which the states come that a truth value says."""
        if tree is None:
            return
        if whole or _is_end(tree):
            body.write(f"passes[{len(found)}, i] = {way}")
            found.append((tree, len(found)))
            return
        assert isinstance(tree, Branch)
        self.ways += 1
        test, yes, no = (f"{name}{self.ways}" for name in ("test", "yes", "no"))
        body.write(f"{test} = {self.writer.truth(tree.condition, body)}")
        if tree.yes is not None:
            body.write(f"{yes} = {way} & {test}")
            self._rows(tree.yes, yes, body, found, whole=False)
        if tree.no is not None:
            body.write(f"{no} = {way} & (not {test})")
            self._rows(tree.no, no, body, found, whole=False)

    def _take(self) -> int:
        if self.free:
            return self.free.pop()
        self.lists += 1
        self.most = max(self.most, self.lists)
        return self.lists - 1

    def _give_back(self, list_: _List) -> None:
        assert list_.row is not None
        self.free.append(list_.row)

    def _entry(self, list_: _List, place: str) -> str:
        assert list_.row is not None
        return f"lists[{place}{self._row(list_.row)}]"

    def _pick(self, part: int, place: str) -> str:
        return f"picks[{place}{self._row(part)}]"

    def _row(self, number: int) -> str:
        return f" + {number * row_length(self.layout)}" if number else ""

    def _loop(self, over: _List) -> tuple[Scope, str]:
        """Open a loop; the scope of its body, and the text of the place that a list made in it holds."""
        scope = self.scope
        if over.bits:
            scope.write("for half in range(2):")
            half = Scope(self.lines, scope.indent + 1)
            half.write(f"some = passes[2 * {over.bits} + half]")
            half.write("while some != 0:")
            body, place = half.inner(), "i"
            body.write("i = lowest(some) + 64 * half")
            body.write("some &= some - 1")
        else:
            place = "j" if over.row is None else "t"
            scope.write(f"for {place} in range({over.length}):")
            body = Scope(self.lines, scope.indent + 1)
            if over.row is not None:
                place = "j" if over.pairs else "i"
                body.write(f"{place} = {self._entry(over, 't')}")
        if over.pairs:
            body.write("i = items[j]")
            for k in self.writer.parts:
                body.write(f"{self.picked}{k} = {self._pick(k, 'j')}")
        for k in range(self.layout.words):
            body.write(f"w{k} = states[{k}, at + i]")
        return body, place

    def _test(self, conditions: list[Condition], body: Scope) -> str:
        texts = [self.writer.truth(c, body, want) for c, want in conditions]
        return texts[0] if len(texts) == 1 else " & ".join(f"({text})" for text in texts)

    def _filter(self, over: _List, conditions: list[Condition]) -> _List:
        number = self._take()
        made = _List(number, f"m{number}", over.pairs)
        listed = self._listed_test(over, conditions)
        if listed is not None:
            self._common_split(over, listed, made, None)
            return made
        self.scope.write(f"{made.length} = 0")
        body, place = self._loop(over)
        test = self._test(conditions, body)
        body.write(f"{self._entry(made, made.length)} = {place}")
        body.write(f"{made.length} += {test}")
        return made

    def _split(self, over: _List, condition: TruthExpr) -> tuple[_List, _List]:
        yes, no = (_List(k, f"m{k}", over.pairs) for k in (self._take(), self._take()))
        for passing, failing, want in ((yes, no, True), (no, yes, False)):
            test = self._listed_test(over, [(condition, want)])
            if test is not None:
                self._common_split(over, test, passing, failing)
                return yes, no
        self.scope.write(f"{yes.length} = 0")
        if over.bits:
            self.scope.write(f"{no.length} = 0")
        body, place = self._loop(over)
        body.write(f"test = {self.writer.truth(condition, body)}")
        body.write(f"{self._entry(yes, yes.length)} = {place}")
        passed = "j" if over.row is None else "t"
        body.write(f"{self._entry(no, no.length if over.bits else f'{passed} - {yes.length}')} = {place}")
        body.write(f"{yes.length} += test")
        if over.bits:
            body.write(f"{no.length} += 1 - test")
        else:
            self.scope.write(f"{no.length} = {over.length} - {yes.length}")
        return yes, no

    def _listed_test(self, over: _List, conditions: list[Condition]) -> Words | None:
        """What conditions ask of the states of a list, if it stands in a table; else None."""
        return None if over.bits else test_of(conditions, self.layout)

    def _common_split(self, over: _List, test: Words, passing: _List, failing: _List | None) -> None:
        """Split a list by a test, or keep what passes."""
        begins = [
            0 if each is None or each.row is None else each.row * row_length(self.layout)
            for each in (over, passing, failing)
        ]
        function, first = split_name(_kind(over), failing is None), len(self.table)
        self._take_constant_steps()
        self.table += split_row(test, *begins)
        self.called.add(function)
        self.scope.write(f"{passing.length} = {function}(frame, table, {first}, {over.length})")
        if failing is not None:
            self.scope.write(f"{failing.length} = {over.length} - {passing.length}")

    def _pairs(self, over: _List, pages: PagesExpr) -> _List:
        """The pairs of a state and a page worth trying, by state and then by page."""
        self.scope.write("q = 0")
        body, _ = self._loop(over)
        texts = self.writer.pages(pages, body)
        parts = list(self.writer.parts)
        if self.layout.instance.pages <= _UNROLLED_PAGES:
            for word, base in self.layout.records:
                body.write("items[q] = i")
                for k in parts:
                    body.write(f"{self._pick(k, 'q')} = {1 << base if k == word else 0}")
                body.write("q += 1" if pages == ex.FULL_SET else f"q += {texts[word]} >> {base} & 1")
            return _List(None, "q", True)
        body = self.writer.each_page(texts, body, self.picked)
        body.write("items[q] = i")
        for k in parts:
            body.write(f"{self._pick(k, 'q')} = {self.picked}{k}")
        body.write("q += 1")
        return _List(None, "q", True)

    def _tree(self, index: int, tree: Tree, over: _List) -> None:
        if tree is None:
            return
        if isinstance(tree, Leaf):
            self._leaf(index, tree, over)
            return
        conditions, rest = guards(tree)
        if conditions:
            kept = self._filter(over, conditions)
            self._tree(index, rest, kept)
            self._give_back(kept)
            return
        assert isinstance(tree, Branch)
        yes, no = self._split(over, tree.condition)
        self._tree(index, tree.yes, yes)
        self._give_back(yes)
        self._tree(index, tree.no, no)
        self._give_back(no)

    def _leaf(self, index: int, leaf: Leaf, over: _List) -> None:
        assert self.first is not None
        original = self.originals[id(leaf)]
        number = self.labels.leaf(original) - self.labels.leaf(self.first)
        reached = leaf.updates or leaf.violated
        constant = constant_step(leaf, self.layout) if reached and over.bits != SHARED else None
        if constant is not None:
            moves = not self.program.actions[index][0].info.environment
            label_bits = number if original.updates else number | STAYS
            self._constant_step(constant, over, number, moves=moves, label=label_bits)
            return
        self._take_constant_steps()
        self.scope.write(f"fired[leaf + {number}] += {over.length}")
        label = f"leaf + {number if original.updates else number | STAYS}"
        checks = [(i, condition) for i, (condition, _, _) in enumerate(leaf.checks) if condition is not ex.TRUE]
        if not leaf.updates and not leaf.violated and not checks:
            return
        self.scope.write("before = count")
        body, _ = self._loop(over)
        words = self.writer.updated(leaf.updates, body)
        differs = [f"(n{k} != w{k})" for k, text in enumerate(words) if text != f"w{k}"]
        for k, text in enumerate(words):
            body.write(f"n{k} = {text}")
            body.write(f"out[{k}, count] = n{k}")
        body.write("origin[count] = i")
        body.write(f"keep = {' | '.join(differs)}" if differs else "keep = 0")
        if not self.program.actions[index][0].info.environment:
            body.write("moved[i] |= keep")
        if leaf.violated or checks:
            body.write(f"found = {label}")
            for prop, condition in leaf.violated:
                body.write(f"found |= {1 << LABEL_BITS + prop} if {self.writer.truth(condition, body)} else 0")
            for i, condition in checks:
                failed = self.labels.failure(self.first, 0) - self.labels.failure(original, i)
                body.write(f"found = found if {self.writer.truth(condition, body)} else failed - {failed}")
            body.write(f"wrong = found != {label}")
            body.write("bad |= wrong")
            body.write("label[count] = found")
            body.write("count += keep | wrong")
        else:
            body.write(f"label[count] = {label}")
            body.write("count += keep")
        self.scope.write(f"fired[changed + {number}] += count - before")

    def _constant_step(self, step: ConstantStep, over: _List, number: int, *, moves: bool, label: int) -> None:
        """Put a step into the table, and take it; if its states are bits of a row, together with those beside it."""
        kind = _kind(over)
        place = int(over.bits) if over.bits else 0 if over.row is None else over.row * row_length(self.layout)
        function, first = name_of(kind, len(step.tests)), len(self.table)
        if self.waiting[0] != function:
            self._take_constant_steps()
        self.table += step.row(number, place, moves=moves, label=label)
        self.called.add(function)
        if kind == "bits":
            _, begun, several = self.waiting if self.waiting[0] else ("", first, 0)
            self.waiting = function, begun, several + 1
        else:
            self._call_constant_steps(function, first, over.length)

    def _take_constant_steps(self) -> None:
        """Take the steps that were put into the table and wait for more."""
        function, first, several = self.waiting
        if several:
            self._call_constant_steps(function, first, str(several))
        self.waiting = ("", 0, 0)

    def _call_constant_steps(self, function: str, first: int, length: str) -> None:
        call = f"{function}(frame, table, {first}, {length}, leaf, count)"
        if has_tests(function):
            self.scope.write(f"count, said = {call}")
            self.scope.write("bad |= said")
        else:
            self.scope.write(f"count = {call}")
