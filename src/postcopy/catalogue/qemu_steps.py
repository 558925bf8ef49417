"""The steps of postcopy in QEMU 11.1, read from its source, and what stands for each in the model `qemu-11`.

A step that has no action says why. The data of docs/qemu.md; the lines are those of `qemu_source.VERSION`.
"""

from __future__ import annotations

from typing import NamedTuple


class QemuStep(NamedTuple):
    """A step that a thread of QEMU takes with nothing in between that another thread acts on.

    Attributes:
        number: S for the source, R for its return-path thread, D for the destination, F for its fault thread, P for
            its preempt thread, M for an operator's command there.
        thread: who takes it.
        does: what it does.
        where: the function, ``migration/file.c:function``.
        line: the line of its definition, in `qemu_source.VERSION`.
        actions: the actions of the model that stand for it, ``machine.method``.
        remark: what the model leaves out or does otherwise; why it has none, where there is no action.
    """

    number: str
    thread: str
    does: str
    where: str
    line: int
    actions: tuple[str, ...] = ()
    remark: str = ""


SOURCE = (
    QemuStep(
        "S1", "main loop", "takes the command to migrate, and begins to connect",
        "migration/migration.c:qmp_migrate", 2098,
        ("source.operator_starts_migration", "source.operator_migrates_again"),
        "the first connection is there at once: one that fails ends a migration that nothing depends on yet; a second "
        "migration by the same source is the option `second`",
    ),
    QemuStep(
        "S2", "main loop", "is connected, creates the return-path thread and the migration thread",
        "migration/migration.c:migration_start_outgoing", 3927, ("source.operator_starts_migration",),
        "a part of the step before",
    ),
    QemuStep(
        "S3", "migration thread", "opens the stream: return path, PING, ADVISE",
        "migration/migration.c:migration_thread", 3664, ("source.opens_return_path", "source.pings", "source.advises"),
    ),
    QemuStep(
        "S4", "operator", "asks for postcopy", "migration/migration.c:qmp_migrate_start_postcopy", 1287,
        ("source.operator_starts_postcopy",),
    ),
    QemuStep(
        "S5", "operator", "cancels: not in a state of postcopy, and not while the big lock is held",
        "migration/migration.c:qmp_migrate_cancel", 2158, ("source.operator_cancels", "source.finishes_cancelled"),
    ),
    QemuStep(
        "S6", "migration thread", "sends pages in precopy", "migration/ram.c:ram_save_iterate", 3255,
        ("source.sends_precopy_page",),
    ),
    QemuStep(
        "S7", "migration thread", "decides that the rest is little enough, for postcopy or for the end of precopy",
        "migration/migration.c:migration_iteration_run", 3367,
        (
            "source.stops_cpus_to_switch", "source.stops_cpus_to_finish_in_precopy", "source.device_asks_for_ack",
            "source.receives_switchover_ack", "destination.loads_device_data",
        ),
        "a free choice: no property depends on sizes; acknowledgements are the option `switchover_ack`",
    ),
    QemuStep(
        "S8", "migration thread", "opens the preempt channel after the first PONG",
        "migration/postcopy-ram.c:postcopy_preempt_establish_channel", 1989,
        ("source.begins_switch", "source.opens_fast_channel", "source.cannot_open_fast_channel"),
    ),
    QemuStep(
        "S9", "migration thread", "flushes multifd", "migration/ram.c:ram_save_postcopy_prepare", 4652,
        ("source.flushes",),
        "the option `multifd`, with one connection for all of multifd; one that fails alone is beside the model",
    ),
    QemuStep(
        "S10", "migration thread", "takes the big lock and stops the CPUs",
        "migration/migration.c:postcopy_start", 2570,
        ("source.stops_cpus_to_switch", "source.operator_continues"),
        "the wait for migrate-continue, at which a cancel is taken, is the option `pause_before_switchover`",
    ),
    QemuStep(
        "S11", "migration thread", "synchronizes the dirty bitmap a last time, and gives up the lock on the disk",
        "migration/migration.c:migration_switchover_start", 2818,
        (
            "source.stops_cpus_to_switch", "source.sends_package", "source.ends_precopy",
            "source.device_asks_too_late",
        ),
        "the bitmap is always right, and the lock is given up with the package: in between the big lock is held",
    ),
    QemuStep(
        "S12", "migration thread", "sends the discards", "migration/ram.c:ram_postcopy_send_discard_bitmap", 2683,
        ("source.sends_discards",), "one message, where QEMU sends twelve ranges in each; without PING 2",
    ),
    QemuStep(
        "S13", "migration thread", "sends the package: LISTEN, devices, PING, RUN",
        "migration/savevm.c:qemu_savevm_send_packaged", 1163, ("source.sends_package",),
    ),
    QemuStep(
        "S14", "migration thread", "looks for a file error, and fails even if the PONG is there",
        "migration/migration.c:postcopy_start", 2570, ("source.switch_fails",),
    ),
    QemuStep(
        "S15", "migration thread", "sets the state postcopy-device, and gives the big lock back",
        "migration/migration.c:postcopy_start", 2570, ("source.becomes_device",),
        "a request that comes before is left unread; QEMU puts it into the queue",
    ),
    QemuStep(
        "S16", "migration thread", "waits for the PONG behind the devices; an error is looked at first",
        "migration/migration.c:migration_iteration_run", 3367,
        ("source.begins_to_wait", "source.becomes_active", "source.gives_up_waiting"),
    ),
    QemuStep(
        "S17", "migration thread", "sends a page; with preempt its bit is clear before it is written",
        "migration/ram.c:ram_save_host_page", 2216,
        ("source.sends_background_page", "source.writes_page", "source.sends_rest_of_host_page"),
    ),
    QemuStep(
        "S18", "migration thread", "serves the queue of requests, without preempt",
        "migration/ram.c:get_queued_page", 1843,
        ("source.serves_request",),
    ),
    QemuStep(
        "S19", "migration thread", "looks for an error of its files: pauses in postcopy-active, fails before",
        "migration/migration.c:migration_detect_error", 3149, ("source.notices_loss",),
        "reads the state when it looks: a copy that is older leads to the same end",
    ),
    QemuStep(
        "S20", "migration thread", "ends the stream in postcopy-active",
        "migration/migration.c:migration_completion", 2910,
        ("source.ends_postcopy",),
    ),
    QemuStep(
        "S21", "migration thread", "joins the return-path thread",
        "migration/migration.c:stop_return_path_thread_on_source", 2531,
        ("source.completes", "source.return_path_ends"),
        "the shutdown of the return path after an error is not a step of its own",
    ),
    QemuStep(
        "S22", "migration thread", "has completed, or fails where an error was stored",
        "migration/migration.c:migration_completion", 2910, ("source.completes",),
    ),
    QemuStep(
        "S23", "migration thread", "takes the disk back and starts the guest, where it has failed",
        "migration/migration.c:migration_iteration_finish", 3455,
        ("source.takes_guest_back", "source.finishes_cancelled"),
    ),
    QemuStep(
        "S24", "bottom half", "cleans up, and sets failed or cancelled",
        "migration/migration.c:migration_cleanup", 1326,
        ("source.takes_guest_back", "source.finishes_cancelled"),
        "in one step with the end: only the operator can come in between, and no command is taken then",
    ),
    QemuStep(
        "S25", "migration thread", "pauses: joins the return-path thread and closes everything",
        "migration/migration.c:postcopy_pause", 3065, ("source.notices_loss", "source.notices_second_loss"),
        "one step: the state is published last, and no other thread acts on the files by then",
    ),
    QemuStep(
        "S26", "operator", "resumes: postcopy-recover-setup, or paused again",
        "migration/migration.c:migrate_prepare", 1956,
        ("source.operator_resumes", "source.cannot_connect"),
    ),
    QemuStep(
        "S27", "main loop", "is connected again, creates a return-path thread, and sets postcopy-recover",
        "migration/migration.c:migration_start_outgoing", 3927, ("source.connects_again",),
    ),
    QemuStep(
        "S28", "migration thread", "asks for the received bitmap of each block, and waits",
        "migration/ram.c:ram_dirty_bitmap_sync_all", 4518, ("source.asks_what_arrived",), "there is one block",
    ),
    QemuStep(
        "S29", "migration thread", "counts the dirty pages anew", "migration/ram.c:ram_state_resume_prepare", 2918,
        ("source.reloads_bitmap",), "the count is always right",
    ),
    QemuStep(
        "S30", "migration thread", "opens the preempt channel anew, sends RESUME, and waits for its acknowledgement",
        "migration/migration.c:postcopy_do_resume", 3018, ("source.connects_fast_again", "source.sends_resume"),
    ),
    QemuStep(
        "S31", "operator", "pauses a migration in postcopy-active or postcopy-recover",
        "migration/migration.c:qmp_migrate_pause", 1895, ("source.operator_pauses",),
    ),
    QemuStep(
        "S32", "operator", "yanks: shuts every connection down", "util/yank.c:qmp_yank", 153,
        ("source.operator_yanks", "destination.operator_yanks"),
    ),
)  # fmt: skip

