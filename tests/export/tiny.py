"""A tiny protocol that has one of everything: the golden files are its exports."""

from enum import Enum, IntEnum, auto
from typing import Any

from postcopy.language import (
    EITHER,
    NO_DEADLOCK,
    NONE,
    Answer,
    Bitmap,
    Channel,
    Choice,
    Count,
    Cpu,
    CpuBitmap,
    Flag,
    Ghost,
    Machine,
    Monitor,
    Page,
    Protocol,
    Receives,
    Sends,
    Step,
    Thread,
    View,
    action,
    always,
    every_step,
    require,
    sometimes,
)


class Phase(IntEnum):
    IDLE = auto()
    BUSY = auto()
    DONE = auto()


class Letter(Enum):
    PAGE = auto()
    END = auto()


class History(Ghost):
    old = Bitmap("pages written since they were sent")

    def wrote(self, page: Any) -> None:
        self.old |= page
        self.world.wire.mark("stale", page)


class Left(Machine):
    """Sends every page once."""

    worker = Thread("worker")
    guest = Thread("guest")

    phase = Choice("how far it is", Phase.IDLE)
    eager = Flag("sends before it is asked to", EITHER)
    todo = Bitmap("pages to send")
    done = Bitmap("pages sent")
    tries = Count("how often it has begun", -1, 1, -1)
    wire = Sends("wire")

    @action(worker, rule="R1")
    def begins(self) -> None:
        """takes all that is done for what is to do, and the reverse"""
        require(self.phase == Phase.IDLE)
        require(self.tries < 1)
        self.tries += 1
        self.phase = Phase.BUSY
        todo = ~self.done
        self.todo, self.done = todo, self.todo

    @action(worker)
    def sends(self, page: Page) -> None:
        """sends a page"""
        require(self.phase == Phase.BUSY)
        require(self.todo[page])
        require(self.wire.room())
        self.todo -= page
        self.done |= page
        self.wire.send(Letter.PAGE, page, stale=self.history.old)

    @action(worker)
    def swaps(self) -> None:
        """exchanges what is to do for what is done"""
        require(self.phase == Phase.BUSY)
        require(self.eager)
        self.todo, self.done = self.done, self.todo

    @action(worker)
    def ends(self) -> None:
        """says that all is sent"""
        require(self.phase >= Phase.BUSY)
        require(self.todo.empty)
        if self.phase == Phase.BUSY:
            require(self.wire.room())
            self.wire.send(Letter.END)
        self.phase = Phase.DONE

    @action(guest, environment=True)
    def writes(self, page: Page) -> None:
        """writes a page"""
        require(self.phase < Phase.DONE)
        self.history.wrote(page)


class Right(Machine):
    reader = Thread("reader")
    vcpu = Thread("vCPU", each=Cpu)

    present = Bitmap("pages that are there")
    waiting = CpuBitmap("the page that the vCPU waits for")
    wire = Receives("wire")

    @action(reader)
    def takes(self) -> None:
        """takes a page and wakes who waits for it"""
        message = self.wire.receive(Letter.PAGE)
        self.present |= message.pages.host_pages
        self.waiting.remove(message.pages)

    @action(reader)
    def stops(self) -> None:
        """reads the end"""
        self.wire.receive(Letter.END)

    @action(vcpu, environment=True)
    def touches(self, cpu: Cpu, page: Page) -> None:
        """touches a page"""
        require(self.waiting[cpu].empty)
        if not self.present[page]:
            self.waiting[cpu] = page


class Seen(Monitor):
    pages = Bitmap("pages that were taken")

    def watch(self, step: Step) -> None:
        if step.receives(Letter.PAGE):
            self.pages |= step.after.right.present - step.before.right.present


class Tiny(Protocol):
    left = Left
    right = Right
    history = History
    wire = Channel(Letter, marks=("stale",), marked=(Letter.PAGE,))
    cpus = 1

    @staticmethod
    def may_rest(state: View) -> bool:
        return bool(state.left.phase == Phase.DONE)


@always("What is there has been taken", monitor=Seen)
def taken_before(state: View) -> Answer:
    """It came from nowhere."""
    missing: Answer = state.right.present - state.Seen.pages
    return missing


@every_step("Nothing is both done and to do")
def disjoint(step: Step) -> Answer:
    """It is neither."""
    both: Answer = step.after.left.todo & step.after.left.done
    return both


@sometimes("A page is there")
def arrives(state: View) -> Answer:
    """Nothing ever arrived."""
    return not state.right.present.same_as(NONE)


PROPERTIES = (taken_before, disjoint, arrives, NO_DEADLOCK)
