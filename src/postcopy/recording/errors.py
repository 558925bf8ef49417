"""What can go wrong with a recording."""

from __future__ import annotations

from postcopy.errors import PostcopyError


class RecordingError(PostcopyError):
    """A QEMU does not start, answers with an error, or does not come where the scenario waits for it."""
