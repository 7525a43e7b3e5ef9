"""Routes: a stream that breaks off goes on at the next provider, without a byte lost or repeated."""

import errno

import pytest

from support.askfs import Reader
from support.breaking import (STORY, Chat, Messages, Responses, Story, Unreliable, ended, recovery_of,
                              turns_of)
from support.road import ASKED_ONCE, CONTEXT_LENGTH, REST, TEXT
from support.server import END, chat_delta, chunk, event, stream_head


@pytest.mark.parametrize("wire", [Chat, Messages, Responses])
def test_the_next_provider_goes_on_where_the_first_broke_off(route, road, wire):
    directory = route(wires={"b": wire}, a=ASKED_ONCE)
    story = road.cut("a", TEXT)
    story.server, story.wire = road.b, wire()
    story.whole(REST)
    assert story.read() == TEXT + REST
    assert road.who() == "ab"
    assert turns_of(road.b.requests[0])[:2] == [("user", "hi"), ("assistant", TEXT)]
    status = directory.latest.status()
    method = "continue" if wire is Responses else "prefill"
    assert (status["state"], status["provider"], status["recovery"]) == ("done", "b", method)
    assert recovery_of(directory) == f"{method} {method}@{len(TEXT)}"
    assert [attempt["recovery"] for attempt in directory.latest.attempts()] == ["none", method]
    assert [attempt["bytes"] for attempt in directory.latest.attempts()] == [len(TEXT), len(REST)]


def test_a_response_in_the_background_that_is_left_is_stopped(route, road):
    directory = route(wires={"a": Responses}, a=ASKED_ONCE)
    story = road.cut("a", TEXT, Responses)
    story.server, story.wire = road.b, Chat()
    story.whole(REST)
    assert story.read() == TEXT + REST
    with road.a.changed:
        assert road.a.changed.wait_for(lambda: road.a.cancelled, 20)
    assert road.a.cancelled == ["/v1/responses/resp_1/cancel"]


def test_a_cursor_is_of_its_own_provider_only(route, road):
    directory = route(wires={"a": Responses, "b": Responses}, a=ASKED_ONCE)
    story = road.cut("a", TEXT, Responses)
    story.server = road.b
    story.whole(REST)
    assert story.read() == TEXT + REST
    assert [request.method for request in road.b.requests] == ["POST"]


def test_the_first_is_asked_to_go_on_before_the_next(route, road):
    directory = route()
    story = road.cut("a", TEXT)
    story.whole(REST)
    assert story.read() == TEXT + REST
    assert road.who() == "aa"


def test_an_answer_may_come_from_three_providers(route, road):
    directory = route(a=ASKED_ONCE, b=ASKED_ONCE, c=ASKED_ONCE)
    story = road.cut("a", "One part of it, ")
    story.server = road.b
    story.cut("another part of it, ")
    story.server = road.c
    story.whole("and the last.")
    assert story.read(readers=5) == "One part of it, another part of it, and the last."
    assert road.who() == "abc"
    assert turns_of(road.c.requests[0])[1] == ("assistant", "One part of it, another part of it, ")


def test_the_next_provider_that_refuses_a_prefill_is_asked_to_continue(route, road):
    directory = route(a=ASKED_ONCE)
    story = road.cut("a", TEXT)
    road.b.error(400, {"error": {"message": "Prefilling assistant messages is not supported for this model."}})
    story.server = road.b
    story.whole(REST)
    assert story.read() == TEXT + REST
    assert road.who() == "abb"
    assert story.methods() == ["none", "prefill", "continue"]


def test_a_long_told_wait_in_the_midst_moves_on(route, road):
    directory = route()
    story = road.cut("a", TEXT)
    road.a.error(429, headers={"Retry-After": "30"})
    story.server = road.b
    story.whole(REST)
    assert story.read() == TEXT + REST
    assert road.who() == "aab"


