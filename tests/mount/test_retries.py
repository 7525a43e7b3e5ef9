"""Again or not, and when: attempts, told delays, and the pause that a 429 makes."""

import errno
import os
import time

import pytest

from support.askfs import Reader
from support.server import END, LAST_CHUNK, RESET, chat_delta, chat_end, chunk, stream_head


def test_503_twice_then_an_answer_takes_three_attempts(sim, simulator):
    simulator.fault("server status=503 times=2")
    assert sim.ask("hi")
    attempts = sim.latest.attempts()
    assert [attempt["http_status"] for attempt in attempts] == [503, 503, 200]
    assert sim.latest.status()["attempt"] == "3"
    assert sim.status()["retries_total"] == "2"
    assert sim.status()["requests_ok"] == "1"


def test_retries_end_at_max_attempts(mounted, server):
    server.error(503, times=10)
    fake = mounted({"fake": {"type": "openai-compatible", "base_url": server.url, "model": "m",
                             "retry": {"max_attempts": 5, "initial_delay": 0.01, "max_delay": 0.02}}}) / "fake"
    assert fake.fails("hi") == ("", errno.EREMOTEIO)
    assert len(server.requests) == 5


def test_a_told_delay_is_waited_for_and_never_less(fake, server):
    server.error(503, headers={"Retry-After": "1"})
    start = time.monotonic()
    assert fake.ask("hi") == "ok"
    assert time.monotonic() - start >= 1
    first = fake.latest.attempts()[0]
    assert 1 <= first["delay_s"] < 3
    assert "retry" in first["delay_reason"] or "told" in first["delay_reason"]


def test_milliseconds_are_understood(fake, server):
    server.error(503, headers={"retry-after-ms": "300"})
    assert fake.ask("hi") == "ok"
    assert 0.3 <= fake.latest.attempts()[0]["delay_s"] < 1


def test_a_delay_over_max_retry_after_fails_at_once_and_says_when(fake, server):
    server.error(429, headers={"Retry-After": "120"})
    start = time.monotonic()
    assert fake.fails("hi") == ("", errno.EBUSY)
    assert time.monotonic() - start < 1
    assert "come_back_at: 2" in fake.read("error")
    assert len(server.requests) == 1


def test_a_provider_that_says_do_not_retry_is_obeyed(fake, server):
    server.error(500, headers={"x-should-retry": "false"}, times=3)
    assert fake.fails("hi") == ("", errno.EREMOTEIO)
    assert len(server.requests) == 1


def test_a_429_pauses_the_whole_key(fake, server):
    server.error(429, headers={"Retry-After": "1"})
    fake.write("first")
    server.wait_for_requests(1)
    fake.latest.becomes(state="retrying")
    assert fake.status()["state"] == "rate_limited"
    assert float(fake.status()["rate_limited_for_s"]) > 0
    start = time.monotonic()
    assert fake.ask("second") == "ok"
    assert time.monotonic() - start > 0.3
    assert len(server.requests) <= 3


def test_a_reset_before_the_headers_is_retried(fake, server):
    server.plays(RESET)
    assert fake.ask("hi") == "ok"
    assert fake.latest.attempts()[0]["class"] == "network"


@pytest.mark.parametrize("by", [END, LAST_CHUNK], ids=["close", "polite end"])
def test_an_answer_cut_before_its_first_byte_is_asked_for_again(fake, server, by):
    server.plays(stream_head(), by)
    server.answer("Hello")
    assert fake.ask("hi") == "Hello"
    assert len(fake.latest.attempts()) == 2


# ---- a pause, and who waits for it ----


def test_after_a_long_pause_was_told_later_prompts_fail_at_once_too(fake, server):
    server.error(429, headers={"Retry-After": "3600"})
    assert fake.fails("one")[1] == errno.EBUSY
    assert fake.fails("two") == ("", errno.EBUSY)
    assert len(server.requests) == 1
    error = dict(line.split(": ", 1) for line in fake.latest.read("error").splitlines())
    assert 3500 < float(error["retry_after_s"]) <= 3600
    assert "come_back_at" in error and "nothing was sent" in error["message"]


