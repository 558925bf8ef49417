"""A second prover: what z3 has refuted is asked of it too, and written to files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from postcopy.api.progress import Show
from postcopy.language.properties import Property
from postcopy.language.ranking import Ranking
from postcopy.prover.confirmation import proof_questions, size_questions
from postcopy.prover.confirmation.confirm import (
    FOR_BIT_VECTORS,
    FOR_QUANTIFIERS,
    Confirmation,
    check_installed,
    confirm,
)
from postcopy.prover.confirmation.question import Question
from postcopy.prover.session import ProofResult
from postcopy.report.question_files import QuestionFiles
from postcopy.report.records.confirmation import ConfirmationRecord, confirmation_record
from postcopy.report.results.confirmation import sentence
from postcopy.surface import setting


@dataclass(frozen=True)
class Confirming:
    """Whether second provers are asked, and where questions are written.

    Attributes:
        confirm: second provers are asked what z3 has proved.
        smt2: the directory for the questions, or None.
        force: files in the directory may be replaced, whatever they are.
    """

    confirm: bool = False
    smt2: Path | None = None
    force: bool = False

    @property
    def wanted(self) -> bool:
        """Whether there is anything to do."""
        return self.confirm or self.smt2 is not None

    def refuse(self, *, bit_vectors: bool) -> None:
        """Refuse what cannot be done, before the proof begins.

        Args:
            bit_vectors: the questions are about bit-vectors.

        Raises:
            UsageError: a second prover is not installed, or the directory cannot be written.
        """
        if self.confirm:
            check_installed(FOR_BIT_VECTORS if bit_vectors else FOR_QUANTIFIERS)
        if self.smt2 is not None:
            QuestionFiles(self.smt2, force=self.force).refuse(option=setting("smt2"))


NO_SECOND = Confirming()
"""No second prover, and no files."""


@dataclass(frozen=True)
class Confirmed:
    """What came of it.

    Attributes:
        found: what second provers say; None where they were not asked.
        files: of each disagreement, where its question is.
        written: the number of questions in the directory; None where none was named.
        directory: where they are.
    """

    found: Confirmation | None = None
    files: tuple[Path, ...] = ()
    written: int | None = None
    directory: Path | None = None

    @property
    def disagrees(self) -> bool:
        """A second prover says otherwise of a question."""
        return self.found is not None and bool(self.found.disagreements)

    @property
    def record(self) -> ConfirmationRecord | None:
        """What second provers say, as a record."""
        return None if self.found is None else confirmation_record(self.found, self.files)

    @property
    def lines(self) -> list[str]:
        """What to print of it."""
        said = [] if self.found is None else [sentence(self.found)]
        return said if self.written is None else [*said, f"{self.written:,} questions in {self.directory}"]


NOT_CONFIRMED = Confirmed()
"""No second prover was asked."""


def questions_of(result: ProofResult, ranking: Ranking | None, invariant: Iterable[Property]) -> Iterator[Question]:
    """The questions on which the result of a proof rests."""
    if result.proof is not None:
        return proof_questions.questions_of(result.proof, ranking)
    assert result.answer is not None
    with_invariant = tuple(invariant) if result.answer.method.endswith("with the invariant") else ()
    return size_questions.questions_of(result.answer, with_invariant)


def confirmed(asked: Confirming, questions: Iterable[Question], workers: int, show: Show) -> Confirmed:
    """Ask second provers, and write the questions.

    Args:
        asked: what is wanted.
        questions: what z3 has refuted.
        workers: how many processes ask second provers.
        show: shows how far it is.

    Raises:
        UsageError: a file cannot be written.
    """
    if not asked.wanted:
        return NOT_CONFIRMED
    files = None if asked.smt2 is None else QuestionFiles(asked.smt2, force=asked.force)
    if files is not None:
        files.begin()
        questions = _written(questions, files)
    found = None
    if asked.confirm:
        found = confirm(
            questions, workers, lambda done, of: show(f"confirmed by a second prover: {done:,} of {of:,} questions")
        )
    else:
        for _ in questions:
            pass
    disputed = () if found is None or not found.disagreements else _disputed(found)
    return Confirmed(found, disputed, None if files is None else files.end(), asked.smt2)


def _written(questions: Iterable[Question], files: QuestionFiles) -> Iterator[Question]:
    for question in questions:
        files.add(question)
        yield question


def _disputed(found: Confirmation) -> tuple[Path, ...]:
    """The questions that provers disagree about, in a directory of their own, which stays."""
    files = QuestionFiles(Path(tempfile.mkdtemp(prefix="postcopy-disagreement-")))
    paths = tuple(files.add(answer.question) for answer in found.disagreements)
    files.end()
    return paths
