"""Answers are always taken from the network; what memory has no room for is on disk. No reader, slow
or absent, makes the daemon grow, and none loses a byte."""

import os

import pytest

from support import programs
from support.askfs import Reader
from support.server import LAST_CHUNK, chat_delta, chat_end, chunk, stream_head
from support.waiting import eventually

KIB = 1 << 10
MIB = 1 << 20


def text_of(length, seed=0):
    """No two lines are alike, so that no piece can take another's place."""
    lines = "".join(f"{seed:6} {number:8}\n" for number in range(length // 16 + 1))
    return lines[:length]


def plays(text, piece=32 * KIB):
    pieces = [text[at : at + piece] for at in range(0, len(text), piece)]
    return [stream_head(), *[chunk(chat_delta(each)) for each in pieces], chunk(chat_end()), LAST_CHUNK]


@pytest.fixture
def bounded(mounted, server, folder):
    """bounded(max_memory=…, …): the directory of a fake provider in a mount with these limits."""

    def mount(per_response=64 * KIB, provider=None, **top):
        (folder / "disk").mkdir()
        providers = {"fake": {"type": "openai-compatible", "base_url": server.url, "model": "m",
                              "max_memory_per_response": per_response, **(provider or {})}}
        return mounted(providers, top={"max_memory": MIB, "spill_dir": str(folder / "disk"), **top}) / "fake"

    return mount


def spill_file(directory):
    """The stat of the daemon's file without a name, or None."""
    folder = f"/proc/{directory.mount.process.pid}/fd"
    try:
        numbers = os.listdir(folder)
    except PermissionError:
        pytest.skip("only root may look at the descriptors of a process that must not be dumped")
    for number in numbers:
        try:
            target = os.readlink(f"{folder}/{number}")
            if "/disk/" in target and target.endswith("(deleted)"):
                return os.stat(f"{folder}/{number}")
        except FileNotFoundError:
            pass
    return None


def peak_rss(directory):
    """The most that was ever resident."""
    with open(f"/proc/{directory.mount.process.pid}/status") as status:
        facts = dict(line.split(":", 1) for line in status)
    return int(facts["VmHWM"].split()[0]) * KIB


def is_sanitized():
    """Sanitizers keep freed memory: its size says nothing then."""
    return b"__asan_init" in programs.ASKFS.read_bytes()


@pytest.mark.seconds(120)
def test_50_mib_are_read_slowly_by_one_and_twice_by_another(bounded, server):
    fake = bounded()
    text = text_of(50 * MIB)
    server.plays(*plays(text))
    fake.write("hi")
    expected = text.encode()
    with open(fake / "response", "rb", buffering=0) as slow:
        slow.readinto(memoryview(got := bytearray(len(expected)))[:1000])
        assert Reader(fake / "response", size=MIB).end() == expected
        assert fake.wait().split()[1] == "done"
        at = 1000
        while count := slow.readinto(memoryview(got)[at : at + 10007]):
            at += count
        assert at == len(expected) and bytes(got) == expected
    assert fake.read_bytes() == expected
    assert (fake / "response").stat().st_size == 50 * MIB
    assert spill_file(fake).st_size >= 49 * MIB
    if not is_sanitized():
        assert peak_rss(fake) < 40 * MIB


@pytest.mark.seconds(180)
def test_200_readers_that_never_read_cost_bounded_memory(bounded, server):
    fake = bounded()
    assert fake.ask("warm up") == "ok"
    before = peak_rss(fake)
    text = text_of(MIB)
    server.always_plays(*plays(text))
    readers = []
    for number in range(200):
        fake.write(f"prompt {number}")
        readers.append(open(fake / "response", "rb", buffering=0))
    try:
        eventually(lambda: fake.status()["requests_ok"] == "201", seconds=100)
        if not is_sanitized():
            assert peak_rss(fake) - before < 40 * MIB
        assert spill_file(fake).st_size >= 190 * MIB
        for reader in readers:
            assert reader.readall() == text.encode()
    finally:
        for reader in readers:
            reader.close()


def test_space_on_disk_is_given_back_with_the_records(bounded, server):
    fake = bounded(provider={"requests_kept": 1})
    server.plays(*plays(text_of(10 * MIB)))
    fake.write("hi")
    fake.wait()
    assert spill_file(fake).st_blocks * 512 > 9 * MIB
    assert fake.ask("hi") == "ok"
    eventually(lambda: spill_file(fake).st_blocks * 512 < MIB)


def test_small_answers_need_no_file(bounded):
    fake = bounded()
    for _ in range(10):
        assert fake.ask("hi") == "ok"
    assert spill_file(fake) is None


def test_a_full_disk_loses_nothing(bounded, server):
    fake = bounded(max_spill_bytes=MIB, max_memory=8 * MIB)
    text = text_of(20 * MIB)
    server.plays(*plays(text))
    assert fake.ask("hi") == text


def test_without_a_disk_an_answer_past_four_times_the_memory_fails_and_keeps_its_text(bounded, server):
    fake = bounded(max_spill_bytes=0, provider={"recovery": "off"})
    text = text_of(10 * MIB)
    server.plays(*plays(text))
    got, number = fake.fails("hi")
    assert number != 0
    assert MIB < len(got) <= 4 * MIB
    assert text.startswith(got)
    assert "memory" in fake.read("error")


def test_the_limits_in_force_are_shown(bounded):
    fake = bounded(max_spill_bytes=3 * MIB)
    shown = fake.mount.read("config.json")
    assert f'"max_memory": {MIB}' in shown
    assert f'"max_spill_bytes": {3 * MIB}' in shown
    assert '"spill_dir":' in shown
    assert f'"max_memory_per_response": {64 * KIB}' in shown
