"""From trees of guarded updates to the text of a kernel: the functions that a search is made of.

A kernel stands in two texts, generated from the same trees by the same writer of expressions. The plain one is for
Python, one state at a time:

    expand(w0, …)      the successors of the state of these words, a list of (label, w0, …); for labels see
                       `calling_convention`
    canonical(w0, …)   the words of the state that is stored for this one (see `canonical_form`)
    examine(w0, …)     the properties of states that are violated and the witnesses that are reached, as bits; one more
                       bit says that the protocol may rest here

The other is for machine code (see `machine_code`) and takes a block of states at once: `expand_block` (see
`block_code`), and

    canonical_block(out, count)                  puts the canonical words in the place of each state's
    examine_block(states, at, n, found)          writes what `examine` says of the states at, …, at + n - 1
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from postcopy.explorer.kernel.block_code import expand_text
from postcopy.explorer.kernel.calling_convention import LABEL_BITS, REST_BIT, STAYS
from postcopy.explorer.kernel.expression_code import Scope, Writer, domain, guards
from postcopy.explorer.kernel.labels import Labels
from postcopy.explorer.kernel.layout import Layout
from postcopy.language import expressions as ex
from postcopy.language.expressions import TruthExpr
from postcopy.language.program import Program
from postcopy.language.trees import Leaf, Tree


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
    program: Program, layout: Layout, labels: Labels, canonical: Sequence[str], calls: Sequence[str]
) -> tuple[str, int]:
    """The kernel's text for machine code, and how many rows `expand_block` needs in `lists` and `picks`.

    Args:
        program, layout, labels, canonical: as for `plain_text`.
        calls: functions that do what `canonical` does, one after the other.
    """
    blocks, rows = expand_text(program, layout, labels)
    lines = [*blocks, *_examine(program, layout), *canonical, *_whole_blocks(layout, calls)]
    return "\n".join(lines) + "\n", rows


def _whole_blocks(layout: Layout, calls: Sequence[str]) -> list[str]:
    words = range(layout.words)
    column, state = (
        ", ".join(f"{name}[{k}, {at}]" for k in words) for name, at in (("out", "j"), ("states", "at + j"))
    )
    lines = ["", "def canonical_block(out, count):"]
    for function in calls:  # a loop of its own for each: one without jumps takes several states at once
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
    about_other = [(c, want) for c, want in conditions if ex.mentions_other(c)]
    pages, inside = domain([(c, want) for c, want in conditions if ex.mentions_page(c) and not ex.mentions_other(c)])
    for condition, want in outside:
        body = _write_if(writer, condition, want, body)
    body = writer.each_page(writer.pages(pages, body), body)
    for condition, want in inside:
        body = _write_if(writer, condition, want, body)
    if len(action.page_names) == 2:
        pages, inside = domain(about_other, ex.OTHER)
        body = writer.each_page(writer.pages(pages, body), body, "o", "e")
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
    for bit, (_, prop, holds) in enumerate(program.predicates):
        if holds != (ex.FALSE if prop.is_witness else ex.TRUE):
            scope.write(f"if {writer.truth(holds, scope, prop.is_witness)}:")
            scope.inner().write(f"found |= {1 << bit}")
    scope.write(f"if {writer.truth(program.resting, scope)}:")
    scope.inner().write(f"found |= {1 << REST_BIT}")
    scope.write("return found")
    return [*scope.lines, ""]
