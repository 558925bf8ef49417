"""Where the threads of QEMU's two hosts are, what they say to each other, and what is taken note of.

The document's phases and states stay what they are. What QEMU has beside them stands here: its own states where they
are more, and the places at which a thread stands between two steps that other threads can come between.
"""

from enum import Enum, auto


class Ending(Enum):
    """How the source's migration is about to end; migration.c sets the final state after it has cleaned up."""

    NO = auto()
    CANCELLING = auto()
    FAILING = auto()


class SetUp(Enum):
    """What the source's recovery has beside that of the change `recovery`."""

    RECOVER_SETUP = auto()
    """The operator has resumed the migration, and there is no connection yet."""


class DiscardState(Enum):
    """The document's postcopy state DISCARD (R9)."""

    DISCARD = auto()


class Loading(Enum):
    """Where the destination's main thread is beside the document's places, on its way through the package."""

    PREPARING = auto()
    """LISTEN is at hand, the state is stored, and no DISCARD has come: what a DISCARD prepares is to be made up for."""
    STARTING = auto()
    """LISTEN is at hand, the state is stored, and the threads are not started yet."""
    ANSWERING = auto()
    """The devices are loaded; the PING behind them is next."""
    RUNNING = auto()
    """RUN has been found in the right state, which is to be stored yet."""


class Listen(Enum):
    """Where the listen thread is."""

    NONE = auto()
    READING = auto()
    REFUSED = auto()
    """It could not place a page, because one is there. It looks at the postcopy state next."""
    FAILING = auto()
    """It has seen an error before the guest runs: it gives up."""
    CLOSING = auto()
    """It has seen an error while the guest runs, and has closed what it reads and writes. It waits for the preempt
    thread to leave the preempt channel."""
    CLOSED = auto()
    """Nothing is open any more; the state is to be published."""
    PUBLISHED = auto()
    """The state is PAUSED for all to see; the fault thread is to be notified."""
    PAUSED = auto()
    """It waits for a new connection."""
    RESUMING = auto()
    """It has acknowledged RESUME, and requests again what has not come."""
    AWAITING = auto()
    """It waits for the preempt channel."""
    ENDING = auto()
    """It has read the end of the stream, and waits for the main thread to leave."""
    LEFT = auto()


class FaultThread(Enum):
    """Where the fault thread is."""

    POLLING = auto()
    PAUSED = auto()
    """It waits for the semaphore that the end of a recovery posts."""


class Preempt(Enum):
    """Where the preempt thread is."""

    NONE = auto()
    READING = auto()
    PAUSED = auto()
    """It waits for the semaphore that the end of a recovery posts."""
    WOKEN = auto()
    """It has been woken, and is about to take its mutex."""
    LEFT = auto()


class MainLoop(Enum):
    """Where the destination's main loop is. It waits with the big lock."""

    FREE = auto()
    PEEKING = auto()
    """It waits for the first bytes of a new connection."""
    PEEKING_STRANGER = auto()
    """It waits for the first bytes of a connection that is not the source's."""
    PEEKING_FAST = auto()
    """It waits for the first bytes of a connection for preempt, which it takes for the main one."""
    DRAINING = auto()
    """It waits for the pages that were requested."""


class Refusing(Enum):
    """What the destination's recovery has beside that of the change `recovery`."""

    FAILED = auto()
    """A connection that came to nothing has set the state FAILED: no operator can recover it."""


class Interrupt(Enum):
    """What an operator does to connections that stand."""

    SHUT_DOWN = auto()


class Connecting(Enum):
    """What a source has come to that wants a new connection."""

    IN_VAIN = auto()
    """There is none to be had."""


class Aborted(Enum):
    """What an assertion of QEMU's that fails observes; also where it reads from a file that is not there."""

    ASSERTION = auto()


class Placing(Enum):
    """What the kernel answers where a page cannot be placed."""

    EEXIST = auto()
    """A page is there."""


class OnPackage(Enum):
    """What the package's PING brings back."""

    LOADED = auto()
