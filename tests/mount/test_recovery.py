"""Streams that die before their end: how the answer goes on, and what its readers never notice."""

import errno
import json
import zlib

import pytest

from support.askfs import Reader
from support.breaking import (STORY, Chat, Messages, Responses, Story, Unreliable, ended, recovery_of,
                              turns_of)
from support.server import END, HANG, LAST_CHUNK, RESET, Gate, chunk, event, framed, head, stream_head
from support.waiting import eventually

WIRES = [Chat, Messages, Responses]
FIRST = "The harbour was quiet at dawn, and the fishing boats lay"
SECOND = " side by side along the old stone wall, waiting for the tide."
WHOLE = FIRST + SECOND
NO_PREFILL = {"type": "error", "error": {"type": "invalid_request_error",
                                         "message": "This model does not support assistant message prefill. "
                                                    "The conversation must end with a user message."}}


@pytest.fixture
def play(mounted, server):
    """play(wire, …): a story with a provider of this wire; the rest is its configuration."""

    def begin(wire=Chat, defaults=None, **more):
        config = {"base_url": server.url, **wire.provider, **more}
        mount = mounted({"fake": config}, defaults, A_KEY="a-key")
        return Story(mount / "fake", server, wire())

    return begin


def without_prefill(play, wire=Chat, **more):
    """A provider whose models have refused a prefill already."""
    story = play(wire, **more)
    if wire is Responses:
        return story  # it is never asked for one
    story.cut("anything")
    story.server.error(400, NO_PREFILL)
    story.whole(" at all")
    assert story.read() == "anything at all"
    story.server.requests.clear()
    return story


def text_of_message(directory):
    """Of an answer that has a message; else None."""
    message = json.loads(directory.latest.read("response.json") or "{}")
    if "choices" in message:
        return message["choices"][0]["message"]["content"]
    blocks = message["output"][0]["content"] if message.get("output") else message.get("content")
    return "".join(block.get("text", "") for block in blocks) if blocks else None


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


def attach(story, *texts, first, end=True):
    """A script for whoever attaches behind the event before first."""
    wire = story.wire
    wire.number = first
    steps = [stream_head(), *(chunk(wire.delta(text)) for text in texts)]
    return steps + [chunk(wire.end(WHOLE)), LAST_CHUNK] if end else steps


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

CHARACTERS = "é中😀"


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


# ---- other ways to fail on the way ----


def test_a_provider_that_refuses_to_continue_is_asked_to_replay_at_once(play, server):
    story = without_prefill(play)
    story.cut(FIRST)
    server.error(400, {"error": {"message": "too many turns", "type": "invalid_request_error"}})
    story.whole(WHOLE)
    assert story.read() == WHOLE
    assert story.methods() == ["none", "continue", "replay"]
    assert story.directory.latest.attempts()[1]["delay_s"] == 0


def test_a_text_too_long_to_be_shown_to_the_model_is_replayed(play, server):
    story = without_prefill(play)
    story.cut(FIRST)
    server.error(400, {"error": {"message": "This model's maximum context length is 10 tokens.",
                                 "type": "invalid_request_error", "code": "context_length_exceeded"}})
    story.whole(WHOLE)
    assert story.read() == WHOLE
    assert story.methods() == ["none", "continue", "replay"]


def test_a_key_that_is_refused_meanwhile_ends_it_and_the_first_cause_is_shown(play, server):
    story = play()
    story.cut(FIRST)
    server.error(401, times=3)
    assert story.read_broken() == FIRST
    assert story.readers[0].error == errno.ECONNRESET
    assert len(server.requests) == 2
    assert [attempt["class"] for attempt in story.directory.latest.attempts()] == ["stream_truncated", "auth"]


def test_a_short_told_wait_is_waited_out_before_going_on(play, server):
    story = play()
    story.cut(FIRST)
    server.error(429, headers={"retry-after-ms": "200"})
    story.whole(SECOND)
    assert story.read() == WHOLE
    assert story.directory.latest.attempts()[1]["delay_s"] >= 0.2


def test_an_error_inside_the_stream_is_gone_on_from(play, server):
    story = play()
    overloaded = event({"error": {"message": "Overloaded", "type": "overloaded_error"}})
    story.cut(FIRST, tail=overloaded)
    story.whole(SECOND)
    assert story.read() == WHOLE
    assert story.directory.latest.attempts()[0]["class"] == "overloaded"


