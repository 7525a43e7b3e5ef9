"""Configuration: where it is found, what --check says, and how exact its errors are."""

import json
import os
import pwd
import subprocess

import pytest

from support import programs


def askfs(folder, *arguments, **variables):
    return subprocess.run(
        [programs.ASKFS, *arguments], capture_output=True, text=True, timeout=30, check=False,
        stdin=subprocess.DEVNULL, env=programs.environment(folder, **variables), cwd=folder,
    )


def check(folder, text):
    (folder / "config.json").write_text(text if isinstance(text, str) else json.dumps(text))
    return askfs(folder, "--check", "-c", "config.json")


def provider(**more):
    return {"providers": {"openai": {"type": "openai", **more}}}


ERRORS = [
    (provider(timeouts={"conect": 1}), ["providers.openai.timeouts.conect", "unknown key", '"connect"']),
    (provider(modle="x"), ["providers.openai.modle", "unknown key", '"model"']),
    ({"provider": {}}, ["provider", "unknown key", '"providers"']),
    ({"providers": {"x": {"type": "opnai"}}}, ["providers.x.type", "opnai", '"openai"']),
    (provider(timeouts={"read": "long"}), ["providers.openai.timeouts.read", "number"]),
    (provider(timeouts={"read": -1}), ["providers.openai.timeouts.read"]),
    (provider(retry={"max_attempts": 0}), ["providers.openai.retry.max_attempts"]),
    (provider(retry={"max_attempts": 2.5}), ["providers.openai.retry.max_attempts"]),
    (provider(model=7), ["providers.openai.model"]),
    (provider(api="completions"), ["providers.openai.api", "responses"]),
    (provider(options=[]), ["providers.openai.options"]),
    (provider(recovery="perhaps"), ["providers.openai.recovery", "auto"]),
    (provider(base_url="ftp://example.org"), ["providers.openai.base_url"]),
    (provider(ca_file="nothing.pem"), ["providers.openai.ca_file", "nothing.pem"]),
    ({"providers": {"x": {"type": "openai-compatible", "model": "m"}}}, ["providers.x", "base_url"]),
    ({"providers": {"x": {}}}, ["providers.x", "type"]),
    ({"providers": {"a/b": {"type": "sim"}}}, ["a/b"]),
    ({"providers": {"status": {"type": "sim"}}}, ["status"]),
    ({"defaults": {"breaker": {"window": "x"}}, "providers": {}}, ["defaults.breaker.window"]),
    ([], ["config.json"]),
    ('{"providers": {', ["config.json", "1"]),
]


@pytest.mark.parametrize("config, words", ERRORS, ids=[" ".join(words) for _, words in ERRORS])
def test_a_mistake_is_named_with_its_file_and_path(folder, config, words):
    result = check(folder, config)
    assert result.returncode == 2
    assert result.stderr.startswith("askfs: ") and result.stderr.count("\n") == 1
    for word in ["config.json", *words]:
        assert word in result.stderr, result.stderr


def test_check_prints_what_would_be_mounted(folder):
    result = check(folder, {"providers": {
        "openai": {"type": "openai", "model": "gpt-5.2", "api_key": {"env": "OPENAI_API_KEY"}},
        "local": {"type": "openai-compatible", "base_url": "http://127.0.0.1:8080/v1", "model": "default"},
    }})
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    openai = next(line for line in lines if "openai" in line and "gpt-5.2" in line)
    assert "OPENAI_API_KEY" in openai
    assert any("127.0.0.1:8080" in line and "local" in line for line in lines)


