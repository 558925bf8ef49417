"""Steps that stand in a table are those of the trees: machine code does in each state what plain Python does there."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest

from postcopy.explorer.kernel import block_code, machine_code
from postcopy.explorer.kernel.block_kernel import BlockKernel
from postcopy.explorer.kernel.calling_convention import STAYS, failed, violations
from postcopy.explorer.kernel.constant_steps import ConstantStep
from postcopy.explorer.kernel.kernel import Kernel
from postcopy.language import Step, every_step
from postcopy.language.instance import Instance
from postcopy.language.properties import Property
from postcopy.language.variables import Sort
from postcopy.model.changes.recovery import Recovery
from postcopy.model.destination import State
from postcopy.model.source import Phase

STATES = 500


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of each test's own: a text that is broken on purpose is nobody's else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSTCOPY_CACHE", str(tmp_path_factory.mktemp("constant")))
        yield


@every_step("Nothing moves while the destination listens in postcopy")
def one(step: Step) -> bool:
    """It listens."""
    return not (step.before.source.phase == Phase.POSTCOPY and step.before.destination.state == State.LISTEN)


@every_step("Nothing moves while two guests run")
def two(step: Step) -> bool:
    """Both run."""
    return not (step.before.source.running and step.before.destination.running)


def protocol(properties: Sequence[Property] = (one, two)) -> Kernel:
    """A protocol with many steps that write constants, and properties that each of them can violate."""
    return Kernel(Instance(Recovery, 1, 1, tuple(properties)))


def any_states(kernel: Kernel) -> Iterator[tuple[int, ...]]:
    """States that need not be reachable, in half of which one or two variables only differ from an initial one's."""
    numbers, initial = random.Random(1), kernel.layout.unpack(kernel.initial[0])
    variables = [at for at, v in enumerate(kernel.instance.variables) if v in kernel.program.variables]
    for round_ in range(STATES):
        state = list(initial)
        for at in variables if round_ % 2 else numbers.sample(variables, 2):
            variable = kernel.instance.variables[at]
            state[at] = numbers.randrange(variable.size if variable.sort is Sort.NUMBER else 2)
        yield kernel.layout.pack(tuple(state))


def assert_same(kernel: Kernel) -> tuple[int, int]:
    """From each state both take the same steps, or both say that one is bad; returns how many there were of each."""
    code = BlockKernel(machine_code.load_soon(kernel.plan), kernel.labels.action_of)
    good = bad = 0
    for state in any_states(kernel):
        taken = kernel.functions.expand(*state)
        steps, said = code.expand([state]), [label for label, *_ in taken]
        wrong = any(failed(label) or violations(label) for label in said)
        assert (steps is None) == wrong, state
        if steps is None:
            bad += 1
            continue
        good += 1
        expected = [(kernel.labels.action_of[label & STAYS - 1], *words) for label, *words in taken]
        found = zip(steps.action.tolist(), *steps.after.tolist(), strict=True)
        assert Counter(found) == Counter(step for step in expected if step[1:] != state), state
        fired = Counter(label & STAYS - 1 for label in said)
        leaves = len(kernel.labels.leaves)
        assert {leaf: n for leaf, n in enumerate(steps.fired.tolist()[:leaves]) if n} == fired, state
        assert (steps.stuck == []) == any(kernel.progress[step[0]] for step in expected if step[1:] != state), state
    return good, bad


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
    good, _ = assert_same(kernel)
    assert good > STATES // 2


def changed_row(at: int, other: Callable[[int], int]) -> Callable[..., list[int]]:
    plain = ConstantStep.row

    def row(self: ConstantStep, *numbers: int, **others: int) -> list[int]:
        numbers_ = plain(self, *numbers, **others)  # type: ignore[arg-type]
        if at < len(numbers_):
            numbers_[at] = other(numbers_[at])
        return numbers_

    return row


FAULTS = {
    "another leaf is counted": changed_row(0, lambda number: number ^ 1),
    "nothing saves a state from being stuck": changed_row(2, lambda _: 0),
    "the label names another leaf": changed_row(3, lambda label: label + 1),
    "a bit is not written": changed_row(4, lambda mask: mask & mask - 1),
}
"""Where a row of two words is broken (see `ConstantStep.row`)."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_row_is_noticed(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    monkeypatch.setattr(ConstantStep, "row", FAULTS[fault])
    with pytest.raises((AssertionError, IndexError)):
        assert_same(protocol())
