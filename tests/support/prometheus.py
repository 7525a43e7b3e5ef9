"""What metrics say, as Prometheus and its promtool read it. promtool must be installed."""

import errno
import re
import subprocess

import pytest

from support.server import LAST_CHUNK, RESET, chat_delta, chat_end, chunk, stream_head

SAMPLE = re.compile(r'(askfs_\w+)(?:\{((?:\w+="(?:\\.|[^"\\])*",?)*)\})? (\S+)')
LABEL = re.compile(r'(\w+)="((?:\\.|[^"\\])*)"')


def promtool(*arguments, **options):
    result = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False,
                            timeout=50, **options)
    return result.returncode, result.stdout + result.stderr


def lint(text):
    """What promtool complains of."""
    code, said = promtool("check", "metrics", input=text)
    assert code == 0, said
    return said


def samples_of(text):
    """(name, labels, value) of each sample."""
    for line in text.splitlines():
        if not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            assert match, line
            yield match[1], dict(LABEL.findall(match[2] or "")), float(match[3])


def families_of(text):
    """The labels of each family."""
    families = {name: set() for name in re.findall(r"^# TYPE (\w+) ", text, re.M)}
    for name, labels, _ in samples_of(text):
        family = name if name in families else re.sub(r"_(bucket|sum|count)$", "", name)
        families[family] |= set(labels)
    return families


def types_of(text):
    return dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))


def value(text, series, **labels):
    found = [got for name, these, got in samples_of(text)
             if name == series and labels.items() <= these.items()]
    assert len(found) == 1, f"{series} {labels}: {found}"
    return found[0]


@pytest.fixture
def busy(mounted, server, folder):
    """A mount after traffic of every kind: answers, retries, a reconnect, failures, a cancel, a route,
    an open breaker, text in the spill file, and a provider without a key."""
    fake_type = {"type": "openai-compatible", "base_url": server.url, "model": "m"}
    mount = mounted(
        {"fake": {**fake_type, "max_memory_per_response": 65536},
         "dead": {**fake_type, "retry": {"max_attempts": 1}},
         "sim": {"type": "sim"},
         "keyless": {"type": "openai", "api_key": {"file": str(folder / "nothing")}},
         "any": {"type": "route", "providers": ["dead", "fake"]}},
        top={"max_memory": 1 << 20},
    )
    fake = mount / "fake"
    assert fake.ask("hi") == "ok"
    server.error(503)
    assert fake.ask("after a retry") == "ok"
    server.plays(stream_head(), chunk(chat_delta("Hel")), RESET)
    fake.ask("after a cut")
    server.error(402, body={"error": {"code": "insufficient_quota", "message": "no credit"}})
    assert fake.fails("refused")[1] == errno.EDQUOT
    text = "x" * (32 << 10)
    server.plays(stream_head(), *[chunk(chat_delta(text))] * 64, chunk(chat_end()), LAST_CHUNK)
    assert fake.ask("much") == text * 64
    (mount / "sim").write('{"sim": {"chunks": 10000, "ms_per_chunk": 100}}', "options.json")
    (mount / "sim").write("long")
    (mount / "sim").becomes(requests_active="1")
    (mount / "sim").latest.write("stop", "cancel")
    (mount / "dead").write("open", "breaker")
    assert (mount / "any").ask("by route") == "ok"
    return mount
