"""The wall clock is set back and forward, while followers are held: the server's only, by libfaketime."""

import email.utils
import glob
import re
import socket
import tempfile
import threading
import time

import wire
from outcome import Fault, Outcome, Skipped
from peers import Exchange
from server import Server
from witness import Witness

DAY = 86_400
WAIT = 3


def date(server):
    """How far the server's `Date` is from the clock here, in seconds."""
    with socket.create_connection(server.address, timeout=20) as asker:
        asker.sendall(wire.request("/health", "Connection: close\r\n"))
        heard = b"".join(iter(lambda: asker.recv(4096), b""))
    told = re.search(rb"\r\nDate: (.*?)\r\n", heard)[1].decode()
    return email.utils.parsedate_to_datetime(told).timestamp() - time.time()


def silences(server, seconds, longest):
    """The longest silence of an event stream without events, while the clock is set."""
    with socket.create_connection(server.address, timeout=20) as peer:
        peer.sendall(wire.follow("sse", "quiet"))
        peer.recv(4096)
        began = last = time.monotonic()
        while last - began < seconds:
            if not peer.recv(4096):
                longest.append(float("inf"))
                return
            longest.append(time.monotonic() - last)
            last = time.monotonic()


def case(short):
    libraries = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    if not libraries:
        raise Skipped("there is no libfaketime")
    with tempfile.NamedTemporaryFile("w") as clock:

        def put(offset):
            clock.seek(0)
            clock.truncate()
            clock.write(offset)
            clock.flush()

        put("+0")
        env = {
            "LD_PRELOAD": libraries[0], "FAKETIME_TIMESTAMP_FILE": clock.name, "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        return set_twice(short, put, env)


def set_twice(short, put, env):
    polls = 100 if short else 500
    server = Server("--heartbeat", "1", "--ping-interval", "1", "--pong-timeout", "5", env=env)
    if abs(date(server)) > 3600:
        raise Fault("the clock was wrong from the beginning")
    witness = Witness(server)
    witness.before(1 if short else 3)
    longest, dates, held = [], [], []
    listening = threading.Thread(target=silences, args=(server, 2 * WAIT + 2, longest), daemon=True)
    listening.start()
    sockets = Exchange(server.address, [wire.follow("websocket", "quiet")] * polls)
    sockets.until(sockets.all_heard, 20)
    for offset, days in (("-1d", -1), ("+1d", 1)):
        waiting = Exchange(
            server.address, [wire.request(f"/topics/quiet?wait={WAIT}", "Connection: close\r\n")] * polls
        )
        waiting.until(lambda: not any(waiting.left), 20)
        put(offset)
        if not waiting.until(waiting.all_ended, 30):
            raise Fault(f"{len(waiting.by_fd)} polls are still held after 30 s")
        held += waiting.ended
        if any(wire.status(heard) != "200" for heard in waiting.heard):
            raise Fault("a held poll was not answered")
        dates.append(date(server) - days * DAY)
        sockets.until(lambda: False, 0.2)
    listening.join(30)
    put("+0")
    if not WAIT - 0.2 <= min(held) or max(held) > WAIT + 5:
        raise Fault(f"polls to be held {WAIT} s were held {min(held):.1f} to {max(held):.1f} s")
    if max(longest) > 6:
        raise Fault(f"a stream with a heartbeat each second was silent for {max(longest):.1f} s")
    if any(abs(error) > 10 for error in dates):
        raise Fault(f"`Date` did not follow: {dates}")
    # Their peer never answers a ping, so they end when the pong is overdue, and not before.
    sockets.until(sockets.all_ended, 30)
    early = min(end or 0 for end in sockets.ended)
    if not sockets.all_ended() or early < 5:
        raise Fault(f"WebSockets to be dropped after 6 s of silence were so after {early:.1f} s")
    witness.phase("after")
    saw = witness.stop()
    return Outcome(
        f"the clock set back a day and then forward two, while {polls} polls are held and {polls} WebSockets await a pong",
        f"no deadline moved: polls to be held {WAIT} s were held {min(held):.1f} to {max(held):.1f} s, heartbeats each second came within "
        f"{max(longest):.1f} s, pongs were waited for {early:.1f} s instead of 6; `Date` followed both times", server.peak(), saw,
    )
