"""Bugs of bitmaps, discards, requests, placement, and memory that changes outside of the protocol."""

from __future__ import annotations

from postcopy.catalogue.bugs.known import Fix, KnownBug

PAGES = (
    KnownBug(
        "A07", "A page arrives between a fault and the sleep", "2015", "R16",
        "A page was placed after a vCPU had found it missing and before its fault was queued: the placement found no "
        "sleeper to wake, and the vCPU then slept on a page that was present. The early series kept a map with three "
        "states for each page to wake such vCPUs.",
        "The kernel looks at the page table again after it has queued the fault. The map was dropped before the merge.",
        (Fix("8d2afd96c203", "4.3", "Linux"),),
        "patches of 2015-05-14 (1431624680-20153-18) and 2015-07-08",
    ),
    KnownBug(
        "A17", "A page is requested that the source never sends", "2021", "R10, R16",
        "A page that the guest reported as free, or memory that is unplugged, is taken out of the migration bitmap. "
        "When the destination touches it, the source drops the request, because the page is not dirty.",
        "Free page hints are refused where postcopy is possible; for unplugged memory the destination places zeros.",
        (Fix("fd51e54fa1", "6.2"), Fix("9470c5e082", "6.2"), Fix("be39b4cd20", "6.2")),
    ),
    KnownBug(
        "A18", "The balloon takes pages in postcopy", "2015 to 2021", "R25",
        "A page that the guest gives back after it was received becomes missing again; its request is dropped, because "
        "the source has sent it. A page that is given back while it travels comes back to life.",
        "The balloon is inhibited while postcopy is under way. A later commit balances the count of inhibitors.",
        (Fix("371ff5a3f0", "2.5"), Fix("154304cd6e", "3.1"), Fix("1a8e44a89f", "6.0")),
    ),
    KnownBug(
        "A19", "The dirty bitmap is synchronised in postcopy", "2015", "R10, R13",
        "A late synchronisation of the dirty log marked pages that had been sent. They were sent again, over what the "
        "guest had written at the destination.",
        "No synchronisation after the switch.",
        (Fix("663e6c1df8", "2.5"), Fix("35ecd943e7", "2.5")),
    ),
    KnownBug(
        "A20", "Stale copies stay at the destination", "2015, 2019", "R11, R12, R21",
        "A page that was sent in precopy and written afterwards has an old copy at the destination. If it is not "
        "discarded before the CPUs start there, it raises no fault and the guest reads it. The same holds for a part "
        "of a host page, and for huge pages that the kernel builds before the discard.",
        "The original series discards such pages, whole host pages at a time, and forbids huge pages first. The sent "
        "map that it used proved to be redundant in 2019.",
        (
            Fix("f3f491fcd6", "2.5"), Fix("99e314ebca", "2.5"), Fix("f952710757", "2.5"), Fix("1e7cf8c323", "4.2"),
            Fix("8324ef86f0", "4.2"), Fix("e3fbf76021", "7.0"), Fix("f30c2e5ba8", "7.0"),
        ),
    ),
    KnownBug(
        "A21", "Memory that grows is not discarded", "2021", "R1, R11",
        "A RAM block that grew after the destination had emptied its memory had pages that were present and zero, and "
        "that no discard covered. Lengths that changed while the guest ran confused the received bitmap, too.",
        "What is added is discarded at once; in postcopy the length is frozen.",
        (Fix("cc61c703b6", "6.1"), Fix("898ba906cc", "6.1")),
    ),
    KnownBug(
        "A40", "Pages travel as deltas after the switch", "2016", "R11",
        "A delta refers to the copy that was sent before, which the destination has discarded or changed since.",
        "Deltas are not used in postcopy.",
        (Fix("2ebeaec012", "2.8"),),
    ),
    KnownBug(
        "A41", "Pages of precopy arrive on other channels after the discard", "2019 to 2026", "R11, R16",
        "With multifd an old copy can still be on another channel when the discards are processed. A receiver that "
        "skips pages of zeros leaves them missing. Other commits mend a sync that hangs, and a bitmap that is freed "
        "while a channel still uses it.",
        "multifd was refused together with postcopy for years. Since 2025 its channels are flushed before the switch "
        "and pages of zeros are written.",
        (
            Fix("c6b3a2e0c4", "5.0"), Fix("b405dfff1e", "8.1"), Fix("e274188612", "10.1"), Fix("ad8d82ffbb", "10.1"),
            Fix("249543d0c0", "10.1"), Fix("4ce5622908", "9.2"), Fix("5ef7e26bdb", "9.1"), Fix("a3ec6b7d23", "4.1"),
            Fix("2f4aefd320", "4.2"), Fix("f193bc0c53", "4.1"), Fix("37c74b1dbb", "11.0"),
        ),
    ),
    KnownBug(
        "A42", "Pages are placed without a wake-up", "2018", "R16, R22",
        "RDMA writes into the destination's memory without its kernel, so a vCPU that waits for such a page is not "
        "woken.",
        "RDMA writes stop when postcopy begins; RDMA with postcopy is refused today.",
        (Fix("ccb7e1b5a6", "3.1"), Fix("f5627c2af9", "3.1"), Fix("55cc1b5937", "3.1")),
    ),
    KnownBug(
        "A43", "A host page is placed before it is whole", "2015 to 2019", "R21, R22",
        "A host page of several target pages has to be assembled and placed in one step. Code that relied on the "
        "order of the target pages, on huge pages of one size, or on threads that had not finished placed it torn.",
        "Target pages are counted, in any order; a half page is thrown away at a pause.",
        (
            Fix("696ed9a9b3", "2.5"), Fix("a71808772a", "2.5"), Fix("c53b7ddc61", "2.5"), Fix("a3b6ff6d0a", "2.5"),
            Fix("4ed023ce2a", "2.5"), Fix("4c011c37ec", "2.9"), Fix("28abd20014", "2.9"), Fix("332847f075", "2.9"),
            Fix("4cbb3c63c1", "5.0"), Fix("91ba442f5c", "5.0"), Fix("644acf99b8", "5.0"),
        ),
    ),
    KnownBug(
        "A44", "The kernel builds a huge page over missing pages", "2015 to 2026", "R11, R16",
        "khugepaged joins small pages to a huge one and fills what is missing with zeros: no fault comes, and the "
        "guest reads zeros. CRIU and Cloud Hypervisor met the same, the latter with a wake-up for a huge mapping of "
        "which one page was there.",
        "Huge pages are forbidden for the memory until it is complete.",
        (Fix("f952710757", "2.5"), Fix("9d45bb398", "", "CRIU"), Fix("435a65bb2", "", "Cloud Hypervisor")),
    ),
    KnownBug(
        "A46", "A second kind of data moves in postcopy", "2018 to 2021", "recovery",
        "Dirty bitmaps of disks can move in postcopy too, without a recovery. A failure there reached code that "
        "assumes RAM: an assertion, or a lock taken twice.",
        "The loss of a bitmap is tolerated and does not pause the migration.",
        (Fix("ee64722514", "5.1"), Fix("1499ab0969", "5.1"), Fix("58f72b965e", "3.0"), Fix("e846b74650", "6.0")),
        absent="RAM is all that moves in the model",
    ),
    KnownBug(
        "A47", "A background snapshot misses a write", "2021, 2023", "beside postcopy",
        "A snapshot protects pages against writes at the source. A page that was not populated got no protection, so "
        "that a later write went into the snapshot; after a cancel the protection stayed and the process hung.",
        "Memory is populated before the snapshot begins, and the protection is removed after a cancel.",
        (
            Fix("eeccb99c9d", "6.0"), Fix("1a8e44a89f", "6.0"), Fix("ecb23efea0", "6.0"), Fix("3a8b81f2e6", "8.1"),
            Fix("278e2f551a", "6.0"), Fix("8518278a6a", "6.0"),
        ),
        absent="it is another protocol: pages leave before a write, and no guest moves",
    ),
    KnownBug(
        "A48", "Memory is read without raising faults", "2015, 2023", "R26",
        "Locked memory is brought in at once, as zeros. A device that the host passes through reads and writes memory "
        "without the fault mechanism.",
        "Locking is switched off for incoming postcopy; devices that are passed through are refused.",
        (Fix("58b7c17e22", "2.5"), Fix("bf7ef7a2da", "8.2")),
    ),
)  # fmt: skip
