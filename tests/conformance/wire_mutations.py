"""What can be wrong with a recorded wire: each spoils a capture of decoded events in one way that QEMU never does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

Row = dict[str, Any]
Rows = list[Row]


class Mutation(NamedTuple):
    """One of them: its name, the capture that it spoils, and how."""

    name: str
    capture: str
    spoil: Callable[[Rows], Rows]


def _at(rows: Rows, msg: str, direction: str = "", nth: int = 0) -> int:
    found = [i for i, row in enumerate(rows) if row.get("msg") == msg and row.get("dir", "").startswith(direction)]
    return found[nth]


def _switch(rows: Rows) -> int:
    return _at(rows, "PACKAGED")


def _after(rows: Rows, msg: str, begin: int) -> int:
    return next(i for i in range(begin, len(rows)) if rows[i].get("msg") == msg)


def _without(rows: Rows, at: int) -> Rows:
    return rows[:at] + rows[at + 1 :]


def _moved(rows: Rows, at: int, to: int) -> Rows:
    """A row at another place, with the time of its neighbour there."""
    row, rest = rows[at], _without(rows, at)
    return [*rest[:to], {**row, "t": rest[to - 1].get("t", 0.0)}, *rest[to:]]


def _twice(rows: Rows, at: int) -> Rows:
    return rows[: at + 1] + rows[at:]


def _dirty(rows: Rows) -> set[int]:
    return {
        offset
        for row in rows
        if row.get("msg") == "POSTCOPY_RAM_DISCARD"
        for begin, length in row["ranges"]
        for offset in range(begin, begin + length, 4096)
    }


def _clean_page_sent(rows: Rows) -> Rows:
    blocks = rows[_at(rows, "ram_mem_size")]["blocks"]
    clean = next(o for o in range(0, blocks[0]["len"], 4096) if o not in _dirty(rows))
    at = _after(rows, "page", _switch(rows))
    return [*rows[:at], {**rows[at], "offset": clean}, *rows[at:]]


def _page_for_another(rows: Rows) -> Rows:
    """A page of postcopy names the next one that is sent, which so comes twice, and this one never."""
    at = _after(rows, "page", _switch(rows))
    other = _after(rows, "page", at + 1)
    return [*rows[:at], {**rows[at], "offset": rows[other]["offset"]}, *rows[at + 1 :]]


def _less_discarded(rows: Rows) -> Rows:
    at = _at(rows, "POSTCOPY_RAM_DISCARD")
    begin, length = rows[at]["ranges"][0]
    ranges = [[begin + 4096, length - 4096], *rows[at]["ranges"][1:]]
    return [*rows[:at], {**rows[at], "ranges": [its for its in ranges if its[1]]}, *rows[at + 1 :]]


def _request_again_after_page(rows: Rows) -> Rows:
    """A page is requested when a request that came after it has been answered since: it is there."""
    first = _after(rows, "page", _switch(rows))
    end = _at(rows, "eof")
    request = {"t": rows[end]["t"], "dir": "dst->src", "msg": "REQ_PAGES", "len": 4096, "block": "pc.ram"}
    shut = _at(rows, "SHUT")
    return [*rows[: shut + 1], {**request, "offset": rows[first]["offset"]}, *rows[shut + 1 :]]


def _request_of_clean_page(rows: Rows) -> Rows:
    blocks = rows[_at(rows, "ram_mem_size")]["blocks"]
    clean = next(o for o in range(0, blocks[0]["len"], 4096) if o not in _dirty(rows))
    at = _at(rows, "REQ_PAGES")
    return [*rows[:at], {**rows[at], "offset": clean}, *rows[at + 1 :]]


def _bitmap_claims(rows: Rows) -> Rows:
    at = _at(rows, "RECV_BITMAP", "dst")
    return [*rows[:at], {**rows[at], "bitmap": "ff" * (len(rows[at]["bitmap"]) // 2)}, *rows[at + 1 :]]


def _bitmap_forgets(rows: Rows) -> Rows:
    """The destination says that nothing has come, and the source sends no page of the first half again."""
    at = _at(rows, "RECV_BITMAP", "dst")
    return [*rows[:at], {**rows[at], "bitmap": "00" * (len(rows[at]["bitmap"]) // 2)}, *rows[at + 1 :]]


def _page_before_ack(rows: Rows) -> Rows:
    ack = _at(rows, "RESUME_ACK")
    return _moved(rows, _after(rows, "page", ack), ack)


def _lost_page_not_sent_again(rows: Rows) -> Rows:
    """Every page of the new connection that went out on the old one as well is left out."""
    cut = _at(rows, "connection_open", "src", 1)
    switch = _switch(rows)
    before = {row["offset"] for row in rows[switch:cut] if row.get("msg") == "page"}
    return [row for i, row in enumerate(rows) if not (i > cut and row.get("msg") == "page" and row["offset"] in before)]


def _urgent_without_request(rows: Rows) -> Rows:
    at = next(i for i, row in enumerate(rows) if row.get("chan") == "preempt")
    offset = rows[at]["offset"]
    return [row for row in rows if not (row.get("msg", "").startswith("REQ") and row["offset"] == offset)]


def _insert_pong(rows: Rows) -> Rows:
    at = _at(rows, "PONG", nth=1)
    return [*rows[:at], {**rows[at], "val": 7}, *rows[at:]]


def _package_after_refusal(rows: Rows) -> Rows:
    """The source hands over behind the refusal, and the destination says that it has loaded the package."""
    rest = {"t": rows[-1]["t"], "dir": "src->dst"}
    package = [{**rest, "msg": "PACKAGED"}, {**rest, "msg": "PING", "val": 3, "pkg": True}]
    return [*rows, *package, {**rest, "dir": "dst->src", "msg": "PONG", "val": 3}]


def _page_after_refusal(rows: Rows) -> Rows:
    request = {"t": rows[-1]["t"], "dir": "dst->src", "msg": "REQ_PAGES", "len": 4096, "block": "pc.ram", "offset": 0}
    return [*rows, request]


MUTATIONS: tuple[Mutation, ...] = (
    Mutation("a PING 1 is lost", "7.2-default", lambda rows: _without(rows, _at(rows, "PING"))),
    Mutation(
        "ADVISE is lost, and postcopy comes", "7.2-default", lambda rows: _without(rows, _at(rows, "POSTCOPY_ADVISE"))
    ),
    Mutation("ADVISE comes twice", "7.2-default", lambda rows: _twice(rows, _at(rows, "POSTCOPY_ADVISE"))),
    Mutation(
        "the return path is never opened", "7.2-default", lambda rows: _without(rows, _at(rows, "OPEN_RETURN_PATH"))
    ),
    Mutation("PONG answers no PING", "7.2-default", _insert_pong),
    Mutation(
        "PONG 1 comes before PING 1", "7.2-default", lambda rows: _moved(rows, _at(rows, "PONG"), _at(rows, "PING"))
    ),
    Mutation("PONG 1 comes twice", "7.2-default", lambda rows: _twice(rows, _at(rows, "PONG"))),
    Mutation("DISCARD is lost", "7.2-default", lambda rows: _without(rows, _at(rows, "POSTCOPY_RAM_DISCARD"))),
    Mutation("DISCARD lacks a page that is dirty", "7.2-default", _less_discarded),
    Mutation("DISCARD comes twice", "7.2-default", lambda rows: _twice(rows, _at(rows, "POSTCOPY_RAM_DISCARD"))),
    Mutation(
        "DISCARD comes behind the package",
        "7.2-default",
        lambda rows: _moved(rows, _at(rows, "POSTCOPY_RAM_DISCARD"), _switch(rows) + 1),
    ),
    Mutation("the package is lost", "7.2-default", lambda rows: _without(rows, _switch(rows))),
    Mutation("the package comes twice", "7.2-default", lambda rows: _twice(rows, _switch(rows))),
    Mutation(
        "a page of postcopy comes between DISCARD and package",
        "7.2-default",
        lambda rows: _moved(rows, _after(rows, "page", _switch(rows)), _switch(rows)),
    ),
    Mutation(
        "a page of postcopy is sent twice",
        "7.2-default",
        lambda rows: _twice(rows, _after(rows, "page", _switch(rows))),
    ),
    Mutation(
        "a page of postcopy is lost", "7.2-default", lambda rows: _without(rows, _after(rows, "page", _switch(rows)))
    ),
    Mutation("a page that is clean is sent in postcopy", "7.2-default", _clean_page_sent),
    Mutation("a page has the name of another", "7.2-default", _page_for_another),
    Mutation("a page that is there is requested", "7.2-default", _request_of_clean_page),
    Mutation("a page is requested after SHUT", "7.2-default", _request_again_after_page),
    Mutation(
        "a page is requested before the package",
        "7.2-default",
        lambda rows: _moved(rows, _at(rows, "REQ_PAGES"), _switch(rows)),
    ),
    Mutation(
        "SHUT comes before the end", "7.2-default", lambda rows: _moved(rows, _at(rows, "SHUT"), _at(rows, "eof"))
    ),
    Mutation("SHUT comes twice", "7.2-default", lambda rows: _twice(rows, _at(rows, "SHUT"))),
    Mutation(
        "the end comes with pages to send",
        "7.2-default",
        lambda rows: _moved(rows, _at(rows, "eof"), _switch(rows) + 5),
    ),
    Mutation("the end of the stream comes twice", "7.2-default", lambda rows: _twice(rows, _at(rows, "eof"))),
    Mutation(
        "SHUT 0 without a page in precopy", "7.2-late-start", lambda rows: [r for r in rows if r.get("msg") != "page"]
    ),
    Mutation("the destination says that all has come", "7.2-recover-lossy", _bitmap_claims),
    Mutation("the destination says that nothing has come", "7.2-recover", _bitmap_forgets),
    Mutation("RESUME is lost", "7.2-recover", lambda rows: _without(rows, _at(rows, "POSTCOPY_RESUME"))),
    Mutation(
        "RESUME comes before the bitmap",
        "7.2-recover",
        lambda rows: _moved(rows, _at(rows, "POSTCOPY_RESUME"), _at(rows, "RECV_BITMAP", "dst")),
    ),
    Mutation("RESUME is not acknowledged", "7.2-recover", lambda rows: _without(rows, _at(rows, "RESUME_ACK"))),
    Mutation("a page comes before RESUME is acknowledged", "7.2-recover", _page_before_ack),
    Mutation("what was lost is not sent again", "7.2-recover-lossy", _lost_page_not_sent_again),
    Mutation("an urgent page that is not requested", "7.2-preempt", _urgent_without_request),
    Mutation("a destination refuses twice", "11.1-refused", lambda rows: _twice(rows, _at(rows, "SHUT"))),
    Mutation(
        "a destination has refused, and answers PING",
        "11.1-refused",
        lambda rows: _moved(rows, _at(rows, "PONG"), len(rows) - 1),
    ),
    Mutation("a destination has refused, and loads the package", "11.1-refused", _package_after_refusal),
    Mutation("a destination has refused, and requests a page", "11.1-refused", _page_after_refusal),
)


def mutated(rows: Rows, names: frozenset[str] | None = None) -> Iterator[tuple[Mutation, Rows]]:
    """Each mutation of a capture."""
    for mutation in MUTATIONS:
        if names is None or mutation.name in names:
            yield mutation, mutation.spoil([dict(row) for row in rows])
