"""docs/monitoring is true: promtool accepts metrics and rules, each metric is explained, and rules
and dashboard speak of what there is."""

import json
import os
import re
import shutil
import subprocess

import pytest
from test_docs import blocks

from support import programs
from support.programs import ASKFS, ROOT
from support.prometheus import families_of, lint, promtool, samples_of, types_of, value
from support.server import LAST_CHUNK, chat_delta, chat_end, chunk, stream_head

FOLDER = ROOT / "docs" / "monitoring"
PAGE = "docs/monitoring.md"
# What askfs-textfile and askfs-exporter add, and what Prometheus and node_exporter do.
ADDED = {"askfs_up": set()}
FOREIGN_LABELS = {"mount", "instance", "job"}


# The metrics.


def test_promtool_has_no_complaint_of_a_fresh_mount(sim):
    assert lint(sim.mount.read("metrics")) == ""


def test_promtool_has_no_complaint_after_traffic_of_every_kind(busy):
    text = busy.read("metrics")
    assert lint(text) == ""
    keys = [(name, *sorted(labels.items())) for name, labels, _ in samples_of(text)]
    assert len(keys) == len(set(keys))
    assert families_of(text).keys() == {name for name in types_of(text)}


def test_the_metrics_tell_what_happened(busy):
    text = busy.read("metrics")
    of_fake = {"provider": "fake"}
    assert value(text, "askfs_requests_total", **of_fake, outcome="ok") == 5
    assert value(text, "askfs_requests_total", **of_fake, outcome="failed") == 1
    assert value(text, "askfs_requests_total", provider="sim", outcome="cancelled") == 1
    assert value(text, "askfs_requests_total", provider="any", outcome="ok") == 1
    assert value(text, "askfs_failed_requests_total", **of_fake, error_class="billing") == 1
    assert value(text, "askfs_attempts_total", **of_fake, error_class="ok") == 5
    assert value(text, "askfs_attempts_total", **of_fake, error_class="overloaded") == 1
    assert value(text, "askfs_retries_total", **of_fake, error_class="overloaded", attempt="1") == 1
    assert sum(got for name, labels, got in samples_of(text)
               if name == "askfs_reconnects_total" and labels["provider"] == "fake") == 1
    assert 0 < value(text, "askfs_error_ratio_5m", **of_fake) < 0.5
    assert value(text, "askfs_provider_state", provider="keyless", state="no_key") == 1
    assert value(text, "askfs_provider_state", provider="dead", state="down") == 1
    assert value(text, "askfs_provider_state", **of_fake, state="down") == 0
    assert value(text, "askfs_provider_info", provider="any", type="route") == 1
    assert value(text, "askfs_tokens_total", **of_fake, direction="out") > 0
    assert value(text, "askfs_ttft_seconds_count", **of_fake) >= 5
    assert value(text, "askfs_inter_token_seconds_bucket", **of_fake, le="+Inf") >= 1
    assert value(text, "askfs_active_streams", provider="sim") == 0
    assert value(text, "askfs_answer_memory_limit_bytes") == 1 << 20
    assert value(text, "askfs_spilled_bytes") > 1 << 20
    assert value(text, "askfs_spill_failing") == 0
    is_sanitized = b"__asan_init" in ASKFS.read_bytes()  # then the library counts nothing
    assert value(text, "askfs_memory_bytes") > 0 or is_sanitized


def test_what_the_metrics_count_is_what_status_says(busy):
    text = busy.read("metrics")
    for provider in ("fake", "sim", "dead", "any"):
        status = (busy / provider).status()
        for outcome in ("ok", "failed", "cancelled"):
            counted = value(text, "askfs_requests_total", provider=provider, outcome=outcome)
            assert counted == int(status[f"requests_{outcome}"])
        for name, key in (("attempts", "attempts_total"), ("retries", "retries_total"),
                          ("reconnects", "reconnects_total")):
            total = sum(got for series, labels, got in samples_of(text)
                        if series == f"askfs_{name}_total" and labels["provider"] == provider)
            assert total == int(status[key]), f"{provider} {name}"
        assert value(text, "askfs_provider_state", provider=provider, state=status["state"]) == 1


