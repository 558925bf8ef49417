"""The symbolic interpretation means the same as the concrete one: on random protocols, and on the document's own."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from postcopy.errors import SpecError
from postcopy.language.actions import ActionInstance, PageChoice
from postcopy.language.concrete import may_rest, successors, take, violated_by
from postcopy.language.instance import Instance, State
from postcopy.language.path_joining import join_paths
from postcopy.language.symbolic import read_action, read_predicate, read_resting
from postcopy.language.trees import Tree
from postcopy.language.values import ConcretePages
from postcopy.model.network import Command
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Phase
from tests.language.evaluator import Outcome, apply, evaluate
from tests.strategies import RANDOM_PROPERTIES, random_protocols, random_states

pytestmark = pytest.mark.unmeasured

QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


MISHAPS = re.compile("dies|cancels|loses|gives_up|to_finish_in_precopy")
"""What ends a walk early: taken now and then only."""


def concrete(instance: Instance, state: State, action: ActionInstance, page: PageChoice) -> Outcome | str | None:
    """The concrete interpretation's answer, in the evaluator's words; an error as its message without the place."""
    try:
        taken = take(instance, state, action, page)
    except SpecError as error:
        return str(error).removeprefix(f"{error.where}: ")
    if taken is None:
        return None
    if taken.error is not None:
        return str(taken.error).removeprefix(f"{taken.error.where}: ")
    events = []
    for event in taken.events:
        assert isinstance(event.pages, ConcretePages)
        events.append((event.what, event.pages.bits, event.channel, event.sent))
    return Outcome(taken.state, tuple(events), taken.violated, None)


def symbolic(tree: Tree, instance: Instance, state: State, page: PageChoice) -> Outcome | str | None:
    """The symbolic interpretation's answer in the same form."""
    outcome = apply(tree, instance, state, page)
    return outcome.error if outcome is not None and outcome.error is not None else outcome


def agree(instance: Instance, trees: dict[str, Tree], state: State) -> None:
    """Both interpretations give the same answer for every action and page."""
    for action in instance.actions:
        for page in action.choices(instance.pages):
            expected = concrete(instance, state, action, page)
            assert symbolic(trees[action.name], instance, state, page) == expected, (action.name, page)


def joined(trees: dict[str, Tree]) -> dict[str, Tree]:
    """The same trees with as many paths joined as can be."""
    return {name: join_paths(tree, most=1) for name, tree in trees.items()}


@QUICK
@given(st.data())
def test_random_protocols_read_both_ways_mean_the_same(data: st.DataObject) -> None:
    pages, group = data.draw(st.sampled_from([(1, 1), (2, 1), (2, 2), (3, 1), (4, 2)]))
    protocol = data.draw(random_protocols())
    instance = Instance(protocol, pages, data.draw(st.integers(1, 2)), RANDOM_PROPERTIES, group)
    trees = {action.name: read_action(instance, action) for action in instance.actions}
    invariants = [(p.name, read_predicate(instance, p.holds)) for p in RANDOM_PROPERTIES if p.of_states]
    resting = read_resting(instance)
    for _ in range(4):
        state = data.draw(random_states(instance))
        agree(instance, trees, state)
        agree(instance, joined(trees), state)
        for name, invariant in invariants:
            assert evaluate(invariant, state, None, instance) == (name not in violated_by(instance, state))
        assert evaluate(resting, state, None, instance) == may_rest(instance, state)


@QUICK
@given(st.data())
def test_numbers_that_leave_their_range_are_reported_by_both_interpretations(data: st.DataObject) -> None:
    protocol = data.draw(random_protocols(careful=False))
    instance = Instance(protocol, 2, 1)
    try:
        trees = {action.name: read_action(instance, action) for action in instance.actions}
    except SpecError as error:
        if "leaves its range" not in str(error):
            raise
        reject()  # a constant that is out of range is told at once
    state = data.draw(random_states(instance))
    agree(instance, trees, state)
    agree(instance, joined(trees), state)


@pytest.mark.parametrize(("pages", "group"), [(2, 1), (2, 2), (3, 1)])
def test_the_document_read_both_ways_means_the_same_on_random_walks(pages: int, group: int) -> None:
    instance = Instance(Postcopy, pages, 2, group=group)
    trees = {action.name: read_action(instance, action) for action in instance.actions}
    together = joined(trees)
    resting = read_resting(instance)
    chance = random.Random(pages * 10 + group)
    seen: set[State] = set()
    for _ in range(8):
        state = chance.choice(instance.initial_states())
        for _ in range(60):
            if state not in seen:
                seen.add(state)
                agree(instance, trees, state)
                agree(instance, together, state)
                assert evaluate(resting, state, None, instance) == may_rest(instance, state)
            following = [step for step in successors(instance, state) if step.state != state]
            hopeful = [step for step in following if not MISHAPS.search(step.action.method)]
            if not following:
                break
            state = chance.choice(hopeful if hopeful and chance.random() < 0.98 else following).state
    phases = {state[instance.index[instance.variable["source.phase"]]] for state in seen}
    assert len(seen) > 80
    assert list(Phase).index(Phase.POSTCOPY) in phases


def test_what_is_sent_and_received_is_an_event_in_both_interpretations() -> None:
    """Both interpretations share the code that notes events: so it is held against the text of the protocol."""
    instance = Instance(Postcopy, 1, 1)
    actions = {action.name: action for action in instance.actions}
    state = instance.initial_states()[-1]
    seen = []
    for name in ("source.operator_starts_migration", "source.opens_return_path", "destination.opens_return_path"):
        answer = concrete(instance, state, actions[name], None)
        assert isinstance(answer, Outcome)
        assert answer == symbolic(read_action(instance, actions[name]), instance, state, None)
        state = answer.state
        seen.append(answer.events)
    command = Command.OPEN_RETURN_PATH
    assert seen == [(), ((command, 0, "stream", True),), ((command, 0, "stream", False),)]
