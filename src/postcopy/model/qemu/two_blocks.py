"""Guest memory in two blocks: a request without a block's name means the block of the request before.

Pages are numbered in each block from its beginning. Here a page of one block has the number of each page of the other,
which is exact where both have one page: that is the size at which this is searched. Which pages are in the second block
is chosen at the start, so that only pages of one block are interchangeable.
"""

from enum import Enum, auto

from postcopy.language import Choice, Chosen, Flag, Page, PageSet, View, sometimes
from postcopy.model.network import Reply
from postcopy.model.qemu.main_loop import QemuDestination
from postcopy.model.qemu.protocol import Qemu11
from postcopy.model.qemu.source_recovery import QemuSource


class Block(Enum):
    """The block of the request before."""

    NONE = auto()
    FIRST = auto()
    SECOND = auto()


@sometimes("A request does not name its block")
def unnamed_request(state: View) -> bool:
    """The second one for a block."""
    return state.return_path.carries(Reply.REQ_PAGES, named=False)


class TwoBlocks(Qemu11):
    """Memory has two blocks, and requests name their block only where it is another one than before."""

    second_block = Chosen("pages of the second block of guest memory")
    return_path = Qemu11.return_path.extended(fields={"named": Flag("the request names its block")})
    properties = (unnamed_request,)

    class source(QemuSource):
        """Remembers the block of the request before, over a recovery as well."""

        last_block = Choice("the block of the request before", Block.NONE)

        def receives_request(self) -> None:
            """receives a page request, for its block or the block of the request before"""
            message = self.return_path.peek(Reply.REQ_PAGES)
            before = self.requests
            super().receives_request()
            if message.carried["named"]:
                self.last_block = Block.FIRST if (message.pages & self.second_block).empty else Block.SECOND
            else:
                self.requests = before | self._as_meant(message.pages)

        def _as_meant(self, pages: PageSet) -> PageSet:
            """The pages of these numbers in the block of the request before; a first request without a name ends the
            return-path thread."""
            if self.last_block == Block.NONE:
                self._leaves()
                return pages - pages
            block = self.second_block if self.last_block == Block.SECOND else ~self.second_block
            return block if (pages & block).empty else pages

        def _on_main_channel(self, page: Page) -> bool:
            """A page of this number is being sent on the main channel: `pss_overlap` does not look at its block."""
            other = ~self.second_block if self.second_block[page] else self.second_block
            return not ((self.sending | self.writing) & (page.host_pages | other)).empty

    class destination(QemuDestination):
        """Remembers the block that it named last."""

        last_block = Choice("the block that was requested last", Block.NONE)

        def resumes(self) -> None:
            """sets the state postcopy-active, acknowledges RESUME, and names the block in the next request"""
            super().resumes()
            self._forgets_block()

        def _forgets_block(self) -> None:
            self.last_block = Block.NONE

        def _requests(self, pages: PageSet) -> None:
            block = Block.FIRST if (pages & self.second_block).empty else Block.SECOND
            self.return_path.send(Reply.REQ_PAGES, pages, named=self.last_block != block)
            self.last_block = block

        def _give_up(self) -> None:
            super()._give_up()
            self.last_block = Block.NONE


class OverlapInOneBlock(TwoBlocks):
    """B1: a request is left to the main channel only where that sends the same page: the block is compared as well."""

    class source(TwoBlocks.source):
        """Compares blocks."""

        def _on_main_channel(self, page: Page) -> bool:
            return not ((self.sending | self.writing) & page.host_pages).empty


class LastBlockKept(TwoBlocks):
    """A fault: RESUME does not set the block that was requested last back."""

    class destination(TwoBlocks.destination):
        """Keeps it over a recovery, in which the source has not read all requests."""

        def _forgets_block(self) -> None:
            """Stays."""
