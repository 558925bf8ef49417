"""A thread reads what liveness will search, while compiled code, which needs no interpreter, searches for safety."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from threading import Thread

from postcopy.explorer.kernel import machine_code
from postcopy.explorer.kernel.canonical_form import Reduction
from postcopy.explorer.kernel.kernel import Kernel, kernel_to_errors
from postcopy.explorer.liveness.beside import Beside
from postcopy.explorer.liveness.check import Watched, watched
from postcopy.language.instance import Instance


class Ahead:
    """The kernel with which liveness is searched, made by a thread.

    Args:
        instance: the protocol and its properties.
        reductions: those with which liveness is searched.
        beside: what compiles the kernel, if that is not in the cache.
    """

    def __init__(self, instance: Instance, reductions: Sequence[Reduction], beside: Beside) -> None:
        self._instance, self._reductions, self._beside = instance, reductions, beside
        self._made: tuple[Watched, Kernel] | None = None
        self._thread = Thread(target=self._make, daemon=True)  # a search that finds something does not wait for it
        self._thread.start()

    def _make(self) -> None:
        with suppress(Exception):  # it is read again where it is needed, and then says what is wrong
            first = watched(self._instance, 1)
            kernel = kernel_to_errors(first.instance, self._reductions)
            if not machine_code.is_compiled(kernel.plan):
                self._beside.share(kernel.plan.text)
            self._made = first, kernel

    @property
    def watched(self) -> Watched | None:
        """What is searched; None where it could not be read. Waits for the thread."""
        self._thread.join()
        return None if self._made is None else self._made[0]

    def kernel_of(self, instance: Instance) -> Kernel | None:
        """The kernel of an instance, if it is this one. Waits for the thread."""
        self._thread.join()
        return self._made[1] if self._made is not None and self._made[0].instance is instance else None
