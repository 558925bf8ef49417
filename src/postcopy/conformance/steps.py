"""The step and the message of the model for each of the engine's: the alignment of the two vocabularies, and nothing
else.

An engine's step is one model action, or several in a row, or (a discard that comes in parts) a part of one.
"""

from __future__ import annotations

from typing import assert_never

from postcopy.engine import messages
from postcopy.engine.log import Step
from postcopy.model.network import Command, Reply

GUEST_WRITES = "source.guest_writes"
CPU_WRITES = "destination.cpu_writes[0]"
SOURCE_DIES, DESTINATION_DIES = "source.host_dies", "destination.host_dies"
LOSES_STREAM, LOSES_REPLY = "wire.loses_newest_on_stream", "wire.loses_newest_on_return_path"
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
}

DEVICE_TOUCH = "destination.device_load_touches"
CPU_READS = ("destination.cpu_reads[0]", "destination.cpu_reads[1]")
CPU_TOUCHES = ("destination.cpu_touches_missing[0]", "destination.cpu_touches_missing[1]")
"""Come before a request: the touch that made the fault; the log has it from the kernel, in the request."""

NOTICING = frozenset({Step.SOURCE_LOST, Step.GAVE_UP, Step.LOST_GUEST})
"""Steps that notice that the connection is gone."""
CLOSING = NOTICING | {Step.CANCELLED, Step.GOT_SHUT_ERROR, Step.REFUSED}
"""Steps that close the connection. The other side may not know for a while; the model knows at once: so the other's
steps of that while are put before (docs/model.md says why nothing is missed by that)."""


def command_of(message: messages.StreamMessage) -> Command | None:
    """What a message of the stream is in the model; None where the model has nothing for it.

    Neighbouring pages that come as one message are several of the model; parts of the discards are one.
    """
    match message:
        case messages.OpenReturnPath():
            return Command.OPEN_RETURN_PATH
        case messages.Ping():
            return Command.PING
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
        case (
            messages.TargetPageBits()
            | messages.Capabilities()
            | messages.Uuid()
            | messages.SwitchoverStart()
            | messages.AskBitmap()
            | messages.Resume()
            | messages.MultifdFlush()
            | messages.Description()
        ):
            return None  # not in the document
        case _:
            assert_never(message)


def reply_of(reply: messages.Reply) -> Reply:
    """What a reply is in the model."""
    match reply:
        case messages.Pong():
            return Reply.PONG
        case messages.Request():
            return Reply.REQ_PAGES
        case messages.Shut(status):
            return Reply.SHUT_ERROR if status else Reply.SHUT_OK
        case messages.ReceivedBitmap() | messages.ResumeAck() | messages.SwitchoverAck():
            raise TypeError(f"{type(reply).__name__} is not in the document, and the engine does not send it")
        case _:
            assert_never(reply)
