"""The bytes that peers send and search for: requests, WebSocket frames, and numbered events in
received data.
"""

import re
import struct
import zlib

WEBSOCKET = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
EVENT_STREAM = "Accept: text/event-stream\r\n"

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def request(target, fields="", method="GET", body=None):
    """Returns a request, with a Content-Length if it has a body."""
    if body is not None:
        fields += f"Content-Length: {len(body)}\r\n"
    return f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode() + (body or b"")


def follow(transport, topic, since=None, wait=30):
    """Returns a request to follow a topic, optionally from an id on."""
    query = f"?since={since}" if since else ""
    target = f"/topics/{topic}{query}"
    if transport == "sse":
        return request(target, EVENT_STREAM)
    if transport == "websocket":
        return request(target, WEBSOCKET)
    if transport == "long-poll":
        return request(f"{target}{'&' if query else '?'}wait={wait}")
    return request(target)


def publish(topic, body, fields=""):
    """Returns a request that publishes."""
    return request(f"/topics/{topic}", fields, "POST", body)


def frame(opcode, payload=b"", fin=True, rsv1=False, declared=None):
    """Returns a masked frame (RFC 6455 §5.2) with a zero masking key. `declared` overrides the
    declared length.
    """
    first = (0x80 if fin else 0) | (0x40 if rsv1 else 0) | opcode
    length = len(payload) if declared is None else declared
    if length < 126:
        head = bytes([first, 0x80 | length])
    elif length < 1 << 16:
        head = bytes([first, 0x80 | 126]) + struct.pack(">H", length)
    else:
        head = bytes([first, 0x80 | 127]) + struct.pack(">Q", length)
    return head + bytes(4) + payload


def zeros(mebibytes):
    """Returns the payload of one compressed message (RFC 7692 §7.2.1) that inflates to that many
    MiB of zeros, about 1000 : 1.
    """
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    # After a full flush each block is independent of the previous ones, so the same block can be
    # repeated.
    block = deflate.compress(bytes(1 << 20)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return (block * mebibytes)[:-4]


# A numbered event as each transport encodes it: its id and its number. The same patterns find gaps.
EVENTS = {
    "sse": re.compile(rb"(event: gap)\n|id: ([\w-]+)\ndata: (\d+)\n"),
    "websocket": re.compile(rb'("gap":)|"id":"([\w-]+)","event":"message","data":"(\d+)"'),
    "long-poll": re.compile(rb'("gap":true)|"id":"([\w-]+)","event":"message","data":"(\d+)"'),
}
# The first message to a new follower, which contains its cursor.
GREETINGS = {"sse": re.compile(rb"id: ([\w-]+)\n"), "websocket": re.compile(rb'"next":"([\w-]+)"')}
NEXT = re.compile(rb'"next":"([\w-]+)"')


def status(received):
    """Returns the status of a response, or the close code of the WebSocket after a 101, or else the
    received bytes.
    """
    found = re.match(rb"HTTP/1\.1 (\d{3})", received)
    if not found:
        return "nothing" if not received else repr(received[:40])
    if found[1] != b"101":
        return found[1].decode()
    frames = received.partition(b"\r\n\r\n")[2]
    while len(frames) >= 2:
        length, at = frames[1] & 0x7F, 2
        if length == 126:
            length, at = struct.unpack(">H", frames[2:4])[0], 4
        elif length == 127:
            length, at = struct.unpack(">Q", frames[2:10])[0], 10
        if frames[0] & 0x0F == CLOSE and length >= 2:
            return f"close {struct.unpack('>H', frames[at : at + 2])[0]}"
        frames = frames[at + length :]
    return "101"
