"""faults: failures that are rehearsed at the seam to the network, for every provider."""

import errno
import json
import os

import pytest

from support.askfs import Reader
from support.waiting import eventually

ONCE = {"retry": {"max_attempts": 1, "max_reconnect_attempts": 0}, "recovery": "off"}
FAULTS = ("-o", "faults")


def fake_of(server):
    return {"fake": {"type": "openai-compatible", "base_url": server.url, "model": "fake"}}


@pytest.fixture
def fake(mounted, server):
    """The directory of a provider that the test plays, with its faults."""
    return mounted(fake_of(server), arguments=FAULTS) / "fake"


@pytest.fixture
def once(mounted, server):
    """The same, that tries once."""
    return mounted(fake_of(server), ONCE, arguments=FAULTS) / "fake"


def events_of(mount, name):
    events = [json.loads(line) for line in mount.read("events").splitlines()]
    return [event for event in events if event["event"] == name]


# The file.


def test_only_sim_has_it_without_the_option(mounted, server, simulator):
    mount = mounted({**fake_of(server), "sim": {"type": "sim", "base_url": simulator.url}})
    assert "faults" in os.listdir(mount.path / "sim")
    assert "faults" not in os.listdir(mount.path / "fake")
    with pytest.raises(FileNotFoundError):
        os.stat(mount.path / "fake" / "faults")


def test_a_route_has_none_for_its_providers_have_theirs(mounted, server):
    providers = {**fake_of(server), "any": {"type": "route", "providers": ["fake"]}}
    mount = mounted(providers, arguments=FAULTS)
    assert "faults" not in os.listdir(mount.path / "any")
    (mount / "fake").write("server status=500 times=1\n", "faults")
    assert (mount / "any").ask("hi") == "ok"
    assert mount.read("fake/faults") == "server status=500 times=1 fired=1\n"


def test_it_is_its_owners_alone_and_empty_at_first(fake):
    assert os.stat(fake / "faults").st_mode & 0o777 == 0o600
    assert fake.read("faults") == ""


def test_rules_read_as_they_can_be_written_again(fake):
    fake.write("# comment\nserver status=503 times=2\n\nslow ms_per_chunk=20", "faults")
    text = "server status=503 times=2 fired=0\nslow ms_per_chunk=20 fired=0\n"
    assert fake.read("faults") == text
    assert os.stat(fake / "faults").st_size == len(text)
    fake.mount.run("cp mount/fake/faults kept && echo clear > mount/fake/faults")
    assert fake.read("faults") == ""
    fake.mount.run("cp kept mount/fake/faults && cp kept mount/fake/faults")
    assert fake.read("faults") == text


def test_a_write_replaces_and_an_append_adds(fake):
    fake.mount.run("cd mount/fake; echo refuse > faults; echo reset > faults")
    assert fake.read("faults") == "reset fired=0\n"
    fake.mount.run("cd mount/fake; echo refuse >> faults; printf overloaded >> faults")
    assert fake.read("faults") == "reset fired=0\nrefuse fired=0\noverloaded fired=0\n"
    fake.mount.run("cd mount/fake; (echo server; echo timeout after=1) > faults")
    assert fake.read("faults") == "server fired=0\ntimeout after=1 fired=0\n"


@pytest.mark.parametrize("command", ["echo clear > faults", "echo clear >> faults", ": > faults",
                                     "truncate -s 0 faults", "cp /dev/null faults"])
def test_rules_can_be_removed(fake, command):
    fake.write("refuse\n", "faults")
    fake.mount.run(f"cd mount/fake; {command}")
    eventually(lambda: fake.read("faults") == "")
    assert fake.ask("hi") == "ok"


@pytest.mark.parametrize("bad", ["servr status=503", "server status=200", "disconnect after_chunks=x",
                                 "slow", "refuse\nreset\nserver stats=503"])
def test_a_bad_rule_is_refused_at_once_and_changes_nothing(fake, bad):
    fake.write("refuse\n", "faults")
    for flags in (os.O_WRONLY | os.O_TRUNC, os.O_WRONLY | os.O_APPEND):
        descriptor = os.open(fake / "faults", flags)
        with pytest.raises(OSError) as refused:
            os.write(descriptor, bad.encode())
        assert refused.value.errno == errno.EINVAL
        # A good one on the same descriptor is taken.
        os.write(descriptor, b"refuse\n" if flags & os.O_TRUNC else b"# nothing\n")
        os.close(descriptor)
        assert fake.read("faults") == "refuse fired=0\n"


def test_the_shell_says_that_a_rule_is_bad_and_events_say_why(fake):
    code, _, said = fake.mount.shell("echo servr status=503 > mount/fake/faults")
    assert code != 0
    assert "Invalid argument" in said
    [refused] = events_of(fake.mount, "faults_refused")
    assert refused["provider"] == "fake"
    assert 'did you mean "server"' in refused["problem"]


def test_each_change_is_an_event(fake):
    fake.write("refuse\nreset\n", "faults")
    fake.write("clear\n", "faults")
    assert [event["rules"] for event in events_of(fake.mount, "faults_set")] == [2, 0]


# What they do.


@pytest.mark.parametrize("rule, error, number", [
    ("rate_limit", "rate_limit", errno.EBUSY),
    ("server status=502", "server", errno.EREMOTEIO),
    ("server status=401", "auth", errno.EACCES),
    ("overloaded", "overloaded", errno.EREMOTEIO),
    ("refuse", "network", errno.ECONNREFUSED),
    ("reset", "network", errno.ECONNRESET),
    ("timeout after=0.05", "network", errno.ECONNRESET),
])
def test_a_fault_before_the_answer_reaches_the_reader_and_no_provider(once, server, rule, error,
                                                                       number):
    once.write(rule + "\n", "faults")
    assert once.fails("hi") == ("", number)
    assert once.status("requests/latest/status")["error"] == error
    assert once.read("faults") == f"{rule} fired=1\n"
    assert server.requests == []


