"""One connection between two hosts: TCP, in the clear on one machine, otherwise under TLS with certificates of both
sides.

TLS runs on memory buffers (`ssl.MemoryBIO`) and not on the socket, because one thread reads while others write, which a
TLS socket of Python does not allow. Every wait has a bound.
"""

from __future__ import annotations

import ipaddress
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from postcopy.engine import page_vectors
from postcopy.engine.arrived import Buffer
from postcopy.engine.errors import ConnectionLost, EngineError
from postcopy.engine.local_users import user_of_peer
from postcopy.engine.page_vectors import IOV_MAX, Outgoing, Part, Records, Slots, joined
from postcopy.surface import setting

T = TypeVar("T")
CHUNK = 1 << 20
CIPHER_ROOM = 1 << 16
HURRIED_BUFFER, CALM_BUFFER = 1 << 18, 1 << 20
"""Bytes in the kernel's buffer while pages are asked for, and otherwise. Bytes that wait here come before a requested
page; the fewer there are, the more often each side waits until the other has a core."""
GLANCE = 0.2
"""Seconds between two looks while a source is waited for."""
MOST_CALLERS = 32
"""Callers that are heard at a time, before one of them turns out to be the source."""
HURRIED_UNSENT, CALM_UNSENT = 1 << 15, 1 << 18
"""Bytes that may wait on this side for room at the other; the same."""


