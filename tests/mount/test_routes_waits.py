"""Routes: who is passed because of its breaker, a wait that it told, a full queue, or its silence."""

import errno

import pytest

from support.askfs import Reader
from support.breaking import Chat, Story, ended
from support.road import REST, TEXT
from support.server import HANG, Gate, chat_delta, chunk, stream_head
from support.waiting import eventually


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


def test_who_was_paused_is_asked_first_again(route, road):
    directory = route(any={"fallback_wait_max": 0.1})
    road.a.error(429, headers={"retry-after-ms": "700"})
    assert directory.ask("hi") == "b"
    road.directory("a").becomes(state="ok")
    assert directory.ask("hi") == "a"


def test_a_pause_that_outlasts_total_is_not_waited_out(route, road):
    directory = route({"timeouts": {"total": 1}})
    road.a.error(429, headers={"Retry-After": "4"})
    assert directory.ask("hi") == "b"
    assert directory.ask("hi again") == "b"
    assert road.asked() == {"a": 1, "b": 2, "c": 0}


def test_when_all_are_paused_the_shortest_pause_is_waited_out(route, road):
    directory = route(any={"fallback_wait_max": 0.1})
    for name, wait in (("a", "20000"), ("b", "600"), ("c", "30000")):
        road.servers[name].error(429, headers={"retry-after-ms": wait})
    assert directory.ask("hi") == "b"
    assert road.asked() == {"a": 1, "b": 2, "c": 1}


def test_when_all_are_paused_for_too_long_it_fails_at_once_and_says_when(route, road):
    directory = route()
    for server in road.servers.values():
        server.error(429, headers={"Retry-After": "300"})
    assert directory.fails("hi") == ("", errno.EBUSY)
    assert road.asked() == {"a": 1, "b": 1, "c": 1}
    assert "come_back_at: 2" in directory.latest.read("error")


def test_requests_that_wait_for_a_provider_that_is_now_paused_move_on(route, road, gate):
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
