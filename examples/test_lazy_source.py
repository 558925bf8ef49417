"""The tutorial in pytest: what its commands say of its changes. `pytest examples/test_lazy_source.py` runs it."""

from __future__ import annotations

import pytest
from lazy_source import Lazy, Patient

from postcopy import Postcopy, diff
from postcopy.testing import Size, assert_holds, assert_violates, at_sizes

pytestmark = pytest.mark.filterwarnings("ignore::postcopy.testing.WeakVerdictWarning")  # one page is too few for some


def test_a_lazy_source_never_ends() -> None:
    result = assert_violates(Lazy, "no-deadlock", pages=1, in_flight=1)
    assert result.verdict == "deadlock"


def test_a_stream_that_never_ends_does_not_end_too_early() -> None:
    assert_holds(Lazy, pages=1, in_flight=1, properties="ends-clean")


@at_sizes(pages=(1,), in_flight=(1, 2))
def test_a_patient_source_holds(size: Size) -> None:
    assert_holds(Patient, **size)


def test_what_can_be_seen_of_a_migration_is_the_same() -> None:
    assert diff(Postcopy, Patient, pages=1).verdict == "same behaviour"
