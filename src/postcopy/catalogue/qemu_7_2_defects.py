"""The defects of QEMU 11.1 asked of QEMU 7.2, and what 7.2 has beside them. The data of the second part of
docs/qemu-defects.md.

Read in v7.2.0 (b67b00e6b4) and in Debian's 7.2.22. The runs on a real QEMU are of 7.2.22.
"""

from __future__ import annotations

from typing import NamedTuple

from postcopy.catalogue.shown import Shown


class In72(NamedTuple):
    """What one of the defects of 11.1 is in 7.2.

    Attributes:
        code: of the defect.
        there: whether 7.2 has it.
        says: what is the same, and what is otherwise.
        asked: a question whose answer is a run of it; where it is not there one that has no such run, with 0 steps.
            None where nothing can be asked.
    """

    code: str
    there: bool
    says: str
    asked: Shown | None = None


class Older(NamedTuple):
    """A defect that 7.2 has and 11.1 has not.

    Attributes:
        code: its name.
        title: what breaks, in a few words.
        what: what happens, and where in the source; functions are in the folder migration.
        mended: by which commit, and when.
        hurt: who loses what.
        seen: where it was seen beside the model.
        asked: a question whose answer is a run of it.
    """

    code: str
    title: str
    what: str
    mended: str
    hurt: str
    seen: str
    asked: Shown


_OFF, _ON = "+preempt=off+disk_lock=on", "+preempt=on+disk_lock=on"
_NO_DEADLOCK = Shown(f"qemu-7.2-mended{_ON}", "no-deadlock", 0)
_NO_ABORT = Shown(f"qemu-7.2-mended{_ON}", "no-process-aborts", 0)
_NO_PONG = "there is no PONG to wait for: the source gives the guest away with the package (O1)"


def _without(mend: str, broken: str, steps: int, terms: str = _OFF) -> Shown:
    """A question to QEMU 7.2 with all later mends but one."""
    return Shown(f"qemu-7.2-without-{mend}{terms}", broken, steps)


IN_7_2 = (
    In72("H0", False, "`loadvm_postcopy_handle_listen` is the same, but `migration_iteration_run` switches only while "
         "something is left, so that a DISCARD always comes first; read: not so where only bitmaps of disks are left",
         Shown(f"qemu-7.2-mended{_OFF}", "fails-for-a-reason", 0)),
    In72("H1", True, "in another way: nothing peeks at a connection, and one that comes to nothing is taken for the "
         "recovery's (O2)", _without("pauses-from-recover", "no-process-aborts", 28)),
    In72("H1c", False, "there is no exit-on-error that could be off: an error ends the process"),
    In72("H1b", False, "nothing waits for the first bytes of a connection; a silent one is taken for the main one, and "
         "keeps the source's out until it ends (read)"),
    In72("H4", False, "no post is waited for: a recovery begins when both connections are there, which the assertion "
         "then finds", _NO_ABORT),
    In72("H5", True, "in another way: the listen thread joins the preempt thread, which waits for a recovery. It does "
         "so without the big lock, and has not said completed",
         _without("requested-pages-are-awaited", "no-deadlock", 28, _ON)),
    In72("H3", False, "the process ends when a device does not load (O1)", _NO_DEADLOCK),
    In72("H14", False, f"{_NO_PONG}, and pauses in the same place: run, it recovers"),
    In72("D1", False, _NO_PONG),
    In72("D1b", True, "without a PONG: an error that `postcopy_start` finds behind the package fails, and failed is "
         "final", _without("pauses-behind-package", "guest-lost-only-with-host", 16)),
    In72("D2", False, _NO_PONG),
    In72("H2", True, "the source does not start its guest again, so that no two run. It waits for ever (O3); with that "
         "mended it has failed, and the guest is lost", _without("completion-pauses", "guest-lost-only-with-host", 25)),
    In72("H6", True, "as H2: the return-path thread waits for a recovery, and the migration thread joins it (O3)",
         _without("return-path-thread-ends", "no-deadlock", 20)),
    In72("H8", True, "the same", _without("posts-are-taken-back", "no-process-aborts", 46, _ON)),
    In72("H9", False, "the migration thread serves requests, and nothing asserts that there is a preempt channel: that "
         "came with 9358982744 (2022-12-15). That a request can be sent in a recovery is the same", _NO_ABORT),
    In72("H10", True, "a request is not sent again after a break; no clean-up waits for a count (read)"),
    In72("H13", False, "PONGs are not counted"),
    In72("N1", True, "a break before RUN ends the destination, and the source is paused for ever, whatever was "
         "answered (O1)", Shown(f"qemu-7.2-mended{_OFF}", "paused-can-resume", 15)),
    In72("N2", True, "the same two steps of `qemu_loadvm_state_main` and `postcopy_ram_listen_thread` (read); the run "
         "of N1 is shorter"),
    In72("N3", True, "the listen thread joins the fault thread, without the big lock, and has not said completed; it "
         "does so as well where it fails while the devices load", _without("threads-are-woken", "no-deadlock", 19)),
    In72("N4", True, "in another way: a main connection whose preempt channel never came keeps its place, and the next "
         "main one is taken for preempt; it ends in O2 (read)"),
    In72("N5", True, "the state is active, and with a lock on the disk the guest is started all the same (O7)",
         _without("no-cancel-at-the-end", "failed-is-true", 14)),
    In72("N6", True, "as H8 (read)"),
    In72("N7", True, "the same; at the source as well, between the file that is cleared and the state (read)",
         _without("pause-looks-at-file", "no-process-aborts", 21)),
    In72("N8", False, "the preempt channel is connected behind the main one at once, and no PONG is waited for; if it "
         "cannot be connected the switch fails", _NO_DEADLOCK),
    In72("N9", False, "the listen thread ends the process itself, and needs no main loop; but it joins the fault "
         "thread before that, which may wait for ever (N3)"),
    In72("N10", False, "there is no PONG to wait for: the source gives the guest away with the package (O1)"),
    In72("N11", True, "in another way: the destination begins to read when both connections are there. The source "
         "stands in precopy, or in postcopy-active where the socket takes all that it sends; a cancel is taken. Both "
         "were run on 7.2.22", _without("preempt-is-watched", "no-deadlock", 3, _ON)),
)  # fmt: skip
"""In the order of the defects of 11.1."""

