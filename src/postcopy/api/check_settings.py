"""How a check is done: its options, and those that do not go together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path

from postcopy.errors import UsageError
from postcopy.explorer.kernel.canonical_form import Reduction
from postcopy.explorer.kernel.reductions import DEAD, PAGES, VCPUS
from postcopy.explorer.results import Engine, Options
from postcopy.suggestions import not_among
from postcopy.surface import setting


def reductions_of(*, symmetry: bool, vcpu_symmetry: bool, reset_dead: bool) -> tuple[Reduction, ...]:
    """What is done to store fewer states.

    Args:
        symmetry: one of all states equal up to a renaming of pages is stored.
        vcpu_symmetry: one of all states equal up to a renaming of vCPUs is stored.
        reset_dead: one of all states that differ in what nothing to come depends on is stored.
    """
    asked = ((symmetry, PAGES), (vcpu_symmetry, VCPUS), (reset_dead, DEAD))
    return tuple(reduction for given, reduction in asked if given)


SETTING_OF = {PAGES: "symmetry", VCPUS: "vcpu_symmetry", DEAD: "reset_dead"}
"""The setting that asks for a reduction."""


def engine_named(name: str) -> Engine:
    """The driver of a name.

    Raises:
        UsageError: there is none.
    """
    if name not in list(Engine):
        raise UsageError(not_among("engine", name, Engine))
    return Engine(name)


@dataclass(frozen=True, kw_only=True)
class CheckSettings:
    """How a check is done.

    Attributes:
        reductions: what is done to store fewer states.
        max_memory: bytes that states may take.
        seconds: time after which the search ends with what it has found; None for no limit.
        engine: which driver searches.
        workers: cores that a large search may use.
        cluster: processes on Ray to search with; 0 for none.
        disk: directory to go on in when the memory for states is full.
        small_table: a large search stores its states in a third of the memory.
        checkpoint: directory to keep the search in as it goes.
        checkpoint_every: seconds between two checkpoints.
        resume: directory of a search to go on with.
        count: how many counterexamples to look for, each to another property.
        all_properties: look for one to each property that is violated.
        interruptible: Ctrl-C ends the search with what it has found, and is no error.
    """

    reductions: tuple[Reduction, ...] = (PAGES,)
    max_memory: int = 4 << 30
    seconds: float | None = None
    engine: Engine = Engine.AUTO
    workers: int = 1
    cluster: int = 0
    disk: Path | None = None
    small_table: bool = False
    checkpoint: Path | None = None
    checkpoint_every: float = 60.0
    resume: Path | None = None
    count: int = 1
    all_properties: bool = False
    interruptible: bool = False

    @property
    def kept(self) -> bool:
        """The search is kept on disk."""
        return self.checkpoint is not None or self.resume is not None

    @property
    def interpreted(self) -> bool:
        """The search has to be interpreted."""
        return self.engine is Engine.INTERPRETED

    def search(self) -> Options:
        """How to search."""
        return Options(
            reductions=self.reductions,
            max_memory=self.max_memory,
            engine=Engine.COMPILED if self.kept or self.cluster else self.engine,
            workers=self.workers,
            disk=self.disk,
            cluster=self.cluster,
            small_table=self.small_table,
            seconds=self.seconds,
        )

    def refuse(self) -> None:
        """Refuse settings that do not go together, and directories that cannot be used.

        Raises:
            UsageError: they do not, or cannot.
        """
        names = {field.name: _Given(field.name, getattr(self, field.name)) for field in fields(self)}
        for contradicts, why in CONTRADICTIONS:
            if contradicts(self):
                raise UsageError(why.format(**names))
        if self.cluster and find_spec("ray") is None:
            raise UsageError(f"{names['cluster']} needs Ray: pip install 'postcopy-mc[cluster]'")
        if self.kept:
            from postcopy.explorer.search.checkpoint import make_room, read

            if self.checkpoint is not None:
                make_room(self.checkpoint)
            if self.resume is not None:
                read(self.resume)


@dataclass(frozen=True)
class _Given:
    """A setting in a message: its name, and with ``.given`` its value, too."""

    name: str
    value: object

    @property
    def given(self) -> str:
        """The setting with its value."""
        return setting(self.name, self.value)

    def __str__(self) -> str:
        return setting(self.name)


CONTRADICTIONS: tuple[tuple[Callable[[CheckSettings], bool], str], ...] = (
    (lambda o: o.count < 1, "{count.given} is out of range: 1 or more"),
    (lambda o: o.all_properties and o.count > 1, "give {count} or {all_properties}, not both"),
    (
        lambda o: o.checkpoint is not None and o.resume is not None,
        "{resume} keeps the search where it was kept: leave {checkpoint} away",
    ),
    (lambda o: o.kept and o.interpreted, "only a compiled search can be kept: leave {engine.given} away"),
    (
        lambda o: o.disk is not None and o.cluster > 0,
        "{disk} does not go with {cluster}",
    ),
    (
        lambda o: o.small_table and o.disk is not None,
        "{small_table} does not go with {disk}",
    ),
    (
        lambda o: o.small_table and o.interpreted,
        "{small_table} is for a compiled search: leave {engine.given} away",
    ),
    (
        lambda o: o.cluster > 0 and o.workers > 1,
        "{cluster} is the number of processes: leave {workers} away",
    ),
    (
        lambda o: (o.disk is not None or o.cluster > 0) and o.interpreted,
        "only a compiled search leaves this process's memory: leave {engine.given} away",
    ),
    (lambda o: o.disk is not None and not o.disk.is_dir(), "{disk.given}: there is no such directory"),
    (
        lambda o: o.workers > 1 and o.interpreted,
        "{workers} is for a compiled search: leave {engine.given} away",
    ),
    (lambda o: not 1 <= o.workers <= 64, "{workers.given} is out of range: from 1 to 64"),
    (lambda o: not 0 <= o.cluster <= 4096, "{cluster.given} is out of range: from 0 to 4096"),
    (
        lambda o: o.seconds is not None and not 0 < o.seconds < float("inf"),
        "{seconds.given}: a time greater than 0",
    ),
    (lambda o: not 0 <= o.checkpoint_every < float("inf"), "{checkpoint_every.given}: a time of 0 or more"),
)
"""Settings that do not go together: when, and what to say."""
