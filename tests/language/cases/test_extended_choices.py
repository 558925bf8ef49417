"""A change adds members to the enumeration of a choice."""

from __future__ import annotations

from enum import Enum, IntEnum, auto
from pathlib import Path
from typing import Any, cast

import pytest

from postcopy.catalogue.composition import compose
from postcopy.catalogue.loading import load
from postcopy.catalogue.properties import asked_of
from postcopy.errors import PostcopyError, SpecError, UsageError
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.export.tla import tla
from postcopy.language import Choice, Flag, Machine, Protocol, Thread, View, action, always, require
from postcopy.language.concrete import take
from postcopy.language.instance import Instance
from postcopy.language.program import read
from postcopy.language.single_run import SingleRun
from postcopy.language.symbolic import read_action
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Phase, Source
from postcopy.prover.verdicts import Answer
from tests.language.cases.all_readings import proved, proved_at, read_both_ways, same_in_spin, searched


class Step(IntEnum):
    IDLE = 3
    BUSY = 5
    DONE = 9


class Checking(Enum):
    CHECKED = auto()
    SIGNED = auto()


class Paying(IntEnum):
    PAID = 1


class Worker(Machine):
    """Works, and remembers the step that was last."""

    thread = Thread("worker")

    step = Choice("how far it is", Step.IDLE)
    last = Choice("how far it was before", Step.IDLE)
    checked = Flag("the work has been checked")

    @action(thread)
    def begins(self) -> None:
        """begins"""
        require(self.step == Step.IDLE)
        self.last = Step.IDLE
        self.step = Step.BUSY

    @action(thread)
    def ends(self) -> None:
        """ends what it has begun"""
        require(self.step > self.last and self.step < Step.DONE)
        self.last = Step.BUSY
        self.step = Step.DONE


class Works(Protocol):
    worker = Worker

    @staticmethod
    def may_rest(state: View) -> bool:
        return bool(state.worker.step == Step.DONE)


@always("What has been checked is past BUSY")
def checked_late(state: View) -> bool:
    """It stands before BUSY, or at it."""
    return not state.worker.checked or bool(state.worker.step > Step.BUSY)


@always("Done is the last step")
def done_is_last(state: View) -> bool:
    """There is a step behind it."""
    return bool(state.worker.step <= Step.DONE)


class Checker(Worker):
    """What those do who check; the classes below say where their steps stand in the order."""

    @action(Worker.thread)
    def checks(self: Any) -> None:
        """checks"""
        require(self.step == Step.BUSY)
        self.checked = True
        self.step = Checking.CHECKED

    @action(Worker.thread)
    def signs(self: Any) -> None:
        """signs what was checked"""
        require(self.step in (Checking.CHECKED, Step.IDLE) and self.step != Step.IDLE)
        self.step = Checking.SIGNED

    def ends(self: Any) -> None:
        """ends what was signed"""
        require(self.step >= Checking.SIGNED)
        super().ends()


class Checks(Works):
    """Work is checked before it ends."""

    class worker(Checker):
        step = Worker.step.extended(Checking, after=Step.BUSY)

    properties = (checked_late, done_is_last)


class ChecksBehind(Works):
    """The members stand behind all others: the same steps are in another order."""

    class worker(Checker):
        step = Worker.step.extended(Checking)

    properties = (checked_late, done_is_last)


class Pays(Works):
    """Work is paid before it is checked or ends."""

    class worker(Worker):
        step = Worker.step.extended(Paying, after=Step.BUSY)
        paid = Flag("the work has been paid")

        @action(Worker.thread)
        def pays(self) -> None:
            """pays"""
            require(self.step == Step.BUSY)
            self.step = Paying.PAID
            self.paid = True


class Both(Pays, Checks):
    """Both changes."""

    class worker(Pays.worker, Checks.worker):
        def checks(self) -> None:
            """checks what was paid"""
            require(self.step == Paying.PAID)
            self.step = Step.BUSY
            super().checks()


def values(protocol: type[Protocol]) -> list[str]:
    return [getattr(v, "name", "") for v in Instance(protocol, 1, 1).variable["worker.step"].values]


