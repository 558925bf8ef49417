"""The tiers of the tests: `pytest` runs the fast ones, `pytest -m slow` the others, `pytest -m ''` all.

A test that takes seconds of processor time is marked `slow`. If it has many parameters, such as all faults, it is
marked `slow_but` with those for which it stays fast, as pytest names them in brackets. One that takes half a minute is
marked `slow(first=True)`: it begins before the others, since all cores but one would be idle at its end otherwise.
"""

import pytest

FAST = "not slow"
"""The expression that pyproject.toml gives for `-m`."""


@pytest.hookimpl(tryfirst=True)  # before pytest itself picks by markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark as slow what is slow but for some parameters, and let those begin that take longest.

    Raises:
        pytest.UsageError: a parameter that is named is not there.
    """
    missing: dict[str, set[str]] = {}
    for item in items:
        mark = item.get_closest_marker("slow_but")
        if mark is not None:
            function, _, parameters = item.nodeid.partition("[")
            missing.setdefault(function, set(mark.args)).discard(parameters.rstrip("]"))
            if parameters.rstrip("]") not in mark.args:
                item.add_marker("slow")
    wrong = {function: names for function, names in missing.items() if names}
    if wrong and not any("[" in argument for argument in config.args):
        raise pytest.UsageError(f"slow_but names parameters that are not there: {wrong}")
    items.sort(key=lambda item: not takes_longest(item))


def takes_longest(item: pytest.Item) -> bool:
    """Whether a test begins before the others."""
    return any(mark.kwargs.get("first", False) for mark in item.iter_markers("slow"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say that there are more tests."""
    if config.getoption("markexpr") == FAST:
        terminalreporter.write_line("The slow tests were left out. All tests: pytest -m ''")
