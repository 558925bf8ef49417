"""Checks of how a protocol is put together: its classes, names, fields, threads and ends of channels.

They run when the first `Instance` of a protocol is made. Bodies of actions are checked in `body_checks` and by the
interpretations.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from enum import Enum
from functools import lru_cache
from types import CodeType
from typing import Any, cast

from postcopy.errors import SpecError
from postcopy.language.actions import ActionInfo
from postcopy.language.channel_ends import DeclaredEnd
from postcopy.language.channels import MAX_IN_FLIGHT, Channel
from postcopy.language.choices import Choice
from postcopy.language.chosen import Chosen, Option
from postcopy.language.fields import EITHER, Bitmap, Count, Field, Flag
from postcopy.language.machines import Ghost, Machine, Monitor, Part
from postcopy.language.maps import Maps
from postcopy.language.protocol import Protocol
from postcopy.language.python_values import components, is_constant, is_of_the_language, plain_function
from postcopy.language.source_locations import foreign, of_class, place
from postcopy.language.threads import Thread, thread_of
from postcopy.language.view import View
from postcopy.language.worlds import Beside
from postcopy.suggestions import closest, did_you_mean

_RESERVED = frozenset(n for kind in (Machine, Monitor) for n in dir(kind) if not n.startswith("__")) | {
    "name",
    "interpretation",
}
_TAKEN = frozenset(n for kind in (Protocol, View) for n in dir(kind) if not n.startswith("_")) | {"ghosts"}
MOST_CPUS = 4
"""vCPUs that a protocol may have."""
CHECKED = 32
"""So many protocols, each with some monitors, are remembered as good: proofs make an instance for each conjunct."""
_OF_MESSAGES = frozenset({"self", "kind", "pages"})
"""Names that the fields and marks of messages cannot have."""
_KINDS = {
    Machine: "a machine",
    Ghost: "a ghost",
    Channel: "a channel",
    Option: "an option",
    Chosen: "a chosen set",
}


def check_protocol(protocol: type[Protocol], monitors: Iterable[type[Ghost]]) -> None:
    """Refuse a protocol that is put together wrongly. Classes of protocols are not changed after they are made.

    Raises:
        SpecError: there is a mistake; the message names the class and, where there is one, the line.
    """
    _check_protocol(cast(Hashable, protocol), tuple(monitors))


@lru_cache(maxsize=CHECKED)
def _check_protocol(hashed: Hashable, monitors: tuple[type[Ghost], ...]) -> None:
    protocol = cast(type[Protocol], hashed)  # mypy does not see that classes are hashable
    title = protocol.__name__
    machines, ghosts = protocol.parts(Machine), protocol.parts(Ghost)
    channels = protocol.parts(Channel)
    if not machines:
        raise SpecError(f"{title} has no machine: give it one, e.g. source = Source", of_class(protocol))
    if protocol.may_rest is Protocol.may_rest:
        raise SpecError(
            f"{title} does not say when nothing needs to happen: define the static method may_rest(state)",
            of_class(protocol),
        )
    if type(protocol.cpus) is not int or not 1 <= protocol.cpus <= MOST_CPUS:
        raise SpecError(
            f"{title}.cpus is {protocol.cpus!r}: a whole number from 1 to {MOST_CPUS} is needed",
            of_class(protocol, "cpus"),
        )
    chosen = protocol.parts(Chosen)
    if protocol.fine and _kind(chosen.get(protocol.fine)) != _KINDS[Chosen]:
        raise SpecError(
            f"{title}.fine is {protocol.fine!r}, which names no chosen set: "
            'declare one, small = Chosen("pages of the block with small pages"), and fine = "small"',
            of_class(protocol, "fine"),
        )
    _check_names(protocol)
    _check_replacements(protocol)
    for name, its in chosen.items():
        if (problem := _problem_of_choice(its)) is not None:
            raise SpecError(f"{name} {problem}", of_class(protocol, name))
    taken: dict[str, object] = {**machines, **ghosts, **channels, **chosen}
    for monitor in monitors:
        if taken.setdefault(monitor.__name__, monitor) is not monitor:
            raise SpecError(f"the monitor {monitor.__name__} has the name of something else", of_class(monitor))
    for name, channel in channels.items():
        _check_channel(protocol, name, channel)
    _check_roles(protocol)
    _check_beside(protocol, taken)
    _check_ends(protocol, list(channels), machines.values())
    for machine in machines.values():
        _check_machine(machine, protocol, list(ghosts), list(channels))
    for ghost in (*ghosts.values(), *monitors):
        _check_part(ghost)
    for part in (*machines.values(), *ghosts.values()):
        _check_what_bases_extend(part)


def _check_names(protocol: type[Protocol]) -> None:
    kinds: dict[str, str] = {}
    for base in reversed(protocol.__mro__):
        for name, value in vars(base).items():
            if value is None:
                _check_removed_part(base, name)
            kind = _kind(value)
            if kind is None:
                _check_plain_class(base, name, value)
                continue
            if kinds.setdefault(name, kind) != kind:
                raise SpecError(
                    f"{name} is {kind} here and {kinds[name]} in a base: give it another name",
                    of_class(base, name),
                )
            if name.startswith("_") or name in _TAKEN:
                raise SpecError(
                    f"{kind} cannot be called {name}: the name is taken by the language", of_class(base, name)
                )


def _check_removed_part(change: type, name: str) -> None:
    """Refuse ``wirr = None``: another part was meant, which would stay."""
    bases = [base for base in change.__mro__[1:] if issubclass(base, Protocol)]
    if bases and not name.startswith("_") and not any(name in vars(base) for base in bases):
        parts = [part for kind in (Machine, Ghost, Channel, Chosen) for part in bases[0].parts(kind)]
        raise SpecError(
            f"{change.__name__}.{name} = None removes a part that no base has{did_you_mean(name, parts)}",
            of_class(change, name),
        )


def _check_plain_class(change: type, name: str, value: object) -> None:
    """Refuse ``class source:``: nobody would read it, and a machine of that name would be gone."""
    if not isinstance(value, type) or name.startswith("_"):
        return
    bases = [base for base in change.__mro__[1:] if issubclass(base, Protocol)]
    parts = [part for kind in (Machine, Ghost) for base in bases[:1] for part in base.parts(kind)]
    if name in parts:
        raise SpecError(
            f"{change.__name__}.{name} is a plain class in the place of {name}: derive it from that, "
            f"class {name}({bases[0].__name__}.{name})",
            of_class(change, name),
        )
    if value.__bases__ == (object,):
        meant = did_you_mean(name, parts) or ": derive it from Machine or Ghost"
        raise SpecError(
            f"{change.__name__}.{name} is a plain class, and no part of a protocol{meant}", of_class(change, name)
        )


def _check_replacements(protocol: type[Protocol]) -> None:
    """Refuse a machine (or ghost) of a change that is derived from one of the base's but does not have its name.

    It would act beside the one that it was meant to replace, and the ghosts would take both for the same machine.
    """
    for change in protocol.__mro__:
        bases = [base for base in change.__bases__ if issubclass(base, Protocol)]
        if not bases or not issubclass(change, Protocol):
            continue
        for kind, what in ((Machine, "machine"), (Ghost, "ghost")):
            inherited = {name: part for base in bases for name, part in base.parts(kind).items()}
            beside = {name for its in change.parts(Beside).values() for name in its.names.values()}
            parts = change.parts(kind)
            for name in parts.keys() & vars(change).keys() - inherited.keys() - beside:
                doubled = [n for n, part in inherited.items() if n in parts and issubclass(parts[name], part)]
                if doubled:
                    other = closest(name, doubled) or doubled[0]
                    raise SpecError(
                        f"{bases[0].__name__} has no {what} {name}; did you mean {other}? "
                        f'A second one stands beside it: Beside({other}="{name}", ...)',
                        of_class(change, name),
                    )


def _kind(value: object) -> str | None:
    for kind, text in _KINDS.items():
        if isinstance(value, kind) or (isinstance(value, type) and issubclass(value, kind)):
            return text
    return None


def _problem_of_choice(value: Chosen | type[Chosen]) -> str | None:
    """The mistake in what is declared as chosen at the start, or None."""
    if isinstance(value, type):
        return f'is the class {value.__name__} itself: write {value.__name__}("...")'
    if type(value) not in (Chosen, Option):
        return f"is a {type(value).__name__}, which is not one of the language's: write Chosen(...) or Option(...)"
    return value.problem()


def _check_channel(protocol: type[Protocol], name: str, channel: Channel) -> None:
    given: tuple[object, ...] = channel.kinds if isinstance(channel.kinds, tuple) else (channel.kinds,)
    wrong = [some for some in given if not (_is_enumeration(some) or isinstance(some, Enum))]
    if wrong or not given:
        problem = f"carries {(wrong or [channel.kinds])[0]!r}: an enumeration of its messages is needed"
    elif twice := _twice([kind.name for kind in channel.messages]):
        problem = f"carries two kinds of message called {twice}: choose another name"
    elif alien := [kind for kind in channel.marked if not any(kind is known for known in channel.messages)]:
        carries = channel.flatten(name, 1)[0].carries
        problem = f"carries {carries}, so {alien[0]!r} cannot be marked on it"
    elif bool(channel.marks) != bool(channel.marked):
        problem = "has marks and no marked kinds, or the reverse: Channel(..., marks=(...), marked=(...))"
    elif taken := [m for m in channel.marks if m in _OF_MESSAGES or channel.marks.count(m) > 1]:
        problem = f"cannot have a mark called {taken[0]}: the name is taken"
    elif (wrong_field := _wrong_field(channel)) is not None:
        problem = f"has messages with {wrong_field}"
    elif not _is_capacity(channel.capacity):
        problem = f"has a capacity of {channel.capacity!r}: a number of messages from 1 to {MAX_IN_FLIGHT} is needed"
    else:
        return
    raise SpecError(f"{name} {problem}", of_class(protocol, name))


def _wrong_field(channel: Channel) -> str | None:
    """What is wrong with a field of the messages of a channel, or None."""
    for name, field in channel.fields.items():
        if not isinstance(name, str) or not name.isidentifier() or name in _OF_MESSAGES or name in channel.marks:
            return f"a field {name!r}: the name is taken, or no name; choose another"
        if not isinstance(field, Bitmap | Flag | Choice | Count) or not is_of_the_language(field):
            return f"the field {name}, which is {field!r}: a Flag, Choice, Count or Bitmap is needed"
        if field.waits is not None or field.role is not None:
            return f"the field {name}, which has a role or a thread that waits: say it of a set of pages of a machine"
        if field.initial is EITHER:
            return f"the field {name}, which starts as EITHER: a message says one or the other"
        if (problem := field.problem()) is not None:
            return f"the field {name}, which {problem}"
    return None


def _is_capacity(capacity: object) -> bool:
    return capacity is None or (type(capacity) is int and 1 <= capacity <= MAX_IN_FLIGHT)


def _check_roles(protocol: type[Protocol]) -> None:
    """Refuse a role of what is no message of the protocol, and a role that is no member of an enumeration."""
    for base in protocol.__mro__:
        roles = vars(base).get("roles", {})
        if not issubclass(base, Protocol) or not roles:
            continue
        problem = None
        if not isinstance(roles, Mapping):
            raise SpecError(
                f"{base.__name__}.roles is no dictionary: write roles = {{Reply.REQUEST: Role.REQUEST}}",
                of_class(base, "roles"),
            )
        known = [kind for channel in base.parts(Channel).values() for kind in channel.messages]
        for kind, role in roles.items():
            if not any(kind is message for message in known):
                problem = f"names {kind!r}, which no channel of it carries"
            elif equal := [m for m in known if m == kind and m is not kind]:
                problem = (
                    f"names {kind!r}, which a dictionary takes for {equal[0]!r}, since the numbers are equal: make "
                    f"{type(kind).__name__} or {type(equal[0]).__name__} a plain Enum"
                )
            elif not isinstance(role, Enum):
                problem = f"gives {kind.name} the role {role!r}: a role is a member of an enumeration"
            if problem is not None:
                raise SpecError(f"{base.__name__}.roles {problem}", of_class(base, "roles"))


def _check_beside(protocol: type[Protocol], parts: Mapping[str, object]) -> None:
    """Refuse a second system whose parts are not there, or that uses a channel or ghost of the first."""
    for name, beside in protocol.parts(Beside).items():
        where = of_class(protocol, name)
        problem = beside.problem(parts, lambda a, b: _kind(a) == _kind(b))
        if problem is not None:
            raise SpecError(f"{protocol.__name__}.{name} {problem}", where)
        for machine in beside.names.values():
            part = parts[machine]
            ends = declared_ends(part) if isinstance(part, type) and issubclass(part, Machine) else {}
            for attribute, end in ends.items():
                if end.channel in beside.names:
                    raise SpecError(
                        f"{machine}.{attribute} is an end of {end.channel}, a channel of the first system: write "
                        f'{attribute} = {type(end).__name__}("{beside.names[end.channel]}") in its class',
                        where,
                    )


def _check_ends(protocol: type[Protocol], channels: list[str], machines: Iterable[type[Machine]]) -> None:
    """Refuse a channel of which no machine has an end: another was meant, or the ends are missing."""
    used = {end.channel for machine in machines for end in declared_ends(machine).values()}
    for name in channels:
        if name not in used:
            meant = did_you_mean(name, [other for other in channels if other in used])
            ends = f': give a machine Sends("{name}"), and another Receives("{name}")'
            raise SpecError(f"no machine has an end of the channel {name}{meant or ends}", of_class(protocol, name))


def declared_ends(machine: type[Machine]) -> dict[str, DeclaredEnd[Any]]:
    """The ends of channels that a machine's class and its bases declare, by attribute."""
    found: dict[str, DeclaredEnd[Any]] = {}
    for base in reversed(machine.__mro__):
        found |= {name: value for name, value in vars(base).items() if isinstance(value, DeclaredEnd)}
    return found


