"""QEMU's big lock and a page that is missing: a command dumps memory, and what would fetch the page needs the lock.

A command of the monitor runs in the main thread, under the big lock. When it reads the guest's memory in postcopy it
touches a page that is missing, and sleeps until the page comes. The connection breaks; to recover it, the command
`migrate-recover` has to be carried out, by the main thread and under the lock: the page never comes. QEMU refuses such
commands while memory is missing (9d9d449180), and lets `migrate-recover` run in a thread of its own without the lock
(02affd41b1), so that other threads can be freed. A page stands for a page.

    postcopy check examples/qemu_big_lock.py:DumpsUnderTheLock
    postcopy check examples/qemu_big_lock.py:RecoversWithoutTheLock
"""

from enum import Enum

from postcopy.language import ALL, Bitmap, Choice, Flag, Lock, Machine, Page, Protocol, Thread, View
from postcopy.language import action, require

Doing = Enum("Doing", "NOTHING DUMPING WAITING")


class Destination(Machine):
    """The destination in postcopy, with a guest that runs."""

    main = Thread("main thread")
    listen = Thread("listen thread")
    network = Thread("network")

    big = Lock("the big lock")
    doing = Choice("what the main thread does", Doing.NOTHING)
    dumped = Flag("the command has been carried out")
    awaited = Bitmap("the page that the main thread waits for", waits=main)
    missing = Bitmap("pages that are missing", ALL)
    connected = Flag("the connection stands", True)
    broke = Flag("the connection has been broken once")

    @action(main, at=Doing.NOTHING)
    def begins_dump(self) -> None:
        """begins to dump memory, under the big lock"""
        require(not self.dumped)
        self.big.acquire()
        self.doing = Doing.DUMPING

    @action(main, at=Doing.DUMPING)
    def touches_missing(self, page: Page) -> None:
        """touches a page that is missing, and sleeps"""
        require(self.missing[page])
        self.awaited = page
        self.doing = Doing.WAITING

    @action(main, at=Doing.WAITING)
    def goes_on(self) -> None:
        """goes on: its page has come"""
        require(self.awaited.empty)
        self.doing = Doing.DUMPING

    @action(main, at=Doing.DUMPING)
    def ends_dump(self) -> None:
        """has dumped all, and gives the lock back"""
        require(self.missing.empty)
        self.big.release()
        self.dumped = True
        self.doing = Doing.NOTHING

    @action(listen)
    def places_page(self, page: Page) -> None:
        """places a page, and wakes who waits for it"""
        require(self.connected and self.missing[page])
        self.missing -= page
        self.awaited -= page

    @action(network, environment=True)
    def breaks(self) -> None:
        """breaks the connection"""
        require(self.connected and not self.broke)
        self.connected = False
        self.broke = True


class UnderTheLock(Destination):
    """Recovers in the main thread."""

    @action(Destination.main, at=Doing.NOTHING)
    def recovers(self) -> None:
        """carries out migrate-recover, under the big lock"""
        require(not self.connected and self.big.free)
        self.connected = True


class OutOfBand(Destination):
    """Recovers in the monitor's own thread."""

    monitor = Thread("monitor thread")

    @action(monitor)
    def recovers(self) -> None:
        """carries out migrate-recover, without the big lock"""
        require(not self.connected)
        self.connected = True


class DumpsUnderTheLock(Protocol):
    """Wrong: what brings the page needs the lock of the thread that waits for it."""

    destination: type[Destination] = UnderTheLock

    @staticmethod
    def may_rest(state: View) -> bool:
        """All memory is there, and the command is carried out."""
        return bool(state.destination.missing.empty and state.destination.dumped)


class RecoversWithoutTheLock(DumpsUnderTheLock):
    """Right: the recovery needs no lock."""

    destination = OutOfBand
