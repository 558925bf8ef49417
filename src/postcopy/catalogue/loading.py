"""Find a protocol by what the command line says: the document's, a fault, a change, or a class in a user's file."""

from __future__ import annotations

import hashlib
import importlib.util
import linecache
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from postcopy.catalogue.changes import CHANGES
from postcopy.catalogue.history import HISTORY, PROTOCOLS
from postcopy.catalogue.import_errors import explain
from postcopy.errors import PostcopyError, UsageError
from postcopy.input_files import read_input
from postcopy.language.attribute_checks import check_attributes
from postcopy.language.protocol import Protocol
from postcopy.model.changes.change import Change
from postcopy.model.fault import Fault, name_of
from postcopy.model.faults import FAULTS
from postcopy.model.postcopy import Postcopy
from postcopy.suggestions import unknown

MAX_BYTES = 16 << 20
"""The largest file with a protocol that is read."""

_PREFIX = "postcopy_user_"
"""What the names of the modules made of users' files begin with."""


def load(
    target: str | None = None, fault: str | None = None, change: str | None = None, bug: str | None = None
) -> tuple[str, type[Protocol]]:
    """The protocol and the name that traces and reports give it.

    Args:
        target: ``FILE.py:Class``, ``FILE.py`` where it has just one protocol, or None for the document's protocol.
        fault: name of a fault of the document's protocol.
        change: name of a change of `postcopy.model.changes`.
        bug: name of a protocol of `postcopy.model.history`.

    Raises:
        UsageError: more than one is given, or one that there is not, or the file cannot be read.
        SpecError: the file's own code errs as a specification while it is read.
    """
    if sum(given is not None for given in (target, fault, change, bug)) > 1:
        raise UsageError("give a file, --fault, --change or --bug, and only one of them")
    if fault is not None:
        if fault not in FAULTS:
            raise UsageError(unknown("fault", fault, FAULTS))
        return fault, FAULTS[fault]
    if change is not None:
        if change not in CHANGES:
            raise UsageError(unknown("change", change, CHANGES))
        return change, CHANGES[change]
    if bug is not None:
        if bug not in PROTOCOLS:
            raise UsageError(unknown("bug", bug, PROTOCOLS))
        return bug, PROTOCOLS[bug]
    if target is None:
        return Postcopy.__name__, Postcopy
    file, _, name = target.partition(":")
    protocols = _protocols(Path(file))
    if not name and len(protocols) == 1:
        name = next(iter(protocols))
    if name not in protocols:
        has = f"it has {', '.join(protocols)}" if protocols else "it has no class that is a Protocol"
        raise UsageError(
            f"{file} has no protocol {name}: {has}" if name else f"{file}: say which class, FILE.py:Class: {has}"
        )
    check_attributes(protocols[name])
    return f"{file}:{name}", protocols[name]


def by_name(name: str) -> type[Protocol]:
    """The protocol of the catalogues that a stored trace names.

    A trace may come from anywhere, so no file is run because a trace names it: a user's own protocol has to be given
    by the user.

    Raises:
        UsageError: there is none of that name.
    """
    if ".py" in name:
        raise UsageError(f"it is of {name}, a file that is not run because a trace names it: give the file, too")
    known: dict[str, type[Protocol]] = {Postcopy.__name__: Postcopy, **PROTOCOLS, **CHANGES, **FAULTS}
    if name not in known:
        raise UsageError(f"there is no protocol {name}: postcopy list faults, changes and history show what there is")
    return known[name]


def line_of_user(error: BaseException) -> str | None:
    """``file:line`` in a user's file, or in one beside it, where an error was raised; None where it was not there."""
    found, traceback = None, error.__traceback__
    while traceback is not None:
        module = sys.modules.get(traceback.tb_frame.f_globals.get("__name__", ""))
        if module is not None and (module.__name__.startswith(_PREFIX) or hasattr(module, _NEIGHBOUR)):
            found = f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return found


def expected_of(protocol: type[Protocol]) -> tuple[str, ...]:
    """The properties that a fault, change or bug is known to violate, first the one that a shortest counterexample
    shows."""
    if protocol in FAULTS.values() or protocol in CHANGES.values():
        return cast(type[Fault | Change], protocol).breaks
    bug = HISTORY.get(name_of(protocol))
    return (bug.breaks,) if bug is not None and bug.faulty is protocol else ()


def _protocols(path: Path) -> dict[str, type[Protocol]]:
    """The protocols that a file defines, by class name. The file is run as Python."""
    content = read_input(path, MAX_BYTES)
    try:
        source = content.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"cannot read {path}: it is not text") from None
    name = f"{_PREFIX}{hashlib.sha256(str(path.resolve()).encode(errors='surrogateescape')).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or path.suffix != ".py":
        raise UsageError(f"cannot read {path}: it is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    # the text that runs: the file may be changed while this process does
    linecache.cache[str(path)] = (len(source), None, source.splitlines(keepends=True), str(path))
    try:
        with _neighbours(path.parent.resolve()):
            exec(compile(source, str(path), "exec"), module.__dict__)
    except SyntaxError as error:
        raise UsageError(f"cannot read {error.filename or path}: line {error.lineno}: {error.msg}") from None
    except (PostcopyError, KeyboardInterrupt):
        raise
    except BaseException as error:  # an exit of the file's own is no verdict
        raise UsageError(f"cannot read {path}: {explain(error, source, str(path))}") from None
    found = [value for value in vars(module).values() if issubclass(type(value), type) and issubclass(value, Protocol)]
    for each in found:
        if type(each) is not type:
            raise UsageError(f"{path}: a protocol of this file has a metaclass: a protocol is a plain class")
    return {c.__name__: c for c in found if c.__module__ == name}


_NEIGHBOUR = "_postcopy_neighbour"
"""The attribute that marks a module which a user's file imported from its own directory."""


@contextmanager
def _neighbours(directory: Path) -> Iterator[None]:
    """Let a file import the files beside it, as Python does for a script.

    They are imported anew for each file: another directory may have another file of the same name.
    """
    for name in [name for name, module in sys.modules.items() if hasattr(module, _NEIGHBOUR)]:
        del sys.modules[name]
    importlib.invalidate_caches()
    before = set(sys.modules)
    sys.path.insert(0, str(directory))
    try:
        yield
    finally:
        sys.path.remove(str(directory))
        for name in sys.modules.keys() - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).parent == directory:
                setattr(sys.modules[name], _NEIGHBOUR, True)
