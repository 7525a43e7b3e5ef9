"""Streams that die before their end: a model that was shown the partial text goes on from it."""

import errno

import pytest

from support.breaking import (Chat, FIRST, Messages, NO_PREFILL, Responses, SECOND, WHOLE, WIRES, recovery_of,
                              turns_of, without_prefill)
from support.server import LAST_CHUNK, chunk, event, stream_head


# ---- prefill ----


@pytest.mark.parametrize("wire", [Chat, Messages])
def test_the_partial_text_is_the_beginning_of_the_assistants_turn(play, server, wire):
    story = play(wire)
    story.cut(FIRST)
    story.whole(SECOND)
    assert story.read() == WHOLE
    assert turns_of(server.requests[1]) == [("user", "hi"), ("assistant", FIRST)]
    assert story.methods() == ["none", "prefill"]


def test_a_prefill_keeps_the_system_text_and_the_options(play, server):
    story = play(Messages, system="Be brief.", options={"temperature": 0.5})
    story.cut(FIRST)
    story.whole(SECOND)
    assert story.read() == WHOLE
    first, second = (request.json() for request in server.requests)
    assert second.pop("messages") == [*first.pop("messages"), {"role": "assistant", "content": FIRST}]
    assert second == first and first["system"] == "Be brief." and first["temperature"] == 0.5


@pytest.mark.parametrize("then", ["boats", " boats", "\n\nboats", "\n\n boats"])
def test_white_space_that_a_prefill_may_not_end_with_is_said_once(play, server, then):
    story = play(Messages)
    story.cut("The old fishing\n\n")
    story.whole(then)
    said = story.read()
    assert turns_of(server.requests[1])[-1] == ("assistant", "The old fishing")
    assert said == "The old fishing\n\n" + then.removeprefix("\n\n")


def test_a_prefill_that_repeats_a_long_end_is_joined_without_it(play):
    story = play()
    story.cut(FIRST)
    story.whole("and the fishing boats lay" + SECOND)
    assert story.read() == WHOLE


def test_a_model_that_begins_again_in_spite_of_a_prefill_says_nothing_twice(play):
    story = play()
    story.cut(FIRST)
    story.whole(WHOLE)
    assert story.read() == WHOLE


@pytest.mark.parametrize("wire", [Chat, Messages])
def test_a_model_that_refuses_a_prefill_is_asked_to_continue_at_once_and_never_by_prefill_again(play, server, wire):
    story = play(wire, retry={"initial_delay": 0.01, "max_reconnect_attempts": 1})
    story.cut(FIRST)
    server.error(400, NO_PREFILL)
    story.whole(SECOND)
    assert story.read() == WHOLE
    assert story.methods() == ["none", "prefill", "continue"]
    refused = story.directory.latest.attempts()[1]
    assert (refused["class"], refused["http_status"], refused["delay_s"]) == ("validation", 400, 0)
    assert turns_of(server.requests[2])[:2] == [("user", "hi"), ("assistant", FIRST)]
    assert turns_of(server.requests[2])[2][0] == "user"

    story.cut(FIRST)
    story.whole(SECOND)
    assert story.read() == WHOLE
    assert story.methods() == ["none", "continue"]


def test_a_refusal_of_a_prefill_inside_a_stream_is_one_too(play, server):
    story = play()
    refusal = event({"error": {"code": 400, "message": "Prefilling assistant messages is not supported"}})
    story.cut(FIRST)
    server.plays(stream_head(), chunk(refusal), LAST_CHUNK)
    story.whole(SECOND)
    assert story.read() == WHOLE
    assert story.methods() == ["none", "prefill", "continue"]


def test_what_one_model_refuses_is_still_tried_with_another(play, server):
    story = without_prefill(play)
    story.directory.write("other", "model")
    story.cut(FIRST)
    story.whole(SECOND)
    assert story.read() == WHOLE
    assert story.methods() == ["none", "prefill"]


@pytest.mark.parametrize("model, method", [("claude-3-7-sonnet-20250219", "prefill"), ("claude-sonnet-4-5", "prefill"),
                                           ("claude-opus-4-6", "continue"), ("claude-sonnet-5", "continue")])
def test_a_model_that_is_known_to_refuse_a_prefill_is_not_asked_for_one(play, model, method):
    story = play(Messages, model=model)
    story.cut(FIRST)
    story.whole(SECOND)
    assert story.read() == WHOLE
    assert story.methods() == ["none", method]


# ---- continue ----


