"""The process of one call: a `Call` on standard input, a `Reply` on standard output. The server starts it."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from postcopy.assistants.calls import Call, Reply, Tool, no_verdict, refused
from postcopy.errors import PostcopyError

_WITH_THE_SERVER = 1
"""Linux: PR_SET_PDEATHSIG of prctl(2)."""

SEARCHES = 0.8
"""The part of its time after which a search ends by itself, with what it has found."""


def answer(call: Call) -> Reply:
    """What comes of a call."""
    from postcopy.assistants.folder import inside, protocol_inside
    from postcopy.assistants.replies import reply_of

    folder, began = Path(call.folder).resolve(), time.monotonic()
    try:
        named = {name: protocol_inside(folder, text) for name, text in call.protocols.items()}
        files: dict[str, object] = {
            name: inside(folder, given) if isinstance(given, str) else tuple(inside(folder, each) for each in given)
            for name, given in call.files.items()
        }
        given = {name: value for name, value in call.arguments.items() if value is not None}
        reply = reply_of(_function(call)(**named, **files, **given), folder)
    except PostcopyError as error:
        if _lacks_memory(error):
            return _memory_over(call, time.monotonic() - began)
        return refused(str(error))
    except MemoryError:
        return _memory_over(call, time.monotonic() - began)
    except Exception as error:  # the assistant's own file
        from postcopy.catalogue.import_errors import in_words
        from postcopy.catalogue.user_files import line_of_user

        place = line_of_user(error)
        return refused(f"{place}: {in_words(error)}" if place else in_words(error))
    return msgspec.structs.replace(reply, seconds=round(time.monotonic() - began, 2))


def _lacks_memory(error: BaseException | None) -> bool:
    """Whether an error comes of a lack of memory, as one of the assistant's own file may."""
    return error is not None and (isinstance(error, MemoryError) or _lacks_memory(error.__cause__ or error.__context__))


def _memory_over(call: Call, seconds: float) -> Reply:
    why = f"its process may have {call.memory >> 20:,} MiB, and that was not enough: ask at a smaller size"
    return no_verdict(why, seconds)


def _function(call: Call) -> Callable[..., Any]:
    """The function of this package, with the time and the processes that it may have."""
    import postcopy

    limits: dict[Tool, dict[str, object]] = {
        Tool.CHECK: {"seconds": SEARCHES * call.seconds, "max_memory": max(1 << 20, call.memory // 2)},
        Tool.SIMULATE: {} if call.arguments.get("walks") else {"seconds": min(30.0, SEARCHES * call.seconds)},
        Tool.PROVE: {"workers": 1},
    }
    function: Callable[..., Any] = getattr(postcopy, call.tool.value)
    return lambda **given: function(**given, **limits.get(call.tool, {}))


def main() -> None:
    """Answer the call on standard input. What a user's file prints goes to standard error."""
    call = msgspec.json.decode(sys.stdin.buffer.read(), type=Call)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_WITH_THE_SERVER, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (call.memory, call.memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    reply = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.chdir(call.folder)
    began = time.monotonic()
    try:
        found = answer(call)
    except MemoryError:
        found = _memory_over(call, time.monotonic() - began)
    reply.write(msgspec.json.encode(found))
    reply.flush()


if __name__ == "__main__":
    main()
