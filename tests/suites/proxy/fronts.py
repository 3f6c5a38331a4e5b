"""The front ends: the server alone, nginx and HAProxy, with the configurations from
docs/proxies.md.
"""

import contextlib
import re
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from clients import Address

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "proxies.md"
ORIGIN = "https://example.org"

# In the order of the table's columns.
FRONTS = {
    "none": "no proxy",
    "nginx recommended": "nginx, recommended",
    "nginx defaults": "nginx, its defaults",
    "nginx ignoring": "nginx, its defaults, without the header",
    "haproxy recommended": "HAProxy, recommended",
    "haproxy packaged": "HAProxy, as packaged",
}


def configuration(name):
    """Returns the fenced block of docs/proxies.md that has this name in its info string."""
    found = re.findall(rf"^```{name}\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert len(found) == 1, f"docs/proxies.md has {len(found)} blocks named {name!r}"
    return found[0]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def replaced(text, *pairs):
    for old, new in pairs:
        assert old in text, f"the configuration has no {old!r}"
        text = text.replace(old, new)
    return text


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.05)


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def stop(process):
    """Ends a process that this script started, and waits for its end."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def children(pid):
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.add(int(path.parent.name))
    return found


class Server:
    """A barewire process and its request log."""

    def __init__(self, program, work, *options):
        self.log = work / "barewire.log"
        command = [program, "--listen", "127.0.0.1:0", "--log", "json", "--allow-origin", ORIGIN, "--no-wire", *options]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        self.port = int(self.process.stdout.readline().rpartition(":")[2])
        self.address = Address(self.port)

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=20) as response:
            return int(re.search(rf"^barewire_{name} (\d+)", response.read().decode(), re.M)[1])

    def stop(self):
        stop(self.process)


class Front:
    """One way to reach one server. The caller starts and stops it."""

    def __init__(self, kind, server, work, certificate):
        self.kind, self.server, self.work = kind, server, work
        self.process = None
        if kind == "none":
            self.address = server.address
            return
        self.port = free_port()
        tls = kind.endswith("recommended")
        self.certificate = certificate
        self.address = Address(self.port, certificate if tls else None)
        self.access_log = work / "access.log"
        self.file = work / "configuration"
        if kind.startswith("nginx"):
            self.command = ["nginx", "-p", work, "-c", self.file, "-e", work / "error.log", "-g", f"daemon off; pid {work}/pid;"]
        else:
            self.command = ["haproxy", "-W", "-db", "-f", self.file]
        self.configure()

    def configure(self):
        """Writes the configuration of this kind."""
        text = configuration("nginx defaults" if self.kind == "nginx ignoring" else self.kind)
        text = replaced(text, ("127.0.0.1:8080", f"127.0.0.1:{self.server.port}"))
        proxy = self.nginx if self.kind.startswith("nginx") else self.haproxy
        self.file.write_text(proxy(text, self.certificate))

    def nginx(self, text, certificate):
        log, here = "/var/log/nginx/access.log", f"listen 127.0.0.1:{self.port}"
        if self.kind == "nginx recommended":
            text = replaced(text, ("listen 443", here), (log, str(self.access_log)))
            if certificate:
                text = replaced(text, ("/etc/ssl/example.org.pem", str(certificate)))
            else:
                text = re.sub(r" ssl http2|^ *ssl_certificate.*\n", "", text, flags=re.M)
        else:
            text = replaced(text, ("listen 80", here), ("http {", f"http {{ access_log {self.access_log};"))
        if self.kind == "nginx ignoring":
            text = replaced(text, ("proxy_pass", "proxy_ignore_headers X-Accel-Buffering; proxy_pass"))
        # The directories that are compiled into Debian's nginx.
        paths = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        return replaced(text, ("http {", "http { " + " ".join(f"{name}_temp_path {self.work}/{name};" for name in paths)))

    def haproxy(self, text, certificate):
        text = replaced(text, ("log /dev/log", "log stdout format raw"))
        if self.kind == "haproxy recommended":
            return replaced(text, ("bind :443", f"bind 127.0.0.1:{self.port}"), ("/etc/haproxy/example.org.pem", str(certificate)))
        return replaced(text, ("bind :80", f"bind 127.0.0.1:{self.port}"))

    def start(self):
        if self.kind == "none":
            return
        to = self.access_log if self.kind.startswith("haproxy") else self.work / "output"
        with to.open("a") as output, (self.work / "errors").open("a") as errors:
            self.process = subprocess.Popen([str(part) for part in self.command], stdout=output, stderr=errors)
        wait_for(lambda: self.process.poll() is not None or listens(self.port), 20, f"{self.kind} listens")
        assert self.process.poll() is None, f"{self.kind} ended: {(self.work / 'errors').read_text()}"

    def stop(self):
        if self.process:
            stop(self.process)

    def reload(self):
        """Reloads as `systemctl reload` does. Returns the processes that served until then."""
        old = children(self.process.pid)
        self.process.send_signal(signal.SIGHUP if self.kind.startswith("nginx") else signal.SIGUSR2)
        wait_for(lambda: children(self.process.pid) - old, 20, "new workers appear")
        return old
