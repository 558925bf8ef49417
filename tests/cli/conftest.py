"""Run the command line in this process, as a shell would see it."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from postcopy.cli.main import main

CHANGE = '''
from postcopy.language import Page, require
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Phase, Source


class Sloppy(Source):
    """Forgets that a page was sent."""

    def sends_background_page(self, page: Page) -> None:
        """sends any page at all"""
        require(self.phase == Phase.POSTCOPY)
        self._ready_to_send()
        self._send_in_postcopy(page)


class MyChange(Postcopy):
    """A change that is wrong."""

    source = Sloppy
'''
"""A change of one's own, as a user would save it."""


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


def refused(run: Run, *arguments: str) -> str:
    """What a command says that it cannot do: one line, exit code 2, and nothing else."""
    result = run(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("postcopy: ")
    assert result.err.count("\n") == 1
    return result.err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """A function that runs `postcopy` with arguments and gives its exit code and what it printed."""

    def command(*arguments: str) -> Result:
        with pytest.raises(SystemExit) as stopped:
            main(list(arguments))
        printed = capsys.readouterr()
        code = stopped.value.code
        return Result(code if isinstance(code, int) else 0, printed.out, printed.err)

    return command
