"""The bitmap is a set of numbers, whatever is done to it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from postcopy.bitmaps import Bitmaps
from postcopy.engine.bitmap import Bitmap

unhurried = settings(deadline=None)  # the machine may be busy

SIZE = 200

numbers = st.integers(0, SIZE - 1)
spans = st.tuples(numbers, numbers).map(lambda ab: range(min(ab), max(ab) + 1))
changes = st.one_of(
    st.tuples(st.just("add"), numbers),
    st.tuples(st.just("remove"), numbers),
    st.tuples(st.just("add_all"), spans),
    st.tuples(st.just("remove_all"), spans),
    st.tuples(st.just("clear")),
)


@unhurried
@given(st.lists(changes, max_size=30), st.booleans(), numbers, st.integers(1, SIZE), spans)
def test_it_behaves_as_a_set(
    steps: list[tuple[str, int | range]], full: bool, start: int, most: int, span: range
) -> None:
    bitmap = Bitmap(SIZE, full=full)
    expected = set(range(SIZE)) if full else set()
    for name, *arguments in steps:
        answer = getattr(bitmap, name)(*arguments)
        change = {n for a in arguments for n in (a if isinstance(a, range) else [a])}
        if name in ("add", "remove"):
            assert answer == ((arguments[0] in expected) == (name == "remove"))
        expected = set() if name == "clear" else expected | change if name.startswith("add") else expected - change
    assert {n for n in range(SIZE) if n in bitmap} == expected
    assert (bitmap.count, bool(bitmap)) == (len(expected), bool(expected))
    assert [n for r in bitmap.runs() for n in r] == sorted(expected)
    assert all(a.stop < b.start for a, b in zip([*bitmap.runs()], [*bitmap.runs()][1:], strict=False))
    assert bitmap.next(start) == min(expected, key=lambda n: (n < start, n), default=None)
    first = bitmap.next(start)
    run = range(0) if first is None else range(first, next(n for n in range(first, SIZE + 1) if n not in expected))
    assert bitmap.run(start, most) == run[:most]
    assert bitmap.first_of(span) == min(expected & set(span), default=None)
    again = Bitmap(SIZE)
    again.assign(int(bitmap))
    assert again == bitmap
    assert again.count == bitmap.count


@unhurried
@given(st.integers(0, 2**SIZE - 1))
def test_runs_are_the_ranges_that_are_proved(bits: int) -> None:
    bitmap = Bitmap(SIZE)
    bitmap.assign(bits)
    assert [(run.start, len(run)) for run in bitmap.runs()] == list(Bitmaps(SIZE).ranges(bits))


def test_a_page_is_put_in_and_taken_out_once() -> None:
    bitmap = Bitmap(70)
    assert bitmap.add(69)
    assert not bitmap.add(69)
    assert bitmap.remove(69)
    assert not bitmap.remove(69)
    assert bitmap.count == 0
