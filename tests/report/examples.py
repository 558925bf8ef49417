"""Two tiny protocols: what these tests expect must not move when the real protocol does.

`Letters` has a bit of everything that a story tells; `Handover` is small enough to count its states by hand.
"""

from enum import Enum, IntEnum, auto

from postcopy.language import (
    ALL,
    EITHER,
    NO_DEADLOCK,
    Bitmap,
    Channel,
    Choice,
    Count,
    Cpu,
    CpuBitmap,
    Flag,
    Ghost,
    Machine,
    Network,
    Page,
    PageSet,
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
)
from postcopy.language.instance import Instance, State
from postcopy.language.trace import Trace, follow


class Mail(Enum):
    LETTER = auto()
    LAST_LETTER = auto()


class Seen(Enum):
    READ = auto()


class Mood(Enum):
    CALM = auto()
    IN_A_HURRY = auto()


class Writer(Machine):
    author = Thread("author")
    clerk = Thread("clerk")

    mood = Choice("the writer's mood", Mood.CALM)
    drafts = Bitmap("the drafts: pages that wait for the post")
    count = Count("letters sent", 0, 9)
    express = Flag("letters go by express", EITHER)
    mail = Sends("mail_van")

    @action(author, environment=True)
    def writes(self, page: Page) -> None:
        """writes a page"""
        self.drafts |= page
        self.diary.wrote(page)

    @action(clerk, rule="R1 R2", qemu="post_letter")
    def posts(self, page: Page) -> None:
        """posts a page; #1 | as_is"""
        require(self.drafts[page])
        require(self.mail.room())
        self.drafts -= page
        self.count += 1
        self.mood = Mood.IN_A_HURRY
        self.mail.send(Mail.LETTER, page, old=page - page)


class Reader(Machine):
    postman = Thread("postman")
    vcpu = Thread("vCPU", each=Cpu)

    has = Bitmap("letters in the house")
    waiting = CpuBitmap("the page that the vCPU waits for", waits=vcpu)
    mail = Receives("mail_van")

    @action(postman, rule="R3")
    def delivers(self) -> None:
        """delivers a letter"""
        message = self.mail.receive(Mail.LETTER)
        self.has |= message.pages
        self.diary.kept(message.pages, message.marked["old"])

    @action(vcpu, environment=True)
    def reads(self, cpu: Cpu, page: Page) -> None:
        """reads a page"""
        if self.has[page]:
            self.observe(Seen.READ, page)
        else:
            self.waiting[cpu] = page


class Road(Machine):
    weather = Thread("weather")

    mail = Network("mail_van")

    @action(weather, environment=True)
    def washes_away(self) -> None:
        """washes the newest letter away"""
        require(not self.mail.empty)
        self.mail.drop_newest()


class Diary(Ghost):
    outdated = Bitmap("letters in the house that are no longer true")

    def wrote(self, page: PageSet) -> None:
        self.outdated |= page & self.world.reader.has
        self.world.mail_van.mark("old", page)

    def kept(self, page: PageSet, old: PageSet) -> None:
        self.outdated = (self.outdated - page) | old


class Letters(Protocol):
    """Letters | on a *van*."""

    cpus = 1
    writer = Writer
    reader = Reader
    road = Road
    diary = Diary
    mail_van = Channel(Mail, marks=("old",), marked=(Mail.LETTER,))

    @staticmethod
    def may_rest(state: View) -> bool:
        return bool(state.reader.waiting.any.empty)


@every_step("Nobody reads an old letter", rules="R7")
def no_old_letter(step: Step) -> PageSet:
    """What was read is not what was written last."""
    outdated: PageSet = step.before.diary.outdated
    return step.of(Seen.READ) & outdated


@always("The house is never empty")
def house_full(state: View) -> bool:
    """There was nothing to read."""
    return not state.reader.has.empty


@always("No letter is outdated")
def no_outdated(state: View) -> PageSet:
    """It should have been thrown away."""
    outdated: PageSet = state.diary.outdated
    return outdated


PROPERTIES = (no_old_letter, house_full, no_outdated, NO_DEADLOCK)

OLD_LETTER: list[tuple[str, int | None]] = [
    ("writer.writes", 0),
    ("writer.posts", 0),
    ("writer.writes", 0),
    ("reader.delivers", None),
    ("reader.reads[0]", 0),
]


def letters(pages: int = 2, in_flight: int = 2, group: int = 1) -> Instance:
    return Instance(Letters, pages, in_flight, PROPERTIES, group)


def run(labels: list[tuple[str, int | None]], violated: str | None, instance: Instance | None = None) -> Trace:
    instance = instance or letters()
    return follow(instance, first_state(instance), labels, violated)


def first_state(instance: Instance) -> State:
    return instance.initial_states()[0]


def old_letter() -> Trace:
    """A counterexample: a letter is written again while its first version is on its way."""
    return run(OLD_LETTER, "no-old-letter")


class Phase(IntEnum):
    IDLE = auto()
    SENDING = auto()
    DONE = auto()


class Parcel(IntEnum):
    PAGE = auto()


class Giver(Machine):
    operator = Thread("operator")
    sender = Thread("sender")

    phase = Choice("how far it is", Phase.IDLE)
    left = Bitmap("pages still to be sent", initial=ALL)
    post = Sends("post")

    @action(operator, environment=True)
    def starts(self) -> None:
        """starts <now> & here"""
        require(self.phase == Phase.IDLE)
        self.phase = Phase.SENDING

    @action(sender)
    def sends(self, page: Page) -> None:
        """sends a page"""
        require(self.phase == Phase.SENDING)
        require(self.left[page])
        require(self.post.room())
        self.left -= page
        self.post.send(Parcel.PAGE, page)

    @action(sender)
    def finishes(self) -> None:
        """finishes when nothing is left"""
        require(self.phase == Phase.SENDING)
        require(self.left.empty)
        self.phase = Phase.DONE


class Taker(Machine):
    receiver = Thread("receiver")
    guest = Thread("guest")

    has = Bitmap("pages that are here")
    awake = Flag("somebody looks", True)
    post = Receives("post")

    @action(receiver)
    def receives(self) -> None:
        """receives a page"""
        self.has |= self.post.receive(Parcel.PAGE).pages

    @action(guest, environment=True)
    def looks(self) -> None:
        """looks at what there is"""
        require(self.awake)


class Handover(Protocol):
    cpus = 1
    source = Giver
    destination = Taker
    post = Channel(Parcel)

    @staticmethod
    def may_rest(state: View) -> bool:
        return bool(state.source.phase == Phase.IDLE or state.destination.has.full)


class Unsure(Handover):
    class destination(Taker):  # noqa: N801
        awake = Flag("somebody looks", EITHER)


class NothingReceived(Handover):
    class destination(Taker):  # noqa: N801
        receives = None  # type: ignore[assignment]


@every_step("It never finishes")
def never_finishes(step: Step) -> bool:
    """It did."""
    return not (step.before.source.phase == Phase.SENDING and step.after.source.phase == Phase.DONE)


@every_step("Nobody looks once something is here")
def nobody_looks(step: Step) -> bool:
    """Somebody did."""
    return not (step.action.method == "looks" and not step.before.destination.has.empty)


@always("Nothing arrives")
def nothing_arrives(state: View) -> bool:
    """Something did."""
    return bool(state.destination.has.empty)
