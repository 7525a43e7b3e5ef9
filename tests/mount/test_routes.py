"""Routes: who is asked, in which order, what moves on and what does not, and who is told about it."""

import errno

import pytest

from support.askfs import Reader
from support.breaking import (STORY, Chat, Messages, Responses, Story, Unreliable, ended, recovery_of,
                              turns_of)
from support.server import END, HANG, LAST_CHUNK, Gate, Server, chat_delta, chunk, event, stream_head
from support.waiting import eventually

TEXT = "The lighthouse keeper climbed the stairs, counting"
REST = " each of them aloud as he had done for thirty years."
CONTEXT_LENGTH = {"error": {"message": "This model's maximum context length is 10 tokens.",
                            "type": "invalid_request_error", "code": "context_length_exceeded"}}
OVER = {"retry": {"max_reconnect_attempts": 0, "max_attempts": 1}}


class Road:
    """Providers a, b, c, each played by a server of its own, and the route any through them."""

    def __init__(self):
        self.servers = {name: Server() for name in "abc"}
        self.mount = None

    def __getattr__(self, name):
        return self.servers[name]

    def directory(self, name):
        return self.mount / name

    def asked(self):
        """How often each was."""
        return {name: len(server.requests) for name, server in self.servers.items()}

    def who(self):
        """Who was asked for the newest request, in order."""
        return "".join(attempt["provider"] for attempt in self.any_directory.latest.attempts())

    @property
    def any_directory(self):
        return self.mount / "any"


@pytest.fixture
def road():
    made = Road()
    yield made
    for server in made.servers.values():
        server.stop()


@pytest.fixture
def route(mounted, road):
    """route(defaults, a={…}, b={…}, any={…}): the directory of the route; all three answer with their
    name, unless a test says more."""

    def begin(defaults=None, wires=None, providers="abc", **more):
        config = {}
        for name, server in road.servers.items():
            wire = (wires or {}).get(name, Chat)
            config[name] = {**wire.provider, "base_url": server.url, **more.get(name, {})}
            if wire is Chat:
                config[name]["model"] = f"model-{name}"
                server.always_plays(stream_head(), chunk(chat_delta(name)), chunk(Chat().end()), LAST_CHUNK)
        config["any"] = {"type": "route", "providers": list(providers), **more.get("any", {})}
        config.update(more.get("others", {}))
        road.mount = mounted(config, defaults, A_KEY="a-key")
        return road.any_directory

    return begin


# ---- order ----


@pytest.mark.parametrize("order", ["abc", "cab", "b"])
def test_providers_are_asked_in_the_order_of_the_route(route, order):
    assert route(providers=order).ask("hi") == order[0]


def test_each_request_begins_with_the_first_again(route, road):
    directory = route()
    road.a.error(404)
    assert directory.ask("hi") == "b"
    assert directory.ask("hi") == "a"


def test_each_provider_is_asked_with_its_own_model_and_the_same_prompt(route, road):
    directory = route()
    road.a.error(404)
    assert directory.ask("hi") == "b"
    for name in "ab":
        [request] = road.servers[name].requests
        assert request.json()["model"] == f"model-{name}"
        assert turns_of(request) == [("user", "hi")]


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_what_only_this_provider_refuses_moves_on_at_once(route, road, status):
    directory = route()
    road.a.error(status)
    assert directory.ask("hi") == "b"
    assert road.asked() == {"a": 1, "b": 1, "c": 0}
    first, second = directory.latest.attempts()
    assert (first["delay_s"], first["delay_reason"], second["class"]) == (0, "elsewhere", "ok")


@pytest.mark.parametrize("status", [500, 502, 503, 529])
def test_an_error_of_the_server_is_tried_again_there_and_then_moves_on(route, road, status):
    directory = route()
    road.a.error(status, times=3)
    assert directory.ask("hi") == "b"
    assert road.asked() == {"a": 3, "b": 1, "c": 0}


