"""Many that ask a mount at once, in one thread, for tests/bench/faults."""

import collections
import errno
import json
import os
import select
import socket
import threading
import time

from support.askfs import key_values

PIECE = 65536


class Asked:
    def __init__(self, prompt):
        self.prompt = prompt
        self.asked_at = time.monotonic()
        self.ended_at = None
        self.descriptor = None
        self.name = None
        self.text = b""
        self.errno = None  # 0: the answer was complete

    def end(self, number):
        self.errno = number
        self.ended_at = time.monotonic()
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


class Directory:
    """A provider's. Opening response while the prompt is open binds to it, so that many can ask;
    one at a time, for the newest writer counts."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()

    def ask(self, prompt, flags=0):
        asked = Asked(prompt)
        with self.lock:
            try:
                writer = os.open(self.path / "prompt", os.O_WRONLY | os.O_TRUNC)
            except OSError as error:
                asked.end(error.errno)
                return asked
            os.write(writer, prompt.encode())
            asked.descriptor = os.open(self.path / "response", os.O_RDONLY | flags)
            os.close(writer)
            asked.name = os.readlink(self.path / "requests" / "latest")
        return asked

    def status(self):
        return key_values((self.path / "status").read_text())

    def why_failed(self, all_asked):
        """The last words of those that were sent and failed, and how often, most first."""
        reasons = collections.Counter()
        for asked in all_asked:
            if not asked.errno or not asked.name:
                continue
            try:
                lines = (self.path / "requests" / asked.name / "attempts").read_text().splitlines()
            except OSError:
                continue  # forgotten
            last = json.loads(lines[-1]) if lines else {"class": "never sent", "delay_reason": ""}
            reasons[f"{last['class']}, {last['delay_reason']}, attempt {len(lines)}"] += 1
        return reasons.most_common(6)


def read_on(asked):
    """Takes what is there; to the end, when its descriptor blocks."""
    try:
        while piece := os.read(asked.descriptor, PIECE):
            asked.text += piece
    except BlockingIOError:
        return
    except OSError as error:
        asked.end(error.errno)
        return
    asked.end(0)


class Crowd:
    """Many that wait at once, in one thread."""

    def __init__(self, directory):
        self.directory = directory
        self.epoll = select.epoll()
        self.waiting = {}
        self.all = []

    def ask(self, prompt):
        asked = self.directory.ask(prompt, os.O_NONBLOCK)
        self.all.append(asked)
        if asked.errno is None:
            self.waiting[asked.descriptor] = asked
            self.epoll.register(asked.descriptor, select.EPOLLIN)

    def read(self, seconds):
        """Reads for so long, or until nobody waits."""
        end = time.monotonic() + seconds
        while self.waiting and (left := end - time.monotonic()) > 0:
            for descriptor, _ in self.epoll.poll(left):
                asked = self.waiting[descriptor]
                read_on(asked)
                if asked.errno is not None:
                    del self.waiting[descriptor]

    def ask_steadily(self, prompts, per_second, meanwhile=()):
        """Open loop: whoever is late is asked for at once. meanwhile: pairs of seconds and what to
        do then."""
        start = time.monotonic()
        deeds = list(meanwhile)
        for i, prompt in enumerate(prompts):
            due = start + i / per_second
            while deeds and start + deeds[0][0] <= due:
                self.rest(start + deeds[0][0])
                deeds.pop(0)[1]()
            self.rest(due)
            self.ask(prompt)

    def rest(self, until):
        self.read(until - time.monotonic())
        time.sleep(max(0, until - time.monotonic()))

    def finish(self, seconds):
        self.read(seconds)
        for asked in list(self.waiting.values()):
            asked.end(errno.ETIME)  # never the errno of an answer: it did not end
        self.waiting.clear()
        self.epoll.close()


class BareClient:
    """The same request over one connection that is kept, as cheap as Python can."""

    def __init__(self, url, directory):
        read_on(Directory(directory).ask("hi"))
        body = (directory / "requests" / "latest" / "request.json").read_bytes()
        host = url.rpartition("/")[2]
        self.request = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\n"
                        "Content-Type: application/json\r\n"
                        f"Content-Length: {len(body)}\r\n\r\n").encode() + body
        self.socket = socket.create_connection(("127.0.0.1", int(host.rpartition(":")[2])))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self):
        self.socket.sendall(self.request)
        got = b""
        while not got.endswith(b"\r\n0\r\n\r\n"):
            piece = self.socket.recv(PIECE)
            if not piece:
                raise OSError("the server hung up")
            got += piece

    def close(self):
        self.socket.close()
