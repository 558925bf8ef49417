"""Read a suite's file: TOML, with a message of one line for whatever is wrong in it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import TypeAlias

from postcopy.api.sizes import bytes_of, size_of
from postcopy.errors import UsageError
from postcopy.input_files import read_input
from postcopy.suggestions import not_among
from postcopy.suites.entries import WRONG, Entry, Kind, Suite

Table: TypeAlias = Mapping[str, object]

MAX_BYTES = 4 << 20
"""The largest file that is read."""

EXPECT: Mapping[Kind, tuple[str, ...]] = {
    Kind.CHECK: ("holds", "violated", "deadlock", "liveness violated", "inconclusive"),
    Kind.PROVE: ("proved", "refuted", "not proved"),
    Kind.SIMULATE: ("nothing found", "violated", "deadlock"),
}
"""The verdicts that can be expected, the usual one first."""

SIZES = ("pages", "in_flight", "host_page")

ARGUMENTS: Mapping[Kind, dict[str, type]] = {
    Kind.CHECK: {
        "liveness": bool,
        "symmetry": bool,
        "vcpu_symmetry": bool,
        "reset_dead": bool,
        "small_table": bool,
        "engine": str,
        "workers": int,
    },
    Kind.PROVE: {"method": str, "seed": int, "workers": int},
    Kind.SIMULATE: {"seed": int, "walks": int, "depth": int},
}
"""The further arguments of each function, and their types."""

COMMON: dict[str, type] = {
    "name": str,
    "protocol": str,
    "properties": list,
    "seconds": float,
    "max_memory": str,
    "expect": str,
    "violates": list,
    "accepted": dict,
    "strict": bool,
}

MEMORY = ("1M", "16T")
"""The least and the most that may be given."""

SUITE: Mapping[str, type] = {"name": str, "max_memory": str, "jobs": int}

WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number of seconds",
    str: "a text",
    list: "a list of names",
    dict: "a table of names and reasons",
}


def read_suite(path: Path, max_memory: str | None = None) -> Suite:
    """The suite of a file.

    Args:
        path: the file.
        max_memory: memory for the states of all searches, in place of what the file says.

    Raises:
        UsageError: the file cannot be read, or something in it is wrong.
    """
    try:
        text = tomllib.loads(read_input(path, MAX_BYTES).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML: {error}") from None
    tables = ("suite", "defaults", *Kind)
    for name in text:
        if name not in tables:
            raise UsageError(f"{path}: {not_among('table', name, tables)}")
    about = _table(text.get("suite", {}), f"{path}: [suite]")
    _known(about, SUITE, f"{path}: [suite]")
    given = _memory(about, "4G", f"{path}: [suite]")
    budget = given if max_memory is None else size_of(max_memory, "max_memory", *MEMORY)
    defaults = _table(text.get("defaults", {}), f"{path}: [defaults]")
    known = COMMON | {name: kind for of in ARGUMENTS.values() for name, kind in of.items()}
    _known(defaults, known, f"{path}: [defaults]")
    entries: list[Entry] = []
    for kind in Kind:
        listed = text.get(str(kind), [])
        if not isinstance(listed, list):
            raise UsageError(f"{path}: write [[{kind}]] with two brackets: there may be several")
        for number, given in enumerate(listed, 1):
            entries += _entries(path, kind, number, _table(given, f"{path}: [[{kind}]]"), defaults)
    _refuse_twins(path, entries)
    if not entries:
        raise UsageError(f'{path}: there is nothing to do: write [[check]] and below it protocol = "my_change.py"')
    for entry in entries:
        if entry.max_memory > budget:
            raise UsageError(
                f"{path}: {entry.name} may take {entry.max_memory >> 20:,} MiB, and all together {budget >> 20:,} MiB: "
                "raise max_memory of [suite]"
            )
    return Suite(path, str(about.get("name", path.stem)), tuple(entries), budget, _at_least_one(path, about))


def _memory(given: Table, usual: str, where: str) -> int:
    """Bytes that a table gives as max_memory."""
    text = str(given.get("max_memory", usual))
    return bytes_of(text, f'{where}: max_memory = "{text}"', *MEMORY)


def _at_least_one(path: Path, about: Table) -> int:
    jobs = about.get("jobs", 0)
    if not isinstance(jobs, int) or jobs < 0:
        raise UsageError(f"{path}: [suite]: jobs = {jobs}: a whole number from 1 on")
    return jobs


def _entries(path: Path, kind: Kind, number: int, given: Table, defaults: Table) -> Iterator[Entry]:
    """The questions of a table: one for each combination of sizes."""
    where = f"{path}: [[{kind}]] {number}"
    known = COMMON | ARGUMENTS[kind]
    _known(given, known, where)
    usual = {k: v for k, v in defaults.items() if k in known or k in SIZES}
    asked = {**usual, **given}
    if "protocol" not in asked:
        raise UsageError(f'{where} has no protocol: write protocol = "my_change.py", or a name')
    accepted, violates = _accepted(asked, where), _names(asked, "violates", where)
    expect = str(asked.get("expect", "" if violates else EXPECT[kind][0]))
    if expect and expect not in EXPECT[kind]:
        raise UsageError(f"{where}: {not_among('verdict', expect, EXPECT[kind])}")
    if violates and expect and expect not in WRONG:
        raise UsageError(f'{where}: what violates something is not expected to be "{expect}": leave expect away')
    if accepted and (violates or "expect" in asked):
        raise UsageError(f"{where}: accepted says what is expected: leave expect and violates away")
    sizes = [_sizes(asked, name, where) for name in SIZES]
    if kind is Kind.PROVE and sizes[0] == [None] and sizes[1:] != [[None], [None]]:
        raise UsageError(f"{where}: in_flight and host_page go with pages; without it the proof is for every size")
    seconds = asked.get("seconds", 600.0)
    if not isinstance(seconds, int | float) or not seconds > 0:
        raise UsageError(f"{where}: seconds = {seconds}: a time greater than 0")
    several = any(len(numbers) > 1 for numbers in sizes)
    for numbers in product(*sizes):
        size = {name: number for name, number in zip(SIZES, numbers, strict=True) if number is not None}
        arguments: dict[str, int | str | bool | list[str]] = dict(size)
        arguments |= {k: asked[k] for k in ARGUMENTS[kind] if k in asked}  # type: ignore[misc]
        if properties := _names(asked, "properties", where):
            arguments["properties"] = properties
        label = str(asked.get("name", f"{kind} {asked['protocol']}"))
        if several or "name" not in asked:
            label += "".join(f" --{name.replace('_', '-')} {number}" for name, number in size.items())
            label += "".join(f" --property {prop}" for prop in properties)
        yield Entry(
            name=label,
            kind=kind,
            protocol=str(asked["protocol"]),
            arguments=arguments,
            seconds=float(seconds),
            max_memory=_memory(asked, "1G", where),
            expect=expect,
            violates=violates,
            accepted=accepted,
            strict=bool(asked.get("strict", False)),
            folder=str(path.resolve().parent),
        )


def _table(given: object, where: str) -> Table:
    if not isinstance(given, dict):
        raise UsageError(f"{where} is a table, and not {given!r}")
    return given


def _known(given: Table, known: Mapping[str, type], where: str) -> None:
    """Refuse keys that there are not, and values of another type. Sizes are looked at where they are read."""
    for key, value in given.items():
        if key in SIZES and known is not SUITE:
            continue
        if key not in known:
            raise UsageError(f"{where}: {not_among('key', key, (*known, *(() if known is SUITE else SIZES)))}")
        kind = known[key]
        right = isinstance(value, (int, float) if kind is float else (str, list) if kind is list else kind)
        if not right or (isinstance(value, bool) and kind is not bool):
            raise UsageError(f"{where}: {key} is {WORDS[kind]}, and not {value!r}")


def _names(given: Table, key: str, where: str) -> list[str]:
    """The names in a list, or the only one."""
    value = given.get(key, [])
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UsageError(f"{where}: {key} is a list of names, and not {value!r}")
    return names


def _accepted(given: Table, where: str) -> dict[str, str]:
    """Accepted findings with their reasons."""
    value = given.get("accepted", {})
    assert isinstance(value, dict)
    for name, reason in value.items():
        if not isinstance(reason, str) or not reason.strip():
            raise UsageError(f'{where}: accepted.{name} gives no reason: write accepted.{name} = "why"')
    return value


def _sizes(given: Table, name: str, where: str) -> list[int | None]:
    """The numbers of a size: one, or several in a list."""
    value = given.get(name)
    if value == []:
        raise UsageError(f"{where}: {name} = [] leaves nothing to do")
    found: list[int | None] = []
    for number in value if isinstance(value, list) else [value]:
        if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number < 1):
            raise UsageError(f"{where}: {name} = {number!r}: a whole number from 1 on, or a list of them")
        found.append(number)
    return found


def _refuse_twins(path: Path, entries: list[Entry]) -> None:
    names = [entry.name for entry in entries]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f'{path}: two questions are called "{name}": give one of them a name = "..."')
