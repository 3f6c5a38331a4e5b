"""Standard error and a recording that are blocked, full, closed, or a terminal stopped with Ctrl-S."""

import fcntl
import os
import socket
import tempfile
import termios
import threading

import wire
from control import ControlGroup
from outcome import Fault, Outcome
from pool import FollowerPool, Publisher, newest
from server import Server

# Not every version of Python has the name.
F_SETPIPE_SZ = 1031
NOTICE = b"dropped, because standard error did not accept them"
# A request whose line in the log is long, and the number of them that exceeds every queue.
LONG = wire.request("/" + "x" * 4000)
REQUESTS = 1500


class Errors:
    """A standard error of one kind. `fd` is the server's end, and `reader` the other one."""

    def __init__(self, kind):
        self.kind, self.reader = kind, None
        if kind == "blocked":
            self.reader, self.fd = os.pipe()
            fcntl.fcntl(self.fd, F_SETPIPE_SZ, 4096)
        elif kind == "stopped terminal":
            self.reader, self.fd = os.openpty()
            # The effect of Ctrl-S.
            termios.tcflow(self.fd, termios.TCOOFF)
        elif kind == "full":
            self.fd = os.open("/dev/full", os.O_WRONLY)
        else:
            self.fd = "closed"

    def read_on(self):
        """Reads everything on another thread. Returns the list of its parts."""
        parts = []
        if self.kind == "stopped terminal":
            termios.tcflow(self.fd, termios.TCOON)

        def read():
            try:
                while part := os.read(self.reader, 65536):
                    # The end of the previous part, in case the text is divided.
                    parts.append((parts[-1][-100:] if parts else b"") + part)
            # A terminal whose program has ended.
            except OSError:
                pass

        threading.Thread(target=read, daemon=True).start()
        return parts

    def close(self):
        for fd in {self.reader, self.fd} - {None, "closed"}:
            os.close(fd)


def send_requests(server):
    """Sends requests whose log lines and spans exceed the queues, and reads all responses."""
    with socket.create_connection(server.address, timeout=20) as client:
        received = b""
        for _ in range(REQUESTS // 10):
            client.sendall(LONG * 10)
            while received.count(b"HTTP/1.1 404") < 10:
                part = client.recv(65536)
                if not part:
                    raise Fault("the server closed a connection")
                received += part
            # The responses are alike, so a part of the last one may remain.
            received = received[received.rindex(b"HTTP/1.1 404") + 1 :]


def one(kind, options, pipe, followers, seconds):
    """Runs a server whose standard error, and whose recording if there is a pipe for it, are of this
    kind. Returns the report of the control clients, the peak memory, the lines dropped and the time
    to end.
    """
    errors = Errors(kind)
    recording = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK) if pipe else None
    server = Server(*options, *(["--record", pipe] if pipe else []), errors=errors.fd)
    control = ControlGroup(server)
    control.before(1)
    control.phase("gathering")
    transports = ("sse", "websocket", "long-poll")
    kinds = {("outputs", transport): followers // 3 + (transport == "sse") for transport in transports}
    pool = FollowerPool(server.address, kinds, newest(server, "outputs"))
    pool.connect_all()
    pool.until("all follow", pool.all_follow, 30)
    control.phase("during")
    publisher = Publisher(server.address, "outputs", 10)
    flood = threading.Thread(target=send_requests, args=(server,))
    flood.start()
    if recording is not None and kind in ("full", "closed"):
        # Nobody reads the recording any more. With the other kinds it is only not read.
        os.close(recording)
        recording = None
    pool.run(seconds)
    while flood.is_alive():
        pool.poll_once()
    publisher.stop()
    pool.until("all have the last event", lambda: pool.all_have(publisher), 30)
    pool.check(publisher)
    if any(follower.gaps for follower in pool.followers) or pool.refused:
        raise Fault(f"{kind}: a follower received a gap or was refused")
    server.check_running()
    dropped = server.gauge("log_lines_dropped_total")
    # The standard library of Rust puts /dev/null in the place of a closed stream.
    if (dropped > 0) != (kind != "closed"):
        raise Fault(f"{kind}: {dropped} lines were dropped")
    report = control.stop()
    if errors.reader is not None and not pipe:
        parts = errors.read_on()
        pool.until("the log says what is missing", lambda: any(NOTICE in part for part in parts), 10)
    peak = server.peak()
    server.terminate()
    took = pool.until("the server ends", lambda: server.process.poll() is not None, 10)
    if server.exit_status(0) != 0:
        raise Fault(f"{kind}: the server ended with {server.process.returncode}")
    pool.close()
    server.kill()
    errors.close()
    if recording is not None:
        os.close(recording)
    return report, peak, dropped, took


def case(short):
    followers = 300 if short else 1_000
    seconds = 1 if short else 4
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("blocked", "full", "closed", "stopped terminal"):
            for options, is_recorded in ((["--log", "text"], False), (["--log", "json", "--wire"], True)):
                pipe = None
                if is_recorded:
                    pipe = os.path.join(folder, kind)
                    os.mkfifo(pipe)
                results[kind, is_recorded] = one(kind, options, pipe, followers, seconds)
    reports = [report for report, *_ in results.values()]
    phases = {phase for report in reports for phase in report["delays"]}
    report = {
        "accepted": sum(report["accepted"] for report in reports),
        "followers": {},
        # The longest of all runs.
        "delays": {
            phase: [max(values) for values in zip(*(report["delays"][phase] for report in reports if phase in report["delays"]))]
            for phase in phases
        },
    }
    dropped = sum(dropped for _, _, dropped, _ in results.values())
    return Outcome(
        f"standard error blocked, full, closed, and a terminal stopped with Ctrl-S, under {followers:,} followers (streams, WebSockets, long polls); each with "
        f"`--log text`, and with `--log json --wire --record` to a pipe that nobody reads",
        f"no follower noticed anything; {dropped:,} lines dropped and counted, and reported when the output was read again; SIGTERM ended each server within "
        f"{max(took for *_, took in results.values()):.1f} s", max(peak for _, peak, _, _ in results.values()), report,
    )
