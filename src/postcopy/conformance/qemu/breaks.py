"""What a host's threads do by themselves when a connection breaks, before an operator makes a new one.

The search for a run puts a step in where a guard needs it. Some threads see a break, or the new connection in its
place, and which of both it was shows much later. On real hosts there is time between the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from postcopy.conformance.qemu.action_facts import ActionFacts
from postcopy.conformance.qemu.long_run import LongRun
from postcopy.conformance.qemu.observations import Sent

Steps = tuple[ActionFacts, ...]
MOST_MESSAGES = 10_000
"""So many messages of a broken connection are lost or received at most."""


def ways_to_break(run: LongRun, hidden: Sequence[ActionFacts], host: str) -> Iterator[Steps]:
    """Steps with which a break may begin, likely ones first; none at the end. The run is as it was after each.

    Args:
        run: where the break happens.
        hidden: actions that nobody sees.
        host: the host that makes the new connection.
    """
    network = [its for its in hidden if its.breaks and its.action.machine == "wire"]
    own = [its for its in hidden if its.action.machine == host and not its.action.info.environment]
    own = [its for its in own if not its.action.takes_page and not its.sends]
    possible = {its.action.name for its in own if run.could(its.action)}
    tag = run.tag()
    begin = _breaks_and_drains(run, network, own)
    if begin:
        reached = run.tag()
        new = [its for its in own if its.action.name not in possible and run.could(its.action)]
        for chosen in ([*new], *([its] for its in new if len(new) > 1)):
            steps = [*begin, *(its for its in chosen if run.step(its.action) is None)]
            run.back_to(reached)
            yield tuple(steps)
    run.back_to(tag)
    yield ()


def _breaks_and_drains(run: LongRun, network: Sequence[ActionFacts], own: Sequence[ActionFacts]) -> list[ActionFacts]:
    """The network closes all that it can; requests on their way are lost, and what was said before is received."""
    steps = [its for its in network if not its.receives and run.could(its.action) and _closes(its)]
    steps = [its for its in steps if run.step(its.action) is None]
    if not steps:
        return []
    heard = {message.channel for its in own for message in its.receives}
    for name in heard:
        queue = run.queues[name]
        for _ in range(MOST_MESSAGES):
            if not queue:
                break
            about_pages = bool(queue[-1].pages.bits)
            head = Sent(name, queue[0].kind.name)
            loses = (its for its in network if not _closes(its))
            receives = (its for its in own if head in its.receives)
            length = len(queue)
            its = next((its for its in (loses if about_pages else receives) if _shortens(run, its, name, length)), None)
            if its is None:
                break
            steps.append(its)
    return steps


def _shortens(run: LongRun, its: ActionFacts, name: str, length: int) -> bool:
    tag = run.tag()
    if run.step(its.action) is None and len(run.queues[name]) < length:
        return True
    run.back_to(tag)
    return False


def _closes(its: ActionFacts) -> bool:
    return any(variable.name.endswith(".up") for variable in its.writes)
