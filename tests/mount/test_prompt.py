"""prompt: what is one request, what is none, and what is refused."""

import errno
import os
import shutil
import signal

import pytest

from support.askfs import Reader
from support.programs import end_group
from support.waiting import eventually

IDIOMS = {
    "echo": ("echo hello > prompt", "hello"),
    "printf": ("printf 'hello' > prompt", "hello"),
    "append": ("echo hello >> prompt", "hello"),
    "subshell of two commands": ("(echo one; uname) > prompt", "one\nLinux"),
    "subshell of two programs": ("(/bin/echo one; /bin/echo two) > prompt", "one\ntwo"),
    "group": ("{ /bin/echo one; /bin/echo two; } > prompt", "one\ntwo"),
    "here-document": ("cat > prompt <<END\nfirst line\nsecond line\nEND", "first line\nsecond line"),
    "here-string": ("cat > prompt <<< hello", "hello"),
    "descriptor kept open": ("exec 3> prompt; echo one >&3; true; echo two >&3; exec 3>&-",
                             "one\ntwo"),
    "tee": ("echo hello | tee prompt > /dev/null", "hello"),
    "tee -a": ("echo hello | tee -a prompt > /dev/null", "hello"),
    "cp": ("echo hello > /$HOME/file; cp /$HOME/file prompt", "hello"),
    "cp over an answer": ("echo hello > /$HOME/file; cp -f /$HOME/file prompt", "hello"),
    "dd": ("echo hello | dd of=prompt bs=1 status=none", "hello"),
    "dd conv=fsync": ("echo hello | dd of=prompt conv=fsync status=none", "hello"),
    "dash": ("dash -c 'echo hello > prompt'", "hello"),
    "awk": ("""awk 'BEGIN { print "hello" > "prompt" }'""", "hello"),
    "gawk": ("""gawk 'BEGIN { print "hello" > "prompt" }'""", "hello"),
    "jq": ("echo '\"hello\"' | jq -r . > prompt", "hello"),
    "perl": ("perl -e 'open(F, \">\", \"prompt\"); print F \"hello\"; close F'", "hello"),
    "python": ("/usr/bin/python3 -c 'import pathlib; pathlib.Path(\"prompt\").write_text(\"hello\")'",
               "hello"),
    "python without close": ("/usr/bin/python3 -c 'open(\"prompt\", \"w\").write(\"hello\")'", "hello"),
    "node": ("node -e 'require(\"fs\").writeFileSync(\"prompt\", \"hello\")'", "hello"),
    "busybox": ("echo hello | busybox tee prompt > /dev/null", "hello"),
    "vim": ("vim -u NONE -es -c '%d' -c 'call setline(1, \"hello\")' -c wq prompt", "hello"),
    "vim with backups": ("vim -u NONE -es -c 'set backupskip= backup writebackup' -c '%d' "
                         "-c 'call setline(1, \"hello\")' -c wq prompt", "hello"),
    "ed": ("printf 'a\\nx\\n.\\n,d\\na\\nhello\\n.\\nw\\nq\\n' | ed -s prompt > /dev/null", "hello"),
}
WORDS_OF_TOOLS = ("dash", "gawk", "jq", "perl", "node", "busybox", "vim", "ed")


def skip_without_tool(idiom):
    tool = idiom.split()[0]
    if tool in WORDS_OF_TOOLS and not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")


@pytest.mark.parametrize("idiom", IDIOMS)
def test_an_idiom_makes_one_request_of_exactly_its_text(echo, idiom):
    skip_without_tool(idiom)
    command, text = IDIOMS[idiom]
    echo.mount.run(f"cd mount/sim && {command}")
    assert echo.read() == text
    assert echo.request_count() == 1


@pytest.mark.parametrize("idiom", ["vim", "ed", "cp", "tee"])
def test_an_idiom_works_over_an_earlier_prompt(echo, idiom):
    skip_without_tool(idiom)
    echo.ask("an earlier and longer prompt\nof two lines")
    command, text = IDIOMS[idiom]
    echo.mount.run(f"cd mount/sim && {command}")
    assert echo.read() == text
    assert echo.request_count() == 2


@pytest.mark.parametrize(
    "command",
    [
        "printf '' > prompt",
        ": > prompt",
        "true >> prompt",
        "touch prompt",
        "truncate -s 0 prompt",
        "chmod 600 prompt",
        "cat /dev/null > prompt",
        "cp /dev/null prompt",
        "exec 3<> prompt; exec 3>&-",
        "cat prompt > /dev/null",
    ],
)
def test_nothing_written_is_no_request(echo, command):
    echo.mount.run(f"cd mount/sim && {command}")
    assert echo.request_count() == 0
    with pytest.raises(OSError) as refused:
        echo.read()
    assert refused.value.errno == errno.ENODATA