def test_the_order_is_the_one_that_is_given() -> None:
    assert values(Works) == ["IDLE", "BUSY", "DONE"]
    assert values(Checks) == ["IDLE", "BUSY", "CHECKED", "SIGNED", "DONE"]
    assert values(ChecksBehind) == ["IDLE", "BUSY", "DONE", "CHECKED", "SIGNED"]


def test_two_changes_that_extend_one_choice_are_merged_in_the_order_of_the_bases() -> None:
    assert values(Both) == ["IDLE", "BUSY", "CHECKED", "SIGNED", "PAID", "DONE"]

    class OtherWay(Checks, Pays):
        class worker(Checks.worker, Pays.worker):
            pass

    assert values(OtherWay) == ["IDLE", "BUSY", "PAID", "CHECKED", "SIGNED", "DONE"]


def test_changes_that_are_composed_are_merged_too() -> None:
    assert values(compose([("checks", Checks), ("pays", Pays)])) == [
        "IDLE",
        "BUSY",
        "PAID",
        "CHECKED",
        "SIGNED",
        "DONE",
    ]

    class Other(Works):
        class worker(Worker):
            step = Choice("another", Step.IDLE)

    with pytest.raises(UsageError, match=r"checks and other cannot be combined: both declare worker\.step"):
        compose([("checks", Checks), ("other", Other)])


class Archiving(Enum):
    ARCHIVED = auto()


def test_an_extension_of_an_extension_counts_once() -> None:
    class Longer(Checks.worker):
        step = Checks.worker.step.extended(Archiving, after=Checking.CHECKED)

    class Merged(Both):
        class worker(Longer, Pays.worker):
            pass

    assert values(Merged) == ["IDLE", "BUSY", "PAID", "CHECKED", "ARCHIVED", "SIGNED", "DONE"]


@pytest.mark.parametrize(
    ("protocol", "states", "violated"),
    [(Works, 3, None), (Checks, 5, None), (ChecksBehind, 4, "done-is-last"), (Both, 7, None)],
)
def test_every_search_agrees(protocol: type[Protocol], states: int, violated: str | None) -> None:
    assert searched(protocol, (1, 1, 1)) == (states, violated)


@pytest.mark.parametrize("protocol", [Checks, ChecksBehind, Both])
def test_both_readings_mean_the_same(protocol: type[Protocol]) -> None:
    read_both_ways(protocol, (1, 1, 1))


@pytest.mark.parametrize(
    ("protocol", "answer"), [(Checks, Answer.PROVED), (ChecksBehind, Answer.REFUTED), (Both, Answer.PROVED)]
)
def test_proofs_agree(protocol: type[Protocol], answer: Answer) -> None:
    assert proved_at(protocol, "done-is-last", (1, 1, 1)) is answer
    assert proved(protocol, "done-is-last") is answer


@pytest.mark.slow
@pytest.mark.parametrize("protocol", [Checks, ChecksBehind, Both])
def test_the_compiled_search_and_spin_agree(protocol: type[Protocol], tmp_path: Path) -> None:
    assert searched(protocol, (1, 1, 1), Engine.COMPILED) == searched(protocol, (1, 1, 1))
    same_in_spin(protocol, tmp_path, (1, 1, 1))


def test_tla_has_a_rank_for_the_members() -> None:
    text = tla(read(Instance(Checks, 1, 1, asked_of(Checks))), "Checks", "Checks")
    order = ("IDLE", "BUSY", "CHECKED", "SIGNED", "DONE")
    ranks = " [] ".join(f'value = "{name}" -> {rank}' for rank, name in enumerate(order))
    assert f"Rank_Step_or_Checking(value) == CASE {ranks}\n" in text
    assert "< Rank_Step_or_Checking(" in text


def test_one_long_run_compares_by_the_order_too() -> None:
    instance = Instance(Checks, 1, 1)
    run = SingleRun(instance, 8, 1, {})
    names = [action.method for action in instance.actions]
    for name in ("begins", "checks", "signs", "ends"):
        possible = [action.method for action in instance.actions if run.could(action)]
        assert possible == [name]
        assert run.take(instance.actions[names.index(name)]) is None
    assert run.view.worker.step == Step.DONE


class Unmeant(Postcopy):
    """A phase more that no step enters: nothing else changes."""

    class source(Source):
        phase = Source.phase.extended(Checking, after=Phase.POSTCOPY)


