"""All changes of this folder by the name that the command line knows."""

from postcopy.model.changes.change import Change
from postcopy.model.faults import name_of

_ALL: tuple[type[Change], ...] = ()

CHANGES: dict[str, type[Change]] = {name_of(change): change for change in _ALL}
"""Those that hold and those that do not, each after what it builds on."""
