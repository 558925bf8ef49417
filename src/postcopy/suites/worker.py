"""The process of one question: an `Entry` on standard input, a `Found` on standard output. A suite starts it."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path

import msgspec

from postcopy.api.asking import NamedProtocol, load
from postcopy.api.checking import check
from postcopy.api.memory_watch import MemoryWatch, kept_to
from postcopy.api.proving import ProveResult, prove
from postcopy.api.result import Result
from postcopy.api.simulating import simulate
from postcopy.catalogue.import_errors import in_words
from postcopy.catalogue.properties import choose
from postcopy.errors import MemoryLimitError, PostcopyError
from postcopy.suites.entries import Entry, Found, Kind
from postcopy.suites.guards import class_of, guard_of

ADVICE = "raise max_memory of this entry"
"""What to do where a proof or walks take more: the states of a check are bounded, and it says so itself."""

_PACKAGE = Path(__file__).parents[1]


def answer(entry: Entry, page: Path | None = None) -> Found:
    """What comes of a question.

    Args:
        entry: the question.
        page: where the HTML page of a result goes that is not the usual one; None for no page.
    """
    began = time.monotonic()
    try:
        named = load(entry.protocol)
        if expected := [*entry.violates, *entry.accepted]:
            choose(expected, named.protocol)  # a name that there is not would read as a finding that is gone
        result, violated, states, warnings = _asked(entry, named)
        verdict = "inconclusive" if isinstance(result, ProveResult) and result.gave_up else result.verdict
    except MemoryLimitError as error:
        return Found(verdict="inconclusive", sentence=str(error), seconds=time.monotonic() - began, reads=_reads())
    except PostcopyError as error:
        return Found(verdict="error", sentence=str(error), seconds=time.monotonic() - began, reads=_reads())
    except MemoryError:
        return Found(verdict="inconclusive", sentence="inconclusive: out of memory", seconds=time.monotonic() - began)
    except Exception as error:  # a user's own file
        return Found(verdict="error", sentence=in_words(error), seconds=time.monotonic() - began, reads=_reads())
    run = result.counterexample
    place = class_of(named.protocol) if run is None else guard_of(run)
    written = ""
    if page is not None and violated:
        result.save(page, force=True)
        written = str(page)
    return Found(
        verdict=verdict,
        violated=violated,
        sentence=result.sentence,
        warnings=warnings,
        states=states,
        seconds=round(time.monotonic() - began, 3),
        story=result.story,
        file=str(Path(place.file).resolve()) if place.file else "",
        line=place.line,
        page=written,
        reads=_reads(),
    )


def _asked(entry: Entry, named: NamedProtocol) -> tuple[Result, list[str], int, list[str]]:
    """The result, the properties that are violated, the number of states, and what weakens the verdict."""
    given = entry.arguments
    match entry.kind:
        case Kind.CHECK:
            checked = check(
                named,
                max_memory=entry.max_memory,
                seconds=entry.seconds,
                all_properties=entry.goes_on,
                **given,  # type: ignore[arg-type]
            )
            return checked, list(checked.all_violated), checked.found.states, checked.warnings
        case Kind.PROVE:
            with kept_to(MemoryWatch(entry.max_memory, ADVICE)):
                proof = prove(named, **given)  # type: ignore[arg-type]
            return proof, list(proof.named("refuted")), 0, []
        case Kind.SIMULATE:
            limit = {} if "walks" in given else {"seconds": entry.seconds}
            with kept_to(MemoryWatch(entry.max_memory, ADVICE)):
                walked = simulate(named, **limit, **given)  # type: ignore[arg-type]
            return walked, [walked.violated] if walked.violated else [], walked.found.distinct, []


def _reads() -> dict[str, str]:
    """The files that were imported from outside of this package and of the installed ones, with their digests."""
    installed = {str(Path(path).resolve()) for path in (sys.prefix, sys.base_prefix, os.path.dirname(os.__file__))}
    found: dict[str, str] = {}
    for module in list(sys.modules.values()):
        name = getattr(module, "__file__", None) or _user_file(module)
        if not name or not name.endswith(".py"):
            continue
        path = Path(name).resolve()
        inside = path.is_relative_to(_PACKAGE) or any(path.is_relative_to(other) for other in installed)
        if not inside and path.is_file():
            found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _user_file(module: object) -> str | None:
    """The file of a module that was made of a user's file."""
    spec = getattr(module, "__spec__", None)
    return getattr(spec, "origin", None)


def main() -> None:
    """Answer the question on standard input. What a user's file prints goes to standard error."""
    entry = msgspec.json.decode(sys.stdin.buffer.read(), type=Entry)
    reply = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.chdir(entry.folder)
    found = answer(entry, Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    reply.write(msgspec.json.encode(found))
    reply.flush()


if __name__ == "__main__":
    main()
