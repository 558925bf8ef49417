"""Runs survive being written and read, and every file that is no such run is refused in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from postcopy.errors import TraceError, UsageError
from postcopy.language.concrete import successors
from postcopy.language.instance import Instance
from postcopy.language.trace import Trace
from postcopy.report.story import itf
from postcopy.report.story.itf import from_itf, read_itf, to_itf
from tests.report.examples import first_state, letters, old_letter


def make(protocol: str, pages: int, in_flight: int, group: int) -> Instance:
    if protocol != "letters":
        raise UsageError(f"there is no protocol {protocol!r}; there is letters")
    return letters(pages, in_flight, group)


def fingerprint(instance: Instance) -> str:
    return f"print of {instance.protocol.__name__}"


def written(trace: Trace) -> bytes:
    return to_itf(trace, "letters", fingerprint(trace.instance))


def read(text: bytes) -> Trace:
    return from_itf(text, make, fingerprint)


def refusal(text: bytes) -> str:
    with pytest.raises(TraceError) as caught:
        read(text)
    message = str(caught.value)
    assert message.isprintable()
    return message


def changed(change: Callable[[Any], object]) -> bytes:
    """The file of a good run, with a change made to its JSON."""
    document = msgspec.json.decode(written(old_letter()))
    change(document)
    return msgspec.json.encode(document)


@st.composite
def runs(draw: st.DrawFn) -> Trace:
    pages, in_flight = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    instance = letters(pages, in_flight)
    state = initial = draw(st.sampled_from(instance.initial_states()))
    steps = []
    for _ in range(draw(st.integers(0, 8))):
        step = draw(st.sampled_from(list(successors(instance, state))))
        steps.append(step)
        state = step.state
    return Trace(instance, initial, tuple(steps), None)


class TestRoundTrip:
    @settings(max_examples=40, deadline=None)
    @given(runs())
    def test_what_was_written_is_read(self, trace: Trace) -> None:
        again = read(written(trace))
        assert again.states == trace.states
        assert [(s.action, s.page) for s in again.steps] == [(s.action, s.page) for s in trace.steps]
        assert written(again) == written(trace)

    def test_through_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "run.itf.json"
        path.write_bytes(written(old_letter()))
        assert read_itf(path, make, fingerprint).violated == "no-old-letter"

    def test_sets_may_come_in_any_order(self) -> None:
        instance = letters()
        state = initial = first_state(instance)
        steps = []
        for page in (0, 1):
            step = next(s for s in successors(instance, state) if s.action.name == "writer.writes" and s.page == page)
            steps.append(step)
            state = step.state
        document = msgspec.json.decode(written(Trace(instance, initial, tuple(steps), None)))
        document["states"][-1]["writer.drafts"]["#set"].reverse()
        assert read(msgspec.json.encode(document)).states[-1] == state


class TestFormat:
    document = msgspec.json.decode(written(old_letter()))

    def test_the_head_says_what_it_is(self) -> None:
        assert self.document["#meta"] == {
            "format": "ITF",
            "format-description": "https://apalache-mc.org/docs/adr/015adr-trace.html",
            "description": "letters, 2 pages, 2 messages in flight: violates no-old-letter",
            "postcopy": {
                "version": 1,
                "protocol": "letters",
                "fingerprint": "print of Letters",
                "pages": 2,
                "in_flight": 2,
                "group": 1,
                "violated": "no-old-letter",
            },
        }

    def test_variables_are_named_and_channels_hold_messages(self) -> None:
        assert self.document["states"][3] == {
            "#meta": {"index": 3, "action": "writer.writes", "page": 0},
            "mail_van": [{"kind": "LETTER", "pages": {"#set": [0]}, "old": True}],
            "writer.mood": "IN_A_HURRY",
            "writer.drafts": {"#set": [0]},
            "writer.count": 1,
            "writer.express": False,
            "reader.has": {"#set": []},
            "reader.waiting[0]": {"#set": []},
            "diary.outdated": {"#set": []},
            "mail_van.up": True,
        }

    def test_every_state_has_the_listed_variables(self) -> None:
        for state in self.document["states"]:
            assert sorted(state) == sorted(["#meta", *self.document["vars"]])


def _set(*path: str | int) -> Callable[[Any], Callable[[Any], None]]:
    def to(value: Any) -> Callable[[Any], None]:
        def change(document: Any) -> None:
            for key in path[:-1]:
                document = document[key]
            document[path[-1]] = value

        return change

    return to


class TestRefusals:
    def test_empty(self) -> None:
        assert refusal(b" \n") == "is empty: write the trace again"

    def test_truncated(self) -> None:
        assert refusal(written(old_letter())[:-40]) == "is truncated: copy it again, or regenerate it"

    @pytest.mark.parametrize("text", [b"not JSON", b"\xff\xfe{", b'{"vars": ["\xff"]}', b"\x00"])
    def test_not_json(self, text: bytes) -> None:
        assert refusal(text) == "is not JSON: give a file that was written as ITF"

    def test_nested_without_end(self) -> None:
        text = b'{"#meta":{"format":"ITF"},"vars":[],"states":[{"x":' + b"[" * 100_000
        assert refusal(text) == "is nested too deeply for a trace: regenerate it"

    def test_nested_as_deeply_as_can_be_read(self) -> None:
        deep: list[object] = []
        for _ in range(900):
            deep = [deep]
        assert refusal(changed(_set("states", 2, "writer.mood")(deep))).startswith("step 2: writer.mood is ")

    @pytest.mark.parametrize("text", [b"[]", b"3", b'{"#meta": {"format": "ITF"}}', b'{"states": []}'])
    def test_not_itf(self, text: bytes) -> None:
        assert refusal(text).startswith("is JSON but not a trace in ITF")

    @pytest.mark.parametrize("text", [b'"""A change."""\nfrom postcopy.language import Flag\n', b"3 changes", b"[1, ]"])
    def test_text_that_begins_like_json(self, text: bytes) -> None:
        assert refusal(text) == "is not JSON: give a file that was written as ITF"

    def test_another_format(self) -> None:
        message = "is in the format XES?, not ITF: give a file that was written as ITF"
        assert refusal(changed(_set("#meta", "format")("XES\x1b"))) == message

    def test_itf_of_another_tool(self) -> None:
        text = changed(lambda document: document["#meta"].pop("postcopy"))
        assert refusal(text).startswith("is ITF but not of a postcopy model")

    def test_another_version_of_the_format_whatever_else_it_holds(self) -> None:
        text = changed(_set("#meta", "postcopy")({"version": 2, "new": True}))
        assert refusal(text) == "has format version 2, and this reads version 1: regenerate it"

    @pytest.mark.parametrize("value", [7, {}, {"version": "1"}, {"version": 1}, {"version": 1, "pages": -(2**70)}])
    def test_damaged_head(self, value: object) -> None:
        assert refusal(changed(_set("#meta", "postcopy")(value))).startswith("has a damaged #meta.postcopy")

    def test_unknown_protocol(self) -> None:
        text = changed(_set("#meta", "postcopy", "protocol")("parcels\x1b\n"))
        assert refusal(text) == r"cannot be replayed: there is no protocol 'parcels\x1b\n'; there is letters"

    def test_size_out_of_range(self) -> None:
        text = changed(_set("#meta", "postcopy", "pages")(10**9))
        assert refusal(text) == "cannot be replayed: pages=1000000000 is out of range: 1 to 16"

    def test_another_model(self) -> None:
        text = changed(_set("#meta", "postcopy", "fingerprint")("old"))
        assert refusal(text) == "was made with another version of the model: regenerate it"

    def test_no_states(self) -> None:
        assert refusal(changed(_set("states")([]))) == "has no states: regenerate it"

    def test_another_list_of_variables(self) -> None:
        text = changed(lambda document: document["vars"].pop())
        assert refusal(text) == "does not list the model's variables under vars: regenerate it"

    def test_a_state_is_missing(self) -> None:
        text = changed(lambda document: document["states"].pop(2))
        assert refusal(text) == "step 2 is numbered 3: states are missing or out of order; regenerate it"

    @pytest.mark.parametrize("value", [None, 5, {}, {"index": "one"}, {"index": 1, "page": "x"}])
    def test_damaged_label(self, value: object) -> None:
        assert refusal(changed(_set("states", 1, "#meta")(value))).startswith("step 1 has a damaged #meta")

    def test_unknown_action(self) -> None:
        text = changed(_set("states", 1, "#meta", "action")("writer.burns"))
        assert refusal(text) == "step 1: the model has no action writer.burns: regenerate it"

    @pytest.mark.parametrize("page", [None, -1, 2, 10**18])
    def test_page_out_of_range(self, page: int | None) -> None:
        text = changed(_set("states", 1, "#meta", "page")(page))
        assert refusal(text) == f"step 1: writer.writes takes a page from 0 to 1, not {page}: regenerate it"

    def test_page_where_none_is_taken(self) -> None:
        text = changed(_set("states", 4, "#meta", "page")(0))
        assert refusal(text) == "step 4: reader.delivers takes no page, not 0: regenerate it"

    def test_a_step_that_cannot_be_taken(self) -> None:
        text = changed(_set("states", 2, "#meta")({"index": 2, "action": "writer.posts", "page": 1}))
        message = "cannot be replayed: step 2: writer.posts cannot be taken here in Letters: regenerate it"
        assert refusal(text) == message

    @pytest.mark.parametrize(
        ("variable", "value", "found"),
        [
            ("writer.count", 2, "2"),
            ("writer.count", True, "true"),
            ("writer.mood", "JOLLY", "JOLLY"),
            ("writer.drafts", {"#set": [0, 0]}, '{"#set":[0,0]}'),
            ("writer.drafts", {"#set": ["0"]}, '{"#set":["0"]}'),
            ("writer.drafts", "x" * 1000, "x" * 57 + "..."),
            ("mail_van", [], "[]"),
        ],
    )
    def test_a_state_that_the_replay_does_not_give(self, variable: str, value: object, found: str) -> None:
        message = refusal(changed(_set("states", 2, variable)(value)))
        assert message.startswith(f"step 2: {variable} is {found}, but the model gives ")

    def test_a_variable_is_missing(self) -> None:
        text = changed(lambda document: document["states"][2].pop("writer.mood"))
        assert refusal(text) == "step 2: writer.mood is missing: regenerate it"

    def test_a_variable_too_many(self) -> None:
        text = changed(_set("states", 2, "writer.hat")(True))
        assert refusal(text) == "step 2: the model has no variable writer.hat: regenerate it"

    def test_a_start_that_is_none(self) -> None:
        text = changed(_set("states", 0, "writer.count")(3))
        assert refusal(text) == "step 0: writer.count is 3, but the model gives 0: regenerate it"

    def test_an_unknown_property(self) -> None:
        text = changed(_set("#meta", "postcopy", "violated")("no-ink"))
        assert refusal(text) == "speaks of a property no-ink that the model does not have: regenerate it"

    @pytest.mark.parametrize("name", ["house-full", "no-deadlock"])
    def test_a_claim_that_the_run_does_not_bear_out(self, name: str) -> None:
        text = changed(_set("#meta", "postcopy", "violated")(name))
        if name == "no-deadlock":  # stop where the clerk can still move
            text = changed(
                lambda d: (_set("#meta", "postcopy", "violated")(name)(d), _set("states")(d["states"][:2])(d))
            )
        assert refusal(text) == f"claims to violate {name}, which holds at its end: regenerate it"

    def test_too_large_a_file_is_not_even_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(itf, "MAX_BYTES", 2**20)
        path = tmp_path / "large.itf.json"
        path.write_bytes(b" " * (2**20 + 1))
        with pytest.raises(TraceError, match=r"cannot read .*large\.itf\.json: it is larger than 1 MiB"):
            read_itf(path, make, fingerprint)

    def test_too_many_small_values_are_not_decoded(self) -> None:
        assert refusal(b"[" + b"0," * (itf.MAX_VALUES + 1) + b"0]").startswith("holds more than 1000000 values")

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(TraceError, match=r"cannot read .*none\.json: No such file or directory"):
            read_itf(tmp_path / "none.json", make, fingerprint)

    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(
            st.tuples(st.integers(0, len(written(old_letter())) - 1), st.integers(0, 255)),
            min_size=1,
            max_size=4,
        )
    )
    @example([(183, 183)])
    @example([(4, 128)])
    def test_any_damage_is_refused_or_harmless(self, damage: list[tuple[int, int]]) -> None:
        text = bytearray(written(old_letter()))
        for place, byte in damage:
            text[place] = byte
        try:
            trace = read(bytes(text))
        except TraceError:
            return
        assert trace.states == old_letter().states
