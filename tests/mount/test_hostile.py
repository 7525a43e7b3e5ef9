"""Programs that do whatever a system call can: nothing hangs, breaks, mixes answers or is lost."""

import sys

import pytest

from support import programs
from support.waiting import eventually

SIM = {"type": "sim", "model": "sim-echo", "requests_kept": 5}
PROGRAM = programs.ROOT / "tests" / "support" / "hostile.py"
STEPS = 2500


def has_settled(directory):
    status = directory.status()
    ended = ("requests_ok", "requests_failed", "requests_cancelled")
    return int(status["requests_total"]) == sum(int(status[key]) for key in ended)


@pytest.mark.parametrize("seed", [1, 2])
def test_hostile_programs_do_no_harm(mounted, simulator, seed):
    apis = {"chat": "chat", "messages": "messages", "responses": "responses"}
    mount = mounted({name: {**SIM, "api": api, "base_url": simulator.url} for name, api in apis.items()},
                    {"max_memory_per_response": 65536, "timeouts": {"first_token": 2, "read": 2}})
    hostile = [mount.start([sys.executable, PROGRAM, mount.path, 10 * seed + i, STEPS]) for i in range(3)]
    for process in hostile:
        _, error = process.communicate(timeout=50)
        assert (process.returncode, error.decode()) == (0, "")
    for name in apis:
        directory = mount / name
        eventually(lambda: has_settled(directory), what=f"{name}: {directory.status()}")
        for file, value in (("faults", "clear"), ("breaker", "reset"), ("system", ""),
                            ("options.json", ""), ("model", "sim-echo")):
            directory.write(value, file)
        assert directory.ask("still here") == "still here"
