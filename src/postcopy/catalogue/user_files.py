"""Files of a user that define protocols: they are run as Python, and may import the files beside them."""

from __future__ import annotations

import hashlib
import importlib.util
import linecache
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from postcopy.catalogue.import_errors import explain
from postcopy.errors import PostcopyError, UsageError
from postcopy.input_files import read_input
from postcopy.language.protocol import Protocol

MAX_BYTES = 16 << 20
"""The largest file with a protocol that is read."""

_PREFIX = "postcopy_user_"
"""What the names of the modules made of users' files begin with."""

_NEIGHBOUR = "_postcopy_neighbour"
"""The attribute that marks a module which a user's file imported from its own directory."""


def line_of_user(error: BaseException) -> str | None:
    """``file:line`` in a user's file, or in one beside it, where an error was raised; None where it was not there."""
    found, traceback = None, error.__traceback__
    while traceback is not None:
        module = sys.modules.get(traceback.tb_frame.f_globals.get("__name__", ""))
        if module is not None and (module.__name__.startswith(_PREFIX) or hasattr(module, _NEIGHBOUR)):
            found = f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return found


class UserFiles:
    """The files of one question. Each is run once, whether the user names it or another file imports it."""

    def __init__(self) -> None:
        self._modules: dict[Path, ModuleType] = {}

    def protocols(self, path: Path) -> dict[str, type[Protocol]]:
        """The protocols that a file defines, by class name. The file is run as Python, unless it was before.

        Raises:
            UsageError: it cannot be read, or its code raises an error.
            PostcopyError: what its code raises of these.
        """
        module = self._modules.get(_real(path)) or self._run(path)
        found = [v for v in vars(module).values() if issubclass(type(v), type) and issubclass(v, Protocol)]
        for each in found:
            if type(each) is not type:
                raise UsageError(f"{path}: a protocol of this file has a metaclass: a protocol is a plain class")
        return {c.__name__: c for c in found if c.__module__ == module.__name__}

    def _run(self, path: Path) -> ModuleType:
        content = read_input(path, MAX_BYTES)
        try:
            source = content.decode("utf-8")
        except UnicodeDecodeError:
            raise UsageError(f"cannot read {path}: it is not text") from None
        name = f"{_PREFIX}{hashlib.sha256(str(_real(path)).encode(errors='surrogateescape')).hexdigest()[:12]}"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or path.suffix != ".py":
            raise UsageError(f"cannot read {path}: it is not a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        # the text that runs: the file may be changed while this process does
        linecache.cache[str(path)] = (len(source), None, source.splitlines(keepends=True), str(path))
        try:
            with self._neighbours(_real(path.parent)):
                exec(compile(source, str(path), "exec"), module.__dict__)
        except SyntaxError as error:
            raise UsageError(f"cannot read {error.filename or path}: line {error.lineno}: {error.msg}") from None
        except (PostcopyError, KeyboardInterrupt):
            raise
        except BaseException as error:  # an exit of the file's own is no verdict
            raise UsageError(f"cannot read {path}: {explain(error, source, str(path))}") from None
        self._modules[_real(path)] = module
        return module

    @contextmanager
    def _neighbours(self, directory: Path) -> Iterator[None]:
        """Let a file import the files beside it, as Python does for a script.

        They are imported anew for each question: they may have changed, and another directory may have another file of
        the same name. What was run before for this question is not run again.
        """
        for name in [name for name, module in sys.modules.items() if hasattr(module, _NEIGHBOUR)]:
            del sys.modules[name]
        importlib.invalidate_caches()
        beside = {path.stem: module for path, module in self._modules.items() if path.parent == directory}
        before = set(sys.modules)
        sys.modules.update({name: module for name, module in beside.items() if name not in before})
        sys.path.insert(0, str(directory))
        try:
            yield
        finally:
            sys.path.remove(str(directory))
            for name in sys.modules.keys() - before:
                file = getattr(sys.modules[name], "__file__", None)
                if file and _real(file).parent == directory:
                    setattr(sys.modules[name], _NEIGHBOUR, True)
                    self._modules[_real(file)] = sys.modules[name]


def _real(path: str | Path) -> Path:
    """The path without symbolic links, and without an error where they lead in a circle."""
    return Path(os.path.realpath(path))
