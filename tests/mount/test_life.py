"""How a mount begins and ends."""

import errno
import json
import os
import shutil
import signal
import subprocess

import pytest

from support import programs
from support.askfs import Reader, is_mounted, take_away
from support.programs import ASKFS, end_group
from support.server import HANG, chunk, event, stream_head
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


@pytest.mark.skipif(os.getuid() != 0, reason="only root may look at a process that must not be dumped")
def test_the_daemon_holds_neither_terminal_nor_directory(place, folder):
    assert run_askfs(folder, place).returncode == 0
    (pid,) = programs.find(str(place))
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    for descriptor in (0, 1, 2):
        assert os.readlink(f"/proc/{pid}/fd/{descriptor}") == "/dev/null"
    assert os.getsid(pid) != os.getsid(0)
    subprocess.run(["fusermount3", "-u", place], check=True)
    eventually(lambda: is_gone(place))


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_descriptors_are_nobodys_sockets(place, folder, closed):
    home = programs.environment(folder)
    command = ["bash", "-c", f'exec "$@" {closed}', "askfs", programs.ASKFS, place]
    assert subprocess.run(command, env=home, check=False, timeout=30).returncode == 0
    assert (place / "version").exists()
    ask = f"echo hi > {place}/sim/prompt && cat {place}/sim/response"
    assert subprocess.run(["bash", "-c", ask], check=True, capture_output=True).stdout
    subprocess.run(["fusermount3", "-u", place], check=True)
    eventually(lambda: is_gone(place))


def test_a_relative_mount_point_works_in_the_background(place, folder):
    assert run_askfs(folder, "ask").returncode == 0
    assert (place / "version").exists()
    subprocess.run(["fusermount3", "-u", place], check=True)
    eventually(lambda: not is_mounted(place))
    eventually(lambda: not [pid for pid in programs.find("ask")])


@pytest.mark.parametrize("how", ["-c", "ASKFS_CONFIG"])
def test_a_relative_configuration_is_found_again_from_the_background(place, folder, server, how):
    def configure(model):
        config = {"type": "openai-compatible", "base_url": server.url, "model": model}
        (folder / "own.json").write_text(json.dumps({"providers": {"fake": config}}))

    configure("before")
    arguments = ["-c", "own.json", place] if how == "-c" else [place]
    variables = {} if how == "-c" else {how: "own.json"}
    assert run_askfs(folder, *arguments, **variables).returncode == 0
    configure("after")
    (pid,) = programs.find(str(place))
    os.kill(pid, signal.SIGHUP)
    eventually(lambda: (place / "events").read_text().count('"event":"config_') == 2)
    assert (place / "fake" / "model").read_text() == "after\n"
    subprocess.run(["fusermount3", "-u", place], check=True)
    eventually(lambda: is_gone(place))


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


def config_of(server):
    return {"providers": {"fake": {"type": "openai-compatible", "base_url": server.url, "model": "m"}}}


