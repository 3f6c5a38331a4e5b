"""Lengths that are only declared, and payloads that grow: nothing may be set aside for either."""

from collections import Counter

import wire
from flood import DEFLATE, echo, upgrade
from outcome import Fault, Outcome
from peers import Exchange
from server import Server
from witness import Witness

MIB = 1 << 20
GIB = 1 << 30
LONGEST = (1 << 63) - 1


def answered(server, payload, count, expected, seconds=60):
    """So many say this at once; all are answered with one status or close code, and none is reset."""
    said = Exchange(server.address, [payload] * count)
    said.until(said.all_ended, seconds)
    statuses = Counter(map(wire.status, said.heard))
    left = len(said.by_fd)
    said.close()
    if set(statuses) != {expected} or left:
        raise Fault(f"{payload[:30]!r}: {dict(statuses)} instead of {expected}, {left} not ended, {said.broken} reset")


def gigabyte(short):
    count = 200 if short else 1000
    server = Server("--linger", "1")
    witness = Witness(server)
    witness.before(1 if short else 3)
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
        answered(server, payload, count, expected)
    # A length that is within the bound is waited for; it is not set aside either.
    body = wire.request("/topics/t", f"Content-Type: application/x-ndjson\r\nContent-Length: {MIB}\r\n", "POST") + some
    message = echo() + wire.frame(wire.BINARY, some, declared=16 * MIB)
    held = Exchange(server.address, [body, message] * (count // 2))
    held.until(lambda: not any(held.left), 30)
    held.until(lambda: False, 0.5)
    grown, reserved = server.peak() - before, server.reserved() - reserved
    held.close()
    if grown > 16 * MIB or reserved > 64 * MIB:
        raise Fault(f"memory grew by {grown / MIB:.1f} MiB, {reserved / MIB:.1f} MiB were set aside")
    witness.phase("after")
    saw = witness.stop()
    return Outcome(
        f"frames of 1 GiB and 2^63−1 bytes declared on a topic and on /echo, `Content-Length` of 1 GiB, chunks of 1 GiB: {count} connections each; "
        f"{count} more that declare 1 and 16 MiB, which may be, and send 1,000 bytes",
        f"close 1009 and 413, each time; memory grew by {grown / MIB:.1f} MiB, the address space by {reserved / MIB:.1f} MiB", server.peak(), saw,
    )


def bomb(short):
    # All at once hold less than all connections together may: beyond that the one that holds the most goes, with 1013.
    count = 4 if short else 12
    server = Server()
    witness = Witness(server)
    witness.before(1 if short else 3)
    before = server.memory()
    payload = wire.zeros(1024)
    for handshake in (upgrade(extra=DEFLATE), echo(DEFLATE)):
        answered(server, handshake + wire.frame(wire.BINARY, payload, rsv1=True), count, "close 1009", 120)
        # And in small frames, each of which is harmless.
        pieces = [payload[at : at + 1000] for at in range(0, len(payload), 1000)]
        fragments = [wire.frame(wire.BINARY, pieces[0], fin=False, rsv1=True)]
        fragments += [wire.frame(0, piece, fin=False) for piece in pieces[1:]]
        answered(server, handshake + b"".join(fragments), count, "close 1009", 120)
    grown = server.peak() - before
    # What /echo may have from each at once, and the windows.
    bound = count * 18 * MIB + 32 * MIB
    if grown > bound:
        raise Fault(f"memory grew by {grown / MIB:.1f} MiB")
    witness.phase("after")
    saw = witness.stop()
    return Outcome(
        f"1 GiB of zeros in a compressed message of {len(payload) / MIB:.1f} MiB, in one frame and in frames of 1,000 bytes, on a topic and on /echo; "
        f"{count} connections each at once",
        f"close 1009, each time; memory grew by {grown / MIB:.1f} MiB, where {count} messages of 16 MiB may be held", server.peak(), saw,
    )
