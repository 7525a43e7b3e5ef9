"""Streams that die before their end: how often they go on, what stops them, what is told."""

import errno
import json

import pytest

from support.breaking import (CHARACTERS, Chat, FIRST, Messages, NO_PREFILL, Responses, SECOND, STORY, Unreliable,
                              WHOLE, WIRES, attach, calls_of, recovery_of, text_of_message, thought, tool_answer,
                              turns_of, without_prefill)
from support.server import END, HANG, LAST_CHUNK, Gate, chunk, event, framed, stream_head
from support.waiting import eventually


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
