"""Attacking connections: prebuilt bytes on many sockets, from one process, which also reads what
the server sends and discards it in the kernel.
"""

import multiprocessing
import os
import select
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any

from outcome import Fault
from peers import dial
from server import kill_with_parent

# Bytes written or read at once.
BLOCK = 1 << 18
# Seconds without a byte after which an attack that is sent once is over.
QUIET = 0.3
# Connections that are being established at the same time.
DIALING = 200
# Seconds until all connections must be established.
PATIENCE = 60


@dataclass
class Attack:
    """What each of many connections sends and expects. `payload` is bytes, or a function from the
    number of the connection to bytes.
    """

    # Sent when the connection is established, and what the response to it contains.
    first: Any = b""
    greeting: bytes = b""
    # Sent when the attack begins; repeatedly, if it is endless.
    payload: Any = b""
    endless: bool = False
    reads: bool = True
    # The size of the receive buffer, in bytes.
    receive: int = 0
    # Whether each connection is reset when the attack begins.
    resets: bool = False
    # The bytes that each connection must receive after the first event stream block.
    expected: bytes = b""


def bytes_of(payload, number):
    return payload(number) if callable(payload) else payload


def fill(data, size=BLOCK):
    """Returns the data repeated to fill about that many bytes."""
    return data * max(1, size // len(data))


class Connection:
    """One attacking connection."""

    __slots__ = ("number", "peer", "is_ready", "left", "received", "offset")

    def __init__(self, number, peer, first):
        self.number, self.peer, self.is_ready = number, peer, False
        self.left, self.received, self.offset = memoryview(first), b"", 0


class Swarm:
    """The connections of one attack."""

    def __init__(self, address, count, first_number, attack):
        self.address, self.count, self.attack, self.first_number = address, count, attack, first_number
        self.buffer = bytearray(BLOCK)
        self.epoll, self.by_fd = select.epoll(), {}
        self.is_fired = False
        self.ready = self.sent = self.received = self.ended = self.reopened = 0
        self.active_at = time.monotonic()

    def dial(self, number):
        peer = dial(self.address, self.first_number + number, self.attack.receive)
        first = bytes_of(self.attack.first, number)
        if self.is_fired:
            first += bytes_of(self.attack.payload, number)
        connection = Connection(number, peer, first)
        self.by_fd[peer.fileno()] = connection
        self.epoll.register(peer.fileno(), select.EPOLLOUT)

    def connect(self):
        """Establishes all connections."""
        deadline, dialed = time.monotonic() + PATIENCE, 0
        while self.ready < self.count:
            while dialed < self.count and dialed - self.ready < DIALING:
                self.dial(dialed)
                dialed += 1
            self.poll_once(0.05)
            if self.ended:
                raise Fault("the server closed a connection before the attack")
            if time.monotonic() > deadline:
                raise Fault(f"only {self.ready} of {self.count} connections were established within {PATIENCE} s")

    def fire(self):
        """Begins the attack."""
        self.is_fired = True
        for fd, connection in list(self.by_fd.items()):
            if self.attack.resets:
                connection.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.end(fd)
                continue
            connection.left = memoryview(bytes_of(self.attack.payload, connection.number))
            if connection.left:
                self.epoll.modify(fd, self.interest() | select.EPOLLOUT)
                self.handle(fd, select.EPOLLOUT)
        self.active_at = time.monotonic()

    def interest(self):
        return select.EPOLLIN if self.attack.reads else 0

    def is_over(self):
        """Returns whether an attack that is sent once has been sent and answered."""
        is_quiet = time.monotonic() - self.active_at > QUIET
        return self.is_fired and not self.attack.endless and is_quiet

    def poll_once(self, timeout, pipe=None):
        """Handles the events of one poll. Returns whether the pipe has a command."""
        has_command = False
        for fd, event in self.epoll.poll(timeout):
            if pipe and fd == pipe.fileno():
                has_command = True
            elif fd in self.by_fd:
                self.handle(fd, event)
        return has_command

    def handle(self, fd, event):
        connection = self.by_fd[fd]
        try:
            if event & select.EPOLLIN:
                self.receive(connection)
            if event & select.EPOLLOUT:
                self.send(connection)
            if event & (select.EPOLLERR | select.EPOLLHUP) and not event & select.EPOLLIN:
                raise ConnectionError
        except BlockingIOError:
            pass
        except OSError:
            self.end(fd)

    def receive(self, connection):
        if connection.is_ready:
            # The kernel discards the bytes without a copy (tcp(7), MSG_TRUNC).
            length = connection.peer.recv_into(self.buffer, BLOCK, socket.MSG_TRUNC)
        else:
            part = connection.peer.recv(65536)
            length = len(part)
            connection.received += part
            if self.attack.greeting in connection.received:
                self.note_ready(connection)
        if not length:
            raise ConnectionError
        self.received += length
        self.active_at = time.monotonic()

    def send(self, connection):
        if connection.left:
            length = connection.peer.send(connection.left[:BLOCK])
            self.sent += length
            connection.left = connection.left[length:]
            self.active_at = time.monotonic()
        if connection.left:
            return
        if not connection.is_ready:
            if self.attack.greeting:
                self.epoll.modify(connection.peer.fileno(), select.EPOLLIN)
            else:
                self.note_ready(connection)
        elif self.attack.endless and self.is_fired:
            connection.left = memoryview(bytes_of(self.attack.payload, connection.number))
        else:
            self.epoll.modify(connection.peer.fileno(), self.interest())

    def note_ready(self, connection):
        connection.is_ready, connection.received = True, b""
        self.ready += 1
        going_on = select.EPOLLOUT if self.attack.endless and self.is_fired else 0
        self.epoll.modify(connection.peer.fileno(), self.interest() | going_on)

    def end(self, fd):
        connection = self.by_fd.pop(fd)
        self.epoll.unregister(fd)
        connection.peer.close()
        self.ended += 1
        # An attacker comes back. The pace is that of a client that waits for its refusal.
        if self.attack.endless and self.is_fired:
            self.reopened += 1
            self.dial(connection.number)

    def report(self):
        return {"sent": self.sent, "received": self.received, "ended": self.ended, "reopened": self.reopened}


class ReadingSwarm(Swarm):
    """Followers that compare each byte with the expected ones."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.expected = memoryview(self.attack.expected)
        self.completed, self.wrong, self.started, self.slowest = [], 0, set(), None
        self.began = time.monotonic()

    def fire(self):
        self.began = time.monotonic()
        super().fire()

    def receive(self, connection):
        if not self.is_fired:
            return super().receive(connection)
        length = connection.peer.recv_into(self.buffer)
        if not length:
            raise ConnectionError
        self.received += length
        self.active_at = time.monotonic()
        data = memoryview(self.buffer)[:length]
        if connection.offset == 0:
            data = self.skip_head(connection, data)
        self.compare(connection, data)

    def skip_head(self, connection, data):
        """Returns the bytes after the head and the first chunk, which has the reconnect delay."""
        connection.received += bytes(data)
        # The first block ends with an empty line, and its chunk with CRLF.
        _, end, rest = connection.received.partition(b"\n\n\r\n")
        if rest:
            connection.received = b""
        return memoryview(rest if end else b"")

    def compare(self, connection, data):
        left = len(self.expected) - connection.offset
        data = data[:left]
        if not data:
            return
        if data != self.expected[connection.offset:connection.offset + len(data)]:
            self.wrong += 1
        connection.offset += len(data)
        self.started.add(connection.number)
        if connection.offset == len(self.expected):
            self.completed.append(time.monotonic() - self.began)
            if len(self.completed) == self.count // 2:
                # How far the slowest follower is when half of them are done.
                self.slowest = min((each.offset for each in self.by_fd.values()), default=0) / len(self.expected)

    def is_over(self):
        return self.is_fired and len(self.completed) == self.count

    def report(self):
        return {**super().report(), "completed": self.completed, "wrong": self.wrong, "slowest": self.slowest}


def _serve(pipe, *arguments):
    kill_with_parent()
    # The attackers share the processors with the server. A lower priority keeps them from starving
    # it.
    os.nice(5)
    kind = ReadingSwarm if arguments[-1].expected else Swarm
    swarm = kind(*arguments)
    try:
        swarm.connect()
        pipe.send("ready")
        swarm.epoll.register(pipe.fileno(), select.EPOLLIN)
        is_over = False
        while True:
            if swarm.poll_once(0.05, pipe):
                if pipe.recv() == "stop":
                    break
                swarm.fire()
                pipe.send("fired")
            if not is_over and swarm.is_over():
                is_over = True
                pipe.send("over")
        pipe.send(swarm.report())
    except Fault as fault:
        pipe.send(fault)


class Attackers:
    """A swarm in its own process."""

    def __init__(self, address, count, first_number, attack):
        self.pipe, pipe = multiprocessing.Pipe()
        context = multiprocessing.get_context("fork")
        self.count, self.attack, self.is_over = count, attack, False
        self.process = context.Process(target=_serve, args=(pipe, address, count, first_number, attack), daemon=True)
        self.process.start()
        self._expect("ready")

    def _expect(self, what=None):
        if not self.pipe.poll(PATIENCE + 10):
            raise Fault(f"the attackers are not {what or 'over'}")
        answer = self.pipe.recv()
        if isinstance(answer, Fault):
            raise answer
        return answer

    def fire(self):
        """Returns when the attack has been sent, as far as the sockets accept it at once."""
        self.pipe.send("fire")
        self._expect("fired")

    def poll(self):
        """Returns whether the attack is over."""
        if not self.is_over and self.pipe.poll(0):
            self._expect("over")
            self.is_over = True
        return self.is_over

    def stop(self):
        """Ends the process. Returns what was sent and received."""
        self.pipe.send("stop")
        while isinstance(report := self._expect(), str):
            pass
        self.process.join(10)
        return report
