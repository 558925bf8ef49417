"""Whether an edited property is weaker than the original: what each of the two says of every state and step.

A property is weaker than another if what violates it violates the other, and something violates the other alone. Of
properties of runs, a promise is weaker that is open in fewer states, and kept in more. Both are asked together, in all
states and steps of a protocol.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from postcopy.explorer.kernel.kernel import Kernel
from postcopy.explorer.liveness.promises import Promise
from postcopy.language import Property, Protocol
from postcopy.language.instance import Instance

Size = tuple[int, int, int]
"""Pages, messages in flight, target pages of a host page."""


@dataclass(frozen=True)
class Difference:
    """How an edited property differs from the original on the states and steps of a protocol.

    Attributes:
        less: something violates the original alone.
        more: something violates the edited one alone.
    """

    less: bool
    more: bool

    def __or__(self, other: Difference) -> Difference:
        return Difference(self.less or other.less, self.more or other.more)


def difference(protocol: type[Protocol], size: Size, original: Property, edited: Property) -> Difference:
    """How two properties of the same kind differ on a protocol.

    Raises:
        SpecError: the protocol or a property cheats or errs.
    """
    found = Difference(less=False, more=False)
    if original.of_runs:
        cpus = Instance(protocol, *size[:2], (), size[2]).cpus
        for cpu in range(cpus) if "cpu" in original.each else [None]:
            found |= _of_promises(protocol, size, Promise(original, cpu), Promise(edited, cpu))
        return found
    pair = (original, replace(edited, name=f"{edited.name}-edited"))
    kernel, answers = walk(protocol, size, pair)
    bit = {p.name: 1 << at for at, p in enumerate(kernel.bits.seen if original.of_states else kernel.bits.properties)}
    one, two = (bit[p.name] for p in pair)
    for of_state, of_steps in answers:
        for answer in (of_state,) if original.of_states else of_steps:
            found |= Difference(
                less=bool(answer & one and not answer & two), more=bool(answer & two and not answer & one)
            )
    return found


def _of_promises(protocol: type[Protocol], size: Size, original: Promise, edited: Promise) -> Difference:
    found = Difference(less=False, more=False)
    witnesses = tuple(
        replace(half, name=f"{half.name}-{which}")
        for which, promise in (("original", original), ("edited", edited))
        for half in promise.witnesses()
    )
    kernel, answers = walk(protocol, size, witnesses)
    when, then, when_edited, then_edited = (
        1 << next(at for at, p in enumerate(kernel.bits.seen) if p.name == w.name) for w in witnesses
    )
    for bits, _ in answers:
        is_open = bool(bits & when and not bits & then)
        is_open_edited = bool(bits & when_edited and not bits & then_edited)
        kept, kept_edited = bool(bits & then), bool(bits & then_edited)
        found |= Difference(
            less=(is_open and not is_open_edited) or (kept_edited and not kept),
            more=(is_open_edited and not is_open) or (kept and not kept_edited),
        )
    return found


def walk(
    protocol: type[Protocol], size: Size, asked: tuple[Property, ...]
) -> tuple[Kernel, Iterator[tuple[int, set[int]]]]:
    """All states of a protocol: for each what `examine` says of it, and the bits of the properties that its steps
    violate."""
    pages, in_flight, group = size
    kernel = Kernel(Instance(protocol, pages, in_flight, asked, group))

    def states() -> Iterator[tuple[int, set[int]]]:
        functions = kernel.functions
        order = list(dict.fromkeys(functions.canonical(*words) for words in kernel.initial))
        seen = set(order)
        for words in order:  # grows
            violated = set()
            for label, *after in functions.expand(*words):
                violated.add(kernel.labels[label].violated)
                target = tuple(after)
                if target not in seen:
                    seen.add(target)
                    order.append(target)
            yield functions.examine(*words), violated

    return kernel, states()
