"""Where the threads of QEMU 7.2 are, and what they say, beside `model.qemu.states`."""

from enum import Enum, auto


class Reader(Enum):
    """Where the source's return-path thread is. It lives on through a pause, and waits in it by itself."""

    READING = auto()
    LATE = auto()
    """It has not seen the end of the old return path, and the new one is set up already."""
    PAUSED = auto()
    """It has released its file, and waits for the migration thread."""
    ROBBED = auto()
    """As paused, but the file that it has released was the new one."""


class FastEnd(Enum):
    """What the preempt channel carries at its end."""

    EOS = auto()
    """The source has nothing more to send: the preempt thread leaves."""
