"""Holds followers of one topic open, from one process, using only the standard library.

    followers.py ADDRESS PORT TRANSPORT COUNT

TRANSPORT is `sse`, `websocket` or `long-poll`. Prints `ready` when all followers are connected.
Then counts the followers that receive the marker (an event whose data is `marker`), prints `reached
N` when all have received it or 30 s after the first data, and ends when its standard input ends.
"""

import select
import socket
import sys
import time

REQUESTS = {
    "sse": "GET /topics/load HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n",
    "websocket": "GET /topics/load HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "long-poll": "GET /topics/load?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n",
}
# The first bytes that the server sends to a follower. A held poll receives nothing.
GREETINGS = {"sse": b"id: ", "websocket": b'{"next"', "long-poll": None}


def main():
    address, port, transport, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    epoll = select.epoll()
    followers = {}
    for _ in range(count):
        follower = socket.create_connection((address, port), timeout=30)
        follower.sendall(REQUESTS[transport].encode())
        greeting = GREETINGS[transport]
        received = b""
        while greeting and greeting not in received:
            part = follower.recv(4096)
            if not part:
                sys.exit(f"{transport}: the server closed the connection after {received!r}")
            received += part
        follower.setblocking(False)
        epoll.register(follower.fileno(), select.EPOLLIN)
        followers[follower.fileno()] = [follower, b""]
    print("ready", flush=True)

    reached = set()
    deadline = None
    while len(reached) < count and (deadline is None or time.monotonic() < deadline):
        for descriptor, _ in epoll.poll(1):
            follower, received = followers[descriptor]
            try:
                part = follower.recv(65536)
            except BlockingIOError:
                continue
            if not part:
                sys.exit(f"{transport}: the server closed a follower's connection")
            deadline = deadline or time.monotonic() + 30
            # The end of the previous data may hold the beginning of the marker.
            followers[descriptor][1] = (received + part)[-64:]
            if b"marker" in received + part:
                reached.add(descriptor)
    print(f"reached {len(reached)}", flush=True)
    sys.stdin.read()


main()
