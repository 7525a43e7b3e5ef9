"""Answers as each wire shows them, for a test that plays the provider: texts in, chunks of a 200 out.

    wire.begin() + wire.delta("Hel") + wire.delta("lo") + wire.end()
"""

from support.server import chat_delta, chat_end, event


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
