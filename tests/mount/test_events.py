"""events and alerts: what happens, one JSON object a line, in ordinary files that grow."""

import json
import os
import re
import select
import threading
import time

import pytest

from support.waiting import eventually


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


def events_of(mount, *names):
    found = lines_of(mount.read("events"))
    return [event for event in found if not names or event["event"] in names]


@pytest.fixture
def mount(mounted, server):
    return mounted({"fake": {"type": "openai-compatible", "base_url": server.url, "model": "fake"}})


def test_the_first_lines_say_what_was_read_and_that_it_is_mounted(mount):
    loaded, mounted = events_of(mount, "config_loaded", "mounted")
    assert list(loaded) == ["at", "event", "file", "providers"]
    assert loaded["file"] == str(mount.config_file.resolve())
    assert loaded["providers"] == 1
    assert list(mounted) == ["at", "event", "mountpoint", "version"]
    assert mounted["mountpoint"] == str(mount.path.resolve())


def test_times_are_utc_with_milliseconds(mount):
    for event in events_of(mount):
        parsed = time.strptime(event["at"].split(".")[0], "%Y-%m-%dT%H:%M:%S")
        assert abs(time.mktime(time.gmtime()) - time.mktime(parsed)) < 60
        assert len(event["at"]) == len("2026-11-24T14:10:03.120Z")


@pytest.mark.parametrize("name", ["events", "alerts"])
def test_they_are_ordinary_files_for_everybody_to_read(mount, name):
    path = mount.path / name
    text = path.read_bytes()
    found = os.stat(path)
    assert found.st_size == len(text)
    assert found.st_blocks == (len(text) + 511) // 512
    assert found.st_mode & 0o777 == 0o444
    with pytest.raises(PermissionError):
        os.open(path, os.O_WRONLY)
    with pytest.raises(PermissionError):
        os.truncate(path, 0)


def test_there_is_no_alert_at_first_and_its_file_ends(mount):
    assert mount.read("alerts") == ""
    assert mount.run("cat mount/alerts; grep -c x mount/alerts || true") == "0\n"