RETURN_PATH = (
    QemuStep(
        "R1", "return-path thread", "notes a PONG", "migration/migration.c:source_return_path_thread", 2338,
        ("source.receives_pong", "source.receives_loaded"),
        "the count is a flag, which a second migration finds (H13)",
    ),
    QemuStep(
        "R2", "return-path thread", "queues a request, without preempt", "migration/ram.c:ram_save_queue_pages", 1933,
        ("source.receives_request",),
    ),
    QemuStep(
        "R3", "return-path thread", "serves a request at once, with preempt",
        "migration/ram.c:ram_save_host_page_urgent", 2151, ("source.receives_request", "source.serves_at_once"),
        "the comparison of page numbers that leaves the block out needs two blocks, and there is one",
    ),
    QemuStep(
        "R4", "return-path thread", "takes the received bitmap over", "migration/ram.c:ram_dirty_bitmap_reload", 4553,
        ("source.reloads_bitmap",),
    ),
    QemuStep(
        "R5", "return-path thread", "takes the acknowledgement of RESUME: postcopy-active",
        "migration/migration.c:migrate_handle_rp_resume_ack", 2279, ("source.receives_resume_ack",),
    ),
    QemuStep(
        "R6", "return-path thread", "reads SHUT and leaves", "migration/migration.c:source_return_path_thread", 2338,
        ("source.receives_shut", "source.receives_shut_with_error"),
    ),
    QemuStep(
        "R7", "return-path thread", "stores an error and leaves; wakes the migration thread in two states only",
        "migration/migration.c:source_return_path_thread", 2338, ("source.return_path_ends",),
    ),
)  # fmt: skip

