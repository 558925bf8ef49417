"""From a kernel's texts to functions: compiled by Numba and kept on disk, or interpreted by Python as they stand.

The file that is compiled is named by the hash of its text, so a change of protocol, size or option is another file and
a kernel is compiled once in a machine's life. Numba keeps its machine code beside the file.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from platformdirs import user_cache_path

from postcopy import __version__
from postcopy.explorer.codegen import Kernel
from postcopy.explorer.writing import BLOCK

_STAND_INS, _REST = "# ---- stand-ins ----\n", "# ---- from here on ----\n"


@dataclass(frozen=True)
class Functions:
    """The functions of a kernel's plain text (see `codegen`)."""

    expand: Callable[..., list[tuple[int, ...]]]
    canonical: Callable[..., tuple[int, ...]]
    examine: Callable[..., int]


def interpret(kernel: Kernel) -> Functions:
    """The kernel as plain Python functions, on whole numbers."""
    names: dict[str, Any] = {}
    exec(compile(kernel.plain, "<kernel>", "exec"), names)
    return Functions(names["expand"], names["canonical"], names["examine"])


def is_compiled(kernel: Kernel) -> bool:
    """Whether compiling will be quick, because it has been done before."""
    path = _path(kernel)
    return any(path.parent.glob(f"__pycache__/{path.stem}.run-*.nbc"))


def compile_kernel(kernel: Kernel) -> ModuleType:
    """The kernel's module: its functions and the search's loop (see `loop`); from disk where it has been compiled."""
    path = _path(kernel)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            file.write(_module_text(kernel))
        os.replace(file.name, path)
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # Numba looks it up when it loads machine code from disk
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


def cache_directory() -> Path:
    """Where kernels are kept: POSTCOPY_CACHE, or the user's cache directory."""
    given = os.environ.get("POSTCOPY_CACHE")
    return Path(given) if given else user_cache_path("postcopy")


def _path(kernel: Kernel) -> Path:
    key = "\n".join((__version__, version("numba"), _module_text(kernel)))
    return cache_directory() / f"kernel_{hashlib.sha256(key.encode()).hexdigest()[:24]}.py"


@cache
def _loop_text() -> tuple[str, str]:
    """What stands before the stand-ins, and after them."""
    before, rest = Path(__file__).with_name("loop.py").read_text().split(_STAND_INS)
    return before, rest.split(_REST)[1]


def _module_text(kernel: Kernel) -> str:
    layout = kernel.layout
    instance = layout.instance
    words = range(layout.words)
    columns = "\n".join(f"@njit\n{line}" if line.startswith("def ") else line for line in kernel.columns.splitlines())
    successor = ", ".join(f"out[{k}, j]" for k in words)
    before, after = _loop_text()
    return f"""{before}# ---- generated; see postcopy.explorer.codegen ----

WORDS, MARK_WORD, MARK = {layout.words}, {layout.mark[0]}, {-(1 << layout.mark[1])}
SUCCESSORS = {sum(instance.pages if action.takes_page else 1 for action in instance.actions)}
SIZE = {BLOCK * instance.pages}

{columns}

@njit
def examine_at(states, at):
    return examine({", ".join(f"states[{k}, at]" for k in words)})


@njit(types.void(types.int64[:, ::1], types.uint64), nogil=True, cache=True)
def canonical_block(out, count):
    for j in range(count):
        {successor}, = canonical({successor})

{_REST}{after}"""
