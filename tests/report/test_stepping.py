"""Stepping by hand: addresses are runs, pages offer what can be done, files are traces that other commands read."""

import http.client
import json
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from postcopy.api.exploring import Explorer
from postcopy.catalogue.properties import with_everything
from postcopy.explorer.kernel.fingerprint import fingerprint
from postcopy.language import NO_DEADLOCK
from postcopy.language.concrete import successors
from postcopy.language.instance import Instance
from postcopy.language.trace import Trace
from postcopy.report.pages import serving
from postcopy.report.pages.serving import LOOPBACK, Server
from postcopy.report.pages.stepping import FILES, MOST, Stepping
from postcopy.report.story.itf import from_itf, read_itf
from tests.cli.conftest import refused
from tests.cli.conftest import run as run  # noqa: PLC0414  (a fixture)
from tests.report.examples import Handover, Taker
from tests.report.served import served
from tests.report.test_html import Outline

STORED = Path(__file__).parents[2] / "counterexamples"


@pytest.fixture(scope="module")
def broken() -> Stepping:
    return Stepping("no-discards", with_everything("no-discards", 2, 2, 1))


@pytest.fixture(scope="module")
def stored() -> Trace:
    return read_itf(STORED / "no-discards.itf.json", with_everything, fingerprint)


def page(stepping: Stepping, address: str = "") -> str:
    answer = stepping.answer(f"/{address.partition('#')[0]}")
    assert (answer.status, answer.kind) == (200, "text/html")
    return answer.body.decode()


def words(text: str) -> str:
    outline = Outline(text)
    assert outline.open == []
    return outline.words


def choices(text: str) -> list[str]:
    """The addresses of what can be done next, in the page's order."""
    nav = text.split('<nav class="choices"')[1].split("</nav>", maxsplit=1)[0].split('<p class="undo"', maxsplit=1)[0]
    return [unescape(part.split('"')[0]) for part in nav.split('href="')[1:]]


def last_step(address: str) -> str:
    return parse_qsl(urlsplit(address).query)[-1][1]


def refusal(stepping: Stepping, target: str) -> str:
    answer = stepping.answer(target)
    assert answer.status == 400
    return words(answer.body.decode()).removeprefix("postcopy ").removesuffix(" Start again")


# -- pages ----------------------------------------------------------------------------------------------------------


def test_offered_is_what_the_model_allows_after_every_step_of_a_run(broken: Stepping, stored: Trace) -> None:
    start, labels = broken.starts.index(stored.initial), stored.labels
    for number, state in enumerate(stored.states):
        offered = [last_step(address) for address in choices(page(broken, broken.query(start, labels[:number])))]
        allowed = [(s.action.name, s.page) for s in successors(broken.instance, state)]
        assert offered == [name if p is None else f"{name}:{p}" for name, p in allowed]


def test_what_is_offered_can_be_done(broken: Stepping) -> None:
    for address in choices(page(broken)):
        assert "Step 1 of 1" in words(page(broken, address))


def test_every_thread_is_named_whether_it_has_something_to_do_or_not(broken: Stepping) -> None:
    said = words(page(broken)).split("What can happen next")[1]
    for thread in {action.thread for action in broken.instance.actions}:
        assert thread in said
    idle = said.split("Nothing to do: ")[1].split(".")[0].split(", ")
    assert "migration thread" in idle
    assert "operator" not in idle


def test_a_stored_counterexample_ends_with_why_and_its_last_step_is_marked_beforehand(
    broken: Stepping, stored: Trace
) -> None:
    address = broken.address(stored)
    assert address.endswith("#1-17")
    said = words(page(broken, address))
    assert "Violated: The device load reads no stale page" in said
    before = page(broken, broken.query(broken.starts.index(stored.initial), stored.labels[:-1]))
    marked = [part for part in before.split("<a ")[1:] if 'title="violates no-stale-device-read"' in part]
    assert [part.split(">")[1].split("<")[0] for part in marked] == ["page 0 ✗"]
    assert "Violated" not in words(before)


