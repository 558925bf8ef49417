"""What `postcopy new --on NAME` writes: a change to a protocol of the catalogue that changes nothing as it stands."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from postcopy.catalogue.loading import by_name
from postcopy.catalogue.qemu import QEMU
from postcopy.errors import UsageError
from postcopy.language.actions import ActionInstance
from postcopy.language.instance import Instance
from postcopy.language.machines import Machine
from postcopy.language.protocol import Protocol
from postcopy.language.threads import declared_threads

SMALL_QEMU = "+preempt=off+disk_lock=on+exit_on_error=on --pages 1 --in-flight 1"
"""What stands behind the name of a change to QEMU's protocol for an answer within a minute or two."""
SMALL = " --in-flight 1"

_HEAD = '''"""A change to {name}.

The class at the end says what differs. What it does not mention stays as it is.
As the file stands it changes nothing, and the verdict is that of {name}.
How to write a change: docs/language.md and docs/{tutorial}.md.
"""

from postcopy.language import View, always, sometimes
from {module} import {cls}


# A property of your own: it has to be true in every state that is reached. A counterexample ends with its docstring.
@always("The destination's guest runs only with its devices")
def devices_first(state: View) -> bool:
    """The guest runs at the destination, and its devices are not loaded."""
    return bool(state.destination.devices_loaded or not state.destination.running)


# A witness: something that has to be reachable. Without one, a change that never does anything would hold.
@sometimes("The guest runs at the destination")
def guest_runs(state: View) -> bool:
    """The destination has started it."""
    return bool(state.destination.running)


class MyChange({cls}):
    """Changes nothing yet."""

    properties = (devices_first, guest_runs)
'''

_MACHINE = '''
    class {machine}({cls}.{machine}):
        """The class has the name of the machine that it replaces."""
'''

_EXAMPLES = '''
        # Change an action: a method of the same name. Write the whole step anew, or call super() for what it did.
        def {method}(self) -> None:
            """{words}"""
            # require(...): one more guard (from postcopy.language import require)
            super().{method}()

        # Remove an action:
        # {method} = None

        # Add an action, one atomic step of one thread (from postcopy.language import action):
        # @action({cls}.{machine}.{thread})
        # def does_something(self) -> None:
        #     """says in traces what it does"""
'''


def template_on(name: str) -> tuple[str, str]:
    """The text of the file, and what to add to its name in the command line that checks it.

    Args:
        name: a protocol of the catalogue.

    Returns:
        The text of the file; and options and a size that are answered soon.

    Raises:
        UsageError: there is no such protocol, or it has no class that a file can import.
    """
    protocol = by_name(name)
    if getattr(sys.modules[protocol.__module__], protocol.__name__, None) is not protocol:
        raise UsageError(
            f"{name} is put together of other changes, and has no class that a file can import: write the file on one "
            "of them, and check it together with the others"
        )
    return "".join(_pieces(name, protocol)), SMALL_QEMU if name in QEMU else SMALL


def _pieces(name: str, protocol: type[Protocol]) -> Iterator[str]:
    cls = protocol.__name__
    tutorial = "tutorial-qemu" if name in QEMU else "tutorial"
    yield _HEAD.format(name=name, tutorial=tutorial, module=protocol.__module__, cls=cls)
    actions = [action for action in Instance(protocol, 1, 1).actions if not action.cpu]
    for machine in protocol.parts(Machine):
        its = [action for action in actions if action.machine == machine]
        if its:
            yield _MACHINE.format(machine=machine, cls=cls)
            yield _named(its)
        example = next((a for a in its if not a.info.environment and not a.page_names and machine == "source"), None)
        if example is not None:
            threads = declared_threads(getattr(protocol, machine))
            yield _EXAMPLES.format(
                method=example.method,
                words=example.words,
                thread=next(name for name, thread in threads.items() if thread == example.declared),
                machine=machine,
                cls=cls,
            )


def _named(actions: Sequence[ActionInstance]) -> str:
    """The actions of a machine, thread by thread, with the functions that they stand for."""
    lines = ["\n        # Its actions, each one step of a thread, and the function that it stands for:\n"]
    for thread in dict.fromkeys(action.info.thread for action in actions):
        its = [action for action in actions if action.info.thread == thread]
        lines.append(f"        # {its[0].declared.label}:\n")
        lines.extend(f"        #     {a.method}" + (f"  ({a.info.qemu})" if a.info.qemu else "") + "\n" for a in its)
    return "".join(lines)
