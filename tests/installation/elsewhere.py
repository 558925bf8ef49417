"""Python as on a system that is no Linux, such as macOS: run with commands, takes away what Linux alone has, and
prints for each command its exit code and what it said.

    python tests/installation/elsewhere.py 'check --pages 1' 'run'

What stays is `sys.platform`: packages for machine code choose their own files by it.
"""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import errno
import io
import json
import mmap
import multiprocessing
import os
import resource
import select
import shlex
import signal
import socket
import sys
import time
from typing import Any

LINUX_ONLY = {
    os: (
        *("memfd_create", "sched_getaffinity", "sched_setaffinity", "pidfd_open", "eventfd", "splice", "pipe2"),
        *("posix_fallocate", "copy_file_range", "getrandom", "unshare", "setns", "process_vm_readv", "posix_fadvise"),
    ),
    select: ("epoll",),
    signal: ("pidfd_send_signal", "sigtimedwait", "sigwaitinfo"),
    socket: ("SOCK_CLOEXEC", "SOCK_NONBLOCK", "SO_PEERCRED", "AF_NETLINK", "AF_VSOCK", "TCP_USER_TIMEOUT"),
    resource: ("prlimit",),
    time: ("CLOCK_BOOTTIME",),
    mmap: ("MAP_POPULATE", "MAP_DENYWRITE", "MAP_EXECUTABLE"),
}
PREFIXES = {os: ("MFD_", "EFD_", "CLONE_", "SCHED_"), mmap: ("MADV_HUGE", "MADV_NOHUGE", "MADV_DONT", "MADV_DOFORK")}
NOT_IN_LIBC = ("prctl", "fallocate", "memfd_create", "userfaultfd", "process_vm_readv", "gettid")
FOLDERS = ("/proc", "/sys/", "/dev/shm")


def take_away() -> None:
    """Take away what Linux alone has, for the rest of this process."""
    for module, names in LINUX_ONLY.items():
        for name in names:
            vars(module).pop(name, None)
    for module, prefixes in PREFIXES.items():
        for name in [name for name in vars(module) if name.startswith(prefixes)]:
            delattr(module, name)
    for place, name in ((builtins, "open"), (io, "open"), (os, "open"), (os, "stat"), (os, "listdir"), (os, "scandir")):
        setattr(place, name, without_folders(getattr(place, name)))
    socket.socketpair = no_packets(socket.socketpair)
    ctypes.CDLL.__getattr__ = without_symbols(ctypes.CDLL.__getattr__)  # type: ignore[method-assign]
    multiprocessing.set_start_method("spawn", force=True)


def without_folders(function: Any) -> Any:
    """A function of files to which folders that Linux alone has are not there."""

    def call(path: Any = ".", *given: Any, **named: Any) -> Any:
        if isinstance(path, str | os.PathLike) and str(path).startswith(FOLDERS):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return function(path, *given, **named)

    return call


def no_packets(function: Any) -> Any:
    """Pairs of sockets, but for sequenced packets."""

    def call(*given: Any, **named: Any) -> Any:
        if socket.SOCK_SEQPACKET in (*given, *named.values()):
            raise OSError(errno.EPROTONOSUPPORT, os.strerror(errno.EPROTONOSUPPORT))
        return function(*given, **named)

    return call


def without_symbols(function: Any) -> Any:
    """The functions of a library, but for those of Linux; the numbers of system calls are others too."""

    def call(library: Any, name: str) -> Any:
        if name in NOT_IN_LIBC:
            raise AttributeError(f"dlsym(0x0, {name}): symbol not found")
        if name == "syscall":
            return lambda *_: -1
        return function(library, name)

    return call


def main(commands: list[str]) -> None:
    """Run the commands one after the other in this process."""
    take_away()
    from postcopy.cli.main import main as postcopy

    for command in commands:
        out, err = io.StringIO(), io.StringIO()
        code: object = "returned"
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                postcopy(shlex.split(command))
            except SystemExit as done:
                code = done.code or 0
            except Exception as error:
                code = f"{type(error).__name__}: {error}"
        print(json.dumps({"command": command, "code": code, "out": out.getvalue(), "err": err.getvalue()}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
