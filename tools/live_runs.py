"""Real QEMUs migrate through the monitor, many times: it must raise no alarm.

Usage: ``python -m live_runs [--runs 50] [--qemu PATH] [--scenario NAME]... [--against PROTOCOL] [--memory 2]``, with
``tools`` in PYTHONPATH. The scenarios are those of `postcopy record`, one after the other, until there are enough runs.

A line is printed for each run, and at the end a table. A run went otherwise where the guest was spoilt, or where the
migration was over before the scenario came to its next step. The exit code is 12 where there was an alarm, 1 where a
run went otherwise, else 0.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from postcopy.api.monitoring import compiled_for
from postcopy.monitor.addresses import Address
from postcopy.monitor.compiled import Compiled
from postcopy.monitor.judge import Alarm, tell
from postcopy.monitor.monitor import Ended, Monitor
from postcopy.recording.pair import Pair, Setting
from postcopy.recording.record import INSTALLED, Recording, record, version_of
from postcopy.recording.scenarios import ScenarioName

ENDS_INTACT = frozenset(ScenarioName) - {ScenarioName.KILL, ScenarioName.MISSING_DEVICE}
"""Scenarios after which the guest runs, and has found no page wrong, on one side."""


@dataclass(frozen=True)
class Run:
    """One migration through the monitor.

    Attributes:
        recording: how it has ended.
        ended: what the monitor says.
        alarms: those that it has raised.
    """

    recording: Recording
    ended: Ended
    alarms: list[Alarm]

    @property
    def failed(self) -> str:
        """What the migration itself did wrong; empty where all was as it should be."""
        made = self.recording
        if made.scenario in ENDS_INTACT and not made.guest_is_intact:
            return "the guest is not intact"
        return made.what_failed


def run_once(directory: Path, scenario: ScenarioName, program: str, compiled: Compiled, memory: int = 2) -> Run:
    """Record a scenario, with the monitor between the recorder's proxy and the destination.

    Args:
        directory: where the recording goes: new or empty.
        program: the QEMU.
        memory: the guest's, in MiB.
    """
    alarms: list[Alarm] = []
    with tempfile.TemporaryDirectory(prefix="postcopy-") as sockets:
        here = Path(sockets) / "monitor"
        monitor = Monitor(compiled, Address("", 0, str(here)), Address("", 0, "unset"), alarmed=alarms.append)
        over = threading.Event()

        class Monitored(Pair):
            """The recorder's proxy connects to the monitor, and that to the destination."""

            def _listen(self, command: str, **how: bool) -> Path:
                monitor.proxy.target = Address("", 0, str(super()._listen(command, **how)))
                return here

        def make(program: str, setting: Setting, kept: Path) -> Pair:
            return Monitored(program, setting, kept)

        thread = threading.Thread(target=monitor.proxy.serve, args=(over.is_set,), daemon=True)
        thread.start()
        try:
            made = record(directory, scenario, program, memory, make)
        finally:
            over.set()
            thread.join(10)
            monitor.proxy.close()
    return Run(made, monitor.ended(), alarms)


def table(program: str, compiled: Compiled, runs: list[Run]) -> Iterator[str]:
    """The runs by scenario, as Markdown."""
    by_scenario: dict[ScenarioName, list[Run]] = defaultdict(list)
    for run in runs:
        by_scenario[run.recording.scenario].append(run)
    version, date = version_of(program), time.strftime("%Y-%m-%d")
    yield "| QEMU | against | scenario | runs | alarms | unknown | went otherwise | date |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, its in (*by_scenario.items(), ("all", runs)):
        alarms = sum(len(run.alarms) for run in its)
        unknown = sum(run.ended.verdict == "unknown" for run in its)
        otherwise = sum(bool(run.failed) for run in its)
        counts = f"{len(its)} | {alarms} | {unknown} | {otherwise}"
        yield f"| {version} | {compiled.name} | {name} | {counts} | {date} |"


def main() -> int:
    """Run, and print."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--runs", type=int, default=50)
    options.add_argument("--qemu", default=INSTALLED, metavar="PATH")
    options.add_argument("--scenario", action="append", type=ScenarioName, metavar="NAME", help="default: all")
    options.add_argument("--against", metavar="PROTOCOL", help="as for postcopy monitor")
    options.add_argument("--memory", type=int, default=2, help="the guest's, in MiB")
    asked = options.parse_args()
    compiled = compiled_for(asked.against)
    runs: list[Run] = []
    for scenario in islice(cycle(asked.scenario or tuple(ScenarioName)), asked.runs):
        with tempfile.TemporaryDirectory(prefix="postcopy-live-") as directory:
            run = run_once(Path(directory), scenario, asked.qemu, compiled, asked.memory)
        runs.append(run)
        why = next((f": {status.why_unknown}" for status in run.ended.migrations if status.why_unknown), "")
        said = f"{len(runs):3} {scenario:13} {run.ended.verdict}{why}, {len(run.alarms)} alarms"
        print(said + (f"; {run.failed}" if run.failed else ""), flush=True)
        for alarm in run.alarms:
            print("\n".join(tell(alarm)), flush=True)
    print("\n".join(table(asked.qemu, compiled, runs)))
    return 12 if any(run.alarms for run in runs) else 1 if any(run.failed for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
