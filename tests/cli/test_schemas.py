"""The published schemas are those of the records, and what commands print is what the schemas say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from postcopy.api.schema_names import Schema
from postcopy.schemas import RECORDS
from postcopy.schemas import schema as schema_text
from tests.cli.conftest import Run, refused
from tests.language.cases import sealing

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "docs" / "schemas"
STORED = ROOT / "counterexamples" / "no-discards.itf.json"
SMALL = ("--pages", "1", "--in-flight", "1")

OUTPUTS: dict[str, tuple[Schema, tuple[str, ...]]] = {
    "holds": (Schema.CHECK, ("check", *SMALL)),
    "violated": (Schema.CHECK, ("check", *SMALL, "--fault", "no-discards", "--count", "2")),
    "for ever": (Schema.CHECK, ("check", *SMALL, "--fault", "endless-scan")),
    "inconclusive": (Schema.CHECK, ("check", "--max-memory", "1M", "--engine", "interpreted", "--pages", "3")),
    "walks": (Schema.SIMULATE, ("simulate", *SMALL, "--walks", "20")),
    "walks that find": (Schema.SIMULATE, ("simulate", "--fault", "no-return-path", *SMALL)),
    "proved": (Schema.PROVE, ("prove", *SMALL)),
    "refuted": (Schema.PROVE, ("prove", "--pages", "1", "--fault", "no-discards")),
    "prepared": (Schema.PREPARE, ("prepare", "--words", "1")),
    "diff": (Schema.DIFF, ("diff", "Postcopy", "switch-at-package", "--pages", "1")),
    "faults": (Schema.LIST_FAULTS, ("list", "faults")),
    "changes": (Schema.LIST_CHANGES, ("list", "changes")),
    "history": (Schema.LIST_HISTORY, ("list", "history")),
    "others": (Schema.LIST_OTHERS, ("list", "others")),
    "qemu": (Schema.LIST_QEMU, ("list", "qemu")),
    "properties": (Schema.LIST_PROPERTIES, ("list", "properties", "--change", "preempt")),
    "actions": (Schema.LIST_ACTIONS, ("list", "actions")),
    "options": (Schema.LIST_OPTIONS, ("list", "options", f"{Path(sealing.__file__)}:AlwaysSealed")),
    "rules": (Schema.LIST_RULES, ("list", "rules")),
    "trace": (Schema.TRACE, ("trace", str(STORED))),
    "replay": (Schema.REPLAY, ("replay", str(STORED))),
    "conform": (Schema.CONFORM_EXHAUSTIVE, ("conform", "--exhaustive")),
}


def schema(name: Schema) -> dict[str, Any]:
    """A published schema."""
    found: dict[str, Any] = json.loads((PUBLISHED / f"{name}.json").read_text(encoding="utf-8"))
    return found


def strict(name: Schema) -> dict[str, Any]:
    """The schema, which lets no field pass that it does not name."""
    found = schema(name)
    for part in found.get("$defs", {}).values():
        if "properties" in part:
            part["additionalProperties"] = False
    return found


def test_every_command_that_prints_json_has_a_schema() -> None:
    assert set(RECORDS) == set(Schema)
    assert {path.stem for path in PUBLISHED.iterdir()} == {name.value for name in Schema}


@pytest.mark.parametrize("name", Schema)
def test_the_published_schema_is_up_to_date(run: Run, name: Schema) -> None:
    text = (PUBLISHED / f"{name}.json").read_text(encoding="utf-8")
    assert text == schema_text(name), f"out of date: postcopy schema {name} > docs/schemas/{name}.json"
    assert run("schema", name).out == text
    jsonschema.Draft202012Validator.check_schema(json.loads(text))


@pytest.mark.unmeasured
@pytest.mark.slow_but("violated", "walks", "faults", "actions", "trace")
@pytest.mark.parametrize("case", OUTPUTS)
def test_what_is_printed_is_what_the_schema_says(run: Run, case: str) -> None:
    name, command = OUTPUTS[case]
    printed = json.loads(run(*command, "--json").out)
    jsonschema.validate(printed, strict(name))


def test_a_result_with_a_wrong_or_missing_field_is_found_out(run: Run) -> None:
    printed = json.loads(run("trace", str(STORED), "--json").out)
    for wrong in ({"violated": 3}, {"steps": [{"number": "one"}]}, {"another": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(printed | wrong, strict(Schema.TRACE))
    del printed["loop"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(printed, strict(Schema.TRACE))


def test_every_field_is_described() -> None:
    for name in (Schema.CHECK, Schema.SIMULATE, Schema.PROVE, Schema.DIFF, Schema.TRACE, Schema.LIST_FAULTS):
        for part, definition in schema(name)["$defs"].items():
            undescribed = [f for f, of in definition["properties"].items() if "description" not in of]
            assert not undescribed or part == "StatesRecord", (name, part, undescribed)


def test_an_unknown_schema(run: Run) -> None:
    assert "there is no schema chekc; did you mean check?" in refused(run, "schema", "chekc")