def test_a_provider_that_nobody_answers_for_is_passed(route, road):
    directory = route(a={"base_url": "http://127.0.0.1:1"})
    assert directory.ask("hi") == "b"
    assert [attempt["class"] for attempt in directory.latest.attempts()][-2:] == ["network", "ok"]


def test_context_length_moves_on(route, road):
    directory = route()
    road.a.error(400, CONTEXT_LENGTH)
    assert directory.ask("hi") == "b"
    assert road.asked() == {"a": 1, "b": 1, "c": 0}
    assert road.directory("a").status()["breaker_failures"] == "0"


def test_context_length_everywhere_is_emsgsize(route, road):
    directory = route()
    for server in road.servers.values():
        server.error(400, CONTEXT_LENGTH)
    assert directory.fails("hi") == ("", errno.EMSGSIZE)
    assert road.asked() == {"a": 1, "b": 1, "c": 1}


# ---- what does not move on ----


@pytest.mark.parametrize("status", [400, 422])
def test_validation_does_not_move_on(route, road, status):
    directory = route()
    road.a.error(status)
    assert directory.fails("hi") == ("", errno.EINVAL)
    assert road.asked() == {"a": 1, "b": 0, "c": 0}


def test_a_filtered_prompt_does_not_move_on(route, road):
    directory = route()
    road.a.error(400, {"error": {"message": "The response was filtered", "code": "content_filter",
                                 "type": "invalid_request_error"}})
    assert directory.fails("hi") == ("", errno.ENOTSUP)
    assert road.asked() == {"a": 1, "b": 0, "c": 0}


def test_a_filtered_answer_does_not_move_on(route, road):
    directory = route()
    road.a.answer("I can", finish="content_filter")
    assert directory.fails("hi") == ("I can", errno.ENOTSUP)
    assert road.asked() == {"a": 1, "b": 0, "c": 0}


def test_a_cancelled_request_does_not_move_on(route, road):
    directory = route()
    road.a.plays(HANG)
    directory.write("hi")
    road.a.wait_for_requests(1)
    directory.latest.write("stop", "cancel")
    assert directory.read_to_error() == ("", errno.ECANCELED)
    assert road.asked() == {"a": 1, "b": 0, "c": 0}


def test_nobody_is_asked_past_total(route, road):
    directory = route(any={"timeouts": {"total": 0.5}})
    road.a.plays(HANG)
    assert directory.fails("hi") == ("", errno.ETIMEDOUT)
    assert road.asked() == {"a": 1, "b": 0, "c": 0}


# ---- breakers ----


def test_an_open_breaker_is_skipped_and_a_closed_one_is_not(route, road):
    directory = route()
    road.directory("a").write("open", "breaker")
    assert directory.ask("hi") == "b"
    assert road.asked() == {"a": 0, "b": 1, "c": 0}
    assert road.directory("a").errno_at_open() == errno.EHOSTDOWN
    road.directory("a").write("auto", "breaker")
    assert directory.ask("hi") == "a"


def test_a_breaker_that_opened_by_itself_is_skipped(route, road):
    directory = route(a={"breaker": {"failure_threshold": 2, "recovery_timeout": 600}, "retry": {"max_attempts": 1}})
    road.a.error(503, times=2)
    for _ in range(3):
        assert directory.ask("hi") == "b"
    assert road.asked() == {"a": 2, "b": 3, "c": 0}
    assert road.directory("a").status()["breaker"] == "open"
    assert directory.status()["state"] == "degraded"


def test_all_breakers_open_refuse_at_open(route, road):
    directory = route()
    for name in "abc":
        road.directory(name).write("open", "breaker")
    assert directory.errno_at_open() == errno.EHOSTDOWN
    assert directory.status()["state"] == "down"
    road.directory("c").write("auto", "breaker")
    assert directory.ask("hi") == "c"


