"""The compiled loop for a number of words: a module of the text of `loop`, compiled once in a machine's life.

Numba takes the constants of a module as constants of the machine code, and keeps machine code beside a file. So each
number of words has a file of its own in the cache, with the very text of `loop`, and a module made of it in which
`WORDS` is set before the text runs. The file's name has the number and the hash of all that its machine code
depends on.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from postcopy.explorer.kernel import calling_convention, machine_code
from postcopy.explorer.kernel.machine_code import MachineCode, Plan

_HERE = Path(__file__).parent
_USED = (*(_HERE / name for name in ("intrinsics.py", "records.py", "status.py")), Path(calling_convention.__file__))


class Machine(NamedTuple):
    """What a compiled search runs on.

    Attributes:
        code: a kernel's machine code.
        loop: the module of the loop's functions, for states of as many words.
    """

    code: MachineCode
    loop: ModuleType


def machine_of(plan: Plan) -> Machine:
    """The machine of a plan; from disk where its parts have been compiled."""
    return Machine(machine_code.load(plan), load(plan.words))


def is_compiled(plan: Plan) -> bool:
    """Whether a machine will be there quickly, because its parts have been compiled before."""
    loop = _path(plan.words)
    return any(loop.parent.glob(f"__pycache__/{loop.stem}.run-*.nbc")) and machine_code.is_compiled(plan)


def load(words: int) -> ModuleType:
    """The module of the loop's functions; their machine code comes from disk where they have been compiled."""
    from postcopy.explorer.kernel.compiler import keep  # LLVM takes a tenth of a second to import

    path = _path(words)
    if not path.exists():
        keep(path, _text().encode())
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    vars(module)["WORDS"] = words
    sys.modules[path.stem] = module  # Numba looks it up when it loads machine code from disk
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[path.stem]
    return module


def _text() -> str:
    return (_HERE / "loop.py").read_text()


def _path(words: int) -> Path:
    key = "\n".join((version("numba"), *(path.read_text() for path in _USED), _text()))
    return machine_code.cache_directory() / f"loop_{words}_{hashlib.sha256(key.encode()).hexdigest()[:24]}.py"
