"""A provider played by a test: it sends exactly the bytes it is told, when it is told.

    server.answer("Hel", gate, "lo")       the next request gets a stream that stops at the gate
    server.error(503, headers={...})       the next request gets an error
    server.plays(b"HTTP/1.1 200 OK...", RESET)   raw bytes and deeds

What was not told is answered with "ok". A request beyond the script is never lost: server.requests.
The list of models is always there, and a response that is told to stop is noted in server.cancelled.
"""

import gzip
import json
import select
import socket
import ssl
import struct
import threading

END = object()  # close the connection politely
RESET = object()  # close it with RST
HANG = object()  # say nothing more, until the client goes away


class ClientIsGone(Exception):
    pass


class Gate(threading.Event):
    """In a script: wait here until the test opens it. reached is set when the script gets there."""

    def __init__(self):
        super().__init__()
        self.reached = threading.Event()

    def open(self):
        self.set()


class Request:
    def __init__(self, method, path, headers, body):
        self.method = method
        self.path = path
        self.headers = headers  # names in lower case
        self.body = body
        self.is_gone = threading.Event()  # the client hung up before the end

    def json(self):
        return json.loads(self.body)

    def prompt(self):
        """The newest message of the user, whatever the wire."""
        body = self.json()
        messages = body.get("messages", body.get("input"))
        content = messages if isinstance(messages, str) else messages[-1]["content"]
        return content if isinstance(content, str) else "".join(p["text"] for p in content)


# The parts of a chat answer as the wire shows them.


def event(data, name=None):
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "").encode() + b"data: " + text.encode() + b"\n\n"


