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
    ),
    KnownBug(
        "B03", "Cloud Hypervisor: a repeated request, and a wrong wake-up", "", "R13, R16",
        "When the kernel said “try again”, the page was fetched again instead of placed again. Separately, a wrong "
        "number of the wake-up call let each one fail without notice.",
        "The call alone is repeated; the number is corrected. The former is on a branch only.",
        (Fix("48d3e9be7", "", _CH), Fix("df58e814e", "", _CH)),
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
        (Fix("b38ae72a5", "", _CH), Fix("6de90bdec", "", _CH)),
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
    KnownBug(
        "B11", "Cloud Hypervisor: a pulled page that is passed", "2026", "R16, R24",
        "Where the kernel says “try again” for a page that was pulled, the handler goes on to the next one, because a "
        "later touch will fault. When it has passed all pages it ends, and its userfaultfd closes: a passed page reads "
        "as zeros then. The kernel says it while the page tables change. Found by reading ae44c2971, not reproduced.",
        "A commit on a branch repeats the call; its reason is another one.",
        (Fix("48d3e9be7", "", _CH),),
    ),
    KnownBug(
        "B12", "Cloud Hypervisor: the source resumes without its disk locks", "2025", "R15",
        "Locks are released before the state is sent, and are taken when a guest boots or is restored. A source that "
        "resumes its guest after a late failure runs it without them.",
        "Open; the project knows.",
        report="Cloud Hypervisor issue 7111",
    ),
    KnownBug(
        "B13", "Cloud Hypervisor: the end of the connection counts as success", "2026", "R24",
        "The source takes the end of the second connection for a sign that all pages have been fetched. A destination "
        "that dies half way ends it too: the source reports that the migration is complete. The guest is lost in "
        "either case.",
        "Open as of ae44c2971.",
        report="by reading ae44c2971; not reproduced",
    ),
    KnownBug(
        "B14", "Cloud Hypervisor: the handler fails before the process exits", "2026", "R15",
        "A handler that cannot get the page of a fault returns, which closes its userfaultfd, and asks for the process "
        "to exit afterwards: in between vCPUs run on and read zeros. A handler that cannot pull a page goes on waiting "
        "for faults: the guest runs until it touches a page that is missing.",
        "Open as of ae44c2971.",
        report="by reading ae44c2971; not reproduced",
    ),
    KnownBug(
        "B15", "CRIU: how a dump with lazy pages ends", "2026", "R15, R24",
        "A dump that fails while it serves pages lets its processes go on, as a dump to files does, although they may "
        "run at the destination (their network stays locked). The end of the connection, and the word that a failed "
        "daemon sends as well, count as success: the processes are killed.",
        "Open as of 2cf8f13ca.",
        report="by reading 2cf8f13ca; not reproduced",
    ),
    KnownBug(
        "B16", "CRIU: processes outlive a daemon that failed", "2026", "R15",
        "When the page server's connection is gone the daemon ends, and its userfaultfds close. The processes run on, "
        "and missing pages read as zeros.",
        "Open as of 2cf8f13ca.",
        report="by reading 2cf8f13ca; not reproduced",
    ),
    KnownBug(
        "B17", "CRIU: a full socket ends the daemon", "2026", "R19",
        "A request is sent without waiting for room. A socket that is full is an error, which ends the daemon. "
        "Requests are small, so that this needs very many of them.",
        "Open as of 2cf8f13ca; a comment in the source asks for the reason.",
        report="by reading 2cf8f13ca; not reproduced",
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
