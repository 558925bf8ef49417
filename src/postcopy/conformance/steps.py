"""The step and the message of the model for each of the engine's: the alignment of the two vocabularies, and nothing
else.

An engine's step is one model action, or several in a row, or (a discard that comes in parts) a part of one. What only a
QEMU sends and gets is none.
"""

from __future__ import annotations

from enum import Enum
from typing import assert_never

from postcopy.engine import messages
from postcopy.engine.log import Step
from postcopy.engine.source import PING
from postcopy.model.changes.recovery_messages import RecoveryCommand, RecoveryReply
from postcopy.model.network import Command, Reply

GUEST_WRITES = "source.guest_writes"
CPU_WRITES = "destination.cpu_writes[0]"
SOURCE_DIES, DESTINATION_DIES = "source.host_dies", "destination.host_dies"
LOSES_STREAM, LOSES_REPLY = "wire.loses_newest_on_stream", "wire.loses_newest_on_return_path"
LOSES_URGENT = "wire.loses_newest_on_fast"
"""The actions of the model that are no step of a core."""

BREAKS = "wire.loses_the_connection"
"""Comes before a side notices that the connection is gone, unless it is gone already."""

ACTIONS: dict[Step, str] = {
    Step.STARTED: "source.operator_starts_migration",
    Step.SWITCH_ASKED: "source.operator_starts_postcopy",
    Step.CANCELLED: "source.operator_cancels",
    Step.OPENED: "source.opens_return_path",
    Step.PINGED: "source.pings",
    Step.ADVISED: "source.advises",
    Step.DIRTIED: GUEST_WRITES,
    Step.SENT_PRECOPY: "source.sends_precopy_page",
    Step.STOPPED_TO_FINISH: "source.stops_cpus_to_finish_in_precopy",
    Step.ENDED_PRECOPY: "source.ends_precopy",
    Step.STOPPED_TO_SWITCH: "source.stops_cpus_to_switch",
    Step.SENT_DISCARDS: "source.sends_discards",
    Step.SENT_PACKAGE: "source.sends_package",
    Step.SERVED: "source.serves_request",
    Step.DROPPED: "source.serves_request",
    Step.SENT_REST: "source.sends_rest_of_host_page",
    Step.SENT_BACKGROUND: "source.sends_background_page",
    Step.ENDED_POSTCOPY: "source.ends_postcopy",
    Step.GOT_PONG: "source.receives_pong",
    Step.GOT_REQUEST: "source.receives_request",
    Step.GOT_SHUT: "source.receives_shut",
    Step.GOT_SHUT_ERROR: "source.receives_shut_with_error",
    Step.SOURCE_LOST: "source.notices_loss",
    Step.RETURN_PATH_OPEN: "destination.opens_return_path",
    Step.ANSWERED: "destination.answers_ping",
    Step.PREPARED: "destination.handles_advise",
    Step.REFUSED: "destination.refuses_advise",
    Step.LOADED: "destination.loads_precopy_page",
    Step.DISCARDED: "destination.discards",
    Step.READ_PACKAGE: "destination.reads_package",
    Step.LISTENS: "destination.handles_listen",
    Step.DEVICES_LOADED: "destination.finishes_device_load",
    Step.RUNS: "destination.handles_run",
    Step.PLACED: "destination.places_page",
    Step.ENDED: "destination.ends",
    Step.ENDED_IN_PRECOPY: "destination.loads_precopy_end",
    Step.REQUESTED: "destination.requests_page",
    Step.SHUT: "destination.sends_shut",
    Step.GAVE_UP: "destination.gives_up",
    Step.LOST_GUEST: "destination.loses_the_guest",
    # recovery
    Step.SOURCE_PAUSED: "source.notices_loss",
    Step.RECONNECTED: "source.operator_resumes",
    Step.ASKED_WHAT_ARRIVED: "source.asks_what_arrived",
    Step.GOT_WHAT_ARRIVED: "source.reloads_bitmap",
    Step.SENT_RESUME: "source.sends_resume",
    Step.GOT_RESUME_ACK: "source.receives_resume_ack",
    Step.SOURCE_GAVE_UP: SOURCE_DIES,
    Step.PAUSED: "destination.loses_the_guest",
    Step.WAITED: "destination.operator_recovers",
    Step.ACCEPTED: "destination.accepts",
    Step.FOUND_BROKEN: "destination.accepts",
    Step.SAID_WHAT_ARRIVED: "destination.says_what_arrived",
    Step.RESUMED: "destination.resumes",
    Step.REQUESTED_AGAIN: "destination.requests_page",
    Step.GAVE_UP_GUEST: DESTINATION_DIES,
    # urgent pages
    Step.OPENED_URGENT: "source.opens_fast_channel",
    Step.SERVED_URGENT: "source.serves_request",
    Step.DROPPED_URGENT: "source.serves_request",
    Step.ACCEPTED_URGENT: "destination.accepts_fast_channel",
    Step.PLACED_URGENT: "destination.places_urgent_page",
}

