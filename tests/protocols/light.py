"""A lamp that would never go out if it broke, and that never breaks."""

from postcopy.language import Flag, Machine, Protocol, Thread, View, action, always, require


class Lamp(Machine):
    hand = Thread("hand")

    on = Flag("it is on")
    broken = Flag("it is broken")

    @action(hand)
    def switches_on(self) -> None:
        """switches it on"""
        require(not self.on)
        self.on = True

    @action(hand)
    def switches_off(self) -> None:
        """switches it off"""
        require(self.on)
        require(not self.broken)
        self.on = False


@always("It is not broken")
def never_broken(state: View) -> bool:
    """Nothing breaks it."""
    return not state.lamp.broken


class Light(Protocol):
    """A lamp that never breaks."""

    lamp = Lamp
    properties = (never_broken,)

    @staticmethod
    def may_rest(state: View) -> bool:
        return bool(state.lamp.broken)
