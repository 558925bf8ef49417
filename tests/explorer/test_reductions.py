"""Reductions: one that is declared is used and named everywhere, and several make one canonical form together."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import fields, replace
from itertools import permutations
from typing import Any

import pytest

from postcopy.cli.selection import AllReductions
from postcopy.explorer import kernel as package
from postcopy.explorer.explore import Exploration, Options
from postcopy.explorer.kernel import kernel
from postcopy.explorer.kernel.canonical_form import Inapplicable, Reduction, Rewriting, canonical_form
from postcopy.explorer.kernel.layout import Layout
from postcopy.explorer.kernel.reductions import PAGES, REDUCTIONS
from postcopy.explorer.results import Engine
from postcopy.language.instance import Instance
from postcopy.language.program import Program
from postcopy.report.results.check import reductions
from tests.explorer import tiny_liveness as tiny
from tests.export.tiny import Tiny


def instead(words: str) -> Callable[[str, str], list[str]]:
    return lambda name, inside: [f"def {name}(w0):", f"    return {words.replace('inside', inside)},"]


DOUBLED = Rewriting(instead("2 * w0"))
INCREASED = Rewriting(instead("w0 + 1"))
SQUARED_AFTER = Rewriting(instead("inside(w0)[0] ** 2"), around=True)
LESS_AFTER = Rewriting(instead("inside(w0 + 3)[0] - 1"), around=True)
MEANING: dict[Rewriting, Callable[[int, Callable[[int], int]], int]] = {
    DOUBLED: lambda w, inside: inside(2 * w),
    INCREASED: lambda w, inside: inside(w + 1),
    SQUARED_AFTER: lambda w, inside: inside(w) ** 2,
    LESS_AFTER: lambda w, inside: inside(w + 3) - 1,
}


def meant(rewritings: tuple[Rewriting, ...], word: int) -> int:
    if not rewritings:
        return word
    *inner, last = rewritings
    return MEANING[last](word, lambda after: meant(tuple(inner), after))


@pytest.mark.parametrize("rewritings", [some for n in range(5) for some in permutations(MEANING, n)])
def test_the_last_one_is_applied_first_and_the_rest_inside_of_it(rewritings: tuple[Rewriting, ...]) -> None:
    layout = kernel.Kernel(Instance(Tiny, 1, 1)).layout
    assert layout.words == 1
    lines, calls = canonical_form(layout, rewritings)
    names: dict[str, Any] = {}
    exec("\n".join(lines), names)
    one_by_one = (7,)
    for function in calls:
        one_by_one = names[function](*one_by_one)
    assert names["canonical"](7) == one_by_one == (meant(rewritings, 7),)


def test_every_reduction_that_a_file_declares_is_listed_and_has_an_option() -> None:
    names = [module.name for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")]
    declared = [getattr(importlib.import_module(name), "REDUCTION", None) for name in names]
    assert {reduction for reduction in declared if reduction is not None} == set(REDUCTIONS)
    usual = AllReductions()
    others = [replace(usual, **{option.name: not option.default}) for option in fields(AllReductions)]
    switched = [set(asked.reductions()) ^ set(usual.reductions()) for asked in others]
    assert all(len(some) == 1 for some in switched)
    assert set.union(*switched) == set(REDUCTIONS)


def forgetting(program: Program, layout: Layout) -> Rewriting | Inapplicable:
    """All states are one."""
    if not program.variables:
        return Inapplicable("there is nothing to forget")
    words = ", ".join(f"w{k}" for k in range(layout.words))
    first = "".join(f"{word}, " for word in layout.pack(program.instance.initial_states()[0]))
    return Rewriting(lambda name, _: [f"def {name}({words}):", f"    return {first}"])


def test_one_that_is_declared_is_used_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    forgets = Reduction("all is forgotten", forgetting, keeps_runs=False)
    monkeypatch.setattr(kernel, "REDUCTIONS", (*REDUCTIONS, forgets))
    instance = Instance(tiny.Unfair, 2, 1, (tiny.served,))
    made = Exploration(instance, Options((PAGES, forgets), engine=Engine.INTERPRETED))
    made.run()
    verdict = made.verdict()
    assert verdict.states == 1
    assert reductions(verdict) == ["page symmetry", "all is forgotten"]
    assert made.subject()["reductions"] == "page symmetry, all is forgotten"
    assert verdict.liveness is not None
    assert verdict.liveness.states > 1, "it does not keep runs, so that it is not used for them"
