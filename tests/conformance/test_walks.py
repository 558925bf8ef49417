"""Random walks of the two cores at sizes that cannot be exhausted: no stale read, and never two guests."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from postcopy.conformance.moves import Kind, Outside, moves
from postcopy.conformance.world import World
from postcopy.engine.destination import State
from postcopy.engine.source import Phase

ROUGH = (Outside.NETWORK, Outside.SOURCE_HOST, Outside.DESTINATION_HOST)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from([(3, 1), (4, 2), (8, 4)]), st.integers(1, 4), st.booleans(), st.randoms(use_true_random=False))
def test_walks(size: tuple[int, int], capacity: int, rough: bool, chance: random.Random) -> None:
    world = World.new(size[0], capacity, size[1])
    for _ in range(400):
        possible = [move for move in moves(world) if rough or not (move.who in ROUGH or move.kind is Kind.CANCELS)]
        if not possible:
            break
        move = possible[chance.randrange(len(possible))]
        move.do(world)  # raises where the guest or the device load reads a stale page, or a core refuses the other
        assert not (world.source.guest_may_run and not world.guest_stands and world.destination.guest_runs)
        assert world.source.phase != Phase.COMPLETED or world.destination.state >= State.END
        if world.destination.state is State.END:
            assert world.present == (1 << size[0]) - 1
            assert not world.stale
