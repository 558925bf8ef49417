"""A verdict for each property: what a proof says of small protocols, and which mistakes of a prover that would show.

Each case names every verdict that a proof has to give. A prover with a mistake (an obligation that is dropped, a
conjunct that is assumed and not proved, a property that is skipped) gives another one somewhere: that is tested too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from postcopy.explorer.explore import explore
from postcopy.explorer.results import Outcome
from postcopy.language import (
    NO_DEADLOCK,
    Answer,
    Bitmap,
    Channel,
    Count,
    Flag,
    LeadsTo,
    Machine,
    Monitor,
    Page,
    Property,
    Protocol,
    Receives,
    Sends,
    Step,
    Thread,
    View,
    action,
    always,
    conjunct,
    eventually,
    every_step,
    require,
    sometimes,
)
from postcopy.language.instance import Instance
from postcopy.language.step_errors import ROOM_FOR_MESSAGES
from postcopy.prover import session, steps, verdicts, weeding
from postcopy.prover.means import HERE
from postcopy.prover.obligations import INITIAL, Proof
from postcopy.prover.premises import IN_RANGE
from postcopy.prover.proving import prove
from postcopy.prover.session import ProofResult
from postcopy.prover.steps import Steps
from postcopy.prover.verdicts import can_be_asked
from tests.prover.small import Token
from tests.prover.test_soundness import Mill, Question, asked_is_heard, nobody_hears


class Lamp(Machine):
    hand = Thread("hand")

    on = Flag("it shines")
    warm = Flag("it has shone")
    seen = Bitmap("pages that were read by its light")

    @action(hand)
    def switches_on(self) -> None:
        """switches the lamp on"""
        require(not self.on)
        self.on = True
        self.warm = True

    @action(hand)
    def switches_off(self) -> None:
        """switches the lamp off"""
        require(self.on)
        self.on = False

    @action(hand)
    def reads(self, page: Page) -> None:
        """reads a page"""
        require(self.on)
        self.seen |= page


class Light(Protocol):
    """A lamp."""

    lamp = Lamp

    @staticmethod
    def may_rest(state: View) -> bool:
        return True


class Counting(Lamp):
    """Counts how often it was switched on, as far as it can."""

    times = Count("how often it was switched on", 0, 3)

    def switches_on(self) -> None:
        """switches the lamp on and counts"""
        super().switches_on()
        self.times += 1


class CountsTooFar(Light):
    """The count leaves its range."""

    lamp = Counting


class Careful(Counting):
    """Counts no further than it can."""

    def switches_on(self) -> None:
        """switches the lamp on, three times"""
        require(self.times < 3)
        super().switches_on()


class CountsToThree(Light):
    """The count stays in its range."""

    lamp = Careful


class Falling(Lamp):
    """Counts down."""

    left = Count("how often it can still be switched on", 0, 2, initial=2)

    def switches_on(self) -> None:
        """switches the lamp on and counts down"""
        super().switches_on()
        self.left = self.left - 1


class CountsBelowZero(Light):
    """The count leaves its range at the lower end."""

    lamp = Falling


class Burnt(Lamp):
    """Is never switched off."""

    switches_off = None  # type: ignore[assignment]

    @action(Lamp.hand)
    def reads(self, page: Page) -> None:
        """reads a page that was not read"""
        require(self.on)
        require(not self.seen[page])
        self.seen |= page


class BurnsOn(Light):
    """Comes to an end, although something is still to be done."""

    lamp = Burnt

    @staticmethod
    def may_rest(state: View) -> bool:
        return not state.lamp.on


@always("What shines has shone")
def shone(state: View) -> bool:
    """It was switched on."""
    return not state.lamp.on or bool(state.lamp.warm)


@always("What was read was read by its light")
def read_by_light(state: View) -> Answer:
    """It had not shone yet."""
    return True if state.lamp.warm else state.lamp.seen


@conjunct("A lamp that has not shone is off")
def off_at_first(state: View) -> bool:
    """It is the same as another property: either one helps."""
    return bool(state.lamp.warm) or not state.lamp.on


@always("It never shines")
def never_on(state: View) -> bool:
    """It shines."""
    return not state.lamp.on


@every_step("Nothing is read in the dark")
def reads_by_light(step: Step) -> bool:
    """The lamp was off."""
    return bool(step.before.lamp.on) or bool(step.after.lamp.seen.same_as(step.before.lamp.seen))


@every_step("It is not switched off")
def stays_on(step: Step) -> bool:
    """It was."""
    return not step.before.lamp.on or bool(step.after.lamp.on)


class Counted(Monitor):
    """Remembers whether it was switched on twice."""

    once = Flag("it was switched on")
    twice = Flag("it was switched on once more")

    def watch(self, step: Step) -> None:
        """Count."""
        if step.after.lamp.on and not step.before.lamp.on:
            if self.once:
                self.twice = True
            self.once = True


@always("It is switched on once", monitor=Counted)
def once(state: View) -> bool:
    """It was switched on again."""
    return not state.Counted.twice


@always("Twice means at least once", monitor=Counted)
def twice_means_once(state: View) -> bool:
    """It counts."""
    return not state.Counted.twice or bool(state.Counted.once)


@always("The count says whether it has shone")
def count_says(state: View) -> bool:
    """They are counted together."""
    return bool(state.lamp.warm) == bool(state.lamp.times > 0)


@eventually("It shines in the end")
def shines(state: View) -> LeadsTo:
    """It stays dark."""
    return LeadsTo(when=not state.lamp.on, then=state.lamp.on)


@sometimes("It shines")
def can_shine(state: View) -> bool:
    """It can."""
    return bool(state.lamp.on)


@dataclass(frozen=True)
class Case:
    """What is asked of a protocol, what helps, and what the verdicts have to be."""

    protocol: type[Protocol]
    asked: tuple[Property, ...]
    invariant: tuple[Property, ...]
    expected: dict[str, str]


CASES = {
    "all-proved": Case(
        Light,
        (shone, read_by_light, reads_by_light, NO_DEADLOCK),
        (),
        dict.fromkeys(("shone", "read-by-light", "reads-by-light", "no-deadlock"), "proved"),
    ),
    "one-false-state": Case(Light, (shone, never_on), (), {"shone": "proved", "never-on": "refuted"}),
    "one-false-step": Case(Light, (stays_on, reads_by_light), (), {"stays-on": "refuted", "reads-by-light": "proved"}),
    "false-with-a-monitor": Case(
        Light, (once, twice_means_once), (), {"once": "refuted", "twice-means-once": "proved"}
    ),
    "not-inductive-alone": Case(Light, (read_by_light,), (), {"read-by-light": "not proved"}),
    "with-a-conjunct": Case(Light, (read_by_light,), (off_at_first,), {"read-by-light": "proved"}),
    "a-false-conjunct-proves-nothing": Case(Light, (read_by_light,), (never_on,), {"read-by-light": "not proved"}),
    "a-false-conjunct-spoils-nothing-else": Case(
        Light, (read_by_light, shone), (never_on,), {"read-by-light": "proved", "shone": "proved"}
    ),
    "not-asked": Case(
        Light, (shone, shines, can_shine), (), {"shone": "proved", "shines": "not asked", "can-shine": "not asked"}
    ),
    "in-range": Case(
        CountsToThree,
        (count_says, shone),
        (),
        {"count-says": "proved", "shone": "proved", "numbers-stay-in-range": "proved"},
    ),
    "deadlock": Case(BurnsOn, (shone, NO_DEADLOCK), (), {"shone": "proved", "no-deadlock": "refuted"}),
    "deadlock-needs-a-conjunct": Case(Question, (NO_DEADLOCK,), (asked_is_heard,), {"no-deadlock": "proved"}),
    "deadlock-not-proved": Case(Question, (NO_DEADLOCK,), (), {"no-deadlock": "not proved"}),
    "deadlock-from-a-false-conjunct": Case(Question, (NO_DEADLOCK,), (nobody_hears,), {"no-deadlock": "not proved"}),
    "a-message-goes-round": Case(Mill, (NO_DEADLOCK,), (), {"no-deadlock": "refuted"}),
}


def of_every_size(case: Case, *, selected: bool = False) -> ProofResult:
    return session.every_size(
        case.protocol, case.asked, case.invariant, None, HERE, lambda _: None, lambda _: None, selected=selected
    )


def at_a_size(case: Case) -> ProofResult:
    instance = Instance(case.protocol, 2, 2, [p for p in case.asked if can_be_asked(p)])
    return session.at_size(instance, case.asked, case.invariant, "invariant", lambda _: None)


def words(result: ProofResult) -> dict[str, str]:
    return {v.property.name: v.answer.value for v in result.verdicts}


@pytest.mark.parametrize("name", CASES)
def test_every_property_has_its_verdict_for_every_size(name: str) -> None:
    assert words(of_every_size(CASES[name])) == CASES[name].expected


@pytest.mark.parametrize(
    "name", ["all-proved", "one-false-state", "with-a-conjunct", "a-false-conjunct-proves-nothing"]
)
def test_asked_alone_they_have_the_same(name: str) -> None:
    assert words(of_every_size(CASES[name], selected=True)) == CASES[name].expected


@pytest.mark.parametrize("name", CASES)
def test_every_property_has_its_verdict_at_a_size(name: str) -> None:
    assert words(at_a_size(CASES[name])) == CASES[name].expected


@pytest.mark.parametrize("name", CASES)
def test_the_explorer_agrees(name: str) -> None:
    """What is proved is not violated, and what is refuted is."""
    case = CASES[name]
    for prop in case.asked:
        if can_be_asked(prop):
            found = explore(Instance(case.protocol, 2, 2, [prop])).outcome
            refuted = case.expected[prop.name] == "refuted"
            assert refuted == (found in (Outcome.VIOLATED, Outcome.DEADLOCK)), prop.name


class Counter(Monitor):
    """Counts too far by itself."""

    times = Count("how often it was switched on", 0, 1)

    def watch(self, step: Step) -> None:
        """Count."""
        if step.after.lamp.on and not step.before.lamp.on:
            self.times += 1


@always("It is counted", monitor=Counter)
def counted(state: View) -> bool:
    """It is."""
    return True


class CountsInAMonitor(Light):
    """The count of a monitor leaves its range."""

    properties = (counted,)


@pytest.mark.parametrize("protocol", [CountsTooFar, CountsBelowZero, CountsInAMonitor])
@pytest.mark.parametrize("prove_it", [of_every_size, at_a_size])
def test_a_number_out_of_its_range_is_what_the_explorer_says_of_it(
    protocol: type[Protocol], prove_it: Callable[[Case], ProofResult]
) -> None:
    asked = (shone, *protocol.properties)
    result = prove_it(Case(protocol, asked, (), {}))
    assert words(result) == dict.fromkeys((p.name for p in asked), "not proved") | {IN_RANGE.name: "refuted"}
    (refuted,) = result.of(verdicts.Answer.REFUTED)
    assert refuted.refutation is not None
    run = refuted.refutation.counterexample
    assert run is not None
    assert explore(Instance(protocol, 2, 2, asked)).violated is IN_RANGE
    assert "leaves its range" in str(run.steps[-1].error)


class Shouter(Machine):
    """Sends, and asks for no room."""

    shouter = Thread("shouter")
    out = Sends("out")

    @action(shouter)
    def shouts(self) -> None:
        """shouts"""
        self.out.send(Token.TOKEN)


class Deaf(Machine):
    """Never listens."""

    deaf = Thread("deaf")
    out = Receives("out")

    heard = Flag("it has heard")

    @action(deaf)
    def hears(self) -> None:
        """hears, at last"""
        require(self.heard)
        self.out.receive(Token.TOKEN)


class Shouting(Protocol):
    """A channel that fills up."""

    shouter = Shouter
    deaf = Deaf
    out = Channel(Token)

    @staticmethod
    def may_rest(state: View) -> bool:
        return True


@pytest.mark.parametrize("prove_it", [of_every_size, at_a_size])
def test_a_message_without_room_is_what_the_explorer_says_of_it(prove_it: Callable[[Case], ProofResult]) -> None:
    result = prove_it(Case(Shouting, (NO_DEADLOCK,), (), {}))
    assert words(result) == {"no-deadlock": "not proved", "messages-have-room": "refuted"}
    assert explore(Instance(Shouting, 2, 2, [NO_DEADLOCK])).violated is ROOM_FOR_MESSAGES


def test_what_a_property_needs_is_what_its_proof_used() -> None:
    (with_help,) = of_every_size(CASES["with-a-conjunct"]).verdicts
    assert with_help.needs == {"off-at-first"}
    (without,) = of_every_size(CASES["not-inductive-alone"]).verdicts
    assert [(o.conjunct, o.action) for o in without.missing] == [("read-by-light", "lamp.reads")]


def test_what_is_not_needed_is_not_proved_when_one_property_is_asked() -> None:
    case = Case(Light, (shone,), (off_at_first, read_by_light), {})
    proof = of_every_size(case, selected=True).proof
    assert proof is not None
    assert {o.conjunct for o in proof.obligations} == {"shone"}


# -- provers with a mistake ------------------------------------------------------------------------------------------


def wrong_verdicts() -> Iterator[str]:
    """The cases in which the prover says something wrong, for every size or at one."""
    for name, case in CASES.items():
        if words(of_every_size(case)) != case.expected:
            yield f"{name}, every size"
        if words(of_every_size(case, selected=True)) != case.expected:
            yield f"{name}, every size, with what is needed alone"
        if words(at_a_size(case)) != case.expected:
            yield f"{name}, at a size"


def drops(monkeypatch: pytest.MonkeyPatch, dropped: Callable[[str, str], bool]) -> None:
    """Obligations are forgotten, by conjunct and action."""

    def forgetful(*args: Any, **options: Any) -> Proof:
        proof = prove(*args, **options)
        return replace(proof, obligations=tuple(o for o in proof.obligations if not dropped(o.conjunct, o.action)))

    monkeypatch.setattr(session, "prove", forgetful)


def drops_an_action(monkeypatch: pytest.MonkeyPatch) -> None:
    drops(monkeypatch, lambda _, action: action == "lamp.switches_on")


def drops_what_is_first(monkeypatch: pytest.MonkeyPatch) -> None:
    drops(monkeypatch, lambda _, action: action == INITIAL)


def drops_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    drops(monkeypatch, lambda name, _: name == NO_DEADLOCK.name)


def drops_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    drops(monkeypatch, lambda name, _: name == "stays-on")


def drops_a_conjunct(monkeypatch: pytest.MonkeyPatch) -> None:
    drops(monkeypatch, lambda name, action: name == "never-on" and action != INITIAL)


def assumes_without_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two guards have to fail together: what is shaken is proved anew, and a verdict looks at all that was used."""
    monkeypatch.setattr(weeding, "_shaken", lambda *_: set())
    monkeypatch.setattr(verdicts, "needed", lambda names, _: frozenset(names))


