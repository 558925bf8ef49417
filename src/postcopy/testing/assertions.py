"""`assert_holds`, `assert_violates`, `assert_proved`: a verdict that is another fails the test, with the story.

A search that ends early has no verdict. It raises an error that is no AssertionError, so that neither a test that
expects a failure nor `xfail(raises=AssertionError)` takes it for one.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from postcopy.errors import PostcopyError, UsageError

if TYPE_CHECKING:
    from postcopy.api.asking import PropertiesLike, ProtocolLike
    from postcopy.api.checking import CheckResult
    from postcopy.api.proving import ProveResult
    from postcopy.api.result import Result


class VerdictError(AssertionError):
    """A verdict is not the one that a test expects.

    Attributes:
        result: what was found.
    """

    __module__ = "postcopy.testing"  # where users import it from, and how pytest names it

    def __init__(self, message: str, result: Result) -> None:
        super().__init__(message)
        self.result = result


class InconclusiveError(PostcopyError):
    """There is no verdict: time or memory was over, or z3 gave up.

    Attributes:
        result: what was found until then.
    """

    __module__ = "postcopy.testing"  # where users import it from, and how pytest names it

    def __init__(self, message: str, result: Result) -> None:
        super().__init__(message)
        self.result = result


class WeakVerdictWarning(UserWarning):
    """A verdict is as expected, and something weakens it: an action that was never taken, a witness never reached."""


def assert_holds(
    protocol: ProtocolLike,
    *,
    pages: int = 2,
    in_flight: int = 2,
    host_page: int | None = None,
    properties: PropertiesLike = (),
    liveness: bool = True,
    seconds: float | None = None,
    max_memory: int | str = "4G",
    workers: int = 1,
    strict: bool = False,
) -> CheckResult:
    """Assert that the properties hold in every state and on every run at a size.

    Args:
        protocol: its class, or what the command line takes: a name, FILE.py:Class, or several with + between them.
        pages: how many target pages the guest has.
        in_flight: how many messages each channel holds.
        host_page: target pages of one host page; None for what the protocol says.
        properties: only these, by name; none for all that apply.
        liveness: ask what must happen in the end, too.
        seconds: time after which there is no verdict; None for no limit.
        max_memory: memory for states.
        workers: cores that a large search may use.
        strict: what weakens the verdict fails the test, and is not a warning only.

    Returns:
        The result.

    Raises:
        VerdictError: a property is violated; the message has the story. Or, with strict, something weakens the verdict.
        InconclusiveError: time or memory was over.
        UsageError: as `postcopy.check`.
        SpecError: as `postcopy.check`.
    """
    __tracebackhide__ = True
    result = _checked(protocol, pages, in_flight, host_page, properties, liveness, seconds, max_memory, workers)
    _refuse_inconclusive(result, result.verdict)
    if result.violated is not None:
        raise VerdictError(_message(result), result)
    weak = result.warnings
    if weak and strict:
        raise VerdictError("\n".join((result.sentence, "with strict=True what weakens it fails:", *weak)), result)
    if weak:
        said = f"{result.name}: {weak[0]}" + (f", and {len(weak) - 1} more warnings" if weak[1:] else "")
        warnings.warn(said, WeakVerdictWarning, stacklevel=2)
    return result


def assert_violates(
    protocol: ProtocolLike,
    violated: str,
    *,
    pages: int = 2,
    in_flight: int = 2,
    host_page: int | None = None,
    seconds: float | None = None,
    max_memory: int | str = "4G",
    workers: int = 1,
) -> CheckResult:
    """Assert that a property is violated: by a fault that a test seeds, or a bug that is not mended yet.

    This property alone is asked, so that no other violation ends the search before.

    Args:
        protocol: its class, or what the command line takes.
        violated: the property, by name.
        pages: how many target pages the guest has.
        in_flight: how many messages each channel holds.
        host_page: target pages of one host page; None for what the protocol says.
        seconds: time after which there is no verdict; None for no limit.
        max_memory: memory for states.
        workers: cores that a large search may use.

    Returns:
        The result, with the shortest run in ``counterexample``.

    Raises:
        VerdictError: it holds, or something else is violated (a step that errs).
        InconclusiveError: time or memory was over.
        UsageError: as `postcopy.check`.
        SpecError: as `postcopy.check`.
    """
    __tracebackhide__ = True
    if not isinstance(violated, str):
        raise UsageError(f"violated is the name of one property, and not {violated!r}")
    result = _checked(protocol, pages, in_flight, host_page, violated, True, seconds, max_memory, workers)
    _refuse_inconclusive(result, result.verdict)
    if result.violated is None:
        size = result.found.instance.size
        raise VerdictError(f"{violated} is not violated by {result.name} with {size}: {result.sentence}", result)
    if result.violated != violated:
        raise VerdictError(f"{result.violated} is violated, and not {violated}\n\n{_message(result)}", result)
    return result


def assert_proved(
    protocol: ProtocolLike,
    *,
    pages: int | None = None,
    in_flight: int | None = None,
    host_page: int | None = None,
    properties: PropertiesLike = (),
    workers: int | None = None,
) -> ProveResult:
    """Assert that z3 proves the properties of states and steps, for every size or at one.

    Args:
        protocol: its class, or what the command line takes.
        pages: prove at this size only; None for every size.
        in_flight: with pages: messages that each channel holds.
        host_page: with pages: target pages of a host page.
        properties: only these, by name; none for all that can be proved.
        workers: processes that ask z3 for every size; None for one for each core.

    Returns:
        The result.

    Raises:
        VerdictError: a run refutes a property, or there is no proof; the message says which step it needs.
        InconclusiveError: z3 gave up.
        UsageError: as `postcopy.prove`.
        SpecError: as `postcopy.prove`.
    """
    __tracebackhide__ = True
    from postcopy.api.proving import prove

    result = prove(
        protocol,
        pages=pages,
        in_flight=in_flight,
        host_page=host_page,
        properties=properties,
        workers=workers,
    )
    _refuse_inconclusive(result, "inconclusive" if result.gave_up else "")
    if result.verdict != "proved":
        raise VerdictError(str(result), result)
    return result


def _checked(
    protocol: ProtocolLike,
    pages: int,
    in_flight: int,
    host_page: int | None,
    properties: PropertiesLike,
    liveness: bool,
    seconds: float | None,
    max_memory: int | str,
    workers: int,
) -> CheckResult:
    from postcopy.api.checking import check

    return check(
        protocol,
        pages=pages,
        in_flight=in_flight,
        host_page=host_page,
        properties=properties,
        liveness=liveness,
        seconds=seconds,
        max_memory=max_memory,
        workers=workers,
    )


def _refuse_inconclusive(result: Result, verdict: str) -> None:
    __tracebackhide__ = True
    if verdict == "inconclusive":
        raise InconclusiveError(f"{result.name}: {result.sentence}", result)


def _message(result: CheckResult) -> str:
    """The sentence and the story."""
    return f"{result.sentence}\n\n{result.story}"
