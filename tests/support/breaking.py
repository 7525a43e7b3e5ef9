"""Answers that break off once their readers have what came: nobody has to guess who was given what.

    story = Story(fake, server, Chat())
    story.cut("The quick brown ")       the first attempt: this, and no more
    story.whole("fox jumps.")           the second
    assert story.read() == "The quick brown fox jumps."
"""

import json
import os
import random

import pytest

from support.askfs import Reader
from support.server import END, LAST_CHUNK, Gate, chat_delta, chat_end, chunk, event, head, stream_head
from support.waiting import eventually

ATTRIBUTE = "user.askfs.recovery"


# The answers of each wire: begin() + delta("Hel") + delta("lo") + end(), in the body of a 200.


class Chat:
    name = "chat"
    provider = {"type": "openai-compatible", "model": "fake"}

    def begin(self):
        return b""

    def delta(self, text):
        return chat_delta(text)

    def end(self, text="", finish="stop"):
        return chat_end(finish)


class Messages:
    name = "messages"
    provider = {"type": "anthropic", "model": "claude-sonnet-4-5", "api_key": {"env": "A_KEY"}}

    def _event(self, kind, **more):
        return event({"type": kind, **more}, kind)

    def begin(self):
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [],
                   "stop_reason": None, "usage": {"input_tokens": 3, "output_tokens": 1}}
        return (self._event("message_start", message=message)
                + self._event("content_block_start", index=0, content_block={"type": "text", "text": ""}))

    def delta(self, text):
        return self._event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})

    def end(self, text="", finish="end_turn"):
        return (self._event("content_block_stop", index=0)
                + self._event("message_delta", delta={"stop_reason": finish}, usage={"output_tokens": 2})
                + self._event("message_stop"))


class Responses:
    """Counts its events as the API does; number is that of the next."""

    name = "responses"
    provider = {"type": "openai", "api": "responses", "model": "gpt-fake", "api_key": {"env": "A_KEY"}}

    def __init__(self, response="resp_1"):
        self.response = response
        self.number = 0

    def event(self, kind, **more):
        self.number += 1
        return event({"type": kind, "sequence_number": self.number - 1, **more}, kind)

    def object(self, status, **more):
        return {"id": self.response, "object": "response", "model": "gpt-fake", "status": status, **more}

    def begin(self):
        self.number = 0
        item = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
        return (self.event("response.created", response=self.object("in_progress", output=[]))
                + self.event("response.output_item.added", output_index=0, item=item))

    def delta(self, text):
        return self.event("response.output_text.delta", item_id="msg_1", output_index=0, content_index=0, delta=text)

    def end(self, text="", finish="completed"):
        item = {"id": "msg_1", "type": "message", "role": "assistant",
                "content": [{"type": "output_text", "text": text}]}
        usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
        return self.event("response." + finish, response=self.object(finish, output=[item], usage=usage))

    def failed(self, number):
        """The event that ends a response in the background, and its cursor with it."""
        self.number = number
        error = {"code": "server_error", "message": "The model failed."}
        return self.event("response.failed", response=self.object("failed", output=[], error=error))


# What happens to them.


class Story:
    def __init__(self, directory, server, wire):
        self.directory = directory
        self.server = server
        self.wire = wire
        self.cuts = []  # (gate, all that readers must have before it opens)
        self.seen = ""
        self.readers = []

    def attempt(self, *texts):
        """The beginning of a script."""
        return [stream_head(), chunk(self.wire.begin()), *(chunk(self.wire.delta(text)) for text in texts)]

    def cut(self, *texts, seen=None, tail=b"", by=END):
        """This attempt dies when all that was seen is seen: what came before it and these texts, unless
        the test knows better. tail: bytes just before its end."""
        self.plays_until_seen(self.attempt(*texts), "".join(texts), seen, tail, by)

    def plays_until_seen(self, steps, text, seen=None, tail=b"", by=END):
        gate = Gate()
        self.seen = self.seen + text if seen is None else seen
        self.cuts.append((gate, self.seen))
        self.server.plays(*steps, gate, *([chunk(tail)] if tail else []), by)

    def whole(self, *texts):
        self.server.plays(*self.attempt(*texts), chunk(self.wire.end("".join(texts))), LAST_CHUNK)

    def begin(self, prompt="hi", readers=1, size=65536):
        self.directory.write(prompt)
        path = self.directory / "response"
        self.readers = [Reader(path, size) for _ in range(readers)]

    def go_on(self):
        """Opens each cut in turn, when all readers have what it waits for."""
        for gate, seen in self.cuts:
            for reader in self.readers:
                reader.has(seen)
            assert {reader.data.decode() for reader in self.readers} == {seen}
            gate.open()
        self.cuts = []

    def end(self):
        """What all readers read."""
        texts = {reader.end().decode() for reader in self.readers}
        self.seen = ""
        assert len(texts) == 1, texts
        return texts.pop()

    def read(self, prompt="hi", readers=1, size=65536):
        """Plays all of it. The text, which must end with the end of a whole answer."""
        text = self.read_broken(prompt, readers, size)
        errors = [reader.error for reader in self.readers]
        assert errors == [None] * readers, (errors, text, self.directory.latest.read("error"))
        return text

    def read_broken(self, prompt="hi", readers=1, size=65536):
        """The same, however it ended: see readers[0].error."""
        self.begin(prompt, readers, size)
        self.go_on()
        return self.end()

    def methods(self):
        """How each attempt asked."""
        return [attempt["recovery"] for attempt in self.directory.latest.attempts()]


def recovery_of(directory):
    return os.getxattr(directory / "response", ATTRIBUTE).decode()


