"""A short hash of a protocol's behaviour at a size, which a stored trace carries: it belongs to that protocol only."""

import hashlib

from postcopy.explorer.kernel.kernel import kernel_to_errors
from postcopy.language.instance import Instance


def fingerprint(instance: Instance) -> str:
    """The hash of the kernel without properties and of the actions' names: equal for equal behaviour and wording."""
    bare = Instance(instance.protocol, instance.pages, instance.in_flight, (), instance.group)
    words = [f"{action.name} {action.doc}" for action in bare.actions]
    return hashlib.sha256("\n".join([kernel_to_errors(bare, reductions=()).plain, *words]).encode()).hexdigest()[:16]