def _is_enumeration(some: object) -> bool:
    return isinstance(some, type) and issubclass(some, Enum) and len(some) > 0


def _twice(names: list[str]) -> str | None:
    return next((name for name in names if names.count(name) > 1), None)


def _check_part(part: type[Part]) -> None:
    if type(part) is not type:
        raise SpecError(f"{part.__name__} has a metaclass, {type(part).__name__}: leave it out", of_class(part))
    language = {base for base in part.__mro__ if base.__module__ == Part.__module__}
    for base in part.__mro__:
        if base in language or base is object:
            continue
        for name, value in vars(base).items():
            where = f"{base.__name__}.{name}"
            if name.startswith("__"):
                function = plain_function(value)
                if function is not None and not foreign(function.__code__.co_filename):
                    raise SpecError(
                        f"{where} is a method of Python's own: it would look past the language, leave it out",
                        of_class(base, name),
                    )
                continue
            if isinstance(value, Field | DeclaredEnd) and not is_of_the_language(value):
                raise SpecError(
                    f"{where} is a {type(value).__name__}, which is not one of the language's fields and ends",
                    of_class(base, name),
                )
            if name in _RESERVED and not (name == "watch" and issubclass(part, Monitor)):
                raise SpecError(f"{where}: the name is taken by the language, choose another", of_class(base, name))
            if isinstance(value, Field | Maps):
                if (problem := _problem(part, value)) is not None:
                    raise SpecError(f"{where} {problem}", of_class(base, name))
            elif plain_function(value) is None and not all(is_constant(item) for item in components(value)):
                kind = type(value).__name__
                raise SpecError(
                    f"{where} is a {kind}, which is not part of the state: declare a field, e.g. a Flag or Bitmap",
                    of_class(base, name),
                )


