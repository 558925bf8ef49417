"""The page of a counterexample, against a golden file; and what Markdown and Mermaid must not misread."""

from pathlib import Path

import pytest

from postcopy.report.charts import markdown as page
from postcopy.report.charts import mermaid as chart
from postcopy.report.charts.markdown import markdown
from postcopy.report.charts.mermaid import mermaid
from postcopy.report.story.tell import tell
from tests.report.examples import OLD_LETTER, old_letter, run

GOLDEN = Path(__file__).with_name("old_letter.md")


def test_a_counterexample_in_full() -> None:
    assert markdown(tell(old_letter()), "postcopy check letters --pages 2") == GOLDEN.read_text(encoding="utf-8")


def test_a_witness_has_no_last_paragraph_and_no_highlight() -> None:
    text = markdown(tell(run(OLD_LETTER, None)))
    assert "contradiction" not in text
    assert "rect " not in text
    assert "To see it again" not in text


def test_messages_go_over_a_lane_of_their_channel() -> None:
    text = mermaid(tell(old_letter()))
    assert "T1-)C0: LETTER 0<br/>2. posts" in text
    assert "C0-)T2: LETTER 0 old<br/>4. delivers a letter" in text


def test_a_lost_message_never_arrives() -> None:
    text = mermaid(tell(run([*OLD_LETTER[:2], ("road.washes_away", None)], None)))
    assert text.count("-)") == 1
    assert "Note over T2: 3. washes the newest letter away" in text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a | b", r"a \| b"),
        ("*a*", r"\*a\*"),
        ("a_b _c_", r"a_b \_c\_"),
        ("<b> #1 `x`", r"\<b> \#1 \`x\`"),
        ("[a](b)", r"[a]\(b)"),
        ("a\nb", "a b"),
    ],
)
def test_markdown_is_escaped(text: str, escaped: str) -> None:
    assert page.escape(text) == escaped


def test_mermaid_is_escaped() -> None:
    assert chart.escape("a; b #1 <i>\n{0}") == "a#59; b #35;1 #lt;i#gt; {0}"


def test_a_command_with_backticks_stays_one_code_span() -> None:
    assert "To see it again: `` echo `x` ``" in markdown(tell(old_letter()), "echo `x`")
