"""All reductions. Another one is a file that declares it, and a line here."""

from __future__ import annotations

from postcopy.explorer.kernel import dead_variables, page_symmetry, vcpu_symmetry

PAGES, VCPUS, DEAD = page_symmetry.REDUCTION, vcpu_symmetry.REDUCTION, dead_variables.REDUCTION

REDUCTIONS = (PAGES, VCPUS, DEAD)
"""The innermost first: what a later one makes of a state, the earlier ones are applied to."""
