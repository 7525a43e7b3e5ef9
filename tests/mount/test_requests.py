"""requests/<id>, latest, cancel, attempts, status: a record of each request."""

import errno
import json
import os
import re

import pytest

from support.askfs import Directory, Reader
from support.waiting import eventually

REQUEST_FILES = "prompt response reasoning status error attempts wait cancel request.json response.json"
PROVIDER_FILES = ("prompt response reasoning wait request.json response.json status breaker error "
                  "models model system options.json requests")
REQUEST_KEYS = (
    "id state provider model attempt max_attempts retry_in_s retry_reason recovery reconnects bytes "
    "tokens_in tokens_out finish_reason error http_status provider_request_id started_at ttft_ms "
    "elapsed_ms"
).split()
PROVIDER_KEYS = (
    "provider type model endpoint state breaker breaker_failures breaker_retry_in_s requests_active "
    "requests_queued requests_total requests_ok requests_failed requests_cancelled attempts_total "
    "retries_total reconnects_total error_rate_5m rate_limited_for_s ttft_p50_ms ttft_p95_ms "
    "tokens_in tokens_out last_error last_error_at "
    "budget_requests_left budget_tokens_left budget_money_left budget_resets_at"
).split()
ATTEMPT_KEYS = (
    "number provider model started_at connect_ms ttft_ms total_ms http_status class bytes delay_s "
    "delay_reason provider_request_id usage recovery billed"
).split()


def test_the_root_holds_what_the_manual_says(sim):
    names = os.listdir(sim.mount.path)
    for name in "README status metrics config.json version sim".split():
        assert name in names


def test_a_provider_holds_what_the_manual_says(sim):
    assert set(PROVIDER_FILES.split()) <= set(os.listdir(sim.path))


def test_a_request_holds_what_the_manual_says(sim):
    sim.ask("hi")
    assert sorted(os.listdir(sim.latest.path)) == sorted(REQUEST_FILES.split())


def test_the_keys_of_a_providers_status_are_stable(sim):
    assert list(sim.status()) == PROVIDER_KEYS
    sim.ask("hi")
    assert list(sim.status()) == PROVIDER_KEYS


def test_the_keys_of_a_requests_status_are_stable(sim):
    sim.ask("hi")
    assert list(sim.latest.status()) == REQUEST_KEYS


def test_a_providers_status_counts(sim):
    for _ in range(3):
        sim.ask("hi")
    status = sim.status()
    assert (status["provider"], status["type"], status["model"]) == ("sim", "sim", "sim")
    assert (status["state"], status["breaker"]) == ("ok", "closed")
    assert (status["requests_total"], status["requests_ok"]) == ("3", "3")
    assert (status["requests_failed"], status["requests_active"]) == ("0", "0")
    assert (status["attempts_total"], status["retries_total"]) == ("3", "0")
    assert int(status["tokens_in"]) > 0 and int(status["tokens_out"]) > 0
    assert float(status["ttft_p50_ms"]) > 0
    assert status["last_error"] == "-"


def test_a_finished_requests_status_tells_how_it_went(fake, server):
    server.answer("Hello")
    fake.ask("hi")
    status = fake.latest.status()
    assert (status["state"], status["provider"], status["model"]) == ("done", "fake", "fake")
    assert (status["attempt"], status["max_attempts"]) == ("1", "3")
    assert (status["bytes"], status["finish_reason"]) == ("5", "stop")
    assert (status["tokens_in"], status["tokens_out"]) == ("3", "2")
    assert (status["error"], status["http_status"], status["recovery"]) == ("-", "200", "none")
    assert float(status["elapsed_ms"]) >= float(status["ttft_ms"]) > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", status["started_at"])
    assert status["id"] == os.readlink(fake / "requests" / "latest")


def test_a_live_requests_status_tells_where_it_is(fake, server, gate):
    server.plays(gate)
    fake.write("hi")
    server.wait_for_requests(1)
    assert fake.latest.becomes(state="waiting")
    assert fake.status()["requests_active"] == "1"
    gate.open()


def test_a_streaming_requests_status_counts_bytes(fake, server, gate):
    server.answer("Hel", gate, "lo")
    fake.write("hi")
    Reader(fake / "response").has("Hel")
    status = fake.latest.status()
    assert (status["state"], status["bytes"]) == ("streaming", "3")
    gate.open()


def test_a_request_between_two_attempts_says_why_and_how_long(mounted, server):
    fake = mounted({"fake": {"type": "openai-compatible", "base_url": server.url, "model": "m"}}) / "fake"
    server.error(503, headers={"Retry-After": "30"})
    fake.write("hi")
    assert fake.latest.becomes(state="retrying")
    status = fake.latest.status()
    assert 25 < float(status["retry_in_s"]) < 60
    assert status["retry_reason"] not in ("", "-")
    fake.latest.write("stop", "cancel")


