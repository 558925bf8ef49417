"""The expressions of the unbounded interpretation as z3 formulas, over any number of pages and messages.

Pages are an uninterpreted sort; a host page is the value of an uninterpreted function on pages, so that host pages may
have any size. A set of pages is a predicate on pages. What is on a channel is an interval of integer positions with a
kind, a set of pages and marks at each; a position is never used for two messages on their way at once, and older
messages have smaller ones.

"There is a page (or a message) with ..." occurs in two polarities. Asserted positively, the page gets a name of its
own, a Skolem term. Asserted negatively, it is a quantifier, and z3 instantiates it with the terms that are *named*:
each page and position that matters is registered with a predicate that means nothing and is there to be matched. An
instance left out can only make a proof fail, never succeed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from itertools import pairwise
from typing import Any, assert_never, cast

import z3

from postcopy.language import expressions as ex
from postcopy.language.channel_variables import ChannelVariables
from postcopy.language.expressions import TruthExpr, Value
from postcopy.language.messages import Pattern
from postcopy.language.variables import Sort, Variable
from postcopy.prover.channel_expressions import (
    Carries,
    HasRoom,
    HeadIs,
    HeadMarked,
    HeadNumber,
    HeadPages,
    HeadSet,
    InOrder,
    Lost,
    Marked,
    Messages,
    MessagesVariable,
    Number,
    Operator,
    Pages,
    Received,
    Sent,
    Shortened,
    Truth,
    messages_after,
    variable_below,
    walk,
)
from postcopy.prover.unbounded import messages_of

Bool = Any
Term = Any


class Polarity(Enum):
    """Whether a formula is asserted to z3 as it is, or under a negation."""

    POSITIVE = 1
    """What is asserted says that it holds."""
    NEGATIVE = -1
    """What is asserted says that it does not hold."""
    BOTH = 0

    def __neg__(self) -> Polarity:
        return Polarity(-self.value)


@dataclass(frozen=True)
class Case:
    """A case in a proof by cases.

    Attributes:
        values: terms that have a known value in it.
        also: what else holds in it.
    """

    values: list[tuple[Term, Term]]
    also: list[Bool]

    def within(self, formulas: list[Bool]) -> list[Bool]:
        """The formulas as far as they say anything in this case."""
        known = z3.simplify(z3.substitute(z3.And(*formulas, *self.also), *self.values))
        equations = [term == value for term, value in self.values]  # quantified formulas may yet come to the term
        return [*(known.children() if z3.is_and(known) else [known]), *equations]


class Symbols:
    """The z3 symbols for a state of a protocol, whatever its size.

    Attributes:
        page: the page sort.
        other: the second page of a step.
        single_copies: the names of the channels on which a marked message concerns one page at most.

    Args:
        variables: of the state; those of the channels' slots are not used.
        channels: what is on them has symbols of its own.
        single_copies: see above.
    """

    def __init__(
        self, variables: Sequence[Variable], channels: Iterable[ChannelVariables], single_copies: Collection[str] = ()
    ) -> None:
        channels = tuple(channels)
        self.single_copies = single_copies
        self.page = z3.DeclareSort("Page")
        self.host = z3.Function("host", self.page, z3.DeclareSort("HostPage"))
        self.numbers = {v: z3.Int(v.name) for v in variables if v.sort is Sort.NUMBER}
        sets = (v for v in variables if v.sort is Sort.PAGES)
        self.sets = {v: self._set(v) for v in sets}
        self.channels = {messages_of(c): _Contents(c, self.page) for c in channels}
        self.other = z3.Const("step's other page", self.page)
        self._beside = {way: z3.Function(way, self.page, self.page) for way in ("next", "previous")}
        self._has = {way: z3.Function(f"has {way}", self.page, z3.BoolSort()) for way in self._beside}
        self._page_given = z3.Function("given", self.page, z3.BoolSort())
        self._page_near = z3.Function("near", self.page, z3.BoolSort())
        self._page_named = z3.Function("named", self.page, z3.BoolSort())
        kinds = [(c.name, code) for c in channels for code in range(1, 1 + len(c.kinds))]
        integer, truth = z3.IntSort(), z3.BoolSort()
        self._there = {(c, k): z3.Function(f"there.{c}.{k}", integer, truth) for c, k in kinds}
        self._there_about = {(c, k): z3.Function(f"about.{c}.{k}", integer, self.page, truth) for c, k in kinds}

    def _set(self, variable: Variable) -> Callable[[Term], Bool]:
        """A predicate on pages; for a set that is chosen at the start one on host pages, since it has whole ones."""
        if not variable.chosen:
            return cast(Callable[[Term], Bool], z3.Function(variable.name, self.page, z3.BoolSort()))
        of_hosts = z3.Function(variable.name, self.host.range(), z3.BoolSort())
        return lambda page: of_hosts(self.host(page))

    def neighbour(self, page: Term, previous: bool) -> tuple[Bool, Term]:
        """Whether a page has a neighbour on one side, and which."""
        way = "previous" if previous else "next"
        return self._has[way](page), self._beside[way](page)

    def order(self) -> Iterator[Bool]:
        """What is known of neighbours: a page's neighbour on one side has the page as that on the other side."""
        a = z3.Const("a", self.page)
        for previous in (False, True):
            there, beside = self.neighbour(a, previous)
            back, again = self.neighbour(beside, not previous)
            yield z3.ForAll([a], z3.Implies(there, z3.And(back, again == a)), patterns=[beside])

    def given(self, page: Term) -> Bool:
        """Matches quantifiers: the page is one that the obligation speaks of."""
        return self._page_given(page)

    def near(self, page: Term) -> Bool:
        """Matches quantifiers: the page is given, or a conjunct says of a given one that there is such a page."""
        return self._page_near(page)

    def named(self, page: Term) -> Bool:
        """Matches quantifiers: the page has a name."""
        return self._page_named(page)

    def there(self, channel: ChannelVariables, code: int, position: Term, page: Term | None = None) -> Bool:
        """Matches quantifiers: the position may have a message of this kind (and concerning this page)."""
        if page is None:
            return self._there[channel.name, code](position)
        return self._there_about[channel.name, code](position, page)

    def anything(self, channel: ChannelVariables, position: Term, codes: Iterable[int] = ()) -> Iterator[Bool]:
        """Matches quantifiers: the position may have any message (or one of these kinds), concerning any page."""
        a = z3.Const("a", self.page)
        for code in codes or range(1, 1 + len(channel.kinds)):
            yield self.there(channel, code, position)
            yield z3.ForAll([a], self.there(channel, code, position, a), patterns=[self.named(a)])

    def oldest(self, messages: Variable, code: int) -> Case:
        """The case that the oldest message on a channel is of this kind (0: there is none)."""
        contents = self.channels[messages]
        if code == 0:
            return Case([(contents.tail, z3.IntVal(0))], [])
        named = list(self.anything(contents.channel, z3.IntVal(0), [code]))
        return Case([(contents.kind_at(0), z3.IntVal(code))], [contents.tail > 0, *named])

    def touched(self, guard: Iterable[TruthExpr], updates: Mapping[Variable, Value]) -> Iterator[Bool]:
        """Matches quantifiers: the positions on channels that a path of an action looks at or changes."""
        guard = tuple(guard)
        required: set[Operator] = set(guard)
        for e in dict.fromkeys(node for root in (*guard, *updates.values()) for node in walk(root)):
            if isinstance(e, HeadIs) and e.code and e in required:
                contents = self.channels[variable_below(e.messages)]
                yield from self.anything(contents.channel, z3.IntVal(0), [e.code])
            elif isinstance(e, Shortened):
                contents = self.channels[variable_below(e.messages)]
                yield from self.anything(contents.channel, contents.tail - 1)
            elif isinstance(e, Sent):
                contents = self.channels[variable_below(e.messages)]
                yield from self.anything(contents.channel, contents.tail, [e.code])

    def well_formed(self) -> Iterator[Bool]:
        """What holds of any state by the kind of its variables: numbers are in range, single copies are of one page."""
        a, b, i = z3.Const("a", self.page), z3.Const("b", self.page), z3.Int("i")
        yield z3.ForAll([a], z3.Implies(self.given(a), self.near(a)), patterns=[self.given(a)])
        yield z3.ForAll([a], z3.Implies(self.near(a), self.named(a)), patterns=[self.near(a)])
        for variable, number in self.numbers.items():
            yield z3.And(number >= 0, number < variable.size)
        for contents in self.channels.values():
            channel = contents.channel
            yield z3.And(contents.tail >= 0, contents.tail <= contents.capacity, contents.capacity >= 1)
            for field, value in contents.numbers_at.items():
                size = channel.fields[field].size
                yield z3.ForAll([i], z3.And(value(i) >= 0, value(i) < size), patterns=[value(i)])
            for code, kind in enumerate(channel.kinds, start=1):
                here, about = self.there(channel, code, i), self.there(channel, code, i, a)
                some = z3.And(contents.kind_at(i) >= 1, contents.kind_at(i) <= len(channel.kinds))
                for_some = z3.Implies(z3.And(i >= 0, i < contents.tail), some)
                yield z3.ForAll([i], for_some, patterns=[here])
                yield z3.ForAll([i, a], here, patterns=[about])
                if not channel.marks_copies(kind):
                    continue
                if channel.name in self.single_copies:
                    both = z3.And(contents.kind_at(i) == code, contents.pages_at(i, a), contents.pages_at(i, b))
                    match = _pattern(about, self.named(b))
                    yield z3.ForAll([i, a, b], z3.Implies(both, a == b), patterns=[match])
                else:
                    too = self.there(channel, code, i, b)
                    yield z3.ForAll([i, a, b], z3.Implies(about, too), patterns=[_pattern(about, self.given(b))])


