"""SIGHUP reads the configuration again: what is new appears, what is gone disappears, what stays
keeps all that it has; what is broken changes nothing."""

import errno
import json
import os
import pathlib
import signal

import pytest

from support import programs
from support.askfs import Reader
from support.server import Server
from support.waiting import eventually


def provider(server, **more):
    return {"type": "openai-compatible", "base_url": server.url, "model": "fake", **more}


@pytest.fixture
def second():
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def mount(mounted, server):
    return mounted({"fake": provider(server)})


def loads(mount):
    return mount.read("events").count('"config_loaded"')


def refusals(mount):
    events = [json.loads(line) for line in mount.read("events").splitlines()]
    return [event for event in events if event["event"] == "config_refused"]


def write_config(mount, providers, **top):
    old = json.loads(mount.config_file.read_text())
    mount.config_file.write_text(json.dumps({**old, **top, "providers": providers}))


def reload(mount, providers, **top):
    """Returns when the new configuration is in force."""
    before = loads(mount)
    write_config(mount, providers, **top)
    mount.process.send_signal(signal.SIGHUP)
    eventually(lambda: loads(mount) > before, what=f"a reload; {refusals(mount)}")


def refuse(mount, text):
    before = len(refusals(mount))
    mount.config_file.write_text(text)
    mount.process.send_signal(signal.SIGHUP)
    return eventually(lambda: refusals(mount)[before:])[0]


def names(mount):
    return sorted(entry.name for entry in mount.path.iterdir() if entry.is_dir())


def test_a_new_provider_appears(mount, server, second):
    reload(mount, {"fake": provider(server), "second": provider(second)})
    assert names(mount) == ["fake", "second"]
    assert (mount / "second").ask("hi") == "ok"
    assert len(second.requests) == 1
    assert "second" in mount.read("README") and "second" in mount.read("status")
    assert set(json.loads(mount.read("config.json"))["providers"]) == {"fake", "second"}


def test_a_provider_that_is_gone_disappears(mount, server, second):
    reload(mount, {"fake": provider(server), "second": provider(second)})
    (mount / "second").ask("hi")
    reload(mount, {"fake": provider(server)})
    eventually(lambda: not (mount.path / "second").exists())
    assert names(mount) == ["fake"]
    assert second.url not in mount.read("README")
    assert "second " not in mount.read("status") and '"second"' not in mount.read("metrics")
    with pytest.raises(FileNotFoundError):
        (mount / "second").write("hi")


def test_what_runs_at_a_provider_that_is_gone_goes_on(mount, server, second, gate):
    reload(mount, {"fake": provider(server), "second": provider(second)})
    second.answer("Hel", gate, "lo")
    directory = mount / "second"
    directory.write("hi")
    reader = Reader(directory / "response")
    reader.has("Hel")
    reload(mount, {"fake": provider(server)})
    gate.open()
    assert reader.end() == b"Hello"
    assert reader.error is None


def test_a_provider_that_comes_back_has_its_records(mount, server, second):
    both = {"fake": provider(server), "second": provider(second)}
    reload(mount, both)
    (mount / "second").ask("hi")
    reload(mount, {"fake": provider(server)})
    eventually(lambda: not (mount.path / "second").exists())
    reload(mount, both)
    eventually(lambda: (mount.path / "second").exists())
    assert (mount / "second").latest.read() == "ok"


def test_a_provider_that_stays_keeps_its_records_and_counters(mount, server):
    fake = mount / "fake"
    fake.ask("hi")
    inode = os.stat(fake / "prompt").st_ino
    reload(mount, {"fake": provider(server, max_in_flight=7)})
    assert fake.read() == "ok"
    assert fake.status()["requests_total"] == "1"
    assert os.stat(fake / "prompt").st_ino == inode


def test_the_new_address_is_asked(mount, second):
    assert (mount / "fake").ask("hi") == "ok"
    reload(mount, {"fake": provider(second)})
    assert (mount / "fake").ask("hi") == "ok"
    assert len(second.requests) == 1
    assert second.url in (mount / "fake").status()["endpoint"]


def test_an_answer_under_way_is_not_disturbed(mount, server, second, gate):
    server.answer("Hel", gate, "lo")
    fake = mount / "fake"
    fake.write("hi")
    reader = Reader(fake / "response")
    reader.has("Hel")
    reload(mount, {"fake": provider(second, headers={"X-New": "1"})})
    assert fake.latest.status()["state"] == "streaming"
    gate.open()
    assert reader.end() == b"Hello"
    assert second.requests == []


def test_headers_and_limits_are_new(mount, server):
    reload(mount, {"fake": provider(server, headers={"X-New": "1"}, retry={"max_attempts": 1})})
    server.error(503)
    assert (mount / "fake").fails("hi") == ("", errno.EREMOTEIO)
    assert len(server.requests) == 1
    assert server.requests[0].headers["x-new"] == "1"


def test_another_wire_is_another_directory(mount, server):
    fake = mount / "fake"
    fake.ask("hi")
    reload(mount, {"fake": provider(server, api="responses")})
    eventually(lambda: fake.request_count() == 0)
    fake.write("hi")
    assert server.wait_for_requests(2).path.endswith("/responses")
    fake.wait()


def test_what_was_written_to_model_stays_unless_the_file_says_something_new(mount, server):
    fake = mount / "fake"
    fake.write("written", "model")
    reload(mount, {"fake": provider(server, system="Be brief.")})
    assert (fake.read("model"), fake.read("system")) == ("written\n", "Be brief.\n")
    reload(mount, {"fake": provider(server, model="new")})
    assert fake.read("model") == "new\n"