def test_no_disk_is_shown_while_it_lasts(mounted, server, folder):
    fake = mounted({"fake": {"type": "openai-compatible", "base_url": server.url, "model": "m",
                             "max_memory_per_response": 65536}},
                   top={"max_spill_bytes": 65536, "max_memory": 4 << 20}) / "fake"
    piece = "x" * (32 << 10)
    server.plays(stream_head(), *[chunk(chat_delta(piece))] * 32, chunk(chat_end()), LAST_CHUNK)
    assert len(fake.ask("much")) == 1 << 20
    text = fake.mount.read("metrics")
    assert value(text, "askfs_spill_failures_total") >= 1
    assert value(text, "askfs_spill_failing") == 1
    assert value(text, "askfs_answer_memory_bytes") > 512 << 10


# The page.


def rows():
    for line in (ROOT / PAGE).read_text().splitlines():
        match = re.fullmatch(r"\| `(askfs_\w+)` \| (\w+) \|([^|]*)\| (.+) \|", line)
        if match:
            yield match[1], match[2], set(re.findall(r"`(\w+)`", match[3])), match[4]


def test_the_page_explains_each_metric_and_no_other(busy):
    text = busy.read("metrics")
    families, types = families_of(text), types_of(text)
    told = {name: (kind, labels, words) for name, kind, labels, words in rows()}
    assert told.keys() == families.keys() | ADDED.keys()
    for name, labels in families.items():
        kind, told_labels, words = told[name]
        assert kind == types[name], name
        of_mount = words.startswith("of the mount")
        assert told_labels == labels - {"provider"}, name
        assert of_mount == ("provider" not in labels), name


def test_the_page_names_each_value_of_a_short_list(busy):
    told = {name: words for name, _, _, words in rows()}
    for name, label in (("askfs_requests_total", "outcome"), ("askfs_reconnects_total", "method"),
                        ("askfs_breaker_state", "state"), ("askfs_provider_state", "state"),
                        ("askfs_tokens_total", "direction")):
        for series, labels, _ in samples_of(busy.read("metrics")):
            if series == name:
                assert f"`{labels[label]}`" in told[name], f"{name}: {labels[label]}"


