"""An end for bodies that never end: a bound on the lines of a specification that one run may execute.

Lines are counted with Python's own tracing. Who traces already (a debugger, a measure of coverage) is still
told of everything, and has its place back afterwards.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from postcopy.model.reading import LimitReached, foreign

MAX_LINES = 20_000
"""Lines of Python in one run beyond which an action is taken never to end."""

_Tracer = Callable[[FrameType, str, Any], Any]


def bounded(body: Callable[[], object]) -> object:
    """Run a body, and end it with `LimitReached` after too many lines.

    A plain function, no context manager: who traced before has to see each call and its return, or neither.
    """
    previous: Any = sys.gettrace()
    sys.settrace(_counting() if previous is None else _sharing(previous, sys._getframe()))
    try:
        return body()
    finally:
        sys.settrace(previous)


def _counting() -> _Tracer:
    lines = 0

    def enters(frame: FrameType, event: str, argument: Any) -> Any:
        return None if foreign(frame.f_code.co_filename) else count(frame, event, argument)

    def count(_frame: FrameType, _event: str, _argument: Any) -> Any:
        nonlocal lines
        lines += 1
        if lines > MAX_LINES:
            raise LimitReached
        return count

    return enters


def _sharing(previous: _Tracer, outermost: FrameType) -> _Tracer:
    """The same, with each event handed on to the tracer that was there."""
    count = _counting()

    def enters(frame: FrameType, event: str, argument: Any) -> Any:
        theirs = previous(frame, event, argument)
        sys.settrace(enters)  # a tracer written in C has put itself back
        return shared(frame, theirs, counted=not foreign(frame.f_code.co_filename))

    def shared(frame: FrameType, theirs: Any, counted: bool) -> _Tracer:
        def goes_on(_frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal theirs
            if counted:
                try:
                    count(frame, event, argument)
                except LimitReached:
                    leave(frame)
                    raise
            if theirs is not None:
                theirs = theirs(frame, event, argument)
            return goes_on

        return goes_on

    def leave(frame: FrameType | None) -> None:
        """Python ends all tracing when a tracer raises: tell the other one that these frames return."""
        while frame is not None and frame is not outermost:
            previous(frame, "return", None)
            frame = frame.f_back

    return enters
