"""One askfs -f of a test, its tree, and the helpers that tests speak with."""

import errno
import json
import os
import pathlib
import signal
import subprocess
import threading

from support import programs
from support.waiting import eventually

# Failures come at once, so that tests of failures do, too.
QUICK_RETRY = {"initial_delay": 0.01, "max_delay": 0.05}

DEAD_MOUNT = (errno.ENOTCONN, errno.ECONNABORTED)


def is_mounted(path):
    with open("/proc/self/mounts") as mounts:
        return any(line.split()[1] == str(path) for line in mounts)


def take_away(path):
    for command in (["fusermount3", "-uz", str(path)], ["umount", "-l", str(path)]):
        if is_mounted(path):
            subprocess.run(command, capture_output=True, check=False)


def key_values(text):
    """A status file, in its order."""
    return dict(line.split(": ", 1) for line in text.splitlines())


class Directory:
    """A provider's directory, or a request's."""

    def __init__(self, mount, path):
        self.mount = mount
        self.path = path
        self.name = path.name

    def __truediv__(self, name):
        return self.path / name

    def write(self, text, name="prompt"):
        data = text if isinstance(text, bytes) else text.encode()
        with open(self.path / name, "wb", buffering=0) as file:
            file.write(data)

    def read_bytes(self, name="response"):
        return (self.path / name).read_bytes()

    def read(self, name="response"):
        return self.read_bytes(name).decode()

    def ask(self, prompt):
        """The whole answer to a prompt."""
        self.write(prompt)
        return self.read()

    def status(self, name="status"):
        return key_values(self.read(name))

    def wait(self):
        return self.read("wait")

    def becomes(self, **facts):
        """Waits until the status says so."""
        return eventually(
            lambda: all(self.status().get(key) == value for key, value in facts.items()),
            what=f"{self.path}/status: {facts}, but {self.status()}",
        )

    @property
    def latest(self):
        return Directory(self.mount, self.path / "requests" / "latest")

    def request_count(self):
        return len([name for name in os.listdir(self.path / "requests") if name != "latest"])

    def attempts(self):
        return [json.loads(line) for line in self.read("attempts").splitlines()]

    def errno_at_open(self):
        """Of prompt, for writing; 0: it opens, and nothing is written."""
        try:
            os.close(os.open(self.path / "prompt", os.O_WRONLY))
        except OSError as error:
            return error.errno
        return 0

    def fails(self, prompt):
        """Asks and returns (what was readable, the errno at its end)."""
        self.write(prompt)
        return self.read_to_error()

    def read_to_error(self, name="response"):
        got = b""
        descriptor = os.open(self.path / name, os.O_RDONLY)
        try:
            while piece := os.read(descriptor, 65536):
                got += piece
        except OSError as error:
            return got.decode(), error.errno
        finally:
            os.close(descriptor)
        return got.decode(), 0


class Reader:
    """A thread that reads a file to its end."""

    def __init__(self, path, size=65536):
        self.path = path
        self.size = size
        self.data = b""
        self.error = None
        self.opened = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            with open(self.path, "rb", buffering=0) as file:
                self.opened.set()
                while piece := file.read(self.size):
                    self.data += piece
        except OSError as error:
            self.error = error.errno

    def waits(self):
        """Returns once it sleeps in read."""
        assert self.opened.wait(20)
        task = f"self/task/{self.thread.native_id}"
        eventually(lambda: programs.state_of(task) in "SD")
        return self

    def has(self, text):
        data = text.encode() if isinstance(text, str) else text
        return eventually(lambda: data in self.data, what=f"{text!r} in {self.data!r}")

    def end(self, seconds=30):
        """All that it read."""
        self.thread.join(seconds)
        assert not self.thread.is_alive(), f"a reader of {self.path} got {self.data!r} and no end"
        return self.data


class Mount:
    def __init__(self, folder, config, arguments=(), under=(), **variables):
        self.folder = folder
        self.path = folder / "mount"
        self.path.mkdir(exist_ok=True)
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        self.config_file = folder / "config.json"
        if config is not None:
            self.config_file.write_text(json.dumps(config))
        self.children = []
        self.expected_exit = 0
        self.last_stderr = ""  # the folder may be gone when a failure is told
        self.stderr_path = folder / "askfs.stderr"
        with open(self.stderr_path, "wb") as stderr:
            chosen = [] if config is None else ["-c", self.config_file]
            self.process = programs.start(
                [*under, programs.ASKFS, "-f", *chosen, *arguments, self.path],
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                env=programs.environment(self.home, **variables),
            )

    def wait_until_usable(self):
        eventually(lambda: self._is_usable() or self.process.poll() is not None, seconds=30)
        assert self.process.poll() is None, f"askfs ended at once: {self.stderr()}"
        return self

    def _is_usable(self):
        try:
            return (self.path / "version").exists()
        except OSError as error:
            if error.errno in DEAD_MOUNT:
                return False
            raise

    def stderr(self):
        if self.stderr_path.exists():
            self.last_stderr = self.stderr_path.read_text(errors="replace")
        return self.last_stderr

    def __truediv__(self, name):
        """The directory of a provider."""
        return Directory(self, self.path / name)

    def read(self, name):
        return (self.path / name).read_text()

    def start(self, command, **options):
        """A shell command or an argument list, in its own process group, ended with the mount."""
        arguments = ["bash", "-c", command] if isinstance(command, str) else command
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        process = programs.start(
            arguments, env=programs.environment(self.home), cwd=self.folder, **options
        )
        self.children.append(process)
        return process

    def shell(self, command, seconds=30):
        """(exit code, stdout, stderr), as text."""
        process = self.start(command)
        try:
            out, error = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"no end within {seconds} s: {command}") from None
        return process.returncode, out.decode(errors="replace"), error.decode(errors="replace")

    def run(self, command, seconds=30):
        """The output of a shell command that must succeed."""
        code, out, error = self.shell(command, seconds)
        assert code == 0, f"{command}: exit {code}: {out}{error}"
        return out

    def kill(self):
        """What the watchdog does: the kernel must let everybody go."""
        programs.end_group(self.process)
        take_away(self.path)

    def stop(self, number=signal.SIGTERM):
        """Ends it as a user would, and says what was wrong with its life, if anything."""
        wrong = []
        for child in self.children:
            programs.end_group(child)
        for child in self.children:
            if child.stdin and child.stdin.closed:
                child.stdin = None  # or it is flushed once more
            child.communicate()
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(20)
            if self.expected_exit is not None and code != self.expected_exit:
                wrong.append(f"askfs ended with {code}")
        except subprocess.TimeoutExpired:
            wrong.append(f"askfs did not end on {signal.Signals(number).name}")
            self.kill()
            self.process.wait(20)
        if is_mounted(self.path):
            if self.expected_exit is not None:
                wrong.append("it left its mount behind")
            take_away(self.path)
        wrong += programs.suspicious_lines(self.stderr())
        return wrong


