"""What one reading of a protocol refuses all refuse, with the same words: check, prove and simulate."""

from __future__ import annotations

from pathlib import Path

import pytest

from postcopy.catalogue.loading import load
from postcopy.errors import SpecError
from postcopy.explorer.explore import explore
from postcopy.explorer.results import Engine, Options
from postcopy.language.instance import Instance
from tests.cli.conftest import Run, refused

HEAD = '''"""Cheats, one class each."""

from postcopy.language import Page, require
from postcopy.model.destination import Destination
from postcopy.model.network import Command, Reply
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Phase, Source


class C(Postcopy):
'''
HISTORY = "ghosts and marks are for properties, no step may depend on them"
CANCELS = '''    class source(Source):
        def operator_cancels(self) -> None:
            """cancels"""
            require(Phase.IDLE < self.phase and self.phase <= Phase.POSTCOPY)
            if {condition}:
                require(self.phase < Phase.POSTCOPY)
            self._clean_up()
            self.phase = Phase.CANCELLED
            self.running = True
'''
LOADS = '''    class destination(Destination):
        def loads_precopy_page(self) -> None:
            """loads"""
            message = self.stream.receive(Command.PAGE)
            {statement}
            self.guest.loaded(message.pages, message.marked["stale"])
'''
REQUESTS = '''    class destination(Destination):
        def requests_page(self, page: Page) -> None:
            """requests"""
            require(self._listening())
            require(self.faulted[page])
            self._ready_to_reply()
            self.faulted -= page
            {statement}
'''
CHEATS = {
    "sends history": (
        "    class source(Source):\n"
        "        def _send_page(self, page):\n"
        "            self.stream.send(Command.PAGE, page - self.guest.stale_at_destination, "
        "stale=self.guest.stale_at_source)\n",
        "13, in _send_page, called by sends_precopy_page: the pages of a PAGE on stream depend on history "
        f"(guest.stale_at_destination): {HISTORY}",
    ),
    "asks for history": (
        REQUESTS.format(
            statement="self.return_path.send(Reply.REQ_PAGES, page.host_pages | self.guest.stale_at_destination)"
        ),
        "18, in requests_page: the pages of a REQ_PAGES on return_path depend on history "
        f"(guest.stale_at_destination): {HISTORY}",
    ),
    "keeps a request by a mark": (
        REQUESTS.format(
            statement="self.return_path.send(Reply.REQ_PAGES, page)\n"
            "            self.faulted |= page & self.guest.stale_at_source"
        ),
        "19, in requests_page: destination.faulted is given a value that depends on history "
        f"(guest.stale_at_source): {HISTORY}",
    ),
    "guard on a mark": (
        LOADS.format(statement='require(message.marked["stale"].empty)\n            self.present |= message.pages'),
        f"15, in loads_precopy_page: a guard reads history (stream.stale): {HISTORY}",
    ),
    "keeps a mark": (
        LOADS.format(statement='self.present |= message.pages - message.marked["stale"]'),
        "15, in loads_precopy_page: destination.present is given a value that depends on history (stream.stale): "
        f"{HISTORY}",
    ),
    "branches on history": (
        LOADS.format(statement="if not self.guest.given_up.empty:\n                self.present |= message.pages"),
        f"15, in loads_precopy_page: a guard reads history (guest.given_up): {HISTORY}",
    ),
    "a flag from history": (
        LOADS.format(statement="self.running = self.guest.given_up.full"),
        "15, in loads_precopy_page: destination.running is given a value that depends on history "
        f"(guest.given_up): {HISTORY}",
    ),
    "number of pages": (
        CANCELS.format(condition="not self.dirty.pages == 5"),
        "15, in operator_cancels: .pages cannot be asked of a set of pages: it has empty, full, host_pages, "
        "next, previous, same_as(), subset_of()",
    ),
    "getattr": (
        CANCELS.format(condition="getattr(self, 'inter' + 'pretation').instance.pages != 3"),
        "15, in operator_cancels: it uses getattr, which looks past the language: use fields, ends and constants",
    ),
    "str": (
        CANCELS.format(condition="'4' in str(self.dirty)"),
        "15, in operator_cancels: it uses str, which looks past the language: use fields, ends and constants",
    ),
    "a loop without end": (
        CANCELS.format(condition="all(True for _ in iter(int, 1))"),
        "15, in operator_cancels: it uses iter, which is not part of the language: use fields, ends, constants, "
        "methods and functions of your own, and all, any, bool, range, super",
    ),
    "a send without room": (
        "    class source(Source):\n"
        "        def ends_postcopy(self):\n"
        "            self.stream.send(Command.EOF)\n"
        "            require(self.phase == Phase.POSTCOPY and self.phase == Phase.IDLE)\n",
        "13, in ends_postcopy: stream may be full here: require room() before sending EOF",
    ),
}
COMMANDS = {
    "check": ("check", "FILE", "--pages", "1", "--in-flight", "1"),
    "prove for every size": ("prove", "FILE"),
    "prove at a size": ("prove", "FILE", "--pages", "1", "--in-flight", "1"),
    "simulate": ("simulate", "FILE", "--walks", "1", "--pages", "1", "--in-flight", "1"),
    "export": ("export", "tla", "FILE", "--pages", "1", "--in-flight", "1"),
}


@pytest.mark.slow
@pytest.mark.parametrize("cheat", CHEATS)
def test_all_readings_refuse_a_cheat_with_the_same_words(cheat: str, run: Run, tmp_path: Path) -> None:
    body, message = CHEATS[cheat]
    file = tmp_path / "cheats.py"
    file.write_text(HEAD + body, encoding="utf-8")
    wanted = f"postcopy: cheats.py:{message}\n"
    for command in COMMANDS.values():
        assert refused(run, *(str(file) if argument == "FILE" else argument for argument in command)) == wanted
    _, protocol = load(str(file))
    for engine in Engine:
        with pytest.raises(SpecError) as caught:
            explore(Instance(protocol, 1, 1), Options(engine=engine))
        assert f"postcopy: {caught.value}\n" == wanted
