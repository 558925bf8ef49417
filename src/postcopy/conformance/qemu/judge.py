"""The verdict on a recording: conforms, refuted or unknown, and what stands behind it."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator
from functools import cache
from typing import Literal, cast

import msgspec

from postcopy.conformance.qemu.action_facts import Facts
from postcopy.conformance.qemu.observations import Meaning, Observation, Recording
from postcopy.conformance.qemu.projection import OutOfTime, Projection, Refutation, companions
from postcopy.conformance.qemu.remembered import Steps
from postcopy.conformance.qemu.witness import Search, Step, Stuck, Witness, steps_in_words
from postcopy.language.instance import Instance
from postcopy.language.protocol import Protocol

FIRST_SECONDS, SECONDS = 2.0, 40.0
"""So long at most, of processor time, it is asked whether any run explains what was seen: before a run is looked for
harder, and after."""
LEAST_SECONDS = 2.0
"""So long at least is each of several sets of pages looked at, where a run has been looked for harder already."""


class Seen(msgspec.Struct, frozen=True):
    """An observation, as a record.

    Attributes:
        words: what was seen, in QEMU's words.
        place: where it stands in the recording.
        host: whose step it was.
        number: which one of its stream, from 1; 0 where that was not counted.
    """

    words: str
    place: str
    host: str
    number: int = 0


class Nearest(msgspec.Struct, frozen=True):
    """An action that the observation could have been.

    Attributes:
        action: its name in the model.
        qemu: the function of QEMU that does it; empty where the model names none.
        guard: the guard that does not hold, or what is wrong with it.
        where: where that guard stands; empty where it is no guard.
    """

    action: str
    qemu: str
    guard: str
    where: str


class Judgement(msgspec.Struct, frozen=True):
    """The result of `postcopy conform --wire` and `--trace`.

    Attributes:
        verdict: conforms, refuted or unknown.
        protocol: what it was held against.
        observations: how many things were seen.
        explained: how many of them the run explains that was found; all, where it conforms.
        actions: how many actions that run has; each page of a step that is taken for several counts.
        seconds: how long it took.
        pages: how many target pages the guest has.
        first: the first observation that nothing explains; none where it conforms.
        about: the pages for which no run explains it, as QEMU says them; empty where it concerns no page.
        nearest: the actions that it could have been, and why they are none.
        why: in a sentence.
        hidden: how often the run has each action that nobody saw.
        inferred: what was not seen and is taken to be so.
        unseen: what such a recording cannot show.
        options: options and capabilities, as they were taken to be.
    """

    verdict: Literal["conforms", "refuted", "unknown"]
    protocol: str
    observations: int
    explained: int
    actions: int
    seconds: float
    pages: int
    first: Seen | None
    about: tuple[str, ...]
    nearest: tuple[Nearest, ...]
    why: str
    hidden: dict[str, int]
    inferred: tuple[str, ...]
    unseen: tuple[str, ...]
    options: dict[str, bool]


class Question:
    """A recording to be held against a protocol.

    Args:
        name: what reports call the protocol.
        protocol: it.
    """

    def __init__(self, name: str, protocol: type[Protocol]) -> None:
        self._name = name
        self._instance = Instance(with_vcpus(cast(Hashable, protocol)), 1, 1)
        self._facts = Facts(self._instance)
        self._known: dict[tuple[object, ...], Steps] = {}
        self._qemu = {action.name: action.info.qemu for action in self._instance.actions}

    def has(self, kind: str) -> bool:
        """Whether a message of this kind is sent in the protocol."""
        return any(message.kind == kind for its in self._facts.actions for message in its.sends)

    def knows(self, meaning: Meaning) -> bool:
        """Whether the protocol has such a message or action."""
        return bool(self._facts.meaning(meaning))

    def judge(self, recording: Recording, *, keep: bool = False) -> tuple[Judgement, Iterator[str]]:
        """The verdict, and the run that was found, a line each, where it was to be kept.

        Args:
            recording: what was seen.
            keep: keep the run.
        """
        began = time.monotonic()
        search = Search(self._instance, self._facts, recording, keep=keep)
        witness = search.run()
        refutation: Refutation | None = None
        why = ""
        if witness.stuck is not None:
            refutation, why = self._refute(recording, witness.stuck, FIRST_SECONDS, 0.0)
            if refutation is None and search.run(hard=True).stuck is not None:
                refutation, why = self._refute(recording, witness.stuck, SECONDS, LEAST_SECONDS)
        found = self._judgement(recording, witness, refutation, why, time.monotonic() - began)
        steps: list[Step] = witness.steps
        return found, steps_in_words(steps, recording)

    def refuted(self, recording: Recording, pages: tuple[int, ...], seconds: float) -> Refutation | None:
        """Whether no run explains what was seen of a few pages; None where one does.

        Args:
            recording: what was seen.
            pages: one to three: see `companions`.
            seconds: of processor time, at most.

        Raises:
            OutOfTime: it takes longer.
        """
        steps = self._steps(len(pages), recording)
        return Projection(steps, self._facts, recording, pages).refuted(seconds)

    def _refute(self, recording: Recording, stuck: Stuck, most: float, least: float) -> tuple[Refutation | None, str]:
        """Whether no run at all explains what was seen of the pages in question.

        Args:
            most: seconds of processor time, for all sets of pages.
            least: seconds for each of them, however long others have taken.
        """
        observation = stuck.observation
        if not observation.means:
            return Refutation((), observation, 0), observation.why
        if recording.may_lack(observation):
            return None, "the other side's recording ends before: what would explain it may be missing there"
        late, end = False, time.process_time() + most
        for pages in _questions(recording, stuck):
            try:
                found = self.refuted(recording, pages, max(least, end - time.process_time()))
            except OutOfTime:
                late = True
                continue
            if found is not None and self._without_the_end(recording, pages, least):
                return found, "no run of the model explains what was seen of these pages"
        if late:
            return None, "no run was found, and to look at all of them took too long"
        return None, "no run was found; some run explains each of these pages alone"

    def _without_the_end(self, recording: Recording, pages: tuple[int, ...], seconds: float) -> bool:
        """Whether there is none either where only that counts which no side can lack."""
        if not recording.ends:
            return True
        try:
            return self.refuted(recording.up_to_ends(), pages, max(seconds, FIRST_SECONDS)) is not None
        except OutOfTime:
            return False

    def _steps(self, pages: int, recording: Recording) -> Steps:
        """The protocol's steps at a size of a few pages: what was learnt of them for another recording is kept."""
        given, failing = recording.given, recording.failing
        key = (pages, failing, *sorted(given.items()))
        if key not in self._known:
            self._known[key] = Steps(self._instance, pages, given, failing)
        return self._known[key]

    def _judgement(
        self, recording: Recording, witness: Witness, refutation: Refutation | None, why: str, seconds: float
    ) -> Judgement:
        stuck = witness.stuck
        first = stuck.observation if stuck is not None else None
        nearest: tuple[Nearest, ...] = ()
        one = len(recording.streams) == 1
        if stuck is not None and not (one and refutation and refutation.observation.place != stuck.observation.place):
            nearest = tuple(
                Nearest(its.action, self._qemu.get(its.action, ""), its.guard, its.where) for its in stuck.forbidden
            )
        if refutation is not None and len(recording.streams) == 1:
            first = refutation.observation  # of several streams it would only be the one that was looked at last
        verdict: Literal["conforms", "refuted", "unknown"] = "unknown"
        if stuck is None:
            verdict = "conforms"
        elif refutation is not None:
            verdict = "refuted"
        about = refutation.pages if refutation is not None else ()
        return Judgement(
            verdict,
            self._name,
            recording.count,
            witness.explained,
            witness.actions,
            round(seconds, 2),
            recording.pages,
            _seen(first, stuck),
            tuple(recording.name_of(page) for page in about),
            nearest,
            "" if verdict == "conforms" else why,
            dict(witness.hidden.most_common()),
            recording.inferred,
            recording.unseen,
            {name: value for name, value in recording.given.items() if name in self._instance.variable},
        )


def _seen(first: Observation | None, stuck: Stuck | None) -> Seen | None:
    if first is None:
        return None
    number = stuck.number if stuck is not None and stuck.observation.place == first.place else 0
    return Seen(first.words, first.place, first.host, number)


def _questions(recording: Recording, stuck: Stuck) -> Iterator[tuple[int, ...]]:
    """The few pages that are looked at: its own page, and that with each that a guard asked for."""
    own = companions(recording, stuck.observation.page)
    yield own
    for other in stuck.about:
        pages = tuple(dict.fromkeys((*own, other)))
        yield from (companions(recording, other), pages) if stuck.observation.page < 0 else (pages,)


VCPUS = 4
"""As many vCPUs as a protocol may have."""


@cache
def with_vcpus(given: Hashable) -> type[Protocol]:
    """The protocol with as many vCPUs as it may have: a recording does not say how many the guest has."""
    protocol = cast(type[Protocol], given)
    about = {"cpus": VCPUS, "__doc__": protocol.__doc__, "__module__": __name__}
    return type(protocol.__name__, (protocol,), about)
