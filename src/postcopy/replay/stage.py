"""What a step of a story can ask of two QEMUs and the valve between them. Each method gives what was seen."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

from postcopy.engine.messages import Request
from postcopy.engine.return_path import ReplyWriter
from postcopy.recording.errors import RecordingError
from postcopy.recording.guest import MEMORY
from postcopy.recording.proxy import shut_down
from postcopy.recording.wire_files import Side
from postcopy.replay.errors import NotFaithful, Refused
from postcopy.replay.hosts import Hosts
from postcopy.replay.messages import Kind
from postcopy.replay.valve import Connection, Role, Way

PATIENT = 20.0
"""How long a step may take, in seconds."""
IMPATIENT = 2.0
"""The same once QEMU has refused a step: what comes after it may never come."""

Values = Mapping[str, object]
"""The state of a model, by the names of its variables."""


class Moment(NamedTuple):
    """A step of a story.

    Attributes:
        action: its name.
        before: the state that it is taken in.
        after: the state that it leads to.
    """

    action: str
    before: Values
    after: Values


class Stage:
    """Two QEMUs on which a story is played.

    Args:
        hosts: the QEMUs, with their guest at work.

    Attributes:
        patience: how long a step may take, in seconds.
    """

    def __init__(self, hosts: Hosts) -> None:
        self.hosts = hosts
        self.patience = PATIENT
        self._owed: dict[Side, Callable[[], str]] = {}
        self._statuses_seen: dict[Side, int] = {"source": 0, "destination": 0}
        self._loses_return_path = False
        self._stranger: socket.socket | None = None

    # -- messages ------------------------------------------------------------------------------------------------------

    def connection(self, role: Role, side: Side = "source") -> Connection:
        """The connection of this role that a side has at present.

        Raises:
            Refused: the source does not open it in time.
        """
        if (found := self.hosts.valve.connection(role, side, self.patience)) is None:
            raise Refused(f"the source has not opened the {role} connection; {self.states()}")
        return found

    def sent(self, kind: Kind, role: Role = "main") -> str:
        """A message is sent."""
        way = self._sent_on(kind, role)
        if not self.hosts.valve.sent(way, kind, self.patience):
            raise Refused(f"{kind.value} was not sent in {self.patience:.0f} s; {self._why(way)}")
        return f"{kind.value} is on the wire"

    def through(self, kind: Kind, role: Role = "main") -> str:
        """A message is let through, and taken."""
        way = self.connection(role, kind.to).way(kind.to)
        valve = self.hosts.valve
        if not valve.let_through(way, kind, self.patience):
            raise Refused(f"there is no {kind.value} to let through; {self._why(way)}")
        if not valve.arrived(way, self.patience):
            raise Refused(f"the {kind.to} does not take {kind.value}; {self.states()}")
        return f"{kind.value} let through"

    def has_sent(self, kind: Kind, role: Role = "main") -> bool:
        """Whether such a message was sent at any time on the present connection."""
        return any(found is kind for found, _ in self._sent_on(kind, role).seen)

    def _sent_on(self, kind: Kind, role: Role) -> Way:
        return self.connection(role, "destination" if kind.to == "source" else "source").way(kind.to)

    def _why(self, way: Way) -> str:
        return f"the wire cannot be read: {way.unread}" if way.unread else self.states()

    # -- connections ---------------------------------------------------------------------------------------------------

    def connect(self, role: Role) -> str:
        """The destination gets the oldest connection that the source has opened and the destination has not got."""
        connection = self.hosts.valve.waiting(role, self.patience)
        if connection is None:
            raise Refused(f"the source has not opened the {role} connection; {self.states()}")
        if role == "preempt" and "destination" not in self._owed:
            self.show_end("destination", "main")  # only where it is broken: what has died before is not seen later
        if failed := self.hosts.valve.connect(connection):
            raise Refused(f"the destination does not accept the {role} connection: {failed}; {self.states()}")
        return f"the {role} connection is passed on"

    def begins(self) -> None:
        """The source has opened its first connection: what broke before is broken now."""
        connection = self.connection("main")
        if self._loses_return_path:
            self.hosts.valve.lose(connection.to_source)

    def break_connections(self, *roles: Role) -> str:
        """The network fails: nothing that is sent from now on arrives."""
        self.hosts.valve.break_connections(*roles)
        return f"{' and '.join(roles)} broken at the valve; each host is shown it later"

    def lose_return_path(self) -> str:
        """What the destination says is lost from now on."""
        self._loses_return_path = True
        if (connection := self.hosts.valve.connection("main", "source", 0)) is not None:
            self.hosts.valve.lose(connection.to_source)
        return "the way back is broken at the valve"

    def lose_newest(self, to: Side, role: Role = "main") -> str:
        """The newest message of one direction is lost."""
        lost = self.hosts.valve.lose_newest(self.connection(role, to).way(to))
        if lost is None:
            raise Refused("nothing waits on that way")
        return f"{lost.value} dropped"

    def show_end(self, side: Side, *roles: Role) -> str:
        """A host sees that connections are at their end; a command that breaks them is given to it now."""
        if (owed := self._owed.pop(side, None)) is not None:
            return owed()
        for role in roles:
            connection = self.hosts.valve.connection(role, side, 0)
            if connection is not None and connection.broken:
                self.hosts.valve.show_end(connection, side)
        return f"the {side} sees the end of {' and '.join(roles)}"

    def show_end_of_return_path(self) -> str:
        """The source sees the end of what it reads; of all, where the connection is broken as a whole."""
        connection = self.connection("main")
        if connection.broken or "source" in self._owed:
            return self.show_end("source", "main", "preempt")
        self.hosts.valve.show_end(connection, "source", socket.SHUT_WR)
        self.hosts.valve.show_end(connection, "destination", socket.SHUT_RD)
        return "the source reads the end of the return path"

    def owe(self, side: Side, what: str, command: Callable[[], str], *roles: Role) -> str:
        """A command acts at once: the connections break now, and this host gets it when the story has it notice."""
        self.hosts.valve.break_connections(*roles)
        self._owed[side] = command
        return f"{' and '.join(roles)} broken at the valve; the {side} gets {what} where the story has it notice"

    def give_what_is_owed(self) -> None:
        """The story is at its end: hosts that were to notice later notice now."""
        for side in tuple(self._owed):
            with suppress(Refused):
                self._owed.pop(side)()

    def close(self) -> None:
        """Nothing more is asked for."""
        if self._stranger is not None:
            self._stranger.close()

    def stranger_comes(self) -> str:
        """Somebody connects to the destination and says nothing."""
        self._stranger = socket.socket(socket.AF_UNIX)
        try:
            self._stranger.connect(str(self.hosts.valve.target))
        except OSError as error:
            raise Refused(f"the destination does not accept: {error.strerror}") from None
        return "a connection without a byte"

    def stranger_leaves(self) -> str:
        """That connection is closed."""
        if self._stranger is None:
            raise NotFaithful("no stranger has come")
        shut_down(self._stranger, socket.SHUT_RDWR)
        self._stranger.close()
        return "it is closed"

    def request_instead(self) -> str:
        """The valve asks for the guest's first page, in the place of a thread that cannot be delayed from outside."""
        request = ReplyWriter().encode(Request("pc.ram", MEMORY, 4096))
        try:
            self.hosts.valve.send_instead(self.connection("main", "destination").to_source, Kind.REQUEST, request)
        except ValueError as error:
            raise NotFaithful(f"the request cannot be put on the wire: {error}") from None
        raise NotFaithful("the fault thread cannot be delayed; the valve asks for a page in its place")

    # -- hosts ---------------------------------------------------------------------------------------------------------

    def command(self, side: Side, name: str, **arguments: object) -> str:
        """A command of QMP."""
        qmp = self.hosts.source if side == "source" else self.hosts.destination
        answer = qmp.ask(name, **arguments)
        if "return" in answer:
            return f"{name} taken"
        error = answer["error"]
        raise Refused(f"{name}: {error['desc'] if isinstance(error, dict) else error}")

    def recover(self) -> str:
        """The destination listens anew."""
        try:
            self.hosts.recover_at()
        except RecordingError as error:
            raise Refused(str(error)) from None
        return "migrate-recover taken"

    def kill(self, side: Side) -> str:
        """A host dies, and the connections with it: what it had sent can arrive."""
        self.hosts.kill(side)
        self.hosts.valve.break_connections("main", "preempt")
        return f"the {side} is killed"

    def status(self, side: Side, *wanted: str) -> str:
        """The migration gets one of these statuses, after those that were seen before."""
        if not self.hosts.becomes(lambda: self._has_had(side, wanted), self.patience):
            raise Refused(f"the {side} is not {' or '.join(wanted)} after {self.patience:.0f} s; {self.states()}")
        return f"{side}: {self.hosts.statuses(side)[self._statuses_seen[side] - 1]}"

    def _has_had(self, side: Side, wanted: tuple[str, ...]) -> bool:
        had = self.hosts.statuses(side)
        for number in range(self._statuses_seen[side], len(had)):
            if had[number] in wanted:
                self._statuses_seen[side] = number + 1
                return True
        return False

    def traced(self, side: Side, event: str) -> str:
        """A trace event is written."""
        if not self.hosts.becomes(lambda: self.hosts.traced(side, event), self.patience):
            raise Refused(f"the {side} has not traced {event}; {self.states()}")
        return f"{side} traces {event}"

    def runs(self, side: Side, *, wanted: bool = True) -> str:
        """The guest runs on this side, or does not."""
        if not self.hosts.becomes(lambda: self.hosts.running(side) is wanted, self.patience):
            raise Refused(f"the guest {'does not run' if wanted else 'runs'} at the {side}; {self.states()}")
        return f"the guest {'runs' if wanted else 'does not run'} at the {side}"

    def gone(self, side: Side) -> str:
        """The process has ended, or the migration has failed where errors do not end it."""
        if not self.hosts.becomes(lambda: self.hosts.gone(side) or self._has_failed(side), self.patience):
            raise Refused(f"the process goes on; {self.states()}")
        code = self.hosts.exit_code(side, 1)
        return f"the {side} has failed" if code is None else f"the {side} has ended with {code}"

    def _has_failed(self, side: Side) -> bool:
        return self.hosts.statuses(side)[-1:] == ("failed",)

    def clean(self) -> str:
        """Nothing is left to send at the source."""

        def left() -> int:
            answer = self.hosts.source.ask("query-migrate").get("return", {})
            return int(answer.get("ram", {}).get("remaining", 1))

        if not self.hosts.becomes(lambda: left() == 0, 3 * self.patience):
            raise Refused(f"{left()} bytes are left to send; {self.states()}")
        return "nothing is left to send"

    def hurry(self) -> None:
        """The source may send as fast as it can: the story has nothing left to send."""
        self.hosts.source.ask("migrate-set-parameters", max_postcopy_bandwidth=0)

    def states(self) -> str:
        """What both sides say of the migration, in a few words."""
        return "; ".join(self._state(side) for side in ("source", "destination"))

    def _state(self, side: Side) -> str:
        if (code := self.hosts.exit_code(side, 0)) is not None:
            return f"the {side} has ended with {code}"
        had = self.hosts.statuses(side)
        return f"the {side} is {had[-1] if had else 'not migrating'}"
