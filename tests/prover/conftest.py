"""The whole proof, made once."""

import pytest

from postcopy.model.postcopy import Postcopy
from postcopy.properties.invariant import INVARIANT
from postcopy.properties.safety import SAFETY
from postcopy.prover.obligations import Proof, prove


@pytest.fixture(scope="session")
def proof() -> Proof:
    return prove(Postcopy, SAFETY, INVARIANT)
