"""Steps that write constants: one loop for all of them, which reads from a table what each writes.

Most leaves of a large protocol give constants to some variables, and are forbidden, if at all, in states where a few
variables have certain values. Such a step is a few masks. The loop over the states that take it is the same for each:
it is compiled once, and a leaf is a row of a table in place of fifty instructions.

    common_bits0(frame, table, first, length, leaf, count)

takes the steps of `length` leaves, whose rows of the table begin at `first`, from the states that are the bits of a row
of `passes`, and returns how many successors there are then. The others take those of one leaf, from `length` states (or
pairs of a state and a page) of a list. The digit is how many properties a leaf can violate; where it is not 0, it is
returned too whether one was violated.

    common_split_list(frame, table, first, length)

splits a list of states by whether a few variables have certain values, and returns how many have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from postcopy.explorer.kernel.calling_convention import LABEL_BITS
from postcopy.explorer.kernel.layout import Layout
from postcopy.language import expressions as ex
from postcopy.language.expressions import TruthExpr
from postcopy.language.trees import Leaf
from postcopy.language.variables import Sort, Variable

MOST_TESTS = 2
"""So many properties a leaf can violate that stands in a table."""

FRAME = ("states", "out", "origin", "label", "fired", "moved", "passes", "lists", "items", "picks")
"""The arrays that every function of an action has: a frame holds where they are, two places each, …"""

AT = 2 * len(FRAME)
"""… the number of the block's first state, …"""

LEAVES = AT + 1
"""… and how many leaves the protocol has."""

FRAME_SIZE = LEAVES + 1

_KINDS = ("bits", "list", "chosen", "pairs")
"""Where the states come from: bits of a row, a list, a list of pairs, all pairs."""


@dataclass(frozen=True)
class Words:
    """A mask and a value in each word of a state."""

    masks: tuple[int, ...]
    values: tuple[int, ...]


@dataclass(frozen=True)
class ConstantStep:
    """What a leaf does that writes constants.

    Attributes:
        written: the bits that it writes, and what.
        tests: for each property that it can violate its index, and what the state has then.
    """

    written: Words
    tests: tuple[tuple[int, Words], ...]

    def row(self, number: int, place: int, *, moves: bool, label: int) -> list[int]:
        """Its row of the table.

        Args:
            number: of the leaf among those of its action.
            place: of its states: a row of `passes`, or where a list begins.
            moves: whether a state that takes it is no deadlock.
            label: what its label has beside the number of the first leaf.
        """
        tests = (n for prop, words in self.tests for n in (1 << LABEL_BITS + prop, *words.masks, *words.values))
        return [number, place, int(moves), label, *self.written.masks, *self.written.values, *tests]


def constant_step(leaf: Leaf, layout: Layout) -> ConstantStep | None:
    """What a leaf does, if that is a row of a table; else None."""
    if len(leaf.violated) > MOST_TESTS or any(condition is not ex.TRUE for condition, _, _ in leaf.checks):
        return None
    masks, values = [0] * layout.words, [0] * layout.words
    for variable, e in leaf.updates.items():
        if variable not in layout.numbers and variable not in layout.sets:
            continue
        if variable.sort is Sort.PAGES:
            if e is not ex.EMPTY_SET and e is not ex.FULL_SET:
                return None
            offset = layout.sets.index(variable)
            for word in range(layout.page_words):
                masks[word] |= layout.stride(word) << offset
                values[word] |= layout.stride(word) << offset if e is ex.FULL_SET else 0
        else:
            constant, place = ex.constant(e), layout.numbers[variable]
            if constant is None:
                return None
            masks[place.word] |= place.mask << place.shift
            values[place.word] |= constant << place.shift
    tests = []
    for prop, condition in leaf.violated:
        test = test_of([(condition, True)], layout)
        if test is None:
            return None
        tests.append((prop, test))
    return ConstantStep(Words(tuple(masks), tuple(values)), tuple(tests))


