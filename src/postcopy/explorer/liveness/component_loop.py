"""Fair strongly connected components of a graph whose steps are made again whenever they are needed.

In the part of Python that Numba compiles. The steps that leave some states come from `successors`, which is set before
this text runs. A promise is a bit, and eight promises are looked at together in `spread`.

1. `spread` finds the *region* of each promise: the states that a run reaches with the promise open. A state whose bits
   have grown since it was expanded is expanded again.
2. `count_steps` and `remove` take out states that no step from the rest of the region leads to, and then those that
   only such states led to (Kahn 1962): none of them lies on a cycle. A state in which no unit can move counts as its
   own successor, since a run may idle there for ever.
3. `components` finds strongly connected components of the rest (Pearce 2016, after Tarjan 1972) and asks of each
   whether it is fair. A state is expanded when it is first visited, and what is to be visited from it is listed; where
   a list was lost for want of room, the state is expanded again.
"""

# ruff: noqa: D103  (what each does is said here and in `recomputed`, which calls them)

from typing import Any

import numpy as np
from numba import types

from postcopy.explorer.kernel.calling_convention import BLOCK
from postcopy.explorer.liveness.records import MOVES, SPACE
from postcopy.explorer.liveness.records import WORK_TYPE as WORK
from postcopy.explorer.search.block import I64
from postcopy.explorer.search.block import U32S as NUMBERS

njit: Any = globals()["njit"]
compiled: Any = globals()["compiled"]
"""Compile a function, the second one for one signature: `recomputed` sets both before this text runs."""

successors: Any = globals()["successors"]
"""What gives the steps from some states."""

BYTES, IDS = types.uint8[::1], types.int32[::1]

CANDIDATE, LOWERED, ALONE, FAIR, AGAIN, SEEN = 1, 2, 4, 8, 16, 32
"""Of a state: it may lie on a fair cycle; it has reached a state that was visited before it; idling in it, or its
own steps back to it, are fair; it lies in a fair component; components have to be looked for again where it lies; a
search for a run has come to it."""

ROOT, END, DEPTH, WAITING, TOP, LOW, INDEX, COMPONENT, REPEAT = range(9)
"""Where in `control` it stands which state is the next root, and before which to end; how many frames there are, and
states on the stack; where the lists end, and the first place in them that is not lost; the next number of a state and
of a component; and how many components have to be looked into again."""

LAST_COMPONENT = (1 << 32) - 2


@njit
def without(bits, some):
    return np.uint8(bits & (255 - some))


@compiled(I64(SPACE, BYTES, BYTES, BYTES, I64, I64))
def spread(space, opened, kept, done, begin, end):
    """Expand those of some states whose bits have grown, and open the promises in their successors; how many were."""
    expanded = n = 0
    for state in range(begin, end):
        if opened[state] & (255 - done[state]):
            done[state] = opened[state]
            space.ids[n] = state
            n += 1
        if n == BLOCK or (n > 0 and state == end - 1):
            count = successors(space, n)
            for j in range(count):
                target = space.target[j]
                more = opened[space.ids[space.origin[j]]] & (255 - kept[target])
                opened[target] |= np.uint8(more)
            expanded += n
            n = 0
    return expanded


@compiled(I64(SPACE, BYTES, BYTES, I64, NUMBERS, I64, I64))
def count_steps(space, opened, flags, bit, number, begin, end):
    """Make candidates of the states with a bit, and count the steps from one of them to another; how many there are."""
    candidates = n = 0
    for state in range(begin, end):
        if opened[state] & bit:
            flags[state] = CANDIDATE
            space.ids[n] = state
            n += 1
        if n == BLOCK or (n > 0 and state == end - 1):
            count = successors(space, n)
            for i in range(n):
                if space.able[i] & (MOVES - 1) == 0:
                    number[space.ids[i]] += 1
            for j in range(count):
                if opened[space.target[j]] & bit:
                    number[space.target[j]] += 1
            candidates += n
            n = 0
    return candidates


@njit
def remove_listed(space, flags, number, stack, top):
    """Take out all states that are listed, and what then has no step that leads to it; how many were taken out."""
    removed = 0
    while top > 0:
        n = min(top, BLOCK)
        top -= n
        for i in range(n):
            space.ids[i] = stack[top + i]
            flags[space.ids[i]] = without(flags[space.ids[i]], CANDIDATE)
        count = successors(space, n)
        removed += n
        for j in range(count):
            target = space.target[j]
            if flags[target] & CANDIDATE:
                number[target] -= 1
                if number[target] == 0 and top < len(stack):
                    stack[top] = target
                    top += 1
    return removed


