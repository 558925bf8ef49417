"""Kept answers: what is found again, and what must not be, because it is an answer to something else."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import z3

from postcopy.cache import Cache
from postcopy.language import NO_DEADLOCK, Channel, Property, Protocol, View, action, conjunct
from postcopy.language import expressions as ex
from postcopy.language.channel_variables import ChannelVariables
from postcopy.language.expression_nodes import Node
from postcopy.language.messages import Pattern
from postcopy.language.variables import Sort, Variable
from postcopy.prover import answers as kept
from postcopy.prover import channel_expressions as on
from postcopy.prover import keys
from postcopy.prover.goal_solver import GoalSolver
from postcopy.prover.goals import Conjunct, Goal, Violation
from postcopy.prover.goals import Path as Steps
from postcopy.prover.keys import Keys, environment
from postcopy.prover.means import Means
from postcopy.prover.obligations import Obligation
from postcopy.prover.progress import Deadlock
from postcopy.prover.proving import Prover
from postcopy.prover.solving import Status
from postcopy.prover.unbounded import messages_of
from tests.prover.small import Token
from tests.prover.test_soundness import Listener, Question, always_allowed, asked_is_heard, nobody_hears


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path)


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is asked, by conjunct and action."""
    asked: list[tuple[str, str]] = []
    solve, solve_deadlock = GoalSolver.solve, GoalSolver.solve_deadlock

    def noting(self: GoalSolver, goals: Sequence[Goal], patient: bool = True) -> list[Obligation]:
        asked.extend((goal.conjunct, goal.action) for goal in goals)
        return solve(self, goals, patient)

    def noting_deadlock(self: GoalSolver, deadlock: Deadlock, part: int, patient: bool = True) -> Obligation:
        asked.append((deadlock.conjunct, str(part)))
        return solve_deadlock(self, deadlock, part, patient)

    monkeypatch.setattr(GoalSolver, "solve", noting)
    monkeypatch.setattr(GoalSolver, "solve_deadlock", noting_deadlock)
    return asked


def proved(cache: Cache | None, invariant: Sequence[Property], protocol: type[Protocol] = Question) -> list[Obligation]:
    return Prover(protocol, [NO_DEADLOCK], invariant, means=Means(cache=cache)).obligations(lambda *_: True)


def open_ones(obligations: Sequence[Obligation]) -> set[tuple[str, str]]:
    return {(o.conjunct, o.action) for o in obligations if o.status is not Status.PROVED}


def test_what_is_proved_is_not_asked_again(cache: Cache, questions: list[tuple[str, str]]) -> None:
    first = proved(cache, [asked_is_heard])
    assert ("asked-is-heard", "asker.asks") in questions
    questions.clear()
    again = proved(cache, [asked_is_heard])
    assert questions == []
    assert [replace(o, seconds=0) for o in again] == [replace(o, seconds=0) for o in first]
    assert all(o.status is Status.PROVED for o in again)
    assert any(o.uses for o in again)


def test_without_a_cache_all_is_asked(cache: Cache, questions: list[tuple[str, str]]) -> None:
    proved(cache, [asked_is_heard])
    asked = list(questions)
    questions.clear()
    proved(None, [asked_is_heard])
    assert questions == asked


def test_what_is_not_proved_is_asked_each_time(cache: Cache, questions: list[tuple[str, str]]) -> None:
    for _ in range(2):
        questions.clear()
        assert open_ones(proved(cache, [asked_is_heard, nobody_hears])) == {("nobody-hears", "listener.hears")}
        assert ("nobody-hears", "listener.hears") in questions


class HearsTwice(Listener):
    @action(Listener.listener)
    def hears(self) -> None:
        """hears the question, and forgets it"""
        self.there.receive(Token.TOKEN)
        self.heard = False


class Forgets(Question):
    """The listener does not remember what it has heard."""

    listener = HearsTwice


