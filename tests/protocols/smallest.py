"""The smallest protocol from nothing."""

from postcopy.language import Flag, Machine, Protocol, Thread, View, action, require


class M(Machine):
    """One flag."""

    t = Thread("t")
    done = Flag("it is done")

    @action(t)
    def does(self) -> None:
        """does it"""
        require(not self.done)
        self.done = True


class C(Protocol):
    """Does it."""

    m = M

    @staticmethod
    def may_rest(state: View) -> bool:
        """Done."""
        return bool(state.m.done)
