"""What can go wrong with a replay."""

from __future__ import annotations

from postcopy.errors import PostcopyError


class ReplayError(PostcopyError):
    """The QEMUs cannot be brought to where the story begins, or the story is of no model of QEMU."""


class Refused(Exception):
    """QEMU did not do what a step says; the text says what it did."""


class NotFaithful(Exception):
    """A step can be neither seen nor steered from outside; the text says why."""
