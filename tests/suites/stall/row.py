"""What a row of the table consists of."""

from dataclasses import dataclass, field
from typing import Callable

import wire
from swarm import BLOCK, Attack, fill

MIB = 1 << 20


@dataclass(frozen=True)
class Variant:
    """A set of options of the server. `window` and `echo` are the values of --window-bytes and
    --max-echo-bytes, `ceiling` is the peak memory that docs/operating.md states for them.
    """

    name: str
    options: tuple
    ceiling: int
    window: int
    echo: int


SMALL = ("--window-bytes", str(8 * MIB), "--encoded-bytes", str(8 * MIB), "--max-buffered-bytes", str(16 * MIB),
         "--max-echo-bytes", str(MIB), "--max-echo-contexts", "16")
VARIANTS = [
    Variant("small", SMALL, 64 * MIB, 8 * MIB, MIB),
    Variant("default", (), 640 * MIB, 64 * MIB, 16 * MIB),
]


@dataclass
class Row:
    """An attack. `prepare` receives the server, its variant and the number of connections, and
    returns pairs of a number of connections and an `Attack`; the first pair is the attack that the
    row counts.
    """

    name: str
    text: str
    counts: tuple
    prepare: Callable
    # A metric, and how much of it each attacking connection causes at least. Without that, the
    # attack was not what the row says.
    proof: tuple
    # A metric that reaches the number of connections before the attack can begin.
    settled: str = "connections"
    options: tuple = ()
    # The topic of the calm client.
    topic: str = "calm"
    # The attack lasts that many seconds, even if nothing is sent or received for some time.
    lasts: float = 0
    # Statements about the reports of the attackers that must hold; each returns a complaint or
    # None.
    checks: list = field(default_factory=list)


def get(target, fields="", method="GET"):
    """Returns a short request. The server answers for an empty Host."""
    return f"{method} {target} HTTP/1.1\r\nHost:\r\n{fields}\r\n".encode()


def pipelined(count, data, size=8192):
    """Returns the attack that pipelines a request: without end on a few connections, or once as
    many as fit into `size` bytes on each of many.
    """
    if count < 100:
        return Attack(payload=fill(data, BLOCK), endless=True)
    return Attack(payload=fill(data, size))


def follower(transport, topic, **others):
    """Returns followers that are connected before the attack and send nothing during it."""
    greeting = b"id: " if transport == "sse" else b'"next"'
    return Attack(first=wire.follow(transport, topic), greeting=greeting, **others)


# The server explains each byte of the other connections to those who follow /wire.
OBSERVERS = (10, Attack(first=wire.request("/wire", wire.EVENT_STREAM), greeting=b"id: "))
