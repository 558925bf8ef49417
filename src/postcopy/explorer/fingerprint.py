"""A short hash of what a protocol does at a size: what a stored trace says it belongs to."""

import hashlib

from postcopy.explorer.codegen import generate
from postcopy.explorer.constants import read
from postcopy.explorer.layout import lay_out
from postcopy.model.instance import Instance


def fingerprint(instance: Instance) -> str:
    """The hash of the kernel without properties and of the actions' names: equal for equal behaviour and wording."""
    bare = Instance(instance.protocol, instance.pages, instance.in_flight, (), instance.group)
    reading = read(bare)
    kernel = generate(reading, lay_out(bare, reading.variables, reading.constants), symmetry=False)
    words = [f"{action.name} {action.doc}" for action in bare.actions]
    return hashlib.sha256("\n".join([kernel.plain, *words]).encode()).hexdigest()[:16]
