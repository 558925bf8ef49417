"""From trees of guarded updates to the text of a kernel: the functions that a search is made of.

A kernel stands in two texts, generated from the same trees by the same writer of expressions. The plain one is for
Python, one state at a time:

    expand(w0, …)      the successors of the state of these words, a list of (label, w0, …); for labels see
                       `calling_convention`
    canonical(w0, …)   the words with pages, and vCPUs, renamed so that of all states equal up to that one is stored
    examine(w0, …)     the properties of states that are violated and the witnesses that are reached, as bits; one more
                       bit says that the protocol may rest here

The other is for machine code (see `machine_code`) and takes a block of states at once: `expand_block` (see
`block_code`), and

    canonical_block(out, count)                  puts the canonical words in the place of each state's
    examine_block(states, at, n, found)          writes what `examine` says of the states at, …, at + n - 1
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations

from postcopy.explorer.kernel.block_code import expand_text
from postcopy.explorer.kernel.calling_convention import LABEL_BITS, REST_BIT, STAYS
from postcopy.explorer.kernel.dead_variables import Reset
from postcopy.explorer.kernel.expression_code import Scope, Writer, domain, guards, keeping
from postcopy.explorer.kernel.labels import Labels
from postcopy.explorer.kernel.layout import Layout
from postcopy.explorer.kernel.vcpu_symmetry import families
from postcopy.language import expressions as ex
from postcopy.language.expressions import TruthExpr
from postcopy.language.program import Program
from postcopy.language.trees import Leaf, Tree

_PIECE = (1 << 62) - 1


def plain_text(program: Program, layout: Layout, labels: Labels, canonical: Sequence[str]) -> str:
    """The kernel's text for Python.

    Args:
        program: the protocol's trees.
        layout: where its variables lie.
        labels: the numbers of its leaves and checks.
        canonical: the lines of `canonical` (see `canonical_form`).
    """
    words = ", ".join(f"w{k}" for k in range(layout.words))
    lines = [f"def expand({words}):", "    out = []"]
    for index in range(len(program.actions)):
        _write_action(program, layout, labels, index, Scope(lines, 1))
    return "\n".join([*lines, "    return out", "", *_examine(program, layout), *canonical]) + "\n"


def block_text(
    program: Program, layout: Layout, labels: Labels, canonical: Sequence[str], resets: bool
) -> tuple[str, int]:
    """The kernel's text for machine code, and how many rows `expand_block` needs in `lists` and `picks`.

    Args:
        program, layout, labels, canonical: as for `plain_text`.
        resets: whether `canonical` resets dead variables before it renames.
    """
    blocks, rows = expand_text(program, layout, labels)
    lines = [*blocks, *_examine(program, layout), *canonical, *_whole_blocks(layout, resets)]
    return "\n".join(lines) + "\n", rows


def canonical_form(layout: Layout, pages: bool, vcpus: bool, resets: Sequence[Reset]) -> list[str]:
    """The lines of `canonical`: it resets dead variables, then renames pages and vCPUs; with none of these, nothing.

    Args:
        layout: where variables lie.
        pages: whether pages are renamed.
        vcpus: whether vCPUs are.
        resets: what is reset.
    """
    renamed = "renamed" if resets else "canonical"
    of_pages = "canonical_pages" if vcpus else renamed
    words = ", ".join(f"w{k}" for k in range(layout.words))
    lines = canonical_text(layout, of_pages) if pages else [f"def {of_pages}({words}):", f"    return {words},"]
    lines += vcpu_text(layout, renamed, of_pages) if vcpus else []
    return lines + (reset_text(layout, resets, renamed) if resets else [])


def _whole_blocks(layout: Layout, resets: bool) -> list[str]:
    words = range(layout.words)
    column, state = (
        ", ".join(f"{name}[{k}, {at}]" for k in words) for name, at in (("out", "j"), ("states", "at + j"))
    )
    lines = ["", "def canonical_block(out, count):"]
    for function in ("reset", "renamed") if resets else ("canonical",):  # the first has no jumps: several at once
        lines += ["    for j in range(count):", f"        {column}, = {function}({column})"]
    return [
        *lines,
        "",
        "def examine_block(states, at, n, found):",
        "    for j in range(n):",
        f"        found[j] = examine({state})",
    ]


def _write_action(program: Program, layout: Layout, labels: Labels, index: int, body: Scope) -> None:
    action, tree = program.actions[index]
    if tree is None:
        return
    writer = Writer(layout)
    body.write(f"# {action.name}")
    if not action.takes_page:
        _write_tree(writer, labels, tree, body)
        return
    conditions, rest = guards(tree)
    outside = [(c, want) for c, want in conditions if not ex.mentions_page(c)]
    pages, inside = domain([(c, want) for c, want in conditions if ex.mentions_page(c)])
    for condition, want in outside:
        body = _write_if(writer, condition, want, body)
    body = writer.each_page(writer.pages(pages, body), body)
    for condition, want in inside:
        body = _write_if(writer, condition, want, body)
    _write_tree(writer, labels, rest, body)


def _write_if(writer: Writer, condition: TruthExpr, want: bool, scope: Scope) -> Scope:
    scope.write(f"if {writer.truth(condition, scope, want)}:")
    return scope.inner()


def _write_tree(writer: Writer, labels: Labels, tree: Tree, scope: Scope) -> None:
    if tree is None:
        return
    if isinstance(tree, Leaf):
        _write_leaf(writer, labels, tree, scope)
        return
    if tree.yes is None:
        _write_tree(writer, labels, tree.no, _write_if(writer, tree.condition, False, scope))
        return
    _write_tree(writer, labels, tree.yes, _write_if(writer, tree.condition, True, scope))
    if tree.no is not None:
        scope.write("else:")
        _write_tree(writer, labels, tree.no, scope.inner())


def _write_leaf(writer: Writer, labels: Labels, leaf: Leaf, scope: Scope) -> None:
    number = labels.leaf(leaf)
    label = str(number if leaf.updates else number | STAYS)
    for prop, condition in leaf.violated:
        label += f" | ({1 << LABEL_BITS + prop} if {writer.truth(condition, scope)} else 0)"
    words = writer.updated(leaf.updates, scope)
    for i, (condition, _, _) in enumerate(leaf.checks):
        label = f"({label} if {writer.truth(condition, scope)} else {labels.failure(leaf, i)})"
    scope.write(f"out.append(({label}, {', '.join(words)}))")


def _examine(program: Program, layout: Layout) -> Iterable[str]:
    scope = Scope([f"def examine({', '.join(f'w{k}' for k in range(layout.words))}):"], 1)
    writer = Writer(layout)
    scope.write("found = 0")
    for index, prop, holds in program.predicates:
        if holds != (ex.FALSE if prop.is_witness else ex.TRUE):
            scope.write(f"if {writer.truth(holds, scope, prop.is_witness)}:")
            scope.inner().write(f"found |= {1 << index}")
    scope.write(f"if {writer.truth(program.resting, scope)}:")
    scope.inner().write(f"found |= {1 << REST_BIT}")
    scope.write("return found")
    return [*scope.lines, ""]


def canonical_text(layout: Layout, name: str = "canonical") -> list[str]:
    """Sort the records (inside each host page, then the host pages): equal ones tie, so one sort is exact."""
    width, group, pages = layout.width, layout.instance.group, layout.instance.pages
    mask = (1 << width) - 1
    words = ", ".join(f"w{k}" for k in range(layout.words))
    lines = [f"def {name}({words}):"]
    for page, (word, base) in enumerate(layout.records):
        lines.append(f"    r{page} = w{word} >> {base} & {mask}")
    hosts = range(0, pages, group)
    if group == 1:
        ordered = " and ".join(f"r{page} <= r{page + 1}" for page in range(pages - 1))
        lines += [f"    if {ordered}:", f"        return {words},"] if ordered else []
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
        lines.append(f"    w{k} = w{k} & {keeping(used)} | {' | '.join(pieces)}")
    return [*lines, f"    return {words},"]


def reset_text(layout: Layout, resets: Sequence[Reset], renamed: str) -> list[str]:
    """`canonical`: dead variables set to their first value or no page, one reset after the other; then `renamed`."""
    words = [f"w{k}" for k in range(layout.words)]
    listed, offset = ", ".join(words), {v: i for i, v in enumerate(layout.sets)}
    lines = [f"def reset({listed}):"]
    for reset in resets:
        cleared = [0] * layout.words
        for v in reset.variables:
            if v in offset:
                for k in range(layout.page_words):
                    cleared[k] |= layout.stride(k) << offset[v]
            else:
                place = layout.numbers[v]
                cleared[place.word] |= place.mask << place.shift
        number, bits = "0", 1
        for control in reset.controls:
            place = layout.numbers[control]
            number = f"({number} << {place.mask.bit_length()} | w{place.word} >> {place.shift} & {place.mask})"
            bits *= place.mask + 1
        dead = 0
        for values in reset.values:
            index = 0
            for control, value in zip(reset.controls, values, strict=True):
                index = index << layout.numbers[control].mask.bit_length() | value
            dead |= 1 << index
        lines += [f"    i = {number}", "    dead = 0"]
        for begin in range(0, bits, _PIECE.bit_length()):
            end, piece = begin + _PIECE.bit_length(), dead >> begin & _PIECE
            if piece:
                inside = f"({begin} <= i) & (i < {end})"
                lines.append(f"    dead = {piece} >> i - {begin} & 1 if {inside} else dead")
        for word, bits_cleared in zip(words, cleared, strict=True):
            if bits_cleared:
                lines.append(f"    {word} = {word} & {keeping(bits_cleared)} if dead != 0 else {word}")
    lines += [f"    return {listed},", "", f"def canonical({listed}):"]
    lines += [f"    {listed}, = {function}({listed})" for function in ("reset", renamed)]
    return [*lines, f"    return {listed},"]


def vcpu_text(layout: Layout, name: str, of_pages: str) -> list[str]:
    """The least of what `of_pages` makes of the state with its vCPUs renamed in every way."""
    words, best, other = ([f"{letter}{k}" for k in range(layout.words)] for letter in "wbc")
    listed = ", ".join(words)
    offset = {v: i for i, v in enumerate(layout.sets)}
    groups = [[offset[v] for v in family] for family in families(layout.instance) if all(v in offset for v in family)]
    lines = [f"def {name}({listed}):", f"    {', '.join(best)}, = {of_pages}({listed})"]
    for order in list(permutations(range(layout.instance.cpus)))[1:]:
        moves = [(group[a], group[b]) for group in groups for a, b in enumerate(order) if a != b]
        renamed = list(words)
        for k in range(layout.page_words):
            moved = sum(layout.stride(k) << a for a, _ in moves)
            bits = [f"((w{k} >> {a} & {layout.stride(k)}) << {b})" for a, b in moves]
            renamed[k] = " | ".join([f"(w{k} & {keeping(moved)})", *bits])
        lines.append(f"    {', '.join(other)}, = {of_pages}({', '.join(renamed)})")
        less = f"{other[-1]} < {best[-1]}"
        for b, c in zip(best[-2::-1], other[-2::-1], strict=True):
            less = f"{c} < {b} or ({c} == {b} and ({less}))"
        lines.append(f"    less = {less}")
        lines += [f"    {b} = {c} if less else {b}" for b, c in zip(best, other, strict=True)]
    return [*lines, f"    return {', '.join(best)},"]


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
