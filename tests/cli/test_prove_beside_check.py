"""`prove` says what `check` says of changes with false properties, numbers out of range, and deadlocks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from postcopy.catalogue.properties import asked_of
from postcopy.model.postcopy import Postcopy
from postcopy.prover.verdicts import can_be_asked
from tests.cli.conftest import Result, Run

SAFE = len([p for p in asked_of(Postcopy) if can_be_asked(p)])
SMALL = ("--pages", "1", "--in-flight", "1")

HEAD = '''
"""A change of the document's protocol."""

from postcopy.language import Count, Flag, Monitor, Page, Step, View, always, every_step, require
from postcopy.model.destination import Destination
from postcopy.model.network import Command
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Phase, Source

'''

OWN = {
    "own_false": '''
@always("The source never comes to postcopy")
def own(state: View) -> bool:
    """It did."""
    return bool(state.source.phase != Phase.POSTCOPY)
''',
    "p26_prove_own": '''
@always("The guest never runs at the destination")
def own(state: View) -> bool:
    """It runs."""
    return not state.destination.running
''',
    "own_step": '''
@every_step("No page is sent")
def own(step: Step) -> bool:
    """It was."""
    return not step.sends(Command.PAGE)
''',
    "own_pages": '''
@always("The destination has no page")
def own(state: View) -> object:
    """It has some."""
    return state.destination.present
''',
    "own_monitor": '''
class Discarded(Monitor):
    """Remembers that a discard was sent."""

    once = Flag("a discard was sent")

    def watch(self, step: Step) -> None:
        """Look for a discard."""
        if step.sends(Command.DISCARD):
            self.once = True


@always("Nothing is discarded", monitor=Discarded)
def own(state: View) -> bool:
    """It was."""
    return not state.Discarded.once
''',
}
"""False properties of a change of nothing."""

WITH_OWN = '''

class Mine(Postcopy):
    """The protocol, with a property."""

    properties = (own,)
'''

RANGES = {
    "range_change": '''
class Mine(Postcopy):
    """Counts what it serves, in too small a field."""

    class source(Source):
        """Counts."""

        served = Count("how many pages were sent in the background", 0, 1)

        def sends_background_page(self, page: Page) -> None:
            """sends a page in the background and counts it"""
            super().sends_background_page(page)
            self.served += 1
''',
    "counts_down": '''
class Mine(Postcopy):
    """Counts its discards down, and has none to spare."""

    class source(Source):
        """Counts."""

        left = Count("how many discards are left", 0, 3)

        def sends_discards(self) -> None:
            """sends the discards and counts down"""
            super().sends_discards()
            self.left = self.left - 1
''',
    "counts_in_a_monitor": '''
class Sent(Monitor):
    """Counts the pages that are sent."""

    count = Count("how many pages were sent", 0, 1)

    def watch(self, step: Step) -> None:
        """Count."""
        if step.sends(Command.PAGE):
            self.count += 1


@always("Pages are counted", monitor=Sent)
def own(state: View) -> bool:
    """They are."""
    return True


class Mine(Postcopy):
    """Counts in a monitor."""

    properties = (own,)
''',
    "counts_writes": '''
class Mine(Postcopy):
    """Counts the guest's writes at the source, of which there are many."""

    class source(Source):
        """Counts."""

        writes = Count("how often the guest wrote", 1, 2, initial=1)

        def guest_writes(self, page: Page) -> None:
            """writes to a page, and is counted"""
            super().guest_writes(page)
            self.writes += 1
''',
}
"""Changes that leave a field's range."""

DEADLOCKS = {
    "p27_bounded_deadlock": '''
class Mine(Postcopy):
    """Sends nothing in the background."""

    class source(Source):
        """Lazy for ever."""

        sends_background_page = None
''',
    "reads_no_package": '''
class Mine(Postcopy):
    """Never reads the package."""

    class destination(Destination):
        """Leaves it on the stream."""

        reads_package = None
''',
    "never_listens": '''
class Mine(Postcopy):
    """Never handles LISTEN."""

    class destination(Destination):
        """Reads the package, and no further."""

        handles_listen = None
''',
    "never_ends": '''
class Mine(Postcopy):
    """The source never sends EOF."""

    class source(Source):
        """Sends all pages, and then nothing."""

        ends_postcopy = None
