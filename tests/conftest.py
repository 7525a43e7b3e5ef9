"""What the mount tests and the tests of the docs stand on; see docs/hacking.md."""

import os
import pathlib
import shlex
import signal
import tempfile

import pytest

from support import programs
from support.askfs import QUICK_RETRY, Mount
from support.server import Gate, Server
from support.simulator import Simulator
from support.waiting import Watchdog

pytest_plugins = ["support.breaking", "support.prometheus", "support.road", "support.talk"]


def pytest_configure():
    """What nohup and background jobs ignore is not ignored by the programs under test: exec keeps
    only what is ignored, and forgets handlers."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        build = os.environ.get("ASKFS_BUILD", "build")
        test = shlex.quote(os.path.relpath(item.path, programs.ROOT) + "::" + item.name)
        command = f"ASKFS_BUILD={build} /usr/bin/python3 -m pytest {test}"
        report.sections.append(("to see it again", command))
        for mount in getattr(item, "mounts", ()):
            report.sections.append((f"what {mount.path} said", mount.stderr()))


@pytest.fixture(autouse=True)
def watchdog(request):
    marker = request.node.get_closest_marker("seconds")
    with Watchdog(marker.args[0] if marker else 60) as dog:
        yield dog
    if dog.has_fired:
        pytest.fail("the watchdog had to end this test")


@pytest.fixture
def folder():
    """A short path: it is shown in failures, and typed again."""
    with tempfile.TemporaryDirectory(prefix="t.", ignore_cleanup_errors=True) as name:
        yield pathlib.Path(name)


@pytest.fixture
def simulator(folder):
    """A simulator of this test's own."""
    process = Simulator(folder)
    yield process
    process.stop()


@pytest.fixture
def server():
    """A provider that the test plays."""
    fake = Server()
    yield fake
    fake.stop()


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def mounted(request, folder, watchdog):
    """mounted(providers, defaults): a mount of these providers. top has what stands beside them in
    the configuration. All are ended and judged."""
    mounts = request.node.mounts = []

    def mount(providers=None, defaults=None, arguments=(), usable=True, top=None, **variables):
        config = None
        if providers is not None:
            config = {"defaults": {"retry": QUICK_RETRY, **(defaults or {})},
                      "providers": providers, **(top or {})}
        own = folder / f"askfs{len(mounts)}"
        own.mkdir(exist_ok=True)
        new = Mount(own, config, arguments, **variables)
        mounts.append(new)
        watchdog.victims.append(new.kill)
        return new.wait_until_usable() if usable else new

    yield mount
    wrong = [line for made in mounts for line in made.stop()]
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def sim(mounted, simulator):
    """The directory of a provider behind the simulator."""
    return mounted({"sim": {"type": "sim", "base_url": simulator.url}}) / "sim"


@pytest.fixture
def echo(sim):
    """The same, answering with the prompt."""
    sim.write("sim-echo", "model")
    return sim


@pytest.fixture
def fake(mounted, server):
    """The directory of a provider that the test plays."""
    return mounted({"fake": {"type": "openai-compatible", "base_url": server.url,
                             "model": "fake"}}) / "fake"
