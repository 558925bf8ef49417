"""The generated blocks about known bugs, for `tables`, and the links that lead to them."""

from __future__ import annotations

import re

from documentation.markdown import table
from postcopy.catalogue.bugs.known import KnownBug
from postcopy.catalogue.bugs.listing import BUGS, CODE, models
from postcopy.report.charts.markdown import escape
from postcopy.report.gallery import EXHIBITS

_RULE = re.compile(r"\bR\d+\b")


def bugs_at_a_glance() -> str:
    """Every known bug in one line."""
    rows = []
    for bug in BUGS.values():
        found = ", ".join(f"`{name}`" for names in models(bug.code).values() for name in names)
        rows.append([to(bug.code, ""), escape(bug.title), _about(bug), found or "-"])
    return table(["code", "what happened", "about", "modelled as"], rows)


def bugs() -> str:
    """A section for each known bug."""
    return "\n\n".join(_section(bug) for bug in BUGS.values())


def _section(bug: KnownBug) -> str:
    years = f" ({bug.years})" if bug.years else ""
    lines = [
        f"### {bug.code}",
        "",
        f"**{escape(bug.title)}**{years}. Concerns {_about(bug)}.",
        "",
        f"- What went wrong: {linked(escape(bug.wrong), '', but=bug.code)}",
        f"- What was done: {linked(escape(bug.mended), '', but=bug.code)}",
    ]
    if bug.fixes:
        lines.append(f"- Commits: {', '.join(_fix(bug, n) for n in range(len(bug.fixes)))}.")
    if bug.report:
        lines.append(f"- Report: {escape(bug.report)}.")
    for option, names in models(bug.code).items():
        lines.append(f"- Modelled as {', '.join(_model(option, name) for name in names)}.")
    if bug.absent:
        lines.append(f"- Not modelled: {linked(escape(bug.absent), '', but=bug.code)}.")
    return "\n".join(lines)


def _about(bug: KnownBug) -> str:
    rules = _RULE.sub(lambda m: f"[{m[0]}](rules.md#{m[0].lower()})", escape(bug.about))
    return linked(rules, "", but=bug.code)


def _fix(bug: KnownBug, number: int) -> str:
    fix = bug.fixes[number]
    return f"{fix.project} [{fix.commit}]({fix.url})" + (f" ({fix.release})" if fix.release else "")


def _model(option: str, name: str) -> str:
    call = f"`postcopy check {option} {name}`"
    return f"[{call}](../counterexamples/{name}.md)" if name in EXHIBITS else call


def to(code: str, page: str = "bugs.md") -> str:
    """A link to the section of a bug."""
    return f"[{code}]({page}#{code.lower()})"


def linked(text: str, page: str = "bugs.md", but: str = "") -> str:
    """A text of Markdown in which every code of a bug is a link, but for one."""
    return CODE.sub(lambda m: m[0] if m[0] == but else to(m[0], page), text)
