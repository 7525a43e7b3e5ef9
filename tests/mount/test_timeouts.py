"""Each limit of time: what it waits for, and the errno when it is over."""

import errno
import socket
import time

import pytest

from support.server import HANG, chat_delta, chunk, head, stream_head

ONCE = {"max_attempts": 1}


def timed(mounted, server, **timeouts):
    config = {"type": "openai-compatible", "base_url": server.url, "model": "m", "retry": ONCE,
              "recovery": "off", "timeouts": timeouts}
    return mounted({"fake": config}) / "fake"


def test_no_headers_in_time_is_a_timeout(mounted, server):
    server.plays(HANG)
    fake = timed(mounted, server, first_token=0.3)
    assert fake.fails("hi") == ("", errno.ETIMEDOUT)
    assert fake.latest.status()["error"] == "timeout"


def test_headers_without_a_first_token_in_time_are_a_stalled_stream(mounted, server):
    server.plays(stream_head(), HANG)
    fake = timed(mounted, server, first_token=0.3)
    start = time.monotonic()
    assert fake.fails("hi") == ("", errno.ETIMEDOUT)
    assert 0.25 < time.monotonic() - start < 10
    assert fake.latest.status()["error"] == "stream_stalled"
    assert server.requests[0].is_gone.wait(20)


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


def test_a_refusal_whose_body_never_ends_is_judged_by_its_status(mounted, server):
    fake = timed(mounted, server, first_token=0.3)
    server.plays(head(429, {"Retry-After": "300", "Content-Length": "100"}) + b'{"err', HANG)
    assert fake.fails("hi") == ("", errno.EBUSY)
    said = fake.latest.status()
    assert (said["error"], said["http_status"]) == ("rate_limit", "429")
    assert 295 < float(fake.status()["rate_limited_for_s"]) <= 300
    assert server.requests[0].is_gone.wait(20)
