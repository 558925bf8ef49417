"""`postcopy run`: what it refuses at once, in one line."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Run, refused


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--seed", "1e20", "Invalid value for '--seed'"),
        ("--seed", "100000000000000000000", "--seed 100000000000000000000: a number of at most 64 bits"),
        ("--seed", "9223372036854775808", "--seed 9223372036854775808: a number of at most 64 bits"),
        ("--seed", "-9223372036854775809", "--seed -9223372036854775809: a number of at most 64 bits"),
        ("--rate", "100000000000000000000", "--rate 100000000000000000000: 0 to 1,000,000,000"),
        ("--rate", "-1", "--rate -1: 0 to 1,000,000,000"),
        ("--switch", "99999999999999999999", "--switch 99999999999999999999: at most 86,400 seconds"),
        ("--switch", "-1", "--switch -1: at-once, first-pass, never, or a number of seconds"),
        ("--timeout", "1e20", "--timeout 1e+20: more than 0 to 86,400 seconds"),
        ("--settle", "nan", "--settle nan: 0 to 86,400 seconds"),
        ("--recover", "-1", "--recover -1: 0 to 86,400 seconds"),
        ("--recover", "1e9", "--recover 1e+09: 0 to 86,400 seconds"),
        ("--break-after", "0", "--break-after 0: a number of pages from 1 on"),
        ("--break-after", "-3", "--break-after -3: a number of pages from 1 on"),
        ("--vcpus", "100000000000000000000", "--vcpus 100000000000000000000: 1 or 2"),
    ],
)
def test_a_number_out_of_range(run: Run, option: str, value: str, says: str) -> None:
    assert says in refused(run, "run", "--size", "256K", option, value)


def test_a_break_that_never_came_is_said(run: Run) -> None:
    small = ("run", "--size", "256K", "--memory", "software", "--switch", "at-once", "--settle", "0")
    result = run(*small, "--break-after", "100000")
    assert (result.code, "conformance: conforms" in result.out) == (0, True)
    assert "0 of 1 breaks: the migration was over before the others" in result.err
    assert "breaks" not in run(*small).err