BESIDE = frozenset({Step.ANSWERED_LATER, Step.GOT_LATER_PONG, Step.REOPENED_URGENT, Step.ACCEPTED_URGENT_AGAIN})
"""Steps that change nothing in the model: the document does not have them, or both connections are made by one step."""

IN_PARTS = {
    Step.SAID_PART_OF_WHAT_ARRIVED: Step.SAID_WHAT_ARRIVED,
    Step.GOT_PART_OF_WHAT_ARRIVED: Step.GOT_WHAT_ARRIVED,
}
"""Steps for one block of several: the model has the last of them for all. By each, the last."""

OF_RECOVERY = frozenset(
    {
        Step.SOURCE_PAUSED,
        Step.SOURCE_GAVE_UP,
        Step.PAUSED,
        Step.GAVE_UP_GUEST,
    }
)
"""The first steps of a recovery: a log with one of them is held against the model that has it."""

DEVICE_TOUCH = "destination.device_load_touches"
CPU_READS = ("destination.cpu_reads[0]", "destination.cpu_reads[1]")
CPU_TOUCHES = ("destination.cpu_touches_missing[0]", "destination.cpu_touches_missing[1]")
"""Come before a request: the touch that made the fault; the log has it from the kernel, in the request."""

NOTICING = frozenset(
    {Step.SOURCE_LOST, Step.GAVE_UP, Step.LOST_GUEST, Step.SOURCE_PAUSED, Step.PAUSED, Step.FOUND_BROKEN}
)
"""Steps that notice that the connection is gone."""
LEAVING = frozenset({Step.SOURCE_GAVE_UP, Step.GAVE_UP_GUEST})
"""Steps after which a host takes part in no connection. The other side may not know for a while: its own steps of that
while are put before."""
CLOSING = NOTICING | {Step.CANCELLED, Step.GOT_SHUT_ERROR, Step.REFUSED} | LEAVING
"""Steps that close the connection. The other side may not know for a while; the model knows at once: so the other's
steps of that while are put before (docs/model.md says why nothing is missed by that)."""


def command_of(message: messages.StreamMessage) -> Enum | None:
    """What a message of the stream is in the model; None where the model has nothing for it.

    Neighbouring pages that come as one message are several of the model; parts of the discards are one.
    """
    match message:
        case messages.OpenReturnPath():
            return Command.OPEN_RETURN_PATH
        case messages.Ping(value):
            return Command.PING if value == PING else None  # the later ones are for a QEMU
        case messages.Advise():
            return Command.ADVISE
        case messages.Page() | messages.Pages():
            return Command.PAGE
        case messages.Discard():
            return Command.DISCARD
        case messages.Packaged():
            return Command.PACKAGED
        case messages.Eof():
            return Command.EOF  # with devices before it, the model's PRECOPY_END
        case messages.Listen() | messages.Run() | messages.Device():
            return None  # within the package, or part of PRECOPY_END
        case messages.Header() | messages.Configuration() | messages.RamSize():
            return None  # what machine and memory there is
        case (
            messages.SectionStart()
            | messages.SectionPart()
            | messages.SectionEnd()
            | messages.RamEnd()
            | messages.Footer()
        ):
            return None  # framing
        case messages.AskBitmap():
            return RecoveryCommand.RECV_BITMAP
        case messages.Resume():
            return RecoveryCommand.RESUME
        case (
            messages.TargetPageBits()
            | messages.Capabilities()
            | messages.Uuid()
            | messages.SwitchoverStart()
            | messages.MultifdFlush()
            | messages.Description()
        ):
            return None  # not in the document
        case _:
            assert_never(message)


def reply_of(reply: messages.Reply) -> Enum | None:
    """What a reply is in the model; None where the model has nothing for it."""
    match reply:
        case messages.Pong(value):
            return Reply.PONG if value == PING else None
        case messages.Request():
            return Reply.REQ_PAGES
        case messages.Shut(status):
            return Reply.SHUT_ERROR if status else Reply.SHUT_OK
        case messages.ReceivedBitmap():
            return RecoveryReply.BITMAP
        case messages.ResumeAck():
            return RecoveryReply.RESUME_ACK
        case messages.SwitchoverAck():
            raise TypeError(f"{type(reply).__name__} is not in the document, and the engine does not send it")
        case _:
            assert_never(reply)