def test_what_an_earlier_step_violated_is_said_of_a_run_that_went_on(broken: Stepping, stored: Trace) -> None:
    address = broken.query(broken.starts.index(stored.initial), [*stored.labels, ("source.host_dies", None)])
    assert "Already after step 17 : violates no-stale-device-read" in words(page(broken, address))


def test_one_takes_back_a_step_goes_on_from_an_earlier_one_and_starts_again(broken: Stepping, stored: Trace) -> None:
    start, labels = broken.starts.index(stored.initial), stored.labels
    text = unescape(page(broken, broken.address(stored)))
    assert f'<p class="undo"><a href="{broken.query(start, labels[:-1])}#1-16">' in text
    for number in range(1, 17):
        assert f'<a href="{broken.query(start, labels[:number])}#1-{number}">Go on from here</a>' in text
    assert f'<a href="{broken.query(start, [])}">Start again</a>' in text


def test_where_a_start_may_differ_one_chooses(broken: Stepping) -> None:
    text = page(broken)
    ways = text.split('<ul class="starts">')[1].split("</ul>")[0]
    assert ways.count("<strong") == ways.count("<a ") == 3
    assert len(broken.starts) == 8
    other = unescape(ways.split('href="')[1].split('"')[0])
    assert "migrate_set_capability x-postcopy-ram on: no" in words(page(broken, other))
    first = choices(text)[0]
    assert '<ul class="starts">' not in page(broken, first)


class Quiet(Handover):
    class destination(Taker):  # noqa: N801
        looks = None  # type: ignore[assignment]


def test_at_the_end_nothing_can_happen_any_more() -> None:
    stepping = Stepping("Quiet", Instance(Quiet, 1, 1, (NO_DEADLOCK,)))
    text = page(stepping)
    for _ in range(4):
        text = page(stepping, choices(text)[0])
    assert choices(text) == []
    assert "Nothing can happen any more, and nothing has to." in words(text)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("?step=source.flies", "Step 1: NoDiscards has no action source.flies."),
        ("?step=source.ends_postcopy", "Step 1: source.ends_postcopy cannot be taken here in NoDiscards."),
        ("?step=source.guest_writes:2", "Page 2: there are 0 to 1."),
        ("?step=source.guest_writes:", "Page (nothing): there are 0 to 1."),
        ("?step=source.guest_writes:-1", "Page -1: there are 0 to 1."),
        ("?start=8", "Start 8: there are 0 to 7."),
        ("?begin=1", "Begin: an address has start and step only."),
        ("?step=<b>", "Step 1: NoDiscards has no action <b>."),
    ],
)
def test_addresses_that_mean_nothing(broken: Stepping, query: str, message: str) -> None:
    assert refusal(broken, f"/{query}") == message
    assert refusal(broken, f"/run.svg{query}") == message


def test_a_run_that_is_too_long(broken: Stepping) -> None:
    step = "&step=source.guest_writes:0"
    assert "So long a run cannot go on by hand" in words(page(broken, "?start=7" + step * MOST))
    assert refusal(broken, "/?start=7" + step * (MOST + 1)) == f"{MOST + 1} steps are too many ({MOST} at most)."


def test_other_addresses(broken: Stepping) -> None:
    for target in ("/favicon.ico", "/run", "/run.png", "/run.itf.json/../x", "//evil"):
        assert broken.answer(target).status == 404


# -- files ----------------------------------------------------------------------------------------------------------


def test_a_saved_run_is_read_as_a_trace_and_is_the_same_run(broken: Stepping, stored: Trace) -> None:
    for number in (0, 17):
        query = broken.query(broken.starts.index(stored.initial), stored.labels[:number])
        answer = broken.answer(f"/run.itf.json{query}")
        assert (answer.status, answer.name) == (200, "no-discards.itf.json")
        again = from_itf(answer.body, with_everything, fingerprint)
        assert again.states == stored.states[: number + 1]
        assert again.violated == ("no-stale-device-read" if number == 17 else None)
    assert json.loads(answer.body) == json.loads((STORED / "no-discards.itf.json").read_bytes())


