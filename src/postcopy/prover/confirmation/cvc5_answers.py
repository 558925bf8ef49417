"""What cvc5 says of a question: a prover with quantifiers, as z3 is, and with a search of its own."""

from __future__ import annotations

import cvc5

WORK = 200_000_000
"""How much cvc5 may work on a question, in its own units. Unlike seconds, these do not depend on what else the machine
does."""


def answer(text: str) -> str:
    """What cvc5 says of the one ``(check-sat)`` of a text: ``unsat``, ``sat``, or ``unknown`` and why.

    Raises:
        RuntimeError: cvc5 cannot read the text.
    """
    solver = cvc5.Solver(cvc5.TermManager())
    solver.setOption("rlimit-per", str(WORK))
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "question")
    symbols, said = parser.getSymbolManager(), ""
    while not (command := parser.nextCommand()).isNull():
        said = str(command.invoke(solver, symbols)).strip() or said
    return said
