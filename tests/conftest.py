"""The tiers of the tests: `pytest` runs the fast ones, `make test-slow` and `make test-long` the others.

A test that takes seconds of processor time is marked `slow`. If it has many parameters, such as all faults, it is
marked `slow_but` with those for which it stays fast, as pytest names them in brackets. One that takes half a minute is
marked `slow(first=True)`: it begins before the others, since all cores but one would be idle at its end otherwise.

Some tests ask every protocol of a catalogue whether two ways of the tools come to the same. `one_in(3)` leaves every
third of their slow parameters in the slow tier, and marks the others `long` as well: they are for a release.

Where coverage is measured, a search by Python takes two to three times as long. A test is marked `unmeasured` if it is
one of those that take longest, and other fast tests run the same code: `make coverage-gate` fails where they do not.
"""

import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import count

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")  # an example takes as long as other work lets it take

FAST = "not slow"
"""The expression that pyproject.toml gives for `-m`."""


@pytest.hookimpl(tryfirst=True)  # before pytest itself picks by markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark as slow what is slow but for some parameters, as long most of what is one in so many, and let those begin
    that take longest.

    Raises:
        pytest.UsageError: a parameter that is named is not there.
    """
    missing: dict[str, set[str]] = {}
    numbers: dict[str, count[int]] = {}
    for item in items:
        mark = item.get_closest_marker("slow_but")
        if mark is not None:
            function, _, parameters = item.nodeid.partition("[")
            missing.setdefault(function, set(mark.args)).discard(parameters.rstrip("]"))
            if parameters.rstrip("]") not in mark.args:
                item.add_marker("slow")
        few = item.get_closest_marker("one_in")
        if few is not None and item.get_closest_marker("slow") is not None:
            number = next(numbers.setdefault(item.nodeid.partition("[")[0], count()))
            if number % few.args[0]:
                item.add_marker("long")
    wrong = {function: names for function, names in missing.items() if names}
    if wrong and not any("[" in argument for argument in config.args):
        raise pytest.UsageError(f"slow_but names parameters that are not there: {wrong}")
    items.sort(key=lambda item: not takes_longest(item))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run what is marked as unmeasured, and the fixtures that are set up for it, without coverage."""
    if item.get_closest_marker("unmeasured") is None:
        return (yield)
    with without_coverage():
        return (yield)


@contextmanager
def without_coverage() -> Iterator[None]:
    """Measures neither this process nor those that it starts."""
    measures = sys.modules["coverage"].Coverage.current() if "coverage" in sys.modules else None
    if measures is None:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
            patch.delenv(variable, raising=False)
        measures.stop()
        try:
            yield
        finally:
            measures.start()


def takes_longest(item: pytest.Item) -> bool:
    """Whether a test begins before the others."""
    return any(mark.kwargs.get("first", False) for mark in item.iter_markers("slow"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say that there are more tests."""
    if config.getoption("markexpr") == FAST:
        terminalreporter.write_line("The slow tests were left out. All tests: pytest -m ''")
