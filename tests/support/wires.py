"""An answer as each wire shows it, in the pieces that a test may cut, lose or spoil."""

from support.server import LAST_CHUNK, chunk, event, stream_head

TEXT = "Gateways come and go; the answer arrives whole, é and 😀 included, and is said only once."


def words_of(text):
    return [word + " " for word in text.split(" ")[:-1]] + [text.split(" ")[-1]]


class Wire:
    """begin(), delta(text) and end(finish) are the events of one answer."""

    def begin(self):
        return b""

    def stream(self, text=TEXT):
        """Chunks: what comes before the text, one for each word, the end."""
        return [chunk(self.begin()), *(chunk(self.delta(word)) for word in words_of(text)),
                chunk(self.end())]

    def answer(self, text=TEXT):
        return [stream_head(), *self.stream(text), LAST_CHUNK]

    def begins(self, words, text=TEXT):
        """The head and the first words of an answer."""
        return [stream_head(), *self.stream(text)[: words + 1]]

    def goes_on(self, request, text=TEXT):
        """What a model that was shown the beginning of this text says next."""
        messages = request.json().get("messages") or request.json()["input"]
        partial = next((m["content"] for m in messages if m["role"] == "assistant"), "")
        assert text.startswith(partial), f"{partial!r} is no beginning of the answer"
        return text[len(partial):]

    def talks(self, text=TEXT):
        """A step that goes on from the partial answer in the request, if it has one."""
        def step(connection, request):
            for piece in self.answer(self.goes_on(request, text)):
                connection.sendall(piece)
        return step


class Chat(Wire):
    config = {"type": "openai-compatible"}

    def delta(self, text, finish=None):
        return event({"id": "chat-1", "object": "chat.completion.chunk", "model": "fake",
                      "choices": [{"index": 0, "delta": {"content": text} if text else {},
                                   "finish_reason": finish}]})

    def end(self, finish="stop"):
        usage = {"prompt_tokens": 30, "completion_tokens": 20, "total_tokens": 50}
        return (self.delta("", finish) + event({"id": "chat-1", "choices": [], "usage": usage})
                + event("[DONE]"))

    def error(self, message, type="invalid_request_error", code=None):
        return {"error": {"message": message, "type": type, "code": code, "param": None}}

    context_length = "context_length_exceeded"
    no_prefill = "Expected last role User or Tool for serving but got assistant"


class Messages(Wire):
    config = {"type": "anthropic", "model": "claude-3-7-sonnet-20250219"}

    def begin(self):
        message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [],
                   "model": "claude", "usage": {"input_tokens": 30, "output_tokens": 1}}
        block = {"type": "content_block_start", "index": 0,
                 "content_block": {"type": "text", "text": ""}}
        return (event({"type": "message_start", "message": message}, "message_start")
                + event(block, "content_block_start"))

    def delta(self, text):
        return event({"type": "content_block_delta", "index": 0,
                      "delta": {"type": "text_delta", "text": text}}, "content_block_delta")

    def end(self, finish="end_turn"):
        delta = {"type": "message_delta", "delta": {"stop_reason": finish},
                 "usage": {"output_tokens": 20}}
        return (event({"type": "content_block_stop", "index": 0}, "content_block_stop")
                + event(delta, "message_delta") + event({"type": "message_stop"}, "message_stop"))

    def error(self, message, type="invalid_request_error", code=None):
        return {"type": "error", "error": {"type": type, "message": message},
                "request_id": "req_1"}

    context_length = None
    no_prefill = "This model does not support assistant message prefill."


WIRES = {"chat": Chat(), "messages": Messages()}