def test_a_breaker_that_opens_while_the_request_waits_there_moves_it_on(route, road):
    directory = route(a={"retry": {"initial_delay": 30, "max_delay": 30}}, any={"fallback_wait_max": 60})
    road.a.error(503, headers={"Retry-After": "2"}, times=3)
    directory.write("hi")
    eventually(lambda: directory.latest.status()["state"] == "retrying")
    road.directory("a").write("open", "breaker")
    assert directory.read() == "b"
    assert road.asked()["a"] == 1


def test_while_one_request_probes_a_provider_the_others_pass_it(route, road, gate):
    directory = route(a={"breaker": {"failure_threshold": 1, "success_threshold": 1, "recovery_timeout": 0.2},
                         "retry": {"max_attempts": 1}})
    road.a.error(500)
    assert directory.ask("hi") == "b"
    eventually(lambda: road.directory("a").read("breaker").startswith("state: half_open"))
    road.a.answer(gate, "a is back")
    directory.write("hi")
    probe = Reader(directory / "response").waits()
    road.a.wait_for_requests(2)
    assert [directory.ask("hi") for _ in range(3)] == ["b"] * 3
    gate.open()
    assert probe.end() == b"a is back"
    assert directory.ask("hi") == "a"


def test_a_request_that_moved_on_is_one_failure_for_who_failed_it(route, road):
    directory = route()
    road.a.error(503, times=3)
    assert directory.ask("hi") == "b"
    assert road.directory("a").status()["breaker_failures"] == "1"
    assert road.directory("b").status()["breaker_failures"] == "0"


# ---- told waits ----


def test_a_long_told_wait_moves_on_at_once_and_is_remembered(route, road):
    directory = route()
    road.a.error(429, headers={"Retry-After": "20"})
    assert directory.ask("hi") == "b"
    assert directory.latest.attempts()[0]["delay_s"] == 0
    assert directory.ask("hi") == "b"
    assert road.asked() == {"a": 1, "b": 2, "c": 0}


def test_a_short_told_wait_is_waited_out(route, road):
    directory = route()
    road.a.error(429, headers={"retry-after-ms": "300"})
    assert directory.ask("hi") == "a"
    assert road.asked() == {"a": 2, "b": 0, "c": 0}
    first = directory.latest.attempts()[0]
    assert first["delay_s"] >= 0.3 and first["delay_reason"] == "told"


@pytest.mark.parametrize("patience, who", [(0.1, "ab"), (1, "aa")])
@pytest.mark.parametrize("status", [429, 503])
def test_fallback_wait_max_is_the_longest_wait_that_is_waited_out(route, road, patience, who, status):
    directory = route(any={"fallback_wait_max": patience})
    road.a.error(status, headers={"retry-after-ms": "400"})
    assert directory.ask("hi") == who[-1]
    assert road.who() == who


def test_who_rested_is_asked_first_again(route, road):
    directory = route(any={"fallback_wait_max": 0.1})
    road.a.error(429, headers={"retry-after-ms": "700"})
    assert directory.ask("hi") == "b"
    road.directory("a").becomes(state="ok")
    assert directory.ask("hi") == "a"


def test_a_rest_that_outlasts_total_is_not_waited_out(route, road):
    directory = route({"timeouts": {"total": 1}})
    road.a.error(429, headers={"Retry-After": "4"})
    assert directory.ask("hi") == "b"
    assert directory.ask("hi again") == "b"
    assert road.asked() == {"a": 1, "b": 2, "c": 0}


def test_when_all_rest_the_shortest_rest_is_waited_out(route, road):
    directory = route(any={"fallback_wait_max": 0.1})
    for name, wait in (("a", "20000"), ("b", "600"), ("c", "30000")):
        road.servers[name].error(429, headers={"retry-after-ms": wait})
    assert directory.ask("hi") == "b"
    assert road.asked() == {"a": 1, "b": 2, "c": 1}


def test_when_all_rest_for_too_long_it_fails_at_once_and_says_when(route, road):
    directory = route()
    for server in road.servers.values():
        server.error(429, headers={"Retry-After": "300"})
    assert directory.fails("hi") == ("", errno.EBUSY)
    assert road.asked() == {"a": 1, "b": 1, "c": 1}
    assert "come_back_at: 2" in directory.latest.read("error")


