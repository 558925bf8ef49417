"""Bugs of recovery after a broken connection."""

from __future__ import annotations

from postcopy.catalogue.bugs.known import Fix, KnownBug

RECOVERY = (
    KnownBug(
        "A02", "The source's bitmap says nothing after a break", "2018", "recovery, R10",
        "A bit is cleared when its page is sent. Pages that a break lost on the way count as sent, so a resumed "
        "migration would never send them and a vCPU would wait for ever.",
        "The destination sends its received bitmap, and the source marks as dirty whatever is missing in it. This is "
        "the reason for the handshake of recovery.",
        (Fix("edd090c728", "3.0"), Fix("f25d42253c", "3.0"), Fix("a335debb35", "3.0"), Fix("13955b89ce", "3.0"),
         Fix("08614f3497", "3.0")),
    ),
    KnownBug(
        "A03", "release-ram frees what recovery must send again", "2018", "recovery, R13",
        "With release-ram the source frees a page when it has been written to the send buffer. After a break the page "
        "is requested again, and its content is gone. A related commit stops the source from changing the received "
        "bitmap, which only means something at the destination.",
        "A migration with release-ram is not resumed.",
        (Fix("97ca211c62", "3.0"), Fix("814bb08f17", "3.0"), Fix("53f09a1076", "2.9")),
    ),
    KnownBug(
        "A08", "Requests are lost with the connection", "2020", "recovery, R16",
        "Requests in the source's queue or on the return path are lost by a break. The kernel reports a fault only "
        "once, so the vCPU waited until the background sending happened to reach its page.",
        "The destination remembers what it has requested and not received, and requests it again after the resume.",
        (Fix("8f8bfffcf1", "5.2"), Fix("0c26781c09", "5.2")),
    ),
    KnownBug(
        "A09", "Repeated requests and the fault thread share one shortcut", "2020", "recovery, R16, R19",
        "A request omits the name of its RAM block if it is that of the request before. After a resume two threads "
        "wrote requests without a lock around this memory, and the source had forgotten its own; a request could be "
        "read as one for another block.",
        "The memory is reset, the open requests are sent, and only then is the fault thread woken.",
        (Fix("5e77343113", "5.2"), Fix("cc5ab87200", "5.2")),
        absent="a request names its pages in full, and there is one RAM block",
    ),
    KnownBug(
        "A10", "The clean-up after a break closes the new connection", "2018 to 2023", "recovery",
        "The state “paused” was published before the old connection was closed. An operator who recovered at once "
        "installed a new connection, and the late clean-up closed that one. It happened in three places.",
        "The old connection is released first and the state published afterwards; later, a new return-path thread is "
        "started for each resume.",
        (Fix("eed1cc7866", "3.0"), Fix("d246ea5039", "5.2"), Fix("ef796ee93b", "8.2"), Fix("36e9aab3c5", "8.2")),
    ),
    KnownBug(
        "A11", "A second break during the recovery is not noticed", "2023", "recovery",
        "The source slept until the destination answered. When the new connection broke on the far side, nothing woke "
        "it, and no command could start another attempt. The destination expected only one state to pause from.",
        "The return-path thread wakes the source when it exits, and both sides can go from recovery back to a pause.",
        (Fix("f8c543e808", "8.2"), Fix("0e99bb8f54", "8.2"), Fix("7bca2bb7bf", "8.2")), "Red Hat bug 2111332",
    ),
    KnownBug(
        "A14", "A destination that only listens is taken for one that runs", "2019", "R9, recovery",
        "The handler of RUN stored the state RUNNING before it had checked that RUN was due. After an error the "
        "loader read that state and paused for a recovery, although the guest had never started.",
        "The check comes first.",
        (Fix("0197d89025", "4.2"), Fix("2d49bacda0", "4.2")),
    ),
    KnownBug(
        "A15", "Only one class of error pauses a migration", "2018, 2022", "recovery, R15",
        "A stream that is cut inside a message gives a parser error and not an input error. The first kind did not "
        "pause: it was final, and the guest was lost.",
        "While the guest runs at the destination, every failure pauses.",
        (Fix("fd037a656a", "3.0"), Fix("d5c8f2afe8", "7.0")),
    ),
    KnownBug(
        "A16", "A migration in precopy waits for recovery", "2019", "recovery, R15",
        "A failed migration in precopy with a return path entered the wait for recovery and hung.",
        "Only postcopy pauses.",
        (Fix("fb14a42ade", "4.2"),),
    ),
    KnownBug(
        "A29", "A failed attempt to resume cleans up too much", "2021, 2022", "recovery",
        "A resume with a wrong port ran the clean-up of a whole migration, so the next attempt crashed or was refused. "
        "A flag that was never reset allowed the destination to recover only once.",
        "A resume that fails early goes back to the pause and leaves everything else as it was.",
        (Fix("ca30f24d12", "6.1"), Fix("2e3e3da3c2", "6.1"), Fix("b7f9afd48e", "6.1"), Fix("08401c0426", "7.1")),
        absent="in the model a connection is made or is not; the command that fails before there is one has no step",
    ),
    KnownBug(
        "A30", "A refactoring bypasses recovery, and a command changes its number", "2018", "recovery",
        "An incoming connection of a paused migration was treated as a new migration. Separately, a command inserted "
        "in the middle of the list shifted the numbers of those behind it, so that two versions disagreed.",
        "The incoming connection is handed to the paused migration; the command moved to the end of the list.",
        (Fix("884835fa1e", "3.0"), Fix("858b6d6224", "3.0")),
        absent="both hosts of the model have one version, and messages have names, not numbers",
    ),
    KnownBug(
        "A36", "The completion cannot be recovered", "2025, 2026", "R24, recovery",
        "Postcopy entered its completion by the threshold of precopy, with pages still dirty. A break in that phase is "
        "final.",
        "Postcopy completes only when nothing is dirty, which makes the window small.",
        (Fix("7aaa1fc072", "10.1"), Fix("455a6167f2", "11.1")),
    ),
)  # fmt: skip
