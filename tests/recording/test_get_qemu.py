"""`tools/get-qemu` asks apt for another suite of the distribution, and for nothing else that the system knows."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "get-qemu"

ONE_LINE = """
# deb http://commented.invalid/debian bookworm main
deb http://one.invalid/debian bookworm main contrib
deb [arch=amd64 signed-by=/keys/two.gpg] http://two.invalid/debian bookworm main
deb-src http://source.invalid/debian bookworm main
deb http://security.invalid/debian bookworm-security main
deb https://other.invalid/apt other-bookworm main
"""
STANZAS = """Types: deb deb-src
# a comment
URIs: http://three.invalid/debian http://four.invalid/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /keys/three.gpg

Types: deb
URIs: http://other.invalid/node
Suites: nodistro
Components: main
"""


class System:
    """A system with apt's configuration, and programs that stand for apt's: they keep what they are asked."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "apt" / "sources.list.d").mkdir(parents=True)
        (directory / "os-release").write_text("VERSION_CODENAME=bookworm\n")
        self.programs = directory / "bin"
        self.programs.mkdir()
        self.program(
            "apt-get", 'for o in "$@"; do case $o in Dir::Etc::SourceList=*) cat "${o#*=}";; esac; done; exit 0'
        )
        self.program("apt-cache", 'echo "qemu-system-x86 | 1:11.1.3+ds-1 | x"; echo "qemu-system-x86 | 1:10.0.8 | x"')
        self.program("dpkg-deb", "exit 0")

    def program(self, name: str, text: str) -> None:
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def get(self, *arguments: str, suites: str = "trixie-backports") -> subprocess.CompletedProcess[str]:
        path = f"{self.programs}:{os.environ['PATH']}"
        env = {**os.environ, "PATH": path, "ETC": str(self.directory), "SUITES": suites}
        return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, env=env, check=False)


@pytest.fixture
def system(tmp_path: Path) -> System:
    return System(tmp_path)


def test_the_sources_are_the_systems_with_another_suite(system: System, tmp_path: Path) -> None:
    (tmp_path / "apt" / "sources.list").write_text(ONE_LINE)
    (tmp_path / "apt" / "sources.list.d" / "debian.sources").write_text(STANZAS)
    said = system.get("9.9", str(tmp_path / "qemu"))
    expected = [
        "deb  http://one.invalid/debian SUITE main contrib",
        "deb [arch=amd64 signed-by=/keys/two.gpg] http://two.invalid/debian SUITE main",
        "deb [signed-by=/keys/three.gpg] http://three.invalid/debian SUITE main",
        "deb [signed-by=/keys/three.gpg] http://four.invalid/debian SUITE main",
    ]
    found = [line for line in said.stderr.splitlines() if line.startswith("deb")]
    assert found == [line.replace("SUITE", suite) for suite in ("trixie", "trixie-backports") for line in expected]
    assert said.returncode == 2
    assert said.stderr.splitlines()[-1] == "get-qemu: none of the suites trixie-backports has QEMU 9.9"


@pytest.mark.parametrize(
    ("version", "found"), [("11.1", "1:11.1.3+ds-1"), ("11.1.3", "1:11.1.3+ds-1"), ("10.0", "1:10.0.8"), ("1.1", "")]
)
def test_a_version_is_found_by_its_beginning(version: str, found: str, system: System, tmp_path: Path) -> None:
    (tmp_path / "apt" / "sources.list").write_text(ONE_LINE)
    said = system.get(version, str(tmp_path / "qemu"), suites="sid")
    assert (f"get-qemu: {found} of sid" in said.stderr) == bool(found)
    assert ("none of the suites sid has" in said.stderr) == (not found)


@pytest.mark.parametrize("arguments", [(), ("latest",), ("11",), ("11.1;rm",)])
def test_a_version_is_asked_for(arguments: tuple[str, ...], system: System) -> None:
    said = system.get(*arguments)
    assert (said.returncode, said.stdout) == (2, "")
    assert "usage: tools/get-qemu VERSION" in said.stderr


def test_without_sources_there_is_nothing_to_derive_from(system: System, tmp_path: Path) -> None:
    said = system.get("11.1", str(tmp_path / "qemu"))
    assert said.returncode == 2
    assert "apt has no source for bookworm" in said.stderr


def test_what_is_there_is_not_fetched_again(system: System, tmp_path: Path) -> None:
    there = tmp_path / "qemu"
    there.mkdir()
    (there / "qemu-system-x86_64").write_text("#!/bin/sh\necho QEMU\n")
    (there / "qemu-system-x86_64").chmod(0o755)
    said = system.get("11.1", str(there))
    assert (said.returncode, said.stdout) == (0, f"{there}/qemu-system-x86_64\n")
