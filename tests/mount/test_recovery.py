"""Streams that die before their end: asked for again, whole, and what its readers never notice."""

import errno
import json

import pytest

from support.breaking import CHARACTERS, FIRST, Responses, SECOND, WHOLE, WIRES, ended, turns_of, without_prefill
from support.server import END, LAST_CHUNK, RESET, event


# ---- before a byte was read ----


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("by", [END, RESET, LAST_CHUNK], ids=["close", "reset", "polite end"])
def test_a_cut_before_a_byte_was_read_is_invisible(play, server, wire, by):
    story = play(wire)
    server.plays(*story.attempt("Something that nobody"), by)
    story.whole("Another text.")
    story.directory.write("hi")
    assert ended(story.directory)["state"] == "done"
    assert story.directory.read() == "Another text."
    first, second = server.requests
    assert turns_of(first) == turns_of(second) == [("user", "hi")]
    assert story.methods() == ["none", "restart"]


def test_cuts_before_a_byte_was_read_may_be_as_many_as_reconnects(play, server):
    story = play(retry={"initial_delay": 0.01, "max_reconnect_attempts": 4})
    for _ in range(4):
        server.plays(*story.attempt("unread"), END)
    story.whole(WHOLE)
    story.directory.write("hi")
    assert ended(story.directory)["state"] == "done"
    assert story.directory.read() == WHOLE
    assert story.methods() == ["none"] + ["restart"] * 4


def test_a_restart_leaves_no_trace_of_the_text_that_nobody_read_in_the_message(play, server):
    story = play()
    server.plays(*story.attempt("unread"), END)
    story.whole(WHOLE)
    story.directory.write("hi")
    ended(story.directory)
    message = json.loads(story.directory.latest.read("response.json"))
    assert message["choices"][0]["message"]["content"] == WHOLE


def test_a_response_in_the_background_that_is_begun_again_is_stopped(play, server):
    story = play(Responses)
    server.plays(*story.attempt("unread"), END)
    story.wire.response = "resp_2"
    story.whole(WHOLE)
    story.directory.write("hi")
    assert ended(story.directory)["state"] == "done"
    assert story.directory.read() == WHOLE
    with server.changed:
        assert server.changed.wait_for(lambda: server.cancelled, 20)
    assert server.cancelled == ["/v1/responses/resp_1/cancel"]


# ---- replay ----


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("pieces", [1, 5, 1000])
def test_a_replay_that_repeats_is_accepted(play, server, wire, pieces):
    story = play(wire, recovery="exact", **({"background": False} if wire is Responses else {}))
    story.cut(FIRST)
    story.whole(*(WHOLE[at : at + pieces] for at in range(0, len(WHOLE), pieces)))
    assert story.read() == WHOLE
    assert story.methods() == ["none", "replay"]
    assert server.requests[0].body == server.requests[1].body


@pytest.mark.parametrize("at", [0, 1, len(FIRST) // 2, len(FIRST) - 1])
def test_a_replay_that_differs_anywhere_is_refused(play, server, at):
    story = play(recovery="exact")
    story.cut(FIRST)
    story.whole(FIRST[:at] + "#" + FIRST[at + 1 :] + SECOND)
    assert story.read_broken() == FIRST
    assert story.readers[0].error == errno.ECONNRESET
    assert story.directory.read_to_error() == (FIRST, errno.ECONNRESET)
    assert len(server.requests) == 2
    status = story.directory.latest.status()
    assert (status["state"], status["bytes"]) == ("failed", str(len(FIRST)))


def test_a_replay_that_ends_before_what_was_delivered_is_refused(play):
    story = play(recovery="exact")
    story.cut(FIRST)
    story.whole(FIRST[:-1])
    assert story.read_broken() == FIRST
    assert story.readers[0].error == errno.ECONNRESET


def test_a_replay_of_just_what_was_delivered_is_a_whole_answer(play):
    story = play(recovery="exact")
    story.cut(WHOLE)
    story.whole(WHOLE)
    assert story.read() == WHOLE


def test_a_replay_that_breaks_while_it_repeats_is_replayed_again(play):
    story = play(recovery="exact", retry={"initial_delay": 0.01, "max_reconnect_attempts": 3})
    story.cut(FIRST)
    story.cut(FIRST[:10], seen=FIRST)
    story.cut(FIRST[:30], seen=FIRST)
    story.whole(WHOLE)
    assert story.read() == WHOLE
    assert story.methods() == ["none"] + ["replay"] * 3


def test_a_text_too_short_to_go_on_from_is_replayed(play):
    story = without_prefill(play)
    story.cut("The har")
    story.whole(WHOLE)
    assert story.read() == WHOLE
    assert story.methods() == ["none", "replay"]


# ---- characters ----


def raw_delta(text):
    """Not escaped, as most servers send it."""
    return event(json.dumps({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]},
                            ensure_ascii=False))


@pytest.mark.parametrize("policy, method", [("auto", "prefill"), ("exact", "replay")])
def test_a_cut_inside_a_character_neither_loses_nor_repeats_it(play, server, policy, method):
    story = play(recovery=policy)
    data = raw_delta(CHARACTERS)
    place = data.index(CHARACTERS.encode())
    for at in range(place, place + len(CHARACTERS.encode()) + 1):
        story.cut(FIRST, tail=data[:at])
        story.whole((FIRST if method == "replay" else "") + CHARACTERS, SECOND)
        assert story.read() == FIRST + CHARACTERS + SECOND
        assert story.methods() == ["none", method]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("character", CHARACTERS)
def test_a_seam_between_any_two_characters_holds(play, wire, character):
    story = play(wire, recovery="exact", **({"background": False} if wire is Responses else {}))
    text = character * 3 + "." + character
    for at in range(1, len(text)):
        story.cut(text[:at])
        story.whole(text)
        assert story.read() == text


def test_half_a_surrogate_pair_is_never_delivered(play):
    story = play()
    half = event('{"choices":[{"index":0,"delta":{"content":"\\ud83d"},"finish_reason":null}]}')
    story.cut(FIRST, tail=half)
    story.whole("😀", SECOND)
    assert story.read() == FIRST + "😀" + SECOND


def test_an_overlap_of_characters_beyond_ascii_is_removed(play):
    story = without_prefill(play)
    first, second = "港口在黎明时分很安静，渔船并排停靠在", "古老的石墙边，等待潮水。"
    story.cut(first)
    story.whole("很安静，渔船并排停靠在" + second)
    assert story.read() == first + second
