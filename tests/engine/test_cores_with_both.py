"""The cores across a break of both connections: both are made anew, and what was on either comes again."""

from __future__ import annotations

import pytest

from postcopy.engine.destination_steps import State
from postcopy.engine.errors import LocalProtocolError, RemoteProtocolError
from postcopy.engine.messages import AskBitmap, Request, Resume
from postcopy.engine.source import Phase, SourceCore
from tests.engine.cores import PAGE, Pair, small, snapshot


def in_postcopy(pages: int = 8, group: int = 1) -> Pair:
    pair = Pair(small(pages, group), preempt=True, recovery=True)
    pair.to_postcopy([range(pages)])
    return pair


def ask(pair: Pair, page: int) -> None:
    (request,) = pair.destination.fault(page, "vCPU 0")
    assert isinstance(request, Request)
    pair.source.receive(request)


def bring(pair: Pair, pages: range) -> None:
    for page in pages:
        pair.outputs += pair.destination.receive_urgent(pair.page(page))


def whole(pair: Pair, pages: int = 8) -> bool:
    return pair.memory == {page: bytes([page + 1]) * PAGE for page in range(pages)}


def test_an_urgent_page_that_was_lost_is_asked_for_and_sent_again() -> None:
    pair = in_postcopy()
    pair.send_pages(2)
    ask(pair, 5)
    assert list(pair.source.next_urgent()) == [5]  # does not arrive
    pair.to_break()
    pair.to_resumed()
    assert list(pair.source.dirty.runs()) == [range(2, 8)]
    for request in pair.destination.request_unread():
        assert isinstance(request, Request)
        pair.source.receive(request)
    again = pair.source.next_urgent()
    assert list(again) == [5]
    bring(pair, again)
    assert pair.send_pages() == [2, 3, 4, 6, 7]
    pair.to_end()
    assert whole(pair)


def test_parts_of_host_pages_on_both_connections_come_again() -> None:
    pair = in_postcopy(8, 2)
    pair.deliver([pair.page(n) for n in pair.source.next_pages()])
    ask(pair, 5)
    bring(pair, pair.source.next_urgent()[:1])
    assert (list(pair.destination.assembly), list(pair.destination.urgent_assembly)) == ([0], [4])
    pair.to_break()
    assert not pair.destination.assembly
    assert not pair.destination.urgent_assembly
    pair.to_resumed()
    assert pair.send_pages() == list(range(8))
    pair.to_end()
    assert whole(pair)


def test_the_end_and_an_urgent_page_behind_it_are_lost_together() -> None:
    """The end was read, and nothing would bring the page any more (A05)."""
    pair = in_postcopy()
    ask(pair, 7)
    pair.source.next_urgent()
    pair.send_pages()
    pair.deliver(pair.source.end_postcopy())
    assert pair.destination.end_seen
    pair.to_break()
    assert (pair.source.phase, pair.destination.state) == (Phase.PAUSED, State.PAUSED)
    pair.to_resumed()
    assert pair.send_pages() == [7]
    pair.to_end()
    assert whole(pair)


def test_where_all_is_here_a_break_behind_the_end_pauses_nothing() -> None:
    pair = in_postcopy()
    pair.send_pages()
    pair.deliver(pair.source.end_postcopy())
    assert pair.destination.lose("cut") == []
    assert pair.destination.state is State.RUNNING
    assert pair.destination.end()


def test_resume_waits_for_the_connection_at_both_sides() -> None:
    pair = in_postcopy()
    pair.to_break()
    pair.to_connection()
    assert not pair.source.urgent_may_reopen, "it is not known yet what has arrived"
    with pytest.raises(LocalProtocolError, match=r"when that is its turn \(R18\)"):
        pair.source.reopen_urgent()
    pair.deliver(pair.source.ask_what_arrived())
    before = snapshot(pair.source)
    with pytest.raises(LocalProtocolError, match=r"has not been made anew yet \(R18\)"):
        pair.source.resume()
    assert snapshot(pair.source) == before
    pair.source.reopen_urgent()
    resume = pair.source.resume()
    at_destination = snapshot(pair.destination)
    with pytest.raises(LocalProtocolError, match=r"was not accepted again yet \(R18\)"):
        pair.deliver(resume)
    assert snapshot(pair.destination) == at_destination
    pair.destination.accept_urgent_again()
    with pytest.raises(RemoteProtocolError, match="a second connection for urgent pages"):
        pair.destination.accept_urgent_again()
    pair.deliver(resume)
    assert pair.source.phase is Phase.POSTCOPY


def test_towards_an_old_qemu_the_connection_is_made_before_the_question() -> None:
    core = SourceCore(small(), qemu=True, preempt=True, early=True, recovery=True)
    core.phase = Phase.PRECOPY
    assert core.urgent_may_open, "without an answer"
    core.recoverable = True
    core.phase = Phase.RECONNECTED
    assert core.urgent_may_reopen
    core.reopen_urgent()
    assert not core.urgent_may_reopen
    assert [type(message) for message in core.ask_what_arrived()] == [AskBitmap, AskBitmap]
    core.phase = Phase.RELOADED
    assert not core.urgent_may_reopen
    assert core.resume() == [Resume()]
