"""Wider edits of the model than those of `edits`: across methods, of declarations, and of what a guard lets pass.

They are the mistakes of a reader who knows the protocol less well: an update that belongs to another step, a helper
without one of its statements, an action of the wrong thread, a set of pages in the wrong role. There are too many to
judge all of them, so that some are drawn at random: `drawn`.
"""

from __future__ import annotations

import ast
import copy
import inspect
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import permutations
from textwrap import indent

from mutation.edits import Edit, is_docstring, is_guard
from mutation.model import ENUMS, PARTS, Mutant
from mutation.results import digest
from postcopy.language import Flag
from postcopy.model.roles import Role

MACHINES = ("source", "destination", "wire")
"""The parts that decide something."""

DRAWS = ((60, 2015), (60, 2026))
"""How many are judged, and the seed of the draw. What survived of the first draw has led to properties; the second was
judged when they were there."""


class Wider(StrEnum):
    """The kinds of wider edits."""

    EXCHANGES = "exchanges statements of two methods"
    BORROWS = "does a statement of another method, too"
    GUARDS = "asks for the guard of another method, too"
    ALLOWS = "allows another member, too"
    DISTANT = "names a distant member of an enumeration"
    HELPER = "leaves out a statement of a helper at one call"
    SOMETIMES = "makes an update only sometimes"
    PAGES = "speaks of all pages, or of none"
    THREAD = "gives an action to another thread"
    ROLE = "declares another role"


New = Mapping[ast.AST, Sequence[ast.AST]]
"""Nodes, each with those that come in its place."""


@dataclass(frozen=True)
class Candidate:
    """A wider edit that is not made yet.

    Attributes:
        kind: its kind.
        method: the method, or field, in which it is.
        was, now: what is changed, before and after.
        new: the nodes that are replaced.
        fields: the fields that are updated otherwise.
    """

    kind: Wider
    method: str
    was: str
    now: str
    new: New
    fields: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Class:
    """A class and what its edits are made of.

    Attributes:
        tree: its syntax tree.
        methods: its methods by name.
        flags: the names of its flags.
    """

    tree: ast.ClassDef
    methods: Mapping[str, ast.FunctionDef]
    flags: Sequence[str]


def drawn(number: int, seed: int) -> list[Mutant]:
    """So many wider mutants, as many of each kind as far as that goes, drawn at random and always the same.

    Args:
        number: how many.
        seed: of the random draw.
    """
    by_kind: dict[Wider, list[tuple[str, Candidate]]] = {kind: [] for kind in Wider}
    for part in MACHINES:
        for candidate in candidates(part):
            by_kind[candidate.kind].append((part, candidate))
    order = random.Random(seed)
    for found in by_kind.values():
        order.shuffle(found)
    share, rest = divmod(number, len(Wider))
    chosen = [pair for at, found in enumerate(by_kind.values()) for pair in found[: share + (at < rest)]]
    seen: Counter[tuple[str, str, Edit]] = Counter()
    made = []
    for part, candidate in chosen:
        edit = Edit(candidate.kind, 0, candidate.was, candidate.now)
        seen[part, candidate.method, edit] += 1
        made.append(mutant_of(part, candidate, seen[part, candidate.method, edit]))
    return made


def all_drawn() -> list[Mutant]:
    """The mutants of all draws, each once."""
    return list({mutant.name: mutant for draw in DRAWS for mutant in drawn(*draw)}.values())


def mutant_of(part: str, candidate: Candidate, nth: int = 1) -> Mutant:
    """The mutant that a candidate makes."""
    tree = _class_of(part).tree
    after, touched = [], []
    for member in tree.body:
        text = ast.unparse(member)
        new = text
        if any(node in candidate.new for node in ast.walk(member)):
            [changed] = _rebuilt(member, candidate.new)
            new = ast.unparse(ast.fix_missing_locations(changed))
            touched.append(text)
        after.append(new)
    head = f"class {tree.name}({', '.join(ast.unparse(base) for base in tree.bases)}):\n"
    return Mutant(
        part,
        candidate.method,
        Edit(candidate.kind, 0, candidate.was, candidate.now),
        nth,
        head + indent("\n".join(after), "    "),
        candidate.fields,
        digest("\n".join(touched)),
    )


@cache
def candidates(part: str) -> tuple[Candidate, ...]:
    """All wider edits of a machine."""
    cls = _class_of(part)
    makers = (_of_pairs, _of_guards, _of_helpers, _of_updates, _of_pages, _of_threads, _of_roles)
    return tuple(candidate for make in makers for candidate in make(cls))


