"""A caller on this machine is known by its user."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from postcopy.engine import local_users
from postcopy.engine.local_users import user_of_peer


@pytest.fixture
def end() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connected(end: ExitStack, family: socket.AddressFamily, host: str) -> tuple[socket.socket, socket.socket]:
    """Who called, and what the one that listened has accepted."""
    with socket.socket(family) as listening:
        try:
            listening.bind((host, 0))
        except OSError:
            pytest.skip(f"no {host} here")
        listening.listen()
        caller = end.enter_context(closing(socket.socket(family)))
        caller.connect(listening.getsockname())
        return caller, end.enter_context(closing(listening.accept()[0]))


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_caller_on_this_machine_has_a_user(end: ExitStack, family: socket.AddressFamily, host: str) -> None:
    _, accepted = connected(end, family, host)
    assert user_of_peer(accepted) == os.geteuid()


def test_who_is_not_in_the_table_is_on_another_machine(
    end: ExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, accepted = connected(end, socket.AF_INET, "127.0.0.1")
    heading = Path("/proc/net/tcp").read_text().splitlines()[0]
    (tmp_path / "tcp").write_text(f"{heading}\n")
    monkeypatch.setitem(local_users.TABLES, socket.AF_INET, tmp_path / "tcp")
    assert user_of_peer(accepted) is None


def test_nothing_is_known_without_the_table(end: ExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, accepted = connected(end, socket.AF_INET, "127.0.0.1")
    monkeypatch.setitem(local_users.TABLES, socket.AF_INET, tmp_path / "none")
    assert user_of_peer(accepted) is None


def test_a_socket_without_an_address_has_none() -> None:
    with closing(socket.socket(socket.AF_UNIX)) as unix:
        assert user_of_peer(unix) is None
