"""Which channels carry copies of pages one by one, as the text of the actions says.

A mark is one truth value for a message, whatever pages the message concerns. Where each marked message on a channel
concerns one page at most, the encodings may say so, and proofs are easier. Where a step sends several pages in one
message, they say nothing.
"""

from __future__ import annotations

from typing import assert_never

from postcopy.language import expressions as ex
from postcopy.language.instance import Instance
from postcopy.language.symbolic import read_body
from postcopy.prover.channel_expressions import HeadPages, HeadSet, InOrder, Pages, Sent, walk
from postcopy.prover.clauses import paths_of
from postcopy.prover.unbounded import UnboundedInterpretation, messages_of


def channels_of_single_copies(instance: Instance) -> frozenset[str]:
    """The names of the channels with marks on which every marked message concerns one page at most.

    Raises:
        SpecError: an action cheats or errs.
    """
    found = {c.name for c in instance.channels.values() if c.marked and c.slots[0].marks}
    for action in instance.actions:
        for _, leaf in paths_of(read_body(instance, action, UnboundedInterpretation)):
            for channel in instance.channels.values():
                marked = {channel.code(kind) for kind in channel.marked}
                after = leaf.updates.get(messages_of(channel))
                for node in walk(after) if after is not None else ():
                    if isinstance(node, Sent) and node.code in marked and not _is_of_one_page(node.pages):
                        found.discard(channel.name)
    return frozenset(found)


def _is_of_one_page(pages: Pages) -> bool:
    """Whether a set has one page at most, whatever the state: the page of the step, or a part of it."""
    match pages:
        case ex.ActionPage() | ex.NoPages():
            return True
        case ex.Intersection(parts):
            return any(map(_is_of_one_page, parts))
        case ex.PagesIf(_, yes, no):
            return _is_of_one_page(yes) and _is_of_one_page(no)
        case ex.Neighbours(operand, _):
            return _is_of_one_page(operand)
        case ex.AllPages() | ex.PagesVariable() | ex.Complement() | ex.Union() | ex.HostPages():
            return False
        case HeadPages() | HeadSet() | InOrder():
            return False
        case _:
            assert_never(pages)
