"""What can be wrong with two logs of trace events: each spoils them in one way that QEMU never does."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from postcopy.conformance.qemu.trace_files import Line

Lines = list[Line]
Logs = tuple[Lines, Lines]


class Mutation(NamedTuple):
    """One of them: its name, the logs that it spoils, and how."""

    name: str
    logs: str
    spoil: Callable[[Lines, Lines], Logs]


def _at(lines: Lines, event: str, begins: str = "", nth: int = 0) -> int:
    return [n for n, line in enumerate(lines) if line.event == event and line.rest.startswith(begins)][nth]


def _switch(lines: Lines) -> int:
    return _at(lines, "qemu_savevm_send_packaged")


def _after(lines: Lines, event: str, begin: int, begins: str = "") -> int:
    rest = range(begin + 1, len(lines))
    return next(n for n in rest if lines[n].event == event and lines[n].rest.startswith(begins))


def _without(lines: Lines, at: int) -> Lines:
    return lines[:at] + lines[at + 1 :]


def _moved(lines: Lines, at: int, to: int) -> Lines:
    rest = _without(lines, at)
    return [*rest[:to], lines[at]._replace(time=rest[to - 1].time), *rest[to:]]


def _twice(lines: Lines, at: int) -> Lines:
    return lines[: at + 1] + lines[at:]


def _loads_content(lines: Lines) -> int:
    """A page of precopy that is no page of zeros: those have no event at the source, which may have sent two."""
    return next(n for n, line in enumerate(lines) if line.event == "ram_load_loop" and "flags: 0x8" in line.rest)


DISCARDED = "loadvm_postcopy_ram_handle_discard_end"
EXIT, SHUT = "postcopy_ram_listen_thread_exit", "source_return_path_thread_shut"
END = "migration_completion_postcopy_end_after_complete"
LOADED, PONG = "source_return_path_thread_postcopy_package_loaded", "source_return_path_thread_pong"
RUN, LISTEN, POSTCOPY_PAGE = "loadvm_postcopy_handle_run", "loadvm_postcopy_handle_listen", "ram_load_postcopy_loop"
ACK, RESUME = "source_return_path_thread_resume_ack", "savevm_send_postcopy_resume"
FAILED = "migrate_set_state", "new state failed"
RELOADED = "ram_dirty_bitmap_reload_complete"


def source(change: Callable[[Lines], Lines]) -> Callable[[Lines, Lines], Logs]:
    """Spoils the source's log."""
    return lambda here, there: (change(here), there)


def destination(change: Callable[[Lines], Lines]) -> Callable[[Lines, Lines], Logs]:
    """Spoils the destination's log."""
    return lambda here, there: (here, change(there))


def _request_comes_last(here: Lines, there: Lines) -> Logs:
    """R17, in both logs: the page of the first request comes behind eight pages that nobody has asked for."""
    asked = _at(here, "ram_save_queue_pages")
    queued = _after(here, "get_queued_page", asked)
    page = _after(here, "ram_save_page", queued)
    behind = page
    for _ in range(8):
        behind = _after(here, "ram_save_page", behind)
    loaded = _at(there, "ram_load_postcopy_loop", f"chan=0 addr={here[page].rest.split()[2]}")
    placed = next(n for n in range(loaded, len(there)) if there[n].event.startswith("postcopy_place_page"))
    then = loaded
    for _ in range(9):
        then = _after(there, "ram_load_postcopy_loop", then)
    pair = [there[n]._replace(time=there[then].time) for n in (loaded, placed)]
    rest = [line for n, line in enumerate(there[:then]) if n not in (loaded, placed)]
    return _moved(_without(here, queued), page - 1, behind - 1), [*rest, *pair, *there[then:]]


def _page_from_package(here: Lines) -> Lines:
    """A page that is sent in postcopy is sent again."""
    return _twice(here, _after(here, "ram_save_page", _switch(here)))


def _served_without_request(here: Lines) -> Lines:
    return _without(here, _at(here, "ram_save_queue_pages"))


