"""How tests speak with askfs-sim, without a mount: its wires, requests, whole answers, raw bytes."""

import http.client
import json
import socket

import pytest

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


def dechunk(data):
    _, _, rest = data.partition(b"\r\n\r\n")
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return body


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
