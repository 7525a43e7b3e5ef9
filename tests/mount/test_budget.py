"""The user's own budget: what it counts, what it refuses, who hears of it, and when it ends.

An answer of the played provider costs 3 tokens of input and 2 of output."""

import errno
import json
import signal
import time

import pytest

from support.askfs import Reader
from support.server import LAST_CHUNK, RESET, Server, chat_delta, chat_end, chunk, stream_head
from support.waiting import eventually

LONG = 10**9  # a period that began in 2001 and ends in 2033


@pytest.fixture
def second():
    server = Server()
    yield server
    server.stop()


def provider(server, budget=None, **more):
    found = {"type": "openai-compatible", "base_url": server.url, "model": "fake", **more}
    return {**found, "budget": {"period": LONG, **budget}} if budget is not None else found


@pytest.fixture
def limited(mounted, server):
    """limited({"requests": 3}): the directory of a provider with this budget."""

    def begin(budget, **more):
        return mounted({"fake": provider(server, budget, **more)}) / "fake"

    return begin


def lines(mount, name, **facts):
    found = [json.loads(line) for line in mount.read(name).splitlines()]
    return [line for line in found if facts.items() <= line.items()]


def alerts(mount):
    return [line["state"] for line in lines(mount, "alerts", alert="budget")]


def left(directory):
    status = directory.status()
    return tuple(status[f"budget_{name}_left"] for name in ("requests", "tokens", "money"))


def spent_ratio(mount, budget, name="fake"):
    [line] = [line for line in mount.read("metrics").splitlines()
              if line.startswith(f'askfs_budget_spent_ratio{{provider="{name}",budget="{budget}"}}')]
    return float(line.split()[-1])


# ---- what is refused ----


def test_a_prompt_beyond_the_requests_of_the_budget_cannot_be_opened(limited, server):
    directory = limited({"requests": 3})
    for _ in range(3):
        assert directory.ask("hi") == "ok"
    assert directory.errno_at_open() == errno.EDQUOT
    code, _, said = directory.mount.shell("echo hi > mount/fake/prompt")
    assert code and "quota exceeded" in said
    assert len(server.requests) == 3
    assert directory.read() == "ok"  # what was answered stays


def test_tokens_are_counted_as_the_provider_tells_them(limited, server):
    directory = limited({"tokens": 11})
    assert [directory.ask("hi") for _ in range(2)] == ["ok", "ok"]
    assert left(directory) == ("-", "1", "-")
    assert directory.ask("hi") == "ok"  # what it will cost is not foreseen
    assert left(directory) == ("-", "0", "-")
    assert directory.errno_at_open() == errno.EDQUOT
    assert len(server.requests) == 3


def test_money_is_tokens_by_their_price(limited, server):
    prices = {"input": 100000, "output": 200000}  # an answer is 0.3 and 0.4
    directory = limited({"money": 1.4}, prices=prices)
    assert directory.ask("hi") == "ok"
    assert left(directory) == ("-", "-", "0.700000")
    assert directory.ask("hi") == "ok"
    assert directory.errno_at_open() == errno.EDQUOT
    assert len(server.requests) == 2


def test_without_a_budget_nothing_is_refused(limited):
    directory = limited(None)
    for _ in range(5):
        assert directory.ask("hi") == "ok"
    assert left(directory) == ("-", "-", "-")
    assert directory.status()["budget_resets_at"] == "-"
    assert alerts(directory.mount) == []


def test_usage_that_is_not_told_counts_as_a_request_only(limited, server):
    directory = limited({"requests": 10, "tokens": 100})
    server.plays(stream_head(Connection="close"), chunk(chat_delta("no usage")), RESET)
    directory.write("hi")
    directory.wait()
    eventually(lambda: directory.status()["requests_active"] == "0")
    # The stream that broke told none; the one that went on told its own.
    assert left(directory) == ("8", "95", "-")


# ---- nothing is sent beyond it ----


def test_prompts_at_once_do_not_pass_the_budget(limited, server, gate):
    directory = limited({"requests": 2})
    for _ in range(2):
        server.answer("Hel", gate, "lo")
        directory.write("hi")
    server.wait_for_requests(2)
    assert left(directory)[0] == "0"
    assert directory.errno_at_open() == errno.EDQUOT
    gate.open()
    assert directory.read() == "Hello"  # what is under way is not stopped
    assert len(server.requests) == 2