def test_300_kb_through_tr_are_one_request(echo):
    echo.mount.run("head -c 300000 /dev/zero | tr '\\0' x > mount/sim/prompt")
    assert echo.read_bytes() == b"x" * 300000
    assert echo.request_count() == 1


def test_only_one_newline_at_the_end_is_dropped(echo):
    assert echo.ask("two\n\n") == "two\n"


def test_a_prompt_of_a_newline_alone_is_sent_or_not_but_leaves_nothing_stuck(sim):
    sim.write("\n")
    assert sim.ask("after it")


def test_two_writers_at_once_are_two_requests_and_never_mixed(echo):
    writers = [open(echo / "prompt", "wb", buffering=0) for _ in range(2)]
    for _ in range(100):
        for number, writer in enumerate(writers):
            writer.write(b"ab"[number : number + 1] * 10)
    for writer in writers:
        writer.close()
    eventually(lambda: echo.request_count() == 2)
    ids = [name for name in os.listdir(echo / "requests") if name != "latest"]
    prompts = {(echo / "requests" / name / "prompt").read_bytes().strip() for name in ids}
    assert prompts == {b"a" * 1000, b"b" * 1000}


def test_a_writer_and_its_child_share_one_request(echo):
    echo.mount.run("exec 3> mount/sim/prompt; (echo child >&3) & wait; echo parent >&3; exec 3>&-")
    assert echo.read() == "child\nparent"


def open_writer(sim, text=b"half a prompt"):
    """A cat that has put text into prompt and waits for more."""
    process = sim.mount.start("exec cat > mount/sim/prompt", stdin=-1)
    process.stdin.write(text)
    process.stdin.flush()

    def has_written():
        with open(f"/proc/{process.pid}/io") as file:
            return int(file.read().split("wchar: ")[1].split()[0]) >= len(text)

    eventually(has_written, what="the writer wrote")
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_writer_that_a_signal_killed_leaves_no_request(sim, number):
    writer = open_writer(sim)
    end_group(writer, number)
    writer.communicate()
    assert sim.request_count() == 0
    with pytest.raises(OSError) as refused:
        sim.read()
    assert refused.value.errno == errno.ENODATA


def test_a_writer_that_ends_by_itself_leaves_a_request(echo):
    writer = open_writer(echo, b"a whole prompt")
    writer.stdin.close()
    assert writer.wait(10) == 0
    assert echo.read() == "a whole prompt"


def test_a_reader_waits_for_an_open_writer(echo):
    echo.ask("the one before")
    writer = open_writer(echo, b"the new one")
    reader = Reader(echo / "response").waits()
    assert reader.data == b""
    writer.stdin.close()
    assert reader.end() == b"the new one"


SELF_REFERENCES = {
    "a subshell": "(echo again:; cat mount/sim/response) > mount/sim/prompt",
    "cat alone": "cat mount/sim/response > mount/sim/prompt",
    "a builtin": "{ read -r line < mount/sim/response; echo \"$line\"; } > mount/sim/prompt",
    "both ways": "exec 3<> mount/sim/prompt; cat mount/sim/response >&3",
    "after waiting": "(cat mount/sim/wait; cat mount/sim/response) > mount/sim/prompt",
}


@pytest.mark.parametrize("command", SELF_REFERENCES.values(), ids=SELF_REFERENCES)
def test_a_prompt_made_of_the_answer_before_it_does_not_wait_for_itself(echo, command):
    echo.ask("the one before")
    echo.mount.run(command)
    assert "the one before" in echo.read()
    assert echo.request_count() == 2


def test_without_an_answer_before_it_a_prompt_made_of_the_answer_fails(sim):
    code, _, error = sim.mount.shell("cat mount/sim/response > mount/sim/prompt")
    assert code == 1 and "No data available" in error
    assert sim.request_count() == 0


def test_a_reader_of_a_live_answer_is_let_go_by_itself_alone(fake, server, gate):
    server.answer("Hel", gate, "lo")
    fake.write("first")
    server.wait_for_requests(1)
    command = fake.mount.start("cat mount/fake/response > mount/fake/prompt")
    gate.reached.wait(20)
    gate.open()
    assert command.wait(20) == 0
    assert server.wait_for_requests(2).prompt() == "Hello"


def test_one_thread_waits_for_the_prompt_of_another(echo):
    echo.ask("the one before")
    with open(echo / "prompt", "wb", buffering=0) as writer:
        writer.write(b"the new one")
        reader = Reader(echo / "response").waits()
    assert reader.end() == b"the new one"


def test_a_reader_of_a_prompt_whose_writer_was_killed_is_let_go(sim):
    writer = open_writer(sim)
    reader = Reader(sim / "response").waits()
    end_group(writer, signal.SIGKILL)
    writer.communicate()
    assert reader.end() == b""


