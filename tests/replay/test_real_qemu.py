"""The installed QEMU is driven along stories of QEMU 11.1: what it has is reproduced, what it has not is refused."""

from __future__ import annotations

import shutil

import pytest

from documentation.qemu_reproduced import QUESTIONS, story
from postcopy.recording.record import INSTALLED, version_of
from postcopy.replay.follow import replay_on_qemu
from postcopy.replay.results import Answer, ReplayResult
from tests.recording.test_real_qemu import userfaultfd_is_there

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which(INSTALLED) is None, reason="needs QEMU"),
    pytest.mark.skipif(not userfaultfd_is_there(), reason="needs userfaultfd for QEMU"),
]


def replayed(code: str) -> ReplayResult:
    question = QUESTIONS[code]
    return replay_on_qemu(story(question), question.protocol, INSTALLED)


def test_a_cancel_at_the_end_of_precopy_is_untrue() -> None:
    (attempt,) = replayed("N5").attempts
    assert attempt.reproduced, attempt
    assert attempt.end.source.status == "cancelled"
    assert attempt.end.destination.moves
    assert attempt.count(Answer.REFUSED) == 0


def test_the_state_that_7_2_has_not_is_refused() -> None:
    if not version_of(INSTALLED).startswith(("7.", "8.", "9.", "10.")):
        pytest.fail("this QEMU has the state postcopy-device: choose another story for it")
    (attempt,) = replayed("H14").attempts
    assert not attempt.reproduced, attempt
    refused = {step.action: step.seen for step in attempt.steps if step.answer is Answer.REFUSED}
    assert "the destination is postcopy-paused" in refused["source.takes_guest_back"]
    assert "failed" not in attempt.end.source.statuses
    assert attempt.end.destination.status == "postcopy-paused"
