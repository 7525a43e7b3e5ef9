"""A reader can be interrupted, stopped, continued and killed, and nothing is lost or stuck."""

import os
import select
import shutil
import signal

import pytest

from support.askfs import Reader
from support.programs import end_group, state_of
from support.server import Gate
from support.waiting import eventually

LINES = [f"line {number} of the answer\n" for number in range(30)]


def threads_of(pid):
    try:
        return [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    except FileNotFoundError:
        return []


def has_open(pid, path):
    try:
        names = os.listdir(f"/proc/{pid}/fd")
        return any(os.readlink(f"/proc/{pid}/fd/{name}") == str(path) for name in names)
    except OSError:
        return False


def waits_in(pid, path):
    """It has the file open, and nothing in it runs."""
    return has_open(pid, path) and all(state_of(thread) in "SD" for thread in threads_of(pid))


def blocked_reader(fake, command):
    """The process that reads the response, as soon as it sleeps there."""
    process = fake.mount.start(["bash", "-c", f"exec {command}"])
    path = fake / "response"
    eventually(lambda: waits_in(process.pid, path), what=f"{command} waits")
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_cat_at_once_and_the_request_goes_on(fake, server, gate, number):
    server.answer("Hel", gate, "lo")
    fake.write("hi")
    process = blocked_reader(fake, "cat mount/fake/response")
    assert process.stdout.read(3) == b"Hel"
    eventually(lambda: waits_in(process.pid, fake / "response"))
    end_group(process, number)
    assert process.wait(2) == -number
    assert not gate.is_set()
    gate.open()
    assert fake.read() == "Hello"


def test_a_killed_reader_leaves_other_readers_alone(fake, server, gate):
    server.answer("Hel", gate, "lo")
    fake.write("hi")
    other = Reader(fake / "response")
    process = blocked_reader(fake, "cat mount/fake/response")
    end_group(process, signal.SIGKILL)
    assert process.wait(5) == -signal.SIGKILL
    gate.open()
    assert other.end() == b"Hello"


def test_many_readers_killed_at_once_leave_nothing_stuck(fake, server, gate):
    server.answer("Hel", gate, "lo")
    fake.write("hi")
    processes = [blocked_reader(fake, "cat mount/fake/response") for _ in range(20)]
    for process in processes:
        end_group(process, signal.SIGKILL)
    for process in processes:
        assert process.wait(5) == -signal.SIGKILL
    gate.open()
    assert fake.read() == "Hello"


def test_a_python_reader_with_a_handler_goes_on_reading(fake, server, gate):
    server.answer("Hel", gate, "lo")
    fake.write("hi")
    program = (
        "import os, signal, sys; signal.signal(signal.SIGUSR1, lambda *a: os.write(2, b'heard'));"
        "sys.stdout.write(open('mount/fake/response').read())"
    )
    process = fake.mount.start(["/usr/bin/python3", "-c", program])
    eventually(lambda: waits_in(process.pid, fake / "response"))

    def hears():  # at once in read, but not in the fstat before it
        end_group(process, signal.SIGUSR1)
        return select.select([process.stderr], [], [], 0.1)[0]

    eventually(hears)
    assert process.stderr.read(5) == b"heard"
    gate.open()
    assert process.communicate(timeout=10)[0] == b"Hello"


STOPPABLE = {
    "cat": "cat {}",
    "sed": "sed -n p {}",
    "gawk": "gawk '{{ print }}' {}",
    "mawk": "mawk '{{ print }}' {}",
    "sort": "sort {}",
    "base64": "base64 {}",
    "curl": "curl -s file://$PWD/{}",
    "node": "node -e 'process.stdout.write(require(\"fs\").readFileSync(\"{}\"))'",
    "node stream": "node -e 'require(\"fs\").createReadStream(\"{}\").pipe(process.stdout)'",
    "busybox sed": "busybox sed -n p {}",
    "grep": "grep line {}",
    "wc": "wc -c {}",
    "head": "head -c 100000 {}",
    "python": "/usr/bin/python3 -c 'import sys; sys.stdout.write(open(\"{}\").read())'",
    "xxd": "xxd {}",
    "perl": "perl -ne print {}",
    "jq": "jq -R . {}",
}


@pytest.mark.parametrize("number", [signal.SIGTSTP, signal.SIGSTOP])
@pytest.mark.parametrize("tool", STOPPABLE)
def test_a_tool_that_is_stopped_and_continued_loses_no_byte(fake, server, tool, number):
    if not shutil.which(tool.split()[0]) and tool != "python":
        pytest.skip(f"{tool.split()[0]} is not installed")
    first, second = Gate(), Gate()
    server.answer(*LINES[:10], first, *LINES[10:20], second, *LINES[20:])
    command = STOPPABLE[tool]
    (fake.mount.folder / "plain").write_text("".join(LINES))
    expected = fake.mount.run(command.format("plain"))
    fake.write("hi")
    process = blocked_reader(fake, command.format("mount/fake/response"))
    end_group(process, number)
    first.open()  # the stop may take effect with the next token, not later
    eventually(lambda: state_of(process.pid) == "T", what=f"{tool} stops")
    second.open()
    fake.wait()
    assert state_of(process.pid) == "T"
    end_group(process, signal.SIGCONT)
    out, error = process.communicate(timeout=20)
    assert (process.returncode, out.decode(), error) == (0, expected.replace("plain", "mount/fake/response"), b"")


def test_a_reader_that_is_stopped_for_the_whole_answer_gets_it_when_it_goes_on(fake, server, gate):
    server.answer("Hel", gate, "lo")
    fake.write("hi")
    process = blocked_reader(fake, "cat mount/fake/response")
    end_group(process, signal.SIGSTOP)
    gate.open()
    fake.wait()
    end_group(process, signal.SIGCONT)
    assert process.communicate(timeout=10)[0] == b"Hello"


def test_ctrl_c_ends_a_waiting_wait(fake, server, gate):
    server.answer("Hel", gate, "lo")
    fake.write("hi")
    process = fake.mount.start(["bash", "-c", "exec cat mount/fake/wait"])
    eventually(lambda: waits_in(process.pid, fake / "wait"))
    end_group(process, signal.SIGINT)
    assert process.wait(2) == -signal.SIGINT
    gate.open()
