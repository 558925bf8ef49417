"""The automaton is the model's, seen for one page: it takes all that the model does, and a fault in that changes it."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from functools import cache
from typing import cast

import pytest

from postcopy.api.monitoring import DEFAULT
from postcopy.catalogue.loading import by_name
from postcopy.conformance.qemu import wire_meaning as wire
from postcopy.conformance.qemu.observations import Connected, Sent
from postcopy.errors import UsageError
from postcopy.explorer.kernel.stepper import Stepper
from postcopy.language.concrete import take
from postcopy.language.instance import Instance
from postcopy.language.values import ConcretePages
from postcopy.monitor.automaton import ANYTHING, REFUTED, Automaton, determinize
from postcopy.monitor.compiled import LATE, LOST, NOT_SENT, OF_PAGES, REQUESTED, SENT, SHOWN, Compiled, compile_monitor
from postcopy.monitor.projection import ROOM, Graph, Symbol

RECOVERING = "whole-bitmap-discard+recovery"


def to_all(*means: Sent | Connected) -> list[Symbol]:
    return [Symbol(its, False) for its in means]


PAGE, URGENT, REQUEST, DISCARD = (
    Symbol(its, True) for its in (wire.PAGE, wire.URGENT_PAGE, wire.REQUEST, wire.DISCARD)
)
OPENING = to_all(wire.OPEN_RETURN_PATH, wire.PING, wire.PONG, wire.ADVISE)
SWITCHED = [*OPENING, PAGE, DISCARD, *to_all(wire.PACKAGED)]
BROKEN = to_all(Connected("stream"), wire.ASK_BITMAP)
RESUMED = to_all(wire.RESUME, wire.RESUME_ACK)


@cache
def automaton_of(name: str, room: int = ROOM, *, lazily: bool = True) -> Automaton:
    graph = Graph([by_name(name)], SHOWN, LATE, room)
    return determinize(graph, "", lambda before, _: before, lazily=lazily)


def difference(one: Automaton, other: Automaton) -> list[Symbol] | None:
    """A shortest word that one has and the other has not; None where there is none."""
    queue = deque([(one.start, other.start)])
    came: dict[tuple[int, int], list[Symbol]] = {(one.start, other.start): []}
    while queue:
        pair = queue.popleft()
        for symbol, after in one.after.items():
            then = after[pair[0]], other.then(symbol, bytes([pair[1]]))[0]
            word = [*came[pair], symbol]
            if then[0] == REFUTED or then in came:
                continue
            if then[1] == REFUTED:
                return word
            came[then] = word
            queue.append(then)
    return None


@pytest.mark.unmeasured
def test_a_byte_is_enough(compiled: Compiled) -> None:
    assert compiled.page.states <= 254
    assert compiled.whole.states <= 254
    assert isinstance(compiled.page, Automaton)
    assert all(len(column) == 256 for column in compiled.page.after.values())
    assert compiled.page.labels[compiled.page.start] == NOT_SENT


def test_it_is_kept(compiled: Compiled) -> None:
    assert compile_monitor("what QEMU does", [by_name(name) for name in DEFAULT]) == compiled


@pytest.mark.parametrize(
    ("word", "last"),
    [
        pytest.param([*SWITCHED, PAGE, *to_all(wire.EOF, wire.SHUT_OK)], SENT, id="postcopy"),
        pytest.param([*OPENING, PAGE, *to_all(wire.PRECOPY_END, wire.SHUT_OK)], SENT, id="precopy"),
        pytest.param([*OPENING, *[PAGE] * 40, DISCARD, *to_all(wire.PACKAGED)], "discarded", id="sent often"),
        pytest.param([*SWITCHED, *[REQUEST] * 9], REQUESTED, id="many vCPUs request it"),
        pytest.param(
            [*SWITCHED, REQUEST, PAGE, REQUEST, *to_all(wire.EOF)], SENT, id="requested once more as it comes"
        ),
        pytest.param([*OPENING, DISCARD, *to_all(wire.PACKAGED), REQUEST, URGENT], SENT, id="urgent"),
        pytest.param([*SWITCHED, REQUEST, *to_all(wire.EOF), URGENT, *to_all(wire.SHUT_OK)], SENT, id="seen late"),
        pytest.param([*SWITCHED, PAGE, *BROKEN, *to_all(wire.BITMAP), *RESUMED], LOST, id="lost with the connection"),
        pytest.param([*SWITCHED, PAGE, *BROKEN, *to_all(wire.BITMAP), *RESUMED, PAGE], SENT, id="and sent again"),
    ],
)
def test_what_qemu_does(compiled: Compiled, word: list[Symbol], last: str) -> None:
    state = compiled.page.run(word)
    assert state not in (REFUTED, ANYTHING)
    assert compiled.page.labels[state] == last


@pytest.mark.parametrize(
    ("before", "wrong"),
    [
        pytest.param([*SWITCHED, PAGE], PAGE, id="sent twice in postcopy"),
        pytest.param([*SWITCHED, REQUEST, URGENT], PAGE, id="sent on both connections"),
        pytest.param([*OPENING, PAGE, *to_all(wire.PACKAGED)], PAGE, id="clean, and sent in postcopy"),
        pytest.param([*OPENING, PAGE, *to_all(wire.PACKAGED)], REQUEST, id="there, and requested"),
        pytest.param([*OPENING, PAGE], REQUEST, id="requested before the package"),
        pytest.param([*OPENING, PAGE], URGENT, id="urgent before the package"),
        pytest.param([*SWITCHED, PAGE, *to_all(wire.EOF)], PAGE, id="sent after the end"),
        pytest.param(SWITCHED, Symbol(wire.EOF, False), id="never sent"),
        pytest.param([*OPENING, PAGE, DISCARD], DISCARD, id="discarded twice"),
        pytest.param(SWITCHED, DISCARD, id="discarded after the package"),
        pytest.param([*SWITCHED, PAGE, *to_all(wire.EOF, wire.SHUT_OK)], REQUEST, id="requested after the end"),
        pytest.param(
            [*SWITCHED, PAGE, *BROKEN, Symbol(wire.BITMAP, True), *RESUMED], PAGE, id="there, and sent after the break"
        ),
        pytest.param([*SWITCHED, *BROKEN], Symbol(wire.BITMAP, True), id="never sent, and said to have come"),
    ],
)
def test_what_qemu_does_not(compiled: Compiled, before: list[Symbol], wrong: Symbol) -> None:
    assert compiled.page.run(before) not in (REFUTED, ANYTHING)
    assert compiled.page.run([*before, wrong]) == REFUTED
    assert wrong not in compiled.page.allowed(compiled.page.run(before))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Postcopy", RECOVERING])
def test_hidden_steps_early_or_late(name: str) -> None:
    """Both ways to put in the steps that are not seen give the same language."""
    late, early = automaton_of(name), automaton_of(name, lazily=False)
    assert difference(late, early) is None
    assert difference(early, late) is None


@pytest.mark.unmeasured
def test_where_channels_are_too_short_nothing_is_refuted() -> None:
    """A run that does not fit into the channels is not forbidden by the model: then everything is allowed."""
    short, long = automaton_of("Postcopy", 2), automaton_of("Postcopy")
    assert difference(long, short) is None
    word = difference(short, long)
    assert word is not None
    assert short.run(word) == ANYTHING


def test_too_many_states_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postcopy.monitor.projection.MOST_STATES", 100)
    with pytest.raises(UsageError, match="more than 100 states"):
        automaton_of("Postcopy", 3)


def test_too_much_for_a_byte_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postcopy.monitor.automaton.MOST", 5)
    with pytest.raises(UsageError, match="a byte tells 5 apart"):
        automaton_of("Postcopy", 4)


# -- a fault in the model --------------------------------------------------------------------------------------------


@pytest.mark.slow_but("send-leaves-dirty-last0", "shut-sent-again-last5")
@pytest.mark.parametrize(
    ("fault", "last"),
    [
        ("send-leaves-dirty", wire.PAGE),  # in postcopy a page is sent twice
        ("resync-in-postcopy", wire.PAGE),  # a page that was clean is sent
        ("discards-after-package", wire.DISCARD),
        ("ends-with-dirty-pages", wire.EOF),
        ("shut-before-the-end", wire.SHUT_OK),
        ("shut-sent-again", wire.SHUT_OK),
        ("advise-left-out", wire.PACKAGED),
    ],
)
def test_a_fault_in_the_model_changes_the_automaton(fault: str, last: Sent) -> None:
    """What the faulty protocol does, and the sound one does not, is refuted at the message that is wrong."""
    sound, faulty = automaton_of("Postcopy"), automaton_of(fault)
    word = difference(faulty, sound)
    assert word is not None
    assert word[-1].means == last
    assert sound.run(word[:-1]) not in (REFUTED, ANYTHING)
    assert sound.run(word) == REFUTED
    assert faulty.run(word) not in (REFUTED, ANYTHING)


# -- runs of the model at two pages ----------------------------------------------------------------------------------

RARE = ("host_dies", "operator_cancels", "loses_the_connection", "refuses_advise")


def words_of(name: str, seed: int, steps: int = 200) -> Iterator[list[Symbol]]:
    """What a proxy sees of each of two pages in a random run."""
    instance = Instance(by_name(name), 2, 3)
    stepper, chosen = _stepper(name), random.Random(seed)
    state = chosen.choice(instance.initial_states())
    up = instance.index[instance.channels["stream"].up]
    words: list[list[Symbol]] = [[], []]
    for _ in range(steps):
        indices = [move.action for move in stepper.moves(stepper.pack(state))]
        likely = [i for i in indices if instance.actions[i].method not in RARE or chosen.random() < 0.05]
        if not likely:
            break
        action = instance.actions[chosen.choice(likely)]
        taken = [step for page in action.choices(2) if (step := take(instance, state, action, page)) is not None]
        if not taken:
            continue
        step = chosen.choice(taken)
        if not state[up] and step.state[up]:
            for word in words:
                word.append(Symbol(Connected("stream"), False))
        for event in step.events:
            means = Sent(event.channel, event.what.name)
            if event.sent and means in SHOWN:
                for page, word in enumerate(words):
                    about = bool(cast(ConcretePages, event.pages).bits >> page & 1)
                    if about or (means not in OF_PAGES and means != wire.DISCARD):
                        word.append(Symbol(means, about))
        state = step.state
    yield from words


@cache
def _stepper(name: str) -> Stepper:
    return Stepper(Instance(by_name(name), 2, 3))


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", ["Postcopy", *(pytest.param(name, marks=pytest.mark.slow) for name in DEFAULT)])
def test_every_run_of_two_pages_is_accepted(name: str) -> None:
    longest = 0
    for seed in range(30):
        for word in words_of(name, seed):
            assert automaton_of(name).run(word) != REFUTED, [str(symbol) for symbol in word]
            longest = max(longest, len(word))
    assert longest > 7


@pytest.mark.unmeasured
def test_runs_of_a_fault_are_refuted() -> None:
    found = [automaton_of("Postcopy").run(word) for seed in range(30) for word in words_of("send-leaves-dirty", seed)]
    assert REFUTED in found
