"""Holds followers of one topic open, from one process, with nothing but the standard library.

    followers.py ADDRESS PORT TRANSPORT COUNT

TRANSPORT is `sse`, `websocket` or `long-poll`. Prints `ready` when all are held; then counts the followers that the
marker reaches (an event whose data is `marker`), prints `reached N` when it has reached all or 30 s are over, and ends
when its standard input ends.
"""

import select
import socket
import sys
import time

REQUESTS = {
    "sse": "GET /topics/load HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n",
    "websocket": "GET /topics/load HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "long-poll": "GET /topics/load?wait=60 HTTP/1.1\r\nHost: x\r\n\r\n",
}
# What the server says once it follows; of a held poll it says nothing.
GREETINGS = {"sse": b"id: ", "websocket": b'{"next"', "long-poll": None}


def main():
    address, port, transport, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    epoll = select.epoll()
    followers = {}
    for _ in range(count):
        follower = socket.create_connection((address, port), timeout=30)
        follower.sendall(REQUESTS[transport].encode())
        greeting = GREETINGS[transport]
        heard = b""
        while greeting and greeting not in heard:
            part = follower.recv(4096)
            if not part:
                sys.exit(f"{transport}: ended with {heard!r}")
            heard += part
        follower.setblocking(False)
        epoll.register(follower.fileno(), select.EPOLLIN)
        followers[follower.fileno()] = [follower, b""]
    print("ready", flush=True)

    reached = set()
    deadline = None
    while len(reached) < count and (deadline is None or time.monotonic() < deadline):
        for descriptor, _ in epoll.poll(1):
            follower, heard = followers[descriptor]
            try:
                part = follower.recv(65536)
            except BlockingIOError:
                continue
            if not part:
                sys.exit(f"{transport}: a follower was ended")
            deadline = deadline or time.monotonic() + 30
            # The end of what came before may hold the marker's beginning.
            followers[descriptor][1] = (heard + part)[-64:]
            if b"marker" in heard + part:
                reached.add(descriptor)
    print(f"reached {len(reached)}", flush=True)
    sys.stdin.read()


main()
