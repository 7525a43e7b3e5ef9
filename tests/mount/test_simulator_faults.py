"""askfs-sim by itself: responses in the background, and the faults that it plays. No mount."""

import json
import socket
import time

import pytest

from support.talk import PATHS, Reply, TEXT, body_of, dechunk, delta_of, every_wire, request, whole_text
from support.waiting import eventually


# ---- responses in the background ----


def begin_background(wire_to, **options):
    wire = wire_to()
    wire.post("/v1/responses", body_of("responses", "hi", background=True, sim=options))
    wire.read_until(b'"response.created"')
    name = wire.received.split(b'"id":"')[1].split(b'"')[0].decode()
    return wire, name


def test_a_background_response_goes_on_after_a_hang_up_and_is_taken_up_again(simulator, wire_to, ask):
    full = ask("responses", "hi", chunks=20).text
    wire, name = begin_background(wire_to, chunks=20, ms_per_chunk=20)
    wire.read_until(b"output_text.delta\n", 3)
    wire.close()
    reply = request(simulator, "GET", f"/v1/responses/{name}?stream=true&starting_after=6")
    numbers = [event["sequence_number"] for event in reply.events]
    assert numbers[0] == 7 and numbers == list(range(7, 7 + len(numbers)))
    assert reply.events[-1]["type"] == "response.completed"
    assert full.endswith(reply.text) and len(reply.deltas) == 17
    again = request(simulator, "GET", f"/v1/responses/{name}?stream=true")
    assert again.text == full and again.events[0]["type"] == "response.created"
    assert request(simulator, "GET", f"/v1/responses/{name}?starting_after={numbers[-1]}&stream=true").events == []


def test_a_background_response_is_polled(simulator, wire_to, ask):
    wire, name = begin_background(wire_to, chunks=10, ms_per_chunk=30)
    wire.close()
    first = request(simulator, "GET", f"/v1/responses/{name}").json
    assert (first["status"], first["id"], first["background"]) == ("in_progress", name, True)
    eventually(lambda: request(simulator, "GET", f"/v1/responses/{name}").json["status"] == "completed")
    done = request(simulator, "GET", f"/v1/responses/{name}")
    assert whole_text("responses", done) == ask("responses", "hi", chunks=10).text


def test_a_background_response_is_cancelled_and_its_streams_end(simulator, wire_to):
    wire, name = begin_background(wire_to, chunks=1000, ms_per_chunk=20)
    start = time.monotonic()
    for _ in range(2):
        assert request(simulator, "POST", f"/v1/responses/{name}/cancel").json["status"] == "cancelled"
    wire.read_until(b"0\r\n\r\n")
    assert time.monotonic() - start < 5
    assert b"response.completed" not in wire.received
    assert request(simulator, "GET", f"/v1/responses/{name}").json["status"] == "cancelled"


def test_a_foreground_response_is_gone(simulator, ask, wire_to):
    wire = wire_to()
    wire.post("/v1/responses", body_of("responses", "hi", sim={"chunks": 1000, "ms_per_chunk": 20}))
    wire.read_until(b'"response.created"')
    name = wire.received.split(b'"id":"')[1].split(b'"')[0].decode()
    wire.close()
    for method, path in (("GET", name), ("GET", name + "?stream=true"), ("POST", name + "/cancel"), ("GET", "resp_x")):
        reply = request(simulator, method, f"/v1/responses/{path}")
        assert (reply.status, reply.json["error"]["type"]) == (404, "invalid_request_error")


def test_a_background_response_without_a_stream_is_queued(simulator, ask):
    name = ask("responses", "hi", stream=False, more={"background": True}).json["id"]
    eventually(lambda: request(simulator, "GET", f"/v1/responses/{name}").json["status"] == "completed")


# ---- faults ----

REPLIES = [
    ("server status=503", 503, 503, None),
    ("server", 500, 500, None),
    ("server status=404", 404, 404, None),
    ("rate_limit retry_after=2", 429, 429, "2"),
    ("overloaded retry_after=7", 503, 529, "7"),
]


