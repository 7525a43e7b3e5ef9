"""model, system, options.json and models: defaults for new requests."""

import json
import os

import pytest


def newest_body(server):
    return server.requests[-1].json()


def test_a_model_that_is_written_takes_effect_for_the_next_request(fake, server):
    fake.ask("one")
    assert newest_body(server)["model"] == "fake"
    fake.mount.run("echo another > mount/fake/model")
    fake.ask("two")
    assert newest_body(server)["model"] == "another"
    assert fake.read("model").strip() == "another"
    assert fake.status()["model"] == "another"


@pytest.mark.parametrize("name", ["vendor/name:tag", "a;b=c", "with space", "ünïcode", "x" * 200, '"quoted"\\'])
def test_a_model_may_hold_any_printable_text(fake, server, name):
    fake.write(name, "model")
    fake.ask("hi")
    assert newest_body(server)["model"] == name
    assert fake.read("model").strip() == name


def test_a_request_under_way_keeps_its_model(fake, server, gate):
    server.error(503)
    server.answer("Hel", gate, "lo")
    fake.write("hi")
    fake.write("another", "model")
    server.wait_for_requests(2)
    gate.open()
    assert fake.read() == "Hello"
    assert [request.json()["model"] for request in server.requests] == ["fake", "fake"]


def test_the_system_text_is_sent_as_the_system_message(fake, server):
    fake.mount.run("printf 'Answer briefly.\\nAlways.\\n' > mount/fake/system")
    fake.ask("hi")
    first, last = newest_body(server)["messages"]
    assert first == {"role": "system", "content": "Answer briefly.\nAlways."}
    assert last["role"] == "user"
    assert fake.read("system").rstrip("\n") == "Answer briefly.\nAlways."


def test_a_number_is_sent_and_shown_as_it_was_written(mounted, server):
    """0.7, and not 0.69999999999999996: some servers take two digits at most."""
    config = {"type": "openai-compatible", "base_url": server.url, "model": "m"}
    fake = mounted({"fake": {**config, "options": {"temperature": 0.7}}}) / "fake"
    assert '"temperature": 0.7\n' in fake.read("options.json")
    fake.ask("hi")
    assert b'"temperature":0.7}' in server.requests[-1].body
    assert '"ratio": 0.2,' in fake.mount.read("config.json")
    fake.write('{"top_p": 0.1, "exactly": 0.30000000000000004}', "options.json")
    fake.ask("hi")
    assert newest_body(server)["exactly"] == 0.30000000000000004


@pytest.mark.parametrize("how", [": > {0}", "truncate -s 0 {0}", "printf '' > {0}", "cp /dev/null {0}"])
def test_an_emptied_setting_is_none(fake, server, how):
    fake.write("Answer briefly.", "system")
    fake.write('{"seed": 1}', "options.json")
    for name in ("system", "options.json"):
        fake.mount.run(how.format(f"mount/fake/{name}"))
    fake.ask("hi")
    assert len(newest_body(server)["messages"]) == 1
    assert "seed" not in newest_body(server)


def test_options_are_merged_into_every_body(fake, server):
    fake.write('{"temperature": 0.5, "metadata": {"a": [1, null, "x"]}}', "options.json")
    fake.ask("one")
    fake.ask("two")
    for request in server.requests:
        assert request.json()["temperature"] == 0.5
        assert request.json()["metadata"] == {"a": [1, None, "x"]}
        assert request.json()["stream"] is True


@pytest.mark.parametrize("text", ["not json", "[1, 2]", '{"a": ', '"text"', "{} {}"])
def test_options_that_are_not_an_object_are_refused_and_change_nothing(fake, server, text):
    fake.write('{"seed": 7}', "options.json")
    with pytest.raises(OSError):
        fake.write(text, "options.json")
    assert json.loads(fake.read("options.json")) == {"seed": 7}
    fake.ask("hi")
    assert newest_body(server)["seed"] == 7


@pytest.mark.parametrize("name", ["model", "system", "options.json"])
def test_tools_that_write_in_place_can_set(fake, name):
    text = '{"seed": 3}'
    (fake.mount.folder / "value").write_text(text + "\n")
    for command in ("cp value mount/fake/{0}", "tee mount/fake/{0} < value", "cat value > mount/fake/{0}",
                    "dd if=value of=mount/fake/{0} status=none"):
        fake.mount.run(f": > mount/fake/{name}" if name != "model" else "true")
        fake.mount.run(command.format(name))
        assert json.loads(fake.read(name)) == {"seed": 3}


def test_the_configuration_gives_the_first_values(mounted, server):
    fake = mounted({"fake": {"type": "openai-compatible", "base_url": server.url, "model": "m1",
                             "system": "Be kind.", "options": {"seed": 5}}}) / "fake"
    assert fake.read("model").strip() == "m1"
    assert fake.read("system").strip() == "Be kind."
    assert json.loads(fake.read("options.json")) == {"seed": 5}
    fake.ask("hi")
    assert newest_body(server)["seed"] == 5
    assert newest_body(server)["messages"][0]["content"] == "Be kind."


def test_headers_of_the_configuration_are_sent(mounted, server):
    fake = mounted({"fake": {"type": "openai-compatible", "base_url": server.url, "model": "m1",
                             "headers": {"X-Title": "askfs tests"}}}) / "fake"
    fake.ask("hi")
    assert server.requests[0].headers["x-title"] == "askfs tests"


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/"])
@pytest.mark.parametrize(
    "kind, api, path",
    [("openai-compatible", None, "/v1/chat/completions"), ("openai", "chat", "/v1/chat/completions"),
     ("openai", "responses", "/v1/responses"), ("anthropic", None, "/v1/messages"),
     ("xai", None, "/v1/chat/completions")],
)
def test_the_base_url_may_end_in_any_way(mounted, server, kind, api, path, ending):
    config = {"type": kind, "base_url": server.url + ending, "model": "m", "api_key": {"env": "TEST_KEY"},
              "retry": {"max_attempts": 1}}
    if api:
        config["api"] = api
    fake = mounted({"fake": config}, TEST_KEY="sk-test") / "fake"
    fake.write("hi")
    assert server.wait_for_requests(1).path == path
    assert server.requests[0].prompt() == "hi"


def test_models_lists_what_the_provider_offers(fake, server):
    server.models = ["fake", "fake-large", "vendor/other:tag"]
    assert fake.read("models") == "fake\nfake-large\nvendor/other:tag\n"


def test_models_is_asked_once_and_kept(fake, server):
    fake.read("models")
    asked = server.connections
    server.models = ["something else"]
    assert fake.read("models") == "fake\nfake-large\n"
    assert server.connections == asked


def test_models_of_a_provider_that_is_away_is_an_error_and_not_a_hang(mounted):
    away = mounted({"away": {"type": "openai-compatible", "base_url": "http://127.0.0.1:9", "model": "m",
                             "retry": {"max_attempts": 1}}}) / "away"
    with pytest.raises(OSError):
        away.read("models")


def test_settings_are_private_files(fake):
    for name in ("model", "system", "options.json"):
        assert os.stat(fake / name).st_mode & 0o777 == 0o600


def test_a_setting_that_was_refused_is_told(fake):
    fake.mount.run("echo '{' > mount/fake/options.json")
    assert "setting_refused" in fake.mount.read("events")
    assert fake.read("options.json") == "{}\n"
