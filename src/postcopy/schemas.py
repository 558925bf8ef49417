"""JSON schemas of what commands print with `--json`, made from the records that they print."""

from __future__ import annotations

import re
from inspect import cleandoc
from typing import Any

import msgspec

from postcopy.api.replaying import ReplayRecord
from postcopy.api.schema_names import Schema
from postcopy.conformance.logs import Explanation
from postcopy.conformance.qemu.judge import Judgement
from postcopy.conformance.refinement import Refinement
from postcopy.engine.report import Summary
from postcopy.errors import UsageError
from postcopy.replay.results import ReplayResult
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
from postcopy.report.records.prepared import PreparedRecord
from postcopy.report.records.proof import LemmasRecord, ProofRecord
from postcopy.report.records.simulation import SimulationRecord
from postcopy.report.records.story import TraceRecord
from postcopy.report.records.two_runs import TwoRunsRecord
from postcopy.suggestions import not_among
from postcopy.suites.entries import Run

DIALECT = "https://json-schema.org/draft/2020-12/schema"

RECORDS: dict[Schema, Any] = {
    Schema.CHECK: CheckRecord,
    Schema.SIMULATE: SimulationRecord,
    Schema.PROVE: ProofRecord,
    Schema.PROVE_BITMAPS: LemmasRecord,
    Schema.PREPARE: PreparedRecord,
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
    Schema.SUITE: Run,
    Schema.TRACE: TraceRecord,
    Schema.TRACE_DIFF: TwoRunsRecord,
    Schema.RUN: Summary,
    Schema.CONFORM: Explanation,
    Schema.CONFORM_EXHAUSTIVE: Refinement,
    Schema.CONFORM_QEMU: Judgement,
    Schema.REPLAY: ReplayRecord,
    Schema.REPLAY_QEMU: ReplayResult,
}
"""What each command prints."""


def schema(name: str) -> str:
    """The JSON schema of what a command prints with ``--json``, and a result's `json` gives, as a text.

    Args:
        name: the command, such as ``check``; docs/schemas has a file for each.

    Raises:
        UsageError: there is no such schema.
    """
    if name not in list(Schema):
        raise UsageError(not_among("schema", name, Schema))
    made = msgspec.json.schema(RECORDS[Schema(name)])
    for part in made.get("$defs", {}).values():
        _describe(part)
    found = {"$schema": DIALECT, "$comment": f"made by: postcopy schema {name}"} | made
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
    for field in fields.values():
        # msgspec names this default from 0.23 on, and a schema does not depend on the version of what made it.
        if field.get("default") == {}:
            del field["default"]
