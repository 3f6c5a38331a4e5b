"""The servers that are measured: barewire and its peers. Each is started anew for each measurement, and ended after it."""

import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import tomllib
from pathlib import Path

import cores

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]

# What all of them serve, but for where a peer says otherwise. The script fills in {address}, and the load generator {cursor}.
ECHO = "ws://{address}/echo"
TOPIC = "http://{address}/topics/bench"
SOCKET = "ws://{address}/topics/bench"
POLL = TOPIC + "?since={cursor}&wait=30"

# Why there is nothing to measure.
NO_ECHO = "nothing in it answers a WebSocket's messages"
ONLY_WEB_SOCKET = "a library for WebSockets alone"


class Failed(Exception):
    """Something is not as it has to be, and this says what."""


def tied(core, by=signal.SIGKILL):
    """In a child, before it becomes another program: it runs on this core, and ends with the script (prctl(2), PR_SET_PDEATHSIG)."""

    def before():
        cores.keep_to(core)
        ctypes.CDLL(None).prctl(1, by)

    return before


def said(*command):
    """What a command prints, on either output: nginx tells its version on the other."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except FileNotFoundError as error:
        raise Failed(f"there is no {command[0]}") from error
    if done.returncode != 0:
        raise Failed(f"{' '.join(str(word) for word in command)}: status {done.returncode}: {' '.join(done.stdout.split())}")
    return done.stdout.strip()


def locked(crate):
    """The version of a crate that a peer was built with. axum brings an older tokio-tungstenite of its own: the newest is the peer's."""
    packages = tomllib.loads((HERE / "Cargo.lock").read_text())["package"]
    found = [package["version"] for package in packages if package["name"] == crate]
    return max(found, key=lambda version: [int(part) for part in version.split(".")])


class Server:
    """One kind of server. `variants` are other options that its users may choose: for each benchmark that they matter to, what
    is added to the command."""

    name = None
    # Benchmark: why it can't be measured.
    cannot = {}
    # Benchmark: options.
    variants = {}
    # What these options are, in words.
    variant = None

    def __init__(self, programs):
        self.programs = programs

    def version(self):
        raise NotImplementedError

    def command(self):
        """What to start; the port is added."""
        raise NotImplementedError

    @contextlib.contextmanager
    def running(self, options=()):
        """Its address and the ids of its processes."""
        with started([*self.command(), *options]) as (process, line):
            found = re.match(r"listening on http://(\S+)$", line)
            if not found:
                raise Failed(f"{self.name} did not start: it said {line!r}")
            yield found[1], [process.pid]

    def where(self, benchmark):
        """The options by which the load generator finds what it measures."""
        match benchmark.workload, benchmark.via:
            case "echo", _:
                return ["--url", ECHO]
            case "requests", _:
                return ["--url", TOPIC + "?since={cursor}"]
            case workload, via:
                url = {"websocket": SOCKET, "sse": TOPIC, "long-poll": POLL}[via]
                return ["--url", url, *(["--publish", TOPIC] if workload == "fan-out" else [])]

    def newest(self, address):
        """Publishes an event, and returns the cursor behind it: what a client that polls has most of the time."""
        url = TOPIC.replace("{address}", address)
        said("curl", "-sS", "--fail", "-d", "first", url)
        return json.loads(said("curl", "-sS", "--fail", url))["next"]


@contextlib.contextmanager
def started(command):
    """The process, and the first line that it printed."""
    with subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, text=True, preexec_fn=tied(cores.SERVER)
    ) as process:
        watchdog = threading.Timer(30, process.kill)
        watchdog.start()
        try:
            line = process.stdout.readline().strip()
            watchdog.cancel()
            yield process, line
        finally:
            watchdog.cancel()
            process.kill()


class Barewire(Server):
    name = "barewire"

    def version(self):
        version = said(self.programs["barewire"], "--version").removeprefix("barewire ")
        with contextlib.suppress(Failed):  # A copy without its history.
            return f"{version}, commit {said('git', '-C', ROOT, 'describe', '--always', '--dirty', '--exclude', '*')}"
        return version

    def command(self):
        return [self.programs["barewire"], "serve", "--quiet", "--no-wire", "--listen", "127.0.0.1:0"]

    def where(self, benchmark):
        # Bare data in each message, as the others send it.
        bare = ["--header", "Sec-WebSocket-Protocol: barewire.text"] if benchmark.via == "websocket" else []
        return [*super().where(benchmark), *bare]


