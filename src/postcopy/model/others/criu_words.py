"""What CRIU's connection carries beside the document's messages."""

from enum import Enum, auto


class Close(Enum):
    """How the daemon's connection ends."""

    DONE = auto()
    """The word that ends a session (PS_IOV_CLOSE)."""
    EOF = auto()
    """The socket is closed."""
