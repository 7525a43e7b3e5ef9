"""response: what a reader gets, and when."""

import errno
import os
import pathlib
import select
import tempfile
import time

import pytest

from support.askfs import Reader
from support.server import END, Gate
from support.waiting import eventually


def open_now(path):
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK)


def test_a_reader_sees_the_answer_before_it_is_complete(fake, server, gate):
    server.answer("Hel", gate, "lo")
    fake.write("hi")
    reader = Reader(fake / "response")
    reader.has("Hel")
    assert reader.data == b"Hel"
    assert not gate.is_set()
    gate.open()
    assert reader.end() == b"Hello"


def test_every_reader_gets_the_text_from_its_first_byte(fake, server, gate):
    server.answer("Hel", gate, "lo")
    fake.write("hi")
    early = Reader(fake / "response")
    early.has("Hel")
    late = Reader(fake / "response")
    late.has("Hel")
    gate.open()
    assert early.end() == late.end() == b"Hello"
    assert fake.read() == "Hello"


def test_the_end_comes_only_when_the_answer_is_complete(fake, server, gate):
    server.answer("all of it", gate)
    fake.write("hi")
    reader = Reader(fake / "response")
    reader.has("all of it")
    assert reader.thread.is_alive()
    gate.open()
    assert reader.end() == b"all of it"


def test_without_a_request_there_is_no_data(sim):
    with pytest.raises(OSError) as refused:
        os.open(sim / "response", os.O_RDONLY)
    assert refused.value.errno == errno.ENODATA


@pytest.mark.parametrize("name", ["response", "reasoning"])
def test_without_a_request_the_shell_says_no_data(sim, name):
    _, _, error = sim.mount.shell(f"cat mount/sim/{name}")
    assert "No data available" in error


def test_1000_readers_of_one_answer_all_get_all_of_it(fake, server, gate):
    text = "word " * 2000
    server.answer("first ", gate, text)
    fake.write("hi")
    readers = [Reader(fake / "response") for _ in range(1000)]
    for reader in readers:
        reader.has("first ")
    gate.open()
    assert {reader.end() for reader in readers} == {f"first {text}".encode()}


def test_readers_at_their_own_pace_get_the_same(fake, server, gate):
    text = "".join(f"line {number}\n" for number in range(300))
    server.answer(text[:1000], gate, text[1000:])
    fake.write("hi")
    readers = [Reader(fake / "response", size) for size in (1, 7, 100, 4096, 1 << 20)]
    for reader in readers:
        reader.has(text[:1000])
    gate.open()
    assert {reader.end() for reader in readers} == {text.encode()}


def test_a_reader_that_is_bound_stays_with_its_answer(fake, server, gate):
    server.answer("old", gate, " answer")
    fake.write("one")
    reader = Reader(fake / "response")
    reader.has("old")
    server.answer("new answer")
    assert fake.ask("two") == "new answer"
    gate.open()
    assert reader.end() == b"old answer"


def sent(descriptor, offset):
    """What sendfile gives: the kernel's pages, which all who have the file open share."""
    with tempfile.TemporaryFile() as out:
        count = os.sendfile(out.fileno(), descriptor, offset, 100)
        out.seek(0)
        return out.read(), count


