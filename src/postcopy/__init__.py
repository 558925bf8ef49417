"""Formal verification of postcopy live migration.

    from postcopy import check
    print(check("my_change.py", pages=1))

`docs/api.md` is the manual. Each name is imported when it is asked for, so that `import postcopy` costs nothing. What a
protocol is written with is in `postcopy.language`, and what a test is written with in `postcopy.testing`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from postcopy.api.asking import NamedProtocol, load
    from postcopy.api.checking import CheckResult, check
    from postcopy.api.comparing import DiffResult, diff
    from postcopy.api.conforming import ConformResult, conform, conform_exhaustively
    from postcopy.api.counterexamples import counterexamples
    from postcopy.api.exploring import Explorer, explore
    from postcopy.api.exporting import ExportedModel, export_model
    from postcopy.api.graphing import GraphResult, graph
    from postcopy.api.listing import Rows, listing
    from postcopy.api.migrating import RunResult, run
    from postcopy.api.migrating_sides import SideResult, run_destination, run_source
    from postcopy.api.migrating_with_qemu import GiveResult, TakeResult, give_to_qemu, take_from_qemu
    from postcopy.api.monitoring import MonitorResult, monitor_migration
    from postcopy.api.new_change import NewChange, new
    from postcopy.api.preparing import PreparedLoops, prepare
    from postcopy.api.proving import ProveResult, prove
    from postcopy.api.proving_bitmaps import LemmasResult, prove_bitmaps
    from postcopy.api.recording import RecordResult, record
    from postcopy.api.replaying import EngineReplayResult, QemuReplayResult, replay_run
    from postcopy.api.result import Result, Shown
    from postcopy.api.simulating import SimulateResult, simulate
    from postcopy.api.stored_runs import TraceResult, trace
    from postcopy.api.two_runs import TraceDiffResult, diff_traces
    from postcopy.errors import PostcopyError, SpecError, TraceError, UndecidedError, UsageError
    from postcopy.model.postcopy import Postcopy
    from postcopy.schemas import schema
    from postcopy.suites.suite import SuiteResult, suite
    from postcopy.version import __version__

_WHERE = {
    "CheckResult": "postcopy.api.checking",
    "ConformResult": "postcopy.api.conforming",
    "DiffResult": "postcopy.api.comparing",
    "EngineReplayResult": "postcopy.api.replaying",
    "Explorer": "postcopy.api.exploring",
    "ExportedModel": "postcopy.api.exporting",
    "GiveResult": "postcopy.api.migrating_with_qemu",
    "GraphResult": "postcopy.api.graphing",
    "LemmasResult": "postcopy.api.proving_bitmaps",
    "MonitorResult": "postcopy.api.monitoring",
    "NamedProtocol": "postcopy.api.asking",
    "NewChange": "postcopy.api.new_change",
    "Postcopy": "postcopy.model.postcopy",
    "PostcopyError": "postcopy.errors",
    "PreparedLoops": "postcopy.api.preparing",
    "ProveResult": "postcopy.api.proving",
    "QemuReplayResult": "postcopy.api.replaying",
    "RecordResult": "postcopy.api.recording",
    "Result": "postcopy.api.result",
    "Rows": "postcopy.api.listing",
    "RunResult": "postcopy.api.migrating",
    "Shown": "postcopy.api.result",
    "SideResult": "postcopy.api.migrating_sides",
    "SimulateResult": "postcopy.api.simulating",
    "SpecError": "postcopy.errors",
    "TraceDiffResult": "postcopy.api.two_runs",
    "TraceResult": "postcopy.api.stored_runs",
    "SuiteResult": "postcopy.suites.suite",
    "TakeResult": "postcopy.api.migrating_with_qemu",
    "TraceError": "postcopy.errors",
    "UndecidedError": "postcopy.errors",
    "UsageError": "postcopy.errors",
    "__version__": "postcopy.version",
    "check": "postcopy.api.checking",
    "conform": "postcopy.api.conforming",
    "conform_exhaustively": "postcopy.api.conforming",
    "counterexamples": "postcopy.api.counterexamples",
    "diff": "postcopy.api.comparing",
    "diff_traces": "postcopy.api.two_runs",
    "explore": "postcopy.api.exploring",
    "export_model": "postcopy.api.exporting",
    "give_to_qemu": "postcopy.api.migrating_with_qemu",
    "graph": "postcopy.api.graphing",
    "listing": "postcopy.api.listing",
    "load": "postcopy.api.asking",
    "monitor_migration": "postcopy.api.monitoring",
    "new": "postcopy.api.new_change",
    "prepare": "postcopy.api.preparing",
    "prove": "postcopy.api.proving",
    "prove_bitmaps": "postcopy.api.proving_bitmaps",
    "record": "postcopy.api.recording",
    "replay_run": "postcopy.api.replaying",
    "run": "postcopy.api.migrating",
    "run_destination": "postcopy.api.migrating_sides",
    "run_source": "postcopy.api.migrating_sides",
    "schema": "postcopy.schemas",
    "simulate": "postcopy.api.simulating",
    "suite": "postcopy.suites.suite",
    "take_from_qemu": "postcopy.api.migrating_with_qemu",
    "trace": "postcopy.api.stored_runs",
}
"""The module that has a name, for each name of the package."""

__all__ = [
    "CheckResult",
    "ConformResult",
    "DiffResult",
    "EngineReplayResult",
    "Explorer",
    "ExportedModel",
    "GiveResult",
    "GraphResult",
    "LemmasResult",
    "MonitorResult",
    "NamedProtocol",
    "NewChange",
    "Postcopy",
    "PostcopyError",
    "PreparedLoops",
    "ProveResult",
    "QemuReplayResult",
    "RecordResult",
    "Result",
    "Rows",
    "RunResult",
    "Shown",
    "SideResult",
    "SimulateResult",
    "SpecError",
    "SuiteResult",
    "TakeResult",
    "TraceDiffResult",
    "TraceError",
    "TraceResult",
    "UndecidedError",
    "UsageError",
    "__version__",
    "check",
    "conform",
    "conform_exhaustively",
    "counterexamples",
    "diff",
    "diff_traces",
    "explore",
    "export_model",
    "give_to_qemu",
    "graph",
    "listing",
    "load",
    "monitor_migration",
    "new",
    "prepare",
    "prove",
    "prove_bitmaps",
    "record",
    "replay_run",
    "run",
    "run_destination",
    "run_source",
    "schema",
    "simulate",
    "suite",
    "take_from_qemu",
    "trace",
]


def __getattr__(name: str) -> object:
    """A name of the package, imported when it is asked for first."""
    if name not in _WHERE:
        from postcopy.suggestions import did_you_mean

        raise AttributeError(f"module 'postcopy' has no attribute {name!r}{did_you_mean(name, _WHERE)}")
    found: object = getattr(import_module(_WHERE[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """The names of the package."""
    return sorted(__all__)
