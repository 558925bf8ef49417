"""Whether a log of a real migration is a behaviour of the model.

Each host's records are in order; of records of different hosts only that a message is sent before it is received. What
a host may do next depends on its own past and on the messages that have reached it, so any order that respects this is
as good as any other: the steps of both logs are taken one by one, the destination's first, on the model's own text.
Where neither host's next step can be taken, no behaviour explains the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

from postcopy.conformance.steps import (
    ACTIONS,
    BESIDE,
    BREAKS,
    CLOSING,
    CPU_TOUCHES,
    DEVICE_TOUCH,
    IN_PARTS,
    LEAVING,
    NOTICING,
    OF_RECOVERY,
)
from postcopy.engine.log import Record, Step
from postcopy.language.instance import Instance
from postcopy.language.single_run import Forbidden, ManyPages, SingleRun
from postcopy.model.changes.preempt import Preempt
from postcopy.model.changes.recovery import Recovery
from postcopy.model.changes.recovery_messages import RecoveryReply
from postcopy.model.changes.recovery_with_preempt import RecoveryWithPreempt
from postcopy.model.destination import State
from postcopy.model.network import Command, Reply
from postcopy.model.postcopy import Postcopy
from postcopy.model.source import Phase

TOUCHES = {"": CPU_TOUCHES[0], "vCPU 0": CPU_TOUCHES[0], "vCPU 1": CPU_TOUCHES[1], "device load": DEVICE_TOUCH}
"""The touch of a page, by the name of the toucher in the log; without a name it counts as that of the first vCPU."""
EXPECTED_PAGES = {
    Step.LOADED: ("stream", Command.PAGE),
    Step.PLACED: ("stream", Command.PAGE),
    Step.PLACED_URGENT: ("fast", Command.PAGE),
    Step.GOT_REQUEST: ("return_path", Reply.REQ_PAGES),
}
"""Steps whose page has to be that of the message they receive; a request names the first page of its host page."""


@dataclass(frozen=True)
class Unexplained:
    """The first record that no behaviour of the model explains.

    Attributes:
        number: which record of its host, from 1.
        why: in words.
        forbidden: the guards that do not hold, of the step itself and of steps that might have come before it.
        enabled: actions of the same host that could have been taken instead.
    """

    record: Record
    number: int
    why: str
    forbidden: tuple[Forbidden, ...]
    enabled: tuple[str, ...]


@dataclass
class Explanation:
    """The result.

    Attributes:
        steps: how many records were explained.
        actions: how many model actions that took.
        unexplained: the first record that is not; None where the log is a behaviour of the model.
        over: the migration is over at both hosts; else the log is the beginning of a behaviour.
        fired: how often each model action was taken.
    """

    steps: int = 0
    actions: int = 0
    unexplained: Unexplained | None = None
    over: bool = False
    fired: dict[str, int] = field(default_factory=dict)


class _Explainer:
    def __init__(self, pages: int, group: int, records: Iterable[Record]) -> None:
        records = [step for made in records for step in made.steps]
        self.logs = {host: [r for r in records if r.host == host] for host in ("source", "destination")}
        self.at = {"source": 0, "destination": 0}
        steps = {r.step for r in records}
        self.protocol: type[Postcopy] = Postcopy
        if steps & OF_RECOVERY:
            self.protocol = RecoveryWithPreempt if Step.OPENED_URGENT in steps else Recovery
        elif Step.OPENED_URGENT in steps:
            self.protocol = Preempt
        self.instance = Instance(self.protocol, 1, 1)
        self.actions = {action.name: action for action in self.instance.actions}
        can = Step.REFUSED not in steps
        either = {"source.postcopy_capability": True, "destination.host_support": True}
        self.model = SingleRun(self.instance, pages, group, either | {"destination.postcopy_capability": can})
        self.group = group
        self.discarded = 0
        self.arrived = dict.fromkeys(IN_PARTS.values(), 0)
        self.touched: set[int] = set()
        self.result = Explanation()
        self._early_touches = self._find_early_touches()

    def _find_early_touches(self) -> dict[int, list[int]]:
        """Requests that were logged after their page had been placed: the touch was before. By record that places."""
        placed: dict[int, int] = {}
        early: dict[int, list[int]] = {}
        seen: dict[int, int] = {}
        for index, record in enumerate(self.logs["destination"]):
            if record.page is None:
                continue
            first = record.page // self.group * self.group
            if record.step in (Step.PLACED, Step.PLACED_URGENT):
                seen[first] = seen.get(first, 0) + (1 if record.step is Step.PLACED else self.group)
                if seen[first] == self.group:
                    placed[first] = index
            elif record.step is Step.REQUESTED and first in placed:
                early.setdefault(placed[first], []).append(index)
        return early

    # -- taking steps -------------------------------------------------------------------------------------------------

    def run(self) -> Explanation:
        while any(self.at[host] < len(self.logs[host]) for host in self.logs):
            refusals: dict[str, list[Forbidden]] = {}
            if not self._advance(refusals):
                self.result.unexplained = self._unexplained(refusals)
                break
        view = self.model.view
        self.result.over = bool(view.source.phase != Phase.IDLE and self.protocol.may_rest(view))
        return self.result

    def _advance(self, refusals: dict[str, list[Forbidden]]) -> bool:
        """Take one step of either host, one that closes the connection only when nothing else can be taken."""
        hosts = [host for host in ("destination", "source") if self.at[host] < len(self.logs[host])]
        for turn in range(3):
            for host in hosts:
                record = self.logs[host][self.at[host]]
                when = (record.step in CLOSING) + (record.step in LEAVING)
                if when == turn and self._take(host, record, refusals.setdefault(host, [])):
                    self.at[host] += 1
                    self.result.steps += 1
                    return True
        return False

    def _act(self, name: str, pages: int, refused: list[Forbidden]) -> bool:
        if name not in self.actions:
            why = f"the model {self.protocol.__name__}, against which the log's other steps are held, has no such step"
            refused.append(Forbidden(name, "", why))
            return False
        forbidden = self.model.take(self.actions[name], pages)
        if forbidden is not None:
            refused.append(forbidden)
            return False
        self.result.actions += 1
        self.result.fired[name] = self.result.fired.get(name, 0) + 1
        return True

    def _take(self, host: str, record: Record, refused: list[Forbidden]) -> bool:
        if record.step in BESIDE:
            return True
        name, page = ACTIONS[IN_PARTS.get(record.step, record.step)], record.page
        bits = sum(((1 << count) - 1) << first for first, count in record.pages) if record.pages else 0
        bits = bits if page is None else 1 << page
        wrong = self._wrong_message(record) or self._wrong_pages(record.step, bits) or self._wrong_pause(record.step)
        if wrong:
            refused.append(Forbidden(name, "", wrong))
            return False
        if record.step is Step.DISCARDED:
            return self._discard(name, bits, refused)
        if record.step in self.arrived or record.step in IN_PARTS:
            return self._arrive(record.step, name, bits, refused)
        if record.step is Step.REQUESTED and not self._touch(self.at[host], record, refused):
            return False
        if record.step in (Step.PLACED, Step.PLACED_URGENT) and not all(
            self._touch(index, self.logs[host][index], refused) for index in self._early_touches.get(self.at[host], ())
        ):
            return False
        if record.step in NOTICING:
            self._act(BREAKS, 0, [])
        return self._act(name, bits, refused)

    def _touch(self, index: int, record: Record, refused: list[Forbidden]) -> bool:
        if index in self.touched:
            return True
        touch = TOUCHES.get(record.who)
        if touch is None or record.page is None:
            known = ", ".join(filter(None, TOUCHES))
            refused.append(Forbidden(ACTIONS[record.step], "", f"{record.who!r} with {record.page}: not {known}"))
            return False
        if self._act(touch, 1 << record.page, refused):
            self.touched.add(index)
            return True
        return False

    def _head(self, channel: str) -> tuple[object, int]:
        queue = self.model.queues.get(channel)
        return (queue[0].kind, queue[0].pages.bits) if queue else (None, 0)

    def _wrong_message(self, record: Record) -> str:
        expected = EXPECTED_PAGES.get(record.step)
        if expected is None or record.page is None:
            return ""
        channel, kind = expected
        found, bits = self._head(channel)
        if found is not kind or bits >> record.page & 1:
            return ""
        return f"page {record.page} is not what is oldest on its way: that is {_some(bits)}"

    def _arrive(self, step: Step, name: str, bits: int, refused: list[Forbidden]) -> bool:
        """What has arrived is said block by block, in the model at once: with the last block."""
        last = IN_PARTS.get(step, step)
        if step is not last:
            self.arrived[last] |= bits
            return True
        if not self._act(name, 0, refused):
            return False
        self.arrived[last] = 0
        return True

    def _wrong_pages(self, step: Step, bits: int) -> str:
        """Where a step says which pages it is about, and the model knows them too."""
        view = self.model.view
        if step is Step.SENT_DISCARDS:
            return self._wrong_discards(cast(ManyPages, view.source.sent).bits, bits)
        if step is Step.SAID_WHAT_ARRIVED:
            return self._wrong_arrivals(cast(ManyPages, view.destination.present).bits, self.arrived[step] | bits)
        kind, said = self._head("return_path")
        if step is Step.GOT_WHAT_ARRIVED and kind is RecoveryReply.BITMAP:
            return self._wrong_arrivals(said, self.arrived[step] | bits)
        return ""

    def _wrong_pause(self, step: Step) -> str:
        """The model has one step for a loss of the connection, whether it is followed by a pause or the end."""
        view = self.model.view
        if step is Step.SOURCE_PAUSED and not (
            view.source.phase == Phase.POSTCOPY or (view.source.phase == Phase.ENDING and view.source.switched)
        ):
            return f"the source pauses in {view.source.phase.name}, where its migration fails"
        if step is Step.PAUSED and view.destination.state != State.RUNNING:
            return f"the destination pauses in {view.destination.state.name}, where its guest is lost"
        return ""

    @staticmethod
    def _wrong_arrivals(expected: int, bits: int) -> str:
        if expected == bits:
            return ""
        return f"of what has arrived it has too much: {_some(bits & ~expected)}; and lacks: {_some(expected & ~bits)}"

    @staticmethod
    def _wrong_discards(expected: int, bits: int) -> str:
        if expected == bits:
            return ""
        return f"the discard set has too much: {_some(bits & ~expected)}; and lacks: {_some(expected & ~bits)}"

    def _discard(self, name: str, bits: int, refused: list[Forbidden]) -> bool:
        """The engine's DISCARD comes in parts, the model's at once: with the last part."""
        kind, whole = self._head("stream")
        if kind is not Command.DISCARD:
            return self._act(name, 0, refused)
        if (self.discarded | bits) & ~whole:
            refused.append(Forbidden(name, "", f"not in the discard set: {_some(bits & ~whole)}"))
            return False
        self.discarded |= bits
        if self.discarded == whole:
            self.discarded = 0
            return self._act(name, 0, refused)
        return True

    # -- what is wrong ------------------------------------------------------------------------------------------------

    def _unexplained(self, refusals: dict[str, list[Forbidden]]) -> Unexplained:
        """Of two hosts that cannot go on: the one that does not merely wait for the other's message."""
        stuck = [host for host in refusals if refusals[host]]
        waiting = [h for h in stuck if refusals[h][-1].waits_for]
        host = next((h for h in stuck if h not in waiting), stuck[0])
        record = self.logs[host][self.at[host]]
        last = refusals[host][-1]
        why = f"{last.action}: {last.guard}" + (f" ({last.where}) does not hold" if last.where else "")
        return Unexplained(record, self.at[host] + 1, why, tuple(refusals[host]), self._enabled(host, record))

    def _enabled(self, host: str, record: Record) -> tuple[str, ...]:
        names = []
        for name, action in self.actions.items():
            mine = name.startswith(f"{host}.") and not action.info.environment
            if mine and self.model.could(action, 1 << (record.page or 0)):
                names.append(name)
        return tuple(names)


def explain(pages: int, group: int, records: Iterable[Record]) -> Explanation:
    """Hold a log against the model.

    Args:
        pages: target pages of the guest.
        group: target pages of a host page.
        records: of both hosts, those of each in order.
    """
    return _Explainer(pages, group, records).run()


def _some(bits: int) -> str:
    pages = [n for n in range(bits.bit_length()) if bits >> n & 1][:8]
    if not pages:
        return "none"
    more = bits.bit_count() - len(pages)
    return f"page{'s' * (bits.bit_count() > 1)} {', '.join(map(str, pages))}" + (f" and {more} more" if more else "")
