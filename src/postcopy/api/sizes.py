"""Amounts of memory as the command line has them: 512M, 4G."""

from __future__ import annotations

import re

from postcopy.errors import UsageError
from postcopy.surface import setting

UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
"""Binary units as powers of two."""


def size_of(text: str, name: str, least: str, most: str, multiple: int = 1) -> int:
    """Bytes of an amount such as ``512M``, ``4GiB`` or ``65536``.

    Args:
        text: the amount.
        name: the setting that gave it, for the message.
        least: the smallest amount allowed.
        most: the largest.
        multiple: the amount has to be a multiple of so many bytes.

    Raises:
        UsageError: it is no amount, too small, too large, or no multiple.
    """
    return bytes_of(text, setting(name, text), least, most, multiple)


def bytes_of(text: str, given: str, least: str, most: str, multiple: int = 1) -> int:
    """As `size_of`, of an amount that no setting gives.

    Args:
        text: the amount.
        given: the amount and where it stands, for the message.
        least: the smallest amount allowed.
        most: the largest.
        multiple: the amount has to be a multiple of so many bytes.

    Raises:
        UsageError: as `size_of`.
    """
    size = _bytes(text)
    if size is None or not (_bytes(least) or 0) <= size <= (_bytes(most) or 0) or size % multiple:
        whole = "" if multiple == 1 else f", a multiple of {multiple} bytes"
        raise UsageError(f"{given}: a size from {least} to {most}{whole}, e.g. {least} or 1G")
    return size


def _bytes(text: str) -> int | None:
    match = re.fullmatch(r"([0-9]{1,19})([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    return int(match[1]) << UNITS[match[2].upper()] if match else None
