"""Steps that stand in a table are those of the trees: machine code does in each state what plain Python does there."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest

from postcopy.explorer.explore import Exploration
from postcopy.explorer.kernel import block_code, constant_steps, machine_code
from postcopy.explorer.kernel.block_kernel import BlockKernel
from postcopy.explorer.kernel.calling_convention import BLOCK, STAYS, failed, violations
from postcopy.explorer.kernel.constant_steps import ConstantStep, Words, split_row
from postcopy.explorer.kernel.kernel import Kernel
from postcopy.explorer.results import Engine, Options
from postcopy.language import Step, every_step
from postcopy.language import expressions as ex
from postcopy.language.instance import Instance
from postcopy.language.properties import Property
from postcopy.language.variables import Sort
from postcopy.model.changes.recovery import Recovery
from postcopy.model.destination import State
from postcopy.model.source import Phase

STATES = 1000
FULL = Options(reductions=(), engine=Engine.INTERPRETED)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of each test's own: a text that is broken on purpose is nobody's else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSTCOPY_CACHE", str(tmp_path_factory.mktemp("constant")))
        yield


@every_step("Nothing moves while the destination runs in postcopy")
def one(step: Step) -> bool:
    """It runs."""
    return not (step.before.source.phase == Phase.POSTCOPY and step.before.destination.state == State.RUNNING)


@every_step("Nothing moves while two guests run")
def two(step: Step) -> bool:
    """Both run."""
    return not (step.before.source.running and step.before.destination.running)


def protocol(properties: Sequence[Property] = (one, two)) -> Kernel:
    """A protocol with many steps that write constants, and properties that each of them can violate."""
    return Kernel(Instance(Recovery, 1, 1, tuple(properties)))


def any_states(kernel: Kernel) -> Iterator[tuple[int, ...]]:
    """States that can be reached, each with what differs by one variable: also what no run comes to."""
    numbers, search = random.Random(1), Exploration(Instance(Recovery, 1, 1), FULL)  # without what would end it
    search.run()
    reached = [search.kernel.layout.unpack(words) for words in search.stored()]
    variables = [at for at, v in enumerate(kernel.instance.variables) if v in kernel.program.variables]
    for before in numbers.sample(reached, STATES // 2):
        yield kernel.layout.pack(before)
        state, at = list(before), numbers.choice(variables)
        variable = kernel.instance.variables[at]
        state[at] = numbers.randrange(variable.size if variable.sort is Sort.NUMBER else 2)
        yield kernel.layout.pack(tuple(state))


def is_wrong(label: int) -> bool:
    """Whether a label says that a step is bad."""
    return failed(label) or violations(label) != 0


def assert_same(kernel: Kernel) -> tuple[int, int]:
    """From each state both take the same steps, or both say that one is bad; returns how many there were of each."""
    code = BlockKernel(machine_code.load_soon(kernel.plan), kernel.labels.action_of)
    taken = {state: kernel.functions.expand(*state) for state in any_states(kernel)}
    bad = {state: steps for state, steps in taken.items() if any(is_wrong(label) for label, *_ in steps)}
    for state, steps in bad.items():
        code._label[:] = 0
        assert code.expand([state]) is None, state
        said = [label for label, *_ in steps]
        if not any(map(failed, said)):
            assert Counter(filter(violations, code._label.tolist())) == Counter(filter(violations, said)), state
    good = [state for state in taken if state not in bad]
    for begin in range(0, len(good), BLOCK):
        block = good[begin : begin + BLOCK]
        assert_same_steps(kernel, code, block, [taken[state] for state in block])
    return len(good), len(bad)


def assert_same_steps(
    kernel: Kernel, code: BlockKernel, block: Sequence[tuple[int, ...]], taken: Sequence[Sequence[tuple[int, ...]]]
) -> None:
    """From the states of a block it takes these steps, none of them bad."""
    steps, labels = code.expand(block), kernel.labels
    assert steps is not None
    expected = [
        (origin, labels.action_of[label & STAYS - 1], *words)
        for origin, found in enumerate(taken)
        for label, *words in found
        if tuple(words) != block[origin]
    ]
    found = zip(steps.origin.tolist(), steps.action.tolist(), *steps.after.tolist(), strict=True)
    assert Counter(found) == Counter(expected)
    fired = Counter(label & STAYS - 1 for each in taken for label, *_ in each)
    assert {leaf: n for leaf, n in enumerate(steps.fired.tolist()[: len(labels.leaves)]) if n} == fired
    moved = {origin for origin, action, *_ in expected if kernel.progress[action]}
    assert steps.stuck == [at for at in range(len(block)) if at not in moved]


@pytest.mark.parametrize("properties", [(), (one,), (one, two)], ids=len)
@pytest.mark.parametrize(("few", "kind"), [(8, "bits"), (0, "list")])
def test_in_each_state_the_same_steps_are_taken(
    monkeypatch: pytest.MonkeyPatch, few: int, kind: str, properties: tuple[Property, ...]
) -> None:
    monkeypatch.setattr(block_code, "_FEW_WAYS", few)
    kernel = protocol(properties)
    called = {line.split()[1].split("(")[0] for line in kernel.plan.text.splitlines() if line.startswith("def common")}
    assert f"common_{kind}{len(properties)}" in called
    assert few or "common_split_list" in called
    good, bad = assert_same(kernel)
    assert good > STATES // 2
    assert bool(bad) == bool(properties)


def other_row(at: int, other: Callable[[int], int]) -> Callable[[ConstantStep, list[int]], list[int]]:
    """A row of which one number is another one."""
    return lambda _, row: [*row[:at], other(row[at]), *row[at + 1 :]]


def with_tests(step: ConstantStep, row: list[int], *, mask: bool = False, prop: bool = False) -> list[int]:
    """A row whose first test asks of all bits, which no state has so; or is of another property."""
    words = len(step.written.masks)
    at = 4 + 2 * words
    if not step.tests:
        return row
    others = [row[at] << 1 if prop else row[at], *([-1 >> 1] * words if mask else row[at + 1 : at + 1 + words])]
    return [*row[:at], *others, *row[at + 1 + words :]]


FAULTS: dict[str, Callable[[ConstantStep, list[int]], list[int]]] = {
    "another leaf is counted": other_row(0, lambda number: number ^ 1),
    "nothing saves a state from being stuck": other_row(2, lambda _: 0),
    "the label names another leaf": other_row(3, lambda label: label + 1),
    "a bit is not written": other_row(4, lambda mask: mask & mask - 1),
    "another value is written": lambda step, row: other_row(
        4 + len(step.written.masks), lambda v: v ^ (row[4] & -row[4])
    )(step, row),
    "a property is hardly ever violated": lambda step, row: with_tests(step, row, mask=True),
    "another property is violated": lambda step, row: with_tests(step, row, prop=True),
}
"""How a row is broken (see `ConstantStep.row`)."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_row_is_noticed(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    right = ConstantStep.row
    monkeypatch.setattr(ConstantStep, "row", lambda self, *n, **more: FAULTS[fault](self, right(self, *n, **more)))
    with pytest.raises((AssertionError, IndexError)):
        assert_same(protocol())