class _Contents:
    """The z3 symbols for what is on a channel."""

    def __init__(self, channel: ChannelVariables, page: Any) -> None:
        self.channel = channel
        name = channel.name
        self.tail = z3.Int(f"{name}.tail")
        self.capacity = z3.Int(f"{name}.capacity")
        self.kind_at = z3.Function(f"{name}.kind", z3.IntSort(), z3.IntSort())
        self.pages_at = z3.Function(f"{name}.pages", z3.IntSort(), page, z3.BoolSort())
        fields = channel.fields
        integer = z3.IntSort()
        self.numbers_at = {
            field: z3.Function(f"{name}.{field}", integer, integer)
            for field, variable in fields.items()
            if variable.sort is Sort.NUMBER
        }
        self.sets_at = {
            field: z3.Function(f"{name}.{field}", integer, page, z3.BoolSort())
            for field, variable in fields.items()
            if variable.sort is Sort.PAGES
        }
        self.marks_at = {
            mark: z3.Function(f"{name}.{mark}", z3.IntSort(), z3.BoolSort()) for mark in channel.slots[0].marks
        }


@dataclass(frozen=True)
class Queue:
    """What is on a channel at some moment: the positions from `head` up to, not including, `tail`."""

    channel: ChannelVariables
    head: Term
    tail: Term
    kind: Callable[[Term], Term]
    concerns: Callable[[Term, Term, Polarity], Bool]
    marked: Callable[[str, Term, Term | None, Polarity], Bool]
    """Whether a message has a mark; where a page is given, of a message that concerns it."""
    number: Callable[[str, Term], Term]
    """What a message says in a field that is a number, as stored."""
    says: Callable[[str, Term, Term, Polarity], Bool]
    """Whether a page is in a field that is a set of pages."""

    def holds(self, at: Term) -> Bool:
        """Whether there is a message at the position."""
        return z3.And(self.head <= at, at < self.tail)


