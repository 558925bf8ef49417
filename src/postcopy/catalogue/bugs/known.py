"""The record of a known bug. Imports nothing of the project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

COMMITS = {
    "QEMU": "https://gitlab.com/qemu-project/qemu/-/commit/{}",
    "Linux": "https://git.kernel.org/torvalds/c/{}",
    "libvirt": "https://gitlab.com/libvirt/libvirt/-/commit/{}",
    "CRIU": "https://github.com/checkpoint-restore/criu/commit/{}",
    "Cloud Hypervisor": "https://github.com/cloud-hypervisor/cloud-hypervisor/commit/{}",
}
"""Where a project shows a commit."""


class Fix(NamedTuple):
    """A commit that mends a bug, or a part of it.

    Attributes:
        commit: the start of its hash.
        release: the first release with it; empty where this was not looked up, or where there is none.
        project: whose commit it is.
    """

    commit: str
    release: str
    project: str = "QEMU"

    @property
    def url(self) -> str:
        """A link to the commit."""
        return COMMITS[self.project].format(self.commit)


@dataclass(frozen=True)
class KnownBug:
    """A bug that a project has had, or a suspicion that its source raises.

    Attributes:
        code: what the model, the docs and the stories call it.
        title: a few words.
        years: when it was mended or reported; empty where this was not looked up.
        about: the rules of the document, or the part of the protocol, that it concerns.
        wrong: what went wrong, and how.
        mended: what was done about it.
        fixes: the commits; empty where only a report is known.
        report: a report or discussion, where there is one.
        absent: why nothing in this repository models it; empty where something does.
    """

    code: str
    title: str
    years: str
    about: str
    wrong: str
    mended: str
    fixes: tuple[Fix, ...] = ()
    report: str = ""
    absent: str = ""
