"""askfs-sim by itself: what it tells, its HTTP, and its life as a program. No mount."""

import http.client
import json
import signal
import socket
import struct
import subprocess

import pytest

from support import programs
from support.talk import PATHS, Reply, TEXT, body_of, dechunk, request
from support.waiting import eventually


# ---- what it tells ----


def test_requests_are_listed_without_secrets(simulator, ask):
    ask("chat", "a prompt " * 50, headers={"Authorization": "Bearer sk-secret", "X-Api-Key": "secret2", "X-Other": "yes"})
    ask("chat", "a prompt " * 50, headers={"Authorization": "Bearer sk-secret"}, stream=False)
    request(simulator, "GET", "/v1/models")
    listed = simulator.requests()
    assert "secret" not in json.dumps(listed)
    assert [entry["method"] for entry in listed] == ["POST", "POST", "GET"]
    first = listed[0]
    assert (first["path"], first["model"], first["status"], first["state"]) == (PATHS["chat"], "sim", 200, "completed")
    assert first["headers"]["authorization"] == "(present)" and first["headers"]["x-other"] == "yes"
    assert first["prompt"] == ("a prompt " * 50)[:200] and first["body_bytes"] > 400 and first["chunks"] > 10
    assert first["stream"] and not listed[1]["stream"]
    request(simulator, "DELETE", "/sim/requests")
    assert simulator.requests() == []


def test_the_same_request_again_is_a_further_attempt(simulator, ask):
    for text in ("one", "one", "two", "one"):
        ask("chat", text)
    assert [entry["attempt"] for entry in simulator.requests()] == [1, 2, 1, 3]


def test_only_the_newest_requests_are_kept(simulator):
    connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=20)
    for number in range(10_020):
        connection.request("GET", f"/health?{number}")
        connection.getresponse().read()
    connection.close()
    listed = simulator.requests()
    assert [listed[0]["path"], listed[-1]["path"], len(listed)] == ["/health?20", "/health?10019", 10_000]


def test_a_client_that_hangs_up_ends_its_work(simulator, wire_to):
    clients = [wire_to() for _ in range(20)]
    for wire in clients:
        wire.post("/v1/chat/completions", body_of("chat", "hi", sim={"chunks": 10000, "ms_per_chunk": 20}))
        wire.read_until(b'"content"')
    assert simulator.stats()["streams_active"] == 20
    for wire in clients:
        wire.close()
    eventually(lambda: simulator.stats()["streams_active"] == 0)
    assert {entry["state"] for entry in simulator.requests()} == {"aborted"}
    assert simulator.stats()["connections_open"] == 1


@pytest.mark.parametrize("after", ["flood", "reset"])
def test_a_client_that_leaves_a_flood_ends_it(simulator, wire_to, after):
    wire = wire_to()
    wire.post("/v1/chat/completions", body_of("chat", "hi", sim={"chunks": 100_000_000}))
    wire.read_until(b'"content"', 1000)
    if after == "reset":
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()
    eventually(lambda: simulator.stats()["streams_active"] == 0)


def test_a_client_that_does_not_read_costs_no_memory(simulator, wire_to):
    wire = wire_to()
    wire.post("/v1/chat/completions", body_of("chat", "hi", sim={"chunks": 100_000_000}))
    wire.read_until(b'"content"')
    sent = 0

    def stands_still():
        nonlocal sent
        before, sent = sent, simulator.stats()["bytes_out"]
        return sent - before < 2000

    eventually(stands_still)
    assert sent < 50_000_000
    with open(f"/proc/{simulator.process.pid}/statm") as file:
        assert int(file.read().split()[1]) * 4096 < (1 << 30)
    got = len(wire.received)
    while len(wire.received) < got + 30_000_000:  # and it goes on when it is read
        assert wire.read()


def test_hundreds_of_streams_at_once_each_get_their_own(simulator, wire_to):
    clients = [wire_to() for _ in range(400)]
    for number, wire in enumerate(clients):
        body = body_of("chat", f"prompt of {number} " * 3, model="sim-echo", sim={"ms_per_chunk": 30})
        wire.post("/v1/chat/completions", body)
    for number, wire in enumerate(clients):
        wire.read_until(b"[DONE]")
        assert Reply(200, {}, dechunk(wire.received)).text == f"prompt of {number} " * 3


# ---- HTTP ----

GET = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b'{"status":"ok"}\n'


def test_a_connection_serves_many_requests(simulator, wire_to):
    wire = wire_to()
    for count in range(1, 20):
        wire.send(GET)
        wire.read_until(OK, count)
    assert simulator.stats()["connections_total"] == 2


def test_requests_may_be_sent_ahead(wire_to):
    wire = wire_to()
    body = json.dumps(body_of("chat", "hi", sim={"text": "in between", "first_ms": 100})).encode()
    post = b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    wire.send(GET + post + GET * 50 + post + GET)
    wire.read_until(OK, 52)
    text = wire.received
    assert text.count(b"[DONE]") == 2 and text.count(b"in") >= 2
    assert text.index(OK) < text.index(b"[DONE]") < text.index(OK, text.index(b"[DONE]"))


def test_a_request_may_come_byte_by_byte(wire_to):
    wire = wire_to()
    body = json.dumps(body_of("chat", "hi", model="sim-echo")).encode()
    for byte in b"POST /chat/completions HTTP/1.1\r\ncontent-LENGTH: %d\r\n\r\n%s" % (len(body), body):
        wire.send(bytes([byte]))
    wire.read_until(b"[DONE]")


