"""Looking never costs: no walk over the mount starts a request, and each one ends."""

import errno
import os
import shutil
import subprocess

import pytest

from support.askfs import Reader

WALKS = {
    "ls -lR": "ls -lR mount",
    "find": "find mount",
    "find -ls": "find mount -ls",
    "du": "du -a mount",
    "grep -r status": "grep -r state mount/sim/status mount/status",
    "grep -r": "grep -ar something mount; test $? -lt 2 || true",
    "stat": "find mount -exec stat {} +",
    "file manager": "find mount -type f -exec head -c 100 {} \\; 2> /dev/null || true",
    "tar": "tar -cf /dev/null mount 2> /dev/null || true",
    "cp -r": "cp -r mount copy 2> /dev/null || true",
    "test -s": "for f in mount/*/*; do test -s $f; test -r $f; test -w $f; done; true",
    "df": "df mount",
    "realpath": "find mount -exec realpath {} +",
}


def prompts_of(simulator):
    return [request for request in simulator.requests() if request.get("method", "POST") == "POST"]


@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_over_a_fresh_mount_starts_no_request_and_ends(sim, simulator, walk):
    sim.mount.run(WALKS[walk])
    assert sim.request_count() == 0
    assert prompts_of(simulator) == []


@pytest.mark.parametrize("walk", [walk for walk in WALKS if walk not in ("cp -r", "file manager")])
def test_a_walk_asks_no_server_for_anything(sim, simulator, walk):
    """Those two read `models` like somebody who wants the list."""
    sim.mount.run(WALKS[walk])
    assert simulator.requests() == []


def test_a_read_of_models_that_would_not_wait_is_answered_once_it_is_known(sim):
    descriptor = os.open(sim / "models", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(BlockingIOError):
        os.read(descriptor, 100)
    assert sim.read("models")
    assert os.read(descriptor, 100)
    os.close(descriptor)


@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_over_a_used_mount_starts_no_request_and_ends(sim, simulator, walk):
    sim.ask("hi")
    sim.mount.run(WALKS[walk])
    assert sim.request_count() == 1
    assert len(prompts_of(simulator)) == 1


@pytest.mark.parametrize("walk", ["ls -lR", "find", "find -ls", "du", "stat", "test -s", "df", "realpath"])
def test_looking_does_not_wait_for_an_answer_that_is_under_way(fake, server, gate, walk):
    server.answer("Hel", gate, "lo")
    fake.write("hi")
    Reader(fake / "response").has("Hel")
    fake.mount.run(WALKS[walk].replace("mount/sim/", "mount/fake/"))
    assert not gate.is_set()
    gate.open()


def test_a_grep_over_a_live_mount_ends_with_the_answer(fake, server, gate):
    server.answer("Hel", gate, "lo")
    fake.write("hi")
    Reader(fake / "response").has("Hel")
    process = fake.mount.start("grep -r Hello mount/fake")
    gate.open()
    out, _ = process.communicate(timeout=30)
    assert b"response" in out


def test_status_answers_while_everything_else_waits(fake, server, gate):
    server.answer("Hel", gate, "lo")
    fake.write("hi")
    readers = [Reader(fake / "response") for _ in range(20)]
    for reader in readers:
        reader.has("Hel")
    assert fake.status()["requests_active"] == "1"
    assert "fake" in fake.mount.read("status")
    gate.open()


def test_names_that_are_not_there_do_not_exist(sim):
    for name in ("nothing", ".git", "prompt~", "autorun.inf", "x" * 255, ".Trash-0"):
        for directory in (sim.mount.path, sim.path, sim / "requests"):
            with pytest.raises(FileNotFoundError):
                os.stat(directory / name)
    with pytest.raises(OSError) as refused:
        os.stat(sim / ("x" * 300))
    assert refused.value.errno == errno.ENAMETOOLONG


def test_health_is_for_everybody_and_the_rest_is_private(sim):
    sim.ask("hi")
    for name in ("status", "error", "models"):
        assert os.stat(sim / name).st_mode & 0o777 == 0o444
    for name in ("prompt", "model", "system", "options.json", "response", "reasoning", "wait",
                 "request.json", "response.json"):
        assert os.stat(sim / name).st_mode & 0o777 == 0o600
    latest = sim / "requests" / os.readlink(sim / "requests" / "latest")
    for name in os.listdir(latest):
        assert os.stat(latest / name).st_mode & 0o777 == 0o600
    assert os.stat(sim / "requests").st_mode & 0o077 == 0


def test_numbers_of_files_are_stable_and_different(sim):
    sim.ask("hi")
    first = {}
    for directory, folders, names in os.walk(sim.mount.path):
        for name in [*folders, *names]:
            path = os.path.join(directory, name)
            first[path] = os.lstat(path).st_ino
    assert len(set(first.values())) == len(first)
    assert all(os.lstat(path).st_ino == number for path, number in first.items())


@pytest.mark.skipif(not shutil.which("busybox"), reason="busybox is not installed")
def test_busybox_walks_too(sim):
    sim.ask("hi")
    subprocess.run(["busybox", "find", str(sim.mount.path)], check=True, capture_output=True, timeout=30)
    subprocess.run(["busybox", "ls", "-lR", str(sim.mount.path)], check=True, capture_output=True, timeout=30)
    assert sim.request_count() == 1
