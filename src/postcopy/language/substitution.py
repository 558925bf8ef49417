"""Expressions with variables replaced by values, folded again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from postcopy.language.expressions import AnySort, Expr, NumberVariable, PagesVariable, Value
from postcopy.language.variables import Variable


class Substitution:
    """Replaces variables by values, and folds what that makes constant.

    Args:
        values: what to put in the place of variables.
        known: what to put in the place of expressions; grows by all that is worked out.
    """

    def __init__(self, values: Mapping[Variable, Value], known: dict[Expr, Expr]) -> None:
        self._values, self._known = values, known

    def __call__(self, e: AnySort, /) -> AnySort:
        """The expression with all replaced."""
        result = self._known.get(e)
        if result is None:
            if isinstance(e, (NumberVariable, PagesVariable)):
                result = self._values.get(e.variable, e)
            else:
                result = e.rebuilt(self)
            self._known[e] = result
        return cast(AnySort, result)
