"""Streams that die before their end: each way on, and what its readers never notice."""

import errno
import json

import pytest

from support.breaking import (CHARACTERS, Chat, FIRST, Messages, NO_PREFILL, Responses, SECOND, WHOLE, WIRES, attach,
                              ended, recovery_of, turns_of, without_prefill)
from support.server import END, LAST_CHUNK, RESET, chunk, event, framed, stream_head


# ---- before a byte was read ----


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("by", [END, RESET, LAST_CHUNK], ids=["close", "reset", "polite end"])
def test_a_cut_before_a_byte_was_read_is_invisible(play, server, wire, by):
    story = play(wire)
    server.plays(*story.attempt("Something that nobody"), by)
    story.whole("Another text.")
    story.directory.write("hi")
    assert ended(story.directory)["state"] == "done"
    assert story.directory.read() == "Another text."
    first, second = server.requests
    assert turns_of(first) == turns_of(second) == [("user", "hi")]
    assert story.methods() == ["none", "restart"]


def test_cuts_before_a_byte_was_read_may_be_as_many_as_reconnects(play, server):
    story = play(retry={"initial_delay": 0.01, "max_reconnect_attempts": 4})
    for _ in range(4):
        server.plays(*story.attempt("unread"), END)
    story.whole(WHOLE)
    story.directory.write("hi")
    assert ended(story.directory)["state"] == "done"
    assert story.directory.read() == WHOLE
    assert story.methods() == ["none"] + ["restart"] * 4


def test_a_restart_leaves_no_trace_of_the_text_that_nobody_read_in_the_message(play, server):
    story = play()
    server.plays(*story.attempt("unread"), END)
    story.whole(WHOLE)
    story.directory.write("hi")
    ended(story.directory)
    message = json.loads(story.directory.latest.read("response.json"))
    assert message["choices"][0]["message"]["content"] == WHOLE


def test_a_response_in_the_background_that_is_begun_again_is_stopped(play, server):
    story = play(Responses)
    server.plays(*story.attempt("unread"), END)
    story.wire.response = "resp_2"
    story.whole(WHOLE)
    story.directory.write("hi")
    assert ended(story.directory)["state"] == "done"
    assert story.directory.read() == WHOLE
    with server.changed:
        assert server.changed.wait_for(lambda: server.cancelled, 20)
    assert server.cancelled == ["/v1/responses/resp_1/cancel"]


# ---- the cursor ----


def test_a_response_in_the_background_is_attached_to_behind_its_newest_event(play, server):
    story = play(Responses)
    story.cut(FIRST[:20], FIRST[20:])  # events 0 to 3
    server.plays(*attach(story, SECOND, first=4))
    assert story.read() == WHOLE
    first, second = server.requests
    assert first.json()["background"] is True and first.json()["store"] is True
    assert (second.method, second.path) == ("GET", "/v1/responses/resp_1?stream=true&starting_after=3")
    assert second.headers["authorization"] == "Bearer a-key"
    assert story.methods() == ["none", "cursor"]
    assert recovery_of(story.directory).split()[0] == "cursor"
    assert server.cancelled == []


def test_events_that_come_again_behind_a_cursor_are_said_once(play, server):
    story = play(Responses)
    story.cut(FIRST[:20], FIRST[20:])
    server.plays(*attach(story, FIRST[:20], FIRST[20:], SECOND, first=2))
    assert story.read() == WHOLE


def test_an_event_that_came_in_part_is_asked_for_again(play, server):
    story = play(Responses)
    story.wire.number = 3
    half = story.wire.delta(" this is lost")[:-20]
    story.cut(FIRST, tail=half)
    server.plays(*attach(story, SECOND, first=3))
    assert story.read() == WHOLE
    assert server.requests[1].path.endswith("starting_after=2")


def test_a_text_that_repeats_itself_is_not_taken_for_an_overlap_by_a_cursor(play, server):
    story = play(Responses)
    story.cut("ha ha ha ha ha ha ha ha ha ha ")
    server.plays(*attach(story, "ha ha ha ha ha ha ha ha ha ha ", "!", first=3))
    assert story.read() == "ha ha ha ha ha ha ha ha ha ha " * 2 + "!"


def test_a_cursor_is_used_as_often_as_the_stream_breaks(play, server):
    story = play(Responses)
    words = [f"word {number}, " for number in range(12)]
    story.cut(words[0])
    for number in range(1, 12):
        story.plays_until_seen(attach(story, words[number], first=2 + number, end=False), words[number])
    server.plays(*attach(story, "end", first=14))
    assert story.read() == "".join(words) + "end"
    assert story.methods() == ["none"] + ["cursor"] * 12
    assert [request.path.rpartition("=")[2] for request in server.requests[1:]] == [str(n) for n in range(2, 14)]
    assert story.directory.latest.status()["reconnects"] == "12"


