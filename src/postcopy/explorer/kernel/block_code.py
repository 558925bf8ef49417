"""The kernel's text for the compiler: a block of states at once, one action after the other.

For each action its guards are computed for every state of the block, and the states that pass are gathered in a list:
`list[m] = i; m += passes`. Nothing depends on a jump that a processor could guess wrongly, which is what makes going
through one state's guards slow: their outcomes look random. Decisions below the guards split a list in two in the same
way, and the leaves' updates run over lists. Guards that several actions share are computed once.

    expand_block(states, at, n, out, origin, label, fired, moved, lists, items, picks)

writes the successors of the states at, …, at + n - 1 (columns of `states`) to the columns of `out`, leaf by leaf; for
each the place of its state in the block in `origin`, and in `label` its label (see `calling_convention`). Steps that
change nothing are left out unless they violate something. Adds to `fired` how often each leaf was taken, and behind
that how often the step at each leaf changed something; sets `moved` for states that a step other than the environment's
changes; and returns how many successors there are, with `BAD_BIT` set when one of them violates a property or fails a
check.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from postcopy.explorer.kernel.calling_convention import BAD_BIT, BLOCK, LABEL_BITS, STAYS
from postcopy.explorer.kernel.expression_code import Scope, Writer, domain, guards
from postcopy.explorer.kernel.labels import Labels
from postcopy.explorer.kernel.layout import Layout
from postcopy.language import expressions as ex
from postcopy.language.expressions import PagesExpr, TruthExpr
from postcopy.language.program import Program
from postcopy.language.trees import Branch, Leaf, Tree

_UNROLLED_PAGES = 8
"""Up to here pages are tried one by one instead of by their bits: no jump that depends on the state."""

Condition = tuple[TruthExpr, bool]


@dataclass(frozen=True)
class _List:
    """States (or pairs of a state and a page) that a loop goes through.

    Attributes:
        row: the row of `lists` that holds their places, or None for all of the block (or all pairs).
        length: the text of how many there are.
        pairs: whether they are pairs of `items` and `picks`.
    """

    row: int | None
    length: str
    pairs: bool = False


def expand_text(program: Program, layout: Layout, labels: Labels) -> tuple[list[str], int]:
    """The lines of `expand_block` and what it calls; and how many rows of `row_length` numbers `lists` has."""
    printer = _Printer(program, layout, labels)
    return printer.text(), max(printer.most, layout.page_words)


def row_length(layout: Layout) -> int:
    """The length of `items` and of each row of `lists` and `picks`: a block's pairs of a state and a page."""
    return BLOCK * layout.instance.pages


