"""Many at once, and much at once."""

import threading
import time

from support.askfs import Directory, Reader
from support.server import END, LAST_CHUNK, chat_delta, chat_end, chunk, stream_head
from support.waiting import eventually


def test_eight_prompts_of_half_a_second_take_half_a_second(sim):
    sim.write('{"sim": {"chunks": 5, "ms_per_chunk": 100}}', "options.json")
    start = time.monotonic()
    for number in range(8):
        sim.write(f"prompt {number}")
    names = [entry.name for entry in (sim / "requests").iterdir() if entry.name != "latest"]
    readers = [Reader(sim / "requests" / name / "response") for name in names]
    assert all(reader.end() for reader in readers)
    assert len(readers) == 8
    assert 0.3 < time.monotonic() - start < 2  # one after the other would be 4


def test_a_10_mb_answer_arrives_whole(fake, server):
    piece = "".join(f"{number:9}\n" for number in range(1000))
    server.plays(stream_head(), *[chunk(chat_delta(piece))] * 1000, chunk(chat_end()), LAST_CHUNK)
    fake.write("hi")
    assert Reader(fake / "response").end() == (piece * 1000).encode()
    assert (fake / "response").stat().st_size == 10_000_000


def test_a_10_mb_answer_in_one_event_arrives_whole(fake, server):
    text = "x" * 10_000_000
    server.answer(text)
    assert fake.ask("hi") == text


def test_a_prompt_of_10_mb_is_sent_whole(echo):
    text = "0123456789" * 1_000_000
    assert echo.ask(text) == text


def test_many_requests_one_after_the_other_reuse_a_connection(fake, server):
    for _ in range(50):
        assert fake.ask("hi") == "ok"
    assert len(server.requests) == 50
    assert server.connections < 10


def test_an_answer_that_nobody_reads_is_kept_whole(fake, server):
    piece = "x" * 10_000
    server.plays(stream_head(), *[chunk(chat_delta(piece))] * 200, chunk(chat_end()), LAST_CHUNK)
    fake.write("hi")
    fake.wait()
    assert fake.read() == piece * 200


def test_a_slow_reader_gets_every_byte(fake, server):
    pieces = [f"{number} " for number in range(3000)]
    server.plays(stream_head(), *[chunk(chat_delta(piece)) for piece in pieces], chunk(chat_end()), LAST_CHUNK)
    fake.write("hi")
    assert Reader(fake / "response", size=3).end() == "".join(pieces).encode()


def test_an_answer_over_max_response_bytes_fails_and_keeps_what_it_has(mounted, server):
    config = {"type": "openai-compatible", "base_url": server.url, "model": "m", "max_response_bytes": 1000,
              "retry": {"max_attempts": 1}, "recovery": "off"}
    fake = mounted({"fake": config}) / "fake"
    server.plays(stream_head(), *[chunk(chat_delta("x" * 100))] * 20, chunk(chat_end()), LAST_CHUNK)
    text, number = fake.fails("hi")
    assert number != 0
    assert len(text) <= 1000 and set(text) <= {"x"}


def test_twenty_writers_at_once_each_get_their_own_answer(echo):
    wrong = []

    def ask(number):
        for turn in range(5):
            text = f"writer {number} turn {turn}"
            with open(echo / "prompt", "w") as file:
                file.write(text)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: echo.status()["requests_ok"] == "100")
    for entry in (echo / "requests").iterdir():
        request = Directory(echo.mount, entry)
        if request.read() != request.read("prompt").rstrip("\n"):
            wrong.append(entry.name)
    assert wrong == []


def test_with_few_descriptors_prompts_wait_and_no_provider_is_taken_for_dead(mounted, simulator):
    provider = {"type": "sim", "base_url": simulator.url,
                "options": {"sim": {"chunks": 5, "ms_per_chunk": 20}}}
    mount = mounted({"one": provider, "two": provider}, under=["prlimit", "--nofile=64:64"])
    directories = [mount / "one", mount / "two"]
    for number in range(150):
        directories[number % 2].write(f"prompt {number}")
    assert any(int(each.status()["requests_queued"]) > 0 for each in directories)
    for each in directories:
        each.becomes(requests_ok="75")
        assert each.status()["retries_total"] == "0"
        assert each.read("error") == ""
        assert each.read("models")


def test_cut_connections_under_load_lose_nothing(mounted, server):
    config = {"type": "openai-compatible", "base_url": server.url, "model": "m"}
    fake = mounted({"fake": config}) / "fake"
    for _ in range(20):
        server.plays(stream_head(), END)
        server.answer("whole ", "answer")
    fake.write("close", "breaker")
    for _ in range(20):
        assert fake.ask("hi") == "whole answer"
