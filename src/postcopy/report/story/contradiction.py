"""Why a run is a contradiction: which property, what offends, and the document's reason.

The property is asked again of the run's end (or, where it goes on for ever, of the whole run and of its fairness), so
that a story never claims what its own states do not show.
"""

from __future__ import annotations

from dataclasses import dataclass

from postcopy.explorer.liveness.fairness import Duty, broken, duties, is_fair
from postcopy.language.concrete import ConcreteInterpretation, answer_in, holds, is_deadlock, successors
from postcopy.language.properties import NO_DEADLOCK, Kind, Property
from postcopy.language.step_errors import STEP_ERRORS
from postcopy.language.trace import Trace
from postcopy.language.values import NONE, ConcretePages
from postcopy.language.view import Step, View
from postcopy.report.story.words import contents, contents_words, page_words, plain, step_words


@dataclass(frozen=True)
class Judgement:
    """What a property says of the end of a run.

    Attributes:
        holds: whether it holds there.
        pages: the pages that offend, one bit a page; 0 where the property answers without naming any.
    """

    holds: bool
    pages: int


@dataclass(frozen=True)
class Contradiction:
    """The last paragraph of a counterexample.

    Attributes:
        name: the property's short name.
        sentence: the property as a sentence.
        rules: the rules of the document that it stands for.
        culprits: what in the run's last step or state offends.
        because: why that is a contradiction, in the document's words.
    """

    name: str
    sentence: str
    rules: tuple[str, ...]
    culprits: str
    because: str

    @property
    def words(self) -> str:
        """The whole paragraph."""
        rules = f" ({' '.join(self.rules)})" if self.rules else ""
        return " ".join(part for part in (f"Violated: “{self.sentence}”{rules}.", self.culprits, self.because) if part)


def violated_property(trace: Trace) -> Property | None:
    """The property that a run violates, if its instance (or this package) knows it."""
    known = {prop.name: prop for prop in (NO_DEADLOCK, *STEP_ERRORS, *trace.instance.properties)}
    return known.get(trace.violated) if trace.violated is not None else None


def judge(trace: Trace, prop: Property) -> Judgement:
    """Ask a property of states or steps, or the absence of deadlock, of the end of a run; one of runs, of all of it.

    A property of runs is violated only by a run that goes on for ever, is fair, and never keeps what it promised.
    Another that one state or step cannot decide is taken to be violated, as the trace says.
    """
    instance, states = trace.instance, trace.states
    after = ConcreteInterpretation(instance, states[-1])
    answer: object = prop.of_runs
    if prop.of_states:
        answer = answer_in(instance, states[-1], prop.holds)
    elif prop.of_steps:
        if not trace.steps:
            return Judgement(True, 0)
        last = trace.steps[-1]
        if prop in STEP_ERRORS:
            return Judgement(prop.name not in last.violated, 0)
        before = ConcreteInterpretation(instance, states[-2])
        answer = prop.holds(Step(last.action, View(before), View(after), list(last.events), after.pages(NONE)))
    elif prop.kind is Kind.NO_DEADLOCK:
        answer = not is_deadlock(instance, states[-1])
    elif prop.of_runs and is_fair(trace):
        promises = broken(trace, prop)
        answer = not promises
    return Judgement(holds(answer), answer.bits if isinstance(answer, ConcretePages) else 0)


def explain(trace: Trace) -> Contradiction | None:
    """Why a counterexample is a contradiction; None for a witness."""
    if trace.violated is None:
        return None
    prop = violated_property(trace)
    if prop is None:
        return Contradiction(trace.violated, trace.violated, (), "", "This model has no property of that name.")
    verdict = judge(trace, prop)
    if verdict.holds:
        culprits = "Yet it holds at the end of this run: the run does not show what it was recorded for."
    elif prop.of_runs:
        culprits = _never(trace, prop)
    elif prop.kind is Kind.NO_DEADLOCK:
        culprits = _blocked(trace)
    else:
        culprits = _offence(trace, prop, verdict)
    error = trace.steps[-1].error if trace.steps and prop in STEP_ERRORS else None
    because = prop.because if error is None else f"{error}. {prop.because}"
    return Contradiction(prop.name, prop.sentence.rstrip("."), prop.rules, culprits, because)


