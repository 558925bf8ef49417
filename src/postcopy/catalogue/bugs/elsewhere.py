"""Bugs of other projects that fetch memory after a move, and suspicions about QEMU that only its source raises."""

from __future__ import annotations

from postcopy.catalogue.bugs.known import Fix, KnownBug

_CH = "Cloud Hypervisor"

ELSEWHERE = (
    KnownBug(
        "B01", "Cloud Hypervisor: a map of three states for each page", "", "R16, R22",
        "A branch adds a state between missing and present, as QEMU's early series had it (A07).",
        "On a branch; not in the main line as of ae44c2971 (2026-08-22).",
        (Fix("6c43979fb", "", _CH),),
        absent="no bug is reported; the map itself is the change `page-tristate`",
    ),
    KnownBug(
        "B02", "Cloud Hypervisor: a page is there but not mapped", "", "R13, R16",
        "A page was in the backing file without an entry in the page table. It was fetched again and written over what "
        "the guest had written.",
        "Such a fault is answered from the backing file. On a branch; not in the main line as of ae44c2971.",
        (Fix("567c97fcb", "", _CH),),
        absent="a page of the model is present or missing; there is no memory behind it that keeps a copy",
    ),
    KnownBug(
        "B03", "Cloud Hypervisor: a repeated request, and a wrong wake-up", "", "R13, R16",
        "When the kernel said “try again”, the page was fetched again instead of placed again. Separately, a wrong "
        "number of the wake-up call let each one fail without notice.",
        "The call alone is repeated; the number is corrected. The former is on a branch only.",
        (Fix("48d3e9be7", "", _CH), Fix("df58e814e", "", _CH)),
        absent="placing cannot fail in the model; a failed wake-up is the bug `places-without-waking` (A42)",
    ),
    KnownBug(
        "B04", "Cloud Hypervisor: the fault handler ends or starts twice", "", "R16, clean-up",
        "A handler was stopped with a page under way. After a restart two handlers read one queue of faults.",
        "The stop waits for the page; attaching again replaces the old reader. On branches only.",
        (Fix("350f159f2", "", _CH), Fix("318244178", "", _CH)),
        absent="there is one fault thread, and it neither stops nor restarts by itself",
    ),
    KnownBug(
        "B05", "Cloud Hypervisor: the source resumes after the handover", "2026", "R15",
        "A failure while pages were served made the source resume its guest, although the guest had been handed over.",
        "The failure handler asks whether the point of no return has passed.",
        report="Cloud Hypervisor pull request 8890 (2026-09-17)",
    ),
    KnownBug(
        "B06", "Cloud Hypervisor: a guest moves on before it has arrived", "", "R24",
        "A migration or snapshot could begin while the memory of an earlier restore was still incomplete.",
        "It is refused until all pages are there.",
        (Fix("b38ae72a5", "", _CH),),
        absent="one migration is made, once",
    ),
    KnownBug(
        "B07", "Firecracker: the handler does not learn of memory that is given back", "2025", "R25",
        "When the balloon remapped memory, its userfaultfd registration was lost, and the handler heard of no removal. "
        "A fault after a removal must be answered with zeros, not with the content of the file. If the handler dies, "
        "the guest hangs.",
        "The documentation of the handlers names their duty.",
        report="Firecracker pull requests 5021 and 4988",
        absent="the balloon is inhibited in postcopy (R25, A18), and no removal travels as an event",
    ),
    KnownBug(
        "B08", "CRIU: ranges, forks and exits of its lazy-pages daemon", "", "R13, R16, R24",
        "Pages were copied to memory that had been removed. After a partial answer the rest of a range stayed marked "
        "as requested. A fork just before the last range left a child without a server, and requests of a child were "
        "filed under its parent. A file was closed, or its pages punched out, by the first of two readers.",
        "Each is mended on its own.",
        (
            Fix("fb7873c97", "", "CRIU"), Fix("3dfae093c", "", "CRIU"), Fix("312e97f1c", "", "CRIU"),
            Fix("7ffaf883b", "", "CRIU"), Fix("95ea4e92a", "", "CRIU"), Fix("f384b8b6b", "", "CRIU"),
            Fix("5306cd0fe", "", "CRIU"), Fix("9052ef93c", "", "CRIU"), Fix("9bdae79d0", "", "CRIU"),
            Fix("27662f254", "", "CRIU"), Fix("1f2cc31fd", "", "CRIU"),
        ),
        "CRIU issue 357",
        absent="there is one address space, and a request is for one host page: no ranges, no forks",
    ),
    KnownBug(
        "B09", "Xen: postcopy that was proposed and not merged", "2018", "R11",
        "A first version had to populate each page before it could be evicted and fetched.",
        "A later version populates pages directly in the evicted state. The series was not merged.",
        report="“Design document and performance evaluation for post-copy live migration”, xen-devel, June 2018",
        absent="it is a cost, not an error",
    ),
    KnownBug(
        "B10", "KubeVirt: failures of the layer above", "", "R15, R27",
        "A guest stays paused after a failed postcopy; a target is deleted after a success because the source's "
        "container crashed; postcopy with moving volumes raced and was disabled.",
        "Mended or disabled, each on its own.",
        report="KubeVirt issues 11479, 13112, 13697 and 15924",
        absent="the model has one simple management layer (A04), and no orchestration above it",
    ),
)  # fmt: skip

SUSPICIONS = (
    KnownBug(
        "D1", "An error is judged by the state, not by the PONG", "2026", "the switch of A01",
        "The return-path thread has read the PONG and the migration thread has not yet changed the state. An error in "
        "between is treated as one before the handover, and the source resumes its guest.",
        "Not mended as of b6f9617a34.",
    ),
    KnownBug(
        "D2", "A PONG and the end of the connection arrive together", "2026", "the switch of A01",
        "Whichever is looked at first decides whether the source may resume.",
        "Open.",
    ),
    KnownBug(
        "D3", "A page is placed before it is noted as received", "2026", "recovery, preempt",
        "A break between the two would let the destination report a page as missing that the guest may have written.",
        "A mutex holds the preempt thread before the bitmap is sent.",
    ),
    KnownBug(
        "D4", "The stream ends before RUN", "2026", "R9",
        "A fast source can end the stream while the destination still loads devices.",
        "The listen thread waits for the main thread.",
    ),
    KnownBug(
        "D5", "Features that are refused together with postcopy", "2026", "R1",
        "RDMA, shared memory that is left out, files with fixed offsets, background snapshots and others are refused "
        "by checks of capabilities. Each refusal stands for a way in which the protocol would break.",
        "The checks are there.",
        absent="no protocol of its own: what happens without a refusal is A03, A17, A42 and A48",
    ),
)  # fmt: skip