def test_a_malformed_event_is_gone_on_from(play):
    story = play()
    story.cut(FIRST, tail=b"data: {\"choices\": [}\n\n")
    story.whole(SECOND)
    assert story.read() == WHOLE
    assert story.directory.latest.attempts()[0]["class"] == "protocol"


def test_a_cancel_while_it_waits_to_go_on_keeps_the_text_and_ends_readers(play, server):
    story = play(retry={"initial_delay": 30, "max_delay": 30})
    story.cut(FIRST)
    server.error(503, headers={"Retry-After": "30"}, times=9)
    story.begin()
    story.directory.latest.becomes(state="streaming")
    story.go_on()
    eventually(lambda: story.directory.latest.status()["state"] == "retrying")
    story.directory.latest.write("stop", "cancel")
    assert story.end() == FIRST
    assert story.readers[0].error == errno.ECANCELED


def test_an_answer_that_survived_is_a_success_and_one_that_did_not_fails_once(play, server):
    story = play(retry={"initial_delay": 0.01, "max_delay": 0.02, "max_reconnect_attempts": 2})
    story.cut(FIRST)
    story.whole(SECOND)
    story.read()
    assert story.directory.status()["breaker_failures"] == "0"
    story.cut(FIRST)
    for _ in range(2):
        server.plays(stream_head(), END)
    story.read_broken()
    status = story.directory.status()
    assert (status["requests_ok"], status["requests_failed"], status["breaker_failures"]) == ("1", "1", "1")


def test_a_long_text_that_was_put_on_disk_is_replayed_and_shown_all_the_same(play, server):
    story = play(max_memory_per_response=65536)
    long = "".join(f"Line {number} of a long text.\n" for number in range(20000))
    pieces = [long[at : at + 50000] for at in range(0, len(long), 50000)]
    story.cut(*pieces)
    server.error(400, NO_PREFILL)
    server.error(400, {"error": {"message": "too many turns", "type": "invalid_request_error"}})
    story.whole(*pieces, "The end.")
    assert story.read() == long + "The end."
    assert turns_of(server.requests[1])[1] == ("assistant", long)
    assert story.methods() == ["none", "prefill", "continue", "replay"]


# ---- reasoning ----


def thought(text):
    return chunk(event({"choices": [{"index": 0, "delta": {"reasoning_content": text}, "finish_reason": None}]}))


def test_reasoning_that_was_read_is_not_mixed_with_that_of_another_attempt(play, server):
    story = play()
    gate = Gate()
    server.plays(stream_head(), thought("First I think."), gate, END)
    server.plays(stream_head(), thought("Another thought."), chunk(story.wire.delta(WHOLE)),
                 chunk(story.wire.end()), LAST_CHUNK)
    story.directory.write("hi")
    reader = Reader(story.directory / "reasoning")
    reader.has("First I think.")
    gate.open()
    assert reader.end() == b"First I think."
    assert reader.error is None
    assert story.directory.read() == WHOLE


def test_reasoning_of_an_answer_that_began_again_is_whole_however_it_is_read(play, server):
    story = play()
    gate = Gate()
    server.plays(stream_head(), thought("Nobody read this."), END)
    server.plays(stream_head(), thought("First I think, "), gate, thought("then I answer."),
                 chunk(story.wire.delta(WHOLE)), chunk(story.wire.end()), LAST_CHUNK)
    story.directory.write("hi")
    server.wait_for_requests(2)
    reader = Reader(story.directory / "reasoning")
    reader.has("First I think, ")
    gate.open()
    assert reader.end() == b"First I think, then I answer."


def test_reasoning_goes_on_behind_a_cursor(play, server):
    story = play(Responses)
    wire = story.wire
    gate = Gate()

    def thought_of(text):
        return chunk(wire.event("response.reasoning_summary_text.delta", item_id="rs_1", delta=text))

    server.plays(*story.attempt(FIRST), thought_of("I think "), gate, END)
    wire.number = 4
    server.plays(stream_head(), thought_of("about it."), chunk(wire.delta(SECOND)), chunk(wire.end(WHOLE)), LAST_CHUNK)
    story.directory.write("hi")
    readers = [Reader(story.directory / "response"), Reader(story.directory / "reasoning")]
    readers[0].has(FIRST)
    readers[1].has("I think ")
    gate.open()
    assert [reader.end().decode() for reader in readers] == [WHOLE, "I think about it."]


def signed_thought(text, signature):
    """Of Anthropic: a first block."""
    return b"".join(chunk(event(part)) for part in (
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": text}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": signature}},
        {"type": "content_block_stop", "index": 0}))


