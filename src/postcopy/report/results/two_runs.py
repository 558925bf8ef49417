"""Two runs beside each other, of one protocol or of two: where they part, and what differs from then on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

from postcopy.language.trace import Label, Trace
from postcopy.report.story.held import Held, held
from postcopy.report.story.tell import Story, StoryStep, tell


@dataclass(frozen=True)
class Pair:
    """A step of the one run beside the same step of the other, or beside none.

    Attributes:
        steps: the step of each run; None where only the other run takes it.
        taken: how many steps each run has taken by then.
    """

    steps: tuple[StoryStep | None, StoryStep | None]
    taken: tuple[int, int]

    @property
    def same(self) -> bool:
        """Both runs take the step."""
        return None not in self.steps


@dataclass(frozen=True)
class Differing:
    """A part of the state that is not the same in both runs.

    Attributes:
        variable: its name in the model.
        owner: the machine, channel or observer that it belongs to, in words.
        title: what it is, in the document's words.
        ghost: no thread knows it; it is there for the properties.
        values: what it holds in each run, in words; None where the protocol has no such part.
    """

    variable: str
    owner: str
    title: str
    ghost: bool
    values: tuple[str | None, str | None]


@dataclass(frozen=True)
class TwoRuns:
    """Two runs, step by step beside each other.

    Attributes:
        names: of the two protocols.
        runs: the two.
        pairs: their steps, aligned: as many as possible of the steps that both take in the same order.
        common: how many steps they begin with in common.
    """

    names: tuple[str, str]
    runs: tuple[Trace, Trace]
    pairs: tuple[Pair, ...]
    common: int

    @cached_property
    def stories(self) -> tuple[Story, Story]:
        """The two in words."""
        return tell(self.runs[0]), tell(self.runs[1])

    @cached_property
    def _parts(self) -> tuple[dict[str, Held], dict[str, Held]]:
        one, other = ({part.variable: part for part in held(run)} for run in self.runs)
        return one, other

    @property
    def alike(self) -> bool:
        """Both take the same steps, through the same states, to the same end."""
        return all(pair.same for pair in self.pairs) and self.states_part is None and self._claims[0] == self._claims[1]

    @property
    def _claims(self) -> list[tuple[str | None, int | None]]:
        return [(run.violated, run.loop) for run in self.runs]

    @cached_property
    def states_part(self) -> int | None:
        """The number of common steps after which the states differ first; None where they never do before the runs
        part."""
        numbers = range(self.common + 1)
        return next((n for n in numbers if any(None not in it.values for it in self.differing((n, n)))), None)

    def differing(self, taken: tuple[int, int]) -> list[Differing]:
        """What is not the same in the two states.

        Args:
            taken: how many steps each run has taken.
        """
        one, other = self._parts
        found = []
        for name in dict.fromkeys((*one, *other)):
            values = (_at(one.get(name), taken[0]), _at(other.get(name), taken[1]))
            if values[0] != values[1]:
                part = one[name] if name in one else other[name]
                found.append(Differing(name, part.owner, part.title, part.ghost, values))
        return found

    def after_parting(self) -> tuple[int, int]:
        """How many steps each run has taken after the first step that differs; a run that has ended stays there."""
        one, other = (min(self.common + 1, len(run.steps)) for run in self.runs)
        return one, other

    def only(self, which: int) -> list[StoryStep]:
        """The steps that only one of the runs takes: 0 for the first run, 1 for the second."""
        return [step for pair in self.pairs if not pair.same and (step := pair.steps[which]) is not None]


def two_runs(names: tuple[str, str], one: Trace, other: Trace) -> TwoRuns:
    """Put two runs beside each other.

    A step is the same where its action has the same name and the same pages.

    Args:
        names: of their protocols.
        one, other: the runs.
    """
    stories = tell(one).steps, tell(other).steps
    common = _common(one.labels, other.labels)
    return TwoRuns(names, (one, other), tuple(_pairs(stories, one.labels, other.labels, common)), common)


def _common(one: list[Label], other: list[Label]) -> int:
    """How many labels two lists begin with in common."""
    number = 0
    for mine, its in zip(one, other, strict=False):
        if mine != its:
            break
        number += 1
    return number


def _pairs(
    steps: tuple[tuple[StoryStep, ...], tuple[StoryStep, ...]], one: list[Label], other: list[Label], common: int
) -> Iterator[Pair]:
    mine, its = steps
    for i in range(common):
        yield Pair((mine[i], its[i]), (i + 1, i + 1))
    matcher = SequenceMatcher(None, one[common:], other[common:], autojunk=False)
    for what, begin, end, other_begin, other_end in matcher.get_opcodes():
        first, last, start, stop = (n + common for n in (begin, end, other_begin, other_end))
        if what == "equal":
            for k in range(last - first):
                yield Pair((mine[first + k], its[start + k]), (first + k + 1, start + k + 1))
            continue
        for i in range(first, last):
            yield Pair((mine[i], None), (i + 1, start))
        for j in range(start, stop):
            yield Pair((None, its[j]), (last, j + 1))


def _at(part: Held | None, step: int) -> str | None:
    """What a part of the state holds after so many steps."""
    if part is None:
        return None
    return next(value.words for value in part.values if value.since <= step < value.until)