def test_latest_is_a_link_to_the_newest(sim):
    sim.ask("one")
    first = os.readlink(sim / "requests" / "latest")
    sim.ask("two")
    second = os.readlink(sim / "requests" / "latest")
    assert first < second
    assert sim.latest.read("prompt").strip() == "two"
    assert Directory(sim.mount, sim / "requests" / first).read("prompt").strip() == "one"


def test_names_of_requests_sort_by_time(echo):
    for number in range(12):
        echo.ask(f"prompt {number}")
    names = sorted(name for name in os.listdir(echo / "requests") if name != "latest")
    prompts = [(echo / "requests" / name / "prompt").read_text().strip() for name in names]
    assert prompts == [f"prompt {number}" for number in range(12)]


def test_a_request_keeps_its_own_answer(echo):
    echo.ask("one")
    first = Directory(echo.mount, echo / "requests" / os.readlink(echo / "requests" / "latest"))
    echo.ask("two")
    assert first.read() == "one"
    assert echo.read() == "two"


def test_only_the_newest_are_kept(mounted, simulator):
    sim = mounted({"sim": {"type": "sim", "base_url": simulator.url, "requests_kept": 4}}) / "sim"
    for number in range(10):
        sim.ask(f"prompt {number}")
    assert sim.request_count() == 4
    assert sim.latest.read("prompt").strip() == "prompt 9"


def test_an_open_answer_outlives_its_record(mounted, simulator):
    sim = mounted({"sim": {"type": "sim", "base_url": simulator.url, "requests_kept": 2}}) / "sim"
    sim.write("sim-echo", "model")
    sim.ask("the first")
    with open(sim / "response", "rb") as file:
        for _ in range(5):
            sim.ask("others")
        assert file.read() == b"the first"


def test_without_a_request_latest_points_nowhere(sim):
    assert not (sim / "requests" / "latest").exists()


def test_the_file_names_of_requests_that_never_were_do_not_exist(sim):
    for name in ("nothing", "0", "..%2f", "x" * 255):
        with pytest.raises(FileNotFoundError):
            os.stat(sim / "requests" / name)


def test_cancel_ends_readers_with_ecanceled_and_stops_upstream(fake, server, gate):
    server.answer("Hel", gate, "lo")
    fake.write("hi")
    reader = Reader(fake / "response")
    reader.has("Hel")
    fake.mount.run("echo stop > mount/fake/requests/latest/cancel")
    assert reader.end() == b"Hel"
    assert reader.error == errno.ECANCELED
    assert fake.latest.status()["state"] == "cancelled"
    assert server.requests[0].is_gone.wait(20)
    assert fake.status()["requests_cancelled"] == "1"
    assert fake.status()["requests_failed"] == "0"


def test_cancel_between_two_attempts_ends_the_waiting(fake, server):
    server.error(503, headers={"Retry-After": "30"})
    fake.write("hi")
    fake.latest.becomes(state="retrying")
    fake.latest.write("stop", "cancel")
    assert fake.read_to_error() == ("", errno.ECANCELED)
    assert len(server.requests) == 1


def test_advice_about_what_cannot_be_read_is_borne(sim):
    """It makes the kernel read through the descriptor, although that is for writing alone."""
    sim.ask("hi")
    with open(sim.latest / "cancel", "wb", buffering=0) as file:
        file.write(b"stop")  # now the kernel takes it for a file of four bytes
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
    assert sim.ask("hi again")


def test_cancel_of_a_finished_request_changes_nothing(sim):
    text = sim.ask("hi")
    try:
        sim.latest.write("stop", "cancel")
    except OSError:
        pass  # it may say that there is nothing to cancel
    assert sim.read() == text
    assert sim.latest.status()["state"] == "done"


def test_attempts_of_a_plain_request(fake, server):
    server.answer("Hello")
    fake.ask("hi")
    (attempt,) = fake.latest.attempts()
    assert list(attempt) == ATTEMPT_KEYS
    assert (attempt["number"], attempt["provider"], attempt["model"]) == (1, "fake", "fake")
    assert (attempt["http_status"], attempt["class"], attempt["bytes"]) == (200, "ok", 5)
    assert attempt["total_ms"] >= attempt["ttft_ms"] > 0
    assert attempt["connect_ms"] >= 0
    assert attempt["usage"]["input_tokens"] == 3 and attempt["usage"]["output_tokens"] == 2
    assert (attempt["billed"], attempt["recovery"], attempt["delay_s"]) == ("yes", "none", None)


def test_attempts_of_a_retried_request(fake, server):
    server.error(503)
    server.answer("Hello")
    fake.ask("hi")
    first, second = fake.latest.attempts()
    assert (first["number"], second["number"]) == (1, 2)
    assert (first["http_status"], second["http_status"]) == (503, 200)
    assert first["class"] in ("overloaded", "server") and second["class"] == "ok"
    assert first["delay_s"] >= 0 and first["delay_reason"]
    assert first["provider_request_id"] == "req-from-fake"
    assert first["bytes"] == 0


