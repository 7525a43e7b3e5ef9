"""Providers for tests/bench/faults that can be stopped, killed, and come back."""

import collections
import http.client
import json
import pathlib
import subprocess
import urllib.request

from support import programs
from support.waiting import eventually

BENCH = pathlib.Path(__file__).resolve().parent


class Simulator:
    """askfs-sim, which can be killed and come back on its port."""

    def __init__(self, port=0):
        self.start(port)

    def start(self, port):
        self.process = programs.start([programs.SIMULATOR, "--port", port], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE)
        line = self.process.stdout.readline().decode()
        if "listening on" not in line:
            raise OSError(f"askfs-sim cannot listen on port {port}")
        self.url = line.split()[-1]
        self.port = int(self.url.rpartition(":")[2])

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def restart(self):
        eventually(self._has_started, seconds=10)

    def _has_started(self):
        try:
            self.start(self.port)
        except OSError:
            return False
        return True

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, data=body, method=method)
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.read().decode()

    def faults(self, *rules):
        self.call("DELETE", "/sim/faults")
        if rules:
            self.call("POST", "/sim/faults", "\n".join(rules).encode() + b"\n")

    def fired(self):
        counts = collections.Counter()
        for line in self.call("GET", "/sim/faults").splitlines():
            words = line.split()
            counts[words[0]] += sum(int(w[6:]) for w in words if w.startswith("fired="))
        return counts

    def answered(self):
        """Requests for an answer so far; the control endpoint counts itself."""
        return json.loads(self.call("GET", "/sim/stats"))["requests"]


class Upstream:
    """tests/bench/upstream.py."""

    def __init__(self, *arguments):
        script = BENCH / "upstream.py"
        self.process = programs.start(["/usr/bin/python3", script, *arguments],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.url = self.process.stdout.readline().decode().split()[-1]

    def stats(self):
        with urllib.request.urlopen(self.url + "/stats", timeout=20) as reply:
            return json.loads(reply.read())

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def said_by(url, prompts, model="sim"):
    """What the simulator answers when nothing goes wrong."""
    connection = http.client.HTTPConnection(url.rpartition("/")[2])
    texts = []
    for prompt in prompts:
        body = {"model": model, "messages": [{"role": "user", "content": prompt}]}
        connection.request("POST", "/v1/chat/completions", json.dumps(body),
                           {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
        texts.append(answer["choices"][0]["message"]["content"].encode())
    connection.close()
    return texts
