"""What gateways are measured by: a primary that fails in each of the known ways, a fallback, and one
route over both. The answer is whole, nobody is asked more than helps, and the accounts agree."""

import errno
import itertools
import json

import pytest

from support.server import END, HANG, LAST_CHUNK, RESET, Server, chunk, stream_head
from support.waiting import eventually
from support.wires import TEXT, WIRES

RETRY = {"initial_delay": 0.02, "max_delay": 0.05}
TIMEOUTS = {"connection": 5, "first_token": 0.5, "read": 0.5}
PAIRS = list(itertools.product(WIRES, WIRES))


class Bench:
    """primary and fallback, played by the test, and the route over them."""

    def __init__(self, mounted, wires, servers, breaker=None):
        self.wires = [WIRES[name] for name in wires]
        self.primary, self.fallback = servers
        providers = {
            name: {"model": "fake", **wire.config, "base_url": server.url}
            for name, wire, server in zip(("primary", "fallback"), self.wires, servers)
        }
        providers["any"] = {"type": "route", "providers": ["primary", "fallback"]}
        defaults = {"retry": RETRY, "timeouts": TIMEOUTS, "breaker": breaker or {}}
        variables = {"ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k"}
        for provider in providers.values():
            if provider["type"] == "anthropic":
                provider["api_key"] = {"env": "BENCH_KEY"}
        self.mount = mounted(providers, defaults, BENCH_KEY="key-of-the-bench", **variables)
        self.route = self.mount / "any"
        self.fallback.always_plays(self.wires[1].talks())

    @property
    def first(self):
        return self.wires[0]

    def breaks(self, status, type="api_error", message="something is wrong", **headers):
        body = json.dumps(self.first.error(message, type)).encode()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.primary.error_script(status, body, headers)

    def asked(self):
        return len(self.primary.requests), len(self.fallback.requests)

    def answered_by(self):
        return self.route.latest.attempts()[-1]["provider"]


@pytest.fixture
def servers():
    both = [Server(), Server()]
    yield both
    for each in both:
        each.stop()


@pytest.fixture(params=PAIRS, ids="-".join)
def bench(request, mounted, servers):
    made = Bench(mounted, request.param, servers)
    yield made
    assert_accounts_agree(made)


def assert_accounts_agree(bench):
    """What the attempts of all records say is what the servers saw, and what the metrics count."""
    requests = [entry for entry in (bench.route / "requests").iterdir() if entry.name != "latest"]
    attempts = [json.loads(line) for entry in requests
                for line in (entry / "attempts").read_text().splitlines()]
    for name, count in zip(("primary", "fallback"), bench.asked()):
        own = [attempt for attempt in attempts if attempt["provider"] == name]
        assert len(own) == count, f"{name} was asked {count} times: {own}"
        status = (bench.mount / name).status()
        assert int(status["attempts_total"]) == count
        told = [attempt["usage"] for attempt in own if attempt["usage"]]
        assert int(status["tokens_out"]) == sum(usage.get("output_tokens") or 0 for usage in told)


def test_01_a_429_with_a_short_hint_is_waited_out(bench):
    bench.primary.plays(*bench.breaks(429, "rate_limit_error", retry_after="1"))
    bench.primary.always_plays(bench.first.talks())
    assert bench.route.ask("hi") == TEXT
    assert bench.asked() == (2, 0)
    assert bench.route.latest.attempts()[0]["delay_s"] >= 1


def test_01_a_429_with_a_long_hint_goes_to_the_fallback_at_once(bench):
    bench.primary.always_plays(*bench.breaks(429, "rate_limit_error", retry_after="30"))
    assert bench.route.ask("hi") == TEXT
    assert bench.route.ask("hi") == TEXT
    assert bench.asked() == (1, 2), "the pause of a key holds for every request"
    assert bench.mount.read("status").count("rate_limited") == 1


def test_02_a_429_without_a_hint_is_retried_or_goes_on(bench):
    bench.primary.plays(*bench.breaks(429, "rate_limit_error"))
    bench.primary.always_plays(bench.first.talks())
    assert bench.route.ask("hi") == TEXT
    assert sum(bench.asked()) == 2


