"""Bugs of the switch, of who may run the guest, and of the disks that go with it."""

from __future__ import annotations

from postcopy.catalogue.bugs.known import Fix, KnownBug

HANDOVER = (
    KnownBug(
        "A01", "The switch leaves no way back while the destination still loads", "2025", "R4, R15",
        "The source entered its postcopy state as soon as the package was sent. If the destination failed while it "
        "loaded the devices, the source still had the newest state of the guest and was not allowed to resume it.",
        "A new state between the two: the package carries a PING before RUN, and the source may resume until it has "
        "read the PONG. The price is a window in which the PONG is lost and both hosts run the guest; a disk lock "
        "closes it. A variant in which the source sends RUN itself, after an acknowledgement, was proposed and not "
        "merged.",
        (Fix("7b842fe354", "10.2"), Fix("26f65c01ed", "10.2")),
        "RFC 20250807114922.1013286-1-jmarcin@redhat.com",
    ),
    KnownBug(
        "A04", "The management layer resumes the source after postcopy has begun", "2018", "R15, R27",
        "With a pause before the switch, the event that announces the stop came before the one that announces "
        "postcopy. The handler of the first asked for the migration's state, read “active”, and never heard of "
        "postcopy. When the migration failed later, the source's guest was resumed beside the destination's.",
        "The state is corrected when the event about postcopy arrives.",
        (Fix("eca9d21e6c", "", "libvirt"),), "Red Hat bug 1647365",
    ),
    KnownBug(
        "A13", "The source waits for a PONG that cannot come any more", "2026", "the switch of A01",
        "With all pages sent, the source slept until the PONG arrived, and the end of the return path did not wake "
        "it. A destination that failed while it loaded the devices left it asleep for ever.",
        "The wait uses the semaphore that the return-path thread also posts when it exits.",
        (Fix("1ae7d9c30d", "11.1"),),
    ),
    KnownBug(
        "A31", "A destination without the capability reads ADVISE wrongly", "2018", "R1",
        "The destination ignored the contents of ADVISE, which stayed on the stream; the load seemed to have "
        "succeeded too early. Both hosts ran the guest.",
        "The length of ADVISE is checked against the destination's own capability.",
        (Fix("875fcd013a", "2.12"),),
    ),
    KnownBug(
        "A32", "A migration is cancelled after the switch", "2017 to 2025", "R15, R27",
        "A cancel that arrived in postcopy was accepted. Other commits mend transitions that expected another state "
        "than the real one, so that a cancelled or failed migration stayed in between, or left the guest paused.",
        "After the switch the command is refused; the transitions name the states that occur.",
        (
            Fix("646119088f", "10.0"), Fix("4a228bcc99", "10.0"), Fix("725a9e5f78", "10.2"), Fix("c3c5eae6ac", "4.0"),
            Fix("a7b36b486d", "2.11"), Fix("8958338b10", "5.0"),
        ),
    ),
    KnownBug(
        "A34", "The disks are handed over in the wrong order", "2016 to 2024", "R15",
        "The source released its images after it had sent the last message, so that the destination could not lock "
        "them. On other paths a failure or a cancel left them inactive at the source.",
        "The images are released before the last message and taken back on every failure before the point of no "
        "return.",
        (
            Fix("a1fbe750fd", "2.10"), Fix("ef8d6488d2", "2.9"), Fix("fe904ea824", "2.7"), Fix("1d2acc3162", "2.9"),
            Fix("6039dd5b1c", "2.12"), Fix("8c97c5a476", "10.0"),
        ),
    ),
    KnownBug(
        "A35", "Only some of several disk locks can be taken", "2025", "R15",
        "A destination took one lock and failed at the next. The source cannot take the guest back while the other "
        "host still holds one, and a management layer that ends the destination leaves a guest that cannot go on "
        "anywhere.",
        "Known from a discussion; no commit.",
        report="aN1EdMGbLxE10NOp@redhat.com (2025-10-01) and its thread",
        absent="the model has one lock, taken and released in one step",
    ),
    KnownBug(
        "A49", "The management layer compares the states of two hosts", "2025", "recovery, R27",
        "During a resume libvirt saw the source in recovery and the destination still paused, and reported a failure "
        "although the recovery went on.",
        "It waits until the source says that postcopy is active again; by then the destination has at least begun "
        "to recover.",
        (
            Fix("a71985f6f3", "", "libvirt"), Fix("88a59fbbf3", "", "libvirt"), Fix("c2f6a6a726", "", "libvirt"),
        ),
        absent="the modelled manager listens to the source alone, and not during a recovery",
    ),
    KnownBug(
        "A50", "A phase begins or fails without an event", "2017 to 2024", "R2, R27, recovery",
        "A resume with a wrong port failed without an event, and the management layer waited for ever. Other commits "
        "add the pause before the switch for postcopy and stop a needless synchronisation in every round.",
        "The attempt to resume is a state of its own, whose beginning and end are announced.",
        (
            Fix("4146b77ec7", "9.1"), Fix("3c9928d9f9", "3.0"), Fix("0331c8cabf", "2.11"), Fix("910c164736", "9.0"),
        ),
        absent="the operator reads no events in the base model, and the model has no clock to see needless work",
    ),
)  # fmt: skip
