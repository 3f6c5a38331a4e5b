"""Clients of the four transports that keep every received byte, know their cursor, and reconnect
with it. They read only when called.
"""

import base64
import json
import os
import re
import socket
import ssl
import struct
import time

HOST = "example.org"
CUT = (ConnectionError, ssl.SSLError, EOFError, OSError)


class Address:
    """Where to connect, and whether to speak TLS, with which certificate."""

    def __init__(self, port, certificate=None):
        self.port, self.context = port, None
        if certificate:
            self.context = ssl.create_default_context(cafile=certificate)

    def connect(self, receive_buffer=None):
        connection = socket.socket()
        connection.settimeout(20)
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.connect(("127.0.0.1", self.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self.context:
            return connection
        return self.context.wrap_socket(connection, server_hostname=HOST)


class Wire:
    """A connection and its unread bytes."""

    def __init__(self, connection):
        self.connection, self.bytes, self.ended = connection, b"", False

    def more(self, seconds):
        """Waits up to `seconds` for more bytes. Returns whether any arrived; raises EOFError after
        the last.
        """
        if self.ended:
            raise EOFError
        self.connection.settimeout(max(seconds, 0.001))
        try:
            part = self.connection.recv(1 << 16)
        except TimeoutError:
            return False
        if not part:
            self.ended = True
            raise EOFError
        self.bytes += part
        return True

    def send(self, data):
        self.connection.settimeout(20)
        self.connection.sendall(data)

    def take(self, length):
        taken, self.bytes = self.bytes[:length], self.bytes[length:]
        return taken

    def head(self):
        """Removes and returns a response's status and fields, or None until the head is complete.
        """
        end = self.bytes.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = self.take(end + 4)[:end].decode().split("\r\n")
        fields = {}
        for line in lines:
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        return int(first.split()[1]), fields

    def close(self):
        self.connection.close()


class Response:
    """Reads a response whose body is wanted as it arrives."""

    def __init__(self, wire):
        self.wire, self.status, self.fields = wire, None, {}
        self.body, self.complete = b"", False
        self.left = None  # bytes of Content-Length, or of the current chunk

    def pump(self, seconds):
        """Reads for at most `seconds`. Returns whether any bytes arrived."""
        try:
            arrived = self.wire.more(seconds)
        except EOFError:
            self.parse()
            if self.status and not self.is_chunked() and "content-length" not in self.fields:
                self.complete = True
            raise
        self.parse()
        return arrived

    def is_chunked(self):
        return self.fields.get("transfer-encoding") == "chunked"

    def parse(self):
        while self.status is None or self.status == 100:
            head = self.wire.head()
            if not head:
                return
            self.status, self.fields = head
            if "content-length" in self.fields:
                self.left = int(self.fields["content-length"])
            self.complete = self.left == 0 or self.status == 304
        if self.is_chunked():
            self.parse_chunks()
        elif self.left is not None:
            part = self.wire.take(self.left)
            self.body, self.left = self.body + part, self.left - len(part)
            self.complete = self.left == 0
        elif self.status != 101:
            self.body += self.wire.take(len(self.wire.bytes))

    def parse_chunks(self):
        while not self.complete:
            if self.left is None:
                line = re.match(rb"([0-9A-Fa-f]+)[^\r\n]*\r\n", self.wire.bytes)
                if not line:
                    return
                self.wire.take(line.end())
                self.left = int(line[1], 16) + 2
                self.last = self.left == 2
            if len(self.wire.bytes) < self.left:
                return
            self.body += self.wire.take(self.left)[:-2]
            self.left, self.complete = None, self.last


def request(method, target, fields=(), body=None, host=HOST):
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in fields)]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


def fetch(address, *arguments, wire=None, **named):
    """Sends one request, on a new connection unless one is given. Returns the complete response, or
    raises EOFError.
    """
    own = wire or Wire(address.connect())
    own.send(request(*arguments, **named))
    response = read_response(own)
    if not wire:
        own.close()
    return response


def read_response(wire):
    """Reads the next response to its end."""
    response, end = Response(wire), time.monotonic() + 30
    response.parse()
    while not response.complete:
        assert time.monotonic() < end, "the response did not end within 30 s"
        try:
            response.pump(1)
        except EOFError:
            if response.complete:
                break
            raise
    return response


class Follower:
    """A follower of a topic over one transport. `failures` lists how its connections failed, in
    order.
    """

    def __init__(self, address, topic, cursor, receive_buffer=None):
        self.address, self.topic, self.cursor = address, topic, cursor
        self.receive_buffer = receive_buffer
        self.wire, self.failures, self.events = None, [], []  # events: (id, data, when)

    def add(self, event_id, data):
        self.events.append((event_id, data, time.monotonic()))

    def fail(self, why):
        self.failures.append(why)
        self.disconnect()

    def disconnect(self):
        if self.wire:
            self.wire.close()
        self.wire = None

    def connect(self):
        if not self.wire:
            self.wire = Wire(self.address.connect(self.receive_buffer))
            self.begin()

    def pump(self, seconds):
        """Reads for about `seconds`, or until data arrives. Records a failure; the next call then
        reconnects.
        """
        try:
            self.connect()
            self.read(seconds)
        except CUT:
            self.fail("cut" if self.wire else "no connection")
            time.sleep(0.1)

    def opened(self, seconds=20):
        """Reads until it follows or has failed."""
        end, failures = time.monotonic() + seconds, len(self.failures)
        while time.monotonic() < end and len(self.failures) == failures and not self.follows():
            self.pump(0.05)

    def until(self, event_id, seconds):
        """Reads until this event has arrived, or the time is over. Returns whether it has arrived.
        """
        end = time.monotonic() + seconds
        while all(event[0] != event_id for event in self.events):
            if time.monotonic() > end:
                return False
            self.pump(0.05)
        return True


