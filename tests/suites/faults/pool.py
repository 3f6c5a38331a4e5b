"""Thousands of followers in one process. Each follows over one transport, keeps its cursor, and
reconnects with it.
"""

import heapq
import http.client
import json
import re
import select
import socket
import struct
import threading
import time

import wire
from outcome import Fault
from peers import dial

RETRY = re.compile(rb"retry: (\d+)\n")
CLOSE = re.compile(rb"\x88[\x02-\x7d](..)", re.S)
# Bytes kept of the received data: the beginning of an incomplete event, or how the connection
# ended.
TAIL = 400


class Follower:
    """One follower of a pool."""

    __slots__ = ("number", "topic", "transport", "peer", "following", "last", "newest", "holes", "gaps", "duplicated",
                 "after_gap", "tail", "ended")

    def __init__(self, number, topic, transport, since):
        self.number, self.topic, self.transport, self.last = number, topic, transport, since
        self.peer, self.following, self.after_gap, self.tail = None, False, False, b""
        # The number of the newest event; the unreported holes between two events; the reported
        # gaps; the duplicates.
        self.newest, self.holes, self.gaps, self.duplicated = 0, [], 0, 0
        self.ended = None

    def add_event(self, id, number):
        if number <= self.newest and not self.after_gap:
            self.duplicated += 1
        if number != self.newest + 1 and not self.after_gap:
            self.holes.append((self.newest, number))
        self.newest, self.last, self.after_gap = number, id, False

    def add_gap(self):
        self.gaps += 1
        self.after_gap = True

    def close_code(self):
        found = CLOSE.search(self.tail)
        return struct.unpack(">H", found[1])[0] if found else None


class FollowerPool:
    """Followers of topics whose events are numbered from 1. `kinds` maps (topic, transport) to a
    number of followers.
    """

    def __init__(self, address, kinds, since):
        self.address = address
        self.epoll = select.epoll()
        self.followers, self.by_fd, self.due = [], {}, []
        self.refused = 0
        for (topic, transport), count in kinds.items():
            for _ in range(count):
                self.followers.append(Follower(len(self.followers), topic, transport, since))

    def connect(self, follower, at=0.0):
        """Schedules a follower's connection or reconnection for that time of the monotonic clock.
        """
        heapq.heappush(self.due, (at, follower.number))

    def connect_all(self):
        for follower in self.followers:
            self.connect(follower)

    def _dial(self, follower):
        follower.peer = dial(self.address, follower.number)
        follower.following, follower.tail, follower.ended = False, b"", None
        self.by_fd[follower.peer.fileno()] = follower
        self.epoll.register(follower.peer.fileno(), select.EPOLLOUT)

    def drop(self, follower):
        """Closes a follower's connection abruptly."""
        if follower.peer:
            self.epoll.unregister(follower.peer.fileno())
            del self.by_fd[follower.peer.fileno()]
            follower.peer.close()
            follower.peer, follower.following = None, False

    def poll_once(self, timeout=0.05):
        """Dials the followers that are due, and handles the events of one poll."""
        now = time.monotonic()
        for _ in range(256):
            if not self.due or self.due[0][0] > now:
                break
            self._dial(self.followers[heapq.heappop(self.due)[1]])
            timeout = 0
        for fd, event in self.epoll.poll(timeout):
            follower = self.by_fd[fd]
            try:
                if event & (select.EPOLLERR | select.EPOLLHUP) and not event & select.EPOLLIN:
                    raise ConnectionError
                if event & select.EPOLLOUT:
                    follower.peer.send(wire.follow(follower.transport, follower.topic, follower.last))
                    self.epoll.modify(fd, select.EPOLLIN)
                    # The server sends nothing when it holds a poll.
                    if follower.transport == "long-poll":
                        follower.following = True
                    continue
                part = follower.peer.recv(65536)
                if not part:
                    raise ConnectionError
                self._receive(follower, part)
            except BlockingIOError:
                pass
            except OSError:
                self._ended(follower)

    def _ended(self, follower):
        if not follower.following:
            # The connection was refused, or no server was listening: the follower reconnects.
            self.refused += 1
            self.connect(follower, time.monotonic() + 0.5)
        follower.ended = time.monotonic()
        self.drop(follower)

    def _receive(self, follower, part):
        data = follower.tail + part
        if follower.transport == "long-poll":
            return self._receive_poll(follower, data)
        if not follower.following:
            if greeting := wire.GREETINGS[follower.transport].search(data):
                follower.following = True
                follower.last = greeting[1].decode()
        end = 0
        for found in wire.EVENTS[follower.transport].finditer(data):
            if found[1]:
                follower.add_gap()
            else:
                follower.add_event(found[2].decode(), int(found[3]))
            end = found.end()
        follower.tail = data[end:][-TAIL:]
        if follower.transport == "websocket" and b"\x88" in follower.tail and follower.close_code():
            follower.peer.send(wire.frame(wire.CLOSE, struct.pack(">H", follower.close_code())))
            raise ConnectionError

    def _receive_poll(self, follower, data):
        head, blank, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        if not blank or len(body) < int(length[1]):
            follower.tail = data
            return
        follower.tail = b""
        if not head.startswith(b"HTTP/1.1 200"):
            raise ConnectionError
        found = list(wire.EVENTS["long-poll"].finditer(body))
        # In a poll's response the gap flag follows the events that the gap precedes.
        if any(event[1] for event in found):
            follower.add_gap()
        for event in found:
            if not event[1]:
                follower.add_event(event[2].decode(), int(event[3]))
        follower.last = wire.NEXT.search(body)[1].decode()
        if b"Connection: close" not in head:
            follower.peer.send(wire.follow("long-poll", follower.topic, follower.last))

    def until(self, what, condition, seconds):
        """Runs until the condition holds. Returns how long that took."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > seconds:
                following = sum(follower.following for follower in self.followers)
                raise Fault(f"{what}: not within {seconds} s; {following} of {len(self.followers)} followers are connected")
            self.poll_once()
        return time.monotonic() - began

    def run(self, seconds):
        """Runs for some seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.poll_once()

    def all_follow(self):
        return not self.due and all(follower.following for follower in self.followers)

    def all_have(self, *publishers):
        """Returns true if every follower has the newest event that each publisher's server
        accepted.
        """
        newest = {publisher.topic: max(publisher.accepted, default=0) for publisher in publishers}
        return all(follower.newest >= newest[follower.topic] for follower in self.followers)

    def check(self, *publishers):
        """Raises a Fault if a follower lost an accepted event without a reported gap, or received
        one twice.
        """
        accepted = {publisher.topic: set(publisher.accepted) for publisher in publishers}
        lost = duplicated = 0
        for follower in self.followers:
            duplicated += follower.duplicated
            for low, high in follower.holes:
                lost += len(accepted[follower.topic].intersection(range(low + 1, high)))
        if lost or duplicated:
            raise Fault(f"the pool of followers: {lost} events lost, {duplicated} received twice")

    def close(self):
        for follower in self.followers:
            self.drop(follower)
        self.epoll.close()