def test_of(conditions: Iterable[tuple[TruthExpr, bool]], layout: Layout) -> Words | None:
    """Where conditions hold or fail, if it is that some numbers have certain values, each asked for once."""
    masks, values = [0] * layout.words, [0] * layout.words
    for equal in (equal for condition, want in conditions for equal in _each(condition, want)):
        if equal is None:
            return None
        place, value = layout.numbers[equal[0]], equal[1]
        if masks[place.word] >> place.shift & place.mask:
            return None
        masks[place.word] |= place.mask << place.shift
        values[place.word] |= value << place.shift
    return Words(tuple(masks), tuple(values))


def _each(condition: TruthExpr, want: bool) -> Iterator[tuple[Variable, int] | None]:
    """The numbers and their values of which a condition is the conjunction; None where it is not."""
    if isinstance(condition, ex.TruthConstant) and condition.value == want:
        return
    if isinstance(condition, ex.Not):
        yield from _each(condition.operand, not want)
    elif isinstance(condition, ex.And | ex.Or) and isinstance(condition, ex.And) == want:
        for part in condition.parts:
            yield from _each(part, want)
    else:
        yield _asked(condition, want)


def _asked(condition: TruthExpr, want: bool) -> tuple[Variable, int] | None:
    """The number and the value that it has just where a comparison holds, or fails."""
    if not isinstance(condition, ex.Equal):
        return None
    left, right = condition.left, condition.right
    if not isinstance(left, ex.NumberVariable) or not isinstance(right, ex.Number):
        return None
    variable, value = left.variable, right.value
    if value >= variable.size or not (want or variable.size == 2):
        return None
    return variable, value if want else 1 - value


def begin(body: Sequence[str]) -> list[str]:
    """The lines that take from the frame what a function's body has, one for each array."""
    text = "\n".join(body)
    return [f"    {name} = held(frame, {2 * k})" for k, name in enumerate(FRAME) if f"{name}[" in text]


def make_frame(leaves: int) -> list[str]:
    """The lines that put the arrays in a frame."""
    holding = [f"    hold(frame, {2 * k}, {name})" for k, name in enumerate(FRAME)]
    return [f"    frame = room({FRAME_SIZE})", *holding, f"    frame[{AT}] = at", f"    frame[{LEAVES}] = {leaves}"]


def common_text(called: Iterable[str], layout: Layout) -> list[str]:
    """The lines of the functions that are called, by their names."""
    wanted, words = set(called), layout.words
    steps = [(name_of(kind, n), _function(kind, n, words)) for kind in _KINDS for n in range(MOST_TESTS + 1)]
    splits = [(split_name(kind, one), _split(kind, words, one=one)) for kind in _ENTRIES for one in (False, True)]
    return [line for name, lines in (*steps, *splits) if name in wanted for line in lines]


def name_of(kind: str, tests: int) -> str:
    """The name of the function that takes steps with so many tests."""
    return f"common_{kind}{tests}"


def split_name(kind: str, one: bool) -> str:
    """The name of the function that splits a list in two, or makes only the first of the two."""
    return f"common_{'filter' if one else 'split'}_{kind}"


def split_row(test: Words, begin: int, yes: int, no: int) -> list[int]:
    """The row of the table by which a list that begins somewhere is split into two that begin elsewhere."""
    return [begin, yes, no, *test.masks, *test.values]


def has_tests(name: str) -> bool:
    """Whether a function says beside the count whether a property was violated."""
    return not name.endswith("0")


_ENTRIES = {
    "list": ("lists[place + t]", "entry"),
    "chosen": ("lists[place + t]", "items[entry]"),
    "pairs": ("t", "items[t]"),
}
"""For each kind of list an entry, and the place of its state in the block."""


def _function(kind: str, tests: int, words: int) -> list[str]:
    """The lines of a function that takes steps. Where no state takes one, no more of its row is read than need be."""
    length = 4 + 2 * words + tests * (1 + 2 * words)
    if kind == "bits":
        lines = ["for k in range(length):", f"    row = first + k * {length}", "    place = table[row + 1]"]
        lines.append("    taken = ones(passes[2 * place]) + ones(passes[2 * place + 1])")
    else:
        lines = ["row = first", "place = table[row + 1]", "taken = length"]
    depth = "    " if kind == "bits" else ""
    lines += [f"{depth}if taken != 0:", *(f"{depth}    {line}" for line in _steps(kind, tests, words))]
    end = "return count, bad" if tests else "return count"
    return _definition(f"{name_of(kind, tests)}(frame, table, first, length, leaf, count)", ["bad = 0", *lines, end])


