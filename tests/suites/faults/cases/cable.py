"""A network cable is cut: peers in a network namespace whose link goes down and comes back."""

import contextlib
import ctypes
import os
import socket
import subprocess
import time

import wire
from control import ControlGroup
from outcome import Fault, Outcome, Skipped
from peers import Exchange
from server import Server, eventually

CLONE_NEWNET = 0x40000000


def ip(*arguments):
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=20)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


class Cable:
    """A network namespace and a pair of devices that leads to it. 198.18.0.0/15 is reserved for
    tests (RFC 2544).
    """

    def __init__(self):
        number = os.getpid() % 10_000
        self.space, self.near, self.far = f"faults{number}", f"flt{number}a", f"flt{number}b"
        self.here, there = "198.18.77.1", "198.18.77.2"
        try:
            ip("netns", "add", self.space)
            ip("link", "add", self.near, "type", "veth", "peer", "name", self.far, "netns", self.space)
            ip("addr", "add", f"{self.here}/30", "dev", self.near)
            ip("link", "set", self.near, "up")
            ip("-n", self.space, "addr", "add", f"{there}/30", "dev", self.far)
            ip("-n", self.space, "link", "set", self.far, "up")
        except OSError as why:
            self.remove()
            raise Skipped(f"cannot create a network namespace: {why}") from None

    def link(self, to):
        ip("-n", self.space, "link", "set", self.far, to)

    def remove(self):
        for command in (["link", "del", self.near], ["netns", "del", self.space]):
            with contextlib.suppress(OSError):
                ip(*command)

    @contextlib.contextmanager
    def beyond(self):
        """Sockets created in this context are at the other end (setns(2))."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/self/ns/net") as home, open(f"/run/netns/{self.space}") as away:
            if libc.setns(away.fileno(), CLONE_NEWNET):
                raise Skipped(f"setns: {os.strerror(ctypes.get_errno())}")
            try:
                yield
            finally:
                libc.setns(home.fileno(), CLONE_NEWNET)


def numbers(received):
    return [int(found[3]) for found in wire.EVENTS["sse"].finditer(received) if found[3]]


def stream(server, since, seconds, enough):
    """Reads an event stream of the control topic for a while. Returns the received numbers and the
    last id.
    """
    received = b""
    with socket.create_connection(server.address, timeout=20) as peer:
        peer.sendall(wire.follow("sse", "control", since))
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and len(numbers(received)) < enough:
            received += peer.recv(65536)
    if b"event: gap" in received:
        raise Fault("a client that reconnected over the restored link received a gap")
    found = [found for found in wire.EVENTS["sse"].finditer(received) if found[3]]
    return [int(event[3]) for event in found], found[-1][2].decode()


def case(short):
    cable = Cable()
    try:
        return cut(cable, short)
    finally:
        cable.remove()


def cut(cable, short):
    each = 50 if short else 200
    options = ["--write-timeout", "2", "--heartbeat", "1", "--ping-interval", "1", "--pong-timeout", "2"]
    server = Server(*options, listen=f"{cable.here}:0")
    control = ControlGroup(server)
    control.before(1 if short else 3)
    with cable.beyond():
        before, last = stream(server, None, 10, 20)
        kinds = {"sse": "sse", "websocket": "websocket", "long-poll": "long-poll"}
        peers = Exchange(server.address, [wire.follow(kind, "quiet", wait=3) for kind in kinds for _ in range(each)])
    peers.until(lambda: peers.all_sent() and sum(map(bool, peers.received)) >= 2 * each, 20)

    def open_by_transport():
        return {
            kind: server.metrics()[f'barewire_connections_by_transport{{transport="{kind}"}}'] for kind in (*kinds, "http")
        }

    # The control clients add one follower per transport.
    eventually("all followers are connected", lambda: min(open_by_transport()[kind] for kind in kinds) >= each, 20)
    cable.link("down")
    began, found = time.monotonic(), {}
    deadline = began + 40
    while len(found) < 3:
        if time.monotonic() > deadline:
            raise Fault(f"40 s after the cut the server still counts {open_by_transport()}")
        held = open_by_transport()
        for kind in kinds:
            # After its response a long poll counts as HTTP again.
            left = held[kind] + (held["http"] if kind == "long-poll" else 0)
            if left <= (6 if kind == "long-poll" else 1):
                found.setdefault(kind, time.monotonic() - began)
        time.sleep(0.05)
    eventually("the connections gauge drops to its old value", lambda: server.gauge("connections") <= 7, 20)
    cable.link("up")
    with cable.beyond():
        after, _ = stream(server, last, 20, 400)
    if after[:1] != [before[-1] + 1] or after != list(range(after[0], after[0] + len(after))):
        raise Fault(f"event {before[-1]} was followed by {after[:5]}")
    control.phase("after")
    report = control.stop()
    peers.close()
    ended = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in found.items())
    return Outcome(
        f"the network link of {3 * each} clients cut ({each} each: event streams, WebSockets, polls held for 3 s), `--write-timeout 2`",
        f"all dead connections found: {ended}; the connections gauge drops to its old value; a client that reconnected over the restored "
        f"link resumed at event {after[0]} and missed none", server.peak(), report,
    )