@cache
def _class_of(part: str) -> _Class:
    module, name = PARTS[part]
    body = ast.parse(inspect.getsource(module)).body
    [tree] = [node for node in body if isinstance(node, ast.ClassDef) and node.name == name]
    methods = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    flags = [field for field, value in vars(getattr(module, name)).items() if isinstance(value, Flag)]
    return _Class(tree, methods, flags)


def _rebuilt(node: ast.AST, new: New) -> list[ast.AST]:
    """A copy of a node with others in the place of some below it."""
    if node in new:
        return list(new[node])
    made = copy.copy(node)
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            [only] = _rebuilt(value, new)
            setattr(made, name, only)
        elif isinstance(value, list):
            found = [_rebuilt(item, new) if isinstance(item, ast.AST) else [item] for item in value]
            setattr(made, name, [item for items in found for item in items])
    return [made]


# -- statements ------------------------------------------------------------------------------------------------------


def _statements(method: ast.FunctionDef) -> list[ast.stmt]:
    """Its simple statements but for guards, and for what names a local variable."""
    found = []
    for node in ast.walk(method):
        simple = isinstance(node, (ast.Expr, ast.Assign, ast.AugAssign)) and not is_docstring(node)
        local = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        if isinstance(node, ast.stmt) and simple and not local and not is_guard(node):
            found.append(node)
    return found


def _parameters(method: ast.FunctionDef) -> set[str]:
    return {argument.arg for argument in method.args.args}


