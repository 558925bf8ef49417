"""Second provers are an extra: the tests that ask one need it."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest


def needs(prover: str) -> pytest.MarkDecorator:
    """Skip where the prover is not installed; in CI it has to be."""
    return pytest.mark.skipif(
        find_spec(prover) is None and "CI" not in os.environ, reason=f"{prover} is not installed (postcopy-mc[proof])"
    )


needs_cvc5, needs_bitwuzla = needs("cvc5"), needs("bitwuzla")