def run(mount, folder, language):
    text = "\n".join(["set -euo pipefail", *[block for _, block in blocks(PAGE, language)]])
    path = f"{FOLDER}:{ASKFS.parent}:{os.environ['PATH']}"
    result = subprocess.run(
        ["bash", "-c", text], capture_output=True, text=True, check=False, timeout=50, cwd=folder,
        stdin=subprocess.DEVNULL, env=programs.environment(folder, PATH=path, ASK=str(mount.path)),
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_commands_of_the_page_run_as_they_are_printed(mounted, folder):
    mount = mounted({"sim": {"type": "sim"}})
    assert "well" in run(mount, folder, "sh")


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
def test_its_jq_runs_too(busy, folder):
    said = run(busy, folder, "bash")
    assert "1 billing" in said
    assert '"ttft_ms"' in said


# Rules and dashboard.


def expressions_of_the_page():
    for number, text in blocks(PAGE, "promql"):
        for line in text.splitlines():
            if line and not line.startswith("#"):
                yield f"{PAGE}:{number}", line


def expressions_of_the_dashboard():
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["definition"]


def dashboard():
    return json.loads((FOLDER / "dashboard.json").read_text())


def expressions_of_the_rules():
    yield "alerts.yml", re.sub(r"^ *#.*$", "", (FOLDER / "alerts.yml").read_text(), flags=re.M)


def unknown_words(where, text, families):
    """Metrics, and labels in a selector or a grouping, that no mount shows."""
    types = {**families, **ADDED}
    every_label = set().union(*types.values()) | FOREIGN_LABELS
    for match in re.finditer(r"(?<![\w:])(askfs_\w+)(\{[^}]*\})?", text):
        name = match[1]
        family = name if name in types else re.sub(r"_(bucket|sum|count)$", "", name)
        if family not in types:
            yield f"{where}: {name}"
            continue
        for label in re.findall(r"(\w+) *(?:=~|!~|!=|=)", match[2] or ""):
            if label not in types[family] | FOREIGN_LABELS:
                yield f"{where}: {name} has no label {label}"
    for group in re.findall(r"\b(?:by|without|on|ignoring) \(([^)]*)\)", text):
        for label in re.findall(r"\w+", group):
            if label not in every_label:
                yield f"{where}: no metric has a label {label}"


def test_rules_dashboard_and_page_speak_of_what_there_is(busy):
    families = families_of(busy.read("metrics"))
    expressions = [*expressions_of_the_rules(), *expressions_of_the_dashboard(), *expressions_of_the_page()]
    assert [word for where, text in expressions for word in unknown_words(where, text, families)] == []


def test_a_word_that_there_is_not_would_be_found():
    families = {"askfs_x_total": {"provider"}}
    assert list(unknown_words("", 'sum by (provider) (rate(askfs_x_total{provider="p"}[5m]))', families)) == []
    for wrong in ("askfs_y", 'askfs_x_total{model="m"}', "sum by (model) (askfs_x_total)"):
        assert list(unknown_words("", wrong, families))


def test_each_value_that_a_rule_or_panel_asks_for_exists(busy):
    shown = {(label, content) for _, labels, _ in samples_of(busy.read("metrics"))
             for label, content in labels.items()}
    for where, text in [*expressions_of_the_rules(), *expressions_of_the_dashboard(), *expressions_of_the_page()]:
        for selector in re.findall(r"(?<![\w:])askfs_\w+\{([^}]*)\}", text):
            for label, contents in re.findall(r'(\w+)(?:=~|!~|!=|=)"([^"$]*)"', selector):
                for content in contents.split("|"):
                    assert (label, content) in shown, f"{where}: {selector}"


def test_promtool_accepts_the_rules():
    code, said = promtool("check", "rules", FOLDER / "alerts.yml")
    assert code == 0, said


def test_the_rules_fire_when_they_should_and_only_then():
    code, said = promtool("test", "rules", ROOT / "tests/docs/alerts.test.yml")
    assert code == 0, said


def test_each_alert_fires_in_a_test_and_says_what_to_do():
    rules = (FOLDER / "alerts.yml").read_text()
    tests = (ROOT / "tests/docs/alerts.test.yml").read_text()
    names = re.findall(r"- alert: (\w+)", rules)
    assert len(names) == len(set(names)) > 10
    for name in names:
        assert re.search(rf"alertname: {name}\n +eval_time: \w+\n +exp_alerts:\n", tests), name
    assert len(re.findall(r"what_to_do: ", rules)) == len(re.findall(r"summary: ", rules)) == len(names)
    assert set(re.findall(r"severity: (\w+)", rules)) == {"page", "ticket", "note"}


def test_promtool_accepts_the_expressions_of_dashboard_and_page(folder):
    rules = []
    for number, (_, text) in enumerate([*expressions_of_the_dashboard(), *expressions_of_the_page()]):
        text = re.sub(r"^label_values\((.*), \w+\)$", r"\1", text)
        for variable, content in (("$__rate_interval", "5m"), ("$__range", "1h")):
            text = text.replace(variable, content)
        rules.append({"record": f"x:{number}", "expr": re.sub(r"\$\w+", ".*", text)})
    file = folder / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "x", "rules": rules}]}))
    code, said = promtool("check", "rules", file)
    assert code == 0, said
    assert f"{len(rules)} rules found" in said


def test_the_dashboard_is_whole():
    board = dashboard()
    assert board["title"] and board["uid"] and board["id"] is None
    assert board["schemaVersion"] >= 39
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    assert {"instance", "mount", "provider"} <= variables.keys()
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, f"{panel['title']} lies on another one"
        taken |= cells
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for source in [panel["datasource"], *[target["datasource"] for target in panel["targets"]]]:
            assert source == {"type": "prometheus", "uid": "${datasource}"}
        for target in panel["targets"]:
            for name in re.findall(r"\$(\w+)", target["expr"]):
                assert name in variables or name.startswith("__"), name


def test_the_dashboard_shows_every_metric():
    shown = " ".join(text for _, text in expressions_of_the_dashboard())
    assert [name for name, _, _, _ in rows() if name not in shown] == []