def test_a_prompt_whose_turn_comes_too_late_is_not_sent(limited, server, gate):
    directory = limited({"requests": 2}, max_in_flight=1)
    server.answer("first", gate)
    for name in ("one", "two", "three"):
        directory.write(name)
    reader = Reader(directory / "response").waits()
    gate.open()
    assert reader.end() == b"" and reader.error == errno.EDQUOT
    assert [request.prompt() for request in server.requests] == ["one", "two"]
    error = directory.latest.status("error")
    assert error["error"] == "budget" and error["attempts"].startswith("0 of")
    assert "nothing was sent" in error["message"]


def test_a_retry_beyond_the_budget_is_not_made(limited, server):
    directory = limited({"requests": 1})
    server.cut("Hel")
    directory.write("hi")
    directory.wait()
    assert directory.read_to_error()[1] == errno.EDQUOT
    assert len(server.requests) == 1
    error = directory.status("error")
    assert error["error"] == "budget"
    assert "budget.requests: 1" in error["message"] and "stream_truncated" in error["message"]
    assert error["come_back_at"].startswith("2033-05-18T03:33:20")
    assert "raise the budget" in error["what_to_do"]
    [attempt] = directory.latest.attempts()
    assert (attempt["class"], attempt["delay_reason"]) == ("stream_truncated", "budget_spent")
    [event] = lines(directory.mount, "events", event="budget_denied")
    assert (event["provider"], event["budget"], event["left"]) == ("fake", "requests", 0)


def test_an_answer_that_readers_have_begun_is_not_gone_on_with_beyond_the_budget(limited, server, gate):
    directory = limited({"requests": 1})
    server.cut("The lighthouse keeper", gate)
    directory.write("hi")
    reader = Reader(directory / "response")
    reader.has("keeper")
    gate.open()
    assert reader.end() == b"The lighthouse keeper" and reader.error == errno.EDQUOT
    assert len(server.requests) == 1


def test_what_the_provider_turned_away_costs_nothing(limited, server):
    directory = limited({"requests": 1})
    server.error(503, times=2)
    assert directory.ask("hi") == "ok"
    assert len(server.requests) == 3
    assert left(directory)[0] == "0"


def test_a_cancelled_request_may_have_cost(limited, server, gate):
    directory = limited({"requests": 5})
    server.answer("Hel", gate, "lo")
    directory.write("hi")
    Reader(directory / "response").has("Hel")
    directory.latest.write("stop", "cancel")
    assert left(directory)[0] == "4"
    assert directory.latest.attempts()[0]["billed"] == "yes"


def test_looking_and_asking_for_the_models_cost_nothing(limited):
    directory = limited({"requests": 1})
    directory.read("models")
    directory.mount.run("ls -lR mount; cat mount/fake/status mount/metrics > /dev/null")
    assert left(directory)[0] == "1"


# ---- routes ----


@pytest.fixture
def route(mounted, server, second):
    def begin(first_budget, second_budget=None):
        mount = mounted({"a": provider(server, first_budget), "b": provider(second, second_budget),
                         "any": {"type": "route", "providers": ["a", "b"]}})
        for who, text in ((server, "a"), (second, "b")):
            who.always_plays(stream_head(), chunk(chat_delta(text)), chunk(chat_end()), LAST_CHUNK)
        return mount

    return begin


def test_a_route_skips_a_provider_whose_budget_is_spent(route):
    mount = route({"requests": 1})
    assert [(mount / "any").ask("hi") for _ in range(3)] == ["a", "b", "b"]
    assert (mount / "any").status()["state"] == "degraded"
    assert left(mount / "any") == ("-", "-", "-")


def test_a_route_is_refused_when_all_its_budgets_are_spent(route, server, second):
    mount = route({"requests": 1}, {"requests": 1})
    assert [(mount / "any").ask("hi") for _ in range(2)] == ["a", "b"]
    assert (mount / "any").errno_at_open() == errno.EDQUOT
    assert (len(server.requests), len(second.requests)) == (1, 1)
    assert (mount / "any").status()["state"] == "down"


def test_a_route_goes_elsewhere_when_a_retry_has_no_budget(route, server, second):
    mount = route({"requests": 1})
    server.cut("x")
    (mount / "any").write("hi")
    (mount / "any").wait()
    assert (mount / "any").read() == "b"
    assert (len(server.requests), len(second.requests)) == (1, 1)
    assert (mount / "a").status()["requests_active"] == "0"


