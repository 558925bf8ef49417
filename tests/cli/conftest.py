"""Run the command line in this process, as a shell would see it."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from postcopy.cli import main


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


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
