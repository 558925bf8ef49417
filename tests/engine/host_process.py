"""One host of a migration as a process: ``python -m tests.engine.host_process destination``, or ``source PORT SWITCH``.

It prints what it has to tell as JSON lines; as `postcopy run` does, but without the time that all of `postcopy` takes.
"""

from __future__ import annotations

import os
import sys

import msgspec

from postcopy.engine.run import Network, run_destination, run_source
from postcopy.engine.source_host import SourceOptions
from tests.engine.live import SOFTWARE

EVERY = "POSTCOPY_EVERY_BOUNDARY" in os.environ
GUEST = msgspec.structs.replace(SOFTWARE, size=64 << 10 if EVERY else 8 << 20)
"""More than the buffers between two hosts hold; or few pages, where something is to happen at each of them."""
TIMEOUT = 5.0


def say(what: object) -> None:
    print(msgspec.json.encode(what).decode(), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "destination":
        network = Network(timeout=TIMEOUT)
        say(run_destination(GUEST, network, keep_log=False, settle=0.1, announce=lambda _, port: say(port)))
    else:
        options = SourceOptions(switch=sys.argv[3], timeout=TIMEOUT)
        say(run_source(GUEST, options, Network(port=int(sys.argv[2]), timeout=TIMEOUT), keep_log=False))
