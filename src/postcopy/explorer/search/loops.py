"""The compiled loop for a number of words: a module of the text of `loop`, compiled once in a machine's life.

Numba takes the constants of a module as constants of the machine code. So each number of words has a module of its own,
made of the very text of `loop`, in which `WORDS` is set before the text runs. The machine code of its functions is one
object in the cache; its key has the number and all texts that the machine code depends on.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from postcopy.cache import user_cache
from postcopy.explorer.kernel import calling_convention, machine_code
from postcopy.explorer.kernel.machine_code import MachineCode, Plan

if TYPE_CHECKING:
    from postcopy.explorer.kernel.numba_archive import LazyFunction

KIND = "loop.pickle"
"""The kind of the objects in the cache."""

_ALWAYS, _WHEN_LARGE = ("run", "canonical", "receive", "close_gaps"), ("clear", "fill")
"""The functions that every search on one core calls, and those that it calls when its table grows."""

_HERE = Path(__file__).parent
_USED = (
    *(_HERE / name for name in ("block.py", "intrinsics.py", "records.py", "status.py")),
    Path(calling_convention.__file__),
)


class Machine(NamedTuple):
    """What a compiled search runs on.

    Attributes:
        code: a kernel's machine code.
        loop: the module of the loop's functions, for states of as many words.
    """

    code: MachineCode
    loop: ModuleType


def machine_of(plan: Plan) -> Machine:
    """The machine of a plan; from the cache where its parts have been compiled."""
    return Machine(machine_code.load(plan), load(plan.words))


def load_small() -> ModuleType:
    """The functions of the loop with the small table, which are the same for any number of words in a state."""
    return module_of(_HERE / "small_loop.py", _small_texts(), allocates=True)


def is_there(plan: Plan) -> bool:
    """Whether a machine will be there quickly, because its parts have been compiled before."""
    return machine_code.is_compiled(plan) and is_compiled(plan.words)


def is_compiled(words: int) -> bool:
    """Whether the functions that every search calls are in the cache, for states of so many words."""
    return functions_kept(_texts(words)) >= len(_ALWAYS)


def compile_all(words: int) -> None:
    """Compile what is not in the cache of the functions that a search on one core calls, and keep it there."""
    module = load(words)
    for name in _ALWAYS + _WHEN_LARGE:
        getattr(module, name).compile()


def functions_kept(texts: tuple[str, ...]) -> int:
    """How many functions are in the cache of a module whose machine code depends on these texts."""
    from postcopy.explorer.kernel.numba_archive import NumbaArchive  # Numba takes long to import

    return len(NumbaArchive(user_cache(), KIND, *texts).functions)


def functions_of(module: ModuleType) -> list[LazyFunction]:
    """The functions of a module that Python calls, in the order of its text; compiled or not."""
    from postcopy.explorer.kernel.numba_archive import LazyFunction

    return [each for each in vars(module).values() if isinstance(each, LazyFunction)]


def load(words: int) -> ModuleType:
    """The module of the loop's functions; their machine code comes from the cache where they have been compiled."""
    return module_of(_HERE / "loop.py", _texts(words), WORDS=words)


def texts_of(words: int) -> tuple[str, ...]:
    """What the machine code of the loop for so many words depends on."""
    return _texts(words)


def module_of(file: Path, texts: tuple[str, ...], *, allocates: bool = False, **names: object) -> ModuleType:
    """A module of a file's text in which some names are set before it runs; its machine code comes from the cache.

    Args:
        file: where the text stands.
        texts: all that the machine code depends on; the file's text is the last one.
        allocates: whether a function of it makes arrays.
        names: what is set; `compiled` is set besides.
    """
    from postcopy.explorer.kernel.numba_archive import NumbaArchive  # Numba takes long to import

    archive = NumbaArchive(user_cache(), KIND, *texts, allocates=allocates)
    module = ModuleType(f"loop_{hashlib.sha256(chr(10).join(texts).encode()).hexdigest()[:24]}")
    vars(module).update(names, compiled=archive.compiled)
    sys.modules[module.__name__] = module  # Numba looks it up when it loads machine code, at a function's first call
    exec(compile(texts[-1], file, "exec"), vars(module))
    return module


def _text() -> str:
    return (_HERE / "loop.py").read_text()


def _texts(words: int) -> tuple[str, ...]:
    return (str(words), *(path.read_text() for path in _USED), _text())


def _small_texts() -> tuple[str, ...]:
    names = ("pair_table.py", "word_table.py", "small_loop.py")
    return (*(path.read_text() for path in (*_USED, *(_HERE / name for name in names))),)