''',
}
"""Changes that come to a deadlock."""


def saved(directory: Path, text: str) -> str:
    file = directory / "mine.py"
    file.write_text(HEAD + text, encoding="utf-8")
    return f"{file}:Mine"


def beside(run: Run, *arguments: str) -> tuple[Result, Result]:
    """What `prove` and `check` say of the same."""
    return run("prove", *arguments), run("check", "--no-liveness", *arguments)


@pytest.mark.unmeasured
@pytest.mark.slow_but("own_false")
@pytest.mark.parametrize("name", OWN)
def test_a_false_property_of_ones_own_is_refuted(run: Run, tmp_path: Path, name: str) -> None:
    proof, check = beside(run, saved(tmp_path, OWN[name] + WITH_OWN), *SMALL)
    assert proof.code == check.code == 12
    words = " ".join(proof.out.split())
    assert "violates own; the run is shown" in words
    assert f"{SAFE} of {SAFE + 1} safety properties" in words


@pytest.mark.unmeasured
@pytest.mark.one_in(4)
@pytest.mark.slow_but("own_false")
@pytest.mark.parametrize("name", OWN)
def test_a_false_property_of_ones_own_is_refuted_for_every_size(run: Run, tmp_path: Path, name: str) -> None:
    result = run("prove", saved(tmp_path, OWN[name] + WITH_OWN), "--property", "own", "--json")
    assert result.code == 12
    found = json.loads(result.out)
    (own,) = found["properties"]
    assert (own["name"], own["verdict"], found["violated"]) == ("own", "refuted", "own")
    assert own["counterexample"]["steps"]


@pytest.mark.slow
def test_the_properties_that_a_change_of_the_catalogue_has_are_asked(run: Run) -> None:
    proof, check = beside(run, "--change", "switch-at-package", *SMALL)
    assert proof.code == check.code == 12
    assert "switch-at-package violates loading-costs-no-guest, switch-costs-no-guest" in " ".join(proof.out.split())


@pytest.mark.slow
def test_one_of_them_is_refuted_for_every_size(run: Run) -> None:
    result = run("prove", "--change", "switch-at-package", "--property", "loading-costs-no-guest")
    assert result.code == 12
    assert "Counterexample to “A failure while the devices are loaded costs no guest”" in result.out


@pytest.mark.slow
@pytest.mark.parametrize("name", RANGES)
def test_a_number_out_of_its_range_is_said_as_check_says_it(run: Run, tmp_path: Path, name: str) -> None:
    proof, check = beside(run, saved(tmp_path, RANGES[name]), "--pages", "2", "--in-flight", "1")
    assert proof.code == check.code == 12
    assert "leaves its range" in " ".join(proof.out.split())
    assert "violates numbers-stay-in-range; the run is shown" in " ".join(proof.out.split())


@pytest.mark.unmeasured
@pytest.mark.one_in(4)
@pytest.mark.slow_but("counts_down")
@pytest.mark.parametrize("name", RANGES)
def test_a_number_out_of_its_range_is_found_for_every_size(run: Run, tmp_path: Path, name: str) -> None:
    asked = "own" if "def own" in RANGES[name] else "devices-before-cpus"  # a monitor counts for a property of its own
    result = run("prove", saved(tmp_path, RANGES[name]), "--property", asked)
    assert result.code == 12
    assert "violates numbers-stay-in-range; the run is shown" in " ".join(result.out.split())


@pytest.mark.slow
@pytest.mark.parametrize("name", DEADLOCKS)
def test_a_deadlock_is_refuted_at_a_size(run: Run, tmp_path: Path, name: str) -> None:
    proof, check = beside(run, saved(tmp_path, DEADLOCKS[name]), "--pages", "1", "--property", "no-deadlock")
    assert proof.code == check.code == 11
    assert "violates no-deadlock; the run is shown" in " ".join(proof.out.split())


@pytest.mark.one_in(4)
@pytest.mark.slow
@pytest.mark.parametrize("name", DEADLOCKS)
def test_a_deadlock_is_refuted_for_every_size(run: Run, tmp_path: Path, name: str) -> None:
    result = run("prove", saved(tmp_path, DEADLOCKS[name]), "--property", "no-deadlock")
    assert result.code == 11
    assert "violates no-deadlock; the run is shown" in " ".join(result.out.split())


# -- what is not there -------------------------------------------------------------------------------------------

INAPPLICABLE = '''
class Mine(Postcopy):
    """The document's protocol."""

    inapplicable = {{"{name}": "only to see"}}
'''


@pytest.mark.slow
@pytest.mark.parametrize("name", ["no-page-sent-twice", "guest-goes-on-in-precopy", "no-deadlock", "no-page-lost"])
def test_a_property_that_does_not_apply_takes_no_conjunct_with_it(run: Run, tmp_path: Path, name: str) -> None:
    """The history that it had is there for the conjuncts that read it."""
    result = run("prove", saved(tmp_path, INAPPLICABLE.format(name=name)), *SMALL)
    words = " ".join(result.out.split())
    assert f"not asked: {name}: only to see" in words
    assert "left out" not in words
    assert "1 that does not apply" in words
    if name != "no-page-lost":  # the others are proved with its help
        assert result.code == 0
        assert f"{SAFE - 1} of {SAFE - 1} safety properties" in words


@pytest.mark.slow
def test_recovery_gets_a_verdict_on_each_of_its_properties(run: Run) -> None:
    result = run("prove", "--change", "recovery", *SMALL, "--json")
    assert result.code in (0, 75)
    found = json.loads(result.out)
    assert {p["verdict"] for p in found["properties"]} <= {"proved", "not proved", "not asked"}
    assert "no-page-sent-twice" in found["inapplicable"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--property", "every-requested-page-arrives"], "every-requested-page-arrives speaks of whole runs"),
        (["--property", "completes"], "there is no property completes"),
        (["--property", "no-dead-lock"], "there is no property no-dead-lock; did you mean no-deadlock?"),
    ],
)
def test_a_property_that_a_proof_cannot_be_asked_is_refused(run: Run, arguments: list[str], message: str) -> None:
    result = run("prove", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