class Connection:
    """A connection in the clear.

    Args:
        timeout: seconds that a write may stand still, and a read wait, unless it says otherwise.

    Attributes:
        peer: what the other side is known by: under TLS its certificate, in the clear its address, and of a caller from
            this machine the user as well (see `local_users`).
    """

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        self._socket, self.timeout = sock, timeout
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._hurried = False
        self.set_pace(hurried=True)
        self._closed = False
        self._close_lock = threading.Lock()
        self.peer = _address_of(sock)

    def set_pace(self, *, hurried: bool) -> None:
        """Whether pages are asked for, which come after all that is on its way: then that is to be little."""
        if hurried == self._hurried:
            return
        self._hurried = hurried
        buffer, unsent = (HURRIED_BUFFER, HURRIED_UNSENT) if hurried else (CALM_BUFFER, CALM_UNSENT)
        with suppress(OSError):  # it is broken: who reads or writes will hear of it
            if self._socket.family != socket.AF_UNIX:
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, unsent)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)

    @property
    def descriptor(self) -> int:
        """Of the socket, for a process that reads or writes in this one's place."""
        return self._socket.fileno()

    @property
    def scatters(self) -> bool:
        """What arrives may be put into `Slots`."""
        return page_vectors.AVAILABLE

    def send(self, parts: Sequence[Part]) -> int:
        """Write all of it, in order; how many bytes that were. One thread at a time.

        Raises:
            ConnectionLost: the other side is gone or does not read.
        """
        if page_vectors.AVAILABLE and any(isinstance(part, Records) for part in parts):
            outgoing = Outgoing(parts)
            total = outgoing.left
            while outgoing.left:
                self._attempt(lambda: outgoing.send(self._socket.fileno()))
                if outgoing.left:
                    self._wait_for_room()  # a try would be in vain
            return total
        buffers, total = joined(parts), 0
        for begin in range(0, len(buffers), IOV_MAX):
            part = list(buffers[begin : begin + IOV_MAX])
            size = sum(map(len, part))
            total += size
            while True:
                sent = self._attempt(partial(self._socket.sendmsg, part))
                if sent == size:
                    break
                size -= sent
                part = _rest(part, sent)
        return total

    def receive(self, room: memoryview | Slots, timeout: float | None = None) -> int | None:
        """Put there what has arrived; how many bytes, 0 at the end, None after the timeout, in seconds.

        Raises:
            ConnectionLost: the connection broke.
        """
        waited = False
        while True:
            try:
                if isinstance(room, Slots):
                    return room.receive(self._socket.fileno())
                return self._socket.recv_into(room)
            except BlockingIOError:
                if waited or not self._ready(select.POLLIN, self.timeout if timeout is None else timeout):
                    return None
                waited = True
            except OSError as error:
                raise self._lost(error) from None

    @property
    def broken(self) -> bool:
        """The other side has closed the connection and sent nothing before that, or it broke."""
        try:
            return not self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def heard(self, timeout: float) -> bool:
        """Wait for something to read, or for the end; whether there is one within the timeout, in seconds."""
        return self._ready(select.POLLIN, timeout)

    def finish(self) -> None:
        """Nothing more will be written."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self) -> None:
        """Shut the connection down: a thread that waits on it finds it closed."""
        with self._close_lock:
            if not self._closed:
                self._closed = True
                try:
                    self._socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def release(self) -> None:
        """Close the socket; no thread may use it any more."""
        self.close()
        self._socket.close()

    def _attempt(self, write: Callable[[], T]) -> T:
        """Write as soon as there is room."""
        while True:
            try:
                return write()
            except BlockingIOError:
                self._wait_for_room()
            except OSError as error:
                raise self._lost(error) from None

    def _wait_for_room(self) -> None:
        if not self._ready(select.POLLOUT, self.timeout):
            raise ConnectionLost(f"the other side has read nothing for {self.timeout:g} s")

    def _ready(self, event: int, timeout: float) -> bool:
        if self._closed and event == select.POLLOUT:
            raise ConnectionLost("the connection was closed here")
        poll = select.poll()
        try:
            poll.register(self._socket.fileno(), event)
        except ValueError:
            raise ConnectionLost("the connection was closed here") from None
        return bool(poll.poll(timeout * 1000))

    def _lost(self, error: OSError) -> ConnectionLost:
        if isinstance(error, BrokenPipeError | ConnectionResetError):
            return ConnectionLost("the other side closed the connection")  # a reader sees the end of the stream instead
        return ConnectionLost(f"the connection broke: {error.strerror or error}")


class TlsConnection(Connection):
    """A connection under TLS. It is made when the handshake is over, for which there is one timeout.

    Args:
        server: this side was called.
        name: the name that the other side's certificate has to be for, where this side calls.
    """

    def __init__(self, sock: socket.socket, timeout: float, context: ssl.SSLContext, name: str | None) -> None:
        super().__init__(sock, timeout)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._cipher = bytearray(CIPHER_ROOM)
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=name is None, server_hostname=name)
        self._lock = threading.Lock()  # for the TLS state
        self._write_lock = threading.Lock()  # for the order of records on the socket
        self._handshake()
        self.peer = self._tls.getpeercert(binary_form=True) or b""

    def _handshake(self) -> None:
        end = time.monotonic() + self.timeout
        while True:
            try:
                self._tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                done = False
            except (ssl.SSLError, ssl.CertificateError) as error:
                reason = getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error)
                self._flush_quietly()
                raise ConnectionLost(f"TLS: {reason}".replace("_", " ")) from None
            self._flush()
            if done:
                return
            size = self._take_in(max(0.0, end - time.monotonic()))
            if size is None:
                raise ConnectionLost(f"TLS: the other side has not ended the handshake within {self.timeout:g} s")
            if not size:
                raise ConnectionLost("TLS: the other side ended the handshake; does it know our certificate?")

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            super().send([data])

    def _flush_quietly(self) -> None:
        try:
            self._flush()
        except ConnectionLost:
            pass

    @property
    def scatters(self) -> bool:
        """No: TLS deciphers into one piece."""
        return False

    def send(self, parts: Sequence[Part]) -> int:
        """Write all of it, in order; how many bytes that were."""
        data = b"".join(joined(parts))
        with self._write_lock:
            with self._lock:
                at = 0
                while at < len(data):
                    at += self._tls.write(memoryview(data)[at : at + CHUNK])
                out = self._outgoing.read()
            super().send([out])
        return len(data)

    def receive(self, room: memoryview | Slots, timeout: float | None = None) -> int | None:
        """Put there what has arrived; how many bytes, 0 at the end, None after the timeout, in seconds."""
        assert isinstance(room, memoryview)
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            with self._lock:
                try:
                    size: Any = self._tls.read(len(room), room)
                    return int(size)
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLZeroReturnError:
                    return 0
                except ssl.SSLError as error:
                    raise ConnectionLost(f"TLS: {error.reason or error}") from None
            if not (taken := self._take_in(max(0.0, end - time.monotonic()))):
                return taken

    def heard(self, timeout: float) -> bool:
        """As in the clear: what came with the end of the handshake has been taken in."""
        return bool(self._incoming.pending) or super().heard(timeout)

    @property
    def broken(self) -> bool:
        """As in the clear."""
        return not self._incoming.pending and super().broken

    def _take_in(self, timeout: float) -> int | None:
        size = super().receive(memoryview(self._cipher), timeout)
        if size:
            with self._lock:
                self._incoming.write(memoryview(self._cipher)[:size])
        return size


def _address_of(sock: socket.socket) -> bytes:
    """The address of the other side, without its port."""
    try:
        return str(sock.getpeername()[0]).encode() if sock.family != socket.AF_UNIX else b""
    except OSError:
        return b""  # it is gone already


def _rest(buffers: list[Buffer], sent: int) -> list[Buffer]:
    for index, buffer in enumerate(buffers):
        if sent < len(buffer):
            return [memoryview(buffer)[sent:], *buffers[index + 1 :]]
        sent -= len(buffer)
    return []


# -- calling and being called -----------------------------------------------------------------------------------------


class Tls:
    """Certificates of this side, and of the authority that signs both sides'.

    Args:
        directory: has ``ca.pem``, ``cert.pem`` and ``key.pem``.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def context(self, *, server: bool) -> ssl.SSLContext:
        """TLS 1.3, and the other side has to show a certificate, whichever side it is.

        Raises:
            EngineError: a file is missing or is no certificate.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_cert_chain(self.directory / "cert.pem", self.directory / "key.pem")
            context.load_verify_locations(self.directory / "ca.pem")
        except (OSError, ssl.SSLError) as error:
            raise EngineError(
                f"{setting('tls', self.directory)}: needs ca.pem, cert.pem and key.pem ({error.strerror or error})"
            ) from None
        return context


def check_allowed(host: str, tls: Tls | None, *, insecure: bool) -> None:
    """Refuse to send guest memory over a network in the clear unless that is asked for.

    Raises:
        EngineError: it would.
    """
    if tls is None and not insecure and not is_loopback(host):
        raise EngineError(
            f"{host} is another machine: guest memory would cross the network in the clear. "
            f"Give certificates with {setting('tls')}, or say {setting('insecure', True)}"
        )


def is_loopback(host: str) -> bool:
    """Whether an address or name is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Listener:
    """Waits for one source.

    Args:
        host: an address of this machine; loopback unless TLS or ``insecure`` allows more.
        port: 0 for one that is free.
        timeout: of the connection, and of a caller until it is accepted, in seconds.
    """

    def __init__(self, host: str, port: int, timeout: float, tls: Tls | None = None, *, insecure: bool = False) -> None:
        check_allowed(host, tls, insecure=insecure)
        self._timeout = timeout
        self._context = tls.context(server=True) if tls else None
        self.host, self.port = host, port
        self._kept: _Callers | None = None
        self.listen()

    def listen(self) -> None:
        """Wait on that port, which is closed once a source was accepted.

        Raises:
            EngineError: it is not free.
        """
        try:
            family = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0][0]
            self._socket = socket.create_server((self.host, self.port), family=family, backlog=MOST_CALLERS)
        except OSError as error:
            raise EngineError(f"cannot listen on {self.host}:{self.port}: {error.strerror}") from None
        self.host, self.port = self._socket.getsockname()[:2]

    def accept(
        self,
        timeout: float,
        *,
        peer: bytes | None = None,
        look: Callable[[], None] = lambda: None,
        silent: bool = False,
        more: bool = False,
        early: bool = False,
    ) -> Connection:
        """Accept the first source that calls and is trusted, and no other.

        Another caller neither ends the wait nor holds it up: each is heard in a thread of its own, until it has shown
        a certificate (under TLS) or has sent something.

        Args:
            peer: of the source that has called before: no other is trusted, and it counts also where it has hung up.
            look: is called now and then; an error of it ends the wait.
            silent: a source that has called before need not say anything.
            more: another connection is to be accepted after this one.
            early: with `more`: it may be made at once, and say nothing: callers that have said nothing yet are kept,
                and the first that says something is accepted, under TLS as well.

        Raises:
            ConnectionLost: no source called within the timeout, in seconds.
        """
        callers, self._kept = self._kept or _Callers(self._timeout, self._context), None
        callers.expect(peer, silent=silent, early=early)
        end = time.monotonic() + timeout
        accepted = None
        try:
            while (accepted := callers.accepted()) is None:
                look()
                left = end - time.monotonic()
                if left <= 0:
                    raise ConnectionLost(f"no source has called within {timeout:g} s{callers.refused()}")
                poll = select.poll()
                for fd in (self._socket.fileno(), callers.changed):
                    poll.register(fd, select.POLLIN)
                if self._socket.fileno() in [fd for fd, _ in poll.poll(1000 * min(left, GLANCE))]:
                    with suppress(OSError):  # it has hung up already
                        callers.hear(self._socket.accept()[0])
            return accepted
        finally:
            if accepted is None or not more:
                self._socket.close()
            if accepted is not None and more and early:
                self._kept = callers
            else:
                callers.dismiss()

    def send_away(self) -> None:
        """Keep no caller that has called early (see `accept`)."""
        if self._kept is not None:
            self._kept.dismiss()
            self._kept = None

    def close(self) -> None:
        """Wait for nobody any more."""
        self.send_away()
        self._socket.close()


