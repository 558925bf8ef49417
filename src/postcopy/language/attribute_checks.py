"""The attributes of a protocol that are no machines, ghosts or channels have the types that the language says.

Those that list properties are checked where the properties are collected (`postcopy.catalogue.properties`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum

from postcopy.errors import SpecError
from postcopy.language.protocol import Protocol
from postcopy.language.source_locations import of_class


def _are(value: object, kind: type) -> bool:
    return isinstance(value, tuple | list) and all(isinstance(each, kind) for each in value)


def _are_reasons(value: object) -> bool:
    return isinstance(value, Mapping) and _are([*value, *value.values()], str)


def _are_visible(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    lengths = {what: 1 if isinstance(what, Enum) else 2 for what in value if isinstance(what, Enum | str)}
    return len(lengths) == len(value) and all(
        _are(words, str) and len(words) == lengths[what] for what, words in value.items()
    )


_GROUP = (
    "a whole number from 1 on. For a block with smaller pages write "
    'small = Chosen("pages of the block with small pages") and fine = "small"'
)

CHECKS: dict[str, tuple[Callable[[object], bool], str]] = {
    "group": (lambda value: type(value) is int and value >= 1, _GROUP),
    "fine": (lambda value: isinstance(value, str), 'the name of a chosen set: small = Chosen("..."), fine = "small"'),
    "drawn_by": (lambda value: _are(value, str), 'a tuple of names of variables: drawn_by = ("client.state",)'),
    "refused_options": (
        _are_reasons,
        'a dictionary of names and reasons: refused_options = {"sealing": "the reason"}',
    ),
    "visible": (
        _are_visible,
        "a dictionary of events, each with a tuple of one verb, and of flags, each with two clauses",
    ),
    "may_rest": (callable, "a static method that takes a state: @staticmethod, def may_rest(state)"),
}
"""By attribute: whether a value is of its type, and the type in words."""


def check_attributes(protocol: type[Protocol]) -> None:
    """Look at the attributes of a protocol and of its bases.

    Raises:
        SpecError: one is of another type.
    """
    for base in protocol.__mro__:
        for name, (fits, wanted) in CHECKS.items():
            if name in vars(base) and not fits(getattr(base, name)):
                raise SpecError(f"{name} is {_shown(getattr(base, name))}; it has to be {wanted}", of_class(base, name))


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # a user's own class
        text = f"a {type(value).__name__}"
    return text if len(text) <= 40 else f"{text[:37]}..."
