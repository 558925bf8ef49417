"""The symbolic interpretation: an action's body, run once for each path of decisions, as a tree of guarded updates.

Every value that comes from the state is an expression; where the body asks one for its truth, the run is
repeated, once for each answer. The tree that results (`Branch`, `Leaf`, or None where a guard fails) is all
that the explorer's compiler and the provers know of an action.
"""

# ruff: noqa: D102  (what a method does is said once, where it is abstract)

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from itertools import combinations
from typing import Protocol, cast

from postcopy.errors import NoRoomError, SpecError
from postcopy.language import expressions as ex
from postcopy.language.actions import ActionInstance
from postcopy.language.body_checks import checks_of
from postcopy.language.body_errors import Disabled, LocatingErrors
from postcopy.language.calls import call
from postcopy.language.channel_variables import ChannelVariables, Slot
from postcopy.language.decisions import MAX_DECISIONS, Decisions, Given, RunsDiffer, TooManyDecisions
from postcopy.language.expression_nodes import VariableNode, nodes
from postcopy.language.expressions import NumberExpr, PagesExpr, TruthExpr, Value
from postcopy.language.instance import Instance
from postcopy.language.interpretation import Interpretation
from postcopy.language.looks import Looks
from postcopy.language.machines import let_watch
from postcopy.language.messages import Carried, Event, Marks, Message, Pattern
from postcopy.language.properties import Property, of_each_page
from postcopy.language.source_locations import location, place
from postcopy.language.step_errors import no_room, out_of_range
from postcopy.language.symbolic_values import SymbolicNumber, SymbolicPages, SymbolicTruth
from postcopy.language.trees import Branch, Happening, Leaf, Tree, on_leaves
from postcopy.language.values import NONE, PageSet, Whole
from postcopy.language.variables import Sort, Variable, same_values
from postcopy.language.view import Step, View


class Notes(Protocol):
    """What notes which parts of a step a property looks at (see `judgements`)."""

    def noting(self, updates: Mapping[Variable, Value], /) -> dict[Variable, Value]:
        """New values that note which are read."""

    def noting_step(self, step: Step, /) -> Step:
        """A step that notes what is looked at."""


MAX_PATHS = 2_048
"""Ways through one action beyond which it is taken to be several actions in one."""


