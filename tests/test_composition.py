"""Protocols that are composed of several: like those that are written by hand, or an error that names the clash."""

from __future__ import annotations

from pathlib import Path

import pytest

from postcopy.catalogue.changes import CHANGES
from postcopy.catalogue.loading import resolve
from postcopy.catalogue.properties import asked_of, reasons
from postcopy.errors import SpecError, UsageError
from postcopy.explorer.explore import explore
from postcopy.explorer.kernel.fingerprint import fingerprint
from postcopy.explorer.results import Outcome
from postcopy.language.channels import Channel
from postcopy.language.instance import Instance
from postcopy.language.machines import Machine
from postcopy.language.protocol import Protocol
from postcopy.model.destination import Destination
from postcopy.model.postcopy import Postcopy
from postcopy.properties.ranking import RANKING
from tests.composed import EAGER, LAZY, LOCK, RELEASE, change, of_source


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the files of `tests.composed`, in which the test runs."""
    for name, text in (("lock", LOCK), ("release", RELEASE), ("lazy", LAZY), ("eager", EAGER)):
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def print_of(text: str) -> str:
    """The hash of all that a protocol does, with the words of its actions."""
    return fingerprint(Instance(resolve(text)[1], 1, 1, ()))


def refusal(text: str) -> str:
    with pytest.raises(UsageError) as error:
        resolve(text)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.usefixtures("saved")
@pytest.mark.parametrize(
    ("composed", "written"),
    [
        ("recovery+release.py", "release-ram-with-recovery"),
        ("release.py+recovery", "release-ram-with-recovery"),
        ("switch-at-package+lock.py", "switch-at-package-locked"),
        ("lock.py+switch-at-package", "switch-at-package-locked"),
        ("lock.py+switch-after-pong", "switch-after-pong-locked"),
    ],
)
def test_a_composition_does_what_the_class_does_that_is_written_by_hand(composed: str, written: str) -> None:
    assert print_of(composed) == print_of(written)


@pytest.mark.usefixtures("saved")
def test_where_both_extend_a_method_the_first_named_comes_first() -> None:
    """`_fail` of the lock looks at what that of the PONG has decided, and not the reverse."""
    assert print_of("switch-after-pong+lock.py") != print_of("switch-after-pong-locked")


def test_what_is_written_for_the_composition_itself_is_not_in_it() -> None:
    """The preempt channel is not made anew after a break, which `recovery-with-preempt` writes down."""
    composed, written = resolve("recovery+preempt")[1], CHANGES["recovery-with-preempt"]
    added = {"fast.listening"}
    assert set(Instance(written, 1, 1, ()).variable) - set(Instance(composed, 1, 1, ()).variable) == added
    dirtied = [p for p in asked_of(composed) if p.name == "dirtied-only-if-missing"]
    assert explore(Instance(composed, 1, 1, dirtied)).outcome is Outcome.VIOLATED


@pytest.mark.usefixtures("saved")
def test_where_both_replace_a_method_the_error_says_how_to_write_the_composition() -> None:
    assert refusal("switch-after-acknowledgement+lock.py") == (
        "switch-after-acknowledgement and lock.py:Locked cannot be combined: both replace the method "
        "destination._run_is_due, and neither calls super()._run_is_due(); write class "
        "Both(SwitchAfterAcknowledgement, Locked) in a file of your own, with class "
        "destination(SwitchAfterAcknowledgement.destination, Locked.destination) that defines _run_is_due"
    )
    assert "both replace the action source.sends_background_page" in refusal("ram-cache+preempt")


@pytest.mark.usefixtures("saved")
@pytest.mark.parametrize("text", ["lazy.py+eager.py", "eager.py+lazy.py"])
def test_of_an_action_that_one_extends_and_one_replaces_both_parts_count(text: str) -> None:
    """In either order: what is extended is what the other has written."""
    _, composed = resolve(text)
    order = [base.__qualname__ for base in composed.parts(Machine)["source"].__mro__]
    assert order.index("Lazy.source") < order.index("Eager.source")
    assert print_of("lazy.py+eager.py") == print_of("eager.py+lazy.py")
    assert print_of(text) not in {print_of("lazy.py"), print_of("eager.py"), print_of("Postcopy")}


def test_three_changes(saved: Path) -> None:
    name, composed = resolve("recovery+release.py+lazy.py")
    assert name == "recovery+release.py:ReleaseRam+lazy.py:Lazy"
    assert issubclass(composed, CHANGES["recovery"])
    assert "source.freed" in Instance(composed, 1, 1, ()).variable
    (saved / "third.py").write_text(EAGER.replace("Eager", "Third"))
    assert "eager.py:Eager and third.py:Third cannot be combined" in refusal("eager.py+recovery+third.py")


def test_what_is_collected_is_collected_from_all() -> None:
    _, composed = resolve("recovery+preempt")
    own = {p.name for name in ("recovery", "preempt") for p in asked_of(CHANGES[name])}
    excused = {**reasons(CHANGES["recovery"]), **reasons(CHANGES["preempt"])}
    assert reasons(composed) == excused
    assert {p.name for p in asked_of(composed)} == own - excused.keys()


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Postcopy+recovery", "recovery"),
        ("recovery+Postcopy", "recovery"),
        ("recovery+release-ram-with-recovery", "release-ram-with-recovery"),
        ("preempt+recovery-with-preempt+recovery", "recovery-with-preempt"),
    ],
)
def test_what_another_is_derived_from_is_in_it_already(text: str, same: str) -> None:
    assert resolve(text) == (text, CHANGES[same])


def test_a_channel_that_both_extend_carries_what_both_say() -> None:
    channel = resolve("recovery+multifd-before-the-switch")[1].parts(Channel)["stream"]
    own = [CHANGES[name].parts(Channel)["stream"] for name in ("recovery", "multifd-before-the-switch")]
    assert set(channel.messages) == {*own[0].messages, *own[1].messages}
    assert channel.reconnects
    assert resolve("switch-at-package-locked+switch-after-pong-locked")[1].parts(Channel)["disk"].messages


def test_what_contradicts_of_a_channel_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, capacity in (("one", 1), ("two", 2)):
        channel = f"    stream = Postcopy.stream.extended(capacity={capacity})"
        (tmp_path / f"{name}.py").write_text(change(name.title(), channel))
    with pytest.raises(SpecError, match=r"One and Two contradict each other|Two and One contradict each other"):
        resolve("one.py+two.py")
    imports = "from postcopy.model.network import Command, Reply"
    (tmp_path / "one.py").write_text(change("One", "    extra = Channel(Command)", imports))
    (tmp_path / "two.py").write_text(change("Two", "    extra = Channel(Reply)", imports))
    assert "both add a channel extra; give one of them another name" in refusal("one.py+two.py")


# -- clashes ----------------------------------------------------------------------------------------------------------

FIELD = '        again = Flag("{}")\n\n        def _clean_up(self) -> None:\n            super()._clean_up()\n'
MACHINE = '''
    class disk(Machine):
        """x"""

        kernel = Thread("kernel")
        locked = Flag("x")

        @action(kernel)
        def locks(self) -> None:
            """locks it"""
            require(not self.locked)
            self.locked = True
'''
ANEW = """
        @action(Source.{}, environment={})
        def sends_background_page(self, page: Page) -> None:
            \"\"\"x\"\"\"
            super().sends_background_page(page)
