"""The catalogue's protocols by their names, table by table: a table is imported when a name is looked for in it.

All of them together take a tenth of a second to import, and most questions are about the document's protocol or a
user's file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from functools import cache

from postcopy.language.protocol import Protocol
from postcopy.model.postcopy import Postcopy

Named = Mapping[str, type[Protocol]]


class Tables(MutableMapping[str, type[Protocol]]):
    """Several tables as one, of which the first one that has a name counts.

    Args:
        tables: functions that import a table.
    """

    def __init__(self, *tables: Callable[[], Named]) -> None:
        self._tables = tables
        self._own: dict[str, type[Protocol]] = {}

    def __getitem__(self, name: str) -> type[Protocol]:
        if name in self._own:
            return self._own[name]
        for table in self._tables:
            if name in table():
                return table()[name]
        raise KeyError(name)

    def __setitem__(self, name: str, protocol: type[Protocol]) -> None:
        self._own[name] = protocol

    def __delitem__(self, name: str) -> None:
        del self._own[name]

    def __iter__(self) -> Iterator[str]:
        names = dict.fromkeys(self._own)
        for table in self._tables:
            names.update(dict.fromkeys(table()))
        return iter(names)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _document() -> Named:
    return {Postcopy.__name__: Postcopy}


def _bugs() -> Named:
    from postcopy.catalogue import history

    return history.PROTOCOLS


def _faults() -> Named:
    from postcopy.model import faults

    return faults.FAULTS


def _changes() -> Named:
    from postcopy.catalogue import changes

    return changes.CHANGES


@cache
def _qemu() -> Named:
    from postcopy.catalogue.history_in_qemu import BEFORE
    from postcopy.catalogue.qemu import QEMU
    from postcopy.catalogue.qemu_7_2 import QEMU_7_2
    from postcopy.catalogue.qemu_faults import QEMU_FAULTS

    return {**QEMU, **QEMU_7_2, **BEFORE, **QEMU_FAULTS}


def _others() -> Named:
    from postcopy.catalogue import others

    return others.OTHERS


FAULTS, CHANGES, PROTOCOLS = Tables(_faults), Tables(_changes), Tables(_bugs)
"""The document's faults; changes to the protocol; real bugs and their mended forms."""

BY_NAME = Tables(_document, _bugs, _faults, _changes, _qemu, _others)
"""All protocols that have a name: the document's, its faults, the changes, the real bugs and their mended forms, QEMU
as it ships, with mends, with mends and a fault, and those of other projects."""
