"""Plays one case on one connection: sends its bytes and reads the outcome."""

import re
import socket
from dataclasses import dataclass

# Sent after the bytes of every case. It gets a response only if the server has read the case
# exactly to its end and keeps the connection open. No case requests these metrics, so the response
# to this request is recognized by its body.
LAST = b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
METRICS = b"# HELP "
QUIET = 3  # seconds; a server that sends nothing for this long, and keeps the connection open, is waiting for more
AT_MOST = 20


@dataclass
class Outcome:
    statuses: list
    after: str

    def __str__(self):
        return " ".join([*(str(status or "HTTP/0.9") for status in self.statuses), self.after])

    @property
    def refused(self):
        return any(status >= 400 for status in self.statuses)

    def differs(self, other):
        """Returns whether one server accepts a request that the other rejects, or closes the
        connection at another place. Differences in the exact status, and in whether a 100 precedes
        the response, do not count.
        """
        return self.shape() != other.shape()

    def shape(self):
        return [status >= 400 for status in self.statuses if not 100 <= status < 200], self.after


def play(case, address):
    received, waits = exchange(case, address)
    statuses, goes_on = responses(received, head_only=case.bytes.startswith(b"HEAD "))
    return Outcome(statuses, "waits" if waits else "on" if goes_on else "end")


def exchange(case, address):
    received = b""
    waits = False
    with socket.create_connection(address, timeout=AT_MOST) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            connection.sendall(case.bytes + LAST)
        except (BrokenPipeError, ConnectionResetError):
            pass  # The server has already rejected the request and closed; its response is what counts.
        # Only a case whose expected outcome is `waits` needs the short timeout.
        connection.settimeout(QUIET if case.expected.endswith("waits") else AT_MOST)
        try:
            while part := connection.recv(65536):
                received += part
        except TimeoutError:
            waits = True
        except ConnectionResetError:
            pass
    return received, waits


def responses(received, head_only):
    """Returns the statuses of all responses to the case, and whether the last request also got a
    response.
    """
    statuses = []
    while received:
        head, blank, received = received.partition(b"\r\n\r\n")
        match = re.match(rb"HTTP/1\.[01] ([0-9]{3}) ", head)
        if not match or not blank:
            return [*statuses, 0], False  # a response without a head, as in HTTP/0.9
        if received.startswith(METRICS):
            return statuses, True
        statuses.append(int(match[1]))
        length = re.search(rb"^content-length: *([0-9]+)", head, re.MULTILINE | re.IGNORECASE)
        # Neither server sends a chunked response to any of these requests.
        if length and not (head_only and statuses[-1] >= 200):
            received = received[int(length[1]) :]
        head_only = head_only and statuses[-1] < 200
    return statuses, False