def test_requests_that_wait_for_a_provider_that_now_rests_move_on(route, road, gate):
    directory = route(a={"max_in_flight": 1})
    road.a.plays(gate, *road.a.error_script(429, headers={"Retry-After": "30"}))
    for _ in range(4):
        directory.write("hi")
    road.a.wait_for_requests(1)
    road.directory("a").becomes(requests_queued="3")
    gate.open()
    directory.becomes(requests_ok="4")
    assert road.asked() == {"a": 1, "b": 4, "c": 0}


def test_a_provider_with_no_room_left_is_passed(route, road, gate):
    directory = route(a={"max_in_flight": 1, "max_queued": 1})
    road.a.answer(gate, "slow")
    for _ in range(2):
        directory.write("hi")
    road.a.wait_for_requests(1)
    road.directory("a").becomes(requests_queued="1")
    assert directory.ask("hi") == "b"
    gate.open()
    directory.becomes(requests_ok="3")


def test_no_room_anywhere_refuses_at_open(route, road, gate):
    directory = route(providers="ab", a={"max_in_flight": 1, "max_queued": 1}, b={"max_in_flight": 1, "max_queued": 1})
    for server in (road.a, road.b):
        server.answer(gate, "slow")
    for _ in range(4):
        directory.write("hi")
    assert directory.errno_at_open() == errno.EAGAIN
    gate.open()
    directory.becomes(requests_ok="4")


# ---- silence ----

SILENCES = {"no headers": [HANG], "no first token": [stream_head(), HANG],
            "only keep-alives": [stream_head(), chunk(b": ping\n\n"), HANG],
            "a stall that nobody read": [stream_head(), chunk(chat_delta("unread")), HANG]}
PATIENT = {"timeouts": {"first_token": 0.3, "read": 0.3}}


@pytest.mark.parametrize("steps", SILENCES.values(), ids=SILENCES)
def test_a_silent_provider_is_not_asked_again_before_the_others(route, road, steps):
    directory = route(a=PATIENT)
    road.a.plays(*steps)
    directory.write("hi")
    assert ended(directory)["state"] == "done"
    assert directory.read() == "b"
    assert road.who() == "ab"
    assert road.a.requests[0].is_gone.wait(20)


@pytest.mark.parametrize("steps", SILENCES.values(), ids=SILENCES)
def test_a_silent_provider_is_asked_again_after_the_others(route, road, steps):
    directory = route(a=PATIENT, b={"retry": {"max_attempts": 2}}, providers="ab")
    road.a.plays(*steps)
    road.b.error(503, times=9)
    directory.write("hi")
    assert ended(directory)["state"] == "done"
    assert directory.read() == "a"
    assert road.who() == "abba"


def test_a_silent_provider_that_is_the_only_one_is_asked_again(route, road):
    directory = route(a=PATIENT, providers="a")
    road.a.plays(HANG)
    assert directory.ask("hi") == "a"
    assert road.who() == "aa"


def test_when_all_are_silent_each_has_its_attempts(route, road):
    directory = route({"timeouts": {"first_token": 0.15}, "retry": {"max_attempts": 2, "initial_delay": 0.01}})
    for server in road.servers.values():
        server.always_plays(HANG)
    assert directory.fails("hi") == ("", errno.ETIMEDOUT)
    assert road.asked() == {"a": 2, "b": 2, "c": 2}
    assert road.who()[:3] == "abc"


def stall(story, text):
    """This text is read, then nothing comes."""
    gate = Gate()
    thought = chunk(chat_delta("").replace(b'"content": ""', b'"reasoning_content": "."'))

    def think(connection, request):
        while not gate.wait(0.05):
            connection.sendall(thought)

    story.server.plays(*story.attempt(text), think, HANG)
    story.seen += text
    story.cuts.append((gate, story.seen))


