"""The rules of the document, in our own words: what actions, properties and faults cite as R1, R2, and so on.

R1 to R17 are in the document's text and R19 to R27 in the subjects of the patches that came with it. R18 is
the variant that the mail proposes: not a rule to keep but a change to judge. Imports nothing.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A rule of the document.

    Attributes:
        number: what the rest of the project calls it, e.g. ``R11``.
        sentence: what it asks for.
        without: what may happen where it is not kept.
        beside: where the model says less than the rule, what it leaves out and why; may be empty.
    """

    number: str
    sentence: str
    without: str
    beside: str = ""


_RULES = (
    Rule(
        "R1",
        "Postcopy is switched on with a capability before the migration. The source then announces it with "
        "ADVISE, at the head of the stream; the destination checks whether its host supports it and prepares its "
        "memory.",
        "A destination without the capability misreads ADVISE, and two guests run.",
        "The preparation itself (all memory emptied, huge pages forbidden) is not modelled: the "
        "destination starts empty.",
    ),
    Rule(
        "R2",
        "Every migration starts in precopy. The command migrate_start_postcopy may be given at once, "
        "later, twice, or when all is over, and then does nothing.",
        "A command that comes late changes a migration that is over.",
    ),
    Rule(
        "R3",
        "At the switch the source stops the guest's CPUs, then sends what is to be discarded, then the "
        "package. From there on nothing changes the guest's memory at the source.",
        "A write of the guest after the switch never reaches the destination.",
    ),
    Rule(
        "R4",
        "LISTEN, the device state and RUN travel inside one PACKAGED command, and the destination has read "
        "all of it before it acts on any of it.",
        "The device load waits for a page that its own thread would have to read: a deadlock.",
    ),
    Rule(
        "R5",
        "LISTEN is the first thing in the package. It starts the listen thread, which reads the stream "
        "from there on, and makes missing memory raise faults.",
        "The device load touches missing memory whose faults no thread handles, and reads zeros.",
    ),
    Rule(
        "R6",
        "When the device load faults, the listen thread places the page while the main thread waits for it.",
        "Each of the two threads waits for the other.",
    ),
    Rule(
        "R7",
        "RUN is the last thing in the package and starts the guest's CPUs.",
        "The CPUs start on devices that are not all loaded.",
    ),
    Rule(
        "R8",
        "With the end of the package the main thread has nothing more to do with the migration. The listen "
        "thread serves the stream to its end and cleans up.",
        "The main thread closes a stream that the listen thread still needs.",
    ),
    Rule(
        "R9",
        "The destination passes through ADVISE, LISTEN, RUNNING and END, and never goes back.",
        "A command that comes late reopens a phase that was over.",
    ),
    Rule(
        "R10",
        "A bit of the migration bitmap says that a page still has to be sent. In precopy the guest's "
        "writes set bits; in postcopy nothing does.",
        "A page that was sent is marked and sent again, over what the destination wrote to it.",
        "Bitmap and dirty log are one set, so that synchronising them is no step of its own.",
    ),
    Rule(
        "R11",
        "What the destination has to discard is the sent map masked with the migration bitmap, taken when "
        "the CPUs stand still. It is discarded before CPUs start there.",
        "The guest reads a stale page.",
    ),
    Rule(
        "R12",
        "Computing the discard set uses up the sent map. In postcopy only the migration bitmap is valid.",
        "Requests are dropped because of a map that no longer says which pages were sent.",
    ),
    Rule(
        "R13",
        "In postcopy a page goes out once. A request for a page that has gone out is dropped; such "
        "requests are normal, because page and request can cross.",
        "A second copy overwrites what the destination wrote.",
    ),
    Rule(
        "R14",
        "So the number of pages that are sent after the switch is bounded: each page at most once.",
        "The migration need not end.",
        "No action carries it: it follows from R10, R11 and R13. The model has no clock and bounds the "
        "number of sends only.",
    ),
    Rule(
        "R15",
        "A failure of a host or of the network costs the guest in postcopy, and only there: in precopy the "
        "guest goes on at the source. It never runs at both hosts.",
        "Two guests run, or none although one could.",
        "At the end of precopy the model's source waits for SHUT and stays stopped if it does not arrive: "
        "docs/findings.md.",
    ),
    Rule(
        "R16",
        "A touch of a missing page becomes a fault, and the fault becomes a request to the source.",
        "A vCPU sleeps for ever.",
    ),
    Rule(
        "R17",
        "Pages that are not requested are sent too, in the background; requested pages go ahead of them.",
        "A page that is never touched never arrives, or a waiting vCPU waits until all other pages were sent.",
    ),
    Rule(
        "R18",
        "The mail's proposal: a second connection brings the remaining pages into a cache at the "
        "destination. A fault looks there first and asks the source only for what the cache lacks; the source may "
        "end when all pages have arrived.",
        "Nothing: it is a proposal.",
        "It is a change to judge and not a rule to keep; the document's protocol has no cache and one connection.",
    ),
    Rule(
        "R19",
        "The return path is open before it is needed. It carries PONG, page requests and SHUT from several "
        "threads, and a writer that finds it full waits.",
        "A request is never sent, or is dropped, and a vCPU sleeps for ever.",
        "A message is written in one step, so that two writers cannot mix their bytes.",
    ),
    Rule(
        "R20",
        "While the package is loaded, one load runs inside another. With RUN all of the main thread's "
        "loops end, and the listen thread alone reads on.",
        "Two threads read one stream and tear its messages apart.",
        "The loops are not modelled, only where the main thread is.",
    ),
    Rule(
        "R21",
        "Where a host page holds several target pages, it is discarded, requested and placed whole; where "
        "a part of it was sent or is dirty, all of it counts as dirty.",
        "A part of a host page is missing and can raise no fault of its own.",
    ),
    Rule(
        "R22",
        "A page becomes visible in one step, with all its content.",
        "The guest reads a page that is half written.",
    ),
    Rule(
        "R23",
        "Where the destination's host lacks what postcopy needs, it refuses at ADVISE; the "
        "migration fails and the guest goes on at the source.",
        "Missing memory raises no faults, and the guest reads zeros.",
        "The protocol does not quite keep it: see refusal-costs-no-guest in docs/findings.md.",
    ),
    Rule(
        "R24",
        "The source ends the stream when nothing is dirty and no request waits. It calls the migration "
        "completed when the destination has reported with SHUT that all pages have arrived.",
        "A page is never sent, or the source is thrown away too early.",
    ),
    Rule(
        "R25",
        "From LISTEN to END the balloon takes nothing: a page given back after it came would fault, and "
        "the source would drop the request.",
        "A vCPU waits for a page that was sent long ago.",
        "The balloon only gives pages back, and after END this has no effect in the model.",
    ),
    Rule(
        "R26",
        "The destination does not lock the guest's memory: locking brings every page in at once.",
        "Missing pages count as there, with zeros in them.",
    ),
    Rule(
        "R27",
        "Postcopy shows in the migration's state, so that the operator knows that cancelling cannot bring "
        "the guest back.",
        "A cancelled migration starts the source's guest beside the destination's.",
        "The operator reads no state: the cancelling itself is what the model forbids.",
    ),
)

RULES: dict[str, Rule] = {rule.number: rule for rule in _RULES}
"""All rules by number, in order."""
