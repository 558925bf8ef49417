"""The wheel alone, in an environment of its own outside of the checkout: its commands work, and its pages are with it.

What it depends on is taken from the environment of the tests, so that nothing is fetched. `tools/fresh_environment`
does the same with everything from a registry, and measures it.
"""

from __future__ import annotations

import os
import site
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = {page.relative_to(ROOT).as_posix() for page in (ROOT / "docs").rglob("*.md")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(target)]
    subprocess.run([*pip, str(ROOT)], check=True, capture_output=True)
    (built,) = target.glob("postcopy_mc-*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the programs of an environment in which the wheel is installed."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    programs = folder / "bin"
    subprocess.run([programs / "pip", "install", "-q", "--no-deps", str(wheel)], check=True, capture_output=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    return programs


def run(environment: Path, folder: Path, command: str, code: int = 0) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))}
    done = subprocess.run(
        [str(environment / "postcopy"), *command.split()],
        cwd=folder,
        env={**clean, "POSTCOPY_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == code, (command, done.stderr[-2000:])
    return done.stdout


@pytest.mark.slow
def test_the_wheel_has_its_pages_and_no_more_than_it_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name.removeprefix("postcopy/") for name in names if name.endswith(".md")} == PAGES
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"postcopy", "postcopy_mc"}
    assert wheel.stat().st_size < 3_000_000


@pytest.mark.slow
def test_the_commands_of_a_wheel_work_outside_of_the_checkout(environment: Path, tmp_path: Path) -> None:
    where = "import postcopy; print(postcopy.__file__)"
    found = subprocess.run(
        [str(environment / "python"), "-I", "-c", where], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert str(environment.parent) in found.stdout
    assert "postcopy 0" in run(environment, tmp_path, "--version")
    assert run(environment, tmp_path, "docs language") == (ROOT / "docs/language.md").read_text(encoding="utf-8")
    assert len(run(environment, tmp_path, "docs").splitlines()) > 70
    assert "no-discards" in run(environment, tmp_path, "list faults")
    assert "properties" in run(environment, tmp_path, "schema check")
    run(environment, tmp_path, "new my_change.py")
    run(environment, tmp_path, "check my_change.py --pages 1 --in-flight 1 --report page.html", 11)
    assert "Counterexample to" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "holds" in run(environment, tmp_path, "check --pages 1 --in-flight 1")
    run(environment, tmp_path, "check --pages 1 --in-flight 1 --fault no-discards --trace run.svg --force", 12)


@pytest.mark.slow
def test_pytest_finds_the_plugin_of_a_wheel(environment: Path, tmp_path: Path) -> None:
    names = "from importlib.metadata import entry_points; print([e.value for e in entry_points(group='pytest11')])"
    found = subprocess.run(
        [str(environment / "python"), "-I", "-c", names], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert "postcopy.testing.plugin" in found.stdout
