"""Keys: where they come from, who gets them, and that nobody else ever sees them."""

import errno
import os
import pathlib
import subprocess

import pytest

from support import programs
from support.server import LAST_CHUNK, Server, chat_delta, chat_end, chunk, event, stream_head

KEY = "sk-secret-0123456789abcdefghij"


def config(server, source=None, **more):
    return {"fake": {"type": "openai", "api": "chat", "base_url": server.url, "model": "m",
                     "api_key": source or {"env": "TEST_KEY"}, **more}}


def test_a_key_from_the_environment_is_sent_in_one_header(mounted, server):
    fake = mounted(config(server), TEST_KEY=KEY) / "fake"
    assert fake.ask("hi") == "ok"
    headers = server.requests[0].headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert [name for name, value in headers.items() if KEY in value] == ["authorization"]
    assert KEY.encode() not in server.requests[0].body


def test_anthropic_gets_its_key_in_its_own_header(mounted, server):
    fake = mounted({"fake": {"type": "anthropic", "base_url": server.url, "model": "m",
                             "api_key": {"env": "TEST_KEY"}}}, TEST_KEY=KEY) / "fake"
    fake.write("hi")
    headers = server.wait_for_requests(1).headers
    assert headers["x-api-key"] == KEY
    assert "authorization" not in headers
    assert headers["anthropic-version"]


def test_a_key_from_a_file_is_sent(mounted, server, folder):
    file = folder / "key"
    file.write_text(KEY + "\n")
    file.chmod(0o600)
    fake = mounted(config(server, {"file": str(file)})) / "fake"
    fake.ask("hi")
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_key_from_a_command_is_sent(mounted, server):
    fake = mounted(config(server, {"command": ["printf", "%s\\n", KEY]})) / "fake"
    fake.ask("hi")
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("name", ["./getkey", "~/getkey"])
def test_a_key_command_may_be_named_like_a_key_file(mounted, server, folder, name):
    place = folder / "askfs0" / ("home" if name[0] == "~" else "")
    place.mkdir(parents=True)
    (place / "getkey").write_text(f"#!/bin/sh\necho {KEY}\n")
    (place / "getkey").chmod(0o700)
    fake = mounted(config(server, {"command": [name]})) / "fake"
    fake.ask("hi")
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_key_from_systemd_is_sent(mounted, server, folder):
    (folder / "creds").mkdir()
    (folder / "creds" / "fake").write_text(KEY)
    fake = mounted(config(server, {"credential": "fake"}), CREDENTIALS_DIRECTORY=str(folder / "creds")) / "fake"
    fake.ask("hi")
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def refused_open(directory):
    with pytest.raises(OSError) as refused:
        open(directory / "prompt", "wb")
    return refused.value.errno


def test_without_a_key_prompt_refuses_with_enokey(mounted, server):
    fake = mounted(config(server)) / "fake"
    assert refused_open(fake) == errno.ENOKEY
    assert fake.status()["state"] == "no_key"
    assert "TEST_KEY" in fake.read("error") + fake.mount.read("README")
    assert server.requests == []


def test_a_key_file_that_others_may_read_is_refused(mounted, server, folder):
    file = folder / "key"
    file.write_text(KEY)
    file.chmod(0o644)
    fake = mounted(config(server, {"file": str(file)})) / "fake"
    assert refused_open(fake) == errno.ENOKEY
    assert "chmod 600" in fake.read("error") + fake.mount.read("README")
    assert KEY not in fake.mount.read("README")


def test_a_command_that_fails_is_no_key(mounted, server):
    fake = mounted(config(server, {"command": ["false"]})) / "fake"
    assert refused_open(fake) == errno.ENOKEY


def every_file_of(mount):
    for directory, _, names in os.walk(mount.path):
        for name in names:
            try:
                yield pathlib.Path(directory, name), pathlib.Path(directory, name).read_bytes()
            except OSError:
                pass  # write-only files


def children_of(pid):
    out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(word) for word in out.stdout.split()]


def test_a_key_is_nowhere_to_be_seen(mounted, server):
    server.error(401, {"error": {"message": f"Incorrect API key provided: {KEY}.", "code": "invalid_api_key"}})
    providers = {**config(server), "sim": {"type": "sim"}}
    mount = mounted(providers, TEST_KEY=KEY, OPENAI_API_KEY=KEY + "-unused")
    fake = mount / "fake"
    assert fake.fails("hi")[1] == errno.EACCES
    fake.ask("hi")
    (mount / "sim").ask("hi")
    seen = [path for path, data in every_file_of(mount) if KEY.encode() in data]
    assert seen == []
    assert KEY not in mount.stderr()
    for pid in [mount.process.pid, *children_of(mount.process.pid)]:
        for name in ("cmdline", "environ"):
            assert KEY.encode() not in programs.told_of(pid, name), (pid, name)


