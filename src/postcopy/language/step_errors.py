"""Errors of a step, as properties of steps that are asked of every protocol: so a search shows the run to them."""

from __future__ import annotations

from postcopy.language.properties import Kind, Property
from postcopy.language.variables import Variable

_LEAVES = "leaves its range"

NUMBERS_IN_RANGE = Property(
    "numbers-stay-in-range",
    "A number stays in the range of its field",
    Kind.EVERY_STEP,
    lambda _: True,
    "Give the field a wider range, or the action a guard.",
)
ROOM_FOR_MESSAGES = Property(
    "messages-have-room",
    "A message is sent only where there is room for it",
    Kind.EVERY_STEP,
    lambda _: True,
    "A real sender would block here: the action has to require room.",
)
STEP_ERRORS = (NUMBERS_IN_RANGE, ROOM_FOR_MESSAGES)
"""The properties whose violation is an error of a step. Their functions are not asked: the step itself errs."""


def out_of_range(variable: Variable) -> str:
    """What to say of a number that is out of the range of its field."""
    return f"{variable.name} {_LEAVES} {variable.low} to {variable.low + variable.size - 1}"


def released_by_another(lock: str, thread: str) -> str:
    """What to say of a lock that is released by a thread that does not hold it."""
    return f"{lock} {_LEAVES}: {thread} releases it and does not hold it"


def no_room(channel: str, kind: str, messages: int = 1) -> str:
    """What to say of a message that is sent without having required room."""
    return f"{channel} may be full here: require room({'' if messages == 1 else messages}) before sending {kind}"


def violated_by_error(message: str) -> Property:
    """The property that a step with this error violates."""
    return NUMBERS_IN_RANGE if _LEAVES in message else ROOM_FOR_MESSAGES
