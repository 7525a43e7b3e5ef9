"""askfs-sim by itself: what it answers on each wire, and the faults that it plays. No mount."""

import http.client
import json
import signal
import socket
import struct
import subprocess
import time

import pytest

from support import programs
from support.waiting import eventually

WIRES = ["chat", "responses", "messages"]
PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}
TEXT = 'Grüße, "quoted" \\ and\n\ttabbed — 漢字 😀 end'


def body_of(wire, turns, model="sim", stream=True, **more):
    """A request body; turns are texts of the user and the assistant in turn, or one text."""
    turns = [turns] if isinstance(turns, str) else turns
    roles = ["user", "assistant"]
    messages = [{"role": roles[i % 2], "content": turn} for i, turn in enumerate(turns)]
    body = {"model": model, "stream": stream, "input" if wire == "responses" else "messages": messages, **more}
    if wire == "messages":
        body.setdefault("max_tokens", 100)
    return body


class Reply:
    def __init__(self, status, headers, data, error=None):
        self.status, self.headers, self.data, self.error = status, headers, data, error

    @property
    def json(self):
        return json.loads(self.data)

    @property
    def events(self):
        """The data of each event, as JSON where it is."""
        found = []
        for block in self.data.decode().split("\n\n"):
            lines = [line[6:] for line in block.splitlines() if line.startswith("data: ")]
            found += lines
        return [json.loads(line) if line.startswith("{") else line for line in found]

    @property
    def deltas(self):
        return [text for event in self.events for kind, text in [delta_of(event)] if kind == "text"]

    @property
    def text(self):
        return "".join(self.deltas)

    @property
    def reasoning(self):
        return "".join(text for kind, text in map(delta_of, self.events) if kind == "reasoning")


KINDS = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "text",
    "response.reasoning_summary_text.delta": "reasoning",
    "response.function_call_arguments.delta": "tool",
}


def delta_of(event):
    """(what it is, its text) of one event of any wire."""
    if not isinstance(event, dict):
        return None, ""
    if event.get("choices"):
        delta = event["choices"][0]["delta"]
        if delta.get("role"):
            return None, ""
        for key, kind in (("content", "text"), ("refusal", "text"), ("reasoning_content", "reasoning")):
            if delta.get(key) is not None:
                return kind, delta[key]
        if "tool_calls" in delta:
            return "tool", delta["tool_calls"][0]["function"]["arguments"]
    if event.get("type") in KINDS:
        return KINDS[event["type"]], event["delta"]
    if event.get("type") == "content_block_delta":
        delta = event["delta"]
        for key, kind in (("text", "text"), ("thinking", "reasoning"), ("partial_json", "tool")):
            if key in delta:
                return kind, delta[key]
    return None, ""


def whole_text(wire, reply):
    """The text of an answer that came as one JSON object."""
    if wire == "chat":
        return reply.json["choices"][0]["message"]["content"]
    if wire == "messages":
        return "".join(block["text"] for block in reply.json["content"] if block["type"] == "text")
    return "".join(part["text"] for item in reply.json["output"] if item["type"] == "message" for part in item["content"])


def request(simulator, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=20)
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    try:
        connection.request(method, path, data, headers or {})
        reply = connection.getresponse()
        try:
            return Reply(reply.status, reply.headers, reply.read())
        except http.client.IncompleteRead as cut:
            return Reply(reply.status, reply.headers, cut.partial, cut)
    finally:
        connection.close()


@pytest.fixture
def ask(simulator):
    """ask(wire, turns, sim options…): the reply."""

    def post(wire, turns, headers=None, model="sim", stream=True, more=None, **options):
        body = body_of(wire, turns, model, stream, **(more or {}))
        if options:
            body["sim"] = options
        return request(simulator, "POST", PATHS[wire], body, headers)

    return post