def _steps(kind: str, tests: int, words: int) -> list[str]:
    """The lines that read a row of the table and take its steps."""
    each = range(words)
    lines = ["number = table[row]", "moves = table[row + 2]", "said = leaf + table[row + 3]"]
    lines += [f"keep{k} = ~table[row + {4 + k}]" for k in each]
    lines += [f"set{k} = table[row + {4 + words + k}]" for k in each]
    for t in range(tests):
        at = 4 + 2 * words + t * (1 + 2 * words)
        lines.append(f"prop{t} = table[row + {at}]")
        lines += [f"mask{t}_{k} = table[row + {at + 1 + k}]" for k in each]
        lines += [f"value{t}_{k} = table[row + {at + 1 + words + k}]" for k in each]
    lines += ["fired[leaf + number] += taken", "before = count"]
    if kind == "bits":
        lines += ["for half in range(2):", "    some = passes[2 * place + half]", "    while some != 0:"]
        lines += ["        i = lowest(some) + 64 * half", "        some &= some - 1"]
        lines += [f"        {line}" for line in _step(tests, words)]
    else:
        entry, state = _ENTRIES[kind]
        lines += ["for t in range(length):", f"    entry = {entry}", f"    i = {state}"]
        lines += [f"    {line}" for line in _step(tests, words)]
    return [*lines, f"fired[leaf + frame[{LEAVES}] + number] += count - before"]


def _split(kind: str, words: int, *, one: bool) -> list[str]:
    """The lines of a function that splits a list."""
    each, (entry, state) = range(words), _ENTRIES[kind]
    lines = ["place = table[first]", "yes = table[first + 1]", "no = table[first + 2]"]
    lines += [f"mask{k} = table[first + {3 + k}]" for k in each]
    lines += [f"value{k} = table[first + {3 + words + k}]" for k in each]
    lines += ["for t in range(length):", f"    entry = {entry}", f"    i = {state}"]
    lines += [f"    w{k} = states[{k}, at + i]" for k in each]
    lines += ["    lists[m + yes] = entry", *([] if one else ["    lists[t - m + no] = entry"])]
    differs = " | ".join(f"(w{k} & mask{k} ^ value{k})" for k in each)
    lines.append(f"    m += ({differs}) == 0")
    body = ["m = 0", "if length != 0:", *(f"    {line}" for line in lines), "return m"]
    return _definition(f"{split_name(kind, one)}(frame, table, first, length)", body)


def _definition(heading: str, body: Sequence[str]) -> list[str]:
    return [f"def {heading}:", *begin(body), f"    at = frame[{AT}]", *(f"    {line}" for line in body), ""]


def _step(tests: int, words: int) -> list[str]:
    """The lines that take a step from the state at i."""
    each = range(words)
    lines = [f"w{k} = states[{k}, at + i]" for k in each]
    for k in each:
        lines += [f"n{k} = w{k} & keep{k} | set{k}", f"out[{k}, count] = n{k}"]
    lines += ["origin[count] = i", f"keep = {' | '.join(f'(n{k} != w{k})' for k in each)}", "moved[i] |= keep & moves"]
    if not tests:
        return [*lines, "label[count] = said", "count += keep"]
    for t in range(tests):
        differs = " | ".join(f"(w{k} & mask{t}_{k} ^ value{t}_{k})" for k in each)
        lines.append(f"wrong{t} = ({differs}) == 0")
    found = "".join(f" | (prop{t} if wrong{t} else 0)" for t in range(tests))
    lines += [f"label[count] = said{found}", f"wrong = {' | '.join(f'wrong{t}' for t in range(tests))}"]
    return [*lines, "bad |= wrong", "count += keep | wrong"]
