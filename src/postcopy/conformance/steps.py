"""What each step of the engine is in the model: the alignment of the two vocabularies, and nothing else.

An engine's step is one model action, or several in a row, or (a discard that comes in parts) a part of one.
"""

from __future__ import annotations

from postcopy.engine.log import Step

ACTIONS: dict[Step, str] = {
    Step.STARTED: "source.operator_starts_migration",
    Step.SWITCH_ASKED: "source.operator_starts_postcopy",
    Step.CANCELLED: "source.operator_cancels",
    Step.OPENED: "source.opens_return_path",
    Step.PINGED: "source.pings",
    Step.ADVISED: "source.advises",
    Step.DIRTIED: "source.guest_writes",
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

BREAKS = "wire.loses_the_connection"
"""Comes before a side notices that the connection is gone, unless it is gone already."""
DEVICE_TOUCH = "destination.device_load_touches"
CPU_TOUCHES = ("destination.cpu_touches_missing[0]", "destination.cpu_touches_missing[1]")
"""Come before a request: the touch that made the fault; the log has it from the kernel, in the request."""

CLOSING = frozenset(
    {Step.SOURCE_LOST, Step.CANCELLED, Step.GOT_SHUT_ERROR, Step.REFUSED, Step.GAVE_UP, Step.LOST_GUEST}
)
"""Steps that close the connection. The other side may not know for a while; the model knows at once: so the other's
steps of that while are put before (docs/model.md says why nothing is missed by that)."""
