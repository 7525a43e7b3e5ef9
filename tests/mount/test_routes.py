"""Routes: who is asked, in which order, what moves on and what does not, and who is told about it."""

import errno

import pytest

from support.breaking import Chat, Messages, turns_of
from support.road import ASKED_ONCE, CONTEXT_LENGTH, REST, TEXT
from support.server import HANG


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
    directory = route(wires={"a": Messages}, a=ASKED_ONCE)
    story = road.cut("a", TEXT, Messages)  # 3 in, 1 out
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
