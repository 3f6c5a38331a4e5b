"""Followers by the thousand, in one process: each follows by a transport, keeps its place, and comes back with it."""

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
# How much of what was heard is kept, for the event that is still to be completed and for how the connection ended.
TAIL = 400


class Member:
    """One follower."""

    __slots__ = ("number", "topic", "transport", "peer", "following", "last", "newest", "holes", "told", "doubled", "gap", "tail",
                 "ended")

    def __init__(self, number, topic, transport, since):
        self.number, self.topic, self.transport, self.last = number, topic, transport, since
        self.peer, self.following, self.gap, self.tail = None, False, False, b""
        # The number of its newest event; what it missed between two, without a word and with one.
        self.newest, self.holes, self.told, self.doubled = 0, [], 0, 0
        self.ended = None

    def event(self, id, number):
        if number <= self.newest and not self.gap:
            self.doubled += 1
        if number != self.newest + 1 and not self.gap:
            self.holes.append((self.newest, number))
        self.newest, self.last, self.gap = number, id, False

    def is_told(self):
        self.told += 1
        self.gap = True

    def close_code(self):
        found = CLOSE.search(self.tail)
        return struct.unpack(">H", found[1])[0] if found else None


class Crowd:
    """All of them, on topics whose events are numbered from 1 on. `kinds`: how many, by topic and transport."""

    def __init__(self, address, kinds, since):
        self.address = address
        self.epoll = select.epoll()
        self.members, self.by_fd, self.due = [], {}, []
        self.refused = 0
        for (topic, transport), count in kinds.items():
            for _ in range(count):
                self.members.append(Member(len(self.members), topic, transport, since))

    def come(self, member, at=0.0):
        """It comes, or comes back, at that time of the monotonic clock."""
        heapq.heappush(self.due, (at, member.number))

    def all_come(self):
        for member in self.members:
            self.come(member)

    def _dial(self, member):
        member.peer = dial(self.address, member.number)
        member.following, member.tail, member.ended = False, b"", None
        self.by_fd[member.peer.fileno()] = member
        self.epoll.register(member.peer.fileno(), select.EPOLLOUT)

    def leave(self, member):
        """It goes, without a word."""
        if member.peer:
            self.epoll.unregister(member.peer.fileno())
            del self.by_fd[member.peer.fileno()]
            member.peer.close()
            member.peer, member.following = None, False

    def turn(self, timeout=0.05):
        """Who is due comes; what the poll tells of is done."""
        now = time.monotonic()
        for _ in range(256):
            if not self.due or self.due[0][0] > now:
                break
            self._dial(self.members[heapq.heappop(self.due)[1]])
            timeout = 0
        for fd, event in self.epoll.poll(timeout):
            member = self.by_fd[fd]
            try:
                if event & (select.EPOLLERR | select.EPOLLHUP) and not event & select.EPOLLIN:
                    raise ConnectionError
                if event & select.EPOLLOUT:
                    member.peer.send(wire.follow(member.transport, member.topic, member.last))
                    self.epoll.modify(fd, select.EPOLLIN)
                    # A held poll says nothing.
                    if member.transport == "long-poll":
                        self._follows(member)
                    continue
                part = member.peer.recv(65536)
                if not part:
                    raise ConnectionError
                self._hear(member, part)
            except BlockingIOError:
                pass
            except OSError:
                self._ended(member)

    def _follows(self, member):
        member.following = True

    def _ended(self, member):
        if not member.following:
            # It was turned away, or nobody was there: it comes again.
            self.refused += 1
            self.come(member, time.monotonic() + 0.5)
        member.ended = time.monotonic()
        self.leave(member)

    def _hear(self, member, part):
        heard = member.tail + part
        if member.transport == "long-poll":
            return self._answer(member, heard)
        if not member.following:
            if greeting := wire.GREETINGS[member.transport].search(heard):
                self._follows(member)
                member.last = greeting[1].decode()
        end = 0
        for found in wire.EVENTS[member.transport].finditer(heard):
            if found[1]:
                member.is_told()
            else:
                member.event(found[2].decode(), int(found[3]))
            end = found.end()
        member.tail = heard[end:][-TAIL:]
        if member.transport == "websocket" and b"\x88" in member.tail and member.close_code():
            member.peer.send(wire.frame(wire.CLOSE, struct.pack(">H", member.close_code())))
            raise ConnectionError

    def _answer(self, member, heard):
        head, whole, body = heard.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        if not whole or len(body) < int(length[1]):
            member.tail = heard
            return
        member.tail = b""
        if not head.startswith(b"HTTP/1.1 200"):
            raise ConnectionError
        found = list(wire.EVENTS["long-poll"].finditer(body))
        # Its word of the gap stands behind the events that it is for.
        if any(event[1] for event in found):
            member.is_told()
        for event in found:
            if not event[1]:
                member.event(event[2].decode(), int(event[3]))
        member.last = wire.NEXT.search(body)[1].decode()
        if b"Connection: close" not in head:
            member.peer.send(wire.follow("long-poll", member.topic, member.last))

    def until(self, what, condition, seconds):
        """Goes on until the condition holds; how long that took."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > seconds:
                here = sum(member.following for member in self.members)
                raise Fault(f"{what}: not within {seconds} s; {here} of {len(self.members)} follow")
            self.turn()
        return time.monotonic() - began

    def run(self, seconds):
        """Goes on for some time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.turn()

    def all_follow(self):
        return not self.due and all(member.following for member in self.members)

    def all_have(self, *publishers):
        """All have the newest event that each publisher had accepted."""
        newest = {publisher.topic: max(publisher.accepted, default=0) for publisher in publishers}
        return all(member.newest >= newest[member.topic] for member in self.members)

    def check(self, *publishers):
        """Nothing of what was accepted is missing without a word, and nothing came twice."""
        accepted = {publisher.topic: set(publisher.accepted) for publisher in publishers}
        lost = doubled = 0
        for member in self.members:
            doubled += member.doubled
            for low, high in member.holes:
                lost += len(accepted[member.topic].intersection(range(low + 1, high)))
        if lost or doubled:
            raise Fault(f"the crowd: {lost} events lost, {doubled} doubled")

    def close(self):
        for member in self.members:
            self.leave(member)
        self.epoll.close()