DESTINATION = (
    QemuStep(
        "D1", "main loop", "accepts a connection and waits for its first bytes, with the big lock",
        "migration/channel.c:migration_channel_identify", 142,
        (
            "destination.accepts", "destination.cannot_identify", "destination.accepts_stranger",
            "destination.stranger_leaves", "destination.accepts_fast_as_main", "destination.fast_comes_to_nothing",
            "destination.takes_first_connection", "destination.takes_fast_for_main",
            "destination.finds_fast_at_its_end",
        ),
        "while paused, behind migrate-recover, and at a second destination (the option `second`): QEMU's listener "
        "stays open from the start (`socket_accept_incoming_migration`). Before a pause an extra connection is "
        "ignored. A source that connects to the first listener, without migrate-recover, is the same as one that "
        "connects right behind that command. Between the closing of the files and the state postcopy-paused QEMU takes "
        "a connection as well, and fails: beside the model, since a stranger fails it a step later in the same way",
    ),
    QemuStep(
        "D2", "main loop", "takes the main connection of a recovery", "migration/migration.c:postcopy_try_recover", 862,
        ("destination.takes_connection",),
    ),
    QemuStep(
        "D3", "main loop", "takes the preempt channel, and posts",
        "migration/postcopy-ram.c:postcopy_preempt_new_channel", 1908,
        ("destination.accepts_fast_channel", "destination.accepts_fast_again"),
    ),
    QemuStep(
        "D4", "main thread", "opens the return path, answers a PING", "migration/savevm.c:loadvm_process_command", 2541,
        ("destination.opens_return_path", "destination.answers_ping"),
    ),
    QemuStep(
        "D5", "main thread", "ADVISE: checks the host", "migration/savevm.c:loadvm_postcopy_handle_advise", 2003,
        ("destination.handles_advise", "destination.refuses_advise"),
    ),
    QemuStep(
        "D6", "main thread", "loads a page of precopy", "migration/ram.c:ram_load_precopy", 4305,
        ("destination.loads_precopy_page", "destination.writes_precopy_page", "destination.waits_for_other_connection"),
    ),
    QemuStep(
        "D7", "main thread", "DISCARD", "migration/savevm.c:loadvm_postcopy_ram_handle_discard", 2095,
        ("destination.discards",),
    ),
    QemuStep(
        "D8", "main thread", "reads the package, with preempt once that channel is there",
        "migration/savevm.c:loadvm_handle_cmd_packaged", 2384, ("destination.reads_package",),
    ),
    QemuStep(
        "D9", "main thread", "LISTEN: stores LISTENING first, may store DISCARD then, starts the threads",
        "migration/savevm.c:loadvm_postcopy_handle_listen", 2175,
        ("destination.handles_listen", "destination.prepares", "destination.starts_threads"),
    ),
    QemuStep(
        "D10", "listen thread", "starts: postcopy-device", "migration/postcopy-ram.c:postcopy_listen_thread", 2107,
        ("destination.starts_threads",),
        "the main thread waits until it has started; nothing in the protocol reads this state",
    ),
    QemuStep(
        "D11", "main thread", "loads the devices, and may fault or fail",
        "migration/savevm.c:qemu_loadvm_section_start_full", 2675,
        ("destination.device_load_touches", "destination.finishes_device_load", "destination.device_load_fails"),
    ),
    QemuStep(
        "D12", "main thread", "answers the PING behind the devices", "migration/savevm.c:loadvm_process_command", 2541,
        ("destination.answers_ping_of_package",),
    ),
    QemuStep(
        "D13", "main thread", "RUN: looks at the state, and stores RUNNING after that",
        "migration/savevm.c:loadvm_postcopy_handle_run", 2246,
        ("destination.handles_run", "destination.refuses_run", "destination.stores_running"),
    ),
    QemuStep(
        "D14", "main thread", "leaves, and says so; an error stays in the stream's file",
        "migration/savevm.c:qemu_loadvm_state", 3088,
        ("destination.stores_running", "destination.refuses_run", "destination.device_load_fails"),
    ),
    QemuStep(
        "D15", "bottom half", "activates the disk and starts the guest",
        "migration/savevm.c:loadvm_postcopy_handle_run_bh", 2206, ("destination.starts_guest",),
    ),
    QemuStep(
        "D16", "listen thread", "places a page, and notes it after that",
        "migration/postcopy-ram.c:qemu_ufd_copy_ioctl", 1585,
        ("destination.places_page", "destination.notes_page", "destination.loses_page"),
        "a page that is there already is an error (EEXIST) of the thread that places it",
    ),
    QemuStep(
        "D17", "listen thread", "an error while the guest runs: closes all, publishes paused, notifies, waits",
        "migration/savevm.c:postcopy_pause_incoming", 2936,
        (
            "destination.loses_the_guest", "destination.loses_fast_channel", "destination.cannot_answer",
            "destination.closes_fast_channel", "destination.publishes_paused", "destination.notifies_fault_thread",
            "destination.reads_again",
        ),
    ),
    QemuStep(
        "D18", "listen thread", "an error before the guest runs: failed, and the process ends",
        "migration/postcopy-ram.c:postcopy_listen_thread", 2107,
        ("destination.loses_the_guest", "destination.sees_that_load_failed", "destination.fails"),
    ),
    QemuStep(
        "D19", "listen thread", "the end of the stream: waits for the main thread, completed, leaves",
        "migration/postcopy-ram.c:postcopy_listen_thread", 2107, ("destination.ends", "destination.leaves"),
    ),
    QemuStep(
        "D20", "bottom half", "cleans up with the big lock: drains, joins, unregisters, SHUT",
        "migration/postcopy-ram.c:postcopy_ram_incoming_cleanup", 786,
        ("destination.begins_cleanup", "destination.cleans_up", "destination.sends_shut"),
    ),
    QemuStep(
        "D21", "listen thread", "answers with the received bitmap",
        "migration/migration.c:migrate_send_rp_recv_bitmap", 941, ("destination.says_what_arrived",),
        "header and bitmap are one message",
    ),
    QemuStep(
        "D22", "listen thread", "RESUME: acknowledges, requests again, posts, waits for preempt, asserts, posts",
        "migration/savevm.c:loadvm_postcopy_handle_resume", 2315,
        (
            "destination.resumes", "destination.asks_again", "destination.posts_to_fault_thread",
            "destination.posts_to_preempt_thread",
        ),
    ),
    QemuStep(
        "F1", "fault thread", "looks after each poll whether there is a return path, and pauses",
        "migration/postcopy-ram.c:postcopy_ram_fault_thread", 1273,
        ("destination.pauses_faults", "destination.polls_again"),
    ),
    QemuStep(
        "F2", "fault thread", "serves a fault: notes and requests the page, pauses where it cannot",
        "migration/postcopy-ram.c:postcopy_request_page", 953, ("destination.requests_page",),
        "without the zero page for discarded memory of virtio-mem",
    ),
    QemuStep(
        "F3", "fault thread", "requests a page for a client of vhost-user",
        "migration/postcopy-ram.c:postcopy_request_shared_page", 981,
        ("destination.requests_page_for_backend",),
        "the option `vhost_user`: one backend; its key is a set of its own, which placing does not look at (H10)",
    ),
    QemuStep(
        "P1", "preempt thread", "places pages of its channel; pauses on an error, and goes on with the next channel",
        "migration/postcopy-ram.c:postcopy_preempt_thread", 2034,
        (
            "destination.places_urgent_page", "destination.notes_urgent_page", "destination.sees_fast_broken",
            "destination.wakes_up", "destination.reads_fast_again",
        ),
    ),
    QemuStep(
        "M1", "operator", "lets a paused destination listen anew", "migration/migration.c:qmp_migrate_recover", 1867,
        ("destination.operator_recovers",),
    ),
    QemuStep(
        "M2", "operator", "pauses the destination", "migration/migration.c:qmp_migrate_pause", 1895,
        ("destination.operator_pauses", "destination.operator_pauses_closed"),
    ),
)  # fmt: skip

