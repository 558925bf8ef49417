"""Which commands there are: the table that `--help` and completion show. Each has a file of its own in this folder."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A command that has a module of its own.

    Attributes:
        name: the command; also the module in `postcopy.cli`, which has a function ``command`` or a group ``app``.
        panel: the group in which `--help` shows it.
        help: what it does, in one sentence.
    """

    name: str
    panel: str
    help: str


CHECKING = "Check a protocol"
LOOKING = "Look closely"
WRITING = "Write a change of your own"
MIGRATING = "Migrate a real guest, and hold it against the model"
GIVING = "For other tools, and for a collection"

COMMANDS = (
    Entry(
        "check",
        CHECKING,
        "Explore every interleaving and say whether the properties hold; if not, show a shortest run that breaks one.",
    ),
    Entry(
        "simulate",
        CHECKING,
        "Walk at random where there is too much to explore, and shorten what is found. Finding nothing proves nothing.",
    ),
    Entry(
        "prove",
        CHECKING,
        "Prove with z3 that the properties hold, for any number of pages and any length of the channels.",
    ),
    Entry(
        "suite",
        CHECKING,
        "Run many checks and proofs from a file, and compare their verdicts with those that are expected.",
    ),
    Entry(
        "prepare",
        CHECKING,
        "Compile once what large searches of any protocol need, so that a first check compiles its own part alone.",
    ),
    Entry(
        "list",
        LOOKING,
        "List the faults, changes, real bugs and rules that there are, or the properties and actions of a protocol.",
    ),
    Entry("trace", LOOKING, "Show a stored trace, replayed step by step on the model."),
    Entry(
        "graph",
        LOOKING,
        "Draw the state space of a small instance, or its quotient by some of the variables.",
    ),
    Entry("explore", LOOKING, "Step through a protocol by hand, in a browser on this machine, until Ctrl-C."),
    Entry("docs", LOOKING, "Print a page of the documentation, or the names of all."),
    Entry("new", WRITING, "Write a commented starting point for a change of your own."),
    Entry(
        "diff",
        WRITING,
        "Say what a change does: to the text, to the properties, and to what can be seen of a migration.",
    ),
    Entry("run", MIGRATING, "Migrate a real guest process, live."),
    Entry("record", MIGRATING, "Let two real QEMUs migrate a small guest, and keep everything that can be seen of it."),
    Entry(
        "monitor",
        MIGRATING,
        "Stand between two QEMUs: pass on what they send, and judge it as it passes, until the migration has ended.",
    ),
    Entry(
        "conform",
        MIGRATING,
        "Hold the engine against the model, by a log or in every interleaving; or what two QEMUs did.",
    ),
    Entry(
        "replay",
        MIGRATING,
        "Drive the sound engine along a stored counterexample: where it refuses, and which rule it keeps by that. "
        "Or, with --qemu, two real QEMUs.",
    ),
    Entry(
        "export",
        GIVING,
        "Write the model in another tool's language; the properties become assertions and invariants.",
    ),
    Entry("counterexamples", GIVING, "Write a shortest counterexample for every fault: ITF JSON and Markdown."),
    Entry(
        "mcp",
        GIVING,
        "Serve checks to a coding assistant, by the Model Context Protocol, on standard input and output.",
    ),
    Entry("schema", GIVING, "Print the JSON schema of what a command prints with --json."),
)
"""All commands, in the order and the groups in which `--help` shows them."""
