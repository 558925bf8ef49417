"""The checker itself is broken on purpose, one place at a time; the comparisons that this suite makes notice.

What is compared, here as in `test_same_graph` and `test_symmetry`: the states, how often each action is taken, every
edge, the verdict, and that the orbits of what is stored with symmetry add up to all states.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from postcopy.explorer.explore import Exploration
from postcopy.explorer.kernel import compiler, page_symmetry
from postcopy.explorer.kernel.orbits import orbit
from postcopy.explorer.liveness.state_graph import recorded
from postcopy.explorer.results import Engine, Options
from postcopy.explorer.search import loops, shard
from postcopy.explorer.search.compiled import Compiled
from postcopy.explorer.search.interpreted import Interpreted
from postcopy.explorer.search.loops import machine_of
from postcopy.language.instance import Instance
from postcopy.model.postcopy import Postcopy
from tests.explorer.brute import orphans
from tests.explorer.compiled_edges import compiled_edges
from tests.export.tiny import PROPERTIES, Tiny

pytestmark = pytest.mark.unmeasured

FULL = Options(reductions=(), engine=Engine.INTERPRETED)
FOUND = ("status", "states", "transitions", "depth", "fired", "changed", "witnesses")


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    directory = tmp_path_factory.mktemp("mutants")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSTCOPY_CACHE", str(directory))
        patch.setattr(compiler, "OPTIMIZE", 0)  # there are many, and each runs once
        yield


# -- the kernel -----------------------------------------------------------------------------------------------------


def graph(search: Exploration, text: str | None) -> tuple[Any, ...]:
    """What the comparisons look at; of the interpreted search, or of machine code made of this text."""
    kernel, states = search.kernel, search.search.array()
    nothing = [0] * kernel.layout.words
    if text is None:
        assert isinstance(search.search, Interpreted)
        assert search.search.edges is not None
        edges, seen = recorded(search.search.edges, states, nothing, 10**6)
        found: Any = search.findings
    else:
        machine = machine_of(replace(kernel.plan, text=text))
        edges, seen = compiled_edges(machine, states.view(np.int64), nothing, kernel.labels.action_of)
        found = Compiled(machine, search.question).run(1 << 40)
    listed = [getattr(found, name) for name in FOUND]
    return *listed, edges.first.tolist(), edges.target.tolist(), edges.action.tolist(), seen.tolist()


DROPPED = {
    "a successor": r"count \+= keep.*",
    "the states that pass a guard": r"passes\[\d+, i\] = .*",
    "a state that passes a guard": r"m\d+ \+= .*",
    "a page to try": r"q \+= .*",
    "that something moves": r"moved\[i\] \|= keep",
    "that an action was taken": r"fired\[(?:leaf|changed) \+ \d+\] \+= .*",
    "what holds of a state": r"found\[j\] = .*",
}
WITHOUT_EFFECT = {"a successor": 1, "that something moves": 2, "that an action was taken": 1}
"""Lines that do nothing in this protocol: a step that never changes anything; two never a state's only step."""


def is_same(search: Exploration, mutant: str, expected: tuple[Any, ...]) -> bool:
    """Whether a mutant finds what is expected; one that makes a state that nothing leads to does not."""
    try:
        return graph(search, mutant) == expected
    except AssertionError:
        return False


def without_one(text: str, pattern: str) -> Iterator[str]:
    """The text with one line of a kind made without effect, for each such line."""
    lines = text.splitlines()
    for n, line in enumerate(lines):
        if re.fullmatch(pattern, line.strip()):
            target = re.split(r" [+|]?= ", line)[0]
            none = f"{target} = False" if "found" in line or "passes" in target else f"{target} += 0"
            yield "\n".join([*lines[:n], none, *lines[n + 1 :]])


