"""The one table of exit codes has every verdict that a command can give."""

from typing import get_args

from postcopy.cli.exits import OF_VERDICT, Exit
from postcopy.engine import report
from postcopy.explorer.results import Outcome
from postcopy.explorer.simulation.simulate import Finding
from postcopy.report.results.proof import VerdictWord


def test_every_verdict_has_a_code() -> None:
    verdicts = (
        {outcome.value for outcome in Outcome}
        | {finding.value for finding in Finding}
        | set(get_args(VerdictWord)) - {"refuted"}
    )
    assert set(OF_VERDICT) == verdicts


def test_the_engine_s_codes_are_the_same() -> None:
    engine = (report.OK, report.FAILED, report.GUEST_LOST, report.DAMAGED)
    assert engine == (Exit.OK, Exit.FAILED, Exit.GUEST_LOST, Exit.VIOLATED)
