"""Options: settings that are on or off from the start, at all machines alike."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from postcopy.catalogue.composition import compose
from postcopy.catalogue.properties import asked_of, with_everything
from postcopy.conformance.replay import replay
from postcopy.errors import SpecError, TraceError, UsageError
from postcopy.explorer.explore import Exploration, explore
from postcopy.explorer.kernel.fingerprint import fingerprint
from postcopy.explorer.results import Engine, Options, Outcome
from postcopy.explorer.simulation.simulate import Simulation, WalkPlan
from postcopy.export.aut import aut
from postcopy.export.tla import tla
from postcopy.language import (
    NO_DEADLOCK,
    NONE,
    Beside,
    Channel,
    Chosen,
    Flag,
    Monitor,
    Option,
    Page,
    Protocol,
    Receives,
    Sends,
    Step,
    View,
    action,
    always,
    asked_beside,
    require,
)
from postcopy.language.concrete import take
from postcopy.language.instance import Instance
from postcopy.language.program import read
from postcopy.language.single_run import SingleRun
from postcopy.language.symbolic import read_action
from postcopy.language.trace import Trace, follow
from postcopy.model.postcopy import Postcopy
from postcopy.prover.inference.atoms import Names, atoms_of
from postcopy.prover.session import at_size
from postcopy.prover.verdicts import Answer
from postcopy.report.pages.stepping import Stepping
from postcopy.report.state_graph.quotient import build
from postcopy.report.story.held import held
from postcopy.report.story.itf import from_itf, read_itf, to_itf
from postcopy.report.story.tell import tell
from tests.export.test_tla import errors
from tests.language.cases.all_readings import proved, proved_at, read_both_ways, same_in_spin, searched
from tests.language.cases.readings import Size
from tests.language.cases.sealing import (
    AlwaysSealed,
    NeverSealed,
    Packet,
    Receiver,
    ReceiverForgets,
    ReceiverStalls,
    Sealing,
    Sender,
    in_form,
    understands,
)

CASES: list[tuple[type[Protocol], Size, int, str | None]] = [
    (Sealing, (1, 1, 1), 2 * 3, None),
    (Sealing, (2, 1, 1), 2 * 8, None),
    (Sealing, (2, 2, 1), 2 * 10, None),
    (ReceiverForgets, (1, 1, 1), 2 * 3, "understands"),
    (ReceiverForgets, (2, 1, 1), 2 * 8, "understands"),
    (AlwaysSealed, (2, 1, 1), 8, None),
    (NeverSealed, (2, 1, 1), 8, "understands"),
    (ReceiverStalls, (1, 1, 1), 3 + 2 * 2, "arrives"),
]


@pytest.mark.parametrize(("protocol", "size", "states", "violated"), CASES)
def test_every_search_agrees(protocol: type[Protocol], size: Size, states: int, violated: str | None) -> None:
    assert searched(protocol, size) == (states, violated)


@pytest.mark.slow
@pytest.mark.parametrize(("protocol", "size", "states", "violated"), CASES)
def test_the_compiled_search_and_spin_agree(
    protocol: type[Protocol], size: Size, states: int, violated: str | None, tmp_path: Path
) -> None:
    assert searched(protocol, size, Engine.COMPILED) == (states, violated)
    same_in_spin(protocol, tmp_path, size)


@pytest.mark.parametrize("protocol", [Sealing, ReceiverForgets, AlwaysSealed, NeverSealed, ReceiverStalls])
def test_both_readings_mean_the_same(protocol: type[Protocol]) -> None:
    read_both_ways(protocol)


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("protocol", "answer"),
    [
        (Sealing, Answer.PROVED),
        (ReceiverForgets, Answer.REFUTED),
        (AlwaysSealed, Answer.PROVED),  # where the option were open, a step would violate it
        (NeverSealed, Answer.REFUTED),
    ],
)
def test_proofs_agree(protocol: type[Protocol], answer: Answer) -> None:
    assert proved_at(protocol, "understands") is answer
    assert proved(protocol, "understands") is answer
    assert proved(protocol, "in-form") is Answer.PROVED


def test_a_counterexample_to_induction_has_the_option_as_it_is_fixed() -> None:
    instance = Instance(AlwaysSealed, 1, 1, (NO_DEADLOCK,))
    [found] = at_size(instance, (NO_DEADLOCK,), (), "invariant", lambda _: None).counterexamples_to_induction
    assert found.trace.initial[instance.index[instance.variable["sealing"]]] == 1


def violation(protocol: type[Protocol]) -> Trace:
    verdict = explore(Instance(protocol, 2, 1, asked_of(protocol)), Options(engine=Engine.INTERPRETED))
    assert verdict.counterexample is not None
    return verdict.counterexample


@pytest.mark.parametrize("protocol", [ReceiverForgets, ReceiverStalls])
def test_a_story_says_how_the_option_is(protocol: type[Protocol]) -> None:
    trace = violation(protocol)
    assert tell(trace).given == ("packets are sealed: no",)
    [part] = [part for part in held(trace) if part.variable == "sealing"]
    assert (part.owner, [value.words for value in part.values]) == ("chosen at the start", ["no"])


def test_what_is_fixed_is_not_given() -> None:
    assert tell(violation(NeverSealed)).given == ()


def test_a_run_in_a_file_has_the_option() -> None:
    trace = violation(ReceiverForgets)
    text = to_itf(trace, "forgets", "print")

    def read_again(text: bytes, protocol: type[Protocol] = ReceiverForgets) -> Trace:
        return from_itf(text, lambda *_: Instance(protocol, 2, 1, asked_of(protocol)), lambda _: "print")

    assert read_again(text).states == trace.states
    file = json.loads(text)
    assert [state["sealing"] for state in file["states"]] == [False] * len(trace.states)
    with pytest.raises(TraceError, match="sealing"):
        read_again(text, AlwaysSealed)
    file["states"][1]["sealing"] = True
    with pytest.raises(TraceError, match="sealing"):
        read_again(json.dumps(file).encode())


def test_a_simulation_tries_both() -> None:
    simulation = Simulation(Instance(ReceiverForgets, 3, 2, (understands,)), WalkPlan(1, depth=20, walks=50))
    simulation.run()
    trace = simulation.found().counterexample
    assert trace is not None
    assert [step.action.method for step in trace.steps] == ["sends", "takes_plain"]


def test_a_run_by_hand_starts_with_either() -> None:
    stepping = Stepping("sealing", Instance(Sealing, 1, 1))
    for start, method in ((0, "takes_plain"), (1, "takes_sealed")):
        query = f"start={start}&step=sender.sends:0&step=receiver.{method}"
        number, run = stepping.run(query)
        assert (number, run.steps[-1].action.method) == (start, method)
        assert "packets are sealed" in stepping.page(number, run)


def test_a_graph_tells_states_apart_by_it() -> None:
    exploration = Exploration(Instance(Sealing, 1, 1), Options(engine=Engine.INTERPRETED))
    exploration.run()
    graph = build(exploration, ["sealing"])
    values = [value for _, value in graph.networkx.nodes(data="values")]
    assert values == [{"sealing": "no"}, {"sealing": "yes"}]
    assert sorted(graph.networkx.edges) == [(0, 0, 0), (1, 1, 0)]


@pytest.mark.parametrize(("sealing", "fails"), [(False, True), (True, False)])
def test_a_single_run_is_told_the_option(sealing: bool, fails: bool) -> None:
    instance = Instance(ReceiverForgets, 1, 1)
    actions = {action.method: action for action in instance.actions}
    run = SingleRun(instance, 100, 1, {"sealing": sealing})
    assert run.take(actions["sends"], 1 << 70) is None
    assert run.take(actions["takes_sealed" if sealing else "takes_plain"]) is None
    assert run.load(instance.variable["receiver.failed"]) is fails


def test_what_the_machine_finds_may_ask_for_it_unless_it_is_fixed() -> None:
    def asks(protocol: type[Protocol]) -> bool:
        return "state.sealing" in {atom.yes for atom in atoms_of(Instance(protocol, 2, 1), Names())}

    assert asks(Sealing)
    assert not asks(AlwaysSealed)


def test_exports_leave_it_open_or_fix_it() -> None:
    text = tla(read(Instance(Sealing, 2, 1, (in_form,))), "M", "M")
    assert errors(text) == []
    assert re.search(r"^Init ==\n(?:    /\\.*\n)*    /\\ sealing \\in BOOLEAN$", text, re.M)
    assert "sealing" not in tla(read(Instance(AlwaysSealed, 2, 1, (in_form,))), "M", "M")
    starts = [line for line in aut(read(Instance(Sealing, 1, 1))) if "initially" in line]
    assert starts == ['(0,"initially(FALSE)",1)', '(0,"initially(TRUE)",2)']


@pytest.mark.parametrize("value", [False, True])
def test_the_engine_is_driven_whatever_an_option_says(value: bool) -> None:
    """The engine has no such setting, and the option decides no step here."""
    file = Path(__file__).parents[3] / "counterexamples" / "request-served-again.itf.json"
    stored = read_itf(file, with_everything, fingerprint)
    protocol = type("WithOption", (stored.instance.protocol,), {"capability": Option("a capability")})
    instance = Instance(protocol, stored.instance.pages, stored.instance.in_flight, group=stored.instance.group)
    start = {"capability": int(value), **{v.name: stored.initial[i] for v, i in stored.instance.index.items()}}
    run = follow(instance, tuple(start[v.name] for v in instance.variables), stored.labels, None)
    found = replay(run)
    assert (found.refused, found.number, found.action) == (True, len(run.steps), "source.serves_request")


# -- what is refused --------------------------------------------------------------------------------------------------


def assigns(self: Any, page: Page) -> None:
    """takes a page in another form"""
    require(self.sent[page])
    self.sealing = False


def misspells(self: Any, page: Page) -> None:
    """misspells it"""
    require(self.sealng and self.sent[page])


def takes_for_set(self: Any, page: Page) -> None:
    """asks for a page of it"""
    require(self.sealing[page])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (assigns, "sealing is chosen at the start, and no step changes it: declare a field in the class"),
        (misspells, "has no field sealng; did you mean sealing?"),
        (takes_for_set, r"self\.sealing\[page\]|'bool' object is not subscriptable"),
    ],
)
def test_a_wrong_use_is_refused(body: Any, message: str) -> None:
    machine = type("Wrong", (Sender,), {"acts": action(Sender.thread)(body)})
    instance = Instance(type("Wrong", (Sealing,), {"sender": machine}), 1, 1)
    acts = next(a for a in instance.actions if a.method == "acts")
    sent = (
        1 if v.name == "sender.sent" else value
        for v, value in zip(instance.variables, instance.initial_states()[0], strict=True)
    )
    with pytest.raises(SpecError, match=message):
        read_action(instance, acts)
    with pytest.raises(SpecError, match=message):
        take(instance, tuple(sent), acts, 0)


def refusal(**attributes: object) -> str:
    with pytest.raises(SpecError) as caught:
        Instance(type("Wrong", (Sealing,), attributes), 1, 1)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_wrong_declaration_is_refused() -> None:
    hides = type("Hides", (Sender,), {"sealing": Flag("packets are sealed")})
    assert "Hides.sealing hides sealing, which is chosen at the start: choose another name" in refusal(sender=hides)
    assert "an option cannot be called waited_for: the name is taken" in refusal(waited_for=Option("sealed"))
    assert "sealing is a chosen set here and an option in a base" in refusal(sealing=Chosen("sealed pages"))
    assert "sealing starts as 'on': it can start as False, True or EITHER" in refusal(sealing=Option("sealed", "on"))  # type: ignore[arg-type]
    assert "NONE: 'none'>: it can start as False, True or EITHER" in refusal(sealing=Option("sealed", NONE))  # type: ignore[arg-type]
    assert "sealing starts as 1: it" in refusal(sealing=Option("sealed", 1))  # type: ignore[arg-type]
    assert 'other is the class Option itself: write Option("...")' in refusal(other=Option)
    assert 'other is the class Chosen itself: write Chosen("...")' in refusal(other=Chosen)
    assert "fine is 'sealing', which names no chosen set" in refusal(fine="sealing")
    assert "sealng = None removes a part that no base has; did you mean sealing?" in refusal(sealng=None)


def test_what_is_not_of_the_language_is_refused() -> None:
    own = type("Own", (Option,), {})
    assert "sealing is a Own, which is not one of the language's" in refusal(sealing=own("sealed"))


def test_a_monitor_of_its_name_is_refused() -> None:
    class sealing(Monitor):
        """Has the name of the option."""

        def watch(self, step: Step) -> None:
            """Sees nothing."""

    @always("Nothing", monitor=sealing)
    def nothing(state: View) -> bool:
        """It is something."""
        return not state.receiver.failed

    with pytest.raises(SpecError, match="the monitor sealing has the name of something else"):
        Instance(Sealing, 1, 1, (nothing,))


# -- with other protocols ---------------------------------------------------------------------------------------------


def with_option(name: str, doc: str = "a capability", **initial: bool) -> tuple[str, type[Protocol]]:
    return name, type(name, (Postcopy,), {"capability": Option(doc, **initial)})


def test_changes_that_declare_the_same_option_share_it() -> None:
    open_one, open_other = with_option("One"), with_option("Other")
    on, off = with_option("On", initial=True), with_option("Off", initial=False)

    def starts(*protocols: tuple[str, type[Protocol]]) -> set[object]:
        instance = Instance(compose(protocols), 1, 1)
        variable = instance.variable["capability"]
        return {variable.decode(state[instance.index[variable]]) for state in instance.initial_states()}

    assert starts(open_one, open_other) == {False, True}
    assert starts(open_one, on) == starts(on, open_one) == {True}
    assert starts(off, open_one, with_option("Off2", initial=False)) == {False}
    with pytest.raises(UsageError, match="On and Off cannot be combined: capability is on in one and off in the other"):
        compose([on, open_one, off])
    with pytest.raises(UsageError, match="One and Other cannot be combined: both define capability"):
        compose([open_one, with_option("Other", "another capability")])
    a_set = ("Set", type("Set", (Postcopy,), {"capability": Chosen("a capability")}))
    with pytest.raises(UsageError, match="One and Set cannot be combined: both define capability"):
        compose([open_one, a_set])


@pytest.mark.unmeasured
def test_the_documents_protocol_holds_with_an_option() -> None:
    verdicts = [
        explore(
            Instance(protocol, 1, 1, [p for p in asked_of(protocol) if not p.of_runs]),
            Options(engine=Engine.INTERPRETED),
        )
        for protocol in (Postcopy, with_option("One")[1], with_option("On", initial=True)[1])
    ]
    assert [verdict.outcome for verdict in verdicts] == [Outcome.HOLDS] * 3
    states = verdicts[0].states
    assert [verdict.states for verdict in verdicts] == [states, 2 * states, states]


class OtherSender(Sender):
    """The second sender."""

    wire = Sends("other_wire")


class OtherReceiver(Receiver):
    """The second receiver."""

    wire = Receives("other_wire")


class Twice(Sealing):
    """A second pair beside the first, under the same option."""

    other_sender, other_receiver = OtherSender, OtherReceiver
    other_wire = Channel(Packet)
    other = Beside(sender="other_sender", receiver="other_receiver", wire="other_wire")
    properties = asked_beside("other", (in_form,))

    @staticmethod
    def may_rest(state: View) -> bool:
        return Sealing.may_rest(state) and Sealing.may_rest(state.beside("other"))


class TwiceWithItsOwn(Twice):
    """The second pair has an option of its own."""

    other_sealing = Option("packets of the second pair are sealed")
    other = Beside(sender="other_sender", receiver="other_receiver", wire="other_wire", sealing="other_sealing")


@pytest.mark.parametrize(("protocol", "choices"), [(Twice, 2), (TwiceWithItsOwn, 4)])
def test_a_second_system_has_the_option_of_the_first_or_its_own(protocol: type[Protocol], choices: int) -> None:
    assert searched(protocol, (1, 1, 1)) == (choices * 3 * 3, None)
    read_both_ways(protocol, (1, 1, 1))
