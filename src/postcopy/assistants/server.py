"""The tools, as the Model Context Protocol has them, on the official SDK."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import anyio
import msgspec
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from postcopy.assistants.calls import Call, Reply, Tool
from postcopy.assistants.process import answered
from postcopy.assistants.reference import reference
from postcopy.errors import PostcopyError
from postcopy.version import __version__

INSTRUCTIONS = """Checks changes to postcopy live migration: a protocol is a Python class in a file of this folder, or a
name of the catalogue. Call `language` first. Check a change before you propose it, and say what was not asked."""


Arguments: TypeAlias = Mapping[str, int | float | str | bool | list[str] | None]


@dataclass(frozen=True)
class Limits:
    """What a call may take.

    Attributes:
        folder: where files are named from; none outside of it is read or run.
        seconds: time of each call.
        memory: bytes that the process of each call may have.
    """

    folder: Path
    seconds: float
    memory: int


def server(limits: Limits) -> MCPServer:
    """A server with all tools. Calls are answered one after the other.

    Args:
        limits: what a call may take.
    """
    made = MCPServer("postcopy", instructions=INSTRUCTIONS, version=__version__, log_level="ERROR")
    one_at_a_time = anyio.Lock()

    async def ask(
        tool: Tool,
        protocols: Mapping[str, str],
        arguments: Arguments,
        files: Mapping[str, str | list[str]] | None = None,
    ) -> dict[str, object]:
        call = Call(
            tool=tool,
            folder=str(limits.folder),
            protocols=dict(protocols),
            arguments=dict(arguments),
            files=dict(files or {}),
            seconds=limits.seconds,
            memory=limits.memory,
        )
        async with one_at_a_time:
            return _given(await answered(call))

    @made.tool()
    async def check(
        protocol: str = "Postcopy",
        pages: int = 1,
        in_flight: int = 1,
        host_page: int | None = None,
        properties: list[str] | None = None,
        liveness: bool = True,
        all_properties: bool = False,
    ) -> dict[str, object]:
        """Explore every interleaving at a size: does each property hold? If not: the shortest run that breaks one.

        protocol: a name of the catalogue, FILE.py:Class in the folder, or several with + between them.
        pages, in_flight: the size; begin with 1 and 1. host_page: target pages of a host page.
        properties: only these. liveness=False leaves out what must happen in the end.
        all_properties: look for a run to each property that is violated.
        """
        arguments: Arguments = {"pages": pages, "in_flight": in_flight, "host_page": host_page, "liveness": liveness}
        asked: Arguments = {"properties": properties or [], "all_properties": all_properties}
        return await ask(Tool.CHECK, {"protocol": protocol}, {**arguments, **asked})

    @made.tool()
    async def prove(
        protocol: str = "Postcopy",
        pages: int | None = None,
        in_flight: int | None = None,
        properties: list[str] | None = None,
    ) -> dict[str, object]:
        """Prove with z3 that properties hold: for every size, or, with pages, at one size exactly.

        `not proved` is no counterexample: the invariant may need another conjunct, which the details name.
        """
        arguments = {"pages": pages, "in_flight": in_flight, "properties": properties or []}
        return await ask(Tool.PROVE, {"protocol": protocol}, arguments)

    @made.tool()
    async def simulate(
        protocol: str = "Postcopy",
        pages: int = 4,
        in_flight: int = 2,
        properties: list[str] | None = None,
        seed: int = 1,
        walks: int | None = None,
    ) -> dict[str, object]:
        """Walk at random where there is too much to explore. Finding nothing proves nothing."""
        arguments: Arguments = {"pages": pages, "in_flight": in_flight, "seed": seed, "walks": walks}
        asked: Arguments = {"properties": properties or []}
        return await ask(Tool.SIMULATE, {"protocol": protocol}, {**arguments, **asked})

    @made.tool()
    async def diff(base: str, change: str, pages: int = 1, in_flight: int = 1) -> dict[str, object]:
        """Say what a change does: to the text, to the properties, and to what can be seen of a migration."""
        return await ask(Tool.DIFF, {"base": base, "change": change}, {"pages": pages, "in_flight": in_flight})

    @made.tool()
    async def conform(
        log: str | None = None, wire: str | None = None, trace: list[str] | None = None, against: str | None = None
    ) -> dict[str, object]:
        """Is what was recorded a behaviour of a model? One of three is given, as files in the folder.

        log: an event log of the engine. wire: a directory that `postcopy record` has written. trace: two logs of QEMU's
        trace events, source and destination. against: with wire and trace, the protocol; without it, QEMU's version's.
        """
        given: dict[str, str | list[str] | None] = {"log": log, "wire": wire, "trace": trace}
        files = {name: value for name, value in given.items() if value is not None}
        return await ask(Tool.CONFORM, {} if against is None else {"against": against}, {}, files)

    @made.tool()
    async def listing(what: str, protocol: str | None = None) -> dict[str, object]:
        """List names: faults, changes, history, others, qemu, rules; or of a protocol: properties, actions, options."""
        return await ask(Tool.LISTING, {} if protocol is None else {"protocol": protocol}, {"what": what})

    @made.tool()
    def language(name: str = "") -> str:
        """What a protocol is written with, how to go about a change, and a change to begin with; or one name of it."""
        try:
            return reference(name)
        except PostcopyError as error:
            raise ToolError(str(error)) from None

    @made.resource("postcopy://language", mime_type="text/plain")
    def whole_language() -> str:
        """What a protocol is written with, how to go about a change, and a change to begin with."""
        return reference()

    return made


def _given(reply: Reply) -> dict[str, object]:
    """A reply as the SDK takes it.

    Raises:
        ToolError: the call was refused.
    """
    if reply.verdict == "refused":
        raise ToolError(reply.sentence)
    found: dict[str, object] = msgspec.to_builtins(reply)
    return found
