"""Random walks of the two cores at sizes that cannot be exhausted: no stale read, and never two guests."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from postcopy.conformance.moves import Kind, Move, Outside, moves
from postcopy.conformance.world import World
from postcopy.engine.destination import State
from postcopy.engine.log import Thread
from postcopy.engine.source import Phase

ROUGH = (Outside.NETWORK, Outside.SOURCE_HOST, Outside.DESTINATION_HOST)


def rough(move: Move) -> bool:
    return move.who in ROUGH or move.kind is Kind.CANCELS


@settings(deadline=None, max_examples=60)
@given(st.sampled_from([(3, 1), (4, 2), (8, 4)]), st.integers(1, 4), st.booleans(), st.randoms(use_true_random=False))
def test_walks(size: tuple[int, int], capacity: int, with_rough: bool, chance: random.Random) -> None:
    world = World.new(size[0], capacity, size[1])
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
    assert {who for who, _ in made} == {*Thread, *Outside}
    assert {kind for _, kind in made} == set(Kind)