class _Printer:
    def __init__(self, program: Program, layout: Layout, labels: Labels) -> None:
        self.program, self.layout, self.labels = program, layout, labels
        self.writer = Writer(layout, flat=True)
        self.kept = self.most = 0
        self.picked = "p"
        """The name of the page that pairs have: a step's only page, or its second one."""
        self._begin()

    def text(self) -> list[str]:
        """One small function for each shared guard and each action: a compiler's time grows faster than a function."""
        found = [(i, *guards(tree)) for i, (_, tree) in enumerate(self.program.actions) if tree is not None]
        outside = {i: [(c, want) for c, want in conditions if not ex.mentions_page(c)] for i, conditions, _ in found}
        times = Counter(condition for conditions in outside.values() for condition in conditions)
        keys = {i: max(outside[i], key=lambda condition: times[condition], default=None) for i in outside}
        shared = list(dict.fromkeys(key for key in keys.values() if key is not None and times[key] > 1))
        self.most = self.kept = len(shared)
        lines: list[str] = []
        calls: list[str] = []
        for number, condition in enumerate(shared):
            self._begin()
            self._filter(_List(None, "n"), [condition], number)
            lines += [f"def key{number}(states, at, n, lists):", *self.lines, f"    return m{number}", ""]
            calls.append(f"    m{number} = key{number}(states, at, n, lists)")
        for index, conditions, rest in found:
            self._begin()
            key = keys[index]
            over, last = _List(None, "n"), "n"
            if key in shared:
                last = f"m{shared.index(key)}"
                over = _List(shared.index(key), last)
            within = [(c, want) for c, want in conditions if ex.mentions_page(c)]
            rest_outside = [c for c in outside[index] if c != key or key not in shared]
            if len(self.program.actions[index][0].page_names) == 2:
                self._action_of_two(index, over, rest_outside, within, rest)
            else:
                self._action(index, over, rest_outside, within, rest)
            arguments = f"states, at, {last}, out, count, origin, label, fired, moved, lists, items, picks"
            lines += [f"def action{index}({arguments}):", f"    # {self.program.actions[index][0].name}"]
            lines += ["    bad = 0", *self.lines, "    return count, bad", ""]
            calls += [f"    count, bad = action{index}({arguments})", "    wrong |= bad"]
        lines.append("def expand_block(states, at, n, out, origin, label, fired, moved, lists, items, picks):")
        lines += ["    count = 0", "    wrong = 0", *calls, f"    return count | wrong << {BAD_BIT}", ""]
        return lines

    def _begin(self) -> None:
        """Begin a function's body."""
        self.lines: list[str] = []
        self.free: list[int] = []
        self.lists = self.kept
        self.scope = Scope(self.lines, 1)

    def _action(self, index: int, states: _List, outside: list[Condition], within: list[Condition], rest: Tree) -> None:
        action = self.program.actions[index][0]
        taken: list[_List] = []
        if action.takes_page:
            pages, inside = domain(within)
            if outside:
                states = self._filter(states, outside)
                taken.append(states)
            states = self._pairs(states, pages)
            if inside:
                states = self._filter(states, inside)
                taken.append(states)
        elif outside:
            states = self._filter(states, outside)
            taken.append(states)
        self._tree(index, rest, states)
        for list_ in taken:
            self._give_back(list_)

    def _action_of_two(
        self, index: int, states: _List, outside: list[Condition], within: list[Condition], rest: Tree
    ) -> None:
        """A step of two pages: for each first page (p0, p1, …, one after the other) as a step of the second one."""
        before = [(c, want) for c, want in within if not ex.mentions_other(c)]
        if outside:
            states = self._filter(states, outside)
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
        for list_, made in ((over, bool(inside)), (some, bool(before)), (states, bool(outside))):
            if made:
                self._give_back(list_)
        self.scope = function

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
        place = ("j" if over.pairs else "i") if over.row is None else "t"
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

    def _filter(self, over: _List, conditions: list[Condition], row: int | None = None) -> _List:
        number = self._take() if row is None else row
        made = _List(number, f"m{number}", over.pairs)
        self.scope.write(f"m{number} = 0")
        body, place = self._loop(over)
        test = self._test(conditions, body)
        body.write(f"{self._entry(made, made.length)} = {place}")
        body.write(f"m{number} += {test}")
        return made

    def _split(self, over: _List, condition: TruthExpr) -> tuple[_List, _List]:
        yes, no = (_List(k, f"m{k}", over.pairs) for k in (self._take(), self._take()))
        self.scope.write(f"{yes.length} = 0")
        self.scope.write(f"{no.length} = 0")
        body, place = self._loop(over)
        body.write(f"test = {self.writer.truth(condition, body)}")
        body.write(f"{self._entry(yes, yes.length)} = {place}")
        body.write(f"{self._entry(no, no.length)} = {place}")
        body.write(f"{yes.length} += test")
        body.write(f"{no.length} += 1 - test")
        return yes, no

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
        number = self.labels.leaf(leaf)
        self.scope.write(f"fired[{number}] += {over.length}")
        label = str(number if leaf.updates else number | STAYS)
        if not leaf.updates and not leaf.violated and not leaf.checks:
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
        if leaf.violated or leaf.checks:
            body.write(f"found = {label}")
            for prop, condition in leaf.violated:
                body.write(f"found |= {1 << LABEL_BITS + prop} if {self.writer.truth(condition, body)} else 0")
            for i, (condition, _, _) in enumerate(leaf.checks):
                failed = self.labels.failure(leaf, i)
                body.write(f"found = found if {self.writer.truth(condition, body)} else {failed}")
            body.write(f"wrong = found != {label}")
            body.write("bad |= wrong")
            body.write("label[count] = found")
            body.write("count += keep | wrong")
        else:
            body.write(f"label[count] = {label}")
            body.write("count += keep")
        self.scope.write(f"fired[{len(self.labels.leaves) + number}] += count - before")