def test_a_provider_that_stalls_in_the_midst_is_left_to_the_next(route, road):
    directory = route(a={"timeouts": {"read": 1}})
    story = Story(directory, road.a, Chat())
    stall(story, TEXT)
    story.server = road.b
    story.whole(REST)
    assert story.read() == TEXT + REST
    assert road.who() == "ab"


# ---- in the midst of an answer ----


def cut_at(road, directory, name, text, wire=Chat):
    story = Story(directory, road.servers[name], wire())
    story.cut(text)
    return story


@pytest.mark.parametrize("wire", [Chat, Messages, Responses])
def test_the_next_provider_goes_on_where_the_first_broke_off(route, road, wire):
    directory = route(wires={"b": wire}, a=OVER)
    story = cut_at(road, directory, "a", TEXT)
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
    directory = route(wires={"a": Responses}, a=OVER)
    story = cut_at(road, directory, "a", TEXT, Responses)
    story.server, story.wire = road.b, Chat()
    story.whole(REST)
    assert story.read() == TEXT + REST
    with road.a.changed:
        assert road.a.changed.wait_for(lambda: road.a.cancelled, 20)
    assert road.a.cancelled == ["/v1/responses/resp_1/cancel"]


def test_a_cursor_is_of_its_own_provider_only(route, road):
    directory = route(wires={"a": Responses, "b": Responses}, a=OVER)
    story = cut_at(road, directory, "a", TEXT, Responses)
    story.server = road.b
    story.whole(REST)
    assert story.read() == TEXT + REST
    assert [request.method for request in road.b.requests] == ["POST"]


def test_the_first_is_asked_to_go_on_before_the_next(route, road):
    directory = route()
    story = cut_at(road, directory, "a", TEXT)
    story.whole(REST)
    assert story.read() == TEXT + REST
    assert road.who() == "aa"


def test_an_answer_may_come_from_three_providers(route, road):
    directory = route(a=OVER, b=OVER, c=OVER)
    story = cut_at(road, directory, "a", "One part of it, ")
    story.server = road.b
    story.cut("another part of it, ")
    story.server = road.c
    story.whole("and the last.")
    assert story.read(readers=5) == "One part of it, another part of it, and the last."
    assert road.who() == "abc"
    assert turns_of(road.c.requests[0])[1] == ("assistant", "One part of it, another part of it, ")


def test_the_next_provider_that_refuses_a_prefill_is_asked_to_continue(route, road):
    directory = route(a=OVER)
    story = cut_at(road, directory, "a", TEXT)
    road.b.error(400, {"error": {"message": "Prefilling assistant messages is not supported for this model."}})
    story.server = road.b
    story.whole(REST)
    assert story.read() == TEXT + REST
    assert road.who() == "abb"
    assert story.methods() == ["none", "prefill", "continue"]


def test_a_long_told_wait_in_the_midst_moves_on(route, road):
    directory = route()
    story = cut_at(road, directory, "a", TEXT)
    road.a.error(429, headers={"Retry-After": "30"})
    story.server = road.b
    story.whole(REST)
    assert story.read() == TEXT + REST
    assert road.who() == "aab"


def test_a_provider_whose_way_is_too_long_to_show_is_passed_in_the_midst(route, road):
    directory = route(a=OVER)
    story = cut_at(road, directory, "a", TEXT)
    road.b.error(400, CONTEXT_LENGTH, times=9)
    story.server = road.c
    story.whole(REST)
    assert story.read() == TEXT + REST
    assert set(road.who()) == set("abc")


