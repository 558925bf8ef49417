"""What a fault is: the protocol with one rule taken away. The faults are in `faults`, `faults_liveness`,
`faults_omissions` and `faults_ends`."""

from __future__ import annotations

import re
from typing import ClassVar

from postcopy.language import Protocol
from postcopy.model.postcopy import Postcopy


class Fault(Postcopy):
    """The protocol without one of its rules.

    Attributes:
        rule: the rule that is missing.
        breaks: names of the properties that fail without it; the first is what its stored counterexample shows.
        pages: the pages at which it shows.
    """

    rule: ClassVar[str]
    breaks: ClassVar[tuple[str, ...]]
    pages: ClassVar[int] = 2


def name_of(protocol: type[Protocol]) -> str:
    """The name on the command line: the class's name in lower case with hyphens."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", protocol.__name__).lower()


def by_rule(faults: list[type[Fault]]) -> dict[str, type[Fault]]:
    """Faults by name, in the order of the rules."""
    return {name_of(fault): fault for fault in sorted(faults, key=lambda fault: int(fault.rule[1:]))}