SPLITS: dict[str, Callable[[Words, int, int, int], list[int]]] = {
    "the lists change places": lambda test, begin, yes, no: split_row(test, begin, no, yes),
    "a bit is not asked for": lambda test, *begins: split_row(
        Words((test.masks[0] & test.masks[0] - 1,), test.values), *begins
    ),
    "another value is asked for": lambda test, *begins: split_row(
        Words(test.masks, (test.values[0] ^ test.masks[0] & -test.masks[0],)), *begins
    ),
}
"""How a list of states of one word is split otherwise."""


@pytest.mark.parametrize("fault", SPLITS)
def test_a_list_that_is_split_otherwise_is_noticed(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    monkeypatch.setattr(block_code, "_FEW_WAYS", 0)
    monkeypatch.setattr(block_code, "split_row", SPLITS[fault])
    with pytest.raises((AssertionError, IndexError)):
        assert_same(protocol())


def test_a_value_that_a_number_cannot_have_stands_in_no_table() -> None:
    """Its bits would be those of the number beside it."""
    layout = protocol().layout
    for variable in layout.numbers:
        number = ex.as_number(ex.variable(variable))
        asked = [
            constant_steps.test_of([(ex.equal(number, ex.number(value)), True)], layout)
            for value in range(variable.size + 2)
        ]
        assert [each is None for each in asked] == [False] * variable.size + [True] * 2