class Meaning:
    """What expressions mean in one state, as z3 formulas.

    Attributes:
        symbols: of the state before the step.
        param: the page that an expression may speak of.
        other: the second page of the step, where it is about two.
        updates: of the step, where the state after it is meant.
        wide: whether positions are named for all named pages.
        of_step: whether a step is meant, with its guard and what it violates; else what is assumed before it.
        prefix: of the names that it gives.
        definitions: what has to be asserted beside the formulas: what stands for what, and what is named.
    """

    def __init__(
        self,
        symbols: Symbols,
        prefix: str,
        param: Term,
        updates: Mapping[Variable, Value] | None = None,
        step: Term | None = None,
        wide: bool = False,
        of_step: bool = False,
    ) -> None:
        self.symbols, self.prefix, self.param, self.other = symbols, prefix, param, symbols.other
        self.updates = updates or {}
        self.wide, self.of_step = wide, of_step
        before = f"{prefix}.before"
        self.before = Meaning(symbols, before, step, wide=wide, of_step=of_step) if updates is not None else self
        self.definitions: list[Bool] = self.before.definitions if updates is not None else []
        self.bound: list[Term] = self.before.bound if updates is not None else []
        self._knows_order = False
        self._names: dict[object, Any] = {}
        self._registered: set[object] = set()
        self._queues: dict[Messages, Queue] = {}

    def for_every_page(self, claim: Callable[[], Bool]) -> Bool:
        """What a claim about the parameter says of every page."""
        before, self.param = self.param, self._variable(self.symbols.page)
        try:
            return self._for_all([self.param], claim, self.symbols.named(self.param))
        finally:
            self.param = before

    def for_every_choice(self, pages: int, claim: Callable[[], Bool]) -> Bool:
        """What a claim about so many pages of a step (none, one, or two) says of all pages."""
        if pages < 2:
            return self.for_every_page(claim) if pages else claim()
        before, self.other = self.other, self._variable(self.symbols.page)
        try:
            return self.for_every_page(lambda: self._for_all([self.other], claim, self.symbols.named(self.other)))
        finally:
            self.other = before

    # -- names and quantifiers -----------------------------------------------------------------------------------

    def _variable(self, sort: Any) -> Term:
        return z3.FreshConst(sort, "x")

    def _for_all(self, variables: list[Term], body: Callable[[], Bool], *match: Bool) -> Bool:
        self.bound.extend(variables)
        inner = body()
        del self.bound[-len(variables) :]
        return z3.ForAll(variables, inner, patterns=[_pattern(*match)])

    def _witness(
        self, key: tuple[str | int, Operator], sort: Any, of: list[Term], register: Callable[..., Bool]
    ) -> tuple[Term, list[Bool]]:
        """The Skolem term for what is said to exist of some terms: equal for equal keys and terms.

        Returns:
            The term, and what registers it as named, to be asserted along with what is said of it.
        """
        spoken = ((self.param, ex.mentions_page(key[1])), (self.other, ex.mentions_other(key[1])))
        bound = [page for page, mentioned in spoken if mentioned and any(page is v for v in self.bound)]
        varies = bool(bound)
        terms = [*of, *(page for page in bound if not any(page.eq(t) for t in of))]
        shape = (*key, len(terms), varies)
        if shape not in self._names:
            label = f"{self.prefix}!{len(self._names)}"
            sorts = [t.sort() for t in terms]
            self._names[shape] = z3.Function(label, *sorts, sort) if terms else z3.Const(label, sort)
        term = self._names[shape](*terms) if terms else self._names[shape]
        if not self.bound:
            return term, [register(term, *terms), *([self.symbols.given(term)] if sort == self.symbols.page else [])]
        self._register(shape, term, terms, register)
        return term, []

    def _register(self, key: object, term: Term, terms: list[Term], register: Callable[..., Bool]) -> None:
        """Register a term for the pages that an obligation speaks of; one of a step, also for the pages near them.

        If `wide`, a position is registered for all named pages.
        """
        shape = (key, *(str(t.decl()) if t.num_args() else "" for t in terms))
        if shape in self._registered:
            return
        variables = [v for v in self.bound if any(_occurs(v, t) for t in terms)]
        if not all(v.sort() == self.symbols.page for v in variables):
            return
        self._registered.add(shape)
        fact = register(term, *terms)
        if variables:
            of_page = self.symbols.near if self.of_step else self.symbols.given
            which = self.symbols.named if self.wide and term.sort() != self.symbols.page else of_page
            match = [which(v) for v in variables]
            fact = z3.ForAll(variables, fact, patterns=[_pattern(*match)])
        self.definitions.append(fact)

    def _exists(self, positive: Callable[[], Bool], negative: Callable[[], Bool], polarity: Polarity) -> Bool:
        """There is something: asserted positively, of a witness; negatively, of all that has a name."""
        if polarity is not Polarity.BOTH:
            return positive() if polarity is Polarity.POSITIVE else negative()
        sorts = [v.sort() for v in self.bound]
        it = z3.FreshFunction(*sorts, z3.BoolSort())(*self.bound) if sorts else z3.FreshBool("exists")
        both = z3.And(z3.Implies(it, positive()), z3.Implies(negative(), it))
        self.definitions.append(z3.ForAll(list(self.bound), both, patterns=[it]) if sorts else both)
        return it

    # -- truth values --------------------------------------------------------------------------------------------

    def truth(self, e: Truth, polarity: Polarity = Polarity.POSITIVE) -> Bool:
        """A truth value."""
        match e:
            case ex.TruthConstant(value):
                return z3.BoolVal(value)
            case ex.Not(operand):
                return z3.Not(self.truth(operand, -polarity))
            case ex.And(parts):
                return z3.And(*(self.truth(part, polarity) for part in parts))
            case ex.Or(parts):
                return z3.Or(*(self.truth(part, polarity) for part in parts))
            case ex.Equal(left, right):
                return self.number(left) == self.number(right)
            case ex.Less(left, right):
                return self.number(left) < self.number(right)
            case ex.IsEmpty(pages):
                return self._empty(pages, polarity)
            case HeadIs(messages, code):
                queue = self.queue(messages)
                if code == 0:
                    return queue.head >= queue.tail
                return z3.And(queue.head < queue.tail, queue.kind(queue.head) == code)
            case HeadMarked(messages, mark):
                queue = self.queue(messages)
                return queue.marked(mark, queue.head, None, polarity)
            case Carries(messages, pattern):
                return self._in_order(e, self.queue(messages), (pattern,), None, polarity)
            case HasRoom(messages, more):
                queue = self.queue(messages)
                capacity = self.symbols.channels[messages_of(queue.channel)].capacity
                return queue.tail - queue.head + more <= capacity
            case _:
                assert_never(e)

    def _empty(self, of: Pages, polarity: Polarity) -> Bool:
        if isinstance(of, InOrder) and not any(pattern.about for pattern in of.patterns):  # all pages, or none
            return z3.Not(self._in_order(of, self.queue(of.messages), of.patterns, None, -polarity))
        if isinstance(of, ex.Intersection):
            for parameter in (ex.PAGE, ex.OTHER):
                if parameter in of.parts:
                    return z3.Not(self.member(of, self._page(parameter), -polarity))
        return z3.Not(self._some_page(("member", of), [], lambda a, s: self.member(of, a, s), -polarity))

    def _some_page(
        self, key: tuple[str, Operator], of: list[Term], body: Callable[[Term, Polarity], Bool], polarity: Polarity
    ) -> Bool:
        symbols = self.symbols

        def positive() -> Bool:
            register = symbols.named if self.of_step else symbols.near
            page, named = self._witness(key, symbols.page, of, lambda page, *_: register(page))
            return z3.And(*named, body(page, Polarity.POSITIVE))

        def negative() -> Bool:
            a = self._variable(symbols.page)
            return z3.Not(self._for_all([a], lambda: z3.Not(body(a, Polarity.NEGATIVE)), symbols.named(a)))

        return self._exists(positive, negative, polarity)

    def _page(self, parameter: Pages) -> Term:
        """The page that a parameter stands for."""
        return self.other if parameter is ex.OTHER else self.param

    # -- numbers -------------------------------------------------------------------------------------------------

    def number(self, e: Number) -> Term:
        """A number as stored."""
        match e:
            case ex.Number(value):
                return z3.IntVal(value)
            case ex.NumberVariable(variable):
                if variable in self.updates:
                    return self.before.number(ex.as_number(self.updates[variable]))
                return self.symbols.numbers[variable]
            case ex.Plus(left, right):
                return self.number(left) + self.number(right)
            case ex.NumberIf(condition, yes, no):
                return z3.If(self.truth(condition, Polarity.BOTH), self.number(yes), self.number(no))
            case HeadNumber(messages, field):
                queue = self.queue(messages)
                return queue.number(field, queue.head)
            case _:
                assert_never(e)

    # -- sets of pages -------------------------------------------------------------------------------------------

    def member(self, e: Pages, a: Term, polarity: Polarity = Polarity.POSITIVE) -> Bool:
        """Whether a page is in a set."""
        match e:
            case ex.NoPages():
                return z3.BoolVal(False)
            case ex.AllPages():
                return z3.BoolVal(True)
            case ex.ActionPage():
                return a == self._page(e)
            case ex.PagesVariable(variable):
                if variable in self.updates:
                    return self.before.member(ex.as_pages(self.updates[variable]), a, polarity)
                return self.symbols.sets[variable](a)
            case ex.Complement(operand):
                return z3.Not(self.member(operand, a, -polarity))
            case ex.Intersection(parts):
                return z3.And(*(self.member(part, a, polarity) for part in parts))
            case ex.Union(parts):
                return z3.Or(*(self.member(part, a, polarity) for part in parts))
            case ex.PagesIf(condition, yes, no):
                chosen = z3.And(self.truth(condition, polarity), self.member(yes, a, polarity))
                return z3.Or(chosen, z3.And(z3.Not(self.truth(condition, -polarity)), self.member(no, a, polarity)))
            case ex.Neighbours(operand, previous):
                return self._neighbour(operand, previous, a, polarity)
            case ex.HostPages(operand):
                return self._host(operand, a, polarity)
            case HeadPages(messages):
                queue = self.queue(messages)
                return queue.concerns(queue.head, a, polarity)
            case HeadSet(messages, field):
                queue = self.queue(messages)
                return queue.says(field, queue.head, a, polarity)
            case InOrder(messages, patterns):
                return self._in_order(e, self.queue(messages), patterns, a, polarity)
            case _:
                assert_never(e)

    def _neighbour(self, of: Pages, previous: bool, a: Term, polarity: Polarity) -> Bool:
        """Whether the page has a neighbour in the set: on the other side, since a set's next pages are asked for."""
        symbols = self.symbols
        if not self._knows_order:
            self._knows_order = True
            self.definitions.extend(symbols.order())
        there, beside = symbols.neighbour(a, previous=not previous)
        if any(_occurs(v, a) for v in self.bound):
            self._register(("neighbour", previous), beside, [a], lambda page, *_: symbols.named(page))
        else:
            self.definitions.append(symbols.named(beside))
        return z3.And(there, self.member(of, beside, polarity))

    def _host(self, of: Pages, a: Term, polarity: Polarity) -> Bool:
        host = self.symbols.host
        if isinstance(of, ex.ActionPage):
            return host(a) == host(self._page(of))

        def body(b: Term, s: Polarity) -> Bool:
            return z3.And(host(a) == host(b), self.member(of, b, s))

        return self._some_page(("host", of), [a], body, polarity)

    def _in_order(
        self, e: Carries | InOrder, queue: Queue, patterns: tuple[Pattern, ...], a: Term | None, polarity: Polarity
    ) -> Bool:
        """There are messages of these patterns, one behind the other (that concern the page)."""
        channel, integer = queue.channel, z3.IntSort()
        wanted = [(channel.code(p.kind), p.about) for p in patterns]
        of = [cast(Term, a)] if any(p.about for p in patterns) else []

        def body(at: Sequence[Term], s: Polarity) -> Bool:
            parts = [queue.head <= at[0], at[-1] < queue.tail, *(i < j for i, j in pairwise(at))]
            for pattern, i in zip(patterns, at, strict=True):
                parts.append(queue.kind(i) == channel.code(pattern.kind))
                parts += [queue.concerns(i, cast(Term, a), s)] if pattern.about else []
                parts += [self._lacks(e, queue, i, cast(Term, a), s)] if pattern.part else []
                for mark, has in pattern.marks:
                    about = a if pattern.about else None
                    parts.append(queue.marked(mark, i, about, s) if has else z3.Not(queue.marked(mark, i, about, -s)))
                parts += [queue.number(field, i) == value for field, value in pattern.fields]
            return z3.And(*parts)

        def there(code: int, about: bool, i: Term, *pages: Term) -> Bool:
            return self.symbols.there(channel, code, i, pages[0] if about else None)

        def positive() -> Bool:
            found = [self._witness((n, e), integer, of, partial(there, *wanted[n])) for n in range(len(wanted))]
            return z3.And(
                *(fact for _, named in found for fact in named), body([at for at, _ in found], Polarity.POSITIVE)
            )

        def negative() -> Bool:
            at = [self._variable(integer) for _ in wanted]
            match = [there(*which, i, *of) for which, i in zip(wanted, at, strict=True)]
            return z3.Not(self._for_all(at, lambda: z3.Not(body(at, Polarity.NEGATIVE)), *match))

        return self._exists(positive, negative, polarity)

    def _lacks(self, e: Carries | InOrder, queue: Queue, at: Term, a: Term, polarity: Polarity) -> Bool:
        """A message lacks a page of a page's host page."""
        host = self.symbols.host

        def body(b: Term, s: Polarity) -> Bool:
            return z3.And(host(a) == host(b), z3.Not(queue.concerns(at, b, -s)))

        return self._some_page(("lacks", e), [at, a], body, polarity)

    # -- channels ------------------------------------------------------------------------------------------------

    def queue(self, e: Messages) -> Queue:
        """What is on a channel."""
        if e not in self._queues:
            self._queues[e] = self._queue(e)
        return self._queues[e]

    def _queue(self, e: Messages) -> Queue:
        match e:
            case MessagesVariable(variable):
                if variable in self.updates:
                    return self.before.queue(messages_after(self.updates, variable))
                its = self.symbols.channels[variable]
                return Queue(
                    its.channel,
                    z3.IntVal(0),
                    its.tail,
                    its.kind_at,
                    lambda i, a, _: its.pages_at(i, a),
                    lambda mark, i, *_: its.marks_at[mark](i),
                    lambda field, i: its.numbers_at[field](i),
                    lambda field, i, a, _: its.sets_at[field](i, a),
                )
            case Received(messages):
                old = self.queue(messages)
                return replace(old, head=old.head + 1)
            case Shortened(messages):
                old = self.queue(messages)
                return replace(old, tail=z3.If(old.head < old.tail, old.tail - 1, old.tail))
            case Lost(messages):
                old = self.queue(messages)
                return replace(old, head=old.tail)
            case Sent():
                return self._sent(self.queue(e.messages), e)
            case Marked():
                return self._marked(self.queue(e.messages), e)
            case _:
                assert_never(e)

    def _sent(self, old: Queue, e: Sent) -> Queue:
        marks = dict(zip(old.channel.slots[0].marks, e.marks, strict=True))
        fields = dict(zip(old.channel.fields, e.fields, strict=True))
        new = old.tail
        return Queue(
            old.channel,
            old.head,
            new + 1,
            lambda i: z3.If(i == new, e.code, old.kind(i)),
            lambda i, a, s: _either(i == new, self.member(e.pages, a, s), old.concerns(i, a, s)),
            lambda mark, i, a, s: _either(i == new, self.truth(marks[mark], s), old.marked(mark, i, a, s)),
            lambda field, i: z3.If(i == new, self.number(ex.as_number(fields[field])), old.number(field, i)),
            lambda field, i, a, s: _either(
                i == new, self.member(ex.as_pages(fields[field]), a, s), old.says(field, i, a, s)
            ),
        )

    def _marked(self, old: Queue, e: Marked) -> Queue:
        codes = [old.channel.code(kind) for kind in old.channel.kinds if old.channel.marks_copies(kind)]

        def marked(mark: str, i: Term, a: Term | None, s: Polarity) -> Bool:
            before = old.marked(mark, i, a, s)
            if mark != e.mark:
                return before
            right = z3.Or(*(old.kind(i) == code for code in codes))
            return z3.Or(before, z3.And(right, concerned(i, a, s)))

        def concerned(i: Term, its: Term | None, s: Polarity) -> Bool:
            if its is not None and old.channel.name in self.symbols.single_copies:  # it concerns no other page
                return self.member(e.pages, its, s)
            if isinstance(e.pages, ex.ActionPage):
                return old.concerns(i, self._page(e.pages), s)

            def body(a: Term, t: Polarity) -> Bool:
                return z3.And(self.member(e.pages, a, t), old.concerns(i, a, t))

            return self._some_page(("marked", e), [i], body, s)

        return replace(old, marked=marked)


def _occurs(variable: Term, term: Term) -> bool:
    return bool(variable.eq(term)) or any(_occurs(variable, argument) for argument in term.children())


def _pattern(*terms: Term) -> Any:
    """A pattern to match all of the terms. (`terms` keeps them alive: z3's own function lets go of them too early.)"""
    return z3.MultiPattern(*terms)


def _either(condition: Bool, yes: Bool, no: Bool) -> Bool:
    """One of two truth values, without an "if" that would hide how they occur."""
    return z3.Or(z3.And(condition, yes), z3.And(z3.Not(condition), no))
