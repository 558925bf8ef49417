"""A run of the model that does what was seen: what nobody saw is put in where a guard needs it, as late as possible.

For each observation an action is looked for that can be it. Where a guard forbids it, the actions are tried that change
what this guard has read, and before these the ones that they need. A run that is found this way is a certificate. That
none is found proves nothing: see `projection`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, product
from typing import NamedTuple, TypeAlias, cast

from postcopy.conformance.qemu.action_facts import ActionFacts, Facts
from postcopy.conformance.qemu.batches import PAGE, Batch, batches, is_request, requests_in
from postcopy.conformance.qemu.breaks import ways_to_break
from postcopy.conformance.qemu.long_run import LongRun
from postcopy.conformance.qemu.observations import (
    Connected,
    Meaning,
    Observation,
    Recording,
    Sent,
    Taken,
    bits_of,
    set_of,
)
from postcopy.language.instance import Instance
from postcopy.language.single_run import Forbidden
from postcopy.language.values import ConcretePages
from postcopy.language.variables import Sort, Variable

DISCARD, SHUT, FAST = "DISCARD", "SHUT_OK", "fast"
DEPTHS = (0, 1, 2, 3, 5, 8, 12, 18)
"""So many actions may need each other in a chain: short chains are tried first."""
EFFORTS = tuple(product((False, True), DEPTHS))
"""How an observation is looked for, one after the other: whether a page may be placed before it is requested, and how
many actions may need each other. Where several streams have a next one, each is tried before any is tried hard."""
AT_FIRST = 3
"""With so many of these is tried what does not come on a connection of its own, before what does."""
EASY, HARD = 400, 4_000
"""So many steps are tried for one observation at each of these depths, at first and when it is tried again."""
LOOKED_AT = 6
"""So many of the variables that a guard has read last are tried to be changed."""


@dataclass(frozen=True)
class Step:
    """An action of the run that was found.

    Attributes:
        action: its name.
        pages: the pages it was taken for, one after the other, as bits; 0 for none.
        seen: the observation that it is; None for a step that nobody saw.
    """

    action: str
    pages: int
    seen: Observation | None


@dataclass(frozen=True)
class Stuck:
    """The first observation for which no action could be found.

    Attributes:
        observation: it.
        number: which one of its stream, from 1; and of how many that is.
        forbidden: for each action that it could have been, the guard that does not hold.
        about: pages that the guards have asked for, beside its own.
    """

    observation: Observation
    stream: int
    number: int
    forbidden: tuple[Forbidden, ...]
    about: tuple[int, ...]


@dataclass
class Witness:
    """The result.

    Attributes:
        explained: how many observations are explained.
        actions: how many actions that took, a set of pages counted as that many.
        hidden: how often each action was put in that nobody saw.
        steps: the run, where it was to be kept.
        stuck: the first observation that is not explained; None where all are.
    """

    explained: int = 0
    actions: int = 0
    hidden: Counter[str] = field(default_factory=Counter)
    steps: list[Step] = field(default_factory=list)
    stuck: Stuck | None = None


ONLY_DOWN = frozenset({0})
EFFECT = "what comes of it"
"""Where a guard stands that is not one: the action can be taken, and something else comes of it."""


class _Need(NamedTuple):
    """An action that is to be taken.

    Attributes:
        pages: its pages, as bits.
        batch: what it has to be; None for an action that nobody saw.
        change: a variable, and the values, stored, of which it has to have one after it.
    """

    its: ActionFacts
    pages: int = 0
    batch: Batch | None = None
    change: tuple[Variable, frozenset[int]] | None = None


_Turn: TypeAlias = tuple[float, int, Batch]
"""Observations that may be next: when they were seen, the number of their stream, and they."""


class _Mark(NamedTuple):
    """Where a search is."""

    tag: int
    trail: int
    state: int


class TooLong(Exception):
    """The search for one observation takes too long."""


class Search:
    """Looks for a run.

    Args:
        instance: the protocol, with as many vCPUs as may wait at once.
        facts: those of its actions.
        recording: what was seen.
        keep: keep the run.
    """

    def __init__(self, instance: Instance, facts: Facts, recording: Recording, *, keep: bool = False) -> None:
        self._facts, self._recording, self._keep = facts, recording, keep
        self._run = LongRun(instance, recording.pages, recording.group, recording.given, recording.failing)
        meanings = {meaning for stream in recording.streams for seen in stream for meaning in seen.means}
        visible_actions = {meaning.action for meaning in meanings if isinstance(meaning, Taken)}
        self._visible = facts.kinds.keys() & recording.shows
        self._hidden = tuple(
            its
            for its in facts.actions
            if its.happens(recording.failing) and not {its.action.name, _method(its)} & visible_actions
        )
        self._ups = {channel.up for channel in instance.channels.values()}
        self._writers: dict[Variable, tuple[ActionFacts, ...]] = {}
        self._last: dict[tuple[Meaning, ...], ActionFacts] = {}
        self._trail: list[tuple[ActionFacts, int]] = []
        self._effort = 0
        self._missing = 0
        self._goal = 0
        self._depth = 0
        self._state = 0
        self._states: dict[tuple[int, str, int], int] = {}
        self._failed: dict[tuple[object, ...], tuple[int, Forbidden]] = {}
        self._forced = False
        self._lost = 0
        self._all = (1 << recording.pages) - 1
        self._to_come_counts = requests_in(recording)
        self._to_come = set_of(list(self._to_come_counts), recording.pages)
        self._about: list[int] = []
        self._may_break = False
        self._numbers = [0] * len(recording.streams)
        self._aside = {n for n, stream in enumerate(recording.streams) if _is_of_requested_pages(stream)}
        self._queues: list[Iterator[Batch]] = [batches(stream, recording) for stream in recording.streams]
        self._waiting = [next(queue, None) for queue in self._queues]
        self._most = EASY
        self._root: Forbidden | None = None
        self.result = Witness()

    def run(self, *, hard: bool = False) -> Witness:
        """Explain as much as can be explained; called again, it goes on where it was stuck.

        Args:
            hard: try more for each observation.
        """
        self._most = HARD if hard else EASY
        self.result.stuck = None
        queues, waiting = self._queues, self._waiting
        while any(waiting):
            least = min(batch.observations[0].generation for batch in waiting if batch is not None)
            turns = [
                (batch.observations[0].time, index, batch)
                for index, batch in enumerate(waiting)
                if batch is not None and batch.observations[0].generation == least
            ]
            turns.sort(key=lambda turn: turn[:2])
            stuck: list[Stuck] = []
            for (_, index, batch), effort in self._tries(turns):
                self._forced, self._depth = effort
                found = self._try(batch)
                if found is None:
                    self._numbers[index] += len(batch.observations)
                    waiting[index] = next(queues[index], None)
                    break
                stuck.append(self._stuck(batch, index, found))
            else:
                several = next((turn for turn in turns if len(turn[2].observations) > 1), None)
                if several is None:
                    last = stuck[-len(turns) :]
                    self.result.stuck = next((its for its in last if not its.observation.means), last[0])
                    break
                queues[several[1]] = chain(several[2].parts(self._recording.pages), queues[several[1]])
                waiting[several[1]] = next(queues[several[1]])
        return self.result

    def _tries(self, turns: Sequence[_Turn]) -> Iterator[tuple[_Turn, tuple[bool, int]]]:
        """What to try one after the other: each that may be next at each effort; connections of their own at the end.

        What comes on a connection of its own may be seen long before what was sent before it. Where a host gives up,
        the other one may not know of it yet: what that does comes first.
        """
        alive = [turn for turn in turns if not turn[2].observations[0].fails]
        if len(alive) < len(turns):
            yield from ((turn, effort) for effort in EFFORTS for turn in alive)
        others = [turn for turn in turns if turn[1] not in self._aside]
        if len(others) < len(turns):
            yield from ((turn, effort) for effort in EFFORTS[:AT_FIRST] for turn in others)
        yield from ((turn, effort) for effort in EFFORTS for turn in turns)

    # -- one observation ------------------------------------------------------------------------------------------

    def _stuck(self, batch: Batch, stream: int, forbidden: tuple[Forbidden, ...]) -> Stuck:
        observation = batch.observations[0]
        about = [page for page in dict.fromkeys(self._about) if page != observation.page]
        number = self._numbers[stream] + 1
        return Stuck(observation, stream, number, forbidden, tuple(about[:3]))

    def _try(self, batch: Batch) -> tuple[Forbidden, ...] | None:
        """Take an action that is this observation, with what it needs; None where that could be done."""
        candidates = [its for meaning in batch.means for its in self._facts.meaning(meaning)]
        last = self._last.get(batch.means)
        if last is not None:
            candidates.sort(key=lambda its: its is not last)
        self._lost = 0
        if batch.arrived is not None:
            self._let_arrive(batch.arrived)
            self._lost = self._all & ~batch.arrived
        elif not self._to_come and any(isinstance(its, Sent) and its.kind == SHUT for its in batch.means):
            self._let_arrive(self._all)
        self._about.clear()
        connects = any(isinstance(meaning, Connected) for meaning in batch.means)
        self._may_break = connects or batch.observations[0].fails
        self._effort = self._most
        refused = []
        for its in candidates:
            self._root = None
            try:
                forbidden = self._try_breaks(its, batch) if connects else self._try_one(its, batch)
            except TooLong:
                forbidden = self._root or Forbidden(its.action.name, "", "the search for what it needs takes too long")
            if forbidden is None:
                self._note(batch)
                self._last[batch.means] = its
                return None
            self._run.back_to(0)
            refused.append(forbidden)
        return tuple(refused)

    def _try_breaks(self, its: ActionFacts, batch: Batch) -> Forbidden | None:
        """Take an action that makes a new connection, after what threads do by themselves when the old one breaks."""
        forbidden: Forbidden | None = None
        for steps in list(ways_to_break(self._run, self._hidden, batch.observations[0].host)):
            self._run.back_to(0)
            try:
                forbidden = self._try_one(its, batch, steps)
            except TooLong:
                if not steps:
                    raise
                self._effort = self._most
                continue
            if forbidden is None:
                break
        return forbidden

    def _try_one(self, its: ActionFacts, batch: Batch, before: Sequence[ActionFacts] = ()) -> Forbidden | None:
        """Take an action, with what it needs. Where it would name too few pages, first what lets it name more."""
        pages = batch.bits if its.action.takes_page else 0
        self._missing, self._goal = 0, batch.bits
        self._start()
        for earlier in before:
            self._take(_Need(earlier))
        self._touch_before(its, batch)
        forbidden = self._bring(_Need(its, pages, batch))
        missing = self._missing
        if forbidden is None or not missing:
            return forbidden
        for helper in self._hidden:
            if not helper.action.takes_page or not any(v.sort is Sort.PAGES for v in helper.writes):
                continue
            self._run.back_to(0)
            self._start()
            if self._bring(_Need(helper, missing)) is None and self._bring(_Need(its, pages, batch)) is None:
                return None
        return forbidden

    def _touch_before(self, its: ActionFacts, batch: Batch) -> None:
        """A page that is placed now and requested later was touched before."""
        if its.action.takes_page or not batch.bits & self._to_come or not _is_taken(batch):
            return
        if not any(message.kind == PAGE for message in its.receives):
            return
        for helper in self._hidden:
            if helper.action.takes_page and any(v.waits for v in helper.writes):
                mark = self._mark()
                if self._bring(_Need(helper, batch.bits)) is None:
                    return
                self._back(mark)

    def _note(self, batch: Batch) -> None:
        self._run.settle()
        result = self.result
        result.explained += len(batch.observations)
        page = batch.observations[0].page
        if page in self._to_come_counts and is_request(batch.observations[0]):
            self._to_come_counts[page] -= 1
            if not self._to_come_counts[page]:
                self._to_come &= ~batch.bits
        for number, (its, pages) in enumerate(self._trail, 1):
            seen = number == len(self._trail)
            result.actions += pages.bit_count() or 1
            if not seen:
                result.hidden[its.action.name] += pages.bit_count() or 1
            if self._keep:
                result.steps.append(Step(its.action.name, pages, batch.observations[0] if seen else None))

    def _let_arrive(self, arrived: int) -> None:
        """Let the destination read these pages, as far as they are next: before a break those that it will say it has,
        and all before it says that it is done."""
        run = self._run
        self._may_break = False
        before = self._depth, self._forced
        self._depth, self._forced = DEPTHS[-1], True
        progress = True
        while progress:
            progress = False
            for name, queue in run.queues.items():
                if not queue or queue[0].pages.bits & ~arrived or not queue[0].pages.bits:
                    continue
                self._effort, self._goal = HARD, 0
                self._start()
                head = Sent(name, queue[0].kind.name)
                for its in self._hidden:
                    if head in its.receives and self._comes(its):
                        self._keep_hidden()
                        progress = True
                        break
                    run.back_to(0)
        self._depth, self._forced = before

    def _comes(self, its: ActionFacts) -> bool:
        """Let an action receive the oldest message of its channel, with what it needs."""
        try:
            return self._bring(_Need(its)) is None
        except TooLong:
            return False

    def _keep_hidden(self) -> None:
        self._run.settle()
        for its, pages in self._trail:
            self.result.actions += pages.bit_count() or 1
            self.result.hidden[its.action.name] += pages.bit_count() or 1
            if self._keep:
                self.result.steps.append(Step(its.action.name, pages, None))

    # -- what an action needs ---------------------------------------------------------------------------------------

    def _mark(self) -> _Mark:
        return _Mark(self._run.tag(), len(self._trail), self._state)

    def _back(self, mark: _Mark) -> None:
        self._run.back_to(mark.tag)
        del self._trail[mark.trail :]
        self._state = mark.state

    def _start(self) -> None:
        """Forget what was tried for another observation."""
        self._trail.clear()
        self._states.clear()
        self._failed.clear()
        self._state = 0

    def _taken(self, its: ActionFacts, pages: int) -> None:
        """Note a step; the same steps from the same state lead to the same state."""
        self._trail.append((its, pages))
        self._state = self._states.setdefault((self._state, its.action.name, pages), len(self._states) + 1)

    def _bring(self, need: _Need, stack: tuple[tuple[str, int], ...] = ()) -> Forbidden | None:
        """Take an action, and before it what its guards need. None where it was taken; else nothing has changed.

        Args:
            need: the action, and what has to come of it.
            stack: the actions that need it.
        """
        before = self._mark()
        left = self._depth - len(stack)
        key = (self._state, need.its.action.name, need.pages, need.change)
        failed = self._failed.get(key)
        if failed is not None and failed[0] >= left:
            return failed[1]
        forbidden = self._attempt(need, (*stack, (need.its.action.name, need.pages)), 2 * left)
        if forbidden is not None:
            self._back(before)
            self._failed[key] = (left, forbidden)
        return forbidden

    def _attempt(self, need: _Need, stack: tuple[tuple[str, int], ...], retries: int) -> Forbidden | None:
        """As `_bring`; its guards are helped so many times at most. What was changed in vain is not taken back."""
        while True:
            forbidden = self._take(need)
            if len(stack) == 1 and forbidden is not None:
                self._root = forbidden
            if forbidden is None or not forbidden.where or len(stack) > self._depth or retries < 0:
                return forbidden
            helped = self._drain(forbidden, stack) if forbidden.waits_for else None
            if helped is False:
                return forbidden
            if helped is None:
                break
        mark, nearest = self._mark(), forbidden
        for helper in list(self._helpers(need, forbidden)):
            if (helper.its.action.name, helper.pages) in stack:
                continue
            if self._bring(helper, stack) is None:
                again = self._attempt(need, stack, retries - 1)
                if again is None:
                    return None
                nearest = again if again.where != forbidden.where else nearest
                self._back(mark)
        return nearest

    def _take(self, need: _Need) -> Forbidden | None:
        """Take an action if what comes of it is what is needed; else nothing has changed."""
        self._effort -= 1
        if self._effort < 0:
            raise TooLong
        mark = self._mark()
        forbidden = self._outcome(need)
        if forbidden is None:
            self._taken(need.its, need.pages)
        else:
            self._back(mark)
        return forbidden

    def _outcome(self, need: _Need) -> Forbidden | None:
        """Take an action, and say what is wrong with it."""
        name = need.its.action.name
        forbidden = self._run.step(need.its.action, need.pages)
        if forbidden is not None:
            return forbidden
        if not self._is(need):
            return Forbidden(name, "", self._not_that(need.batch))
        if need.batch is None and self._comes_too_early():
            return Forbidden(name, "", "a page would come that is requested later, or lost")
        if need.change is not None:
            variable, values = need.change
            if all(self._run.value(variable) != variable.decode(its) for its in values):
                return Forbidden(name, EFFECT, f"{variable.name} would become {self._run.value(variable)}")
        return None

    def _comes_too_early(self) -> bool:
        """Whether a page was placed that is going to be lost; or requested, and nothing makes it missing again."""
        come = 0
        for event in self._run.events:
            if event.channel and not event.sent and event.what.name == PAGE:
                come |= cast(ConcretePages, event.pages).bits
        if come & self._lost:
            return True
        early = come & self._to_come
        if not early or self._forced:
            return False
        waiting = (message for queue in self._run.queues.values() for message in queue)
        return not any(message.kind.name == DISCARD and message.pages.bits & early for message in waiting)

    def _not_that(self, batch: Batch | None) -> str:
        """Why the step just taken is not what was seen."""
        sent = next((event for event in self._run.events if event.sent), None)
        if sent is None:
            self._missing |= batch.bits if batch is not None and batch.observations[0].pages else 0
            return "it would send nothing"
        if batch is None:
            return f"it would send {sent.what.name}, which nobody saw"
        pages, wanted = cast(ConcretePages, sent.pages).bits, batch.bits
        self._missing |= wanted & ~pages
        name = self._recording.name_of
        parts = [
            f"{extra.bit_count()} pages {how}, the first {name(next(bits_of(extra)))}"
            for extra, how in ((pages & ~wanted, "more"), (wanted & ~pages, "fewer"))
            if extra
        ]
        return f"it would send {sent.what.name}{' with ' * bool(parts)}{' and '.join(parts)}"

    def _is(self, need: _Need) -> bool:
        """Whether the step just taken is what was seen: it sends that message alone, or no message that is seen."""
        batch = need.batch
        sent = [event for event in self._run.events if event.sent]
        seen = [event for event in sent if Sent(event.channel, event.what.name) in self._visible]
        if batch is None:
            return not seen
        wanted = [meaning for meaning in batch.means if isinstance(meaning, Sent)]
        if any(isinstance(meaning, Taken) and need.its.may_be(meaning) for meaning in batch.means):
            return len(seen) <= 1 and self._is_about(batch)
        if not wanted:
            return not seen
        if len(seen) != 1 or Sent(seen[0].channel, seen[0].what.name) not in wanted:
            return False
        return cast(ConcretePages, seen[0].pages).bits == batch.bits

    def _is_about(self, batch: Batch) -> bool:
        """Whether a step that receives a message received the one about this page."""
        if batch.observations[0].page < 0:
            return True
        received = [cast(ConcretePages, e.pages).bits for e in self._run.events if e.channel and not e.sent]
        return not received or received[0] == batch.bits

    def _drain(self, forbidden: Forbidden, stack: tuple[tuple[str, int], ...]) -> bool | None:
        """Let what is in front of the message be received. None where nothing is in front: there is no message."""
        queue = self._run.queues[forbidden.waits_for]
        if not queue:
            return None
        head = Sent(forbidden.waits_for, queue[0].kind.name)
        effort = self._effort + 1  # that of the try that has failed for this message
        for its in self._hidden:
            busy = any(name == its.action.name for name, _ in stack)
            if head in its.receives and not busy and self._bring(_Need(its), stack) is None:
                self._effort = effort  # however many messages are in front
                return True
        return False

    def _helpers(self, need: _Need, forbidden: Forbidden) -> Iterator[_Need]:
        """Actions that may change what the guard has read, with the pages to take them for; likely ones first."""
        if forbidden.waits_for:
            wanted = {sent for sent in need.its.receives if sent.channel == forbidden.waits_for}
            for helper in self._hidden:
                if helper.sends & wanted and not helper.sends & self._visible:
                    yield _Need(helper)
            return
        for variable in self._asked_for(forbidden):
            for helper in self._writers_of(variable):
                if helper.breaks and not self._may_break:
                    continue
                values = helper.writes[variable]
                if values == ONLY_DOWN and variable in self._ups and not self._may_break:
                    continue
                change = None
                if values is not None:
                    good = self._that_help(need, forbidden, variable, values)
                    if not good:
                        continue
                    change = (variable, good)
                for chosen in self._pages_for(helper, variable, need.pages):
                    yield _Need(helper, chosen, change=change)

    def _asked_for(self, forbidden: Forbidden) -> list[Variable]:
        """The variables that the guard has asked for: those that its line names, or else those read last."""
        read = list(dict.fromkeys(v for v in reversed(self._run.read) if not v.ghost and not v.chosen))
        words = set(re.findall(r"\w+", forbidden.guard))
        named = [v for v in read if re.split(r"[.\[]", v.name)[1] in words or v.owner in words]
        return named if named and "self._" not in forbidden.guard else read[:LOOKED_AT]

    def _pages_for(self, helper: ActionFacts, variable: Variable, pages: int) -> Iterator[int]:
        if not helper.action.takes_page:
            yield 0
            return
        value = self._run.value(variable) if variable.sort is Sort.PAGES else 0
        have = value if isinstance(value, int) else 0
        for wanted in dict.fromkeys((pages, self._goal)):
            if wanted:
                yield wanted & ~have or wanted
        if not pages & have:
            yield from self._around(have)

    def _around(self, have: int) -> Iterator[int]:
        for _, page in zip(range(2), bits_of(have), strict=False):
            self._about.append(page)
            yield 1 << page

    def _writers_of(self, variable: Variable) -> tuple[ActionFacts, ...]:
        if variable not in self._writers:
            found = [its for its in self._hidden if variable in its.writes]
            found.sort(key=lambda its: (its.breaks, its.breaks and its.action.machine != "wire"))
            self._writers[variable] = tuple(found)
        return self._writers[variable]

    def _that_help(
        self, need: _Need, forbidden: Forbidden, variable: Variable, values: frozenset[int]
    ) -> frozenset[int]:
        """The values of the variable with which the guard would hold, or a part of it that stands in front."""
        read = list(self._run.read)
        before = (forbidden.where, forbidden.guard, read)
        good = set()
        for stored in values:
            give_back = self._run.with_value(variable, variable.decode(stored))
            mark = self._mark()
            again = self._outcome(need)
            if again is None or (again.where, again.guard, self._run.read) != before:
                good.add(stored)
            self._back(mark)
            give_back()
        self._run.read[:] = read
        return frozenset(good)


def _is_of_requested_pages(stream: Sequence[Observation]) -> bool:
    """Whether a stream is that of a preempt channel: it has nothing but pages, and those of the main stream are on
    another channel."""
    return bool(stream) and all(
        isinstance(its, Sent) and its.channel == FAST for observation in stream for its in observation.means
    )


def _method(its: ActionFacts) -> str:
    return f"{its.action.machine}.{its.action.method}"


def _is_taken(batch: Batch) -> bool:
    return any(isinstance(meaning, Taken) for meaning in batch.means)


def steps_in_words(steps: Sequence[Step], recording: Recording) -> Iterator[str]:
    """A kept run, a line each: the action, its pages, and what was seen."""
    for number, step in enumerate(steps, 1):
        pages = step.pages.bit_count()
        about = "" if not pages else f" {recording.name_of(next(bits_of(step.pages)))}"
        more = f" and {pages - 1} more pages" if pages > 1 else ""
        seen = "not seen" if step.seen is None else f"{step.seen.words} ({step.seen.place})"
        yield f"{number:6}. {step.action}{about}{more}: {seen}"
