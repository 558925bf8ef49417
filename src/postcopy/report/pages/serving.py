"""Pages for a browser on the same machine: never for another one.

The server listens on the loopback address only, answers only what is asked of it under that name (so that no page from
elsewhere reaches it through a name of its own), and writes nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

from postcopy.errors import UsageError
from postcopy.report.pages.stepping import Response
from postcopy.surface import setting

LOOPBACK = "127.0.0.1"

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"


class Server(ThreadingHTTPServer):
    """A server on the loopback address.

    Args:
        answer: what is answered to a request's target, e.g. ``/?start=0``.
        port: where; 0 for any that is free.

    Raises:
        UsageError: the port is taken, or not allowed.
    """

    daemon_threads = True

    def __init__(self, answer: Callable[[str], Response], port: int) -> None:
        self.answer = answer
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except (OSError, OverflowError) as error:
            why = error.strerror if isinstance(error, OSError) else "there is no such port"
            raise UsageError(
                f"cannot listen on port {port}: {why}; {setting('port', 0)} takes any that is free"
            ) from None

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a browser that has gone before it was answered."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    @property
    def address(self) -> str:
        """The address of its first page."""
        return f"http://{LOOPBACK}:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: Server
    server_version = "postcopy"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer."""
        if self.headers.get("Host") not in self._names():
            self.send_error(403, "asked under another name")
            return
        found = self.server.answer(self.path)
        self.send_response(found.status)
        self.send_header("Content-Type", f"{found.kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(found.body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        if found.name:
            self.send_header("Content-Disposition", f"attachment; {_file_name(found.name)}")
        self.end_headers()
        self.wfile.write(found.body)

    def _names(self) -> tuple[str, ...]:
        return tuple(f"{name}:{self.server.server_port}" for name in (LOOPBACK, "localhost"))

    def log_message(self, *_: object) -> None:  # the terminal is for the address
        """Say nothing."""


def _file_name(name: str) -> str:
    """A file's name as a header has it: headers are Latin-1, other letters are percent-encoded UTF-8 (RFC 6266)."""
    return f'filename="{name}"' if name.isascii() else f"filename*=UTF-8''{quote(name, safe='')}"
