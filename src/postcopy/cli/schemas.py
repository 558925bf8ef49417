"""JSON schemas of what commands print with `--json`, made from the records that they print."""

from __future__ import annotations

import re
from inspect import cleandoc
from typing import Any

import msgspec

from postcopy.cli.replay import ReplayRecord
from postcopy.cli.schema_names import Schema
from postcopy.conformance.logs import Explanation
from postcopy.conformance.refinement import Refinement
from postcopy.engine.report import Summary
from postcopy.report.records.check import CheckRecord
from postcopy.report.records.difference import DifferenceRecord
from postcopy.report.records.listings import (
    ActionRow,
    BugRow,
    ChangeRow,
    FaultRow,
    OptionRow,
    PropertyRow,
    QemuRow,
    RuleRow,
)
from postcopy.report.records.proof import LemmasRecord, ProofRecord
from postcopy.report.records.simulation import SimulationRecord
from postcopy.report.records.story import TraceRecord

DIALECT = "https://json-schema.org/draft/2020-12/schema"

RECORDS: dict[Schema, Any] = {
    Schema.CHECK: CheckRecord,
    Schema.SIMULATE: SimulationRecord,
    Schema.PROVE: ProofRecord,
    Schema.PROVE_BITMAPS: LemmasRecord,
    Schema.DIFF: DifferenceRecord,
    Schema.LIST_FAULTS: list[FaultRow],
    Schema.LIST_CHANGES: list[ChangeRow],
    Schema.LIST_HISTORY: list[BugRow],
    Schema.LIST_OTHERS: list[ChangeRow],
    Schema.LIST_QEMU: list[QemuRow],
    Schema.LIST_PROPERTIES: list[PropertyRow],
    Schema.LIST_ACTIONS: list[ActionRow],
    Schema.LIST_OPTIONS: list[OptionRow],
    Schema.LIST_RULES: list[RuleRow],
    Schema.TRACE: TraceRecord,
    Schema.RUN: Summary,
    Schema.CONFORM: Explanation,
    Schema.CONFORM_EXHAUSTIVE: Refinement,
    Schema.REPLAY: ReplayRecord,
}
"""What each command prints."""


def schema_text(name: Schema) -> str:
    """The schema of what a command prints, as JSON text."""
    schema = msgspec.json.schema(RECORDS[name])
    for part in schema.get("$defs", {}).values():
        _describe(part)
    found = {"$schema": DIALECT, "$comment": f"made by: postcopy schema {name}"} | schema
    return msgspec.json.format(msgspec.json.encode(found, order="sorted"), indent=2).decode() + "\n"


def _describe(part: dict[str, Any]) -> None:
    """Give each field the description that the record's docstring has of it."""
    summary, _, attributes = cleandoc(part.get("description", "")).partition("\n\nAttributes:\n")
    part["description"] = " ".join(summary.split())
    fields = part.get("properties", {})
    for names, words in re.findall(r"^    (\w[\w, ]*): (.*(?:\n {8,}.*)*)", attributes, re.MULTILINE):
        for field in names.split(", "):
            if field in fields:
                fields[field]["description"] = " ".join(words.split())