class Poll(Follower):
    """Short polling every 50 ms; with `wait`, long polling."""

    name, wait, every = "short poll", None, 0.05

    def begin(self):
        self.response, self.used = None, False

    def follows(self):
        return self.wire is not None and self.response is not None

    def read(self, seconds):
        try:
            if not self.response:
                wait = f"&wait={self.wait}" if self.wait else ""
                self.response = Response(self.wire)
                self.wire.send(request("GET", f"/topics/{self.topic}?since={self.cursor}{wait}"))
            self.response.pump(seconds)
        except CUT:
            if self.used and self.response.status is None and not self.wait:
                # A persistent connection may end between two requests; a client sends the request
                # again (RFC 9112 §9.3.1).
                return self.disconnect()
            if not self.response.complete:
                raise
        response = self.response
        if not response.complete:
            return
        self.response, self.used = None, True
        if response.status != 200:
            return self.fail(str(response.status))
        page = json.loads(response.body)
        for event in page["events"]:
            self.add(event["id"], event["data"])
        self.cursor = page["next"]
        if page.get("gap"):
            self.failures.append("gap")
        if response.fields.get("connection") == "close":
            self.disconnect()
        if not self.wait and not page["events"]:
            time.sleep(self.every)


class LongPoll(Poll):
    name, wait = "long poll", 60


class EventStream(Follower):
    """An event stream, parsed as a browser does (WHATWG HTML §9.2.6)."""

    name = "SSE"

    def begin(self):
        self.response, self.greeted, self.retry = Response(self.wire), False, None
        fields = [("Accept", "text/event-stream"), ("Last-Event-ID", self.cursor)]
        self.wire.send(request("GET", f"/topics/{self.topic}", fields))

    def follows(self):
        return self.wire is not None and self.greeted

    def read(self, seconds):
        try:
            self.response.pump(seconds)
        except EOFError:
            self.blocks()
            return self.fail("end" if self.response.complete else "cut")
        if self.response.status not in (None, 200):
            return self.fail(str(self.response.status))
        self.blocks()
        if self.response.complete:
            self.fail("end")

    def blocks(self):
        *blocks, self.response.body = self.response.body.split(b"\n\n")
        for block in blocks:
            self.greeted, data = True, []
            for line in block.decode().split("\n"):
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if name == "id":
                    self.cursor = value
                elif name == "data":
                    data.append(value)
                elif name == "retry":
                    self.retry = int(value)
                elif name == "event" and value == "gap":
                    self.failures.append("gap")
            if data:
                self.add(self.cursor, "\n".join(data))


class WebSocket(Follower):
    """A WebSocket (RFC 6455)."""

    name = "WebSocket"

    def begin(self):
        self.response, self.greeted, self.codes, self.pings = Response(self.wire), False, [], 0
        key = base64.b64encode(os.urandom(16)).decode()
        fields = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Key", key), ("Sec-WebSocket-Version", "13")]
        self.wire.send(request("GET", f"/topics/{self.topic}?since={self.cursor}", fields))

    def follows(self):
        return self.wire is not None and self.greeted

    def read(self, seconds):
        # The last bytes may contain more frames than were parsed.
        try:
            self.wire.more(seconds)
        except EOFError:
            self.frames()
            return self.fail(f"close {self.codes[0]}" if self.codes else "cut")
        if self.response.status is None:
            self.response.parse()
        if self.response.status not in (None, 101):
            return self.fail(f"{self.response.status} for 101")
        self.frames()

    def frames(self):
        while self.response.status == 101 and (frame := self.frame()):
            opcode, payload = frame
            if opcode == 1:
                self.message(json.loads(payload))
            elif opcode == 8:
                self.codes.append(struct.unpack("!H", payload[:2])[0])
                if len(self.codes) == 1 and not self.closing:
                    self.send(8, payload[:2])
            elif opcode == 9:
                self.pings += 1
                self.send(10, payload)

    closing = False

    def message(self, message):
        if "next" in message:
            self.greeted, self.cursor = True, message["next"]
            if "gap" in message:
                self.failures.append("gap")
        else:
            self.cursor = message["id"]
            self.add(message["id"], message["data"])

    def frame(self):
        """Removes and returns the next unmasked frame (§5.2), or None until it is complete."""
        have = self.wire.bytes
        if len(have) < 2:
            return None
        length, start = have[1] & 0x7F, 2
        if length > 125:
            size, start = (2, 4) if length == 126 else (8, 10)
            if len(have) < start:
                return None
            length = int.from_bytes(have[2 : 2 + size], "big")
        if len(have) < start + length:
            return None
        return have[0] & 0x0F, self.wire.take(start + length)[start:]

    def send(self, opcode, payload):
        """Sends a masked frame. The masking key is zero, which changes no byte."""
        length = bytes([0x80 | len(payload)]) if len(payload) < 126 else bytes([0xFE]) + struct.pack("!H", len(payload))
        self.wire.send(bytes([0x80 | opcode]) + length + bytes(4) + payload)


TRANSPORTS = (Poll, LongPoll, EventStream, WebSocket)
