"""The SDK's client, which talks to `postcopy mcp` over standard input and output."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters

KEPT = ("PATH", "PYTHONPATH", "POSTCOPY_CACHE", "HOME")
"""The variables that a server is started with."""


def talk(folder: Path, dialogue: Callable[[Client], Coroutine[Any, Any, Any]], *options: str) -> Any:
    """Start a server for a folder, and hold a dialogue with it."""

    async def run() -> Any:
        parameters = StdioServerParameters(
            command=sys.executable,
            args=["-m", "postcopy", "mcp", str(folder), *options],
            env={name: os.environ[name] for name in KEPT if name in os.environ},
        )
        async with Client(parameters, read_timeout_seconds=300) as client:
            return await dialogue(client)

    return anyio.run(run)


def call(folder: Path, tool: str, *options: str, **arguments: object) -> Any:
    """The result of one call."""
    return talk(folder, lambda client: client.call_tool(tool, arguments), *options)
