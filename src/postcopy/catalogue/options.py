"""Options of a protocol that a text fixes: ``NAME=on`` and ``NAME=off``, beside the names of protocols."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from postcopy.errors import UsageError
from postcopy.language.chosen import Option
from postcopy.language.declaration_checks import check_protocol
from postcopy.language.protocol import Protocol
from postcopy.suggestions import did_you_mean

VALUES = {"on": True, "off": False}
"""What an option can be fixed to, by the word for it."""


def terms_of(protocol: type[Protocol]) -> list[str]:
    """Every term that fixes an option of a protocol."""
    return [f"{option}={value}" for option in _options(protocol) for value in VALUES]


def _options(protocol: type[Protocol]) -> dict[str, Option]:
    """Those that can be fixed."""
    declared = cast(dict[str, Option], protocol.parts(Option))
    return {name: option for name, option in declared.items() if name not in protocol.refused_options}


def is_term(part: str) -> bool:
    """Whether a part of a text fixes an option: it has a ``=``, and does not name a file."""
    file = part.partition(":")[0]
    return "=" in part and not (file.endswith(".py") or "/" in file)


def fix(name: str, protocol: type[Protocol], terms: Sequence[str]) -> tuple[str, type[Protocol]]:
    """The protocol with some of its options fixed, and its name, which says so.

    Args:
        name: of the protocol, in traces and reports.
        protocol: the same.
        terms: ``NAME=on`` or ``NAME=off`` each; one that is given twice counts once.

    Raises:
        UsageError: the protocol has no such option, or it means nothing there; a term is neither on nor off; or two
            contradict each other.
        SpecError: the protocol is put together wrongly.
    """
    terms = list(dict.fromkeys(terms))
    if not terms:
        return name, protocol
    check_protocol(protocol, ())
    options = _options(protocol)
    fixed: dict[str, Option] = {}
    for term in terms:
        option, _, value = term.partition("=")
        if option in protocol.refused_options:
            raise UsageError(f"{name} has no option {option}: {protocol.refused_options[option]}. Leave {term} out")
        if not options:
            raise UsageError(f"{name} has no options: {term} fixes nothing")
        if option not in options:
            meant = did_you_mean(option, options)
            raise UsageError(f"{name} has no option {option}{meant or ':'} it has {', '.join(options)}")
        if value not in VALUES:
            raise UsageError(f"{term} is neither on nor off: write {option}=on or {option}=off")
        if option in fixed:
            raise UsageError(f"{option} is given twice, as on and as off: leave one of them out, or both")
        fixed[option] = Option(options[option].doc, VALUES[value])
    suffix = "".join(f"+{term}" for term in terms)
    about = {"__doc__": protocol.__doc__, "__module__": __name__}
    return name + suffix, type(protocol.__name__ + suffix, (protocol,), {**fixed, **about})