def _fits(statement: ast.stmt, home: ast.FunctionDef, method: ast.FunctionDef) -> bool:
    """Whether a method has all that a statement of another one names."""
    assigned = {n.id for n in ast.walk(home) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    named = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
    return named & (assigned | _parameters(home)) <= _parameters(method)


def _of_pairs(cls: _Class) -> Iterator[Candidate]:
    """Exchange two statements of different methods; or do one of the other, too, at the end."""
    for one, two in permutations(cls.methods.values(), 2):
        for theirs in _statements(two):
            if not _fits(theirs, two, one):
                continue
            if not isinstance(one.body[-1], ast.Return):
                now = f"and {_first(theirs)} of {two.name}"
                yield Candidate(
                    Wider.BORROWS, one.name, "its end", now, {one.body[-1]: [one.body[-1], theirs]}, _updated(theirs)
                )
            for own in _statements(one) if one.lineno < two.lineno else ():
                if _fits(own, one, two) and ast.unparse(own) != ast.unparse(theirs):
                    now = f"{_first(theirs)} of {two.name}"
                    yield Candidate(
                        Wider.EXCHANGES,
                        one.name,
                        _first(own),
                        now,
                        {own: [theirs], theirs: [own]},
                        _updated(own) | _updated(theirs),
                    )


def _of_guards(cls: _Class) -> Iterator[Candidate]:
    """Ask for a guard of another method too; or let a guard pass for another member of an enumeration."""
    for one in cls.methods.values():
        text = ast.unparse(one)
        for two in cls.methods.values():
            for guard in two.body:
                if one is not two and is_guard(guard) and _fits(guard, two, one) and ast.unparse(guard) not in text:
                    at = one.body[0]
                    yield Candidate(Wider.GUARDS, one.name, "", ast.unparse(guard), {at: [at, guard]})
        for guard in filter(is_guard, one.body):
            for node in ast.walk(guard):
                match node:
                    case ast.Compare(left, [ast.Eq()], [ast.Attribute(ast.Name(name), member)]) if name in ENUMS:
                        for other in ENUMS[name].__members__:
                            if other == member:
                                continue
                            more = ast.Compare(left, [ast.Eq()], [ast.Attribute(ast.Name(name), other)])
                            new = ast.BoolOp(ast.Or(), [node, more])
                            yield Candidate(Wider.ALLOWS, one.name, ast.unparse(node), ast.unparse(new), {node: [new]})


def _of_helpers(cls: _Class) -> Iterator[Candidate]:
    """Put the statements of a helper, all but one, in the place of one of its calls."""
    for method in cls.methods.values():
        for call in _statements(method) + [node for node in method.body if is_guard(node)]:
            match call:
                case ast.Expr(ast.Call(ast.Attribute(ast.Name("self"), name), given)) if name in cls.methods:
                    helper = cls.methods[name]
                    names = [argument.arg for argument in helper.args.args][1:]
                    by: dict[ast.AST, Sequence[ast.AST]] = {
                        node: [given[names.index(node.id)]]
                        for node in ast.walk(helper)
                        if isinstance(node, ast.Name) and node.id in names
                    }
                    body = [node for node in helper.body if not is_docstring(node)]
                    for left_out in body if len(body) > 1 else ():
                        rest = [new for node in body if node is not left_out for new in _rebuilt(node, by)]
                        now = f"{name} without {_first(left_out)}"
                        was, fields = ast.unparse(call), _updated(left_out)
                        yield Candidate(Wider.HELPER, method.name, was, now, {call: rest}, fields)


def _of_updates(cls: _Class) -> Iterator[Candidate]:
    """Make an update only if a flag is set, or is not set."""
    for method in cls.methods.values():
        for statement in _statements(method):
            for flag in cls.flags:
                for test in (f"self.{flag}", f"not self.{flag}"):
                    guarded = ast.If(ast.parse(test, mode="eval").body, [statement], [])
                    was = _first(statement)
                    new: New = {statement: [guarded]}
                    yield Candidate(Wider.SOMETIMES, method.name, was, f"if {test}", new, _updated(statement))


def _updated(statement: ast.stmt) -> frozenset[str]:
    """The fields that a statement assigns."""
    stored = (node for node in ast.walk(statement) if isinstance(node, ast.Attribute))
    return frozenset(node.attr for node in stored if isinstance(node.ctx, ast.Store))


def _first(statement: ast.stmt) -> str:
    return ast.unparse(statement).splitlines()[0]


# -- names -----------------------------------------------------------------------------------------------------------


def _of_pages(cls: _Class) -> Iterator[Candidate]:
    """Put all pages, or none, in the place of a page; and a member that is no neighbour in the place of a member."""
    for method in cls.methods.values():
        for statement in [*_statements(method), *filter(is_guard, method.body)]:
            for node in ast.walk(statement):
                match node:
                    case ast.Name("page" | "pages") | ast.Attribute(ast.Name("message"), "pages"):
                        for other in ("ALL", "NONE"):
                            was = f"{ast.unparse(node)} in {_first(statement)}"
                            yield Candidate(Wider.PAGES, method.name, was, other, {node: [ast.Name(other)]})
                    case ast.Attribute(ast.Name(name), member) if name in ENUMS and member in ENUMS[name].__members__:
                        members = list(ENUMS[name].__members__)
                        at = members.index(member)
                        for other in [*members[: max(at - 1, 0)], *members[at + 2 :]]:
                            was = f"{ast.unparse(node)} in {_first(statement)}"
                            new = ast.Attribute(ast.Name(name), other)
                            yield Candidate(Wider.DISTANT, method.name, was, ast.unparse(new), {node: [new]})
                    case _:
                        pass


# -- declarations ----------------------------------------------------------------------------------------------------


def _of_threads(cls: _Class) -> Iterator[Candidate]:
    """Give an action to another thread of its machine; vCPUs are threads of their own kind."""
    threads = [
        target.id
        for node in cls.tree.body
        for target in (node.targets if isinstance(node, ast.Assign) else ())
        if isinstance(target, ast.Name) and ast.unparse(node).endswith("')") and " = Thread(" in ast.unparse(node)
    ]
    for method in cls.methods.values():
        for call in method.decorator_list:
            match call:
                case ast.Call(ast.Name("action"), [ast.Name(thread), *_]) if thread in threads:
                    for other in threads:
                        if other != thread:
                            new: New = {call.args[0]: [ast.Name(other)]}
                            yield Candidate(Wider.THREAD, method.name, thread, other, new)
                case _:
                    pass


def _of_roles(cls: _Class) -> Iterator[Candidate]:
    """Declare another role of a set, or none; or leave out which thread waits for it."""
    for node in cls.tree.body:
        match node:
            case ast.Assign([ast.Name(field)], ast.Call(ast.Name("Bitmap" | "CpuBitmap")) as call):
                for keyword in call.keywords:
                    if keyword.arg not in ("role", "waits"):
                        continue
                    rest = [other for other in call.keywords if other is not keyword]
                    was = f"{keyword.arg}={ast.unparse(keyword.value)}"
                    others = [f"Role.{r.name}" for r in Role if f"role=Role.{r.name}" != was]
                    for other in others if keyword.arg == "role" else ():
                        value = ast.parse(other, mode="eval").body
                        new = ast.Call(call.func, call.args, [*rest, ast.keyword("role", value)])
                        yield Candidate(Wider.ROLE, field, was, f"role={other}", {call: [new]})
                    yield Candidate(Wider.ROLE, field, was, "", {call: [ast.Call(call.func, call.args, rest)]})
            case _:
                pass
