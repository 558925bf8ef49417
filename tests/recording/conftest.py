"""A program that stands for QEMU."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


@pytest.fixture
def fake(tmp_path: Path) -> str:
    """The path of a program that can be started as QEMU is."""
    program = tmp_path / "fake-qemu"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -S {Path(__file__).with_name("fake_qemu.py")} "$@"\n')
    program.chmod(0o755)
    return str(program)