def chat_delta(text):
    return event({"id": "chat-1", "object": "chat.completion.chunk", "model": "fake",
                  "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})


def chat_end(finish="stop"):
    return (
        event({"id": "chat-1", "object": "chat.completion.chunk", "model": "fake",
               "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        + event({"id": "chat-1", "choices": [], "usage": {"prompt_tokens": 3,
                                                         "completion_tokens": 2,
                                                         "total_tokens": 5}})
        + event("[DONE]")
    )


def head(status=200, headers=None):
    lines = [f"HTTP/1.1 {status} Said"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def stream_head(**more):
    headers = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}
    headers.update({name.replace("_", "-"): value for name, value in more.items()})
    return head(200, headers)


def chunk(data):
    return f"{len(data):x}\r\n".encode() + data + b"\r\n" if data else b""


LAST_CHUNK = b"0\r\n\r\n"


def pieces_of(body, cuts):
    places = [0, *sorted(cuts), len(body)]
    return [body[a:b] for a, b in zip(places, places[1:]) if a < b]


def framed(body, framing, cuts=(), encoding=None, content_type="text/event-stream"):
    """A whole 200 as a script: the body cut at these places, in one of three framings."""
    headers = {"Content-Type": content_type} if content_type else {}
    if encoding == "gzip":
        headers["Content-Encoding"] = "gzip"
        body = gzip.compress(body)
        cuts = [cut for cut in cuts if cut < len(body)]
    if framing == "chunked":
        headers["Transfer-Encoding"] = "chunked"
    elif framing == "length":
        headers["Content-Length"] = str(len(body))
    else:
        headers["Connection"] = "close"
    script = [head(200, headers)]
    for piece in pieces_of(body, cuts):
        script.append(chunk(piece) if framing == "chunked" else piece)
    script.append(LAST_CHUNK if framing == "chunked" else END if framing == "close" else b"")
    return script


class Server:
    def __init__(self, tls=None, host="127.0.0.1"):
        self.tls = tls  # an ssl.SSLContext
        self.requests = []
        self.scripts = []
        self.default = None
        self.models = ["fake", "fake-large"]
        self.cancelled = []  # paths
        self.hangs_on_cancel = False
        self.connections = 0
        self.changed = threading.Condition()
        self.is_over = threading.Event()
        self.open_sockets = set()
        self.host = host
        self.socket = socket.create_server((host, 0), backlog=1024)
        self.port = self.socket.getsockname()[1]
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    # What the test says.

    def plays(self, *steps):
        """The next request that no script is left for gets these bytes and deeds."""
        self.scripts.append(list(steps))

    def always_plays(self, *steps):
        self.default = list(steps)

    def answer(self, *parts, finish="stop"):
        """Text in pieces, gates between them, then the end of the answer."""
        steps = [stream_head()]
        steps += [chunk(chat_delta(part)) if isinstance(part, str) else part for part in parts]
        self.plays(*steps, chunk(chat_end(finish)), LAST_CHUNK)

    def cut(self, *parts, by=END):
        """The same, but the connection ends after the last part."""
        steps = [stream_head()]
        steps += [chunk(chat_delta(part)) if isinstance(part, str) else part for part in parts]
        self.plays(*steps, by)

    def error_script(self, status, body=None, headers=None):
        if body is None:
            body = {"error": {"message": f"the fake said {status}", "type": "fake_error"}}
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)),
                   "x-request-id": "req-from-fake", **(headers or {})}
        return [head(status, headers) + body]

    def error(self, status, body=None, headers=None, times=1):
        for _ in range(times):
            self.plays(*self.error_script(status, body, headers))

    def wait_for_requests(self, count, seconds=20):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.requests) >= count, seconds), (
                f"{len(self.requests)} requests instead of {count}"
            )
            return self.requests[count - 1]

    # What the sockets do.

    def _accept(self):
        while not self.is_over.is_set():
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            self.open_sockets.add(connection)
            reader = connection.makefile("rb")
            while not self.is_over.is_set():
                request = self._read_request(reader)
                if not request or not self._reply(connection, request):
                    return
        except (OSError, ClientIsGone, ssl.SSLError, ValueError):
            pass
        finally:
            self.open_sockets.discard(connection)
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()

    def _read_request(self, reader):
        line = reader.readline()
        if not line.strip():
            return None
        method, path, _ = line.decode("latin-1").split(" ", 2)
        headers = {}
        while (line := reader.readline()).strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while size := int(reader.readline().split(b";")[0], 16):
                body += reader.read(size)
                reader.readline()
            reader.readline()
        else:
            body = reader.read(int(headers.get("content-length", "0")))
        return Request(method, path, headers, body)

    def _reply(self, connection, request):
        if request.path.endswith("/cancel"):
            with self.changed:
                self.cancelled.append(request.path)
                self.changed.notify_all()
            if self.hangs_on_cancel:
                return self._do(connection, request, HANG)
            connection.sendall(head(200, {"Content-Type": "application/json", "Content-Length": "2"}) + b"{}")
            return True
        if request.method == "GET" and request.path.partition("?")[0].endswith("/models"):
            models = {"object": "list", "data": [{"id": name} for name in self.models]}
            body = json.dumps(models).encode()
            headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
            connection.sendall(head(200, headers) + body)
            return True
        with self.changed:
            self.requests.append(request)
            script = self.scripts.pop(0) if self.scripts else self.default
            self.changed.notify_all()
        script = script or [stream_head(), chunk(chat_delta("ok")), chunk(chat_end()), LAST_CHUNK]
        try:
            return all(self._do(connection, request, step) for step in script)
        except (OSError, ClientIsGone):
            request.is_gone.set()
            raise

    def _do(self, connection, request, step):
        """False: this connection is over."""
        if isinstance(step, bytes):
            connection.sendall(step)
        elif isinstance(step, Gate):
            step.reached.set()
            self._stand_still(connection, step)
        elif step is HANG:
            self._stand_still(connection, self.is_over)
        elif step is RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if isinstance(connection, ssl.SSLSocket):
                socket.socket(fileno=connection.detach()).close()
            else:
                # Only the last reference sends the RST: the reader's file holds one, too.
                duplicate = socket.socket(fileno=connection.detach())
                duplicate.close()
            return False
        elif step is END:
            return False
        else:
            return step(connection, request) is not False
        return True

    def _stand_still(self, connection, event):
        while not event.wait(0.005):
            if self.is_over.is_set():
                raise ClientIsGone
            readable, _, _ = select.select([connection], [], [], 0)
            if readable and not isinstance(connection, ssl.SSLSocket):
                if connection.recv(1, socket.MSG_PEEK) == b"":
                    raise ClientIsGone

    def stop(self):
        if self.is_over.is_set():
            return
        self.is_over.set()
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for connection in list(self.open_sockets):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self.threads:
            thread.join(5)