def test_the_configuration_of_the_manual_is_accepted(folder):
    result = check(folder, """{
      "defaults": {
        "retry":   { "max_attempts": 3, "initial_delay": 0.5, "backoff_factor": 2.0, "max_delay": 30.0,
                     "max_retry_after": 60.0, "max_reconnect_attempts": 3 },
        "breaker": { "failure_threshold": 5, "window": 60.0, "recovery_timeout": 60.0, "success_threshold": 2 },
        "timeouts":{ "connection": 30.0, "first_token": 120.0, "read": 300.0, "total": 0 },
        "recovery": "auto"
      },
      "providers": {
        "openai":    { "type": "openai",    "model": "gpt-5.2", "api_key": { "env": "OPENAI_API_KEY" } },
        "anthropic": { "type": "anthropic", "model": "claude-sonnet-5", "api_key": { "file": "~/.keys/anthropic" } },
        "xai":       { "type": "xai",       "model": "grok-4", "api_key": { "command": ["pass", "xai"] } },
        "local":     { "type": "openai-compatible", "base_url": "http://127.0.0.1:8080/v1", "model": "default" },
        "any":       { "type": "route", "providers": ["anthropic", "openai", "local"] }
      }
    }""")
    assert (result.returncode, result.stderr) == (0, "")


def one_provider(name):
    return json.dumps({"providers": {name: {"type": "sim"}}})


def test_the_first_configuration_that_is_found_counts(folder):
    (folder / "explicit.json").write_text(one_provider("from-explicit"))
    (folder / "variable.json").write_text(one_provider("from-variable"))
    xdg = folder / "xdg" / "askfs"
    home = folder / ".config" / "askfs"
    for directory, name in ((xdg, "from-xdg"), (home, "from-home")):
        directory.mkdir(parents=True)
        (directory / "config.json").write_text(one_provider(name))
    variables = {"ASKFS_CONFIG": str(folder / "variable.json"), "XDG_CONFIG_HOME": str(folder / "xdg")}
    assert "from-explicit" in askfs(folder, "--check", "-c", "explicit.json", **variables).stdout
    assert "from-explicit" in askfs(folder, "--check", "-o", "config=explicit.json", **variables).stdout
    assert "from-variable" in askfs(folder, "--check", **variables).stdout
    del variables["ASKFS_CONFIG"]
    assert "from-xdg" in askfs(folder, "--check", **variables).stdout
    assert "from-home" in askfs(folder, "--check").stdout


@pytest.mark.parametrize("home", [["-u", "HOME"], ["HOME="]])
def test_without_the_variable_home_is_what_the_system_knows(folder, home):
    """mount(8) starts it from fstab with no environment at all."""
    (folder / "config.json").write_text(json.dumps({"providers": {
        "fake": {"type": "openai", "api_key": {"file": "~/.keys/fake"}}}}))
    result = subprocess.run(["env", *home, programs.ASKFS, "--check", "-c", "config.json"], capture_output=True,
                            text=True, check=False, timeout=30, cwd=folder, env=programs.environment(folder))
    assert result.returncode == 0, result.stderr
    assert pwd.getpwuid(os.getuid()).pw_dir + "/.keys/fake" in result.stdout


def test_a_named_configuration_that_is_missing_is_an_error(folder):
    result = askfs(folder, "--check", "-c", "nothing.json")
    assert result.returncode == 2
    assert "nothing.json" in result.stderr


def test_without_any_configuration_check_shows_the_keys_and_the_simulator(folder):
    result = askfs(folder, "--check", OPENAI_API_KEY="sk-some-secret")
    assert result.returncode == 0
    assert "openai" in result.stdout and "sim" in result.stdout
    assert "anthropic" not in result.stdout
    assert "sk-some-secret" not in result.stdout


def test_defaults_hold_for_every_provider_and_a_provider_wins(mounted, server):
    mount = mounted(
        {"one": {"type": "openai-compatible", "base_url": server.url, "model": "m"},
         "two": {"type": "openai-compatible", "base_url": server.url, "model": "m", "retry": {"max_attempts": 1}}},
        {"retry": {"max_attempts": 2, "initial_delay": 0.01}},
    )
    server.always_plays(*server.error_script(503))
    (mount / "one").fails("hi")
    (mount / "two").fails("hi")
    assert len((mount / "one").latest.attempts()) == 2
    assert len((mount / "two").latest.attempts()) == 1
