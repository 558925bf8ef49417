"""Each recipe of docs/recipes.md is a file that does what the page says, and each mistake that it names is found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from postcopy.catalogue.loading import resolve
from postcopy.catalogue.properties import asked_of
from postcopy.errors import SpecError, UsageError
from postcopy.explorer.explore import explore
from postcopy.explorer.kernel.fingerprint import fingerprint
from postcopy.explorer.results import Engine, Options, Verdict
from postcopy.language.instance import Instance
from postcopy.language.python_values import plain_function
from tests.recipes import PAGE, recipes, save

pytestmark = pytest.mark.unmeasured

TEXT = PAGE.read_text(encoding="utf-8")
GUARDED = "            require(self.buffer.empty)\n            super().ends()"
COMMANDS = dict(re.findall(r"^postcopy check (\w+\.py(?::\w+)?) .*# (holds|violated|deadlock)$", TEXT, re.MULTILINE))
"""What the page says of each file, or of a class of it, at the smallest size."""


@pytest.fixture(autouse=True)
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with all files of the page, in which the test runs."""
    save(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def searched(text: str, *, name: str = "") -> Verdict:
    """The verdict on states and steps at the smallest size, or on one property."""
    _, protocol = resolve(text)
    asked = [p for p in asked_of(protocol) if (p.name == name if name else not p.of_runs and not p.is_witness)]
    return explore(Instance(protocol, 1, 1, asked), Options(engine=Engine.INTERPRETED))


def test_all_python_on_the_page_is_a_file_that_a_command_checks() -> None:
    assert len(recipes()) == TEXT.count("```python")
    assert recipes().keys() == {text.partition(":")[0] for text in COMMANDS}


@pytest.mark.parametrize("text", COMMANDS)
def test_a_recipe_does_what_the_page_says_and_takes_its_own_steps(text: str) -> None:
    verdict = searched(text)
    assert verdict.outcome.value == COMMANDS[text], verdict.violated
    if COMMANDS[text] == "holds":
        machines = verdict.instance.machines
        never = [a for a in verdict.instance.actions if a.name in verdict.never_fired]
        functions = [plain_function(getattr(machines[a.machine], a.method)) for a in never]
        assert not [f for f in functions if f is not None and f.__code__.co_filename == text.partition(":")[0]]


@pytest.mark.parametrize(
    ("name", "left_out", "violated"),
    [
        ("split_placing.py", ", role=Role.LANDING", "no-page-lost"),
        ("split_placing.py", GUARDED, "nothing-missing-at-end"),
        ("prefetch.py", re.findall(r"    inapplicable = .*\n", TEXT)[0], "only-faults-requested"),
        ("time_out.py", "            self.observe(Mishap.FAILURE)\n", "failed-for-a-reason"),
        ("out_of_memory.py", "            self.observe(Mishap.FAILURE)\n", "no-guest-lost"),
        ("keepalive.py", "            require(self.pulse.room())\n", "messages-have-room"),
    ],
)  # fmt: skip
def test_a_mistake_that_the_page_names_is_found(saved: Path, name: str, left_out: str, violated: str) -> None:
    text = recipes()[name]
    assert text.count(left_out) == 1
    kept = "            super().ends()" if "super" in left_out else ""
    (saved / "mistaken.py").write_text(text.replace(left_out, kept))
    assert f"`{violated}`" in TEXT
    found = searched("mistaken.py", name="" if violated == "messages-have-room" else violated)
    assert found.violated is not None
    assert found.violated.name == violated


def test_a_part_that_a_property_reads_is_not_removed_and_the_error_says_what_to_write(saved: Path) -> None:
    (saved / "p16.py").write_text(
        "from postcopy.model.postcopy import Postcopy\nclass C(Postcopy):\n    'Without a wire.'\n    wire = None\n"
    )
    with pytest.raises(SpecError, match=r'declare inapplicable = \{"no-guest-lost": "the reason"') as error:
        searched("p16.py")
    assert "C removes wire" in str(error.value)
    declared = re.findall(r"declare (inapplicable = \{.*?\}) in C", str(error.value))[0]
    (saved / "p16.py").write_text((saved / "p16.py").read_text() + f"    {declared}\n")
    assert searched("p16.py").outcome.value == "holds"


def test_what_is_written_for_a_composition_is_what_the_catalogue_has() -> None:
    def all_that_it_does(text: str) -> str:
        return fingerprint(Instance(resolve(text)[1], 1, 1, ()))

    with pytest.raises(UsageError, match=r"both replace the method destination\._run_is_due"):
        resolve("lock.py+switch-after-acknowledgement")
    assert all_that_it_does("acknowledged_and_locked.py") == all_that_it_does("switch-after-acknowledgement-locked")


MENDED = """
from prefetch import Prefetch
from postcopy.model.changes.preempt import Preempt


class Both(Prefetch, Preempt):
    'Both.'

    class destination(Prefetch.destination, Preempt.destination):
        'Waits for what was requested in advance, too.'

        def _requests_open(self) -> bool:
            return super()._requests_open() or not (self.prefetched - self.present).empty
"""


def test_what_two_changes_violate_only_together(saved: Path) -> None:
    name = "nothing-missing-at-end"
    for text in ("prefetch.py", "preempt"):
        assert searched(text, name=name).outcome.value == "holds"
    assert searched("prefetch.py+preempt", name=name).outcome.value == "violated"
    (saved / "mended.py").write_text(MENDED)
    assert searched("mended.py", name=name).outcome.value == "holds"


def test_recipes_are_combined() -> None:
    verdict = searched("split_placing.py+prefetch.py+time_out.py+out_of_memory.py+keepalive.py")
    assert verdict.outcome.value == "holds"
    assert {"destination.places_buffer", "destination.times_out"}.isdisjoint(verdict.never_fired)