@pytest.mark.parametrize("rule, text, error, number", [
    ("disconnect after_chunks=2", "onetwo", "stream_truncated", errno.ECONNRESET),
    ("truncate after_chunks=1", "one", "stream_truncated", errno.ECONNRESET),
    ("no_terminal", "onetwothree", "stream_truncated", errno.ECONNRESET),
    ("error after_chunks=1 class=overloaded", "one", "overloaded", errno.EREMOTEIO),
    ("malformed at_chunk=3", "onetwo", "protocol", errno.EPROTO),
])
def test_a_fault_in_the_midst_keeps_the_text_before_it(once, server, rule, text, error, number):
    server.answer("one", "two", "three")
    once.write(rule + "\n", "faults")
    once.write("hi")
    assert once.read_to_error() == (text, number)
    assert once.status("requests/latest/status")["error"] == error
    assert len(server.requests) == 1


def test_a_stall_is_ended_by_the_read_timeout(mounted, server):
    defaults = {**ONCE, "timeouts": {"read": 0.2}}
    fake = mounted(fake_of(server), defaults, arguments=FAULTS) / "fake"
    server.answer("one", "two")
    fake.write("stall after_chunks=1\n", "faults")
    fake.write("hi")
    assert fake.read_to_error() == ("one", errno.ETIMEDOUT)
    assert fake.status("requests/latest/status")["error"] == "stream_stalled"


def test_silence_is_ended_by_the_timeout_of_the_first_token(mounted, server):
    defaults = {**ONCE, "timeouts": {"first_token": 0.2}}
    fake = mounted(fake_of(server), defaults, arguments=FAULTS) / "fake"
    fake.write("timeout\n", "faults")
    assert fake.fails("hi") == ("", errno.ETIMEDOUT)


def test_a_retry_gets_past_a_fault_that_fires_twice(fake, server):
    fake.write("server status=503 times=2\n", "faults")
    assert fake.ask("hi") == "ok"
    assert [attempt["class"] for attempt in fake.latest.attempts()] == ["overloaded", "overloaded", "ok"]
    assert len(server.requests) == 1
    assert fake.read("faults") == "server status=503 times=2 fired=2\n"


def test_a_rehearsed_rate_limit_is_waited_out_as_told(fake):
    fake.write("rate_limit retry_after=0.3 times=1\n", "faults")
    assert fake.ask("hi") == "ok"
    first, _ = fake.latest.attempts()
    assert (first["class"], first["delay_reason"]) == ("rate_limit", "told")
    assert first["delay_s"] >= 0.3


def test_slow_gives_every_chunk_and_split_every_byte(fake, server):
    parts = ["ä", "ö", "ü", "€", "😀"]
    for rule in ("slow ms_per_chunk=5", "split bytes=1", "slow ms_per_chunk=1\nsplit bytes=2"):
        server.answer(*parts)
        fake.write(rule + "\n", "faults")
        assert fake.ask("hi") == "".join(parts)


def test_a_stall_that_ends_loses_nothing(fake, server):
    server.answer("one", "two", "three")
    fake.write("stall after_chunks=1 for=0.2\n", "faults")
    fake.write("hi")
    reader = Reader(fake / "response")
    reader.has("one")
    assert reader.end() == b"onetwothree"


def test_only_requests_for_its_model_fail(once):
    once.write("refuse model=other\n", "faults")
    assert once.ask("hi") == "ok"
    once.write("other\n", "model")
    assert once.fails("hi") == ("", errno.ECONNREFUSED)


def test_the_list_of_models_fails_only_by_its_path(once):
    once.write("refuse\n", "faults")
    assert "fake" in once.read("models")


def test_a_cancel_ends_a_rehearsed_silence(fake):
    fake.write("timeout\n", "faults")
    fake.write("hi")
    fake.latest.write("stop\n", "cancel")
    assert fake.read_to_error() == ("", errno.ECANCELED)


def test_an_unmount_in_the_midst_of_faults_is_clean(fake, server, gate):
    for rule in ("timeout", "stall after_chunks=1", "slow ms_per_chunk=100000"):
        server.answer("one", "two", gate, "three")
        fake.write(rule + "\n", "faults")
        fake.write("hi")
        fake.becomes(requests_active=str(["timeout", "stall after_chunks=1",
                                          "slow ms_per_chunk=100000"].index(rule) + 1))
    # The fixture ends the mount, and judges it.


@pytest.mark.parametrize("api", ["chat", "responses", "messages"])
def test_each_wire_has_its_chunks(mounted, simulator, api):
    provider = {"type": "sim", "base_url": simulator.url, "api": api}
    sim = mounted({"sim": provider}, ONCE) / "sim"
    sim.write("sim-echo", "model")
    whole = sim.ask("some words that are long enough to come in many pieces of text")
    sim.write("disconnect after_chunks=2\n", "faults")
    text, number = sim.fails("some words that are long enough to come in many pieces of text")
    assert number == errno.ECONNRESET
    assert 0 < len(text) < len(whole) and whole.startswith(text)
    for error, found in (("overloaded", "overloaded"), ("rate_limit", "rate_limit"), ("server", "server")):
        sim.write(f"error after_chunks=1 class={error}\n", "faults")
        sim.fails("hello hello")
        assert sim.status("requests/latest/status")["error"] == found