COMMANDS = {
    "cat": "cat mount/events",
    "grep": "grep '' mount/events",
    "tail": "tail -n +1 mount/events",
    "tail by bytes": "tail -c 1000000 mount/events",
    "head": "head -n 100000 mount/events",
    "tac twice": "tac mount/events | tac",
    "cp": "cp mount/events copy && cat copy",
    "cp -p": "cp -p mount/events copy && cat copy",
    "dd": "dd if=mount/events bs=7 2> dd.log",
    "sed": "sed -n p mount/events",
    "python": "python3 -c 'print(open(\"mount/events\").read(), end=\"\")'",
    "splice": "python3 -c 'import os, shutil; shutil.copyfile(\"mount/events\", \"copy\")'; cat copy",
    "tar": "tar -C mount -cf - events | tar -xOf -",
    "busybox": "busybox cat mount/events",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_tool_reads_all_of_it_and_ends(mount, command):
    assert mount.run(COMMANDS[command]) == mount.read("events")


def test_a_read_at_its_end_gives_the_end_even_when_it_may_not_block(mount):
    descriptor = os.open(mount.path / "events", os.O_RDONLY | os.O_NONBLOCK)
    while os.read(descriptor, 4096):
        pass
    assert os.read(descriptor, 4096) == b""
    os.close(descriptor)


@pytest.mark.parametrize("name", ["events", "alerts"])
def test_poll_says_that_the_end_can_be_read_and_then_that_there_is_no_more(mount, name):
    descriptor = os.open(mount.path / name, os.O_RDONLY)
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    assert poller.poll(20000)
    while os.read(descriptor, 4096):
        assert poller.poll(20000)
    assert poller.poll(0) == []
    os.close(descriptor)


# What happens.


@pytest.fixture
def asked(mount):
    """The same, which knows its model's breaker."""
    (mount / "fake").ask("hi")
    return mount


def toggles(count):
    """Commands for a breaker that make so many events."""
    return "open\nclose\n" * (count // 2)


def test_a_request_that_was_answered_is_told_from_start_to_end(mount, server):
    assert (mount / "fake").ask("hi") == "ok"
    started, attempt, ended = events_of(mount, "attempt_started", "attempt_ended", "request_ended")
    latest = os.readlink(mount.path / "fake" / "requests" / "latest")
    for event in (started, attempt, ended):
        assert list(event)[:5] == ["at", "event", "request", "provider", "model"]
        assert (event["request"], event["provider"], event["model"]) == (latest, "fake", "fake")
    assert started["attempt"] == 1
    assert (attempt["class"], attempt["http_status"], attempt["bytes"]) == ("ok", 200, 2)
    assert (ended["state"], ended["attempts"], ended["bytes"]) == ("done", 1, 2)


def test_a_retry_is_told_with_its_reason(mount, server):
    server.error(503)
    assert (mount / "fake").ask("hi") == "ok"
    [retry] = events_of(mount, "retry")
    assert (retry["attempt"], retry["class"], retry["reason"]) == (1, "overloaded", "backoff")
    first, second = events_of(mount, "attempt_ended")
    assert (first["class"], second["class"]) == ("overloaded", "ok")
    assert first["message"] == "the fake said 503"
    assert first["provider_request_id"] == "req-from-fake"


def test_what_a_provider_says_can_neither_colour_a_terminal_nor_end_a_line(mount, server):
    said = "\x1b[31mred\n{\"at\":\"forged\"}\u2028\u009b2J"
    server.error(400, body={"error": {"message": said, "type": "x"}})
    (mount / "fake").fails("hi")
    text = (mount.path / "events").read_bytes()
    assert b"\x1b" not in text and b"\xc2\x9b" not in text
    assert "forged" not in [event["at"] for event in events_of(mount)]


def test_a_breaker_that_opens_is_an_alert_until_it_closes(asked):
    fake = asked / "fake"
    fake.write("open\n", "breaker")
    [alert] = lines_of(asked.read("alerts"))
    assert list(alert) == ["at", "alert", "provider", "state", "value", "threshold", "what_to_do"]
    assert (alert["alert"], alert["provider"], alert["state"]) == ("breaker_open", "fake", "raised")
    fake.write("open\n", "breaker")
    assert len(lines_of(asked.read("alerts"))) == 1
    fake.write("close\n", "breaker")
    raised, ended = lines_of(asked.read("alerts"))
    assert (raised["state"], ended["state"]) == ("raised", "ended")
    opened, closed = events_of(asked, "breaker")
    assert (opened["from"], opened["to"], opened["cause"]) == ("closed", "open", "command")
    assert (closed["from"], closed["to"]) == ("open", "closed")


# Followers.


def output_of(process):
    """What it has said so far; never waits."""
    os.set_blocking(process.stdout.fileno(), False)
    process.said = getattr(process, "said", b"")
    while piece := process.stdout.read():
        process.said += piece
    return process.said.decode()


FOLLOWERS = ["tail -n +1 -f mount/events", "tail -n +1 -F mount/events",
             "tail -c +1 -f -s 0.05 mount/events", "busybox tail -n +1 -f mount/events"]


def test_a_breaker_that_is_opened_before_the_first_request_is_told(mount):
    (mount / "fake").write("open", "breaker")
    (event,) = events_of(mount, "breaker")
    assert (event["from"], event["to"], event["cause"]) == ("closed", "open", "command")
    assert [alert["state"] for alert in lines_of(mount.read("alerts"))] == ["raised"]
    (mount / "fake").write("reset", "breaker")
    assert [alert["state"] for alert in lines_of(mount.read("alerts"))] == ["raised", "ended"]


@pytest.mark.parametrize("command", FOLLOWERS)
def test_a_follower_sees_each_line_once(mount, command):
    process = mount.start(command)
    eventually(lambda: output_of(process) == mount.read("events"))
    for text in ("one", "two"):
        (mount / "fake").ask(text)
        eventually(lambda: output_of(process) == mount.read("events"), what=command)
    assert process.poll() is None


@pytest.mark.parametrize("command", FOLLOWERS)
def test_a_follower_is_not_confused_by_what_is_forgotten(asked, command):
    process = asked.start(command)
    eventually(lambda: output_of(process) == asked.read("events"))
    for _ in range(3):
        (asked / "fake").write(toggles(8000), "breaker")
        size = os.stat(asked.path / "events").st_size
        eventually(lambda: len(output_of(process)) == size, what=command)
    assert output_of(process).count('"event":"breaker"') == 24000
    assert len(output_of(process).splitlines()) == 24005
    assert asked.read("events").count("\n") == 10000
    assert output_of(process).endswith(asked.read("events"))


@pytest.mark.parametrize("name", ["events", "alerts"])
@pytest.mark.parametrize("way", ["poll", "select", "epoll"])
def test_whoever_polls_wakes_when_there_is_more(asked, name, way):
    descriptors = [os.open(asked.path / name, os.O_RDONLY) for _ in range(2)]
    for descriptor in descriptors:
        while os.read(descriptor, 4096):
            pass
    waits = {
        "poll": lambda descriptor, seconds: ready_by_poll(descriptor, seconds),
        "select": lambda descriptor, seconds: select.select([descriptor], [], [], seconds)[0],
        "epoll": lambda descriptor, seconds: ready_by_epoll(descriptor, seconds),
    }
    is_ready = waits[way]
    for command in ("open", "close"):
        assert not any(is_ready(descriptor, 0) for descriptor in descriptors)
        woken = [threading.Thread(target=is_ready, args=(descriptor, 30)) for descriptor in descriptors]
        for thread in woken:
            thread.start()
        (asked / "fake").write(command, "breaker")
        for thread in woken:
            thread.join(20)
            assert not thread.is_alive()
        for descriptor in descriptors:
            assert is_ready(descriptor, 0)
            assert len(lines_of(os.read(descriptor, 65536).decode())) == 1
            assert os.read(descriptor, 4096) == b""
    for descriptor in descriptors:
        os.close(descriptor)


def ready_by_poll(descriptor, seconds):
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return poller.poll(seconds * 1000)


def ready_by_epoll(descriptor, seconds):
    with select.epoll() as epoll:
        epoll.register(descriptor, select.EPOLLIN)
        return epoll.poll(seconds)


# What is forgotten.


def test_the_newest_ten_thousand_lines_are_kept(asked):
    (asked / "fake").write(toggles(25000), "breaker")
    text = asked.read("events")
    assert text.count("\n") == 10000
    assert os.stat(asked.path / "events").st_size == len(text)
    assert all(event["event"] == "breaker" for event in lines_of(text))
    (asked / "fake").ask("hi")
    assert events_of(asked)[-1]["event"] == "request_ended"
    assert asked.read("events").count("\n") == 10000


@pytest.fixture
def held(asked):
    """A asked whose events somebody has held open while most of them were forgotten."""
    with open(asked.path / "events") as holder:
        (asked / "fake").write(toggles(30000), "breaker")
        (asked / "fake").ask("hi")
        asked.holder = holder
        yield asked


def test_who_holds_it_open_makes_nobody_read_what_is_not_there(held):
    text = held.read("events")
    assert text.count("\n") == 10000
    assert all(lines_of(text))
    assert os.stat(held.path / "events").st_size > len(text)
    for command in ("cat", "grep ''", "tail -n +1", "head -c 100000000", "sed -n p", "dd if="):
        command = f"{command} mount/events".replace("= ", "=") + " 2> /dev/null"
        assert held.run(command) == text
    assert held.run("wc -l < mount/events") == "10000\n"
    assert held.run("jq -c . mount/events | wc -l") == "10000\n"


def test_who_holds_it_open_makes_nobody_miss_the_newest(held):
    text = held.read("events")
    assert held.run("tail -n 3 mount/events") == "".join(text.splitlines(True)[-3:])
    assert held.run("tail -n 10000 mount/events") == text
    assert held.run("tail -c 100 mount/events") == text[-100:]
    assert held.run("tac mount/events | head -n 1") == text.splitlines(True)[-1]
    assert held.run("tail -n 20000 mount/events").lstrip("\n") == text


def test_when_nobody_holds_it_its_size_is_true_again(held):
    held.holder.close()
    size = len(held.read("events"))
    eventually(lambda: os.stat(held.path / "events").st_size == size)
    assert held.read("events").count("\n") == 10000


@pytest.mark.parametrize("size", [1, 100, 1000, 65536])
def test_a_slow_reader_gets_whole_lines_in_their_order(asked, size):
    fake = asked / "fake"
    fake.write(toggles(10000), "breaker")
    with open(asked.path / "events", "rb", buffering=0) as file:
        text = b"".join(file.read(size) for _ in range(150))
        for _ in range(2):
            fake.write(toggles(30000), "breaker")
            text += b"".join(file.read(size) for _ in range(150))
        while piece := file.read(65536):
            text += piece
    events = lines_of(text.decode())
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    states = [event["to"] for event in events if event["event"] == "breaker"]
    assert states[-1] == "closed"
    assert text.endswith(asked.read("events")[-5000:].encode())


def test_a_reader_may_begin_again(held):
    with open(held.path / "events") as file:
        first = file.read()
        file.seek(0)
        assert file.read() == first
        (held / "fake").write(toggles(4), "breaker")
        file.seek(0)
        assert file.read() == held.read("events")


# Numbered lines, so that each can be told from all others.


class Numbered:
    """Each write to faults that has no meaning is an event, and says its number."""

    def __init__(self, path):
        self.descriptor = os.open(path, os.O_WRONLY)
        self.count = 0

    def add(self, count):
        for _ in range(count):
            self.count += 1
            try:
                os.write(self.descriptor, b"x%d" % self.count)
            except OSError:
                pass


@pytest.fixture
def numbered(mounted, server):
    provider = {"type": "openai-compatible", "base_url": server.url, "model": "fake"}
    mount = mounted({"fake": provider}, arguments=("-o", "faults"))
    mount.numbered = Numbered(mount.path / "fake" / "faults")
    yield mount
    os.close(mount.numbered.descriptor)


def numbers_in(text):
    return [int(found) for found in re.findall(r'fault \\"x(\d+)\\"', text)]


def test_followers_get_each_line_once_and_in_order_while_others_are_forgotten(numbered):
    numbered.start("tail -n +1 -f -s 0.02 mount/events > followed")
    followed = numbered.folder / "followed"  # a pipe would fill and hold it up
    eventually(lambda: followed.exists() and followed.read_text())
    with open(numbered.path / "events") as file:
        text = ""
        for _ in range(8):
            numbered.numbered.add(3000)
            text += file.read()
    assert numbers_in(text) == list(range(1, 24001))
    eventually(lambda: numbers_in(followed.read_text())[-1:] == [24000])
    assert numbers_in(followed.read_text()) == list(range(1, 24001))


def test_whoever_was_too_slow_goes_on_at_the_oldest_line_kept(numbered):
    numbered.numbered.add(5)
    with open(numbered.path / "events", "rb", buffering=0) as file:
        text = file.read(700)
        numbered.numbered.add(15000)
        while piece := file.read(999):
            text += piece
    assert all(lines_of(text.decode()))
    numbers = numbers_in(text.decode())
    assert numbers[0] == 1
    assert numbers[-10000:] == list(range(5006, 15006))
    assert len(numbers) <= 10000 + 5
