"""`explore`: step through a protocol by hand, in a browser on this machine."""

from __future__ import annotations

import threading
from html import escape
from pathlib import Path
from types import TracebackType

from postcopy.api.asking import ProtocolLike, load, path_of, unless_none, whole_numbers
from postcopy.api.stored_runs import TraceResult, read_run
from postcopy.catalogue.properties import all_asked
from postcopy.errors import UsageError
from postcopy.report.pages.serving import Server
from postcopy.report.pages.stepping import Stepping
from postcopy.surface import setting

_FRAME = 'style="width:100%;height:40rem;box-sizing:border-box;border:1px solid #8886;resize:vertical"'


class Explorer:
    """Pages on this machine to step through a protocol by hand. They are served until `close`, or the process ends.

    Attributes:
        name: the protocol's name.
        address: where a browser finds them, such as ``http://127.0.0.1:8000/``.
    """

    def __init__(self, stepping: Stepping, place: str, port: int) -> None:
        self._server = Server(stepping.answer, port)
        self.name, self.address = stepping.name, f"{self._server.address}{place}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Go on until Ctrl-C, or until another thread closes it."""
        try:
            self._thread.join()
        finally:
            self.close()

    def close(self) -> None:
        """Serve no more."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Explorer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Explorer {self.name}: {self.address}>"

    def _repr_html_(self) -> str:
        """A frame with the page, and a link to it."""
        address = escape(self.address)
        title = escape(f"{self.name}, step by step")
        return f'<p><a href="{address}">{title}</a></p><iframe title="{title}" {_FRAME} src="{address}"></iframe>'


def explore(
    protocol: ProtocolLike | None = None,
    *,
    pages: int | None = None,
    in_flight: int | None = None,
    host_page: int | None = None,
    trace: str | Path | TraceResult | None = None,
    port: int = 0,
) -> Explorer:
    """Serve pages on this machine to step through a protocol by hand.

    Args:
        protocol: as `check` takes it; None for the document's, or for that which the stored run names.
        pages: how many target pages the guest has; None for 2.
        in_flight: how many messages each channel holds; None for 2.
        host_page: target pages of one host page; None for what the protocol says.
        trace: a run to go on from: a file (.itf.json), or what `postcopy.trace` gives. It says the size.
        port: where to listen; 0 for any that is free.

    Raises:
        UsageError: there is no such protocol, the size does not fit, or the port is taken.
        TraceError: the run cannot be read, is too long, or belongs to another model.
        SpecError: the protocol cheats or errs.
    """
    sizes = {"pages": pages, "in_flight": in_flight, "host_page": host_page}
    unless_none(whole_numbers, **sizes)
    whole_numbers(port=port)
    if trace is None:
        named = load("Postcopy" if protocol is None else protocol)
        group = named.protocol.group if host_page is None else host_page
        pages, in_flight = (2 if given is None else given for given in (pages, in_flight))
        return Explorer(Stepping(named.name, all_asked(named.protocol, pages, in_flight, group)), "", port)
    if any(number is not None for number in sizes.values()):
        raise UsageError(f"{setting('trace')} names its protocol: leave the protocol and its size away")
    its, run = (
        (trace.name, trace.run) if isinstance(trace, TraceResult) else read_run(path_of("trace", trace), protocol)
    )
    stepping = Stepping(its, run.instance)
    return Explorer(stepping, stepping.address(run), port)
