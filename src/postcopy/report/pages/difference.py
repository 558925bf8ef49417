"""The differences between two protocols as one HTML page, laid out by `assets/difference.html`."""

from __future__ import annotations

import msgspec

from postcopy.report.files.file_format import WRITTEN, FileFormat
from postcopy.report.pages import template as pages
from postcopy.report.pages.story import environment
from postcopy.report.records.difference import DifferenceRecord
from postcopy.report.results.check import SIGNS
from postcopy.report.results.difference import Difference, size_words, too_large

FORMAT = FileFormat((".html",), "a page of two protocols", comment=f"<!-- {WRITTEN} -->")


def html(compared: Difference, found: DifferenceRecord, verdict: str, command: str) -> str:
    """The page.

    Args:
        compared: all differences.
        found: the record that ``--json`` prints.
        verdict: what the change does to behaviours, in a word or two.
        command: the command line that does all this again; may be empty.
    """
    base, change = compared.names
    shown = msgspec.to_builtins(found)
    texts = [*shown["actions"].values(), *shown["fields"].values(), *shown["messages"].values()]
    return (
        environment()
        .get_template("difference.html")
        .render(
            found={"protocol": f"{base} → {change}", "verdict": verdict},
            base=base,
            change=change,
            size=size_words(compared.at),
            sentence=_sentence(compared, verdict),
            worse=any(new == "violated" for _, new in compared.turned.values()),
            warnings=too_large(compared),
            turned=[(name, compared.sentences.get(name, ""), *said) for name, said in compared.turned.items()],
            signs={answer: sign for answer, (sign, _) in SIGNS.items()},
            actions=shown["actions"],
            fields=shown["fields"],
            messages=shown["messages"],
            same_text=not any(texts),
            behaviours=shown["behaviours"],
            command=command,
            data=pages.embedded({"diff": shown}),
            colours=pages.COLOURS,
            style=pages.text("style.css"),
            script=pages.text("report.js"),
        )
    )


def _sentence(compared: Difference, verdict: str) -> str:
    """What the change does, and how many properties have another answer: which, the table says."""
    base, change = compared.names
    words = {
        "same behaviour": f"{change} does what {base} does, and no more",
        "does more": f"{change} can do what {base} cannot",
        "does less": f"{change} cannot do all that {base} can",
        "does other things": f"each of {base} and {change} can do what the other cannot",
        "inconclusive": "how the behaviours differ was not decided",
    }
    number = len(compared.turned)
    answers = f"{number or 'no'} propert{'y has' if number < 2 else 'ies have'} another answer"
    return f"{words[verdict]}; {answers}"
