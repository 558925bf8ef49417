"""Random walks of the two cores at sizes that cannot be exhausted: no stale read, and never two guests."""

from __future__ import annotations

import random
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postcopy.conformance.moves import Kind, Move, Outside, moves
from postcopy.conformance.world import World
from postcopy.engine.destination_steps import State
from postcopy.engine.log import Thread
from postcopy.engine.source import Phase

ROUGH = (Outside.NETWORK, Outside.SOURCE_HOST, Outside.DESTINATION_HOST)


def rough(move: Move) -> bool:
    return move.who in ROUGH or move.kind in (Kind.CANCELS, Kind.STOPS_WAITING)


def world_with(which: int, pages: int, capacity: int, group: int = 1) -> World:
    """The document's cores, those with recovery, and those with a connection for urgent pages."""
    return World.new(pages, capacity, group, recovery=which == 1, preempt=which == 2)


@settings(deadline=None, max_examples=90)
@given(
    st.integers(0, 2),
    st.sampled_from([(3, 1), (4, 2), (8, 4)]),
    st.integers(1, 4),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_walks(which: int, size: tuple[int, int], capacity: int, with_rough: bool, chance: random.Random) -> None:
    world = world_with(which, size[0], capacity, size[1])
    for _ in range(400):
        possible = [move for move in moves(world) if with_rough or not rough(move)]
        if not possible:
            break
        move = possible[chance.randrange(len(possible))]
        move.do(world)  # raises where the guest or the device load reads a stale page, or a core refuses the other
        assert not (world.source.guest_may_run and not world.guest_stands and world.destination.guest_runs)
        assert world.source.phase != Phase.COMPLETED or world.destination.state >= State.END
        if world.destination.state is State.END:
            assert world.present == (1 << size[0]) - 1
            assert not world.stale


OF_RECOVERY = {
    *(Kind.RECONNECTS, Kind.ASKS_WHAT_ARRIVED, Kind.RESUMES, Kind.STOPS_WAITING, Kind.WAITS, Kind.ACCEPTS),
    Kind.REQUESTS_UNREAD,
}
OF_URGENT_PAGES = {
    *(Kind.OPENS_URGENT, Kind.SERVES_URGENT, Kind.ACCEPTS_URGENT, Kind.RECEIVES_URGENT, Kind.LOSES_URGENT),
}
OF_BOTH = {Kind.OPENS_URGENT_AGAIN, Kind.ACCEPTS_URGENT_AGAIN}
"""Of a recovery that makes the connection for urgent pages anew."""


def test_every_thread_and_every_kind_of_move_takes_part() -> None:
    """Random walks that make a move as soon as it can be made for the first time."""
    made: set[tuple[Thread | Outside, Kind]] = set()
    chance = random.Random(1)
    for _ in range(200):
        world = World.new(2, 2)
        for _ in range(80):
            possible = list(moves(world))
            first = [move for move in possible if (move.who, move.kind) not in made]
            calm = [move for move in possible if not rough(move) or chance.random() < 0.03]
            if not (first or calm):
                break
            move = chance.choice(first or calm)
            made.add((move.who, move.kind))
            move.do(world)
    assert {who for who, _ in made} == {*Thread, *Outside} - {Thread.PREEMPT, Outside.DESTINATION_OPERATOR}
    assert {kind for _, kind in made} == set(Kind) - OF_RECOVERY - OF_URGENT_PAGES - OF_BOTH


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("which", "kinds", "who"),
    [(1, OF_RECOVERY, Outside.DESTINATION_OPERATOR), (2, OF_URGENT_PAGES, Thread.PREEMPT)],
    ids=["recovery", "urgent pages"],
)
def test_so_do_those_of_recovery_and_of_urgent_pages(which: int, kinds: set[Kind], who: Thread | Outside) -> None:
    """Worlds of one page, nearest first."""
    start = world_with(which, 1, 1)
    known, waiting = {start.key()}, deque([start])
    made: set[tuple[Thread | Outside, Kind]] = set()
    while waiting and not kinds <= {kind for _, kind in made}:
        world = waiting.popleft()
        for move in moves(world):
            made.add((move.who, move.kind))
            after = world.copy()
            move.do(after)
            if (key := after.key()) not in known:
                known.add(key)
                waiting.append(after)
    assert kinds <= {kind for _, kind in made}
    assert who in {who for who, _ in made}