def test_03_a_500_once_is_retried_where_it_was(bench):
    bench.primary.plays(*bench.breaks(500))
    bench.primary.always_plays(bench.first.talks())
    assert bench.route.ask("hi") == TEXT
    assert bench.asked() == (2, 0)


def test_04_a_503_for_ever_costs_its_attempts_then_nothing(bench):
    bench.primary.always_plays(*bench.breaks(503))
    for _ in range(10):
        assert bench.route.ask("hi") == TEXT
    assert bench.asked()[0] <= 15, "5 requests with 3 attempts, then its breaker is open"
    assert (bench.mount / "primary").status("breaker")["state"] == "open"
    assert bench.answered_by() == "fallback"


def test_05_a_reset_before_the_headers_is_overcome(bench):
    bench.primary.plays(RESET)
    bench.primary.always_plays(bench.first.talks())
    assert bench.route.ask("hi") == TEXT
    assert bench.asked()[0] <= 2


def test_05_a_primary_that_is_not_there_is_overcome(bench):
    bench.primary.stop()
    assert bench.route.ask("hi") == TEXT
    assert bench.answered_by() == "fallback"
    bench.primary.requests[:] = [None] * int((bench.mount / "primary").status()["attempts_total"])


def test_06_silence_goes_to_the_fallback_before_the_silent_one_is_asked_again(bench):
    bench.primary.always_plays(HANG)
    assert bench.route.ask("hi") == TEXT
    assert bench.asked() == (1, 1)


def test_07_a_first_token_that_is_slow_goes_to_the_fallback(bench):
    bench.primary.always_plays(stream_head(), chunk(b": ping\n\n"), HANG)
    assert bench.route.ask("hi") == TEXT
    assert bench.asked() == (1, 1)


def reads_up_to_the_break(bench, gate):
    """Readers have the beginning when the stream breaks."""
    descriptor = (bench.route / "response").open("rb", buffering=0)
    got = b""
    while not got.startswith(TEXT.split(" ", 1)[0].encode()):
        got += descriptor.read(65536)
    gate.open()
    while piece := descriptor.read(65536):
        got += piece
    descriptor.close()
    return got.decode()


def breaks_after(bench, gate, words, *how):
    bench.primary.plays(*bench.first.begins(words), gate, *how)
    bench.primary.always_plays(bench.first.talks())
    bench.route.write("hi")
    assert reads_up_to_the_break(bench, gate) == TEXT
    assert bench.route.read() == TEXT, "whoever comes later reads the same"
    assert sum(bench.asked()) == 2


@pytest.mark.parametrize("how", [END, RESET, LAST_CHUNK], ids=["end", "reset", "last-chunk"])
@pytest.mark.parametrize("words", [1, 5, 14])
def test_08_a_cut_in_the_middle_is_joined(bench, gate, words, how):
    breaks_after(bench, gate, words, how)


def test_09_a_stall_in_the_middle_is_joined(bench, gate):
    breaks_after(bench, gate, 6, HANG)
    assert bench.asked() == (1, 1), "the silent one is not asked first"


