"""A migration by the engine as one HTML page that needs nothing from elsewhere, laid out by `assets/migration.html`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from markupsafe import Markup

from postcopy.engine.report import Summary
from postcopy.report.charts.histogram import PAGE_RULES, drawing
from postcopy.report.files.file_format import WRITTEN, FileFormat
from postcopy.report.pages import template as pages
from postcopy.report.pages.story import environment

FORMAT = FileFormat((".html",), "a page of a migration", comment=f"<!-- {WRITTEN} -->")

WHERE = {"destination": "runs at the destination", "source": "runs at the source", "lost": "is lost"}
"""Where the guest is, in words."""

Numbers = list[tuple[str, str | None]]


def html(summary: Summary, latencies: Sequence[float], command: str) -> str:
    """The page.

    Args:
        summary: the numbers of the migration.
        latencies: of each fault the milliseconds from its reading to the placing of its page.
        command: the command line that does all this again; may be empty.
    """
    s = summary
    size = s.pages * s.page_bytes / 2**20
    why = f" ({s.why})" if s.why else ""
    return (
        environment()
        .get_template("migration.html")
        .render(
            found={"protocol": "A migration", "verdict": s.outcome},
            run=s,
            size=f"{size:,.1f} MiB in {s.pages:,} pages of {s.page_bytes} bytes, {s.memory}",
            sentence=f"migration {s.outcome} in {s.mode}; the guest {WHERE[s.guest]}{why}",
            colour="good" if s.code == 0 else "unsure" if s.guest == "source" and not s.damage else "bad",
            numbers=_numbers(s),
            phases=_phases(s),
            most=max(s.precopy_pages, s.postcopy_pages, s.zero_pages),
            faults=_faults(s),
            guest=_guest(s),
            picture=Markup(drawing(latencies)),
            command=command,
            data=pages.embedded({"run": msgspec.to_builtins(s), "latencies": list(latencies)}),
            colours=pages.COLOURS,
            style=pages.text("style.css") + Markup(PAGE_RULES),
            script=pages.text("report.js"),
        )
    )


def _numbers(s: Summary) -> Numbers:
    return [
        ("seconds in all", f"{s.total:.2f}"),
        ("downtime", None if s.downtime_ms is None else f"{s.downtime_ms:.1f} ms"),
        ("passes of precopy", f"{s.passes:,}"),
        ("conformance", s.conformance),
    ]


def _phases(s: Summary) -> list[tuple[str, int, str]]:
    return [
        ("precopy", s.precopy_pages, f"{s.precopy_bytes / 2**20:,.1f}"),
        ("postcopy", s.postcopy_pages, f"{s.postcopy_bytes / 2**20:,.1f}"),
        ("zero pages among them", s.zero_pages, ""),
    ]


def _faults(s: Summary) -> Numbers:
    found: Numbers = [
        ("requests", f"{s.requests:,}"),
        ("for a page asked for before", f"{s.duplicate_requests:,}"),
    ]
    if s.latency is not None:
        found += [
            ("median", f"{s.latency.median:.2f} ms"),
            ("99 % below", f"{s.latency.p99:.2f} ms"),
            ("most", f"{s.latency.most:.2f} ms"),
        ]
    return found


def _guest(s: Summary) -> Numbers:
    return [
        ("reads, each compared", f"{s.reads:,}"),
        ("writes", f"{s.writes:,}"),
        ("pages damaged", f"{len(s.damage):,}"),
    ]
