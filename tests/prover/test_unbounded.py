"""The unbounded interpretation means the same as the concrete one: z3 takes the steps that the concrete interpretation
takes.

A concrete state is told to z3 in the words of the unbounded interpretation (which page is in which set, which message
is at which position); a step of the unbounded interpretation must then be possible, and must lead to the concrete state
after it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import z3

from postcopy.language import expressions as ex
from postcopy.language.actions import numbers_of
from postcopy.language.concrete import Transition, answer_in, holds, successors
from postcopy.language.expressions import NumberVariable, PagesVariable, TruthExpr
from postcopy.language.instance import Instance, State
from postcopy.language.properties import of_each_page
from postcopy.language.protocol import Protocol
from postcopy.language.symbolic import read_action, read_predicate
from postcopy.language.variables import Sort, Variable
from postcopy.model.changes.hinted_pages import HintedPagesFilled
from postcopy.model.postcopy import Postcopy
from postcopy.properties.invariant import INVARIANT
from postcopy.properties.safety import SAFETY
from postcopy.prover.channel_expressions import MessagesVariable
from postcopy.prover.clauses import paths_of
from postcopy.prover.formulas import Meaning, Polarity, Queue, Symbols
from postcopy.prover.single_copies import channels_of_single_copies
from postcopy.prover.unbounded import UnboundedInterpretation, messages_of
from tests.language.cases.requests import AnnouncesAll, ConfusesBoth, CriesWolf, Requests
from tests.language.cases.test_neighbours import Scan, WideScan
from tests.language.cases.test_two_pages import Swapping, TakesItself
from tests.prover.walks import walk

PROPERTIES = [p for p in SAFETY if p.of_states or p.of_steps]
CLAIMS = [*INVARIANT, *(p for p in SAFETY if p.of_states)]


def _asserted(formula: Any, polarity: Polarity) -> Any:
    return formula if polarity is Polarity.POSITIVE else z3.Not(formula)


class FiniteState:
    """A finite state in the words of the unbounded interpretation."""

    def __init__(self, instance: Instance) -> None:
        self.instance, single = instance, channels_of_single_copies(instance)
        self.symbols = Symbols(instance.variables, instance.channels.values(), single)
        self.pages = [z3.Const(f"p{i}", self.symbols.page) for i in range(instance.pages)]
        hosts = [self.symbols.host(page) for page in self.pages]
        groups = [i // instance.group for i in range(instance.pages)]
        a = z3.Const("a", self.symbols.page)
        self.world = [
            z3.Distinct(*self.pages),
            z3.ForAll([a], z3.Or(*(a == page for page in self.pages))),
            *((hosts[i] == hosts[j]) == (groups[i] == groups[j]) for i in range(len(hosts)) for j in range(i)),
            *(fact for previous in (False, True) for fact in self._order(previous)),
        ]

    def _order(self, previous: bool) -> Iterator[Any]:
        """The neighbours of the pages on one side."""
        in_order = self.pages[::-1] if previous else self.pages
        for page, beside in zip(in_order, [*in_order[1:], None], strict=True):
            there, which = self.symbols.neighbour(page, previous)
            yield there == (beside is not None)
            if beside is not None:
                yield which == beside

    def state(self, meaning: Meaning, state: State) -> list[Any]:
        """That the state meant is this one; channels from their head on."""
        value = dict(zip(self.instance.variables, state, strict=True))
        facts = []
        slots = {v for c in self.instance.channels.values() for s in c.slots for v in s.variables}
        for v in self.instance.variables:
            if v in slots:
                continue
            if v.sort is Sort.NUMBER:
                facts.append(meaning.number(NumberVariable(v)) == value[v])
            else:
                facts += [self._iff(meaning, v, page, value[v] >> i & 1) for i, page in enumerate(self.pages)]
        for channel in self.instance.channels.values():
            queue = meaning.queue(MessagesVariable(messages_of(channel)))
            full = [slot for slot in channel.slots if value[slot.kind]]
            capacity = self.symbols.channels[messages_of(channel)].capacity
            facts += [queue.tail - queue.head == len(full), capacity == len(channel.slots)]
            for n, slot in enumerate(full):
                facts += self._message(queue, queue.head + n, value, slot)
        return facts

    def _iff(self, meaning: Meaning, v: Variable, page: Any, member: int) -> Any:
        polarity = Polarity.POSITIVE if member else Polarity.NEGATIVE
        return _asserted(meaning.member(PagesVariable(v), page, polarity), polarity)

    def _message(self, queue: Queue, at: Any, value: dict[Variable, int], slot: Any) -> list[Any]:
        facts = [queue.kind(at) == value[slot.kind]]
        for name, field in slot.fields.items():
            if field.sort is Sort.NUMBER:
                facts.append(queue.number(name, at) == value[field])
                continue
            for i, page in enumerate(self.pages):
                said = Polarity.POSITIVE if value[field] >> i & 1 else Polarity.NEGATIVE
                facts.append(_asserted(queue.says(name, at, page, said), said))
        for i, page in enumerate(self.pages):
            told = value[slot.pages] >> i & 1
            facts.append(
                queue.concerns(at, page, Polarity.POSITIVE)
                if told
                else z3.Not(queue.concerns(at, page, Polarity.NEGATIVE))
            )
        for name, mark in slot.marks.items():
            has = Polarity.POSITIVE if value[mark] else Polarity.NEGATIVE
            concerned = [page for i, page in enumerate(self.pages) if value[slot.pages] >> i & 1]
            facts += [_asserted(queue.marked(name, at, page, has), has) for page in (None, *concerned)]
        return facts

    def possible(self, before: State, step: Transition, after: State) -> bool:
        """Whether z3 can take the action in the state and come to the other one."""
        first, other, *_ = (*numbers_of(step.page), 0, 0)
        page = self.pages[first]
        solver = z3.Solver()
        solver.set("timeout", 10_000)
        solver.add(self.symbols.other == self.pages[other])
        solver.add(*self.world, *self.state(Meaning(self.symbols, "given", page), before))
        for guard, leaf in paths_of(read_action(self.instance, step.action, UnboundedInterpretation)):
            solver.push()
            meaning = Meaning(self.symbols, "step", page, leaf.updates, page)
            told = [*(meaning.before.truth(part) for part in guard), *self.state(meaning, after)]
            solver.add(*told, *meaning.definitions)
            answer = solver.check()
            solver.pop()
            assert answer != z3.unknown
            if answer == z3.sat:
                return True
        return False

    def may_be(self, state: State, claim: TruthExpr, each_page: bool, holds: bool) -> bool:
        """Whether z3 finds nothing against a claim that holds (or does not) in a state."""
        solver = z3.Solver()
        solver.set("timeout", 10_000)
        meaning = Meaning(self.symbols, "claim", self.pages[0])
        if holds:
            told = meaning.for_every_page(lambda: meaning.truth(claim)) if each_page else meaning.truth(claim)
            claims = [told]
        else:
            page = z3.Const("some page", self.symbols.page)
            meaning = Meaning(self.symbols, "claim", page)
            claims = [meaning.truth(ex.negation(claim))]
        solver.add(*self.world, *self.state(Meaning(self.symbols, "given", self.pages[0]), state))
        solver.add(*claims, *meaning.definitions)
        answer = solver.check()
        assert answer != z3.unknown
        return bool(answer == z3.sat)


def mixed(instance: Instance, states: list[State], choose: random.Random) -> State:
    """A state with fields and channels of several states: it need not be one that can be reached."""
    channels = {v: name for name, c in instance.channels.items() for s in c.slots for v in s.variables}
    chosen = {name: choose.choice(states) for name in instance.channels}
    base = choose.choice(states)

    def value(i: int, v: Variable) -> int:
        if v in channels:
            return chosen[channels[v]][i]
        return (choose.choice(states) if choose.random() < 0.3 else base)[i]

    return tuple(value(i, v) for i, v in enumerate(instance.variables))


@pytest.mark.slow
@pytest.mark.parametrize("group", [1, 2])
def test_z3_finds_a_claim_true_where_the_concrete_reading_does(group: int) -> None:
    instance = Instance(Postcopy, 2, 2, PROPERTIES, group)
    told, choose = FiniteState(instance), random.Random(group)
    states = list(dict.fromkeys(walk(instance, runs=40, steps=60, seed=group)))
    claims = [(p, read_predicate(instance, p.holds, UnboundedInterpretation)) for p in CLAIMS]
    seen = set()
    for _ in range(150):
        state = mixed(instance, states, choose)
        for prop, claim in claims:
            true = holds(answer_in(instance, state, prop.holds))
            if (prop, true) not in seen:
                seen.add((prop, true))
                each = of_each_page(prop.holds)
                assert told.may_be(state, claim, each, holds=True) is true, prop.name
                assert told.may_be(state, claim, each, holds=False) is not true, prop.name
    assert len([prop for prop, true in seen if not true]) > 45


def test_z3_finds_the_messages_that_say_what_is_asked() -> None:
    claims = (*Requests.properties, *Requests.invariant)
    instance = Instance(Requests, 2, 2, [p for p in claims if not p.of_runs])
    told, choose = FiniteState(instance), random.Random(1)
    wrong = [Instance(protocol, 2, 2) for protocol in (ConfusesBoth, CriesWolf, AnnouncesAll)]
    states = [state for each in wrong for state in dict.fromkeys(walk(each, runs=20, steps=20, seed=1))]
    asked: Counter[tuple[str, bool]] = Counter()
    for _ in range(60):
        state = mixed(instance, states, choose)
        for prop in claims:
            true = holds(answer_in(instance, state, prop.holds))
            if asked[prop.name, true] < 4 and state[instance.index[instance.variable["requests[0].kind"]]]:
                asked[prop.name, true] += 1
                claim, each = read_predicate(instance, prop.holds, UnboundedInterpretation), of_each_page(prop.holds)
                assert told.may_be(state, claim, each, holds=True) is true, prop.name
                assert told.may_be(state, claim, each, holds=False) is not true, prop.name
    assert len(asked) == 2 * len(claims)


def test_z3_takes_no_step_to_a_state_that_differs_in_one_field() -> None:
    instance = Instance(Requests, 2, 2)
    told, choose = FiniteState(instance), random.Random(1)
    states = list(dict.fromkeys(walk(instance, runs=12, steps=12, seed=1)))
    (channel,) = instance.channels.values()
    taken = set()
    for state in choose.sample(states, min(12, len(states))):
        for step in successors(instance, state):
            full = [slot for slot in channel.slots if step.state[instance.index[slot.kind]]]
            fields = [v for slot in full for v in slot.fields.values()]
            for variable in [*fields, instance.variable["server.announced"], instance.variable["server.tries"]]:
                i = instance.index[variable]
                most = 4 if variable.sort is Sort.PAGES else variable.size
                other = (*step.state[:i], (step.state[i] + 1) % most, *step.state[i + 1 :])
                if (step.action.name, variable) not in taken:
                    taken.add((step.action.name, variable))
                    assert not told.possible(state, step, other), (step.action.name, variable.name)
    assert len(taken) > 20


@pytest.mark.parametrize("protocol", [Postcopy, HintedPagesFilled], ids=lambda p: p.__name__)
def test_z3_marks_the_copies_that_the_concrete_reading_marks(protocol: type[Protocol]) -> None:
    """One of these writes one page, the other all pages of a host page that were given back."""
    instance = Instance(protocol, 2, 1, group=2)
    told = FiniteState(instance)
    (slot,) = instance.channels["stream"].slots
    mark, pages = instance.index[slot.marks["stale"]], instance.index[slot.pages]
    asked: Counter[tuple[int, int]] = Counter()
    for state in dict.fromkeys(walk(instance, runs=12, steps=50, seed=1)):
        for step in successors(instance, state) if state[pages] else ():
            case = state[mark], step.state[mark]
            if step.action.name == "source.guest_writes" and asked[case] < 2:
                asked[case] += 1
                other = (*step.state[:mark], 1 - step.state[mark], *step.state[mark + 1 :])
                assert told.possible(state, step, step.state)
                assert not told.possible(state, step, other)
    assert asked.keys() == {(0, 0), (0, 1), (1, 1)}


@pytest.mark.parametrize(
    ("protocol", "group"),
    [
        (Postcopy, 1),
        (Postcopy, 2),
        (Requests, 1),
        (Requests, 2),
        (Swapping, 1),
        (TakesItself, 1),
        (Scan, 1),
        (WideScan, 2),
    ],
)
def test_z3_takes_the_steps_that_the_concrete_reading_takes_and_no_others(protocol: type[Protocol], group: int) -> None:
    instance = Instance(protocol, 2, 2, PROPERTIES if protocol is Postcopy else (), group)
    told, choose = FiniteState(instance), random.Random(group)
    states = list(dict.fromkeys(walk(instance, runs=12, steps=50, seed=group)))
    seen = set()
    for state in choose.sample(states, min(70, len(states))):
        again = len(states) < 70  # a small protocol: each of its few steps is asked of several states
        steps = [step for step in successors(instance, state) if again or step.action.name not in seen]
        if not steps:
            continue
        step = choose.choice(steps)
        seen.add(step.action.name)
        assert told.possible(state, step, step.state), step.action.name
        other = choose.choice([s for s in states if s != step.state])
        same = {s.state for s in successors(instance, state) if (s.action, s.page) == (step.action, step.page)}
        assert not told.possible(state, step, other) or other in same, step.action.name
    assert len(seen) > 20 or seen == {action.name for action in instance.actions}
