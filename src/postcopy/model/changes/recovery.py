"""Recovery of a migration whose connection broke in postcopy (QEMU, 2018).

Both hosts pause, the operator makes a new connection, and the source learns from the destination which pages have
arrived: its own bitmap says what was sent, and what was on its way is lost. Then the source says RESUME, the
destination acknowledges it, and requests again the pages for which its vCPUs still wait.
"""

from typing import ClassVar

from postcopy.language import (
    NONE,
    Answer,
    Choice,
    Cpu,
    Flag,
    LeadsTo,
    Page,
    PageSet,
    Property,
    Step,
    Thread,
    View,
    about,
    action,
    always,
    eventually,
    every_step,
    require,
    sometimes,
)
from postcopy.model.changes.change import Change
from postcopy.model.changes.recovery_invariant import RECOVERY_INVARIANT
from postcopy.model.changes.recovery_messages import Outlived, Recovering, RecoveryCommand, RecoveryReply
from postcopy.model.destination import Destination, State
from postcopy.model.guest import Guest, Mishap
from postcopy.model.network import Command, Wire
from postcopy.model.postcopy import Postcopy
from postcopy.model.roles import Role
from postcopy.model.source import Phase, Source
from postcopy.properties.safety import lost_pages, lost_requests


class RecoveringSource(Source):
    """Pauses where the document's source gives up."""

    recovery = Choice("where the source is in recovery", Recovering.NO)

    def notices_loss(self) -> None:
        """notices that the connection is gone, and in postcopy pauses"""
        require(Phase.IDLE < self.phase and self.phase < Phase.COMPLETED)
        require(self.stream.broken)
        require(self.recovery != Recovering.PAUSED)
        if self._may_pause():
            self._pause()
        else:
            self._fail()

    @action(Source.operator, qemu="migration/migration.c:qmp_migrate (resume)", environment=True)
    def operator_resumes(self) -> None:
        """resumes the migration on a new connection"""
        require(self.recovery == Recovering.PAUSED)
        self.stream.connect()
        self.return_path.listen()
        self.recovery = Recovering.RECOVER

    @action(Source.migration, qemu="migration/savevm.c:qemu_savevm_send_recv_bitmap")
    def asks_what_arrived(self) -> None:
        """asks the destination for the bitmap of what has arrived"""
        require(self.recovery == Recovering.RECOVER)
        self._ready_on_new_connection()
        self.stream.send(RecoveryCommand.RECV_BITMAP)
        self.recovery = Recovering.ASKED

    @action(Source.return_path_thread, qemu="migration/ram.c:ram_dirty_bitmap_reload")
    def reloads_bitmap(self) -> None:
        """receives the bitmap of what has arrived: all the rest needs sending"""
        require(self.recovery == Recovering.ASKED)
        message = self.return_path.receive(RecoveryReply.BITMAP)
        self._reload(message.pages)
        self.phase = Phase.POSTCOPY
        self.recovery = Recovering.RELOADED

    @action(Source.migration, qemu="migration/savevm.c:qemu_savevm_send_postcopy_resume")
    def sends_resume(self) -> None:
        """tells the destination that the migration goes on"""
        require(self.recovery == Recovering.RELOADED)
        self._ready_on_new_connection()
        self.stream.send(RecoveryCommand.RESUME)
        self.recovery = Recovering.RESUMING

    @action(Source.return_path_thread, qemu="migration/migration.c:migrate_handle_rp_resume_ack")
    def receives_resume_ack(self) -> None:
        """receives the acknowledgement: the migration goes on"""
        require(self.recovery == Recovering.RESUMING)
        self.return_path.receive(RecoveryReply.RESUME_ACK)
        self.recovery = Recovering.NO

    def serves_request(self, page: Page) -> None:
        """serves a requested page, or drops the request where the page has already been sent"""
        require(self.recovery == Recovering.NO)
        super().serves_request(page)

    def _may_pause(self) -> bool:
        """In postcopy, where the guest cannot go on here."""
        return self.phase == Phase.POSTCOPY or (self.phase == Phase.ENDING and self.switched)

    switched = Flag("the package is out")

    def sends_package(self) -> None:
        """sends LISTEN, the device state and RUN in one package"""
        super().sends_package()
        self.switched = True

    def _ready_to_send(self) -> None:
        """Nothing but recovery's own messages goes out before the migration goes on."""
        require(self.recovery == Recovering.NO)
        super()._ready_to_send()

    def _ready_on_new_connection(self) -> None:
        super()._ready_to_send()

    def _reload(self, arrived: PageSet) -> None:
        """Pages that the bitmap says were sent may be lost: only the destination knows."""
        self.dirty = ~arrived

    def _pause(self) -> None:
        self.recovery = Recovering.PAUSED
        self.requests = NONE
        self.sending = NONE
        self.stream.close()
        self.return_path.close()

    def _clean_up(self) -> None:
        super()._clean_up()
        self.recovery = Recovering.NO
        self.switched = False


