"""`check`: explore every interleaving, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from postcopy.api.asking import (
    NamedProtocol,
    PropertiesLike,
    ProtocolLike,
    functions,
    instance_of,
    load,
    path_or_none,
    times,
    unless_none,
    whole_numbers,
)
from postcopy.api.check_settings import SETTING_OF, CheckSettings, engine_named, reductions_of
from postcopy.api.memory import asked_for_states, left_for_states
from postcopy.api.progress import Show, of_search, silent
from postcopy.api.result import Result
from postcopy.catalogue.loading import expected_of
from postcopy.catalogue.properties import asked_of
from postcopy.errors import UsageError
from postcopy.explorer.enumerate import further
from postcopy.explorer.explore import Exploration
from postcopy.explorer.kernel.reductions import PAGES
from postcopy.explorer.results import Outcome, Verdict
from postcopy.language.instance import Instance
from postcopy.language.trace import Trace
from postcopy.model.postcopy import Postcopy
from postcopy.report.results.check import sentence, warnings
from postcopy.report.terminal.check import print_check
from postcopy.surface import setting

if TYPE_CHECKING:
    from postcopy.report.records.check import CheckRecord


@dataclass(frozen=True, repr=False)
class CheckResult(Result):
    """The result of a check.

    Attributes:
        name: the protocol's name.
        found: all that the search found.
        further: what the searches for more counterexamples found.
        expected: properties that the protocol is known to violate, if it is of the catalogue.
    """

    name: str
    found: Verdict
    further: Sequence[Verdict] = ()
    expected: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """``holds``, ``violated``, ``deadlock``, ``liveness violated`` or ``inconclusive``."""
        return self.found.outcome.value

    @property
    def violated(self) -> str | None:
        """The property that is violated, by name; None where none is."""
        return self.found.violated.name if self.found.violated is not None else None

    @property
    def all_violated(self) -> tuple[str, ...]:
        """All properties that were found violated (``count``, ``all_properties``), by name."""
        return tuple(each.violated.name for each in (self.found, *self.further) if each.violated is not None)

    @property
    def sentence(self) -> str:
        """The verdict as one sentence."""
        return sentence(self.found)

    @property
    def warnings(self) -> list[str]:
        """What weakens the verdict: actions never taken, witnesses never reached, nothing ever promised."""
        return warnings(self.found)

    @property
    def counterexample(self) -> Trace | None:
        """A shortest run that violates the property, or None."""
        return self.found.counterexample

    @property
    def record(self) -> CheckRecord:
        """All that ``--json`` prints."""
        from postcopy.report.records.check import check_record  # classes that take a while to make

        return check_record(self.found, self.name, self.expected, self.further)

    def print_to(self, console: Console, *, every_property: bool = False) -> None:
        """Print the result as the terminal shows it.

        Args:
            console: where to.
            every_property: list the properties one by one beside a counterexample, too.
        """
        print_check(self.found, self.further, self.name, self.expected, console, every_property=every_property)

    def page(self, command: str = "") -> str:
        """The page of ``--report``.

        Args:
            command: the command line that does all this again; may be empty.
        """
        from postcopy.report.pages.check import html  # with all that draws charts

        return html(self.found, self.further, self.record, command, self.expected)

    def __bool__(self) -> bool:
        """True: all that applies to the protocol was asked, holds, and nothing weakens it. False: there is a
        counterexample.

        Raises:
            UndecidedError: neither is so.
        """
        if self.found.violated is not None:
            return False
        if self.found.outcome is not Outcome.HOLDS:
            raise self._undecided(self.sentence)
        asked = {p.name for p in self.found.instance.properties}
        left_out = [p.name for p in asked_of(self.found.instance.protocol) if p.name not in asked]
        if left_out:
            raise self._undecided(
                f"what was asked holds, and {len(left_out)} properties were not asked ({left_out[0]})"
            )
        if gaps := self.warnings:
            raise self._undecided(f"it holds with {len(gaps)} warnings ({gaps[0]})")
        return True


def check(
    protocol: ProtocolLike = Postcopy,
    *,
    pages: int = 2,
    in_flight: int = 2,
    host_page: int | None = None,
    properties: PropertiesLike = (),
    liveness: bool = True,
    symmetry: bool = True,
    vcpu_symmetry: bool = False,
    reset_dead: bool = False,
    max_memory: int | str = "4G",
    seconds: float | None = None,
    engine: str = "auto",
    workers: int = 1,
    cluster: int = 0,
    disk: str | Path | None = None,
    small_table: bool = False,
    checkpoint: str | Path | None = None,
    checkpoint_every: float = 60.0,
    resume: str | Path | None = None,
    count: int = 1,
    all_properties: bool = False,
    interruptible: bool = False,
    progress: Show = silent,
) -> CheckResult:
    """Explore every interleaving and say whether the properties hold; if not, give a shortest run that breaks one.

    Args:
        protocol: its class, or what the command line takes: a name, FILE.py:Class, or several with + between them.
        pages: how many target pages the guest has.
        in_flight: how many messages each channel holds.
        host_page: target pages of one host page; None for what the protocol says.
        properties: only these, by name; none for all that apply.
        liveness: ask what must happen in the end, too.
        symmetry: store one of all states equal up to a renaming of pages.
        vcpu_symmetry: store one of all states equal up to a renaming of vCPUs.
        reset_dead: store one of all states that differ in what nothing to come depends on.
        max_memory: memory for states, in bytes or as ``"512M"``.
        seconds: time after which the search ends as inconclusive; None for no limit. Compiling is not cut short.
        engine: ``auto``, ``compiled`` or ``interpreted``.
        workers: cores that a large search may use.
        cluster: processes on Ray to search with; 0 for none.
        disk: directory to go on in when the memory for states is full.
        small_table: a large search stores its states in a third of the memory: slower, and as exact.
        checkpoint: directory to keep the search in as it goes.
        checkpoint_every: seconds between two checkpoints.
        resume: directory of a search to go on with.
        count: how many counterexamples to look for, each to another property.
        all_properties: look for one to each property that is violated.
        interruptible: Ctrl-C ends the search with what it has found, and is no error.
        progress: is called with a line that says how far the search has come.

    Raises:
        UsageError: there is no such protocol or property, the size does not fit, or settings contradict each other.
        SpecError: the protocol or a property cheats or errs.
    """
    whole_numbers(count=count, workers=workers, cluster=cluster)
    times(checkpoint_every=checkpoint_every)
    unless_none(times, seconds=seconds)
    functions(progress=progress)
    settings = CheckSettings(
        reductions=reductions_of(symmetry=symmetry, vcpu_symmetry=vcpu_symmetry, reset_dead=reset_dead),
        max_memory=left_for_states(asked_for_states(max_memory)),
        seconds=seconds,
        engine=engine_named(engine),
        workers=workers,
        cluster=cluster,
        disk=path_or_none("disk", disk),
        small_table=small_table,
        checkpoint=path_or_none("checkpoint", checkpoint),
        checkpoint_every=checkpoint_every,
        resume=path_or_none("resume", resume),
        count=count,
        all_properties=all_properties,
        interruptible=interruptible,
    )
    named = load(protocol)
    instance = instance_of(named.protocol, pages, in_flight, host_page, properties, liveness=liveness)
    settings.refuse()
    return run_check(named, instance, settings, progress)


def run_check(named: NamedProtocol, instance: Instance, settings: CheckSettings, progress: Show) -> CheckResult:
    """Search as the settings say, which contradict nothing.

    Args:
        named: the protocol and its name.
        instance: the protocol at its size, with the properties that are asked.
        settings: how.
        progress: is called with a line that says how far the search has come.

    Raises:
        UsageError: a reduction cannot be used, or what is kept is of another search.
        SpecError: the protocol or a property cheats or errs.
    """
    options, report = settings.search(), of_search(progress)
    exploration = Exploration(instance, options, report)
    for reduction, why in exploration.kernel.inapplicable.items():
        if reduction is PAGES:  # on unless it is switched off: the verdict says why it is not used
            continue
        raise UsageError(f"{reduction.name} cannot be used: {why}; leave {setting(SETTING_OF[reduction])} away")
    with suppress(KeyboardInterrupt) if settings.interruptible else nullcontext():
        if settings.checkpoint is not None:
            exploration.keep(settings.checkpoint, settings.checkpoint_every)
        if settings.resume is not None:
            exploration.resume(settings.resume, settings.checkpoint_every)
        exploration.run()
    verdict, more = exploration.verdict(), []
    del exploration  # its states: the next searches need their memory
    if verdict.violated:
        wanted = None if settings.all_properties else settings.count
        more = further(verdict, options, wanted, report, interruptible=settings.interruptible)
    return CheckResult(named.name, verdict, more, expected_of(named.protocol))
