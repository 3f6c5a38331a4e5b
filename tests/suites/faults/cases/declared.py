"""Lengths that are declared but never sent, and payloads that inflate: the server must not reserve
memory for either.
"""

from collections import Counter

import wire
from control import ControlGroup
from flood import DEFLATE, echo, upgrade
from outcome import Fault, Outcome
from peers import Exchange
from server import Server

MIB = 1 << 20
GIB = 1 << 30
LONGEST = (1 << 63) - 1


def send_to_many(server, payload, count, expected, seconds=60):
    """Sends the payload on many connections. All must end with the expected status or close code,
    none with a reset.
    """
    peers = Exchange(server.address, [payload] * count)
    peers.until(peers.all_ended, seconds)
    statuses = Counter(map(wire.status, peers.received))
    left = len(peers.by_fd)
    peers.close()
    if set(statuses) != {expected} or left:
        raise Fault(f"{payload[:30]!r}: {dict(statuses)}, expected {expected}; {left} still open, {peers.broken} reset")


def gigabyte(short):
    count = 200 if short else 1000
    server = Server("--linger", "1")
    control = ControlGroup(server)
    control.before(1 if short else 3)
    before, reserved = server.memory(), server.reserved()
    some = b"x" * 1000
    kinds = [
        (upgrade() + wire.frame(wire.TEXT, some, declared=GIB), "close 1009"),
        (upgrade() + wire.frame(wire.TEXT, some, declared=LONGEST), "close 1009"),
        (echo() + wire.frame(wire.BINARY, some, declared=GIB), "close 1009"),
        (echo() + wire.frame(wire.BINARY, some, declared=LONGEST), "close 1009"),
        (wire.request("/topics/t", f"Content-Length: {GIB}\r\n", "POST") + some, "413"),
        (wire.request("/topics/t", "Transfer-Encoding: chunked\r\n", "POST") + b"40000000\r\n" + some, "413"),
        (wire.request("/topics/t", "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n", "POST")
         + b"40000000\r\n" + some, "413"),
    ]
    for payload, expected in kinds:
        send_to_many(server, payload, count, expected)
    # The server waits for a body whose declared length is allowed, but does not reserve memory for
    # it either.
    body = wire.request("/topics/t", f"Content-Type: application/x-ndjson\r\nContent-Length: {MIB}\r\n", "POST") + some
    message = echo() + wire.frame(wire.BINARY, some, declared=16 * MIB)
    held = Exchange(server.address, [body, message] * (count // 2))
    held.until(held.all_sent, 30)
    held.until(lambda: False, 0.5)
    grown, reserved = server.peak() - before, server.reserved() - reserved
    held.close()
    if grown > 16 * MIB or reserved > 64 * MIB:
        raise Fault(f"memory grew by {grown / MIB:.1f} MiB, the address space by {reserved / MIB:.1f} MiB")
    control.phase("after")
    report = control.stop()
    return Outcome(
        f"frames declaring 1 GiB and 2^63−1 bytes on a topic and on /echo, `Content-Length` of 1 GiB, chunks of 1 GiB: {count} connections each; "
        f"{count} more that declare an allowed 1 or 16 MiB and send 1,000 bytes",
        f"1009 or 413 every time; memory grew by {grown / MIB:.1f} MiB, the address space by {reserved / MIB:.1f} MiB", server.peak(), report,
    )


def bomb(short):
    # Together these stay below `--max-buffered-bytes`; beyond that the server would shed the
    # largest connection with 1013.
    count = 4 if short else 12
    server = Server()
    control = ControlGroup(server)
    control.before(1 if short else 3)
    before = server.memory()
    payload = wire.zeros(1024)
    for handshake in (upgrade(extra=DEFLATE), echo(DEFLATE)):
        send_to_many(server, handshake + wire.frame(wire.BINARY, payload, rsv1=True), count, "close 1009", 120)
        # The same message in small frames, each of which is harmless.
        pieces = [payload[at : at + 1000] for at in range(0, len(payload), 1000)]
        fragments = [wire.frame(wire.BINARY, pieces[0], fin=False, rsv1=True)]
        fragments += [wire.frame(0, piece, fin=False) for piece in pieces[1:]]
        send_to_many(server, handshake + b"".join(fragments), count, "close 1009", 120)
    grown = server.peak() - before
    # The memory that /echo may use for each connection at once, and the windows.
    bound = count * 18 * MIB + 32 * MIB
    if grown > bound:
        raise Fault(f"memory grew by {grown / MIB:.1f} MiB")
    control.phase("after")
    report = control.stop()
    return Outcome(
        f"1 GiB of zeros in a compressed message of {len(payload) / MIB:.1f} MiB, in one frame and in frames of 1,000 bytes, on a topic and on /echo; "
        f"{count} connections each at once",
        f"1009 every time; memory grew by {grown / MIB:.1f} MiB, while {count} messages of 16 MiB are allowed", server.peak(), report,
    )