class Wire:
    """A bare connection: what is sent and received is in the hands of the test."""

    def __init__(self, simulator):
        self.socket = socket.create_connection(("127.0.0.1", simulator.port), timeout=20)
        self.received = b""

    def send(self, data):
        self.socket.sendall(data)

    def post(self, path, body):
        data = json.dumps(body).encode()
        self.send(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), len(data), data))

    def read(self):
        """More; b"" at the end."""
        data = self.socket.recv(1 << 20)
        self.received += data
        return data

    def read_until(self, text, count=1):
        while self.received.count(text) < count:
            assert self.read(), self.received[-2000:]

    def read_to_end(self):
        while self.read():
            pass
        return self.received

    def close(self):
        self.socket.close()


@pytest.fixture
def wire_to(simulator):
    made = []

    def connect():
        made.append(Wire(simulator))
        return made[-1]

    yield connect
    for wire in made:
        wire.close()


every_wire = pytest.mark.parametrize("wire", WIRES)

# ---- answers ----


@every_wire
@pytest.mark.parametrize("text", ["hi", TEXT, "x" * 5000, "word " * 9000, "two\n", " ", "😀" * 100], ids=range(7))
def test_echo_answers_with_the_prompt(ask, wire, text):
    assert ask(wire, text, model="sim-echo").text == text
    assert whole_text(wire, ask(wire, text, model="sim-echo", stream=False)) == text


@every_wire
@pytest.mark.parametrize("options", [{"chunks": 1}, {"chunks": 7}, {"chunks": 1000}, {"chunk_bytes": 1}, {"chunk_bytes": 5}])
def test_however_it_is_cut_it_stays_the_text(ask, wire, options):
    reply = ask(wire, TEXT, model="sim-echo", **options)
    assert reply.text == TEXT
    if options.get("chunks", 1000) < len(TEXT.encode()):
        assert len(reply.deltas) == options.get("chunks", len(reply.deltas))


@every_wire
def test_parts_are_joined(ask, wire):
    kind = "input_text" if wire == "responses" else "text"
    parts = [{"type": kind, "text": "one "}, {"type": "image"}, {"type": kind, "text": "two"}]
    assert ask(wire, [parts], model="sim-echo").text == "one two"


def test_input_may_be_a_string(simulator):
    reply = request(simulator, "POST", "/v1/responses", {"model": "sim-echo", "stream": True, "input": "hello"})
    assert reply.text == "hello"


@every_wire
def test_the_same_question_gets_the_same_answer_and_another_another(ask, wire):
    system = {"chat": "system", "messages": "system", "responses": "instructions"}[wire]
    first = ask(wire, "why?").text
    assert first.startswith('You said: "why?"') and len(first.split()) > 20
    assert ask(wire, "why?").text == first
    assert whole_text(wire, ask(wire, "why?", stream=False)) == first
    others = [ask(wire, "how?").text, ask(wire, "why?", model="sim2").text, ask(wire, ["a", "b", "why?"]).text]
    if wire != "chat":
        others.append(ask(wire, "why?", more={system: "be brief"}).text)
    assert len({first, *others}) == len(others) + 1


def test_all_wires_say_the_same(ask):
    assert len({ask(wire, "why?").text for wire in WIRES}) == 1


@every_wire
@pytest.mark.parametrize("chunks", [0, 1, 2, 3, 40, 5000])
def test_there_are_as_many_chunks_as_asked_for(ask, wire, chunks):
    reply = ask(wire, "hi", chunks=chunks)
    assert len(reply.deltas) == chunks
    assert ask(wire, "hi", chunks=chunks).text == reply.text


def test_chunks_may_have_a_size(ask):
    assert [len(text) for text in ask("chat", "hi", chunks=20, chunk_bytes=100).deltas[1:]] == [100] * 19


def test_a_text_may_be_given_and_repeated(ask):
    assert ask("chat", "hi", text="a b").deltas == ["a", " b"]
    assert ask("chat", "hi", text="a b", repeat=3).deltas == ["a", " b"] * 3


