"""Clients that stop reading."""

import socket
import time

import wire
from control import ControlGroup
from outcome import Fault, Outcome
from peers import Exchange
from pool import newest
from server import Server, eventually

MIB = 1 << 20
# The data of one event. At the pace below, one second of events is an eighth of the window.
DATA = b"x" * 65_000


def publish_many(server, count):
    """Publishes that many events, at a pace at which a client that reads keeps up."""
    with socket.create_connection(server.address, timeout=20) as publisher:
        for _ in range(count):
            publisher.sendall(wire.publish("much", DATA))
            response = publisher.recv(4096)
            if not response.startswith(b"HTTP/1.1 201"):
                raise Fault(f"a publish: {response!r}")
            time.sleep(0.005)


def one_of_each(server):
    """Connects one reader per encoding, so that the encodings exist before the cost of the stopped
    clients is measured.
    """
    readers = Exchange(server.address, [wire.follow("sse", "much"), wire.follow("websocket", "much")])
    readers.until(readers.all_received, 10)
    return readers


def poll(server, since):
    """Returns the complete response to one poll."""
    with socket.create_connection(server.address, timeout=20) as poll:
        poll.sendall(wire.request(f"/topics/much?since={since}&wait=1", "Connection: close\r\n"))
        return b"".join(iter(lambda: poll.recv(1 << 18), b""))


def read_all(stopped, seconds):
    """Reads on all stopped clients until their connections end. Returns the last bytes that each
    received.
    """
    tails = [b""] * len(stopped.peers)
    deadline = time.monotonic() + seconds
    while stopped.by_fd and time.monotonic() < deadline:
        for fd, _ in stopped.epoll.poll(0.1):
            number = stopped.by_fd[fd]
            try:
                part = stopped.peers[number].recv(1 << 18)
            except BlockingIOError:
                continue
            except OSError as error:
                raise Fault(f"a stopped client's connection was reset: {error}") from None
            tails[number] = (tails[number] + part)[-200:]
            # A client that receives a close frame responds with one or, as here, closes the
            # connection.
            if not part or b"too slow: unread events" in tails[number]:
                stopped.end(number)
    if stopped.by_fd:
        raise Fault(f"{len(stopped.by_fd)} stopped clients are still connected")
    return tails


def case(short):
    each = 30 if short else 100
    window = 16 * MIB
    server = Server("--window-bytes", str(window), "--encoded-bytes", str(3 * window), "--write-timeout", "60")
    control = ControlGroup(server)
    control.before(1 if short else 3)
    readers = one_of_each(server)
    # The window, plus what the socket buffers hold.
    count = 2 * window // len(DATA)
    for _ in range(2):
        publish_many(server, count // 2)
        readers.until(lambda: False, 0.1)
    readers.close()
    cursor = "start"
    while len(body := poll(server, cursor)) > len(DATA):
        cursor = wire.NEXT.search(body[-200:])[1].decode()
    since = newest(server, "much")
    before = server.memory()

    kinds = ["sse"] * each + ["websocket"] * each + ["long-poll"] * each
    requests = [wire.follow(kind, "much", since) for kind in kinds[:-each]]
    requests += [wire.request(f"/topics/much?since={since}&wait=60", "Connection: close\r\n")] * each
    stopped = Exchange(server.address, requests, receive=4096)
    stopped.until(lambda: stopped.all_sent() and sum(map(bool, stopped.received)) >= 2 * each, 20)
    for number in list(stopped.by_fd.values()):
        stopped.epoll.modify(stopped.peers[number].fileno(), 0)
    publish_many(server, count)
    eventually("all stopped clients have left the window", lambda: server.gauge("followers_too_slow_total") >= 2 * each, 20)
    held = server.memory() - before
    buffered = server.gauge("buffered_bytes")
    for number in list(stopped.by_fd.values()):
        stopped.epoll.modify(stopped.peers[number].fileno(), 1)
    tails = read_all(stopped, 60)
    for number, tail in enumerate(tails):
        if kinds[number] == "sse" and not tail.endswith(b"\r\n0\r\n\r\n"):
            raise Fault(f"a stopped event stream ends with {tail!r}")
        # 1013, after the event that was completed.
        if kinds[number] == "websocket" and b"\x03\xf5too slow" not in tail:
            raise Fault(f"a stopped WebSocket ends with {tail!r}")
        if kinds[number] == "long-poll" and not wire.NEXT.search(tail):
            raise Fault(f"the response to a stopped poll ends with {tail!r}")
    # A poll's response stays complete however late the client reads it; only its next poll reports
    # the gap.
    back = Exchange(server.address, [wire.follow(kind, "much", since) for kind in ("sse", "websocket")])
    back.until(back.all_received, 10)
    gaps = sum(mark in received for mark, received in zip((b"event: gap", b'"gap":'), back.received))
    back.close()
    gaps += b'"gap":true' in poll(server, since)
    if gaps != 3:
        raise Fault(f"{gaps} of 3 clients that reconnected received a gap")
    control.phase("after")
    report = control.stop()
    # The window and its encodings were full before, so the growth is due to the stopped clients.
    cost = held / (3 * each)
    if cost > 64 * 1024:
        raise Fault(f"a stopped client costs {cost:.0f} bytes")
    return Outcome(
        f"{3 * each} clients (event streams, WebSockets, long polls) that stop reading, {2 * count * len(DATA) // MIB} MiB published",
        f"the server's memory grew by {max(0, cost) / 1024:.1f} KiB per stopped client (`buffered_bytes`: {buffered // 1024} KiB in total); "
        "streams ended, WebSockets closed with 1013, every client that reconnected received a gap", server.peak(), report,
    )
