"""Waiting for a condition, never for a time; and a watchdog for what should not have to wait."""

import faulthandler
import signal
import sys
import threading
import time


class TestTookTooLong(Exception):
    __test__ = False


def eventually(condition, seconds=20, what=None):
    """Returns the first true value of condition()."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what or condition}")
        time.sleep(0.005)  # the one nap of all tests: between two looks


class Watchdog:
    """A file of a dead mount can hold the whole process. When the time is up, first the daemons are
    killed, so that the kernel lets go of us, then the main thread is told."""

    def __init__(self, seconds):
        self.victims = []  # callables that make the kernel let go
        self.has_fired = False
        self.timer = threading.Timer(seconds, self._fire)
        self.timer.daemon = True
        self.seconds = seconds

    def __enter__(self):
        signal.signal(signal.SIGALRM, self._tell)
        faulthandler.dump_traceback_later(self.seconds + 60, exit=True)  # nothing helped
        self.timer.start()
        return self

    def __exit__(self, *_):
        self.timer.cancel()
        faulthandler.cancel_dump_traceback_later()

    def _fire(self):
        self.has_fired = True
        faulthandler.dump_traceback(file=sys.stderr)
        for victim in list(self.victims):
            victim()
        signal.pthread_kill(threading.main_thread().ident, signal.SIGALRM)

    def _tell(self, *_):
        raise TestTookTooLong(f"no end after {self.seconds} s; the daemons were killed")
