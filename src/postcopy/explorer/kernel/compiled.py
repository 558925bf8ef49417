"""From a kernel's texts to functions: machine code, kept on disk, or interpreted by Python as they stand.

Machine code comes in two parts: the kernel's own functions (see `native`), of which there is a file for each protocol,
size and option; and the search's loop (see `loop`), compiled by Numba once for each number of words. Both are named by
the hash of their text, so each is compiled once in a machine's life.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

from postcopy.explorer.kernel.block_code import row_length
from postcopy.explorer.kernel.expression_code import BLOCK
from postcopy.explorer.kernel.state_code import Kernel

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from postcopy.explorer.kernel.machine_code import Native

FUNCTIONS = ("expand_block", "canonical_block", "examine_block")
"""What the loop calls of a kernel, in the order of its `code`."""

_WORDS = "\nWORDS = 2\n"


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


@dataclass(frozen=True)
class Plan:
    """What machine code is made from: text and numbers, which can be sent to another process.

    Attributes:
        columns: the kernel's text for the compiler.
        words: words in a state.
        most: how many successors a block of states has at most.
        rows: the rows of `lists` and `picks`.
        row_length: their length.
    """

    columns: str
    words: int
    most: int
    rows: int
    row_length: int


@dataclass(frozen=True)
class Machine(Plan):
    """A kernel as machine code, and the loop that calls it.

    Attributes:
        native: the kernel's functions, kept in memory.
        code: their addresses; int64[3].
        loop: the module of the loop's functions.
    """

    native: Native
    code: npt.NDArray[np.int64]
    loop: ModuleType


def is_compiled(kernel: Kernel) -> bool:
    """Whether compiling will be quick, because it has been done before."""
    loop = _loop_path(kernel.layout.words)
    if not any(loop.parent.glob(f"__pycache__/{loop.stem}.run-*.nbc")):
        return False
    from postcopy.explorer.kernel import machine_code as native  # LLVM takes a tenth of a second to import

    return native.path_for(kernel.columns, cache_directory()).exists()


def plan(kernel: Kernel) -> Plan:
    """What the kernel's machine code is made from."""
    layout = kernel.layout
    successors = sum(layout.instance.pages if action.takes_page else 1 for action in layout.instance.actions)
    return Plan(kernel.columns, layout.words, BLOCK * successors, kernel.rows, row_length(layout))


def compile_kernel(kernel: Kernel) -> Machine:
    """The kernel's machine code; from disk where it has been compiled."""
    return load(plan(kernel))


def load(made: Plan) -> Machine:
    """The machine code of a plan; from disk where it has been compiled."""
    import numpy as np

    from postcopy.explorer.kernel import machine_code as native

    functions = native.load(made.columns, FUNCTIONS, cache_directory())
    code = np.array(functions.addresses, dtype=np.int64)
    return Machine(**vars(made), native=functions, code=code, loop=_loop(made.words))


def _loop(words: int) -> ModuleType:
    from postcopy.explorer.kernel import machine_code as native

    path = _loop_path(words)
    if not path.exists():
        native.keep(path, _loop_text(words).encode())
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


def _loop_path(words: int) -> Path:
    search = Path(__file__).parents[1] / "search"
    imported = (search / "intrinsics.py", search / "status.py", Path(__file__).with_name("expression_code.py"))
    beside = (path.read_text() for path in imported)
    key = "\n".join((version("numba"), *beside, _loop_text(words)))
    return cache_directory() / f"loop_{words}_{hashlib.sha256(key.encode()).hexdigest()[:24]}.py"


def _loop_text(words: int) -> str:
    text = (Path(__file__).parents[1] / "search" / "loop.py").read_text()
    assert _WORDS in text
    return text.replace(_WORDS, f"\nWORDS = {words}\n")