@every_wire
def test_first_ms_and_ms_per_chunk_are_kept(ask, wire):
    start = time.monotonic()
    ask(wire, "hi", chunks=5, first_ms=200, ms_per_chunk=50)
    assert 0.4 <= time.monotonic() - start < 2
    start = time.monotonic()
    ask(wire, "hi", stream=False, chunks=5, first_ms=200, ms_per_chunk=50)
    assert 0.4 <= time.monotonic() - start < 2


@every_wire
def test_reasoning_comes_first(ask, wire):
    reply = ask(wire, "hi", reasoning="I think so.")
    assert reply.reasoning == "I think so."
    kinds = [kind for kind, _ in map(delta_of, reply.events) if kind]
    assert kinds == sorted(kinds, key=["reasoning", "text"].index)
    assert ask(wire, "hi").reasoning == ""
    thought = ask(wire, "hi", model="sim-think")
    assert thought.reasoning and thought.text and thought.reasoning not in thought.text


@every_wire
def test_a_tool_is_called(ask, wire):
    reply = ask(wire, "hi", tool=True)
    arguments = "".join(text for kind, text in map(delta_of, reply.events) if kind == "tool")
    assert set(json.loads(arguments)) == {"query"}
    assert b"look_up" in reply.data and reply.text == ""
    assert b"look_up" in ask(wire, "hi", tool=True, stream=False).data


