"""Floods: a process that sends the same data over several connections, as fast as the server reads
it, for some seconds.
"""

import multiprocessing
import os
import select
import time

import wire
from outcome import Fault
from peers import dial

BLOCK = 64 * 1024


def fill(data):
    """Returns the data repeated to fill about one write."""
    return data * max(1, BLOCK // len(data))


def upgrade(topic="flooded", extra=""):
    return wire.request(f"/topics/{topic}", wire.WEBSOCKET + extra)


def echo(extra=""):
    return wire.request("/echo", wire.WEBSOCKET + extra)


DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
NDJSON = "Content-Type: application/x-ndjson\r\nAuthorization: Bearer known\r\n"

# Each kind: the bytes sent first on a connection, the bytes sent repeatedly, the number of
# connections, and whether the client reads.
KINDS = {
    "garbage": (b"", os.urandom(BLOCK), 8, True),
    "tiny requests, pipelined": (b"", fill(wire.request("/health")), 8, True),
    "the same, responses not read": (b"", fill(wire.request("/topics/flooded?since=start")), 64, False),
    "publishes without the token": (b"", fill(wire.publish("flooded", b"x" * 64)), 8, True),
    "publishes to new topics": (b"", None, 8, True),
    "empty frames of one message": (upgrade(), fill(wire.frame(0, b"", fin=False)), 8, True),
    "empty messages to /echo": (echo(), fill(wire.frame(wire.BINARY)), 8, True),
    "pings": (upgrade(), fill(wire.frame(wire.PING, b"p" * 125)), 8, True),
    "pings, pongs not read": (upgrade(), fill(wire.frame(wire.PING, b"p" * 125)), 64, False),
    "echoes not read": (echo(), fill(wire.frame(wire.BINARY, bytes(1 << 16))), 64, False),
    "heads without an end": (b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"X-%d: " % 7 + b"x" * 300 + b"\r\n", 64, True),
    "half a body each": (wire.request("/topics/flooded", NDJSON + "Content-Length: 1048576\r\n", "POST") + bytes(900_000), b"", 100, True),
    "half a message each": (echo() + wire.frame(wire.BINARY, bytes(900_000), declared=1 << 20), b"", 100, True),
    "connect and close": (None, None, 64, True),
}


def new_topics(number):
    """Returns publishes with a valid token, each to a new topic."""
    fields = "Authorization: Bearer known\r\n"
    return b"".join(wire.publish(f"new-{number}-{at}", b"x" * 512, fields) for at in range(64))


class Flooder:
    """One kind of flood, in its own process."""

    def __init__(self, address, kind):
        self.address = address
        self.first, self.again, self.count, self.reads = KINDS[kind]
        self.kind = kind
        self.epoll = select.epoll()
        self.by_fd = {}
        self.connections = self.bytes = 0

    def open(self):
        peer = dial(self.address, self.connections)
        self.connections += 1
        self.by_fd[peer.fileno()] = [peer, memoryview(self.first or self.more() or b"")]
        self.epoll.register(peer.fileno(), select.EPOLLOUT | (select.EPOLLIN if self.reads else 0))

    def more(self):
        return new_topics(self.connections * 1000 + self.bytes % 1000) if self.kind.endswith("topics") else self.again

    def end(self, fd):
        peer, _ = self.by_fd.pop(fd)
        self.epoll.unregister(fd)
        peer.close()

    def run(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            while len(self.by_fd) < self.count:
                self.open()
            if self.first is None:
                # Each connection is closed as soon as it is established, some even before.
                for fd in [fd for fd, _ in self.epoll.poll(0.01)]:
                    self.end(fd)
                continue
            for fd, event in self.epoll.poll(0.05):
                try:
                    self.serve(fd, event)
                except BlockingIOError:
                    pass
                except OSError:
                    self.end(fd)
        return {"connections": self.connections, "bytes": self.bytes}

    def serve(self, fd, event):
        peer, left = entry = self.by_fd[fd]
        if event & (select.EPOLLERR | select.EPOLLHUP):
            raise ConnectionError
        if event & select.EPOLLIN and not peer.recv(BLOCK):
            raise ConnectionError
        if event & select.EPOLLOUT:
            sent = peer.send(left)
            self.bytes += sent
            entry[1] = left[sent:] or memoryview(self.more())
            if not entry[1]:
                # This connection has sent everything and now stays open.
                self.epoll.modify(fd, select.EPOLLIN)


def _flood(address, kind, seconds, pipe, gently):
    if gently:
            # The flood shares the processors with the server; a lower priority keeps it from
            # starving the server.
        os.nice(5)
    pipe.send(Flooder(address, kind).run(seconds))


class Flood:
    """A running flood."""

    def __init__(self, address, kind, seconds, gently=True):
        self.pipe, pipe = multiprocessing.Pipe()
        context = multiprocessing.get_context("fork")
        arguments = (address, kind, seconds, pipe, gently)
        self.process = context.Process(target=_flood, args=arguments, daemon=True)
        self.process.start()
        self.kind, self.seconds = kind, seconds

    def join(self):
        """Waits for the flood's end and returns what it sent."""
        if not self.pipe.poll(self.seconds + 30):
            raise Fault(f"the flood “{self.kind}” did not end")
        sent = self.pipe.recv()
        self.process.join(10)
        return sent