@every_wire
@pytest.mark.parametrize("rule, openai, anthropic, after", REPLIES)
def test_a_fault_replies_with_its_status(simulator, ask, wire, rule, openai, anthropic, after):
    simulator.fault(rule + " times=1")
    for stream in (True, False):
        simulator.clear_faults()
        simulator.fault(rule + " times=1")
        reply = ask(wire, "hi", stream=stream)
        assert reply.status == (anthropic if wire == "messages" else openai)
        assert reply.headers["Retry-After"] == after
        assert reply.json["error"]["message"]
        assert ask(wire, "hi").status == 200


def test_a_retry_after_of_half_a_second_is_told_twice(simulator, ask):
    simulator.fault("rate_limit retry_after=0.5")
    headers = ask("chat", "hi").headers
    assert (headers["retry-after-ms"], headers["Retry-After"]) == ("500", "1")


@pytest.mark.parametrize("rule", ["reset", "refuse"])
def test_a_reset_comes_before_any_byte(simulator, wire_to, rule):
    simulator.fault(rule)
    wire = wire_to()
    wire.post("/v1/messages", body_of("messages", "hi"))
    with pytest.raises(ConnectionResetError):
        wire.read()
    assert wire.received == b""


def count_of(wire_received):
    return sum(kind == "text" for kind, _ in map(delta_of, Reply(200, {}, dechunk(wire_received)).events))


@every_wire
@pytest.mark.parametrize("chunks", [0, 1, 5])
def test_a_disconnect_comes_after_its_chunks_as_a_reset(simulator, wire_to, wire, chunks):
    simulator.fault(f"disconnect after_chunks={chunks}")
    client = wire_to()
    client.post(PATHS[wire], body_of(wire, "hi"))
    with pytest.raises(ConnectionResetError):
        client.read_to_end()
    assert client.received.startswith(b"HTTP/1.1 200 ")
    assert count_of(client.received) == chunks


@every_wire
def test_a_disconnect_after_more_chunks_than_there_are_is_none(simulator, ask, wire):
    simulator.fault("disconnect after_chunks=1000")
    assert ask(wire, "hi", chunks=5).error is None
    assert simulator.requests()[0]["state"] == "completed"


@every_wire
@pytest.mark.parametrize("rule, chunks", [("truncate after_chunks=3", 3), ("truncate after_chunks=0", 0), ("no_terminal", 5)])
def test_a_truncated_answer_ends_politely_without_an_end(simulator, ask, wire, rule, chunks):
    simulator.fault(rule)
    reply = ask(wire, "hi", chunks=5)
    assert reply.error is None and len(reply.deltas) == chunks
    for word in (b"[DONE]", b'finish_reason":"', b"message_stop", b"message_delta", b"response.completed"):
        assert word not in reply.data
    assert simulator.requests()[0]["state"] == "aborted"


def test_a_timeout_is_silence_and_then_an_end(simulator, wire_to):
    simulator.fault("timeout after=0.3")
    wire = wire_to()
    start = time.monotonic()
    wire.post("/v1/chat/completions", body_of("chat", "hi"))
    assert wire.read_to_end() == b""
    assert 0.3 <= time.monotonic() - start < 5


def test_a_stall_is_silence_and_may_end(simulator, wire_to, ask):
    simulator.fault("stall after_chunks=2 times=1", "stall after_chunks=2 for=0.3")
    wire = wire_to()
    wire.post("/v1/chat/completions", body_of("chat", "hi"))
    wire.read_until(b'"content"', 3)
    wire.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        wire.read()
    start = time.monotonic()
    reply = ask("chat", "hi", chunks=5)
    assert reply.events[-1] == "[DONE]" and len(reply.deltas) == 5
    assert time.monotonic() - start >= 0.3


def test_slow_and_split_go_together(simulator, wire_to):
    simulator.fault("slow ms_per_chunk=40", "split bytes=7")
    wire = wire_to()
    start = time.monotonic()
    wire.post("/v1/chat/completions", body_of("chat", "hi", sim={"chunks": 5}))
    reads = 0
    while b"[DONE]" not in wire.received:
        assert wire.read()
        reads += 1
    assert time.monotonic() - start >= 0.16
    assert reads > 5  # segments may arrive together
    assert count_of(wire.received) == 5


