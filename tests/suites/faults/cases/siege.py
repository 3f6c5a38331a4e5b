"""All faults at once."""

import socket
import threading
import time

import wire
from control import ControlGroup
from flood import Flood
from outcome import Fault, Outcome
from peers import Exchange, affordable
from pool import FollowerPool, Publisher, newest
from server import Server

FLOODS = ["garbage", "tiny requests, pipelined", "empty messages to /echo", "pings", "half a message each", "connect and close"]


def publish_much(server, stopping):
    """Publishes a megabyte per second, for the readers that stopped."""
    with socket.create_connection(server.address, timeout=20) as publisher:
        while not stopping.wait(0.06):
            publisher.sendall(wire.publish("much", b"x" * 60_000))
            publisher.recv(4096)


def case(short):
    seconds = 8 if short else 30
    loris, readers = (300, 100) if short else (1_000, 200)
    third = affordable(3_000 if short else 10_000, 2 * (loris + readers) + 500) // 3
    server = Server("--head-timeout", "5")
    control = ControlGroup(server)
    control.before(2 if short else 5)
    control.phase("gathering")
    kinds = {("siege", "sse"): third, ("siege", "websocket"): third, ("siege", "long-poll"): third}
    pool = FollowerPool(server.address, kinds, newest(server, "siege"))
    pool.connect_all()
    pool.until("all follow", pool.all_follow, 60)
    publisher = Publisher(server.address, "siege", 1)
    stopping = threading.Event()
    stopped = Exchange(server.address, [wire.follow("sse", "much"), wire.follow("websocket", "much")] * (readers // 2), receive=4096)
    stopped.until(stopped.all_received, 20)
    busy = threading.Thread(target=publish_much, args=(server, stopping), daemon=True)
    busy.start()
    control.phase("during")
    floods = [Flood(server.address, kind, seconds) for kind in FLOODS]
    began, lines, ended = time.monotonic(), 0, 0
    slow = None
    while time.monotonic() - began < seconds:
        # When the server has closed all slow heads, the next ones take their place.
        if slow is None or slow.all_ended():
            slow = Exchange(server.address, [b"GET /topics/siege HTTP/1.1\r\nHost: localhost\r\n"] * loris)
            lines = time.monotonic()
        if time.monotonic() - lines > 1:
            lines += 1
            for number in list(slow.by_fd.values()):
                slow.send(number, b"X: 1\r\n")
        held = len(slow.by_fd)
        slow.poll_once(0)
        ended += held - len(slow.by_fd)
        pool.poll_once(0.02)
        server.check_running()
    sent = [flood.join() for flood in floods]
    control.phase("after")
    stopping.set()
    busy.join(30)
    publisher.stop()
    pool.until("all have the last event", lambda: pool.all_have(publisher), 60)
    pool.check(publisher)
    if any(follower.gaps for follower in pool.followers) or pool.refused:
        raise Fault("a follower of the pool received a gap or was refused")
    report = control.stop()
    peak, many = server.peak(), len(pool.followers)
    if peak > 640 << 20:
        raise Fault(f"the server used {peak >> 20} MiB")
    for peers in (pool, slow, stopped):
        peers.close()
    return Outcome(
        f"{many:,} followers, {loris:,} heads at one line per second, {readers} readers that stopped, {len(FLOODS)} floods ({', '.join(FLOODS)}), for {seconds} s",
        f"each of {len(publisher.accepted)} events reached all {many:,}; {ended} slow heads closed; the floods sent {sum(one['bytes'] for one in sent) >> 20:,} MiB on "
        f"{sum(one['connections'] for one in sent):,} connections", peak, report,
    )
