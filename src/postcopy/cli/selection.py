"""What is checked and how, as records of options that several commands share. Typer is not needed to make one: it may
be told of them by `taking`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from postcopy.api.asking import NamedProtocol, instance_of
from postcopy.api.check_settings import reductions_of
from postcopy.catalogue.loading import load
from postcopy.explorer.kernel.canonical_form import Reduction
from postcopy.language.instance import Instance
from postcopy.language.protocol import Protocol

if TYPE_CHECKING:
    from postcopy.cli.options import (
        BugName,
        ChangeName,
        FaultName,
        HostPage,
        InFlight,
        NoSymmetry,
        Pages,
        PropertyNames,
        ResetDead,
        Target,
        VcpuSymmetry,
    )


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The options that name a protocol: at most one of them is given."""

    target: Target = None
    fault: FaultName = None
    change: ChangeName = None
    bug: BugName = None

    def load(self) -> NamedProtocol:
        """The protocol, and its name in traces and reports (see `postcopy.catalogue.loading.load`)."""
        return NamedProtocol(*load(self.target, self.fault, self.change, self.bug))


@dataclass(frozen=True, kw_only=True)
class Question(Selection):
    """A protocol, the size at which it is asked, and properties."""

    pages: Pages = 2
    in_flight: InFlight = 2
    host_page: HostPage = None
    properties: PropertyNames = None

    def instance(self, protocol: type[Protocol], *, liveness: bool) -> Instance:
        """The protocol at its size with the properties that are asked.

        Args:
            protocol: as `load` gave it.
            liveness: properties of whole runs are asked too.

        Raises:
            UsageError: the size does not fit; there is no such property; or one of whole runs is asked for by name,
                where only states and steps are looked at.
        """
        asked = self.properties or []
        return instance_of(protocol, self.pages, self.in_flight, self.host_page, asked, liveness=liveness)


@dataclass(frozen=True, kw_only=True)
class PageSymmetry:
    """The reduction of small searches."""

    no_symmetry: NoSymmetry = False

    def reductions(self) -> tuple[Reduction, ...]:
        """What is done to store fewer states."""
        return reductions_of(symmetry=not self.no_symmetry, vcpu_symmetry=False, reset_dead=False)


@dataclass(frozen=True, kw_only=True)
class AllReductions(PageSymmetry):
    """An option for each reduction."""

    vcpu_symmetry: VcpuSymmetry = False
    reset_dead: ResetDead = False

    def reductions(self) -> tuple[Reduction, ...]:
        """What is done to store fewer states."""
        return reductions_of(
            symmetry=not self.no_symmetry, vcpu_symmetry=self.vcpu_symmetry, reset_dead=self.reset_dead
        )