def test_a_changed_action_is_asked_anew_and_others_are_not(cache: Cache, questions: list[tuple[str, str]]) -> None:
    proved(cache, [asked_is_heard])
    questions.clear()
    found = proved(cache, [asked_is_heard], Forgets)
    assert ("asked-is-heard", "listener.hears") in open_ones(found)
    assert ("asked-is-heard", "listener.hears") in questions
    assert ("asked-is-heard", "asker.asks") not in questions


@conjunct("What is asked is on its way or heard")
def weaker(state: View) -> bool:
    """Or it is not allowed: that says less."""
    return not state.asker.asked or not state.asker.allowed or state.there.carries(Token.TOKEN) or state.listener.heard


STRONG = replace(asked_is_heard, name="both")
WEAK = replace(weaker, name="both")


@conjunct("Nobody has asked where asking is not allowed")
def asks_where_allowed(state: View) -> bool:
    """Asking requires it."""
    return not state.asker.asked or bool(state.asker.allowed)


@conjunct("What has been asked arrives, whatever is allowed")
def arrives(state: View) -> bool:
    """It follows from the strong conjunct, and not from the weak one."""
    return not state.asker.asked or state.there.carries(Token.TOKEN) or bool(state.listener.heard)


def test_an_answer_holds_only_of_the_conjuncts_that_it_used(cache: Cache, questions: list[tuple[str, str]]) -> None:
    """`no-deadlock` uses the conjunct `both`. When that says less, the answer is none."""
    assert open_ones(proved(cache, [STRONG])) == set()
    questions.clear()
    proved(cache, [WEAK])
    assert ("no-deadlock", "0") in questions
    questions.clear()
    assert open_ones(proved(cache, [STRONG, always_allowed])) == {("always-allowed", "in the initial states")}
    assert {conjunct for conjunct, _ in questions} == {"always-allowed"}  # one more conjunct changes no answer


@conjunct("There is a question, or none is needed")
def useless(state: View) -> bool:
    """It says nothing."""
    return True


