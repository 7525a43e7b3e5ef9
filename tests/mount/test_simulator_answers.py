"""askfs-sim by itself: what it answers on each wire, what it refuses, how it goes on. No mount."""

import json
import time

import pytest

from support.talk import PATHS, TEXT, WIRES, delta_of, every_wire, request, whole_text


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
