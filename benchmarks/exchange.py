"""What the members of a cluster send each other, and what that costs them; all of them in this process, in turns.

    python benchmarks/exchange.py [--pages 5] [--in-flight 1] [--members 1 2 10] [--table small ordinary]

The whole graph: no reductions, no property but the absence of deadlock. What is sent are arrays here, not messages: the
network, and Ray, are not measured. Seconds are those of the processor, of all members together.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from postcopy.explorer.explore import Exploration
from postcopy.explorer.results import Engine, Options
from postcopy.explorer.search.cluster_member import Member
from postcopy.explorer.search.cluster_small_member import SmallMember
from postcopy.explorer.search.shard import Report, gather, judge
from postcopy.explorer.search.status import HEAD, LEVEL_END, WITNESSES, Status
from postcopy.language.instance import Instance
from postcopy.language.properties import NO_DEADLOCK
from postcopy.model.postcopy import Postcopy

MEMBERS = {"small": SmallMember, "ordinary": Member}
STEPS = 1_000_000
"""States that all members together may expand in a round, as in a check."""


@dataclass
class Spent:
    """What a search has taken.

    Attributes:
        run: seconds of the processor, to make and deal successors.
        take: the same, to enter those that were sent.
        rows: states sent.
        bytes: and their size.
        rounds: how often members exchanged.
    """

    run: float = 0.0
    take: float = 0.0
    rows: int = 0
    bytes: int = 0
    rounds: int = 0


def search(members: Sequence[Any], spent: Spent) -> list[Report]:
    """Search to the end, level by level; how the members stand then."""
    reports = [member.begin() for member in members]
    status, _ = judge([each.control for each in reports])
    while status == Status.RUNNING:
        orders = [(int(each.control[LEVEL_END]), int(each.control[WITNESSES])) for each in reports]
        steps, began = max(STEPS // len(members), 1), time.process_time()
        ran = [member.run(steps, *order) for member, order in zip(members, orders, strict=True)]
        spent.run += time.process_time() - began
        sent = [outboxes for _, *outboxes in ran]
        spent.rows += sum(len(rows) for outboxes in sent for rows in outboxes)
        spent.bytes += sum(rows.nbytes for outboxes in sent for rows in outboxes)
        began = time.process_time()
        reports = [
            member.take(*(outboxes[to] for sender, outboxes in enumerate(sent) if sender != to))
            for to, member in enumerate(members)
        ]
        spent.take += time.process_time() - began
        spent.rounds += 1
        status, _ = judge([each.control for each in reports])
    if status != Status.DONE or any(each.control[HEAD] != each.control[LEVEL_END] for each in reports):
        raise SystemExit("--max-memory does not suffice")
    return reports


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=5)
    parser.add_argument("--in-flight", type=int, default=1)
    parser.add_argument("--members", type=int, nargs="+", default=[1, 2, 10])
    parser.add_argument("--table", choices=list(MEMBERS), nargs="+", default=list(MEMBERS))
    parser.add_argument("--max-memory", type=int, default=4, metavar="GIB")
    options = parser.parse_args()
    instance = Instance(Postcopy, options.pages, options.in_flight, (NO_DEADLOCK,))
    asked = Options(reductions=(), engine=Engine.INTERPRETED, max_memory=options.max_memory << 30)
    exploration = Exploration(instance, asked)
    plan, question = exploration.kernel.plan, exploration.question
    for table in options.table:
        for count in options.members:
            members = [MEMBERS[table](plan, question, number, count) for number in range(count)]
            spent = Spent()
            reports = search(members, spent)
            found = gather(Status.DONE, 0, reports)
            states = found.states
            least, *_, most = sorted(int(each.control[HEAD]) for each in [*reports, *reports])
            print(
                f"{table}, {count} members: {states:,} states, {found.bytes / states:.2f} bytes a state as counted, "
                f"{spent.rows / states:.2f} sent for each, {spent.bytes / states:.1f} bytes, "
                f"{spent.run / states * 1e9:.0f} ns to find and {spent.take / states * 1e9:.0f} ns to enter, "
                f"{spent.rounds} rounds, parts of {least / states:.3f} to {most / states:.3f}"
            )


if __name__ == "__main__":
    main()
