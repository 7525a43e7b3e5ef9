"""HTTP as servers speak it: framings, compression, TLS with a private CA, HTTP/2."""

import errno
import pathlib
import random
import shutil
import socket
import ssl
import subprocess
import tempfile

import pytest

from support import programs
from support.server import END, Server, chat_delta, chat_end, framed, head
from support.waiting import eventually

TEXT = "An answer with é, 中 and 😀, in several\nlines.\n"
BODY = b"".join(chat_delta(TEXT[place : place + 5]) for place in range(0, len(TEXT), 5)) + chat_end()


def cuts_of(seed, length, count=20):
    return sorted(random.Random(seed).sample(range(1, length), count))


@pytest.mark.parametrize("encoding", [None, "gzip"])
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_a_framing_makes_no_difference(fake, server, framing, encoding):
    for seed in range(10):
        cuts = cuts_of(seed, len(BODY) // 4)
        server.plays(*framed(BODY, framing, cuts, encoding))
        assert fake.ask("hi") == TEXT


def test_one_byte_at_a_time_makes_no_difference(fake, server):
    server.plays(*framed(BODY, "length", range(1, len(BODY))))
    assert fake.ask("hi") == TEXT


@pytest.mark.parametrize("ending", [b"\r\n", b"\r"])
def test_line_ends_make_no_difference(fake, server, ending):
    server.plays(*framed(BODY.replace(b"\n", ending), "chunked", cuts_of(1, len(BODY))))
    assert fake.ask("hi") == TEXT


def test_a_stream_without_a_content_type_is_read(fake, server):
    server.plays(head(200, {"Content-Length": str(len(BODY))}), BODY)
    assert fake.ask("hi") == TEXT


def test_a_100_continue_before_the_answer_is_nothing(fake, server):
    server.plays(b"HTTP/1.1 100 Continue\r\n\r\n", *framed(BODY, "chunked"))
    assert fake.ask("hi") == TEXT


def test_http_1_0_is_understood(fake, server):
    server.plays(b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + BODY, END)
    assert fake.ask("hi") == TEXT


def test_chunk_extensions_and_trailers_are_nothing(fake, server):
    framed_body = f"{len(BODY):x};name=value\r\n".encode() + BODY + b"\r\n0\r\nX-Trailer: yes\r\n\r\n"
    server.plays(head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}), framed_body)
    assert fake.ask("hi") == TEXT


def test_content_that_stops_before_its_length_is_cut(mounted, server):
    config = {"type": "openai-compatible", "base_url": server.url, "model": "m", "retry": {"max_attempts": 1},
              "recovery": "off"}
    fake = mounted({"fake": config}) / "fake"
    half = chat_delta("half")
    server.plays(head(200, {"Content-Type": "text/event-stream", "Content-Length": "10000"}) + half, END)
    assert fake.fails("hi") == ("half", errno.ECONNRESET)


def test_whole_json_instead_of_a_stream_is_an_answer_too(fake, server):
    body = (b'{"id": "1", "object": "chat.completion", "choices": [{"index": 0, "finish_reason": "stop", '
            b'"message": {"role": "assistant", "content": "not streamed"}}]}')
    server.plays(*framed(body, "length", content_type="application/json"))
    assert fake.ask("hi") == "not streamed"


# ---- TLS ----


@pytest.fixture(scope="session")
def authority():
    """A private CA, and a certificate for 127.0.0.1 that it signed."""
    with tempfile.TemporaryDirectory(prefix="ca.") as name:
        folder = pathlib.Path(name)
        (folder / "san").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")

        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

        key = ["-newkey", "rsa:2048", "-nodes"]
        openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "3", "-subj", "/CN=tests",
                "-addext", "basicConstraints=critical,CA:TRUE")
        openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=127.0.0.1")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", "server.pem", "-days", "3", "-extfile", "san")
        yield folder