MALFORMED = {
    "half-json": b'data: {"id": "chat-1", "choi\n\n',
    "no-json": b"data: <html>busy</html>\n\n",
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_10_a_malformed_chunk_costs_no_text(bench, gate, kind):
    rest = [chunk(bench.first.delta("lost")), LAST_CHUNK]
    bench.primary.plays(*bench.first.begins(4), gate, chunk(MALFORMED[kind]), *rest)
    bench.primary.always_plays(bench.first.talks())
    bench.route.write("hi")
    assert reads_up_to_the_break(bench, gate) == TEXT


@pytest.mark.parametrize("last", [b"", b"data: [DONE]\n\n"], ids=["nothing", "done-alone"])
@pytest.mark.parametrize("words", [3, 20])
def test_11_an_end_without_its_terminator_is_no_end(bench, words, last):
    bench.primary.always_plays(*bench.first.begins(words), chunk(last), LAST_CHUNK)
    assert bench.route.ask("hi") == TEXT
    assert bench.asked()[0] <= 4


def test_12_context_length_goes_to_the_fallback_without_a_retry(bench):
    message = "prompt is too long: 208310 tokens > 200000 maximum"
    body = json.dumps(bench.first.error(message, code=bench.first.context_length)).encode()
    bench.primary.always_plays(*bench.primary.error_script(400, body))
    assert bench.route.ask("hi") == TEXT
    assert bench.asked() == (1, 1)


def test_13_a_content_filter_ends_the_route(bench):
    if bench.first is WIRES["chat"]:
        body = json.dumps(bench.first.error("filtered", code="content_filter")).encode()
        bench.primary.plays(*bench.primary.error_script(400, body))
    else:
        bench.primary.plays(stream_head(), chunk(bench.first.begin()),
                            chunk(bench.first.end("refusal")), LAST_CHUNK)
    assert bench.route.fails("hi")[1] == errno.ENOTSUP
    assert bench.asked() == (1, 0)


def test_13_a_filter_in_the_middle_keeps_its_text(bench):
    finish = "content_filter" if bench.first is WIRES["chat"] else "refusal"
    bench.primary.plays(*bench.first.begins(3), chunk(bench.first.end(finish)), LAST_CHUNK)
    text, number = bench.route.fails("hi")
    assert (text, number) == ("Gateways come and ", errno.ENOTSUP)
    assert bench.asked() == (1, 0)


@pytest.mark.parametrize("words", ["the usual words", "no words that anybody knows"])
def test_14_a_fallback_that_refuses_prefill_is_asked_otherwise(bench, gate, words):
    second = bench.wires[1]
    said = second.no_prefill if words == "the usual words" else "Bad request body."

    def refuses_prefill(connection, request):
        last = request.json()["messages"][-1]
        if last["role"] == "assistant":
            body = json.dumps(second.error(said)).encode()
            connection.sendall(bench.fallback.error_script(400, body)[0])
            return
        second.talks()(connection, request)

    bench.fallback.always_plays(refuses_prefill)
    bench.primary.plays(*bench.first.begins(6), gate, RESET)
    bench.primary.always_plays(*bench.breaks(503))
    bench.route.write("hi")
    assert reads_up_to_the_break(bench, gate) == TEXT
    assert bench.asked()[1] <= 2
    attempts = bench.route.latest.attempts()
    assert (attempts[-1]["provider"], attempts[-1]["recovery"]) == ("fallback", "continue")


def test_14_the_refusal_never_hides_the_first_failure(bench, gate):
    body = json.dumps(bench.wires[1].error(bench.wires[1].no_prefill)).encode()
    bench.fallback.always_plays(*bench.fallback.error_script(400, body))
    bench.primary.plays(*bench.first.begins(6), gate, RESET)
    bench.primary.always_plays(*bench.breaks(503))
    bench.route.write("hi")
    with open(bench.route / "response", "rb", buffering=0) as file:
        got = file.read(65536)
        gate.open()
        with pytest.raises(OSError) as raised:
            while piece := file.read(65536):
                got += piece
    assert raised.value.errno == errno.ECONNRESET
    assert TEXT.startswith(got.decode())
    assert bench.route.latest.status()["error"] == "stream_truncated"


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_15_an_outage_that_ends_is_noticed(mounted, servers, pair):
    breaker = {"failure_threshold": 2, "recovery_timeout": 0.5, "success_threshold": 1}
    bench = Bench(mounted, pair, servers, breaker)
    bench.primary.always_plays(*bench.breaks(503))
    for _ in range(3):
        assert bench.route.ask("hi") == TEXT
    assert (bench.mount / "primary").status("breaker")["state"] != "closed"
    bench.primary.always_plays(bench.first.talks())
    eventually(lambda: bench.route.ask("hi") == TEXT and bench.answered_by() == "primary",
               what="the primary answers again")
    assert (bench.mount / "primary").status("breaker")["state"] == "closed"
    assert_accounts_agree(bench)


def test_16_usage_is_counted_once_and_for_who_spent_it(bench, gate):
    breaks_after(bench, gate, 6, RESET)
    bench.primary.always_plays(*bench.breaks(503))
    assert bench.route.ask("hi") == TEXT
    spent = {name: int((bench.mount / name).status()["tokens_out"])
             for name in ("primary", "fallback")}
    assert spent["fallback"] == 20 and spent["primary"] >= 20
    assert int(bench.route.latest.status()["tokens_out"]) == 20
