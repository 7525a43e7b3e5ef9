"""The docs are true: their shell blocks run, their configurations are accepted."""

import errno
import json
import os
import pathlib
import re
import subprocess

import pytest

from support import programs
from support.askfs import take_away
from support.programs import ASKFS, ROOT

RUN = ["README.md", "docs/filesystem.md", "docs/reliability.md"]


def blocks(page, language):
    """(line number, text) of each fenced block in that language."""
    found = []
    lines = (ROOT / page).read_text().splitlines()
    start = None
    for number, line in enumerate(lines, 1):
        if start is None and line.strip() == f"```{language}":
            start = number
        elif start is not None and line.strip() == "```":
            found.append((start + 1, "\n".join(lines[start : number - 1])))
            start = None
    return found


def script_of(page):
    """All blocks in their order, in one shell that stops at the first failure and names its block."""
    lines = ["set -euo pipefail"]
    for number, text in blocks(page, "sh"):
        lines += [f"echo '== {page}:{number}' >&2", text]
    return "\n".join(lines) + "\n"


def test_the_manual_runs_as_it_is_printed(mounted):
    mount = mounted({"sim": {"type": "sim"}})
    assert blocks("docs/filesystem.md", "sh")
    run_page("docs/filesystem.md", mount.folder, ASK=str(mount.path))


def test_the_outage_runs_as_it_is_printed(mounted):
    (_, config), = blocks("docs/reliability.md", "json")
    mount = mounted(json.loads(config)["providers"])
    assert blocks("docs/reliability.md", "sh")
    run_page("docs/reliability.md", mount.folder, ASK=str(mount.path))


def run_page(page, folder, **variables):
    result = subprocess.run(
        ["bash", "-c", script_of(page)], capture_output=True, text=True, check=False, timeout=50, cwd=folder,
        stdin=subprocess.DEVNULL,
        env=programs.environment(folder, PATH=f"{ASKFS.parent}:{os.environ['PATH']}", **variables),
    )
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"


def test_the_readme_runs_as_it_is_printed(folder, watchdog):
    ask = folder / "ask"
    watchdog.victims.append(lambda: take_away(ask))
    assert blocks("README.md", "sh")
    try:
        run_page("README.md", folder)
    finally:
        take_away(ask)


def test_the_program_is_configured_with_what_the_demo_installs(folder):
    script = (ROOT / "mount/install-packages").read_text()
    only_tests = re.search(r"^tests=\((.*?)\)", script, re.M | re.S).group(1).split()
    listed = subprocess.run(["dpkg", "-L", *only_tests], capture_output=True, text=True, check=False).stdout
    hidden = {os.path.basename(line) for line in listed.splitlines() if line.endswith(".pc")}
    paths = subprocess.run(["pkg-config", "--variable=pc_path", "pkg-config"], capture_output=True, text=True,
                           check=True).stdout.strip().split(":")
    (folder / "pkgconfig").mkdir()
    for path in (file for place in reversed(paths) for file in pathlib.Path(place).glob("*.pc")):
        link = folder / "pkgconfig" / path.name
        link.unlink(missing_ok=True)
        if path.name not in hidden: link.symlink_to(path)
    result = subprocess.run(
        ["meson", "setup", folder / "build", ROOT], capture_output=True, text=True, check=False, timeout=50,
        env=programs.environment(folder, PKG_CONFIG_LIBDIR=str(folder / "pkgconfig"), CMAKE="false"),
    )
    assert "cmocka.pc" in hidden
    assert result.returncode == 0, result.stdout


def configurations():
    for page in ["README.md", *(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]:
        for number, text in blocks(page, "json"):
            yield pytest.param(text, id=f"{page}:{number}")


@pytest.mark.parametrize("text", configurations())
def test_a_configuration_in_the_docs_is_accepted(folder, text):
    if "providers" not in json.loads(text):
        pytest.skip("not a configuration")
    (folder / "config.json").write_text(text)
    result = subprocess.run(
        [ASKFS, "--check", "-c", folder / "config.json"], capture_output=True, text=True, check=False,
        env=programs.environment(folder), stdin=subprocess.DEVNULL, timeout=30,
    )
    assert result.returncode == 0, result.stderr


def test_the_docs_name_no_option_that_help_does_not_know():
    help_text = subprocess.run([ASKFS, "--help"], capture_output=True, text=True, check=True).stdout
    for page in RUN:
        for option in re.findall(r"askfs (-{1,2}[a-z-]+)", (ROOT / page).read_text()):
            assert option in help_text, f"{page}: {option}"


def keys_shown(mount):
    """Every key that config.json of a mount has, "group.name" for those in a group."""
    shown = json.loads(mount.read("config.json"))
    found = {name for name in shown if name != "providers"}
    groups = ("retry", "retry_budget", "budget", "prices", "breaker", "timeouts")
    for provider in shown["providers"].values():
        for name, value in provider.items():
            found |= {f"{name}.{inner}" for inner in value} if name in groups else {name}
    return found


def test_every_key_of_the_configuration_is_in_the_manual(mounted, server, folder):
    (folder / "ca.pem").touch()
    provider = {"type": "openai-compatible", "model": "m", "base_url": server.url, "system": "s",
                "headers": {"X-A": "1"}, "options": {"seed": 1}, "ca_file": str(folder / "ca.pem"),
                "api_key": {"env": "FAKE_KEY"}}
    mount = mounted({"a": provider, "any": {"type": "route", "providers": ["a"]}}, FAKE_KEY="sk-fake")
    text = (ROOT / "docs/configuration.md").read_text()
    listed = set(re.findall(r"^\| `([a-z_.]+)` \|", text, re.MULTILINE))
    shown = keys_shown(mount)
    assert shown - listed == set(), "not in the manual"
    assert listed - shown - {"spill_dir"} == set(), "in the manual only"


def test_every_key_of_status_and_breaker_is_in_the_manual(sim):
    sim.ask("hi")
    page = (ROOT / "docs/filesystem.md").read_text()
    for keys in (sim.status(), sim.status("breaker"), sim.latest.status()):
        assert len(keys) > 8
        assert [key for key in keys if not re.search(rf"[` ]{key}[` ]", page)] == []


def test_every_errno_of_the_tree_is_in_the_troubleshooting_page():
    sources = (ROOT / "fs/errors.c").read_text() + (ROOT / "fs/errors.h").read_text()
    used = {word for word in re.findall(r"\bE[A-Z]+\b", sources) if hasattr(errno, word)}
    table = (ROOT / "docs/troubleshooting.md").read_text().split("## Errno")[1]
    assert len(used) > 20
    assert sorted(word for word in used if f"`{word}`" not in table) == []


def test_the_troubleshooting_page_prints_the_messages_of_the_system():
    table = (ROOT / "docs/troubleshooting.md").read_text().split("## Errno")[1]
    rows = re.findall(r"^\| `(E\w+)`[^|]*\| ([^|]+?) \|", table, re.M)
    assert len(rows) > 20
    assert [row for row in rows if os.strerror(getattr(errno, row[0])) != row[1]] == []


def test_every_key_of_reliability_is_on_its_page():
    schema = (ROOT / "core/config/schema.c").read_text()
    keys = re.findall(r'\{ "(\w+)", "(\w+)", &(\w+)', schema)
    named = {key for _, key, kind in keys if "alias" not in kind}
    page = (ROOT / "docs/reliability.md").read_text()
    assert len(named) > 10
    assert sorted(key for key in named if not re.search(rf"\b{key}\b", page)) == []
