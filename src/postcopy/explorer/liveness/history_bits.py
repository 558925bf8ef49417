"""Which bits of a packed state are history: what no thread knows."""

from __future__ import annotations

from postcopy.explorer.kernel.layout import Layout


def history_masks(layout: Layout) -> list[int]:
    """For each word of a state, the bits of history: what no thread knows."""
    masks = [0] * layout.words
    for variable, place in layout.numbers.items():
        if variable.ghost:
            masks[place.word] |= place.mask << place.shift
    for offset, variable in enumerate(layout.sets):
        if variable.ghost:
            for word in range(layout.page_words):
                masks[word] |= layout.stride(word) << offset
    return masks
