#!/usr/bin/python3
"""A provider with little to give, for tests/bench/faults: an HTTP server on loopback.

    upstream.py limit RATE [silent]     RATE answers a second, a second's worth saved up; else a 429
                                        that tells when to come back, unless it is silent
    upstream.py capacity SLOTS SECONDS  SLOTS answers at a time, SECONDS each; further ones queue

POST anything: a streamed chat answer that quotes the prompt. GET /stats: what was asked, and how it
ended. Its first line says where it listens.
"""

import asyncio
import json
import math
import sys
import time


def event(data):
    text = data if isinstance(data, str) else json.dumps(data)
    piece = f"data: {text}\n\n".encode()
    return f"{len(piece):x}\r\n".encode() + piece + b"\r\n"


def delta(text, finish=None):
    return event({"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [
        {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}]})


HEAD = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n")
TAIL = delta("", "stop") + event("[DONE]") + b"0\r\n\r\n"


def whole(status, body, headers=""):
    body = json.dumps(body).encode()
    return (f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\n{headers}"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


async def hangs_up(reader):
    try:
        await reader.read(1)
    except OSError:
        pass


class Limit:
    def __init__(self, rate, how=""):
        self.rate = float(rate)
        self.is_silent = how == "silent"
        self.tokens = self.rate
        self.filled = time.monotonic()

    async def answer(self, writer, words, stats):
        now = time.monotonic()
        self.tokens = min(self.rate, self.tokens + self.rate * (now - self.filled))
        self.filled = now
        if self.tokens < 1:
            stats["refused"] += 1
            seconds = math.ceil((1 - self.tokens) / self.rate)
            error = {"error": {"message": "Rate limit reached", "type": "rate_limit_error",
                               "code": "rate_limit_exceeded"}}
            told = "" if self.is_silent else f"Retry-After: {seconds}\r\n"
            writer.write(whole(429, error, told))
            return
        self.tokens -= 1
        writer.write(HEAD + b"".join(map(delta, words)) + TAIL)
        stats["completed"] += 1


class Capacity:
    def __init__(self, slots, seconds):
        self.slots = asyncio.Semaphore(int(slots))
        self.seconds = float(seconds)

    async def answer(self, writer, words, stats):
        async with self.slots:
            writer.write(HEAD)
            for word in words:
                await asyncio.sleep(self.seconds / len(words))
                writer.write(delta(word))
            writer.write(TAIL)
        stats["completed"] += 1


class Server:
    def __init__(self, kind):
        self.kind = kind
        self.stats = {"requests": 0, "completed": 0, "refused": 0, "gone": 0}

    async def serve(self, reader, writer):
        try:
            while await self.serve_one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def serve_one(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, path, _ = head.split(" ", 2)
        length = 0
        for line in head.split("\r\n")[1:]:
            name, _, value = line.partition(":")
            if name.lower() == "content-length":
                length = int(value)
        body = await reader.readexactly(length)
        if method == "GET":
            listed = {"object": "list", "data": [{"id": "m"}]}
            writer.write(whole(200, self.stats if path == "/stats" else listed))
            return True
        self.stats["requests"] += 1
        prompt = json.loads(body)["messages"][-1]["content"]
        return await self.answer(reader, writer, ["You ", "said: ", prompt])

    async def answer(self, reader, writer, words):
        """Whoever hangs up is worked for no longer."""
        work = asyncio.ensure_future(self.kind.answer(writer, words, self.stats))
        gone = asyncio.ensure_future(hangs_up(reader))
        await asyncio.wait([work, gone], return_when=asyncio.FIRST_COMPLETED)
        stays = not gone.done()
        if stays:
            gone.cancel()
            await asyncio.wait([gone])
        elif not work.done():
            work.cancel()
            self.stats["gone"] += 1
        return stays


async def main():
    kinds = {"limit": Limit, "capacity": Capacity}
    server = Server(kinds[sys.argv[1]](*sys.argv[2:]))
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=4096)
    print(f"upstream: listening on http://127.0.0.1:{listener.sockets[0].getsockname()[1]}",
          flush=True)
    async with listener:
        await listener.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