class SymbolicInterpretation(Interpretation):
    """One run of a body on expressions.

    Attributes:
        updates: new values so far.
    """

    instance: Instance

    def __init__(self, instance: Instance, path: Decisions, updates: dict[Variable, Value] | None = None) -> None:
        super().__init__(instance)
        self.path = path
        self.updates: dict[Variable, Value] = {} if updates is None else updates
        self.checks: list[tuple[TruthExpr, str, str]] = []
        self.sent: dict[str, int] = {}
        self.kinds: dict[str, list[NumberExpr]] = {}

    def decide(self, condition: TruthExpr) -> bool:
        """The truth of a condition on this path. Machines may not ask about ghosts."""
        if condition.ghost and self.readable is not None and condition not in (ex.TRUE, ex.FALSE):
            raise self._history("a guard reads", condition)
        return self.path.decide(condition)

    def _history(self, what: str, expr: Value | TruthExpr) -> SpecError:
        """The error of a step that depends on history."""
        names = sorted({node.history for node in nodes(expr) if node.history})
        return SpecError(
            f"{what} history ({', '.join(names)}): ghosts and marks are for properties, no step may depend on them",
            self.where(),
        )

    def sent_pages(self, channel: ChannelVariables, kind: Enum, pages: PageSet) -> PagesExpr:
        """The pages of a message that is sent, which may not depend on history."""
        concerned = self.set_of(pages)
        if concerned.ghost:
            raise self._history(f"the pages of a {kind.name} on {channel.name} depend on", concerned)
        return concerned

    def number_in(self, variable: Variable) -> NumberExpr:
        """The value, at this point of the run, of a variable that is a number."""
        value = self.updates.get(variable)
        if value is not None:
            return ex.as_number(value)
        fixed = self.instance.settled.get(variable)
        return ex.NumberVariable(variable) if fixed is None else ex.number(fixed)

    def pages_in(self, variable: Variable) -> PagesExpr:
        """The value, at this point of the run, of a variable that is a set of pages."""
        value = self.updates.get(variable)
        return ex.PagesVariable(variable) if value is None else ex.as_pages(value)

    def load(self, variable: Variable) -> object:
        if self.looks is not None:
            self.looks.variables.add(variable)
        if variable.sort is Sort.PAGES:
            return SymbolicPages(self, self.pages_in(variable))
        return self.value_of(variable, self.number_in(variable))

    def value_of(self, variable: Variable, expr: NumberExpr) -> SymbolicTruth | SymbolicNumber:
        """A number as a value of the variable's type."""
        if variable.values == (False, True):
            return SymbolicTruth(self, ex.equal(expr, ex.number(1)))
        return SymbolicNumber(self, expr, variable.values, variable.low)

    def store(self, variable: Variable, value: object) -> None:
        self._assign(variable, self._encode(variable, value))

    def _assign(self, variable: Variable, expr: Value) -> None:
        if expr.ghost and not variable.ghost:
            raise self._history(f"{variable.name} is given a value that depends on", expr)
        if isinstance(expr, VariableNode) and expr.variable == variable:
            self.updates.pop(variable, None)
        else:
            self.updates[variable] = expr

    def _encode(self, variable: Variable, value: object) -> Value:
        if variable.sort is Sort.PAGES:
            return self.set_of(value)
        if variable.values == (False, True):
            return ex.number_of(self.truth_of(value))
        if isinstance(value, SymbolicNumber):
            if not same_values(value.values, variable.values):
                moved = value.among(variable.values)
                if moved is None:
                    raise SpecError(f"{variable.name} is given {value!r}, which is not a {variable.kind}", self.where())
                return moved
            shift = value.low - variable.low
            expr = ex.plus(value.expr, ex.number(shift)) if shift else value.expr
            self._check_range(variable, expr)
            return expr
        try:
            expr = ex.number(self.instance.encode(variable, value))
        except ValueError:
            raise SpecError(
                f"{variable.name} is given {value!r}, which is not a {variable.kind}", self.where()
            ) from None
        self._check_range(variable, expr)
        return expr

    def _check_range(self, variable: Variable, expr: NumberExpr) -> None:
        if variable.values:
            return
        stored = ex.constant(expr)
        message = out_of_range(variable)
        if stored is not None and not 0 <= stored < variable.size:
            raise SpecError(message, self.where())
        if stored is None:
            below = ex.less(expr, ex.number(variable.size))
            inside = ex.conjunction(below, ex.negation(ex.less(expr, ex.number(0))))
            self.checks.append((inside, message, self.where()))

    def demand(self, condition: bool, message: str) -> None:
        self.checks.append((self.truth_of(condition), message, self.where()))

    def truth_of(self, value: object) -> TruthExpr:
        """A truth value as an expression."""
        if isinstance(value, SymbolicTruth):
            return value.expr
        if isinstance(value, bool):
            return ex.truth(value)
        raise SpecError(f"a truth value is needed here, not {value!r}", self.where())

    def set_of(self, value: object) -> PagesExpr:
        """A set of pages as an expression."""
        if isinstance(value, SymbolicPages):
            return value.expr
        if isinstance(value, Whole):
            return ex.EMPTY_SET if value is NONE else ex.FULL_SET
        raise SpecError(f"a set of pages is needed here, not {value!r}", self.where())

    def host_pages_of(self, pages: PagesExpr) -> PagesExpr:
        """All target pages of the host pages that a set touches."""
        if self.instance.group == 1:
            return pages
        if self.instance.fine is None:
            return ex.host_pages(pages)
        if self.looks is not None:
            self.looks.variables.add(self.instance.fine)
        fine = self.pages_in(self.instance.fine)
        whole = ex.intersection(ex.host_pages(pages), ex.set_complement(fine))
        return ex.union(ex.intersection(pages, fine), whole)

    def pages(self, what: Whole) -> PageSet:
        return SymbolicPages(self, self.set_of(what))

    def room(self, channel: ChannelVariables, messages: int) -> bool:
        return cast(bool, SymbolicTruth(self, self._free(channel, messages + self.sent.get(channel.name, 0))))

    def _free(self, channel: ChannelVariables, messages: int) -> TruthExpr:
        """Room for that many messages, before what has been sent since messages last left the channel."""
        if messages > len(channel.slots):
            return ex.FALSE
        kinds = self.kinds.get(channel.name)
        return ex.equal(kinds[-messages] if kinds else ex.NumberVariable(channel.slots[-messages].kind), ex.number(0))

    def _disturbed(self, channel: ChannelVariables) -> None:
        """Messages went: from here on room is counted anew."""
        self.sent.pop(channel.name, None)
        self.kinds[channel.name] = [self.number_in(slot.kind) for slot in channel.slots]

    def field_of(self, channel: ChannelVariables, kind: Enum, name: str, value: object) -> Value:
        """The value of a field of a message that is sent, which may not depend on history."""
        expr = self._encode(channel.fields[name], value)
        if expr.ghost:
            raise self._history(f"the {name} of a {kind.name} on {channel.name} depends on", expr)
        return expr

    def send(
        self,
        channel: ChannelVariables,
        kind: Enum,
        pages: PageSet,
        marks: Mapping[str, PageSet],
        fields: Mapping[str, object],
    ) -> None:
        sent = self.sent[channel.name] = self.sent.get(channel.name, 0) + 1
        if not any(self.path.implied(self._free(channel, n)) for n in range(sent, len(channel.slots) + 1)):
            self.lacks_room(self._free(channel, sent), no_room(channel.name, kind.name, sent))
        concerned = self.sent_pages(channel, kind, pages)
        given = {name: self.field_of(channel, kind, name, value) for name, value in fields.items()}
        before = [self.number_in(slot.kind) for slot in channel.slots]
        for i, slot in enumerate(channel.slots):
            free = ex.equal(before[i], ex.number(0))
            here = ex.conjunction(free, ex.negation(ex.equal(before[i - 1], ex.number(0)))) if i else free
            if self.path.implied(here) is False:
                continue
            self._assign(slot.kind, ex.choose(here, ex.number(channel.code(kind)), before[i]))
            self._assign(slot.pages, ex.choose(here, concerned, self.pages_in(slot.pages)))
            for name, mark in slot.marks.items():
                shared = ex.intersection(self.set_of(marks.get(name, NONE)), concerned)
                value = ex.number_of(ex.negation(ex.is_empty(shared)))
                self._assign(mark, ex.choose(here, value, self.number_in(mark)))
            for name, field in slot.fields.items():
                self._choose(here, field, given[name])

    def _now(self, variable: Variable) -> Value:
        """The value of a variable at this point of the run."""
        return self.pages_in(variable) if variable.sort is Sort.PAGES else self.number_in(variable)

    def _choose(self, condition: TruthExpr, variable: Variable, value: Value) -> None:
        """Give a variable a value where the condition holds."""
        if variable.sort is Sort.PAGES:
            self._assign(variable, ex.choose(condition, ex.as_pages(value), self.pages_in(variable)))
        else:
            self._assign(variable, ex.choose(condition, ex.as_number(value), self.number_in(variable)))

    def lacks_room(self, room: TruthExpr, message: str) -> None:  # noqa: ARG002
        """A message is sent where it is not known that there is room."""
        raise NoRoomError(message, self.where())

    def head_is(self, channel: ChannelVariables, kind: Enum | None) -> bool:
        code = 0 if kind is None else channel.code(kind)
        return cast(bool, SymbolicTruth(self, ex.equal(self.number_in(channel.slots[0].kind), ex.number(code))))

    def carries(self, channel: ChannelVariables, kind: Enum) -> bool:
        if self.looks is not None:
            self.looks.variables.update(slot.kind for slot in channel.slots)
        code = ex.number(channel.code(kind))
        on_it = ex.disjunction(*(ex.equal(self.number_in(slot.kind), code) for slot in channel.slots))
        return cast(bool, SymbolicTruth(self, on_it))

    def head(self, channel: ChannelVariables) -> Message:
        first = channel.slots[0]
        pages = self.pages_in(first.pages)
        marked = {
            name: SymbolicPages(self, ex.choose(ex.equal(self.number_in(m), ex.number(1)), pages, ex.EMPTY_SET))
            for name, m in first.marks.items()
        }
        carried = {name: self.load(field) for name, field in first.fields.items()}
        return Message(SymbolicPages(self, pages), Marks(marked), Carried(carried))

    def pop(self, channel: ChannelVariables) -> None:
        for here, following in zip(channel.slots, channel.slots[1:], strict=False):
            for to, of in zip(here.variables, following.variables, strict=True):
                self._assign(to, self._now(of))
        self._clear(channel.slots[-1], ex.TRUE)
        self._disturbed(channel)

    def _clear(self, slot: Slot, condition: TruthExpr) -> None:
        for variable in slot.variables:
            self._choose(condition, variable, ex.EMPTY_SET if variable.sort is Sort.PAGES else ex.number(0))

    def drop_newest(self, channel: ChannelVariables) -> None:
        occupied = [ex.negation(ex.equal(self.number_in(slot.kind), ex.number(0))) for slot in channel.slots]
        for i, slot in enumerate(channel.slots):
            followed = occupied[i + 1] if i + 1 < len(occupied) else ex.FALSE
            self._clear(slot, ex.conjunction(occupied[i], ex.negation(followed)))
        self._disturbed(channel)

    def clear(self, channel: ChannelVariables) -> None:
        for slot in channel.slots:
            self._clear(slot, ex.TRUE)
        self._disturbed(channel)

    def in_order(self, channel: ChannelVariables, patterns: tuple[Pattern, ...]) -> PageSet:
        parts = []
        for slots in combinations(channel.slots, len(patterns)):
            matches, common = [], [ex.FULL_SET]
            for slot, pattern in zip(slots, patterns, strict=True):
                matches.append(ex.equal(self.number_in(slot.kind), ex.number(channel.code(pattern.kind))))
                matches += [ex.equal(self.number_in(slot.marks[m]), ex.number(int(want))) for m, want in pattern.marks]
                matches += [ex.equal(self.number_in(slot.fields[f]), ex.number(want)) for f, want in pattern.fields]
                common += [self._asked_for(slot, pattern)] if pattern.about else []
            parts.append(ex.choose(ex.conjunction(*matches), ex.intersection(*common), ex.EMPTY_SET))
        return SymbolicPages(self, ex.union(*parts))

    def _asked_for(self, slot: Slot, pattern: Pattern) -> PagesExpr:
        pages = self.pages_in(slot.pages)
        return ex.intersection(pages, self.host_pages_of(ex.set_complement(pages))) if pattern.part else pages

    def mark(self, channel: ChannelVariables, mark: str, pages: PageSet) -> None:
        codes = [channel.code(kind) for kind in channel.kinds if channel.marks_copies(kind)]
        for slot in channel.slots:
            concerns = ex.negation(ex.is_empty(ex.intersection(self.pages_in(slot.pages), self.set_of(pages))))
            marked = ex.disjunction(*(ex.equal(self.number_in(slot.kind), ex.number(code)) for code in codes))
            variable = slot.marks[mark]
            self._assign(variable, ex.choose(ex.conjunction(marked, concerns), ex.number(1), self.number_in(variable)))


