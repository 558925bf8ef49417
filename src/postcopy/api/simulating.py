"""`simulate`: walk at random, and what came of it."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import dataclass

from rich.console import Console

from postcopy.api.asking import (
    NamedProtocol,
    PropertiesLike,
    ProtocolLike,
    functions,
    instance_of,
    listed,
    load,
    times,
    unless_none,
    whole_numbers,
)
from postcopy.api.progress import Show, silent
from postcopy.api.result import Result
from postcopy.catalogue.loading import expected_of
from postcopy.catalogue.properties import everything
from postcopy.errors import UsageError
from postcopy.explorer.simulation.simulate import Simulated, Simulation, WalkPlan
from postcopy.language.instance import Instance
from postcopy.language.trace import Trace
from postcopy.model.postcopy import Postcopy
from postcopy.report.pages.simulation import html
from postcopy.report.records.simulation import SimulationRecord, simulation_record
from postcopy.report.results.simulation import sentence
from postcopy.report.terminal.simulation import print_simulation
from postcopy.surface import setting


@dataclass(frozen=True, repr=False)
class SimulateResult(Result):
    """The result of random walks.

    Attributes:
        name: the protocol's name.
        found: all that the walks found.
        expected: properties of states and steps that the protocol is known to violate, if it is of the catalogue.
    """

    name: str
    found: Simulated
    expected: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """``violated``, ``deadlock``, ``nothing found`` or ``interrupted``."""
        return self.found.finding.value

    @property
    def violated(self) -> str | None:
        """The property that is violated, by name; None where none was found."""
        return self.found.violated.name if self.found.violated is not None else None

    @property
    def sentence(self) -> str:
        """What was found, and what it is worth, as one sentence."""
        return sentence(self.found)

    @property
    def counterexample(self) -> Trace | None:
        """A run that violates the property, shortened, or None."""
        return self.found.counterexample

    @property
    def record(self) -> SimulationRecord:
        """All that ``--json`` prints."""
        return simulation_record(self.found, self.name, self.expected)

    def print_to(self, console: Console) -> None:
        """Print the result as the terminal shows it."""
        print_simulation(self.found, self.name, console, self.expected)

    def page(self, command: str = "") -> str:
        """All that was found, and the run with its chart, as a page.

        Args:
            command: the command line that does all this again; may be empty.
        """
        return html(self.found, self.record, command)

    def __bool__(self) -> bool:
        """False: there is a counterexample. It is never True: that walks find nothing proves nothing.

        Raises:
            UndecidedError: nothing was found.
        """
        if self.found.violated is None:
            raise self._undecided(self.sentence)
        return False


def simulate(
    protocol: ProtocolLike = Postcopy,
    *,
    pages: int = 8,
    in_flight: int = 4,
    host_page: int | None = None,
    properties: PropertiesLike = (),
    seed: int = 1,
    walks: int | None = None,
    seconds: float | None = None,
    depth: int = WalkPlan.depth,
    interruptible: bool = False,
    progress: Show = silent,
) -> SimulateResult:
    """Walk at random where there is too much to explore, and shorten what is found. Finding nothing proves nothing.

    Args:
        protocol: its class, or what the command line takes: a name, FILE.py:Class, or several with + between them.
        pages: how many target pages the guest has.
        in_flight: how many messages each channel holds.
        host_page: target pages of one host page; None for what the protocol says.
        properties: only these, by name; none for all of states and steps.
        seed: the same seed makes the same walks, on every machine.
        walks: how many walks to make; None for 10,000, or as many as the seconds allow.
        seconds: how long to walk, instead of a number of walks.
        depth: no walk goes further from the start.
        interruptible: Ctrl-C ends the walks with what they have found, and is no error.
        progress: is called with a line that says how far it has come.

    Raises:
        UsageError: there is no such protocol or property, the size does not fit, or a number is out of range.
        SpecError: the protocol or a property cheats or errs.
    """
    whole_numbers(seed=seed, depth=depth)
    unless_none(whole_numbers, walks=walks)
    unless_none(times, seconds=seconds)
    functions(progress=progress)
    if walks is not None and seconds is not None:
        raise UsageError(f"give {setting('walks')} or {setting('seconds')}, not both")
    named, plan = load(protocol), WalkPlan(seed=seed, depth=depth, walks=walks, seconds=seconds)
    liveness = bool(listed(properties))
    instance = instance_of(named.protocol, pages, in_flight, host_page, properties, liveness=liveness)
    return run_simulation(named, instance, plan, progress, interruptible=interruptible)


def run_simulation(
    named: NamedProtocol, instance: Instance, plan: WalkPlan, progress: Show, *, interruptible: bool
) -> SimulateResult:
    """Walk as the plan says.

    Args:
        named: the protocol and its name.
        instance: the protocol at its size, with the properties that are asked.
        plan: how many walks, how long, and with which random numbers.
        progress: is called with a line that says how far it has come.
        interruptible: Ctrl-C ends the walks with what they have found.

    Raises:
        UsageError: the size does not fit, or a property is about runs without end.
        SpecError: the protocol or a property cheats or errs.
    """
    walking = Simulation(instance, plan, progress)
    with suppress(KeyboardInterrupt) if interruptible else nullcontext():
        walking.run()
    of_runs = {p.name for p in everything(named.protocol) if p.of_runs}
    expected = tuple(broken for broken in expected_of(named.protocol) if broken not in of_runs)
    return SimulateResult(named.name, walking.found(), expected)
