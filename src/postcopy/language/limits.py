"""A bound on the instructions of a specification that one run may execute, so that bodies that never end are found.

They are counted with Python's own tracing. A tracer that is there already (a debugger, a measure of coverage) is still
called with every event, and is installed again afterwards.
"""

from __future__ import annotations

import gc
import inspect
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, cast

from postcopy.language.body_errors import LimitReached
from postcopy.language.source_locations import foreign

MAX_STEPS = 100_000
"""Lines and instructions of Python in one run beyond which an action is taken never to end."""

_Tracer = Callable[[FrameType, str, Any], "_Tracer | None"]


def bounded(body: Callable[[], object]) -> object:
    """Run a body, and end it with `LimitReached` after too many instructions.

    A plain function, not a context manager: a tracer that was there before
    has to see each call and its return, or neither.
    """
    previous, collects = cast("_Tracer | None", sys.gettrace()), gc.isenabled()
    gc.disable()  # it would run the finalizers of other objects within the body, and their instructions would count
    sys.settrace(_counting() if previous is None else _sharing(previous, inspect.currentframe()))
    try:
        return body()
    finally:
        sys.settrace(previous)
        if collects:
            gc.enable()


def _counting() -> _Tracer:
    steps = 0

    def enters(frame: FrameType, event: str, argument: object) -> _Tracer | None:
        if foreign(frame.f_code.co_filename):
            return None
        frame.f_trace_opcodes = True  # a loop on one line has no line events
        return count(frame, event, argument)

    def count(_frame: FrameType, _event: str, _argument: object) -> _Tracer | None:
        nonlocal steps
        steps += 1
        if steps > MAX_STEPS:
            raise LimitReached
        return count

    return enters


def _sharing(previous: _Tracer, outermost: FrameType | None) -> _Tracer:
    """The same, with each event passed on to the tracer that was there."""
    count = _counting()

    def enters(frame: FrameType, event: str, argument: object) -> _Tracer | None:
        theirs = previous(frame, event, argument)
        sys.settrace(enters)  # a tracer written in C has put itself back
        counted = not foreign(frame.f_code.co_filename)
        frame.f_trace_opcodes = counted or frame.f_trace_opcodes
        return shared(frame, theirs, counted)

    def shared(frame: FrameType, theirs: _Tracer | None, counted: bool) -> _Tracer:
        def goes_on(_frame: FrameType, event: str, argument: object) -> _Tracer | None:
            nonlocal theirs
            if counted:
                try:
                    count(frame, event, argument)
                except LimitReached:
                    leave(frame)
                    raise
            if theirs is not None and event != "opcode":
                theirs = theirs(frame, event, argument)
            return goes_on

        return goes_on

    def leave(frame: FrameType | None) -> None:
        """Python ends all tracing when a tracer raises: report to the other one that these frames return."""
        while frame is not None and frame is not outermost:
            previous(frame, "return", None)
            frame = frame.f_back

    return enters
