"""Where the programs under test are, and how a test starts any other."""

import os
import pathlib
import signal
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get("ASKFS_BUILD", "build")
ASKFS = BUILD / "mount" / "askfs"
SIMULATOR = BUILD / "mount" / "askfs-sim"

KEY_VARIABLES = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "XAI_API_KEY")

# In the output of any of our programs, each of these is a failure, whatever the test saw.
SUSPICIOUS = (
    "ERROR: AddressSanitizer",
    "LeakSanitizer",
    "runtime error:",
    "ssertion ",
    "fuse:",
    "corrupted",
    "double free",
)


def suspicious_lines(text):
    return [line for line in text.splitlines() if any(word in line for word in SUSPICIOUS)]


def environment(home, **more):
    """A machine without keys and without configuration."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "TMPDIR", "LANG", "LC_ALL", "ASAN_OPTIONS", "UBSAN_OPTIONS", "USER")
    }
    kept["HOME"] = str(home)
    kept.update(more)
    return kept


def start(arguments, **options):
    """A child in a process group of its own that is ended by the kernel when we are gone."""
    arguments = ["setpriv", "--pdeathsig", "TERM", *map(str, arguments)]
    return subprocess.Popen(arguments, process_group=0, **options)


def end_group(process, number=signal.SIGKILL):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def find(what):
    """Processes with that word among their arguments."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if os.fsencode(what) in arguments:
            found.append(int(entry.name))
    return found


def told_of(pid, name):
    """A file below /proc/PID; empty where a process that must not be dumped lets nobody but root look."""
    try:
        return pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
    except PermissionError:
        return b""


def state_of(pid):
    """The letter of ps: R running, S sleeping, D in the kernel, T stopped, Z dead; "" when gone."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[0]
