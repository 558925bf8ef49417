"""A protocol at a size: what it is made of, how it is named, and which sizes are refused."""

from __future__ import annotations

import pytest

from postcopy.errors import SpecError, UsageError
from postcopy.language import EITHER, Cpu, Flag, Page, Thread, action
from postcopy.language.instance import Instance
from tests.language.tiny import Base, Phase, protocol_of


class Changed(Base):
    """Removes one action and adds two."""

    vcpu = Thread("vCPU", each=Cpu)

    open = Flag("left open", EITHER)
    serves_request = None  # type: ignore[assignment]

    @action(vcpu, rule="R2", environment=True)
    def touches(self, cpu: Cpu, page: Page) -> None:
        """touches
        a page

        This is said nowhere else.
        """

    @action(Base.thread)
    def has_no_words(self) -> None:
        self.busy = True


class Again(Changed):
    """An override that says nothing of its own keeps what was said."""

    def touches(self, cpu: Cpu, page: Page) -> None:
        """touches it otherwise"""
        self.waiting[cpu] = page


def test_actions_are_listed_in_the_order_of_the_text_for_each_cpu() -> None:
    actions = Instance(protocol_of(Changed), 2, 1).actions
    assert [a.name for a in actions] == [
        "left.touches[0]",
        "left.touches[1]",
        "left.has_no_words",
        "right.idles",
    ]
    assert [a.thread for a in actions] == ["vCPU 0", "vCPU 1", "thread", "thread"]
    assert [a.doc for a in actions] == ["touches a page", "touches a page", "has no words", "does nothing"]
    assert [a.takes_page for a in actions] == [True, True, False, False]


def test_an_override_keeps_what_the_overridden_action_said() -> None:
    first = Instance(protocol_of(Again), 2, 1).actions[0]
    assert (first.info.rule, first.info.environment) == ("R2", True)
    assert first.doc == "touches it otherwise"


def test_what_is_left_open_doubles_the_initial_states() -> None:
    instance = Instance(protocol_of(Changed), 2, 1)
    states = instance.initial_states()
    assert len(states) == 2
    assert {state[instance.index[instance.variable["left.open"]]] for state in states} == {0, 1}
    assert {
        instance.variable["left.phase"].decode(s[instance.index[instance.variable["left.phase"]]]) for s in states
    } == {Phase.IDLE}


def test_the_size_in_words() -> None:
    assert Instance(protocol_of(Base), 1, 1).size == "1 page, 1 message in flight"
    assert Instance(protocol_of(Base), 4, 2, group=2).size == "4 pages, 2 messages in flight, host pages of 2"


@pytest.mark.parametrize(
    ("pages", "in_flight", "group", "message"),
    [
        (0, 1, 1, "pages=0 is out of range: 1 to 16"),
        (17, 1, 1, "pages=17 is out of range: 1 to 16"),
        (2, 9, 1, "in_flight=9 is out of range: 1 to 8"),
        (3, 1, 2, "host_page=2 does not divide pages=3"),
    ],
)
def test_a_wrong_size_is_refused(pages: int, in_flight: int, group: int, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Instance(protocol_of(Base), pages, in_flight, group=group)
    assert str(caught.value) == message


def test_an_annotation_that_cannot_be_found_is_refused() -> None:
    class Unknown(Base):
        @action(Base.thread)
        def act(self, page: Missing) -> None:  # type: ignore[name-defined]  # noqa: F821
            self.dirty |= page

    with pytest.raises(SpecError, match=r"test_instance.py:\d+, in act: Unknown.act: name 'Missing' is not defined"):
        Instance(protocol_of(Unknown), 1, 1)