# mount(8) looks for askfs in the system's folders only, with an empty environment. In a namespace of
# its own the test may put it there.
MOUNT_T = """
set -e
mount --bind {build} /usr/local/bin
mount -t fuse.askfs askfs {place} -o config={config},noauto,user,nofail,_netdev,x-systemd.automount,dev,suid,exec
grep " {place} " /proc/self/mounts
echo hi > {place}/fake/prompt
cat {place}/fake/response
umount {place}
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount")
@pytest.mark.skipif(not shutil.which("mount.fuse.askfs") and not shutil.which("mount.fuse"),
                    reason="mount.fuse is not installed")
def test_mount_t_fuse_askfs_with_options_of_fstab_works_and_is_nosuid_nodev(place, folder, server):
    config = folder / "config.json"
    config.write_text(json.dumps(config_of(server)))
    script = MOUNT_T.format(build=ASKFS.parent, place=place, config=config)
    result = subprocess.run(
        ["unshare", "--mount", "bash", "-c", script], capture_output=True, text=True, check=False,
        timeout=60, stdin=subprocess.DEVNULL, env=programs.environment(folder),
    )
    assert (result.returncode, result.stderr) == (0, "")
    mounted, answer = result.stdout.split("\n", 1)
    source, _, kind, options = mounted.split()[:4]
    assert (source, kind) == ("askfs", "fuse.askfs")
    assert {"nosuid", "nodev", "default_permissions"} <= set(options.split(","))
    assert "noexec" not in options and answer
    eventually(lambda: not programs.find(str(place)))


# /dev/fuse may be root's only: in a namespace of its own the test has one for everybody, and a place
# that everybody can reach.
AS_NOBODY = """
set -eu
mount -t tmpfs -o dev tmpfs /mnt
mknod -m 666 /mnt/fuse c 10 229
mount --bind /mnt/fuse /dev/fuse
mkdir /mnt/bin /mnt/home /mnt/home/ask
mount --bind {build} /mnt/bin
cp {config} /mnt/home/config.json
chown -R 65534:65534 /mnt/home
as_nobody() {{ setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/mnt/home "$@"; }}
ended() {{ for i in $(seq 200); do kill -0 "$1" 2> /dev/null || return 0; sleep 0.05; done; return 1; }}
cd /mnt/home
{steps}
"""


@pytest.fixture
def as_nobody(folder, server):
    """Runs steps of a shell as a user without rights; askfs is /mnt/bin/askfs."""
    if os.getuid() != 0 or not shutil.which("fusermount3"):
        pytest.skip("needs root, to become somebody else")
    if not os.path.exists("/etc/mtab"):
        pytest.skip("fusermount3 wants /etc/mtab to unmount for users: ln -s /proc/mounts /etc/mtab")
    config = folder / "config.json"
    config.write_text(json.dumps(config_of(server)))

    def run(steps):
        script = AS_NOBODY.format(build=ASKFS.parent, config=config, steps=steps)
        result = subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
             "bash", "-c", script],
            capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL,
            env=programs.environment(folder),
        )
        return result.returncode, result.stdout, result.stderr

    return run


def test_a_user_without_rights_mounts_asks_and_unmounts(as_nobody):
    code, out, error = as_nobody("""
        as_nobody /mnt/bin/askfs -c config.json ask
        grep " /mnt/home/ask " /proc/self/mounts
        echo hi | as_nobody tee ask/fake/prompt > /dev/null
        as_nobody cat ask/fake/response > answer
        [ -s answer ]
        pid=$(pgrep -x askfs)
        as_nobody fusermount3 -u ask
        ended $pid
        ! grep " /mnt/home/ask " /proc/self/mounts
    """)
    assert (code, error) == (0, "")
    options = out.split()[3].split(",")
    assert {"nosuid", "nodev", "default_permissions", "user_id=65534"} <= set(options)


@pytest.mark.parametrize("number", ["TERM", "INT"])
def test_a_signal_ends_the_mount_of_a_user_without_rights(as_nobody, number):
    code, _, error = as_nobody(f"""
        as_nobody /mnt/bin/askfs -c config.json ask
        pid=$(pgrep -x askfs)
        kill -{number} $pid
        ended $pid
        ! grep " /mnt/home/ask " /proc/self/mounts
    """)
    assert (code, error) == (0, "")


def test_a_dead_mount_of_a_user_without_rights_is_replaced(as_nobody):
    code, out, error = as_nobody("""
        as_nobody /mnt/bin/askfs -c config.json ask
        pid=$(pgrep -x askfs)
        kill -KILL $pid
        ended $pid
        ! as_nobody ls ask 2> /dev/null
        as_nobody /mnt/bin/askfs -c config.json ask
        as_nobody ls ask
        as_nobody fusermount3 -u ask
        ! grep " /mnt/home/ask " /proc/self/mounts
    """)
    assert (code, error) == (0, "") and "fake" in out.split()


def test_what_fusermount_refuses_is_told_in_one_line(as_nobody):
    code, _, error = as_nobody("as_nobody /mnt/bin/askfs -o allow_other -c config.json ask")
    assert code == 1 and error.count("\n") == 1
    assert error.startswith("askfs: /mnt/home/ask: cannot be mounted: ")
    assert "user_allow_other into /etc/fuse.conf" in error


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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_response_in_the_background_is_cancelled_at_its_provider(mounted, simulator, number):
    mount = mounted({"sim": {"type": "sim", "api": "responses", "base_url": simulator.url,
                             "options": {"sim": {"chunks": 1000, "ms_per_chunk": 20}}}})
    sim = mount / "sim"
    sim.write("hi")
    reader = Reader(sim / "response").waits()
    eventually(lambda: reader.data)
    mount.process.send_signal(number)
    assert mount.process.wait(20) == 0
    paths = [request["path"] for request in simulator.requests()]
    assert paths[-1].endswith("/cancel"), paths


def test_a_provider_that_takes_no_cancel_does_not_hold_the_mount(mounted, server):
    """The mount itself is gone at once; the process gives the provider a moment."""
    server.hangs_on_cancel = True
    begin = {"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1"}}
    delta = {"type": "response.output_text.delta", "sequence_number": 1, "delta": "Hel"}
    server.plays(stream_head(), *(chunk(event(said, said["type"])) for said in (begin, delta)), HANG)
    mount = mounted({"fake": {"type": "openai-compatible", "api": "responses", "model": "fake",
                              "background": True, "base_url": server.url}})
    (mount / "fake").write("hi")
    Reader(mount / "fake" / "response").has("Hel")
    mount.process.send_signal(signal.SIGTERM)
    eventually(lambda: not is_mounted(mount.path))
    assert mount.process.wait(20) == 0
    assert server.cancelled == ["/v1/responses/resp_1/cancel"]
