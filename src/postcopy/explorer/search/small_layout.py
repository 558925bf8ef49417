"""Which words of a state the small table pairs with which, a tree chosen by a sample of states; and how it is dealt.

Each node of the tree but the root has a table of the different values that were found there. The tree is chosen whose
tables are expected to be smallest together. How many values a table will have is estimated from how many a sample has,
and how many of these it has once and twice (Chao 1984: "Nonparametric estimation of the number of classes in a
population"): a sample in which many values occur once has not seen most of them yet.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from postcopy.explorer.search.findings import Question
from postcopy.explorer.search.loops import Machine
from postcopy.explorer.search.worker import Worker

MOST_WORDS = 8
"""In states of more words neighbours are paired: there are too many trees to look at all."""

_WALKERS, _LEVELS, _LEAST_WORDS = 256, 128, 3

_HALVES = (1 << 32) - 1, -1 << 32
"""The bits of the two halves of a word."""

Tree = tuple["int | Tree", "int | Tree"]
"""Two subtrees; a leaf is the number of a word."""


def tree(machine: Machine, question: Question) -> npt.NDArray[np.int64]:
    """The children of each node of the tree over a state's words, the root's last; -1 for a leaf.

    A state of one word has its two halves for leaves.
    """
    words = machine.code.words
    if not _LEAST_WORDS <= words <= MOST_WORDS:
        return in_order(words)
    return rows_of(best_tree(sample(machine, question)), words)


def dealt_by(machine: Machine, question: Question, children: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The bits of each word that say to which of several parts a state belongs; int64[words].

    They are the words below that child of the root which has more values. So each of its values is known to one part
    only: dealt by all words, most values would be known to all parts, and take their memory in each. There are at least
    as many as the square root of the number of states, so the parts are about the same.

    Args:
        machine: what the search runs on.
        question: what it is asked.
        children: the tree.
    """
    states = sample(machine, question)
    masks = [_bits_below(child, children, states.shape[1]) for child in children[-1].tolist()]
    return max(masks, key=lambda mask: classes(states & mask))


def _bits_below(node: int, children: npt.NDArray[np.int64], words: int) -> npt.NDArray[np.int64]:
    """Which bits of each word are below a node of the tree; int64[words]."""
    if words == 1:
        return np.array([_HALVES[node]])
    below, left = np.zeros(words, dtype=np.int64), [node]
    while left:
        node = left.pop()
        if node < words:
            below[node] = -1
        else:
            left += children[node].tolist()
    return below


def in_order(words: int) -> npt.NDArray[np.int64]:
    """The tree that pairs neighbours, those of the last words first."""
    row: list[int | Tree] = list(range(max(words, 2)))
    while len(row) > 2:
        alone, others = row[: len(row) % 2], row[len(row) % 2 :]
        row = [*alone, *zip(others[::2], others[1::2], strict=True)]
    return rows_of((row[0], row[1]), max(words, 2))


def rows_of(root: Tree, words: int) -> npt.NDArray[np.int64]:
    """A tree as rows of children: leaves first, each node after its children; int64[nodes, 2]."""
    rows = [(-1, -1)] * words

    def number(node: int | Tree) -> int:
        if isinstance(node, int):
            return node
        rows.append((number(node[0]), number(node[1])))
        return len(rows) - 1

    number(root)
    return np.array(rows, dtype=np.int64)


def best_tree(states: npt.NDArray[np.int64]) -> Tree:
    """The tree whose nodes but the root will have the fewest different values, as far as some states show.

    Args:
        states: int64[count, words].
    """

    @cache
    def best(chosen: frozenset[int]) -> tuple[float, int | Tree]:
        """What the nodes below one over these words will have, and the subtree."""
        if len(chosen) == 1:
            return 0.0, min(chosen)
        first, *others = sorted(chosen)
        found: list[tuple[float, Tree]] = []
        for bits in range((1 << len(others)) - 1):
            left = frozenset([first, *(word for i, word in enumerate(others) if bits >> i & 1)])
            (below_left, one), (below_right, other) = best(left), best(chosen - left)
            cost = below_left + below_right + expected(left) + expected(chosen - left)
            found.append((cost, (one, other)))
        return min(found, key=lambda each: each[0])

    @cache
    def expected(chosen: frozenset[int]) -> float:
        return classes(states[:, sorted(chosen)])

    _, root = best(frozenset(range(states.shape[1])))
    assert not isinstance(root, int)
    return root


def classes(rows: npt.NDArray[np.int64]) -> float:
    """How many different rows there are to be expected where these are a sample."""
    whole = np.ascontiguousarray(rows).view(f"V{8 * rows.shape[1]}")[:, 0]
    _, times = np.unique(whole, return_counts=True)
    once, twice = int((times == 1).sum()), int((times == 2).sum())
    return len(times) + once * (once - 1) / (2 * (twice + 1))


def sample(machine: Machine, question: Question) -> npt.NDArray[np.int64]:
    """States of all levels up to some depth: some of each, chosen at random, always in the same way."""
    generator, worker = np.random.default_rng(0), Worker(machine)
    level = np.array(question.initial, dtype=np.uint64).view(np.int64)
    found: list[npt.NDArray[np.int64]] = []
    for _ in range(_LEVELS):
        if len(level) == 0:
            break
        level = level[generator.permutation(len(level))[:_WALKERS]]
        found.append(level)
        level = np.unique(worker.successors(level)[0], axis=0)
    return np.unique(np.concatenate(found), axis=0)
