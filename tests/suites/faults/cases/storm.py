"""All clients come back at once; and when the server has told them when, they do not."""

import random
import time
from collections import Counter
from math import sqrt

from crowd import RETRY, Crowd, Publisher, newest
from outcome import Fault, Outcome
from peers import room
from server import Server
from witness import Witness

RETRY_MS = 2000


def gather(short, steady):
    """A server, and a crowd that follows it."""
    server = Server("--retry", str(RETRY_MS))
    witness = Witness(server, steady=steady)
    witness.before(1 if short else 3)
    witness.phase("gathering")
    half = room(5_000 if short else 10_000) // 2
    crowd = Crowd(server.address, {("storm", "sse"): half, ("storm", "websocket"): half}, newest(server, "storm"))
    crowd.all_come()
    crowd.until("all follow", crowd.all_follow, 60)
    publisher = Publisher(server.address, "storm", 2)
    crowd.run(1 if short else 3)
    witness.phase("during")
    return server, witness, crowd, publisher


def at_once(short):
    server, witness, crowd, publisher = gather(short, True)
    for member in crowd.members:
        crowd.leave(member)
    crowd.all_come()
    back = crowd.until("all are back", crowd.all_follow, 60)
    crowd.run(1)
    publisher.stop()
    all_of_it = crowd.until("all have the last event", lambda: crowd.all_have(publisher), 60)
    crowd.check(publisher)
    if any(member.told for member in crowd.members):
        raise Fault("somebody was told of a gap")
    witness.phase("after")
    saw = witness.stop()
    many = len(crowd.members)
    crowd.close()
    return Outcome(
        f"{many:,} followers (event streams and WebSockets) drop and come back at once, with their ids, while it is published",
        f"all were back after {back:.1f} s, and had each of {len(publisher.accepted)} events once, in order, {1000 * all_of_it:.0f} ms after the last",
        server.peak(), saw,
    )


def most_in_100_ms(times):
    return max(Counter(int(10 * at) for at in times).values())


def spread(short):
    server, witness, crowd, publisher = gather(short, False)
    # A burst, so that some of it is still on its way.
    publisher.rate = 100
    crowd.run(0.2)
    before = max(publisher.accepted)
    server.terminate()
    publisher.rate = 2
    began = time.monotonic()
    crowd.until("the server ends", lambda: server.process.poll() is not None, 20)
    drained = time.monotonic() - began
    if server.awaited(0):
        raise Fault(f"the server ended with {server.process.returncode}")
    crowd.until("all connections end", lambda: not crowd.by_fd, 20)
    cut = sum(member.newest < before for member in crowd.members)
    if cut:
        raise Fault(f"{cut} followers were ended without all that was accepted before")
    server.again()
    delays = []
    for member in crowd.members:
        if member.transport == "sse":
            told = RETRY.findall(member.tail)
            if not told:
                raise Fault(f"a stream ended without retry: {member.tail!r}")
            delays.append(int(told[-1]) / 1000)
            delay = delays[-1]
        else:
            if member.close_code() != 1001:
                raise Fault(f"a WebSocket was closed with {member.close_code()}")
            # Nothing tells a WebSocket when to come back: it draws by itself.
            delay = RETRY_MS / 1000 * (1 + random.random())
        crowd.come(member, member.ended + delay)
    back = crowd.until("all are back", crowd.all_follow, 60)
    crowd.run(1)
    publisher.stop()
    crowd.until("all have the last event", lambda: crowd.all_have(publisher), 60)
    crowd.check(publisher)
    silent = sum(member.told != 1 for member in crowd.members)
    if silent:
        raise Fault(f"{silent} that came back to another life of the server were not told of the gap")
    # So many of so many in each 100 ms, if each delay is as likely as every other; six standard deviations are for chance.
    expected = len(delays) * 100 / RETRY_MS
    most = most_in_100_ms(delays)
    if most > expected + 6 * sqrt(expected) or not RETRY_MS <= 1000 * min(delays) <= 1000 * max(delays) <= 2 * RETRY_MS:
        raise Fault(f"delays of {min(delays)} to {max(delays)} s, {most} within 100 ms of {len(delays)}")
    witness.phase("after")
    saw = witness.stop()
    many = len(crowd.members)
    crowd.close()
    return Outcome(
        f"SIGTERM and a start, under {many:,} followers that come back when they were told to",
        f"gone after {drained:.1f} s, all had what was accepted before; of {len(delays):,} `retry:` between {min(delays):.1f} and {max(delays):.1f} s at most {most} were within 100 ms ({expected:.0f} "
        f"would be even); all were back {back:.1f} s later, each told of the gap",
        server.peak(), saw,
    )
