"""Streams that die before their end: a response in the background is taken up again by its cursor."""

import json

from support.breaking import FIRST, Responses, SECOND, WHOLE, attach, recovery_of
from support.server import LAST_CHUNK, chunk, framed, stream_head


def test_a_response_in_the_background_is_attached_to_behind_its_newest_event(play, server):
    story = play(Responses)
    story.cut(FIRST[:20], FIRST[20:])  # events 0 to 3
    server.plays(*attach(story, SECOND, first=4))
    assert story.read() == WHOLE
    first, second = server.requests
    assert first.json()["background"] is True and first.json()["store"] is True
    assert (second.method, second.path) == ("GET", "/v1/responses/resp_1?stream=true&starting_after=3")
    assert second.headers["authorization"] == "Bearer a-key"
    assert story.methods() == ["none", "cursor"]
    assert recovery_of(story.directory).split()[0] == "cursor"
    assert server.cancelled == []


def test_events_that_come_again_behind_a_cursor_are_said_once(play, server):
    story = play(Responses)
    story.cut(FIRST[:20], FIRST[20:])
    server.plays(*attach(story, FIRST[:20], FIRST[20:], SECOND, first=2))
    assert story.read() == WHOLE


def test_an_event_that_came_in_part_is_asked_for_again(play, server):
    story = play(Responses)
    story.wire.number = 3
    half = story.wire.delta(" this is lost")[:-20]
    story.cut(FIRST, tail=half)
    server.plays(*attach(story, SECOND, first=3))
    assert story.read() == WHOLE
    assert server.requests[1].path.endswith("starting_after=2")


def test_a_text_that_repeats_itself_is_not_taken_for_an_overlap_by_a_cursor(play, server):
    story = play(Responses)
    story.cut("ha ha ha ha ha ha ha ha ha ha ")
    server.plays(*attach(story, "ha ha ha ha ha ha ha ha ha ha ", "!", first=3))
    assert story.read() == "ha ha ha ha ha ha ha ha ha ha " * 2 + "!"


def test_a_cursor_is_used_as_often_as_the_stream_breaks(play, server):
    story = play(Responses)
    words = [f"word {number}, " for number in range(12)]
    story.cut(words[0])
    for number in range(1, 12):
        story.plays_until_seen(attach(story, words[number], first=2 + number, end=False), words[number])
    server.plays(*attach(story, "end", first=14))
    assert story.read() == "".join(words) + "end"
    assert story.methods() == ["none"] + ["cursor"] * 12
    assert [request.path.rpartition("=")[2] for request in server.requests[1:]] == [str(n) for n in range(2, 14)]
    assert story.directory.latest.status()["reconnects"] == "12"


def test_a_response_that_is_gone_is_gone_on_from_otherwise(play, server):
    story = play(Responses)
    story.cut(FIRST)
    server.error(404, {"error": {"message": "Response with id 'resp_1' not found.",
                                 "type": "invalid_request_error", "code": None}})
    story.whole(SECOND)
    assert story.read() == WHOLE
    assert story.methods() == ["none", "cursor", "continue"]
    assert [request.method for request in server.requests] == ["POST", "GET", "POST"]


def test_an_attach_that_is_answered_with_the_whole_response_adds_what_was_missing(play, server):
    story = play(Responses)
    story.cut(FIRST)
    item = {"id": "msg_1", "type": "message", "role": "assistant",
            "content": [{"type": "output_text", "text": WHOLE}]}
    body = {"id": "resp_1", "object": "response", "model": "gpt-fake", "status": "completed", "output": [item]}
    server.plays(*framed(json.dumps(body).encode(), "length", content_type="application/json"))
    assert story.read() == WHOLE


def test_events_that_all_have_the_number_0_are_no_cursor(play, server):
    class Unnumbered(Responses):
        def event(self, kind, **more):
            self.number = 0
            return super().event(kind, **more)

    story = play(Unnumbered)
    story.cut(FIRST)
    story.whole(WHOLE)  # to whoever attaches, and to whoever asks to continue
    assert story.read() == WHOLE
    assert story.methods() == ["none", "continue"]


def test_a_response_that_failed_in_the_background_is_gone_on_from_otherwise(play, server):
    story = play(Responses)
    failed = story.wire.failed(number=3)
    story.cut(FIRST)
    server.plays(stream_head(), chunk(failed), LAST_CHUNK)
    story.whole(SECOND)
    assert story.read() == WHOLE
    assert story.methods() == ["none", "cursor", "continue"]


def test_a_provider_that_has_no_background_is_asked_without_it(play, server):
    story = play(Responses)
    server.error(400, {"error": {"message": "Background mode is not supported with zero data retention.",
                                 "type": "invalid_request_error", "param": "background"}})
    story.cut(FIRST)
    story.whole(SECOND)
    assert story.read() == WHOLE
    assert ["background" in request.json() for request in server.requests] == [True, False, False]
    assert story.methods() == ["none", "none", "continue"]


def test_a_response_that_goes_on_in_the_background_has_a_cursor_of_its_own(play, server):
    story = play(Responses)
    failed = story.wire.failed(number=3)
    story.cut(FIRST, tail=failed)
    story.wire.response = "resp_2"
    story.cut(SECOND[:20])
    server.plays(*attach(story, SECOND[20:], first=3))
    assert story.read() == WHOLE
    assert story.methods() == ["none", "continue", "cursor"]
    assert server.requests[2].path == "/v1/responses/resp_2?stream=true&starting_after=2"
    message = json.loads(story.directory.latest.read("response.json"))
    assert message["output"][0]["content"][0]["text"] == WHOLE


def test_a_continuation_that_breaks_while_it_is_compared_is_not_attached_to(play, server):
    story = play(Responses)
    failed = story.wire.failed(number=3)
    story.cut(FIRST, tail=failed)
    story.wire.response = "resp_2"
    story.cut("the fishing bo", seen=FIRST)  # held back, and behind the cursor
    story.wire.response = "resp_3"
    story.whole("the fishing boats lay" + SECOND)
    assert story.read() == WHOLE
    assert story.methods() == ["none", "continue", "continue"]


def test_exact_replays_a_response_that_is_gone(play, server):
    story = play(Responses, recovery="exact")
    story.cut(FIRST)
    server.error(404, {"error": {"message": "Response with id 'resp_1' not found."}})
    story.whole(WHOLE)
    assert story.read() == WHOLE
    assert story.methods() == ["none", "cursor", "replay"]


def test_a_cut_inside_a_character_is_made_good_by_the_cursor(play, server):
    story = play(Responses)
    number = 3
    story.wire.number = number
    data = story.wire.delta("é中😀").replace(json.dumps("é中😀").encode(), '"é中😀"'.encode())
    place = data.index("é".encode())
    for at in range(place, place + 10):
        story.cut(FIRST, tail=data[:at])
        server.plays(*attach(story, "é中😀", SECOND, first=number))
        assert story.read() == FIRST + "é中😀" + SECOND
        assert story.methods() == ["none", "cursor"]
