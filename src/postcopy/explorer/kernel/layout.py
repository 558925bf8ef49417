"""Where each variable lies in a packed state.

A state is a few words of 64 bits. What concerns one page, its bit in every set of pages, is one record; records come
first, as many in a word as fit, all in the same order inside. A set of pages is then a strided mask, whole-bitmap
operators are word operations, and to rename pages is to permute records. Numbers fill the bits that are left.

Only records use bit 63.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from postcopy.errors import UsageError
from postcopy.language import expressions as ex
from postcopy.language.instance import Instance, State
from postcopy.language.variables import Sort, Variable

WORD = 64


@dataclass(frozen=True)
class Place:
    """A number's place: word, lowest bit, mask before shifting."""

    word: int
    shift: int
    mask: int


@dataclass(frozen=True)
class Layout:
    """The packing of an instance's changing variables.

    Attributes:
        instance: what is packed.
        constants: variables that are not stored, with their stored number.
        sets: the set-valued variables: the bits of a record, lowest first.
        numbers: where each number lies.
        words: words in a state.
        records: for each page, its word and the lowest bit of its record.
    """

    instance: Instance
    constants: dict[Variable, int]
    sets: tuple[Variable, ...]
    numbers: dict[Variable, Place]
    words: int
    records: tuple[tuple[int, int], ...]

    @property
    def width(self) -> int:
        """Bits of a record."""
        return len(self.sets)

    @property
    def page_words(self) -> int:
        """How many words (the first ones) hold records."""
        return self.records[-1][0] + 1

    @property
    def bits(self) -> int:
        """Bits of a state that are used."""
        return self.width * len(self.records) + sum(p.mask.bit_length() for p in self.numbers.values())

    def stride(self, word: int) -> int:
        """The lowest bit of every record in a word: the set of all pages there, before shifting."""
        return sum(1 << base for w, base in self.records if w == word)

    def pack(self, state: State) -> tuple[int, ...]:
        """The words of a state."""
        words = [0] * self.words
        index = self.instance.index
        for offset, v in enumerate(self.sets):
            for page, (word, base) in enumerate(self.records):
                words[word] |= (state[index[v]] >> page & 1) << base + offset
        for v, place in self.numbers.items():
            words[place.word] |= state[index[v]] << place.shift
        return tuple(words)

    def unpack(self, words: Sequence[int]) -> State:
        """The state that the words stand for."""
        state = [0] * len(self.instance.variables)
        index = self.instance.index
        for v, stored in self.constants.items():
            state[index[v]] = stored
        for offset, v in enumerate(self.sets):
            bits = ((int(words[word]) >> base + offset & 1) << page for page, (word, base) in enumerate(self.records))
            state[index[v]] = sum(bits)
        for v, place in self.numbers.items():
            state[index[v]] = int(words[place.word]) >> place.shift & place.mask
        return tuple(state)


def lay_out(instance: Instance, variables: Sequence[Variable], constants: dict[Variable, ex.Value]) -> Layout:
    """Pack the variables.

    Raises:
        UsageError: what belongs to one host page does not fit into a word.
    """
    sets = tuple(v for v in variables if v.sort is Sort.PAGES)
    width = max(len(sets), 1)
    host = width * instance.group
    together = WORD // host * instance.group
    if together == 0:
        raise UsageError(
            f"{width} bits for each of {instance.group} target pages do not fit into a word of {WORD}: "
            "use fewer messages in flight or smaller host pages"
        )
    records = tuple((page // together, page % together * width) for page in range(instance.pages))
    used = [width * sum(w == word for w, _ in records) for word in range(records[-1][0] + 1)]
    numbers: dict[Variable, Place] = {}
    for v in sorted((v for v in variables if v.sort is Sort.NUMBER), key=lambda v: -v.size):
        bits = max((v.size - 1).bit_length(), 1)
        word = next((w for w, taken in enumerate(used) if taken + bits < WORD), None)  # bit 63 holds no number
        if word is None:
            word = len(used)
            used.append(0)
        numbers[v] = Place(word, used[word], (1 << bits) - 1)
        used[word] += bits
    everything = (1 << instance.pages) - 1
    stored = {
        v: everything if e == ex.FULL_SET else 0 if e == ex.EMPTY_SET else ex.constant(e) or 0
        for v, e in constants.items()
    }
    return Layout(instance, stored, sets, numbers, len(used), records)
