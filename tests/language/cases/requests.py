"""A small protocol whose messages say more than their pages: with a flag, a number, a choice and a set of pages."""

from __future__ import annotations

from enum import Enum, auto

from postcopy.language import (
    ALL,
    Answer,
    Bitmap,
    Channel,
    Choice,
    Count,
    Flag,
    Machine,
    Page,
    Protocol,
    Receives,
    Sends,
    Thread,
    View,
    action,
    always,
    conjunct,
    require,
)


class Ask(Enum):
    PAGE = auto()


class Why(Enum):
    FAULT = auto()
    PREFETCH = auto()


class Client(Machine):
    """Asks for each page once, urgently or not."""

    client = Thread("client")
    wanted = Bitmap("pages to ask for", ALL)
    urgent = Bitmap("pages asked for urgently")
    requests = Sends("requests")

    @action(client)
    def asks(self, page: Page) -> None:
        """asks for a page that can wait, and says what else it wants"""
        require(self.wanted[page])
        require(self.requests.room())
        self.wanted -= page
        self.requests.send(Ask.PAGE, page, why=Why.PREFETCH, rest=self.wanted)

    @action(client)
    def asks_urgently(self, page: Page) -> None:
        """asks for a page that cannot wait"""
        require(self.wanted[page])
        require(self.requests.room())
        self.wanted -= page
        self.urgent |= page
        self.requests.send(Ask.PAGE, page, urgent=True, tries=2)


class Server(Machine):
    """Serves what is urgent, and puts off what is not."""

    server = Thread("server")
    served = Bitmap("pages served at once")
    later = Bitmap("pages put off")
    announced = Bitmap("what else is wanted")
    tries = Count("how often the last page was tried", 1, 3, 1)
    why = Choice("why the last page was wanted", Why.FAULT)
    last = Flag("the last page was urgent")
    requests = Receives("requests")

    @action(server)
    def serves(self) -> None:
        """serves an urgent request"""
        require(self.requests.peek(Ask.PAGE).carried["urgent"])
        message = self.requests.receive(Ask.PAGE)
        self.served |= message.pages
        self._notes(message.carried["tries"], message.carried["why"])
        self.last = message.carried["urgent"]

    @action(server)
    def puts_off(self) -> None:
        """puts off a request that is not urgent"""
        message = self.requests.receive(Ask.PAGE)
        require(not message.carried["urgent"])
        require(message.carried["why"] == Why.PREFETCH and message.carried["tries"] < 2)
        self.later |= message.pages
        self.announced = message.carried["rest"]
        self._notes(message.carried["tries"], message.carried["why"])
        self.last = message.carried["urgent"]

    def _notes(self, tries: int, why: Why) -> None:
        self.tries = tries
        self.why = why


@always("Only what was asked for urgently is served at once")
def urgent_was_asked(state: View) -> Answer:
    """It could have waited."""
    forged: Answer = state.server.served - state.client.urgent
    return forged


@always("No request on its way is both urgent and a prefetch")
def one_or_the_other(state: View) -> Answer:
    """It is both."""
    both: Answer = state.requests.in_flight(Ask.PAGE, urgent=True, why=Why.PREFETCH)
    return both


@always("A page that is put off is not announced any more")
def announced_once(state: View) -> Answer:
    """It is announced again."""
    twice: Answer = state.server.later & state.server.announced
    return twice


@always("What was noted of the last request fits together")
def notes_fit(state: View) -> bool:
    """An urgent one was tried twice."""
    return bool(not state.server.last or (state.server.tries == 2 and state.server.why == Why.FAULT))


@conjunct("An urgent request on its way was asked for urgently")
def urgent_on_its_way(state: View, page: Page) -> bool:
    return bool(state.client.urgent[page] or not state.requests.in_flight(Ask.PAGE, urgent=True)[page])


@conjunct("An urgent request on its way was tried twice")
def urgent_twice(state: View) -> bool:
    line = state.requests
    once_or_thrice = line.carries(Ask.PAGE, urgent=True, tries=1) or line.carries(Ask.PAGE, urgent=True, tries=3)
    return not (once_or_thrice or line.carries(Ask.PAGE, urgent=True, why=Why.PREFETCH))


class Requests(Protocol):
    """Requests with an urgency, a reason, a number, and what else is wanted."""

    client = Client
    server = Server
    requests = Channel(
        Ask,
        fields={
            "urgent": Flag("whether it is urgent"),
            "tries": Count("how often it was tried", 1, 3, 1),
            "why": Choice("why it is wanted", Why.FAULT),
            "rest": Bitmap("what else is wanted"),
        },
    )
    properties = (urgent_was_asked, one_or_the_other, announced_once, notes_fit)
    invariant = (urgent_on_its_way, urgent_twice)

    @staticmethod
    def may_rest(state: View) -> bool:
        return bool(state.client.wanted.empty and state.requests.empty)


class CriesWolf(Requests):
    """Everything is urgent."""

    class client(Client):
        def asks(self, page: Page) -> None:
            require(self.wanted[page])
            require(self.requests.room())
            self.wanted -= page
            self.requests.send(Ask.PAGE, page, urgent=True)


class ServesAll(Requests):
    """The server does not read the flag."""

    class server(Server):
        def serves(self) -> None:
            self.served |= self.requests.receive(Ask.PAGE).pages


class GivesNoReason(Requests):
    """What is not given has its initial value: here nobody says that it is a prefetch."""

    class client(Client):
        def asks(self, page: Page) -> None:
            require(self.wanted[page])
            require(self.requests.room())
            self.wanted -= page
            self.requests.send(Ask.PAGE, page, rest=self.wanted)


class AnnouncesAll(Requests):
    """The set is that before the page is crossed out."""

    class client(Client):
        def asks(self, page: Page) -> None:
            require(self.wanted[page])
            require(self.requests.room())
            self.requests.send(Ask.PAGE, page, why=Why.PREFETCH, rest=self.wanted)
            self.wanted -= page


class ConfusesBoth(Requests):
    """An urgent prefetch."""

    class client(Client):
        def asks_urgently(self, page: Page) -> None:
            require(self.wanted[page])
            require(self.requests.room())
            self.wanted -= page
            self.urgent |= page
            self.requests.send(Ask.PAGE, page, urgent=True, tries=2, why=Why.PREFETCH)


class TriesTooOften(Requests):
    """The number is counted on from the last one, without end."""

    class server(Server):
        def serves(self) -> None:
            message = self.requests.receive(Ask.PAGE)
            require(message.carried["urgent"])
            self.tries = message.carried["tries"] + 2