class Nchan(Server):
    """One worker of nginx. A subscriber's cursor is nchan's message id; what it is after an answer comes in a header, and goes into the
    query of the next request, where nchan looks for it if there is no If-None-Match."""

    name = "nchan"
    cannot = {"echo-1": NO_ECHO, "echo-16": NO_ECHO}

    CONFIGURATION = """
load_module {modules}/ngx_nchan_module.so;
daemon off;
pid {work}/pid;
error_log {work}/error.log;
worker_processes 1;
worker_rlimit_nofile {files};
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {work}/body;
    proxy_temp_path {work}/proxy;
    fastcgi_temp_path {work}/fastcgi;
    uwsgi_temp_path {work}/uwsgi;
    scgi_temp_path {work}/scgi;
    nchan_shared_memory_size 256m;
    server {{
        listen {address} backlog=4096;
        nchan_channel_id bench;
        nchan_subscriber_first_message newest;
        nchan_message_buffer_length 1024;
        add_header X-Cursor $nchan_message_id always;
        location = /topics/bench {{
            nchan_publisher http;
            nchan_subscriber websocket eventsource longpoll;
        }}
        location = /poll {{
            nchan_subscriber intervalpoll;
        }}
    }}
}}
"""

    def version(self):
        packaged = said("dpkg-query", "-W", "-f", "${Version}", "libnginx-mod-nchan")
        return f"{packaged} on nginx {said(self.programs['nginx'], '-v').rpartition('/')[2]}, both Debian's"

    @contextlib.contextmanager
    def running(self, options=()):
        files = os.sysconf("SC_OPEN_MAX")
        with tempfile.TemporaryDirectory() as directory:
            work = Path(directory)
            work.chmod(0o755)  # The worker is another user.
            with socket.socket() as listener:
                listener.bind(("127.0.0.1", 0))
                address = f"127.0.0.1:{listener.getsockname()[1]}"
            configuration = work / "nginx.conf"
            connections = files - 100  # Some descriptors are no connections.
            modules = Path(said("dpkg", "-L", "libnginx-mod-nchan").partition("ngx_nchan_module.so")[0].splitlines()[-1])
            configuration.write_text(
                self.CONFIGURATION.format(
                    modules=modules, work=work, files=files, connections=connections, address=address
                )
            )
            command = [self.programs["nginx"], "-p", work, "-c", configuration, "-e", work / "error.log"]
            # Killed, it would leave its worker behind.
            process = subprocess.Popen([str(part) for part in command], preexec_fn=tied(cores.SERVER, signal.SIGTERM))
            try:
                self.await_port(process, address, work / "error.log")
                yield address, [process.pid, *self.workers(process)]
            finally:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def await_port(self, process, address, log):
        host, port = address.split(":")
        for _ in range(600):
            if process.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
                return
            time.sleep(0.05)
        raise Failed(f"nginx did not start: {log.read_text() if log.exists() else 'no word of why'}")

    def workers(self, process):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if not children:
            raise Failed("nginx has no worker")
        return [int(child) for child in children]

    def where(self, benchmark):
        options = super().where(benchmark)
        if benchmark.workload == "requests":
            return ["--url", "http://{address}/poll?last_event_id={cursor}"]
        if benchmark.via == "long-poll":
            options[options.index("--url") + 1] = TOPIC + "?last_event_id={cursor}"
            options += ["--first-url", TOPIC, "--cursor", "header:X-Cursor"]
        return options

    def newest(self, address):
        url = TOPIC.replace("{address}", address)
        published = said("curl", "-sS", "--fail", "-i", "-d", "first", url)
        return re.search(r"^X-Cursor: (\S+)", published, re.M | re.I)[1]


class TokioTungstenite(Server):
    name = "tokio-tungstenite"
    cannot = dict.fromkeys(["sse", "long-poll", "requests", "idle-sse", "idle-long-poll"], ONLY_WEB_SOCKET)
    variants = {
        **dict.fromkeys(["echo-1", "echo-16", "idle-websocket"], ["--read-buffer", "4096"]),
        "burst": ["--batch"],
    }
    variant = "a read buffer of 4 KiB instead of 128 KiB; in bursts, one flush for all events that wait"

    def version(self):
        return f"{locked('tokio-tungstenite')}, tokio {locked('tokio')}"

    def command(self):
        return [self.programs["target"] / "peer-tokio-tungstenite", 0]

    def where(self, benchmark):
        options = super().where(benchmark)
        if "--publish" in options:
            options[options.index("--publish") + 1] = "ws://{address}/publish"
        return options


class Fastwebsockets(Server):
    name = "fastwebsockets"
    cannot = TokioTungstenite.cannot

    def version(self):
        return f"{locked('fastwebsockets')}, hyper {locked('hyper')}, tokio {locked('tokio')}"

    def command(self):
        return [self.programs["target"] / "peer-fastwebsockets", 0]


class Axum(Server):
    name = "axum"
    variants = {
        **dict.fromkeys(["echo-1", "idle-websocket"], ["--read-buffer", "4096"]),
        **dict.fromkeys(["echo-16", "burst"], ["--batch"]),
    }
    variant = "echo, 1 in flight, and idle: a read buffer of 4 KiB instead of 128 KiB; else one flush for all messages that wait"

    def version(self):
        return f"{locked('axum')}, hyper {locked('hyper')}, tokio {locked('tokio')}"

    def command(self):
        return [self.programs["target"] / "peer-axum", 0]


class Ws(Server):
    name = "ws"

    def version(self):
        package = json.loads((HERE / "ws" / "node_modules" / "ws" / "package.json").read_text())
        return f"{package['version']}, Node {said('node', '--version').removeprefix('v')}"

    def command(self):
        return ["node", HERE / "ws" / "server.js", 0]


ALL = [Barewire, Nchan, TokioTungstenite, Fastwebsockets, Axum, Ws]