def test_a_saved_run_that_is_not_the_one_claimed_is_found_out(broken: Stepping) -> None:
    first, second, *_ = choices(page(broken))
    body = broken.answer(f"/run.itf.json{first.partition('#')[0]}").body
    other = broken.answer(f"/run.itf.json{second.partition('#')[0]}").body
    assert from_itf(body, with_everything, fingerprint) != from_itf(other, with_everything, fingerprint)


def test_other_commands_read_it(broken: Stepping, stored: Trace, run: Any, tmp_path: Path) -> None:
    query = broken.address(stored).partition("#")[0]
    file = tmp_path / "run.itf.json"
    file.write_bytes(broken.answer(f"/run.itf.json{query}").body)
    told = run("trace", str(file))
    assert told.code == 0
    assert "Violated: The device load reads no stale page" in told.out


@pytest.mark.parametrize("form", FILES)
def test_every_form_that_a_page_offers_is_there(broken: Stepping, form: str) -> None:
    assert f'href="/run{form}?start=7" download' in page(broken)
    answer = broken.answer(f"/run{form}?start=7")
    assert answer.status == 200
    assert answer.body


# -- the server -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(broken: Stepping) -> Iterator[Server]:
    with served(broken) as found:
        yield found


def ask(server: Server, target: str, host: str | None = None, method: str = "GET") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(LOOPBACK, server.server_port, timeout=10)
    connection.request(method, target, headers={} if host is None else {"Host": host})
    return connection.getresponse()


def test_it_listens_on_the_loopback_address_only(server: Server) -> None:
    assert server.socket.getsockname() == ("127.0.0.1", server.server_port)
    assert serving.LOOPBACK == "127.0.0.1"


def test_pages_and_files_come_through(server: Server, broken: Stepping) -> None:
    answer = ask(server, "/?start=7")
    assert answer.status == 200
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.read() == broken.answer("/?start=7").body
    answer = ask(server, "/run.itf.json?start=7")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="no-discards.itf.json"'


def test_it_answers_under_its_own_name_only_and_only_to_get(server: Server) -> None:
    port = server.server_port
    assert ask(server, "/", f"localhost:{port}").status == 200
    for name in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1.evil.example:{port}"):
        assert ask(server, "/", name).status == 403
    assert ask(server, "/", method="POST").status == 501


@pytest.mark.parametrize(("error", "said"), [(BrokenPipeError(), ""), (ValueError("seen"), "seen")])
def test_a_lost_browser_is_not_reported_and_an_error_is(
    server: Server, capsys: pytest.CaptureFixture[str], error: Exception, said: str
) -> None:
    try:
        raise error
    except type(error):
        server.handle_error(None, (LOOPBACK, 1))
    assert said in capsys.readouterr().err if said else capsys.readouterr().err == ""


def test_ports_that_cannot_be(server: Server, run: Any) -> None:
    port = str(server.server_port)
    assert f"cannot listen on port {port}: Address already in use" in refused(run, "explore", "--port", port)
    assert "there is no such port" in refused(run, "explore", "--port", "70000")


# -- on the command line --------------------------------------------------------------------------------------------


def test_the_command_says_where_and_ends_with_ctrl_c(run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(_: Explorer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Explorer, "wait", interrupted)
    result = run("explore", "--pages", "1", "--in-flight", "1", "--fault", "no-discards")
    assert result.code == 0
    assert result.out.startswith("no-discards is at http://127.0.0.1:")
    result = run("explore", "--trace", str(STORED / "no-discards.itf.json"))
    assert result.out.startswith("no-discards is at http://127.0.0.1:")
    assert "&step=destination.device_load_touches:0#1-17  (Ctrl-C ends it)" in result.out


def test_a_stored_run_names_its_protocol(run: Any) -> None:
    file = str(STORED / "no-discards.itf.json")
    assert "--trace names its protocol" in refused(run, "explore", "--trace", file, "--fault", "no-discards")
