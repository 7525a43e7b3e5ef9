"""An askfs-sim process of one test, and its control endpoints."""

import json
import subprocess
import urllib.request

from support import programs


class Simulator:
    def __init__(self, folder, *arguments):
        self.log = open(folder / "askfs-sim.log", "w+")
        self.process = programs.start(
            [programs.SIMULATOR, "--port", "0", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=programs.environment(folder),
        )
        line = self.process.stdout.readline().decode()
        assert "listening on http://" in line, f"askfs-sim said {line!r}"
        self.url = line.split()[-1]
        self.port = int(self.url.rpartition(":")[2])

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, data=body, method=method)
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.read().decode()

    def fault(self, *rules):
        """From now on, for each model; rules as in the manual: "server status=503 times=2"."""
        self.call("POST", "/sim/faults", "\n".join(rules).encode() + b"\n")

    def faults(self):
        return self.call("GET", "/sim/faults")

    def clear_faults(self):
        self.call("DELETE", "/sim/faults")

    def requests(self):
        """What was asked, oldest first."""
        return json.loads(self.call("GET", "/sim/requests"))

    def stats(self):
        return json.loads(self.call("GET", "/sim/stats"))

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                programs.end_group(self.process)
                self.process.wait(10)
                raise AssertionError("askfs-sim did not end on SIGTERM")
        self.process.stdout.close()
        self.log.seek(0)
        suspicious = programs.suspicious_lines(self.log.read())
        self.log.close()
        assert not suspicious, suspicious