def _problem(part: type[Part], value: Field[Any] | Maps) -> str | None:
    """The mistake in the declaration of a field or of mapped fields, or None."""
    if isinstance(value, Maps):
        return None if issubclass(part, Machine) else "maps fields: only machines do"
    problem = value.problem()
    if problem is None and value.role is not None and issubclass(part, Ghost):
        problem = "is history, which has no role: declare roles of the sets of machines"
    if problem is None and value.waits is not None and thread_of(part, value.waits) is None:
        problem = f'names "{value.waits.label}", a thread that {part.__name__} does not declare'
    return problem


def _check_what_bases_extend(part: type[Part]) -> None:
    """Refuse extensions of a field by several bases that do not go together."""
    for name, field in part.fields().items():
        problem = field.problem()
        if problem is not None:
            raise SpecError(f"{part.__name__}.{name} {problem}", of_class(part, name))


def _check_machine(machine: type[Machine], protocol: type[Protocol], ghosts: list[str], channels: list[str]) -> None:
    _check_part(machine)
    actions = {name for base in machine.__mro__ for name, value in vars(base).items() if _is_action(value)}
    chosen, machines = protocol.parts(Chosen), protocol.parts(Machine)
    for base in machine.__mro__[:-1]:
        for name, value in vars(base).items():
            where = f"{base.__name__}.{name}"
            if name in ghosts:
                raise SpecError(f"{where} hides the ghost {name}: choose another name", of_class(base, name))
            if name in chosen:
                hidden = f"{where} hides {name}, which is chosen at the start: choose another name"
                raise SpecError(hidden, of_class(base, name))
            if isinstance(value, DeclaredEnd) and getattr(protocol, value.channel, value) is None:
                change = next(cls for cls in protocol.__mro__ if value.channel in vars(cls))
                raise SpecError(
                    f"{change.__name__} removes the channel {value.channel}, of which {where} is an end: leave it in, "
                    "and remove the actions that use it",
                    of_class(change, value.channel),
                )
            if isinstance(value, DeclaredEnd) and value.channel not in channels:
                hint = did_you_mean(value.channel, channels) or f"; its channels are {', '.join(channels) or 'none'}"
                raise SpecError(
                    f"{where}: {protocol.__name__} has no channel {value.channel}{hint}", of_class(base, name)
                )
            if isinstance(value, Maps) and (problem := value.problem(machines)) is not None:
                raise SpecError(f"{where} {problem}", of_class(base, name))
            if name in actions and value is not None and plain_function(value) is None:
                raise SpecError(
                    f"{where} replaces an action by {value!r}: define a method, or None", of_class(base, name)
                )
            if value is None and not name.startswith("__") and name not in actions:
                raise SpecError(
                    f"{where} = None removes an action that no base has{did_you_mean(name, actions)}",
                    of_class(base, name),
                )
    _check_threads(machine)
    _check_methods(machine, actions)


