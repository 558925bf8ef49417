"""Changes in files of their own that tests combine with those of the catalogue."""

LOCK = '''
from postcopy.language import Channel
from postcopy.model.changes.switch import Disk, LockingDestination, LockingSource
from postcopy.model.postcopy import Postcopy


class Locked(Postcopy):
    """A disk that only one host can lock."""

    disk = Channel(Disk)
    source = LockingSource
    destination = LockingDestination
'''

RELEASE = '''
from postcopy.language import NONE, Bitmap, PageSet
from postcopy.model.network import Command
from postcopy.model.postcopy import Postcopy
from postcopy.model.roles import Role
from postcopy.model.source import Source


class ReleaseRam(Postcopy):
    """The source frees a page when it has been sent in postcopy."""

    class source(Source):
        """Sends zeros for a page that it has freed."""

        freed = Bitmap("pages that the source has given back to its host: it reads zeros there", role=Role.NOTE)

        def _send_page(self, page: PageSet) -> None:
            self.stream.send(Command.PAGE, page, stale=self.guest.stale_at_source | self.freed)

        def _send_in_postcopy(self, page: PageSet) -> None:
            super()._send_in_postcopy(page)
            self.freed |= page

        def _clean_up(self) -> None:
            super()._clean_up()
            self.freed = NONE
'''

BEGIN = """
from postcopy.language import *
from postcopy.model.postcopy import Postcopy
from postcopy.model.destination import Destination
from postcopy.model.guest import Guest
from postcopy.model.network import Wire
from postcopy.model.source import Phase, Source
"""


def change(name: str, body: str, imports: str = "") -> str:
    """The text of a file with one change."""
    return f'{BEGIN}{imports}\n\nclass {name}(Postcopy):\n    """{name}."""\n{body}\n'


def of_source(name: str, body: str) -> str:
    """The text of a file with one change of the source."""
    return change(name, f'    class source(Source):\n        """x"""\n{body}')


LAZY = of_source(
    "Lazy",
    """
        def sends_background_page(self, page: Page) -> None:
            \"\"\"sends no page that the guest has asked for\"\"\"
            require(not self.requests[page])
            super().sends_background_page(page)
""",
)
"""Extends an action: calls that of the base."""

EAGER = of_source(
    "Eager",
    """
        def sends_background_page(self, page: Page) -> None:
            \"\"\"sends a page, whether or not one is asked for\"\"\"
            require(self.phase == Phase.POSTCOPY)
            require(self.dirty[page])
            self._ready_to_send()
            self._send_in_postcopy(page)
""",
)
"""Replaces the same action."""