def test_the_documents_protocol_with_a_phase_more_has_the_same_states() -> None:
    found = [
        explore(Instance(protocol, 1, 1, asked_of(protocol)), Options(engine=Engine.INTERPRETED))
        for protocol in (Postcopy, Unmeant)
    ]
    assert found[0].outcome is found[1].outcome is Outcome.HOLDS
    assert found[0].states == found[1].states


def declared(**fields: Any) -> type[Protocol]:
    return type("Wrong", (Works,), {"worker": type("Wrong", (Worker,), fields)})


class Again(Enum):
    BUSY = auto()


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (Worker.step.extended(Again), r"step has two members called BUSY, one of Again: choose another name"),
        (
            Worker.step.extended(Checking, after=Phase.IDLE),
            r"step has no member <Phase.IDLE: \d+> behind which those of",
        ),
        (
            Worker.step.extended(Checking, after=Checking.CHECKED),
            r"step has no member <Checking.CHECKED: 1> behind which",
        ),
        (
            Worker.step.extended(cast(Any, int)),
            r"step is extended by <class 'int'>: an enumeration of the further members is needed",
        ),
        (Worker.step.extended(Checking).extended(Checking), r"step has two members called CHECKED, one of Checking"),
    ],
)
def test_a_wrong_extension_is_refused(choice: object, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Instance(declared(step=choice), 1, 1)


def test_two_bases_of_which_one_has_another_choice_are_refused() -> None:
    class Other(Works):
        class worker(Worker):
            step = Choice("another", Step.IDLE)

    class Clash(Checks, Other):
        class worker(Checks.worker, Other.worker):
            pass

    with pytest.raises(SpecError, match="worker declares another choice step, and no class says which is meant"):
        Instance(Clash, 1, 1)


def test_a_change_that_extends_by_what_its_base_has_is_refused() -> None:
    class Twice(Checks):
        class worker(Checks.worker):
            step = Worker.step.extended(Checking)

    with pytest.raises(SpecError, match=r"worker\.step has two members called CHECKED, one of Checking"):
        Instance(Twice, 1, 1)


def body(text: Any) -> type[Protocol]:
    return declared(step=Worker.step.extended(Checking, after=Step.BUSY), acts=action(Worker.thread)(text))


def third(self: Any) -> None:
    """compares with a third enumeration"""
    require(self.step == Paying.PAID)


def unordered(self: Any) -> None:
    """compares members by their numbers"""
    require(Checking.CHECKED < Step.DONE)  # type: ignore[operator]


def narrowed(self: Any) -> None:
    """gives a choice what it may not be"""
    self.last = self.step


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (third, "a Step or Checking is compared with a Paying .* compare it with a member of Step or Checking"),
        (unordered, "a Checking is compared with a Step"),
        (narrowed, "worker.last is given worker.step, which is not a Step"),
    ],
)
def test_a_wrong_use_is_refused(text: Any, message: str) -> None:
    instance = Instance(body(text), 1, 1)
    acts = next(a for a in instance.actions if a.method == "acts")
    with pytest.raises(SpecError, match=message):
        read_action(instance, acts)
    if text is not unordered:  # which Python itself does not compare
        with pytest.raises(SpecError):
            take(instance, instance.initial_states()[0], acts)


SUBCLASSES = [
    "from enum import auto\nfrom postcopy.model.source import Phase\nclass More(Phase):\n    DEVICE = auto()\n",
    "from postcopy.model.destination import State\nclass More(State):\n    LAST = 99\n",
    "from postcopy.model.network import Command\nclass More(Command):\n    LAST = 99\n",
    "from enum import Enum\nclass A(Enum):\n    B = 1\nclass More(A):\n    LAST = 99\n",
]


@pytest.mark.parametrize("text", SUBCLASSES)
def test_a_subclass_of_an_enumeration_is_refused_with_what_to_write(text: str, tmp_path: Path) -> None:
    file = tmp_path / "p1.py"
    file.write_text(text)
    with pytest.raises(
        PostcopyError, match=r"write a second enumeration, class More\(Enum\), and phase = .*\.extended\("
    ):
        load(str(file))
