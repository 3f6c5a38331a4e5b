"""A server for one case: started, observed from outside (/proc, /metrics), stopped."""

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
# The processes that are still running. The script kills them when it ends, in every case.
RUNNING = []


def kill_with_parent():
    """Runs in a child before exec: the kernel kills the child when the script ends (prctl(2),
    PR_SET_PDEATHSIG).
    """
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Server:
    """One process of the release binary, on its own port."""

    def __init__(self, *options, listen="127.0.0.1:0", files=None, env=None, errors=None):
        """`errors` is the standard error: a descriptor, or "closed"."""
        self.options, self.files, self.env, self.errors = options, files, env, errors
        self.highest = 0
        self.start(listen)

    def start(self, listen):
        """Starts the process. For a restart, `listen` is the previous address."""

        def before():
            kill_with_parent()
            if self.files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (self.files, self.files))
            if self.errors == "closed":
                os.close(2)

        quiet = [] if "--log" in self.options else ["--quiet"]
        command = [os.environ["BAREWIRE"], "--listen", listen, *quiet, *self.options]
        env = {**os.environ, **(self.env or {})}
        errors = None if self.errors == "closed" else self.errors
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, preexec_fn=before, env=env)
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

    def restart(self):
        """Starts the process again, at the same address."""
        self.start(f"{self.address[0]}:{self.address[1]}")

    def _status(self, name):
        with open(f"/proc/{self.pid}/status") as status:
            return int(re.search(rf"^{name}:\s+(\d+) kB", status.read(), re.M)[1]) * 1024

    def peak(self):
        """Returns the peak resident memory in bytes, over all runs of this server."""
        if self.process.poll() is None:
            self.highest = max(self.highest, self._status("VmHWM"))
        return self.highest

    def memory(self):
        """Returns the resident memory, in bytes."""
        return self._status("VmRSS")

    def reserved(self):
        """Returns the peak address space in bytes: all reserved memory, whether it was written or
        not.
        """
        return self._status("VmPeak")

    def cpu(self):
        """Returns the CPU time used, in seconds."""
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def metrics(self):
        """Returns the metrics: name with labels to number. Requests them over a separate
        connection.
        """
        with socket.create_connection(self.address, timeout=20) as client:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            received = b"".join(iter(lambda: client.recv(65536), b""))
        found = re.findall(r"^([a-z_]+(?:\{[^}]*\})?) (\d+)\s*$", received.decode(), re.M)
        if not found:
            raise Fault(f"/metrics: {received[:200]!r}")
        return {name: int(number) for name, number in found}

    def gauge(self, name):
        """Returns one metric; `name` omits the prefix `barewire_`."""
        return self.metrics().get(f"barewire_{name}", 0)

    def check_running(self):
        """Raises a Fault if the process has ended."""
        if self.process.poll() is not None:
            raise Fault(f"the server ended with {self.process.returncode}")

    def terminate(self):
        """Sends SIGTERM and returns at once."""
        self.peak()
        self.process.send_signal(signal.SIGTERM)

    def exit_status(self, seconds):
        """Waits for the process to end and returns its exit status."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Fault(f"the server had not ended after {seconds} s") from None

    def kill(self):
        """Kills the process if it is still running."""
        if self.process.poll() is None:
            self.peak()
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        if self.process in RUNNING:
            RUNNING.remove(self.process)


def eventually(what, condition, seconds):
    """Waits until `condition()` holds. Returns how long that took."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise Fault(f"{what}: not within {seconds} s")
        time.sleep(0.05)
    return time.monotonic() - began


def end_all():
    """Kills every process that is still running."""
    for process in RUNNING:
        if process.poll() is None:
            process.kill()
            process.wait()
    RUNNING.clear()
