"""The source's phases, and the table of its steps: everything that decides when the source may do what."""

from __future__ import annotations

from enum import IntEnum, auto

from postcopy.engine.log import Step, Thread
from postcopy.engine.transitions import Transition, Transitions


class Phase(IntEnum):
    """How far the source has come; the order is that of progress."""

    IDLE = auto()
    OPENING = auto()
    PINGING = auto()
    ADVISING = auto()
    PRECOPY = auto()
    FINISHING = auto()
    SWITCHING = auto()
    PACKAGING = auto()
    POSTCOPY = auto()
    ENDING = auto()
    COMPLETED = auto()
    FAILED = auto()
    CANCELLED = auto()


HANDED_OVER = Phase.POSTCOPY
"""From here on the destination may start the guest, so that the source must not (R15)."""

STARTED = tuple(phase for phase in Phase if phase > Phase.IDLE)
UNDER_WAY = tuple(phase for phase in STARTED if phase < Phase.COMPLETED)
SENDING = (Phase.PRECOPY, Phase.FINISHING)
"""Pages go out as precopy."""
CANCELLABLE = tuple(phase for phase in UNDER_WAY if phase < HANDED_OVER)
REPLIED_TO = tuple(phase for phase in UNDER_WAY if phase > Phase.OPENING)
"""The return path is open."""
REQUESTED_FROM = tuple(phase for phase in UNDER_WAY if phase >= HANDED_OVER)
"""The destination may miss a page; in ENDING a late request is ignored."""

OPERATOR, MIGRATION, RETURN_PATH = (Thread.OPERATOR,), (Thread.MIGRATION,), (Thread.RETURN_PATH,)
NO_PAGES = "no pages are sent in {phase.name}"

TRANSITIONS = Transitions[Phase](
    [
        # the operator
        Transition(
            Step.STARTED, OPERATOR, (Phase.IDLE,), Phase.OPENING, "not in {phase.name}: a migration is started once"
        ),
        Transition(
            Step.SWITCH_ASKED, OPERATOR, STARTED, None, "postcopy is asked for before the migration is started", "R2"
        ),
        Transition(
            Step.CANCELLED,
            OPERATOR,
            CANCELLABLE,
            Phase.CANCELLED,
            "cannot cancel in {phase.name}: it would not bring the guest back",
            "R27",
        ),
        # opening and precopy
        Transition(
            Step.OPENED,
            MIGRATION,
            (Phase.OPENING,),
            Phase.PINGING,
            "not in {phase.name}: the stream is opened once, first",
            "R19",
        ),
        Transition(
            Step.PINGED,
            MIGRATION,
            (Phase.PINGING,),
            Phase.ADVISING,
            "not in {phase.name}: the ping follows the opening",
            "R19",
        ),
        Transition(
            Step.ADVISED,
            MIGRATION,
            (Phase.ADVISING,),
            Phase.PRECOPY,
            "not in {phase.name}: ADVISE follows the ping",
            "R1",
        ),
        Transition(Step.DIRTIED, MIGRATION, (Phase.PRECOPY,), None, "the dirty log is not read in {phase.name}", "R10"),
        Transition(Step.SENT_PRECOPY, MIGRATION, SENDING, None, NO_PAGES, "R13"),
        Transition(
            Step.STOPPED_TO_FINISH,
            MIGRATION,
            (Phase.PRECOPY,),
            Phase.FINISHING,
            "not in {phase.name}: precopy is finished out of precopy",
            "R2",
        ),
        Transition(
            Step.ENDED_PRECOPY,
            MIGRATION,
            (Phase.FINISHING,),
            Phase.ENDING,
            "not in {phase.name}: precopy ends after the CPUs have stopped",
            "R2",
        ),
        # the switch and postcopy
        Transition(
            Step.STOPPED_TO_SWITCH,
            MIGRATION,
            (Phase.PRECOPY,),
            Phase.SWITCHING,
            "not in {phase.name}: the switch is made out of precopy",
            "R3",
        ),
        Transition(
            Step.SENT_DISCARDS,
            MIGRATION,
            (Phase.SWITCHING,),
            Phase.PACKAGING,
            "not in {phase.name}: discards are sent once, when the CPUs have stopped",
            "R11",
        ),
        Transition(
            Step.SENT_PACKAGE,
            MIGRATION,
            (Phase.PACKAGING,),
            Phase.POSTCOPY,
            "not in {phase.name}: the package follows the discards",
            "R4",
        ),
        Transition(Step.SERVED, MIGRATION, (Phase.POSTCOPY,), None, NO_PAGES, "R13"),
        Transition(Step.DROPPED, MIGRATION, (Phase.POSTCOPY,), None, NO_PAGES, "R13"),
        Transition(Step.SENT_REST, MIGRATION, (Phase.POSTCOPY,), None, NO_PAGES, "R13"),
        Transition(Step.SENT_BACKGROUND, MIGRATION, (Phase.POSTCOPY,), None, NO_PAGES, "R13"),
        Transition(
            Step.ENDED_POSTCOPY,
            MIGRATION,
            (Phase.POSTCOPY,),
            Phase.ENDING,
            "not in {phase.name}: postcopy ends out of postcopy",
            "R24",
        ),
        # replies
        Transition(Step.GOT_PONG, RETURN_PATH, REPLIED_TO, None, "PONG comes in {phase.name}", "R19"),
        Transition(
            Step.GOT_REQUEST,
            RETURN_PATH,
            REQUESTED_FROM,
            None,
            "a request comes in {phase.name}: no page can be missing yet",
            "R16",
        ),
        Transition(
            Step.GOT_SHUT,
            RETURN_PATH,
            (Phase.ENDING,),
            Phase.COMPLETED,
            "SHUT comes in {phase.name}, not after the end of the stream",
            "R24",
        ),
        Transition(Step.GOT_SHUT_ERROR, RETURN_PATH, REPLIED_TO, Phase.FAILED, "SHUT comes in {phase.name}", "R19"),
        # the connection
        Transition(
            Step.SOURCE_LOST,
            (Thread.MIGRATION, Thread.RETURN_PATH),
            UNDER_WAY,
            Phase.FAILED,
            "there is no connection to lose in {phase.name}",
        ),
    ]
)
"""One row for each step of the source."""
