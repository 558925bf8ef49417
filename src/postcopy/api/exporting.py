"""`export_model`: the model in another tool's language."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

from rich.console import Console

from postcopy.api.asking import PropertiesLike, ProtocolLike, instance_of, load, path_of
from postcopy.api.result import Shown
from postcopy.export.files import check_name, files
from postcopy.language.instance import Instance
from postcopy.model.postcopy import Postcopy
from postcopy.report.files.file_format import WRITTEN, FileFormat
from postcopy.report.pages.plain import page
from postcopy.surface import setting

FORMATS = {
    "promela": FileFormat((), "for Spin", comment=f"/* {WRITTEN} */"),
    "tla": FileFormat((".tla",), "for TLC", comment=f"\\* {WRITTEN}"),
    "aut": FileFormat((), "for mCRL2 and CADP", begins="des ("),
}
"""The languages: what their files are."""

CONFIGURATION = FileFormat((".cfg",), "TLC's configuration", comment=f"\\* {WRITTEN}")


def formats_of(form: str, out: Path) -> dict[Path, FileFormat]:
    """The files that are written for a file's name, each with its format.

    Args:
        form: the language.
        out: the file.

    Raises:
        UsageError: there is no such language, or a TLA+ module cannot have the file's name.
    """
    check_name(form, out)
    found = {out: FORMATS[form]}
    if form == "tla":
        found[out.with_suffix(".cfg")] = CONFIGURATION
    return found


def refuse_file(form: str, out: Path, *, force: bool) -> None:
    """Refuse a file before anything is made for it.

    Raises:
        UsageError: it cannot be written, or is there and this package has not written it.
    """
    for path, its in formats_of(form, out).items():
        its.refuse(path, option=setting("out"), force=force)


@dataclass(frozen=True, repr=False)
class ExportedModel(Shown):
    """A model in another tool's language. ``str()`` is its text.

    Attributes:
        name: the protocol's name.
        form: the language: ``promela``, ``tla`` or ``aut``.
        instance: the protocol at its size, with the properties that become assertions and invariants.
    """

    name: str
    form: str
    instance: Instance

    @property
    def text(self) -> str:
        """The text, which ends with a line's end."""
        return files(self.form, self.instance, self.name, None)[None]

    @property
    def sentence(self) -> str:
        """The language and the size."""
        return f"{self.form}, {FORMATS[self.form].help}: {self.instance.size}"

    def print_to(self, console: Console) -> None:
        """Print the text."""
        console.print(self.text, markup=False, soft_wrap=True, end="")

    def page(self, command: str = "") -> str:
        """The text as a page.

        Args:
            command: the command line that does all this again; may be empty.
        """
        return page("export", self.name, self.form, self.sentence, self.text, command)

    def save(self, path: str | Path, *, force: bool = False) -> list[Path]:
        """Write the text to a file; beside a TLA+ module, TLC's configuration.

        Args:
            path: where. A TLA+ module has its file's name: letters and digits, and .tla.
            force: replace a file that this package has not written.

        Returns:
            The files.

        Raises:
            UsageError: a file cannot be written, or is there and this package has not written it.
        """
        out = path_of("path", path)
        formats = formats_of(self.form, out)
        refuse_file(self.form, out, force=force)
        texts = {path: text for path, text in files(self.form, self.instance, self.name, out).items() if path}
        for file, text in texts.items():
            formats[file].save(file, text)
        return list(texts)

    def _repr_html_(self) -> str:
        """The sentence, with the text to unfold."""
        return f"<details><summary>{escape(self.sentence)}</summary><pre>{escape(self.text)}</pre></details>"


def export_model(
    form: str,
    protocol: ProtocolLike = Postcopy,
    *,
    pages: int = 2,
    in_flight: int = 2,
    host_page: int | None = None,
    properties: PropertiesLike = (),
) -> ExportedModel:
    """The model in another tool's language; the properties become assertions and invariants.

    Args:
        form: ``promela`` for Spin, ``tla`` for TLC, ``aut`` for mCRL2 and CADP.
        protocol: its class, or what the command line takes: a name, FILE.py:Class, or several with + between them.
        pages: how many target pages the guest has.
        in_flight: how many messages each channel holds.
        host_page: target pages of one host page; None for what the protocol says.
        properties: only these of states and steps, by name; none for all that apply.

    Raises:
        UsageError: there is no such language, protocol or property, or the size does not fit.
        SpecError: the protocol or a property cheats or errs.
    """
    check_name(form, None)
    named = load(protocol)
    instance = instance_of(named.protocol, pages, in_flight, host_page, properties, liveness=False)
    return ExportedModel(named.name, form, instance)
