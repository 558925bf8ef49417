"""A short hash of what a protocol does at a size: what a stored trace says it belongs to."""

import hashlib

from postcopy.explorer.kernel.layout import lay_out
from postcopy.explorer.kernel.state_code import generate
from postcopy.language.instance import Instance
from postcopy.language.program import read


def fingerprint(instance: Instance) -> str:
    """The hash of the kernel without properties and of the actions' names: equal for equal behaviour and wording."""
    bare = Instance(instance.protocol, instance.pages, instance.in_flight, (), instance.group)
    program = read(bare)
    kernel = generate(program, lay_out(bare, program.variables, program.constants), symmetry=False)
    words = [f"{action.name} {action.doc}" for action in bare.actions]
    return hashlib.sha256("\n".join([kernel.plain, *words]).encode()).hexdigest()[:16]