def test_those_who_wait_hear_of_a_long_pause(mounted, server, gate):
    fake = mounted({"fake": {"type": "openai-compatible", "base_url": server.url, "model": "fake",
                             "max_in_flight": 1}}) / "fake"
    server.plays(gate, *server.error_script(429, headers={"Retry-After": "3600"}))
    readers = []
    for number in range(5):
        fake.write(f"question {number}")
        readers.append(Reader(fake / "response"))
    gate.open()
    for reader in readers:
        reader.end()
    assert [reader.error for reader in readers] == [errno.EBUSY] * 5
    assert len(server.requests) == 1


def test_a_request_that_waits_for_the_pause_of_another_says_how_long(fake, server):
    server.error(429, headers={"Retry-After": "30"})
    fake.write("one")
    server.wait_for_requests(1)
    fake.becomes(state="rate_limited")
    fake.write("two")
    said = fake.latest.status()
    assert (said["state"], said["retry_reason"]) == ("queued", "rate_limit")
    assert 25 < float(said["retry_in_s"]) <= 30
    for record in ("latest", *os.listdir(fake / "requests")):
        (fake / "requests" / record / "cancel").write_text("x")


def of_requests(limit, reset):
    return {"x_ratelimit_limit_requests": limit, "x_ratelimit_remaining_requests": "0",
            "x_ratelimit_reset_requests": reset}


@pytest.mark.parametrize("reset", ["24h0m0s", "2199-01-01T00:00:00Z"])
def test_headers_of_an_answer_alone_hold_nobody_for_hours(fake, server, reset):
    server.always_plays(stream_head(**of_requests("50", reset)), chunk(chat_delta("ok")),
                        chunk(chat_end()), LAST_CHUNK)
    assert fake.ask("one") == "ok"
    start = time.monotonic()
    assert fake.ask("two") == "ok"
    assert time.monotonic() - start < 5


def test_a_hold_by_headers_is_shown_and_passed_by_a_route(mounted, server):
    full = stream_head(**of_requests("10", "100s"))
    server.plays(full, chunk(chat_delta("a")), chunk(chat_end()), LAST_CHUNK)
    one = {"type": "openai-compatible", "base_url": server.url}
    mount = mounted({"a": {**one, "model": "a"}, "b": {**one, "model": "b"},
                     "any": {"type": "route", "providers": ["a", "b"]}})
    assert (mount / "any").ask("one") == "a"
    said = (mount / "a").status()
    assert said["state"] == "rate_limited" and 8 < float(said["rate_limited_for_s"]) < 11
    assert (mount / "any").ask("two") == "ok"
    assert server.requests[1].json()["model"] == "b"


def test_waiting_ones_turn_after_a_429_hardly_costs_of_the_budget(mounted, server):
    fake = mounted({"fake": {"type": "openai-compatible", "base_url": server.url, "model": "fake",
                             "retry_budget": {"ratio": 0, "per_second": 0, "max": 1}}}) / "fake"
    for _ in range(5):
        server.error(429, headers={"retry-after-ms": "10"})
        assert fake.ask("hi") == "ok"


def test_a_pause_that_outlasts_total_is_not_waited_for(mounted, server):
    fake = mounted({"fake": {"type": "openai-compatible", "base_url": server.url, "model": "fake",
                             "timeouts": {"total": 5}}}) / "fake"
    server.error(429, headers={"Retry-After": "30"})
    start = time.monotonic()
    assert fake.fails("one") == ("", errno.EBUSY)
    assert fake.fails("two") == ("", errno.EBUSY)
    assert time.monotonic() - start < 2
    assert len(server.requests) == 1
    assert "come_back_at" in fake.latest.read("error")
