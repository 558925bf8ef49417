"""Defects of postcopy in QEMU 11.1: what breaks, since when, for whom, and how the checker finds each. The data of
docs/qemu-defects.md.

H0 to H14, D1, D1b and D2 were found by reading the source, most of them run on QEMU 11.1.3; N1 to N6 and N9 to N11 were
found by the model `qemu-11`, N7 and N8 by reading the source while it was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from postcopy.catalogue.shown import Shown
from postcopy.model.qemu import mends, optional_mends
from postcopy.model.qemu.protocol import Qemu11


@dataclass(frozen=True)
class Defect:
    """A defect of QEMU's postcopy. Texts are Markdown.

    Attributes:
        code: its name.
        title: what breaks, in a few words.
        what: what happens, and where in the source; functions are in the folder migration.
        since: the commit that it came with, and its date; empty where that was not looked up.
        hurt: who loses what.
        needs: preconditions.
        likely: how likely it is.
        known: what QEMU's authors have said or done about it, as far as that was found.
        evidence: where it was seen beside the model.
        mend: the smallest mend of the model; None where there is none.
        mended: what the mend does.
        shown: how the checker finds it; None where it does not.
        unshown: why it is not shown by a question of its own, and what can be said instead.
    """

    code: str
    title: str
    what: str
    since: str
    hurt: str
    needs: str
    likely: str
    known: str
    evidence: str
    mend: type[Qemu11] | None = None
    mended: str = ""
    shown: Shown | None = None
    unshown: str = ""


_NO_REPORT = "no report was found; the mailing list was not searched"

DEFECTS = (
    Defect(
        "H0", "Postcopy with nothing dirty fails at RUN, after its PONG",
        "`loadvm_postcopy_handle_listen` (savevm.c) stores LISTENING. If no DISCARD came before, it calls "
        "`postcopy_ram_prepare_discard` (postcopy-ram.c), which stores DISCARD over it. `loadvm_postcopy_handle_run` "
        "finds another state than LISTENING and fails; the PONG is out by then.",
        "f952710757 (2015-11-05)",
        "the migration fails without any failure outside",
        "nothing is dirty at the switch",
        "rare: the guest writes nothing between the last synchronization and the switch",
        _NO_REPORT, "run on 11.1.3: RUN is refused, the destination exits, the source resumes its guest",
        mends.ListenLast, "What a DISCARD prepares is done without storing the state DISCARD.",
        Shown("qemu-11-without-listen-last+preempt=off+disk_lock=on", "fails-for-a-reason", 23),
    ),
    Defect(
        "H1", "A connection that comes to nothing in a recovery ends the destination, and the guest with it",
        "`migration_channel_identify` (channel.c) peeks at the first four bytes of a new connection. If the "
        "connection is gone before, `migration_channel_process_incoming` sets FAILED in whatever state the migration "
        "is, and exits. The source never fails a resume; the destination has no such rule.",
        "2b667a8c0f (2025-02-13), moved to the incoming state by 44fe18201c (2026-01-23)",
        "the guest runs at the destination, and is lost",
        "a recovery over a plain socket, exit-on-error as by default. With exit-on-error off the process stays, and "
        "refuses every further recovery",
        "likely where networks break repeatedly, or where something probes the port",
        "the commits were made for connections before the guest runs", "run on 11.1.3: exit code 1",
        mends.ConnectionsMayFail, "A connection that comes to nothing leaves the destination paused.",
        Shown("qemu-11-with-h1+preempt=off+disk_lock=on", "paused-can-resume", 28),
    ),
    Defect(
        "H1c", "Without exit-on-error the destination stays, and refuses every recovery",
        "As H1, but the process stays. Its state is FAILED, and `qmp_migrate_recover` (migration.c) wants "
        "postcopy-paused. The guest's vCPUs wait for pages for ever.",
        "as H1", "the guest waits for pages at the destination, and is lost",
        "as H1, with exit-on-error off", "as H1", _NO_REPORT,
        "run on 11.1.3: the process stays, and migrate-recover is refused",
        mends.ConnectionsMayFail, "As H1.",
        Shown("qemu-11-with-h1+preempt=off+disk_lock=on+exit_on_error=off", "paused-can-resume", 28),
    ),
    Defect(
        "H1b", "A silent connection stops the destination's main loop",
        "`migration_channel_read_peek` (channel.c) waits until four bytes are there, in the thread that accepts: the "
        "main loop with the big lock, or the monitor's thread. One to three bytes and the end of the connection are "
        "peeked at without end.",
        "604bb1badc (2025-11-03) waits in poll; before that it slept and tried again",
        "no command of the monitor is answered, not even one that could help; vCPUs stop at the next use of the lock",
        "as H1, or any first connection", "as H1, and a port that is probed by a program that says nothing",
        _NO_REPORT, "run on 11.1.3: query-status is not answered",
        mends.ConnectionsMayFail, "The main loop looks at a connection when its first bytes are there.",
        Shown("qemu-11-with-h1b+preempt=off+disk_lock=on", "big-lock-comes-free", 27),
    ),
    Defect(
        "H4", "A post that a broken recovery has left makes the destination abort",
        "The preempt channel of a first recovery was accepted and posted. The recovery breaks; the post stays "
        "(`postcopy_pause_incoming`, savevm.c). In the next recovery `loadvm_postcopy_handle_resume` does not wait, "
        "and its assertion that the channel is there fails.",
        "5655aab079 (2023-02-11), by the post that is waited for",
        "the guest runs at the destination, and is lost",
        "preempt; a recovery that broke after its preempt channel was accepted; RESUME of the next one is read "
        "before its preempt channel is accepted",
        "rare: a race of two threads, unless a proxy accepts before its far side does",
        _NO_REPORT, "run on 11.1.3: SIGABRT in loadvm_postcopy_handle_resume",
        mends.PostsAreTakenBack, "A pause takes back what was posted.",
        Shown("qemu-11-with-h4+preempt=on+disk_lock=on", "no-process-aborts", 63),
    ),
    Defect(
        "H5", "Completed, and then waiting for a page that cannot come",
        "The listen thread reads the end of the stream and says completed while a requested page is still on the "
        "preempt channel. That channel breaks. `postcopy_ram_incoming_cleanup` (postcopy-ram.c) waits with the big "
        "lock for the count of requested pages to fall; its comment says that it is destined to. The listen thread "
        "is gone, so that nothing pauses.",
        "cf02f29e1e (2023-09-18)",
        "the guest stands still, its monitor is not answered, and management has read completed",
        "preempt; the preempt channel breaks within the last requests",
        "rare: the window is the time that the last requested pages take",
        _NO_REPORT,
        "run on 11.1.3, with a break of the preempt channel alone: the main thread waits for ever; a control without "
        "the break ends well. In the run below the source's host dies, which breaks that channel as well",
        mends.CompletesWhenAllHasCome,
        "The destination is completed when all that was requested has come; until then it can pause.",
        Shown("qemu-11-with-h5+preempt=on+disk_lock=on", "no-deadlock", 37),
    ),
    Defect(
        "H3", "Devices do not load, and the listen thread sleeps on",
        "A device fails to load. `qemu_loadvm_state_main` marks the stream's file with the error, which wakes "
        "nothing; `process_incoming_migration_co` (migration.c) leaves, because there is a listen thread. That "
        "sleeps in a read. The source has sent all pages and waits for the PONG.",
        "7b842fe354 (2025-11-03) made the source wait; before, the source was in postcopy-active here",
        "the guest stands still at the source for ever; migrate_cancel and migrate-pause are refused, yank helps",
        "a device that fails to load; all pages are out. While pages come the listen thread looks at the mark",
        "rare: tests with pages to send do not see it", _NO_REPORT, "run on 11.1.3: both wait for ever; yank ends it",
        mends.LoadFailureWakes, "Who marks the file with an error shuts it down, too, which wakes its reader.",
        Shown("qemu-11-without-load-failure-wakes+preempt=off+disk_lock=on", "no-deadlock", 21),
    ),
    Defect(
        "H14", "The destination runs the guest, and the source has failed for good",
        "The destination starts the guest; its PONG is lost with the connection. The destination pauses. The source, "
        "in postcopy-device, fails (`migration_detect_error`), cannot activate its disks, and refuses to resume: "
        "failed is final.",
        "7b842fe354 (2025-11-03). Up to then the source was in postcopy-active here, and paused",
        "the guest at the destination waits for pages for ever: it is lost where 7.2 recovers it. Without a lock on "
        "the disk the source starts it a second time (A01)",
        "a break between the guest's start at the destination and the PONG at the source",
        "rare: some milliseconds of each migration",
        "the commit's message weighs this window against the one that it closes",
        "run: the same cut on 7.2.22 recovers, on 11.1.3 the guest is lost",
        mends.DiskDecides,
        "Without a PONG the source pauses where it cannot have the disk, because then the destination has it.",
        Shown("qemu-11-without-disk-decides+preempt=off+disk_lock=on", "guest-lost-only-with-host", 26),
    ),
    Defect(
        "D1", "A PONG that was noted is not looked at when an error is judged",
        "`migration_detect_error` (migration.c) asks for the state postcopy-active alone; in postcopy-device it "
        "fails, whatever `postcopy_package_loaded` says.",
        "7b842fe354 (2025-11-03)", "as H14", "the PONG is read, and the connection breaks before the next iteration",
        "rare", _NO_REPORT, "run on 11.1.3: two guests in three of three tries with a proxy that cuts at the PONG",
        mends.LossAfterPongPauses, "What was noted is looked at: the migration pauses.",
        Shown("qemu-11-without-loss-after-pong-pauses+preempt=off+disk_lock=on", "word-counts", 22),
    ),
    Defect(
        "D1b", "The switch itself fails after the PONG",
        "`postcopy_start` (migration.c) looks for a file error behind the package and fails without a look at the "
        "PONG.",
        "7b842fe354 (2025-11-03)", "as H14", "as D1, within the switch", "rare", _NO_REPORT,
        "run on 11.1.3 with a limit to the bandwidth: two guests",
        mends.SwitchAsksForPong, "What was noted is looked at: the migration pauses.",
        Shown("qemu-11-without-switch-asks-for-pong+preempt=off+disk_lock=on", "word-counts", 21),
    ),
    Defect(
        "D2", "An error beats a PONG that was read before it",
        "`migration_iteration_run` (migration.c) waits for the PONG. `migration_rp_wait` returns an error as soon as "
        "one is stored, before the loop looks at `postcopy_package_loaded` again.",
        "1ae7d9c30d (2026-05-05)", "as H14",
        "the return-path thread reads the PONG and the end of the connection in one go",
        "rare", _NO_REPORT,
        "read",
        mends.PongBeforeError, "The loop looks at `postcopy_package_loaded` before it looks for an error.",
        Shown("qemu-11-without-pong-before-error+preempt=off+disk_lock=on", "word-counts", 25),
    ),
    Defect(
        "H2", "A break while the source completes",
        "`migration_completion` (migration.c) takes any error for a failure, although postcopy-active has no way "
        "back. `migration_iteration_finish` starts the guest where it can have the disk. The destination has bytes "
        "to come, and pauses with its guest.",
        "there since postcopy came in 2015; 7aaa1fc072 (2025-06-13) made the window small",
        "two guests without a lock on the disk, no guest with it",
        "a break between the end of the stream at the source and its arrival", "rare: what fits in the buffers",
        "7aaa1fc072 names the window; 26f65c01ed (2025-11-03) keeps the source from starting where the disk is locked",
        "run on 11.1.3, without and with a lock",
        mends.CompletionPauses, "An error while the migration completes pauses it.",
        Shown("qemu-11-without-completion-pauses+preempt=off+disk_lock=on", "word-counts", 27),
    ),
    Defect(
        "H6", "The return path breaks alone",
        "`source_return_path_thread` stores the error and wakes nothing in postcopy-active; `migration_detect_error` "
        "looks at the files alone. All pages go out, and then `migration_completion` finds the error: failed, as H2.",
        "ef796ee93b (2023-09-27); before, from 14b1742eaa (2018-05-15) on, the source waited for ever instead: O3",
        "as H2", "one direction fails: a TLS write, a parse error",
        "rare", _NO_REPORT, "run on 11.1.3: a proxy shuts one direction",
        mends.ReturnPathErrorPauses,
        "What the return-path thread has stored is looked for in postcopy-active, and when the stream ends.",
        Shown("qemu-11-without-return-path-error-pauses+preempt=off+disk_lock=on", "word-counts", 26),
    ),
    Defect(
        "H8", "RESUME and the end of the connection together",
        "RESUME posts to the preempt thread. The next read fails, and `postcopy_pause_incoming` takes the preempt "
        "thread's mutex before that thread does, closes the channel's file and clears it. `postcopy_preempt_thread` "
        "reads from no file.",
        "60bb3c5871 (2022-07-20), by which preempt recovers", "the guest runs at the destination, and is lost",
        "preempt; the connection breaks right behind RESUME", "rare: a thread that is woken has not run yet",
        _NO_REPORT, "run on 11.1.3: SIGSEGV at the fourth try", mends.PostsAreTakenBack,
        "A pause waits until the preempt thread pauses, and that thread pauses again where there is no file.",
        Shown("qemu-11-without-posts-are-taken-back+preempt=on+disk_lock=on", "no-process-aborts", 52),
    ),
    Defect(
        "H9", "A request while the source recovers",
        "`ram_save_queue_pages` (ram.c) asserts that the preempt channel is there, in every state of postcopy. In a "
        "recovery it is not. The fault thread may send a request then: it looks at the return path after its poll "
        "only, and the listen thread publishes paused before it notifies.",
        "9358982744 (2022-12-15), by which the return-path thread sends the page",
        "the source aborts, and with it what was not sent yet",
        "preempt; the listen thread or the fault thread is delayed for as long as a reconnect takes",
        "very rare", _NO_REPORT, "run on 11.1.3 with a request that a proxy adds: SIGABRT in ram_save_queue_pages",
        mends.NoChannelNoService, "A request without a channel is dropped: RESUME brings it again.",
        Shown("qemu-11-without-no-channel-no-service+preempt=on+disk_lock=on", "no-process-aborts", 41),
    ),
    Defect(
        "H10", "Faults of vhost-user are filed under an address of the client",
        "`postcopy_request_shared_page` (postcopy-ram.c) gives the client's address as key of the tree of requests; "
        "placing looks the host's address up. With preempt the count never falls to 0, and the clean-up waits for "
        "ever.",
        "8f8bfffcf1 (2020-10-21), the wait cf02f29e1e (2023-09-18)", "as H5, without any break",
        "vhost-user with postcopy, and preempt", "certain where both are used", _NO_REPORT,
        "read. With the mend of H5 the listen thread waits for the count; as shipped the main loop does, with the big "
        "lock", optional_mends.FaultsHaveOneKey, "Such a fault is filed under the host's address, too.",
        Shown("qemu-11-without-faults-have-one-key+preempt=on+disk_lock=on+vhost_user=on", "no-deadlock", 35),
    ),
    Defect(
        "H13", "PONGs of a first migration count in the second",
        "`rp_pong_acks` (migration.c) is not set back: after a cancelled migration the preempt channel is opened "
        "without waiting for the main one (A25).",
        "b28fb58227 (2023-02-08), which counts PONGs",
        "the destination's main loop waits with the big lock, and the source for a PONG that does not come",
        "preempt; a second try; a network that brings the preempt connection first",
        "very rare: connections to one listener nearly always come in the order in which they were made",
        _NO_REPORT, "read", optional_mends.PongsCountAnew,
        "Each migration counts its own PONGs. The mend of H1 would do as well: a connection without bytes is not taken "
        "for the main one.",
        Shown("qemu-11-with-h13+preempt=on+disk_lock=on+second=on", "no-deadlock", 19, in_flight=3),
    ),
    Defect(
        "N7", "A pause at the destination ends it while it pauses by itself",
        "`postcopy_pause_incoming` (savevm.c) closes the stream's file and clears `from_src_file`; the state is "
        "postcopy-active until all other files are closed as well, for which it waits for two mutexes. "
        "`qmp_migrate_pause` (migration.c) looks at the state alone, and hands the file to `qemu_file_shutdown`, which "
        "reads from it.",
        "b411b844fb (2018-05-02)",
        "the guest runs at the destination, and is lost",
        "an operator who pauses the destination in the moment in which it notices the loss of the connection",
        "rare: a few instructions and two mutexes long; but who pauses does so because the connection is bad",
        _NO_REPORT, "read: QEMU's fault, not the model's",
        mends.PauseLooksAtFile, "The command looks whether the file is there.",
        Shown("qemu-11-without-pause-looks-at-file+preempt=off+disk_lock=off", "no-process-aborts", 23),
    ),
    Defect(
        "N8", "The source waits for a first PONG that cannot come, and cannot be cancelled",
        "`postcopy_start` (migration.c) waits with preempt until a PONG has posted `rp_pong_acks`. The return-path "
        "thread leaves on an error without posting it. The migration thread sleeps on: it sees neither the error nor "
        "that the migration is cancelled.",
        "5655aab079 (2023-02-08)",
        "the guest goes on at the source, where no migration can be started any more: the state stays active, or "
        "cancelling",
        "preempt; postcopy is started before the first PONG has come, and the connection breaks before it does",
        "rare: the PONG comes within a round trip of the start",
        _NO_REPORT, "read: QEMU's fault, not the model's",
        mends.FirstPongMayFail, "The return-path thread posts when it leaves, and the switch fails.",
        Shown("qemu-11-without-first-pong-may-fail+preempt=on+disk_lock=off", "no-deadlock", 11),
    ),
    Defect(
        "N1", "The destination ends behind a PONG that the source believes",
        "The PING stands before RUN in the package. The PONG is out, and the connection breaks before RUN is "
        "processed. The listen thread finds the state LISTENING (`qemu_loadvm_state_main`, savevm.c: the comment "
        "there says that it is not enough) and fails; `postcopy_listen_thread_bh` exits. The source reads the PONG, "
        "is in postcopy-active, and pauses.",
        "7b842fe354 (2025-11-03) put the PING before RUN",
        "the guest is lost: the source stays paused for ever, and the destination is gone",
        "a break within the few instructions between PING and RUN, which the PONG still passes",
        "very rare: only a main thread that is not scheduled makes the window longer",
        _NO_REPORT, "read: QEMU's fault, not the model's", mends.ListenThreadWaits,
        "The listen thread judges an error when the main thread has left, or waits for a page.",
        Shown("qemu-11-without-listen-thread-waits+preempt=off+disk_lock=on", "paused-can-resume", 23),
    ),
    Defect(
        "N2", "The destination starts the guest, and ends",
        "`qemu_loadvm_state_main` reads the state LISTENING, and `postcopy_listen_thread` acts on it later. In "
        "between `loadvm_postcopy_handle_run` stores RUNNING and schedules the guest's start. The guest starts; the "
        "listen thread sets FAILED and END, and its bottom half cleans up and exits. With exit-on-error off the "
        "process stays: its guest runs on with no userfaultfd, so that missing pages read as zeros.",
        "b411b844fb (2018-05-15), by which the listen thread looks at the state",
        "the guest is lost, or damaged with exit-on-error off",
        "a break while RUN is processed", "very rare: a few instructions of two threads", _NO_REPORT,
        "read: QEMU's fault, not the model's", mends.ListenThreadWaits,
        "As N1: the look and what follows are one step.",
        Shown("qemu-11-without-listen-thread-waits+preempt=off+disk_lock=on", "running-guest-is-kept", 23),
    ),
    Defect(
        "N3", "The fault thread waits for a RESUME that cannot come, and is joined",
        "The return path breaks, alone or behind the end of the stream. `postcopy_ram_fault_thread` cannot send a "
        "request and waits for a semaphore that only `loadvm_postcopy_handle_resume` posts. The source sends all "
        "pages. The clean-up joins the fault thread with the big lock (`postcopy_ram_incoming_cleanup`): setting "
        "`fault_thread_quit` wakes its poll, not its semaphore.",
        "3a7804c306 (2018-05-02), by which the fault thread waits for a recovery",
        "the guest stands still, its monitor is not answered, and management has read completed",
        "a request that cannot be sent any more: one direction fails, or the source dies behind the end of the stream",
        "rare: the stream has to reach its end", _NO_REPORT,
        "read: QEMU's fault, not the model's", mends.CompletesWhenAllHasCome,
        "The clean-up wakes the threads that it joins.",
        Shown("qemu-11-with-n3+preempt=off+disk_lock=on+exit_on_error=on", "no-deadlock", 33),
    ),
    Defect(
        "N4", "A preempt connection is taken for the main one",
        "`migration_channel_identify` (channel.c) tells connections apart by what is there already. The source of a "
        "recovery that breaks may have connected preempt; if the destination's main loop accepts that after "
        "`postcopy_pause_incoming` has cleared the main file, it peeks at it as at a main one. Preempt says nothing: "
        "the main loop waits with the big lock (H1b), and ends the process when the source closes it (H1). "
        "`qmp_migrate_recover` drops the old listener, and what waits in its queue; what is connected after that, or "
        "accepted before, is not dropped.",
        "2b667a8c0f (2025-02-13), as H1", "as H1, without a stranger",
        "recovery and preempt; the recovery breaks while preempt is connected",
        "rare",
        "`postcopy_do_resume` (migration.c) connects preempt late for this reason: so that a weak network does not "
        "mix the order up",
        "read: QEMU's fault, not the model's",
        mends.ConnectionsMayFail, "A connection for preempt that has come to its end is forgotten.",
        Shown("qemu-11-with-n4+preempt=on+disk_lock=on", "paused-can-resume", 49),
    ),
    Defect(
        "N5", "A cancel while the end of precopy is awaited",
        "`migration_completion_precopy` (migration.c) gives the big lock back when all is sent, and "
        "`stop_return_path_thread_on_source` waits for the destination's word. In this state, `device`, "
        "`qmp_migrate_cancel` is taken; `migration_iteration_finish` starts the guest. The destination may have "
        "started it.",
        "b10ac0c42c (2015-11-10), by which the source waits for the destination's word",
        "two guests without a lock on the disk. With it the source does not start, and says cancelled",
        "a cancel within the last round trip of precopy. Not where the destination is started with -S and continued "
        "when the source has said completed",
        "rare", "26f65c01ed (2025-11-03) keeps the source from starting where the disk is locked",
        "read: QEMU's fault, not the model's", mends.NoCancelAtTheEnd, "It is refused when the end of precopy is out.",
        Shown("qemu-11-without-no-cancel-at-the-end+preempt=off+disk_lock=on", "failed-is-true", 13),
    ),
    Defect(
        "N6", "A preempt thread that was woken late reads the channel of a later recovery",
        "As H8, but the next recovery has set the file by the time the thread takes its mutex. It would place pages "
        "while the received bitmap is sent, so that a page is sent a second time. Such a page cannot be placed: "
        "`uffd_copy_page` (util/userfaultfd.c) fails on a page that is there (EEXIST). Where the listen thread places "
        "it the migration pauses again. Where `postcopy_preempt_thread` does, that thread waits for the end of a "
        "recovery that nothing begins, and its channel is not read any more.",
        "as H8", "one more pause; no memory is damaged", "as H8, and a second break", "very rare", _NO_REPORT,
        "read. The model has the thread and EEXIST, and `no-page-comes-twice`, which speaks of it, holds with one page "
        "and two messages in flight, and with two pages and one message (79 million states): the preempt channel is "
        "connected only when the bitmap has been sent",
        mends.PostsAreTakenBack, "As H4 and H8.",
        unshown="No run of it was found: it may need a connection that outlives two recoveries.",
    ),
    Defect(
        "N9", "A destination that has failed waits for a page with the big lock",
        "The main thread loads a device in the main loop, with the big lock, and touches a page that is missing. The "
        "connection breaks. `postcopy_listen_thread` (postcopy-ram.c) sets FAILED and leaves the rest to a bottom half "
        "of the main loop, which closes userfaultfd, or ends the process. That bottom half never runs.",
        "468a7effde (2025-11-03), by which that bottom half does it",
        "the process stays and answers nothing; the source has its guest",
        "a break while a device that is loaded waits for a page. With exit-on-error as well: the model then ends the "
        "process in one step, so that it is shown without",
        "rare: a device load that touches missing pages", _NO_REPORT, "read: QEMU's fault, not the model's",
        mends.ListenThreadWaits, "The listen thread ends the process itself.",
        Shown("qemu-11-without-listen-thread-waits+preempt=off+disk_lock=on+exit_on_error=off", "no-deadlock", 20),
    ),
    Defect(
        "N10", "A PONG that comes while the source is failing is not looked at",
        "`migration_detect_error` (migration.c) has set FAILING. The return-path thread still reads, and notes the "
        "PONG that was on its way. `migration_iteration_finish` starts the guest without a look at it.",
        "7b842fe354 (2025-11-03)", "as H14", "as D1, with the PONG between the error and the guest's start",
        "rare", _NO_REPORT, "read: QEMU's fault, not the model's",
        mends.FailingAsksForPong, "It is looked at before the guest is started: the migration pauses.",
        Shown("qemu-11-without-failing-asks-for-pong+preempt=off+disk_lock=on", "word-counts", 22),
    ),
    Defect(
        "N11", "A preempt connection that never arrives stops both hosts",
        "The source has its preempt connection, and sends the package. The destination never gets that connection; "
        "`loadvm_handle_cmd_packaged` (savevm.c) waits for it before it loads the package. The source reads nothing "
        "from that channel, and `migration_detect_error` (migration.c) sees its error when a page could not be "
        "written: nothing is requested, so that none is written. The source waits for the PONG in postcopy-device.",
        "7afbdada7e (2024-04-05), by which the package waits for that channel",
        "the guest stands still at the source for ever; migrate_cancel and migrate-pause are refused, yank helps",
        "preempt; the connection is made at the source and not at the destination: a proxy or a tunnel accepts it, and "
        "its far side comes to nothing",
        "rare: plain connections of two hosts are nearly always made at both",
        _NO_REPORT,
        "run on 11.1.3 with a proxy that accepts that connection and closes it: postcopy-device without a guest for "
        "the 22 seconds of the run, cancel and pause are refused, and yank brings the guest back. On 10.0.13 the state "
        "is postcopy-active, and a pause leaves the source paused and the destination active",
        mends.PreemptIsWatched, "The source watches its preempt channel for its end, and fails or pauses.",
        Shown("qemu-11-without-preempt-is-watched+preempt=on+disk_lock=on", "no-deadlock", 19),
    ),
)  # fmt: skip

BY_CODE: dict[str, Defect] = {defect.code: defect for defect in DEFECTS}
"""By name."""


class Limit(NamedTuple):
    """What no mend of one host can give. Texts are Markdown.

    Attributes:
        code: its name.
        title: what is not given.
        why: why no mend gives it.
        shown: a run of the mended protocol.
    """

    code: str
    title: str
    why: str
    shown: Shown


LIMITS = (
    Limit(
        "G1", "Without a lock on the disk two guests can run",
        "The last word of the destination can be lost with the connection, at the end of precopy as well as behind the "
        "package. The source then cannot know whether the destination has started the guest: if it starts its own "
        "there may be two, and if it does not there may be none. With a lock the disk decides, and the mended protocol "
        "keeps `no-two-guests`. Without one the mended protocol keeps `word-counts`: once the word has been read there "
        "is no second guest.",
        Shown("qemu-11-mended+preempt=off+disk_lock=off+exit_on_error=on", "no-two-guests", 15),
    ),
    Limit(
        "G2", "A guest that has run at the destination can run at the source again",
        "With a lock, too: the destination has started the guest, its PONG is lost, and its host dies, which frees the "
        "lock. The source takes its guest back, from before the switch: what the guest has done since is lost. If it "
        "did not, a guest that can be kept would be lost. The mended protocol does not do so once it has read the PONG "
        "(`word-counts`).",
        Shown("asks-for-no-way-back+preempt=off+disk_lock=on+exit_on_error=on", "no-way-back", 24),
    ),
)  # fmt: skip
"""What no mend of one host can give: the problem of the two generals."""
