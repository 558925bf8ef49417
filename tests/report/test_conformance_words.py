"""What is said of the engine held against the model in every interleaving."""

from __future__ import annotations

from postcopy.conformance.refinement import Failure, Refinement
from postcopy.report.results.conformance import refined


def test_all_interleavings_are_behaviours_of_the_model() -> None:
    (line,) = refined(
        Refinement(states=1200, transitions=3400, actions={"source.pauses_guest": 2, "network.breaks": 1})
    )
    assert line == (
        "the engine's cores refine the model at this size: every interleaving, 1,200 states, 3,400 transitions; "
        "2 of the model's actions were taken"
    )


def test_a_run_that_is_none_of_the_models_is_told_with_the_rule() -> None:
    failure = Failure(("the source begins", "it sends a page twice"), "only a dirty page is sent", "R10")
    assert refined(Refinement(states=7, transitions=9, failure=failure)) == [
        "the engine does what the model does not (7 states, 9 transitions until then)",
        "  1. the source begins",
        "  2. it sends a page twice",
        "why: only a dirty page is sent (R10)",
    ]
