"""`postcopy prove --confirm` and `--smt2`: what z3 has refuted is asked of a second prover, and written to files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from postcopy.cli.exits import Exit
from postcopy.cli.options import HOW, SHOW
from postcopy.cli.output import warn
from postcopy.cli.progress import Show
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
from postcopy.report.results.confirmation import disagreement, sentence


@dataclass(frozen=True, kw_only=True)
class Confirming:
    """The options of second provers."""

    confirm: Annotated[
        bool,
        typer.Option(
            "--confirm",
            help="ask cvc5 too (and bitwuzla, about bit-vectors) what z3 has proved",
            rich_help_panel=HOW,
        ),
    ] = False
    smt2: Annotated[
        Path | None,
        typer.Option(
            "--smt2",
            metavar="DIR",
            help="write what z3 has proved to this directory, a question a file, in SMT-LIB 2",
            rich_help_panel=SHOW,
        ),
    ] = None

    def refuse(self, *, bit_vectors: bool, force: bool) -> None:
        """Refuse what cannot be done, before the proof begins.

        Args:
            bit_vectors: the questions are about bit-vectors.
            force: files in the directory may be replaced, whatever they are.

        Raises:
            UsageError: a second prover is not installed, or the directory cannot be written.
        """
        if self.confirm:
            check_installed(FOR_BIT_VECTORS if bit_vectors else FOR_QUANTIFIERS)
        if self.smt2 is not None:
            QuestionFiles(self.smt2, force=force).refuse(option="--smt2")


@dataclass(frozen=True)
class Confirmed:
    """What came of the options.

    Attributes:
        found: what second provers say; None where they were not asked.
        files: of each disagreement, where its question is.
        written: the number of questions in the directory; None where none was named.
    """

    found: Confirmation | None = None
    files: tuple[Path, ...] = ()
    written: int | None = None

    @property
    def record(self) -> ConfirmationRecord | None:
        """What second provers say, as a record."""
        return None if self.found is None else confirmation_record(self.found, self.files)

    def lines(self, directory: Path | None) -> list[str]:
        """What to print of it."""
        said = [] if self.found is None else [sentence(self.found)]
        return said if self.written is None else [*said, f"{self.written:,} questions in {directory}"]

    def exit(self, otherwise: Exit) -> Exit:
        """The exit code of the command: a disagreement is worse than anything that the proof says."""
        if self.found is None or not self.found.disagreements:
            return otherwise
        for answer, file in zip(self.found.disagreements, self.files, strict=True):
            warn(f"{disagreement(answer)}; the question is {file}")
        return Exit.DISAGREEMENT


def questions_of(result: ProofResult, ranking: Ranking | None, invariant: Iterable[Property]) -> Iterator[Question]:
    """The questions on which the result of a proof rests."""
    if result.proof is not None:
        return proof_questions.questions_of(result.proof, ranking)
    assert result.answer is not None
    with_invariant = tuple(invariant) if result.answer.method.endswith("with the invariant") else ()
    return size_questions.questions_of(result.answer, with_invariant)


def confirmed(asked: Confirming, questions: Iterable[Question], workers: int, show: Show, *, force: bool) -> Confirmed:
    """Do what the options say with the questions of a proof.

    Args:
        asked: the options.
        questions: what z3 has refuted.
        workers: how many processes ask second provers.
        show: shows how far it is.
        force: as of `Confirming.refuse`.

    Raises:
        UsageError: a file cannot be written.
    """
    if not asked.confirm and asked.smt2 is None:
        return Confirmed()
    files = None if asked.smt2 is None else QuestionFiles(asked.smt2, force=force)
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
    return Confirmed(found, disputed, None if files is None else files.end())


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