def test_a_provider_whose_way_is_too_long_to_show_is_passed_in_the_midst(route, road):
    directory = route(a=ASKED_ONCE)
    story = road.cut("a", TEXT)
    road.b.error(400, CONTEXT_LENGTH, times=9)
    story.server = road.c
    story.whole(REST)
    assert story.read() == TEXT + REST
    assert set(road.who()) == set("abc")


def test_a_cut_tool_call_is_replayed_by_the_next_provider(route, road):
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"x": '}}
    cut = chunk(event({"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]}))
    directory = route(a=ASKED_ONCE)
    story = Story(directory, road.a, Chat())
    story.plays_until_seen([*story.attempt(TEXT), cut], TEXT)
    story.server = road.b
    story.whole(TEXT + REST)
    assert story.read() == TEXT + REST
    assert story.methods() == ["none", "replay"]
    assert turns_of(road.b.requests[0]) == [("user", "hi")]


def test_an_answer_that_nobody_goes_on_with_keeps_its_text_and_the_first_cause(route, road):
    directory = route(a=ASKED_ONCE, b=ASKED_ONCE, c=ASKED_ONCE)
    story = road.cut("a", TEXT)
    road.b.error(500, times=9)
    road.c.error(401, times=9)
    assert story.read_broken() == TEXT
    assert story.readers[0].error == errno.ECONNRESET
    assert directory.read_to_error() == (TEXT, errno.ECONNRESET)
    assert road.who() == "abc"
    assert directory.latest.status()["error"] == "stream_truncated"


def test_exact_goes_on_elsewhere_only_with_what_repeats(route, road):
    directory = route(a=ASKED_ONCE, b=ASKED_ONCE, any={"recovery": "exact"})
    story = road.cut("a", TEXT)
    story.server = road.b
    story.whole("Something else altogether.")
    story.server = road.c
    story.whole(TEXT + REST)
    assert story.read() == TEXT + REST
    assert road.who() == "abc"
    assert story.methods() == ["none", "replay", "replay"]


def test_off_goes_on_nowhere(route, road):
    directory = route(any={"recovery": "off"})
    story = road.cut("a", TEXT)
    assert story.read_broken() == TEXT
    assert story.readers[0].error == errno.ECONNRESET
    assert road.asked() == {"a": 1, "b": 0, "c": 0}


def test_text_that_nobody_read_is_asked_for_again_elsewhere(route, road):
    directory = route(a=ASKED_ONCE)
    road.a.plays(stream_head(), chunk(chat_delta("unread")), END)
    directory.write("hi")
    assert ended(directory)["state"] == "done"
    assert directory.read() == "b"
    assert recovery_of(directory).split()[0] == "restart"


def test_a_reader_that_came_before_the_first_byte_sees_only_who_answered(route, road, gate):
    directory = route(a=ASKED_ONCE)
    road.a.plays(stream_head(), gate, END)
    directory.write("hi")
    readers = [Reader(directory / "response").waits() for _ in range(3)]
    gate.open()
    assert [reader.end() for reader in readers] == [b"b"] * 3


# ---- anything, anywhere ----


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("policy", ["auto", "exact"])
def test_an_answer_survives_unreliable_providers_as_long_as_the_last_one_is_not(route, road, policy, seed):
    wires = {"a": Responses, "b": Messages, "c": Chat}
    quick = {"retry": {"initial_delay": 0.001, "max_delay": 0.002, "max_attempts": 2, "max_reconnect_attempts": 1}}
    directory = route(wires=wires, any={"recovery": policy}, a=quick, b=quick)
    players = {"a": Unreliable(Responses(), seed, 6, [503, 500, 404, 429, 401]),
               "b": Unreliable(Messages(), seed + 1000, 6, [529, 429, 403, 500]),
               "c": Unreliable(Chat(), seed + 2000, 0)}
    for name, player in players.items():
        road.servers[name].always_plays(player)
    for _ in range(4):
        directory.write("hi")
        readers = [Reader(directory / "response") for _ in range(2)]
        assert [reader.end().decode() for reader in readers] == [STORY] * 2, directory.latest.read("attempts")
        assert [reader.error for reader in readers] == [None, None]
    assert [player.wrong for player in players.values()] == [[], [], []]
