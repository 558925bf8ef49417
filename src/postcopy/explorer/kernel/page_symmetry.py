"""Page symmetry: of states that are equal up to a renaming of pages, the one with its pages' records sorted is stored.

No action names a page or counts them, so every protocol of the language treats its pages alike, unless an action or a
property asks for neighbours (`PageSet.next`). Such a protocol is searched without.
"""

from __future__ import annotations

from functools import partial

from postcopy.explorer.kernel.canonical_form import Inapplicable, Reduction, Rewriting
from postcopy.explorer.kernel.expression_code import keeping
from postcopy.explorer.kernel.layout import Layout
from postcopy.language.program import Program


def _of(program: Program, layout: Layout) -> Rewriting | Inapplicable:
    if program.instance.pages == 1:
        return Inapplicable()
    if name := program.looks_at_neighbours():
        return Inapplicable(f"{name} looks at neighbours")
    return Rewriting(partial(_text, layout))


REDUCTION = Reduction("page symmetry", _of, keeps_runs=True)


def _text(layout: Layout, name: str, _: str) -> list[str]:
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
