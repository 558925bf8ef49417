"""docs/qemu-scenarios.json: every scenario of `postcopy record`, with real QEMUs, held against the models.

`python -m documentation.qemu_scenarios QEMU...` records each scenario with each of these QEMUs, asks `conform` about
the wire and about the trace events, and writes what came of it; results of other versions stay. With
`--only recover,kill` before the QEMUs it does this for some scenarios alone. The newer QEMUs come from
`tools/get-qemu`. The exit code is 12 where a recording is refuted, else 0.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from documentation.kept_rows import keep_row, kept_rows
from documentation.markdown import table
from postcopy.api.conforming import ConformResult, conform
from postcopy.conformance.qemu.judge import Judgement
from postcopy.errors import PostcopyError
from postcopy.recording.errors import RecordingError
from postcopy.recording.record import Recording, record, version_of
from postcopy.recording.scenarios import ScenarioName

RESULTS = Path("docs/qemu-scenarios.json")


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What `conform` says of one kind of recording.

    Attributes:
        verdict: conforms, refuted or unknown; an error where it cannot be read; none where nothing was recorded.
        against: the model.
        observations: how many things were seen.
        seconds: how long it took.
        why: the error, or why it does not conform; empty where it does.
    """

    verdict: str
    against: str = ""
    observations: int = 0
    seconds: float = 0.0
    why: str = ""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one scenario with one QEMU.

    Attributes:
        scenario: its name.
        qemu: the version.
        date: when it was run.
        guest: what became of the guest.
        what_failed: what the scenario waited for in vain; empty where all came.
        wire: of the bytes between the two.
        trace: of the trace events of both.
    """

    scenario: str
    qemu: str
    date: str
    guest: str
    what_failed: str
    wire: Judged
    trace: Judged


def _guest(made: Recording) -> str:
    running = [name for name in ("source", "destination") if getattr(made, name).runs]
    if made.guest_is_intact:
        return f"intact, at the {running[0]}"
    return f"runs at {' and '.join(running)}" if running else "runs nowhere"


def judged(ask: ConformResult | PostcopyError) -> Judged:
    """What is kept of an answer."""
    if isinstance(ask, PostcopyError):
        return Judged(verdict="error", why=str(ask))
    found = ask.found
    assert isinstance(found, Judgement)
    why = "" if found.verdict == "conforms" else found.why
    return Judged(
        verdict=found.verdict,
        against=found.protocol,
        observations=found.observations,
        seconds=round(found.seconds, 1),
        why=why,
    )


def _asked(*, wire: Path | None = None, trace: tuple[Path, Path] | None = None) -> ConformResult | PostcopyError:
    try:
        return conform(wire=wire, trace=trace)
    except PostcopyError as error:
        return error


def row(scenario: ScenarioName, program: str, memory: int) -> Row:
    """Record a scenario with a QEMU, and judge it. A QEMU may refuse a scenario's setting.

    Raises:
        PostcopyError: the QEMU cannot be run.
    """
    with tempfile.TemporaryDirectory(prefix="postcopy-scenario-") as directory:
        kept = Path(directory) / "recording"
        try:
            made = record(kept, scenario, program, memory)
        except RecordingError as refused:
            nothing = Judged(verdict="none")
            return Row(
                scenario=scenario,
                qemu=version_of(program),
                date=time.strftime("%Y-%m-%d"),
                guest="",
                what_failed=str(refused),
                wire=nothing,
                trace=nothing,
            )
        return Row(
            scenario=scenario,
            qemu=made.qemu,
            date=time.strftime("%Y-%m-%d"),
            guest=_guest(made),
            what_failed=made.what_failed,
            wire=judged(_asked(wire=kept)),
            trace=judged(_asked(trace=(kept / "source.log", kept / "destination.log"))),
        )


def kept(results: Path = RESULTS) -> list[Row]:
    """The rows of the stored file."""
    return kept_rows(results, Row)


def _place(row: Row) -> tuple[int, list[int]]:
    scenario = list(ScenarioName).index(ScenarioName(row.scenario))
    return scenario, [int(number) for number in row.qemu.split(".")]


def keep(new: Row, results: Path = RESULTS) -> None:
    """Put a row into the stored file, in the place of an older one."""
    keep_row(results, new, _place)


def _cell(found: Judged) -> str:
    if found.verdict == "none":
        return "not recorded"
    if found.verdict == "error":
        return f"error: {found.why}"
    said = f"{found.verdict}, {found.observations:,} in {found.seconds:.1f} s"
    return f"{said}: {found.why}" if found.why else said


def scenarios() -> str:
    """The table of docs/conformance-with-qemu.md."""
    return table(
        ("scenario", "QEMU", "against", "by wire", "by trace", "the guest", "date"),
        [
            (
                f"`{each.scenario}`",
                each.qemu,
                f"`{each.wire.against}`" if each.wire.against else "",
                _cell(each.wire),
                _cell(each.trace),
                "; ".join(said for said in (each.guest, each.what_failed) if said),
                each.date,
            )
            for each in kept()
        ],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Record and judge the scenarios, and write what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(ScenarioName), help="names of scenarios, with commas between")
    parser.add_argument("--memory", type=int, default=4, help="the guest's, in MiB")
    parser.add_argument("qemu", nargs="+", help="a QEMU, a name or a path")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: no QEMU is left behind
    refuted = False
    for scenario in map(ScenarioName, asked.only.split(",")):
        for program in asked.qemu:
            new = row(scenario, program, asked.memory)
            keep(new)
            refuted = refuted or "refuted" in (new.wire.verdict, new.trace.verdict)
            print(f"{scenario} on {new.qemu}: {_cell(new.wire)} | {_cell(new.trace)} | {new.guest}", flush=True)
    return 12 if refuted else 0


if __name__ == "__main__":
    sys.exit(main())
