"""What each action of the models means for a real QEMU: the one table of that.

An action's instruction does what the step does, or waits until it is seen, and gives what was seen. An action without
one can be neither seen nor steered from outside; then the text says why. The functions that an action stands for are in
`postcopy.catalogue.qemu_steps`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

from postcopy.recording.wire_files import Side
from postcopy.replay.errors import NotFaithful, Refused
from postcopy.replay.messages import Kind
from postcopy.replay.stage import Moment, Stage
from postcopy.replay.valve import Role

Instruction: TypeAlias = Callable[[Stage, Moment], str]
"""Carries a step out; what was seen. It raises `Refused` or `NotFaithful`."""

_MIGRATION = [{"type": "migration"}]
_WAITS_FOR_END = "migration_return_path_end_before"
"""Traced where the source has sent all, in precopy or in postcopy."""
_COMPLETES_FIRST = (
    "the source has completed in precopy: this QEMU asks first whether nothing is pending, QEMU 11 whether postcopy "
    "has been asked for"
)


# -- instructions ------------------------------------------------------------------------------------------------------


def _sent(kind: Kind, role: Role = "main") -> Instruction:
    return lambda stage, _: stage.sent(kind, role)


def _through(kind: Kind, role: Role = "main") -> Instruction:
    return lambda stage, _: stage.through(kind, role)


def _command(side: Side, name: str) -> Instruction:
    return lambda stage, _: stage.command(side, name)


def _status(side: Side, *wanted: str) -> Instruction:
    return lambda stage, _: stage.status(side, *wanted)


def _traced(side: Side, event: str) -> Instruction:
    return lambda stage, _: stage.traced(side, event)


def _all(*parts: Instruction) -> Instruction:
    return lambda stage, moment: "; ".join(part(stage, moment) for part in parts)


def _ends(side: Side, *roles: Role) -> Instruction:
    return lambda stage, _: stage.show_end(side, *roles)


def _hidden(why: str) -> Instruction:
    def say(_stage: Stage, _moment: Moment) -> str:
        raise NotFaithful(why)

    return say


# -- the source --------------------------------------------------------------------------------------------------------


def _migrates(stage: Stage, _moment: Moment) -> str:
    said = stage.command("source", "migrate", uri=f"unix:{stage.hosts.valve.address}")
    stage.begins()
    return said if stage.hosts.wanted.accepts_later else f"{said}; {stage.connect('main')}"


def _advises(stage: Stage, moment: Moment) -> str:
    if moment.after["source.postcopy_capability"]:
        return stage.sent(Kind.ADVISE)
    raise NotFaithful("without the capability nothing is sent")


def _starts_postcopy(stage: Stage, _moment: Moment) -> str:
    if not stage.hosts.wanted.idle:
        return stage.command("source", "migrate-start-postcopy")
    return "the command is given when nothing is dirty, because QEMU switches at once"


def _stops_to_switch(stage: Stage, _moment: Moment) -> str:
    if not stage.hosts.wanted.idle:
        return stage.runs("source", wanted=False)
    clean = stage.clean()
    command = stage.command("source", "migrate-start-postcopy")
    pong = stage.through(Kind.PONG) if stage.has_sent(Kind.READY) else "no SWITCHOVER_ACK is awaited"
    return f"{clean}; {command}; {pong}; {stage.runs('source', wanted=False)}"


def _receives_pong(stage: Stage, _moment: Moment) -> str:
    if stage.hosts.wanted.idle and stage.has_sent(Kind.READY):
        return "it is let through at the switch: SWITCHOVER_ACK stands before it, and keeps QEMU in precopy"
    return stage.through(Kind.PONG)


def _sends_discards(stage: Stage, moment: Moment) -> str:
    if moment.before["source.dirty"]:
        return stage.sent(Kind.DISCARD)
    if not stage.hosts.becomes(lambda: stage.has_sent(Kind.PACKAGE), stage.patience):
        if stage.hosts.traced("source", _WAITS_FOR_END):
            raise Refused(_COMPLETES_FIRST)
        raise Refused(f"neither DISCARD nor the package was sent; {stage.states()}")
    if stage.has_sent(Kind.DISCARD):
        raise Refused("pages were dirty: DISCARD was sent")
    return "the package is sent, and no DISCARD before it"


def _sends_page(stage: Stage, moment: Moment) -> str:
    if moment.before.get("preempt"):
        raise NotFaithful("the bitmap's lock is given back before the page is written")
    return stage.sent(Kind.PAGE)


def _serves_at_once(stage: Stage, moment: Moment) -> str:
    if moment.after["source.phase"] == "DEAD":
        return stage.gone("source")
    if moment.before["source.dirty"] == moment.after["source.dirty"]:
        raise NotFaithful("a request that is dropped leaves nothing on the wire")
    return stage.sent(Kind.PAGE, "preempt")


def _notices(stage: Stage, moment: Moment) -> str:
    shown = stage.show_end("source", "main", "preempt")
    return f"{shown}; {_what_came(stage, moment)}"


def _what_came(stage: Stage, moment: Moment) -> str:
    if moment.after.get("source.recovery") == "PAUSED":
        return stage.status("source", "postcopy-paused")
    return stage.status("source", "failing", "failed")


def _completes(stage: Stage, moment: Moment) -> str:
    if moment.after["source.phase"] == "COMPLETED":
        return stage.status("source", "completed")
    return _what_came(stage, moment)


def _takes_back(stage: Stage, moment: Moment) -> str:
    if moment.after.get("source.recovery") == "PAUSED":
        return stage.status("source", "postcopy-paused")
    if moment.after["source.phase"] != "FAILED":
        return _completes(stage, moment)
    failed = stage.gone("source")
    return f"{failed}; {stage.runs('source', wanted=bool(moment.after['source.running']))}"


def _resumes(stage: Stage, _moment: Moment) -> str:
    stage.hosts.valve.begin_anew()
    return stage.command("source", "migrate", uri=f"unix:{stage.hosts.valve.address}", resume=True)


def _source_yanks(stage: Stage, _moment: Moment) -> str:
    yank = partial(stage.command, "source", "yank", instances=_MIGRATION)
    return stage.owe("source", "yank", yank, "main", "preempt")


def _cancels(stage: Stage, _moment: Moment) -> str:
    cancel = partial(stage.command, "source", "migrate_cancel")
    return stage.owe("source", "migrate_cancel", cancel, "main", "preempt")


def _source_pauses(stage: Stage, _moment: Moment) -> str:
    return stage.owe("source", "migrate-pause", partial(stage.command, "source", "migrate-pause"), "main")


def _connected(role: Role) -> Instruction:
    def look(stage: Stage, _moment: Moment) -> str:
        stage.connection(role)
        return f"the source has opened the {role} connection"

    return look


def _died(side: Side) -> Instruction:
    return lambda stage, _: stage.kill(side)


# -- the destination ---------------------------------------------------------------------------------------------------


def _refuses(stage: Stage, _moment: Moment) -> str:
    return f"{stage.through(Kind.ADVISE)}; {stage.gone('destination')}"


def _loads_end(stage: Stage, moment: Moment) -> str:
    return f"{stage.through(Kind.END)}; {_starts(stage, moment)}"


def _starts(stage: Stage, moment: Moment) -> str:
    return stage.runs("destination", wanted=bool(moment.after["destination.running"]))


def _answers_ping(stage: Stage, moment: Moment) -> str:
    taken = stage.through(Kind.PING)
    lost = moment.before["return_path"] == moment.after["return_path"]
    return taken if lost else f"{taken}; {stage.sent(Kind.PONG)}"


def _answers_behind_devices(stage: Stage, moment: Moment) -> str:
    if moment.before["return_path"] == moment.after["return_path"]:
        raise NotFaithful("the PONG is lost with the connection, and so is not seen by the source")
    return stage.sent(Kind.LOADED)


def _refuses_run(stage: Stage, _moment: Moment) -> str:
    seen = stage.traced("destination", "loadvm_postcopy_handle_run")
    return f"{seen}; {stage.runs('destination', wanted=False)}"


def _wakes_listen_thread(stage: Stage, _moment: Moment) -> str:
    way = stage.connection("main", "destination").to_destination
    if way.lost:
        return stage.show_end("destination", "main")
    way.all = True
    stage.hosts.valve.arrived(way, stage.patience)
    return "all that was sent let through"


def _loses_guest(stage: Stage, moment: Moment) -> str:
    shown = stage.show_end("destination", "main")
    if moment.after["destination.state"] == "FAILED":
        return f"{shown}; {stage.gone('destination')}"
    if moment.after["destination.state"] == "RUNNING":
        return f"{shown}; {stage.traced('destination', 'postcopy_pause_incoming')}"
    return shown


def _destination_yanks(stage: Stage, _moment: Moment) -> str:
    yank = partial(stage.command, "destination", "yank", instances=_MIGRATION)
    return stage.owe("destination", "yank", yank, "main")


def _destination_pauses(stage: Stage, _moment: Moment) -> str:
    return stage.owe("destination", "migrate-pause", partial(stage.command, "destination", "migrate-pause"), "main")


def _connects(role: Role) -> Instruction:
    return lambda stage, _: stage.connect(role)


def _came_to_nothing(stage: Stage, moment: Moment) -> str:
    if moment.after["destination.state"] == "FAILED" or moment.after.get("destination.recovery") == "FAILED":
        return stage.gone("destination")
    return "the destination goes on"


def _gone_if_dead(instead: Instruction) -> Instruction:
    def look(stage: Stage, moment: Moment) -> str:
        dead = moment.after["destination.state"] == "FAILED" != moment.before["destination.state"]
        return stage.gone("destination") if dead else instead(stage, moment)

    return look


def _requests(stage: Stage, moment: Moment) -> str:
    if moment.before["return_path"] == moment.after["return_path"]:
        raise NotFaithful("nothing is sent")
    if moment.before.get("destination.recovery") == "RECOVER":
        stage.request_instead()
    return stage.sent(Kind.REQUEST)


_CPU = _hidden("no single access of a vCPU is seen; its request is")
_NOTED = _hidden("QEMU notes that in its own memory alone")
_MULTIFD = _hidden("the valve does not tell multifd's connections apart")
_NO_DEVICE = _hidden("no device of this guest asks for an acknowledgement")
_NO_BACKEND = _hidden("this guest has no backend of vhost-user")
_ONCE = _hidden("the guest is migrated once")
_PREEMPT_POST = _hidden("a semaphore's post is not seen")

MEANINGS: Mapping[str, Instruction] = {
    # the source: operator, guest and host
    "source.guest_writes": _hidden("the guest writes all the time; no single write is seen"),
    "source.operator_starts_migration": _migrates,
    "source.operator_starts_postcopy": _starts_postcopy,
    "source.operator_cancels": _cancels,
    "source.operator_resumes": _resumes,
    "source.operator_pauses": _source_pauses,
    "source.operator_yanks": _source_yanks,
    "source.operator_continues": lambda stage, _: stage.command("source", "migrate-continue", state="pre-switchover"),
    "source.operator_migrates_again": _ONCE,
    "source.host_dies": _died("source"),
    # the source: migration thread
    "source.opens_return_path": _sent(Kind.OPEN),
    "source.pings": _sent(Kind.PING),
    "source.advises": _advises,
    "source.opens_fast_channel": _connected("preempt"),
    "source.begins_switch": _hidden("nothing is said before the wait for the PONG"),
    "source.cannot_open_fast_channel": _status("source", "failing", "failed"),
    "source.gives_up_first_pong": _notices,
    "source.gives_up_acknowledgement": _notices,
    "source.flushes": _MULTIFD,
    "source.device_asks_for_ack": _NO_DEVICE,
    "source.device_asks_too_late": _NO_DEVICE,
    "source.sends_precopy_page": _sent(Kind.PAGE),
    "source.stops_cpus_to_finish_in_precopy": _traced("source", "migration_completion_vm_stop"),
    "source.ends_precopy": _sent(Kind.END),
    "source.stops_cpus_to_switch": _stops_to_switch,
    "source.sends_discards": _sends_discards,
    "source.sends_package": _sent(Kind.PACKAGE),
    "source.becomes_device": _status("source", "postcopy-device"),
    "source.switch_fails": _notices,
    "source.becomes_active": _status("source", "postcopy-active"),
    "source.serves_request": _traced("source", "get_queued_page"),
    "source.sends_background_page": _sends_page,
    "source.writes_page": _sent(Kind.PAGE),
    "source.sends_rest_of_host_page": _hidden("host pages are as large as target pages"),
    "source.ends_postcopy": _sent(Kind.END),
    "source.notices_loss": _notices,
    "source.notices_second_loss": _notices,
    "source.begins_to_wait": _hidden("nothing is said before the wait for the PONG of the package"),
    "source.gives_up_waiting": _notices,
    "source.completes": _completes,
    "source.takes_guest_back": _takes_back,
    "source.finishes_cancelled": _all(_ends("source", "main", "preempt"), _status("source", "cancelled")),
    "source.connects_again": _connected("main"),
    "source.cannot_connect": _hidden("the valve accepts every connection"),
    "source.asks_what_arrived": _sent(Kind.ASK),
    "source.connects_fast_again": _connected("preempt"),
    "source.sends_resume": _sent(Kind.RESUME),
    # the source: return-path thread
    "source.receives_pong": _receives_pong,
    "source.receives_switchover_ack": _NO_DEVICE,
    "source.receives_loaded": _through(Kind.LOADED),
    "source.receives_request": _through(Kind.REQUEST),
    "source.serves_at_once": _serves_at_once,
    "source.receives_shut": _through(Kind.SHUT),
    "source.receives_shut_with_error": _through(Kind.SHUT_ERROR),
    "source.return_path_ends": lambda stage, _: stage.show_end_of_return_path(),
    "source.reloads_bitmap": _through(Kind.ARRIVED),
    "source.receives_resume_ack": _all(_through(Kind.RESUMED), _status("source", "postcopy-active")),
    # the destination: the stream up to the guest's start
    "destination.opens_return_path": _through(Kind.OPEN),
    "destination.answers_ping": _answers_ping,
    "destination.handles_advise": _all(_through(Kind.ADVISE), _traced("destination", "loadvm_postcopy_handle_advise")),
    "destination.refuses_advise": _refuses,
    "destination.loads_precopy_page": _through(Kind.PAGE),
    "destination.writes_precopy_page": _MULTIFD,
    "destination.waits_for_other_connection": _MULTIFD,
    "destination.loads_device_data": _NO_DEVICE,
    "destination.takes_first_connection": _all(_connects("main"), _came_to_nothing),
    "destination.takes_fast_for_main": _connects("preempt"),
    "destination.finds_fast_at_its_end": _all(_ends("destination", "preempt"), _came_to_nothing),
    "destination.accepts_fast_channel": _connects("preempt"),
    "destination.discards": _through(Kind.DISCARD),
    "destination.reads_package": _through(Kind.PACKAGE),
    "destination.loads_precopy_end": _loads_end,
    "destination.gives_up": _all(_ends("destination", "main"), lambda stage, _: stage.gone("destination")),
    "destination.handles_listen": _traced("destination", "loadvm_postcopy_handle_listen"),
    "destination.prepares": _hidden("the state DISCARD is stored in QEMU's memory alone"),
    "destination.starts_threads": _traced("destination", "postcopy_ram_enable_notify"),
    "destination.device_load_touches": _hidden("which device touches memory is QEMU's own"),
    "destination.finishes_device_load": _hidden("nothing is said between the last device and the PING behind it"),
    "destination.device_load_fails": _traced("destination", "qemu_loadvm_state_section_startfull"),
    "destination.answers_ping_of_package": _answers_behind_devices,
    "destination.handles_run": _traced("destination", "loadvm_postcopy_handle_run"),
    "destination.refuses_run": _refuses_run,
    "destination.stores_running": _hidden("the state RUNNING is stored in QEMU's memory alone"),
    "destination.starts_guest": _starts,
    # the destination: postcopy
    "destination.places_page": _through(Kind.PAGE),
    "destination.notes_page": _NOTED,
    "destination.places_urgent_page": _through(Kind.PAGE, "preempt"),
    "destination.notes_urgent_page": _NOTED,
    "destination.requests_page": _requests,
    "destination.cpu_reads": _CPU,
    "destination.cpu_writes": _CPU,
    "destination.cpu_touches_missing": _CPU,
    "destination.backend_touches_missing": _NO_BACKEND,
    "destination.requests_page_for_backend": _NO_BACKEND,
    "destination.balloon_takes": _hidden("the guest has no balloon"),
    "destination.ends": _through(Kind.END),
    "destination.leaves": _status("destination", "completed"),
    "destination.begins_cleanup": _traced("destination", "postcopy_ram_incoming_cleanup_entry"),
    "destination.cleans_up": _traced("destination", "postcopy_ram_incoming_cleanup_exit"),
    "destination.sends_shut": _sent(Kind.SHUT),
    "destination.host_dies": _died("destination"),
    # the destination: a break
    "destination.sees_that_load_failed": _wakes_listen_thread,
    "destination.loses_the_guest": _loses_guest,
    "destination.loses_page": _loses_guest,
    "destination.loses_fast_channel": _ends("destination", "preempt"),
    "destination.cannot_answer": _ends("destination", "main"),
    "destination.fails": lambda stage, _: stage.gone("destination"),
    "destination.closes_fast_channel": _hidden("the file is closed in QEMU alone"),
    "destination.publishes_paused": _status("destination", "postcopy-paused"),
    "destination.notifies_fault_thread": _hidden("a notification of one thread by another is not seen"),
    "destination.pauses_faults": _traced("destination", "postcopy_pause_fault_thread"),
    "destination.polls_again": _traced("destination", "postcopy_pause_fault_thread_continued"),
    "destination.sees_fast_broken": _ends("destination", "preempt"),
    "destination.pauses_at_the_end": _status("destination", "postcopy-paused"),
    # the destination: a recovery
    "destination.operator_recovers": lambda stage, _: stage.recover(),
    "destination.operator_pauses": _destination_pauses,
    "destination.operator_pauses_closed": lambda stage, _: stage.command("destination", "migrate-pause"),
    "destination.operator_yanks": _destination_yanks,
    "destination.operator_starts_anew": _ONCE,
    "destination.accepts": _connects("main"),
    "destination.takes_connection": _all(_through(Kind.ASK), _status("destination", "postcopy-recover")),
    "destination.cannot_identify": _all(_ends("destination", "main"), _came_to_nothing),
    "destination.accepts_stranger": lambda stage, _: stage.stranger_comes(),
    "destination.stranger_leaves": _all(lambda stage, _: stage.stranger_leaves(), _came_to_nothing),
    "destination.accepts_fast_again": _connects("preempt"),
    "destination.accepts_fast_as_main": _connects("preempt"),
    "destination.fast_comes_to_nothing": _all(_ends("destination", "preempt"), _came_to_nothing),
    "destination.reads_again": _traced("destination", "postcopy_pause_incoming_continued"),
    "destination.says_what_arrived": _sent(Kind.ARRIVED),
    "destination.resumes": _all(_through(Kind.RESUME), _sent(Kind.RESUMED)),
    "destination.asks_again": _sent(Kind.REQUEST),
    "destination.posts_to_fault_thread": _PREEMPT_POST,
    "destination.posts_to_preempt_thread": _gone_if_dead(_PREEMPT_POST),
    "destination.wakes_up": _hidden("a thread that is woken and has not run yet cannot be held there: a race"),
    "destination.reads_fast_again": _gone_if_dead(_hidden("the thread takes its mutex and reads")),
    # the network
    "wire.loses_the_connection": lambda stage, _: stage.break_connections("main", "preempt"),
    "wire.loses_fast_channel": lambda stage, _: stage.break_connections("preempt"),
    "wire.loses_return_path": lambda stage, _: stage.lose_return_path(),
    "wire.loses_newest_on_stream": lambda stage, _: stage.lose_newest("destination"),
    "wire.loses_newest_on_return_path": lambda stage, _: stage.lose_newest("source"),
    "wire.loses_newest_on_multi": _MULTIFD,
    "wire.loses_newest_on_fast": lambda stage, _: stage.lose_newest("destination", "preempt"),
}
"""By the action's name, without the number of a vCPU."""
