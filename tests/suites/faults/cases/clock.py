"""The wall clock is set back and forward while followers are connected. libfaketime changes only
the server's clock.
"""

import email.utils
import glob
import re
import socket
import tempfile
import threading
import time

import wire
from control import ControlGroup
from outcome import Fault, Outcome, Skipped
from peers import Exchange
from server import Server

DAY = 86_400
WAIT = 3


def date(server):
    """Returns the difference between the server's `Date` and the local clock, in seconds."""
    with socket.create_connection(server.address, timeout=20) as client:
        client.sendall(wire.request("/health", "Connection: close\r\n"))
        received = b"".join(iter(lambda: client.recv(4096), b""))
    text = re.search(rb"\r\nDate: (.*?)\r\n", received)[1].decode()
    return email.utils.parsedate_to_datetime(text).timestamp() - time.time()


def silences(server, seconds, longest):
    """Appends the silences of an event stream without events to `longest`, while the clock is set.
    """
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
        raise Skipped("libfaketime is not installed")
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
        raise Fault("the clock was wrong from the start")
    control = ControlGroup(server)
    control.before(1 if short else 3)
    longest, dates, held = [], [], []
    listening = threading.Thread(target=silences, args=(server, 2 * WAIT + 2, longest), daemon=True)
    listening.start()
    sockets = Exchange(server.address, [wire.follow("websocket", "quiet")] * polls)
    sockets.until(sockets.all_received, 20)
    for offset, days in (("-1d", -1), ("+1d", 1)):
        waiting = Exchange(
            server.address, [wire.request(f"/topics/quiet?wait={WAIT}", "Connection: close\r\n")] * polls
        )
        waiting.until(waiting.all_sent, 20)
        put(offset)
        if not waiting.until(waiting.all_ended, 30):
            raise Fault(f"{len(waiting.by_fd)} polls are still held after 30 s, expected {WAIT} s")
        held += waiting.ended
        if any(wire.status(received) != "200" for received in waiting.received):
            raise Fault("a held poll got no 200")
        dates.append(date(server) - days * DAY)
        sockets.until(lambda: False, 0.2)
    listening.join(30)
    put("+0")
    if not WAIT - 0.2 <= min(held) or max(held) > WAIT + 5:
        raise Fault(f"polls with a wait of {WAIT} s were held {min(held):.1f} to {max(held):.1f} s")
    if max(longest) > 6:
        raise Fault(f"a stream with a heartbeat every second was silent for {max(longest):.1f} s")
    if any(abs(error) > 10 for error in dates):
        raise Fault(f"`Date` did not follow the clock: errors of {dates} s")
    # These peers never send a pong, so the server closes them when the pong is overdue, and not
    # before.
    sockets.until(sockets.all_ended, 30)
    early = min(end or 0 for end in sockets.ended)
    if not sockets.all_ended() or early < 5:
        raise Fault(f"WebSockets that were to be dropped after 6 s of silence were dropped after {early:.1f} s")
    control.phase("after")
    report = control.stop()
    return Outcome(
        f"the clock set back one day and then forward two, while {polls} polls are held and {polls} WebSockets await a pong",
        f"no deadline moved: polls with a wait of {WAIT} s were held {min(held):.1f} to {max(held):.1f} s, one-second heartbeats arrived within "
        f"{max(longest):.1f} s, pongs were awaited for {early:.1f} s instead of 6; `Date` followed both times", server.peak(), report,
    )
