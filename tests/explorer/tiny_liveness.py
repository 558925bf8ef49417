"""Tiny protocols for liveness: all customers are served in turn, or one instead of the others, or none has to be."""

from enum import Enum, auto

from postcopy.language import (
    ALL,
    NONE,
    Bitmap,
    Cpu,
    CpuBitmap,
    Flag,
    Ghost,
    LeadsTo,
    Machine,
    Page,
    PageSet,
    Protocol,
    Thread,
    View,
    action,
    eventually,
    require,
)


class Post(Enum):
    SEEN = auto()


class Counter(Machine):
    """Customers come when they like and are served one by one."""

    customers = Thread("customers")
    clerk = Thread("clerk")

    queue = Bitmap("who waits to be served")
    round = Bitmap("who was served in this round")
    closed = Flag("the counter is closed")

    @action(customers, environment=True)
    def comes(self, page: Page) -> None:
        """comes and waits"""
        require(not self.queue[page])
        self.queue |= page

    @action(clerk)
    def serves(self, page: Page) -> None:
        """serves one who waits"""
        require(self.queue[page])
        require(self._next(page))
        self.queue -= page
        if (self.queue - self.round).empty:
            self.round = NONE
        else:
            self.round |= page

    def _next(self, page: PageSet) -> bool:
        """No customer is served twice in a round."""
        return not self.round[page]


class Favourites(Counter):
    """Serves whom it likes."""

    def _next(self, page: PageSet) -> bool:
        return True


class Closing(Favourites):
    """May close for good; from then on no customer has to be served."""

    owner = Thread("owner")

    @action(owner, environment=True)
    def closes(self) -> None:
        """closes"""
        self.closed = True


class Counting(Protocol):
    cpus = 2
    counter = Counter

    @staticmethod
    def may_rest(state: View) -> bool:
        return True


class Unfair(Counting):
    counter = Favourites


class May(Counting):
    counter = Closing


@eventually("Whoever waits is served")
def served(state: View, page: Page) -> LeadsTo:
    """He waits for ever."""
    return LeadsTo(when=state.counter.queue[page], then=not state.counter.queue[page])


@eventually("The queue becomes empty")
def emptied(state: View) -> LeadsTo:
    """A customer waits at all times."""
    return LeadsTo(when=not state.counter.queue.empty, then=state.counter.queue.empty)


@eventually("The counter closes")
def closed(state: View) -> LeadsTo:
    """It stays open."""
    return LeadsTo(when=True, then=state.counter.closed)


class Diary(Ghost):
    """Remembers who was looked at."""

    seen = Bitmap("who was looked at")

    def looked(self, page: PageSet) -> None:
        """Looks and looks away."""
        self.seen = (self.seen | page) - (self.seen & page)


class Idler(Machine):
    """Has work, and a thread that is always busy without doing any."""

    worker = Thread("worker")
    thief = Thread("thief")

    work = Bitmap("what is to be done", initial=ALL)
    locked = Flag("nobody may work")

    @action(worker)
    def works(self, page: Page) -> None:
        """does a piece of work"""
        require(self.work[page])
        require(not self.locked)
        self.work -= page

    @action(worker)
    def looks(self, page: Page) -> None:
        """looks at a piece of work, and does nothing about it"""
        self.diary.looked(page)

    @action(worker)
    def assigns_what_is_there(self) -> None:
        """assigns a variable the value that it has"""
        self.work &= ALL

    @action(thief, environment=True)
    def locks(self) -> None:
        """locks the door"""
        self.locked = True


class Idling(Protocol):
    idler = Idler
    diary = Diary

    @staticmethod
    def may_rest(state: View) -> bool:
        return True


@eventually("All work is done, unless the door is locked")
def done(state: View) -> LeadsTo:
    """Nobody works."""
    return LeadsTo(when=True, then=state.idler.work.empty or state.idler.locked)


@eventually("All work is done")
def done_whatever_happens(state: View) -> LeadsTo:
    """Nobody can work."""
    return LeadsTo(when=True, then=state.idler.work.empty)


class Desk(Machine):
    """One thread with two things to do: it may do the one for ever, unless it is fair to the other."""

    clerk = Thread("clerk")
    telephone = Thread("telephone")

    page_on_top = Bitmap("the papers that are turned over")
    called = Flag("the telephone rings")
    answered = Flag("the telephone was answered")

    @action(clerk)
    def turns(self, page: Page) -> None:
        """turns a paper over"""
        self.page_on_top = (self.page_on_top | page) - (self.page_on_top & page)

    @action(telephone, environment=True)
    def rings(self) -> None:
        """rings"""
        self.called = True

    @action(clerk)
    def answers(self) -> None:
        """answers the telephone"""
        require(self.called)
        self.called = False
        self.answered = True


class FairDesk(Desk):
    @action(Desk.clerk, fair=True)
    def answers(self) -> None:
        """answers the telephone"""
        super().answers()


class Busy(Protocol):
    desk = Desk

    @staticmethod
    def may_rest(state: View) -> bool:
        return True


class Attentive(Busy):
    desk = FairDesk


