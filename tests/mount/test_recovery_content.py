"""Streams that die before their end: reasoning, tool calls, structured and compressed answers."""

import errno
import json
import zlib

import pytest

from support.askfs import Reader
from support.breaking import (FIRST, Messages, Responses, SECOND, WHOLE, calls_of, ended, text_of_message, thought,
                              tool_answer, tool_delta)
from support.server import END, LAST_CHUNK, Gate, chunk, event, framed, head, stream_head


# ---- reasoning ----


def test_reasoning_that_was_read_is_not_mixed_with_that_of_another_attempt(play, server):
    story = play()
    gate = Gate()
    server.plays(stream_head(), thought("First I think."), gate, END)
    server.plays(stream_head(), thought("Another thought."), chunk(story.wire.delta(WHOLE)),
                 chunk(story.wire.end()), LAST_CHUNK)
    story.directory.write("hi")
    reader = Reader(story.directory / "reasoning")
    reader.has("First I think.")
    gate.open()
    assert reader.end() == b"First I think."
    assert reader.error is None
    assert story.directory.read() == WHOLE


def test_reasoning_of_an_answer_that_began_again_is_whole_however_it_is_read(play, server):
    story = play()
    gate = Gate()
    server.plays(stream_head(), thought("Nobody read this."), END)
    server.plays(stream_head(), thought("First I think, "), gate, thought("then I answer."),
                 chunk(story.wire.delta(WHOLE)), chunk(story.wire.end()), LAST_CHUNK)
    story.directory.write("hi")
    server.wait_for_requests(2)
    reader = Reader(story.directory / "reasoning")
    reader.has("First I think, ")
    gate.open()
    assert reader.end() == b"First I think, then I answer."


def test_reasoning_goes_on_behind_a_cursor(play, server):
    story = play(Responses)
    wire = story.wire
    gate = Gate()

    def thought_of(text):
        return chunk(wire.event("response.reasoning_summary_text.delta", item_id="rs_1", delta=text))

    server.plays(*story.attempt(FIRST), thought_of("I think "), gate, END)
    wire.number = 4
    server.plays(stream_head(), thought_of("about it."), chunk(wire.delta(SECOND)), chunk(wire.end(WHOLE)), LAST_CHUNK)
    story.directory.write("hi")
    readers = [Reader(story.directory / "response"), Reader(story.directory / "reasoning")]
    readers[0].has(FIRST)
    readers[1].has("I think ")
    gate.open()
    assert [reader.end().decode() for reader in readers] == [WHOLE, "I think about it."]


def signed_thought(text, signature):
    """Of Anthropic: a first block."""
    return b"".join(chunk(event(part)) for part in (
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": text}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": signature}},
        {"type": "content_block_stop", "index": 0}))


