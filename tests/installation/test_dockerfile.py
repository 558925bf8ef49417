"""The Dockerfile's steps, as far as they go without Docker: in folders and an environment of their own.

Not shown here: that the image's base is there, and that packages come from a registry.
"""

from __future__ import annotations

import re
import shlex
import site
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def instructions(name: str) -> list[str]:
    return [line.partition(" ")[2] for line in LINES if line.startswith(f"{name} ")]


def test_it_starts_from_a_python_that_the_project_supports_and_runs_its_command() -> None:
    versions = {re.match(r"python:(3\.\d+)-slim", image).group(1) for image in instructions("FROM")}  # type: ignore[union-attr]
    assert len(versions) == 1
    assert f"Programming Language :: Python :: {versions.pop()}" in PROJECT["classifiers"]
    assert instructions("ENTRYPOINT") == ['["postcopy"]']
    assert "postcopy" in PROJECT["scripts"]
    assert instructions("USER") == ["postcopy"]


def test_what_git_ignores_is_not_sent_to_docker() -> None:
    ignored = set((ROOT / ".dockerignore").read_text(encoding="utf-8").split())
    assert {".git", "build", "dist", ".venv"} <= ignored


@pytest.mark.slow
def test_its_steps_install_the_command(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    (packages,) = tmp_path.glob("venv/lib/python*/site-packages")
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")  # in place of a registry
    (tmp_path / "checkout").symlink_to(ROOT)
    for step in instructions("RUN"):
        for command in step.split(" && "):
            if command.startswith("useradd"):
                continue
            here = re.sub(r"(?<= )/(checkout|wheel)\b", lambda found: str(tmp_path / found[1]), command)
            offline = here.replace("pip wheel ", "pip wheel --no-build-isolation ")
            offline = offline.replace("pip install ", "pip install --no-deps ")
            script = f"PATH={shlex.quote(str(tmp_path / 'venv/bin'))}:$PATH; {offline}"
            done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
            assert not done.returncode, (command, done.stderr)
    assert not (tmp_path / "wheel").exists()
    version = subprocess.run(
        [str(tmp_path / "venv/bin/postcopy"), "--version"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert version.stdout == f"postcopy {PROJECT['version']}\n"
