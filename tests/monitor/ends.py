"""A source and a destination for tests: they send what was recorded, over sockets, through a monitor."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from postcopy.monitor.addresses import Address

SECONDS = 30


@dataclass
class Destination:
    """Takes connections; on the first it answers when all has come that it waits for.

    Attributes:
        received: what each connection has brought.
    """

    address: Address
    replies: bytes = b""
    after: int = 0
    received: list[bytearray] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.listener = self.address.listen()
        self.address = self.address.listening_at(self.listener)
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.received.append(bytearray())
                thread = threading.Thread(target=self._read, args=(connection, len(self.received) - 1), daemon=True)
                self.threads.append(thread)
                thread.start()

    def _read(self, connection: socket.socket, number: int) -> None:
        replies = self.replies if number == 0 else b""
        with suppress(OSError), connection:
            while data := connection.recv(1 << 16):
                self.received[number] += data
                if replies and len(self.received[number]) >= self.after:
                    connection.sendall(replies)
                    replies = b""
            connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(SECONDS)
        self.address.forget()


def send(address: Address, data: bytes, wait_for: int = 0) -> bytes:
    """Send all, wait for so many bytes of answer, and close; what has been answered."""
    answer = bytearray()
    with address.connect() as made:
        made.settimeout(SECONDS)
        with suppress(OSError):
            made.sendall(data)
            while len(answer) < wait_for and (part := made.recv(1 << 16)):
                answer += part
            made.shutdown(socket.SHUT_WR)
            while part := made.recv(1 << 16):
                answer += part
    return bytes(answer)


def addresses(kind: str, folder: Path) -> tuple[Address, Address]:
    """Where a monitor listens, and a destination."""
    if kind == "unix":
        return Address("", 0, str(folder / "monitor")), Address("", 0, str(folder / "destination"))
    return Address("127.0.0.1", 0, ""), Address("127.0.0.1", 0, "")


@contextmanager
def in_thread(work: Callable[[], object]) -> Iterator[list[object]]:
    """Do something beside the test; its result is in the list at the end."""
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()
    yield found
    thread.join(SECONDS)
    assert not thread.is_alive()
