"""A question about a protocol whose answer is a run: how a defect, a fault or a bug is shown."""

from typing import NamedTuple


class Shown(NamedTuple):
    """A question that the checker answers with a run.

    Attributes:
        protocol: its name, with terms that fix its options.
        broken: the name of the property that is violated.
        steps: of a shortest run; 0 where there is none.
        pages: the size.
        in_flight: the size.
        host_page: target pages of one host page; 0 where it is the protocol's own number.
    """

    protocol: str
    broken: str
    steps: int
    pages: int = 1
    in_flight: int = 1
    host_page: int = 0

    @property
    def command(self) -> str:
        """The question as a command."""
        size = f"--pages {self.pages} --in-flight {self.in_flight}"
        host_page = f" --host-page {self.host_page}" if self.host_page else ""
        return f"postcopy check {self.protocol} {size}{host_page} --property {self.broken}"

    @property
    def terms(self) -> str:
        """The terms alone that fix options: ``+preempt=off``."""
        return "".join(f"+{part}" for part in self.protocol.split("+")[1:])
