"""Each kind of failure: its errno, its words in error and status, and whether it was tried again."""

import errno
import os
import socket
import time

import pytest

from support.askfs import Reader
from support.server import END, HANG, LAST_CHUNK, RESET, chat_delta, chat_end, chunk, event, head, stream_head

ONCE = {"max_attempts": 1}


@pytest.fixture
def once(mounted, server):
    """A provider that is asked once, and whose cut answers are left as they are."""
    config = {"type": "openai-compatible", "base_url": server.url, "model": "fake", "retry": ONCE,
              "recovery": "off"}
    return mounted({"fake": config}) / "fake"


REPLIES = [
    (401, {}, "auth", errno.EACCES, 1),
    (403, {}, "permission", errno.EPERM, 1),
    (402, {}, "billing", errno.EDQUOT, 1),
    (404, {}, "not_found", errno.ENXIO, 1),
    (400, {}, "validation", errno.EINVAL, 1),
    (422, {}, "validation", errno.EINVAL, 1),
    (413, {}, "request_too_large", errno.EMSGSIZE, 1),
    (409, {}, "conflict", errno.EBUSY, 3),
    (500, {}, "server", errno.EREMOTEIO, 3),
    (502, {}, "server", errno.EREMOTEIO, 3),
    (529, {}, "overloaded", errno.EREMOTEIO, 3),
    (429, {"Retry-After": "300"}, "rate_limit", errno.EBUSY, 1),
]


@pytest.mark.parametrize("status, headers, word, number, attempts", REPLIES)
def test_a_status_becomes_its_class_and_errno(fake, server, status, headers, word, number, attempts):
    server.error(status, headers=headers, times=3)
    assert fake.fails("hi") == ("", number)
    assert len(server.requests) == attempts
    said = fake.latest.status()
    assert (said["state"], said["error"], said["http_status"]) == ("failed", word, str(status))
    assert fake.status()["last_error"] == word
    assert [attempt["class"] for attempt in fake.latest.attempts()] == [word] * attempts


@pytest.mark.parametrize("status", [401, 400, 500])
def test_error_says_all_that_is_known_and_what_to_do(once, server, status):
    server.error(status, {"error": {"message": "the words of the provider", "type": "some_type"}})
    once.fails("hi")
    for directory in (once, once.latest):
        text = directory.read("error")
        assert "the words of the provider" in text
        assert f"http_status: {status}" in text
        assert "req-from-fake" in text
        assert "attempts: 1" in text
        assert text.splitlines()[0].startswith("error: ")
        assert "what_to_do: " in text and len(text.split("what_to_do: ")[1].strip()) > 10


def test_a_provider_that_refuses_its_key_is_not_well_until_it_accepts_one(once, server):
    assert once.status()["state"] == "ok"
    server.error(401)
    assert once.fails("hi")[1] == errno.EACCES
    assert once.status()["state"] == "degraded"
    assert "degraded" in once.mount.read("status")
    server.error(400)
    assert once.fails("hi")[1] == errno.EINVAL
    assert once.status()["state"] == "degraded"
    once.ask("hi")
    assert once.status()["state"] == "ok"


def test_error_is_empty_before_the_first_failure(sim):
    assert sim.read("error") == ""
    sim.ask("hi")
    assert sim.latest.read("error") == ""


def test_error_of_the_provider_stays_after_a_later_success(once, server):
    server.error(400)
    once.fails("hi")
    assert once.ask("hi") == "ok"
    assert "validation" in once.read("error")


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


def test_nobody_listening_is_econnrefused(mounted):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    away = mounted({"away": {"type": "openai-compatible", "base_url": f"http://127.0.0.1:{port}",
                             "model": "m"}}) / "away"
    assert away.fails("hi") == ("", errno.ECONNREFUSED)
    assert away.latest.status()["error"] == "network"
    assert len(away.latest.attempts()) == 3


PROXY_REFUSES = [(407, "auth", errno.EACCES), (403, "permission", errno.EPERM)]


@pytest.mark.parametrize("status, word, number", PROXY_REFUSES)
def test_a_proxy_that_refuses_is_judged_by_what_it_says(mounted, server, status, word, number):
    server.always_plays(*server.error_script(status))
    far = mounted({"far": {"type": "openai-compatible", "base_url": "https://far.invalid/v1",
                           "model": "m"}}, https_proxy=server.url) / "far"
    assert far.fails("hi") == ("", number)
    assert [request.method for request in server.requests] == ["CONNECT"]
    said = far.latest.status()
    assert (said["error"], said["http_status"]) == (word, str(status))
    assert far.status("breaker")["failures"] == "0"


def test_an_unknown_host_is_ehostunreach(mounted):
    away = mounted({"away": {"type": "openai-compatible", "base_url": "https://no-such-host.invalid/v1",
                             "model": "m", "retry": ONCE}}) / "away"
    assert away.fails("hi") == ("", errno.EHOSTUNREACH)


def test_a_reset_before_the_headers_is_retried(fake, server):
    server.plays(RESET)
    assert fake.ask("hi") == "ok"
    assert fake.latest.attempts()[0]["class"] == "network"


