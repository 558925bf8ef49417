"""`prove_bitmaps`: the lemmas about bitmaps of 64 pages a word, and what came of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from msgspec import UNSET
from msgspec.structs import replace
from rich.console import Console
from rich.text import Text

from postcopy.api.asking import functions, path_or_none, unless_none, whole_numbers
from postcopy.api.confirming import NOT_CONFIRMED, Confirmed, Confirming, confirmed
from postcopy.api.progress import Show, silent
from postcopy.api.text_result import TextResult
from postcopy.properties.bitmaps import LEMMAS
from postcopy.prover import lemmas
from postcopy.prover.confirmation.lemma_questions import question
from postcopy.prover.lemmas import LemmaResult
from postcopy.prover.means import cores
from postcopy.prover.solving import Status
from postcopy.report.records.proof import LemmasRecord, lemmas_record
from postcopy.report.terminal.proof import print_lemma, print_mistakes


@dataclass(frozen=True, repr=False)
class LemmasResult(TextResult):
    """The result of proving the lemmas about bitmaps.

    Attributes:
        name: what they are about.
        found: of each lemma and size of host pages, what z3 says.
        mistakes: of each lemma, what z3 says of the algebra with the mistake that it is to catch.
        second: what second provers say, where they were asked.
    """

    _command = "prove"

    name: str
    found: tuple[LemmaResult, ...]
    mistakes: tuple[LemmaResult, ...]
    second: Confirmed = NOT_CONFIRMED

    @property
    def verdict(self) -> str:
        """``proved``; ``refuted``: there are words for which a lemma fails; ``not proved``."""
        if all(each.status is Status.PROVED for each in self.found):
            return "proved"
        return "refuted" if any(each.words for each in self.found) else "not proved"

    @property
    def sentence(self) -> str:
        """How many lemmas are proved, as one sentence."""
        names = {each.lemma.name for each in self.found}
        open_ones = {each.lemma.name for each in self.found if each.status is not Status.PROVED}
        return f"{self.verdict}: {len(names) - len(open_ones)} of {len(names)} lemmas about bitmaps of 64 pages a word"

    @property
    def record(self) -> LemmasRecord:
        """All that ``--json`` prints."""
        made = lemmas_record(list(self.found), list(self.mistakes))
        return replace(made, confirmation=self.second.record or UNSET)

    def print_to(self, console: Console) -> None:
        """Print the result as the terminal shows it."""
        for each in self.found:
            print_lemma(each, console)
        self.print_end(console)

    def print_end(self, console: Console) -> None:
        """Print what comes after the lemmas: the mistakes that they catch, and second provers."""
        print_mistakes(list(self.found), list(self.mistakes), console)
        for line in self.second.lines:
            console.print(Text(line))

    def __bool__(self) -> bool:
        """True: every lemma is proved, and catches its mistake. False: there are words for which one fails.

        Raises:
            UndecidedError: neither is so, or a second prover disagrees.
        """
        if self.verdict == "refuted":
            return False
        if self.verdict != "proved":
            raise self._undecided(self.sentence)
        if not all(each.words for each in self.mistakes):
            raise self._undecided("a lemma does not catch the mistake that it is there for")
        if self.second.disagrees:
            raise self._undecided("a second prover disagrees")
        return True


def prove_bitmaps(
    *,
    seed: int = 0,
    workers: int | None = None,
    confirm: bool = False,
    smt2: str | Path | None = None,
    progress: Show = silent,
) -> LemmasResult:
    """Prove with z3 the lemmas about bitmaps of 64 pages a word, for host pages of 1 to 64 target pages.

    Args:
        seed: of z3's random choices.
        workers: processes that ask second provers; None for one for each core.
        confirm: ask cvc5 and bitwuzla too what z3 has proved.
        smt2: directory to write what z3 has proved to, a question a file, in SMT-LIB 2.
        progress: is called with a line that says how far it is.

    Raises:
        UsageError: a second prover is not installed, or the directory cannot be written.
    """
    whole_numbers(seed=seed)
    unless_none(whole_numbers, workers=workers)
    functions(progress=progress)
    asked = Confirming(confirm, path_or_none("smt2", smt2))
    return run_lemmas(seed, workers, asked, progress, lambda _: None)


def run_lemmas(
    seed: int, workers: int | None, second: Confirming, progress: Show, done: Callable[[LemmaResult], None]
) -> LemmasResult:
    """Prove them.

    Args:
        seed: of z3's random choices.
        workers: processes that ask second provers; None for one for each core.
        second: whether second provers are asked.
        progress: is called with a line that says how far it is.
        done: is called with each answer as it comes.

    Raises:
        UsageError: a second prover is not installed, or the directory cannot be written.
    """
    second.refuse(bit_vectors=True)
    answers = []
    for answer in lemmas.prove_lemmas(LEMMAS, seed=seed):
        answers.append(answer)
        done(answer)
    mistakes = tuple(lemmas.refute_mistake(lemma) for lemma in LEMMAS)
    questions = (question(a.lemma, a.bits) for a in answers if a.status is Status.PROVED)
    confirmation = confirmed(second, questions, workers or cores(), progress)
    return LemmasResult("bitmaps", tuple(answers), mistakes, confirmation)
