"""The Python that a body may be written in: which nodes of its syntax tree are allowed, what to write for others."""

from __future__ import annotations

import ast

STATEMENTS: tuple[type[ast.stmt], ...] = (
    ast.Expr,
    ast.Assign,
    ast.AugAssign,
    ast.AnnAssign,
    ast.If,
    ast.For,
    ast.Break,
    ast.Continue,
    ast.Return,
    ast.Pass,
)
"""The statements that a body may have."""

OPERATORS: tuple[type[ast.operator], ...] = (ast.BitOr, ast.BitAnd, ast.Sub, ast.Add)
"""The operators between two values: of sets of pages, and of numbers."""

COMPARISONS: tuple[type[ast.cmpop], ...] = (
    ast.Eq,
    ast.NotEq,
    ast.Lt,
    ast.LtE,
    ast.Gt,
    ast.GtE,
    ast.In,
    ast.NotIn,
)
"""The comparisons; `is` and `is not` are for None alone."""

BUILTINS = ("all", "any", "bool", "range", "super")
"""The functions of Python that a body may call."""

_TEXT = "a body has no text beside names of marks and channels"
_PLAIN = "an action is a plain method"
REFUSED: dict[type[ast.AST], str] = {
    ast.While: "it has a while loop, which may never end: loop over a tuple, an enumeration or a range of constants",
    ast.Try: "it has a try or with statement, which would swallow guards: use if and require",
    ast.TryStar: "it has a try or with statement, which would swallow guards: use if and require",
    ast.With: "it has a try or with statement, which would swallow guards: use if and require",
    ast.AsyncWith: "it has a try or with statement, which would swallow guards: use if and require",
    ast.AsyncFor: f"it has a yield or await: {_PLAIN}",
    ast.Yield: f"it has a yield or await: {_PLAIN}",
    ast.YieldFrom: f"it has a yield or await: {_PLAIN}",
    ast.Await: f"it has a yield or await: {_PLAIN}",
    ast.Raise: "it raises an exception: a guard is require(...)",
    ast.Assert: "it has an assert: a guard is require(...), and what has to hold is a property",
    ast.Delete: "it has a del statement: assign another value",
    ast.FunctionDef: "it defines a function: define it outside, or as another method",
    ast.AsyncFunctionDef: "it defines a function: define it outside, or as another method",
    ast.ClassDef: "it defines a class: define it outside",
    ast.Lambda: "it has a lambda, which can only be an argument of a helper",
    ast.NamedExpr: "it assigns within an expression (:=): write an assignment of its own",
    ast.JoinedStr: f"it has an f-string: {_TEXT}",
    ast.Starred: "it has a * argument or target: write out what is meant",
    ast.Dict: "it has a dictionary: write if and elif with ==",
    ast.DictComp: "it has a dictionary: write if and elif with ==",
    ast.Set: "it has a Python set: write a tuple",
    ast.SetComp: "it has a Python set: write a tuple",
    ast.Slice: "it has a slice: name the items one by one",
}
"""Why a body may not have a node of such a class, and what to write instead."""


def refusal(node: ast.AST) -> str:
    """Why a body may not have such a node, and what to write instead."""
    if isinstance(node, ast.Global | ast.Nonlocal):
        return f"{type(node).__name__.lower()} {node.names[0]}: an action changes nothing but its own state"
    if isinstance(node, ast.Import):
        return f"it imports {node.names[0].name}: imports stand at the top of the file"
    if isinstance(node, ast.ImportFrom):
        return f"it imports {node.module or node.names[0].name}: imports stand at the top of the file"
    if isinstance(node, ast.BinOp | ast.AugAssign):
        if isinstance(node.op, ast.LShift | ast.RShift):
            return f"it shifts: {ast.unparse(node)}; the pages beside those of a set are pages.next and pages.previous"
        return f"it has the operator of {ast.unparse(node)}: sets of pages have | & - ~, and numbers + and -"
    if isinstance(node, ast.Match):
        return f"it has a match statement: write if and elif with ==, as in {_condition(node)}"
    kind = type(node).__name__
    return REFUSED.get(type(node), f"it has Python that is not part of the language ({kind}): {ast.unparse(node)}")


def _condition(node: ast.Match) -> str:
    """The first case of a match statement as a condition; where that is no value, what the condition begins with."""
    subject, pattern = ast.unparse(node.subject), node.cases[0].pattern
    patterns = pattern.patterns if isinstance(pattern, ast.MatchOr) else [pattern]
    values = [ast.unparse(each.value) for each in patterns if isinstance(each, ast.MatchValue)]
    if len(values) != len(patterns):
        return f"if {subject} == ...:"
    return f"if {subject} == {values[0]}:" if len(values) == 1 else f"if {subject} in ({', '.join(values)}):"
