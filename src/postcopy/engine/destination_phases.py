"""The destination's phases, and the table of its steps: everything that decides when the destination may do what."""

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
END = Place(State.END, Main.LEFT)
FAILED = Place(State.FAILED, Main.LEFT)

READING = (NONE, ADVISED)
"""The main thread reads the stream."""
LISTENING = (LOADING, LOADED, RUNNING)
"""The listen thread reads it."""

MAIN, LISTEN, FAULT = (Thread.MAIN,), (Thread.LISTEN,), (Thread.FAULT,)
READS_NO_STREAM = "the main thread is at {phase.main.name} and reads no stream"

TRANSITIONS = Transitions[Place](
    [
        # the main thread reads the stream
        Transition(Step.RETURN_PATH_OPEN, MAIN, READING, None, READS_NO_STREAM, "R20"),
        Transition(Step.ANSWERED, MAIN, READING, None, READS_NO_STREAM, "R20"),
        Transition(Step.PREPARED, MAIN, (NONE,), ADVISED, "ADVISE comes in {phase.state.name}", "R9"),
        Transition(Step.REFUSED, MAIN, (NONE,), FAILED, "ADVISE comes in {phase.state.name}", "R9"),
        Transition(Step.LOADED, MAIN, READING, None, READS_NO_STREAM, "R20"),
        Transition(Step.DISCARDED, MAIN, (ADVISED,), None, "DISCARD comes in {phase.state.name}", "R11"),
        Transition(Step.READ_PACKAGE, MAIN, (ADVISED,), PACKAGE_READ, "PACKAGED comes in {phase.state.name}", "R4"),
        Transition(Step.ENDED_IN_PRECOPY, MAIN, READING, END, READS_NO_STREAM, "R20"),
        # the main thread processes the package
        Transition(
            Step.LISTENS,
            MAIN,
            (PACKAGE_READ,),
            LOADING,
            "the main thread is at {phase.main.name}: LISTEN is the package's first command",
            "R5",
        ),
        Transition(
            Step.DEVICES_LOADED,
            MAIN,
            (LOADING,),
            LOADED,
            "the main thread is at {phase.main.name}: devices are loaded between LISTEN and RUN",
            "R7",
        ),
        Transition(
            Step.RUNS,
            MAIN,
            (LOADED,),
            RUNNING,
            "the main thread is at {phase.main.name}: RUN is the package's last command",
            "R7",
        ),
        # the listen thread and the fault thread
        Transition(Step.PLACED, LISTEN, LISTENING, None, "there is no listen thread in {phase.state.name}", "R8"),
        Transition(Step.ENDED, LISTEN, (RUNNING,), END, "the end waits for RUN, in {phase.state.name}", "R9"),
        Transition(Step.SHUT, LISTEN, (END,), None, "there is nothing to tell the source in {phase.state.name}", "R24"),
        Transition(Step.REQUESTED, FAULT, LISTENING, None, "memory is not sensitive in {phase.state.name}", "R16"),
        # the connection
        Transition(
            Step.GAVE_UP, MAIN, (*READING, PACKAGE_READ), FAILED, "there is nothing to give up in {phase.state.name}"
        ),
        Transition(Step.LOST_GUEST, LISTEN, LISTENING, FAILED, "there is no guest to lose in {phase.state.name}"),
    ]
)
"""One row for each step of the destination."""
