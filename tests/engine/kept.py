"""A small guest that is kept, streams of it, and the engine as its destination."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from postcopy.engine.destination import DestinationCore
from postcopy.engine.errors import EngineError
from postcopy.engine.geometry import Geometry
from postcopy.engine.kept_guest import KeptGuest
from postcopy.engine.messages import (
    Advise,
    Block,
    Configuration,
    Device,
    Footer,
    Header,
    OpenReturnPath,
    Page,
    Ping,
    RamEnd,
    RamSize,
    SectionStart,
    StreamMessage,
    Uuid,
)
from postcopy.engine.opening import Opening
from postcopy.engine.run import Network
from postcopy.engine.run_with_qemu import FromQemu, run_from_qemu
from postcopy.engine.writing import StreamWriter

SIZE = 4096
SOON = 20.0
"""Seconds that anything may take."""
BLOCKS = (Block("pc.ram", 600 * SIZE), Block("pc.bios", 2 * SIZE))
PAGES = 602
PARTS = (Uuid(bytes(range(16))),)
DEVICES = (Device(9, "cpu", 0, 12, b"registers"), Device(4, "timer", 1, 2, bytes(100)))

OPENING: tuple[StreamMessage, ...] = (
    *(Header(), Configuration("pc"), *PARTS, OpenReturnPath(), Ping(1), Advise(SIZE, SIZE)),
    *(SectionStart(2, "ram", 0, 4), RamSize(BLOCKS)),
)
"""What a QEMU sends first."""
END = (RamEnd(), Footer(2))


def content(page: int) -> bytes:
    """Every third page has zeros."""
    return bytes(SIZE) if page % 3 == 0 else bytes([1 + page % 251]) * SIZE


def kept_guest() -> KeptGuest:
    """A guest, whole."""
    guest = KeptGuest(Opening(OPENING, "pc", PARTS, Geometry(BLOCKS)))
    for page in range(PAGES):
        guest.contents.rows[page] = bytearray(content(page))
    for device in DEVICES:
        guest.load(device)
    return guest


def page(number: int) -> Page:
    """One of its pages."""
    return Page(*Geometry(BLOCKS).locate(number), content(number))


def stream(messages: Iterable[StreamMessage]) -> bytes:
    """Messages as a QEMU writes them."""
    return b"".join(StreamWriter(opaque_devices=True).encode(messages))


def take(act: Callable[[int], object], make_core: Callable[..., DestinationCore] = DestinationCore) -> FromQemu:
    """Be the destination while something is done with its port."""
    announced: list[int] = []
    found: list[FromQemu | EngineError] = []
    ready = threading.Event()

    def announce(_host: str, port: int) -> None:
        announced.append(port)
        ready.set()

    def run() -> None:
        network = Network(timeout=SOON, patience=SOON)
        try:
            found.append(run_from_qemu(network, keep_log=True, announce=announce, make_core=make_core))
        except EngineError as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(SOON)
    act(announced[0])
    thread.join(2 * SOON)
    (result,) = found
    if isinstance(result, EngineError):
        raise result
    return result
