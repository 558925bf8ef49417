"""What a monitor goes by: two automata of a protocol, one for each page and one for what is said to all.

They are compiled from the protocol's own text, and kept on disk: see `cache`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path

import msgspec

from postcopy.cache import user_cache
from postcopy.conformance.qemu import wire_meaning as wire
from postcopy.conformance.qemu.observations import Connected, Meaning
from postcopy.errors import UsageError
from postcopy.language.protocol import Protocol
from postcopy.monitor.automaton import Automaton, Judging, determinize
from postcopy.monitor.growing import Growing, Kept
from postcopy.monitor.projection import Graph, Symbol
from postcopy.version import __version__

NEW_CONNECTION = Connected(wire.PAGE.channel)
SHOWN: frozenset[Meaning] = frozenset((*wire.SHOWN, NEW_CONNECTION))
"""All that a proxy sees."""
LATE = (wire.URGENT_PAGE.channel,)
"""Channels on connections of their own: a proxy may see later what was sent earlier."""
OF_PAGES = frozenset((wire.PAGE, wire.URGENT_PAGE, wire.REQUEST))
"""Messages of which each is about one page, or neighbours."""

MOST_LOOKED_UP = 600_000
"""Of so many states of a graph the steps are asked for at most where automata grow: some hundreds of MiB."""

NOT_SENT, SENT, DISCARDED, REQUESTED, LOST = "not sent", "sent", "discarded", "requested", "lost"
PAGE_STATES = (NOT_SENT, SENT, DISCARDED, REQUESTED, LOST)
"""What the wire says of a page: lost is one that was sent, and that had not come when the connection broke."""

OPENING = "opening"
PHASES: dict[Meaning, str] = {
    wire.ADVISE: "precopy",
    wire.DISCARD: "switchover",
    wire.PACKAGED: "postcopy",
    wire.EOF: "ending",
    wire.PRECOPY_END: "ending in precopy",
    NEW_CONNECTION: "recovery",
    wire.RESUME_ACK: "postcopy",
    wire.SHUT_OK: "completed",
    wire.SHUT_ERROR: "failed",
}
"""What a message says of the migration as a whole."""


class Compiled(msgspec.Struct, frozen=True):
    """The automata.

    Attributes:
        name: of the protocol.
        page: judges the messages of one page and those to all; a state's label is one of `PAGE_STATES`.
        whole: judges the messages to all; a state's label is one of `PHASES`, or `OPENING`.
        keep: keeps what has been found while a stream was judged, for the next monitor.
    """

    name: str
    page: Judging
    whole: Judging
    keep: Callable[[], None] = lambda: None


def compile_monitor(name: str, protocols: Sequence[type[Protocol]]) -> Compiled:
    """The automata of what any of some protocols does.

    Raises:
        SpecError: a protocol cheats or errs.
        UsageError: there is too much that can be told apart.
    """
    graph = Graph(protocols, SHOWN, LATE)
    cache, key = user_cache(), "\n".join((__version__, _own_text(), name, *graph.texts))
    kept = cache.get("monitor.msgpack", key)
    if kept is not None:
        return _read(name, kept)
    if cache.get("monitor-grows.msgpack", key) is None:
        try:
            page = determinize(graph, NOT_SENT, page_state)
            whole = determinize(graph, OPENING, _phase, lambda symbol: symbol.means not in OF_PAGES)
        except UsageError:  # too large to be made as a whole
            pass
        else:
            cache.put("monitor.msgpack", key, msgspec.msgpack.encode([_plain(page), _plain(whole)]))
            return Compiled(name, page, whole)
    return _growing(name, graph, key)


def _growing(name: str, graph: Graph, key: str) -> Compiled:
    """Automata that grow, the usual streams looked up already."""
    cache, graph.most = user_cache(), MOST_LOOKED_UP
    page = Growing(graph, NOT_SENT, page_state)
    kept = cache.get("monitor-grows.msgpack", key)
    if kept is not None:
        page.learn(msgspec.msgpack.decode(kept, type=Kept))
    known = page.lookups

    def keep() -> None:
        nonlocal known
        if page.lookups > known:
            cache.put("monitor-grows.msgpack", key, msgspec.msgpack.encode(page.kept()))
            known = page.lookups

    for word in usual_words():
        page.run(symbol for symbol in word if page.has(symbol))
    keep()
    return Compiled(name, page, phases_alone(page), keep)


def usual_words() -> Iterator[list[Symbol]]:
    """What passes about a page, and to all, in migrations as they usually are."""

    def to_all(*means: Meaning) -> list[Symbol]:
        return [Symbol(its, False) for its in means]

    def about(*means: Meaning) -> list[Symbol]:
        return [Symbol(its, True) for its in means]

    opening = to_all(wire.OPEN_RETURN_PATH, wire.PING, wire.ADVISE, wire.PONG)
    yield to_all(wire.OPEN_RETURN_PATH, wire.PING, wire.PONG, wire.ADVISE)
    yield [*to_all(wire.OPEN_RETURN_PATH, wire.PING, wire.ADVISE), *about(wire.PAGE), *to_all(wire.PONG)]
    pages, urgent, asked = about(wire.PAGE), about(wire.URGENT_PAGE), about(wire.REQUEST)
    discards: list[list[Symbol]] = [about(wire.DISCARD), to_all(wire.DISCARD), []]
    package, loaded = to_all(wire.PACKAGED), to_all(wire.LOADED)
    over = to_all(wire.EOF, wire.SHUT_OK)
    for sent in ([], pages):
        yield [*opening, *sent, *sent, *to_all(wire.PRECOPY_END, wire.SHUT_OK)]
    for sent, discarded in product(([], pages), discards):
        begun = [*opening, *sent, *discarded, *package, *loaded]
        for early in (pages, asked, [*asked, *pages], urgent, [*asked, *urgent]):
            yield [*opening, *sent, *discarded, *package, *early, *loaded, *over]
        for middle in ([], pages, [*asked, *pages], asked, urgent, [*asked, *urgent]):
            yield [*begun, *middle, *over]
            for there, after in product((False, True), ([], pages, [*asked, *pages], urgent, [*asked, *urgent])):
                bitmap = [*to_all(NEW_CONNECTION, wire.ASK_BITMAP), Symbol(wire.BITMAP, there)]
                yield [*begun, *middle, *bitmap, *to_all(wire.RESUME, wire.RESUME_ACK), *after, *over]


def phases_alone(page: Growing) -> Automaton:
    """The phase alone: what the protocol does not do, each page refuses."""
    labels = tuple(dict.fromkeys((OPENING, *PHASES.values())))
    after: dict[Symbol, bytes] = {}
    for symbol in page.after:
        if symbol.means not in OF_PAGES:
            states = [labels.index(_phase(label, symbol)) for label in labels]
            after[symbol] = bytes([*states, *range(len(labels), 256)])
    return Automaton(0, after, labels)


def page_state(before: str, symbol: Symbol) -> str:
    """What the wire says of a page after a message, by what it said before."""
    if symbol.means in (wire.PAGE, wire.URGENT_PAGE):
        return SENT
    if symbol.means == wire.DISCARD:
        return DISCARDED if symbol.about else before
    if symbol.means == wire.REQUEST:
        return before if before == SENT else REQUESTED
    if symbol.means == wire.BITMAP:
        return SENT if symbol.about else LOST if before == SENT else before
    return before


def _phase(before: str, symbol: Symbol) -> str:
    return PHASES.get(symbol.means, before)


def _own_text() -> str:
    """The programs that make the automata: what another version of them has kept is not used."""
    files = (
        Path(__file__).with_name(name)
        for name in ("projection.py", "fields.py", "automaton.py", "growing.py", "compiled.py")
    )
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


_Plain = tuple[int, list[tuple[list[str], bool, bytes]], list[str]]


def _plain(automaton: Automaton) -> _Plain:
    columns = [(list(symbol.means), symbol.about, column) for symbol, column in automaton.after.items()]
    return automaton.start, columns, list(automaton.labels)


def _read(name: str, kept: bytes) -> Compiled:
    shown = {tuple(meaning): meaning for meaning in SHOWN}

    def automaton(plain: _Plain) -> Automaton:
        start, columns, labels = plain
        after = {Symbol(shown[tuple(means)], about): column for means, about, column in columns}
        return Automaton(start, after, tuple(labels))

    page, whole = msgspec.msgpack.decode(kept, type=list[_Plain])
    return Compiled(name, automaton(page), automaton(whole))
