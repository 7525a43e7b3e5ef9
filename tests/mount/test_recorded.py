"""Recorded streams through the whole program: however the network frames and cuts them, the file
`response` is the right text, byte for byte."""

import errno
import json
import os
import pathlib
import random
import tempfile

import pytest

from support.askfs import QUICK_RETRY, Mount
from support.programs import ROOT
from support.server import Server, framed

OWN = ROOT / "tests" / "data" / "streams"
SHARED = pathlib.Path(os.environ.get("ASKFS_SHARED", ROOT.parent / "shared")) / "streams"

ERRNO_OF_CLASS = {
    "auth": errno.EACCES,
    "cancelled": errno.ECANCELED,
    "billing": errno.EDQUOT,
    "context_length": errno.EMSGSIZE,
    "rate_limit": errno.EBUSY,
    "overloaded": errno.EREMOTEIO,
    "server": errno.EREMOTEIO,
    "timeout": errno.ETIMEDOUT,
    "stream_truncated": errno.ECONNRESET,
    "protocol": errno.EPROTO,
}


def own_rows():
    rows = json.loads((OWN / "expected.json").read_text())
    for name, row in rows.items():
        number = errno.ENOTSUP if row.get("filtered") else 0
        if row.get("failure"):
            number = ERRNO_OF_CLASS[row["failure"]]
        yield pytest.param(row["wire"], OWN / name, row.get("content_type", "text/event-stream"),
                           row["text"], number, id=name)


def shared_rows():
    if not (SHARED / "index.json").exists():
        return
    expected = json.loads((SHARED / "expected.json").read_text())
    for entry in json.loads((SHARED / "index.json").read_text()):
        row = expected[entry["id"]]
        if entry["wire"] == "completions":
            continue
        number = errno.ENOTSUP if row["finish"] in ("refusal", "content_filter") else 0
        if row["error"]:
            number = None  # any: the class is checked by the unit tests
        if entry["id"] == "vercel-ai/anthropic.spliced-message-start":
            number = errno.EPROTO  # a second answer began inside the first: never joined
        yield pytest.param(entry["wire"], SHARED / entry["file"], "text/event-stream",
                           row["text"] or row["refusal"], number, id=entry["id"])


def body_of(path):
    """A file of chunks holds one payload a line."""
    data = path.read_bytes()
    if not path.name.endswith(".chunks.txt"):
        return data
    return b"".join(b"data: " + line + b"\n\n" for line in data.splitlines() if line)


@pytest.fixture(scope="module")
def replay():
    """A mount with a provider for each wire, all played by one server. Judged at the end."""
    server = Server()
    common = {"base_url": server.url, "model": "m", "recovery": "off", "retry": {"max_attempts": 1, **QUICK_RETRY}}
    key = {"api_key": {"env": "TEST_KEY"}}
    providers = {
        "chat": {"type": "openai-compatible", **common},
        "responses": {"type": "openai", "api": "responses", **key, **common},
        "messages": {"type": "anthropic", **key, **common},
    }
    with tempfile.TemporaryDirectory(prefix="t.", ignore_cleanup_errors=True) as name:
        mount = Mount(pathlib.Path(name), {"providers": providers}, TEST_KEY="sk-test").wait_until_usable()
        for wire in providers:
            (mount / wire).write("close", "breaker")  # failures are meant here
        mount.server = server
        yield mount
        wrong = mount.stop()
        server.stop()
        assert not wrong, "\n".join(wrong)


WAYS = [("chunked", None), ("length", None), ("close", None), ("chunked", "gzip")]


def cuts_of(seed, length):
    if length < 4:
        return []
    return sorted(random.Random(seed).sample(range(1, length), min(length - 1, 40)))


def is_first_of_two(path, got, text):
    """Some recordings hold two answers one after the other; the first one is the answer, and may be
    a tool call without text."""
    two = "tool" in path.name or "encrypted" in path.name
    return path.is_relative_to(SHARED) and text.startswith(got) and (bool(got) or two)


@pytest.mark.parametrize("wire, path, content_type, text, number", [*own_rows(), *shared_rows()])
def test_a_recorded_stream_gives_its_text(replay, watchdog, wire, path, content_type, text, number):
    watchdog.victims.append(replay.kill)
    directory = replay / wire
    body = body_of(path)
    for seed, (framing, encoding) in enumerate(WAYS):
        script = framed(body, framing, cuts_of(seed, len(body)), encoding, content_type)
        replay.server.plays(*script)
        got, error = directory.fails("hi")
        how = f"{framing} {encoding}, cuts {seed}"
        if is_first_of_two(path, got, text) and error == 0:
            continue
        assert got == text, how
        assert error == number if number is not None else error, how
