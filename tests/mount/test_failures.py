"""Each kind of failure: its errno, and its words in error and status."""

import errno
import socket

import pytest

from support.server import END, LAST_CHUNK, RESET, chat_delta, chunk, event, head, stream_head

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


def test_without_a_key_error_says_why(mounted):
    openai = mounted({"openai": {"type": "openai"}}) / "openai"
    said = openai.read("error")
    assert said.startswith("error: auth\n") and "OPENAI_API_KEY" in said and "what_to_do: " in said
