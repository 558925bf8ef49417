"""Find a protocol by what the command line says: names of the catalogue, users' files, or several with + between.

A term ``NAME=on`` or ``NAME=off`` among them fixes an option.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from postcopy.catalogue.composition import compose
from postcopy.catalogue.options import fix, is_term
from postcopy.catalogue.tables import BY_NAME, CHANGES, FAULTS, PROTOCOLS
from postcopy.catalogue.user_files import UserFiles
from postcopy.errors import UsageError
from postcopy.language.attribute_checks import check_attributes
from postcopy.language.protocol import Protocol
from postcopy.model.fault import Fault, name_of
from postcopy.model.postcopy import Postcopy
from postcopy.suggestions import closest, unknown
from postcopy.surface import command, setting

if TYPE_CHECKING:
    from postcopy.model.changes.change import Change
    from postcopy.model.others.implementation import Implementation


def load(
    target: str | None = None, fault: str | None = None, change: str | None = None, bug: str | None = None
) -> tuple[str, type[Protocol]]:
    """The protocol and the name that traces and reports give it.

    Args:
        target: as for `resolve`, or None for the document's protocol.
        fault: name of a fault of the document's protocol.
        change: name of a change of `postcopy.model.changes`.
        bug: name of a protocol of `postcopy.model.history`.

    Raises:
        UsageError: more than one is given, or one that there is not; or as `resolve`.
        SpecError: as `resolve`.
    """
    if sum(given is not None for given in (target, fault, change, bug)) > 1:
        raise UsageError(
            f"give a protocol, {setting('fault')}, {setting('change')} or {setting('bug')}, and only one of them"
        )
    options = (("fault", fault, FAULTS), ("change", change, CHANGES), ("bug", bug, PROTOCOLS))
    for option, name, known in options:
        if name is not None:
            if name in known:
                return name, known[name]
            if name in BY_NAME or "+" in name:
                raise UsageError(
                    f"there is no {option} {name}: give it without {setting(option)}, which takes one name"
                )
            raise UsageError(unknown(option, name, known))
    return resolve(Postcopy.__name__ if target is None else target)


def resolve(text: str) -> tuple[str, type[Protocol]]:
    """The protocol that a text says, and the name that traces and reports give it.

    Args:
        text: a name of the catalogue; ``FILE.py:Class``, or ``FILE.py`` where it has just one protocol; or several of
            these with ``+`` between them. A term ``NAME=on`` or ``NAME=off`` among them fixes an option.

    Raises:
        UsageError: there is no such protocol, a file cannot be read, two protocols cannot be combined, or a term does
            not fit.
        SpecError: a file's own code errs as a specification while it is read.
    """
    given = _split(text)
    if "" in given:
        raise UsageError(f"{text}: there is no name on one side of a +: write PROTOCOL+CHANGE")
    files = UserFiles()
    return _whole(text, [_one(part, files) for part in given if not is_term(part)], list(filter(is_term, given)))


def by_name(name: str) -> type[Protocol]:
    """The protocol that a stored trace names: one of the catalogue, or several, and options, with ``+`` between them.

    A trace may come from anywhere, so no file is run because a trace names it: a user's own protocol has to be given
    by the user.

    Raises:
        UsageError: there is none of that name.
    """
    if ".py" in name:
        raise UsageError(f"it is of {name}, a file that is not run because a trace names it: give {name}, too")
    given = name.split("+")
    parts = [part for part in given if not is_term(part)]
    if missing := [part for part in parts if part not in BY_NAME]:
        raise UsageError(_no_protocol(missing[0]))
    return _whole(name, [(part, BY_NAME[part]) for part in parts], list(filter(is_term, given)))[1]


def names_file(name: str) -> bool:
    """Whether a protocol's name, as `resolve` gives it, names a user's file."""
    return any(part not in BY_NAME and not is_term(part) for part in name.split("+"))


def _whole(text: str, parts: Sequence[tuple[str, type[Protocol]]], terms: Sequence[str]) -> tuple[str, type[Protocol]]:
    """All protocols that a text names as one, with the options fixed that it fixes, and the name of this."""
    if not parts:
        raise UsageError(f"{text} fixes an option, and names no protocol: write PROTOCOL+{text}")
    names = [name for name, _ in parts]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"{text}: {twice} is named twice")
    return fix("+".join(names), compose(parts), terms)


def _split(text: str) -> list[str]:
    """The names and files of a text: a ``+`` in the name of a file or directory that exists stands for itself."""
    found: list[str] = []
    pieces = text.split("+")
    while pieces:
        of_file = next((n for n, piece in enumerate(pieces, 1) if ":" in piece), len(pieces))
        whole = (n for n in range(of_file, 1, -1) if Path("+".join(pieces[:n]).partition(":")[0]).is_file())
        count = next(whole, 1)
        found.append("+".join(pieces[:count]))
        pieces = pieces[count:]
    return found


def _one(text: str, files: UserFiles) -> tuple[str, type[Protocol]]:
    """A name of the catalogue, or a file."""
    if text in BY_NAME:
        return text, BY_NAME[text]
    file, _, name = text.partition(":")
    if not (Path(file).suffix or "/" in file or "\0" in file or Path(file).exists()):
        raise UsageError(_no_protocol(text))
    protocols = files.protocols(Path(file))
    if not name and len(protocols) == 1:
        name = next(iter(protocols))
    if name not in protocols:
        has = f"it has {', '.join(protocols)}" if protocols else "it has no class that is a Protocol"
        raise UsageError(
            f"{file} has no protocol {name}: {has}" if name else f"{file}: say which class, FILE.py:Class: {has}"
        )
    check_attributes(protocols[name])
    return f"{file}:{name}", protocols[name]


def _no_protocol(name: str) -> str:
    close = closest(name, BY_NAME)
    meant = (
        f"; did you mean {close}?"
        if close
        else f": {command('list', 'faults')} shows what there is, and so do changes, history, qemu and others"
    )
    return f"there is no protocol {name}" + meant


def expected_of(protocol: type[Protocol]) -> tuple[str, ...]:
    """The properties that a fault, change, bug or other project is known to violate, first the one that a shortest
    counterexample shows."""
    if protocol is Postcopy or not protocol.__module__.startswith("postcopy."):
        return ()  # the catalogue need not be read
    from postcopy.catalogue.history import HISTORY
    from postcopy.catalogue.others import OTHERS

    if protocol in FAULTS.values() or protocol in CHANGES.values() or protocol in OTHERS.values():
        return cast("type[Fault | Change | Implementation]", protocol).breaks
    bug = HISTORY.get(name_of(protocol))
    return (bug.breaks,) if bug is not None and bug.faulty is protocol else ()