class RecoveringDestination(Destination):
    """Pauses with its guest running on what it has."""

    destination_operator = Thread("destination operator")

    recovery = Choice("where the destination is in recovery", Recovering.NO)

    def loses_the_guest(self) -> None:
        """notices that the connection is gone: pauses if the guest runs here; otherwise the guest is lost"""
        require(self._listening())
        require(self.stream.broken)
        require(self.recovery != Recovering.PAUSED and self.recovery != Recovering.LISTENING)
        if self._may_pause():
            self._pause()
        else:
            self._give_up()

    @action(destination_operator, qemu="migration/migration.c:qmp_migrate_recover", environment=True)
    def operator_recovers(self) -> None:
        """lets the destination wait for a new connection"""
        require(self.recovery == Recovering.PAUSED)
        self.stream.listen()
        self.recovery = Recovering.LISTENING

    @action(Destination.main_thread, qemu="migration/migration.c:migration_incoming_process")
    def accepts(self) -> None:
        """accepts the new connection, or pauses again if it is broken already"""
        require(self.recovery == Recovering.LISTENING)
        require(not self.stream.listening)
        if self.stream.broken:
            self.recovery = Recovering.PAUSED
        else:
            self.return_path.connect()
            self.return_path_open = True
            self.recovery = Recovering.RECOVER

    @action(Destination.listen, qemu="migration/migration.c:migrate_send_rp_recv_bitmap")
    def says_what_arrived(self) -> None:
        """answers with the bitmap of what has arrived"""
        require(self.recovery == Recovering.RECOVER)
        self._ready_to_reply()
        self.stream.receive(RecoveryCommand.RECV_BITMAP)
        self.return_path.send(RecoveryReply.BITMAP, self.present)

    @action(Destination.listen, qemu="migration/savevm.c:loadvm_postcopy_handle_resume")
    def resumes(self) -> None:
        """acknowledges that the migration goes on, and requests again the pages for which threads wait"""
        require(self.recovery == Recovering.RECOVER)
        self._ready_to_reply()
        self.stream.receive(RecoveryCommand.RESUME)
        self.return_path.send(RecoveryReply.RESUME_ACK)
        self.recovery = Recovering.NO
        self._request_again()

    def requests_page(self, page: Page) -> None:
        """reads a fault and requests its page from the source"""
        require(self.recovery == Recovering.NO)
        super().requests_page(page)

    def _may_pause(self) -> bool:
        """Only where the guest runs: before that there is nothing here to recover (A14)."""
        return self.state == State.RUNNING

    def _request_again(self) -> None:
        """QEMU keeps a tree of what was requested and has not come: it holds the same pages (A08)."""
        self.faulted |= self.waiting.any | self.device_waiting

    def _pause(self) -> None:
        self.recovery = Recovering.PAUSED
        self.return_path_open = False
        self._forget_partial_pages()
        self.stream.close()
        self.return_path.close()

    def _forget_partial_pages(self) -> None:
        """The parts of an incomplete host page that have come are sent again with the rest (A43)."""
        self.guest.threw_away(self.assembling)
        self.assembling = NONE

    def _give_up(self) -> None:
        super()._give_up()
        self.recovery = Recovering.NO


class RecoveringWire(Wire):
    """A connection that was made anew can be lost like the first."""

    def loses_newest_on_stream(self) -> None:
        """loses the newest message still on its way to the destination"""
        require(self.stream.broken)
        super().loses_newest_on_stream()

    def loses_newest_on_return_path(self) -> None:
        """loses the newest message still on its way to the source"""
        require(self.return_path.broken)
        super().loses_newest_on_return_path()