def test_a_cut_tool_call_is_replayed_by_the_next_provider(route, road):
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"x": '}}
    cut = chunk(event({"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]}))
    directory = route(a=OVER)
    story = Story(directory, road.a, Chat())
    story.plays_until_seen([*story.attempt(TEXT), cut], TEXT)
    story.server = road.b
    story.whole(TEXT + REST)
    assert story.read() == TEXT + REST
    assert story.methods() == ["none", "replay"]
    assert turns_of(road.b.requests[0]) == [("user", "hi")]


def test_an_answer_that_nobody_goes_on_with_keeps_its_text_and_the_first_cause(route, road):
    directory = route(a=OVER, b=OVER, c=OVER)
    story = cut_at(road, directory, "a", TEXT)
    road.b.error(500, times=9)
    road.c.error(401, times=9)
    assert story.read_broken() == TEXT
    assert story.readers[0].error == errno.ECONNRESET
    assert directory.read_to_error() == (TEXT, errno.ECONNRESET)
    assert road.who() == "abc"
    assert directory.latest.status()["error"] == "stream_truncated"


def test_exact_goes_on_elsewhere_only_with_what_repeats(route, road):
    directory = route(a=OVER, b=OVER, any={"recovery": "exact"})
    story = cut_at(road, directory, "a", TEXT)
    story.server = road.b
    story.whole("Something else altogether.")
    story.server = road.c
    story.whole(TEXT + REST)
    assert story.read() == TEXT + REST
    assert road.who() == "abc"
    assert story.methods() == ["none", "replay", "replay"]


def test_off_goes_on_nowhere(route, road):
    directory = route(any={"recovery": "off"})
    story = cut_at(road, directory, "a", TEXT)
    assert story.read_broken() == TEXT
    assert story.readers[0].error == errno.ECONNRESET
    assert road.asked() == {"a": 1, "b": 0, "c": 0}


def test_text_that_nobody_read_is_asked_for_again_elsewhere(route, road):
    directory = route(a=OVER)
    road.a.plays(stream_head(), chunk(chat_delta("unread")), END)
    directory.write("hi")
    assert ended(directory)["state"] == "done"
    assert directory.read() == "b"
    assert recovery_of(directory).split()[0] == "restart"


def test_a_reader_that_came_before_the_first_byte_sees_only_who_answered(route, road, gate):
    directory = route(a=OVER)
    road.a.plays(stream_head(), gate, END)
    directory.write("hi")
    readers = [Reader(directory / "response").waits() for _ in range(3)]
    gate.open()
    assert [reader.end() for reader in readers] == [b"b"] * 3


# ---- when all fail ----


def test_the_first_cause_is_shown_with_each_providers_own_beneath(route, road):
    directory = route()
    road.a.error(401, {"error": {"message": "the key of a is wrong"}})
    road.b.error(503, {"error": {"message": "b has no room"}}, times=3)
    road.c.error(404, {"error": {"message": "c has no such model"}})
    assert directory.fails("hi") == ("", errno.EACCES)
    assert road.asked() == {"a": 1, "b": 3, "c": 1}
    for where in (directory.latest.read("error"), directory.read("error")):
        assert where.startswith("error: auth\n")
        assert "message: the key of a is wrong" in where
    lines = directory.latest.read("error").splitlines()
    beneath = [line for line in lines if line.startswith(("a: ", "b: ", "c: "))]
    assert beneath == ["a: auth: the key of a is wrong", "b: overloaded: b has no room",
                       "c: not_found: c has no such model"]
    assert directory.latest.status()["error"] == "auth"


def test_who_was_not_asked_is_said_to_be_so(route, road):
    directory = route()
    road.directory("c").write("open", "breaker")
    road.a.error(401)
    road.b.error(403)
    assert directory.fails("hi") == ("", errno.EACCES)
    assert any(line.startswith("c: not asked") for line in directory.latest.read("error").splitlines())


def test_each_provider_has_its_own_max_attempts(route, road):
    directory = route(a={"retry": {"max_attempts": 4}}, b={"retry": {"max_attempts": 2}},
                      c={"retry": {"max_attempts": 1}}, any={"retry": {"max_attempts": 1}})
    for server in road.servers.values():
        server.error(500, times=9)
    assert directory.fails("hi") == ("", errno.EREMOTEIO)
    assert road.who() == "aaaabbc"


def test_who_refused_for_good_is_not_asked_again_when_the_others_fail(route, road):
    directory = route(providers="ab")
    road.a.error(401, times=9)
    road.b.error(500, times=9)
    directory.fails("hi")
    assert road.who() == "abbb"


# ---- who answered, who spent ----


def test_status_and_attempts_name_who_answered(route, road):
    directory = route()
    road.a.error(404)
    road.b.error(404)
    assert directory.ask("hi") == "c"
    status = directory.latest.status()
    assert (status["provider"], status["model"], status["attempt"]) == ("c", "model-c", "3")
    assert [(a["provider"], a["model"]) for a in directory.latest.attempts()] == [
        ("a", "model-a"), ("b", "model-b"), ("c", "model-c")]


def test_requests_and_attempts_are_counted_at_each_provider(route, road):
    directory = route()
    road.a.error(503, times=3)
    assert directory.ask("hi") == "b"
    keys = "requests_total", "requests_ok", "requests_failed", "attempts_total", "requests_active"
    counts = {name: tuple(road.directory(name).status()[key] for key in keys) for name in ("a", "b", "c", "any")}
    assert counts["a"] == ("1", "0", "1", "3", "0")
    assert counts["b"] == ("1", "1", "0", "1", "0")
    assert counts["c"] == ("0", "0", "0", "0", "0")
    assert counts["any"][:3] == ("1", "1", "0")


def test_usage_is_counted_for_who_spent_it(route, road):
    directory = route(wires={"a": Messages}, a=OVER)
    story = cut_at(road, directory, "a", TEXT, Messages)  # 3 in, 1 out
    story.server, story.wire = road.b, Chat()
    story.whole(REST)  # 3 in, 2 out
    assert story.read() == TEXT + REST
    spent = {name: (road.directory(name).status()["tokens_in"], road.directory(name).status()["tokens_out"])
             for name in "abc"}
    assert spent == {"a": ("3", "1"), "b": ("3", "2"), "c": ("0", "0")}
    assert (directory.latest.status()["tokens_in"], directory.latest.status()["tokens_out"]) == ("6", "3")
    first, second = directory.latest.attempts()
    assert (first["usage"]["input_tokens"], second["usage"]["output_tokens"]) == (3, 2)


def test_an_error_of_a_provider_is_in_its_own_directory_too(route, road):
    directory = route()
    road.a.error(404, {"error": {"message": "a has no such model"}})
    assert directory.ask("hi") == "b"
    assert road.directory("a").status()["last_error"] == "not_found"
    assert "a has no such model" in road.directory("a").read("error")
    assert directory.status()["last_error"] == "-"


# ---- routes of routes, and keys ----


def test_a_route_of_routes_asks_each_provider_in_turn_and_once(route, road):
    others = {"inner": {"type": "route", "providers": ["b", "a"]},
              "outer": {"type": "route", "providers": ["inner", "a", "c"]}}
    route(others=others, **{name: {"retry": {"max_attempts": 1}} for name in "abc"})
    for server in road.servers.values():
        server.error(500)
    outer = road.directory("outer")
    outer.fails("hi")
    assert "".join(attempt["provider"] for attempt in outer.latest.attempts()) == "bac"
    assert outer.ask("hi") == "b"


KEYLESS = {"type": "openai", "api": "chat", "api_key": {"env": "NOBODY_SET_THIS"}}


def test_a_provider_without_its_key_is_passed_and_said_to_be_so(route, road):
    directory = route(a=KEYLESS)
    assert directory.ask("hi") == "b"
    assert road.asked() == {"a": 0, "b": 1, "c": 0}
    assert directory.status()["state"] == "degraded"
    for name in "bc":
        road.servers[name].error(404)
    assert directory.fails("hi") == ("", errno.ENXIO)
    [line] = [line for line in directory.latest.read("error").splitlines() if line.startswith("a: ")]
    assert line.startswith("a: not asked: ") and "NOBODY_SET_THIS" in line


def test_a_route_whose_every_key_is_missing_says_so_at_open(route):
    directory = route(a=KEYLESS, b=KEYLESS, c=KEYLESS)
    assert directory.errno_at_open() == errno.ENOKEY
    assert directory.status()["state"] == "no_key"


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
