"""The templates of contrib/suite do what they say: their scripts run here, but for what needs a network."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from tests.suites.test_command import SMALL, STUCK, TINY

FOLDER = Path(__file__).parents[2] / "contrib/suite"
NETWORK = re.compile(r"(python -m )?pip install ")

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a suite and a `postcopy` on the path: this one."""
    project, programs = tmp_path / "project", tmp_path / "bin"
    for folder in (project, programs):
        folder.mkdir()
    (project / "tiny.py").write_text(TINY)
    (project / "suite.toml").write_text(SMALL)
    (programs / "postcopy").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m postcopy "$@"\n')
    (programs / "postcopy").chmod(0o755)
    monkeypatch.chdir(project)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return project


def template(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def bash(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-e", "-o", "pipefail", "-c", script]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


def test_gitlab(project: Path) -> None:
    job = template("postcopy.gitlab-ci.yml")["postcopy-suite"]
    assert all(NETWORK.match(line) for line in job["before_script"])
    script = "\n".join(job["script"])
    variables = {"SUITE": job["variables"]["SUITE"], "PREPARE": job["variables"]["PREPARE"]}
    assert bash(script, **variables).returncode == 0
    assert "is out of range" in bash(script, **{**variables, "PREPARE": "--words 0"}).stderr
    (project / "tiny.py").write_text(STUCK)
    assert bash(script, **variables).returncode == 12
    for path in (*job["artifacts"]["paths"], *job["artifacts"]["reports"].values()):
        assert (project / path).exists()
    (issue,) = json.loads((project / job["artifacts"]["reports"]["codequality"]).read_text())
    assert issue["location"]["path"] == "tiny.py"
    case = next(ElementTree.parse(project / job["artifacts"]["reports"]["junit"]).iter("testcase"))
    assert case.find("failure") is not None
    assert all((project / path).exists() for path in job["cache"]["paths"] if path != ".postcopy-cache/")
    assert job["allow_failure"] == {"exit_codes": [75]}


def test_github(project: Path) -> None:
    action = template("github/action.yml")
    given = {"suite": "suite.toml", "options": action["inputs"]["options"]["default"], "requirement": "x"}
    given["prepare"] = action["inputs"]["prepare"]["default"]
    assert given.keys() == action["inputs"].keys()
    steps = action["runs"]["steps"]
    scripts = [step for step in steps if "run" in step]
    assert len(scripts) + sum("uses" in step for step in steps) == len(steps)
    assert [bool(NETWORK.match(step["run"])) for step in scripts] == [True, False]
    (project / "tiny.py").write_text(STUCK)
    environment = {
        name: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda found: given[found[1]], value)
        for name, value in scripts[1]["env"].items()
        if name != "POSTCOPY_CACHE"
    }
    summary = project / "summary.md"
    summary.touch()
    done = bash(scripts[1]["run"], GITHUB_STEP_SUMMARY=str(summary), **environment)
    assert done.returncode == 12, done.stderr
    refused = bash(scripts[1]["run"], GITHUB_STEP_SUMMARY=str(summary), **environment | {"PREPARE": "--words 0"})
    assert refused.returncode == 2
    assert "is out of range" in refused.stderr
    line = STUCK.splitlines().index("        require(not self.done)") + 1
    assert f"::error file=tiny.py,line={line},title=suite%3A tiny::expected: holds; found: deadlock" in done.stdout
    assert "1 not as expected" in summary.read_text()
    assert (project / steps[-1]["with"]["path"] / "suite.html").exists()


def test_pre_commit(project: Path) -> None:
    (hook,) = template("pre-commit-config.yaml")["repos"][0]["hooks"]
    assert re.search(hook["files"], "my_change.py")
    assert not hook["pass_filenames"]
    assert bash(hook["entry"]).returncode == 0
    (project / "tiny.py").write_text(STUCK)
    assert bash(hook["entry"]).returncode == 12


def test_a_hook_of_git_refuses_a_commit_that_breaks_something(project: Path) -> None:
    def git(*arguments: str) -> subprocess.CompletedProcess[str]:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        return subprocess.run(["git", *identity, *arguments], capture_output=True, text=True, check=False)

    git("init", "-q")
    shutil.copy(FOLDER / "pre-commit", project / ".git/hooks/pre-commit")
    git("add", "tiny.py", "suite.toml")
    assert git("commit", "-m", "sound").returncode == 0
    (project / "tiny.py").write_text(STUCK)
    refused = git("commit", "-a", "-m", "stuck")
    assert refused.returncode != 0
    assert "1 not as expected" in refused.stdout + refused.stderr
    assert git("log", "--oneline").stdout.count("\n") == 1