class RecoveringGuest(Guest):
    """Knows that copies can be thrown away before they are placed."""

    def threw_away(self, pages: PageSet) -> None:
        """Copies that waited for the rest of their host page have been thrown away."""
        self.stale_in_assembly -= pages


def recovering(state: View) -> bool:
    """Some host has not yet gone on after a break."""
    no = Recovering.NO
    return bool(state.stream.broken or state.source.recovery != no or state.destination.recovery != no)


@always("The network alone never costs a guest that runs at the destination", rules="R15", monitor=Outlived)
def network_costs_no_guest(state: View) -> bool:
    """No host has died, and the guest ran at the destination when the connection broke: recovery is made for this case.
    Yet now no host runs the guest, or it waits for a source that has given up."""
    destination = state.destination
    given_up = state.source.phase == Phase.FAILED and destination.recovery != Recovering.NO
    kept = destination.running and not given_up
    return not (state.Outlived.started and not state.Outlived.died) or bool(kept)


@always("A destination that pauses has a guest that runs")
def paused_means_running(state: View) -> bool:
    """The destination waits for a recovery, and has nothing to recover: the guest has never run here, and the source
    may have taken it back."""
    return bool(state.destination.recovery == Recovering.NO or state.destination.running)


@always("A source pauses only in postcopy", rules="R15")
def pauses_only_in_postcopy(state: View) -> bool:
    """The guest still runs at the source, so the migration could simply fail; instead it waits for a recovery that
    cannot come."""
    return bool(state.source.recovery == Recovering.NO or state.source.switched)


@every_step("Only the network breaks a new connection")
def new_connection_stays(step: Step) -> bool:
    """Recovery uses this connection, and a thread that means to close the old one closes it."""
    recovery = step.before.source.recovery
    if step.action.machine == "wire" or step.happened(Mishap.FAILURE):
        return True
    if recovery == Recovering.NO or recovery == Recovering.PAUSED or step.before.stream.broken:
        return True
    return not step.after.stream.broken


@every_step("No page is sent that the destination has or is about to get", rules="R10 R13")
def no_page_sent_in_vain(step: Step) -> Answer:
    """After a break a page may be sent again, but only one that was lost: this one has arrived and is not to be
    discarded, or is on its way, and the destination may have written to it since."""
    if step.sends(Command.PAGE) and step.before.source.phase == Phase.POSTCOPY:
        before = step.before
        copies = before.destination.present | before.pages_of(Role.LANDING) | before.copies_in_flight()
        kept = copies - before.stream.in_flight(Command.DISCARD)
        return step.sent(Command.PAGE) & (kept | before.stream.in_order(Command.PACKAGED, about(Command.PAGE)))
    return True


@every_step("In postcopy only what the destination lacks becomes dirty again", rules="R3 R10")
def dirtied_only_if_missing(step: Step) -> Answer:
    """The bitmap is rebuilt from what has arrived: this page has arrived, and would be sent over what the guest wrote
    to it since."""
    if step.before.source.phase < Phase.SWITCHING:
        return True
    grown = step.after.pages_of(Role.UNSENT) - step.before.pages_of(Role.UNSENT)
    return grown & step.before.destination.present


@always("When recovery is over no page is lost", rules="R10 R17 R24")
def no_page_lost_for_good(state: View) -> Answer:
    """The connection stands and both hosts go on; but the destination cannot get the last write of this page any
    more."""
    source = state.source
    over = source.phase < Phase.PRECOPY or source.phase > Phase.COMPLETED
    if over or recovering(state) or state.destination.state == State.FAILED:
        return True
    return lost_pages(state)


@always("When recovery is over no request is lost", rules="R12 R16 R19 R25")
def no_request_lost_for_good(state: View) -> Answer:
    """The connection stands and both hosts go on; but a thread at the destination sleeps until this page comes, and has
    not requested it on this connection."""
    if recovering(state) or state.source.phase > Phase.COMPLETED:
        return True
    return lost_requests(state)


