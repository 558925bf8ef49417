"""A call in a process of its own, which is killed when its time is over, and at the end of the server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from typing import IO

import anyio
import msgspec

from postcopy.assistants.calls import Call, Reply, no_verdict, refused

LONGEST = 400
"""So many bytes of what a process says at its death are given on."""


async def answered(call: Call) -> Reply:
    """What comes of a call: by its process, or why there is nothing. However it ends, no process stays behind.

    Args:
        call: the call.
    """
    began = time.monotonic()
    with tempfile.TemporaryFile() as said, anyio.move_on_after(call.seconds):
        process = await anyio.open_process(
            [sys.executable, "-P", "-m", "postcopy.assistants.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            start_new_session=True,
        )
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            with suppress(anyio.BrokenResourceError):
                await process.stdin.send(msgspec.json.encode(call))
                await process.stdin.aclose()
            text = b"".join([part async for part in process.stdout])
            code = await process.wait()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            with anyio.CancelScope(shield=True):
                await process.aclose()
        try:
            return msgspec.json.decode(text, type=Reply)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _died(call, code, said, time.monotonic() - began)
    why = f"{call.seconds:g} seconds were over: ask at a smaller size, or for fewer properties"
    return no_verdict(why, time.monotonic() - began)


def _died(call: Call, code: int, said: IO[bytes], seconds: float) -> Reply:
    """Why a process has ended without a reply."""
    said.seek(max(0, said.seek(0, os.SEEK_END) - LONGEST))  # a file may have printed more than there is memory
    last = said.read().decode(errors="replace").strip().splitlines()[-1:]
    text = last[0] if last else ""
    if code < 0 or "memory" in text.lower() or "alloc" in text.lower():
        by = signal.Signals(-code).name if code < 0 else f"code {code}"
        limit = f"it may have {call.memory >> 20:,} MiB, and that may not be enough: ask at a smaller size"
        return no_verdict(f"its process ended with {by}; {limit}", seconds)
    return refused(f"its process ended with code {code}" + (f": {text}" if text else ""))
