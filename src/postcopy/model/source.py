"""The source host: the guest before the switch, the migration thread, the return-path thread, and its operator.

Threads of one host share memory; each action is what one of them does under the lock that QEMU takes for it
(the bitmap lock for a page, the big lock for the switch). The rules cited are those of docs/rules.md.
"""

from enum import IntEnum, auto

from postcopy.bitmaps import clean_up
from postcopy.language import (
    ALL,
    EITHER,
    NONE,
    Bitmap,
    Choice,
    Flag,
    Machine,
    Page,
    PageSet,
    Receives,
    Sends,
    Thread,
    action,
    require,
)
from postcopy.model.guest import Memory, Mishap
from postcopy.model.network import Command, Reply
from postcopy.model.roles import Role


class Phase(IntEnum):
    """How far the source has come; order means progress."""

    IDLE = auto()
    OPENING = auto()
    PINGING = auto()
    ADVISING = auto()
    PRECOPY = auto()
    FINISHING = auto()
    """CPUs stopped to end in precopy: the last pages go out."""
    SWITCHING = auto()
    """CPUs stopped for postcopy: the discards go out next."""
    PACKAGING = auto()
    """Discards are out: the package goes out next."""
    POSTCOPY = auto()
    ENDING = auto()
    """Everything is out: waits for the destination's SHUT."""
    COMPLETED = auto()
    FAILED = auto()
    CANCELLED = auto()
    DEAD = auto()


