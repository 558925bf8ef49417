"""How far a destination may have come, and which thread may take which step where."""

from __future__ import annotations

from enum import Enum, IntEnum, auto
from typing import NamedTuple

from postcopy.engine.log import Step, Thread
from postcopy.engine.transitions import Transition, Transitions


class State(IntEnum):
    """The document's postcopy states (R9), with what is before and beside them."""

    NONE = auto()
    ADVISE = auto()
    LISTEN = auto()
    RUNNING = auto()
    PAUSED = auto()
    """The guest runs, the connection broke."""
    WAITING = auto()
    """Waits for a new connection."""
    RECOVERING = auto()
    """There is a new connection, and the migration does not go on yet."""
    END = auto()
    FAILED = auto()


class Main(Enum):
    """Where the main thread is."""

    STREAM = auto()
    """Reads the stream."""
    PACKAGE = auto()
    """Has read the whole package; its first command, LISTEN, is next."""
    DEVICES = auto()
    """Loads the devices."""
    RUN = auto()
    """The package's last command is next."""
    LEFT = auto()
    """Has left the migration."""


class Place(NamedTuple):
    """How far the destination has come: its state, and where its main thread is."""

    state: State
    main: Main


NONE = Place(State.NONE, Main.STREAM)
ADVISED = Place(State.ADVISE, Main.STREAM)
PACKAGE_READ = Place(State.ADVISE, Main.PACKAGE)
LOADING = Place(State.LISTEN, Main.DEVICES)
LOADED = Place(State.LISTEN, Main.RUN)
RUNNING = Place(State.RUNNING, Main.LEFT)
PAUSED = Place(State.PAUSED, Main.LEFT)
WAITING = Place(State.WAITING, Main.LEFT)
RECOVERING = Place(State.RECOVERING, Main.LEFT)
END = Place(State.END, Main.LEFT)
FAILED = Place(State.FAILED, Main.LEFT)

READING = (NONE, ADVISED)
"""The main thread reads the stream."""
LISTENING = (LOADING, LOADED, RUNNING)
"""The listen thread reads it."""

BROKEN_OFF = (PAUSED, WAITING, RECOVERING)
"""Between a broken connection and the acknowledgement on another one."""

ANSWERING = (ADVISED, *LISTENING)
"""A QEMU pings once more, in the package and after it; the main thread or the listen thread answers."""

_MAIN, _LISTEN, _FAULT, _PREEMPT = (Thread.MAIN,), (Thread.LISTEN,), (Thread.FAULT,), (Thread.PREEMPT,)
_NOT_READING = "the main thread is at {phase.main.name} and reads no stream"
_NO_PING = "a later ping comes at {phase.state.name}"
_AT = "the main thread is at {phase.main.name}: "
_IN = "{phase.state.name}"
_NO_RECOVERY = f"there is nothing to recover in {_IN}"

TRANSITIONS = Transitions[Place](
    [
        # the main thread reads the stream
        Transition(Step.RETURN_PATH_OPEN, _MAIN, READING, None, _NOT_READING, "R20"),
        Transition(Step.ANSWERED, _MAIN, READING, None, _NOT_READING, "R20"),
        Transition(Step.ANSWERED_LATER, _MAIN + _LISTEN, ANSWERING, None, _NO_PING),
        Transition(Step.PREPARED, _MAIN, (NONE,), ADVISED, f"ADVISE comes in {_IN}", "R9"),
        Transition(Step.REFUSED, _MAIN, (NONE,), FAILED, f"ADVISE comes in {_IN}", "R9"),
        Transition(Step.LOADED, _MAIN, READING, None, _NOT_READING, "R20"),
        Transition(Step.DISCARDED, _MAIN, (ADVISED,), None, f"DISCARD comes in {_IN}", "R11"),
        Transition(Step.READ_PACKAGE, _MAIN, (ADVISED,), PACKAGE_READ, f"PACKAGED comes in {_IN}", "R4"),
        Transition(Step.ENDED_IN_PRECOPY, _MAIN, READING, END, _NOT_READING, "R20"),
        Transition(Step.ACCEPTED_URGENT, _MAIN, READING, None, _NOT_READING, "R20"),
        # the main thread processes the package
        Transition(Step.LISTENS, _MAIN, (PACKAGE_READ,), LOADING, _AT + "LISTEN is the package's first command", "R5"),
        Transition(Step.DEVICES_LOADED, _MAIN, (LOADING,), LOADED, _AT + "devices come between LISTEN and RUN", "R7"),
        Transition(Step.RUNS, _MAIN, (LOADED,), RUNNING, _AT + "RUN is the package's last command", "R7"),
        # the listen thread, the fault thread, and the thread of urgent pages
        Transition(Step.PLACED_URGENT, _PREEMPT, LISTENING, None, f"memory is not sensitive in {_IN}", "R8"),
        Transition(Step.PLACED, _LISTEN, LISTENING, None, f"there is no listen thread in {_IN}", "R8"),
        Transition(Step.ENDED, _LISTEN, (RUNNING,), END, f"the end waits for RUN, in {_IN}", "R9"),
        Transition(Step.SHUT, _LISTEN, (END,), None, f"there is no SHUT to send in {_IN}", "R24"),
        Transition(Step.REQUESTED, _FAULT, LISTENING, None, f"memory is not sensitive in {_IN}", "R16"),
        # the connection
        Transition(
            Step.ACCEPTED_URGENT_AGAIN, _LISTEN, (RECOVERING,), None, f"it is made anew in recovery, not in {_IN}"
        ),
        Transition(Step.GAVE_UP, _MAIN, (*READING, PACKAGE_READ), FAILED, f"there is nothing to give up in {_IN}"),
        Transition(Step.LOST_GUEST, _LISTEN, LISTENING, FAILED, f"there is no guest to lose in {_IN}"),
        # recovery
        Transition(Step.PAUSED, _LISTEN, (RUNNING, RECOVERING), PAUSED, f"no guest runs on in {_IN}"),
        Transition(Step.WAITED, _MAIN, (PAUSED,), WAITING, f"there is a connection in {_IN}"),
        Transition(Step.ACCEPTED, _MAIN, (WAITING,), RECOVERING, f"no connection is waited for in {_IN}"),
        Transition(Step.FOUND_BROKEN, _MAIN, (WAITING,), PAUSED, f"no connection is waited for in {_IN}"),
        Transition(Step.SAID_PART_OF_WHAT_ARRIVED, _LISTEN, (RECOVERING,), None, _NO_RECOVERY),
        Transition(Step.SAID_WHAT_ARRIVED, _LISTEN, (RECOVERING,), None, _NO_RECOVERY),
        Transition(Step.RESUMED, _LISTEN, (RECOVERING,), RUNNING, _NO_RECOVERY),
        Transition(Step.REQUESTED_AGAIN, _FAULT, (RUNNING,), None, f"nothing is asked for again in {_IN}"),
        Transition(Step.GAVE_UP_GUEST, _MAIN, (RUNNING, *BROKEN_OFF), FAILED, f"there is no guest to give up in {_IN}"),
    ]
)
"""Every step of the destination: who takes it at which places, and where it leads. See `Transition`."""
