"""The bitmap of one block with which the destination says what has arrived: pages to bytes and back."""

from __future__ import annotations

from postcopy.engine.bitmap import Bitmap
from postcopy.engine.errors import RemoteProtocolError
from postcopy.engine.geometry import Geometry
from postcopy.engine.messages import ReceivedBitmap
from postcopy.engine.wire import BITMAP_UNIT


def bitmap_of(geometry: Geometry, block: str, pages: Bitmap) -> ReceivedBitmap:
    """The part of a set of pages that is in this block.

    Raises:
        RemoteProtocolError: there is no such block.
    """
    within = geometry.whole(block)
    bits = int(pages) >> within.start & ((1 << len(within)) - 1)
    return ReceivedBitmap(block, bits.to_bytes(_length(len(within)), "little"))


def pages_in(geometry: Geometry, reply: ReceivedBitmap) -> int:
    """The pages that a bitmap has, as bits: bit n stands for page n of the guest.

    Raises:
        RemoteProtocolError: there is no such block, or its length is another; a page behind its end has arrived, or
            only a part of a host page.
    """
    within = geometry.whole(reply.block)
    needed = _length(len(within))
    if len(reply.bitmap) != needed:
        raise RemoteProtocolError(f"the bitmap of {reply.block} has {len(reply.bitmap)} bytes instead of {needed}")
    bits = int.from_bytes(reply.bitmap, "little")
    if bits >> len(within):
        raise RemoteProtocolError(f"the bitmap of {reply.block} has a page behind its end")
    arrived = Bitmap(geometry.pages)
    arrived.assign(bits << within.start)
    for run in arrived.runs():
        if run.start % geometry.group or run.stop % geometry.group:
            raise RemoteProtocolError(f"a part of the host page of page {run.start} or {run.stop} has arrived", "R21")
    return int(arrived)


def _length(pages: int) -> int:
    """Bytes of a bitmap of so many pages."""
    return -(-pages // (8 * BITMAP_UNIT)) * BITMAP_UNIT
