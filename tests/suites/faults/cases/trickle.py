"""A byte a second."""

import time
from collections import Counter

import wire
from flood import upgrade
from outcome import Fault, Outcome
from peers import Exchange
from server import Server
from witness import Witness

TIMEOUT = 3

# What is said at once, what comes then byte by byte, and how it ends: a WebSocket's frames have no time limit, since a peer whose
# bytes come is there, as one is that answers pings; what it holds counts.
KINDS = {
    "heads": (b"", b"GET /health HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 100, "408"),
    "bodies": (wire.request("/topics/t", "Content-Length: 1000\r\n", "POST"), b"x" * 100, "408"),
    "chunk sizes": (wire.request("/topics/t", "Transfer-Encoding: chunked\r\n", "POST"), b"0000000000000005\r\nhello", "408"),
    "chunks": (wire.request("/topics/t", "Transfer-Encoding: chunked\r\n", "POST") + b"64\r\n", b"x" * 100, "408"),
    "WebSocket frames": (upgrade("t"), wire.frame(wire.TEXT, b"x" * 125), "101"),
}


def case(short):
    each = 100 if short else 400
    server = Server("--head-timeout", str(TIMEOUT), "--body-timeout", str(TIMEOUT))
    witness = Witness(server)
    witness.before(1 if short else 3)
    before = server.memory()
    kinds = [kind for kind in KINDS for _ in range(each)]
    slow = Exchange(server.address, [KINDS[kind][0] for kind in kinds])
    slow.until(lambda: not any(slow.left), 30)
    began = time.monotonic()
    for second in range(3 * TIMEOUT):
        for number, kind in enumerate(kinds):
            slow.say(number, KINDS[kind][1][second : second + 1])
        slow.until(lambda: False, max(0.0, began + second + 1 - time.monotonic()))
    outcome = Counter(zip(kinds, map(wire.status, slow.heard)))
    left = Counter(kinds[number] for number in slow.by_fd.values())
    grown = server.memory() - before
    expected = {(kind, status): each for kind, (_, _, status) in KINDS.items()}
    if outcome != expected or left != {"WebSocket frames": each}:
        raise Fault(f"{dict(outcome)}; not ended: {dict(left)}")
    ends = [end for end in slow.ended if end is not None]
    if min(ends) < TIMEOUT - 0.2:
        raise Fault(f"ended after {min(ends):.1f} s")
    slow.close()
    witness.phase("after")
    saw = witness.stop()
    return Outcome(
        f"{4 * each} connections whose heads, bodies, chunk sizes, chunks come a byte a second, with {TIMEOUT} s for each; {each} WebSockets "
        "whose frames do",
        f"408 for each request, the last one gone after {max(ends):.1f} s; the WebSockets stay, as whoever answers pings does; all together had "
        f"{max(0, grown) / 1024:.0f} KiB", server.peak(), saw,
    )
