"""The language's reference, made of the language itself: what a protocol is written with, and a change to begin."""

from __future__ import annotations

import inspect

from postcopy import language
from postcopy.api.template import TEMPLATE
from postcopy.errors import UsageError
from postcopy.suggestions import not_among

_HOW = """A change to postcopy live migration is a Python class. Write it to a file in the folder, then:
1. listing(what="actions") names the actions of the protocol, listing(what="properties") what can be asked.
2. check(protocol="change.py:MyChange", pages=1) explores every interleaving. Begin with 1 page and 1 message in flight.
3. A story says which steps break which property; `guard` is the line to look at.
4. What holds at small sizes: check with 2 pages, prove for every size, diff(base="Postcopy", change="change.py").
A verdict `holds` is of that size and those properties alone; read `not_asked` and `warnings` before you say more.

"""


def reference(name: str = "") -> str:
    """What a protocol is written with.

    Args:
        name: one name of the language, such as ``require``; none for the whole.

    Raises:
        UsageError: there is no such name.
    """
    if name:
        if name not in language.__all__:
            raise UsageError(not_among("name", name, language.__all__))
        return _entry(name, whole=True)
    names = "\n".join(_entry(each, whole=False) for each in language.__all__)
    about = inspect.cleandoc(language.__doc__ or "")
    return "\n\n".join(
        (_HOW + about, f"Names (language(name=...) has more of each):\n{names}", f"A change to begin with:\n{TEMPLATE}")
    )


def _entry(name: str, *, whole: bool) -> str:
    """A name with its signature and its documentation: the first line of it, or all."""
    its = getattr(language, name)
    if not (inspect.isclass(its) or inspect.isfunction(its)):
        return f"{name}: {type(its).__name__}"
    try:
        signature = str(inspect.signature(its))
    except (TypeError, ValueError):
        signature = ""
    doc = inspect.cleandoc(its.__doc__ or "")
    if whole:
        return f"{name}{signature}\n\n{doc}"
    return f"{name}: {' '.join(doc.partition(chr(10) * 2)[0].split())}"