def test_a_response_that_is_gone_is_gone_on_from_otherwise(play, server):
    story = play(Responses)
    story.cut(FIRST)
    server.error(404, {"error": {"message": "Response with id 'resp_1' not found.",
                                 "type": "invalid_request_error", "code": None}})
    story.whole(SECOND)
    assert story.read() == WHOLE
    assert story.methods() == ["none", "cursor", "continue"]
    assert [request.method for request in server.requests] == ["POST", "GET", "POST"]


def test_an_attach_that_is_answered_with_the_whole_response_adds_what_was_missing(play, server):
    story = play(Responses)
    story.cut(FIRST)
    item = {"id": "msg_1", "type": "message", "role": "assistant",
            "content": [{"type": "output_text", "text": WHOLE}]}
    body = {"id": "resp_1", "object": "response", "model": "gpt-fake", "status": "completed", "output": [item]}
    server.plays(*framed(json.dumps(body).encode(), "length", content_type="application/json"))
    assert story.read() == WHOLE


def test_events_that_all_have_the_number_0_are_no_cursor(play, server):
    class Unnumbered(Responses):
        def event(self, kind, **more):
            self.number = 0
            return super().event(kind, **more)

    story = play(Unnumbered)
    story.cut(FIRST)
    story.whole(WHOLE)  # to whoever attaches, and to whoever asks to continue
    assert story.read() == WHOLE
    assert story.methods() == ["none", "continue"]


def test_a_response_that_failed_in_the_background_is_gone_on_from_otherwise(play, server):
    story = play(Responses)
    story.wire.number = 3
    failed = story.wire.event("response.failed", response=story.wire.object(
        "failed", output=[], error={"code": "server_error", "message": "The model failed."}))
    story.cut(FIRST)
    server.plays(stream_head(), chunk(failed), LAST_CHUNK)
    story.whole(SECOND)
    assert story.read() == WHOLE
    assert story.methods() == ["none", "cursor", "continue"]


def test_a_provider_that_has_no_background_is_asked_without_it(play, server):
    story = play(Responses)
    server.error(400, {"error": {"message": "Background mode is not supported with zero data retention.",
                                 "type": "invalid_request_error", "param": "background"}})
    story.cut(FIRST)
    story.whole(SECOND)
    assert story.read() == WHOLE
    assert ["background" in request.json() for request in server.requests] == [True, False, False]
    assert story.methods() == ["none", "none", "continue"]


def test_a_response_that_goes_on_in_the_background_has_a_cursor_of_its_own(play, server):
    story = play(Responses)
    story.wire.number = 3
    failed = story.wire.event("response.failed", response=story.wire.object(
        "failed", output=[], error={"code": "server_error", "message": "The model failed."}))
    story.cut(FIRST, tail=failed)
    story.wire.response = "resp_2"
    story.cut(SECOND[:20])
    server.plays(*attach(story, SECOND[20:], first=3))
    assert story.read() == WHOLE
    assert story.methods() == ["none", "continue", "cursor"]
    assert server.requests[2].path == "/v1/responses/resp_2?stream=true&starting_after=2"
    message = json.loads(story.directory.latest.read("response.json"))
    assert message["output"][0]["content"][0]["text"] == WHOLE


def test_a_continuation_that_breaks_while_it_is_compared_is_not_attached_to(play, server):
    story = play(Responses)
    story.wire.number = 3
    failed = story.wire.event("response.failed", response=story.wire.object(
        "failed", output=[], error={"code": "server_error", "message": "The model failed."}))
    story.cut(FIRST, tail=failed)
    story.wire.response = "resp_2"
    story.cut("the fishing bo", seen=FIRST)  # held back, and behind the cursor
    story.wire.response = "resp_3"
    story.whole("the fishing boats lay" + SECOND)
    assert story.read() == WHOLE
    assert story.methods() == ["none", "continue", "continue"]


def test_exact_replays_a_response_that_is_gone(play, server):
    story = play(Responses, recovery="exact")
    story.cut(FIRST)
    server.error(404, {"error": {"message": "Response with id 'resp_1' not found."}})
    story.whole(WHOLE)
    assert story.read() == WHOLE
    assert story.methods() == ["none", "cursor", "replay"]


