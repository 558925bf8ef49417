"""What a change in this folder says of itself. A change in a file of one's own is just a `Postcopy`."""

from typing import ClassVar

from postcopy.model.postcopy import Postcopy


class Change(Postcopy):
    """A change to the document's protocol. Its docstring tells what it changes and why.

    Attributes:
        origin: where it comes from: the commit, the mail, the entry of the history.
        breaks: names of the properties that it violates, first the one that a shortest counterexample shows; empty for
            a change that holds. A test pins this.
    """

    origin: ClassVar[str]
    breaks: ClassVar[tuple[str, ...]] = ()
