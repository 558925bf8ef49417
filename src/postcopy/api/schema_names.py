"""The schemas by name, without the records: the command line completes them."""

from enum import StrEnum


class Schema(StrEnum):
    """A schema, by the command that prints what it describes."""

    CHECK = "check"
    SIMULATE = "simulate"
    PROVE = "prove"
    PROVE_BITMAPS = "prove-bitmaps"
    PREPARE = "prepare"
    DIFF = "diff"
    LIST_FAULTS = "list-faults"
    LIST_CHANGES = "list-changes"
    LIST_HISTORY = "list-history"
    LIST_OTHERS = "list-others"
    LIST_QEMU = "list-qemu"
    LIST_PROPERTIES = "list-properties"
    LIST_ACTIONS = "list-actions"
    LIST_OPTIONS = "list-options"
    LIST_RULES = "list-rules"
    SUITE = "suite"
    TRACE = "trace"
    TRACE_DIFF = "trace-diff"
    RUN = "run"
    CONFORM = "conform"
    CONFORM_EXHAUSTIVE = "conform-exhaustive"
    CONFORM_QEMU = "conform-qemu"
    REPLAY = "replay"
    REPLAY_QEMU = "replay-qemu"
