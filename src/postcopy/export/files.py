"""Which files an export has, and how they are called."""

from __future__ import annotations

import re
from pathlib import Path

from postcopy.errors import UsageError
from postcopy.export.aut import aut
from postcopy.export.promela import promela
from postcopy.export.tla import config, tla
from postcopy.language.instance import Instance
from postcopy.language.program import read
from postcopy.surface import setting

FORMS = ("promela", "tla", "aut")


def check_name(form: str, out: Path | None) -> None:
    """Refuse what cannot be written, before anything is read.

    Raises:
        UsageError: there is no such language, or a TLA+ module cannot have the file's name.
    """
    if form not in FORMS:
        raise UsageError(f"there is no export called {form}: {', '.join(FORMS)}")
    if form == "tla" and out is not None and not (out.suffix == ".tla" and re.fullmatch(r"[A-Za-z]\w*", out.stem)):
        raise UsageError(
            f"{setting('out', out)}: a TLA+ module is called as its file, so that has to be letters and digits.tla"
        )


def files(form: str, instance: Instance, name: str, out: Path | None) -> dict[Path | None, str]:
    """The texts of an export by their files; None is the terminal.

    Args:
        form: one of `FORMS`.
        instance: what to export; its properties become assertions and invariants.
        name: what the protocol is called.
        out: where it goes. TLC's configuration goes beside a TLA+ module.

    Raises:
        UsageError: the graph is too large for the format.
        SpecError: the protocol or a property cheats or errs.
    """
    program = read(instance)
    if form == "promela":
        return {out: promela(program, name)}
    if form == "aut":
        return {out: "\n".join(aut(program)) + "\n"}
    module = out.stem if out is not None else re.sub(r"\W", "_", instance.protocol.__name__)
    texts: dict[Path | None, str] = {out: tla(program, name, module)}
    if out is not None:
        texts[out.with_suffix(".cfg")] = config(program, name, module)
    return texts
