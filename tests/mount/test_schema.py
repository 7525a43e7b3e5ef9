"""Answers in a form that was asked for: what does not fit ends with EBADMSG, its text kept."""

import errno
import json

import pytest

from support.breaking import Chat, Messages, Responses

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "degrees": {"type": "number"}},
          "required": ["city", "degrees"], "additionalProperties": False}
GOOD = '{"city": "Bergen", "degrees": 11.5}'
BAD = '{"city": "Bergen", "degrees": "mild"}'
FORMAT = {"type": "json_schema", "schema": SCHEMA}
OPTIONS = {
    Chat: {"response_format": {"type": "json_schema", "json_schema": {"name": "weather", "schema": SCHEMA}}},
    Responses: {"text": {"format": {**FORMAT, "name": "weather"}}},
    Messages: {"output_config": {"format": FORMAT}},
}


@pytest.mark.parametrize("wire", OPTIONS)
def test_an_answer_that_fits_is_complete(play, wire):
    story = play(wire, options=OPTIONS[wire])
    story.whole(GOOD)
    assert story.read() == GOOD


@pytest.mark.parametrize("wire", OPTIONS)
def test_an_answer_that_does_not_fit_keeps_its_text_and_ends_with_an_error(play, wire):
    story = play(wire, options=OPTIONS[wire])
    story.whole(BAD)
    directory = story.directory
    assert directory.fails("hi") == (BAD, errno.EBADMSG)
    assert len(story.server.requests) == 1
    assert directory.latest.status()["error"] == "schema"
    assert "degrees: expected number" in directory.latest.read("error")
    assert directory.status("breaker")["failures"] == "0"


def test_the_options_of_the_moment_count(play):
    story = play(Chat)
    story.whole(BAD)
    assert story.read() == BAD
    story.directory.write(json.dumps(OPTIONS[Chat]), "options.json")
    story.whole(BAD)
    assert story.directory.fails("hi")[1] == errno.EBADMSG


def test_json_mode_wants_an_object(play):
    story = play(Chat, options={"response_format": {"type": "json_object"}})
    story.whole("Bergen, mild")
    assert story.directory.fails("hi") == ("Bergen, mild", errno.EBADMSG)
    story.whole('{"any": "object"}')
    assert story.read() == '{"any": "object"}'


def test_an_answer_that_nobody_read_is_asked_for_again_where_that_is_wanted(play, server):
    story = play(Chat, options=OPTIONS[Chat],
                 retry={"initial_delay": 0.01, "classes": {"schema": 3}})
    story.whole(BAD)
    story.whole(GOOD)
    story.directory.write("hi")
    assert "done" in story.directory.wait()
    assert story.directory.read() == GOOD
    assert [attempt["class"] for attempt in story.directory.latest.attempts()] == ["schema", "ok"]


def test_an_answer_cut_by_its_token_limit_is_complete(play, server):
    story = play(Chat, options=OPTIONS[Chat])
    server.answer('{"city": "Ber', finish="length")
    assert story.directory.ask("hi") == '{"city": "Ber'


def test_the_check_can_be_left_out(play):
    story = play(Chat, options=OPTIONS[Chat], check_schema=False)
    story.whole(BAD)
    assert story.read() == BAD
