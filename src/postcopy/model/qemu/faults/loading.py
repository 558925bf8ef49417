"""Faults of the destination's main thread: the stream before the package, the package, and the guest's start."""

from postcopy.language import require
from postcopy.model.destination import Main, State
from postcopy.model.guest import Mishap
from postcopy.model.network import Command
from postcopy.model.qemu.faults.fault import PREEMPT, QemuFault
from postcopy.model.qemu.mends import Qemu11Mended
from postcopy.model.qemu.states import DiscardState, Listen, Loading


class NeverAnswersPing(QemuFault):
    """A PING is read and not answered."""

    step, expects, terms = "D4", "postcopy-comes", PREEMPT

    class destination(Qemu11Mended.destination):
        """Says nothing."""

        def answers_ping(self) -> None:
            """reads the ping"""
            require(self.main == Main.STREAM)
            self.stream.receive(Command.PING)


class AdvisedWithoutSupport(QemuFault):
    """ADVISE is taken by a host that cannot do postcopy."""

    step, expects = "D5", "postcopy-where-supported"

    class destination(Qemu11Mended.destination):
        """Does not look at its host."""

        def _can_do_postcopy(self) -> bool:
            return True


class StaysLocked(QemuFault):
    """Guest memory that is to be locked stays so: locking faults every page in."""

    step, expects = "D5", "no-stale-read"

    class destination(Qemu11Mended.destination):
        """Unlocks nothing."""

        def _prepare_memory(self) -> None:
            """Leaves it."""


class DropsPrecopyPages(QemuFault):
    """A page of precopy is read and not loaded."""

    step, expects = "D6", "no-page-is-lost"

    class destination(Qemu11Mended.destination):
        """Throws it away."""

        def loads_precopy_page(self) -> None:
            """reads a page of precopy, and forgets it"""
            before = self.present
            super().loads_precopy_page()
            self.present = before


class DiscardsNothing(QemuFault):
    """DISCARD is read, and memory stays."""

    step, expects = "D7", "nothing-stale-at-start"

    class destination(Qemu11Mended.destination):
        """Drops no page."""

        def discards(self) -> None:
            """reads the discards"""
            require(self.main == Main.STREAM)
            require(self.state == State.ADVISE)
            self.stream.receive(Command.DISCARD)
            self.state = DiscardState.DISCARD


class PackageBeforeTheFastChannel(QemuFault):
    """With preempt the package is read before that channel is there."""

    step, expects, terms = "D8", "no-deadlock", PREEMPT

    class destination(Qemu11Mended.destination):
        """Does not wait."""

        def reads_package(self) -> None:
            """reads the whole package into memory"""
            require(self.main == Main.STREAM)
            require(self.state == State.ADVISE or self.state == DiscardState.DISCARD)
            self.stream.receive(Command.PACKAGED)
            self.main = Main.PACKAGE


class StartsNoListenThread(QemuFault):
    """LISTEN starts no listen thread."""

    step, expects = "D9", "no-deadlock"

    class destination(Qemu11Mended.destination):
        """Has no reader of the stream."""

        def starts_threads(self) -> None:
            """makes memory sensitive to access"""
            super().starts_threads()
            self.listener = Listen.NONE


class ListensInsensitive(QemuFault):
    """LISTEN does not register memory with userfaultfd."""

    step, expects = "D9", "no-stale-device-read"

    class destination(Qemu11Mended.destination):
        """Reads zeros."""

        def starts_threads(self) -> None:
            """starts the threads of postcopy"""
            super().starts_threads()
            self.sensitive = False


class LoadsWithoutItsPage(QemuFault):
    """The load of the devices goes on before the page that it has touched is there."""

    step, expects = "D11", "device-load-has-its-page"

    class destination(Qemu11Mended.destination):
        """Does not sleep."""

        def finishes_device_load(self) -> None:
            """has loaded the devices, whatever page it waits for"""
            require(self.main == Main.DEVICES)
            self.devices_loaded = True
            self.main = Loading.ANSWERING


class LoadFailureUnmarked(QemuFault):
    """A load of the devices that fails leaves no mark: the main thread leaves, and the listen thread reads on."""

    step, expects = "D11", "no-deadlock"

    class destination(Qemu11Mended.destination):
        """Says nothing."""

        def device_load_fails(self) -> None:
            """cannot load a device, and leaves"""
            require(self.main == Main.DEVICES)
            require(self.device_waiting.empty)
            self.observe(Mishap.FAILURE)
            self.main = Main.LEFT


class NeverSaysThatItIsLoaded(QemuFault):
    """The PING behind the devices is not answered."""

    step, expects = "D12", "no-deadlock"

    class destination(Qemu11Mended.destination):
        """Says nothing."""

        def answers_ping_of_package(self) -> None:
            """reads the PING behind the devices"""
            require(self.main == Loading.ANSWERING)
            self.main = Main.RUN


class SaysLoadedBeforeItIs(QemuFault):
    """The PONG goes out in front of the load of the devices, and not behind it."""

    step, expects = "D12", "paused-can-resume"

    class destination(Qemu11Mended.destination):
        """Answers first."""

        def starts_threads(self) -> None:
            """makes memory sensitive to access and starts the threads of postcopy"""
            super().starts_threads()
            self.main = Loading.ANSWERING

        def answers_ping_of_package(self) -> None:
            """answers the PING, and loads the devices then"""
            super().answers_ping_of_package()
            self.main = Main.DEVICES

        def finishes_device_load(self) -> None:
            """has loaded the devices: RUN is next"""
            super().finishes_device_load()
            self.main = Main.RUN


class NeverStoresRunning(QemuFault):
    """RUN starts the guest, and the state stays LISTENING."""

    step, expects = "D13", "guest-lost-only-with-host"

    class destination(Qemu11Mended.destination):
        """Stores nothing."""

        def stores_running(self) -> None:
            """schedules the guest's start, and leaves"""
            require(self.main == Loading.RUNNING)
            self.run_is_due = True
            self.main = Main.LEFT


class StaysAfterRun(QemuFault):
    """The main thread does not say that it has left."""

    step, expects = "D14", "no-deadlock"

    class destination(Qemu11Mended.destination):
        """Is still there."""

        def stores_running(self) -> None:
            """stores the state RUNNING, schedules the guest's start, and goes on with the stream"""
            super().stores_running()
            self.main = Main.STREAM


class NeverSchedulesTheStart(QemuFault):
    """RUN stores the state, and does not schedule the guest's start."""

    step, expects = "D15", "the-guest-runs-again"

    class destination(Qemu11Mended.destination):
        """Has no bottom half."""

        def stores_running(self) -> None:
            """stores the state RUNNING, and leaves"""
            super().stores_running()
            self.run_is_due = False


class StartsWithTheSourcesDisk(QemuFault):
    """The guest is started whether the disk can be had or not."""

    step, expects = "D15", "no-two-guests"

    class destination(Qemu11Mended.destination):
        """Does not look at the disk."""

        def _lock_disk(self) -> bool:
            return True
