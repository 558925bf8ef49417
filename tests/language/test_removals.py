"""A change that removes what properties read, and names of a change that are nearly those of its base."""

from __future__ import annotations

import pytest

from postcopy.errors import SpecError
from postcopy.language import Channel, Flag, Monitor, Property, Protocol, Step, View, always, every_step
from postcopy.language.instance import Instance
from postcopy.language.program import read
from postcopy.language.source_locations import of_class
from tests.language.tiny import Innocent, Letter, Other, Right, protocol_of


@always("the right is empty")
def right_is_empty(state: View) -> bool:
    """Reads what may be removed."""
    return bool(state.right.present.empty)


def of_right(step: Step) -> bool:
    return bool(step.after.right.present.empty)


@every_step("the right stays")
def right_stays(step: Step) -> bool:
    """Reads it in a helper."""
    return of_right(step)


class Watches(Monitor):
    seen = Flag("seen")

    def watch(self, step: Step) -> None:
        """Reads it in a monitor."""
        self.seen = step.after.right.present.empty


@every_step("the right is watched", monitor=Watches)
def right_is_watched(step: Step) -> bool:
    """Reads the monitor alone."""
    return bool(step.before.Watches.seen)


@always("the memory is read")
def memory_is_read(state: View) -> bool:
    """Reads nothing that is removed."""
    return bool(state.memory.old.empty)


class Bare(Innocent):
    memory = None  # type: ignore[assignment]


class Later(Bare):
    """Builds on a change that removes."""


@pytest.mark.parametrize(
    ("protocol", "properties", "message"),
    [
        (
            Bare,
            (right_is_empty, memory_is_read),
            'Bare removes memory, which the property memory-is-read reads: declare inapplicable = {"memory-is-read": '
            '"the reason"} in Bare, or leave memory in',
        ),
        (
            Later,
            (memory_is_read,),
            'Bare removes memory, which the property memory-is-read reads: declare inapplicable = {"memory-is-read": '
            '"the reason"} in Bare, or leave memory in',
        ),
    ],
)
def test_a_property_of_what_is_removed_is_named(
    protocol: type[Protocol], properties: tuple[Property, ...], message: str
) -> None:
    with pytest.raises(SpecError) as caught:
        read(Instance(protocol, 1, 1, properties))
    assert str(caught.value) == f"{of_class(Bare, 'memory')}: {message}"


def test_properties_that_read_by_helpers_and_monitors_are_named_too() -> None:
    class Alone(Innocent):
        right = None  # type: ignore[assignment]

    with pytest.raises(SpecError) as caught:
        read(Instance(Alone, 1, 1, (right_is_empty, right_stays, memory_is_read, right_is_watched)))
    assert "Alone removes right, which the properties right-is-empty, right-stays, right-is-watched read" in str(
        caught.value
    )


def test_what_is_removed_and_not_read_is_no_error() -> None:
    assert read(Instance(Bare, 1, 1, (right_is_empty,))).instance.protocol is Bare


@pytest.mark.parametrize(("name", "meant"), [("wires", "wire"), ("wir", "wire"), ("bakc", "back"), ("backk", "back")])
def test_a_channel_of_a_change_that_has_nearly_the_name_of_one_is_refused(name: str, meant: str) -> None:
    change = type("Change", (Innocent,), {name: getattr(Innocent, meant).extended(Other)})
    with pytest.raises(SpecError, match=f"no machine has an end of the channel {name}; did you mean {meant}\\?"):
        Instance(change, 1, 1)


def test_a_channel_without_ends_is_refused() -> None:
    change = type("Change", (Innocent,), {"quite_another": Channel(Letter)})
    with pytest.raises(
        SpecError, match=r'no machine has an end of the channel quite_another: give a machine Sends\("q'
    ):
        Instance(change, 1, 1)


@pytest.mark.parametrize("name", ["rights", "second", "left2", "other"])
def test_a_second_machine_of_a_class_is_refused(name: str) -> None:
    change = type("Change", (Innocent,), {name: type(name, (Right,), {})})
    with pytest.raises(SpecError, match=f"Innocent has no machine {name}; did you mean right"):
        Instance(change, 1, 1)


def test_a_second_ghost_of_a_class_is_refused() -> None:
    base = protocol_of(Innocent.left)
    change = type("Change", (base,), {"memories": type("memories", (Innocent.memory,), {})})
    with pytest.raises(SpecError, match="Tiny has no ghost memories; did you mean memory"):
        Instance(change, 1, 1)
