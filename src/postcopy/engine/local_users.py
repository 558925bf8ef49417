"""Whose socket the other end of a connection is, where it is on this machine.

An address says nothing on loopback: each process has the same. The kernel knows the user of each socket (in
``/proc/net/tcp``), and another user's process cannot pretend to be that one. A process of the same user can, but it
could as well look into the memory of the one that it pretends to be.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path

TABLES = {socket.AF_INET: Path("/proc/net/tcp"), socket.AF_INET6: Path("/proc/net/tcp6")}
LOCAL, REMOTE, USER = 1, 2, 7
"""Columns of a table."""


def user_of_peer(sock: socket.socket) -> int | None:
    """The number of the user who made the socket at the other end; None where that is not on this machine, or gone.

    A socket that was closed belongs to user 0, for as long as the kernel has it.
    """
    if sock.family not in TABLES:
        return None
    try:
        theirs, ours = _in_table(sock.getpeername()), _in_table(sock.getsockname())
        rows = TABLES[sock.family].read_text().splitlines()[1:]
    except (OSError, ValueError):
        return None
    for row in rows:
        fields = row.split()
        if (fields[LOCAL], fields[REMOTE]) == (theirs, ours):
            return int(fields[USER])
    return None


def _in_table(address: tuple[str, int] | tuple[str, int, int, int]) -> str:
    """An address as the tables have it: words of four bytes in this machine's order, and the port."""
    host, port = address[:2]
    raw = socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host.partition("%")[0])
    words = struct.unpack(f"!{len(raw) // 4}I", raw)
    there = struct.unpack(f"!{len(words)}I", struct.pack(f"={len(words)}I", *words))
    return "".join(f"{word:08X}" for word in there) + f":{port:04X}"
