"""Attacks with frames: messages that are expensive to inflate, to compress or to assemble."""

import random
import zlib

import wire
from follower_rows import DEFLATE
from row import OBSERVERS, Row, follower
from swarm import Attack, fill

TOPIC = wire.request("/topics/t", wire.WEBSOCKET)
TOPIC_DEFLATE = wire.request("/topics/t", wire.WEBSOCKET + DEFLATE)
ECHO = wire.request("/echo", wire.WEBSOCKET)
ECHO_DEFLATE = wire.request("/echo", wire.WEBSOCKET + DEFLATE)
UPGRADED = b"\r\n\r\n"
FEW, MANY = (1, 10), (1, 10, 1000)
RECEIVED, PUBLISHED = ("received_bytes_total", 1 << 12), ("events_published_total", 1)


def deflated(data, level=9):
    """Returns the payload of a compressed message (RFC 7692 §7.2.1)."""
    deflate = zlib.compressobj(level, zlib.DEFLATED, -15)
    return (deflate.compress(data) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]


def frames(first, data, *others):
    """Returns a function that prepares connections with the same frames again and again."""

    def prepare(server, variant, count):
        return [(count, Attack(first=first, greeting=UPGRADED, payload=fill(data), endless=True)), *others]

    return prepare


def slow_echo(server, variant, count):
    # Two letters at random have the most matches to compare.
    data = bytes(random.Random(1).choices(b"ab", k=variant.echo))
    message = wire.frame(wire.BINARY, deflated(data, level=1), rsv1=True)
    return [(count, Attack(first=ECHO_DEFLATE, greeting=UPGRADED, payload=message, endless=True))]


def large_echo(server, variant, count):
    message = wire.frame(wire.BINARY, bytes(variant.echo))
    return [(count, Attack(first=ECHO, greeting=UPGRADED, payload=message, endless=True))]


def final_blocks(first, opcode, size, number):
    """Returns messages of a filled window, and then empty final blocks. The inflater starts again
    after each, with the window (RFC 7692 §7.2.3.5).
    """
    window = deflated("".join(random.Random(1).choices("0123456789", k=size)).encode()) + b"\x00\x00\xff\xff"
    # BFINAL 1, BTYPE 01, end of block (RFC 1951 §3.2.6). The last byte starts the empty block whose
    # other bytes the receiver appends.
    blocks = b"\x03\x00" * number + b"\x00"
    return frames(first, wire.frame(opcode, window + blocks, rsv1=True))


def handshakes(server, variant, count):
    # Offers that the server has to refuse, each after reading all of it.
    offers = ", ".join(["permessage-deflate; server_max_window_bits=7"] * 240)
    protocols = ", ".join(f"p{number}" for number in range(500))
    fields = f"Sec-WebSocket-Extensions: {offers}\r\nSec-WebSocket-Protocol: {protocols}\r\n"
    return [(count, Attack(payload=wire.request("/topics/t", wire.WEBSOCKET + fields)))]


PINGS, EMPTY = wire.frame(wire.PING), wire.frame(0, b"", fin=False)
# 86 bytes that inflate to an event of 64 KiB.
BOMB = wire.frame(wire.TEXT, deflated(b"a" * 65_536), rsv1=True)
SILENT = (1500, follower("sse", "t", reads=False, receive=4096))
ROWS = [
    Row("ws-inflate", "86-byte frames that inflate to events of 64 KiB, with 1,500 event streams that do not read", (1, 300), frames(TOPIC_DEFLATE, BOMB, SILENT), PUBLISHED),
    Row("ws-inflate-observed", "the same frames, while 10 clients follow `/wire`", (1, 10, 100), frames(TOPIC_DEFLATE, BOMB, OBSERVERS), RECEIVED),
    Row("echo-deflate", "the largest echo of data that compresses slowly", FEW, slow_echo, RECEIVED, lasts=6),
    Row("echo-large", "the largest echo, not compressed", FEW, large_echo, ("sent_bytes_total", 1 << 20)),
    Row("final-blocks", "messages of 60,000 final blocks to /echo", (1, 10, 100), final_blocks(ECHO_DEFLATE, wire.BINARY, 32_768, 60_000), RECEIVED),
    Row("final-blocks-topic", "messages of 24,000 final blocks to a topic", FEW, final_blocks(TOPIC_DEFLATE, wire.TEXT, 32_768, 24_000), RECEIVED),
    Row("final-blocks-long", "messages of 500,000 final blocks to /echo", FEW, final_blocks(ECHO_DEFLATE, wire.BINARY, 32_768, 500_000), RECEIVED),
    Row("handshakes", "handshakes with 15 KB of offers", (1000, 10_000), handshakes, ("websockets_opened_total", 1)),
    Row("pings", "pings without data", (1, 10, 1000, 10_000), frames(TOPIC, PINGS), RECEIVED),
    Row("pings-observed", "the same, while 10 clients follow `/wire`", MANY, frames(TOPIC, PINGS, OBSERVERS), RECEIVED),
    Row("tiny-echoes", "echoes of one byte", MANY, frames(ECHO, wire.frame(wire.BINARY, b"x")), RECEIVED),
    Row("tiny-echoes-deflate", "compressed echoes of one byte", MANY, frames(ECHO_DEFLATE, wire.frame(wire.BINARY, deflated(b"x"), rsv1=True)),
        RECEIVED),
    Row("tiny-events", "events of one byte from WebSockets that follow the topic", (1, 10, 300), frames(TOPIC, wire.frame(wire.TEXT, b"x")), PUBLISHED),
    Row("fragments", "messages of empty fragments", MANY, frames(ECHO + wire.frame(wire.BINARY, b"", fin=False), EMPTY), RECEIVED),
]
