"""Functions that Numba compiles, whose machine code is one object in the cache.

Numba's own cache has no checksums: a damaged file ends the process, and a file of another function is run. Here Numba
is given a cache for each function that reads from, and writes to, an archive in memory. The archive comes from
`postcopy.cache`, and is kept there when a function had to be compiled.

A function is compiled when it is first called: a search on one core calls half of the loop's functions.
"""

from __future__ import annotations

import pickle
import platform
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from threading import RLock
from types import SimpleNamespace
from typing import Any

import llvmlite
import numba
from numba import types
from numba.core.caching import CompileResultCacheImpl, NullCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.registry import cpu_target
from numba.core.serialize import dumps

from postcopy.cache import Cache
from postcopy.explorer.kernel.compiler import processor

_njit: Any = numba.njit  # whose types leave out what a function need not have


class _OptimizedOnce(JITCodeLibrary):
    """LLVM's text of a function, optimized when everything is in it that the function calls.

    Numba optimizes each function three times: alone, with what it calls by a few passes, and by all of them. The first
    two are for counts of who uses an array (`allocates`), and take as long as the third.
    """

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout  # noqa: SLF001

    def _optimize_final_module(self) -> None:
        made = self._codegen._module_pass_manager()  # noqa: SLF001
        passes, *builder = made if isinstance(made, tuple) else (made,)  # Numba below 0.62 has LLVM's older passes
        passes.run(self._final_module, *builder)


class _TextForCallers(_OptimizedOnce):
    """LLVM's text of a function that only compiled ones call, neither optimized nor made machine code for itself.

    LLVM puts it into each caller, and optimizes it there. Numba would do both for each function before that, in vain.
    """

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True

    @property
    def codegen(self) -> Any:
        """What would be told where the function's environment is; there is no place for it."""
        return SimpleNamespace(set_env=lambda *_: None)


class _Compiler(Compiler):
    """Numba's compiler, which puts what it makes into a library of one of these kinds."""

    library = _OptimizedOnce

    def __init__(self, typingctx: Any, targetctx: Any, library: Any, *more: Any) -> None:
        made = library
        if made is None:
            made = self.library(targetctx.codegen(), "postcopy")
            made.enable_object_caching()
        super().__init__(typingctx, targetctx, made, *more)


class _ForCallers(_Compiler):
    """The same for functions that only compiled ones call."""

    library = _TextForCallers


inner = _njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, pipeline_class=_ForCallers)
"""Compiles a function that only compiled ones may call: a call from Python ends the process. To make it fit for that
takes a third of the time."""

_ONE_AT_A_TIME = RLock()
"""Workers may call the same function at the same time; to compile one may take that another is compiled."""


class NumbaArchive:
    """The machine code of some functions.

    Args:
        cache: where it is kept.
        kind: its kind there.
        texts: all texts that the machine code depends on, but for those of Numba.
        allocates: whether a function makes arrays. If none does, nobody has to count who uses one, which is a fifth of
            what Numba writes.
    """

    def __init__(self, cache: Cache, kind: str, *texts: str, allocates: bool = True) -> None:
        self.allocates = allocates
        self._cache, self._kind, self._key = cache, kind, archive_key(*texts)
        self.functions = self.kept()
        self._known = set(self.functions)

    @property
    def path(self) -> Path:
        """Where it is kept, or will be."""
        return self._cache.path(self._kind, self._key)

    def kept(self) -> dict[str, bytes]:
        """What the cache has now, by the names of the functions."""
        data = self._cache.get(self._kind, self._key)
        found: dict[str, bytes] = pickle.loads(data) if data is not None else {}
        return found

    def compiled(self, signature: Any) -> Callable[[Any], Any]:
        """Decorate a function that runs without the interpreter's lock: the compiled one, for this signature alone."""
        return lambda function: LazyFunction(self, function, signature)

    def keep(self) -> None:
        """Keep the machine code in the cache, if a function had to be compiled, beside what others have kept there."""
        if set(self.functions) != self._known:
            self._cache.put(self._kind, self._key, pickle.dumps({**self.kept(), **self.functions}))
            self._known = set(self.functions)


class LazyFunction:
    """A function that is compiled when it is first called, or taken from its archive.

    Args:
        archive: where its machine code is kept.
        function: the function.
        signature: the signature that it is compiled for.
    """

    def __init__(self, archive: NumbaArchive, function: Any, signature: Any) -> None:
        self._archive, self._function, self._signature = archive, function, signature

    def __call__(self, *arguments: Any) -> Any:
        """What the function returns."""
        return self._compiled(*arguments)

    def compile(self) -> None:
        """Compile it now, unless it is in its archive."""
        _ = self._compiled

    @property
    def is_kept(self) -> bool:
        """Whether its machine code is in the cache now."""
        codegen = cpu_target.target_context.codegen()
        return self._cache_of_it.full_name(codegen) in self._archive.kept()

    @property
    def kept_in(self) -> tuple[Path, int]:
        """The file in which its archive is kept, and how many bytes that has."""
        path = self._archive.path
        return path, path.stat().st_size if path.exists() else 0

    @property
    def address(self) -> int:
        """Where its machine code is, in Numba's own calling convention."""
        made = self._compiled.overloads[self._compiled.signatures[0]]
        return int(made.library.get_pointer_to_function(made.fndesc.llvm_func_name))

    @property
    def _numba_type_(self) -> types.Dispatcher:
        """What Numba takes it for where another compiled function calls it."""
        return types.Dispatcher(self._compiled)

    @property
    def _cache_of_it(self) -> _OneFunction:
        return _OneFunction(self._archive, f"{self._function.__qualname__} {self._signature}")

    @cached_property
    def _compiled(self) -> Any:
        with _ONE_AT_A_TIME:
            if "_compiled" in vars(self):  # another thread was faster
                return vars(self)["_compiled"]
            made = _njit(nogil=True, no_cfunc_wrapper=True, _nrt=self._archive.allocates, pipeline_class=_Compiler)(
                self._function
            )
            # Numba has no public way to give a function another cache
            made._cache = self._cache_of_it  # noqa: SLF001
            made.compile(self._signature)
            made.disable_compile()
            self._archive.keep()
            vars(self)["_compiled"] = made
            return made


def archive_key(*texts: str) -> str:
    """All that the machine code of an archive depends on."""
    return "\n".join((platform.python_version(), numba.__version__, llvmlite.__version__, *processor(), *texts))


class _Serializer(CompileResultCacheImpl):
    """Numba's way from a compiled function to a value that can be pickled, without a place for files."""

    def __init__(self) -> None:
        pass


class _OneFunction(NullCache):
    """What Numba takes for a function's cache.

    Args:
        archive: where the function's machine code is.
        name: the function and its signature.
    """

    def __init__(self, archive: NumbaArchive, name: str) -> None:
        self._functions, self._name, self._serializer = archive.functions, name, _Serializer()

    def load_overload(self, sig: object, target_context: Any) -> Any:  # noqa: ARG002  (Numba passes it)
        """The function as it was compiled before, or None."""
        target_context.refresh()
        data = self._functions.get(self.full_name(target_context.codegen()))
        return None if data is None else self._serializer.rebuild(target_context, pickle.loads(data))

    def save_overload(self, sig: object, data: Any) -> None:  # noqa: ARG002
        """Take a function that was just compiled."""
        if self._serializer.check_cachable(data):
            self._functions[self.full_name(data.codegen)] = dumps(self._serializer.reduce(data))

    def full_name(self, codegen: Any) -> str:
        """What it is called in the archive."""
        return f"{self._name} {codegen.magic_tuple()}"  # the processor for which Numba was asked to compile
