"""Small changes that were once misunderstood: the verdict on each, or the line that says what to write instead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from postcopy.catalogue.loading import load
from postcopy.catalogue.properties import asked_of, proved_of
from postcopy.errors import SpecError
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options, Verdict
from postcopy.explorer.vacuity import Missing
from postcopy.language.instance import Instance
from postcopy.prover.session import at_size
from postcopy.prover.verdicts import Answer
from tests.composed import change

DESTINATION = '    class destination(Destination):\n        """x"""\n'
SOURCE = '    class source(Source):\n        """x"""\n'
IMPORTS = "from postcopy.model.network import Command, Reply\nfrom postcopy.model.roles import Role\n"

BUFFER = f'''{DESTINATION}
        buffer = Bitmap("the page that has been read and not placed"{{role}})

        def places_page(self) -> None:
            """reads a page into its buffer"""
            require(self._listening())
            require(self.buffer.empty)
            message = self.stream.receive(Command.PAGE)
            self.buffer = message.pages
            self.guest.arrived(message.pages, message.marked["stale"])

        @action(Destination.listen)
        def places_buffer(self) -> None:
            """places what is in its buffer"""
            require(not self.buffer.empty)
            page = self.buffer
            self.buffer = NONE
            self._place(page)

        def ends(self) -> None:
            """ends with an empty buffer"""
            require(self.buffer.empty)
            super().ends()

        def _give_up(self) -> None:
            super()._give_up()
            self.buffer = NONE
'''
FROM_NOTHING = '''
from postcopy.language import Flag, Machine, Protocol, Thread, View, action, require


class M(Machine):
    """One flag."""

    t = Thread("t")
    done = Flag("it is done")

    @action(t)
    def does(self) -> None:
        """does it"""
        require(not self.done)
        self.done = True


class C(Protocol):
    """Does it."""

    m = M

    @staticmethod
    def may_rest(state: View) -> bool:
        """Done."""
        return {rest}
'''
COUNTS = f"""{DESTINATION}
        faults = Count("requests made", 0, {{most}})

        def requests_page(self, page: Page) -> None:
            \"\"\"counts\"\"\"
            super().requests_page(page)
            {{guard}}self.faults += 1
"""
NO_ROOM = f"""{DESTINATION}
        def requests_page(self, page: Page) -> None:
            \"\"\"asks\"\"\"
            require(self._listening())
            require(self.faulted[page])
            require(not self.return_path.broken)
            {{room}}self.faulted -= page
            self.return_path.send(Reply.REQ_PAGES, page)