def test_a_cut_inside_a_character_is_made_good_by_the_cursor(play, server):
    story = play(Responses)
    number = 3
    story.wire.number = number
    data = story.wire.delta("é中😀").replace(json.dumps("é中😀").encode(), '"é中😀"'.encode())
    place = data.index("é".encode())
    for at in range(place, place + 10):
        story.cut(FIRST, tail=data[:at])
        server.plays(*attach(story, "é中😀", SECOND, first=number))
        assert story.read() == FIRST + "é中😀" + SECOND
        assert story.methods() == ["none", "cursor"]


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


# ---- replay ----


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("pieces", [1, 5, 1000])
def test_a_replay_that_repeats_is_accepted(play, server, wire, pieces):
    story = play(wire, recovery="exact", **({"background": False} if wire is Responses else {}))
    story.cut(FIRST)
    story.whole(*(WHOLE[at : at + pieces] for at in range(0, len(WHOLE), pieces)))
    assert story.read() == WHOLE
    assert story.methods() == ["none", "replay"]
    assert server.requests[0].body == server.requests[1].body


@pytest.mark.parametrize("at", [0, 1, len(FIRST) // 2, len(FIRST) - 1])
def test_a_replay_that_differs_anywhere_is_refused(play, server, at):
    story = play(recovery="exact")
    story.cut(FIRST)
    story.whole(FIRST[:at] + "#" + FIRST[at + 1 :] + SECOND)
    assert story.read_broken() == FIRST
    assert story.readers[0].error == errno.ECONNRESET
    assert story.directory.read_to_error() == (FIRST, errno.ECONNRESET)
    assert len(server.requests) == 2
    status = story.directory.latest.status()
    assert (status["state"], status["bytes"]) == ("failed", str(len(FIRST)))


def test_a_replay_that_ends_before_what_was_delivered_is_refused(play):
    story = play(recovery="exact")
    story.cut(FIRST)
    story.whole(FIRST[:-1])
    assert story.read_broken() == FIRST
    assert story.readers[0].error == errno.ECONNRESET


def test_a_replay_of_just_what_was_delivered_is_a_whole_answer(play):
    story = play(recovery="exact")
    story.cut(WHOLE)
    story.whole(WHOLE)
    assert story.read() == WHOLE


def test_a_replay_that_breaks_while_it_repeats_is_replayed_again(play):
    story = play(recovery="exact", retry={"initial_delay": 0.01, "max_reconnect_attempts": 3})
    story.cut(FIRST)
    story.cut(FIRST[:10], seen=FIRST)
    story.cut(FIRST[:30], seen=FIRST)
    story.whole(WHOLE)
    assert story.read() == WHOLE
    assert story.methods() == ["none"] + ["replay"] * 3


def test_a_text_too_short_to_go_on_from_is_replayed(play):
    story = without_prefill(play)
    story.cut("The har")
    story.whole(WHOLE)
    assert story.read() == WHOLE
    assert story.methods() == ["none", "replay"]


# ---- characters ----



def raw_delta(text):
    """Not escaped, as most servers send it."""
    return event(json.dumps({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]},
                            ensure_ascii=False))


@pytest.mark.parametrize("policy, method", [("auto", "prefill"), ("exact", "replay")])
def test_a_cut_inside_a_character_neither_loses_nor_repeats_it(play, server, policy, method):
    story = play(recovery=policy)
    data = raw_delta(CHARACTERS)
    place = data.index(CHARACTERS.encode())
    for at in range(place, place + len(CHARACTERS.encode()) + 1):
        story.cut(FIRST, tail=data[:at])
        story.whole((FIRST if method == "replay" else "") + CHARACTERS, SECOND)
        assert story.read() == FIRST + CHARACTERS + SECOND
        assert story.methods() == ["none", method]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("character", CHARACTERS)
def test_a_seam_between_any_two_characters_holds(play, wire, character):
    story = play(wire, recovery="exact", **({"background": False} if wire is Responses else {}))
    text = character * 3 + "." + character
    for at in range(1, len(text)):
        story.cut(text[:at])
        story.whole(text)
        assert story.read() == text


def test_half_a_surrogate_pair_is_never_delivered(play):
    story = play()
    half = event('{"choices":[{"index":0,"delta":{"content":"\\ud83d"},"finish_reason":null}]}')
    story.cut(FIRST, tail=half)
    story.whole("😀", SECOND)
    assert story.read() == FIRST + "😀" + SECOND


def test_an_overlap_of_characters_beyond_ascii_is_removed(play):
    story = without_prefill(play)
    first, second = "港口在黎明时分很安静，渔船并排停靠在", "古老的石墙边，等待潮水。"
    story.cut(first)
    story.whole("很安静，渔船并排停靠在" + second)
    assert story.read() == first + second