class Source(Machine):
    """The source host."""

    source_guest = Thread("source guest")
    operator = Thread("operator")
    source_host = Thread("source host")
    migration = Thread("migration thread")
    return_path_thread = Thread("return-path thread")

    phase = Choice("how far the migration has come", Phase.IDLE)
    running = Flag("the guest's CPUs run at the source", True)
    postcopy_capability = Flag("migrate_set_capability x-postcopy-ram on", EITHER)
    start_postcopy = Flag("migrate_start_postcopy was issued")
    dirty = Bitmap("the migration bitmap: pages that still need sending", initial=ALL, role=Role.UNSENT)
    sent = Bitmap("the sent map: pages sent at least once", role=Role.NOTE)
    requests = Bitmap("pages that the destination has asked for and that wait to be served", role=Role.REQUEST)
    sending = Bitmap("target pages still to be sent of the host page that is on its way", role=Role.REQUEST)
    stream = Sends("stream")
    return_path = Receives("return_path")

    # -- the guest and the operator ------------------------------------------------------------------------------

    @action(source_guest, rule="R10", environment=True)
    def guest_writes(self, page: Page) -> None:
        """writes a page"""
        require(self.running)
        if self.phase <= Phase.PRECOPY:
            self.dirty |= page
        self.observe(Memory.SOURCE_WRITE, page)
        self.guest.wrote_at_source(page)

    @action(operator, rule="R1", qemu="migration/migration.c:qmp_migrate", environment=True)
    def operator_starts_migration(self) -> None:
        """starts the migration"""
        require(self.phase == Phase.IDLE)
        require(not self.stream.broken)
        self.phase = Phase.OPENING

    @action(operator, rule="R2", qemu="migration/migration.c:qmp_migrate_start_postcopy", environment=True)
    def operator_starts_postcopy(self) -> None:
        """issues migrate_start_postcopy"""
        if self.postcopy_capability and Phase.IDLE < self.phase and self.phase <= Phase.PRECOPY:
            self.start_postcopy = True

    @action(operator, rule="R27", qemu="migration/migration.c:qmp_migrate_cancel", environment=True)
    def operator_cancels(self) -> None:
        """cancels the migration while the package is not yet out"""
        require(Phase.IDLE < self.phase and self.phase < Phase.POSTCOPY)
        self._clean_up()
        self.phase = Phase.CANCELLED
        self.running = True

    @action(source_host, rule="R15", environment=True)
    def host_dies(self) -> None:
        """dies, and its end of the connection with it"""
        require(Phase.IDLE < self.phase and self.phase < Phase.COMPLETED)
        self.observe(Mishap.FAILURE)
        self._clean_up()
        self.phase = Phase.DEAD
        self.running = False

    # -- the migration thread: opening and precopy ---------------------------------------------------------------

    @action(migration, rule="R19", qemu="migration/savevm.c:qemu_savevm_send_open_return_path")
    def opens_return_path(self) -> None:
        """opens the return path"""
        require(self.phase == Phase.OPENING)
        self._ready_to_send()
        self.stream.send(Command.OPEN_RETURN_PATH)
        self.phase = Phase.PINGING

    @action(migration, rule="R19", qemu="migration/savevm.c:qemu_savevm_send_ping")
    def pings(self) -> None:
        """pings the destination"""
        require(self.phase == Phase.PINGING)
        self._ready_to_send()
        self.stream.send(Command.PING)
        self.phase = Phase.ADVISING

    @action(migration, rule="R1", qemu="migration/savevm.c:qemu_savevm_send_postcopy_advise")
    def advises(self) -> None:
        """advises the destination that postcopy may come; without the capability goes straight on to precopy"""
        require(self.phase == Phase.ADVISING)
        if self.postcopy_capability:
            self._ready_to_send()
            self.stream.send(Command.ADVISE)
        self.phase = Phase.PRECOPY

    @action(migration, rule="R2 R10", qemu="migration/ram.c:ram_save_iterate")
    def sends_precopy_page(self, page: Page) -> None:
        """sends a dirty page in precopy"""
        require(self.phase == Phase.PRECOPY or self.phase == Phase.FINISHING)
        require(self.dirty[page])
        self._ready_to_send()
        self.dirty -= page
        self._remember_sent(page)
        self._send_page(page)

    @action(migration, rule="R2", qemu="migration/migration.c:migration_completion")
    def stops_cpus_to_finish_in_precopy(self) -> None:
        """stops the CPUs, because what is left is little enough to finish in precopy"""
        require(self.phase == Phase.PRECOPY)
        self.running = False
        self.phase = Phase.FINISHING

    @action(migration, rule="R2", qemu="migration/savevm.c:qemu_savevm_state_complete_precopy")
    def ends_precopy(self) -> None:
        """sends the device state and the end of the stream"""
        require(self.phase == Phase.FINISHING)
        require(self.dirty.empty)
        self._ready_to_send()
        self.stream.send(Command.PRECOPY_END)
        self.sent = NONE
        self.start_postcopy = False
        self.phase = Phase.ENDING

    # -- the migration thread: the switch and postcopy -----------------------------------------------------------

    @action(migration, rule="R3 R11 R21", qemu="migration/migration.c:postcopy_start", fair=True)
    def stops_cpus_to_switch(self) -> None:
        """stops the CPUs and masks the sent map with the migration bitmap: the discard set"""
        # fair: the thread looks for the command before each round of sending (QEMU: migration_iteration_run), which
        # the free choice between this step and sends_precopy_page would leave out
        require(self.phase == Phase.PRECOPY)
        require(self.start_postcopy)
        self.running = False
        self._compute_discards()
        self.start_postcopy = False
        self.phase = Phase.SWITCHING

    @action(migration, rule="R11 R12", qemu="migration/ram.c:ram_postcopy_send_discard_bitmap")
    def sends_discards(self) -> None:
        """sends the discard set, if there is anything to discard"""
        require(self.phase == Phase.SWITCHING)
        if not self.sent.empty:
            self._ready_to_send()
            self.stream.send(Command.DISCARD, self.sent)
        self._sacrifice_sent_map()
        self.phase = Phase.PACKAGING

    @action(migration, rule="R4", qemu="migration/savevm.c:qemu_savevm_send_packaged")
    def sends_package(self) -> None:
        """sends LISTEN, the device state and RUN in one package"""
        require(self.phase == Phase.PACKAGING)
        self._ready_to_send()
        self.stream.send(Command.PACKAGED)
        self.phase = Phase.POSTCOPY

    @action(migration, rule="R13 R17", qemu="migration/ram.c:get_queued_page")
    def serves_request(self, page: Page) -> None:
        """serves a requested page, or drops the request where the page has already been sent"""
        require(self.phase == Phase.POSTCOPY)
        require(self.sending.empty)
        require(self.requests[page])
        self.requests -= page.host_pages
        if self.dirty[page]:
            self._ready_to_send()
            self._send_in_postcopy(page)

    @action(migration, rule="R17", qemu="migration/ram.c:ram_find_and_save_block")
    def sends_background_page(self, page: Page) -> None:
        """sends a page that nobody has asked for yet"""
        require(self.phase == Phase.POSTCOPY)
        require(self.sending.empty)
        require(self.requests.empty)
        require(self.dirty[page])
        self._ready_to_send()
        self._send_in_postcopy(page)

    @action(migration, rule="R21", qemu="migration/ram.c:ram_save_host_page")
    def sends_rest_of_host_page(self, page: Page) -> None:
        """sends another target page of the host page that is on its way"""
        require(self.phase == Phase.POSTCOPY)
        require(self.sending[page])
        self._ready_to_send()
        self._send_in_postcopy(page)

    @action(migration, rule="R24", qemu="migration/savevm.c:qemu_savevm_state_complete_postcopy")
    def ends_postcopy(self) -> None:
        """ends the stream: nothing is dirty and no request is open"""
        require(self.phase == Phase.POSTCOPY)
        require(self.dirty.empty)
        require(self.requests.empty)
        self._ready_to_send()
        self.stream.send(Command.EOF)
        self.phase = Phase.ENDING

    @action(migration, rule="R15", qemu="migration/migration.c:migration_detect_error")
    def notices_loss(self) -> None:
        """notices that the connection is gone"""
        require(Phase.IDLE < self.phase and self.phase < Phase.COMPLETED)
        require(self.stream.broken)
        self._fail()

    # -- the return-path thread ----------------------------------------------------------------------------------

    @action(return_path_thread, rule="R19", qemu="migration/migration.c:source_return_path_thread")
    def receives_pong(self) -> None:
        """receives the answer to the ping"""
        require(self.phase < Phase.COMPLETED)
        self.return_path.receive(Reply.PONG)

    @action(return_path_thread, rule="R13 R16", qemu="migration/ram.c:ram_save_queue_pages")
    def receives_request(self) -> None:
        """receives a page request and queues it"""
        require(self.phase < Phase.COMPLETED)
        message = self.return_path.receive(Reply.REQ_PAGES)
        if self.phase < Phase.ENDING:
            self.requests |= message.pages

    @action(return_path_thread, rule="R24", qemu="migration/migration.c:source_return_path_thread")
    def receives_shut(self) -> None:
        """receives the destination's word that all has arrived: the migration is completed"""
        require(self.phase == Phase.ENDING)
        self.return_path.receive(Reply.SHUT_OK)
        self.phase = Phase.COMPLETED

    @action(return_path_thread, rule="R15 R23", qemu="migration/migration.c:source_return_path_thread")
    def receives_shut_with_error(self) -> None:
        """receives the destination's word that it has failed"""
        require(self.phase < Phase.COMPLETED)
        self.return_path.receive(Reply.SHUT_ERROR)
        self._fail()

    # -- what the actions share ----------------------------------------------------------------------------------

    def _ready_to_send(self) -> None:
        """A guard: the stream has room for a message, and the connection stands."""
        require(self.stream.room())
        require(not self.stream.broken)

    def _send_page(self, page: PageSet) -> None:
        """Sends one page, in precopy or postcopy, with what the source has of it."""
        self.stream.send(Command.PAGE, page, stale=self.guest.stale_at_source)

    def _remember_sent(self, page: PageSet) -> None:
        """The sent map has a bit for every page that was ever sent."""
        self.sent |= page

    def _send_in_postcopy(self, page: PageSet) -> None:
        """R13: the migration bitmap makes sure that no page is sent more than once."""
        self.dirty -= page
        self.sending = page.host_pages & self.dirty
        self._send_page(page)

    def _compute_discards(self) -> None:
        """R11: sentmap &= migrationbitmap. R21: host pages only partly sent or partly dirty become wholly so."""
        discard, self.dirty = clean_up(self.sent, self.dirty, lambda pages: pages.host_pages)
        self.sent = discard

    def _sacrifice_sent_map(self) -> None:
        """R12: the sent map is used up; only the migration bitmap is valid from here on."""
        self.sent = NONE

    def _fail(self) -> None:
        """R15: as long as the package is not out the guest goes on here; afterwards it must not."""
        self.running = self.phase < Phase.POSTCOPY
        self._clean_up()
        self.phase = Phase.FAILED

    def _clean_up(self) -> None:
        """Forgets what is left to send and closes the connection: the migration is over at the source."""
        self.dirty = NONE
        self.sent = NONE
        self.requests = NONE
        self.sending = NONE
        self.start_postcopy = False
        self.stream.close()
        self.return_path.close()
