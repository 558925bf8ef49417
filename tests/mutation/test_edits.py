"""Edits of a syntax tree: each kind is made, each is taken back, and each mutant is a protocol of its own."""

import ast
import linecache

import pytest

from mutation.edits import Edit, Kind, Vocabulary, edits
from mutation.model import ENUMS, mutants
from mutation.weakenings import weakenings
from postcopy.language.instance import Instance
from postcopy.model.postcopy import Postcopy
from postcopy.properties.safety import SAFETY

TEXT = '''
class M:
    @action(t, environment=True)
    def acts(self, page):
        """acts"""
        require(self.phase == Phase.PRECOPY and self.a.empty)
        if not self.flag:
            self.a |= page.host_pages
            self.stream.send(Command.PAGE, self.a - self.b)
        self.flag = True
        self.return_path.close()
        return self.a
'''
WORDS = Vocabulary(ENUMS, [["a", "b"]], ["stream", "return_path"])


def made(text: str = TEXT) -> dict[Edit, str]:
    tree = ast.parse(text)
    return {edit: ast.unparse(ast.fix_missing_locations(tree)) for edit in edits(tree, WORDS)}


def test_every_kind_of_edit_is_made() -> None:
    assert {edit.kind for edit in made()} == set(Kind)


def test_each_edit_is_another_text() -> None:
    texts = made()
    assert len(set(texts.values())) == len(texts)
    assert ast.unparse(ast.parse(TEXT)) not in texts.values()


def test_edits_are_taken_back() -> None:
    tree = ast.parse(TEXT)
    assert list(edits(tree, WORDS))
    assert ast.unparse(tree) == ast.unparse(ast.parse(TEXT))


@pytest.mark.parametrize(
    ("kind", "was", "now"),
    [
        (Kind.MEMBER, "Phase.PRECOPY", "Phase.FINISHING"),
        (Kind.COMPARES, "self.phase == Phase.PRECOPY", "self.phase >= Phase.PRECOPY"),
        (Kind.PART, "self.phase == Phase.PRECOPY and self.a.empty", "self.a.empty"),
        (Kind.DROPS, "self.flag = True", ""),
        (Kind.BRANCH, "if not self.flag", "if True"),
        (Kind.SETS, "self.a - self.b", "self.a"),
        (Kind.SETS, "self.a |= page.host_pages", "self.a -= page.host_pages"),
        (Kind.CHANNEL, "self.return_path", "self.stream"),
        (Kind.ANSWER, "return self.a", "return True"),
        (Kind.ACTION, "environment=True", ""),
    ],
)
def test_an_edit(kind: Kind, was: str, now: str) -> None:
    assert (kind, was, now) in {(edit.kind, edit.was, edit.now) for edit in made()}


def test_mutants_have_names_of_their_own_and_lines_for_messages() -> None:
    found = list(mutants(("wire",)))
    assert len({mutant.name for mutant in found}) == len(found) > 30
    machine = found[0].machine()
    assert any(linecache.getline(file, 1).startswith("class Wire") for file in linecache.cache if "wire" in file)
    assert machine.__name__ == "Wire"


def test_a_mutant_is_a_protocol() -> None:
    mutant = next(m for m in mutants(("wire",)) if m.edit.kind is Kind.DROPS)
    protocol = mutant.protocol()
    assert issubclass(protocol, Postcopy)
    assert Instance(protocol, 2, 1).actions
    assert protocol.wire is not Postcopy.wire
    assert protocol.source is Postcopy.source


def test_a_weakened_property_is_another_one_of_the_same_name() -> None:
    weakened = next(w for w in weakenings() if w.function == "no_two_guests")
    edited = weakened.properties()
    assert list(edited) == ["no-two-guests"]
    assert edited["no-two-guests"] not in SAFETY
