"""Whether any run of the model does what was seen of a few pages: all runs at once, at the size of these pages.

What happens to one page does not depend on what the others hold, and guards that ask for all pages ask that a set is
empty: a run of many pages, looked at for a few of them, is a run of the model with these few. So where no run explains
what was seen of a few pages, none explains the recording. That one does proves nothing of the other pages.

The states in which the model can be are kept as a set. Before an observation of a host that host may take any steps
that nobody saw; the other host's are left for later, because only messages can tell when they were taken: unless it can
send one that nobody sees. Channels are not bounded.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

from postcopy.conformance.qemu.action_facts import ActionFacts, Facts
from postcopy.conformance.qemu.batches import is_request
from postcopy.conformance.qemu.observations import Connected, Observation, Recording, Sent, Taken
from postcopy.conformance.qemu.remembered import Effect, State, Steps

SECONDS = 60.0
"""So long at most is a question worked at."""


@dataclass(frozen=True)
class Refutation:
    """No run of the model explains what was seen of these pages.

    Attributes:
        pages: their numbers.
        observation: the last that was looked at: with it no run is left.
        states: how many states were looked at.
    """

    pages: tuple[int, ...]
    observation: Observation
    states: int


class OutOfTime(Exception):
    """The question was given up."""


def companions(recording: Recording, page: int) -> tuple[int, ...]:
    """The page, and where the switch discards pages and not this one, one that it discards.

    With that page a switch that discards something is one at the size of a few pages, too.
    """
    discarded = 0
    for observation in _all(recording):
        if any(isinstance(its, Sent) and its.kind == "DISCARD" for its in observation.means):
            discarded |= observation.pages or 0
    others = [page] if page >= 0 else []
    if not discarded or (page >= 0 and discarded >> page & 1):
        return tuple(others) or (0,)
    return (*others, (discarded & -discarded).bit_length() - 1)


def _all(recording: Recording) -> Iterator[Observation]:
    for stream in recording.streams:
        yield from stream


def project(recording: Recording, pages: Sequence[int]) -> Recording:
    """What was seen of a few pages, which are numbered anew."""
    number = {page: index for index, page in enumerate(pages)}

    def streams() -> Iterator[list[Observation]]:
        for stream in recording.streams:
            kept = []
            for observation in stream:
                if observation.page >= 0:
                    if observation.page in number:
                        kept.append(replace(observation, page=number[observation.page]))
                elif observation.pages is None:
                    kept.append(observation)
                else:
                    bits = sum((observation.pages >> page & 1) << index for page, index in number.items())
                    if bits or not any(isinstance(its, Sent) and its.kind == "DISCARD" for its in observation.means):
                        kept.append(replace(observation, pages=bits))
            yield kept

    return replace(recording, streams=tuple(streams()), pages=len(pages))


class Projection:
    """All runs of a protocol that explain what was seen of a few pages.

    Args:
        steps: the protocol's steps at the size of these pages.
        facts: those of its actions.
        recording: what was seen of all pages.
        pages: the few, at most three.
    """

    def __init__(self, steps: Steps, facts: Facts, recording: Recording, pages: Sequence[int]) -> None:
        self._facts, self._pages, self._steps = facts, tuple(pages), steps
        self._recording = project(recording, pages)
        self._visible = {(its.channel, its.kind) for its in facts.kinds.keys() & recording.shows}
        named = {
            its.action for stream in recording.streams for o in stream for its in o.means if isinstance(its, Taken)
        }
        hidden = [
            its
            for its in facts.actions
            if its.happens(recording.failing)
            and not {its.action.name, f"{its.action.machine}.{its.action.method}"} & named
            and any(not variable.ghost for variable in its.writes)
        ]
        self._hidden = {machine: [its for its in hidden if its.action.machine == machine] for machine in facts.machines}
        self._talkers = self._who_sends_unseen(hidden)
        self._alike = [n for n, v in enumerate(steps.variables) if v.waits and "[" in v.name]
        self._ever_written = {v for its in facts.actions if its.happens(recording.failing) for v in its.writes}
        self._successors: dict[tuple[State, str], list[_Step]] = {}
        self._closures: dict[tuple[State, frozenset[str], int, bool], dict[State, _Reached]] = {}
        self._private: dict[int, bool] = {}
        self._end = 0.0
        self.states = 0

    def _who_sends_unseen(self, hidden: Sequence[ActionFacts]) -> frozenset[str]:
        """Hosts that can send what nobody sees on a channel of which something is seen: not left for later."""
        seen = {channel for channel, _ in self._visible}
        return frozenset(
            its.action.machine
            for its in hidden
            if any((m.channel, m.kind) not in self._visible and m.channel in seen for m in its.sends)
            and (self._recording.given.get("preempt", True) or any(m.channel != "fast" for m in its.sends))
        )

    def refuted(self, seconds: float = SECONDS) -> Refutation | None:
        """The observation with which no run is left; None where some run explains all.

        Args:
            seconds: of processor time, at most.

        Raises:
            OutOfTime: it takes too long.
        """
        self._end = time.process_time() + seconds
        streams = self._recording.streams
        reached: dict[tuple[int, ...], set[State]] = {(0,) * len(streams): {self._canonical(self._steps.start)}}
        last: Observation | None = None
        while reached:
            following: dict[tuple[int, ...], set[State]] = {}
            for at, states in reached.items():
                turns = self._turns(at)
                if not turns:
                    return None
                for index, observation in turns:
                    last = observation
                    found = self._after(states, observation, at)
                    if found:
                        then = (*at[:index], at[index] + 1, *at[index + 1 :])
                        following.setdefault(then, set()).update(found)
            reached = following
        return None if last is None else Refutation(self._pages, last, self.states)

    def _turns(self, at: tuple[int, ...]) -> list[tuple[int, Observation]]:
        streams = self._recording.streams
        rest = [(n, streams[n][position]) for n, position in enumerate(at) if position < len(streams[n])]
        least = min((observation.generation for _, observation in rest), default=0)
        return [turn for turn in rest if turn[1].generation == least]

    def _after(self, states: Iterable[State], observation: Observation, at: tuple[int, ...]) -> set[State]:
        candidates = [its for meaning in observation.means for its in self._facts.meaning(meaning)]
        breaks = observation.fails or any(isinstance(its, Connected) for its in observation.means)
        hosts = frozenset({"source", "destination", "wire"} if breaks else {observation.host, *self._talkers})
        wanted = self._requested_later(at)
        bits = 1 << observation.page if observation.page >= 0 else observation.pages or 0
        sends = {(its.channel, its.kind) for its in observation.means if isinstance(its, Sent)}
        actions = [its for its in observation.means if isinstance(its, Taken)]
        found: set[State] = set()
        for state in states:
            for before, reached in self._closure(state, hosts, wanted, breaks=breaks).items():
                for its in candidates:
                    effect = self._steps.take(before, its.action, bits if its.action.takes_page else 0)
                    taken = any(its.may_be(action) for action in actions)
                    if effect is None or not self._shows(effect, set() if taken else sends, bits, taken=taken):
                        continue
                    if not any(_independent(earlier, effect) for earlier in reached.deferrable):
                        found.add(self._canonical(effect.on(before)))
        return found

    def _shows(self, effect: Effect, wanted: set[tuple[str, str]], bits: int, *, taken: bool) -> bool:
        """Whether a step shows what was seen, and no more."""
        seen = [(channel, kind, pages) for channel, kind, pages in effect.sent if (channel, kind) in self._visible]
        if not wanted:
            return taken or not seen
        return len(seen) == 1 and seen[0][:2] in wanted and seen[0][2] == bits

    def _requested_later(self, at: tuple[int, ...]) -> int:
        wanted = 0
        for stream, position in zip(self._recording.streams, at, strict=True):
            for observation in stream[position:]:
                if is_request(observation):
                    wanted |= 1 << observation.page
        return wanted

    def _closure(self, state: State, hosts: frozenset[str], wanted: int, *, breaks: bool) -> dict[State, _Reached]:
        """All states to which steps lead that nobody saw, nearest first."""
        key = (state, hosts, wanted, breaks)
        if key not in self._closures:
            seen = {state: _Reached(0, [])}
            for now, reached in _growing(seen):
                if time.process_time() > self._end:
                    raise OutOfTime
                for step in self._from(now, hosts, wanted, breaks=breaks):
                    known = seen.setdefault(step.after, _Reached(reached.distance + 1, []))
                    if known.distance > reached.distance and self._may_wait(step, breaks=breaks):
                        known.deferrable.append(step.effect)
            self.states += len(seen)
            self._closures[key] = seen
        return self._closures[key]

    def _from(self, state: State, hosts: frozenset[str], wanted: int, *, breaks: bool) -> Iterator[_Step]:
        for host in hosts:
            if (state, host) not in self._successors:
                self._successors[state, host] = list(self._hidden_steps(state, host))
            for step in self._successors[state, host]:
                if (not step.its.breaks or breaks) and not step.touches & ~wanted:
                    yield step

    def _hidden_steps(self, state: State, host: str) -> Iterator[_Step]:
        for its in self._hidden.get(host, ()):
            touches = its.action.info.environment and any(v.waits for v in its.writes)
            for bits in (1 << page for page in range(len(self._pages))) if its.action.takes_page else (0,):
                effect = self._steps.take(state, its.action, bits)
                if effect is not None and not any(sent[:2] in self._visible for sent in effect.sent):
                    after = self._canonical(effect.on(state))
                    if after != state:
                        yield _Step(its, effect, after, bits if touches else 0)

    def _may_wait(self, step: _Step, *, breaks: bool) -> bool:
        """Whether a step can be taken after the next that is seen, where the two have nothing to do with each other.

        It concerns one host alone, which may take it later. A break may lose a message that it receives.
        """
        effect = step.effect
        if id(effect) not in self._private:
            variables, machine = self._steps.variables, step.its.action.machine
            written = all(variables[n].owner == machine for n, _ in effect.writes)
            read = all(variables[n].owner == machine or variables[n] not in self._ever_written for n in effect.reads)
            receives = all(what == "pop" for _, what in effect.queues)
            self._private[id(effect)] = written and read and receives and not effect.looks
        return self._private[id(effect)] and not (breaks and effect.hears)

    def _canonical(self, state: State) -> State:
        """The state; which of the vCPUs waits for a page is of no importance."""
        values = state.values
        waits = [values[n] for n in self._alike]
        if not any(waits):
            return state
        new = list(values)
        for n, value in zip(self._alike, sorted(waits), strict=True):
            new[n] = value
        return State(tuple(new), state.queues)


@dataclass(frozen=True)
class _Step:
    """A step that nobody saw.

    Attributes:
        after: the state after it.
        touches: the pages that it touches and may wait for.
    """

    its: ActionFacts
    effect: Effect
    after: State
    touches: int


class _Reached(NamedTuple):
    """How a state is reached by hidden steps.

    Attributes:
        distance: how many it takes at least.
        deferrable: the last steps of the shortest ways, as far as they may wait.
    """

    distance: int
    deferrable: list[Effect]


def _growing(seen: dict[State, _Reached]) -> Iterator[tuple[State, _Reached]]:
    """The states in the order in which they were found, those that are found meanwhile as well."""
    todo = deque(seen)
    known = len(seen)
    while todo:
        state = todo.popleft()
        yield state, seen[state]
        if len(seen) > known:
            todo.extend(islice(seen, known, None))
            known = len(seen)


def _independent(earlier: Effect, later: Effect) -> bool:
    """Whether two steps, the one right before the other, do the same in the other order."""
    writes, then = {n for n, _ in earlier.writes}, {n for n, _ in later.writes}
    channels = earlier.hears | {n for n, _ in earlier.queues}
    others = later.hears | later.looks | {n for n, _ in later.queues}
    return not (writes & (later.reads | then) or then & earlier.reads or channels & others)