@eventually("A migration that has left precopy ends, or waits for its operators", rules="R14 R15 R24")
def ends_or_waits_for_operators(state: View) -> LeadsTo:
    """The connection may break again and again, and operators are not obliged to act; but here a host neither ends nor
    pauses, so that an operator has nothing to do."""
    source, destination = state.source, state.destination
    source_waits = source.phase >= Phase.COMPLETED or source.recovery == Recovering.PAUSED
    paused = destination.recovery == Recovering.PAUSED or destination.recovery == Recovering.LISTENING
    destination_waits = paused or destination.state == State.END or destination.state == State.FAILED
    return LeadsTo(when=source.phase >= Phase.FINISHING, then=bool(source_waits and destination_waits))


@eventually("Every blocked vCPU runs again as long as a connection stands", rules="R16 R17 R22", monitor=Outlived)
def vcpus_run_again_after_a_break(state: View, cpu: Cpu) -> LeadsTo:
    """Both hosts have gone on after the break and nothing has failed since: this vCPU sleeps for ever all the same."""
    waiting = state.destination.waiting[cpu]
    excuse = recovering(state) or state.Outlived.died
    return LeadsTo(when=not waiting.empty and not excuse, then=waiting.empty or excuse)


@sometimes("The migration goes on after a break")
def goes_on(state: View) -> bool:
    """All the way through recovery."""
    return bool(state.wire.failed and not recovering(state) and state.source.phase == Phase.POSTCOPY)


@sometimes("The connection breaks again during recovery")
def breaks_again(state: View) -> bool:
    """Recovery has to survive it."""
    return bool(state.source.recovery == Recovering.RESUMING and state.stream.broken)


@sometimes("A migration completes after it was recovered", monitor=Outlived)
def completes_after_break(state: View) -> bool:
    """Without losing anything."""
    return bool(state.wire.failed and state.source.phase == Phase.COMPLETED and not state.Outlived.died)


class Recovery(Change):
    """A connection that breaks in postcopy costs nothing but time: both hosts pause, and go on over a new connection.

    Where it breaks while the destination still loads the package, or has ended and its SHUT is lost, the migration
    cannot go on.
    """

    origin = "QEMU 2018: edd090c728, f25d42253c, 13955b89ce; A02, A08, A11, A14"
    properties = (
        network_costs_no_guest,
        paused_means_running,
        pauses_only_in_postcopy,
        new_connection_stays,
        no_page_sent_in_vain,
        dirtied_only_if_missing,
        no_page_lost_for_good,
        no_request_lost_for_good,
        ends_or_waits_for_operators,
        vcpus_run_again_after_a_break,
        goes_on,
        breaks_again,
        completes_after_break,
    )
    invariant: ClassVar[tuple[Property, ...]] = RECOVERY_INVARIANT
    inapplicable = {  # noqa: RUF012
        "no-page-sent-twice": "what was lost with the connection is sent again: see no-page-sent-in-vain",
        "nothing-dirtied-after-switch": "the bitmap is rebuilt after a break: see dirtied-only-if-missing",
        "no-page-lost": "what was lost comes again after recovery: see no-page-lost-for-good",
        "no-request-lost": "what was lost is asked for again after recovery: see no-request-lost-for-good",
        "both-break-together": "a new connection is made in one direction after the other",
        "the-migration-ends": "after a break operators may never come: see ends-or-waits-for-operators",
    }
    stream = Postcopy.stream.extended(RecoveryCommand, reconnects=True)
    return_path = Postcopy.return_path.extended(RecoveryReply, reconnects=True)
    source = RecoveringSource
    destination = RecoveringDestination
    wire = RecoveringWire
    guest = RecoveringGuest

    @staticmethod
    def may_rest(state: View) -> bool:
        """Where the document's protocol may rest; or the source is paused, and the destination either waits for the
        operator to resume the migration, or is over."""
        if Postcopy.may_rest(state):
            return True
        paused = state.source.recovery == Recovering.PAUSED or state.source.phase > Phase.COMPLETED
        at_destination = state.destination.recovery
        waits = at_destination == Recovering.PAUSED or (
            at_destination == Recovering.LISTENING and state.stream.listening
        )
        over = state.destination.state == State.END or state.destination.state == State.FAILED
        return bool(paused and (waits or over))
