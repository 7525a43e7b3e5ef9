"""Both ways of the metrics to Prometheus work: askfs-textfile and askfs-exporter."""

import os
import re
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from support import programs
from support.programs import ROOT
from support.prometheus import lint, samples_of, value
from support.waiting import eventually

FOLDER = ROOT / "docs" / "monitoring"


def textfile(*arguments, cwd=None):
    result = subprocess.run([FOLDER / "askfs-textfile", *map(str, arguments)], capture_output=True, text=True,
                            check=False, timeout=30, cwd=cwd)
    return result.returncode, result.stderr


def without_moving(text):
    """Without what changes from one look to the next."""
    return re.sub(r"^(askfs_(?:memory_bytes|retry_budget_left_ratio|error_ratio_5m)\S*) .*$", r"\1", text, flags=re.M)


def unlabelled(text, label):
    return text.replace(f"{{{label},", "{").replace(f"{{{label}}}", "")


def test_the_textfile_is_the_file_with_one_label_more(busy, folder):
    out = folder / "out"
    out.mkdir()
    assert textfile(busy.path, out / "askfs.prom") == (0, "")
    text = (out / "askfs.prom").read_text()
    assert lint(text) == ""
    assert value(text, "askfs_up", mount=str(busy.path)) == 1
    assert all(labels["mount"] == str(busy.path) for _, labels, _ in samples_of(text))
    plain = unlabelled(text, f'mount="{busy.path}"')
    expected = busy.read("metrics")
    assert without_moving(plain[: plain.index("# HELP askfs_up")]) == without_moving(expected)
    assert os.listdir(out) == ["askfs.prom"]
    assert (out / "askfs.prom").stat().st_mode & 0o777 == 0o644


def test_the_textfile_of_an_odd_name_is_still_one(sim, folder):
    (folder / 'an "odd\\ name').symlink_to(sim.mount.path)
    assert textfile('an "odd\\ name', "x.prom", cwd=folder) == (0, "")
    text = (folder / "x.prom").read_text()
    assert lint(text) == ""
    assert value(text, "askfs_up") == 1
    assert 'an \\"odd\\\\ name"' in text


def test_a_mount_that_is_gone_is_down(sim, folder):
    assert textfile(sim.mount.path, folder / "x.prom") == (0, "")
    (folder / "empty").mkdir()
    assert textfile(folder / "empty", folder / "x.prom")[0] == 0
    text = (folder / "x.prom").read_text()
    assert [(name, got) for name, _, got in samples_of(text)] == [("askfs_up", 0)]
    assert lint(text) == ""


def test_the_textfile_is_never_seen_half_written(sim, folder):
    """Whoever has the old one open reads the old one: it is replaced, not written over."""
    textfile(sim.mount.path, folder / "x.prom")
    with open(folder / "x.prom") as old:
        before = os.fstat(old.fileno()).st_ino
        sim.ask("hi")
        textfile(sim.mount.path, folder / "x.prom")
        assert value(old.read(), "askfs_requests_total", outcome="ok") == 0
    assert value((folder / "x.prom").read_text(), "askfs_requests_total", outcome="ok") == 1
    assert (folder / "x.prom").stat().st_ino != before


def test_the_textfile_needs_a_name_that_is_read(folder):
    for arguments in ([], ["mount"], ["mount", "x.txt"], ["mount", "x.prom", "more"]):
        code, said = textfile(*arguments, cwd=folder)
        assert code == 2 and "usage" in said


@pytest.fixture
def exporter():
    """exporter(mounts…): its base URL."""
    started = []

    def start(*mounts):
        process = programs.start([sys.executable, FOLDER / "askfs-exporter", "--listen", "127.0.0.1:0", *mounts],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        started.append(process)
        line = process.stdout.readline().decode()
        assert line.startswith("listening on http://127.0.0.1:"), line
        return line.split()[-1].removesuffix("/metrics")

    yield start
    for process in started:
        programs.end_group(process)
        _, said = process.communicate(timeout=10)
        assert said == b""


def fetch(url):
    with urllib.request.urlopen(url, timeout=20) as reply:
        return reply.headers["Content-Type"], reply.read().decode()


def test_the_exporter_serves_all_mounts_as_one_page(busy, mounted, exporter, folder):
    other = mounted({"sim": {"type": "sim"}})
    (folder / "none").mkdir()
    url = exporter(busy.path, other.path, folder / "none")
    content_type, text = fetch(url + "/metrics")
    assert content_type.startswith("text/plain; version=0.0.4")
    assert lint(text) == ""
    heads = re.findall(r"^# (?:HELP|TYPE) \w+", text, re.M)
    assert len(heads) == len(set(heads))
    for mount, up in ((busy.path, 1), (other.path, 1), (folder / "none", 0)):
        assert value(text, "askfs_up", mount=str(mount)) == up
    mine = [(name, {k: v for k, v in labels.items() if k != "mount"})
            for name, labels, _ in samples_of(text)
            if labels["mount"] == str(busy.path) and name != "askfs_up"]
    assert mine == [(name, labels) for name, labels, _ in samples_of(busy.read("metrics"))]
    assert value(text, "askfs_requests_total", mount=str(busy.path), provider="fake", outcome="ok") == 5


def test_the_exporter_looks_anew_at_each_scrape_and_serves_nothing_else(sim, exporter):
    url = exporter(sim.mount.path)
    assert value(fetch(url + "/metrics")[1], "askfs_requests_total", outcome="ok") == 0
    sim.ask("hi")
    assert value(fetch(url + "/metrics")[1], "askfs_requests_total", outcome="ok") == 1
    for path in ("/", "/metrics/../etc/passwd", "/sim/prompt"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            fetch(url + path)
        assert refused.value.code == 404
    assert sim.request_count() == 1


def test_both_ways_answer_when_askfs_is_killed(mounted, folder, exporter):
    mount = mounted({"sim": {"type": "sim"}})
    url = exporter(mount.path)
    mount.expected_exit = None
    mount.process.kill()
    mount.process.wait(10)
    eventually(lambda: value(fetch(url + "/metrics")[1], "askfs_up") == 0)
    assert textfile(mount.path, folder / "x.prom")[0] == 0
    assert value((folder / "x.prom").read_text(), "askfs_up") == 0
