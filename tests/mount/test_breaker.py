"""breaker: it opens by itself, closes by itself, and obeys."""

import errno

import pytest

from support.askfs import key_values
from support.waiting import eventually

KEYS = "state failures threshold window_s retry_in_s opened_at opens cause forced".split()


def breaker_of(directory):
    return key_values(directory.read("breaker"))


@pytest.fixture
def broken(mounted, simulator):
    """A provider whose every request fails at its first attempt."""
    simulator.fault("server status=503")
    config = {"type": "sim", "base_url": simulator.url, "retry": {"max_attempts": 1},
              "breaker": {"recovery_timeout": 30}}
    return mounted({"sim": config}) / "sim"


def test_its_keys_are_those_of_the_manual_and_state_is_first(sim):
    assert list(breaker_of(sim)) == KEYS


def test_it_is_closed_at_first(sim):
    breaker = breaker_of(sim)
    assert (breaker["state"], breaker["failures"], breaker["threshold"]) == ("closed", "0", "5")
    assert (breaker["opens"], breaker["forced"]) == ("0", "no")


def test_five_failed_requests_open_it_and_then_prompt_refuses(broken, simulator):
    for number in range(5):
        assert broken.errno_at_open() == 0
        assert breaker_of(broken)["failures"] == str(number)
        assert broken.fails("hi") == ("", errno.EREMOTEIO)
    breaker = breaker_of(broken)
    assert (breaker["state"], breaker["failures"], breaker["opens"]) == ("open", "5", "1")
    assert 0 < float(breaker["retry_in_s"])
    assert breaker["opened_at"] != "-"
    assert "server" in breaker["cause"] or "overloaded" in breaker["cause"]
    assert broken.errno_at_open() == errno.EHOSTDOWN
    assert broken.status()["breaker"] == "open"
    assert broken.status()["state"] == "down"
    assert broken.request_count() == 5


def test_a_failed_request_counts_once_however_often_it_was_retried(mounted, simulator):
    simulator.fault("server status=503")
    sim = mounted({"sim": {"type": "sim", "base_url": simulator.url}}) / "sim"
    for number in range(4):
        sim.fails("hi")
        assert breaker_of(sim)["failures"] == str(number + 1)
    assert breaker_of(sim)["state"] == "closed"
    assert sim.status()["attempts_total"] == "12"


def test_a_request_that_a_retry_saved_is_no_failure(sim, simulator):
    simulator.fault("server status=503 times=1")
    assert sim.ask("hi")
    assert breaker_of(sim)["failures"] == "0"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_mistakes_of_the_caller_never_count(fake, server, status):
    server.error(status, times=8)
    for _ in range(8):
        fake.fails("hi")
    assert breaker_of(fake)["state"] == "closed"
    assert breaker_of(fake)["failures"] == "0"


def test_cancelled_requests_never_count(fake, server, gate):
    server.always_plays(gate)
    for _ in range(8):
        fake.write("hi")
        fake.latest.write("stop", "cancel")
        fake.wait()
    assert breaker_of(fake)["failures"] == "0"


def test_after_its_time_probes_close_it(mounted, simulator):
    simulator.fault("server status=503 times=5")
    config = {"type": "sim", "base_url": simulator.url, "retry": {"max_attempts": 1},
              "breaker": {"recovery_timeout": 0.3, "success_threshold": 2}}
    sim = mounted({"sim": config}) / "sim"
    for _ in range(5):
        sim.fails("hi")
    assert breaker_of(sim)["state"] == "open"
    eventually(lambda: breaker_of(sim)["state"] == "half_open")
    assert sim.ask("first probe")
    assert breaker_of(sim)["state"] == "half_open"
    assert sim.ask("second probe")
    assert breaker_of(sim)["state"] == "closed"
    assert breaker_of(sim)["opens"] == "1"


def test_a_failed_probe_opens_it_again(mounted, simulator):
    simulator.fault("server status=503 times=6")
    config = {"type": "sim", "base_url": simulator.url, "retry": {"max_attempts": 1},
              "breaker": {"recovery_timeout": 0.3}}
    sim = mounted({"sim": config}) / "sim"
    for _ in range(5):
        sim.fails("hi")
    eventually(lambda: breaker_of(sim)["state"] == "half_open")
    assert sim.fails("probe") == ("", errno.EREMOTEIO)
    assert breaker_of(sim)["opens"] == "2"


def test_only_one_probe_at_a_time(mounted, server, gate):
    server.error(503, times=5)
    server.answer("pro", gate, "be")
    config = {"type": "openai-compatible", "base_url": server.url, "model": "m",
              "retry": {"max_attempts": 1}, "breaker": {"recovery_timeout": 0.3}}
    fake = mounted({"fake": config}) / "fake"
    for _ in range(5):
        fake.fails("hi")
    eventually(lambda: breaker_of(fake)["state"] == "half_open")
    fake.write("the probe")
    assert gate.reached.wait(20)
    assert fake.errno_at_open() == errno.EHOSTDOWN
    gate.open()
    assert fake.read() == "probe"
    assert fake.errno_at_open() == 0


def test_open_refuses_until_told_otherwise(sim):
    sim.mount.run("echo open > mount/sim/breaker")
    breaker = breaker_of(sim)
    assert (breaker["state"], breaker["forced"]) == ("open", "yes")
    code, _, error = sim.mount.shell("echo hi > mount/sim/prompt")
    assert code != 0 and "Host is down" in error
    sim.mount.run("echo auto > mount/sim/breaker")
    assert breaker_of(sim)["forced"] == "no"


def test_close_lets_every_request_through(broken):
    broken.write("close", "breaker")
    for _ in range(8):
        assert broken.fails("hi") == ("", errno.EREMOTEIO)
    breaker = breaker_of(broken)
    assert (breaker["state"], breaker["forced"]) == ("closed", "yes")


def test_reset_forgets_all_failures(broken, simulator):
    for _ in range(5):
        broken.fails("hi")
    assert broken.errno_at_open() == errno.EHOSTDOWN
    broken.write("reset", "breaker")
    breaker = breaker_of(broken)
    assert (breaker["state"], breaker["failures"], breaker["forced"]) == ("closed", "0", "no")
    simulator.clear_faults()
    assert broken.ask("hi")


def test_another_word_is_refused_and_changes_nothing(sim):
    with pytest.raises(OSError) as refused:
        sim.write("opne", "breaker")
    assert refused.value.errno == errno.EINVAL
    assert breaker_of(sim)["state"] == "closed"


def test_breakers_of_two_providers_are_independent(mounted, simulator):
    mount = mounted({name: {"type": "sim", "base_url": simulator.url} for name in ("one", "two")})
    (mount / "one").write("open", "breaker")
    assert (mount / "one").errno_at_open() == errno.EHOSTDOWN
    assert (mount / "two").ask("hi")


def test_a_told_time_holds_the_breaker_open(mounted, server):
    fake = mounted({"fake": {"type": "openai-compatible", "base_url": server.url, "model": "fake",
                             "retry": {"max_attempts": 1},
                             "breaker": {"failure_threshold": 1, "recovery_timeout": 1}}}) / "fake"
    server.error(503, headers={"Retry-After": "600"})
    fake.fails("hi")
    breaker = fake.status("breaker")
    assert breaker["state"] == "open" and 590 < float(breaker["retry_in_s"]) <= 600