def test_pages_of_two_answers_are_never_mixed(echo):
    length = 1000000
    far = length - 200
    echo.ask("a" * length)
    first = os.open(echo / "response", os.O_RDONLY)
    assert sent(first, 0) == (b"a" * 100, 100)
    echo.ask("b" * length)
    second = os.open(echo / "response", os.O_RDONLY)
    assert sent(second, far) == (b"b" * 100, 100)
    assert sent(first, far) == (b"a" * 100, 100)
    assert sent(first, length // 2) == (b"a" * 100, 100)
    assert sent(second, length // 2) == (b"b" * 100, 100)
    os.close(first)
    os.close(second)


@pytest.mark.parametrize("name", ["response", "wait", "request.json", "response.json"])
def test_an_answer_that_is_open_stays_whole_when_the_next_begins(fake, server, gate, name):
    server.answer("the first answer")
    fake.ask("one")
    fake.wait()
    old = fake.read_bytes(name)
    with open(fake / name, "rb") as file:
        server.answer("Hel", gate, "lo")
        fake.write("two and more")
        Reader(fake / "response").has("Hel")
        assert os.fstat(file.fileno()).st_size == len(old)
        assert sent(file.fileno(), 0) == (old[:100], min(len(old), 100))
        gate.open()
        fake.wait()
        assert os.fstat(file.fileno()).st_size == len(old)
        assert file.read() == old
    assert os.stat(fake / name).st_size == len(fake.read_bytes(name))


NEWEST = ("response", "reasoning", "wait", "request.json", "response.json")


def numbers(fake):
    return [os.stat(fake / name).st_ino for name in NEWEST]


def test_the_number_of_an_answer_changes_only_for_who_comes_later(fake, server):
    """tail -F goes over to another number, and must not when nothing new was asked."""
    server.answer("one")
    fake.ask("one")
    fake.wait()
    first = numbers(fake)
    held = [open(fake / name, "rb") for name in NEWEST]
    assert numbers(fake) == first
    assert numbers(fake) == first
    server.answer("two")
    fake.ask("two")
    fake.wait()
    later = numbers(fake)
    assert all(one != other for one, other in zip(first, later))
    assert [os.fstat(file.fileno()).st_ino for file in held] == first
    for file in held:
        file.close()
    assert numbers(fake) == numbers(fake)
    settled = numbers(fake)
    server.answer("three")
    fake.ask("three")
    fake.wait()
    assert numbers(fake) == settled


def test_a_file_that_was_looked_up_before_a_prompt_is_still_that_of_its_readers(fake, server):
    server.answer("one")
    fake.ask("one")
    fake.wait()
    held = [open(fake / name, "rb") for name in NEWEST]
    looked_up = [os.open(fake / name, os.O_PATH) for name in NEWEST]
    old = [file.read() for file in held]
    server.answer("twice as long")
    fake.ask("two")
    fake.wait()
    for name, descriptor, text in zip(NEWEST, looked_up, old):
        again = f"/proc/self/fd/{descriptor}"
        assert pathlib.Path(again).read_bytes() == text, name
        assert os.stat(again).st_size == len(text), name
        os.close(descriptor)
    assert fake.read_bytes("response") == b"twice as long"
    for file in held:
        file.close()


def test_a_response_that_was_opened_before_its_prompt_was_sent_has_a_size_once_finished(fake, server):
    server.answer("Hello")
    with open(fake / "prompt", "wb", buffering=0) as prompt:
        prompt.write(b"hi")
        response = open(fake / "response", "rb", buffering=0)
        assert os.fstat(response.fileno()).st_size == 0
    assert response.read() == b"Hello"
    fake.wait()
    assert os.fstat(response.fileno()).st_size == 5
    assert response.seek(-2, os.SEEK_END) == 3
    response.close()


def test_the_errno_comes_after_the_last_good_byte_and_again(mounted, server):
    fake = mounted({"fake": {"type": "openai-compatible", "base_url": server.url, "model": "m",
                             "recovery": "off", "retry": {"max_attempts": 1}}}) / "fake"
    server.cut("half an ans", by=END)
    fake.write("hi")
    descriptor = os.open(fake / "response", os.O_RDONLY)
    got = b""
    for _ in range(3):
        with pytest.raises(OSError) as failed:
            while True:
                piece = os.read(descriptor, 4)
                assert piece, "an end without an error"
                got += piece
        assert failed.value.errno == errno.ECONNRESET
        assert got == b"half an ans"
    assert os.pread(descriptor, 4, 5) == b"an a"
    os.close(descriptor)
    assert fake.read_to_error() == ("half an ans", errno.ECONNRESET)


def test_cat_of_a_failed_answer_fails_after_its_text(mounted, server):
    fake = mounted({"fake": {"type": "openai-compatible", "base_url": server.url, "model": "m",
                             "recovery": "off", "retry": {"max_attempts": 1}}}) / "fake"
    server.cut("half", by=END)
    fake.write("hi")
    code, out, error = fake.mount.shell("cat mount/fake/response && echo and then")
    assert (code, out) == (1, "half")
    assert "reset" in error


def test_a_nonblocking_reader_gets_eagain(fake, server, gate):
    server.answer(gate, "text")
    fake.write("hi")
    descriptor = open_now(fake / "response")
    with pytest.raises(BlockingIOError):
        os.read(descriptor, 100)
    gate.open()
    got = b""

    def is_at_end():
        nonlocal got
        try:
            piece = os.read(descriptor, 100)
        except BlockingIOError:
            return False
        got += piece
        return not piece

    eventually(is_at_end)
    os.close(descriptor)
    assert got == b"text"


GO_READ_FILE = """
import os, select, sys

# What os.ReadFile of Go does: the descriptor is non-blocking, and on an edge-triggered epoll.
epoll = select.epoll()
descriptor = os.open(sys.argv[1], os.O_RDONLY | os.O_CLOEXEC)
epoll.register(descriptor, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET)
os.set_blocking(descriptor, False)
os.fstat(descriptor)
text = b""
while True:
    try:
        piece = os.read(descriptor, 512)
    except BlockingIOError:
        print("waits", flush=True)
        epoll.poll()
        continue
    text += piece
    if not piece:
        break
print(text.decode(), end="")
"""


def test_go_reads_a_live_response(fake, server):
    gates = [Gate(), Gate(), Gate()]
    server.answer(gates[0], "one ", gates[1], "two ", gates[2], "three")
    fake.write("hi")
    process = fake.mount.start(["/usr/bin/python3", "-c", GO_READ_FILE, fake / "response"])
    for gate in gates:
        assert process.stdout.readline() == b"waits\n"
        gate.open()
    out, error = process.communicate(timeout=20)
    assert (out.replace(b"waits\n", b""), error) == (b"one two three", b"")


def wait_by_poll(descriptor, seconds):
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(seconds * 1000))


def wait_by_select(descriptor, seconds):
    return bool(select.select([descriptor], [], [], seconds)[0])


def wait_by_epoll(descriptor, seconds):
    with select.epoll() as epoll:
        epoll.register(descriptor, select.EPOLLIN)
        return bool(epoll.poll(seconds))


def wait_by_edge(descriptor, seconds):
    with select.epoll() as epoll:
        epoll.register(descriptor, select.EPOLLIN | select.EPOLLET)
        return bool(epoll.poll(seconds))


@pytest.mark.parametrize("ready", [wait_by_poll, wait_by_select, wait_by_epoll, wait_by_edge])
def test_readiness_is_told(fake, server, gate, ready):
    server.answer("Hel", gate, "lo")
    fake.write("hi")
    descriptor = open_now(fake / "response")
    assert ready(descriptor, 10)
    assert os.read(descriptor, 100) == b"Hel"
    assert not ready(descriptor, 0)
    gate.open()
    got = b""
    while True:
        assert ready(descriptor, 10)
        try:
            piece = os.read(descriptor, 100)
        except BlockingIOError:
            continue
        if not piece:
            break
        got += piece
    os.close(descriptor)
    assert got == b"lo"


def test_a_poll_that_is_under_way_is_woken(fake, server, gate):
    server.answer("Hel", gate, "lo")
    fake.write("hi")
    command = f"""
import os, select, sys
f = os.open("mount/fake/response", os.O_RDONLY | os.O_NONBLOCK)
p = select.epoll(); p.register(f, select.EPOLLIN)
p.poll(); sys.stdout.write(os.read(f, 100).decode()); sys.stdout.flush()
p.poll(); sys.stdout.write(os.read(f, 100).decode()); sys.stdout.flush()
"""
    child = fake.mount.start(["/usr/bin/python3", "-c", command])
    assert child.stdout.read(3) == b"Hel"
    with open(f"/proc/{child.pid}/stat") as stat:
        assert stat.read().rpartition(")")[2].split()[0] in "SRD"
    gate.open()
    assert child.stdout.read(2) == b"lo"
    assert child.wait(10) == 0


def test_the_size_is_0_while_live_and_exact_when_finished(fake, server, gate):
    server.answer("Hel", gate, "lo")
    fake.write("hi")
    Reader(fake / "response").has("Hel")
    assert os.stat(fake / "response").st_size == 0
    assert os.stat(fake.latest / "response").st_size == 0
    gate.open()
    fake.wait()
    assert os.stat(fake / "response").st_size == 5
    assert os.stat(fake.latest / "response").st_size == 5


def test_the_mtime_is_that_of_the_end(fake, server):
    server.answer("Hello")
    before = time.time()
    fake.ask("hi")
    assert before - 1 <= os.stat(fake / "response").st_mtime <= time.time() + 1


def test_seek_and_pread_work_on_a_finished_answer(echo):
    echo.ask("0123456789")
    with open(echo / "response", "rb") as file:
        file.seek(-3, os.SEEK_END)
        assert file.read() == b"789"
        assert os.pread(file.fileno(), 4, 2) == b"2345"
        assert os.pread(file.fileno(), 4, 100) == b""


def test_wait_gives_one_line_when_the_newest_request_has_ended(fake, server, gate):
    server.answer("Hel", gate, "lo")
    fake.write("hi")
    waiter = Reader(fake / "wait")
    Reader(fake / "response").has("Hel")
    assert waiter.data == b""
    gate.open()
    line = waiter.end().decode()
    assert line.endswith("\n") and line.count("\n") == 1
    assert "done" in line


def test_wait_of_a_failed_answer_gives_its_line_too(mounted, server):
    fake = mounted({"fake": {"type": "openai-compatible", "base_url": server.url, "model": "m"}}) / "fake"
    server.error(400)
    fake.write("hi")
    assert "failed" in fake.wait()


def test_response_cannot_be_written(sim):
    sim.ask("hi")
    code, _, _ = sim.mount.shell("echo x > mount/sim/response")
    assert code != 0


def test_reasoning_is_a_file_of_its_own(sim):
    sim.write("sim-think", "model")
    text = sim.ask("hi")
    reasoning = sim.read("reasoning")
    assert text and reasoning
    assert reasoning not in text


def test_without_reasoning_the_file_is_empty(echo):
    echo.ask("hi")
    assert echo.read("reasoning") == ""


def test_an_answer_of_nothing_is_an_empty_file(fake, server):
    server.answer()
    assert fake.ask("hi") == ""
    assert fake.status("requests/latest/status")["state"] == "done"