class Publisher:
    """A thread that publishes numbers from 1, `rate` per second, each after the previous one was
    accepted. Over POST, a 201 accepts a number; over a WebSocket, its arrival as an event does.
    """

    def __init__(self, address, topic, rate, socketed=False):
        self.address, self.topic, self.rate = address, topic, rate
        self.accepted, self.newest = {}, 0
        self.publish_one = self._send if socketed else self._post
        self.stopping, self.connection = threading.Event(), None
        self.thread = threading.Thread(target=self._publish, daemon=True)
        self.thread.start()

    def _publish(self):
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                self.newest += 1
                if self.publish_one(str(self.newest).encode()):
                    self.accepted[self.newest] = time.monotonic()
            except (OSError, http.client.HTTPException):
                self.connection = None
                time.sleep(0.05)
            self.stopping.wait(max(0.0, 1 / self.rate - (time.monotonic() - began)))

    def _post(self, number):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(*self.address, timeout=20)
        self.connection.request("POST", f"/topics/{self.topic}", number)
        response = self.connection.getresponse()
        response.read()
        return response.status == 201

    def _send(self, number):
        if self.connection is None:
            self.connection = socket.create_connection(self.address, timeout=20)
            self.connection.sendall(wire.follow("websocket", self.topic))
            data = b""
            while b'"next"' not in data:
                data = self._more(data)
        self.connection.sendall(wire.frame(wire.TEXT, number))
        data = b""
        while b'"data":"%s"}' % number not in data:
            data = self._more(data)
        return True

    def _more(self, data):
        part = self.connection.recv(4096)
        if not part or CLOSE.search(part):
            self.connection.close()
            raise ConnectionError
        return data + part

    def stop(self):
        """Ends the thread."""
        self.stopping.set()
        self.thread.join(30)


def newest(server, topic):
    """Returns the topic's current cursor, for followers that connect for the first time."""
    client = http.client.HTTPConnection(*server.address, timeout=20)
    client.request("GET", f"/topics/{topic}?since=now")
    return json.loads(client.getresponse().read())["next"]
