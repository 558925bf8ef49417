"""`prepare`: what every large search needs is compiled once, before the first."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from itertools import groupby

from rich.console import Console

from postcopy.api.asking import functions, whole_numbers
from postcopy.api.progress import Show, silent
from postcopy.api.result import Shown, as_json
from postcopy.cache import user_cache
from postcopy.errors import UsageError
from postcopy.explorer.liveness.prepared import Loop, Loops
from postcopy.explorer.liveness.prepared import prepare as compile_missing
from postcopy.report.pages.plain import page
from postcopy.report.records.prepared import LoopsRecord, PreparedRecord
from postcopy.surface import setting

USUAL = (1, 2, 3)
"""Words in a state of the catalogue's protocols: of the document's 1 to 3 at up to 7 pages, of its changes and of
others 1 or 2 at up to 3 pages, of QEMU's 2 at one page and 3 at two."""

MOST_WORDS = 64
"""No protocol has come near this: a state of so many words takes half a kilobyte."""


@dataclass(frozen=True, repr=False)
class PreparedLoops(Shown):
    """Loops that are in the cache.

    Attributes:
        name: what they are.
        found: which, since when, and how large.
    """

    name: str
    found: PreparedRecord

    @property
    def record(self) -> PreparedRecord:
        """All that ``--json`` prints."""
        return self.found

    @property
    def sentence(self) -> str:
        """How many were compiled, and how much room they take."""
        found, now = self.found, sum(each.compiled for each in self.found.loops)
        done = (
            f"{now} of {len(found.loops)} compiled in {found.seconds:.0f} s" if now else "nothing to do: all are there"
        )
        return f"{done}, {found.bytes / 1e6:.1f} MB in {found.cache}"

    def print_to(self, console: Console) -> None:
        """Print the loops, and the sentence."""
        for (loop, compiled), some in groupby(self.found.loops, lambda each: (each.loop, each.compiled)):
            words = [str(each.words) for each in some if each.words is not None]
            of = f" for states of {_listed(words)} word{'s'[: words != ['1']]}" if words else ""
            console.print(f"{loop}{of}: {'compiled' if compiled else 'there already'}", markup=False, soft_wrap=True)
        console.print(self.sentence, markup=False, soft_wrap=True)

    def page(self, command: str = "") -> str:
        """The text of the terminal as a page.

        Args:
            command: the command line that does all this again; may be empty.
        """
        return page("prepare", self.name, "prepared", self.sentence, str(self), command)

    def json(self) -> str:
        """The record as one JSON object, as ``--json`` prints it."""
        return as_json(self.found)


def _listed(words: list[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def prepare(
    words: int | Collection[int] = USUAL, *, small_table: bool = False, progress: Show = silent
) -> PreparedLoops:
    """Compile the loops of large searches, once in a machine's life: they do not depend on the protocol.

    A first check of any protocol then compiles its own kernel alone. What is in the cache already is left as it is.

    Args:
        words: for states of how many 64-bit words; one number or several. A check compiles what is missing.
        small_table: the loop of the small table too, which is the same for any number of words.
        progress: is called with what is being compiled.

    Raises:
        UsageError: a number of words is none or out of range, or the cache cannot be written.
    """
    functions(progress=progress)
    given = list(words) if isinstance(words, Collection) and not isinstance(words, str) else [words]
    if not given:
        raise UsageError(f"{setting('words')} is empty: write how many words a state has")
    for number in given:
        whole_numbers(words=number)
        if not 1 <= number <= MOST_WORDS:
            raise UsageError(f"{setting('words', number)} is out of range: 1 to {MOST_WORDS}")
    numbers = sorted(set(given))
    asked = [Loops(loop, number) for loop in (Loop.SEARCH, Loop.LIVENESS) for number in numbers]
    asked += [Loops(Loop.SMALL_TABLE)] if small_table else []
    began = time.perf_counter()
    compiled = compile_missing(asked, progress)
    found = [LoopsRecord(each.loop, each.words or None, each in compiled, each.bytes) for each in asked]
    took = time.perf_counter() - began
    return PreparedLoops(
        "loops", PreparedRecord(str(user_cache().directory), found, sum(each.bytes for each in found), took)
    )