def proves_nothing_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weeding, "_shaken", lambda *_: set())


def proves_nothing_that_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the conjuncts that a property needs, with nothing asked beside it."""
    monkeypatch.setattr(weeding, "needed", lambda names, _: frozenset(names))


def records_no_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*args: Any, **options: Any) -> Proof:
        proof = prove(*args, **options)
        return replace(proof, obligations=tuple(replace(o, uses=frozenset()) for o in proof.obligations))

    monkeypatch.setattr(session, "prove", silent)


def skips_a_property(monkeypatch: pytest.MonkeyPatch) -> None:
    of_all = verdicts.of_every_size
    monkeypatch.setattr(session, "of_every_size", lambda asked, proof: of_all(asked[:-1], proof))


def asks_the_catalogue_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def known(asked: Sequence[Property]) -> Iterator[Property]:
        return (p for p in asked if p is NO_DEADLOCK)

    monkeypatch.setattr(
        session, "prove", lambda of, asked, *rest, **more: prove(of, tuple(known(asked)), *rest, **more)
    )


def believes_giving_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Proof, "missing", property(lambda _: []))


def forgets_at_a_size(monkeypatch: pytest.MonkeyPatch, forgotten: str) -> None:
    wrong = Steps.__dict__["wrong"].fget
    monkeypatch.setattr(Steps, "wrong", property(lambda self: tuple(n for n in wrong(self) if n != forgotten)))


def forgets_deadlock_at_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    forgets_at_a_size(monkeypatch, NO_DEADLOCK.name)


def forgets_ranges_at_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    forgets_at_a_size(monkeypatch, IN_RANGE.name)


def assumes_all_at_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has failed is assumed on."""
    violation = Steps.violation

    def credulous(self: Steps, _: object, wanted: Any, actions: Any = None) -> Any:
        return violation(self, self.claims, wanted, actions)

    monkeypatch.setattr(steps.Steps, "violation", credulous)


MISTAKES = (
    drops_an_action,
    drops_what_is_first,
    drops_deadlock,
    drops_steps,
    drops_a_conjunct,
    assumes_without_proof,
    proves_nothing_anew,
    proves_nothing_that_is_used,
    records_no_uses,
    skips_a_property,
    asks_the_catalogue_only,
    believes_giving_up,
    forgets_deadlock_at_a_size,
    forgets_ranges_at_a_size,
    assumes_all_at_a_size,
)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_prover_with_a_mistake_is_found_out(
    mistake: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mistake(monkeypatch)
    assert next(wrong_verdicts(), None) is not None