ENDS = {
    "chat": {"stop": "stop", "length": "length", "content_filter": "content_filter"},
    "messages": {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"},
    "responses": {"stop": "completed", "length": "max_output_tokens", "content_filter": "content_filter"},
}


def end_of(wire, reply):
    if wire == "chat":
        return reply.events[-2]["choices"][0]["finish_reason"]
    if wire == "messages":
        return reply.events[-2]["delta"]["stop_reason"]
    response = reply.events[-1]["response"]
    return (response["incomplete_details"] or {}).get("reason", response["status"])


@every_wire
@pytest.mark.parametrize("finish", ["stop", "length", "content_filter"])
def test_an_end_has_the_words_of_the_wire(ask, wire, finish):
    assert end_of(wire, ask(wire, "hi", finish=finish)) == ENDS[wire][finish]


@every_wire
def test_a_refusal_is_one_in_the_wires_own_way(ask, wire):
    reply = ask(wire, "hi", refusal="I will not.")
    assert reply.text == "I will not."
    if wire == "messages":
        assert end_of(wire, reply) == "refusal"
    else:
        assert b'"refusal' in reply.data
    assert ask(wire, "hi", refusal=True).text


def test_chat_tells_usage_when_asked(ask):
    usage = ask("chat", "hi", more={"stream_options": {"include_usage": True}}).events[-2]
    assert usage["choices"] == [] and usage["usage"]["total_tokens"] > 1
    assert "usage" not in ask("chat", "hi").events[-2]
    assert ask("chat", "hi", usage=True).events[-2]["usage"]
    assert not ask("chat", "hi", more={"stream_options": {"include_usage": True}}, usage=False).events[-2].get("usage")


def test_chat_ends_with_done(ask):
    assert ask("chat", "hi").events[-1] == "[DONE]"


def test_responses_count_their_events_without_a_gap(ask):
    reply = ask("responses", "hi", reasoning=True, tool=True, text="and text")
    assert [event["sequence_number"] for event in reply.events] == list(range(len(reply.events)))
    types = [line[7:] for line in reply.data.decode().splitlines() if line.startswith("event: ")]
    assert types == [event["type"] for event in reply.events]
    assert types[:2] == ["response.created", "response.in_progress"] and types[-1] == "response.completed"
    final = reply.events[-1]["response"]
    assert [item["type"] for item in final["output"]] == ["reasoning", "message", "function_call"]
    assert final["output"][1]["content"][0]["text"] == reply.text == "and text"


def test_messages_are_well_formed(ask):
    events = ask("messages", "hi", reasoning=True, tool=True, text="and text").events
    assert [event["type"] for event in events[:2]] == ["message_start", "ping"]
    assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
    starts = [(e["index"], e["content_block"]["type"]) for e in events if e["type"] == "content_block_start"]
    assert starts == [(0, "thinking"), (1, "text"), (2, "tool_use")]
    assert [e["index"] for e in events if e["type"] == "content_block_stop"] == [0, 1, 2]


def test_stamps_are_of_the_clock_of_this_machine(ask):
    before = time.monotonic_ns()
    deltas = ask("chat", "hi", chunks=5, ms_per_chunk=10, stamp=True).deltas
    stamps = [int(delta.split()[0][1:]) for delta in deltas]
    assert before < stamps[0] and stamps == sorted(stamps) and stamps[-1] < time.monotonic_ns()
    assert stamps[-1] - stamps[0] > 30_000_000


def test_too_long_a_prompt_is_told(ask):
    reply = ask("chat", "word " * 100, context_tokens=50)
    assert (reply.status, reply.json["error"]["code"]) == (400, "context_length_exceeded")


@pytest.mark.seconds(120)
@every_wire
def test_a_flood_arrives_whole(ask, wire):
    assert len(ask(wire, "hi", chunks=200_000).deltas) == 200_000


# ---- refusals ----

BAD_OPTIONS = [
    ({"chunk": 1}, 'unknown member "chunk"'),
    ({"chunks": "1"}, "sim.chunks must be a whole number from 0"),
    ({"chunks": -1}, "sim.chunks"),
    ({"ms_per_chunk": 1.5}, "sim.ms_per_chunk"),
    ({"finish": "tired"}, "sim.finish must be one of stop length content_filter"),
    ({"stamp": 1}, "sim.stamp must be true or false"),
    ({"text": 3}, "sim.text must be a string"),
]


@every_wire
@pytest.mark.parametrize("options, words", BAD_OPTIONS)
def test_a_wrong_option_is_named(ask, wire, options, words):
    reply = ask(wire, "hi", **options)
    assert reply.status == 400
    assert words in reply.json["error"]["message"]


def test_options_may_come_as_a_header(ask):
    assert ask("chat", "hi", headers={"x-sim": '{"text": "from the header"}'}).text == "from the header"
    assert ask("chat", "hi", headers={"x-sim": "{"}).status == 400


BAD_BODIES = [b"", b"{", b"[]", b"null", b"{}", b'{"model": "sim"}', b'{"model": "", "input": "x"}', b"\xff\xfe",
              b'{"model": "sim", "input": [], "messages": []}', b'{"model": "sim", "input": [{}], "messages": [{}]}',
              b'{"model": "sim", "messages": [{"role": "nobody"}], "input": [{"role": "nobody"}]}', b"[" * 100000]


@every_wire
@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_a_bad_body_is_a_400_in_the_wires_shape(simulator, wire, body):
    reply = request(simulator, "POST", PATHS[wire], body)
    assert reply.status == 400
    assert reply.json["error"]["type"] == "invalid_request_error" and reply.json["error"]["message"]
    if wire == "messages":
        assert reply.json["type"] == "error" and reply.json["request_id"] == reply.headers["request-id"]
    else:
        assert set(reply.json["error"]) == {"message", "type", "param", "code"}
        assert reply.headers["x-request-id"].startswith("req_")


def test_messages_need_max_tokens(simulator):
    body = {"model": "sim", "messages": [{"role": "user", "content": "x"}]}
    assert request(simulator, "POST", "/v1/messages", body).json["error"]["message"] == "max_tokens: Field required"


def test_unknown_paths_and_methods(simulator):
    assert request(simulator, "GET", "/v1/nothing").status == 404
    assert request(simulator, "GET", "/").status == 404
    assert request(simulator, "GET", "/v1/chat/completions").status == 405
    assert request(simulator, "POST", "/v1/models").status == 405
    reply = request(simulator, "GET", "/v1/nothing", headers={"anthropic-version": "2023-06-01"})
    assert (reply.status, reply.json["error"]["type"]) == (404, "not_found_error")


def test_models_and_health_with_and_without_the_version(simulator):
    for prefix in ("", "/v1"):
        models = request(simulator, "GET", prefix + "/models").json
        assert {"sim", "sim-echo", "sim-large"} <= {model["id"] for model in models["data"]}
        assert models["object"] == "list"
        assert request(simulator, "GET", prefix + "/health").json == {"status": "ok"}
    models = request(simulator, "GET", "/v1/models", headers={"anthropic-version": "2023-06-01"}).json
    assert models["has_more"] is False and models["data"][0]["type"] == "model"


# ---- going on ----


def full_answer(ask, wire, **options):
    return ask(wire, "tell me", **options).text


@every_wire
@pytest.mark.parametrize("length", [1, 7, 30, 100])
def test_a_prefill_gets_the_rest(ask, wire, length):
    full = full_answer(ask, wire)
    said = full[:length].rstrip()
    assert said + ask(wire, ["tell me", said]).text == full


def test_a_prefill_with_blanks_at_its_end_is_refused_by_messages_and_trimmed_elsewhere(ask):
    full = full_answer(ask, "chat")
    said = full[: full.index(" ") + 1]
    reply = ask("messages", ["tell me", said])
    assert reply.status == 400 and "trailing whitespace" in reply.json["error"]["message"]
    assert said.rstrip() + ask("chat", ["tell me", said]).text == full


@every_wire
def test_a_prefill_may_be_refused_or_ignored(ask, wire):
    full = full_answer(ask, wire)
    reply = ask(wire, ["tell me", full[:20].rstrip()], prefill="refuse")
    assert reply.status == 400 and "does not support assistant message prefill" in reply.json["error"]["message"]
    assert ask(wire, ["tell me", full[:20].rstrip()], prefill="ignore").text == full


def test_a_prefill_that_is_no_beginning_gets_an_answer_of_its_own(ask):
    assert ask("chat", ["tell me", "Something else"]).text.startswith("You said")


CONTINUE = "Your answer was interrupted. Please continue exactly where it stopped."
SAID = 40
SEAMS = {
    "exact": lambda full: full[SAID:],
    "overlap": lambda full: full[SAID - 20 :],
    "restart": lambda full: full,
    "preamble": lambda full: "Sure, continuing: " + full[SAID:],
}


@every_wire
@pytest.mark.parametrize("way", SEAMS)
def test_a_continuation_goes_on_as_it_was_told_to(ask, wire, way):
    full = full_answer(ask, wire)
    assert ask(wire, ["tell me", full[:SAID], CONTINUE], continuation=way).text == SEAMS[way](full)


@every_wire
def test_a_continuation_may_diverge(ask, wire):
    full = full_answer(ask, wire)
    other = ask(wire, ["tell me", full[:SAID], CONTINUE], continuation="diverge").text
    assert other and other not in full and not full.endswith(other)


def test_a_continuation_without_its_beginning_is_a_new_question(ask):
    assert ask("chat", ["tell me", "Something else", CONTINUE]).text.startswith('You said: "Your answer was')


def test_an_echo_goes_on_inside_a_character_boundary(ask):
    said = TEXT[: TEXT.index("字") + 1]
    assert said + ask("chat", [TEXT, said, CONTINUE], model="sim-echo").text == TEXT


def test_a_continuation_works_with_any_cut(ask):
    for options in ({"chunks": 50}, {"chunk_bytes": 7}, {"chunks": 30, "chunk_bytes": 11}):
        full = full_answer(ask, "chat", **options)
        for length in (1, 10, len(full) - 1, len(full)):
            assert full[:length] + ask("chat", ["tell me", full[:length], CONTINUE], **options).text == full


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


def dechunk(data):
    _, _, rest = data.partition(b"\r\n\r\n")
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return body


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
    listening = subprocess.run(["ss", "-Hltn", f"sport = :{simulator.port}"], capture_output=True, text=True, check=True)
    assert [line.split()[3] for line in listening.stdout.splitlines()] == [f"127.0.0.1:{simulator.port}"]


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
