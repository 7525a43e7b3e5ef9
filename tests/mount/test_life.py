"""How a mount begins and ends."""

import errno
import os
import shutil
import signal
import subprocess

import pytest

from support import programs
from support.askfs import Reader, is_mounted, take_away
from support.programs import ASKFS, end_group
from support.waiting import eventually


def run_askfs(folder, *arguments, **variables):
    """In the background, as a user types it."""
    return subprocess.run(
        [ASKFS, *arguments], capture_output=True, text=True, timeout=60, check=False,
        stdin=subprocess.DEVNULL, env=programs.environment(folder, **variables), cwd=folder,
    )


def is_gone(path):
    return not is_mounted(path) and not programs.find(str(path))


@pytest.fixture
def place(folder, watchdog):
    """An empty directory that is taken back whatever happens."""
    path = folder / "ask"
    path.mkdir()

    def free():
        for pid in programs.find(str(path)):
            os.kill(pid, signal.SIGKILL)
        take_away(path)

    watchdog.victims.append(free)
    yield path
    free()


def test_in_the_background_it_returns_only_when_the_tree_is_usable(place, folder):
    for _ in range(5):
        result = run_askfs(folder, place)
        assert (result.returncode, result.stderr, result.stdout) == (0, "", "")
        assert "askfs" in (place / "version").read_text()
        subprocess.run(["fusermount3", "-u", place], check=True)
        eventually(lambda: is_gone(place))


def test_without_any_configuration_the_simulator_is_there(place, folder):
    assert run_askfs(folder, place).returncode == 0
    (place / "sim" / "prompt").write_text("hello")
    assert (place / "sim" / "response").read_text()
    subprocess.run(["fusermount3", "-u", place], check=True)
    eventually(lambda: is_gone(place))


def test_without_any_configuration_each_key_makes_a_provider(place, folder):
    assert run_askfs(folder, place, OPENAI_API_KEY="sk-a", XAI_API_KEY="sk-b").returncode == 0
    names = os.listdir(place)
    assert {"openai", "xai", "sim"} <= set(names) and "anthropic" not in names
    subprocess.run(["fusermount3", "-u", place], check=True)
    eventually(lambda: is_gone(place))


def test_the_simulator_ends_with_the_mount(place, folder):
    assert run_askfs(folder, place).returncode == 0
    (pid,) = programs.find(str(place))
    children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
    assert len(children) == 1
    subprocess.run(["fusermount3", "-u", place], check=True)
    eventually(lambda: is_gone(place))
    eventually(lambda: programs.state_of(children[0]) == "")


def test_the_simulator_ends_when_the_daemon_is_killed(place, folder):
    assert run_askfs(folder, place).returncode == 0
    (pid,) = programs.find(str(place))
    (child,) = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: programs.state_of(child) in ("", "Z"))


def test_the_daemon_holds_neither_terminal_nor_directory(place, folder):
    assert run_askfs(folder, place).returncode == 0
    (pid,) = programs.find(str(place))
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    for descriptor in (0, 1, 2):
        assert os.readlink(f"/proc/{pid}/fd/{descriptor}") == "/dev/null"
    assert os.getsid(pid) != os.getsid(0)
    subprocess.run(["fusermount3", "-u", place], check=True)
    eventually(lambda: is_gone(place))


def test_a_relative_mount_point_works_in_the_background(place, folder):
    assert run_askfs(folder, "ask").returncode == 0
    assert (place / "version").exists()
    subprocess.run(["fusermount3", "-u", place], check=True)
    eventually(lambda: not is_mounted(place))
    eventually(lambda: not [pid for pid in programs.find("ask")])


@pytest.mark.parametrize("name, words", [("nothing", "mkdir"), ("file", "directory")])
def test_a_mount_that_fails_says_so_in_one_line_and_exits_1(folder, name, words):
    (folder / "file").write_text("x")
    result = run_askfs(folder, folder / name)
    assert result.returncode == 1
    assert result.stderr.startswith("askfs: ") and result.stderr.count("\n") == 1
    assert words in result.stderr and name in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [[], ["--no-such-option"], ["-z", "x"], ["-c"], ["-o", "no_such_option", "x"], ["a", "b", "c"], ["-o", "ro", "x"]],
)
def test_wrong_usage_exits_2_and_says_what_to_do(folder, arguments):
    result = run_askfs(folder, *arguments)
    assert result.returncode == 2
    assert result.stderr.startswith("askfs: ") and result.stderr.count("\n") == 1


def test_a_broken_configuration_exits_2_and_mounts_nothing(place, folder):
    (folder / "broken.json").write_text('{"providers": {')
    result = run_askfs(folder, "-c", folder / "broken.json", place)
    assert result.returncode == 2
    assert result.stderr.startswith("askfs: ") and "broken.json" in result.stderr
    assert not is_mounted(place)


@pytest.mark.parametrize("option, words", [("--help", "MOUNTPOINT"), ("--version", "askfs")])
def test_help_and_version_go_to_stdout(folder, option, words):
    result = run_askfs(folder, option)
    assert (result.returncode, result.stderr) == (0, "")
    assert words in result.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(mounted, simulator, number):
    mount = mounted({"sim": {"type": "sim", "base_url": simulator.url}})
    (mount / "sim").ask("hi")
    mount.process.send_signal(number)
    assert mount.process.wait(20) == 0
    assert not is_mounted(mount.path)