def test_a_key_that_forgets_a_hypothesis_proves_what_is_not_so(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """The seeded fault: the digests of the used conjuncts are not compared."""
    nothing = replace(useless, name="both")
    assert open_ones(proved(cache, [STRONG])) == set()
    right = open_ones(proved(cache, [nothing]))
    assert right == {("no-deadlock", "any thread")}
    monkeypatch.setattr(Keys, "_conjunct", lambda *_: "the same for all")
    proved(cache, [STRONG])
    assert open_ones(proved(cache, [nothing])) == set()  # so `right` depends on the comparison


def test_a_conjunct_that_is_left_out_is_not_used(cache: Cache) -> None:
    proved(cache, [asked_is_heard])
    prover = Prover(Question, [NO_DEADLOCK], [asked_is_heard], means=Means(cache=cache)).without("asked-is-heard")
    assert open_ones(prover.obligations(lambda *_: True)) == {("no-deadlock", "any thread")}


def damaged(data: bytes) -> Iterator[bytes]:
    yield data[:-1]
    yield data[: len(data) // 2]
    yield b""
    yield data.replace(b'"questions"', b'"Questions"')
    for at in range(0, len(data), 50):
        yield bytes([*data[:at], data[at] ^ 1, *data[at + 1 :]])


def test_a_damaged_answer_is_asked_anew(cache: Cache, questions: list[tuple[str, str]]) -> None:
    proved(cache, [asked_is_heard])
    file = max(cache.directory.iterdir(), key=lambda f: f.stat().st_size)
    whole = file.read_bytes()
    for data in damaged(whole):
        file.write_bytes(data)
        questions.clear()
        assert open_ones(proved(cache, [asked_is_heard])) == set()
        assert questions
        questions.clear()
        proved(cache, [asked_is_heard])
        assert not questions  # it has been kept anew


@pytest.mark.parametrize("content", [b"", b"[]", b'{"x": 1}', b'{"x": {"uses": {}, "questions": "two", "seconds": 1}}'])
def test_what_is_whole_and_no_answer_is_asked_anew(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, questions: list[tuple[str, str]], content: bytes
) -> None:
    monkeypatch.setattr(Cache, "get", lambda *_: content)
    assert open_ones(proved(cache, [asked_is_heard])) == set()
    assert questions


def test_an_answer_to_fewer_questions_is_none(cache: Cache, questions: list[tuple[str, str]]) -> None:
    proved(cache, [asked_is_heard])
    questions.clear()
    real = kept.Answers._find

    def fewer(self: kept.Answers, action: str, key: str) -> Any:
        found = real(self, action, key)
        return found if found is None else kept.Answer(found.uses, found.questions - 1, 0.0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept.Answers, "_find", fewer)
        proved(cache, [asked_is_heard])
    assert ("asked-is-heard", "asker.asks") in questions


# -- each ingredient of a digest ---------------------------------------------------------------------------------------


class Letter(Enum):
    A = 1
    B = 2


def channel(name: str = "post", kinds: tuple[Enum, ...] = (Letter.A, Letter.B), **more: Any) -> ChannelVariables:
    given = {"marks": ("stale",), "marked": (Letter.A,), **more}
    return Channel(kinds, **given).flatten(name, 1)[0]


def number(name: str = "n", size: int = 3, owner: str = "machine", ghost: bool = False) -> Variable:
    return Variable(name, owner, Sort.NUMBER, size, ghost=ghost)


POST, OTHER = channel(), channel("other")
N, PAGES = number(), Variable("pages", "machine", Sort.PAGES)
SOME, MORE = ex.PagesVariable(PAGES), ex.PagesVariable(Variable("more", "machine", Sort.PAGES))
IS_ZERO, IS_ONE = (ex.Equal(ex.NumberVariable(N), ex.Number(value)) for value in (0, 1))
QUEUE, OTHER_QUEUE = (on.MessagesVariable(messages_of(c)) for c in (POST, OTHER))
SENT = on.Sent(QUEUE, 1, SOME, (ex.TRUE,))

DIFFERENT: list[Node] = [
    ex.TRUE, ex.FALSE, ex.Not(IS_ZERO), ex.Not(IS_ONE), ex.And((IS_ZERO, IS_ONE)), ex.And((IS_ONE, IS_ZERO)),
    ex.Or((IS_ZERO, IS_ONE)), IS_ZERO, IS_ONE, ex.Less(ex.NumberVariable(N), ex.Number(1)), ex.IsEmpty(SOME),
    ex.IsEmpty(MORE), ex.Number(0), ex.Number(1), ex.NumberVariable(N), ex.NumberVariable(number(size=4)),
    ex.NumberVariable(number(owner="it")), ex.NumberVariable(number(ghost=True)), ex.NumberVariable(number("m")),
    ex.Plus(ex.Number(0), ex.Number(1)), ex.NumberIf(IS_ZERO, ex.Number(0), ex.Number(1)),
    ex.NumberIf(IS_ONE, ex.Number(0), ex.Number(1)), ex.NumberIf(IS_ZERO, ex.Number(1), ex.Number(1)),
    ex.NumberIf(IS_ZERO, ex.Number(0), ex.Number(0)), ex.EMPTY_SET, ex.FULL_SET, ex.PAGE, SOME, MORE,
    ex.Complement(SOME), ex.Intersection((SOME, MORE)), ex.Union((SOME, MORE)), ex.HostPages(SOME),
    ex.PagesIf(IS_ZERO, SOME, MORE), ex.PagesIf(IS_ZERO, MORE, SOME), QUEUE, OTHER_QUEUE, on.Received(QUEUE),
    on.Received(OTHER_QUEUE), SENT, on.Sent(QUEUE, 2, SOME, (ex.TRUE,)), on.Sent(QUEUE, 1, MORE, (ex.TRUE,)),
    on.Sent(QUEUE, 1, SOME, (ex.FALSE,)), on.Sent(SENT, 1, SOME, (ex.TRUE,)), on.Shortened(QUEUE), on.Lost(QUEUE),
    on.Marked(QUEUE, "stale", SOME), on.Marked(QUEUE, "other", SOME), on.Marked(QUEUE, "stale", MORE),
    on.HeadIs(QUEUE, 0), on.HeadIs(QUEUE, 1), on.HeadMarked(QUEUE, "stale"), on.HeadMarked(QUEUE, "other"),
    on.Carries(QUEUE, Pattern(Letter.A)), on.Carries(QUEUE, Pattern(Letter.B)), on.HasRoom(QUEUE, 1),
    on.HasRoom(QUEUE, 2), on.HeadPages(QUEUE), on.InOrder(QUEUE, (Pattern(Letter.A),)),
    on.InOrder(QUEUE, (Pattern(Letter.A, (("stale", True),)),)),
    on.InOrder(QUEUE, (Pattern(Letter.A, (("stale", False),)),)), on.InOrder(QUEUE, (Pattern(Letter.A, about=True),)),
    on.InOrder(QUEUE, (Pattern(Letter.A, about=True, part=True),)),
    on.InOrder(QUEUE, (Pattern(Letter.A), Pattern(Letter.B))),
    on.InOrder(QUEUE, (Pattern(Letter.B), Pattern(Letter.A))),
    on.InOrder(QUEUE, (Pattern(Letter.A, fields=(("urgent", 1),)),)), on.Sent(QUEUE, 1, SOME, (ex.TRUE,), (SOME,)),
    on.Sent(QUEUE, 1, SOME, (ex.TRUE,), (ex.Number(1),)), on.HeadNumber(QUEUE, "urgent"), on.HeadNumber(QUEUE, "why"),
    on.HeadSet(QUEUE, "rest"), on.HeadSet(QUEUE, "other"), ex.OTHER, ex.Neighbours(SOME, previous=False),
    ex.Neighbours(SOME, previous=True), ex.Neighbours(MORE, previous=False),
]  # fmt: skip


def of(node: Any, *channels: ChannelVariables) -> str:
    return Keys(channels or (POST, OTHER), ()).goal(Goal("claim", "action", (Violation(node, None),)))


def operators(base: type[Node] = Node) -> Iterator[type[Node]]:
    for each in base.__subclasses__():
        yield each
        yield from operators(each)


def test_different_expressions_have_different_digests() -> None:
    assert len({of(node) for node in DIFFERENT}) == len(DIFFERENT)
    there = [each for each in operators() if getattr(sys.modules[each.__module__], each.__name__, None) is each]
    assert {each for each in there if not each.__subclasses__()} == {type(node) for node in DIFFERENT}


def test_the_same_expression_has_the_same_digest() -> None:
    assert of(ex.Equal(ex.NumberVariable(number()), ex.Number(0))) == of(IS_ZERO)


def test_whether_copies_travel_one_by_one_is_part_of_the_digest() -> None:
    """The formulas of a channel say so, if they do."""
    goal = Goal("claim", "action", (Violation(on.as_truth(on.HeadIs(QUEUE, 1)), None),))
    assert Keys((POST,), (), {"post"}).goal(goal) != Keys((POST,), ()).goal(goal)
    assert Keys((POST, OTHER), (), {"other"}).goal(goal) == Keys((POST,), ()).goal(goal)


@pytest.mark.parametrize(
    "other",
    [
        channel(kinds=(Letter.A,)),
        channel(marked=(Letter.B,)),
        channel(marked=(Letter.A, Letter.B)),
        channel(marks=("stale", "old")),
        channel(marks=("old",)),
    ],
)
def test_what_a_channel_carries_is_part_of_the_digest(other: ChannelVariables) -> None:
    assert of(QUEUE, other) != of(QUEUE, POST)


def test_a_pattern_is_of_the_number_that_its_kind_has_on_the_channel() -> None:
    swapped = channel(kinds=(Letter.B, Letter.A))
    a = on.Carries(QUEUE, Pattern(Letter.A))
    b = on.Carries(QUEUE, Pattern(Letter.B))
    assert of(a, POST) != of(a, swapped)
    assert of(a, channel(marked=())) == of(b, channel(kinds=(Letter.B, Letter.A), marked=()))


STEP = Steps((IS_ZERO,), {N: ex.Number(1)}, pages=1)
BASIS = Goal("claim", "action", (Violation(IS_ONE, STEP, STEP.updates, each_page=True),))


def with_violation(**changes: Any) -> Goal:
    return replace(BASIS, violations=(replace(BASIS.violations[0], **changes),))


@pytest.mark.parametrize(
    "other",
    [
        replace(BASIS, conjunct="another"),
        replace(BASIS, action="another"),
        replace(BASIS, violations=()),
        replace(BASIS, violations=2 * BASIS.violations),
        with_violation(wrong=IS_ZERO),
        with_violation(path=None),
        with_violation(path=replace(STEP, guard=())),
        with_violation(path=replace(STEP, guard=(IS_ZERO, ex.IsEmpty(SOME)))),
        with_violation(path=replace(STEP, updates={})),
        with_violation(path=replace(STEP, updates={N: ex.Number(2)})),
        with_violation(path=replace(STEP, pages=0)),
        with_violation(path=replace(STEP, pages=2)),
        with_violation(updates=None),
        with_violation(updates={number("m"): ex.Number(1)}),
        with_violation(each_page=False),
    ],
)
def test_each_part_of_a_goal_is_part_of_its_digest(other: Goal) -> None:
    assert Keys((POST,), ()).goal(other) != Keys((POST,), ()).goal(BASIS)


STUCK = Deadlock("no-deadlock", IS_ZERO, ((IS_ONE, True),), ((messages_of(POST), range(3)),), (N,))


@pytest.mark.parametrize(
    "other",
    [
        replace(STUCK, conjunct="another"),
        replace(STUCK, unfinished=IS_ONE),
        replace(STUCK, moves=()),
        replace(STUCK, moves=((IS_ZERO, True),)),
        replace(STUCK, moves=((IS_ONE, False),)),
        replace(STUCK, oldest=()),
        replace(STUCK, oldest=((messages_of(POST), range(2)),)),
        replace(STUCK, oldest=((messages_of(OTHER), range(3)),)),
        replace(STUCK, numbers=()),
    ],
)
def test_each_part_of_a_deadlock_is_part_of_its_digest(other: Deadlock) -> None:
    assert Keys((POST, OTHER), ()).deadlock(other) != Keys((POST, OTHER), ()).deadlock(STUCK)


@pytest.mark.parametrize(
    ("parts", "each_page"), [((IS_ONE,), False), ((IS_ZERO, IS_ONE), False), ((), False), ((IS_ZERO,), True)]
)
def test_each_part_of_a_conjunct_is_part_of_its_digest(parts: tuple[Any, ...], each_page: bool) -> None:
    def digest(parts: tuple[Any, ...], each_page: bool) -> str:
        read = Conjunct("c", tuple((part, part.variables()) for part in parts), frozenset(), each_page)
        return Keys((), [read]).conjuncts["c"]

    assert digest(parts, each_page) != digest((IS_ZERO,), each_page=False)


def test_the_environment_is_part_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    here = environment(0)
    assert environment(0) == here
    assert environment(1) != here
    with monkeypatch.context() as patch:
        patch.setattr(z3, "get_full_version", lambda: "another z3")
        assert environment(0) != here
    names = {line.split()[0] for line in keys._sources()}
    assert {"formulas.py", "theory.py", "goal_solver.py", "clauses.py", "solving.py", "expressions.py"} <= names
    for number in range(len(keys._sources())):
        changed = [*keys._sources()]
        changed[number] += "0"
        with monkeypatch.context() as patch:
            patch.setattr(keys, "_sources", lambda changed=changed: changed)
            assert environment(0) != here


def test_what_has_no_digest_is_an_error() -> None:
    with pytest.raises(TypeError, match="no digest"):
        of(ex.Number(1.5))  # type: ignore[arg-type]
