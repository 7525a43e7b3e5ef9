"""Every tool works on a finished answer, exactly as on a plain file of the same text."""

import shutil

import pytest

TOOLS = {
    "cat": "cat {0}",
    "busybox cat": "busybox cat {0}",
    "busybox cp": "busybox cp {0} $HOME/copy && cat $HOME/copy",
    "cp": "cp {0} $HOME/copy && cat $HOME/copy",
    "cp of the request's": "rm -f $HOME/copy && cp mount/sim/requests/latest/response $HOME/copy && cat $HOME/copy",
    "tar": "tar -c -C $(dirname {0}) $(basename {0}) | tar -xO",
    "wc": "wc -c < {0}",
    "wc with a name": "wc -l {0} | cut -d' ' -f1",
    "head": "head -c 100 {0}",
    "tail": "tail -c 100 {0}",
    "tail of lines": "tail -n 3 {0}",
    "tac": "tac {0}",
    "sort": "sort {0}",
    "grep": "grep -c 1 {0}",
    "sed": "sed 5q {0}",
    "awk": "awk '{{ n += length($0) }} END {{ print n }}' {0}",
    "dd": "dd if={0} bs=1000 skip=1 status=none",
    "md5sum": "md5sum < {0}",
    "diff": "diff {0} plain && echo same",
    "cmp": "cmp {0} plain && echo same",
    "bash": "while read -r line; do echo \"$line\"; done < <(head -n 20 {0})",
    "mapfile": "mapfile -t lines < {0}; echo ${{#lines[@]}}",
    "less": "less {0} | cat",
    "shutil": "/usr/bin/python3 -c 'import shutil; shutil.copyfile(\"{0}\", \"copy\")' && cat copy",
    "python": "/usr/bin/python3 -c 'print(len(open(\"{0}\").read()))'",
    "sendfile": "/usr/bin/python3 -c 'import os, sys; f = open(\"{0}\"); o = open(\"sent\", \"wb\")\n"
                "while os.sendfile(o.fileno(), f.fileno(), None, 65536): pass' && cat sent",
    "mmap": "/usr/bin/python3 -c 'import mmap; f = open(\"{0}\", \"rb\"); "
            "print(len(mmap.mmap(f.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ)[:]))'",
    "node": "node -e 'process.stdout.write(require(\"fs\").readFileSync(\"{0}\"))'",
    "node copy": "node -e 'require(\"fs\").copyFileSync(\"{0}\", \"copied\")' && cat copied",
    "perl": "perl -e 'local $/; open(F, \"{0}\"); print length <F>'",
    "curl": "curl -s file://$PWD/{0}",
    "stat": "stat -c %s {0}",
}


@pytest.mark.parametrize("lines", [3, 30000], ids=["short", "long"])
@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_reads_a_finished_answer_whole(echo, tool, lines):
    program = tool.split()[0]
    if program in ("busybox", "less", "node", "perl", "curl") and not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    text = "".join(f"line {number}\n" for number in range(lines)) + "the last line, without an end"
    plain = echo.mount.folder / "plain"
    plain.write_text(text)
    echo.write(text)
    echo.wait()
    expected = echo.mount.run(TOOLS[tool].format("plain"))
    assert echo.mount.run(TOOLS[tool].format("mount/sim/response")) == expected


LIVE = {
    "cat": "cat {0}",
    "sed": "sed -n p {0}",
    "awk": "awk '{{ print }}' {0}",
    "grep": "grep . {0}",
    "tail": "tail -c 6 {0}",
    "wc": "wc -c < {0}",
    "head": "head -n 2 {0}",
    "cp": "cp {0} copy && cat copy",
    "python": "/usr/bin/python3 -c 'import sys; sys.stdout.write(open(\"{0}\").read())'",
    "node": "node -e 'process.stdout.write(require(\"fs\").readFileSync(\"{0}\"))'",
    "node stream": "node -e 'require(\"fs\").createReadStream(\"{0}\").pipe(process.stdout)'",
    "perl": "perl -ne print {0}",
    "dd": "dd if={0} status=none",
    "base64": "base64 {0}",
    "bash": "while read -r line; do echo \"$line\"; done < {0}",
    "redirect": "cat < {0}",
    "tee": "tee copy < {0}",
}


@pytest.mark.parametrize("tool", LIVE)
def test_a_tool_reads_a_live_answer_to_its_end(fake, server, gate, tool):
    if not shutil.which(tool.split()[0]) and tool not in ("redirect", "python"):
        pytest.skip(f"{tool} is not installed")
    text = "first line\nsecond line\nthird line\n"
    (fake.mount.folder / "plain").write_text(text)
    expected = fake.mount.run(LIVE[tool].format("plain"))
    server.answer(text[:15], gate, text[15:])
    fake.write("hi")
    process = fake.mount.start(LIVE[tool].format("mount/fake/response"))
    assert gate.reached.wait(20)
    gate.open()
    out, error = process.communicate(timeout=20)
    assert (out.decode(), error) == (expected, b"")