def test_request_json_is_the_body_that_was_sent(fake, server):
    fake.ask("what was sent")
    sent = json.loads(fake.read("request.json"))
    assert sent == server.requests[0].json()
    assert json.loads(fake.latest.read("request.json")) == sent


def test_response_json_is_the_message(fake, server):
    server.answer("Hel", "lo")
    fake.ask("hi")
    for directory in (fake, fake.latest):
        text = directory.read("response.json")
        assert "Hello" in json.dumps(json.loads(text))


def test_a_tool_call_is_complete_and_in_response_json(sim):
    sim.write('{"sim": {"tool": true}}', "options.json")
    sim.write("what is the weather")
    _, error = sim.read_to_error()
    assert error == 0
    assert sim.latest.status()["state"] == "done"
    assert "tool_calls" in sim.read("response.json") or "tool_use" in sim.read("response.json")


def test_wait_of_a_request_names_it(sim):
    sim.ask("hi")
    identity = os.readlink(sim / "requests" / "latest")
    assert sim.latest.read("wait").startswith(identity)


def test_the_mounts_status_has_one_line_a_provider(mounted, simulator):
    mount = mounted({name: {"type": "sim", "base_url": simulator.url} for name in ("one", "second")})
    (mount / "one").ask("hi")
    lines = mount.read("status").splitlines()
    assert [line.split()[0] for line in lines] == ["one", "second"]
    assert all("ok" in line for line in lines)


def test_the_readme_of_the_mount_names_what_is_mounted(sim):
    text = sim.mount.read("README")
    assert "sim/" in text and "prompt" in text and "response" in text


def test_the_readme_of_the_mount_can_be_typed(mounted, simulator):
    providers = {"keyless": {"type": "openai", "api_key": {"env": "NO_SUCH_KEY"}},
                 "a-longer-name": {"type": "sim", "base_url": simulator.url}}
    mount = mounted(providers)
    commands = [line for line in mount.read("README").splitlines() if "#" in line]
    assert len({line.index("#") for line in commands}) == 1
    assert mount.run("\n".join(commands))


def test_the_readme_of_the_mount_says_whom_a_route_asks(mounted, simulator):
    sim = {"type": "sim", "base_url": simulator.url}
    mount = mounted({"one": sim, "two": sim, "any": {"type": "route", "providers": ["one", "two"]}})
    assert "  any/  route, asks one, two\n" in mount.read("README")
    (mount / "any").write("sim-echo", "model")
    assert "  any/  route, model sim-echo, asks one, two\n" in mount.read("README")


def test_version_names_the_program_and_its_libraries(sim):
    text = sim.mount.read("version")
    assert "askfs" in text and "curl" in text and "fuse" in text.lower()


def test_config_json_is_what_is_in_force(sim, simulator):
    shown = json.loads(sim.mount.read("config.json"))
    assert shown["providers"]["sim"]["type"] == "sim"
    assert simulator.url in json.dumps(shown)


def test_metrics_are_prometheus_text(sim):
    sim.ask("hi")
    text = sim.mount.read("metrics")
    names = set()
    for line in text.splitlines():
        if line.startswith("#"):
            assert re.match(r"# (HELP|TYPE) askfs_\w+ ", line), line
            continue
        match = re.fullmatch(r'(askfs_\w+)(\{[^}]*\})? (\S+)', line)
        assert match, line
        float(match[3].replace("+Inf", "inf"))
        names.add(match[1])
    assert "askfs_requests_total" in names
    assert any("ttft" in name for name in names)
    assert any("breaker" in name for name in names)


def test_the_state_of_a_refusing_provider_is_shown_at_each_step(mounted, simulator):
    simulator.fault("server status=503 times=5")
    sim = mounted({"sim": {"type": "sim", "base_url": simulator.url, "retry": {"max_attempts": 1},
                           "breaker": {"recovery_timeout": 0.3, "success_threshold": 1}}}) / "sim"
    assert sim.status()["state"] == "ok"
    sim.fails("hi")
    assert sim.status()["state"] == "degraded"
    assert sim.status()["requests_failed"] == "1"
    for _ in range(4):
        sim.fails("hi")
    status = sim.status()
    assert (status["state"], status["breaker"], status["breaker_failures"]) == ("down", "open", "5")
    assert status["last_error"] in ("server", "overloaded") and status["last_error_at"] != "-"
    assert float(status["error_rate_5m"]) == 1
    eventually(lambda: sim.status()["breaker"] == "half_open")
    sim.ask("hi")
    assert sim.status()["breaker"] == "closed"
    assert sim.status()["requests_ok"] == "1"