def test_a_signal_ends_it_cleanly_while_an_answer_streams(fake, server, gate):
    server.answer("Hel", gate, "lo")
    fake.write("hi")
    reader = Reader(fake / "response")
    reader.has("Hel")
    fake.mount.process.send_signal(signal.SIGTERM)
    assert reader.end() == b"Hel"
    assert reader.error not in (None, 0)
    assert fake.mount.process.wait(20) == 0
    assert not is_mounted(fake.mount.path)
    assert server.requests[0].is_gone.wait(20)


def test_fusermount_ends_it_cleanly(mounted, simulator):
    mount = mounted({"sim": {"type": "sim", "base_url": simulator.url}})
    (mount / "sim").ask("hi")
    subprocess.run(["fusermount3", "-u", mount.path], check=True)
    assert mount.process.wait(20) == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root may umount")
def test_umount_ends_it_cleanly(mounted, simulator):
    mount = mounted({"sim": {"type": "sim", "base_url": simulator.url}})
    subprocess.run(["umount", mount.path], check=True)
    assert mount.process.wait(20) == 0


def test_a_dead_mount_is_replaced(mounted, simulator, place, folder):
    config = {"sim": {"type": "sim", "base_url": simulator.url}}
    dead = mounted(config)
    dead.expected_exit = None
    end_group(dead.process, signal.SIGKILL)
    dead.process.wait(20)
    with pytest.raises(OSError) as failed:
        os.listdir(dead.path)
    assert failed.value.errno in (errno.ENOTCONN, errno.ECONNABORTED)
    result = run_askfs(folder, "-c", dead.config_file, dead.path)
    assert (result.returncode, result.stderr) == (0, "")
    assert (dead / "sim").ask("hi")
    subprocess.run(["fusermount3", "-u", dead.path], check=True)
    eventually(lambda: not is_mounted(dead.path))
    eventually(lambda: not programs.find(str(dead.path)))


def test_a_mount_that_is_alive_is_not_replaced(mounted, simulator, folder):
    mount = mounted({"sim": {"type": "sim", "base_url": simulator.url}})
    result = run_askfs(folder, "-c", mount.config_file, mount.path)
    assert result.returncode == 1
    assert result.stderr.startswith("askfs: ") and result.stderr.count("\n") == 1
    assert (mount / "sim").ask("hi")


def test_a_reader_of_a_killed_daemon_is_let_go(mounted, server, gate):
    server.answer("Hel", gate, "lo")
    fake = mounted({"fake": {"type": "openai-compatible", "base_url": server.url, "model": "m"}}) / "fake"
    fake.write("hi")
    reader = Reader(fake / "response")
    reader.has("Hel")
    fake.mount.expected_exit = None
    end_group(fake.mount.process, signal.SIGKILL)
    assert reader.end() == b"Hel"
    assert reader.error in (errno.ECONNABORTED, errno.ENOTCONN)


def mount_options(path):
    with open("/proc/self/mounts") as mounts:
        return next(line.split()[3].split(",") for line in mounts if line.split()[1] == str(path))


def test_it_is_always_nosuid_and_nodev(sim):
    options = mount_options(sim.mount.path)
    assert {"nosuid", "nodev", "default_permissions"} <= set(options)


def test_df_shows_what_it_is(sim):
    with open("/proc/self/mounts") as mounts:
        line = next(line.split() for line in mounts if line.split()[1] == str(sim.mount.path))
    assert (line[0], line[2]) == ("askfs", "fuse.askfs")


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount")
@pytest.mark.skipif(not shutil.which("mount.fuse.askfs") and not shutil.which("mount.fuse"),
                    reason="mount.fuse is not installed")
def test_mount_t_fuse_askfs_works_and_is_nosuid_nodev(place, folder, simulator):
    config = folder / "config.json"
    config.write_text('{"providers": {"sim": {"type": "sim", "base_url": "%s"}}}' % simulator.url)
    result = subprocess.run(
        ["mount", "-t", "fuse.askfs", "askfs", place, "-o", f"config={config}"],
        capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL,
        env=programs.environment(folder, PATH=f"{ASKFS.parent}:{os.environ['PATH']}"),
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert {"nosuid", "nodev", "default_permissions"} <= set(mount_options(place))
    (place / "sim" / "prompt").write_text("hi")
    assert (place / "sim" / "response").read_text()
    subprocess.run(["umount", place], check=True)
    eventually(lambda: is_gone(place))


def test_an_idle_mount_does_not_run(sim):
    """100 looks at its clock, and no tick between them."""
    sim.ask("hi")

    def ticks():
        with open(f"/proc/{sim.mount.process.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    def is_quiet():
        before = ticks()
        for _ in range(100):
            programs.state_of(sim.mount.process.pid)
            os.sched_yield()
        return ticks() == before and programs.state_of(sim.mount.process.pid) == "S"

    eventually(is_quiet)