class RoomIsChecked(SymbolicInterpretation):
    """The same, but a message that may lack room is checked like a number's range: a search finds the run to it."""

    def lacks_room(self, room: TruthExpr, message: str) -> None:
        self.checks.append((room, message, self.where()))


def _explore(
    run: Callable[[Decisions], Leaf],
    where: str,
    given: Given = (),
    runs: list[int] | None = None,
    behind: int = 0,
) -> Tree:
    """Repeat a run for every answer to every decision; the first `behind` of those given were asked before it."""
    runs = [0] if runs is None else runs
    runs[0] += 1
    if runs[0] > MAX_PATHS:
        raise SpecError(f"more than {MAX_PATHS} ways through it: split it into several actions", where)
    path = Decisions(given, behind)
    tree: Tree
    try:
        tree = run(path)
    except Disabled:
        tree = None
    except RunsDiffer as differ:
        raise _other_way(differ, where) from None
    except TooManyDecisions as last:
        raise SpecError(
            f"more than {MAX_DECISIONS} decisions on one path: split it into several actions",
            location(None, where, last.__traceback__),
        ) from None
    for condition, decisions in path.others():
        no = _explore(run, where, decisions, runs, behind)
        tree = None if tree is None and no is None else Branch(condition, tree, no)
    return tree


