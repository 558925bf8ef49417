"""Files of a user that define protocols: they are run as Python, and may import the files beside them."""

from __future__ import annotations

import hashlib
import importlib.util
import linecache
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from postcopy.catalogue.import_errors import explain
from postcopy.errors import PostcopyError, UsageError
from postcopy.input_files import read_input
from postcopy.language.protocol import Protocol

MAX_BYTES = 16 << 20
"""The largest file with a protocol that is read."""

_PREFIX = "postcopy_user_"
"""What the names of the modules made of users' files begin with: two directories may have files of the same name."""

_BESIDE = "_postcopy_beside"
"""The attribute of a module that was imported from the directory of a user's file."""


def line_of_user(error: BaseException) -> str | None:
    """``file:line`` in a user's file, or in one beside it, where an error was raised; None where it was not there."""
    found, traceback = None, error.__traceback__
    while traceback is not None:
        name = traceback.tb_frame.f_globals.get("__name__", "")
        if name.startswith(_PREFIX) or hasattr(sys.modules.get(name), _BESIDE):
            found = f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return found


class UserFiles:
    """The files of one question. Each is run once, whether the user names it or another file imports it."""

    def __init__(self) -> None:
        self._modules: dict[Path, ModuleType] = {}
        self._texts: dict[str, str] = {}

    def protocols(self, path: Path) -> dict[str, type[Protocol]]:
        """The protocols that a file defines, by class name. The file is run as Python, unless it was before.

        Raises:
            UsageError: it cannot be read, or its code raises an error.
            PostcopyError: what its code raises of these.
        """
        module = self._modules.get(_real(path)) or self._load(path)
        found = [v for v in vars(module).values() if issubclass(type(v), type) and issubclass(v, Protocol)]
        for each in found:
            if type(each) is not type:
                raise UsageError(f"{path}: a protocol of this file has a metaclass: a protocol is a plain class")
        return {c.__name__: c for c in found if c.__module__ == module.__name__}

    def run(self, path: Path, module: ModuleType) -> None:
        """Run a file as a module, as an import does.

        Raises:
            UsageError: it cannot be read.
            BaseException: whatever its code raises.
        """
        source, real = self._text(path), _real(path)
        module.__name__ = _PREFIX + hashlib.sha256(str(real).encode(errors="surrogateescape")).hexdigest()[:12]
        sys.modules[module.__name__] = self._modules[real] = module
        exec(compile(source, str(path), "exec"), module.__dict__)

    def already_run(self, path: Path) -> ModuleType | None:
        """The module of a file that was run for this question, or whose code is running."""
        return self._modules.get(_real(path))

    def _load(self, path: Path) -> ModuleType:
        """Run a file that the user names, and say in one line what goes wrong in it or in a file beside it."""
        self._text(path)  # a file that cannot be read says so before it is called no Python file
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or path.suffix != ".py":
            raise UsageError(f"cannot read {path}: it is not a Python file")
        module = importlib.util.module_from_spec(spec)
        try:
            with _beside(_real(path.parent), self):
                self.run(path, module)
        except SyntaxError as error:
            raise UsageError(f"cannot read {error.filename or path}: line {error.lineno}: {error.msg}") from None
        except (PostcopyError, KeyboardInterrupt):
            raise
        except BaseException as error:  # an exit of the file's own is no verdict
            file = self._where(error) or str(path)
            self._call_by_file(error)
            raise UsageError(f"cannot read {file}: {explain(error, self._texts[file], file)}") from None
        return module

    def _text(self, path: Path) -> str:
        name = str(path)
        if name not in self._texts:
            content = read_input(path, MAX_BYTES)
            try:
                source = content.decode("utf-8")
            except UnicodeDecodeError:
                raise UsageError(f"cannot read {path}: it is not text") from None
            self._texts[name] = source
            # the text that runs: the file may be changed while this process does
            linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        return self._texts[name]

    def _where(self, error: BaseException) -> str | None:
        """The file of the user's that raised an error."""
        found, traceback = None, error.__traceback__
        while traceback is not None:
            name = traceback.tb_frame.f_code.co_filename
            found, traceback = name if name in self._texts else found, traceback.tb_next
        return found

    def _call_by_file(self, error: BaseException) -> None:
        """Let an error of an import name a file beside the user's as the import does."""
        for path, module in self._modules.items():
            if isinstance(error, ImportError) and error.name == module.__name__:
                error.name, error.msg = path.stem, str(error.msg).replace(module.__name__, path.stem)


class _Finder(MetaPathFinder, Loader):
    """Imports of files in a directory, each run once for a question."""

    def __init__(self, directory: Path, files: UserFiles) -> None:
        self._directory, self._files = directory, files

    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> ModuleSpec | None:  # noqa: ARG002
        """Where the file of a module is, if it is one beside the user's."""
        file = self._directory / f"{name}.py"
        there = path is None and file.exists()
        return importlib.util.spec_from_file_location(name, file, loader=self) if there else None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """The module of a file that was run before, or None for a new one."""
        return self._files.already_run(Path(str(spec.origin)))

    def exec_module(self, module: ModuleType) -> None:
        """Run a file that was not run before."""
        path = Path(str(module.__spec__.origin if module.__spec__ else ""))
        if self._files.already_run(path) is None:
            self._files.run(path, module)


@contextmanager
def _beside(directory: Path, files: UserFiles) -> Iterator[None]:
    """Let a file import the files beside it, as Python does for a script.

    They are imported anew for each question: they may have changed, and another directory may have another file of the
    same name.
    """
    for name, module in [*sys.modules.items()]:
        if hasattr(module, _BESIDE) and not name.startswith(_PREFIX):
            del sys.modules[name]
    importlib.invalidate_caches()
    before = set(sys.modules)
    finder = _Finder(directory, files)
    sys.meta_path.insert(0, finder)
    sys.path.insert(0, str(directory))  # for packages
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        sys.path.remove(str(directory))
        for name in sys.modules.keys() - before:
            if not name.startswith(_PREFIX) and _belongs(name, directory):
                setattr(sys.modules[name], _BESIDE, True)


def _belongs(name: str, directory: Path) -> bool:
    """Whether a module comes from a file in a directory, or from a package in it."""
    module, top = sys.modules[name], directory / name.partition(".")[0]
    places = [getattr(module, "__file__", None) or "", *getattr(module, "__path__", ())]
    return any(_real(p) == top.with_suffix(".py") or _real(p).is_relative_to(top) for p in places if p)


def _real(path: str | Path) -> Path:
    """The path without symbolic links, and without an error where they lead in a circle."""
    return Path(os.path.realpath(path))
