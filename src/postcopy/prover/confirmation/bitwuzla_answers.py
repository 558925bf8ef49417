"""What bitwuzla says of a question about bit-vectors: a prover that is made for them."""

from __future__ import annotations

import bitwuzla

MILLISECONDS = 120_000
"""How long bitwuzla may work on a question; it has no measure of work but time."""


def answer(text: str) -> str:
    """What bitwuzla says of the assertions of a text: ``unsat``, ``sat``, or ``unknown``.

    Raises:
        bitwuzla.BitwuzlaException: bitwuzla cannot read the text.
    """
    options = bitwuzla.Options()
    options.set(bitwuzla.Option.TIME_LIMIT_PER, MILLISECONDS)
    parser = bitwuzla.Parser(bitwuzla.TermManager(), options)
    parser.parse(text, True, False)  # reads only: `check_sat` asks, and gives the answer instead of printing it
    return str(parser.bitwuzla().check_sat()).removeprefix("Result.").lower()
