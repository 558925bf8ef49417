"""A story tells who did what, only what changed, and why the last step is a contradiction."""

import pytest

from postcopy.language.instance import Instance
from postcopy.model.postcopy import Postcopy
from postcopy.report.story.tell import Lane, Story, StoryStep, tell
from postcopy.report.story.words import MessageInWords, page_words, set_words, step_words
from tests.report.examples import OLD_LETTER, letters, old_letter, run


def steps_of(labels: list[tuple[str, int | None]]) -> tuple[StoryStep, ...]:
    return tell(run(labels, None)).steps


@pytest.fixture(name="story")
def old_letter_story() -> Story:
    return tell(old_letter())


class TestSteps:
    def test_a_step_is_the_threads_sentence_with_its_page(self, story: Story) -> None:
        assert [step.sentence for step in story.steps] == [
            "author: writes page 0",
            "clerk: posts a page; #1 | as_is, page 0",
            "author: writes page 0",
            "postman: delivers a letter",
            "vCPU 0: reads page 0",
        ]

    def test_a_step_carries_its_rules_and_the_function_of_qemu(self, story: Story) -> None:
        assert (story.steps[1].rule, story.steps[1].qemu) == ("R1 R2", "post_letter")

    def test_only_what_changed_is_told_in_the_documents_words(self, story: Story) -> None:
        assert [change.words for change in story.steps[1].changes] == [
            "mail van: [LETTER {0}]",
            "the writer's mood: calm → in a hurry",
            "the drafts: {0} → {}",
            "letters sent: 0 → 1",
        ]

    def test_a_change_knows_its_variable(self, story: Story) -> None:
        assert [change.variable for change in story.steps[1].changes] == [
            "mail_van",
            "writer.mood",
            "writer.drafts",
            "writer.count",
        ]

    def test_what_only_an_observer_knows_is_marked(self, story: Story) -> None:
        assert [change.words for change in story.steps[2].changes] == [
            "mail van: [LETTER {0} old] (known only to an all-seeing observer)",
            "the drafts: {} → {0}",
        ]

    def test_a_step_that_changes_nothing_tells_no_change(self, story: Story) -> None:
        assert story.steps[4].changes == ()

    def test_messages_sent_and_received(self, story: Story) -> None:
        assert story.steps[1].sent == (MessageInWords("mail van", "LETTER", 1),)
        assert story.steps[3].received == (MessageInWords("mail van", "LETTER", 1, ("old",)),)

    def test_what_a_run_could_have_started_with_otherwise_is_given(self, story: Story) -> None:
        assert story.given == ("letters go by express: no",)


class TestLanes:
    def test_only_threads_that_take_part_in_the_models_order(self, story: Story) -> None:
        assert story.lanes == (
            Lane("author", "writer"),
            Lane("clerk", "writer"),
            Lane("postman", "reader"),
            Lane("vCPU 0", "reader"),
        )

    def test_the_network_lies_between_the_hosts(self) -> None:
        story = tell(run([*OLD_LETTER[:2], ("road.washes_away", None), *OLD_LETTER[4:]], None))
        assert [lane.thread for lane in story.lanes] == ["author", "clerk", "weather", "vCPU 0"]


class TestFlights:
    def test_a_message_is_followed_to_where_it_is_received(self, story: Story) -> None:
        (flight,) = story.flights
        assert (flight.sent, flight.received, flight.lost, flight.host) == (2, 4, None, "reader")

    def test_the_newest_message_is_the_one_that_is_lost(self) -> None:
        posts: list[tuple[str, int | None]] = [("writer.writes", 0), ("writer.posts", 0)]
        again: list[tuple[str, int | None]] = [("writer.writes", 1), ("writer.posts", 1)]
        story = tell(run([*posts, *again, ("road.washes_away", None), ("reader.delivers", None)], None))
        assert [(f.sent, f.received, f.lost) for f in story.flights] == [(2, 6, None), (4, None, 5)]

    def test_a_message_can_still_be_on_its_way(self) -> None:
        (flight,) = tell(run(OLD_LETTER[:2], None)).flights
        assert (flight.received, flight.lost) == (None, None)


