"""What each of QEMU's trace events is in the model: the one place where that is said. The table says no rule."""

from __future__ import annotations

from typing import NamedTuple

from postcopy.conformance.qemu import wire_meaning as wire
from postcopy.conformance.qemu.observations import Connected, Meaning, Sent, Taken


class InTheLog(NamedTuple):
    """A row of the table.

    Attributes:
        host: in whose log it stands.
        event: the trace event.
        begins: with what its arguments have to begin; empty for any.
        means: what it can be in the model, any of these; empty where it is used for something else.
        how: what is made of it, where that is not one for one.
    """

    host: str
    event: str
    begins: str
    means: tuple[Meaning, ...]
    how: str = ""


PAGES = (wire.PAGE,)
EITHER_CHANNEL = (wire.PAGE, wire.URGENT_PAGE)
LOADS = (Taken("destination.loads_precopy_page"),)
PLACES = (Taken("destination.places_page"),)
PLACES_URGENT = (Taken("destination.places_urgent_page"),)
REQUESTS = (Taken("destination.requests_page"),)
ASKS_AGAIN = (Taken("destination.asks_again"), Taken("destination.requests_page"))
RECEIVES_REQUEST = (Taken("source.receives_request"),)
DROPS = (Taken("source.serves_request"),)
DISCARDS = (Taken("destination.discards"),)
PACKAGE = Taken("destination.reads_package")
RELOADS = (Taken("source.reloads_bitmap"),)
ASKED = (Taken("destination.says_what_arrived"),)

ENDS = (Taken("destination.leaves"), Taken("destination.ends"))
FIRST_KNOWN = "the first that the protocol has"
FAILS = (*wire.ENDS_IN_FAILURE, wire.CANNOT_LOAD)

LOG: tuple[InTheLog, ...] = (
    InTheLog("source", "savevm_send_open_return_path", "", (wire.OPEN_RETURN_PATH,)),
    InTheLog("source", "savevm_send_ping", "0x1", (wire.PING,)),
    InTheLog("source", "qemu_savevm_send_postcopy_advise", "", (wire.ADVISE,)),
    InTheLog("source", "ram_save_page", "", PAGES, "on the preempt channel where the destination's log has it there"),
    InTheLog("source", "postcopy_discard_send_range", "", (wire.DISCARD,), "all of one switch are one message"),
    InTheLog("source", "qemu_savevm_send_packaged", "", (wire.PACKAGED,)),
    InTheLog("source", "migration_completion_postcopy_end_after_complete", "", (wire.EOF,)),
    InTheLog("source", "source_return_path_thread_pong", "0x1", (Taken("source.receives_pong"),)),
    InTheLog(
        "source",
        "source_return_path_thread_postcopy_package_loaded",
        "",
        (Taken("source.receives_loaded"),),
        "before QEMU 11 source_return_path_thread_pong 0x3",
    ),
    InTheLog("source", "ram_save_queue_pages", "", RECEIVES_REQUEST, "behind the page that was chosen before it"),
    InTheLog("source", "get_queued_page_not_dirty", "", DROPS),
    InTheLog("source", "source_return_path_thread_shut", "0x0", (Taken("source.receives_shut"),)),
    InTheLog("source", "open_return_path_on_source", "", (Connected("stream"),), "from the second on"),
    InTheLog("source", "ram_dirty_bitmap_request", "", (wire.ASK_BITMAP,), "the first of each recovery"),
    InTheLog("source", "ram_dirty_bitmap_reload_complete", "", RELOADS, "the last of each recovery"),
    InTheLog("source", "savevm_send_postcopy_resume", "", (wire.RESUME,)),
    InTheLog("source", "source_return_path_thread_resume_ack", "", (Taken("source.receives_resume_ack"),)),
    InTheLog(
        "destination", "loadvm_process_command", "com=OPEN_RETURN_PATH", (Taken("destination.opens_return_path"),)
    ),
    InTheLog("destination", "loadvm_process_command_ping", "0x1", (wire.PONG,)),
    InTheLog("destination", "loadvm_postcopy_handle_advise", "", (Taken("destination.handles_advise"),)),
    InTheLog("destination", "ram_load_loop", "", LOADS, "pages only"),
    InTheLog("destination", "loadvm_postcopy_ram_handle_discard_end", "", DISCARDS, "the last of the switch"),
    InTheLog("destination", "loadvm_handle_cmd_packaged_received", "", (PACKAGE,)),
    InTheLog("destination", "loadvm_postcopy_handle_listen", "enter", (Taken("destination.handles_listen"),)),
    InTheLog("destination", "loadvm_postcopy_handle_run", "", (Taken("destination.handles_run"),)),
    InTheLog("destination", "ram_load_postcopy_loop", "chan=0", PLACES, "pages only"),
    InTheLog("destination", "ram_load_postcopy_loop", "chan=1", PLACES_URGENT, "pages only"),
    InTheLog("destination", "postcopy_ram_fault_thread_request", "", REQUESTS),
    InTheLog("destination", "postcopy_page_req_sync", "", ASKS_AGAIN),
    InTheLog("destination", "loadvm_handle_recv_bitmap", "", ASKED, "the first of each recovery"),
    InTheLog("destination", "loadvm_postcopy_handle_resume", "", (Taken("destination.resumes"),)),
    InTheLog("destination", "postcopy_ram_listen_thread_exit", "", ENDS, FIRST_KNOWN),
    InTheLog(
        "destination",
        "migrate_set_state",
        "new state failed",
        FAILS,
        "the last before LISTEN only; behind it at the end, and not where RUN is handled; the listen thread's exit "
        "before it is left out",
    ),
    InTheLog("destination", "postcopy_init_range", "", (), "where blocks are, and how long"),
)
"""The table. An event whose actions a protocol does not have is left out."""

SHOWN: frozenset[Sent] = frozenset(
    {
        wire.OPEN_RETURN_PATH,
        wire.PING,
        wire.ADVISE,
        wire.PAGE,
        wire.URGENT_PAGE,
        wire.DISCARD,
        wire.PACKAGED,
        wire.EOF,
        wire.ASK_BITMAP,
        wire.RESUME,
        wire.PONG,
        wire.REQUEST,
    }
)
"""The messages that two logs show, wherever they are sent."""

INFERRED = (
    "what the guest writes at the source: a page that is sent again, or discarded, was written before",
    "what the guest touches at the destination: a page that is requested was touched before",
    "pages of zeros, which have no event at the source: they are sent where the destination has them in its order",
    "a request that is queued while the next page has been chosen already comes behind that page",
    "when the guest starts at the destination, and where each thread is between two events",
)
MULTIFD = "pages on connections of multifd, which have no event: all that the switch does not discard were sent so"
UNSEEN = (
    "what pages hold",
    "which pages the destination says it has after a break: its bitmap is in no event",
)
