"""Data at one byte per second."""

import time
from collections import Counter

import wire
from control import ControlGroup
from flood import upgrade
from outcome import Fault, Outcome
from peers import Exchange
from server import Server

TIMEOUT = 3

# The bytes sent at once, the bytes sent one per second, and the expected end. A WebSocket's message
# has the time of a body.
KINDS = {
    "heads": (b"", b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 100, "408"),
    "bodies": (wire.request("/topics/t", "Content-Length: 1000\r\n", "POST"), b"x" * 100, "408"),
    "chunk sizes": (wire.request("/topics/t", "Transfer-Encoding: chunked\r\n", "POST"), b"0000000000000005\r\nhello", "408"),
    "chunks": (wire.request("/topics/t", "Transfer-Encoding: chunked\r\n", "POST") + b"64\r\n", b"x" * 100, "408"),
    "WebSocket frames": (upgrade("t"), wire.frame(wire.TEXT, b"x" * 125), "close 1008"),
}


def case(short):
    each = 100 if short else 400
    server = Server("--head-timeout", str(TIMEOUT), "--body-timeout", str(TIMEOUT))
    control = ControlGroup(server)
    control.before(1 if short else 3)
    before = server.memory()
    kinds = [kind for kind in KINDS for _ in range(each)]
    slow = Exchange(server.address, [KINDS[kind][0] for kind in kinds])
    slow.until(slow.all_sent, 30)
    began = time.monotonic()
    for second in range(3 * TIMEOUT):
        for number, kind in enumerate(kinds):
            slow.send(number, KINDS[kind][1][second : second + 1])
        slow.until(lambda: False, max(0.0, began + second + 1 - time.monotonic()))
    outcome = Counter(zip(kinds, map(wire.status, slow.received)))
    left = Counter(kinds[number] for number in slow.by_fd.values())
    grown = server.memory() - before
    expected = {(kind, status): each for kind, (_, _, status) in KINDS.items()}
    if outcome != expected or left:
        raise Fault(f"{dict(outcome)}; still open: {dict(left)}")
    ends = [end for end in slow.ended if end is not None]
    if min(ends) < TIMEOUT - 0.2:
        raise Fault(f"a connection was closed after {min(ends):.1f} s, before its timeout of {TIMEOUT} s")
    slow.close()
    control.phase("after")
    report = control.stop()
    return Outcome(
        f"{4 * each} connections whose heads, bodies, chunk sizes, chunks arrive at one byte per second, with a timeout of {TIMEOUT} s; {each} WebSockets "
        "whose frames do",
        f"408 for each request, 1008 for each WebSocket, the last connection closed after {max(ends):.1f} s; all together used "
        f"{max(0, grown) / 1024:.0f} KiB", server.peak(), report,
    )
