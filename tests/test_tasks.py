"""The tasks of a developer and of continuous integration: what they call is there, and they install what they need."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

import coverage_gate
from coverage_gate import Demands, Measured
from lowest_versions import lowest
from postcopy.export import spin

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[1]
RUN = (ROOT / ".ci/run").read_text()
README = (ROOT / "README.md").read_text()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
needs_make = pytest.mark.skipif(shutil.which("make") is None and "CI" not in os.environ, reason="make is not there")


def read_yaml(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


# continuous integration


def gitlab() -> tuple[str, list[str]]:
    job = read_yaml(".gitlab-ci.yml")["check"]
    return job["image"], [*job["before_script"], *job["script"]]


def github() -> tuple[str, list[str]]:
    job = read_yaml(".github/workflows/ci.yml")["jobs"]["check"]
    return job["container"]["image"], [line for step in job["steps"] for line in step.get("run", "").splitlines()]


@pytest.mark.parametrize("job", [gitlab, github], ids=["gitlab", "github"])
def test_a_service_installs_what_the_script_starts_with_and_calls_it(job: Any) -> None:
    image, commands = job()
    assert image == "debian:bookworm"  # its python3 is 3.11
    assert commands[-1] == ".ci/run"
    assert os.access(ROOT / ".ci/run", os.X_OK)
    (install,) = (shlex.split(command) for command in commands if " install " in command)
    assert {"python3", "python3-venv", "git", "ca-certificates"} <= set(install)


def test_github_runs_on_every_push_and_pull_request() -> None:
    text = read_yaml(".github/workflows/ci.yml")
    assert set(text[True]) == {"push", "pull_request"}  # YAML reads the word `on` as true


def test_both_services_allow_more_time_than_the_script_needs() -> None:
    assert read_yaml(".gitlab-ci.yml")["check"]["timeout"] == "45 minutes"
    assert read_yaml(".github/workflows/ci.yml")["jobs"]["check"]["timeout-minutes"] == 45


def test_the_script_is_shell() -> None:
    subprocess.run(["bash", "-n", str(ROOT / ".ci/run")], check=True)


def test_the_script_installs_every_program_that_the_tests_look_for() -> None:
    sources = [path for folder in ("src", "tests", "tools") for path in (ROOT / folder).rglob("*.py")]
    looked_for = set(re.findall(r'which\("([\w-]+)"\)', "\n".join(path.read_text() for path in sources)))
    looked_for |= set(programs_of_spin())
    assert {"dot", "chromium", "openssl", "make", "spin", "gcc"} <= looked_for
    assert looked_for <= set(re.findall(r"command -v ([\w-]+)", RUN))


def programs_of_spin() -> Iterator[str]:
    """The programs that are missing where nothing is there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")
        yield from spin.missing()


