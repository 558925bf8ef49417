"""A run that a user makes by hand, one step at a time: the pages and files of `postcopy explore`.

The address of a page is the run: in which initial state it starts, and which actions were taken. So going back is the
browser's going back, an address can be kept, and nothing is remembered between two requests. How pages get to a
browser stands in `postcopy.report.pages.serving`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from markupsafe import Markup

from postcopy.errors import PostcopyError, TraceError, UsageError
from postcopy.language.actions import PageChoice, numbers_of
from postcopy.language.concrete import Transition, is_deadlock, may_rest, successors, violated_by
from postcopy.language.instance import Instance, State
from postcopy.language.properties import NO_DEADLOCK
from postcopy.language.trace import Label, Trace, follow
from postcopy.report.charts.formats import formats
from postcopy.report.pages import template as pages
from postcopy.report.pages.story import environment, run_of
from postcopy.report.story.asked import Says, asked_along, violated_along
from postcopy.report.story.story_format import Kept
from postcopy.report.story.words import plain, value_words, variable_words

MOST = 200
"""Steps of a run by hand: its page takes half a second."""


SECTIONS = (("Must hold", False), ("Must be reachable", True))
"""The properties in two groups: those that have to hold, and witnesses."""

SIGNS: dict[Says, str] = {
    "holds": "✓",
    "violated": "✗",
    "reached": "✓",
    "reached before": "○",
    "not reached": "·",
    "not asked": "·",
}
"""The sign of what a property says."""


@dataclass(frozen=True)
class Response:
    """The answer to a request.

    Attributes:
        status: as HTTP has it.
        kind: the content's type.
        body: the content.
        name: the file's name, for what is to be saved.
    """

    status: int
    kind: str
    body: bytes
    name: str = ""


@dataclass(frozen=True)
class Choice:
    """An action that can be taken, once for each page that it can be taken with.

    Attributes:
        does: what it does.
        ways: of each page, or pair of pages, in words (None where it takes none), the run with this step, and the
            properties that it would violate.
    """

    does: str
    ways: tuple[tuple[str | None, str, tuple[str, ...]], ...]


class Stepping:
    """Runs of one protocol at one size.

    Args:
        name: the name by which a stored trace finds the protocol again.
        instance: the protocol, with all that can be asked of it.
    """

    def __init__(self, name: str, instance: Instance) -> None:
        self.name, self.instance = name, instance
        self.starts = instance.initial_states()

    # -- addresses

    def query(self, start: int, labels: list[Label]) -> str:
        """A run as an address: ``?start=7&step=source.sends_precopy_page:1``."""
        steps = [("step", ":".join([name, *map(str, numbers_of(page))])) for name, page in labels]
        return "?" + urlencode([("start", str(start)), *steps], safe=":[]", quote_via=quote)

    def address(self, trace: Trace) -> str:
        """The address of a run that was made elsewhere.

        Raises:
            TraceError: it is too long, or starts in the middle.
        """
        if len(trace.steps) > MOST:
            raise TraceError(f"a run of {len(trace.steps)} steps is too long to go on from by hand ({MOST} at most)")
        if trace.initial not in self.starts:
            raise TraceError("the run does not start where runs start: it cannot be gone on from by hand")
        return self.query(self.starts.index(trace.initial), trace.labels) + f"#1-{len(trace.steps)}"

    def run(self, query: str) -> tuple[int, Trace]:
        """The run that an address means, and which initial state it starts in: the last where it names none, in which
        everything is there that may be there.

        Raises:
            PostcopyError: it means none, or the protocol's own code errs.
        """
        start, labels = len(self.starts) - 1, []
        for key, value in parse_qsl(query, keep_blank_values=True):
            if key == "start":
                start = _number(value, "start", len(self.starts))
            elif key == "step":
                name, *pages = value.split(":")
                labels.append((name, self._choice(name, pages)))
            else:
                raise UsageError(f"{key}: an address has start and step only")
        if len(labels) > MOST:
            raise UsageError(f"{len(labels)} steps are too many ({MOST} at most)")
        return start, self._judged(follow(self.instance, self.starts[start], labels, None))

    def _choice(self, name: str, pages: list[str]) -> PageChoice:
        """The pages of a step in an address: as many as its action has."""
        takes = {action.name: len(action.page_names) for action in self.instance.actions}.get(name, len(pages))
        if len(pages) != takes:
            raise UsageError(f"{name} takes {takes} page{'s' * (takes != 1)}, not {len(pages)}")
        found = [_number(page, "page", self.instance.pages) for page in pages]
        return (found[0], found[1]) if len(found) == 2 else found[0] if found else None

    def _judged(self, trace: Trace) -> Trace:
        """The run with what its end violates, if it does."""
        violated = next(iter(self._violated(trace, len(trace.steps))), None)
        return Trace(trace.instance, trace.initial, trace.steps, violated)

    def _violated(self, trace: Trace, number: int) -> tuple[str, ...]:
        """What a step or the state after it violates."""
        state = trace.states[number]
        of_step = trace.steps[number - 1].violated if number else ()
        return self._offences(of_step, state)

    def _offences(self, of_step: tuple[str, ...], state: State) -> tuple[str, ...]:
        stuck = (NO_DEADLOCK.name,) if is_deadlock(self.instance, state) else ()
        return tuple(dict.fromkeys((*of_step, *violated_by(self.instance, state), *stuck)))

    # -- answers

    def answer(self, target: str) -> Response:
        """The answer to a request; for an address without a meaning, a page that says so."""
        parts = urlsplit(target)
        try:
            if parts.path == "/":
                return Response(200, "text/html", self.page(*self.run(parts.query)).encode())
            form = parts.path.removeprefix("/run")
            if form in FILES:
                content = FILES[form].write(Kept(self.run(parts.query)[1], self.name))
                return Response(200, FILES[form].media, content, f"{self._file_name}{form}")
        except PostcopyError as error:
            return Response(400, "text/html", self._refusal(str(error)).encode())
        return Response(404, "text/html", self._refusal("there is no such page").encode())

    @property
    def _file_name(self) -> str:
        return "".join(c if c.isalnum() else "-" for c in self.name.rpartition("/")[2])

    def page(self, start: int, trace: Trace) -> str:
        """The page of a run: chart and panel as in a report, and in the panel what can be done next."""
        labels = trace.labels
        prefixes = [self.query(start, labels[:n]) + (f"#1-{n}" if n else "") for n in range(len(labels) + 1)]
        broken = [(n, prefixes[n], names) for n in range(len(labels)) if (names := self._violated(trace, n))]
        end, asked = trace.states[-1], asked_along(trace)
        sections = [(t, [a for a in asked if a.prop.is_witness is witness]) for t, witness in SECTIONS]
        return (
            environment()
            .get_template("explore.html")
            .render(
                name=self.name,
                size=self.instance.size,
                run=run_of(trace),
                hosts=list(self._choices(start, trace)),
                starts=self._starts(start) if not labels else [],
                may_rest=may_rest(self.instance, end),
                full=len(labels) >= MOST,
                prefixes=prefixes,
                broken=broken,
                asked=[(title, its) for title, its in sections if its],
                counts=violated_along(asked, len(labels)),
                signs=SIGNS,
                not_asked=sum(p.of_runs for p in self.instance.properties),
                files=[(end, form.help, f"/run{end}{self.query(start, labels)}") for end, form in FILES.items()],
                colours=pages.COLOURS,
                style=pages.text("style.css") + "\n" + pages.text("explore.css"),
                script=pages.text("report.js") + "\n" + pages.text("explore.js"),
            )
        )

    def _choices(self, start: int, trace: Trace) -> Iterator[tuple[str, list[tuple[str, list[Choice]]]]]:
        """Host by host and thread by thread what it can do; nothing where it has nothing to do."""
        can: dict[str, list[Transition]] = {}
        for step in successors(self.instance, trace.states[-1]):
            can.setdefault(step.action.name, []).append(step)
        threads: dict[tuple[str, str], list[Choice]] = {}
        for action in self.instance.actions:
            choices = threads.setdefault((plain(action.machine), action.thread), [])
            ways = [
                (_pages_in_words(step.page), self._after(start, trace, step), self._offences(step.violated, step.state))
                for step in can.get(action.name, [])
            ]
            if ways:
                choices.append(Choice(action.doc, tuple(ways)))
        for host, its in groupby(threads.items(), key=lambda item: item[0][0]):
            yield host, [(thread, choices) for (_, thread), choices in its]

    def _after(self, start: int, trace: Trace, step: Transition) -> str:
        labels = [*trace.labels, (step.action.name, step.page)]
        return self.query(start, labels) + f"#1-{len(labels)}"

    def _starts(self, start: int) -> list[tuple[str, list[tuple[str, str, bool]]]]:
        """Where a start may differ: what it is, and for each value its words, its address and whether it is chosen."""
        chosen, found = self.starts[start], []
        for i, variable in enumerate(self.instance.variables):
            values = sorted({other[i] for other in self.starts})
            if len(values) > 1:
                ways = [
                    (
                        value_words(variable, value),
                        self.query(self.starts.index((*chosen[:i], value, *chosen[i + 1 :])), []),
                        value == chosen[i],
                    )
                    for value in values
                ]
                found.append((variable_words(variable), ways))
        return found

    def _refusal(self, why: str) -> str:
        return _REFUSAL.format(f"{why[:1].upper()}{why[1:].rstrip('.')}")


_REFUSAL = Markup(
    '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
    '<title>postcopy</title><p>{}.</p><p><a href="/">Start again</a></p></html>'
)


def _pages_in_words(choice: PageChoice) -> str | None:
    pages = [str(page) for page in numbers_of(choice)]
    return f"page{'s' * (len(pages) > 1)} {' and '.join(pages)}" if pages else None


def _number(text: str, what: str, count: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 9 and int(text) < count):
        raise UsageError(f"{what} {text or '(nothing)'}: there are 0 to {count - 1}")
    return int(text)


FILES = {form.ending: form for form in formats()}
"""What a run can be saved as, by the file's ending."""