def test_a_connection_that_always_resets_is_econnreset(once, server):
    server.always_plays(RESET)
    assert once.fails("hi") == ("", errno.ECONNRESET)
    assert once.latest.status()["error"] == "network"


@pytest.mark.parametrize("by", [END, RESET, LAST_CHUNK], ids=["close", "reset", "polite end"])
def test_a_cut_answer_keeps_its_text_and_ends_with_econnreset(once, server, gate, by):
    server.plays(stream_head(), chunk(chat_delta("half an answer")), gate, by)
    once.write("hi")
    got = b""
    with open(once / "response", "rb", buffering=0) as file:
        while len(got) < 14:
            got += file.read(100)
        gate.open()
        with pytest.raises(OSError) as failed:
            assert file.read(100), "an end without an error"
    assert failed.value.errno == errno.ECONNRESET
    assert once.latest.status()["error"] == "stream_truncated"
    assert once.read_to_error() == ("half an answer", errno.ECONNRESET)


@pytest.mark.parametrize("by", [END, LAST_CHUNK], ids=["close", "polite end"])
def test_an_answer_cut_before_its_first_byte_is_asked_for_again(fake, server, by):
    server.plays(stream_head(), by)
    server.answer("Hello")
    assert fake.ask("hi") == "Hello"
    assert len(fake.latest.attempts()) == 2


def test_done_alone_is_not_an_end(once, server):
    server.plays(stream_head(), chunk(chat_delta("half")), chunk(event("[DONE]")), LAST_CHUNK)
    assert once.fails("hi") == ("half", errno.ECONNRESET)


def test_a_cut_by_the_token_limit_is_complete_and_says_so(fake, server):
    server.answer("as far as it", finish="length")
    assert fake.ask("hi") == "as far as it"
    assert fake.latest.status()["finish_reason"] == "length"


def test_a_filtered_answer_keeps_its_text_then_enotsup(fake, server):
    server.answer("I can", finish="content_filter")
    assert fake.fails("hi") == ("I can", errno.ENOTSUP)
    assert fake.latest.status()["error"] == "content_filter"


def test_an_error_inside_the_stream_is_judged_like_a_reply(once, server):
    server.plays(stream_head(), chunk(chat_delta("half")),
                 chunk(event({"error": {"message": "overloaded now", "type": "overloaded_error"}})), LAST_CHUNK)
    text, number = once.fails("hi")
    assert text == "half" and number == errno.EREMOTEIO
    assert "overloaded now" in once.read("error")


def test_a_web_page_instead_of_a_stream_is_a_protocol_error(once, server):
    page = b"<html><body>Please log in to the airport wifi</body></html>"
    server.plays(head(200, {"Content-Type": "text/html", "Content-Length": str(len(page))}) + page)
    assert once.fails("hi") == ("", errno.EPROTO)
    assert once.latest.status()["error"] == "protocol"


def test_what_is_not_http_is_a_protocol_error(once, server):
    server.plays(b"220 smtp.example.org ESMTP\r\n", END)
    _, number = once.fails("hi")
    assert number in (errno.EPROTO, errno.ECONNRESET)


def timed(mounted, server, **timeouts):
    config = {"type": "openai-compatible", "base_url": server.url, "model": "m", "retry": ONCE,
              "recovery": "off", "timeouts": timeouts}
    return mounted({"fake": config}) / "fake"


def test_headers_without_a_first_token_in_time_are_a_stalled_stream(mounted, server):
    server.plays(stream_head(), HANG)
    fake = timed(mounted, server, first_token=0.3)
    start = time.monotonic()
    assert fake.fails("hi") == ("", errno.ETIMEDOUT)
    assert 0.25 < time.monotonic() - start < 10
    assert fake.latest.status()["error"] == "stream_stalled"
    assert server.requests[0].is_gone.wait(20)


def test_no_headers_in_time_is_a_timeout(mounted, server):
    server.plays(HANG)
    fake = timed(mounted, server, first_token=0.3)
    assert fake.fails("hi") == ("", errno.ETIMEDOUT)
    assert fake.latest.status()["error"] == "timeout"


def send_pings(connection, request):
    while True:
        connection.sendall(chunk(b": ping\n\n"))
        request.is_gone.wait(0.02)


def test_keep_alives_are_no_first_token(mounted, server):
    server.plays(stream_head(), send_pings)
    assert timed(mounted, server, first_token=0.3).fails("hi") == ("", errno.ETIMEDOUT)


@pytest.mark.parametrize("then", [HANG, send_pings], ids=["silence", "keep-alives"])
def test_a_stalled_stream_keeps_its_text_then_etimedout(mounted, server, then):
    server.plays(stream_head(), chunk(chat_delta("half")), then)
    fake = timed(mounted, server, read=0.3)
    assert fake.fails("hi") == ("half", errno.ETIMEDOUT)
    assert fake.latest.status()["error"] == "stream_stalled"


