"""The bitmap algebra: proved by z3 for all words, and tried on integers and NumPy words with the very same lemmas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postcopy.bitmaps import RANGES_IN_A_COMMAND, Bitmaps
from postcopy.language.lemmas import Lemma
from postcopy.properties.bitmaps import LEMMAS
from postcopy.prover.lemmas import GROUPS, as_bits, ask, prove_lemmas, refute_mistake
from postcopy.prover.solving import Status

WORDS = st.integers(0, 2**64 - 1)
LEMMA = pytest.mark.parametrize("lemma", LEMMAS, ids=lambda lemma: lemma.name)


def fails(lemma: Lemma, bits: Bitmaps, words: list[Any]) -> bool:
    """Whether the words are a counterexample."""
    facts, then = lemma.says(bits, *words)
    return all(bool(np.all(a == b)) for a, b in facts) and not all(bool(np.all(a == b)) for a, b in then)


def test_z3_proves_every_lemma_for_all_words() -> None:
    answers = list(prove_lemmas(LEMMAS))
    assert [a.lemma.name for a in answers if a.status is not Status.PROVED] == []
    assert {a.bits.group for a in answers if a.lemma.grouped} == set(GROUPS)


@LEMMA
@given(words=st.lists(WORDS, min_size=4, max_size=4), group=st.sampled_from(GROUPS))
def test_the_lemma_holds_of_integers_and_of_numpy_words(lemma: Lemma, words: list[int], group: int) -> None:
    chosen = words[: len(lemma.words)]
    bits = Bitmaps(64, group)
    assert not fails(lemma, bits, chosen)
    assert not fails(lemma, bits, [np.uint64(word) for word in chosen])
    assert not fails(lemma, bits, [np.array([word, 0, word], dtype=np.uint64) for word in chosen])


@LEMMA
def test_z3_finds_words_for_which_the_lemma_fails_with_its_mistake(lemma: Lemma) -> None:
    answer = refute_mistake(lemma)
    assert answer.status is Status.OPEN
    words = list(answer.words.values())
    assert fails(lemma, answer.bits, words)
    assert not fails(lemma, Bitmaps(answer.bits.pages, answer.bits.group), words)
    assert lemma.mistake
    assert len(answer.picture) == len(lemma.words)


def test_words_are_printed_as_bits_with_host_pages_apart() -> None:
    assert as_bits(0b0001_1011, Bitmaps(8, 4)) == "1101 1000"
    assert as_bits(0b1, Bitmaps(16, 1)) == "10000000 00000000"


@given(word=WORDS)
def test_ranges_are_the_runs_of_set_bits_in_order(word: int) -> None:
    bits, expected, page = Bitmaps(64), [], 0
    while page < 64:
        start = page
        while page < 64 and word >> page & 1:
            page += 1
        if page > start:
            expected.append((start, page - start))
        page += 1
    assert list(bits.ranges(word)) == expected
    commands = list(bits.commands(word))
    assert [one for command in commands for one in command] == expected
    assert all(len(command) == RANGES_IN_A_COMMAND for command in commands[:-1])


@given(word=WORDS, group=st.sampled_from([1, 2, 3, 4, 6, 8]))
def test_host_pages_of_any_size(word: int, group: int) -> None:
    pages = 60 - 60 % group
    word &= (1 << pages) - 1
    touched = {page // group for page in range(pages) if word >> page & 1}
    expected = sum(1 << page for page in range(pages) if page // group in touched)
    assert Bitmaps(pages, group).host_pages(word) == expected


def test_too_much_work_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postcopy.prover.lemmas.WORK", 1000)
    lemma = next(lemma for lemma in LEMMAS if lemma.name == "ranges-are-runs")
    assert ask(lemma, Bitmaps()).status is Status.UNKNOWN
