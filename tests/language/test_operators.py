"""A new operator is noticed: every place that takes expressions apart has to say what it does with it.

Such a place is a `match` on the operators' classes. It ends with `assert_never`, so mypy reports it as soon as the
union has an operator that it does not name. The fast test looks at the shape of every `match`; the slow one adds an
operator of each sort to a copy, and asks mypy.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import pytest

from postcopy.language import expressions as ex
from postcopy.language.expression_nodes import WithoutOperands
from postcopy.language.variables import Sort, Variable
from postcopy.prover import channel_expressions

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[2]
OPERATORS = {
    operator.__name__
    for union in (
        ex.Expr,
        channel_expressions.ChannelTruth,
        channel_expressions.ChannelPages,
        channel_expressions.Messages,
    )
    for operator in get_args(union)
}
OF_THE_LANGUAGE = {operator.__name__ for operator in get_args(ex.Expr)}
BASES = {
    "Node",
    "WithoutOperands",
    "VariableNode",
    "TruthNode",
    "NumberNode",
    "PagesNode",
    "MessagesNode",
    "ChannelNode",
}


def name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def classes(node: ast.AST) -> set[str]:
    """The classes that a pattern names, without those of Python's own trees."""
    named = (part.cls for part in ast.walk(node) if isinstance(part, ast.MatchClass))
    return {name_of(cls) for cls in named if not ast.unparse(cls).startswith("ast.")}


def outermost(pattern: ast.pattern) -> Iterator[ast.pattern]:
    if isinstance(pattern, ast.MatchOr):
        for alternative in pattern.patterns:
            yield from outermost(alternative)
    elif isinstance(pattern, ast.MatchAs) and pattern.pattern is not None:
        yield from outermost(pattern.pattern)
    else:
        yield pattern


def matches(text: str) -> Iterator[ast.Match]:
    """Every `match` on expressions."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Match) and any(classes(case.pattern) & OPERATORS for case in node.cases):
            yield node


def is_closed(match: ast.Match) -> bool:
    """Whether the last case is `assert_never` of the subject, and no other one takes whatever comes."""
    *cases, last = match.cases
    for case in cases:
        for pattern in outermost(case.pattern):
            if not isinstance(pattern, ast.MatchClass) or name_of(pattern.cls) in BASES:
                return False
    subject = ast.unparse(match.subject)
    return ast.unparse(last.pattern) == "_" and [ast.unparse(line) for line in last.body] == [
        f"assert_never({subject})"
    ]


def sources() -> list[Path]:
    folders = ("src", "tests", "benchmarks", "tools")
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def test_no_match_on_expressions_takes_an_operator_that_it_does_not_name() -> None:
    found = {path: list(matches(path.read_text(encoding="utf-8"))) for path in sources()}
    still_open = [f"{path}:{match.lineno}" for path, its in found.items() for match in its if not is_closed(match)]
    assert still_open == []
    assert sum(map(len, found.values())) >= 25


CLOSED = """
match e:
    case ex.Not(operand):
        pass
    case ex.And() | ex.Or():
        pass
    case _:
        assert_never(e)
"""


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        (CLOSED, True),
        (CLOSED.replace("assert_never(e)", "pass"), False),
        (CLOSED.replace("assert_never(e)", "assert_never(other)"), False),
        (CLOSED.replace("case ex.And() | ex.Or():", "case _ if known:"), False),
        (CLOSED.replace("case ex.And() | ex.Or():", "case ex.And() | ex.Node():"), False),
        (CLOSED.replace("case ex.And() | ex.Or():", "case ex.TruthNode() as other:"), False),
        (CLOSED.replace("case _:", "case ex.Equal():"), False),
    ],
)
def test_a_match_that_would_swallow_an_operator_is_seen(text: str, closed: bool) -> None:
    (match,) = matches(text)
    assert is_closed(match) is closed


def unchanged(e: ex.AnySort) -> ex.AnySort:
    return e


def fresh(hint: object, number: int) -> ex.Expr:
    """Another expression for each number, of the sort that a field asks for; a ghost."""
    of_number = Variable(f"n{number}", "", Sort.NUMBER, size=3, ghost=True)
    of_pages = ex.PagesVariable(Variable(f"p{number}", "", Sort.PAGES, ghost=True))
    samples: dict[object, ex.Expr] = {
        ex.NumberExpr: ex.NumberVariable(of_number),
        ex.PagesExpr: of_pages,
        ex.TruthExpr: ex.IsEmpty(of_pages),
    }
    return samples[hint]


@pytest.mark.parametrize("operator", [o for o in get_args(ex.Expr) if not issubclass(o, WithoutOperands)])
def test_each_operand_is_walked_and_rebuilt(operator: type[ex.Expr]) -> None:
    hints = get_type_hints(operator)
    fields: list[object] = []
    operands: list[ex.Expr] = []
    for field in operator.__match_args__:
        if hints[field] is bool:
            fields.append(True)
            continue
        several = get_args(hints[field]) if get_origin(hints[field]) is tuple else ()
        made = [fresh(several[0] if several else hints[field], len(operands) + i) for i in range(2 if several else 1)]
        operands += made
        fields.append(tuple(made) if several else made[0])
    e = operator(*fields)  # type: ignore[arg-type]
    assert list(e.operands) == operands
    assert e.ghost
    assert e.rebuilt(unchanged) == e
    assert {*ex.walk(e)} >= {e, *operands}


NEW = """
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class New{sort}({sort}Node, WithoutOperands):
    '''An operator that nobody knows.'''


"""


@pytest.mark.slow
def test_mypy_lists_every_place_that_a_new_operator_needs(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__", "captures"))
    file = tmp_path / "src/postcopy/language/expressions.py"
    text = file.read_text(encoding="utf-8")
    for sort in ("Truth", "Number", "Pages"):
        text = text.replace(f"{sort}Expr = ", f"{NEW.format(sort=sort)}{sort}Expr = New{sort} | ", 1)
    assert text.count("An operator that nobody knows") == 3
    file.write_text(text, encoding="utf-8")
    expected = set()
    for path in [*sorted((tmp_path / "src").rglob("*.py")), tmp_path / "tests/language/evaluator.py"]:
        for match in matches(path.read_text(encoding="utf-8")):
            named = {n for case in match.cases for p in outermost(case.pattern) for n in classes(p)}
            if named & OF_THE_LANGUAGE and not named <= {"TruthConstant", "NoPages", "AllPages", "ActionPage"}:
                expected.add((str(path.relative_to(tmp_path)), match.cases[-1].body[0].lineno))
    files = sorted({name for name, _ in expected})
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    if (known := ROOT / ".mypy_cache").exists():  # of `make types`: most is as it was
        shutil.copytree(known, tmp_path / known.name)
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", *files],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    listed = set(re.findall(r'^(\S+):(\d+): error: Argument 1 to "assert_never"', run.stdout, re.MULTILINE))
    assert {(name, int(line)) for name, line in listed} == expected, run.stdout + run.stderr
    assert len(expected) >= 20
