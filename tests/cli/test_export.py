"""`postcopy export`: where it writes, what it says, what it refuses."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run

CHANGE = """
from postcopy.model.postcopy import Postcopy

class Mine(Postcopy):
    pass
"""


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("form", "begins"),
    [
        ("promela", "/* Postcopy: 1 page, 1 message in flight."),
        ("tla", "------------------------------ MODULE Postcopy"),
        ("aut", 'des (0,17272,2723)\n(0,"initially(FALSE,FALSE,FALSE)",1)'),
    ],
)
def test_without_a_file_it_prints(run: Run, form: str, begins: str) -> None:
    result = run("export", form, "--pages", "1", "--in-flight", "1")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(begins)


@pytest.mark.unmeasured
def test_it_writes_a_file(run: Run, tmp_path: Path) -> None:
    result = run("export", "promela", "--pages", "1", "--fault", "no-discards", "-o", str(tmp_path / "x.pml"))
    assert result == type(result)(0, "", "")
    assert "assert(no_stale_device_read)" in (tmp_path / "x.pml").read_text()
    assert "no-discards: 1 page" in (tmp_path / "x.pml").read_text()


def test_a_module_has_the_name_of_its_file_and_its_configuration_beside_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(CHANGE)
    assert run("export", "tla", f"{tmp_path}/mine.py:Mine", "-o", str(tmp_path / "Mine2.tla")).code == 0
    assert " MODULE Mine2 -" in (tmp_path / "Mine2.tla").read_text()
    assert (tmp_path / "Mine2.cfg").read_text().startswith("SPECIFICATION Spec\n")


def test_only_the_chosen_properties_are_exported(run: Run) -> None:
    result = run("export", "promela", "--pages", "1", "--property", "no-two-guests")
    assert "assert(no_two_guests)" in result.out
    assert "assert(no_deadlock)" not in result.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("promella",), "there is no export promella; did you mean promela?"),
        (("tla", "-o", "x.txt"), "a TLA+ module is called as its file"),
        (("tla", "-o", "a-b.tla"), "a TLA+ module is called as its file"),
        (("aut", "--pages", "4"), "more than 100,000 states"),
        (("promela", "-o", "/no/such/directory/x.pml"), "cannot write"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(run: Run, arguments: tuple[str, ...], says: str) -> None:
    result = run("export", *arguments)
    assert result.code == 2
    assert result.out == ""
    assert says in result.err
    assert result.err.count("\n") == 1
