"""From a kernel's text to functions: compiled by Numba and kept on disk, or interpreted by Python as they stand.

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
from importlib.metadata import version
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from postcopy import __version__
from postcopy.explorer.codegen import Kernel

_HEADER = '''"""Generated; see postcopy.explorer.codegen."""

from numba import int64, njit, void

WORDS = int64[::1]
'''

_SIGNATURES = {
    "def expand(": "@njit(int64(WORDS, int64, WORDS, int64), cache=True, nogil=True)",
    "def canonical(": "@njit(void(WORDS, int64), cache=True, nogil=True)",
    "def examine(": "@njit(int64(WORDS, int64), cache=True, nogil=True)",
}


@dataclass(frozen=True)
class Functions:
    """The three functions of a kernel (see `codegen`)."""

    expand: Callable[..., int]
    canonical: Callable[..., None]
    examine: Callable[..., int]


def interpret(kernel: Kernel) -> Functions:
    """The kernel as plain Python functions, on lists of whole numbers."""
    names: dict[str, Any] = {}
    exec(compile(kernel.text, "<kernel>", "exec"), names)
    return Functions(names["expand"], names["canonical"], names["examine"])


def is_compiled(kernel: Kernel) -> bool:
    """Whether compiling will be quick, because it has been done before."""
    path = _path(kernel)
    return any(path.parent.glob(f"__pycache__/{path.stem}.expand-*.nbc"))


def compile_kernel(kernel: Kernel) -> Functions:
    """The kernel as machine code, on arrays of int64; from disk where it has been compiled before."""
    path = _path(kernel)
    text = _decorated(kernel.text, kernel.layout.words)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            file.write(text)
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
    return Functions(module.expand, module.canonical, module.examine)


def cache_directory() -> Path:
    """Where kernels are kept: POSTCOPY_CACHE, or the user's cache directory."""
    given = os.environ.get("POSTCOPY_CACHE")
    return Path(given) if given else user_cache_path("postcopy")


def _path(kernel: Kernel) -> Path:
    key = "\n".join((__version__, version("numba"), _decorated(kernel.text, kernel.layout.words)))
    return cache_directory() / f"kernel_{hashlib.sha256(key.encode()).hexdigest()[:24]}.py"


def _decorated(text: str, words: int) -> str:
    threads = "@njit(int64(" + "int64, " * words + "WORDS, int64, int64), cache=True, nogil=True)"
    lines = [_HEADER]
    for line in text.splitlines():
        if line.startswith("def "):
            lines.append(next((s for start, s in _SIGNATURES.items() if line.startswith(start)), threads))
        lines.append(line)
    return "\n".join(lines) + "\n"
