"""The tiers of the tests: `pytest` runs the fast ones, `pytest -m slow` the others, `pytest -m ""` all."""

import pytest

FAST = "not slow"
"""The expression that pyproject.toml gives for `-m`."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say that there are more tests."""
    if config.getoption("markexpr") == FAST:
        terminalreporter.write_line("The slow tests were left out. All tests: pytest -m ''")
