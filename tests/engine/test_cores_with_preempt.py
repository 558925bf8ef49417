"""The cores with a connection for urgent pages: what is asked for overtakes, and comes once."""

from __future__ import annotations

from typing import Any

import pytest

from postcopy.engine.effects import PlacePages
from postcopy.engine.errors import LocalProtocolError, RemoteProtocolError
from postcopy.engine.messages import Eof, Page, Pages, RamEnd
from postcopy.engine.source import Phase
from tests.engine.cores import PAGE, Pair, small, snapshot


def in_postcopy(pages: int = 8, group: int = 1) -> Pair:
    pair = Pair(small(pages, group), preempt=True)
    pair.to_postcopy([range(pages)])
    return pair


def ask(pair: Pair, page: int) -> None:
    (request,) = pair.destination.fault(page, "vCPU 0")
    pair.source.receive(request)  # type: ignore[arg-type]


def bring_urgent(pair: Pair) -> list[int]:
    pages = list(pair.source.next_urgent())
    for page in pages:
        pair.outputs += pair.destination.receive_urgent(pair.page(page))
    return pages


def whole(pair: Pair, pages: int = 8) -> bool:
    return pair.memory == {page: bytes([page + 1]) * PAGE for page in range(pages)}


def test_a_page_that_is_asked_for_overtakes_and_is_not_sent_again() -> None:
    pair = in_postcopy()
    assert list(pair.source.next_pages()) == [0]  # is on its way
    ask(pair, 5)
    assert bring_urgent(pair) == [5]
    pair.deliver([pair.page(0)])
    assert pair.send_pages() == [1, 2, 3, 4, 6, 7]
    pair.to_end()
    assert whole(pair)


def test_a_request_for_a_page_that_was_sent_is_dropped() -> None:
    pair = in_postcopy()
    pair.send_pages(3)
    ask(pair, 1)
    assert bring_urgent(pair) == []
    assert pair.source.requests == ()
    assert pair.source.next_urgent() == range(0)


def test_a_host_page_under_way_on_the_stream_is_left_to_it() -> None:
    pair = in_postcopy(8, 2)
    pair.deliver([pair.page(n) for n in pair.source.next_pages()])
    ask(pair, 1)
    assert bring_urgent(pair) == []
    ask(pair, 5)
    assert bring_urgent(pair) == [4, 5]
    pair.send_pages()
    pair.to_end()
    assert whole(pair)


def test_urgent_pages_may_come_after_the_end_of_the_stream() -> None:
    pair = in_postcopy()
    ask(pair, 7)
    late = list(pair.source.next_urgent())
    pair.send_pages()
    pair.deliver(pair.source.end_postcopy())
    with pytest.raises(LocalProtocolError, match=r"urgent pages are still to come \(R24\)"):
        pair.destination.end()
    for page in late:
        pair.outputs += pair.destination.receive_urgent(pair.page(page))
    assert pair.destination.all_here
    assert pair.destination.end()
    assert whole(pair)


def test_the_end_waits_for_requests_that_are_not_served() -> None:
    pair = in_postcopy()
    ask(pair, 7)
    pair.send_pages()
    assert pair.source.waits_for_urgent
    with pytest.raises(LocalProtocolError, match="0 pages and 1 requests are still to be served"):
        pair.source.end_postcopy()
    assert bring_urgent(pair) == []
    assert not pair.source.waits_for_urgent
    pair.to_end()
    assert pair.source.phase is Phase.COMPLETED


def test_the_connection_is_opened_after_the_answer_and_before_the_switch() -> None:
    pair = Pair(small(8), preempt=True)
    pair.source.start()
    pair.deliver(pair.source.open())
    ping = pair.source.ping()
    advice = pair.source.advise()
    assert not pair.source.urgent_may_open
    with pytest.raises(LocalProtocolError, match=r"after the answer to the ping \(R18\)"):
        pair.source.open_urgent()
    pair.deliver([*ping, *advice])
    pair.source.start_postcopy()
    with pytest.raises(LocalProtocolError, match=r"there is no connection for urgent pages yet \(R18\)"):
        pair.source.cpus_stopped_to_switch([])
    pair.source.open_urgent()
    assert not pair.source.urgent_may_open
    pair.source.cpus_stopped_to_switch([])


