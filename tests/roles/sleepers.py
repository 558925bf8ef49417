"""Changes that add a thread which waits for a page, each in a faulty variant and in one that is right."""

from postcopy.language import NONE, Bitmap, Cpu, CpuBitmap, Page, PageSet, Thread, action, require
from postcopy.model.destination import Destination, Main, State
from postcopy.model.postcopy import Postcopy


class ClientNotWoken(Postcopy):
    """A vhost-user client sleeps on a fault of its own, and placing wakes the sleepers of QEMU's descriptor only."""

    class destination(Destination):
        """Memory is shared with a client, which has a descriptor of its own."""

        client = Thread("client")

        client_waiting = Bitmap("the page that the vhost-user client waits for", waits=client)

        @action(client, environment=True)
        def client_touches(self, page: Page) -> None:
            """touches a page that is missing"""
            require(self.state == State.RUNNING)
            require(self.sensitive)
            require(self.client_waiting.empty)
            require(not self.present[page])
            self.client_waiting = page
            self.faulted |= page

        def _place(self, pages: PageSet) -> None:
            super()._place(pages)
            self._wake(pages)

        def _wake(self, pages: PageSet) -> None:
            """Does not wake the client."""

        def _give_up(self) -> None:
            super()._give_up()
            self.client_waiting = NONE


class ClientWoken(ClientNotWoken):
    """Placing wakes the client, too."""

    class destination(ClientNotWoken.destination):
        """Wakes it."""

        def _wake(self, pages: PageSet) -> None:
            self.client_waiting -= pages


class ClientNeverAsks(ClientWoken):
    """The client's fault is not queued."""

    class destination(ClientWoken.destination):
        """Queues no fault for the client."""

        def client_touches(self, page: Page) -> None:
            """touches a page that is missing"""
            faulted = self.faulted
            super().client_touches(page)
            self.faulted = faulted


class DiskNotWoken(Postcopy):
    """A disk's thread reads guest memory while the devices are loaded, and is not woken."""

    class destination(Destination):
        """Has a disk that starts before the guest."""

        disk = Thread("disk thread")

        disk_waiting = Bitmap("the page that the disk waits for", waits=disk)

        @action(disk, environment=True)
        def disk_touches(self, page: Page) -> None:
            """touches a page that is missing"""
            require(self.main == Main.DEVICES)
            require(self.disk_waiting.empty)
            require(not self.present[page])
            self.disk_waiting = page
            self.faulted |= page

        def _give_up(self) -> None:
            super()._give_up()
            self.disk_waiting = NONE


class DiskWoken(DiskNotWoken):
    """The disk's thread is woken like all others."""

    class destination(DiskNotWoken.destination):
        """Wakes it."""

        def _place(self, pages: PageSet) -> None:
            super()._place(pages)
            self.disk_waiting -= pages


class HalfWoken(Postcopy):
    """Each vCPU may wait for a second page beside the first, and only the first vCPU is woken for its second."""

    class destination(Destination):
        """Its vCPUs prefetch."""

        prefetcher = Thread("prefetcher", each=Cpu)

        prefetching = CpuBitmap("the page that is prefetched for the vCPU", waits=prefetcher)

        @action(prefetcher, environment=True)
        def prefetches(self, cpu: Cpu, page: Page) -> None:
            """asks for a page ahead of its vCPU"""
            require(self.state == State.RUNNING)
            require(self.prefetching.any.empty)
            require(not self.present[page])
            self.prefetching[cpu] = page
            self.faulted |= page

        def _place(self, pages: PageSet) -> None:
            super()._place(pages)
            self.prefetching[Cpu(0)] -= pages

        def _give_up(self) -> None:
            super()._give_up()
            for cpu in range(2):
                self.prefetching[Cpu(cpu)] = NONE


class WhollyWoken(HalfWoken):
    """Both are woken."""

    class destination(HalfWoken.destination):
        """Wakes them."""

        def _place(self, pages: PageSet) -> None:
            super()._place(pages)
            self.prefetching.remove(pages)
