"""Mutants of the model: the document's protocol with one small edit in one of its machines, or in its ghost."""

from __future__ import annotations

import ast
import inspect
import linecache
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import indent
from types import FunctionType, ModuleType

from mutation.edits import Edit, Kind, Vocabulary, edits
from mutation.results import digest
from postcopy.language import Bitmap, Flag, Protocol
from postcopy.model import destination, guest, network, postcopy, source
from postcopy.model.destination import Main, State
from postcopy.model.guest import Memory, Mishap
from postcopy.model.network import Command, Reply
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Phase

ENUMS = {e.__name__: e for e in (Phase, State, Main, Command, Reply, Memory, Mishap)}
PARTS: dict[str, tuple[ModuleType, str]] = {
    "source": (source, "Source"),
    "destination": (destination, "Destination"),
    "wire": (network, "Wire"),
    "guest": (guest, "Guest"),
}
"""The parts of the protocol that are mutated: for each the module and the class."""


@dataclass(frozen=True)
class Mutant:
    """One mutant.

    Attributes:
        part: the machine or ghost that is changed.
        method: the method, or the field, in which the edit is.
        edit: the edit.
        nth: 1 for the first edit of the method with these words, 2 for the second.
        text: the class with the edit.
        fields: the fields and channels that the changed lines name.
        of: a digest of the method, or of the field, without the edit.
    """

    part: str
    method: str
    edit: Edit
    nth: int
    text: str
    fields: frozenset[str]
    of: str

    @property
    def name(self) -> str:
        """What tells it from all others, whatever its line is."""
        change = f"`{self.edit.was}`" + (f" -> `{self.edit.now}`" if self.edit.now else "")
        again = f" ({self.nth})" if self.nth > 1 else ""
        return f"{self.part}.{self.method} {self.edit.kind}: {change}{again}"

    def machine(self) -> type:
        """The class with the edit. Its lines are there for messages of errors."""
        module, name = PARTS[self.part]
        file = f"{name.lower()} with {self.edit.kind} in {self.method}, line {self.edit.line}"
        return made(self.text, name, module, file)

    def protocol(self, base: type[Protocol] = Postcopy) -> type[Protocol]:
        """The document's protocol with that class."""
        return type("Mutant", (base,), {self.part: self.machine(), "__doc__": self.name})


def made(text: str, name: str, module: ModuleType, file: str) -> type:
    """A class from its text, with the names of its module around it."""
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    names = dict(vars(module))
    exec(compile(text, file, "exec"), names)
    cls = names[name]
    assert isinstance(cls, type)
    return cls


def mutants(parts: tuple[str, ...] = tuple(PARTS)) -> Iterator[Mutant]:
    """All mutants of these parts, method by method."""
    for part in parts:
        module, name = PARTS[part]
        tree = next(
            node
            for node in ast.parse(inspect.getsource(module)).body
            if isinstance(node, ast.ClassDef) and node.name == name
        )
        words = vocabulary(getattr(module, name))
        head = f"class {name}({', '.join(ast.unparse(base) for base in tree.bases)}):\n"
        members = [ast.unparse(member) for member in tree.body]
        for at, member in enumerate(tree.body):
            for edit, nth, text in distinct(member, words, frozenset(Kind) - {Kind.ANSWER}):
                whole = "\n".join([*members[:at], text, *members[at + 1 :]])
                fields = _fields(members[at], text)
                yield Mutant(
                    part, _name_of(member), edit, nth, head + indent(whole, "    "), fields, digest(members[at])
                )


def distinct(tree: ast.stmt, words: Vocabulary, kinds: frozenset[Kind]) -> Iterator[tuple[Edit, int, str]]:
    """The edits of a tree that give different texts; for each how many there were in the same words, and the text.
    Only the tree itself is unparsed each time: a whole class would take seconds."""
    seen = {ast.unparse(tree)}
    count: Counter[Edit] = Counter()
    for edit in edits(tree, words, kinds):
        text = ast.unparse(ast.fix_missing_locations(tree))
        if text not in seen:
            seen.add(text)
            alike = Edit(edit.kind, 0, edit.was, edit.now)
            count[alike] += 1
            yield edit, count[alike], text


def _fields(original: str, text: str) -> frozenset[str]:
    """The attributes of `self` in the lines that differ."""
    before, after = Counter(original.splitlines()), Counter(text.splitlines())
    changed = "\n".join([*(before - after), *(after - before)])
    return frozenset(re.findall(r"self\.(\w+)", changed))


def vocabulary(cls: type) -> Vocabulary:
    """What the edits of a class put in the place of a name: fields of the same kind, and channels."""
    fields = vars(cls)
    alike = [
        [name for name, value in fields.items() if type(value) is kind and not isinstance(value, FunctionType)]
        for kind in (Bitmap, Flag)
    ]
    channels = [name for name in ("stream", "return_path") if name in fields]
    return Vocabulary(ENUMS, alike, channels if len(channels) > 1 else ())


def _name_of(member: ast.stmt) -> str:
    match member:
        case ast.FunctionDef(name):
            return name
        case ast.Assign([ast.Name(name)]):
            return name
        case _:
            return ""


assert postcopy.Postcopy is Postcopy
