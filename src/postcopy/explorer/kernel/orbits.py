"""How many states one stored state stands for: symmetry loses none where these numbers add up to all states."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import permutations
from math import factorial

from postcopy.explorer.kernel.kernel import Kernel, Words
from postcopy.explorer.kernel.reductions import PAGES, VCPUS
from postcopy.explorer.kernel.vcpu_symmetry import families


def orbit(kernel: Kernel, words: Words) -> int:
    """How many states are equal to this one up to a renaming of pages, and of vCPUs where they are renamed too."""
    if VCPUS not in kernel.reductions:
        return _page_orbit(kernel, words)
    instance, layout = kernel.instance, kernel.layout
    state, index = layout.unpack(words), instance.index
    rows = [[index[v] for v in family] for family in families(instance)]
    images = set()
    for order in permutations(range(instance.cpus)):
        image = list(state)
        for row in rows:
            for cpu, other in enumerate(order):
                image[row[other]] = state[row[cpu]]
        images.add(_page_class(kernel, layout.pack(tuple(image))))
    return len(images) * _page_orbit(kernel, words)


def _page_class(kernel: Kernel, words: Words) -> Hashable:
    """What is the same of all states that are equal up to a renaming of pages."""
    if PAGES not in kernel.reductions:
        return words
    layout, group = kernel.layout, kernel.instance.group
    places, mask = layout.records, (1 << layout.width) - 1
    records = [words[word] >> base & mask for word, base in places]
    hosts = (sorted(records[i : i + group]) for i in range(0, len(records), group))
    others = (word & ~sum(mask << base for w, base in places if w == k) for k, word in enumerate(words))
    return tuple(others), tuple(sorted(map(tuple, hosts)))


def _page_orbit(kernel: Kernel, words: Words) -> int:
    if PAGES not in kernel.reductions:
        return 1
    group, mask = kernel.instance.group, (1 << kernel.layout.width) - 1
    records = [words[word] >> base & mask for word, base in kernel.layout.records]
    hosts = [tuple(sorted(records[i : i + group])) for i in range(0, len(records), group)]
    size = factorial(len(hosts))
    for host in set(hosts):
        size //= factorial(hosts.count(host))
    for host in hosts:
        size *= factorial(group)
        for record in set(host):
            size //= factorial(host.count(record))
    return size
