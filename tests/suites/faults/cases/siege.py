"""Everything at once."""

import socket
import threading
import time

import wire
from crowd import Crowd, Publisher, newest
from flood import Flood
from outcome import Fault, Outcome
from peers import Exchange, room
from server import Server
from witness import Witness

FLOODS = ["garbage", "tiny requests, pipelined", "empty messages to /echo", "pings", "half a message each", "connect and close"]


def much(server, stopping):
    """For those who do not read: a megabyte a second."""
    with socket.create_connection(server.address, timeout=20) as publisher:
        while not stopping.wait(0.06):
            publisher.sendall(wire.publish("much", b"x" * 60_000))
            publisher.recv(4096)


def case(short):
    seconds = 8 if short else 30
    loris, readers = (300, 100) if short else (1_000, 200)
    third = room(3_000 if short else 10_000, 2 * (loris + readers) + 500) // 3
    server = Server("--head-timeout", "5")
    witness = Witness(server)
    witness.before(2 if short else 5)
    witness.phase("gathering")
    kinds = {("siege", "sse"): third, ("siege", "websocket"): third, ("siege", "long-poll"): third}
    crowd = Crowd(server.address, kinds, newest(server, "siege"))
    crowd.all_come()
    crowd.until("all follow", crowd.all_follow, 60)
    publisher = Publisher(server.address, "siege", 1)
    stopping = threading.Event()
    stopped = Exchange(server.address, [wire.follow("sse", "much"), wire.follow("websocket", "much")] * (readers // 2), receive=4096)
    stopped.until(stopped.all_heard, 20)
    busy = threading.Thread(target=much, args=(server, stopping), daemon=True)
    busy.start()
    witness.phase("during")
    floods = [Flood(server.address, kind, seconds) for kind in FLOODS]
    began, lines, ended = time.monotonic(), 0, 0
    slow = None
    while time.monotonic() - began < seconds:
        # One that was ended for its slowness is followed by another.
        if slow is None or slow.all_ended():
            slow = Exchange(server.address, [b"GET /topics/siege HTTP/1.1\r\nHost: x\r\n"] * loris)
            lines = time.monotonic()
        if time.monotonic() - lines > 1:
            lines += 1
            for number in list(slow.by_fd.values()):
                slow.say(number, b"X: 1\r\n")
        held = len(slow.by_fd)
        slow.turn(0)
        ended += held - len(slow.by_fd)
        crowd.turn(0.02)
        server.is_up()
    sent = [flood.over() for flood in floods]
    witness.phase("after")
    stopping.set()
    busy.join(30)
    publisher.stop()
    crowd.until("all have the last event", lambda: crowd.all_have(publisher), 60)
    crowd.check(publisher)
    if any(member.told for member in crowd.members) or crowd.refused:
        raise Fault("somebody of the crowd was told of a gap, or turned away")
    saw = witness.stop()
    peak, many = server.peak(), len(crowd.members)
    if peak > 640 << 20:
        raise Fault(f"the server has had {peak >> 20} MiB")
    for peers in (crowd, slow, stopped):
        peers.close()
    return Outcome(
        f"{many:,} followers, {loris:,} heads a line a second, {readers} readers that stopped, {len(FLOODS)} floods ({', '.join(FLOODS)}), for {seconds} s",
        f"each of {len(publisher.accepted)} events reached all {many:,}; {ended} slow heads ended; floods sent {sum(one['bytes'] for one in sent) >> 20:,} MiB on "
        f"{sum(one['connections'] for one in sent):,} connections", peak, saw,
    )
