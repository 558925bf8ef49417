"""Machines, and the ghosts and monitors that observe them. All are parts of the state with fields of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any, ClassVar, cast

from postcopy.errors import SpecError, UnknownNameError
from postcopy.language.body_errors import Disabled
from postcopy.language.channel_ends import DeclaredEnd
from postcopy.language.choices import Choice, together
from postcopy.language.fields import Field
from postcopy.language.interpretation import Interpretation
from postcopy.language.messages import Event
from postcopy.language.source_locations import location
from postcopy.language.values import NONE, PageSet, Whole
from postcopy.language.view import Step, View
from postcopy.suggestions import did_you_mean


class Part:
    """A part of the state with fields of its own: a machine, a ghost or a monitor."""

    ghost: ClassVar[bool] = False
    name: str
    interpretation: Interpretation

    def __init__(self, name: str, interpretation: Interpretation) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "interpretation", interpretation)

    def read(self, variable: str) -> object:
        """The value of one of this part's variables, if the acting machine may see it."""
        self.interpretation.check_read(self.name, variable)
        return self.interpretation.load(self.interpretation.instance.variable[variable])

    def write(self, variable: str, value: object) -> None:
        """Change one of this part's variables, if the acting machine may."""
        self.interpretation.check_write(self.name, variable)
        self.interpretation.store(self.interpretation.instance.variable[variable], value)

    def __setattr__(self, name: str, value: object) -> None:
        declared = getattr(type(self), name, None)
        if not isinstance(declared, Field | DeclaredEnd):
            if declared is None and _chosen(self, name) is not None:
                raise SpecError(
                    f"{name} is chosen at the start, and no step changes it: declare a field in the class",
                    self.interpretation.where(),
                )
            hint = did_you_mean(name, self.fields())
            raise SpecError(
                f'{type(self).__name__} has no field {name}: declare it in the class, e.g. {name} = Flag("...")' + hint,
                self.interpretation.where(),
            )
        declared.__set__(self, cast(Any, value))

    @classmethod
    def fields(cls) -> dict[str, Field[Any]]:
        """The fields of the class and its bases, by name, in the order of declaration."""
        found: dict[str, Field[Any]] = {}
        for base in reversed(cls.__mro__):
            found |= {name: f for name, f in vars(base).items() if isinstance(f, Field)}
        return {name: together(cls, name) if isinstance(f, Choice) else f for name, f in found.items()}


def _known_as(part: Part, name: str) -> str:
    """What the protocol calls what a part calls so: in a second world it may have another name."""
    worlds = part.interpretation.instance.worlds
    return worlds[part.name].names.get(name, name) if part.name in worlds else name


def _chosen(part: Part, name: str) -> Any:
    """The set of pages or the option of this name that is chosen at the start; None where there is none."""
    variable = part.interpretation.instance.variable.get(_known_as(part, name))
    return part.interpretation.load(variable) if variable is not None and variable.chosen else None


def _names(part: Part) -> list[str]:
    """The names that bodies of a part can ask for."""
    return [*dir(type(part)), *(v.name for v in part.interpretation.instance.variable.values() if v.chosen)]


class Machine(Part):
    """A host, or anything else that acts by itself: fields, ends of channels, and actions of its threads."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        instance = self.interpretation.instance
        if (value := _chosen(self, name)) is not None:
            return value
        known = _known_as(self, name)
        ghost = None if known in instance.monitors else instance.ghosts.get(known)
        if ghost is not None:
            return ghost(known, self.interpretation)
        if name in instance.machines:
            hint = ": a machine sees only its own state and its ends of the channels; send a message instead"
            raise SpecError(f"{type(self).__name__} has no field {name}{hint}", self.interpretation.where())
        hint = did_you_mean(name, _names(self)) or f"; its fields are {', '.join(self.fields()) or 'none'}"
        raise UnknownNameError(f"{type(self).__name__} has no field {name}{hint}", self.interpretation.where())

    def observe(self, what: Enum, pages: PageSet | Whole = NONE) -> None:
        """Say that something happened of which properties speak. It changes nothing."""
        if not isinstance(what, Enum):
            raise SpecError(
                f"a member of an enumeration is needed to observe, not {what!r}", self.interpretation.where()
            )
        self.interpretation.events.append(Event(what, self.interpretation.page_set(pages)))


class Ghost(Part):
    """What an observer who sees everything remembers. Actions may call its methods; no step may depend on it."""

    ghost = True

    @property
    def world(self) -> View:
        """The whole state. It is not for actions: they may call a ghost's methods and pass its values on."""
        if self.interpretation.readable is not None:
            raise SpecError(
                f"{self.interpretation.actor} looks at the whole world: a machine sees only its own state and its "
                "ends of the channels; send a message instead",
                self.interpretation.where(),
            )
        return View(self.interpretation, self.interpretation.instance.worlds.get(self.name))

    def __getattribute__(self, name: str) -> Any:
        value = object.__getattribute__(self, name)
        if name in _NOT_METHODS or not callable(value) or name.startswith("_"):
            return value
        interpretation: Interpretation = object.__getattribute__(self, "interpretation")
        own: str = object.__getattribute__(self, "name")

        def called(*args: object, **named: object) -> None:
            with interpretation.acting(own, None, frozenset({own, "ghosts"})), _without_guards(own):
                value(*args, **named)

        return called

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if (value := _chosen(self, name)) is not None:
            return value
        hint = did_you_mean(name, _names(self)) or f"; its fields are {', '.join(self.fields()) or 'none'}"
        raise UnknownNameError(f"{type(self).__name__} has no {name}{hint}", self.interpretation.where())


@contextmanager
def _without_guards(ghost: str) -> Iterator[None]:
    """Refuse a guard in a ghost's or monitor's methods."""
    try:
        yield
    except Disabled as error:
        where = location(None, ghost, error.__traceback__)
        raise SpecError(f"{ghost} has a guard: no step may depend on history", where) from None


_NOT_METHODS = frozenset(dir(Part)) | {"world", "watch"}


class Monitor(Ghost):
    """History that a property needs: `watch` is called with every step and may remember it in its fields."""

    def watch(self, step: Step) -> None:
        """Remember in the monitor's fields what the property needs later."""
        raise NotImplementedError


def let_watch(monitor: Monitor, step: Step) -> None:
    """Show a monitor a step. It may write nothing but its own fields."""
    own = monitor.name
    with monitor.interpretation.acting(own, None, frozenset({own})), _without_guards(own):
        monitor.watch(step)
