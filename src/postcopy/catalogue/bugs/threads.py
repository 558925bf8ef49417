"""Bugs of threads, connections and clean-up: who waits for whom, and who may still use what is closed."""

from __future__ import annotations

from postcopy.catalogue.bugs.known import Fix, KnownBug

THREADS = (
    KnownBug(
        "A05", "The preempt channel is closed with pages on it", "2023", "preempt, R24",
        "The source had nothing dirty and ended the main stream. The destination read that end and closed the second "
        "channel, on which requested pages were still travelling; their bits had been cleared when they were sent. The "
        "guest read damaged memory.",
        "The destination waits until no requested page is outstanding.",
        (Fix("cf02f29e1e", "8.2"),), "QEMU issue 1886",
    ),
    KnownBug(
        "A06", "A stream is shut down before its error is noted", "2022", "R15, R22",
        "One thread shut the connection down and noted the error afterwards. The reader got nothing, saw no error, and "
        "placed a page of zeros.",
        "The error is noted first.",
        (Fix("f5816b5c86", "7.2"),),
    ),
    KnownBug(
        "A22", "Two channels carry parts of one host page", "2022", "preempt, R17, R21",
        "With a second channel for urgent pages, one host page must not travel on both: no side would ever have all of "
        "it. A first version dropped the request for a page that was half sent, and served it last of all.",
        "A page that has begun on a channel stays there; urgency and channel are separate decisions.",
        (Fix("c01b16edf6", "7.1"), Fix("82b54ef4c1", "7.1")),
    ),
    KnownBug(
        "A24", "Two threads write the preempt channel at its end", "2023", "preempt",
        "The migration thread wrote the end mark on the second channel while the return-path thread could still send "
        "pages on it.",
        "The destination ends the channel, after it has sent SHUT. (This made A05 possible.)",
        (Fix("6621883f93", "8.0"),),
        absent="a message is written in one step, so two writers of a channel cannot disturb each other",
    ),
    KnownBug(
        "A25", "The preempt channel is not there when it is needed", "2023, 2024", "preempt, R5, R6",
        "The destination could take the second connection for the main one. It waited inside LISTEN for a connection "
        "that only the waiting thread could accept. It loaded devices that needed a page, while the source could "
        "answer on that connection only.",
        "The source connects after the first PONG; another thread waits; the package is loaded when the channel is "
        "ready.",
        (Fix("5655aab079", "8.0"), Fix("a5d35dc7e0", "8.0"), Fix("7afbdada7e", "9.0"), Fix("06064a6715", "8.0")),
    ),
    KnownBug(
        "A26", "The main thread waits for a page that it would have to bring", "2015 to 2026", "R4, R5, R6",
        "While devices are loaded, missing memory may be touched. The thread that touches it must not be the one that "
        "reads the stream, nor hold a lock that the reader needs. Later commits mend commands that touch guest memory "
        "on the main thread.",
        "The package and the listen thread exist for this. The commands are refused meanwhile, and a recovery can be "
        "started while the main thread hangs.",
        (
            Fix("c76201ab52", "2.5"), Fix("11cf1d984b", "2.5"), Fix("02affd41b1", "3.0"), Fix("9d9d449180", "11.1"),
            Fix("19e8b59626", "11.1"), Fix("c2719f2514", "11.1"),
        ),
    ),
    KnownBug(
        "A27", "A descriptor is closed while the fault thread polls it", "2018, 2021", "R16, clean-up",
        "Processes that share the guest's memory have userfaultfds of their own. At the end these were freed while the "
        "fault thread still polled them; after a placement the other process has to be woken, too.",
        "The fault thread is stopped before the others are notified.",
        (Fix("55d0fe8254", "3.1"), Fix("c4f753859a", "3.1"), Fix("565599807f", "6.2"), Fix("d488b349a3", "2.12")),
        absent="no process other than the destination shares memory in the model, and nothing there is freed",
    ),
    KnownBug(
        "A28", "A thread is not joined because a pointer is its flag", "2021, 2023", "clean-up",
        "Whether the return-path thread had to be joined was read off the pointer to its file. Another thread could "
        "clear the pointer between the test and the use.",
        "A flag of its own says that the thread was created; accesses to the file have a lock.",
        (
            Fix("53021ea165", "6.1"), Fix("43044ac0ee", "6.1"), Fix("639decf529", "8.2"), Fix("7478fb0df9", "8.2"),
            Fix("28a8347281", "8.2"),
        ),
        absent="threads of the model are not created or joined, and nothing there is freed",
    ),
    KnownBug(
        "A33", "A state is published before the clean-up is done", "2015, 2026", "R27, clean-up",
        "“Failed” was visible before the clean-up. The management layer then changed the capabilities, and the "
        "clean-up met others than it expected. In 2015 the event of completion came too early in the same way.",
        "A state in between, “failing”, lasts until the clean-up is done.",
        (Fix("93c8a97f99", "11.0"), Fix("ed1f3e0090", "2.5")), "Red Hat bug 1271145",
        absent="a state and the clean-up that goes with it change in one step; A10 splits them for recovery",
    ),
    KnownBug(
        "A37", "A send loop or a request waits for ever", "2018 to 2022", "R17, R24",
        "Requests waited behind the rate limit. A scan for dirty pages did not notice that it had come round. Sending "
        "on a dead socket went on without end, and code that asked for postcopy did not count its pause.",
        "A request interrupts the sleep of the rate limit; the scan remembers where it began.",
        (
            Fix("e03a34f8f3", "3.0"), Fix("4934a5dd7c", "7.2"), Fix("773861274a", "5.1"), Fix("8504ddeca0", "4.2"),
            Fix("3748fef9b9", "4.2"),
        ),
    ),
    KnownBug(
        "A39", "Something of the incoming side outlives its end", "2016 to 2025", "R9, clean-up",
        "The state END counted as “listening or later”, so that a later load was refused. Flags, memory and threads "
        "of an incoming migration were freed twice, used after they were freed, or left for the next one.",
        "Each is reset or joined at the end, by one clean-up function in the end.",
        (
            Fix("acab30b85d", "2.11"), Fix("9cf4bb8730", "3.1"), Fix("328d4d8528", "2.9"), Fix("59c390d95b", "9.2"),
            Fix("8646992279", "2.6"), Fix("a587a3fe6c", "2.6"), Fix("0680dd185b", "10.2"), Fix("e8199e4895", "2.10"),
        ), "Red Hat bug 1608765",
    ),
    KnownBug(
        "A45", "Two requests to stop, and one wake-up", "2016, 2017", "R3",
        "Two threads that stopped the CPUs at the same time slept on one condition, and a signal woke one of them. "
        "Memory that is plugged in during a migration does not fit postcopy.",
        "The condition is broadcast; hotplug is disabled during a migration.",
        (Fix("96bce6831b", "2.6"), Fix("b06424de62", "2.10")),
        absent="the CPUs stop in one step, and memory is of fixed size (A21 apart)",
    ),
)  # fmt: skip