"""
REST = """
    @staticmethod
    def may_rest(state: View) -> bool:
        \"\"\"x\"\"\"
        return Postcopy.may_rest(state)
"""
CROSSED = """
        def sends_discards(self) -> None:
            \"\"\"x\"\"\"
            {}

        def sends_package(self) -> None:
            \"\"\"x\"\"\"
            {}
"""
REMOVES = "        sends_background_page = None\n"


@pytest.mark.parametrize(
    ("one", "other", "says"),
    [
        (of_source("A", FIELD.format("a")), of_source("B", FIELD.format("b")),
         "both declare source.again; give one of them another name"),
        (of_source("A", '        running = Flag("a", True)\n'), of_source("B", '        running = Flag("b", True)\n'),
         "both declare source.running anew; write class Both(A, B) in a file of your own, with class "
         "source(A.source, B.source) that defines running"),
        (change("A", MACHINE), change("B", MACHINE), "both add a machine disk; give one of them another name"),
        (change("A", "    wire = None"), change("B", '    class wire(Wire):\n        """x"""\n'),
         "the first removes the machine wire, which the second changes; write class Both(A, B)"),
        (change("A", '    class guest(Guest):\n        """x"""\n'), change("B", "    guest = None"),
         "two.py:B and one.py:A cannot be combined: the first removes the ghost guest, which the second changes"),
        (of_source("A", REMOVES), EAGER.replace("Eager", "B"),
         "one.py:A and two.py:B cannot be combined: the first removes source.sends_background_page"),
        (LAZY.replace("Lazy", "A"), of_source("B", REMOVES),
         "two.py:B and one.py:A cannot be combined: the first removes source.sends_background_page"),
        (of_source("A", ANEW.format("migration", True)), of_source("B", ANEW.format("migration", False)),
         "each declares source.sends_background_page as another action"),
        (change("A", "    cpus = 1"), change("B", "    cpus = 3"), "both define cpus"),
        (change("A", REST), change("B", REST), "both define may_rest"),
        (of_source("A", CROSSED.format("super().sends_discards()", "require(False)")),
         of_source("B", CROSSED.format("require(False)", "super().sends_package()")),
         "each replaces what the other extends, see source.sends_package and source.sends_discards"),
        (of_source("A", CROSSED.format("super().sends_discards()", "require(False)")),
         of_source("B", CROSSED.format("super().sends_discards()", "Source.sends_package(self)")),
         "both replace the action source.sends_package, and neither calls super().sends_package()"),
    ],
)  # fmt: skip
def test_what_cannot_be_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one: str, other: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.py").write_text(one)
    (tmp_path / "two.py").write_text(other)
    assert says in refusal("one.py+two.py")


@pytest.mark.parametrize(
    ("one", "other", "says"),
    [
        (change("A", "    wire = None"), change("B", "    cpus = 1"), "no wire"),
        (change("A", "    cpus = 3"), change("B", "    cpus = 3"), "3 vCPUs"),
        (of_source("A", REMOVES), of_source("B", REMOVES), "no background"),
        (of_source("A", "        MOST = 3\n"), of_source("B", "        MOST = 3\n"), "constant"),
        (change("A", "    drawn_by = ('source.phase',)"), change("B", "    drawn_by = ('wire',)"), "drawn"),
    ],
    ids=lambda value: value if isinstance(value, str) and "\n" not in value else "",
)
def test_what_both_say_alike_or_only_one_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one: str, other: str, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.py").write_text(one)
    (tmp_path / "two.py").write_text(other)
    composed: type[Protocol] = resolve("one.py+two.py")[1]
    instance = Instance(composed, 1, 1, ())
    source = composed.parts(Machine)["source"]
    found = {
        "no wire": "wire" not in instance.machines and composed.cpus == 1,
        "3 vCPUs": composed.cpus == 3,
        "no background": not any(a.method == "sends_background_page" for a in instance.actions),
        "constant": getattr(source, "MOST", 0) == 3,
        "drawn": composed.drawn_by == ("source.phase", "wire"),
    }
    assert found[says]
    assert composed.parts(Machine)["destination"] is Destination
    assert issubclass(composed, Postcopy)


RANKED = """
from postcopy.language.ranking import Component, Measure
from postcopy.model.postcopy import Postcopy
from postcopy.properties.ranking import ranking_with


class {name}(Postcopy):
    "{name}."

    ranking = ranking_with(Component("{uses}", Measure.ADVANCES, "it is used up"), before={before!r})
"""


def test_what_each_uses_up_on_the_way_to_the_end_is_used_up_by_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.py").write_text(RANKED.format(name="One", uses="source.one", before="stream"))
    (tmp_path / "two.py").write_text(RANKED.format(name="Two", uses="source.two", before=None))
    ranking = resolve("one.py+two.py")[1].ranking
    assert ranking is not None
    names = [component.name for component in ranking.components]
    document = [component.name for component in RANKING.components]
    stream = document.index("stream")
    assert names == [*document[:stream], "source.one", *document[stream:], "source.two"]