def test_a_killed_writer_leaves_the_next_prompt_alone(echo):
    writer = open_writer(echo)
    end_group(writer, signal.SIGKILL)
    writer.communicate()
    assert echo.ask("the next") == "the next"


@pytest.mark.parametrize(
    "data", [b"\xff\xfe", b"a\x80b", b"nul \x00 byte", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf5\x80\x80\x80"]
)
def test_what_is_not_utf8_is_refused_by_write(sim, data):
    descriptor = os.open(sim / "prompt", os.O_WRONLY)
    with pytest.raises(OSError) as refused:
        os.write(descriptor, data)
    try:
        os.close(descriptor)
    except OSError:
        pass  # close may say it again
    assert refused.value.errno == errno.EILSEQ
    assert sim.request_count() == 0


def test_utf8_may_be_split_between_two_writes(echo):
    with open(echo / "prompt", "wb", buffering=0) as file:
        for byte in "é中😀".encode():
            file.write(bytes([byte]))
    assert echo.read() == "é中😀"


def test_utf8_that_stops_in_the_middle_of_a_character_is_not_sent(sim):
    descriptor = os.open(sim / "prompt", os.O_WRONLY)
    os.write(descriptor, b"caf\xc3")
    with pytest.raises(OSError) as error:
        os.close(descriptor)
    assert error.value.errno == errno.EILSEQ
    assert sim.request_count() == 0


@pytest.mark.parametrize("command", ["printf 'caf\\xe9' > mount/sim/prompt", "echo x | dd of=mount/sim/prompt seek=3 bs=2"])
def test_after_a_prompt_that_was_no_text_nobody_reads_the_answer_before(echo, command):
    echo.ask("the one before")
    code, out, error = echo.mount.shell(f"{command}; cat mount/sim/response")
    assert (code, out) == (1, "") and "multibyte" in error
    for name in ("reasoning", "wait"):
        with pytest.raises(OSError) as refused:
            (echo / name).read_bytes()
        assert refused.value.errno == errno.EILSEQ
    assert '"file":"prompt"' in echo.mount.read("events")
    assert echo.latest.read() == "the one before"
    assert echo.ask("the next one") == "the next one"
    assert echo.request_count() == 2


def test_a_reader_that_waits_for_what_is_no_text_hears_so(echo):
    echo.ask("the one before")
    descriptor = os.open(echo / "prompt", os.O_WRONLY)
    os.write(descriptor, b"caf\xe9")
    reader = Reader(echo / "response").waits()
    with pytest.raises(OSError):
        os.close(descriptor)
    assert reader.end() == b"" and reader.error == errno.EILSEQ


def test_too_large_a_prompt_is_refused_by_write(mounted, simulator):
    sim = mounted({"sim": {"type": "sim", "base_url": simulator.url, "max_prompt_bytes": 1000}}) / "sim"
    code, _, error = sim.mount.shell("head -c 1001 /dev/zero | tr '\\0' x | dd of=mount/sim/prompt bs=100")
    assert code != 0
    assert "File too large" in error
    assert sim.request_count() == 0
    sim.mount.run("head -c 1000 /dev/zero | tr '\\0' x > mount/sim/prompt")
    assert sim.read()
    assert sim.request_count() == 1


def test_reading_prompt_gives_the_last_one_sent(sim):
    assert sim.read("prompt") == ""
    sim.ask("first")
    sim.ask("second one")
    assert sim.read("prompt").rstrip("\n") == "second one"


@pytest.mark.parametrize("command", ["touch new", "mkdir new", "ln -s prompt new", "mv prompt new",
                                     "rm -f prompt", "echo x > new", "ln prompt new"])
def test_nothing_can_be_made_beside_it(sim, command):
    code, _, error = sim.mount.shell(f"cd mount/sim && {command}")
    assert code != 0
    assert "denied" in error or "not permitted" in error
    assert "new" not in os.listdir(sim.path)


def test_mode_and_owner_are_those_of_a_private_file(sim):
    status = os.stat(sim / "prompt")
    assert status.st_mode & 0o777 == 0o600
    assert status.st_uid == os.getuid()


def test_too_many_requests_at_once_are_refused_at_open(mounted, server, gate):
    config = {"type": "openai-compatible", "base_url": server.url, "model": "m", "max_in_flight": 1,
              "max_queued": 1}
    fake = mounted({"fake": config}) / "fake"
    server.answer(gate, "one")
    fake.write("one")
    server.wait_for_requests(1)
    fake.write("two")
    assert fake.status()["requests_queued"] == "1"
    with pytest.raises(BlockingIOError):
        open(fake / "prompt", "wb")
    gate.open()
    fake.wait()
    assert fake.read() == "ok"