def _offence(trace: Trace, prop: Property, verdict: Judgement) -> str:
    if not trace.steps:
        return "It is false before the first step" + (f", for {page_words(verdict.pages)}." if verdict.pages else ".")
    last = trace.steps[-1]
    what = f"{last.action.thread}: {step_words(last.action.doc, last.page)}"
    pages = f" for {page_words(verdict.pages)}" if verdict.pages else ""
    if prop.of_steps:
        return f"Step {len(trace.steps)} ({what}) breaks it{pages}."
    return f"It is false{pages} after step {len(trace.steps)} ({what})."


def _never(trace: Trace, prop: Property) -> str:
    """The promise that is never kept, and why no thread is neglected."""
    assert trace.loop is not None
    promise = broken(trace, prop)[0]
    whose = "".join(f" for {name} {n}" for name, n in (("page", promise.page), ("vCPU", promise.cpu)) if n is not None)
    since = "from the beginning"
    if promise.since:
        step = trace.steps[promise.since - 1]
        since = f"from step {promise.since} on ({step.action.thread}: {step_words(step.action.doc, step.page)})"
    due = f"It is due{whose} {since}, and never happens:"
    if trace.loop == len(trace.steps):
        return f"{due} after step {len(trace.steps)} no thread has anything left to do."
    first, last = trace.loop + 1, len(trace.steps)
    again = f"{_numbers(tuple(range(first, last + 1)))} {'are' if last > first else 'is'}"
    return f"{due} {again} repeated for ever. {_fair(duties(trace))}"


def _fair(found: list[Duty]) -> str:
    """Why the loop is fair: the threads that act in it, and those that have nothing to do in it, always or at times."""
    threads = [duty for duty in found if not duty.unit.action]
    acting = [f"the {duty.unit.thread} acts in {_numbers(duty.steps)}" for duty in threads if duty.steps]
    idle = {
        when: [f"the {duty.unit.thread}" for duty in threads if not duty.steps and duty.able == able]
        for when, able in (("nothing to do", False), ("nothing to do at times", True))
    }
    parts = [_listed(acting)] if acting else []
    parts += [f"{_listed(who)} {'have' if len(who) > 1 else 'has'} {when}" for when, who in idle.items() if who]
    parts += [f"“{d.unit.action}” {_why_not(d)}" for d in found if d.unit.action and d.able and (d.idle or d.steps)]
    return f"No thread is neglected: {'; '.join(parts)}."


def _why_not(duty: Duty) -> str:
    """Why an action that is fair by itself is not neglected."""
    return f"is taken in {_numbers(duty.steps)}" if duty.unit.strong else "is not possible at all times"


def _numbers(steps: tuple[int, ...]) -> str:
    return f"step{'s' * (len(steps) > 1)} {_listed([str(step) for step in steps])}"


def _listed(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def _blocked(trace: Trace) -> str:
    """For the last state: what each thread waits for, messages that no thread reads, and steps that need not happen."""
    instance, state = trace.instance, trace.states[-1]
    sentences = ["No thread can move." if not trace.steps else f"After step {len(trace.steps)} no thread can move."]
    for variable in instance.variables:
        stored = state[instance.index[variable]]
        if variable.waits and stored:
            sentence = f"{variable.waits} waits for {page_words(stored)}."
            sentences.append(f"T{sentence[1:]}" if sentence.startswith("the ") else sentence)
    for name, channel in instance.channels.items():
        unread = contents(instance, state, channel)
        if unread:
            sentences.append(f"No thread reads what is left on the {plain(name)}: {contents_words(unread)}.")
    free = list(dict.fromkeys(step.action.thread for step in successors(instance, state)))
    if free:
        sentences.append(f"Only these could still act, and nothing obliges them to: {', '.join(free)}.")
    return " ".join(sentences)
