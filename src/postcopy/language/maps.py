"""A machine that maps another's memory: some of the other's fields are its own to read and write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from postcopy.errors import UnknownNameError
from postcopy.language.fields import Field, FieldOwner
from postcopy.language.interpretation import Interpretation
from postcopy.suggestions import did_you_mean


class Maps:
    """Some fields of another machine, to be read and written: ``memory = Maps("destination", "present", "faulted")``.

    A process that maps the guest's memory (a backend of vhost-user, the next system at the same host) sees at once
    what the other has written; nothing travels. ``self.memory.present`` is the field ``present`` of the other machine.

    Attributes:
        machine: the other machine's name in the protocol.
        fields: which of its fields.
    """

    def __init__(self, machine: str, *fields: str) -> None:
        self.machine, self.fields = machine, fields

    def __get__(self, part: FieldOwner | None, owner: type) -> Any:  # noqa: ANN401  (which fields, no type says)
        if part is None:
            return self
        return MappedFields(self, part.interpretation)

    def problem(self, machines: Mapping[str, Any]) -> str | None:
        """The mistake in the declaration, or None.

        Args:
            machines: the protocol's machines by name.
        """
        if self.machine not in machines:
            hint = did_you_mean(self.machine, machines) or f"; there are {', '.join(machines)}"
            return f"maps {self.machine}, which is no machine of the protocol{hint}"
        known = machines[self.machine].fields()
        for name in self.fields:
            if name not in known:
                hint = did_you_mean(name, known) or f"; its fields are {', '.join(known) or 'none'}"
                return f"maps {name} of {self.machine}, which has no such field{hint}"
        return None if self.fields else f'maps no field: name some, Maps("{self.machine}", "...")'


class MappedFields:
    """The mapped fields in a body: attributes that are read and assigned to."""

    def __init__(self, maps: Maps, interpretation: Interpretation) -> None:
        fields = cast(Any, interpretation.instance.machines[maps.machine]).fields()
        object.__setattr__(self, "_declared", {name: fields[name] for name in maps.fields})
        object.__setattr__(self, "_owner", _Owner(maps.machine, interpretation))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return self._field(name).__get__(object.__getattribute__(self, "_owner"), type(self))

    def __setattr__(self, name: str, value: object) -> None:
        self._field(name).__set__(object.__getattribute__(self, "_owner"), value)

    def _field(self, name: str) -> Field[Any]:
        declared: dict[str, Field[Any]] = object.__getattribute__(self, "_declared")
        if name in declared:
            return declared[name]
        owner: _Owner = object.__getattribute__(self, "_owner")
        raise UnknownNameError(
            f"{name} of {owner.name} is not mapped{did_you_mean(name, declared)}: name it in Maps(...)",
            owner.interpretation.where(),
        )


class _Owner:
    """The other machine, as its fields need it. What is mapped may be read and written whoever acts."""

    def __init__(self, name: str, interpretation: Interpretation) -> None:
        self.name, self.interpretation = name, interpretation

    def read(self, variable: str) -> object:
        """The value of one of its variables."""
        return self.interpretation.load(self.interpretation.instance.variable[variable])

    def write(self, variable: str, value: object) -> None:
        """Change one of its variables; a property or a ghost may not."""
        interpretation = self.interpretation
        interpretation.check_change(variable)
        interpretation.store(interpretation.instance.variable[variable], cast(Any, value))
