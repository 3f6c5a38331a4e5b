"""One case on one connection: what is sent, and what comes."""

import re
import socket
from dataclasses import dataclass

# Follows the bytes of every case: it is answered where the server has read the case to its end, to no other end, and goes on. No case asks
# for these metrics, so that its answer is known by them.
LAST = b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
METRICS = b"# HELP "
QUIET = 3  # seconds; who has said nothing for so long, and has not ended, waits for more
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
        """Whether they take and refuse the same requests, and end the connection at the same place. Which status says so is left
        to each, and so is whether 100 comes before an answer."""
        return self.shape() != other.shape()

    def shape(self):
        return [status >= 400 for status in self.statuses if not 100 <= status < 200], self.after


def play(case, address):
    received, waits = exchange(case, address)
    statuses, goes_on = answers(received, head_only=case.bytes.startswith(b"HEAD "))
    return Outcome(statuses, "waits" if waits else "on" if goes_on else "end")


def exchange(case, address):
    received = b""
    waits = False
    with socket.create_connection(address, timeout=AT_MOST) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            connection.sendall(case.bytes + LAST)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has refused and ended already: its answer is what counts
        # Where the case says that barewire does not wait, nobody needs to be quick.
        connection.settimeout(QUIET if case.expected.endswith("waits") else AT_MOST)
        try:
            while part := connection.recv(65536):
                received += part
        except TimeoutError:
            waits = True
        except ConnectionResetError:
            pass
    return received, waits


def answers(received, head_only):
    """The statuses of all answers to the case, and whether the last request is answered too."""
    statuses = []
    while received:
        head, blank, received = received.partition(b"\r\n\r\n")
        match = re.match(rb"HTTP/1\.[01] ([0-9]{3}) ", head)
        if not match or not blank:
            return [*statuses, 0], False  # an answer without a head, as HTTP/0.9 had it
        if received.startswith(METRICS):
            return statuses, True
        statuses.append(int(match[1]))
        length = re.search(rb"^content-length: *([0-9]+)", head, re.MULTILINE | re.IGNORECASE)
        # Neither server answers any of this in chunks.
        if length and not (head_only and statuses[-1] >= 200):
            received = received[int(length[1]) :]
        head_only = head_only and statuses[-1] < 200
    return statuses, False
