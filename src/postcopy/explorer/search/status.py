"""The numbers by which the compiled loop and its driver understand each other."""

RUNNING, LEVEL, STEP, STATE, DEADLOCK, WRONG, FULL, BOXED = range(8)
"""How a shard stands: more to do; nothing more on this level; a property of steps or of states violated; a deadlock; a
check of the specification failed; no room for more states; an outbox is full."""

COUNT, HEAD, LEVEL_END, STATUS, AT, DETAIL, WITNESSES = range(7)
"""Where the numbers that a shard keeps between calls lie in its array `control`."""
