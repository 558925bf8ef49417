"""`conform`: the engine held against the model, by a log or in every interleaving; or what two QEMUs did."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from postcopy.api.asking import ProtocolLike, functions, load, path_of, whole_numbers
from postcopy.api.progress import Show, searched, silent
from postcopy.api.text_result import LinesResult
from postcopy.catalogue.tables import BY_NAME
from postcopy.conformance.logs import Explanation, explain
from postcopy.conformance.qemu.judge import Judgement, Question
from postcopy.conformance.qemu.trace_files import read_trace
from postcopy.conformance.qemu.trace_reading import read_traces
from postcopy.conformance.qemu.versions import protocol_of_trace, protocol_of_wire
from postcopy.conformance.qemu.wire_files import read_capture
from postcopy.conformance.qemu.wire_reading import read_wire
from postcopy.conformance.refinement import Refinement, refine
from postcopy.conformance.world import World
from postcopy.engine.eventlog import read_log
from postcopy.errors import UsageError
from postcopy.report.results.conformance import explained, in_words, refined
from postcopy.surface import command, setting

FALLBACK = "qemu-11"
"""What a recording is held against where there is no model of its version."""


@dataclass(frozen=True, repr=False)
class ConformResult(LinesResult):
    """Whether a log, a recording, or all that the engine can do is a behaviour of a model.

    Attributes:
        name: what was judged.
        found: a `Explanation` of a log of the engine, a `Refinement` of all its interleavings, or a `Judgement` of
            what two QEMUs did.
        lines: what the terminal says of it.
        run: of a recording, the run that explains it, a line for each step.
    """

    _command = "conform"

    name: str
    found: Explanation | Refinement | Judgement
    lines: tuple[str, ...]
    run: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """``conforms``, ``refuted``, ``unknown``; or ``beginning``: a log that ends before the migration does."""
        match self.found:
            case Judgement():
                return self.found.verdict
            case Refinement():
                return "refuted" if self.found.failure else "conforms"
            case Explanation():
                return "refuted" if self.found.unexplained else "conforms" if self.found.over else "beginning"

    @property
    def sentence(self) -> str:
        """The verdict as one sentence."""
        return self.lines[0]

    @property
    def record(self) -> Explanation | Refinement | Judgement:
        """All that ``--json`` prints."""
        return self.found

    def __bool__(self) -> bool:
        """True: a run of the model explains it, to its end. False: no run does.

        Raises:
            UndecidedError: neither is so.
        """
        if self.verdict in ("unknown", "beginning"):
            raise self._undecided(self.sentence)
        return self.verdict == "conforms"


def conform(
    log: str | Path | None = None,
    *,
    wire: str | Path | None = None,
    trace: tuple[str | Path, str | Path] | None = None,
    against: ProtocolLike | None = None,
    keep_run: bool = False,
) -> ConformResult:
    """Hold a log of the engine, or a recorded migration of two QEMUs, against a model. One of the three is given.

    Args:
        log: an event log of the engine (``postcopy run --log``).
        wire: what passed between two QEMUs: a directory of ``postcopy record``.
        trace: the logs of trace events of two QEMUs: source, then destination.
        against: the protocol, with wire and trace; None for that of QEMU's version.
        keep_run: with wire and trace: keep the run that explains it, in `ConformResult.run`.

    Raises:
        UsageError: a file cannot be read or is something else, or none or several of the three are given.
    """
    if (log is not None) + (wire is not None) + (trace is not None) != 1:
        raise UsageError("give a log, wire or trace, and only one of them; conform_exhaustively takes none")
    if log is not None:
        if against is not None or keep_run:
            raise UsageError("against and keep_run go with wire and trace")
        return _of_log(path_of("log", log))
    if trace is not None:
        if isinstance(trace, str) or not isinstance(trace, Sequence) or len(trace) != 2:
            raise UsageError(f"{setting('trace')} is two logs, of the source and of the destination: give both")
        source, destination = (read_trace(path_of("trace", path)) for path in trace)
        question = Question(*load(against or _known(protocol_of_trace(source))))
        recording = read_traces(source, destination, question.knows)
    else:
        assert wire is not None
        capture = path_of("wire", wire)
        arrivals = read_capture(capture)
        question = Question(*load(against or _known(protocol_of_wire(capture))))
        recording = read_wire(arrivals, has_loaded=question.has("LOADED"))
    found, steps = question.judge(recording, keep=keep_run)
    return ConformResult(found.protocol, found, tuple(in_words(found)), tuple(map(str, steps)))


def conform_exhaustively(
    *,
    pages: int = 1,
    in_flight: int = 1,
    host_page: int = 1,
    qemu: bool = False,
    recovery: bool = False,
    preempt: bool = False,
    progress: Show = silent,
) -> ConformResult:
    """Hold every interleaving of the engine's threads against the model, at a small size.

    Args:
        pages: target pages.
        in_flight: messages in each channel.
        host_page: target pages of a host page: 1, 2 or 4, and a divisor of the pages.
        qemu: as the cores are towards a QEMU.
        preempt: as the cores are where urgent pages have a connection of their own.
        recovery: as the cores are where they recover a migration whose connection breaks.
        progress: is called with a line that says how far it has come.

    Raises:
        UsageError: the size does not fit.
    """
    whole_numbers(pages=pages, in_flight=in_flight, host_page=host_page)
    functions(progress=progress)
    if pages < 1 or in_flight < 1 or host_page not in (1, 2, 4) or pages % host_page:
        raise UsageError(
            f"{setting('pages')} and {setting('in_flight')} from 1 on, {setting('host_page')} 1, 2 or 4 "
            f"and a divisor of {setting('pages')}"
        )
    begin = time.monotonic()

    def report(states: int, frontier: int) -> None:
        progress(searched(states, time.monotonic() - begin, frontier))

    found = refine(
        World.new(pages, in_flight, host_page, qemu=qemu, preempt=preempt, recovery=recovery), progress=report
    )
    return ConformResult("the engine", found, tuple(refined(found)))


def _of_log(log: Path) -> ConformResult:
    _refuse_what_is_no_log(log)
    first, lines = read_log(log)
    found = explain(first.pages, first.group, [line.record for line in lines])
    return ConformResult(str(log), found, tuple(explained(found, len(lines))))


def _refuse_what_is_no_log(log: Path) -> None:
    """A protocol or a stored run in the place of a log: say which command is meant, or why there is none."""
    if log.name.partition(":")[0].endswith(".py"):
        raise UsageError(
            f"{log} is a protocol, and conform takes a LOG of the engine ({command('run')} with {setting('log_to')}): "
            "it holds that against the document's protocol and no other"
        )
    if log.name.endswith(".itf.json"):
        raise UsageError(f"{log} is a stored run, and conform takes a LOG of the engine: {command('replay', log)}")


def _known(name: str) -> str:
    return name if name in BY_NAME else FALLBACK
