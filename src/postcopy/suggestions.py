"""What to say of a name that does not exist. Imports nothing."""

from collections.abc import Iterable
from difflib import get_close_matches


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """One line: there is no such thing, what was probably meant, and how to see what there is."""
    names = list(known)
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    plural = {"property": "properties", "bug": "history"}.get(kind, f"{kind}s")
    meant = f"; did you mean {close[0]}?" if close else f"; postcopy list {plural} shows what there is"
    return f"there is no {kind} {name}{meant}"
