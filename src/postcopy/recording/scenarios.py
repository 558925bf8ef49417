"""What can be recorded: each scenario is a setting of two QEMUs, and what is done to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple

from postcopy.recording.pair import CAPABILITIES, Pair, Setting

MIB = 1 << 20
CONVERGING = {"max-bandwidth": 1 << 40, "downtime-limit": 2000}


def _default(pair: Pair) -> None:
    pair.migrate()
    pair.wait(2)
    pair.switch()
    pair.end()


def _immediate(pair: Pair) -> None:
    pair.migrate()
    pair.switch()
    pair.end()


def _precopy(pair: Pair) -> None:
    pair.migrate()
    pair.end()


def _recover(pair: Pair) -> None:
    pair.migrate()
    pair.wait(2)
    pair.switch()
    pair.wait(0.5)
    pair.proxy.cut()
    pair.recover()
    pair.end()


def _lossy_recover(pair: Pair) -> None:
    pair.migrate()
    pair.wait(2)
    pair.switch()
    pair.wait(0.5)
    pair.proxy.hold("destination")
    pair.wait(0.2)
    pair.proxy.cut()
    pair.recover()
    pair.end()


def _cancel(pair: Pair) -> None:
    pair.migrate()
    pair.wait(1)
    pair.source("migrate_cancel")
    pair.end()


def _kill(pair: Pair) -> None:
    pair.migrate()
    pair.wait(1)
    pair.kill("destination")
    pair.end()


def _missing_device(pair: Pair) -> None:
    pair.migrate()
    pair.wait(1)
    pair.source("migrate-start-postcopy")
    pair.source.status("postcopy-paused", "failed")


class Scenario(NamedTuple):
    """One of them.

    Attributes:
        about: what happens, in a sentence.
        steps: does it, from the start of the migration to its end.
        vcpus: how many vCPUs the guest has.
        capabilities: those of migration that it needs.
        source_only: those of them that the destination does not have.
        optional: those that are switched on where QEMU has them.
        arguments: more for QEMU's command line.
        source_arguments: more for the source's.
        parameters: of migration, in place of the usual ones.
        throttled: the proxy limits the bandwidth, so that QEMU does not delay what is asked for.
    """

    about: str
    steps: Callable[[Pair], None]
    vcpus: int = 1
    capabilities: tuple[str, ...] = CAPABILITIES
    source_only: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    source_arguments: tuple[str, ...] = ()
    parameters: Mapping[str, int] = {}
    throttled: bool = False


class ScenarioName(StrEnum):
    """The scenarios."""

    DEFAULT = "default"
    IMMEDIATE = "immediate"
    PRECOPY = "precopy"
    PREEMPT = "preempt"
    RECOVER = "recover"
    LOSSY_RECOVER = "lossy-recover"
    MULTIFD = "multifd"
    CONFIGURATION = "configuration"
    CANCEL = "cancel"
    KILL = "kill"
    REFUSED = "refused"
    MISSING_DEVICE = "missing-device"
    FOUR_VCPUS = "four-vcpus"
    THROTTLED = "throttled"


SCENARIOS: Mapping[ScenarioName, Scenario] = {
    ScenarioName.DEFAULT: Scenario("Two seconds of precopy, then postcopy.", _default),
    ScenarioName.IMMEDIATE: Scenario("Postcopy at once.", _immediate),
    ScenarioName.PRECOPY: Scenario("Precopy comes to its end.", _precopy, parameters=CONVERGING),
    ScenarioName.PREEMPT: Scenario(
        "A second connection for the pages that are asked for.",
        _default,
        4,
        capabilities=(*CAPABILITIES, "postcopy-preempt"),
    ),
    ScenarioName.RECOVER: Scenario("The connection breaks in postcopy, and the migration is resumed.", _recover),
    ScenarioName.LOSSY_RECOVER: Scenario("The same, and what was under way is lost.", _lossy_recover),
    ScenarioName.MULTIFD: Scenario(
        "Pages of precopy go through two more connections.",
        _default,
        capabilities=(*CAPABILITIES, "multifd"),
        parameters={"multifd-channels": 2},
    ),
    ScenarioName.CONFIGURATION: Scenario(
        "Precopy alone; the stream has the guest's number, its capabilities and addresses of memory in it.",
        _precopy,
        capabilities=("return-path", "events", "x-ignore-shared", "validate-uuid"),
        parameters=CONVERGING,
        optional=("switchover-ack",),
        arguments=("-uuid", "3f1c9f0e-6a0b-4c5e-9b1d-2f7a8c4d5e6f"),
    ),
    ScenarioName.CANCEL: Scenario("The operator cancels in precopy.", _cancel),
    ScenarioName.KILL: Scenario("The destination is killed in precopy.", _kill),
    ScenarioName.REFUSED: Scenario(
        "The destination does not have the capability for postcopy, and refuses.",
        _precopy,
        source_only=("postcopy-ram",),
    ),
    ScenarioName.MISSING_DEVICE: Scenario(
        "The destination lacks a device, so that it cannot load the package.",
        _missing_device,
        source_arguments=("-device", "virtio-rng-pci"),
    ),
    ScenarioName.FOUR_VCPUS: Scenario("The guest has four vCPUs.", _default, 4),
    ScenarioName.THROTTLED: Scenario(
        "The connection is slow, and QEMU does not limit itself.", _default, 4, throttled=True
    ),
}


def setting_of(scenario: Scenario, memory: int) -> Setting:
    """The setting for a guest with so many MiB of memory, of which it writes half.

    A pass over that takes two seconds in precopy, and four in postcopy; a guest that writes cannot converge in precopy.
    """
    bandwidth = memory * MIB // 4
    usual = {"max-bandwidth": bandwidth, "max-postcopy-bandwidth": bandwidth // 2, "downtime-limit": 1}
    if scenario.throttled:
        usual |= {"max-bandwidth": 8 * bandwidth, "max-postcopy-bandwidth": 0}
    return Setting(
        memory=memory,
        vcpus=scenario.vcpus,
        delay=max(100, 8000 // memory),
        capabilities=scenario.capabilities,
        source_only=scenario.source_only,
        optional=scenario.optional,
        arguments=scenario.arguments,
        source_arguments=scenario.source_arguments,
        parameters={**usual, **scenario.parameters},
        rate=bandwidth if scenario.throttled else None,
    )
