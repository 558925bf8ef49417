"""`postcopy run source --qemu` and `run destination --qemu`: which options go with a guest that comes from a QEMU."""

from __future__ import annotations

from collections.abc import Collection

import typer

from postcopy.errors import UsageError

OWN = ("size", "target_page", "memory", "vcpus", "workload", "rate", "seed", "settle")
"""Options of the engine's own guest."""


def given_on_command_line(context: typer.Context, names: Collection[str]) -> list[str]:
    """Those of some parameters that were given, as options."""
    found = []
    for name in names:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            found.append(f"--{name.replace('_', '-')}")
    return found


def check_options(context: typer.Context, *, qemu: bool, file: str) -> None:
    """Refuse options that do not go together.

    Args:
        qemu: whether the other side is a QEMU.
        file: the parameter that names the file with the guest.

    Raises:
        UsageError: an option of the engine's own guest with a QEMU, or the file without a QEMU or the other way round.
    """
    option = f"--{file.replace('_', '-')}"
    has_file = bool(given_on_command_line(context, [file]))
    if qemu and (own := given_on_command_line(context, OWN)):
        raise UsageError(f"{', '.join(own)}: not with --qemu, for the guest comes from a QEMU, with its memory")
    if qemu and not has_file:
        raise UsageError(f"--qemu needs {option} FILE: the engine keeps a guest of QEMU in a file, and does not run it")
    if has_file and not qemu:
        raise UsageError(f"{option} goes with --qemu: the engine's own guest is in no file")