@pytest.mark.one_in(3)
@pytest.mark.slow
@pytest.mark.parametrize("what", DROPPED)
def test_a_kernel_that_loses_something_is_noticed(what: str) -> None:
    search = Exploration(Instance(Tiny, 2, 2, PROPERTIES), FULL, keep_edges=True)
    search.run()
    expected = graph(search, None)
    assert graph(search, search.kernel.plan.text) == expected, "as it stands, it is right"
    mutants = list(without_one(search.kernel.plan.text, DROPPED[what]))
    assert mutants
    unnoticed = sum(is_same(search, mutant, expected) for mutant in mutants)
    assert unnoticed == WITHOUT_EFFECT.get(what, 0)


# -- the canonical form ---------------------------------------------------------------------------------------------


def orbits_add_up(instance: Instance) -> bool:
    full = Exploration(instance, FULL)
    reduced = Exploration(instance, Options(engine=Engine.INTERPRETED))
    full.run()
    reduced.run()
    stored, every = reduced.stored(), [full.kernel.layout.unpack(words) for words in full.stored()]
    return (
        sum(orbit(reduced.kernel, words) for words in stored) == full.findings.states
        and {reduced.kernel.representative(state) for state in every} == set(stored)
        and reduced.findings.depth == full.findings.depth
    )


def last_exchange_missing(lines: list[str]) -> list[str]:
    at = max(n for n, line in enumerate(lines) if line.startswith("    if r") and " > " in line)
    return [*lines[:at], *lines[at + 2 :]]


def bit_forgotten(lines: list[str]) -> list[str]:
    """Two states that differ in one bit of a page become one."""
    return [re.sub(r"(r0 = w0 >> 0 & )(\d+)", lambda m: f"{m[1]}{int(m[2]) & ~1}", line) for line in lines]


def page_copied(lines: list[str]) -> list[str]:
    return [line.replace("(r1 <<", "(r0 <<") for line in lines]


@pytest.mark.parametrize("mutate", [last_exchange_missing, bit_forgotten, page_copied])
def test_a_wrong_canonical_form_is_noticed(
    mutate: Callable[[list[str]], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    instance, right = Instance(Tiny, 3, 2), page_symmetry._text
    assert orbits_add_up(instance)
    monkeypatch.setattr(page_symmetry, "_text", lambda *given: mutate(right(*given)))
    assert not orbits_add_up(instance)


# -- the search's loop ----------------------------------------------------------------------------------------------

LOOP = {
    "takes a state whose hash is alike for this one": (
        "        difference |= states[number, k] ^ columns[k, at]",
        "        difference |= 0",
    ),
    "forgets a word of a state": (
        "        difference |= states[number, k] ^ columns[k, at]",
        "        difference |= states[number, 0] ^ columns[0, at]",
    ),
    "forgets who was there when it is made anew": (
        "    for at in range(U(begin), U(end)):",
        "    for at in range(U(begin), U(end // 2)):",
    ),
    "looks only at the first state whose tag is alike": (
        "            alike &= alike - ONE",
        "            alike = ZERO",
    ),
    "notes another state as the parent": ("origin[new_of[i]]", "origin[i]"),
    "does not look into the next bucket": (
        "        bucket = next_bucket(bucket, bits)\n\n\n@njit\ndef entry_of",
        "        return True, bucket\n\n\n@njit\ndef entry_of",
    ),
}
TAG, ONE_BIT = "return mixed >> U(24) & (ONE << (U(32) - bits)) - ONE", "return mixed >> U(24) & ONE"


@pytest.mark.one_in(3)
@pytest.mark.slow
@pytest.mark.parametrize("what", LOOP)
def test_a_table_that_loses_states_is_noticed(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard, "_FIRST_BITS", 10)
    search = Exploration(Instance(Postcopy, 2, 2), FULL)
    search.run()
    right, (old, new) = loops._text(), LOOP[what]
    short = right.replace(TAG, ONE_BIT)  # so that tags are alike as often as in a table of 2^31 entries
    assert right.count(old) == right.count(TAG) == 1
    for text, is_right in ((short, True), (short.replace(old, new), False)):
        monkeypatch.setattr(loops, "_text", lambda text=text: text)
        made = Compiled(machine_of(search.kernel.plan), search.question)
        states = made.run(1 << 40).states
        assert (states == search.findings.states and not orphans(search, made)) is is_right
