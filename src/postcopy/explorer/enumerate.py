"""Several counterexamples to one protocol: a shortest one for each property that it violates."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext, suppress

from postcopy.explorer.explore import Exploration
from postcopy.explorer.results import Options, Progress, Verdict
from postcopy.language.instance import Instance
from postcopy.language.step_errors import STEP_ERRORS


def further(
    first: Verdict,
    options: Options,
    count: int | None = None,
    report: Callable[[Progress], None] | None = None,
    interruptible: bool = False,
) -> list[Verdict]:
    """Search again without the properties that were violated, until none is violated.

    Args:
        first: the verdict on the whole.
        options: how to search.
        count: how many counterexamples are wanted at most, the first included; None for all.
        report: is called with the progress.
        interruptible: a KeyboardInterrupt ends the search at hand, whose verdict is then inconclusive.

    Returns:
        One verdict for each search after the first. The last says of all properties that are left that they hold,
        unless the count was reached or it is inconclusive.
    """
    verdicts = [first]
    while verdicts[-1].violated is not None and (count is None or len(verdicts) < count):
        last = verdicts[-1]
        left = [prop for prop in last.instance.properties if prop is not last.violated]
        if not left or last.violated in STEP_ERRORS:  # no property less would let the search get past an error
            break
        of = last.instance
        asked = Instance(of.protocol, of.pages, of.in_flight, left, of.group)
        verdicts.append(_searched(asked, options, report, interruptible=interruptible))
    return verdicts[1:]


def _searched(
    instance: Instance, options: Options, report: Callable[[Progress], None] | None, *, interruptible: bool
) -> Verdict:
    """The verdict of one search, whose states are gone when this returns: the next one needs their memory."""
    search = Exploration(instance, options, report)
    with suppress(KeyboardInterrupt) if interruptible else nullcontext():
        search.run()
    return search.verdict()
