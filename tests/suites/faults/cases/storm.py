"""All clients reconnect at once; and when the server gives them different delays, they do not."""

import random
import time
from collections import Counter
from math import sqrt

from control import ControlGroup
from outcome import Fault, Outcome
from peers import affordable
from pool import RETRY, FollowerPool, Publisher, newest
from server import Server

RETRY_MS = 2000


def gather(short, steady):
    """Starts a server and a pool of followers."""
    server = Server("--retry", str(RETRY_MS))
    control = ControlGroup(server, steady=steady)
    control.before(1 if short else 3)
    control.phase("gathering")
    half = affordable(5_000 if short else 10_000) // 2
    pool = FollowerPool(server.address, {("storm", "sse"): half, ("storm", "websocket"): half}, newest(server, "storm"))
    pool.connect_all()
    pool.until("all follow", pool.all_follow, 60)
    publisher = Publisher(server.address, "storm", 2)
    pool.run(1 if short else 3)
    control.phase("during")
    return server, control, pool, publisher


def at_once(short):
    server, control, pool, publisher = gather(short, True)
    for follower in pool.followers:
        pool.drop(follower)
    pool.connect_all()
    back = pool.until("all have reconnected", pool.all_follow, 60)
    pool.run(1)
    publisher.stop()
    last = pool.until("all have the last event", lambda: pool.all_have(publisher), 60)
    pool.check(publisher)
    if any(follower.gaps for follower in pool.followers):
        raise Fault("a follower received a gap")
    control.phase("after")
    report = control.stop()
    many = len(pool.followers)
    pool.close()
    return Outcome(
        f"{many:,} followers (event streams and WebSockets) disconnect and reconnect at once, with their ids, while events are published",
        f"all had reconnected after {back:.1f} s, and had each of {len(publisher.accepted)} events once, in order, {1000 * last:.0f} ms after the last publish",
        server.peak(), report,
    )


def most_in_100_ms(times):
    return max(Counter(int(10 * at) for at in times).values())


def spread(short):
    server, control, pool, publisher = gather(short, False)
    # A burst, so that some events are still being delivered when the server ends.
    publisher.rate = 100
    pool.run(0.2)
    before = max(publisher.accepted)
    server.terminate()
    publisher.rate = 2
    began = time.monotonic()
    pool.until("the server ends", lambda: server.process.poll() is not None, 20)
    drained = time.monotonic() - began
    if server.exit_status(0):
        raise Fault(f"the server ended with {server.process.returncode}")
    pool.until("all connections end", lambda: not pool.by_fd, 20)
    cut = sum(follower.newest < before for follower in pool.followers)
    if cut:
        raise Fault(f"the connections of {cut} followers ended before all accepted events had arrived")
    server.restart()
    delays = []
    for follower in pool.followers:
        if follower.transport == "sse":
            found = RETRY.findall(follower.tail)
            if not found:
                raise Fault(f"a stream ended without retry: {follower.tail!r}")
            delays.append(int(found[-1]) / 1000)
            delay = delays[-1]
        else:
            if follower.close_code() != 1001:
                raise Fault(f"a WebSocket was closed with {follower.close_code()}, expected 1001")
            # The protocol has no retry field for WebSockets: the client chooses its own random
            # delay.
            delay = RETRY_MS / 1000 * (1 + random.random())
        pool.connect(follower, follower.ended + delay)
    back = pool.until("all have reconnected", pool.all_follow, 60)
    pool.run(1)
    publisher.stop()
    pool.until("all have the last event", lambda: pool.all_have(publisher), 60)
    pool.check(publisher)
    silent = sum(follower.gaps != 1 for follower in pool.followers)
    if silent:
        raise Fault(f"{silent} followers reconnected to the restarted server and did not receive exactly one gap")
    # The number of delays expected within each 100 ms if all delays are equally likely, plus six
    # standard deviations.
    expected = len(delays) * 100 / RETRY_MS
    most = most_in_100_ms(delays)
    if most > expected + 6 * sqrt(expected) or not RETRY_MS <= 1000 * min(delays) <= 1000 * max(delays) <= 2 * RETRY_MS:
        raise Fault(f"delays of {min(delays)} to {max(delays)} s, {most} within 100 ms of {len(delays)}")
    control.phase("after")
    report = control.stop()
    many = len(pool.followers)
    pool.close()
    return Outcome(
        f"SIGTERM and a restart under {many:,} followers that reconnect after the delay they were given",
        f"ended after {drained:.1f} s, all had everything accepted before; of {len(delays):,} `retry:` values between {min(delays):.1f} and {max(delays):.1f} s at most {most} lay within 100 ms ({expected:.0f} "
        f"would be even); all had reconnected {back:.1f} s later, each with one gap",
        server.peak(), report,
    )
