"""`trace`: a stored run, replayed step by step on its protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from postcopy.api.asking import PropertiesLike, ProtocolLike, instance_of, listed, load, path_of
from postcopy.api.text_result import TextResult
from postcopy.catalogue.properties import all_asked, with_everything
from postcopy.errors import TraceError, UsageError
from postcopy.explorer.kernel.fingerprint import fingerprint
from postcopy.language.instance import Instance
from postcopy.language.trace import Trace
from postcopy.model.postcopy import Postcopy
from postcopy.report.records.story import TraceRecord, trace_record
from postcopy.report.story.exported_itf import from_exported_itf, is_exported
from postcopy.report.story.itf import read_itf, read_text
from postcopy.report.story.tell import tell
from postcopy.report.story.text import print_story


@dataclass(frozen=True, repr=False)
class TraceResult(TextResult):
    """A stored run.

    Attributes:
        name: the protocol's name.
        run: the run, replayed on the model.
    """

    _command = "trace"

    name: str
    run: Trace

    @property
    def verdict(self) -> str:
        """``violated``: the run violates a property; ``witness``: it reaches something."""
        return "witness" if self.run.violated is None else "violated"

    @property
    def violated(self) -> str | None:
        """The property that the run violates, by name; None for a witness."""
        return self.run.violated

    @property
    def sentence(self) -> str:
        """The title of the run's story, and its length."""
        story = tell(self.run)
        return f"{story.title}: {story.length}"

    @property
    def counterexample(self) -> Trace:
        """The run, also where it is a witness."""
        return self.run

    @property
    def record(self) -> TraceRecord:
        """All that ``--json`` prints."""
        return trace_record(tell(self.run), self.run.violated)

    @property
    def _runs(self) -> tuple[Trace]:
        return (self.run,)

    def print_to(self, console: Console) -> None:
        """Print the run as the terminal shows it."""
        print_story(tell(self.run), console)

    def __bool__(self) -> bool:
        """Never answers: a run is neither good nor bad.

        Raises:
            UndecidedError: always.
        """
        raise self._undecided("a stored run is neither good nor bad")


def trace(
    file: str | Path,
    protocol: ProtocolLike | None = None,
    *,
    pages: int | None = None,
    in_flight: int | None = None,
    host_page: int | None = None,
    properties: PropertiesLike = (),
) -> TraceResult:
    """A stored run, replayed step by step on the model.

    Args:
        file: the run (.itf.json), also one that Apalache or Quint wrote of the exported model.
        protocol: the protocol that it is of; None for the one of the catalogue that the file names, or the document's.
            A file of one's own has to be given: none is run because a trace names it.
        pages, in_flight: of a run of the exported model, the size of the export; None for 2.
        host_page: the same; None for what the protocol says.
        properties: the same: the properties of the export, by name; none for all of states and steps.

    Raises:
        TraceError: the file cannot be read or does not belong to this model, or its protocol is a file that is not
            given.
        UsageError: there is no such protocol or property; or a size is given, and the file says its own.
    """
    path = path_of("file", file)
    protocol = None if protocol is None else load(protocol)
    exported, sized = (
        is_of_export(path),
        (pages, in_flight, host_page) != (None, None, None) or bool(listed(properties)),
    )
    if exported:
        size = (2 if pages is None else pages, 2 if in_flight is None else in_flight, host_page)
        return TraceResult(*_read_exported(path, Postcopy if protocol is None else protocol, size, properties))
    if sized:
        raise UsageError(f"{file} says its own size and properties: leave them away")
    return TraceResult(*read_run(path, protocol))


def is_of_export(file: Path) -> bool:
    """Whether a run was written by another tool, of the exported model.

    Raises:
        TraceError: the file cannot be read.
    """
    text = read_text(file)
    with _in(file):
        return is_exported(text)


def _read_exported(
    file: Path, protocol: ProtocolLike, size: tuple[int, int, int | None], properties: PropertiesLike
) -> tuple[str, Trace]:
    named = load(protocol)
    instance = instance_of(named.protocol, *size, properties, liveness=False)
    whole = all_asked(named.protocol, instance.pages, instance.in_flight, instance.group)
    text = read_text(file)
    with _in(file):
        return named.name, from_exported_itf(text, instance, whole)


@contextmanager
def _in(file: Path) -> Iterator[None]:
    """Say of an error in which file it is."""
    try:
        yield
    except TraceError as error:
        raise TraceError(f"{file}: {error.marked}") from None


def read_run(file: Path, own: ProtocolLike | None) -> tuple[str, Trace]:
    """The name of a stored run's protocol, and the run, replayed on the model.

    Args:
        file: where it is stored.
        own: the protocol that it is of, as the user says it; None for the one of the catalogues that the file names.

    Raises:
        TraceError: the file cannot be read or does not belong to this model, or its protocol is a file that is not
            given.
    """
    given = load(own) if own is not None else None
    named = []

    def make(name: str, *size: int) -> Instance:
        named.append(name if given is None else given.name)
        return with_everything(name, *size) if given is None else all_asked(given.protocol, *size)

    run = read_itf(file, make, fingerprint)
    return named[0], run
