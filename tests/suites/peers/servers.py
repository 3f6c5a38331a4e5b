"""The measured servers: barewire and its peers. Each one is started for one measurement and killed
after it.
"""

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

# The URLs that all servers use unless a class overrides them. This script fills in {address}, and
# the load generator {cursor}.
ECHO = "ws://{address}/echo"
TOPIC = "http://{address}/topics/bench"
SOCKET = "ws://{address}/topics/bench"
POLL = TOPIC + "?since={cursor}&wait=30"

# Reasons for which a benchmark cannot run.
NO_ECHO = "it cannot echo WebSocket messages"
ONLY_WEB_SOCKET = "a library for WebSockets only"
ONLY_ECHO = "an echo only"
ONE_PER_POST = "a POST is one message"
NO_PIPELINING = "it closes a connection with several requests at once"
SLOW_IN_PYTHON = "its HTTP responses are written by Python code"

# The benchmarks of the other transports.
BATCHES = ["batch-sse", "batch-long-poll"]
EXCEPT_WEB_SOCKET = [
    "sse", "long-poll", "burst-sse", "burst-long-poll", "sequential-sse", "sequential-long-poll", *BATCHES,
    "requests", "idle-sse", "idle-long-poll",
]


class Failed(Exception):
    """A measurement failed; the message says why."""


def pinned(core, by=signal.SIGKILL):
    """Returns a function to run in a child before exec. It pins the child to a core and makes it
    end with the script (prctl(2), PR_SET_PDEATHSIG).
    """

    def before():
        cores.pin(core)
        ctypes.CDLL(None).prctl(1, by)

    return before


def output_of(*command):
    """Returns what a command prints on either output; nginx prints its version on standard error.
    """
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except FileNotFoundError as error:
        raise Failed(f"{command[0]} is not installed") from error
    if done.returncode != 0:
        raise Failed(f"{' '.join(str(word) for word in command)}: status {done.returncode}: {' '.join(done.stdout.split())}")
    return done.stdout.strip()


def locked(crate):
    """Returns the version of a crate that a peer was built with. axum depends on an older
    tokio-tungstenite; the newest is the peer's.
    """
    packages = tomllib.loads((HERE / "Cargo.lock").read_text())["package"]
    found = [package["version"] for package in packages if package["name"] == crate]
    return max(found, key=lambda version: [int(part) for part in version.split(".")])


class Server:
    """One kind of server. `variants` maps benchmarks to additional options that affect them and
    that users may choose.
    """

    name = None
    # Maps a benchmark to the reason for which it cannot run.
    cannot = {}
    # Maps a benchmark to options.
    variants = {}
    # The options in words.
    variant = None

    def __init__(self, programs):
        self.programs = programs

    def version(self):
        raise NotImplementedError

    def command(self):
        """Returns the command to start."""
        raise NotImplementedError

    @contextlib.contextmanager
    def running(self, options=()):
        """Starts the server and yields its address and the ids of its processes."""
        with started([*self.command(), *options]) as (process, line):
            found = re.match(r"listening on http://(\S+)$", line)
            if not found:
                raise Failed(f"{self.name} did not start: its first line is {line!r}")
            yield found[1], [process.pid]

    def where(self, benchmark):
        """Returns the options that tell the load generator which URLs to use."""
        match benchmark.workload, benchmark.via:
            case "echo", _:
                return ["--url", ECHO]
            case "requests", _:
                return ["--url", TOPIC + "?since={cursor}"]
            case workload, via:
                url = {"websocket": SOCKET, "sse": TOPIC, "long-poll": POLL}[via]
                return ["--url", url, *(["--publish", TOPIC] if workload == "fan-out" else [])]

    def newest(self, address):
        """Publishes an event and returns the cursor after it, which a polling client has most of
        the time.
        """
        url = TOPIC.replace("{address}", address)
        output_of("curl", "-sS", "--fail", "-d", "first", url)
        return json.loads(output_of("curl", "-sS", "--fail", url))["next"]


@contextlib.contextmanager
def started(command):
    """Starts a command and yields the process and the first line that it printed."""
    with subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, text=True, preexec_fn=pinned(cores.SERVER)
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
        version = output_of(self.programs["barewire"], "--version").removeprefix("barewire ")
        with contextlib.suppress(Failed):  # The directory may have no git history.
            return f"{version}, commit {output_of('git', '-C', ROOT, 'describe', '--always', '--dirty', '--exclude', '*')}"
        return version

    def command(self):
        return [self.programs["barewire"], "serve", "--quiet", "--no-wire", "--listen", "127.0.0.1:0"]

    def where(self, benchmark):
        # Only the event's data in each message, as the other servers send it.
        bare = ["--header", "Sec-WebSocket-Protocol: barewire.text"] if benchmark.via == "websocket" else []
        return [*super().where(benchmark), *bare]