def _other_way(differ: RunsDiffer, where: str) -> SpecError:
    return SpecError(
        "two runs on the same values took different ways: it branches on something that is not part of the state",
        location(None, where, differ.__traceback__),
    )


def read_action(
    instance: Instance, action: ActionInstance, make: type[SymbolicInterpretation] = SymbolicInterpretation
) -> Tree:
    """The action as a tree of guarded updates, with what the instance's monitors and properties make of each step.

    Args:
        instance: the protocol at its size.
        action: which of its actions.
        make: the symbolic interpretation to read it with; another one may represent channels in another way.

    Raises:
        SpecError: the body cheats or errs; the message names the action and the line.
    """
    return observe(instance, action, read_body(instance, action, make), make)


def read_body(
    instance: Instance, action: ActionInstance, make: type[SymbolicInterpretation] = SymbolicInterpretation
) -> Tree:
    """The action's own body as a tree of guarded updates: it is the same whatever properties are asked.

    Raises:
        SpecError: the body cheats or errs; the message names the action and the line.
    """
    machine = instance.machines[action.machine]
    where = _where(instance, action)

    def run(path: Decisions) -> Leaf:
        interpretation = make(instance, path)
        answer = call(interpretation, machine, action, [SymbolicPages(interpretation, e) for e in (ex.PAGE, ex.OTHER)])
        if answer is not None:
            raise SpecError(f"it returns {answer!r}: an action returns nothing, and a guard is require(...)", where)
        return _leaf(interpretation)

    with LocatingErrors(action.name, action.method):
        checks = checks_of(instance.protocol, {})
        checks.action(machine, action.method)
        for name, ghost in instance.ghosts.items():
            if name not in instance.monitors:
                checks.ghost(ghost)
        return _twice(lambda: _explore(run, where), where)