OLDER = (
    Older("O1", "A failure while the devices load costs the guest",
          "The source is in postcopy-active before the package is out. The destination ends when a device does not "
          "load, or when the connection breaks before RUN (`process_incoming_migration_co`, migration.c; "
          "`postcopy_ram_listen_thread`, savevm.c). The source pauses for a recovery that nothing can answer.",
          "7b842fe354 (2025-11-03), by the state postcopy-device",
          "the guest is lost, though the source has all of it", "read; A01",
          Shown(f"qemu-7.2-mended{_OFF}", "paused-can-resume", 15)),
    Older("O2", "A recovery that breaks ends the destination, and the guest with it",
          "`postcopy_pause_incoming` (savevm.c) sets the state from postcopy-active only. In a recovery the state is "
          "postcopy-recover and stays it; so the loop that waits for a connection does not wait, and "
          "`qemu_loadvm_state_main` reads from the file that has just been cleared. A connection that is not the "
          "source's is taken for the recovery's as soon as it is accepted, also without migrate-recover.",
          "0e99bb8f54 (2023-10-11); its message says only that the state is not set correctly",
          "the guest runs at the destination, and is lost",
          "run on 7.2.22: SIGSEGV, when a stranger connects and leaves, and when the source's connection of a recovery "
          "is cut before RESUME",
          _without("pauses-from-recover", "no-process-aborts", 28)),
    Older("O3", "The source waits for its own return-path thread for ever",
          "In postcopy `source_return_path_thread` (migration.c) does not leave on an error, but waits for the "
          "migration thread to recover. `migration_completion` joins it. And in a recovery that breaks the migration "
          "thread waits for an answer that the return-path thread, which waits for it, cannot bring.",
          "ef796ee93b and 36e9aab3c5 (2023-09-27), for a recovery f8c543e808 (2023-11-02)",
          "the source stays in postcopy-active or postcopy-recover: resume and pause are refused, cancel stays in "
          "cancelling. A guest that is paused at the destination is lost",
          "run on 7.2.22: a break while the end of the stream is held leaves postcopy-active for ever, then cancelling "
          "for ever; a recovery that is cut leaves postcopy-recover",
          _without("return-path-thread-ends", "no-deadlock", 20)),
    Older("O4", "The return-path thread closes the new file",
          "It sees the end of the old return path when a resume has set the new one already, closes that and clears "
          "it. When it is woken it reads from no file.",
          "ef796ee93b (2023-09-27), whose message draws it; A10",
          "the source, and with it the pages that were not sent yet", "read",
          _without("return-path-thread-ends", "no-process-aborts", 29)),
    Older("O5", "A cancel in postcopy", "`migrate_fd_cancel` (migration.c) takes every state that runs. The source is "
          "cancelled, and refuses to resume. In a pause or a recovery the migration thread is not even woken.",
          "646119088f (2025-02-14)", "the guest at the destination waits for pages for ever",
          "run on 7.2.22: cancelled at the source, paused at the destination, and resume is refused",
          _without("cancel-refused-in-postcopy", "guest-lost-only-with-host", 15)),
    Older("O6", "A switch that fails leaves the guest stopped", "`postcopy_start` (migration.c) stops the guest and "
          "does not remember that it ran; `migration_iteration_finish` starts it only where `migration_completion` has "
          "stopped it. The package is not out, and the disks are activated again.",
          "a4c6275aa1 (2023-06-02)", "the guest stands still until an operator says cont",
          "run on 7.2.22 with a cut before the package: no guest runs",
          _without("guest-restored-after-switch", "guest-lost-only-with-host", 12)),
    Older("O7", "The guest is started without its disk", "`migration_completion` and `migrate_fd_cancel` (migration.c) "
          "only report that the disks cannot be activated, and `migration_iteration_finish` starts the guest: the "
          "destination has started it, too.",
          "26f65c01ed (2025-11-03)", "two guests run; the commit says that the source may abort in its block layer",
          "read", Shown(f"qemu-7.2{_OFF}", "no-two-guests", 14)),
    Older("O8", "A device that does not load closes the file under the listen thread",
          "`process_incoming_migration_co` (migration.c) closes and frees the file of the main connection, and calls "
          "`exit`; `postcopy_ram_listen_thread` (savevm.c) runs already, and sets that file to blocking, reads it, or "
          "answers a PING behind the package.",
          "468a7effde (2025-11-03): once there is a listen thread it alone cleans up",
          "the process aborts, or stays for ever, where it would end with an error. The guest was lost before (O1); "
          "what waits for the end of the process waits on",
          "run: a destination that lacks a device (`postcopy record --scenario missing-device`) ended by SIGABRT "
          "(an assertion of `qemu_socket_set_nonblock`) or SIGSEGV in 4 of 25 runs with 7.2.22, stayed for "
          "ever in 1 of 25 with 10.0.13, and ended with status 1 in 25 of 25 with 11.1.3",
          _without("listen-thread-cleans-up", "no-process-aborts", 17)),
)  # fmt: skip
"""What the model of 7.2 has found, or history says."""
