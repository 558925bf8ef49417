"""Names of settings and commands in messages: each way into this package spells them as its users write them.

A message says ``setting("host_page", 3)``. In Python that reads ``host_page=3``, and on the command line
``--host-page 3``. The text of an error is Python's, unless its reader asks for another one: see
`postcopy.errors.PostcopyError.spelled`. Imports nothing of this package.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_BEGIN, _BETWEEN, _AND, _END = "\x02", "\x1f", "\x1e", "\x03"
MARKS = _BEGIN + _BETWEEN + _AND + _END
"""The characters around names in a message that is not spelled yet."""

_LEFT = dict.fromkeys(map(ord, MARKS), "?")
"""Marks around no name: a file, or what it holds, may have such characters."""

_NAMED = re.compile(f"{_BEGIN}(setting|command){_BETWEEN}([^{_BETWEEN}{_END}]*)(?:{_BETWEEN}([^{_END}]*))?{_END}")


@dataclass(frozen=True)
class Surface:
    """How a way into this package is written.

    Attributes:
        setting: a setting by its name in Python, with its value; None for the name alone.
        command: a command by its name on the command line, with its arguments; None where there are none.
    """

    setting: Callable[[str, str | None], str]
    command: Callable[[str, str | None], str]

    def spell(self, text: str) -> str:
        """A message with all names in it as they are written here."""
        spelled = _NAMED.sub(lambda m: (self.setting if m[1] == "setting" else self.command)(m[2], m[3]), text)
        return spelled.translate(_LEFT)


def setting(name: str, value: object = None, *more: object) -> str:
    """A setting in a message.

    Args:
        name: the parameter of the function of this package.
        value: its value; None for the name alone.
        more: further values, of a setting that takes several.
    """
    return _named("setting", name, value if not more else _AND.join(map(str, (value, *more))))


def command(name: str, arguments: object = None) -> str:
    """A command in a message.

    Args:
        name: the command, such as ``list``.
        arguments: what it is given: names and files, no options; None where it is given nothing.
    """
    return _named("command", name, arguments)


def _named(kind: str, name: str, more: object) -> str:
    parts = (kind, name) if more is None else (kind, name, str(more))
    return f"{_BEGIN}{_BETWEEN.join(parts)}{_END}"


FUNCTIONS = {
    "export": "export_model",
    "list": "listing",
    "monitor": "monitor_migration",
    "replay": "replay_run",
}
"""The functions whose names are not those of their commands: Python, or a folder of this package, has the name."""


def _parameter(name: str, value: str | None) -> str:
    if value is None:
        return name
    return f"{name}={value.split(_AND) if _AND in value else value}"


def _call(name: str, arguments: str | None) -> str:
    given = "" if arguments is None else repr(arguments)
    return f"{FUNCTIONS.get(name, name)}({given})"


PYTHON = Surface(_parameter, _call)
"""Parameters and functions: ``host_page=3``, ``listing('faults')``."""


def _option(name: str, value: str | None) -> str:
    if value == "False":
        return f"--no-{name.replace('_', '-')}"
    option = _OPTIONS.get(name) or f"--{name.replace('_', '-')}"
    if value is None or value == "True":
        return option
    return " ".join(f"{option} {each}" for each in value.split(_AND))


_OPTIONS = {"properties": "--property", "keep_run": "--keep", "log_to": "--log", "out": "-o", "program": "--qemu"}
"""The options whose names are not those of their parameters."""


def _command(name: str, arguments: str | None) -> str:
    return f"postcopy {name}" if arguments is None else f"postcopy {name} {arguments}"


COMMAND_LINE = Surface(_option, _command)
"""Options and commands: ``--host-page 3``, ``postcopy list faults``."""
