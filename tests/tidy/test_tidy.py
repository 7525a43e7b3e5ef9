"""Facts about the sources that no compiler checks: who includes whom, banned calls, docs that point
nowhere. Names the offending line; knows nothing of lengths."""

import re
import subprocess

from support.programs import ROOT

# Which folders a folder may name. Arrows point one way: mount -> fs -> engine -> config, transport ->
# providers -> stream, policy -> base. Only mount joins io to the rest.
MAY_INCLUDE = {
    "core/base": [],
    "core/policy": ["core/base"],
    "core/stream": ["core/base"],
    "core/providers": ["core/stream", "core/policy", "core/base"],
    "core/config": ["core/providers", "core/stream", "core/policy", "core/base"],
    "core/store": ["core/base"],
    "core/events": ["core/policy", "core/base"],
    "core/transport": ["core/providers", "core/stream", "core/policy", "core/base"],
    "core/engine": ["core/config", "core/transport", "core/store", "core/events", "core/providers",
                    "core/stream", "core/policy", "core/base"],
    "core/io": ["core/transport", "core/store", "core/policy", "core/base"],
    "fs": ["core/engine", "core/events", "core/store", "core/config", "core/providers", "core/stream",
           "core/policy", "core/base"],
    # The simulator is the other side of the wire: a program of its own, which shares only the base.
    "mount/sim": ["core/policy", "core/base"],
    "mount": ["fs", "core/io", "core/engine", "core/transport", "core/store", "core/events",
              "core/config", "core/providers", "core/stream", "core/policy", "core/base"],
}

# Which libraries may be named where; the rest of the tree may not.
LIBRARIES = {
    r"fuse.*": ["fs/", "mount/program.c", "mount/version.c"],
    r"curl/.*": ["core/io/", "mount/version.c"],
    r"uv\.h": ["core/io/", "mount/sim/", "mount/version.c"],
    r"http_parser\.h": ["mount/sim/"],
}

# Each has a bounded or checked twin.
BANNED = "strcpy strcat sprintf vsprintf strncat atoi atol atoll atof gets system popen strtok tmpnam mktemp"


def sources(*suffixes, under=("core", "fs", "mount")):
    for folder in under:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in suffixes:
                yield path.relative_to(ROOT)


def lines_of(path):
    return enumerate((ROOT / path).read_text().splitlines(), 1)


def layer_of(path):
    return max((layer for layer in MAY_INCLUDE if str(path).startswith(layer + "/")), key=len, default=None)


def includes(path):
    for number, line in lines_of(path):
        match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if match:
            yield number, match[1], match[2]


def wrong_arrows(path):
    layer = layer_of(path)
    for number, quote, name in includes(path):
        if quote != '"':
            continue
        target = layer_of(name)
        if target is None:
            yield f'{path}:{number}: "{name}" does not start at the root'
        elif target != layer and target not in MAY_INCLUDE[layer]:
            yield f'{path}:{number}: {layer} may not include "{name}"'


def test_includes_point_one_way():
    assert [line for path in sources(".c", ".h") for line in wrong_arrows(path)] == []


def test_every_file_is_in_a_layer():
    assert [str(path) for path in sources(".c", ".h") if layer_of(path) is None] == []


def foreign_libraries(path):
    for number, _, name in includes(path):
        for pattern, places in LIBRARIES.items():
            if re.fullmatch(pattern, name) and not str(path).startswith(tuple(places)):
                yield f"{path}:{number}: <{name}> belongs in {', '.join(places)}"


def test_libraries_are_named_only_where_they_belong():
    assert [line for path in sources(".c", ".h") for line in foreign_libraries(path)] == []


def without_comments_and_strings(text):
    def blank(match):
        return re.sub(r"[^\n]", " ", match[0])

    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(pattern, blank, text, flags=re.S)


def calls_banned(path):
    code = without_comments_and_strings((ROOT / path).read_text())
    for number, line in enumerate(code.splitlines(), 1):
        match = re.search(rf"(?<![\w.>])({BANNED.replace(' ', '|')})\s*\(", line)
        if match:
            yield f"{path}:{number}: {match[1]}"