def observe(instance: Instance, action: ActionInstance, body: Tree, make: type[SymbolicInterpretation]) -> Tree:
    """A body's tree with what the instance's monitors remember of each step and which properties of steps it violates.

    Args:
        instance: the protocol at its size, with its properties.
        action: which of its actions.
        body: what `read_body` says of it.
        make: the symbolic interpretation that the body was read with.

    Raises:
        SpecError: a monitor or a property cheats or errs.
    """
    of_steps = [(index, prop) for index, prop in enumerate(instance.properties) if prop.of_steps]

    def judged(leaf: Leaf) -> Leaf:
        found = ((index, violation(instance, action, leaf, prop, make, Looks())) for index, prop in of_steps)
        return replace(leaf, violated=tuple((index, wrong) for index, wrong in found if wrong is not ex.FALSE))

    return on_leaves(watch(instance, action, body, make, {}), judged)


def watch(
    instance: Instance,
    action: ActionInstance,
    body: Tree,
    make: type[SymbolicInterpretation],
    looks: Mapping[str, Looks],
) -> Tree:
    """A body's tree with what the instance's monitors remember of each step.

    Args:
        instance: the protocol at its size, with its monitors.
        action: which of its actions.
        body: what `read_body` says of it.
        make: the symbolic interpretation to read the monitors with.
        looks: where it is noted what each monitor looks at, by its name.

    Raises:
        SpecError: a monitor cheats or errs.
    """
    if not instance.monitors:
        return body
    where = _where(instance, action)

    def extend(tree: Tree, given: Given, runs: list[int]) -> Tree:
        if tree is None:
            return None
        if isinstance(tree, Branch):
            yes = extend(tree.yes, (*given, (tree.condition, True)), runs)
            return Branch(tree.condition, yes, extend(tree.no, (*given, (tree.condition, False)), runs))
        return _explore(
            lambda path: _watched(instance, action, tree, make, path, looks), where, given, runs, len(given)
        )

    with LocatingErrors(action.name, action.method):
        for monitor in instance.monitors.values():
            checks_of(instance.protocol, instance.monitors).ghost(monitor)
        return _twice(lambda: extend(body, (), [0]), where)


def violation(
    instance: Instance,
    action: ActionInstance,
    leaf: Leaf,
    prop: Property,
    make: type[SymbolicInterpretation],
    looks: Looks,
    reads: Notes | None = None,
) -> TruthExpr:
    """When a step violates a property of steps.

    Args:
        instance: the protocol at its size, with its monitors.
        action: the action that is taken.
        leaf: what the step does, and what the monitors remember of it (see `watch`).
        prop: the property.
        make: the symbolic interpretation to read the property with.
        looks: where it is noted what the property looks at.
        reads: where it is noted what of the step makes a difference to it.

    Raises:
        SpecError: the property cheats or errs.
    """

    def read() -> TruthExpr:
        try:
            return _predicate(instance, prop.holds, leaf.updates, make, (action, leaf.events), looks, reads)
        except RunsDiffer as differ:
            raise _other_way(differ, _where(instance, action)) from None

    with LocatingErrors(action.name, action.method):
        first, second = read(), read()
        if first != second:
            raise _two_differ(_where(instance, action))
        return ex.negation(first)


def _where(instance: Instance, action: ActionInstance) -> str:
    code = getattr(instance.machines[action.machine], action.method).__code__
    return place(code, code.co_firstlineno)


