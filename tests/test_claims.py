"""The claims of docs/claims.md stand on the pages that it names, and the quick ones hold."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from documentation import claims
from documentation.claims import CLAIMS, Claim, chosen, main, show

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).parents[1]
FALSE = Claim("docs/model.md", "nothing of the kind", "echo 14,765 states", "14,764 states", 1)


def words(text: str) -> str:
    """A text without line breaks and markup."""
    return " ".join(re.sub(r"[`*]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)).split())


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.quote[:40])
def test_a_claim_is_a_quotation(claim: Claim) -> None:
    assert words(claim.quote) in words((ROOT / claim.page).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "claim",
    [pytest.param(each, marks=[pytest.mark.slow] if each.seconds != 1 else []) for each in CLAIMS if each.quick],
    ids=lambda claim: claim.command,
)
def test_a_quick_claim_holds(claim: Claim, tmp_path: Path) -> None:
    shown = show(claim, tmp_path)
    assert not shown.why
    assert not shown.missing


def test_most_pages_of_the_first_page_have_a_quick_claim() -> None:
    assert len([each for each in CLAIMS if each.quick]) > 12
    assert len({each.page for each in CLAIMS}) > 12


def test_what_is_not_shown_is_noticed(tmp_path: Path) -> None:
    assert "14,765" in show(FALSE, tmp_path).why
    assert "exit code 3 and not 0" in show(replace(FALSE, command="exit 3"), tmp_path).why
    assert show(replace(FALSE, needs=("no-such-program",)), tmp_path).missing == ("no-such-program",)
    assert not show(replace(FALSE, prints="14,765"), tmp_path).why


def test_the_script_says_which_hold(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    true = replace(FALSE, quote="a true one", prints="14,765")
    monkeypatch.setattr(
        claims, "CLAIMS", (FALSE, true, replace(true, needs=("no-such-program",)), replace(true, seconds=None))
    )
    assert main(["--quick"]) == 1
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("does not hold")
    assert last == "1 of 2 hold"
    assert main(["a true one"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 of 2 hold"
    assert claims.claims().splitlines()[-1].endswith("| minutes |")
    assert main(["nowhere"]) == 1
    assert [each.seconds for each in chosen([], quick=True)] == [1, 1, 1]
