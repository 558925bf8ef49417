"""The change in docs/language.md that brings a conjunct of its own is proved with it, and not without it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from postcopy.catalogue.loading import load
from postcopy.catalogue.properties import proved_of
from postcopy.language.instance import Instance
from postcopy.prover.session import ProofResult, at_size
from postcopy.prover.verdicts import Answer, can_be_asked

PAGE = Path(__file__).parents[3] / "docs" / "language.md"
BRINGS_IT = "    invariant = (switched_on_by_run,)\n"


def _proved(program: str, folder: Path) -> ProofResult:
    file = folder / f"second_flag_{BRINGS_IT in program}.py"
    file.write_text(program, encoding="utf-8")
    protocol = load(f"{file}:SecondFlag", None, None, None)[1]
    properties, invariant, _ = proved_of(protocol)
    instance = Instance(protocol, 1, 1, [p for p in properties if can_be_asked(p)])
    return at_size(instance, properties, invariant, "invariant", lambda _: None)


@pytest.mark.slow
def test_the_conjunct_makes_the_difference(tmp_path: Path) -> None:
    section = PAGE.read_text(encoding="utf-8").split("## Conjuncts\n")[1]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found is not None
    assert BRINGS_IT in found[1]
    assert _proved(found[1], tmp_path).answer_for_all is Answer.PROVED
    without = _proved(found[1].replace(BRINGS_IT, ""), tmp_path)
    assert without.answer_for_all is Answer.NOT_PROVED
    steps = without.counterexamples_to_induction
    assert steps
    assert [step.reachable for step in steps] == [False] * len(steps)
    first = steps[0].trace  # others may rest on what fails with it
    start = dict(zip(first.instance.variables, first.initial, strict=True))
    values = {variable.name: variable.decode(value) for variable, value in start.items() if variable.values}
    assert first.steps
    assert (values["destination.cpus_on"], values["destination.running"]) == (True, False)
