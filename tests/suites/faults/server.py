"""A server of one's own for a case: started, looked at from outside (/proc, /metrics), ended."""

import ctypes
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time

from outcome import Fault

TICKS = os.sysconf("SC_CLK_TCK")
# What was started and is not yet ended; the end of the script ends it, whatever happens.
RUNNING = []


def tied():
    """In a child, before it becomes another program: it ends with the script (prctl(2), PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Server:
    """One process of the release binary, on a port of its own."""

    def __init__(self, *options, listen="127.0.0.1:0", files=None, env=None):
        self.options, self.files, self.env = options, files, env
        self.highest = 0
        self.start(listen)

    def start(self, listen):
        """Starts it; after an end of its own `listen` is the same address again."""

        def before():
            tied()
            if self.files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (self.files, self.files))

        command = [os.environ["BAREWIRE"], "--listen", listen, "--quiet", *self.options]
        env = {**os.environ, **(self.env or {})}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=before, env=env)
        RUNNING.append(self.process)
        watchdog = threading.Timer(30, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline().decode()
        watchdog.cancel()
        found = re.match(r"listening on http://(.*):(\d+)$", line)
        if not found:
            raise Fault(f"the server did not start: {line!r}")
        self.address = (found[1], int(found[2]))
        self.pid = self.process.pid

    def again(self):
        """Starts it anew where it was."""
        self.start(f"{self.address[0]}:{self.address[1]}")

    def _status(self, name):
        with open(f"/proc/{self.pid}/status") as status:
            return int(re.search(rf"^{name}:\s+(\d+) kB", status.read(), re.M)[1]) * 1024

    def peak(self):
        """The most memory that it has had, in bytes, over all its lives."""
        if self.process.poll() is None:
            self.highest = max(self.highest, self._status("VmHWM"))
        return self.highest

    def memory(self):
        """The memory that it has, in bytes."""
        return self._status("VmRSS")

    def reserved(self):
        """The most address space that it has had, in bytes: what it has set aside, written to or not."""
        return self._status("VmPeak")

    def cpu(self):
        """How long it has worked, in seconds."""
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def metrics(self):
        """Its metrics: name with labels to number. Asked over a connection of its own."""
        with socket.create_connection(self.address, timeout=20) as asker:
            asker.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            heard = b"".join(iter(lambda: asker.recv(65536), b""))
        found = re.findall(r"^([a-z_]+(?:\{[^}]*\})?) (\d+)\s*$", heard.decode(), re.M)
        if not found:
            raise Fault(f"/metrics: {heard[:200]!r}")
        return {name: int(number) for name, number in found}

    def gauge(self, name):
        """One metric, without its `barewire_`."""
        return self.metrics().get(f"barewire_{name}", 0)

    def is_up(self):
        """It has not ended by itself."""
        if self.process.poll() is not None:
            raise Fault(f"the server has ended with {self.process.returncode}")

    def terminate(self):
        """SIGTERM. Returns at once."""
        self.peak()
        self.process.send_signal(signal.SIGTERM)

    def awaited(self, seconds):
        """Its exit status, once it has ended by itself."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Fault(f"the server had not ended after {seconds} s") from None

    def kill(self):
        """SIGKILL, if it still runs."""
        if self.process.poll() is None:
            self.peak()
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        if self.process in RUNNING:
            RUNNING.remove(self.process)


def eventually(what, condition, seconds):
    """Waits until `condition()` holds, and returns how long that took."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise Fault(f"{what}: not within {seconds} s")
        time.sleep(0.05)
    return time.monotonic() - began


def end_all():
    """Ends whatever still runs."""
    for process in RUNNING:
        if process.poll() is None:
            process.kill()
            process.wait()
    RUNNING.clear()