@eventually("A call is answered")
def call_answered(state: View) -> LeadsTo:
    """It rings for ever."""
    return LeadsTo(when=state.desk.called, then=state.desk.answered)


class Beds(Machine):
    """vCPUs that sleep: the first is woken, the other is forgotten."""

    vcpu = Thread("vCPU", each=Cpu)
    nurse = Thread("nurse")

    asleep = CpuBitmap("what the vCPU sleeps for")

    @action(vcpu, environment=True)
    def sleeps(self, cpu: Cpu, page: Page) -> None:
        """goes to sleep"""
        require(self.asleep[cpu].empty)
        self.asleep[cpu] = page

    @action(nurse)
    def wakes(self, page: Page) -> None:
        """wakes the first vCPU"""
        require(self.asleep[Cpu(0)][page])
        self.asleep[Cpu(0)] -= page


class Night(Protocol):
    cpus = 2
    beds = Beds

    @staticmethod
    def may_rest(state: View) -> bool:
        return True


@eventually("Who sleeps is woken")
def woken(state: View, cpu: Cpu) -> LeadsTo:
    """It sleeps for ever."""
    return LeadsTo(when=not state.beds.asleep[cpu].empty, then=state.beds.asleep[cpu].empty)


class Asking(Machine):
    """vCPUs that ask again and again."""

    vcpu = Thread("vCPU", each=Cpu)

    waits = CpuBitmap("what the vCPU waits for")

    @action(vcpu, environment=True)
    def asks(self, cpu: Cpu) -> None:
        """asks"""
        require(self.waits[cpu].empty)
        self.waits[cpu] = ALL


class OneServer(Asking):
    """One thread that serves either vCPU, and may serve the same one for ever."""

    server = Thread("server")

    @action(server)
    def serves(self, cpu: Cpu) -> None:
        """serves one that waits"""
        require(not self.waits[cpu].empty)
        self.waits[cpu] = NONE


class OneServerInTwoActions(Asking):
    """The same thread, with the parameter written out as two actions."""

    server = Thread("server")

    @action(server)
    def serves_first(self) -> None:
        """serves the first"""
        require(not self.waits[Cpu(0)].empty)
        self.waits[Cpu(0)] = NONE

    @action(server)
    def serves_second(self) -> None:
        """serves the second"""
        require(not self.waits[Cpu(1)].empty)
        self.waits[Cpu(1)] = NONE


class ServerForEach(Asking):
    """A thread for each vCPU, which serves no other."""

    server = Thread("server", each=Cpu)

    @action(server)
    def serves(self, cpu: Cpu) -> None:
        """serves its vCPU"""
        require(not self.waits[cpu].empty)
        self.waits[cpu] = NONE


class ServerWithFairAction(OneServer):
    """Its action is fair by itself, which says nothing of the vCPU that it is taken for."""

    @action(OneServer.server, fair=True)
    def serves(self, cpu: Cpu) -> None:
        """serves one that waits"""
        super().serves(cpu)


class Favourite(Protocol):
    desk = OneServer

    @staticmethod
    def may_rest(state: View) -> bool:
        return True


class FavouriteInTwoActions(Favourite):
    desk = OneServerInTwoActions  # type: ignore[assignment]


class FavouriteOfFairAction(Favourite):
    desk = ServerWithFairAction


class NoFavourite(Favourite):
    desk = ServerForEach  # type: ignore[assignment]


@eventually("Each vCPU is served in the end")
def each_served(state: View, cpu: Cpu) -> LeadsTo:
    """It starves."""
    return LeadsTo(when=not state.desk.waits[cpu].empty, then=state.desk.waits[cpu].empty)


class Lock(Machine):
    """A lock that two threads take: one of them takes it again as soon as it has let go."""

    busy = Thread("busy thread")
    patient = Thread("patient thread")

    free = Flag("the lock is free", True)
    waits = Flag("the patient thread wants it", True)

    @action(busy)
    def locks(self) -> None:
        """takes the lock"""
        require(self.free)
        self.free = False

    @action(busy)
    def unlocks(self) -> None:
        """lets it go"""
        require(not self.free)
        self.free = True

    @action(patient, fair=True)
    def takes(self) -> None:
        """takes the lock"""
        require(self.free)
        self.waits = not self.waits


class FairLock(Lock):
    """The lock goes to a thread that wanted it before."""

    @action(Lock.patient, fair="strongly")
    def takes(self) -> None:
        """takes the lock"""
        super().takes()


class TakesTheLock(Protocol):
    cpus = 2
    lock = Lock

    @staticmethod
    def may_rest(state: View) -> bool:
        return True


class TakesTheFairLock(TakesTheLock):
    lock = FairLock


@eventually("The patient thread gets the lock")
def waits_in_vain(state: View) -> LeadsTo:
    """It could have it again and again, and never gets it."""
    return LeadsTo(when=state.lock.waits, then=not state.lock.waits)


@eventually("The lock is free for ever")
def comes_back(state: View) -> LeadsTo:
    """It is taken again and again."""
    return LeadsTo(when=True, then=False)