def turns_of(request):
    """(role, text) of each turn that a request showed its provider."""
    body = request.json()
    turns = body.get("messages", body.get("input"))
    if isinstance(turns, str):
        return [("user", turns)]
    return [(turn["role"], turn["content"]) for turn in turns]


def ended(directory):
    """The status of the newest request, when it has ended."""
    return eventually(lambda: (status := directory.latest.status())["state"] in ("done", "failed", "cancelled")
                      and status)


STORY = " ".join(f"{number}: in the year {1700 + number * 7} the {word} was built by é{number}中😀."
                 for number, word in enumerate("tower quay chapel mill bridge school market tavern lock".split()))


class Unreliable:
    """A provider that tells STORY, goes on from whatever part of it is shown, repeats some of it when it is
    asked to continue, and breaks off at any byte."""

    def __init__(self, wire, seed, cuts=15, refusals=()):
        self.wire = wire
        self.random = random.Random(seed)
        self.events = []  # of the response in the background
        self.wrong = []
        self.responses = 0
        self.cuts_left = cuts  # many more at once would be a storm, which the retry budget ends
        self.refusals = list(refusals)  # statuses

    def __call__(self, connection, request):
        if self.refusals and self.random.random() < 0.4:
            connection.sendall(head(self.refusals.pop(), {"Content-Length": "0", "retry-after-ms": "5"}))
            return True
        body = self._attach(request) if request.method == "GET" else self._tell(request)
        is_cut = self.cuts_left and self.random.random() < 0.7
        self.cuts_left -= is_cut
        cut = self.random.randrange(len(body)) if is_cut else len(body)
        self._send(connection, body[:cut])
        if cut == len(body):
            connection.sendall(LAST_CHUNK)
        return False

    def _send(self, connection, data):
        connection.sendall(stream_head())
        while data:
            size = self.random.choice([1, 3, 10, 100, 1000])
            connection.sendall(chunk(data[:size]))
            data = data[size:]

    def _attach(self, request):
        return b"".join(self.events[int(request.path.rpartition("=")[2]) + 1 :])

    def _tell(self, request):
        roles, texts = zip(*turns_of(request))
        shown = texts[1] if len(texts) > 1 else ""
        if not STORY.startswith(shown):
            self.wrong.append(shown)
        text = STORY[len(shown) - self._repeated(shown, roles) :]
        pieces = [text[at : at + 7] for at in range(0, len(text), 7)]
        self.responses += 1
        self.wire.response = f"resp_{self.responses}"
        self.events = self._events(pieces, text)
        return b"".join(self.events)

    def _repeated(self, shown, roles):
        """So much of its end is told again."""
        if len(roles) < 3 or len(shown) < 60:
            return 0
        return self.random.choice([0, self.random.randrange(30, 60), len(shown)])

    def _events(self, pieces, text):
        begin = self.wire.begin()
        events = [part + b"\n\n" for part in begin.split(b"\n\n") if part]
        events += [self.wire.delta(piece) for piece in pieces]
        return [*events, self.wire.end(text)]


WIRES = [Chat, Messages, Responses]
FIRST = "The harbour was quiet at dawn, and the fishing boats lay"
SECOND = " side by side along the old stone wall, waiting for the tide."
WHOLE = FIRST + SECOND
CHARACTERS = "é中😀"
NO_PREFILL = {"type": "error", "error": {"type": "invalid_request_error",
                                         "message": "This model does not support assistant message prefill. "
                                                    "The conversation must end with a user message."}}


@pytest.fixture
def play(mounted, server):
    """play(wire, …): a story with a provider of this wire; the rest is its configuration."""

    def begin(wire=Chat, defaults=None, **more):
        config = {"base_url": server.url, **wire.provider, **more}
        mount = mounted({"fake": config}, defaults, A_KEY="a-key")
        return Story(mount / "fake", server, wire())

    return begin


def without_prefill(play, wire=Chat, **more):
    """A provider whose models have refused a prefill already."""
    story = play(wire, **more)
    if wire is Responses:
        return story  # it is never asked for one
    story.cut("anything")
    story.server.error(400, NO_PREFILL)
    story.whole(" at all")
    assert story.read() == "anything at all"
    story.server.requests.clear()
    return story


def text_of_message(directory):
    """Of an answer that has a message; else None."""
    message = json.loads(directory.latest.read("response.json") or "{}")
    if "choices" in message:
        return message["choices"][0]["message"]["content"]
    blocks = message["output"][0]["content"] if message.get("output") else message.get("content")
    return "".join(block.get("text", "") for block in blocks) if blocks else None


def attach(story, *texts, first, end=True):
    """A script for whoever attaches behind the event before first."""
    wire = story.wire
    wire.number = first
    steps = [stream_head(), *(chunk(wire.delta(text)) for text in texts)]
    return steps + [chunk(wire.end(WHOLE)), LAST_CHUNK] if end else steps


def thought(text):
    return chunk(event({"choices": [{"index": 0, "delta": {"reasoning_content": text}, "finish_reason": None}]}))


def tool_delta(arguments, name=None):
    function = {"arguments": arguments, **({"name": name} if name else {})}
    call = {"index": 0, "function": function, **({"id": "call_1", "type": "function"} if name else {})}
    return event({"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]})


def tool_answer(story, text, city):
    return [*story.attempt(text), chunk(tool_delta('{"city": ', "weather")), chunk(tool_delta(f'"{city}"}}')),
            chunk(story.wire.end(finish="tool_calls")), LAST_CHUNK]


def calls_of(directory):
    message = json.loads(directory.latest.read("response.json"))["choices"][0]["message"]
    return [call["function"] for call in message["tool_calls"]]
