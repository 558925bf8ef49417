"""All known bugs by code, and where this repository has each of them."""

from __future__ import annotations

import re

from postcopy.catalogue.bugs.elsewhere import ELSEWHERE, SUSPICIONS
from postcopy.catalogue.bugs.handover import HANDOVER
from postcopy.catalogue.bugs.known import KnownBug
from postcopy.catalogue.bugs.pages import PAGES
from postcopy.catalogue.bugs.recovery import RECOVERY
from postcopy.catalogue.bugs.threads import THREADS
from postcopy.catalogue.changes import CHANGES
from postcopy.catalogue.history import HISTORY
from postcopy.model.fault import name_of
from postcopy.model.faults import FAULTS
from postcopy.model.history.hypotheses import HYPOTHESES
from postcopy.model.postcopy import Postcopy

CODE = re.compile(r"\b(?:[AB]\d\d|D[1-5])\b")
"""How a code looks in docstrings and pages."""

BUGS: dict[str, KnownBug] = {
    bug.code: bug
    for bug in (
        *sorted((*HANDOVER, *RECOVERY, *PAGES, *THREADS), key=lambda bug: bug.code),
        *ELSEWHERE,
        *SUSPICIONS,
    )
}
"""By code, in the order of the codes."""


def models(code: str) -> dict[str, list[str]]:
    """What models a bug: the names by the option of ``postcopy check`` that takes them."""
    by_bug = [name for name, bug in HISTORY.items() if bug.entry == code]
    asked = [h.protocol for h in HYPOTHESES if h.number == code and h.protocol is not Postcopy]
    by_bug += [name_of(p) for p in dict.fromkeys(asked) if name_of(p) not in FAULTS]
    faults = [name for name, fault in FAULTS.items() if code in CODE.findall(fault.__doc__ or "")]
    faults += [name_of(p) for p in asked if name_of(p) in FAULTS and name_of(p) not in faults]
    changes = [name for name, change in CHANGES.items() if code in CODE.findall(change.origin)]
    bugs = [name for name in by_bug if name not in faults and name not in changes]
    named = {"--bug": bugs, "--fault": faults, "--change": changes}
    return {option: names for option, names in named.items() if names}
