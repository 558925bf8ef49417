"""The page docs/mutation.md, from the judgements that are stored: `python -m mutation.page`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from documentation.markdown import table
from mutation import wider
from mutation.reasons import REASONS
from mutation.results import Fate, Judgement, load

HERE = Path(__file__).parent
STORED = {
    "model": HERE / "model.jsonl",
    "wider": HERE / "wider.jsonl",
    "properties": HERE / "properties.jsonl",
}
"""The files of judgements."""

PAGE = Path("docs/mutation.md")
_BLOCK = re.compile(r"(<!-- judged: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def unexplained(judgements: Iterable[Judgement]) -> list[str]:
    """The mutants that survive without a reason."""
    return [j.mutant for j in judgements if j.fate is Fate.SURVIVES and j.mutant not in REASONS]


def counts(judgements: dict[str, Judgement]) -> str:
    """How many mutants there are of each fate."""
    fates = Counter(fate(j) for j in judgements.values())
    rows = [[each, str(fates[each])] for each in FATES if each is not NO_WEAKER]
    return table(["fate", "mutants"], [*rows, ["all", str(len(judgements))]])


def weaker_counts(judgements: dict[str, Judgement]) -> str:
    """How many edits of properties there are of each fate: those that are weaker, and those that are not."""
    fates = Counter((fate(j), bool(j.weaker)) for j in judgements.values())
    rows = [[each, str(fates[each, True]), str(fates[each, False])] for each in FATES if each != SHOWN]
    of_all = Counter(bool(j.weaker) for j in judgements.values())
    return table(["fate", "weaker", "not weaker"], [*rows, ["all", str(of_all[True]), str(of_all[False])]])


KILLED, SHOWN, REASONED, NO_WEAKER, OPEN = FATES = (
    "killed",
    "equivalent, as shown",
    "equivalent, for a reason",
    "asks for more",
    "open",
)


def fate(judgement: Judgement) -> str:
    """The fate of a mutant as the page names it."""
    match judgement.fate:
        case Fate.KILLED:
            return KILLED
        case Fate.EQUIVALENT:
            return SHOWN
        case Fate.OTHER:
            return NO_WEAKER
        case Fate.SURVIVES:
            return REASONED if judgement.mutant in REASONS else OPEN


def draws(judgements: dict[str, Judgement]) -> str:
    """For each draw of wider mutants how many there are of each fate, and the rate of those that are killed."""
    rows = []
    for number, seed in wider.DRAWS:
        fates = Counter(fate(judgements[m.name]) for m in wider.drawn(number, seed) if m.name in judgements)
        differ = fates[KILLED] + fates[OPEN]
        counted = [str(fates[each]) for each in FATES if each is not NO_WEAKER]
        rows.append([str(seed), *counted, f"{fates[KILLED]} of {differ}"])
    return table(["seed", *(each for each in FATES if each is not NO_WEAKER), "killed of those that differ"], rows)


def killers(judgements: dict[str, Judgement]) -> str:
    """What kills how many mutants, the most first."""
    by = Counter(_kind(j.by) for j in judgements.values() if j.fate is Fate.KILLED)
    return table(["what kills", "mutants"], [[name, str(count)] for name, count in by.most_common()])


def _kind(by: str) -> str:
    if by.startswith("error"):
        return "an error of the specification, such as a message without room"
    if " first, and not " in by:
        return "a fault that breaks another property first"
    if "no longer breaks" in by:
        return "a fault that no longer breaks what it names"
    if by.startswith("witness"):
        return "a witness that is not reached"
    if by.endswith("is never taken"):
        return "an action that is never taken"
    return "a false alarm on the document's protocol" if by.startswith("false alarm") else f"`{by}`"


def left(judgements: dict[str, Judgement]) -> str:
    """The mutants that survive, with the reasons."""
    rows = [[_cell(j.mutant), REASONS.get(j.mutant, "open")] for j in judgements.values() if j.fate is Fate.SURVIVES]
    return table(["mutant", "why it need not be noticed"], sorted(rows)) if rows else "None."


def shown(judgements: dict[str, Judgement]) -> str:
    """The ways in which mutants were shown to be equivalent, with their numbers."""
    ways = Counter(j.by.split(", but for")[0] for j in judgements.values() if j.fate is Fate.EQUIVALENT)
    meaning = {
        "the same program": "after reading, the text for the search and all events are the same",
        "the same states and steps": "the graphs at (2, 1, 1), (1, 2, 1) and (2, 1, 2) are equal, events included",
        "independent statements": "two assignments to different fields; neither reads what the other assigns",
        "the same runs": "these graphs are bisimilar, if the variables in the changed lines are not looked at",
    }
    return table(["shown", "means", "mutants"], [[way, meaning[way], str(n)] for way, n in ways.most_common()])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def page(text: str) -> str:
    """The page with its blocks made anew."""
    found = {name: load(path) for name, path in STORED.items()}
    made = {"counts": counts, "weaker": weaker_counts, "killers": killers, "left": left, "shown": shown, "draws": draws}

    def block(match: re.Match[str]) -> str:
        what, _, which = match[2].partition("-")
        return f"{match[1]}{made[which](found[what])}\n{match[3]}"

    return _BLOCK.sub(block, text)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