def test_a_route_gets_its_new_members(mounted, server, second):
    providers = {"one": provider(server), "two": provider(second)}
    mount = mounted({**providers, "any": {"type": "route", "providers": ["one"]}})
    (mount / "any").ask("hi")
    reload(mount, {**providers, "any": {"type": "route", "providers": ["two", "one"]}})
    (mount / "any").ask("hi")
    assert (len(server.requests), len(second.requests)) == (1, 1)


def test_an_open_breaker_stays_open(mount, server):
    (mount / "fake").write("open", "breaker")
    reload(mount, {"fake": provider(server, breaker={"failure_threshold": 2, "window": 5})})
    said = (mount / "fake").status("breaker")
    assert (said["state"], said["threshold"]) == ("open", "2")


@pytest.mark.parametrize("text, problem", [
    ("{", "config.json"),
    ('{"providers": {"fake": {"type": "nobody"}}}', "providers.fake.type"),
    ('{"providers": {"fake": {"type": "openai", "timeouts": {"conect": 1}}}}', "did you mean"),
])
def test_a_broken_file_changes_nothing_and_says_so(mount, server, text, problem):
    before = mount.read("config.json")
    event = refuse(mount, text)
    assert problem in event["problem"]
    assert mount.read("config.json") == before
    assert (mount / "fake").ask("hi") == "ok"


def test_a_file_that_is_gone_changes_nothing(mount):
    mount.config_file.unlink()
    mount.process.send_signal(signal.SIGHUP)
    eventually(lambda: refusals(mount))
    assert (mount / "fake").ask("hi") == "ok"


def test_a_key_file_is_read_again(mounted, folder, server):
    file = folder / "key"
    file.write_text("sk-first\n")
    file.chmod(0o600)
    config = provider(server, api_key={"file": str(file)})
    mount = mounted({"fake": config})
    (mount / "fake").ask("hi")
    file.write_text("sk-second\n")
    reload(mount, {"fake": config})
    (mount / "fake").ask("hi")
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == ["Bearer sk-first", "Bearer sk-second"]


def test_a_variable_is_remembered_although_it_was_wiped(mounted, server):
    mount = mounted({"fake": provider(server, api_key={"env": "FAKE_KEY"})}, FAKE_KEY="sk-of-the-test")
    for _ in range(3):
        reload(mount, {"fake": provider(server, api_key={"env": "FAKE_KEY"})})
    (mount / "fake").ask("hi")
    assert server.requests[0].headers["authorization"] == "Bearer sk-of-the-test"
    assert b"sk-of-the-test" not in programs.told_of(mount.process.pid, "environ")


def test_without_a_file_all_stays_as_it_was(mounted):
    mount = mounted(None, OPENAI_API_KEY="sk-of-the-test")
    assert names(mount) == ["openai", "sim"]
    before = loads(mount)
    mount.process.send_signal(signal.SIGHUP)
    eventually(lambda: loads(mount) > before)
    assert names(mount) == ["openai", "sim"]
    assert (mount / "openai").status()["state"] == "ok"
    assert (mount / "sim").ask("hi")


def test_the_simulator_is_started_when_it_is_first_needed(mount, server):
    reload(mount, {"fake": provider(server), "sim": {"type": "sim"}})
    assert (mount / "sim").ask("hi")


def test_a_slow_key_command_holds_nobody_up(mounted, folder, server):
    go_on = folder / "go-on"
    os.mkfifo(go_on)
    slow = {"command": ["sh", "-c", f"cat {go_on}"]}
    mount = mounted({"fake": provider(server)})
    write_config(mount, {"fake": provider(server, api_key=slow)})
    before = loads(mount)
    mount.process.send_signal(signal.SIGHUP)
    with open(go_on, "w") as pipe:  # opens when the command reads
        assert (mount / "fake").ask("hi") == "ok"
        assert loads(mount) == before
        pipe.write("sk-slow\n")
    eventually(lambda: loads(mount) > before)
    (mount / "fake").ask("hi")
    assert server.requests[1].headers["authorization"] == "Bearer sk-slow"


def test_many_signals_end_in_the_newest_configuration(mount, server):
    for number in range(30):
        write_config(mount, {"fake": provider(server, model=f"model-{number}")})
        mount.process.send_signal(signal.SIGHUP)
    eventually(lambda: (mount / "fake").read("model") == "model-29\n")


def test_readers_and_reloads_do_not_hurt_each_other(mount, server, second):
    """For the sanitizers: requests of each configuration are under way when the next one comes."""
    readers = []
    for number in range(20):
        (mount / "fake").write("hi")
        readers.append(Reader(mount / "fake" / "response"))
        more = {"second": provider(second)} if number % 2 else {}
        reload(mount, {"fake": provider(second if number % 3 else server), **more})
    assert [reader.end() for reader in readers] == [b"ok"] * 20
    assert programs.suspicious_lines(mount.stderr()) == []


def test_a_hangup_for_everything_named_askfs_leaves_the_simulator_alone(mounted):
    sim = mounted({"sim": {"type": "sim"}}) / "sim"
    pid = sim.mount.process.pid
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert len(children) == 1
    os.kill(int(children[0]), signal.SIGHUP)
    reload(sim.mount, {"sim": {"type": "sim"}})
    assert programs.state_of(children[0]) == "S"
    assert sim.ask("still there?")