@pytest.fixture
def tls_server(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.pem", authority / "server.key")
    fake = Server(context)
    yield fake
    fake.stop()


def test_a_private_ca_is_trusted_when_it_is_named(mounted, tls_server, authority):
    config = {"type": "openai-compatible", "base_url": tls_server.url, "model": "m",
              "ca_file": str(authority / "ca.pem")}
    fake = mounted({"fake": config}) / "fake"
    for seed in range(5):
        tls_server.plays(*framed(BODY, "chunked", cuts_of(seed, len(BODY))))
        assert fake.ask("hi") == TEXT


def test_a_certificate_that_nobody_vouches_for_is_refused_and_not_retried(mounted, tls_server):
    fake = mounted({"fake": {"type": "openai-compatible", "base_url": tls_server.url, "model": "m"}}) / "fake"
    assert fake.fails("hi") == ("", errno.EPROTO)
    assert tls_server.requests == []
    assert len(fake.latest.attempts()) == 1
    assert "certificate" in fake.read("error").lower()


def test_a_certificate_for_another_name_is_refused(mounted, authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.pem", authority / "server.key")
    other = Server(context, host="127.0.0.2")
    try:
        config = {"type": "openai-compatible", "base_url": other.url, "model": "m",
                  "ca_file": str(authority / "ca.pem")}
        fake = mounted({"fake": config}) / "fake"
        assert fake.fails("hi") == ("", errno.EPROTO)
        assert other.requests == []
    finally:
        other.stop()


# ---- HTTP/2 ----


@pytest.fixture
def http2(simulator, authority, folder):
    """The simulator behind nghttpx: (URL, the log of the proxy)."""
    if not shutil.which("nghttpx"):
        pytest.skip("nghttpx is not installed (package nghttp2-proxy)")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = folder / "nghttpx.log"
    proxy = programs.start(
        ["nghttpx", f"--frontend=127.0.0.1,{port}", f"--backend=127.0.0.1,{simulator.port}",
         f"--accesslog-file={log}", f"--errorlog-file={folder / 'nghttpx.errors'}", "--workers=1", "--conf=/dev/null",
         authority / "server.key", authority / "server.pem"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )

    def listens():
        assert proxy.poll() is None, (folder / "nghttpx.errors").read_text()
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    eventually(listens)
    yield f"https://127.0.0.1:{port}", log
    programs.end_group(proxy)
    proxy.wait()


@pytest.mark.parametrize("api", ["chat", "responses", "messages"])
def test_http_2_makes_no_difference(mounted, http2, authority, api):
    url, log = http2
    config = {"type": "sim", "api": api, "base_url": url, "ca_file": str(authority / "ca.pem"), "model": "sim-echo"}
    sim = mounted({"sim": config}) / "sim"
    for number in range(5):
        assert sim.ask(f"{TEXT} {number}") == f"{TEXT} {number}"
    eventually(lambda: "HTTP/2" in log.read_text())


def test_many_streams_share_one_http_2_connection(mounted, http2, authority, simulator):
    url, _ = http2
    config = {"type": "sim", "base_url": url, "ca_file": str(authority / "ca.pem"), "model": "sim-echo",
              "options": {"sim": {"ms_per_chunk": 5}}}
    sim = mounted({"sim": config}) / "sim"
    texts = [f"prompt number {number} " * 20 + "end" for number in range(20)]
    for text in texts:
        sim.write(text)
    eventually(lambda: sim.status()["requests_ok"] == "20")
    answers = {(entry / "response").read_text() for entry in (sim / "requests").iterdir()}
    assert answers == set(texts)


def test_a_server_error_over_http_2_is_retried(mounted, http2, authority, simulator):
    url, _ = http2
    simulator.fault("server status=503 times=2")
    config = {"type": "sim", "base_url": url, "ca_file": str(authority / "ca.pem")}
    sim = mounted({"sim": config}) / "sim"
    assert sim.ask("hi")
    assert [attempt["http_status"] for attempt in sim.latest.attempts()] == [503, 503, 200]
