"""The report of a run: in numbers, in words, as a picture, and as an exit code."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from postcopy.cli.main import main
from postcopy.engine.memory import GuestOptions
from postcopy.engine.report import Summary, latency, print_summary, summarize
from postcopy.engine.run_here import Run
from tests.engine.live import SOFTWARE, Meddler, migrate


def run_of(guest: GuestOptions, *, meddler: Meddler | None = None, switch: str = "at-once") -> Summary:
    return summarize(Run(guest, *migrate(guest, switch=switch, meddler=meddler)))


def text(summary: Summary) -> str:
    out = StringIO()
    print_summary(summary, Console(file=out, width=120))
    return out.getvalue()


def test_a_run_that_went_well() -> None:
    summary = run_of(SOFTWARE)
    assert (summary.code, summary.mode, summary.guest) == (0, "postcopy", "destination")
    assert summary.postcopy_pages == summary.pages == 256
    assert summary.downtime_ms
    assert "migration completed in postcopy; the guest runs at the destination" in text(summary)
    summary.conformance = "source.pings: ..."
    assert summary.code == 12
    summary.conformance, summary.damage = "conforms", ["page 3 stale: it holds version 1 instead of 2"]
    assert summary.code == 12
    assert "the guest's memory is damaged" in text(summary)


def test_a_run_that_lost_the_guest() -> None:
    summary = run_of(SOFTWARE, meddler=Meddler(lambda message, _: type(message).__name__ == "Packaged"))
    assert (summary.code, summary.outcome, summary.guest) == (3, "failed", "lost")
    assert "the guest is lost" in text(summary)


def test_a_run_that_failed_in_precopy() -> None:
    summary = run_of(SOFTWARE, meddler=Meddler(lambda _m, count: count == 3), switch="60")
    assert (summary.code, summary.outcome, summary.guest) == (1, "failed", "source")
    assert "the guest runs at the source (" in text(summary)


def test_latencies() -> None:
    assert latency([]) is None
    found = latency([float(n) for n in range(1, 101)])
    assert found is not None
    assert (found.count, found.median, found.p99, found.most) == (100, 50.5, 99.0, 100.0)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--size", "3K"], "--size 3K: a size from 64K to 64G"),
        (["--memory", "paper"], "there is no memory paper: userfaultfd, software"),
        (["--workload", "none"], "there is no workload none: random"),
        (["--target-page", "512"], "--target-page 512: 1024, 2048 or 4096"),
        (["--vcpus", "3"], "--vcpus 3: 1 or 2"),
        (["--rate", "-1"], "--rate -1: 0 to 1,000,000,000"),
        (["--switch", "soon"], "--switch soon: at-once, first-pass, never, or a number of seconds"),
        (["--timeout", "0"], "--timeout 0: more than 0 to 86,400 seconds"),
        (["--histogram", "x.png"], "--histogram x.png: the name has to end in .svg"),
        (["source", "nowhere"], "nowhere is no HOST:PORT"),
        (["source", "example.org:1"], "example.org is another machine"),
        (["destination", "--listen", "0.0.0.0:0"], "0.0.0.0 is another machine"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["run", *arguments])
    assert stopped.value.code == 2
    err = capsys.readouterr().err
    assert why in err
    assert err.count("\n") == 1


def test_the_command_here(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["run", "--size", "256K", "--memory", "software", "--settle", "0.1", "--rate", "1000"])
    out = capsys.readouterr().out
    assert not stopped.value.code, out
    assert "migration completed in postcopy; the guest runs at the destination" in out
    assert "conformance: conforms" in out