def text_block(text):
    return b"".join(chunk(event(part)) for part in (
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": text}}))


def signed_start():
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
    return [stream_head(), chunk(event({"type": "message_start", "message": message}))]


def check_signed(directory, signed):
    """Every thought stands with its own signature, or not at all."""
    content = json.loads(directory.latest.read("response.json"))["content"]
    for block in content:
        if block["type"] == "thinking":
            assert signed.get(block.get("signature")) == block["thinking"], content


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-sonnet-5"])
def test_a_signed_thought_is_never_mixed_with_that_of_another_attempt(play, server, model):
    story = play(Messages, model=model)
    thoughts = {"sig1": "The first thought, which is long.", "sig2": "Another thought altogether, and longer still."}
    story.plays_until_seen([*signed_start(), signed_thought(thoughts["sig1"], "sig1"), text_block(FIRST)], FIRST)
    server.plays(*signed_start(), signed_thought(thoughts["sig2"], "sig2"), text_block(SECOND),
                 chunk(story.wire.end()), LAST_CHUNK)
    assert story.read() == WHOLE
    assert story.directory.read("reasoning") == thoughts["sig1"]
    assert text_of_message(story.directory) == WHOLE
    check_signed(story.directory, thoughts)


def test_a_thought_that_was_read_is_not_signed_by_an_answer_that_began_again(play, server):
    story = play(Messages)
    thoughts = {"sig1": "The first thought, which is long.", "sig2": "Another thought altogether, and longer still."}
    gate = Gate()
    server.plays(*signed_start(), signed_thought(thoughts["sig1"], "sig1"), gate, END)
    server.plays(*signed_start(), signed_thought(thoughts["sig2"], "sig2"), text_block(WHOLE),
                 chunk(story.wire.end()), LAST_CHUNK)
    story.directory.write("hi")
    reader = Reader(story.directory / "reasoning")
    reader.has(thoughts["sig1"])
    gate.open()
    assert reader.end().decode() == thoughts["sig1"]
    assert story.directory.read() == WHOLE
    check_signed(story.directory, thoughts)


def test_a_thought_that_nobody_read_is_that_of_the_answer(play, server):
    story = play(Messages)
    thoughts = {"sig1": "The first thought, which is long.", "sig2": "Another thought altogether, and longer still."}
    server.plays(*signed_start(), signed_thought(thoughts["sig1"], "sig1"), END)
    server.plays(*signed_start(), signed_thought(thoughts["sig2"], "sig2"), text_block(WHOLE),
                 chunk(story.wire.end()), LAST_CHUNK)
    story.directory.write("hi")
    assert ended(story.directory)["state"] == "done"
    assert story.directory.read("reasoning") == thoughts["sig2"]
    content = json.loads(story.directory.latest.read("response.json"))["content"]
    assert content[0] == {"type": "thinking", "thinking": thoughts["sig2"], "signature": "sig2"}


# ---- on other framings ----


def test_a_compressed_stream_that_is_cut_goes_on(play, server):
    story = play()
    packer = zlib.compressobj(wbits=31)
    half = packer.compress(story.wire.begin() + story.wire.delta(FIRST)) + packer.flush(zlib.Z_SYNC_FLUSH)
    story.plays_until_seen([stream_head(Content_Encoding="gzip"), chunk(half)], FIRST)
    body = story.wire.delta(SECOND) + story.wire.end()
    server.plays(*framed(body, "length", encoding="gzip"))
    assert story.read() == WHOLE


def test_a_stream_of_a_known_length_that_is_cut_goes_on(play, server):
    story = play()
    headers = {"Content-Type": "text/event-stream", "Content-Length": "100000"}
    story.plays_until_seen([head(200, headers), story.wire.delta(FIRST)], FIRST)
    story.whole(SECOND)
    assert story.read() == WHOLE


# ---- tool calls ----


def test_a_tool_call_that_was_cut_comes_whole_from_one_attempt(play, server):
    story = play()
    half = [*story.attempt(FIRST), chunk(tool_delta('{"city": "Ro', "weather"))]
    story.plays_until_seen(half, FIRST)
    server.plays(*tool_answer(story, FIRST, "Paris"))
    assert story.read() == FIRST
    assert calls_of(story.directory) == [{"name": "weather", "arguments": '{"city": "Paris"}'}]
    assert story.methods() == ["none", "replay"]
    assert server.requests[0].body == server.requests[1].body


def test_an_answer_with_a_cut_tool_call_that_differs_is_refused(play, server):
    story = play()
    story.plays_until_seen([*story.attempt(FIRST), chunk(tool_delta('{"city": "Ro', "weather"))], FIRST)
    server.plays(*tool_answer(story, "Another way to say it, and long enough to be text.", "Paris"))
    assert story.read_broken() == FIRST
    assert story.readers[0].error == errno.ECONNRESET
    assert len(server.requests) == 2


def test_an_answer_with_a_tool_call_alone_is_asked_for_again(play, server):
    story = play()
    server.plays(stream_head(), chunk(tool_delta('{"city": "Ro', "weather")), END)
    server.plays(stream_head(), chunk(tool_delta('{"city": "Paris"}', "weather")),
                 chunk(story.wire.end(finish="tool_calls")), LAST_CHUNK)
    assert story.directory.ask("hi") == ""
    assert calls_of(story.directory) == [{"name": "weather", "arguments": '{"city": "Paris"}'}]


def test_json_that_was_asked_for_is_of_one_piece(play):
    story = play(options={"response_format": {"type": "json_object"}})
    story.cut('{"name": "harbour", ')
    story.whole('{"name": "harbour", "boats": 3}')
    assert story.read() == '{"name": "harbour", "boats": 3}'
    assert story.methods() == ["none", "replay"]