"""
FALSE = '''
@always("The guest never runs at the destination")
def never_runs(state: View) -> bool:
    """It runs."""
    return not state.destination.running
'''

CASES: dict[str, tuple[str, str]] = {
    "a buffer without a role": (change("C", BUFFER.format(role=""), IMPORTS), "no-page-lost"),
    "a buffer on the way to the guest": (change("C", BUFFER.format(role=", role=Role.LANDING"), IMPORTS), ""),
    "a buffer with another role": (change("C", BUFFER.format(role=", role=Role.NOTE"), IMPORTS), "no-page-lost"),
    "the smallest protocol from nothing": (FROM_NOTHING.format(rest="bool(state.m.done)"), ""),
    "one from nothing that has to go on": (FROM_NOTHING.format(rest="False"), "no-deadlock"),
    "a counter that overflows": (change("C", COUNTS.format(most=1, guard="")), "numbers-stay-in-range"),
    "one that overflows later": (change("C", COUNTS.format(most=2, guard="")), ""),
    "one with a guard": (change("C", COUNTS.format(most=1, guard="if self.faults < 1:\n                ")), ""),
    "a message without room": (change("C", NO_ROOM.format(room=""), IMPORTS), "messages-have-room"),
    "a message with room": (
        change("C", NO_ROOM.format(room="self._ready_to_reply()\n            "), IMPORTS),
        "",
    ),
    "a false property of its own": (change("C", "    properties = (never_runs,)", FALSE), "never-runs"),
    "no page is ever sent": (change("C", f"{SOURCE}        sends_background_page = None"), "no-deadlock"),
    "one property less": (change("C", '    inapplicable = {"no-page-sent-twice": "only to see"}'), ""),
}
"""By what it is: its text, and the property that is violated."""

PROVED = [name for name in CASES if "buffer" not in name and "guard" not in name]
"""Those that are proved at a size, too."""


def load_text(directory: Path, text: str) -> Instance:
    """The instance of a text at the smallest size, with all that is asked of states and steps."""
    (directory / "mine.py").write_text(text)
    _, protocol = load(str(directory / "mine.py"))
    return Instance(protocol, 1, 1, [p for p in asked_of(protocol) if not p.of_runs])


def searched(directory: Path, text: str) -> Verdict:
    return explore(load_text(directory, text), Options(engine=Engine.INTERPRETED))


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", CASES)
def test_the_verdict(tmp_path: Path, name: str) -> None:
    text, violated = CASES[name]
    verdict = searched(tmp_path, text)
    assert (verdict.violated.name if verdict.violated else "") == violated
    assert (verdict.counterexample is not None) == bool(violated)
    pointed_at = {"destination.buffer"} if name == "a buffer without a role" else set()
    assert {gap.name for gap in verdict.gaps if gap.missing is Missing.ROLE} == pointed_at


@pytest.mark.slow
@pytest.mark.parametrize("name", PROVED)
def test_the_proof_says_the_same(tmp_path: Path, name: str) -> None:
    text, violated = CASES[name]
    instance = load_text(tmp_path, text)
    properties, invariant, _ = proved_of(instance.protocol)
    claims = [p for p in properties if not p.of_runs and not p.is_witness]
    found = at_size(Instance(instance.protocol, 1, 1, claims), claims, invariant, "invariant", lambda *_: None)
    assert [verdict.property.name for verdict in found.of(Answer.REFUTED)] == ([violated] if violated else [])


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ("wire", "C removes wire, which the properties .* read: declare inapplicable = {.*} in C, or leave wire in"),
        ("guest", "C removes guest, which the properties .* read: declare inapplicable = {.*} in C, or leave guest in"),
        ("destination", "C removes destination, which the properties .*waiting-thread-stands-still.* read: declare"),
        ("source", "C removes source, which the properties .* read: declare"),
        ("stream", "mine.py:.* C removes the channel stream, of which Source.stream is an end: leave it in"),
        ("return_path", "C removes the channel return_path, of which Source.return_path is an end: leave it in"),
        ("wirr", r"mine.py:.* C.wirr = None removes a part that no base has; did you mean wire\?"),
        ("disk", "C.disk = None removes a part that no base has"),
    ],
)
def test_a_part_that_is_removed(tmp_path: Path, part: str, says: str) -> None:
    with pytest.raises(SpecError) as error:
        searched(tmp_path, change("C", f"    {part} = None"))
    assert re.search(says, str(error.value)), error.value
    assert "\n" not in str(error.value)


def test_what_a_change_brings_and_a_later_one_removes(tmp_path: Path) -> None:
    """`None` is no mistake where a base has the part, whether or not that base is the document's protocol."""
    text = FROM_NOTHING.format(rest="bool(state.m.done)")
    text += text[text.index("class M(") : text.index("class C(")].replace("class M(", "\n\nclass N(")
    text += 'class More(C):\n    """More."""\n\n    n = N\n\n\nclass Less(More):\n    """Less."""\n\n    n = None\n'
    (tmp_path / "mine.py").write_text(text)
    more, less = (load(f"{tmp_path}/mine.py:{name}")[1] for name in ("More", "Less"))
    assert set(Instance(more, 1, 1, ()).machines) == {"m", "n"}
    assert set(Instance(less, 1, 1, ()).machines) == {"m"}