@every_wire
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_split_reply_is_the_same_reply(simulator, ask, wire, size):
    simulator.fault(f"split bytes={size}")
    assert ask(wire, TEXT, model="sim-echo").text == TEXT
    assert whole_text(wire, ask(wire, TEXT, model="sim-echo", stream=False)) == TEXT


@every_wire
def test_a_malformed_chunk_is_broken_json_and_the_others_are_not(simulator, ask, wire):
    simulator.fault("malformed at_chunk=3")
    blocks = [block for block in ask(wire, "hi", chunks=5).data.decode().split("\n\n") if block]
    broken = []
    for block in blocks:
        data = block.split("data: ", 1)[1]
        try:
            data == "[DONE]" or json.loads(data)
        except ValueError:
            broken.append(data)
    assert len(broken) == 1 and broken[0].startswith("{")


ERRORS = {
    "overloaded": {"chat": "server_is_overloaded", "messages": "overloaded_error"},
    "server": {"chat": "server_error", "messages": "api_error"},
    "rate_limit": {"chat": "rate_limit_exceeded", "messages": "rate_limit_error"},
}


@every_wire
@pytest.mark.parametrize("name", ERRORS)
def test_an_error_comes_in_the_stream(simulator, ask, wire, name):
    simulator.fault(f"error after_chunks=2 class={name}")
    reply = ask(wire, "hi")
    assert len(reply.deltas) == 2
    if wire == "responses":
        assert [event["type"] for event in reply.events[-2:]] == ["error", "response.failed"]
        assert reply.events[-1]["response"]["error"]["code"] == ERRORS[name]["chat"]
    elif wire == "messages":
        assert reply.events[-1]["error"]["type"] == ERRORS[name]["messages"]
    else:
        assert reply.events[-1]["error"]["code"] == ERRORS[name]["chat"]


def test_faults_of_a_stream_break_a_whole_reply_too(simulator, ask):
    simulator.fault("disconnect times=1", "truncate times=1", "malformed times=1")
    with pytest.raises(ConnectionResetError):
        ask("chat", "hi", stream=False)
    assert ask("chat", "hi", stream=False).error
    with pytest.raises(ValueError):
        print(ask("chat", "hi", stream=False).json)
    assert ask("chat", "hi", stream=False).json
    simulator.fault("error class=rate_limit")
    assert ask("chat", "hi", stream=False).status == 429


def test_faults_hit_answers_and_other_paths_only_by_name(simulator, ask):
    simulator.fault("server status=503")
    assert request(simulator, "GET", "/v1/models").status == 200
    simulator.fault("clear", "server status=503 path=/models")
    assert request(simulator, "GET", "/v1/models").status == 503
    assert ask("chat", "hi").status == 200


def test_faults_hit_a_stream_that_is_taken_up_again(simulator, wire_to):
    wire, name = begin_background(wire_to, chunks=10)
    wire.close()
    simulator.fault("truncate after_chunks=2 times=1 model=sim")
    reply = request(simulator, "GET", f"/v1/responses/{name}?stream=true&starting_after=3")
    assert len(reply.deltas) == 2
    reply = request(simulator, "GET", f"/v1/responses/{name}?stream=true&starting_after=5")
    assert reply.events[-1]["type"] == "response.completed"


def test_faults_are_shown_with_how_often_they_fired(simulator, ask):
    simulator.fault("server status=503 times=2", "slow ms_per_chunk=1")
    ask("chat", "hi")
    assert simulator.faults() == "server status=503 times=2 fired=1\nslow ms_per_chunk=1 fired=1\n"
    simulator.clear_faults()
    assert simulator.faults() == ""


def test_a_wrong_rule_is_told_and_changes_nothing(simulator):
    reply = request(simulator, "POST", "/sim/faults", b"reset\nrate_limit retry=2\n")
    assert (reply.status, reply.data) == (400, b'rate_limit: unknown key "retry"; did you mean "retry_after"?\n')
    assert simulator.faults() == ""
