"""What liveness searches is read by a thread meanwhile, and nothing but time depends on it."""

from __future__ import annotations

import pytest

from postcopy.errors import SpecError
from postcopy.explorer import explore as driver
from postcopy.explorer.explore import Exploration
from postcopy.explorer.kernel import machine_code
from postcopy.explorer.kernel.kernel import Kernel, kernel_to_errors
from postcopy.explorer.kernel.reductions import PAGES
from postcopy.explorer.liveness import ahead, beside
from postcopy.explorer.liveness.ahead import Ahead
from postcopy.explorer.liveness.beside import LEAST_MEMORY, Beside
from postcopy.explorer.liveness.check import watched
from postcopy.explorer.results import Engine, Options
from postcopy.language.instance import Instance
from postcopy.model.postcopy import Postcopy
from postcopy.properties.liveness import LIVENESS
from postcopy.properties.safety import SAFETY


@pytest.fixture
def instance(monkeypatch: pytest.MonkeyPatch) -> Instance:
    """A protocol with promises, two cores, and machine code that is in the cache."""
    monkeypatch.setattr(beside, "cores", lambda: 2)
    monkeypatch.setattr(machine_code, "is_compiled", lambda _: True)
    return Instance(Postcopy, 1, 1, (*SAFETY[:1], *LIVENESS))


def test_the_kernel_is_the_one_that_would_be_read_later_and_of_that_instance_alone(instance: Instance) -> None:
    made = Ahead(instance, (PAGES,), Beside(LEAST_MEMORY))
    first, later = made.watched, watched(instance, 1)
    assert first is not None
    kernel = made.kernel_of(first.instance)
    assert kernel is not None
    assert [str(promise) for promise in first.asked] == [str(promise) for promise in later.asked]
    assert kernel.plan == kernel_to_errors(later.instance, (PAGES,)).plan
    assert made.kernel_of(later.instance) is None


def test_what_cannot_be_read_is_read_again_where_it_is_needed(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> Kernel:
        raise SpecError("a promise errs", "here")

    monkeypatch.setattr(ahead, "kernel_to_errors", refused)
    made = Ahead(instance, (PAGES,), Beside(LEAST_MEMORY))
    assert made.watched is None
    assert made.kernel_of(instance) is None


@pytest.mark.parametrize(("states", "begun"), [(10, True), (1 << 30, False)])
def test_a_large_space_is_checked_with_the_kernel_that_was_read_meanwhile(
    instance: Instance, monkeypatch: pytest.MonkeyPatch, states: int, begun: bool
) -> None:
    given: list[bool] = []
    plain = Exploration.__init__

    def noted(self: Exploration, *arguments: object, **named: object) -> None:
        given.append(named.get("kernel") is not None)
        plain(self, *arguments, **named)  # type: ignore[arg-type]

    made = Exploration(instance, Options(engine=Engine.AUTO))
    made.findings, made.engine = made.search.run(200), Engine.COMPILED
    monkeypatch.setattr(driver, "INTERPRETED_STATES", states)
    made._read_ahead()
    made.engine = Engine.INTERPRETED
    monkeypatch.setattr(driver, "INTERPRETED_STATES", 1 << 30)
    monkeypatch.setattr(Exploration, "__init__", noted)
    made.run()
    assert given == [begun]
    assert made.liveness is not None
    alone = Exploration(instance, Options(engine=Engine.INTERPRETED))
    alone.run()
    assert alone.liveness is not None
    assert made.liveness.findings == alone.liveness.findings