MUTATIONS: tuple[Mutation, ...] = (
    Mutation("a requested page comes last", "11.1-default", _request_comes_last),
    Mutation("a page of postcopy is sent twice", "11.1-default", source(_page_from_package)),
    Mutation(
        "a page of postcopy is not sent",
        "11.1-default",
        source(lambda here: _without(here, _after(here, "ram_save_page", _switch(here)))),
    ),
    Mutation(
        "a page is placed that was not sent",
        "11.1-default",
        source(
            lambda here: _without(here, _after(here, "ram_save_page", _after(here, "ram_save_page", _switch(here))))
        ),
    ),
    Mutation("the package is sent twice", "11.1-default", source(lambda here: _twice(here, _switch(here)))),
    Mutation("the package is not sent", "11.1-default", source(lambda here: _without(here, _switch(here)))),
    Mutation(
        "a range is not discarded",
        "11.1-default",
        source(lambda here: _without(here, _at(here, "postcopy_discard_send_range"))),
    ),
    Mutation(
        "ADVISE is not sent",
        "11.1-default",
        source(lambda here: _without(here, _at(here, "qemu_savevm_send_postcopy_advise"))),
    ),
    Mutation(
        "PING 1 is not sent", "11.1-default", source(lambda here: _without(here, _at(here, "savevm_send_ping", "0x1")))
    ),
    Mutation(
        "PONG 1 comes twice",
        "11.1-default",
        source(lambda here: _twice(here, _at(here, PONG, "0x1"))),
    ),
    Mutation(
        "the package is loaded before it is sent",
        "11.1-default",
        source(lambda here: _moved(here, _at(here, LOADED), _switch(here))),
    ),
    Mutation(
        "the source reads SHUT twice",
        "11.1-default",
        source(lambda here: _twice(here, _at(here, SHUT))),
    ),
    Mutation(
        "the source reads SHUT before the end",
        "11.1-default",
        source(
            lambda here: _moved(
                here,
                _at(here, SHUT),
                _at(here, END),
            )
        ),
    ),
    Mutation(
        "a request is received that was not sent",
        "11.1-default",
        source(lambda here: _twice(here, _at(here, "ram_save_queue_pages"))),
    ),
    Mutation(
        "the guest is run twice",
        "11.1-default",
        destination(lambda there: _twice(there, _at(there, RUN))),
    ),
    Mutation(
        "the guest is run before LISTEN",
        "11.1-default",
        destination(lambda there: _moved(there, _at(there, RUN), _at(there, LISTEN, "enter"))),
    ),
    Mutation(
        "LISTEN comes twice",
        "11.1-default",
        destination(lambda there: _twice(there, _at(there, LISTEN, "enter"))),
    ),
    Mutation(
        "the package is read twice",
        "11.1-default",
        destination(lambda there: _twice(there, _at(there, "loadvm_handle_cmd_packaged_received"))),
    ),
    Mutation(
        "the pages are discarded behind LISTEN",
        "11.1-default",
        destination(lambda there: _moved(there, _at(there, DISCARDED, nth=-1), _at(there, LISTEN, "enter"))),
    ),
    Mutation(
        "the listen thread leaves before the end",
        "11.1-default",
        destination(
            lambda there: _moved(
                there,
                _at(there, EXIT),
                _after(there, POSTCOPY_PAGE, _at(there, RUN)),
            )
        ),
    ),
    Mutation(
        "a page of precopy is loaded twice",
        "11.1-default",
        destination(lambda there: _twice(there, _loads_content(there))),
    ),
    Mutation(
        "RESUME is acknowledged twice",
        "11.1-recover",
        source(lambda here: _twice(here, _at(here, ACK))),
    ),
    Mutation(
        "RESUME is sent before the bitmap has come",
        "11.1-recover",
        source(lambda here: _moved(here, _at(here, RESUME), _at(here, RELOADED))),
    ),
    Mutation(
        "a page is sent before RESUME is acknowledged",
        "11.1-recover",
        source(
            lambda here: _moved(
                here,
                _after(here, "ram_save_page", _at(here, ACK)),
                _at(here, ACK),
            )
        ),
    ),
    Mutation(
        "an urgent page was not requested",
        "11.1-preempt",
        source(_served_without_request),
    ),
    Mutation(
        "a destination fails before LISTEN, and handles it",
        "11.1-missing-device",
        destination(lambda there: _moved(there, _at(there, *FAILED), _at(there, LISTEN, "enter"))),
    ),
    Mutation(
        "a destination has failed, and loads a page",
        "11.1-missing-device",
        destination(lambda there: _moved(there, _at(there, *FAILED), _loads_content(there))),
    ),
    Mutation(
        "the listen thread exits, and has neither failed nor come to the end",
        "11.1-missing-device",
        destination(lambda there: _without(there, _at(there, *FAILED))),
    ),
)