def _check_threads(machine: type[Machine]) -> None:
    """Refuse two threads that traces could not tell apart, and a thread that no action names."""
    labels: dict[str, tuple[str, Thread]] = {}
    for base in reversed(machine.__mro__):
        for name, thread in vars(base).items():
            if not isinstance(thread, Thread):
                continue
            other, first = labels.setdefault(thread.label, (name, thread))
            if thread != first or (name != other and other in vars(base)):
                raise SpecError(
                    f'{base.__name__}.{name} is called "{thread.label}" like {other}: give it another label',
                    of_class(base, name),
                )
    infos = [value.action_info for base in machine.__mro__ for value in vars(base).values() if _is_action(value)]
    used = [thread_of(machine, info.thread) for info in infos]
    if None in used:  # an action that names no declared thread is refused later: it may be the one that is missed here
        return
    for base in machine.__mro__:
        for name, thread in vars(base).items():
            if isinstance(thread, Thread) and thread not in used:
                raise SpecError(
                    f"{base.__name__}.{name} is a thread that no action names: write @action({name}) above those that "
                    "are its steps, or delete it",
                    of_class(base, name),
                )


def _is_action(value: object) -> bool:
    return isinstance(getattr(value, "action_info", None), ActionInfo)


def _check_methods(machine: type[Machine], actions: set[str]) -> None:
    """Refuse a public method that is no action and is not called: it was meant to be one, or to override one."""
    functions = {
        (base, name): function
        for base in machine.__mro__
        if base.__module__ != Part.__module__
        for name, value in vars(base).items()
        if (function := plain_function(value)) is not None and not isinstance(value, property)
    }
    for (base, name), function in functions.items():
        called = any(name in _names(other.__code__) for (_, n), other in functions.items() if n != name)
        if not (name.startswith("_") or name in actions or called):
            raise SpecError(
                f"{base.__name__}.{name} is not an action: decorate it with @action, or start its name with "
                f"an underscore{did_you_mean(name, actions)}",
                place(function.__code__, function.__code__.co_firstlineno),
            )


def _names(code: CodeType) -> set[str]:
    inner = (_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*inner)