class Publisher:
    """Publishes numbers from 1 on in a thread, `rate` a second, each when the last was accepted: over POST, accepted is what is
    answered with 201; over a WebSocket, what comes back as an event."""

    def __init__(self, address, topic, rate, socketed=False):
        self.address, self.topic, self.rate = address, topic, rate
        self.accepted, self.newest = {}, 0
        self.one = self._send if socketed else self._post
        self.stopping, self.connection = threading.Event(), None
        self.thread = threading.Thread(target=self._publish, daemon=True)
        self.thread.start()

    def _publish(self):
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                self.newest += 1
                if self.one(str(self.newest).encode()):
                    self.accepted[self.newest] = time.monotonic()
            except (OSError, http.client.HTTPException):
                self.connection = None
                time.sleep(0.05)
            self.stopping.wait(max(0.0, 1 / self.rate - (time.monotonic() - began)))

    def _post(self, number):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(*self.address, timeout=20)
        self.connection.request("POST", f"/topics/{self.topic}", number)
        answer = self.connection.getresponse()
        answer.read()
        return answer.status == 201

    def _send(self, number):
        if self.connection is None:
            self.connection = socket.create_connection(self.address, timeout=20)
            self.connection.sendall(wire.follow("websocket", self.topic))
            heard = b""
            while b'"next"' not in heard:
                heard = self._more(heard)
        self.connection.sendall(wire.frame(wire.TEXT, number))
        heard = b""
        while b'"data":"%s"}' % number not in heard:
            heard = self._more(heard)
        return True

    def _more(self, heard):
        part = self.connection.recv(4096)
        if not part or CLOSE.search(part):
            self.connection.close()
            raise ConnectionError
        return heard + part

    def stop(self):
        """Ends it."""
        self.stopping.set()
        self.thread.join(30)


def newest(server, topic):
    """The cursor that a topic stands at: for those who come first."""
    asker = http.client.HTTPConnection(*server.address, timeout=20)
    asker.request("GET", f"/topics/{topic}?since=now")
    return json.loads(asker.getresponse().read())["next"]
