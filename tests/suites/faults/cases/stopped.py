"""Clients that stop reading."""

import socket
import time

import wire
from crowd import newest
from outcome import Fault, Outcome
from peers import Exchange
from server import Server, eventually
from witness import Witness

MIB = 1 << 20
# What one event has; a second of it at the pace below is an eighth of the window.
DATA = b"x" * 65_000


def publish_many(server, count):
    """So many events, at a pace at which whoever reads keeps up."""
    with socket.create_connection(server.address, timeout=20) as publisher:
        for _ in range(count):
            publisher.sendall(wire.publish("much", DATA))
            heard = publisher.recv(4096)
            if not heard.startswith(b"HTTP/1.1 201"):
                raise Fault(f"a publish: {heard!r}")
            time.sleep(0.005)


def one_of_each(server):
    """A reader of each encoding, so that it is there before it is measured what the stopped ones cost."""
    readers = Exchange(server.address, [wire.follow("sse", "much"), wire.follow("websocket", "much")])
    readers.until(readers.all_heard, 10)
    return readers


def poll(server, since):
    """One answer to a poll, whole."""
    with socket.create_connection(server.address, timeout=20) as poll:
        poll.sendall(wire.request(f"/topics/much?since={since}&wait=1", "Connection: close\r\n"))
        return b"".join(iter(lambda: poll.recv(1 << 18), b""))


def read_all(stopped, seconds):
    """They read again, to their end. What each heard last tells how it was ended."""
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
                raise Fault(f"a stopped client was not told of its end: {error}") from None
            tails[number] = (tails[number] + part)[-200:]
            # Whoever gets a close frame answers it, or, as here, ends the connection.
            if not part or b"too slow: events are lost" in tails[number]:
                stopped.end(number)
    if stopped.by_fd:
        raise Fault(f"{len(stopped.by_fd)} stopped clients were not ended")
    return tails


def case(short):
    each = 30 if short else 100
    window = 16 * MIB
    server = Server("--window-bytes", str(window), "--encoded-bytes", str(3 * window), "--write-timeout", "60")
    witness = Witness(server)
    witness.before(1 if short else 3)
    readers = one_of_each(server)
    # The window, and what the sockets take in beside it.
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
    asks = [wire.follow(kind, "much", since) for kind in kinds[:-each]]
    asks += [wire.request(f"/topics/much?since={since}&wait=60", "Connection: close\r\n")] * each
    stopped = Exchange(server.address, asks, receive=4096)
    stopped.until(lambda: all(not left for left in stopped.left) and sum(map(bool, stopped.heard)) >= 2 * each, 20)
    for number in list(stopped.by_fd.values()):
        stopped.epoll.modify(stopped.peers[number].fileno(), 0)
    publish_many(server, count)
    eventually("all are out of the window", lambda: server.gauge("followers_too_slow_total") >= 2 * each, 20)
    held = server.memory() - before
    buffered = server.gauge("buffered_bytes")
    for number in list(stopped.by_fd.values()):
        stopped.epoll.modify(stopped.peers[number].fileno(), 1)
    tails = read_all(stopped, 60)
    for number, tail in enumerate(tails):
        if kinds[number] == "sse" and not tail.endswith(b"\r\n0\r\n\r\n"):
            raise Fault(f"a stopped event stream ends with {tail!r}")
        # 1013, behind the event that was finished.
        if kinds[number] == "websocket" and b"\x03\xf5too slow" not in tail:
            raise Fault(f"a stopped WebSocket ends with {tail!r}")
        if kinds[number] == "long-poll" and not wire.NEXT.search(tail):
            raise Fault(f"the answer to a stopped poll ends with {tail!r}")
    # A poll is one answer, which stands whole whenever it is read; the next one is told.
    told = 0
    again = Exchange(server.address, [wire.follow(kind, "much", since) for kind in ("sse", "websocket")])
    again.until(again.all_heard, 10)
    told = sum(word in heard for word, heard in zip((b"event: gap", b'"gap":'), again.heard))
    again.close()
    told += b'"gap":true' in poll(server, since)
    if told != 3:
        raise Fault(f"{told} of 3 that came back were told of the gap")
    witness.phase("after")
    saw = witness.stop()
    # The window was full before, with its encodings: what there is more now is theirs.
    cost = held / (3 * each)
    if cost > 64 * 1024:
        raise Fault(f"a stopped client costs {cost:.0f} bytes")
    return Outcome(
        f"{3 * each} clients (event streams, WebSockets, long polls) that read no more, {2 * count * len(DATA) // MIB} MiB published",
        f"the server's memory grew by {max(0, cost) / 1024:.1f} KiB a stopped client (`buffered_bytes`: {buffered // 1024} KiB in all); "
        "streams ended, WebSockets closed with 1013, whoever came back was told of the gap", server.peak(), saw,
    )