def test_a_prompt_that_was_open_while_all_budgets_were_spent_fails_with_budget(route, server):
    mount = route({"requests": 1}, {"requests": 1})
    with open(mount / "any" / "prompt", "w") as late:
        late.write("late")
        assert [(mount / name).ask("hi") for name in "ab"] == ["a", "b"]
    assert (mount / "any").read_to_error() == ("", errno.EDQUOT)
    assert (mount / "any").status("error")["error"] == "budget"
    assert len(server.requests) == 1


def test_a_retry_whose_budget_was_spent_meanwhile_goes_elsewhere(route, server, second):
    mount = route({"requests": 1})
    server.error(503, headers={"retry-after": "1"})
    (mount / "any").write("hi")
    eventually(lambda: (mount / "any").latest.status()["state"] == "retrying")
    assert (mount / "a").ask("quick") == "a"
    assert (mount / "any").read() == "b"
    assert (len(server.requests), len(second.requests)) == (2, 1)
    assert (mount / "a").status()["requests_active"] == "0"
    assert (mount / "a").status()["requests_failed"] == "1"


# ---- periods and reloads ----


def test_the_next_period_has_its_own_budget(limited, server):
    directory = limited({"requests": 1, "period": 4})
    while time.time() % 4 > 1:
        time.sleep(0.05)
    assert directory.ask("hi") == "ok"
    resets_at = directory.status()["budget_resets_at"]
    assert resets_at.endswith(".000Z") and int(resets_at[-7:-5]) % 4 == 0
    assert directory.errno_at_open() == errno.EDQUOT
    eventually(lambda: directory.errno_at_open() == 0)
    assert directory.ask("hi") == "ok"
    assert len(server.requests) == 2


def reload(mount, config):
    loads = len(lines(mount, "events", event="config_loaded"))
    mount.config_file.write_text(json.dumps({"providers": config}))
    mount.process.send_signal(signal.SIGHUP)
    eventually(lambda: len(lines(mount, "events", event="config_loaded")) > loads)


def test_a_reload_changes_the_budget_and_keeps_what_was_spent(limited, server):
    directory = limited({"requests": 2})
    mount = directory.mount
    assert [directory.ask("hi") for _ in range(2)] == ["ok", "ok"]
    assert directory.errno_at_open() == errno.EDQUOT
    assert alerts(mount) == ["raised"]
    reload(mount, {"fake": provider(server, {"requests": 5})})
    assert left(directory)[0] == "3"
    assert alerts(mount) == ["raised", "ended"]
    assert directory.ask("hi") == "ok"
    reload(mount, {"fake": provider(server, {"requests": 3})})
    assert directory.errno_at_open() == errno.EDQUOT
    assert alerts(mount) == ["raised", "ended", "raised"]
    reload(mount, {"fake": provider(server)})
    assert directory.ask("hi") == "ok"
    assert alerts(mount)[-1] == "ended"


def test_an_amount_of_money_without_prices_is_an_error_that_says_what_to_do(mounted, server):
    mount = mounted({"fake": provider(server, {"money": 5})}, usable=False)
    mount.expected_exit = 2
    assert mount.process.wait(20) == 2
    assert "providers.fake.budget.money: " in mount.stderr()
    assert 'set "prices"' in mount.stderr()


# ---- who hears of it ----


def test_it_is_told_when_the_budget_is_nearly_spent(limited):
    directory = limited({"requests": 10})
    for _ in range(8):
        directory.ask("hi")
    assert alerts(directory.mount) == []
    directory.ask("hi")
    [alert] = lines(directory.mount, "alerts", alert="budget")
    assert (alert["provider"], alert["state"], alert["value"]) == ("fake", "raised", 0.9)
    assert directory.status()["state"] == "ok"
    assert spent_ratio(directory.mount, "requests") == 0.9
    assert spent_ratio(directory.mount, "tokens") == 0
    directory.ask("hi")
    assert directory.status()["state"] == "rate_limited"
    assert left(directory)[0] == "0"
    assert 'askfs_alert_raised{provider="fake",alert="budget"} 1' in directory.mount.read("metrics")


def test_the_alert_ends_with_the_period_though_nobody_asks(limited):
    directory = limited({"tokens": 5, "period": 2})
    directory.ask("hi")
    eventually(lambda: alerts(directory.mount) == ["raised", "ended"], seconds=30)
