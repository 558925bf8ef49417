"""The page of `postcopy monitor`: where a migration stands while it passes, asked for anew twice a second."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from markupsafe import Markup

from postcopy.monitor.judge import tell
from postcopy.monitor.monitor import Live
from postcopy.report.pages import template as pages
from postcopy.report.pages.stepping import Response
from postcopy.report.pages.template import environment

CURVE_HEIGHT = 60
"""Units of the curve of throughput; so many units wide is each of its points."""
POINT_WIDTH = 10


class Monitoring:
    """Answers with the page, and with what of it changes.

    Args:
        live: what there is to show.
    """

    def __init__(self, live: Callable[[], Live]) -> None:
        self._live = live

    def answer(self, target: str) -> Response:
        """The answer to a request."""
        path = urlsplit(target).path
        if path == "/now":
            return Response(200, "text/html", self._now().encode())
        if path == "/":
            page = (
                environment()
                .get_template("monitor.html")
                .render(
                    now=Markup(self._now()),
                    colours=pages.COLOURS,
                    style=pages.text("style.css") + "\n" + pages.text("monitor.css"),
                    script=pages.text("monitor.js"),
                )
            )
            return Response(200, "text/html", page.encode())
        return Response(404, "text/plain", b"there is no such page")

    def _now(self) -> str:
        live = self._live()
        status = live.status
        return (
            environment()
            .get_template("monitor_now.html")
            .render(
                live=live,
                status=status,
                word={"conforms": "good", "refuted": "bad", "unknown": "unsure"}[status.verdict],
                states=[
                    (label, count, 100 * count / status.pages if status.pages else 0.0)
                    for label, count in status.by_state.items()
                ],
                curve=_curve(live.rates),
                most=max(live.rates, default=0.0),
                width=max(1, len(live.rates) - 1) * POINT_WIDTH,
                height=CURVE_HEIGHT,
                story=tell(status.first) if status.first is not None else (),
            )
        )


def _curve(rates: tuple[float, ...]) -> str:
    """The points of a curve, the highest at the top."""
    most = max(rates, default=0.0) or 1.0
    return " ".join(
        f"{n * POINT_WIDTH},{CURVE_HEIGHT - CURVE_HEIGHT * rate / most:.1f}" for n, rate in enumerate(rates)
    )