def test_the_package_waits_for_the_connection() -> None:
    pair = Pair(small(8), preempt=True)
    pair.source.start()
    while (step := pair.source.opening) is not None:
        pair.deliver(step())
    pair.source.open_urgent()
    pair.source.start_postcopy()
    pair.source.cpus_stopped_to_switch([])
    pair.deliver(pair.source.send_discards())
    package = pair.source.send_package([])
    before = snapshot(pair.destination)
    with pytest.raises(LocalProtocolError, match=r"was not accepted yet \(R18\)"):
        pair.deliver(package)
    assert snapshot(pair.destination) == before
    pair.destination.accept_urgent()
    with pytest.raises(RemoteProtocolError, match="a second connection for urgent pages"):
        pair.destination.accept_urgent()
    pair.deliver(package)


WRONG: list[tuple[Any, str]] = [
    (Page("low", 0, bytes(PAGE)), "urgent page 0 comes although it is here (R13)"),
    (Pages("low", 0, 2, PAGE, bytes(2 * PAGE)), "urgent page 0 comes although it is here (R13)"),
    (Page("low", 3 * PAGE, bytes(7)), "page of 7 bytes"),
    (Eof(), "Eof comes on the connection for urgent pages (R18)"),
]


@pytest.mark.parametrize(("message", "why"), WRONG)
def test_what_may_not_come_there(message: Any, why: str) -> None:
    pair = in_postcopy()
    pair.send_pages(1)
    before = snapshot(pair.destination)
    with pytest.raises(RemoteProtocolError) as error:
        pair.destination.receive_urgent(message)
    assert why in str(error.value)
    assert snapshot(pair.destination) == before


def test_zeros_neighbours_and_the_end_of_records() -> None:
    core = in_postcopy().destination
    assert core.receive_urgent(RamEnd()) == []
    assert core.receive_urgent(Page("low", 0, None)) == [PlacePages(range(1), None)]
    two = core.receive_urgent(Pages("low", PAGE, 2, PAGE, bytes(2 * PAGE)))
    assert two == [PlacePages(range(1, 2), bytes(PAGE)), PlacePages(range(2, 3), bytes(PAGE))]


def test_a_part_of_a_host_page_waits_for_the_rest() -> None:
    pair = in_postcopy(8, 2)
    assert pair.destination.receive_urgent(pair.page(2)) == []
    with pytest.raises(RemoteProtocolError, match="urgent page 2 comes although it is here"):
        pair.destination.receive_urgent(pair.page(2))
    (placed,) = pair.destination.receive_urgent(Page("low", 3 * PAGE, None))
    assert isinstance(placed, PlacePages)
    assert (placed.pages, placed.data) == (range(2, 4), bytes([3]) * PAGE + bytes(PAGE))


@pytest.mark.parametrize(("first", "second"), [(2, 0), (2, 5), (3, 0), (0, 6)])
def test_a_host_page_is_whole_before_the_next_begins(first: int, second: int) -> None:
    """Otherwise a source could have parts of all host pages kept at once."""
    pair = in_postcopy(8, 2)
    assert pair.destination.receive_urgent(pair.page(first)) == []
    before = snapshot(pair.destination)
    with pytest.raises(
        RemoteProtocolError, match=rf"urgent page {second} comes before the host page under way is whole"
    ):
        pair.destination.receive_urgent(pair.page(second))
    assert snapshot(pair.destination) == before


def test_whole_host_pages_follow_each_other() -> None:
    pair = in_postcopy(8, 2)
    placed = [output for page in (2, 3, 5, 4) for output in pair.destination.receive_urgent(pair.page(page))]
    assert [output.pages for output in placed if isinstance(output, PlacePages)] == [range(2, 4), range(4, 6)]