def text_block(text):
    return b"".join(chunk(event(part)) for part in (
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": text}}))


def signed_start():
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
    return [stream_head(), chunk(event({"type": "message_start", "message": message}))]


def check_signed(directory, signed):
    """Every thought stands with its own signature, or not at all."""
    content = json.loads(directory.latest.read("response.json"))["content"]
    for block in content:
        if block["type"] == "thinking":
            assert signed.get(block.get("signature")) == block["thinking"], content


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-sonnet-5"])
def test_a_signed_thought_is_never_mixed_with_that_of_another_attempt(play, server, model):
    story = play(Messages, model=model)
    thoughts = {"sig1": "The first thought, which is long.", "sig2": "Another thought altogether, and longer still."}
    story.plays_until_seen([*signed_start(), signed_thought(thoughts["sig1"], "sig1"), text_block(FIRST)], FIRST)
    server.plays(*signed_start(), signed_thought(thoughts["sig2"], "sig2"), text_block(SECOND),
                 chunk(story.wire.end()), LAST_CHUNK)
    assert story.read() == WHOLE
    assert story.directory.read("reasoning") == thoughts["sig1"]
    assert text_of_message(story.directory) == WHOLE
    check_signed(story.directory, thoughts)


def test_a_thought_that_was_read_is_not_signed_by_an_answer_that_began_again(play, server):
    story = play(Messages)
    thoughts = {"sig1": "The first thought, which is long.", "sig2": "Another thought altogether, and longer still."}
    gate = Gate()
    server.plays(*signed_start(), signed_thought(thoughts["sig1"], "sig1"), gate, END)
    server.plays(*signed_start(), signed_thought(thoughts["sig2"], "sig2"), text_block(WHOLE),
                 chunk(story.wire.end()), LAST_CHUNK)
    story.directory.write("hi")
    reader = Reader(story.directory / "reasoning")
    reader.has(thoughts["sig1"])
    gate.open()
    assert reader.end().decode() == thoughts["sig1"]
    assert story.directory.read() == WHOLE
    check_signed(story.directory, thoughts)


def test_a_thought_that_nobody_read_is_that_of_the_answer(play, server):
    story = play(Messages)
    thoughts = {"sig1": "The first thought, which is long.", "sig2": "Another thought altogether, and longer still."}
    server.plays(*signed_start(), signed_thought(thoughts["sig1"], "sig1"), END)
    server.plays(*signed_start(), signed_thought(thoughts["sig2"], "sig2"), text_block(WHOLE),
                 chunk(story.wire.end()), LAST_CHUNK)
    story.directory.write("hi")
    assert ended(story.directory)["state"] == "done"
    assert story.directory.read("reasoning") == thoughts["sig2"]
    content = json.loads(story.directory.latest.read("response.json"))["content"]
    assert content[0] == {"type": "thinking", "thinking": thoughts["sig2"], "signature": "sig2"}


# ---- on other framings ----


def test_a_compressed_stream_that_is_cut_goes_on(play, server):
    story = play()
    packer = zlib.compressobj(wbits=31)
    half = packer.compress(story.wire.begin() + story.wire.delta(FIRST)) + packer.flush(zlib.Z_SYNC_FLUSH)
    story.plays_until_seen([stream_head(Content_Encoding="gzip"), chunk(half)], FIRST)
    body = story.wire.delta(SECOND) + story.wire.end()
    server.plays(*framed(body, "length", encoding="gzip"))
    assert story.read() == WHOLE


def test_a_stream_of_a_known_length_that_is_cut_goes_on(play, server):
    story = play()
    headers = {"Content-Type": "text/event-stream", "Content-Length": "100000"}
    story.plays_until_seen([head(200, headers), story.wire.delta(FIRST)], FIRST)
    story.whole(SECOND)
    assert story.read() == WHOLE


# ---- tool calls ----


def tool_delta(arguments, name=None):
    function = {"arguments": arguments, **({"name": name} if name else {})}
    call = {"index": 0, "function": function, **({"id": "call_1", "type": "function"} if name else {})}
    return event({"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]})


def tool_answer(story, text, city):
    return [*story.attempt(text), chunk(tool_delta('{"city": ', "weather")), chunk(tool_delta(f'"{city}"}}')),
            chunk(story.wire.end(finish="tool_calls")), LAST_CHUNK]


def calls_of(directory):
    message = json.loads(directory.latest.read("response.json"))["choices"][0]["message"]
    return [call["function"] for call in message["tool_calls"]]


def test_a_tool_call_that_was_cut_comes_whole_from_one_attempt(play, server):
    story = play()
    half = [*story.attempt(FIRST), chunk(tool_delta('{"city": "Ro', "weather"))]
    story.plays_until_seen(half, FIRST)
    server.plays(*tool_answer(story, FIRST, "Paris"))
    assert story.read() == FIRST
    assert calls_of(story.directory) == [{"name": "weather", "arguments": '{"city": "Paris"}'}]
    assert story.methods() == ["none", "replay"]
    assert server.requests[0].body == server.requests[1].body


def test_an_answer_with_a_cut_tool_call_that_differs_is_refused(play, server):
    story = play()
    story.plays_until_seen([*story.attempt(FIRST), chunk(tool_delta('{"city": "Ro', "weather"))], FIRST)
    server.plays(*tool_answer(story, "Another way to say it, and long enough to be text.", "Paris"))
    assert story.read_broken() == FIRST
    assert story.readers[0].error == errno.ECONNRESET
    assert len(server.requests) == 2


def test_an_answer_with_a_tool_call_alone_is_asked_for_again(play, server):
    story = play()
    server.plays(stream_head(), chunk(tool_delta('{"city": "Ro', "weather")), END)
    server.plays(stream_head(), chunk(tool_delta('{"city": "Paris"}', "weather")),
                 chunk(story.wire.end(finish="tool_calls")), LAST_CHUNK)
    assert story.directory.ask("hi") == ""
    assert calls_of(story.directory) == [{"name": "weather", "arguments": '{"city": "Paris"}'}]


def test_json_that_was_asked_for_is_of_one_piece(play):
    story = play(options={"response_format": {"type": "json_object"}})
    story.cut('{"name": "harbour", ')
    story.whole('{"name": "harbour", "boats": 3}')
    assert story.read() == '{"name": "harbour", "boats": 3}'
    assert story.methods() == ["none", "replay"]


# ---- what the user allows ----


@pytest.mark.parametrize("wire", WIRES)
def test_off_ends_a_cut_answer_where_it_is(play, server, wire):
    story = play(wire, recovery="off")
    story.cut(FIRST)
    assert story.read_broken() == FIRST
    assert story.readers[0].error == errno.ECONNRESET
    assert len(server.requests) == 1
    assert "background" not in server.requests[0].json()
    assert recovery_of(story.directory) == story.directory.latest.status()["recovery"] == "none"


def test_exact_uses_the_cursor_first(play, server):
    story = play(Responses, recovery="exact")
    story.cut(FIRST)
    server.plays(*attach(story, SECOND, first=3))
    assert story.read() == WHOLE
    assert story.methods() == ["none", "cursor"]


# ---- how often ----


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_reconnects_without_progress_end_at_the_limit(play, server, limit):
    story = play(retry={"initial_delay": 0.01, "max_delay": 0.02, "max_reconnect_attempts": limit})
    story.cut(FIRST)
    for _ in range(limit + 2):
        server.plays(stream_head(), END)
    assert story.read_broken() == FIRST
    assert story.readers[0].error == errno.ECONNRESET
    assert len(server.requests) == 1 + limit
    assert story.directory.latest.status()["reconnects"] == str(limit)


def test_reconnects_are_not_counted_as_attempts(play):
    story = play(retry={"initial_delay": 0.01, "max_attempts": 1, "max_reconnect_attempts": 1})
    story.cut(FIRST)
    story.whole(SECOND)
    assert story.read() == WHOLE


def test_a_told_wait_over_the_limit_ends_it_at_once_and_keeps_the_text(play, server):
    story = play(retry={"initial_delay": 0.01, "max_retry_after": 5})
    story.cut(FIRST)
    server.error(429, headers={"Retry-After": "600"}, times=3)
    assert story.read_broken() == FIRST
    assert story.readers[0].error in (errno.ECONNRESET, errno.EBUSY)
    assert len(server.requests) == 2
    assert story.directory.latest.attempts()[1]["delay_reason"] == "told_too_long"


def test_errors_count_as_reconnects_without_progress(play, server):
    story = play(retry={"initial_delay": 0.01, "max_delay": 0.02, "max_reconnect_attempts": 2, "max_attempts": 9})
    story.cut(FIRST)
    server.error(503, times=9)
    assert story.read_broken() == FIRST
    assert story.readers[0].error == errno.ECONNRESET  # the first cause
    assert len(server.requests) == 3


def test_a_stalled_stream_is_gone_on_from_like_a_cut_one(play, server):
    def think(connection, request):
        thought = chunk(event({"choices": [{"index": 0, "delta": {"reasoning_content": "."}, "finish_reason": None}]}))
        while not gate.wait(0.05):
            connection.sendall(thought)

    story = play(timeouts={"read": 1})
    gate = Gate()
    server.plays(*story.attempt(FIRST), think, HANG)
    story.cuts.append((gate, FIRST))
    story.whole(SECOND)
    assert story.read() == WHOLE
    assert [attempt["class"] for attempt in story.directory.latest.attempts()] == ["stream_stalled", "ok"]


@pytest.mark.parametrize("wire", WIRES)
def test_many_cuts_with_progress_are_survived(play, wire):
    story = play(wire, retry={"initial_delay": 0.001, "max_delay": 0.002, "max_reconnect_attempts": 1},
                 **({"background": False} if wire is Responses else {}))
    parts = [f" Sentence number {number} says something of its own." for number in range(30)]
    for part in parts:
        story.cut(part)
    story.whole(" The end.")
    assert story.read() == "".join(parts) + " The end."
    assert story.directory.latest.status()["reconnects"] == "30"


# ---- what is told ----


def test_status_attempts_and_attribute_say_what_was_done(play, server):
    story = without_prefill(play)
    story.cut(FIRST)
    story.cut(SECOND)
    story.whole(" And the bell rang twice.")
    story.begin()
    assert recovery_of(story.directory) == "none"
    story.go_on()
    assert story.end() == WHOLE + " And the bell rang twice."
    status = story.directory.latest.status()
    assert (status["state"], status["recovery"], status["reconnects"]) == ("done", "continue", "2")
    assert (status["attempt"], status["bytes"]) == ("3", str(len(WHOLE) + 25))
    places = f"continue continue@{len(FIRST)} continue@{len(WHOLE)}"
    assert recovery_of(story.directory) == recovery_of(story.directory.latest) == places
    first, second, third = story.directory.latest.attempts()
    assert [a["class"] for a in (first, second, third)] == ["stream_truncated", "stream_truncated", "ok"]
    assert [a["recovery"] for a in (first, second, third)] == ["none", "continue", "continue"]
    assert [a["bytes"] for a in (first, second, third)] == [len(FIRST), len(SECOND), 25]
    assert [a["billed"] for a in (first, second, third)] == ["yes", "yes", "yes"]
    assert first["delay_s"] is not None and first["delay_reason"] == "backoff"
    assert third["delay_s"] is None
    assert story.directory.status()["reconnects_total"] == "3"  # one is of the request that taught it
    assert 'method="continue"' in story.directory.mount.read("metrics")
    assert story.directory.latest.read("error") == ""


def test_each_reconnect_and_each_refused_seam_is_an_event(play):
    story = play(recovery="exact")
    story.cut(FIRST)
    story.cut(FIRST, SECOND, seen=WHOLE)
    story.whole("Something else.")
    story.read_broken()
    events = [json.loads(line) for line in story.directory.mount.read("events").splitlines()]
    reconnects = [event for event in events if event["event"] == "reconnect"]
    assert [event["method"] for event in reconnects] == ["replay", "replay"]
    assert [event["bytes"] for event in reconnects] == [len(FIRST), len(WHOLE)]
    [refused] = [event for event in events if event["event"] == "seam_refused"]
    assert (refused["method"], refused["bytes"]) == ("replay", len(WHOLE))


@pytest.mark.parametrize("wire", WIRES)
def test_the_message_of_a_partial_answer_has_no_text_of_a_refused_attempt(play, server, wire):
    story = play(wire, recovery="exact", **({"background": False} if wire is Responses else {}))
    story.cut(FIRST)
    story.whole("Something else.")
    assert story.read_broken() == FIRST
    assert text_of_message(story.directory) in (None, FIRST)


def test_the_message_of_a_partial_answer_is_not_one_that_came_whole_and_was_refused(play, server):
    story = play(recovery="exact")
    story.cut(FIRST)
    other = {"id": "c", "object": "chat.completion", "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Something else."}}]}
    server.plays(*framed(json.dumps(other).encode(), "length", content_type="application/json"))
    assert story.read_broken() == FIRST
    assert text_of_message(story.directory) in (None, FIRST)


@pytest.mark.parametrize("wire", WIRES)
def test_the_message_of_a_partial_answer_is_kept_when_the_next_attempt_said_nothing(play, server, wire):
    story = play(wire, **({"background": False} if wire is Responses else {}))
    story.cut(FIRST)
    server.error(401)
    assert story.read_broken() == FIRST
    assert text_of_message(story.directory) == FIRST


def test_the_message_holds_the_whole_joined_text(play):
    for wire in WIRES:
        story = play(wire)
        story.cut(FIRST)
        if wire is Responses:
            story.server.plays(*attach(story, SECOND, first=3))
        else:
            story.whole(SECOND)
        assert story.read() == WHOLE
        message = json.loads(story.directory.latest.read("response.json"))
        assert json.dumps(WHOLE) in json.dumps(message)


def test_blocks_of_a_joined_message_are_whole(play, server):
    story = play(Messages)
    wire = story.wire
    story.cut(FIRST)
    second_block = (event({"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}})
                    + event({"type": "content_block_delta", "index": 1,
                             "delta": {"type": "text_delta", "text": " The end."}}))
    server.plays(*story.attempt(SECOND), chunk(second_block), chunk(wire.end()), LAST_CHUNK)
    assert story.read() == WHOLE + " The end."
    message = json.loads(story.directory.latest.read("response.json"))
    assert [block["text"] for block in message["content"]] == [WHOLE, " The end."]


def test_a_continuation_with_a_tool_call_is_text_and_a_whole_call(play, server):
    story = play()
    story.cut(FIRST)
    server.plays(*tool_answer(story, SECOND, "Paris"))
    assert story.read() == WHOLE
    assert calls_of(story.directory) == [{"name": "weather", "arguments": '{"city": "Paris"}'}]


# ---- many readers, slow readers ----


@pytest.mark.parametrize("wire", WIRES)
def test_ten_readers_during_several_cuts_get_the_same_whole_text(play, server, wire):
    story = play(wire)
    parts = [FIRST, SECOND, " The bell rang twice.", " Nobody came."]
    story.cut(parts[0])
    number = 3
    for part in parts[1:]:
        if wire is Responses:
            story.plays_until_seen(attach(story, part, first=number, end=False), part)
            number += 1
        else:
            story.cut(part)
    if wire is Responses:
        server.plays(*attach(story, " The end.", first=number))
    else:
        story.whole(" The end.")
    assert story.read(readers=10) == "".join(parts) + " The end."
    assert len(server.requests) == 5
    assert story.directory.read() == "".join(parts) + " The end."  # who comes late


@pytest.mark.parametrize("policy", ["auto", "exact"])
def test_a_reader_that_takes_byte_by_byte_gets_every_byte_once(play, policy):
    story = play(recovery=policy)
    story.cut(FIRST, CHARACTERS)
    if policy == "auto":
        story.cut(SECOND)
        story.whole(" The end.")
    else:
        story.cut(FIRST, CHARACTERS, SECOND, seen=FIRST + CHARACTERS + SECOND)
        story.whole(FIRST, CHARACTERS, SECOND, " The end.")
    assert story.read(size=1) == FIRST + CHARACTERS + SECOND + " The end."


def test_a_byte_that_was_read_binds_all_that_came(play, server):
    story = play(recovery="exact")
    story.plays_until_seen(story.attempt(FIRST), FIRST)
    server.plays(*story.attempt("X" + FIRST[1:]), chunk(story.wire.end()), LAST_CHUNK)
    [(gate, _)] = story.cuts
    story.directory.write("hi")
    with open(story.directory / "response", "rb", buffering=0) as file:
        assert file.read(1) == FIRST[:1].encode()
        gate.open()
        rest = b""
        with pytest.raises(OSError) as failed:
            while piece := file.read(7):
                rest += piece
    assert failed.value.errno == errno.ECONNRESET
    assert rest.decode() == FIRST[1:]


# ---- anything, anywhere ----

@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("policy", ["auto", "exact"])
@pytest.mark.parametrize("wire, more", [(Chat, {}), (Messages, {}), (Messages, {"model": "claude-sonnet-5"}),
                                        (Responses, {}), (Responses, {"background": False})],
                         ids=["chat", "messages", "messages-continue", "cursor", "responses"])
def test_any_cuts_anywhere_leave_one_text(play, server, wire, more, policy, seed):
    story = play(wire, recovery=policy, retry={"initial_delay": 0.001, "max_delay": 0.002, "max_attempts": 100,
                                               "max_reconnect_attempts": 100}, **more)
    provider = Unreliable(story.wire, seed)
    server.always_plays(provider)
    for _ in range(4):
        assert story.read(readers=2) == STORY
    assert provider.wrong == []