class Nchan(Server):
    """One worker of nginx. A subscriber's cursor is nchan's message id. The new id arrives in a
    header of each response and goes into the query of the next request, where nchan looks for it if
    the request has no If-None-Match.
    """

    name = "nchan"
    cannot = {"echo-1": NO_ECHO, "echo-16": NO_ECHO} | dict.fromkeys(BATCHES, ONE_PER_POST)

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
        packaged = output_of("dpkg-query", "-W", "-f", "${Version}", "libnginx-mod-nchan")
        return f"{packaged} on nginx {output_of(self.programs['nginx'], '-v').rpartition('/')[2]}, both Debian's"

    @contextlib.contextmanager
    def running(self, options=()):
        files = os.sysconf("SC_OPEN_MAX")
        with tempfile.TemporaryDirectory() as directory:
            work = Path(directory)
            work.chmod(0o755)  # nginx's worker runs as another user.
            with socket.socket() as listener:
                listener.bind(("127.0.0.1", 0))
                address = f"127.0.0.1:{listener.getsockname()[1]}"
            configuration = work / "nginx.conf"
            connections = files - 100  # Not every descriptor is a connection.
            modules = Path(output_of("dpkg", "-L", "libnginx-mod-nchan").partition("ngx_nchan_module.so")[0].splitlines()[-1])
            configuration.write_text(
                self.CONFIGURATION.format(
                    modules=modules, work=work, files=files, connections=connections, address=address
                )
            )
            command = [self.programs["nginx"], "-p", work, "-c", configuration, "-e", work / "error.log"]
            # SIGKILL would leave the worker running.
            process = subprocess.Popen([str(part) for part in command], preexec_fn=pinned(cores.SERVER, signal.SIGTERM))
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
        raise Failed(f"nginx did not start: {log.read_text() if log.exists() else 'no error log'}")

    def workers(self, process):
        # nginx listens before it starts its worker.
        for _ in range(100):
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            if children:
                return [int(child) for child in children]
            time.sleep(0.05)
        raise Failed("nginx has no worker")

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
        published = output_of("curl", "-sS", "--fail", "-i", "-d", "first", url)
        return re.search(r"^X-Cursor: (\S+)", published, re.M | re.I)[1]


class TokioTungstenite(Server):
    name = "tokio-tungstenite"
    cannot = dict.fromkeys(EXCEPT_WEB_SOCKET, ONLY_WEB_SOCKET)
    variants = {
        **dict.fromkeys(["echo-1", "echo-16", "idle-websocket"], ["--read-buffer", "4096"]),
        "burst": ["--batch"],
    }
    variant = "a read buffer of 4 KiB instead of 128 KiB; in bursts, one flush for all waiting events"

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
    variant = "echo, 1 in flight, and idle: a read buffer of 4 KiB instead of 128 KiB; otherwise one flush for all waiting messages"

    def version(self):
        return f"{locked('axum')}, hyper {locked('hyper')}, tokio {locked('tokio')}"

    def command(self):
        return [self.programs["target"] / "peer-axum", 0]


class Ws(Server):
    name = "ws"

    def version(self):
        package = json.loads((HERE / "ws" / "node_modules" / "ws" / "package.json").read_text())
        return f"{package['version']}, Node {output_of('node', '--version').removeprefix('v')}"

    def command(self):
        return ["node", HERE / "ws" / "server.js", 0]


class Bun(Server):
    """Bun's HTTP and WebSockets are uWebSockets, called from JavaScript."""

    name = "bun"

    def version(self):
        return output_of(self.program(), "--version")

    def program(self):
        return HERE / "bun" / "node_modules" / ".bin" / "bun"

    def command(self):
        return [self.program(), HERE / "bun" / "server.js", 0]


class Socketify(Server):
    """uWebSockets, called from Python. Its own publish and subscribe serves the followers."""

    name = "socketify"
    cannot = {**dict.fromkeys(EXCEPT_WEB_SOCKET, SLOW_IN_PYTHON), "burst": NO_PIPELINING}

    def version(self):
        return output_of(self.programs["python"], "-c", "from importlib.metadata import version; print(version('socketify'))")

    def command(self):
        return [self.programs["python"], HERE / "socketify" / "server.py", 0]


class Epoll(Server):
    """A WebSocket echo written by hand on epoll, for this benchmark alone."""

    name = "epoll"
    cannot = dict.fromkeys([*EXCEPT_WEB_SOCKET, "websocket", "burst", "idle-websocket"], ONLY_ECHO)

    def version(self):
        return f"by hand, with rustix {locked('rustix')}"

    def command(self):
        return [self.programs["target"] / "peer-epoll", 0]

    def where(self, benchmark):
        return ["--url", ECHO]


ALL = [Barewire, Bun, Socketify, Epoll, Nchan, TokioTungstenite, Fastwebsockets, Axum, Ws]
