"""What to say of a name that does not exist. Imports only how commands are spelled."""

from collections.abc import Iterable
from difflib import get_close_matches

from postcopy.surface import command


def closest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that is most like a name, if any is like it at all."""
    close = get_close_matches(str(name), list(candidates), n=1)
    return close[0] if close else None


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """The end of a message about an unknown name: what was probably meant, or nothing."""
    close = closest(name, candidates)
    return f"; did you mean {close}?" if close else ""


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """One line: there is no such thing, what was probably meant, and how to see what there is."""
    plural = {"property": "properties", "bug": "history"}.get(kind, f"{kind}s")
    meant = did_you_mean(name, known) or f"; {command('list', plural)} shows what there is"
    return f"there is no {kind} {name}{meant}"


def not_among(kind: str, name: str, known: Iterable[str]) -> str:
    """One line for a choice from a few: there is no such thing, what was probably meant, or all that there is."""
    names = list(known)
    return f"there is no {kind} {name}" + (did_you_mean(name, names) or f": {', '.join(names)}")