def _twice(run: Callable[[], Tree], where: str) -> Tree:
    """Interpret a body twice and compare: the two differ if it depends on anything but the state."""
    first, second = run(), run()
    if first != second:
        raise _two_differ(where)
    return first


def _two_differ(where: str) -> SpecError:
    return SpecError("two runs of it differ: it depends on something that is not part of the state", where)


def _leaf(interpretation: SymbolicInterpretation) -> Leaf:
    events = tuple(Happening(e.what, interpretation.set_of(e.pages), e.channel, e.sent) for e in interpretation.events)
    return Leaf(dict(interpretation.updates), events, (), tuple(interpretation.checks))


def _watched(
    instance: Instance,
    action: ActionInstance,
    leaf: Leaf,
    make: type[SymbolicInterpretation],
    path: Decisions,
    looks: Mapping[str, Looks],
) -> Leaf:
    """Let the monitors watch the step."""
    interpretation = make(instance, path, dict(leaf.updates))
    interpretation.checks += leaf.checks
    interpretation.events += _events_in(interpretation, leaf.events)
    before = make(instance, path)
    step = Step(action, View(before), View(interpretation), list(interpretation.events), interpretation.pages(NONE))
    for name, monitor in instance.monitors.items():
        before.looks = interpretation.looks = step.looks = looks.get(name)
        let_watch(monitor(name, interpretation), step)
    return _leaf(interpretation)


def _events_in(interpretation: SymbolicInterpretation, events: Iterable[Happening]) -> list[Event]:
    """Events whose pages are values of a run."""
    return [Event(e.what, SymbolicPages(interpretation, e.pages), e.channel, e.sent) for e in events]


def _predicate(
    instance: Instance,
    holds: Callable[..., object],
    updates: dict[Variable, Value],
    make: type[SymbolicInterpretation] = SymbolicInterpretation,
    taken: tuple[ActionInstance, Sequence[Happening]] | None = None,
    looks: Looks | None = None,
    reads: Notes | None = None,
) -> TruthExpr:
    """A property's function as one expression over the state before the step.

    Args:
        instance: the protocol at its size.
        holds: the function.
        updates: what the step has changed in the state that is asked about.
        make: the symbolic interpretation to read it with.
        taken: the step's action and its events, for a property of steps.
        looks: where it is noted what the property looks at.
        reads: where it is noted what of a step makes a difference to it.
    """
    where = place(holds.__code__, holds.__code__.co_firstlineno)

    def ask(given: Given) -> TruthExpr:
        path = Decisions(given)
        after = make(instance, path, dict(updates) if reads is None else reads.noting(updates))
        after.looks = looks
        subject: object = View(after)
        if taken is not None:
            action, events = taken
            before = make(instance, path)
            before.looks = looks
            step = Step(action, View(before), View(after), _events_in(after, events), after.pages(NONE), looks)
            subject = step if reads is None else reads.noting_step(step)
        arguments = (subject, SymbolicPages(after, ex.PAGE)) if of_each_page(holds) else (subject,)
        try:
            answer = holds(*arguments)
        except TooManyDecisions:
            raise SpecError(f"more than {MAX_DECISIONS} decisions on one path: simplify it", where) from None
        except Disabled:
            raise SpecError("a property has a guard: it answers with a truth value or a set of pages", where) from None
        if not isinstance(answer, SymbolicPages | SymbolicTruth | bool):
            raise SpecError(f"it answers {answer!r}: a property answers with a truth value or a set of pages", where)
        found = ex.is_empty(answer.expr) if isinstance(answer, SymbolicPages) else after.truth_of(answer)
        for condition, decisions in path.others():
            found = ex.choose(condition, found, ask(decisions))
        return found

    with LocatingErrors(where, holds.__name__):
        checks_of(instance.protocol, instance.monitors).function(holds, View if taken is None else Step)
        return ask(())


def read_predicate(
    instance: Instance,
    holds: Callable[..., object],
    make: type[SymbolicInterpretation] = SymbolicInterpretation,
    looks: Looks | None = None,
) -> TruthExpr:
    """A property of states as one expression; what it looks at is noted in `looks`."""
    return _predicate(instance, holds, {}, make, looks=looks)


def read_resting(instance: Instance, make: type[SymbolicInterpretation] = SymbolicInterpretation) -> TruthExpr:
    """`Protocol.may_rest` as one expression."""
    return _predicate(instance, instance.protocol.may_rest, {}, make)
