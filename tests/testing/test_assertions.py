"""The assertions without the plugin: what passes, what fails, and what has no verdict."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from postcopy.errors import UsageError
from postcopy.language import Answer, Step, every_step
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.properties.witnesses import WITNESSES
from postcopy.testing import (
    InconclusiveError,
    VerdictError,
    WeakVerdictWarning,
    assert_holds,
    assert_proved,
    assert_violates,
    at_sizes,
)
from tests.export.tiny import Tiny
from tests.protocols.smallest import C as Smallest


@every_step("What is done stays done")
def stays_done(step: Step) -> Answer:
    """The work was done, and is not any more."""
    stays: Answer = not step.before.m.done or step.after.m.done
    return stays


FAULT = next(iter(FAULTS.values()))


def test_what_holds_passes_and_gives_the_result() -> None:
    assert assert_holds(Tiny, pages=1, in_flight=1).verdict == "holds"


def test_what_weakens_a_verdict_is_a_warning_and_with_strict_a_failure() -> None:
    asked = {"pages": 1, "in_flight": 1, "properties": WITNESSES}
    with pytest.warns(WeakVerdictWarning, match=r"Postcopy: not reachable with 1 page.* and \d+ more warnings"):
        assert_holds(Postcopy, **asked)  # type: ignore[arg-type]
    with pytest.raises(VerdictError, match=r"with strict=True what weakens it fails:\nnot reachable with 1 page"):
        assert_holds(Postcopy, strict=True, **asked)  # type: ignore[arg-type]


def test_a_violation_fails_with_its_story() -> None:
    with pytest.raises(VerdictError, match="Counterexample to") as error:
        assert_holds(FAULT, pages=1, in_flight=1, properties=FAULT.breaks[0])
    assert not error.value.result


def test_a_fault_violates_what_it_names() -> None:
    result = assert_violates(FAULT, FAULT.breaks[0], pages=1, in_flight=1)
    assert result.violated == FAULT.breaks[0]
    assert result.counterexample is not None


def test_what_is_not_violated_fails_with_the_size() -> None:
    with pytest.raises(VerdictError, match="no-page-lost is not violated by Postcopy with 1 page, 1 message in flight"):
        assert_violates(Postcopy, "no-page-lost", pages=1, in_flight=1)


def test_a_lack_of_time_is_no_verdict() -> None:
    searches: tuple[Callable[[], object], ...] = (
        lambda: assert_holds(Postcopy, seconds=0.001),
        lambda: assert_violates(Postcopy, "no-page-lost", seconds=0.001),
    )
    for search in searches:
        with pytest.raises(InconclusiveError, match=r"Postcopy: inconclusive: 0.001 seconds were over"):
            search()


def test_a_proof_passes_or_says_what_is_missing() -> None:
    assert assert_proved(Smallest, pages=1, in_flight=1, properties=[stays_done]).verdict == "proved"
    with pytest.raises(VerdictError, match=r"Refuted: .* violates"):
        assert_proved(FAULT, pages=1, in_flight=1, properties=FAULT.breaks[0])


MISTAKES: tuple[tuple[Callable[[], object], str], ...] = (
    (lambda: assert_holds("prempt"), "there is no protocol prempt; did you mean preempt?"),
    (
        lambda: assert_violates(Postcopy, "no-page-lots"),
        "there is no property no-page-lots; did you mean no-page-lost?",
    ),
    (
        lambda: assert_violates(Postcopy, ["no-page-lost"]),  # type: ignore[arg-type]
        "violated is the name of one property, and not ['no-page-lost']",
    ),
    (lambda: at_sizes(pages=(1, 3), host_page=(2,)), "no size is left: give numbers, and a host_page that divides one"),
    (lambda: at_sizes(pages=1), "at_sizes: pages are whole numbers in a list, such as pages=(1, 2), and not 1"),  # type: ignore[arg-type]
    (lambda: at_sizes(in_flight=("1",)), "at_sizes: in_flight are whole numbers in a list"),  # type: ignore[arg-type]
)


@pytest.mark.parametrize(("act", "said"), MISTAKES)
def test_a_mistake_is_named(act: Callable[[], object], said: str) -> None:
    with pytest.raises(UsageError) as error:
        act()
    assert said in str(error.value)


def test_sizes_have_names() -> None:
    mark = at_sizes(pages=(1, 2), in_flight=(1,), host_page=(None, 2)).mark
    assert mark.kwargs["ids"] == ["p1-m1", "p2-m1", "p2-m1-h2"]


def test_importing_the_assertions_and_the_plugin_reads_no_search() -> None:
    program = (
        "import sys, pytest, postcopy.testing.plugin\n"
        "print([name for name in sys.modules if name.startswith('postcopy') and 'testing' not in name])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["['postcopy', 'postcopy.surface', 'postcopy.errors']"]
