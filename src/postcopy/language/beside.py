"""Properties of a first system, asked of a second one beside it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from functools import cache, wraps
from typing import Any, cast

from postcopy.language.machines import Monitor
from postcopy.language.properties import Kind, Property
from postcopy.language.view import Step, View
from postcopy.language.worlds import name_beside


def asked_beside(name: str, properties: Iterable[Property]) -> tuple[Property, ...]:
    """The same properties of the parts that are called `name` in the protocol, a `Beside`.

    Write ``properties = asked_beside("second", SAFETY)`` in the protocol. A property is called ``no-stale-read@second``
    then. The absence of deadlock is of the whole protocol, and is left out.
    """
    return tuple(_beside(name, prop) for prop in properties if prop.kind is not Kind.NO_DEADLOCK)


def _beside(name: str, prop: Property) -> Property:
    monitor = None if prop.monitor is None else _monitor(name, cast(Hashable, prop.monitor))
    sentence = f"{prop.sentence} ({name})"
    return replace(prop, name=f"{prop.name}@{name}", sentence=sentence, holds=_seen(name, prop.holds), monitor=monitor)


def _seen(name: str, holds: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(holds)
    def of_second(subject: View | Step, *given: object, **each: object) -> object:
        return holds(subject.beside(name), *given, **each)

    return of_second


@cache
def _monitor(name: str, hashed: Hashable) -> type[Monitor]:
    """The monitor of a property, for a second system. It remembers beside the one of the first."""
    monitor = cast(type[Monitor], hashed)  # mypy does not see that classes are hashable

    def watch(self: Monitor, step: Step) -> None:
        """Remember what the property needs later, of the second system."""
        monitor.watch(self, step.beside(name))

    body = {"watch": watch, "__module__": __name__, "__doc__": monitor.__doc__}
    return type(name_beside(name, monitor.__name__), (monitor,), body)
