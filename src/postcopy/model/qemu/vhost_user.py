"""A backend of vhost-user at the destination: a process that has mapped the guest's memory, and faults in it, too.

Its faults come to the fault thread with the backend's own address. That is the key by which QEMU files the request,
while a page that is placed is looked up by the host's address.
"""

from postcopy.language import NONE, Bitmap, Page, PageSet, Thread, View, action, require, sometimes
from postcopy.model.destination import Destination
from postcopy.model.qemu.postcopy_threads import ListeningDestination
from postcopy.model.qemu.states import FaultThread
from postcopy.model.roles import Role


class VhostUserDestination(ListeningDestination):
    """Has a backend."""

    backend = Thread("vhost-user backend")

    backend_waiting = Bitmap("the page that the backend waits for", waits=backend)
    backend_faulted = Bitmap("faults of the backend that the fault thread has not read yet", role=Role.REQUEST)
    foreign = Bitmap("requested pages that are filed under an address of the backend", role=Role.NOTE)

    @action(backend, rule="R16", qemu="fs/userfaultfd.c:handle_userfault", environment=True)
    def backend_touches_missing(self, page: Page) -> None:
        """touches a page that is missing"""
        require(self.vhost_user and self.running and self.sensitive)
        require(self.backend_waiting.empty)
        require(not self.present[page])
        self.backend_waiting = page
        self.backend_faulted |= page

    @action(Destination.fault, rule="R16", qemu="migration/postcopy-ram.c:postcopy_request_shared_page")
    def requests_page_for_backend(self, page: Page) -> None:
        """reads a fault of the backend: drops it if its page is noted as received, else files it and requests the page;
        a request that cannot be sent is forgotten"""
        require(self.sensitive and self.fault_at == FaultThread.POLLING)
        require(self.backend_faulted[page])
        self.backend_faulted -= page
        if (self._arrived() & page).empty:
            self._files(page.host_pages)
            if self.return_path_open and not self.return_path.broken:
                require(self.return_path.room())
                self._requests(page.host_pages)

    def _files(self, pages: PageSet) -> None:
        """In the tree of requests, by the backend's address: it stays there."""
        self.foreign |= pages

    def _all_has_come(self) -> bool:
        """The count of requested pages is what the tree has."""
        return super()._all_has_come() and self.foreign.empty

    def _wakes(self, pages: PageSet) -> None:
        """Wakes the backend as well."""
        self.backend_waiting -= pages

    def _place(self, pages: PageSet) -> None:
        super()._place(pages)
        self._wakes(pages)

    def _stops_watching(self) -> None:
        super()._stops_watching()
        self.backend_faulted = NONE
        self.foreign = NONE

    def _give_up(self) -> None:
        super()._give_up()
        self.backend_waiting = NONE
        self.backend_faulted = NONE
        self.foreign = NONE


@sometimes("A page comes for which the backend of vhost-user waits", rules="R16")
def page_comes_for_backend(state: View) -> bool:
    """Asked where there is one."""
    return not state.vhost_user or not (state.destination.backend_waiting & state.copies_in_flight()).empty
