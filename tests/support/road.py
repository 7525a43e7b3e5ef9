"""Three providers that a test plays, and a route through them."""

import pytest

from support.breaking import Chat, Story
from support.server import LAST_CHUNK, Server, chat_delta, chunk, stream_head

TEXT = "The lighthouse keeper climbed the stairs, counting"
REST = " each of them aloud as he had done for thirty years."
ASKED_ONCE = {"retry": {"max_reconnect_attempts": 0, "max_attempts": 1}}
CONTEXT_LENGTH = {"error": {"message": "This model's maximum context length is 10 tokens.",
                            "type": "invalid_request_error", "code": "context_length_exceeded"}}


class Road:
    """Providers a, b, c, each played by a server of its own, and the route any through them."""

    def __init__(self):
        self.servers = {name: Server() for name in "abc"}
        self.mount = None

    def __getattr__(self, name):
        return self.servers[name]

    def directory(self, name):
        return self.mount / name

    def asked(self):
        """How often each was."""
        return {name: len(server.requests) for name, server in self.servers.items()}

    def who(self):
        """Who was asked for the newest request, in order."""
        return "".join(attempt["provider"] for attempt in self.any_directory.latest.attempts())

    def cut(self, name, text, wire=Chat):
        """A story in which this provider breaks off behind the text."""
        story = Story(self.any_directory, self.servers[name], wire())
        story.cut(text)
        return story

    @property
    def any_directory(self):
        return self.mount / "any"


@pytest.fixture
def road():
    made = Road()
    yield made
    for server in made.servers.values():
        server.stop()


@pytest.fixture
def route(mounted, road):
    """route(defaults, a={…}, b={…}, any={…}): the directory of the route; all three answer with their
    name, unless a test says more."""

    def begin(defaults=None, wires=None, providers="abc", **more):
        config = {}
        for name, server in road.servers.items():
            wire = (wires or {}).get(name, Chat)
            config[name] = {**wire.provider, "base_url": server.url, **more.get(name, {})}
            if wire is Chat:
                config[name]["model"] = f"model-{name}"
                server.always_plays(stream_head(), chunk(chat_delta(name)), chunk(Chat().end()), LAST_CHUNK)
        config["any"] = {"type": "route", "providers": list(providers), **more.get("any", {})}
        config.update(more.get("others", {}))
        road.mount = mounted(config, defaults, A_KEY="a-key")
        return road.any_directory

    return begin