class _Callers:
    """Callers that have not been accepted yet.

    Attributes:
        changed: a descriptor that can be read when one has been accepted.
    """

    def __init__(self, timeout: float, context: ssl.SSLContext | None) -> None:
        self._timeout, self._context = timeout, context
        self._peer: bytes | None = None
        self._silent = self._early = False
        self._lock = threading.Lock()
        self._heard: list[socket.socket] = []
        self._accepted: Connection | None = None
        self._refused, self._last_refusal = 0, ""
        self._over = False
        self._awake, self._wake = socket.socketpair()
        self._awake.setblocking(False)
        self.changed = self._awake.fileno()

    def expect(self, peer: bytes | None, *, silent: bool = False, early: bool = False) -> None:
        """Who is waited for from now on: see `Listener.accept`."""
        with self._lock:
            self._peer, self._silent, self._early, self._accepted = peer, silent, early, None
            with suppress(BlockingIOError):
                self._awake.recv(1)

    def hear(self, caller: socket.socket) -> None:
        """Hear a caller. If there are too many, the one that has taken longest makes room."""
        with self._lock:
            if len(self._heard) >= MOST_CALLERS:
                _hang_up(self._heard.pop(0))
            self._heard.append(caller)
        threading.Thread(target=self._listen_to, args=(caller,), name="caller", daemon=True).start()

    def accepted(self) -> Connection | None:
        """The one that was accepted, if there is one."""
        with self._lock:
            return self._accepted

    def refused(self) -> str:
        """How many were not accepted, and why the last of them was not: the end of a sentence, or nothing."""
        with self._lock:
            if not self._refused:
                return ""
            return f"; refused callers: {self._refused}, the last because of: {self._last_refusal}"

    def dismiss(self) -> None:
        """Hear no other. The threads end by themselves, for their connections are closed."""
        with self._lock:
            self._over = True
            for caller in self._heard:
                _hang_up(caller)
            self._awake.close()
            self._wake.close()

    def _listen_to(self, caller: socket.socket) -> None:
        why = "another was accepted"
        try:
            connection = (
                TlsConnection(caller, self._timeout, self._context, None)
                if self._context
                else Connection(caller, self._timeout)
            )
            if not self._context and (user := user_of_peer(caller)) is not None:
                connection.peer += f" user {user}".encode()
            if self._offer(caller, connection):
                return
        except (EngineError, OSError) as error:
            why = str(error)
        with self._lock:
            if caller in self._heard:
                self._heard.remove(caller)
            self._refused, self._last_refusal = self._refused + 1, why
        caller.close()

    def _offer(self, caller: socket.socket, connection: Connection) -> bool:
        """Whether a connection is accepted, as soon as that can be said."""
        end = time.monotonic() + self._timeout
        while True:
            self._wait_for_a_word(connection, end)
            with self._lock:
                if not self._is_expected(connection):
                    raise ConnectionLost("it is not the source that has called before")
                if caller in self._heard and self._accepted is None and not self._over:
                    self._heard.remove(caller)
                    self._accepted = connection
                    self._wake.send(b"x")
                    return True
                if self._over or not self._early or caller not in self._heard:
                    return False
            time.sleep(GLANCE)  # until the next one is waited for

    def _is_expected(self, connection: Connection) -> bool:
        """The user of a caller that has hung up is not known any more. It does no harm: its connection is broken."""
        if self._peer in (None, connection.peer):
            return True
        address, _, user = (self._peer or b"").partition(b" user ")
        return bool(user) and connection.peer.partition(b" user ")[0] == address and connection.broken

    def _wait_for_a_word(self, connection: Connection, end: float) -> None:
        """Return when a caller has said something, which stays to be read; or need not, or has hung up where that
        counts too."""
        while not self._silent and (self._early or not self._context):
            if connection.heard(max(0.0, min(GLANCE, end - time.monotonic()))):
                if connection.broken and self._peer is None:
                    raise ConnectionLost("it hung up without a word")
                return
            if time.monotonic() > end:
                raise ConnectionLost(f"it said nothing for {self._timeout:g} s")


def _hang_up(caller: socket.socket) -> None:
    with suppress(OSError):
        caller.shutdown(socket.SHUT_RDWR)


def connect(host: str, port: int, timeout: float, tls: Tls | None = None, *, insecure: bool = False) -> Connection:
    """Call a destination.

    Raises:
        EngineError: it is not there or not trusted, or the way there is not safe.
    """
    check_allowed(host, tls, insecure=insecure)
    try:
        sock = socket.create_connection((host, port), timeout)
    except OSError as error:
        raise EngineError(f"cannot reach {host}:{port}: {error.strerror or error}") from None
    try:
        return TlsConnection(sock, timeout, tls.context(server=False), host) if tls else Connection(sock, timeout)
    except EngineError:
        sock.close()
        raise