def test_total_ends_an_answer_that_still_moves_and_does_not_count(mounted, server):
    def trickle(connection, request):
        while True:
            connection.sendall(chunk(chat_delta(".")))
            request.is_gone.wait(0.02)

    server.plays(stream_head(), trickle)
    fake = timed(mounted, server, total=0.5)
    text, number = fake.fails("hi")
    assert set(text) == {"."} and number == errno.ETIMEDOUT
    assert fake.status()["breaker_failures"] == "0"


def test_nothing_is_retried_past_total(mounted, server):
    server.error(503, headers={"Retry-After": "20"})
    config = {"type": "openai-compatible", "base_url": server.url, "model": "m", "timeouts": {"total": 1}}
    fake = mounted({"fake": config}) / "fake"
    start = time.monotonic()
    _, number = fake.fails("hi")
    assert number in (errno.ETIMEDOUT, errno.EREMOTEIO)
    assert time.monotonic() - start < 5
    assert len(server.requests) == 1


def test_a_host_that_does_not_answer_is_a_connection_timeout(mounted):
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    waiting = []
    for _ in range(4):  # until the queue is full and further SYNs are dropped
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(full.getsockname())
        waiting.append(client)
    url = f"http://127.0.0.1:{full.getsockname()[1]}"
    away = mounted({"away": {"type": "openai-compatible", "base_url": url, "model": "m", "retry": ONCE,
                             "timeouts": {"connection": 0.3}}}) / "away"
    assert away.fails("hi") == ("", errno.ETIMEDOUT)
    assert away.latest.status()["error"] == "timeout"
    for client in [*waiting, full]:
        client.close()


FAULTS = [
    ("rate_limit retry_after=300", errno.EBUSY, "rate_limit"),
    ("server status=500", errno.EREMOTEIO, "server"),
    ("disconnect after_chunks=3", errno.ECONNRESET, "stream_truncated"),
    ("truncate after_chunks=3", errno.ECONNRESET, "stream_truncated"),
    ("stall after_chunks=3", errno.ETIMEDOUT, "stream_stalled"),
    ("timeout after=30", errno.ETIMEDOUT, "timeout"),
]


@pytest.mark.parametrize("api", ["chat", "responses", "messages"])
@pytest.mark.parametrize("rule, number, word", FAULTS)
def test_a_fault_of_the_simulator_looks_the_same_on_every_wire(mounted, simulator, api, rule, number, word):
    simulator.fault(rule)
    config = {"type": "sim", "api": api, "base_url": simulator.url, "retry": ONCE, "recovery": "off",
              "timeouts": {"first_token": 0.5, "read": 0.5}}
    sim = mounted({"sim": config}) / "sim"
    sim.write('{"sim": {"chunks": 10}}', "options.json")
    _, got = sim.fails("a prompt with some words to be told again")
    assert got == number
    assert sim.latest.status()["error"] == word


def test_a_prompt_is_never_sent_twice_on_a_dead_kept_connection(fake, server):
    assert fake.ask("warm up") == "ok"
    server.plays(RESET)
    fake.write("precious")
    fake.wait()
    assert len(fake.latest.attempts()) == len(server.requests) - 1


def test_too_many_requests_at_once_are_refused_at_open(mounted, server, gate):
    config = {"type": "openai-compatible", "base_url": server.url, "model": "m", "max_in_flight": 1,
              "max_queued": 1}
    fake = mounted({"fake": config}) / "fake"
    server.answer(gate, "one")
    fake.write("one")
    server.wait_for_requests(1)
    fake.write("two")
    assert fake.status()["requests_queued"] == "1"
    with pytest.raises(BlockingIOError):
        open(fake / "prompt", "wb")
    gate.open()
    fake.wait()
    assert fake.read() == "ok"


# ---- a pause that is not waited out ----


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


def test_a_refusal_whose_body_never_ends_is_judged_by_its_status(mounted, server):
    fake = timed(mounted, server, first_token=0.3)
    server.plays(head(429, {"Retry-After": "300", "Content-Length": "100"}) + b'{"err', HANG)
    assert fake.fails("hi") == ("", errno.EBUSY)
    said = fake.latest.status()
    assert (said["error"], said["http_status"]) == ("rate_limit", "429")
    assert 295 < float(fake.status()["rate_limited_for_s"]) <= 300
    assert server.requests[0].is_gone.wait(20)


def test_a_told_time_holds_the_breaker_open(mounted, server):
    fake = mounted({"fake": {"type": "openai-compatible", "base_url": server.url, "model": "fake",
                             "retry": ONCE,
                             "breaker": {"failure_threshold": 1, "recovery_timeout": 1}}}) / "fake"
    server.error(503, headers={"Retry-After": "600"})
    fake.fails("hi")
    breaker = fake.status("breaker")
    assert breaker["state"] == "open" and 590 < float(breaker["retry_in_s"]) <= 600


def test_without_a_key_error_says_why(mounted):
    openai = mounted({"openai": {"type": "openai"}}) / "openai"
    said = openai.read("error")
    assert said.startswith("error: auth\n") and "OPENAI_API_KEY" in said and "what_to_do: " in said


def test_a_setting_that_was_refused_is_told(fake):
    fake.mount.run("echo '{' > mount/fake/options.json")
    assert "setting_refused" in fake.mount.read("events")
    assert fake.read("options.json") == "{}\n"


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
