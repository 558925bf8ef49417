"""The lengths of stories that the catalogue pins, searched anew.

`python -m documentation.story_lengths` searches each pinned story and shows the number that is written beside the one
that was found. `--write` puts the new numbers into the files. Words choose questions: `qemu-7.2 no-deadlock` searches
those whose protocol or property contains one of them. The exit code is 1 where a story is not found any more, or has
another length that is not written.

A file is worked through from its end, and written after each story, so that a search that is stopped has not been in
vain. What was said to hold, with 0 steps, is not searched: a test does that.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import NamedTuple, Protocol

from documentation.qemu_defects import search
from postcopy.catalogue import history_in_qemu, qemu, qemu_7_2_defects, qemu_defects, qemu_faults
from postcopy.catalogue.shown import Shown

FILES: tuple[ModuleType, ...] = (qemu, qemu_defects, qemu_7_2_defects, history_in_qemu, qemu_faults)
"""The modules that pin stories: in calls of functions and classes with the parameter `steps`."""


class _Answered(Protocol):
    """An entry of a registry that is an answer to a question."""

    @property
    def shown(self) -> Shown:
        """The question."""


class Pin(NamedTuple):
    """A number in a file that is the length of a story.

    Attributes:
        question: whose answer is the story, with the number that is written.
        line: of the number, from 1.
        start: its first column, in bytes from 0.
        end: the column behind it.
    """

    question: Shown
    line: int
    start: int
    end: int

    def renewed(self, text: str, steps: int) -> str:
        """The text with another number.

        Args:
            text: of the file that has the pin.
            steps: the new number.

        Raises:
            ValueError: the old number is not where it was.
        """
        lines = text.splitlines(keepends=True)
        line = lines[self.line - 1].encode()
        there, was = line[self.start : self.end].decode(), str(self.question.steps)
        if there != was:
            raise ValueError(f"line {self.line} has {there!r} where {was} was: read the file again")
        lines[self.line - 1] = (line[: self.start] + str(steps).encode() + line[self.end :]).decode()
        return "".join(lines)


def pins(text: str, module: ModuleType) -> list[Pin]:
    """The pinned lengths of a module, in the order of its text.

    Args:
        text: of its file.
        module: the same, imported.
    """
    found = [pin for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call) for pin in _pin(node, module)]
    return sorted(found, key=lambda pin: (pin.line, pin.start))


def _pin(node: ast.Call, module: ModuleType) -> Iterator[Pin]:
    """The length that a call pins, if it does."""
    function = getattr(module, node.func.id, None) if isinstance(node.func, ast.Name) else None
    number = _steps(node, function) if callable(function) else None
    if not (isinstance(number, ast.Constant) and isinstance(number.value, int) and number.value):
        return
    code: CodeType = compile(ast.Expression(node), str(module.__file__), "eval")
    entry: Shown | _Answered = eval(code, vars(module))  # a literal entry of the registry
    question = entry if isinstance(entry, Shown) else entry.shown
    assert number.end_col_offset is not None
    yield Pin(question, number.lineno, number.col_offset, number.end_col_offset)


def _steps(node: ast.Call, function: object) -> ast.expr | None:
    """The argument of a call that is its parameter `steps`."""
    assert callable(function)
    names = list(inspect.signature(function).parameters)
    if "steps" not in names:
        return None
    given = dict(zip(names, node.args, strict=False)) | {each.arg: each.value for each in node.keywords if each.arg}
    return given.get("steps")


def renew(path: Path, module: ModuleType, words: Sequence[str], write: bool) -> bool:
    """Search for the stories of a file, print old and new lengths, and write the new ones if that is wanted.

    Args:
        path: of the file.
        module: the same, imported.
        words: parts of protocols or properties that choose questions; none chooses all.
        write: whether new numbers are put into the file.

    Returns:
        whether the file has the right numbers now.
    """
    right = True
    for pin in reversed(pins(path.read_text(encoding="utf-8"), module)):
        question = pin.question
        if words and not any(word in question.protocol or word == question.broken for word in words):
            continue
        run = search(question).counterexample
        found = len(run.steps) if run else None
        print(_row(question, found), flush=True)
        if found is not None and found != question.steps and write:
            path.write_text(pin.renewed(path.read_text(encoding="utf-8"), found), encoding="utf-8")
        else:
            right = right and found == question.steps
    return right


def _row(question: Shown, found: int | None) -> str:
    """Old and new number of a question, side by side."""
    sign = " " if found == question.steps else "*"
    return f"{sign} {question.steps:3} {found or 'none':>5}  {question.broken}  {question.protocol}"


def main(arguments: Sequence[str]) -> int:
    """Renew the lengths of all files; the answer is the exit code."""
    words = [each for each in arguments if each != "--write"]
    print("  was found  property  protocol")
    done = [renew(Path(str(module.__file__)), module, words, "--write" in arguments) for module in FILES]
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
