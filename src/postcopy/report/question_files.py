"""The questions of a proof as files, for any prover that reads SMT-LIB 2, with an index."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from postcopy.errors import UsageError
from postcopy.prover.confirmation.question import Question
from postcopy.report.files.file_format import FileFormat
from postcopy.surface import setting

QUESTION = FileFormat((".smt2",), "a question that z3 has refuted", begins="; a question of postcopy")
INDEX = FileFormat((".json",), "an index of questions", begins='{"type":"postcopy-questions"')
_INDEX = "index.json"
_LONGEST = 120


class _Entry(msgspec.Struct, frozen=True):
    """A file, and what its question belongs to."""

    file: str
    about: dict[str, str]


class _Index(msgspec.Struct, frozen=True, tag_field="type", tag="postcopy-questions"):
    """All files of a proof. The answer to each is "unsat", as z3 says."""

    questions: list[_Entry]


class QuestionFiles:
    """A directory with a file for each question.

    Args:
        directory: is made where it is not there. Other files in it are left alone.
        force: files in it may be replaced, whatever they are.
    """

    def __init__(self, directory: Path, *, force: bool = False) -> None:
        self._directory, self._force = directory, force
        self._written: list[_Entry] = []

    def refuse(self, *, option: str) -> None:
        """Refuse what could not be written in the end, before a long proof begins.

        Raises:
            UsageError: it is no directory, or there are files in it that `postcopy` has not written.
        """
        path = self._directory
        if path.is_dir():
            index = path / _INDEX
            if not self._force and not index.exists() and any(path.iterdir()):
                raise UsageError(
                    f"{option} {path}: there are files in it that postcopy has not written: choose another directory, "
                    f"or give {setting('force', True)}"
                )
            INDEX.refuse(index, option=option, force=self._force)
        elif path.exists():
            raise UsageError(f"{option} {path}: it is no directory")
        elif not path.parent.is_dir():
            raise UsageError(f"{option} {path}: there is no directory {path.parent}")

    def begin(self) -> None:
        """Make the directory, and take the questions of an earlier proof out of it.

        Raises:
            UsageError: that fails.
        """
        try:
            self._directory.mkdir(exist_ok=True)
            for entry in self._earlier():
                path = self._directory / Path(entry.file).name
                if path.is_file() and path.read_text(encoding="utf-8").startswith(QUESTION.begins):
                    path.unlink()
        except OSError as error:
            raise UsageError(f"cannot write {self._directory}: {error.strerror}") from None

    def add(self, question: Question) -> Path:
        """Write a question; gives its file.

        Raises:
            UsageError: that fails, or there is such a file that `postcopy` has not written.
        """
        labels = "-".join(name for label, name in question.about if label != "protocol")
        words = re.sub(r"[^a-z0-9]+", "-", labels.lower()).strip("-")[:_LONGEST]
        path = self._directory / f"{len(self._written) + 1:05d}-{words}.smt2"
        QUESTION.refuse(path, force=self._force)
        QUESTION.save(path, f"{QUESTION.begins}; z3 says: unsat\n{question.text}")
        self._written.append(_Entry(path.name, dict(question.about)))
        return path

    def end(self) -> int:
        """Write the index; gives the number of questions.

        Raises:
            UsageError: that fails.
        """
        head, tail = msgspec.json.encode(_Index([])).decode().split("[]")
        entries = ",\n".join(msgspec.json.encode(entry).decode() for entry in self._written)
        INDEX.save(self._directory / _INDEX, f"{head}[\n{entries}\n]{tail}\n")
        return len(self._written)

    def _earlier(self) -> list[_Entry]:
        index = self._directory / _INDEX
        if not index.exists():
            return []
        try:
            return msgspec.json.decode(index.read_bytes(), type=_Index).questions
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return []