@pytest.mark.parametrize("wire", WIRES)
def test_a_model_that_goes_on_exactly_is_joined_as_it_is(play, server, wire):
    story = without_prefill(play, wire, **({"background": False} if wire is Responses else {}))
    story.cut(FIRST)
    story.whole(SECOND)
    assert story.read() == WHOLE
    assert story.methods() == ["none", "continue"]
    turns = turns_of(server.requests[1])
    assert turns[:2] == [("user", "hi"), ("assistant", FIRST)]
    assert [role for role, _ in turns] == ["user", "assistant", "user"]


@pytest.mark.parametrize("overlap", ["boats lay", "the fishing boats lay", "at dawn, and the fishing boats lay"])
def test_an_overlap_at_the_seam_is_removed(play, overlap):
    story = without_prefill(play)
    story.cut(FIRST)
    story.whole(overlap + SECOND)
    assert story.read() == WHOLE


def test_an_overlap_that_comes_letter_by_letter_is_removed(play):
    story = without_prefill(play)
    story.cut(FIRST)
    story.whole(*("the fishing boats lay" + SECOND))
    assert story.read() == WHOLE


def test_an_overlap_in_the_midst_of_a_word_is_removed(play):
    story = without_prefill(play)
    story.cut("The quick brown fox jumps over the la")
    story.whole("jumps over the lazy dog.")
    assert story.read() == "The quick brown fox jumps over the lazy dog."


@pytest.mark.parametrize("pieces", [1, 7, 1000])
def test_a_model_that_begins_all_over_says_nothing_twice(play, pieces):
    story = without_prefill(play)
    story.cut(FIRST)
    story.whole(*(WHOLE[at : at + pieces] for at in range(0, len(WHOLE), pieces)))
    assert story.read() == WHOLE
    assert "replay@" in recovery_of(story.directory)


def test_a_model_that_begins_all_over_and_then_differs_is_not_joined(play):
    story = without_prefill(play, retry={"initial_delay": 0.01, "max_reconnect_attempts": 1})
    story.cut(FIRST)
    story.whole(FIRST[:-4] + "rafts lay elsewhere that day.")
    story.whole("nor does a replay fit")
    assert story.read_broken() == FIRST
    assert story.readers[0].error == errno.ECONNRESET
    assert story.directory.read_to_error() == (FIRST, errno.ECONNRESET)


@pytest.mark.parametrize("preamble", ["Sure, continuing from where I left off:\n\n", "Certainly! Here is the rest: "])
@pytest.mark.parametrize("overlap", ["the fishing boats lay", FIRST])
def test_a_preamble_before_repeated_words_is_removed(play, preamble, overlap):
    story = without_prefill(play)
    story.cut(FIRST)
    story.whole(preamble, overlap, SECOND)
    assert story.read() == WHOLE


@pytest.mark.parametrize("preamble", ["...", "… "])
@pytest.mark.parametrize("overlap", ["the fishing boats lay", FIRST])
def test_dots_before_repeated_words_are_removed(play, preamble, overlap):
    story = without_prefill(play)
    story.cut(FIRST)
    story.whole(preamble + overlap + SECOND)
    assert story.read() == WHOLE


@pytest.mark.parametrize("opening", ["\n", "\n\n", '"', "> ", "**"])
@pytest.mark.parametrize("overlap", ["quiet at dawn, and the fishing boats lay", FIRST])
def test_blanks_and_marks_before_many_repeated_words_are_removed(play, opening, overlap):
    story = without_prefill(play)
    story.cut(FIRST)
    story.whole(opening + overlap + SECOND)
    assert story.read() == WHOLE


def test_an_end_of_line_and_a_line_like_the_one_before_is_text(play):
    story = without_prefill(play)
    line = '{"role": "user", "kind": "question", "lang": "en", "text": "%s"}'
    story.cut(line % "one" + "\n" + line % "two")
    story.whole("\n" + line % "three")
    assert story.read() == "\n".join(line % word for word in ("one", "two", "three"))


def test_a_continuation_that_may_repeat_or_go_on_is_refused(play, server):
    story = without_prefill(play, retry={"initial_delay": 0.01, "max_reconnect_attempts": 1})
    pattern = "na na na na na na na na na na na na "
    story.cut(pattern)
    story.whole("na na na na na na hey.")
    story.whole(pattern + "hey.")
    assert story.read() == pattern + "hey."
    assert story.methods() == ["none", "continue", "replay"]


def test_a_continuation_that_breaks_while_it_is_compared_loses_and_repeats_nothing(play):
    story = without_prefill(play)
    story.cut(FIRST)
    story.cut("the fishing bo", seen=FIRST)  # may be an overlap, or not: nobody is given it
    story.whole("the fishing boats lay" + SECOND)
    assert story.read() == WHOLE


def test_a_whole_continuation_that_is_nothing_new_is_an_end(play):
    story = without_prefill(play)
    story.cut(WHOLE)
    story.whole("waiting for the tide.")
    assert story.read() == WHOLE