STEPS: dict[str, QemuStep] = {step.number: step for step in (*SOURCE, *RETURN_PATH, *DESTINATION)}
"""By number."""

WITHOUT_STEP: dict[str, str] = {
    "source.guest_writes": "the guest",
    "source.host_dies": "an end of the whole process, at any time",
    "destination.host_dies": "an end of the whole process, at any time",
    "destination.gives_up": "the connection breaks before the package: the process ends",
    "destination.loads_precopy_end": "the end of precopy, where postcopy was not asked for in time",
    "destination.cpu_reads": "the guest",
    "destination.cpu_writes": "the guest",
    "destination.cpu_touches_missing": "the guest, and the kernel that stops it",
    "destination.balloon_takes": "the guest",
    "destination.backend_touches_missing": "another process that has mapped the guest's memory",
    "destination.operator_starts_anew": "management, which starts a new process in the place of one that has ended",
    "wire.loses_the_connection": "the network",
    "wire.loses_fast_channel": "the network: the preempt channel breaks alone",
    "wire.loses_return_path": "the network: one direction breaks alone",
    "wire.loses_newest_on_stream": "the network: what a broken connection still carried is lost from its end",
    "wire.loses_newest_on_return_path": "the network, as before",
    "wire.loses_newest_on_fast": "the network, as before",
    "wire.loses_newest_on_multi": "the network, as before",
}
"""The actions of the model that stand for no step of the table: what they stand for."""