def test_every_package_that_is_imported_is_declared() -> None:
    project = PYPROJECT["project"]
    declared = {named(each) for each in (*project["dependencies"], *project["optional-dependencies"]["test"])}
    declared |= {"docutils", "markupsafe", "pygments"}  # what Sphinx and Jinja are made of, and let others import
    declared |= {"postcopy-mc"}
    files = [path for folder in ("src", "tests", "tools", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    own = {path.stem for path in files} | {path.parent.name for path in files}
    modules = {name.partition(".")[0] for path in files for name in imported(path)} - own - set(sys.stdlib_module_names)
    assert {"numpy", "yaml", "selenium", "z3"} <= modules
    distributions = packages_distributions()
    assert {
        module for module in modules if not declared & set(map(named, distributions.get(module, [module])))
    } == set()


def named(requirement: str) -> str:
    """The name of a package in its usual spelling, without a version."""
    return re.split(r"[^\w.-]", requirement)[0].lower().replace("_", "-")


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


@pytest.mark.parametrize("name", ["test_command", "check_command"])
def test_the_commands_of_the_readme_are_run(name: str) -> None:
    (command,) = re.findall(rf'^{name}="(.*)"$', RUN, re.MULTILINE)
    assert command in README.splitlines()
    assert f'eval "${{{name}/' in RUN


def test_the_script_runs_both_tiers_lint_types_and_coverage() -> None:
    lines = re.findall(r"^make ([^#\n]*)", RUN, re.MULTILINE)
    called = [word for line in lines for word in line.split() if not word.startswith("-")]
    assert sorted(called) == ["coverage-gate", "lint", "test-slow", "types"]
    measured = RUN[RUN.index("export COVERAGE_PROCESS_START=") : RUN.index("unset COVERAGE_PROCESS_START")]
    assert 'eval "${test_command/' in measured
    assert "coverage-gate" in (ROOT / "Makefile").read_text().partition("\ncoverage:")[2].partition("\n\n")[0]


# tasks


@needs_make
def test_every_task_is_listed_and_calls_what_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    make = ["make", "-C", str(ROOT), "--no-print-directory"]
    listed = subprocess.run([*make, "help"], check=True, capture_output=True, text=True).stdout
    assert [line.split()[0] for line in listed.splitlines()] == phony.split()
    for task in phony.split():
        planned = subprocess.run([*make, "-n", task], check=True, capture_output=True, text=True).stdout
        assert planned
        for path in re.findall(r"python ([\w/]+\.py)", planned):
            assert (ROOT / path).exists()
        for module in re.findall(r"PYTHONPATH=tools python -m ([\w.]+)", planned):
            place = ROOT / "tools" / module.replace(".", "/")
            assert place.with_suffix(".py").exists() or (place / "__main__.py").exists()


def test_the_tiers_are_those_that_the_pages_name() -> None:
    assert "-m 'not slow'" in PYPROJECT["tool"]["pytest"]["ini_options"]["addopts"]
    assert "`pytest -m ''`" in README


SLOW_BUT = """
import pytest

@pytest.mark.slow_but({names})
@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_each(name): ...

@pytest.mark.slow
def test_slow(): ...

def test_fast(): ...

@pytest.mark.slow(first=True)
def test_slowest(): ...
"""

ONE_IN = """
import pytest

@pytest.mark.one_in(3)
@pytest.mark.slow_but("b")
@pytest.mark.parametrize("name", ["a", "b", "c", "d", "e", "f"])
def test_each(name): ...

@pytest.mark.one_in(2)
@pytest.mark.slow
@pytest.mark.parametrize("name", ["a", "b"])
def test_other(name): ...
"""


@pytest.mark.parametrize(
    ("names", "expression", "run"),
    [
        ("'a'", "not slow", {"test_each[a]", "test_fast"}),
        ("'a'", "slow", {"test_each[b]", "test_each[c]", "test_slow", "test_slowest"}),
        ("'a', 'b'", "", {"test_each[a]", "test_each[b]", "test_each[c]", "test_slow", "test_fast", "test_slowest"}),
        ("'a', 'd'", "not slow", None),
    ],
)
def test_slow_tests_run_only_when_asked_for(names: str, expression: str, run: set[str] | None, tmp_path: Path) -> None:
    done = chosen(SLOW_BUT.format(names=names), expression, tmp_path)
    if run is None:
        assert "slow_but names parameters that are not there: {'test_some.py::test_each': {'d'}}" in done.stderr
    else:
        ran = re.findall(r"::(\S+) PASSED", done.stdout)
        assert set(ran) == run
        assert (ran[0] == "test_slowest") is ("test_slowest" in run)
        assert ("The slow tests were left out" in done.stdout) is (expression == "not slow")


@pytest.mark.parametrize(
    ("expression", "run"),
    [
        ("not slow", {"test_each[b]"}),
        ("slow and not long", {"test_each[a]", "test_each[e]", "test_other[a]"}),
        ("long", {"test_each[c]", "test_each[d]", "test_each[f]", "test_other[b]"}),
    ],
)
def test_of_many_parameters_some_are_not_long(expression: str, run: set[str], tmp_path: Path) -> None:
    done = chosen(ONE_IN, expression, tmp_path)
    assert set(re.findall(r"::(\S+) PASSED", done.stdout)) == run


UNMEASURED = """
import subprocess, sys

import pytest
from called import first, fourth, second

def test_measured():
    first()

@pytest.mark.unmeasured
def test_unmeasured():
    second()
    subprocess.run([sys.executable, "-c", "import called; called.third()"], check=True)

def test_measured_again():
    fourth()
    subprocess.run([sys.executable, "-c", "import called; called.fifth()"], check=True)
"""


def test_what_an_unmeasured_test_runs_is_no_part_of_the_coverage(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests/conftest.py", tmp_path)
    (tmp_path / "test_some.py").write_text(UNMEASURED)
    names = ("first", "second", "third", "fourth", "fifth")
    (tmp_path / "called.py").write_text("".join(f"def {name}():\n    print({name!r})\n" for name in names))
    settings = {**PYPROJECT["tool"]["coverage"]["run"], "source": ["."]}
    (tmp_path / ".coveragerc.toml").write_text(
        "[tool.coverage.run]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    for command in (
        ["run", "-m", "pytest", "-p", "no:cacheprovider", "-o", "addopts=", "-o", "markers=unmeasured", "-s"],
        ["combine", "-q"],
        ["json", "-q", "-o", "found.json"],
    ):
        subprocess.run([sys.executable, "-m", "coverage", *command], cwd=tmp_path, env=clean, check=True)
    found = json.loads((tmp_path / "found.json").read_text())["files"]["called.py"]["functions"]
    assert {name for name in names if found[name]["executed_lines"]} == {"first", "fourth", "fifth"}


def chosen(tests: str, expression: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Tests run by an expression, with the tiers of this project."""
    shutil.copy(ROOT / "tests/conftest.py", directory)
    (directory / "test_some.py").write_text(tests)
    markers = "markers=slow\nslow_but\none_in\nlong"
    options = ["-p", "no:cacheprovider", "-o", "addopts=", "-o", markers, "--strict-markers", "-v"]
    command = [sys.executable, "-m", "pytest", *options, "-m", expression, str(directory)]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


# before a commit


def hooks() -> list[dict[str, Any]]:
    (repository,) = read_yaml(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    found: list[dict[str, Any]] = repository["hooks"]
    return found


def test_hooks_fetch_nothing_and_are_the_checks_of_the_script() -> None:
    assert {hook["language"] for hook in hooks()} == {"system"}
    makefile = (ROOT / "Makefile").read_text()
    for hook in hooks():
        words = [word for word in hook["entry"].split() if word != "--force-exclude"]
        assert re.search(rf"^\t{' '.join(words)}\b", makefile, re.MULTILINE), hook["id"]


@pytest.mark.parametrize("hook", hooks(), ids=lambda hook: hook["id"])
def test_a_hook_refuses_a_file_with_a_fault(hook: dict[str, Any], tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.py", tmp_path / "good.py"
    bad.write_text('"""."""\nimport os\nx: int  =  "text"\n')
    good.write_text('"""."""\n\nx: int = 1\n')
    command = [*hook["entry"].split(), "--config" if "ruff" in hook["entry"] else "--config-file", "pyproject.toml"]
    for file, refused in ((bad, True), (good, False)):
        done = subprocess.run([*command, str(file)], cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode == 1) is refused, done.stdout + done.stderr


# coverage

DEMANDS = Demands(90, 95, ["engine/*.py"], ["engine/*_host.py"], {"loop.py": "compiled"})


def test_what_is_not_covered_is_said() -> None:
    files = {
        "a.py": Measured(10, 8),
        "b.py": Measured(10, 9),
        "engine/core.py": Measured(100, 99),
        "engine/a_host.py": Measured(100, 99),
        "loop.py": Measured(10, 1),
        "empty.py": Measured(0, 0),
    }
    assert coverage_gate.complaints(files, DEMANDS) == [
        "a.py: 80.0 % is covered, 90 % is needed",
        "engine/core.py: 99.0 % is covered, 100 % is needed",
    ]


def test_a_reason_that_is_not_needed_is_said() -> None:
    assert coverage_gate.complaints({"loop.py": Measured(100, 95)}, DEMANDS) == [
        "loop.py: has a reason in pyproject.toml, and needs none: 95.0 %"
    ]
    assert coverage_gate.complaints({"loop.py": Measured(100, 94)}, DEMANDS) == []
    assert coverage_gate.complaints({}, DEMANDS) == ["loop.py: has a reason in pyproject.toml, and does not exist"]


def test_what_is_measured_is_shown_by_room_with_the_reasons() -> None:
    summary = {
        "num_statements": 6,
        "num_branches": 4,
        "covered_lines": 5,
        "covered_branches": 3,
        "percent_covered": 80.0,
    }
    report = {"files": {f"src/postcopy/{path}": {"summary": summary} for path in ("a/x.py", "a/y.py", "loop.py")}}
    files = coverage_gate.read_report(report)
    assert files["a/x.py"] == Measured(10, 8)
    assert coverage_gate.text(files, DEMANDS).splitlines() == [
        "  80.0 %  a",
        "  80.0 %  loop",
        "  80.0 %  all",
        "",
        "fewer than 90 % in some runs, and why:",
        "  80.0 %  loop.py: compiled",
    ]


def test_the_demands_are_about_files_that_exist() -> None:
    demands = coverage_gate.read_demands()
    package = ROOT / coverage_gate.PACKAGE
    for pattern in (*demands.complete, *demands.incomplete, *demands.below):
        assert list(package.glob(pattern)), pattern
    assert coverage_gate.is_complete("engine/wire.py", demands)
    assert not coverage_gate.is_complete("engine/source_host.py", demands)


def test_the_lowest_versions_are_those_of_the_project() -> None:
    pinned = lowest(PYPROJECT["project"]["dependencies"])
    assert [each.replace("==", ">=") for each in pinned] == PYPROJECT["project"]["dependencies"]
    assert "typer==0.28" in pinned, "0.12.0 to 0.12.3 did not start, earlier ones have no typer.TyperException"
    for wrong in ("typer", "typer>0.1", "typer>=0.1,<2"):
        with pytest.raises(ValueError, match="write NAME>=VERSION"):
            lowest([wrong])