def test_no_banned_call():
    assert [line for path in sources(".c", ".h") for line in calls_banned(path)] == []


def test_headers_have_the_guard_of_their_path():
    wrong = []
    for path in sources(".h"):
        guard = "ASKFS_" + re.sub(r"\W", "_", str(path)).upper()
        text = (ROOT / path).read_text()
        if f"#ifndef {guard}\n#define {guard}\n" not in text:
            wrong.append(f"{path}: expected {guard}")
    assert wrong == []


def test_every_source_is_built():
    wrong = []
    for path in sources(".c", under=("core", "fs", "mount", "tests/unit", "tests/fuzz", "tests/bench")):
        folder = (ROOT / path).parent
        while not (folder / "meson.build").exists():
            folder = folder.parent
        text = (folder / "meson.build").read_text()
        name = (ROOT / path).relative_to(folder)
        unit = re.fullmatch(r"test_(\w+)\.c", path.name)
        if f"'{name}'" not in text and not (unit and f"'{unit[1]}'" in text):
            wrong.append(f"{path} is in no list of {folder.relative_to(ROOT)}/meson.build")
    assert wrong == []


def pages():
    yield ROOT / "README.md"
    yield from sorted((ROOT / "docs").rglob("*.md"))
    yield from sorted((ROOT / "tests").rglob("*.md"))


def test_links_in_the_docs_point_somewhere():
    wrong = []
    for page in pages():
        for number, line in enumerate(page.read_text().splitlines(), 1):
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", line):
                if "://" not in target and not (page.parent / target).exists():
                    wrong.append(f"{page.relative_to(ROOT)}:{number}: {target}")
    assert wrong == []


def test_files_named_in_the_docs_exist():
    wrong = []
    pattern = r"`((?:core|fs|mount|tests|docs)/[\w./-]+\.(?:[ch]|md|py|build|json))`"
    for page in pages():
        for number, line in enumerate(page.read_text().splitlines(), 1):
            for name in re.findall(pattern, line):
                if not re.search(r"_?x\.", name) and not (ROOT / name).exists():
                    wrong.append(f"{page.relative_to(ROOT)}:{number}: {name}")
    assert wrong == []


def test_functions_named_in_the_architecture_exist():
    page = ROOT / "docs" / "architecture.md"
    assert page.exists(), "docs/architecture.md is the way into the code"
    code = "\n".join((ROOT / path).read_text() for path in sources(".c", ".h"))
    known = set(re.findall(r"\w+", code))
    wrong = []
    for number, line in enumerate(page.read_text().splitlines(), 1):
        for name in re.findall(r"`([a-z]\w*_\w+)(?:\(\))?`", line) + re.findall(r"`(\w+)\(\)`", line):
            if name not in known:
                wrong.append(f"docs/architecture.md:{number}: {name}")
    assert wrong == []


def tracked_or_new():
    out = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout
    return [ROOT / name for name in out.splitlines() if (ROOT / name).is_file()]


def test_text_files_have_no_tabs_or_spaces_at_line_ends_and_end_in_a_newline():
    wrong = []
    for path in tracked_or_new():
        if path.suffix not in (".c", ".h", ".py", ".md", ".build", ".ini") or "data" in path.parts:
            continue
        text = path.read_text()
        if text and not text.endswith("\n"):
            wrong.append(f"{path.relative_to(ROOT)}: no newline at its end")
        for number, line in enumerate(text.splitlines(), 1):
            if line != line.rstrip() or "\t" in line:
                wrong.append(f"{path.relative_to(ROOT)}:{number}: space at the end, or a tab")
    assert wrong == []


def test_scripts_can_be_run():
    names = ["mount/demo", "mount/install-packages", "tests/run", ".ci/run",
             "docs/monitoring/askfs-textfile", "docs/monitoring/askfs-exporter"]
    assert [name for name in names if not (ROOT / name).stat().st_mode & 0o111] == []
