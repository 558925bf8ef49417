"""How many states there will be: too early, while levels grow, and when they shrink; and the progress line."""

import math
from dataclasses import replace
from itertools import accumulate

import pytest

from postcopy.api.progress import of_search, to_come
from postcopy.explorer.estimate import LEAST_LEVELS, Estimate, estimate
from postcopy.explorer.explore import Exploration
from postcopy.explorer.kernel.reductions import PAGES
from postcopy.explorer.results import Engine, Options, Progress
from postcopy.language.instance import Instance
from postcopy.model.postcopy import Postcopy
from postcopy.properties.liveness import LIVENESS

GIB = 1 << 30


def bell(levels: int, top: int, width: float) -> list[int]:
    """A search whose levels grow and shrink evenly."""
    middle = levels / 2
    return list(accumulate(max(1, round(top * math.exp(-(((i - middle) / width) ** 2)))) for i in range(levels)))


@pytest.mark.parametrize(("levels", "top", "width"), [(60, 10**6, 12), (40, 10**5, 8), (80, 10**8, 14), (50, 10**7, 9)])
def test_a_search_that_grows_and_shrinks_evenly_is_estimated(levels: int, top: int, width: float) -> None:
    whole = bell(levels, top, width)
    total, ranges = whole[-1], 0
    for end in range(1, levels):
        found = estimate(whole[:end])
        if found is None:
            assert end < LEAST_LEVELS or whole[end - 1] < 10_000 or end < levels // 2
            continue
        assert found.least <= total
        if found.most is not None:
            ranges += 1
            assert found.most >= total * 0.99
            assert found.most < 4 * total
    assert ranges > levels // 5, "there is an upper end long before the end"


def test_a_second_hill_makes_the_first_estimate_wrong_and_not_the_lower_end() -> None:
    first, second = bell(40, 10**5, 8), bell(40, 10**6, 8)
    whole = [*first, *(first[-1] + states for states in second)]
    for end in range(LEAST_LEVELS, len(whole)):
        found = estimate(whole[:end])
        assert found is None or found.least <= whole[-1]


def test_it_is_too_early_for_a_few_levels_or_a_few_states() -> None:
    assert estimate([]) is None
    assert estimate([2**i * 1000 for i in range(LEAST_LEVELS - 1)]) is None
    assert estimate(list(range(1, 60))) is None


def test_while_levels_grow_there_is_no_upper_end() -> None:
    assert estimate([2**i for i in range(20)]) == Estimate(3 * 2**18, None)


def test_levels_that_stay_as_large_have_no_end() -> None:
    assert estimate([1000 * i for i in range(1, 40)]) == Estimate(39_500, None)


def test_a_driver_counts_its_levels() -> None:
    def levels(small: bool, slices: int) -> list[int]:
        search = Exploration(
            Instance(Postcopy, 1, 1), Options((PAGES,), engine=Engine.COMPILED, small_table=small)
        ).search
        while search.run(slices).status == 0:
            pass
        return search.run(0).levels

    expected = levels(small=False, slices=10**6)
    assert expected == sorted(set(expected))
    assert len(expected) > 20
    assert [levels(small, slices) for small in (False, True) for slices in (7, 10**6)] == [expected] * 4


# -- the line ---------------------------------------------------------------------------------------------------------

AT = Progress(
    "searching",
    10**7,
    0,
    30,
    10**6,
    10.0,
    estimate=Estimate(4 * 10**7, None),
    bytes=250 * 10**6,
    max_memory=4 * GIB,
    smaller=True,
)


@pytest.mark.parametrize(
    ("at", "line"),
    [
        (AT, "; at least 40 million in all, at least 30 s more"),
        (
            replace(AT, estimate=Estimate(12 * 10**6, 15 * 10**6)),
            "; 12 million to 15 million in all, 2 to 5 s more",
        ),
        (
            replace(AT, estimate=Estimate(3 * 10**8, None)),
            "; at least 300 million in all need 7.0 GiB of 4.0 GiB: end this and use a small table",
        ),
        (
            replace(AT, estimate=Estimate(3 * 10**9, None)),
            "; at least 3.0 billion in all need 69.8 GiB of 4.0 GiB: end this and use a small table with "
            "more memory, or the disk",
        ),
        (
            replace(AT, estimate=Estimate(3 * 10**8, None), smaller=False),
            "; at least 300 million in all need 7.0 GiB of 4.0 GiB: end this and use the disk, or a smaller size",
        ),
        (
            replace(AT, estimate=Estimate(3 * 10**8, None), smaller=False, for_liveness=True),
            "; at least 300 million in all need 7.0 GiB of 4.0 GiB: end this and use more memory, or a smaller size",
        ),
        (replace(AT, estimate=None), ""),
        (replace(AT, seconds=0.0), ""),
    ],
)
def test_the_line_says_what_is_to_come(at: Progress, line: str) -> None:
    assert to_come(at) == line
    shown: list[str] = []
    of_search(shown.append)(at)
    assert shown[0].endswith(f"depth 30{line}")


def test_the_advice_comes_before_the_memory_is_full() -> None:
    """A search that does not fit: some line proposes the small table while states are still being found."""
    lines: list[str] = []
    search = Exploration(Instance(Postcopy, 3, 2), Options((), engine=Engine.COMPILED, max_memory=4 << 20))
    while search.findings.status == 0:
        search.findings, search.seconds = search.search.run(20_000), 1.0
        of_search(lines.append)(search.progress())
    advised = [number for number, line in enumerate(lines) if "use a small table" in line]
    assert advised
    assert advised[0] < len(lines) - 2


@pytest.mark.unmeasured
@pytest.mark.parametrize("small", [False, True])
def test_no_small_table_is_advised_for_liveness(small: bool) -> None:
    """The search for safety may have a small table; that for liveness may not, and says so in neither case."""
    options = Options((), engine=Engine.COMPILED, small_table=small)
    progress: list[Progress] = []
    made = Exploration(Instance(Postcopy, 1, 1, LIVENESS), options, progress.append)
    made.run()
    said = {(at.for_liveness, at.smaller) for at in progress if at.phase == "searching"}
    assert said == {(False, not small), (True, False)}