class TestContradiction:
    def test_a_step_that_offends_is_named_with_its_pages(self, story: Story) -> None:
        assert story.contradiction is not None
        assert story.contradiction.words == (
            "Violated: “Nobody reads an old letter” (R7). "
            "Step 5 (vCPU 0: reads page 0) breaks it for page 0. What was read is not what was written last."
        )

    def test_a_state_that_offends_is_named_with_its_pages(self) -> None:
        contradiction = tell(run(OLD_LETTER[:4], "no-outdated")).contradiction
        assert contradiction is not None
        assert contradiction.culprits == "It is false for page 0 after step 4 (postman: delivers a letter)."

    def test_a_property_can_be_false_before_the_first_step(self) -> None:
        contradiction = tell(run([], "house-full")).contradiction
        assert contradiction is not None
        assert contradiction.culprits == "It is false before the first step."

    def test_a_deadlock_says_who_waits_and_who_could_still_act(self) -> None:
        contradiction = tell(run([("reader.reads[0]", 1)], "no-deadlock")).contradiction
        assert contradiction is not None
        assert contradiction.culprits == (
            "After step 1 no thread can move. vCPU 0 waits for page 1. "
            "Only these could still act, and nothing obliges them to: author, vCPU 0."
        )

    def test_a_run_that_does_not_show_what_it_claims_is_not_explained_away(self) -> None:
        contradiction = tell(run(OLD_LETTER[:2], "no-old-letter")).contradiction
        assert contradiction is not None
        assert contradiction.culprits.startswith("Yet it holds at the end of this run")

    def test_an_unknown_property_is_said_to_be_unknown(self) -> None:
        contradiction = tell(run([], "gone")).contradiction
        assert contradiction is not None
        assert contradiction.because == "This model has no property of that name."

    def test_a_witness_has_none(self) -> None:
        story = tell(run(OLD_LETTER, None))
        assert story.contradiction is None
        assert story.title == "A run that shows that this can happen"


class TestWords:
    @pytest.mark.parametrize(
        ("bits", "words"),
        [(1, "page 0"), (0b101, "pages 0 and 2"), (0b111, "pages 0, 1 and 2")],
    )
    def test_pages_in_a_sentence(self, bits: int, words: str) -> None:
        assert page_words(bits) == words

    def test_sets(self) -> None:
        assert (set_words(0), set_words(0b101)) == ("{}", "{0, 2}")

    def test_the_page_takes_the_place_of_the_last_words(self) -> None:
        assert step_words("reads a page", 3) == "reads page 3"
        assert step_words("reads a page twice", 3) == "reads a page twice, page 3"
        assert step_words("ends", None) == "ends"

    @pytest.mark.parametrize(
        ("message", "label", "words"),
        [
            (MessageInWords("mail van", "RUN", 0), "RUN", "RUN"),
            (MessageInWords("mail van", "PAGE", 0b10, ("stale",)), "PAGE 1", "PAGE {1} stale"),
            (MessageInWords("mail van", "DISCARD", 0b101), "DISCARD {0, 2}", "DISCARD {0, 2}"),
        ],
    )
    def test_messages(self, message: MessageInWords, label: str, words: str) -> None:
        assert (message.label, message.words) == (label, words)

    def test_the_thread_that_waits_is_the_one_that_the_field_names(self) -> None:
        variable = letters().variable
        assert (variable["reader.waiting[0]"].waits, variable["reader.has"].waits) == ("vCPU 0", "")
        variable = Instance(Postcopy, 1, 1).variable
        assert variable["destination.waiting[1]"].waits == "vCPU 1"
        assert variable["destination.device_waiting"].waits == "the main thread"


def test_the_size_is_told() -> None:
    story = tell(run([], None, letters(pages=4, group=2)))
    assert (story.protocol, story.size) == ("Letters", "4 pages, 2 messages in flight, host pages of 2")