def test_a_body_may_be_chunked(simulator):
    data = json.dumps(body_of("chat", TEXT, model="sim-echo")).encode()
    pieces = iter([data[i : i + 7] for i in range(0, len(data), 7)])
    connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=20)
    connection.request("POST", "/v1/chat/completions", pieces, encode_chunked=True,
                       headers={"Transfer-Encoding": "chunked"})
    reply = connection.getresponse()
    assert Reply(reply.status, reply.headers, reply.read()).text == TEXT
    connection.close()


def test_trailers_are_passed_over(wire_to):
    wire = wire_to()
    body = json.dumps(body_of("chat", "hi", model="sim-echo")).encode()
    wire.send(b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n"
              b"X-Trailer: x\r\nX-Empty:\r\n\r\n" % (len(body), body) + GET)
    wire.read_until(OK)
    assert b"[DONE]" in wire.received


def test_a_client_that_waits_for_100_continue_gets_it(wire_to):
    wire = wire_to()
    body = json.dumps(body_of("chat", "hi", model="sim-echo")).encode()
    wire.send(b"POST /v1/chat/completions HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
    wire.read_until(b"HTTP/1.1 100 Continue\r\n\r\n")
    wire.send(body)
    wire.read_until(b"[DONE]")


def test_http_1_0_gets_a_stream_that_ends_with_the_connection(wire_to):
    wire = wire_to()
    body = json.dumps(body_of("chat", "hi", model="sim-echo")).encode()
    wire.send(b"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    text = wire.read_to_end()
    assert b"Transfer-Encoding" not in text and text.endswith(b"data: [DONE]\n\n")


def test_connection_close_is_obeyed(wire_to):
    wire = wire_to()
    wire.send(b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n")
    text = wire.read_to_end()
    assert text.endswith(OK) and b"Connection: close" in text


def test_an_upgrade_is_not_made(wire_to):
    wire = wire_to()
    wire.send(b"GET /health HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n" + GET)
    wire.read_until(OK, 2)


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x00\xff", b"hello\r\n\r\n", b"GET / HTTP/x\r\n\r\n", b"\0" * 100,
                                  b"GET / HTTP/1.1\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
                                  b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                                  b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"], ids=range(7))
def test_what_is_no_http_gets_a_400_and_an_end(wire_to, data):
    wire = wire_to()
    wire.send(data)
    assert wire.read_to_end().startswith(b"HTTP/1.1 400 ")


def test_too_large_a_body_is_a_413(wire_to):
    wire = wire_to()
    wire.send(b"POST /v1/messages HTTP/1.1\r\nContent-Length: 67108865\r\n\r\n{")
    assert b'"request_too_large"' in wire.read_to_end()
    assert wire.received.startswith(b"HTTP/1.1 413 ")


def test_a_body_of_many_megabytes_is_read(ask):
    text = "0123456789" * 2_000_000
    assert ask("chat", text, model="sim-echo").text == text


def test_head_has_no_body(wire_to):
    wire = wire_to()
    wire.send(b"HEAD /health HTTP/1.1\r\n\r\n" + GET)
    wire.read_until(OK)
    assert wire.received.startswith(b"HTTP/1.1 405 ") and wire.received.count(b"{") == 1


def test_half_a_request_and_a_hang_up_leave_nothing(simulator, wire_to):
    for data in (b"", b"GET ", b"POST /v1/messages HTTP/1.1\r\nContent-Length: 10\r\n\r\n{"):
        wire = wire_to()
        wire.send(data)
        wire.close()
    eventually(lambda: simulator.stats()["connections_open"] == 1)
    assert simulator.requests() == []


# ---- the program ----


def run(*arguments, **options):
    return subprocess.run([programs.SIMULATOR, *arguments], capture_output=True, text=True, timeout=20, check=False, **options)


def test_help_and_version():
    assert "--port" in run("--help").stdout and run("--help").returncode == 0
    assert run("--version").stdout.startswith("askfs-sim ")


@pytest.mark.parametrize("arguments", [["--what"], ["--port"], ["--port", "x"], ["--port", "65536"], ["--port", "-1"], ["x"]])
def test_wrong_options_are_told(arguments):
    result = run(*arguments)
    assert result.returncode == 2 and arguments[0] in result.stderr and "--help" in result.stderr


def test_a_port_that_is_taken_is_told(simulator):
    result = run("--port", str(simulator.port))
    assert result.returncode == 1 and "address already in use" in result.stderr


def test_it_listens_on_loopback_only(simulator):
    sockets = [line.split() for name in ("tcp", "tcp6") for line in open(f"/proc/net/{name}")]
    listening = [words[1] for words in sockets if words[3] == "0A"]
    assert [place for place in listening if place.endswith(f":{simulator.port:04X}")] == [
        f"0100007F:{simulator.port:04X}"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_in_the_middle_of_streams(simulator, wire_to, number):
    wire = wire_to()
    wire.post("/v1/chat/completions", body_of("chat", "hi", sim={"chunks": 10000, "ms_per_chunk": 20}))
    wire.read_until(b'"content"')
    simulator.process.send_signal(number)
    assert simulator.process.wait(10) == 0
    wire.read_to_end()


def test_with_parent_it_ends_when_its_input_does():
    process = programs.start([programs.SIMULATOR, "--parent"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert b"listening on" in process.stdout.readline()
    process.stdin.write(b"what is said here does not matter\n")
    process.stdin.flush()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.2)
    process.stdin.close()
    assert process.wait(10) == 0
    process.stdout.close()


def test_with_parent_and_no_input_it_ends_at_once():
    assert run("--parent", stdin=subprocess.DEVNULL).returncode == 0