@compiled(I64(SPACE, BYTES, NUMBERS, IDS, I64, I64))
def remove(space, flags, number, stack, begin, end):
    """Take out those of some candidates that no step leads to, and what then has none; how many were taken out.

    Where the stack is full, something may be left that has none: it is found the next time.
    """
    removed = top = 0
    for state in range(begin, end):
        if flags[state] & CANDIDATE and number[state] == 0:
            stack[top] = state
            top += 1
        if top == len(stack) or (top > 0 and state == end - 1):
            removed += remove_listed(space, flags, number, stack, top)
            top = 0
    return removed


@njit
def reach(work, state, target):
    """Note that a state leads to one that was visited before."""
    if work.number[target] < work.number[state]:
        work.number[state] = work.number[target]
        work.flags[state] |= np.uint8(LOWERED)


@njit
def list_successors(space, work, state):
    """Expand a state, and list what is to be visited from it; the units whose moves lead back to it, and those able."""
    control, lists = work.control, work.lists
    space.ids[0] = state
    count = successors(space, 1)
    own = 0
    for j in range(count):
        target = space.target[j]
        if target == state:
            own |= space.moves[j]
        elif work.flags[target] & CANDIDATE:
            if work.number[target] == 0:
                lists[control[TOP] % len(lists)] = target
                control[TOP] += 1
            else:
                reach(work, state, target)
    control[LOW] = max(control[LOW], control[TOP] - len(lists))
    return own, space.able[0]


@njit
def begin_visit(work, state):
    control = work.control
    work.number[state] = control[INDEX]
    control[INDEX] += 1
    work.frames[control[DEPTH]] = state
    work.places[control[DEPTH]] = control[TOP]
    control[DEPTH] += 1
    work.flags[state] = without(work.flags[state], LOWERED | ALONE)


@njit
def judge(space, work, begin, end, units, strong):
    """Mark the states of a component of several states if it is fair; where a strongly fair unit is neglected in it,
    take out the states where the unit can move, and look again at the others."""
    stack, flags, number = work.stack, work.flags, work.number
    component = number[stack[begin]]
    idle = inner = able = neglected = 0
    for again in range(2):
        for at in range(begin, end, BLOCK):
            n = min(BLOCK, end - at)
            for i in range(n):
                space.ids[i] = stack[at + i]
            count = successors(space, n)
            for i in range(n):
                idle |= ~space.able[i]
                able |= space.able[i]
                if again and space.able[i] & neglected == 0:
                    flags[stack[at + i]] |= np.uint8(AGAIN)
            for j in range(count):
                if number[space.target[j]] == component:
                    inner |= space.moves[j]
        neglected = strong & able & ~inner
        if neglected == 0:
            break
    if neglected != 0:
        work.control[REPEAT] += 1
    elif (idle | inner | strong) & units == units:
        for at in range(begin, end):
            flags[stack[at]] |= np.uint8(FAIR)


@njit
def leave(space, work, units, strong):
    """Go back from the last state on the way; where it was the first of its component, the component is complete."""
    control, flags, number, stack = work.control, work.flags, work.number, work.stack
    control[DEPTH] -= 1
    state = work.frames[control[DEPTH]]
    if flags[state] & LOWERED:
        stack[control[WAITING]] = state
        control[WAITING] += 1
        if control[DEPTH] > 0:
            reach(work, work.frames[control[DEPTH] - 1], state)
        return
    end, begin = control[WAITING], control[WAITING]
    while begin > 0 and number[stack[begin - 1]] >= number[state]:
        begin -= 1
        number[stack[begin]] = control[COMPONENT]
    number[state] = control[COMPONENT]
    stack[end] = state
    if begin < end:
        judge(space, work, begin, end + 1, units, strong)
    elif flags[state] & ALONE:
        flags[state] |= np.uint8(FAIR)
    control[INDEX] -= end + 1 - begin
    control[WAITING] = begin
    control[COMPONENT] -= 1


@compiled(types.boolean(SPACE, WORK, I64, I64, I64))
def components(space, work, units, strong, steps):
    """Look for components among the candidates; False where it goes on after so many steps."""
    control, flags, number, lists = work.control, work.flags, work.number, work.lists
    for _ in range(steps):
        depth = control[DEPTH]
        fresh = np.int64(-1)
        if depth == 0:
            root = control[ROOT]
            while root < control[END] and not (flags[root] & CANDIDATE and number[root] == 0):
                root += 1
            control[ROOT] = root
            if root == control[END]:
                return True
            fresh = root
        else:
            state, place = np.int64(work.frames[depth - 1]), work.places[depth - 1]
            if place == control[TOP]:
                leave(space, work, units, strong)
                continue
            if control[TOP] > control[LOW]:
                control[TOP] -= 1
                fresh = np.int64(lists[control[TOP] % len(lists)])
                if number[fresh] != 0:
                    reach(work, state, fresh)
                    continue
            else:  # the list is lost
                control[TOP] = control[LOW] = place
        if fresh >= 0:
            begin_visit(work, fresh)
            state = fresh
        own, able = list_successors(space, work, state)
        if able & units & ~own == 0:
            flags[state] |= np.uint8(ALONE)
    return False