# Most providers' keys begin like nothing in particular: only who has the key can know it again.
PLAIN_KEY = "Zq7mXv2LrT9wKd4Pb8Ns"


def test_a_key_that_a_provider_says_back_is_hidden_wherever_it_stands(mounted, server):
    said = {"message": f"no access for {PLAIN_KEY}", "type": PLAIN_KEY, "code": PLAIN_KEY}
    headers = {"x-request-id": PLAIN_KEY, "Connection": "keep-alive"}
    config = {"type": "openai-compatible", "base_url": server.url, "model": "m",
              "api_key": {"env": "TEST_KEY"}, "retry": {"max_attempts": 1}, "recovery": "off"}
    mount = mounted({"fake": config, "any": {"type": "route", "providers": ["fake"]}}, TEST_KEY=PLAIN_KEY)
    fake = mount / "fake"
    server.error(401, {"error": said}, headers)
    assert fake.fails("a reply")[1] == errno.EACCES
    server.plays(stream_head(), chunk(event({"error": said})), LAST_CHUNK)
    assert fake.fails("an event")[1]
    server.plays(stream_head(), chunk(event("{" + PLAIN_KEY)), LAST_CHUNK)
    assert fake.fails("what is no JSON")[1] == errno.EPROTO
    server.plays(stream_head(x_request_id=PLAIN_KEY), chunk(chat_delta("ok")), chunk(chat_end()), LAST_CHUNK)
    assert fake.ask("a good answer") == "ok"
    server.error(403, {"error": said}, headers)
    assert (mount / "any").fails("a route")[1] == errno.EPERM
    seen = [path for path, data in every_file_of(mount) if PLAIN_KEY.encode() in data]
    assert seen == []


@pytest.mark.parametrize("name", ["api-key", "Authorization"])
def test_a_key_among_the_headers_is_hidden_too(mounted, server, name):
    value = {"api-key": PLAIN_KEY, "Authorization": f"Basic {PLAIN_KEY}"}[name]
    config = {"type": "openai-compatible", "base_url": server.url, "model": "m", "headers": {name: value}}
    mount = mounted({"fake": config})
    server.error(403, {"error": {"message": f"no access for {PLAIN_KEY}"}}, {"x-request-id": PLAIN_KEY})
    assert (mount / "fake").fails("hi")[1] == errno.EPERM
    assert server.requests[0].headers[name.lower()] == value
    assert [path for path, data in every_file_of(mount) if PLAIN_KEY.encode() in data] == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(mounted, server, status):
    other = Server()
    try:
        location = {"Location": f"{other.url}/v1/chat/completions"}
        server.error(status, b"", location, times=3)
        fake = mounted(config(server), TEST_KEY=KEY) / "fake"
        _, number = fake.fails("hi")
        assert number != 0
        assert other.connections == 0
    finally:
        other.stop()


def check(folder, config_text, **variables):
    file = folder / "config.json"
    file.write_text(config_text)
    return subprocess.run(
        [programs.ASKFS, "--check", "-c", file], capture_output=True, text=True, check=False,
        env=programs.environment(folder, **variables), stdin=subprocess.DEVNULL, timeout=30,
    )


def test_a_key_in_the_configuration_is_refused_with_advice_and_not_repeated(folder):
    result = check(folder, '{"providers": {"openai": {"type": "openai", "api_key": "%s"}}}' % KEY)
    assert result.returncode == 2
    assert KEY not in result.stdout + result.stderr
    assert "env" in result.stderr


def test_plain_http_to_another_host_is_refused(folder):
    text = '{"providers": {"x": {"type": "openai-compatible", "base_url": "http://example.org/v1"%s}}}'
    refused = check(folder, text % ', "model": "m"')
    assert refused.returncode == 2 and "http" in refused.stderr
    assert check(folder, text % ', "model": "m", "allow_http": true').returncode == 0


def test_no_core_can_be_dumped(mounted, server):
    mount = mounted(config(server), TEST_KEY=KEY)
    limits = pathlib.Path(f"/proc/{mount.process.pid}/limits").read_text()
    line = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert line.split()[4:6] == ["0", "0"]
